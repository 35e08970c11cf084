#include "replay/caller.h"

#include "base/alloc.h"
#include "base/sm.h"
#include "replay/caller_state.h"

#include <errno.h>

static const struct sm_state states[] = {
    [CALLER_IDLE] = { "idle", SM_TO(CALLER_ASKING) | SM_TO(CALLER_DONE) },
    [CALLER_ASKING] = { "asking", SM_TO(CALLER_FRAMES) | SM_TO(CALLER_TUNNEL) |
                                      SM_TO(CALLER_DONE) },
    [CALLER_FRAMES] = { "frames", SM_TO(CALLER_CLOSING) | SM_TO(CALLER_DONE) },
    [CALLER_TUNNEL] = { "tunnel", SM_TO(CALLER_DONE) },
    [CALLER_CLOSING] = { "closing", SM_TO(CALLER_DONE) },
    [CALLER_DONE] = { "done", 0 },
};

void replay_caller_move(struct replay_caller *c, enum replay_caller_state to)
{
    sm_move(states, &c->state, to);
}

int64_t replay_caller_earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

/* ---- life ---- */

static int make_parts(struct replay_caller *c)
{
    const struct replay_links *links;
    int r = replay_stage_links(c->stage, c->index, &links);

    if (r < 0) {
        return r;
    }
    c->reader = wire_http_new(false);
    if (c->reader == NULL) {
        return -ENOMEM;
    }
    if (links != NULL) {
        c->live = replay_live_new(links);
        return c->live == NULL ? -ENOMEM : 0;
    }
    return 0;
}

