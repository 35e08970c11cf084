#include "cli/replay_aim.h"

#include "base/text.h"
#include "wire/url.h"

#include <stdio.h>

enum { PATH_SHOWN = 200 }; /* bytes */

static struct bytes path_of(struct bytes target)
{
    return bytes_first(target, bytes_find(target, bytes_of("?")));
}

/* The paths of handshakes, as far as it takes to know whether there are several. */
struct paths {
    unsigned count;
    struct bytes first;
};

static void add_path(struct paths *p, const struct replay_exchange *e)
{
    struct bytes path = path_of(e->target);

    if (!e->asks || (p->count > 0 && bytes_equal(path, p->first))) {
        return;
    }
    if (p->count++ == 0) {
        p->first = path;
    }
}

static struct paths paths_of(const struct replay_script *s)
{
    struct paths p = { 0 };

    for (size_t i = 0; i < s->count; i++) {
        const struct replay_connection *c = &s->connections[i];

        for (uint32_t x = 0; x < c->exchange_count && p.count < 2; x++) {
            add_path(&p, &c->exchanges[x]);
        }
    }
    return p;
}

static void tell_path(struct bytes path, struct bytes recorded)
{
    struct buf was = { 0 };

    if (text_put_escaped(&was, recorded, PATH_SHOWN) == 0) {
        fprintf(stderr, "wstape: WebSockets go to %.*s (on the tape: %.*s)\n",
                (int)path.len, (const char *)path.at, (int)was.len,
                (const char *)was.at);
    }
    buf_deinit(&was);
}

static void aim_path(struct cli_replay_options *o, const struct replay_script *s,
                     struct bytes path)
{
    struct paths p = paths_of(s);

    if (p.count > 1) {
        fprintf(stderr,
                "wstape: the tape's WebSockets have several paths, which are kept: the "
                "path in --to is not sent\n");
    } else if (p.count == 1 && !bytes_equal(path, p.first)) {
        tell_path(path, p.first);
        o->play.path = path;
    }
}

void cli_replay_aim(struct cli_replay_options *o, const struct replay_script *s)
{
    const char *text = o->record.config.upstream;
    struct wire_url url;
    struct bytes target, path;
    struct err e;

    if (!o->calls || wire_url_parse(text, "--to", &url, &e) < 0) {
        return;
    }
    /* They are the end of the text, but for the "/" before a query that url.path has.
     */
    target = bytes_of(url.path);
    path = path_of(target);
    target = bytes_from(target, path.len);
    o->play.query = bytes_from(bytes_of(text), strlen(text) - target.len);
    if (path.len > 1) {
        aim_path(
            o, s,
            bytes_make((const uint8_t *)text + strlen(text) - target.len - path.len,
                       path.len));
    }
}
