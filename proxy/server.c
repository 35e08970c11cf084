#include "proxy/server.h"

#include "base/alloc.h"
#include "proxy/server_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CLOSE_GOING_AWAY = 1001, CLOSE_INTERNAL_ERROR = 1011 };

/* How often guests may answer one another in one turn, until sockets have theirs. */
enum { ROUNDS = 4 };

/* When the port is taken by somebody else while a rule refused. */
static const int64_t LISTEN_RETRY_NS = INT64_C(200000000);
static const int64_t LOOK_AGAIN_NS = INT64_C(3600000000000);

static void say(struct proxy_server *s, const char *text)
{
    if (s->config.say != NULL) {
        s->config.say(s->config.owner, text);
    }
}

static void tell_stopped(struct proxy_server *s)
{
    if (!s->stopping || s->stopped_told || !list_empty(&s->pairs)) {
        return;
    }
    s->stopped_told = true;
    net_target_free(s->target);
    s->target = NULL;
    s->config.stopped(s->config.owner);
}

void proxy_server_pair_gone(struct proxy_server *s, bool refused)
{
    s->open--;
    s->refused -= refused;
    if (!s->in_turn) { /* else at its end */
        tell_stopped(s);
    }
}

static void stop_pairs(struct proxy_server *s, unsigned code, const char *reason)
{
    struct list *next;

    for (struct list *n = s->pairs.next; n != &s->pairs; n = next) {
        next = n->next;
        proxy_pair_stop(LIST_ENTRY(n, struct proxy_pair, node), code, reason);
    }
}

static void stop_listening(struct proxy_server *s)
{
    s->stopping = true;
    net_listener_free(s->listener);
    s->listener = NULL;
    net_timer_free(s->refuse_timer);
    s->refuse_timer = NULL;
}

/* What the tape does not have must not reach anybody. */
static void drop_sends(struct proxy_server *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->outputs.count; i++) {
        struct proxy_output *out = &s->outputs.at[i];

        if (out->kind != PROXY_SEND) {
            s->outputs.at[kept++] = *out;
            continue;
        }
        proxy_pair_lost(out->owner, (enum side)out->side);
        chunk_unref(out->u.send.chunk);
    }
    s->outputs.count = kept;
}

/* This turn's bytes are dropped, and every connection is closed with words. */
static void tape_failed(struct proxy_server *s, int error)
{
    char reason[128];
    char text[256];

    s->tape_error = error;
    s->tap.block = NULL;
    drop_sends(s);
    snprintf(reason, sizeof(reason), "tape failed: %s", strerror(-error));
    snprintf(text, sizeof(text),
             "the tape cannot be written (%s): closing all connections with 1011%s",
             strerror(-error),
             error == -ENOSPC || error == -EDQUOT
                 ? "; free some space, or use --on-write-error pass"
                 : "");
    say(s, text);
    stop_listening(s);
    for (struct list *n = s->pairs.next; n != &s->pairs; n = n->next) {
        proxy_session_silence(LIST_ENTRY(n, struct proxy_pair, node)->session);
    }
    stop_pairs(s, CLOSE_INTERNAL_ERROR, reason);
}

/* Performing may add outputs, and records with them (a client that was kept waiting is
 * let in, and has spoken): those wait for the next flush. */
static void perform(struct proxy_server *s)
{
    size_t count = s->outputs.count;

    for (size_t i = 0; i < count; i++) {
        struct proxy_output out = s->outputs.at[i];

        proxy_pair_perform(out.owner, &out);
    }
    proxy_outputs_drop(&s->outputs, count);
    s->shared.turn++;
}

/* --on-write-error pass: say when the tape starts and stops missing records. */
static void tell_gap(struct proxy_server *s)
{
    struct capture_writer_totals t = capture_writer_totals(s->writer);
    char text[256];

    if (t.failing == s->gap) {
        return;
    }
    s->gap = t.failing;
    if (t.failing) {
        snprintf(
            text, sizeof(text),
            "the tape cannot be written (%s): traffic passes UNRECORDED until it can",
            strerror(-t.error));
    } else {
        snprintf(text, sizeof(text),
                 "the tape is written again; %llu records are missing from it",
                 (unsigned long long)t.lost_records);
    }
    say(s, text);
}

