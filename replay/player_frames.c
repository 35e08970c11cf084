#include "replay/player_state.h"
#include "wire/frame.h"

#include <assert.h>
#include <errno.h>

/* ---- the beginning ---- */

static int open_frames(struct replay_player *p, uint32_t index)
{
    const struct replay_links *links;
    uint64_t limit = p->stage->options.max_message;
    int r =
        replay_hear_init(&p->hear, CLIENT, &p->deflate, limit, replay_player_heard, p);

    if (r < 0) {
        return r;
    }
    p->hear.delivered->messages.others = p->other_extensions;
    replay_speak_init(&p->speak, p->connection, SERVER, &p->deflate);
    replay_player_expect(p, p->connection->first[CLIENT]);
    r = replay_stage_links(p->stage, index, &links);
    if (r < 0 || links == NULL) {
        return r;
    }
    p->compare.links = links;
    p->live = replay_live_new(links);
    return p->live == NULL ? -ENOMEM : 0;
}

int replay_player_open(struct replay_player *p, const struct player_asked *a)
{
    bool agrees = a->chosen.connection->exchanges[a->chosen.exchange].agrees;

    p->connection = a->chosen.connection;
    p->recorded = p->connection->number;
    p->at = a->said + 1;
    p->pace = a->pace;
    replay_player_move(p, agrees ? PLAYER_FRAMES : PLAYER_TUNNEL);
    return agrees ? open_frames(p, a->chosen.connection_index) : 0;
}

int replay_player_frames(struct replay_player *p, struct bytes in)
{
    int r = 0;

    if (p->hear.delivered != NULL) {
        r = replay_hear_feed(&p->hear, in, p->now_ns);
    } else if (in.len > 0) {
        p->raw_got += in.len;
        p->raw_ns = p->now_ns;
    }
    return r < 0 ? r : replay_player_walk(p);
}

/* ---- gates ---- */

static bool any_from_server(const struct replay_player *p, uint32_t from)
{
    const struct replay_connection *c = p->connection;

    for (uint32_t i = from; i < c->step_count; i++) {
        if (c->steps[i].from == SERVER) {
            return true;
        }
    }
    return false;
}

/* Behind the live client's close or end, nothing of it comes any more: what the
 * recorded one had under way when the server closed is not waited for. */
static bool passes_frame(const struct replay_player *p, const struct replay_step *step)
{
    if (p->client_closed || p->client_ended) {
        return true;
    }
    if (step->message != REPLAY_NONE) {
        const struct replay_message *m = &p->connection->messages[step->message];

        return p->at != m->last_step || m->number <= p->had ||
               !replay_player_can_come(p, step->message);
    }
    return !replay_player_is_close(step);
}

/* After both close frames the TCP connection's end is nobody's answer. */
static bool passes_end(const struct replay_player *p)
{
    return p->client_ended || (p->client_closed && p->server_closed) ||
           !any_from_server(p, p->at);
}

static bool passes(const struct replay_player *p, const struct replay_step *step)
{
    if (!p->stage->options.gate) {
        return true;
    }
    switch ((enum replay_step_kind)step->kind) {
    case REPLAY_FRAME:
        return passes_frame(p, step);
    case REPLAY_RAW:
        return p->hear.delivered != NULL || p->client_ended ||
               p->raw_got - p->raw_had >= step->bytes.len;
    case REPLAY_END:
        return passes_end(p);
    case REPLAY_REQUEST:
    case REPLAY_RESPONSE:
    case REPLAY_BODY:
        break;
    }
    return true;
}

/* ---- when the gate opened ---- */

/* The oldest of the messages that came ahead of the walk. */
static int64_t take_time(struct replay_player *p)
{
    int64_t ns = p->now_ns;

    if (p->came_at < p->came.len) {
        memcpy(&ns, p->came.at + p->came_at, sizeof(ns));
        p->came_at += sizeof(ns);
    }
    if (p->came_at == p->came.len) {
        buf_clear(&p->came);
        p->came_at = 0;
    } else if (p->came_at >= 4096 && p->came_at >= p->came.len / 2) {
        buf_drop(&p->came, p->came_at);
        p->came_at = 0;
    }
    return ns;
}

