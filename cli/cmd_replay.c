#include "base/clock.h"
#include "base/text.h"
#include "captures/file.h"
#include "cli/options.h"
#include "cli/replay_aim.h"
#include "cli/replay_backend.h"
#include "cli/replay_client.h"
#include "cli/replay_options.h"
#include "cli/replay_show.h"
#include "cli/run.h"
#include "replay/caller.h"
#include "replay/report.h"
#include "replay/volatility.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PROGRESS_MS = 200,
    TARGET_SHOWN = 200, /* bytes of a target in the first line */
};

/* One `wstape replay`. */
struct play {
    struct cli_replay_options options;
    struct capture_source source;
    struct capture_reader *reader;
    struct replay_script *script;
    struct replay_volatility *volatility;
    struct replay_report *report;
    struct replay_stage *stage;
    struct cli_replay_backend backend;
    struct cli_replay_client client;
    struct cli_replay_show show;
    char name[4096];  /* "tape:" and the file's name, for the header of a new tape */
    char listen[300]; /* what the recorded client called */
    char path[1024];  /* of the recorded upstream */
    int64_t shown_at; /* progress of reading */
    bool shown;
};

static const char *tape_name(const struct play *p)
{
    return strcmp(p->options.tape, "-") == 0 ? "stdin" : p->options.tape;
}

/* ---- the tape ---- */

static void progress(void *owner, uint64_t offset)
{
    struct play *p = owner;
    uint64_t size = p->source.size(p->source.object);
    int64_t now = clock_monotonic_ns();

    if (now < p->shown_at || size == 0) {
        return;
    }
    p->shown_at = now + PROGRESS_MS * CLOCK_NS_PER_MS;
    p->shown = true;
    fprintf(stderr, "\rwstape: reading %s: %u %%\033[K", tape_name(p),
            (unsigned)(offset * 100 / size));
}

/* A backend needs requests to answer, a client something to say, and its handshake. */
static int check_playable(const struct play *p, struct err *e)
{
    for (size_t i = 0; i < p->script->count; i++) {
        const struct replay_connection *c = &p->script->connections[i];

        if (p->options.calls ? replay_caller_can_play(c) : c->exchange_count > 0) {
            return 0;
        }
    }
    return err_set(e, -ENODATA, "%s: nothing to play: the tape has %s", tape_name(p),
                   p->script->count == 0 ? "no connection"
                                         : "no connection with a request");
}

static void tell_damage(const struct play *p)
{
    if (p->script->damaged > 0) {
        fprintf(stderr,
                "wstape: %s is damaged or has gaps (%llu place%s): what can be read is "
                "played; see `wstape verify`\n",
                tape_name(p), (unsigned long long)p->script->damaged,
                p->script->damaged == 1 ? "" : "s");
    }
    if (p->script->torn) {
        fprintf(stderr, "wstape: %s was not finished: it is played as far as it goes\n",
                tape_name(p));
    }
}

static int make_script(struct play *p, struct err *e)
{
    bool tty = isatty(STDERR_FILENO) == 1;
    struct err why;
    int r = capture_reader_new(&p->source, &p->reader, &why);

    p->shown_at = clock_monotonic_ns() + PROGRESS_MS * CLOCK_NS_PER_MS;
    if (r == 0) {
        r = replay_script_new(p->reader, tty ? progress : NULL, p, &p->script, &why);
    }
    if (p->shown) {
        fputs("\r\033[K", stderr);
    }
    return r < 0 ? err_set(e, r, "%s: %s", tape_name(p), why.text) : 0;
}

static int read_tape(struct play *p, struct err *e)
{
    int r = capture_file_open(p->options.tape, &p->source, e);

    if (r == 0) {
        r = make_script(p, e);
    }
    return r == 0 ? check_playable(p, e) : r;
}

/* ---- what is made of it ---- */

/* What --upstream's path was when the tape was made: WSTAPE_URL is then the same. */
static void find_path(struct play *p)
{
    struct bytes upstream = capture_reader_header(p->reader)->upstream;
    char text[sizeof(p->path)];
    struct wire_url url;
    struct err e;

    snprintf(text, sizeof(text), "%.*s", (int)upstream.len,
             upstream.len == 0 ? "" : (const char *)upstream.at);
    if (upstream.len < sizeof(text) &&
        wire_url_parse(text, "the tape", &url, &e) == 0) {
        snprintf(p->path, sizeof(p->path), "%s", url.path);
    }
}