static void flush(struct proxy_server *s)
{
    if (s->tap.block != NULL) {
        int r = capture_writer_flush(s->writer, net_loop_now_ns(s->loop));

        if (r < 0) {
            tape_failed(s, r);
        }
        tell_gap(s);
    }
}

/* No output is left behind: its pair may be gone before the next turn. */
static void flush_and_perform(struct proxy_server *s)
{
    do {
        flush(s);
        perform(s);
    } while (s->outputs.count > 0);
}

static void turn(void *owner)
{
    struct proxy_server *s = owner;
    int round = 0;

    s->in_turn = true;
    proxy_server_rouse_guests(s);
    do {
        flush_and_perform(s);
    } while (proxy_server_hear_guests(s) && ++round < ROUNDS);
    if (round == ROUNDS || !list_empty(&s->eager)) {
        net_timer_at(s->round, 0);
    }
    s->in_turn = false;
    tell_stopped(s);
}

static void come_round(void *owner)
{
    (void)owner; /* the turn follows */
}

static void accepted(void *owner, struct net_stream *stream)
{
    struct proxy_server *s = owner;

    s->accepted++;
    s->open++;
    proxy_pair_accept(s, stream);
}

static void trouble(void *owner, int error)
{
    struct proxy_server *s = owner;
    char text[192];

    snprintf(
        text, sizeof(text),
        "cannot accept more connections (%s): raise the limit of open files (ulimit "
        "-n); trying again",
        strerror(-error));
    say(s, text);
}

static const struct net_listener_events listener_events = { accepted, trouble };

static int listen_on(struct proxy_server *s, struct err *e)
{
    const struct wire_url *u = &s->config.proxy.listen;

    return net_listener_new(s->loop, u->host, u->port, &listener_events, s,
                            &s->listener, e);
}

/* ---- refusing: while a rule says so, nothing listens ---- */

static int record_refusal(struct proxy_server *s, const struct inject_rule *rule,
                          int64_t now_ns)
{
    struct capture_record r = { .type = CAPTURE_FAULT };

    r.u.fault.rule = bytes_of(rule->name);
    r.u.fault.action = bytes_of(inject_action_name(rule->act.action));
    r.u.fault.applied = 1;
    return proxy_tap_put(&s->tap, 0, now_ns, &r);
}

static void listen_again(struct proxy_server *s, int64_t now_ns)
{
    struct err e;

    if (listen_on(s, &e) < 0) {
        say(s, e.text);
        net_timer_at(s->refuse_timer, now_ns + LISTEN_RETRY_NS);
    }
}

static void check_refusal(void *owner)
{
    struct proxy_server *s = owner;
    int64_t now_ns = net_loop_now_ns(s->loop), until;
    uint64_t fired;
    bool refuses;
    int rule;

    if (s->stopping) {
        return;
    }
    refuses = inject_plan_refuses(s->plan, now_ns - s->tap.origin_ns, &until, &rule);
    /* With nobody listening the timer keeps the loop alive. */
    net_timer_at(s->refuse_timer, until == INT64_MAX ? now_ns + LOOK_AGAIN_NS
                                                     : s->tap.origin_ns + until);
    if (refuses && s->listener != NULL) {
        net_listener_free(s->listener);
        s->listener = NULL;
        record_refusal(s, inject_plan_rule(s->plan, (size_t)rule, &fired), now_ns);
    } else if (!refuses && s->listener == NULL) {
        listen_again(s, now_ns);
    }
}

void proxy_server_inject(struct proxy_server *s, struct inject_plan *plan)
{
    s->plan = plan;
    s->shared.plan = plan;
    if (s->refuse_timer == NULL) {
        s->refuse_timer = net_timer_new(s->loop, check_refusal, s);
    }
    if (s->refuse_timer != NULL) {
        check_refusal(s);
    }
}

