#include "cli/replay_client.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/replay_perform.h"
#include "replay/caller.h"
#include "replay/schedule.h"

#include <errno.h>
#include <stdio.h>

/* How long a backend may take to end a connection on which all is said. */
static const int64_t LINGER_NS = CLOCK_NS_PER_S;

/* One play of the whole tape. */
struct replay_copy {
    struct cli_replay_client *client;
    struct replay_schedule *schedule;
    struct net_timer *timer;
    uint32_t number; /* from 1 */
};

/* One connection of it. */
struct seat {
    struct list node; /* in the client's seats */
    struct replay_copy *copy;
    uint32_t index; /* of the recorded connection */
    struct proxy_seat *seat;
    struct replay_caller *caller;
    struct net_timer *timer;
    bool lingers;  /* all is said, the end is waited for */
    bool given_up; /* there was no connection in time */
};

static int64_t now(const struct cli_replay_client *c)
{
    return net_loop_now_ns(cli_run_loop(c->run));
}

/* For how long a connection is waited for. */
static int64_t connection_ns(const struct cli_replay_client *c)
{
    return c->connect_ns + c->stage->options.patience_ns;
}

static int64_t seat_now(const struct seat *s)
{
    return now(s->copy->client);
}

/* ---- one connection ---- */

static void settle(struct seat *s, int r)
{
    int64_t now_ns = seat_now(s);

    if (s->seat == NULL || s->lingers) {
        return;
    }
    cli_replay_perform(s->seat, s->timer, replay_caller_output(s->caller), r, now_ns);
    if (replay_caller_done(s->caller)) {
        s->lingers = true;
        net_timer_at(s->timer, now_ns + LINGER_NS);
    }
}

/* When the new tape cannot be written, the proxy closes all connections: what does not
 * come then says nothing about the backend. */
static bool is_cut_short(struct seat *s)
{
    struct cli_replay_client *c = s->copy->client;
    struct proxy_server *server = cli_recorder_server(cli_run_recorder(c->run));

    if (proxy_server_totals(server).tape_error == 0) {
        return false;
    }
    if (!c->stopping) {
        cli_replay_client_stop(c);
    }
    return true;
}

static void give_up(struct seat *s);

static void wake(void *object)
{
    struct seat *s = object;

    if (s->seat == NULL) {
        give_up(s);
        return;
    }
    if (s->lingers) {
        proxy_guest_end(s->seat, CAPTURE_END_RESET);
        return;
    }
    settle(s, replay_caller_wake(s->caller, seat_now(s)));
}

static void ready(void *object, struct proxy_seat *seat)
{
    struct seat *s = object;

    if (s->given_up) {
        proxy_guest_end(seat, CAPTURE_END_RESET);
        return;
    }
    s->seat = seat;
    net_timer_at(s->timer, -1);
    settle(s, replay_caller_start(s->caller, seat_now(s)));
}

static void bytes_came(void *object, struct bytes in)
{
    struct seat *s = object;

    if (!is_cut_short(s)) {
        settle(s, replay_caller_bytes(s->caller, in, seat_now(s)));
    }
}

static void unreachable(struct seat *s, const char *why)
{
    struct cli_replay_client *c = s->copy->client;

    if (c->unreachable[0] == '\0' && !c->stopping) {
        replay_caller_unreachable(s->caller, why);
        snprintf(c->unreachable, sizeof(c->unreachable), "%s", why);
        cli_run_end(c->run, "the backend cannot be reached");
    }
}

static void ended(void *object, enum capture_end kind, const char *why)
{
    struct seat *s = object;

    if (why != NULL) {
        unreachable(s, why);
    }
    if (!is_cut_short(s)) {
        settle(s, replay_caller_ended(s->caller, kind, seat_now(s)));
    }
}

static void flow(void *object, bool on)
{
    struct seat *s = object;

    settle(s, replay_caller_flow(s->caller, on, seat_now(s)));
}

static void free_seat(struct seat *s)
{
    list_remove(&s->node);
    replay_caller_free(s->caller);
    net_timer_free(s->timer);
    alloc_free(s);
}

static void go_on(struct replay_copy *copy);

static void over(struct replay_copy *copy, uint32_t index)
{
    struct cli_replay_client *c = copy->client;

    replay_schedule_over(copy->schedule, index, now(c));
    c->calls_done++;
    go_on(copy);
}

/* A rule holds the connection back, say. Its seat stays until the run ends. */
static void give_up(struct seat *s)
{
    s->given_up = true;
    replay_caller_give_up(s->caller, connection_ns(s->copy->client));
    over(s->copy, s->index);
}