static void set_recorder(struct play *p)
{
    struct cli_recorder_config *c = &p->options.record.config;
    struct bytes listen = capture_reader_header(p->reader)->listen;
    struct wire_url url;
    struct err e;

    snprintf(p->name, sizeof(p->name), "tape:%s", tape_name(p));
    if (!p->options.calls) {
        find_path(p);
        c->backend = &p->backend.guest;
        c->backend_name = p->name;
        c->path = p->path;
        return;
    }
    c->no_listener = true;
    snprintf(p->listen, sizeof(p->listen), "%.*s", (int)listen.len,
             listen.len == 0 ? "" : (const char *)listen.at);
    if (wire_url_parse(p->listen, "the tape", &url, &e) == 0 && url.path[0] == '\0') {
        c->listen = p->listen;
    }
}

static void tell(void *owner, const struct replay_event *e)
{
    struct play *p = owner;

    if (p->options.calls && p->client.unreachable[0] != '\0') {
        return; /* that says it all */
    }
    cli_replay_show_event(&p->show, e);
}

static int make_stage(struct play *p, struct err *e)
{
    struct cli_replay_options *o = &p->options;
    struct replay_listener listener = { tell, p, o->verbose };
    enum side live = o->calls ? SERVER : CLIENT;
    int r = 0;

    if (o->rules.match == REPLAY_MATCH_JSON) {
        r = replay_volatility_new(p->script, &p->volatility);
        o->rules.volatility = p->volatility;
    }
    if (r == 0) {
        p->report = replay_report_new(p->script, live, (uint32_t)o->copies);
        r = p->report == NULL ? -ENOMEM : 0;
    }
    if (r == 0) {
        r = replay_stage_new(p->script, &o->play, &o->rules, &listener, live,
                             &p->stage);
    }
    p->show = (struct cli_replay_show){ .stage = p->stage,
                                        .report = p->report,
                                        .calls = o->calls,
                                        .json = o->json,
                                        .verbose = o->verbose };
    cli_replay_backend_init(&p->backend, p->stage);
    cli_replay_client_init(&p->client, p->stage, (uint32_t)o->copies);
    p->client.connect_ns = o->record.config.connect_timeout_ns;
    return r < 0 ? err_set(e, r, "out of memory") : 0;
}

/* ---- the run ---- */

static uint64_t count_messages(const struct replay_script *s)
{
    uint64_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        count += s->connections[i].message_count;
    }
    return count;
}

static struct bytes handshake_of(const struct replay_connection *c)
{
    for (uint32_t x = 0; x < c->exchange_count; x++) {
        if (c->exchanges[x].asks) {
            return c->exchanges[x].target;
        }
    }
    return (struct bytes){ NULL, 0 };
}

static struct bytes first_handshake(const struct replay_script *s)
{
    struct bytes target = { NULL, 0 };

    for (size_t i = 0; i < s->count && target.len == 0; i++) {
        target = handshake_of(&s->connections[i]);
    }
    return target;
}

/* Where to connect: with the path of the first WebSocket, as a user would type it. */
static int put_address(const struct play *p, const struct cli_recorder *recorder,
                       struct buf *out)
{
    struct bytes target = first_handshake(p->script);
    int r = cli_recorder_put_url(recorder, false, out);

    if (r == 0 && target.len > 0 && target.at[0] == '/') {
        out->len -= strlen(p->path);
        r = text_put_escaped(out, target, TARGET_SHOWN);
    }
    return r;
}

static void announce(void *owner, const struct cli_recorder *recorder)
{
    struct play *p = owner;
    const struct cli_recorder_config *c = &p->options.record.config;
    uint64_t messages = count_messages(p->script);
    struct buf url = { 0 };
    int r = 0;

    if (!p->options.calls) {
        r = put_address(p, recorder, &url);
    } else {
        r = buf_put_text(&url, c->upstream);
    }
    if (r == 0) {
        fprintf(
            stderr, "wstape: %s %s (%zu connection%s, %llu message%s) %s %.*s%s%s\n",
            p->options.calls ? "playing" : "replaying", tape_name(p), p->script->count,
            p->script->count == 1 ? "" : "s", (unsigned long long)messages,
            messages == 1 ? "" : "s", p->options.calls ? "to" : "on", (int)url.len,
            (const char *)url.at, c->output == NULL ? "" : ", recorded to ",
            c->output == NULL ? "" : cli_run_tape_name(c));
    }
    buf_deinit(&url);
}