static int listen_first(struct proxy_server *s, struct err *e)
{
    int r = s->config.no_listener ? 0 : listen_on(s, e);

    if (r == 0 && s->listener != NULL) {
        s->config.proxy.listen.port = net_listener_port(s->listener);
    }
    return r;
}

static int open_sockets(struct proxy_server *s, struct err *e)
{
    const struct proxy_config *c = &s->config.proxy;
    bool guest = s->config.backend != NULL;
    int r = listen_first(s, e);

    if (r < 0) {
        return r;
    }
    s->round = net_timer_new(s->loop, come_round, s);
    if (!guest) {
        s->target = net_target_new(s->loop, c->upstream.host, c->upstream.port);
    }
    if (s->round == NULL || (!guest && s->target == NULL)) {
        net_target_free(s->target);
        net_timer_free(s->round);
        net_listener_free(s->listener);
        return err_set(e, -ENOMEM, "out of memory");
    }
    return 0;
}

int proxy_server_new(struct net_loop *loop, const struct proxy_server_config *config,
                     struct proxy_server **out, struct err *e)
{
    struct proxy_server *s = alloc_zero(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return err_set(e, -ENOMEM, "out of memory");
    }
    s->config = *config;
    s->loop = loop;
    list_init(&s->pairs);
    list_init(&s->leaving);
    list_init(&s->eager);
    s->tap.origin_ns = config->origin_ns;
    s->shared = (struct proxy_shared){ .config = &s->config.proxy,
                                       .tap = &s->tap,
                                       .outputs = &s->outputs };
    r = open_sockets(s, e);
    if (r < 0) {
        alloc_free(s);
        return r;
    }
    net_loop_on_turn(loop, turn, s);
    *out = s;
    return 0;
}

void proxy_server_record(struct proxy_server *s, struct capture_writer *writer)
{
    s->writer = writer;
    s->tap.block = capture_writer_block(writer);
}

void proxy_server_free(struct proxy_server *s)
{
    if (s == NULL) {
        return;
    }
    net_loop_on_turn(s->loop, NULL, NULL);
    net_listener_free(s->listener);
    net_target_free(s->target);
    net_timer_free(s->round);
    proxy_outputs_deinit(&s->outputs);
    proxy_outputs_deinit(&s->said);
    proxy_outputs_deinit(&s->heard);
    buf_deinit(&s->plain);
    buf_deinit(&s->cipher);
    alloc_free(s);
}

const struct wire_url *proxy_server_url(const struct proxy_server *s)
{
    return &s->config.proxy.listen;
}

void proxy_server_tape_failed(struct proxy_server *s, int error)
{
    if (s->tap.block != NULL) {
        tape_failed(s, error);
    }
}

void proxy_server_stop(struct proxy_server *s, const char *reason)
{
    if (!s->stopping) {
        stop_listening(s);
        stop_pairs(s, CLOSE_GOING_AWAY, reason);
        return;
    }
    for (struct list *n = s->pairs.next; n != &s->pairs; n = n->next) {
        proxy_pair_abort(LIST_ENTRY(n, struct proxy_pair, node));
    }
}

int proxy_server_call(struct proxy_server *s, const struct proxy_guest *guest,
                      void *object, uint32_t *number)
{
    int r;

    if (s->stopping) {
        return -ECANCELED;
    }
    s->accepted++;
    s->open++;
    r = proxy_pair_call(s, guest, object);
    if (r < 0) {
        s->accepted--;
        s->open--;
        return r;
    }
    if (number != NULL) {
        *number = s->accepted;
    }
    net_timer_at(s->round, 0);
    return 0;
}

struct proxy_server_totals proxy_server_totals(const struct proxy_server *s)
{
    return (struct proxy_server_totals){ s->accepted, s->open, s->tape_error };
}
