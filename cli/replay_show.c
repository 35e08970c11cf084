#include "cli/replay_show.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/replay_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LINKS_SHOWN = 200, /* of one connection */
    VALUE_SHOWN = 60,  /* bytes */
    PROGRESS_MS = 200,
};

/* ---- lines ---- */

static void clear_progress(struct cli_replay_show *s)
{
    if (s->shown) {
        fputs("\r\033[K", stderr);
        s->shown = false;
    }
}

/* Every line of `line` behind our name, if it goes to stderr. */
static void print_lines(struct cli_replay_show *s, bool result)
{
    struct bytes rest = buf_bytes(&s->line);

    clear_progress(s);
    if (result) {
        if (rest.len > 0) {
            fwrite(rest.at, 1, rest.len, stdout);
        }
        return;
    }
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.at, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.at) + 1;

        fprintf(stderr, "wstape: %.*s", (int)len, (const char *)rest.at);
        rest = bytes_from(rest, len);
    }
}

static bool has_line(const struct cli_replay_show *s, const struct replay_event *e)
{
    bool chatty = e->kind == REPLAY_EVENT_CHOSEN ||
                  e->kind == REPLAY_EVENT_SUBSTITUTED || e->kind == REPLAY_EVENT_OVER;

    return s->json || s->verbose || !chatty;
}

static int put_event(struct cli_replay_show *s, const struct replay_event *e)
{
    int r;

    buf_clear(&s->line);
    r = s->json ? replay_report_put_json(s->report, e, &s->line)
                : replay_report_put_line(s->report, e, &s->line);
    return r == 0 && s->line.len > 0 ? buf_put_byte(&s->line, '\n') : r;
}

static void complain(void)
{
    fputs("wstape: out of memory: an event is not told\n", stderr);
}

void cli_replay_show_event(struct cli_replay_show *s, const struct replay_event *e)
{
    int r = replay_report_take(s->report, e);

    if (r == 0 && has_line(s, e)) {
        r = put_event(s, e);
        print_lines(s, s->json || s->calls);
    }
    if (r < 0) {
        complain();
    }
    if (s->json && (replay_event_is_mismatch(e) || e->kind == REPLAY_EVENT_WAITS)) {
        fflush(stdout);
    }
}

/* ---- -v ---- */

static int tell_volatile(void *owner, enum side from, struct bytes path,
                         const char *why)
{
    struct cli_replay_show *s = owner;
    int r;

    buf_clear(&s->line);
    r = buf_put_format(&s->line, "volatile: %s ", side_name(from));
    if (r == 0) {
        r = text_put_escaped(&s->line, path, REPLAY_REPORT_TEXT);
    }
    if (r == 0) {
        r = buf_put_format(&s->line, " (%s)\n", why);
    }
    if (r == 0) {
        print_lines(s, false);
    }
    return r;
}

/* While the links of one connection are listed. */
struct links {
    struct cli_replay_show *show;
    uint32_t connection; /* number on the tape */
    uint64_t count;
};

static int put_place(struct buf *out, enum side from, uint64_t message,
                     struct bytes path)
{
    int r = buf_put_format(out, "%s message %" PRIu64 " ", side_name(from), message);

    return r == 0 ? text_put_escaped(out, path.len == 0 ? bytes_of("as a whole") : path,
                                     REPLAY_REPORT_TEXT)
                  : r;
}

static int tell_link(void *owner, const struct replay_link_text *t)
{
    struct links *l = owner;
    struct buf *out = &l->show->line;
    enum side from = l->show->stage->live;
    int r;

    if (++l->count > LINKS_SHOWN) {
        return 0;
    }
    buf_clear(out);
    r = buf_put_format(out, "link: connection %" PRIu32 ": ", l->connection);
    if (r == 0) {
        r = put_place(out, from, t->source_message, t->source_path);
    }
    if (r == 0) {
        r = buf_put_text(out, t->inside ? " -> inside " : " -> ");
    }
    if (r == 0) {
        r = put_place(out, side_other(from), t->carrier_message, t->carrier_path);
    }
    if (r == 0) {
        r = buf_put_text(out, ": ");
    }
    if (r == 0) {
        r = text_put_escaped(out, t->value, VALUE_SHOWN);
    }
    if (r == 0) {
        r = buf_put_byte(out, '\n');
    }
    if (r == 0) {
        print_lines(l->show, false);
    }
    return r;
}

static int show_links(struct cli_replay_show *s, struct replay_stage *stage,
                      uint32_t index)
{
    struct links l = { s, stage->script->connections[index].number, 0 };
    const struct replay_links *links;
    int r = replay_stage_links(stage, index, &links);

    if (r == 0 && links != NULL) {
        r = replay_links_list(links, tell_link, &l);
    }
    if (r == 0 && l.count > LINKS_SHOWN) {
        fprintf(stderr, "wstape: link: connection %" PRIu32 ": and %" PRIu64 " more\n",
                l.connection, l.count - LINKS_SHOWN);
    }
    return r;
}

int cli_replay_show_tape(struct cli_replay_show *s, const struct replay_volatility *v)
{
    const struct replay_links *links;
    int r = 0;

    for (uint32_t i = 0; i < s->stage->script->count && r == 0; i++) {
        r = replay_stage_links(s->stage, i, &links);
    }
    if (r == 0 && v != NULL) {
        r = replay_volatility_list(v, s->stage->script, s->stage->links, tell_volatile,
                                   s);
    }
    for (uint32_t i = 0; i < s->stage->script->count && r == 0; i++) {
        r = show_links(s, s->stage, i);
    }
    return r;
}

/* ---- progress ---- */

static void progress_due(void *owner)
{
    struct cli_replay_show *s = owner;
    const struct cli_replay_client *c = s->client;

    fprintf(stderr,
            "\rwstape: %" PRIu32 " of %" PRIu32 " copies done, %" PRIu64
            " connections, %" PRIu64 " open, %" PRIu64 " mismatches\033[K",
            c->copies_done, c->copy_count, c->calls, c->calls - c->calls_done,
            replay_report_mismatches(s->report));
    s->shown = true;
    net_timer_at(s->timer, net_loop_now_ns(s->loop) + PROGRESS_MS * CLOCK_NS_PER_MS);
}

void cli_replay_show_progress(struct cli_replay_show *s, struct net_loop *loop,
                              const struct cli_replay_client *client)
{
    s->loop = loop;
    s->client = client;
    if (client->copy_count < 2 || isatty(STDERR_FILENO) != 1) {
        return;
    }
    s->timer = net_timer_new(loop, progress_due, s); /* without memory: no line */
    if (s->timer != NULL) {
        net_timer_at(s->timer, net_loop_now_ns(loop) + PROGRESS_MS * CLOCK_NS_PER_MS);
    }
}

void cli_replay_show_no_progress(struct cli_replay_show *s)
{
    clear_progress(s);
    net_timer_free(s->timer);
    s->timer = NULL;
}

/* ---- the end ---- */

void cli_replay_show_end(struct cli_replay_show *s)
{
    int r;

    buf_clear(&s->line);
    r = replay_report_put_summary(s->report, s->stage, s->json, &s->line);
    if (r < 0) {
        complain();
    }
    print_lines(s, s->json || s->calls);
}

void cli_replay_show_deinit(struct cli_replay_show *s)
{
    buf_deinit(&s->line);
}