static int start(void *owner, struct cli_run *run, struct err *e)
{
    struct play *p = owner;
    int r = p->options.verbose ? cli_replay_show_tape(&p->show, p->volatility) : 0;

    if (r < 0) {
        return err_set(e, r, "out of memory");
    }
    if (p->options.calls) {
        cli_replay_show_progress(&p->show, cli_run_loop(run), &p->client);
        return cli_replay_client_start(&p->client, run, e);
    }
    p->backend.loop = cli_run_loop(run);
    return 0;
}

static void stopping(void *owner)
{
    struct play *p = owner;

    cli_replay_show_no_progress(&p->show);
    if (p->options.calls) {
        cli_replay_client_stop(&p->client);
    } else {
        cli_replay_backend_stop(&p->backend);
    }
}

static int write_junit(const struct play *p)
{
    struct buf out = { 0 };
    struct err e;
    FILE *f;
    int r;

    if (p->options.junit == NULL) {
        return CLI_OK;
    }
    r = replay_report_put_junit(p->report, tape_name(p), &out);
    f = r < 0 ? NULL : fopen(p->options.junit, "we");
    if (r == 0 && f == NULL) {
        r = -errno;
    }
    if (f != NULL) {
        r = fwrite(out.at, 1, out.len, f) == out.len ? 0 : -errno;
        r = fclose(f) == 0 ? r : -errno;
    }
    buf_deinit(&out);
    if (r == 0) {
        return CLI_OK;
    }
    err_set(&e, r, "--junit %s: %s", p->options.junit, strerror(-r));
    return cli_fail(CLI_FAILED, &e);
}

static int finish(void *owner, const struct cli_recorder_result *result,
                  const char *reason)
{
    struct play *p = owner;
    const struct cli_replay_options *o = &p->options;
    bool fails = o->calls || o->play.on_mismatch == REPLAY_FAIL;
    int status;
    struct err e;

    if (o->calls && p->client.copies_done < p->client.copy_count) {
        replay_report_unfinished(p->report);
    }
    cli_replay_show_end(&p->show);
    if (o->record.config.output != NULL) {
        cli_run_tell_tape(&o->record.config, result, reason);
    }
    status = write_junit(p);
    if (p->client.unreachable[0] != '\0') {
        err_set(&e, -ECONNREFUSED, "%s", p->client.unreachable);
        return cli_fail(CLI_FAILED, &e);
    }
    if (status == CLI_OK && fails &&
        (replay_report_mismatches(p->report) > 0 || !replay_report_played(p->report))) {
        return CLI_FOUND;
    }
    return status;
}

static int run(struct play *p)
{
    struct cli_run_config config = { .recorder = &p->options.record.config,
                                     .port_file = p->options.record.port_file,
                                     .command = p->options.record.command,
                                     .announce = announce,
                                     .start = start,
                                     .stopping = stopping,
                                     .finish = finish,
                                     .owner = p };
    struct err e;
    int r = read_tape(p, &e);

    if (r == 0) {
        cli_replay_aim(&p->options, p->script);
        r = make_stage(p, &e);
    }
    if (r < 0) {
        return cli_fail(CLI_FAILED, &e);
    }
    set_recorder(p);
    tell_damage(p);
    return cli_run(&config);
}

static void deinit(struct play *p)
{
    cli_replay_show_deinit(&p->show);
    cli_replay_client_deinit(&p->client);
    replay_stage_free(p->stage);
    replay_report_free(p->report);
    replay_volatility_free(p->volatility);
    replay_script_free(p->script);
    capture_reader_free(p->reader);
    if (p->source.object != NULL) {
        capture_file_release(&p->source);
    }
    cli_replay_options_deinit(&p->options);
}

int cmd_replay(int argc, char **argv)
{
    struct play p = { .script = NULL };
    struct err e;
    int r = cli_replay_parse(&p.options, argc, argv, &e);
    int status;

    if (r == CLI_HELP) {
        status = CLI_OK;
    } else if (r < 0) {
        status = cli_fail(r == -EINVAL ? CLI_USAGE : CLI_FAILED, &e);
    } else {
        status = run(&p);
    }
    deinit(&p);
    return status;
}
