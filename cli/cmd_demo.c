#include "cli/options.h"

#include "base/buf.h"
#include "base/clock.h"
#include "cli/demo_backend.h"
#include "cli/demo_client.h"
#include "cli/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GIVE_UP_AFTER_S = 20 };

struct demo {
    char folder[1024];
    char tape[sizeof("/demo.wstape") + 1024];
    struct net_loop *loop;
    struct net_timer *patience;
    struct demo_backend *backend;
    struct cli_recorder *recorder;
    struct demo_client *client;
    struct err *e;
    int result;
};

static const struct cli_command command = {
    .name = "demo",
    .usage = "",
    .summary =
        "Record a session between an embedded client and an embedded backend, over "
        "real\nsockets, and show the tape.",
};

/* ---- what happens ---- */

static void stopped(void *owner)
{
    struct demo *d = owner;

    demo_backend_stop(d->backend);
}

static void client_done(void *owner, const struct err *trouble)
{
    struct demo *d = owner;

    if (trouble != NULL) {
        d->result = err_set(d->e, -EPROTO, "demo: %s", trouble->text);
    }
    net_timer_free(d->patience);
    d->patience = NULL;
    cli_recorder_stop(d->recorder, "the demo is over");
}

static void out_of_patience(void *owner)
{
    struct demo *d = owner;

    demo_client_give_up(d->client, "waited too long");
}

/* ---- set-up, in the order in which a user would do it ---- */

static int choose_tape(struct demo *d, struct err *e)
{
    const char *folder = getenv("TMPDIR");
    int len;

    len = snprintf(d->folder, sizeof(d->folder), "%s/wstape-demo-XXXXXX",
                   folder == NULL || folder[0] == '\0' ? "/tmp" : folder);
    if (len >= (int)sizeof(d->folder)) {
        return err_set(e, -ENAMETOOLONG, "demo: TMPDIR is too long");
    }
    if (mkdtemp(d->folder) == NULL) {
        return err_set(e, -errno, "demo: cannot make a folder %s: %s (set TMPDIR)",
                       d->folder, strerror(errno));
    }
    snprintf(d->tape, sizeof(d->tape), "%s/demo.wstape", d->folder);
    return 0;
}

static int start_recorder(struct demo *d, struct err *e)
{
    struct cli_recorder_config c;
    char upstream[64];

    snprintf(upstream, sizeof(upstream), "ws://127.0.0.1:%u",
             (unsigned)demo_backend_port(d->backend));
    cli_recorder_defaults(&c);
    c.listen = "ws://127.0.0.1:0";
    c.upstream = upstream;
    c.output = d->tape;
    c.stopped = stopped;
    c.owner = d;
    return cli_recorder_new(d->loop, &c, &d->recorder, e);
}

static int start_client(struct demo *d, struct err *e)
{
    d->patience = net_timer_new(d->loop, out_of_patience, d);
    if (d->patience == NULL) {
        return err_set(e, -ENOMEM, "out of memory");
    }
    net_timer_at(d->patience,
                 net_loop_now_ns(d->loop) + GIVE_UP_AFTER_S * CLOCK_NS_PER_S);
    if (demo_client_start(d->loop, cli_recorder_port(d->recorder), client_done, d,
                          &d->client) < 0) {
        net_timer_free(d->patience);
        return err_set(e, -ENOMEM, "out of memory");
    }
    return 0;
}

static int start(struct demo *d, struct err *e)
{
    int r = demo_backend_new(d->loop, &d->backend, e);

    if (r < 0) {
        return r;
    }
    r = start_recorder(d, e);
    if (r < 0) {
        demo_backend_stop(d->backend);
        return r;
    }
    r = start_client(d, e);
    if (r < 0) {
        cli_recorder_stop(d->recorder, "the demo could not start");
    }
    return r;
}

static void introduce(const struct demo *d)
{
    printf("1. An agent backend listens on ws://127.0.0.1:%u\n"
           "2. $ wstape record --upstream ws://127.0.0.1:%u --listen ws://127.0.0.1:%u "
           "\\\n"
           "       --output %s\n"
           "3. A client asks there for GET /health, then opens a WebSocket, sends two "
           "chat\n   messages and a ping, and closes.\n"
           "4. $ wstape show %s\n\n",
           (unsigned)demo_backend_port(d->backend),
           (unsigned)demo_backend_port(d->backend),
           (unsigned)cli_recorder_port(d->recorder), d->tape, d->tape);
    fflush(stdout);
}

/* Record one session; the tape is finished and closed when it returns. */
static int record(struct demo *d, struct err *e)
{
    struct cli_recorder_result result;
    int r = net_loop_new(&d->loop);

    if (r < 0) {
        return err_set(e, r, "demo: no event loop: %s", strerror(-r));
    }
    d->e = e;
    r = start(d, e);
    if (r == 0) {
        introduce(d);
    }
    if (net_loop_run(d->loop) < 0 && r == 0) {
        r = err_set(e, -EIO, "demo: the event loop failed");
    }
    if (d->recorder != NULL &&
        cli_recorder_finish(d->recorder, "the demo is over", &result) < 0 && r == 0) {
        r = err_set(e, -EIO, "demo: %s could not be finished", d->tape);
    }
    demo_client_free(d->client);
    demo_backend_free(d->backend);
    net_loop_free(d->loop);
    return r < 0 ? r : d->result;
}

static int show(char *tape)
{
    char name[] = "show";
    char *argv[] = { name, tape, NULL };

    return cmd_show(2, argv);
}

static void say_what_next(const struct demo *d)
{
    printf("\nThe tape stays in %s. Try:\n"
           "  wstape show --stats %s\n"
           "  wstape show --json %s\n"
           "  wstape verify %s\n\n"
           "Still to come: a tape that plays the backend or the client, and faults on "
           "demand.\n",
           d->tape, d->tape, d->tape, d->tape);
}

int cmd_demo(int argc, char **argv)
{
    const struct cli_option table[] = { { 0 } };
    struct cli_parsed parsed;
    struct demo demo = { .result = 0 };
    struct err e;
    int r = cli_parse(&command, table, argc, argv, &parsed, &e);

    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    r = choose_tape(&demo, &e);
    if (r == 0) {
        r = record(&demo, &e);
    }
    if (r < 0) {
        return cli_fail(CLI_FAILED, &e);
    }
    r = show(demo.tape);
    if (r == CLI_OK) {
        say_what_next(&demo);
    }
    return r;
}