static void remember_ping(struct replay_player *p)
{
    if (p->ping_count == PLAYER_PINGS_MAX) {
        p->ping_count--;
        memmove(p->pings, p->pings + 1, p->ping_count * sizeof(p->pings[0]));
    }
    p->pings[p->ping_count++] = p->at;
}

/* What opens no gate tells nothing about the time. */
static void pass_frame(struct replay_player *p, const struct replay_step *step)
{
    if (step->message != REPLAY_NONE) {
        if (p->at == p->connection->messages[step->message].last_step &&
            p->connection->messages[step->message].number <= p->had &&
            replay_player_can_come(p, step->message) && p->stage->options.gate) {
            replay_pace_gate(&p->pace, step->time_ns, take_time(p));
        }
    } else if (replay_player_is_close(step) && p->stage->options.gate) {
        replay_pace_gate(&p->pace, step->time_ns, p->over_ns);
    } else if ((step->first & 0x0fU) == WIRE_OP_PING) {
        remember_ping(p);
    }
}

static void pass(struct replay_player *p, const struct replay_step *step)
{
    bool gates = p->stage->options.gate;

    if (step->kind == REPLAY_FRAME) {
        pass_frame(p, step);
    } else if (step->kind == REPLAY_RAW && p->hear.delivered == NULL && gates) {
        p->raw_had += step->bytes.len;
        replay_pace_gate(&p->pace, step->time_ns, p->raw_ns);
    } else if (step->kind == REPLAY_END && p->client_ended && gates) {
        replay_pace_gate(&p->pace, step->time_ns, p->over_ns);
    }
    p->waits_at = REPLAY_NONE;
}

/* ---- waiting ---- */

void replay_player_tell_wait(struct replay_player *p)
{
    const struct replay_connection *c = p->connection;
    struct replay_event e = { .kind = REPLAY_EVENT_WAITS, .from = CLIENT };
    const struct replay_step *step;

    if (p->waits_told || p->waits_at == REPLAY_NONE) {
        return;
    }
    step = &c->steps[p->waits_at];
    if (step->message != REPLAY_NONE && p->expected != REPLAY_NONE) {
        const struct replay_message *m = &c->messages[p->expected];

        e.message = m->number;
        e.before = m->payload;
        e.before_present = true;
        e.before_binary = e.after_binary = m->opcode == WIRE_OP_BINARY;
    } else {
        e.text = bytes_of(step->kind == REPLAY_END   ? "its end"
                          : step->kind == REPLAY_RAW ? "more bytes"
                                                     : "its close frame");
    }
    p->waits_told = true;
    replay_player_tell(p, &e);
}

/* The step of the client at the cursor has not come. */
static void wait_for(struct replay_player *p, const struct replay_step *step)
{
    if (p->waits_at != p->at) {
        int64_t due = replay_pace_due(&p->pace, step->time_ns);

        p->waits_at = p->at;
        p->waits_told = false;
        p->waits_until =
            (due > p->now_ns ? due : p->now_ns) + p->stage->options.patience_ns;
    }
    if (p->waits_told) {
        return;
    }
    if (p->waits_until <= p->now_ns) {
        replay_player_tell_wait(p);
    } else {
        replay_player_wake_by(p, p->waits_until);
    }
}

/* ---- what the tape's backend said ---- */

/* A pong of the tape to a ping of the tape: live ones are answered as they come. */
static bool is_answer(struct replay_player *p, const struct replay_step *step)
{
    const struct replay_step *steps = p->connection->steps;

    if (step->kind != REPLAY_FRAME || (step->first & 0x0fU) != WIRE_OP_PONG) {
        return false;
    }
    for (unsigned i = 0; i < p->ping_count; i++) {
        if (bytes_equal(steps[p->pings[i]].bytes, step->bytes)) {
            p->ping_count -= i + 1; /* it answers those before it too (5.5.3) */
            memmove(p->pings, p->pings + i + 1, p->ping_count * sizeof(p->pings[0]));
            return true;
        }
    }
    return false;
}