struct replay_caller *replay_caller_new(struct replay_stage *stage, uint32_t index,
                                        uint32_t copy, int64_t now_ns)
{
    struct replay_caller *c = alloc_zero(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->stage = stage;
    c->connection = &stage->script->connections[index];
    c->index = index;
    c->copy = copy;
    c->flow = true;
    c->flow_at = c->arrived_at = now_ns;
    c->due_at = c->limit_at = c->output.wake_at = REPLAY_NEVER;
    c->gate.began_at = REPLAY_NEVER;
    c->gate.interim = REPLAY_NONE;
    c->key = c->connection->number * 2654435761U + copy;
    replay_compare_init(&c->compare, &stage->rules);
    c->compare.most = REPLAY_DIFFERENCES_MAX;
    if (make_parts(c) < 0) {
        replay_caller_free(c);
        return NULL;
    }
    return c;
}

void replay_caller_free(struct replay_caller *c)
{
    if (c == NULL) {
        return;
    }
    replay_caller_frames_deinit(c);
    replay_live_free(c->live);
    replay_swaps_deinit(&c->swaps);
    replay_compare_deinit(&c->compare);
    wire_http_free(c->reader);
    buf_deinit(&c->output.send);
    buf_deinit(&c->body);
    buf_deinit(&c->accept);
    buf_deinit(&c->target);
    buf_deinit(&c->recorded);
    buf_deinit(&c->plain[0]);
    buf_deinit(&c->plain[1]);
    buf_deinit(&c->filled);
    alloc_free(c);
}

struct replay_output *replay_caller_output(struct replay_caller *c)
{
    return &c->output;
}

bool replay_caller_done(const struct replay_caller *c)
{
    return c->state == CALLER_DONE;
}

/* ---- what is told ---- */

void replay_caller_tell(struct replay_caller *c, struct replay_event *e)
{
    const struct replay_listener *l = &c->stage->listener;

    e->connection = e->recorded = c->connection->number;
    e->copy = c->copy;
    if (c->stage->options.on_mismatch == REPLAY_CLOSE && replay_event_is_mismatch(e)) {
        c->must_close = true;
    }
    l->tell(l->owner, e);
}

static void tell_over(struct replay_caller *c)
{
    bool is_http = c->connection->handshake == REPLAY_NONE;
    struct replay_event e = { .kind = REPLAY_EVENT_OVER,
                              .from = SERVER,
                              .is_http = is_http,
                              .count = is_http ? c->answered - c->given_up : c->got,
                              .expected = is_http ? c->connection->exchange_count
                                                  : c->connection->count[SERVER] };

    replay_caller_tell(c, &e);
}

void replay_caller_hang_up(struct replay_caller *c, enum capture_end kind)
{
    if (c->state == CALLER_DONE) {
        return;
    }
    if (c->output.end == 0) {
        c->output.end = kind;
    }
    c->due_at = c->limit_at = REPLAY_NEVER;
    replay_caller_move(c, CALLER_DONE);
    tell_over(c);
}

/* ---- the walk ---- */

static bool walks(const struct replay_caller *c)
{
    return c->state == CALLER_ASKING || c->state == CALLER_FRAMES ||
           c->state == CALLER_TUNNEL;
}

static void pass_server_steps(struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;

    while (c->cursor < t->step_count && t->steps[c->cursor].from == SERVER) {
        replay_caller_gate_add(c, c->cursor++);
    }
}

static void play_end(struct replay_caller *c, const struct replay_step *s)
{
    c->output.end = (enum capture_end)s->end;
    c->ended_out = true;
}

static int play(struct replay_caller *c, uint32_t index, int64_t now_ns)
{
    const struct replay_step *s = &c->connection->steps[index];

    if (c->ended_out || c->server.end == CAPTURE_END_RESET) {
        return 0;
    }
    switch ((enum replay_step_kind)s->kind) {
    case REPLAY_REQUEST:
        return c->state == CALLER_ASKING ? replay_caller_ask(c, s, now_ns) : 0;
    case REPLAY_BODY:
    case REPLAY_RAW:
        return replay_caller_ask(c, s, now_ns);
    case REPLAY_FRAME:
        return c->state == CALLER_FRAMES ? replay_caller_say(c, index, now_ns) : 0;
    case REPLAY_END:
        play_end(c, s);
        return 0;
    case REPLAY_RESPONSE:
        return 0;
    }
    return 0;
}

/* 0: the step was played, or left out; 1: not now. */
static int take_step(struct replay_caller *c, int64_t now_ns)
{
    const struct replay_step *s = &c->connection->steps[c->cursor];
    bool open;
    int64_t due;
    int r;

    if (replay_caller_is_pong(c, c->cursor)) {
        c->cursor++;
        return 0;
    }
    if (replay_caller_is_headless(c)) {
        r = replay_caller_refuse_headless(c);
        return r < 0 ? r : 1;
    }
    r = replay_caller_gate_open(c, c->state == CALLER_ASKING, &open, now_ns);
    if (r < 0 || !open || !walks(c)) {
        return r < 0 ? r : 1;
    }
    due = replay_pace_due(&c->pace, s->time_ns);
    if (now_ns < due) {
        c->due_at = due;
        return 1;
    }
    r = play(c, c->cursor, now_ns);
    if (r == 0) {
        replay_pace_played(&c->pace, s->time_ns, due);
        c->cursor++;
    }
    return r;
}

static int wait_for_the_end(struct replay_caller *c, int64_t now_ns)
{
    bool open;
    int r;

    if (c->output.end == CAPTURE_END_RESET) {
        return replay_caller_finish(c, now_ns);
    }
    r = replay_caller_gate_open(c, true, &open, now_ns);
    return r == 0 && open && walks(c) ? replay_caller_finish(c, now_ns) : r;
}

/* The server takes nothing any more. */
static bool is_stuck(const struct replay_caller *c, int64_t now_ns)
{
    return now_ns - c->flow_at >= c->stage->options.patience_ns * CALLER_PATIENCE_MOST;
}

static void give_up_sending(struct replay_caller *c, int64_t now_ns)
{
    struct replay_event e = { .kind = REPLAY_EVENT_TIMEOUT,
                              .from = SERVER,
                              .time_ns = now_ns - c->flow_at,
                              .text = bytes_of("the backend reads nothing more") };

    replay_caller_tell(c, &e);
    replay_caller_hang_up(c, CAPTURE_END_RESET);
}

static int walk(struct replay_caller *c, int64_t now_ns)
{
    int r = 0;

    c->due_at = c->limit_at = REPLAY_NEVER;
    while (r == 0 && walks(c)) {
        pass_server_steps(c);
        if (!c->flow) {
            c->limit_at =
                c->flow_at + c->stage->options.patience_ns * CALLER_PATIENCE_MOST;
            break;
        }
        if (c->output.send.len >= REPLAY_BURST) {
            c->due_at = now_ns;
            break;
        }
        if (c->cursor == c->connection->step_count) {
            r = wait_for_the_end(c, now_ns);
            break;
        }
        r = take_step(c, now_ns);
    }
    return r < 0 ? r : 0;
}

bool replay_caller_can_play(const struct replay_connection *t)
{
    for (uint32_t i = 0; i < t->step_count; i++) {
        const struct replay_step *s = &t->steps[i];

        if (s->from == CLIENT && s->kind != REPLAY_END) {
            return s->kind != REPLAY_FRAME;
        }
    }
    return false;
}

/* ---- inputs ---- */

int replay_caller_close_for_mismatch(struct replay_caller *c, int64_t now_ns)
{
    if (!c->must_close || !walks(c)) {
        return 0;
    }
    return replay_caller_say_goodbye(c, 1008, "not what was recorded", now_ns);
}

int replay_caller_settle(struct replay_caller *c, int r, int64_t now_ns)
{
    if (r == 0 && c->early) {
        c->early = false;
        r = replay_caller_left(c, now_ns);
    }
    if (r == 0) {
        r = replay_caller_close_for_mismatch(c, now_ns);
    }
    if (r == 0 && walks(c)) {
        r = walk(c, now_ns);
    }
    if (r == 0) {
        r = replay_caller_close_for_mismatch(c, now_ns);
    }
    if (r < 0 && c->state != CALLER_DONE) { /* what is half done is not gone on with */
        replay_caller_move(c, CALLER_DONE);
    }
    c->output.wake_at = c->state == CALLER_DONE
                            ? REPLAY_NEVER
                            : replay_caller_earlier(c->due_at, c->limit_at);
    return r;
}

int replay_caller_start(struct replay_caller *c, int64_t now_ns)
{
    if (c->state != CALLER_IDLE) {
        return 0;
    }
    replay_caller_move(c, CALLER_ASKING);
    c->arrived_at = c->flow_at = now_ns;
    replay_pace_init(&c->pace, c->stage->options.pace, c->connection->opened_ns,
                     now_ns);
    return replay_caller_settle(c, 0, now_ns);
}

/* Nothing is compared any more: only the close frame is waited for. */
static bool is_listening(const struct replay_caller *c)
{
    return c->state != CALLER_IDLE && c->state != CALLER_DONE;
}

int replay_caller_bytes(struct replay_caller *c, struct bytes in, int64_t now_ns)
{
    struct bytes rest = in;
    int r = 0;

    if (!is_listening(c)) {
        return 0;
    }
    if (c->state == CALLER_ASKING) {
        r = replay_caller_http_bytes(c, in, &rest, now_ns);
    }
    if (r == 0 && c->state == CALLER_TUNNEL) {
        r = replay_caller_raw_bytes(c, rest, now_ns);
    } else if (r == 0 && (c->state == CALLER_FRAMES || c->state == CALLER_CLOSING)) {
        r = replay_caller_frames_bytes(c, rest, now_ns);
    }
    return replay_caller_settle(c, r, now_ns);
}

void replay_caller_unreachable(struct replay_caller *c, const char *why)
{
    struct replay_event e = { .kind = REPLAY_EVENT_BROKEN,
                              .from = SERVER,
                              .text = bytes_of(why) };

    if (c->state != CALLER_DONE) {
        replay_caller_tell(c, &e);
        replay_caller_hang_up(c, CAPTURE_END_RESET);
        c->output.wake_at = REPLAY_NEVER;
    }
}

void replay_caller_give_up(struct replay_caller *c, int64_t waited_ns)
{
    struct replay_event e = { .kind = REPLAY_EVENT_TIMEOUT,
                              .from = SERVER,
                              .time_ns = waited_ns,
                              .text = bytes_of("there was no connection") };

    if (c->state == CALLER_IDLE) {
        replay_caller_tell(c, &e);
        replay_caller_hang_up(c, CAPTURE_END_RESET);
        c->output.wake_at = REPLAY_NEVER;
    }
}

int replay_caller_ended(struct replay_caller *c, enum capture_end kind, int64_t now_ns)
{
    int r = 0;

    if (c->state == CALLER_DONE || c->server.end != 0) {
        return 0;
    }
    if (c->state == CALLER_IDLE || kind == CAPTURE_END_ERROR) {
        replay_caller_unreachable(c, "the backend cannot be reached");
        return 0;
    }
    c->server.end = kind == CAPTURE_END_FIN || kind == CAPTURE_END_TRUNCATED
                        ? kind
                        : CAPTURE_END_RESET;
    c->arrived_at = now_ns;
    if (c->state == CALLER_ASKING) {
        r = replay_caller_http_ended(c, now_ns);
    } else if (c->state == CALLER_CLOSING) {
        replay_caller_hang_up(c, CAPTURE_END_FIN);
    } else {
        c->early = true;
    }
    return replay_caller_settle(c, r, now_ns);
}

int replay_caller_wake(struct replay_caller *c, int64_t now_ns)
{
    if (c->state == CALLER_CLOSING && now_ns >= c->limit_at) {
        replay_caller_hang_up(c, CAPTURE_END_FIN);
    } else if (walks(c) && !c->flow && is_stuck(c, now_ns)) {
        give_up_sending(c, now_ns);
    }
    return replay_caller_settle(c, 0, now_ns);
}

int replay_caller_flow(struct replay_caller *c, bool on, int64_t now_ns)
{
    int r = 0;

    if (c->flow == on) {
        return 0;
    }
    c->flow = on;
    c->flow_at = now_ns;
    if (on && c->pong_due && c->state == CALLER_FRAMES) {
        r = replay_caller_put_pong(c);
    }
    return replay_caller_settle(c, r, now_ns);
}