static void gone(void *object)
{
    struct seat *s = object;
    struct replay_copy *copy = s->copy;
    uint32_t index = s->index;
    bool is_over = s->given_up;

    free_seat(s);
    if (!is_over) {
        over(copy, index);
    }
}

static const struct proxy_guest guest = { .ready = ready,
                                          .bytes = bytes_came,
                                          .ended = ended,
                                          .flow = flow,
                                          .again = wake,
                                          .gone = gone };

/* ---- a copy ---- */

static int call(struct replay_copy *copy, uint32_t index)
{
    struct cli_replay_client *c = copy->client;
    struct proxy_server *server = cli_recorder_server(cli_run_recorder(c->run));
    struct seat *s = alloc_zero(1, sizeof(*s));
    int r = -ENOMEM;

    if (s == NULL) {
        return r;
    }
    list_init(&s->node);
    s->copy = copy;
    s->index = index;
    s->caller = replay_caller_new(c->stage, index, copy->number, now(c));
    s->timer = net_timer_new(cli_run_loop(c->run), wake, s);
    if (s->caller != NULL && s->timer != NULL) {
        r = proxy_server_call(server, &guest, s, NULL);
    }
    if (r < 0) {
        free_seat(s);
        return r;
    }
    c->calls++;
    list_append(&c->seats, &s->node);
    net_timer_at(s->timer, now(c) + connection_ns(c));
    return 0;
}

static void copy_done(struct cli_replay_client *c)
{
    c->copies_done++;
    if (c->copies_done == c->copy_count) {
        cli_run_end(c->run, "all was played");
    }
}

/* Call whoever is due. */
static void go_on(struct replay_copy *copy)
{
    struct cli_replay_client *c = copy->client;
    int64_t wake_at = -1;
    int r = 0;

    if (c->stopping) {
        return;
    }
    while (r == 0) {
        uint32_t index = replay_schedule_next(copy->schedule, now(c), &wake_at);

        if (index == REPLAY_NONE) {
            break;
        }
        r = call(copy, index);
    }
    net_timer_at(copy->timer, wake_at);
    if (r == -ECANCELED) {
        return; /* the server stops by itself: the tape failed */
    }
    if (r < 0) {
        cli_run_end(c->run, "out of memory");
    } else if (replay_schedule_done(copy->schedule)) {
        copy_done(c);
    }
}

static void copy_due(void *owner)
{
    go_on(owner);
}

/* ---- all ---- */

void cli_replay_client_init(struct cli_replay_client *c, struct replay_stage *stage,
                            uint32_t copies)
{
    *c = (struct cli_replay_client){ .stage = stage, .copy_count = copies };
    list_init(&c->seats);
}

static int make_copy(struct cli_replay_client *c, uint32_t i)
{
    struct replay_copy *copy = &c->copies[i];
    int r;

    copy->client = c;
    copy->number = i + 1;
    r = replay_schedule_new(c->stage->script, c->stage->options.pace, now(c),
                            &copy->schedule);
    if (r == 0) {
        copy->timer = net_timer_new(cli_run_loop(c->run), copy_due, copy);
        r = copy->timer == NULL ? -ENOMEM : 0;
    }
    return r;
}

int cli_replay_client_start(struct cli_replay_client *c, struct cli_run *run,
                            struct err *e)
{
    int r = 0;

    c->run = run;
    c->copies = alloc_zero(c->copy_count, sizeof(*c->copies));
    if (c->copies == NULL) {
        return err_set(e, -ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < c->copy_count && r == 0; i++) {
        r = make_copy(c, i);
    }
    for (uint32_t i = 0; i < c->copy_count && r == 0; i++) {
        go_on(&c->copies[i]);
    }
    return r < 0 ? err_set(e, r, "out of memory") : 0;
}

/* No memory is needed to end, and no connection begins any more. */
static void stop_copies(struct cli_replay_client *c)
{
    for (uint32_t i = 0; i < c->copy_count && c->copies != NULL; i++) {
        net_timer_free(c->copies[i].timer);
        c->copies[i].timer = NULL;
    }
}

void cli_replay_client_stop(struct cli_replay_client *c)
{
    c->stopping = true;
    stop_copies(c);
    for (struct list *n = c->seats.next; n != &c->seats; n = n->next) {
        struct seat *s = LIST_ENTRY(n, struct seat, node);

        if (c->unreachable[0] == '\0') {
            replay_caller_stop(s->caller, now(c));
            settle(s, 0);
        }
    }
}

void cli_replay_client_deinit(struct cli_replay_client *c)
{
    for (uint32_t i = 0; i < c->copy_count && c->copies != NULL; i++) {
        replay_schedule_free(c->copies[i].schedule);
    }
    alloc_free(c->copies);
}