/* The rest of a message that was begun when nobody was to hear it. */
static bool is_rest(const struct replay_player *p, const struct replay_step *step)
{
    uint32_t first = step->message == REPLAY_NONE
                         ? REPLAY_NONE
                         : p->connection->messages[step->message].step;

    return first != REPLAY_NONE && first >= p->skip_from && first < p->skip_to &&
           first != p->at;
}

static int fill(struct replay_player *p, uint32_t message, struct bytes *out)
{
    struct replay_event e = { .kind = REPLAY_EVENT_SUBSTITUTED, .from = SERVER };
    size_t replaced;
    int r;

    *out = p->connection->messages[message].payload;
    if (p->live == NULL) {
        return 0;
    }
    r = replay_live_fill(p->live, message, &p->filled, out, &replaced);
    if (r == 0 && replaced > 0 && p->stage->listener.verbose) {
        e.message = p->connection->messages[message].number;
        e.count = replaced;
        replay_player_tell(p, &e);
    }
    return r;
}

static int say_frame(struct replay_player *p, const struct replay_step *step)
{
    struct bytes text = { NULL, 0 };
    const struct replay_message *m =
        step->message == REPLAY_NONE ? NULL : &p->connection->messages[step->message];
    int r = 0;

    if (is_answer(p, step) || is_rest(p, step)) {
        return 0;
    }
    if (m != NULL && m->whole && m->step == p->at) {
        r = fill(p, step->message, &text);
    }
    r = r == 0 ? replay_speak_step(&p->speak, p->at, text, &p->out.send) : r;
    p->server_closed = p->server_closed || replay_player_is_close(step);
    p->halved =
        p->halved || ((m == NULL || !m->whole) && step->bytes.len < step->payload_len);
    return r;
}

static int say(struct replay_player *p, const struct replay_step *step)
{
    switch ((enum replay_step_kind)step->kind) {
    case REPLAY_FRAME:
        return say_frame(p, step);
    case REPLAY_RAW:
        p->halved = true;
        return buf_put(&p->out.send, step->bytes);
    case REPLAY_END:
        replay_player_end(p, step->end);
        break;
    case REPLAY_REQUEST:
    case REPLAY_RESPONSE:
    case REPLAY_BODY:
        break;
    }
    return 0;
}

/* ---- the walk ---- */

enum { PLAYED, NOT_YET };

static int play(struct replay_player *p, const struct replay_step *step)
{
    int64_t due_ns;
    int r;

    if (!p->flowing || replay_player_is_full(p)) {
        return NOT_YET;
    }
    due_ns = replay_pace_due(&p->pace, step->time_ns);
    if (due_ns > p->now_ns) {
        replay_player_wake_by(p, due_ns);
        return NOT_YET;
    }
    r = say(p, step);
    replay_pace_played(&p->pace, step->time_ns, due_ns);
    return r < 0 ? r : PLAYED;
}

static bool is_over(const struct replay_player *p)
{
    bool closed = p->client_closed && p->server_closed;

    if (p->at < p->connection->step_count) {
        return closed && replay_player_find_end(p, p->at, SERVER) == REPLAY_NONE;
    }
    return closed || p->client_ended;
}

int replay_player_walk(struct replay_player *p)
{
    const struct replay_connection *c = p->connection;
    int r = PLAYED;

    while (r == PLAYED && p->state != PLAYER_DONE && p->at < c->step_count) {
        const struct replay_step *step = &c->steps[p->at];

        if (step->from == SERVER) {
            r = play(p, step);
        } else if (passes(p, step)) {
            pass(p, step);
        } else {
            wait_for(p, step);
            r = NOT_YET;
        }
        p->at += r == PLAYED;
    }
    if (r < 0) {
        return r;
    }
    if (p->state != PLAYER_DONE && is_over(p)) {
        replay_player_end(p, CAPTURE_END_FIN);
    }
    return 0;
}
