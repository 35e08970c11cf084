#include "cli/demo_session.h"

#include "base/clock.h"
#include "cli/demo_backend.h"
#include "cli/demo_client.h"
#include "cli/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { GIVE_UP_AFTER_S = 20 };

struct session {
    const struct demo_session_config *config;
    struct net_loop *loop;
    struct net_timer *patience;
    struct demo_backend *backend;
    struct cli_recorder *recorder;
    struct demo_client *client;
    struct demo_sights sights;
    struct err *e;
    int result;
};

/* ---- what happens ---- */

static void stopped(void *owner)
{
    struct session *s = owner;

    demo_backend_stop(s->backend);
}

static void client_saw(void *owner, const char *what)
{
    struct demo_sights *seen = &((struct session *)owner)->sights;

    if (seen->count < DEMO_SIGHTS_MAX) {
        snprintf(seen->at[seen->count++], sizeof(seen->at[0]), "%s", what);
    }
}

static void client_done(void *owner, const struct err *trouble)
{
    struct session *s = owner;

    if (trouble != NULL) {
        s->result = err_set(s->e, -EPROTO, "demo: %s", trouble->text);
    }
    net_timer_free(s->patience);
    s->patience = NULL;
    if (s->recorder != NULL) {
        cli_recorder_stop(s->recorder, "the demo is over");
    }
}

static void out_of_patience(void *owner)
{
    struct session *s = owner;

    demo_client_give_up(s->client, "waited too long");
}

/* ---- set-up, in the order in which a user would do it ---- */

static int start_recorder(struct session *s, struct err *e)
{
    struct cli_recorder_config c;
    char upstream[64];

    snprintf(upstream, sizeof(upstream), "ws://127.0.0.1:%u",
             (unsigned)demo_backend_port(s->backend));
    cli_recorder_defaults(&c);
    c.listen = "ws://127.0.0.1:0";
    c.upstream = upstream;
    c.output = s->config->tape;
    c.fault_lines = s->config->faults;
    c.fault_count = s->config->fault_count;
    c.stopped = stopped;
    c.owner = s;
    return cli_recorder_new(s->loop, &c, &s->recorder, e);
}

static int start_client(struct session *s, uint16_t port, struct err *e)
{
    static const struct demo_client_events events = { client_saw, client_done };

    s->patience = net_timer_new(s->loop, out_of_patience, s);
    if (s->patience == NULL) {
        return err_set(e, -ENOMEM, "out of memory");
    }
    net_timer_at(s->patience,
                 net_loop_now_ns(s->loop) + GIVE_UP_AFTER_S * CLOCK_NS_PER_S);
    if (demo_client_start(s->loop, port, &events, s, &s->client) < 0) {
        net_timer_free(s->patience);
        return err_set(e, -ENOMEM, "out of memory");
    }
    return 0;
}

static int start(struct session *s, struct err *e)
{
    int r = demo_backend_new(s->loop, &s->backend, e);

    if (r < 0) {
        return r;
    }
    s->config->introduce(s->config, demo_backend_port(s->backend));
    r = start_recorder(s, e);
    if (r < 0) {
        demo_backend_stop(s->backend);
        return r;
    }
    r = start_client(s, cli_recorder_port(s->recorder), e);
    if (r < 0) {
        cli_recorder_stop(s->recorder, "the demo could not start");
    }
    return r;
}

static int run(struct session *s, struct err *e)
{
    struct cli_recorder_result result;
    int r = start(s, e);

    if (net_loop_run(s->loop) < 0 && r == 0) {
        r = err_set(e, -EIO, "demo: the event loop failed");
    }
    if (s->recorder != NULL &&
        cli_recorder_finish(s->recorder, "the demo is over", &result) < 0 && r == 0) {
        r = err_set(e, -EIO, "demo: %s could not be finished", s->config->tape);
    }
    demo_client_free(s->client);
    demo_backend_free(s->backend);
    return r;
}

static int finish(struct session *s, int r, struct demo_sights *out)
{
    net_loop_free(s->loop);
    if (r == 0) {
        r = s->result;
    }
    if (r == 0) {
        *out = s->sights;
    }
    return r;
}

int demo_session_call(uint16_t port, struct demo_sights *out, struct err *e)
{
    struct session s = { .e = e };
    int r = net_loop_new(&s.loop);

    if (r < 0) {
        return err_set(e, r, "demo: no event loop: %s", strerror(-r));
    }
    r = start_client(&s, port, e);
    if (net_loop_run(s.loop) < 0 && r == 0) {
        r = err_set(e, -EIO, "demo: the event loop failed");
    }
    demo_client_free(s.client);
    return finish(&s, r, out);
}

int demo_session_record(const struct demo_session_config *c, struct demo_sights *out,
                        struct err *e)
{
    struct session s = { .config = c, .e = e };
    int r = net_loop_new(&s.loop);

    if (r < 0) {
        return err_set(e, r, "demo: no event loop: %s", strerror(-r));
    }
    return finish(&s, run(&s, e), out);
}
