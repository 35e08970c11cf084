#include "replay/caller_state.h"

/* ---- what is waited for ---- */

void replay_caller_gate_add(struct replay_caller *c, uint32_t step)
{
    const struct replay_connection *t = c->connection;
    const struct replay_step *s = &t->steps[step];
    struct caller_gate *g = &c->gate;

    switch ((enum replay_step_kind)s->kind) {
    case REPLAY_RESPONSE:
        if (s->exchange == REPLAY_NONE) {
            return;
        }
        if (t->exchanges[s->exchange].response != step) {
            g->interim = s->exchange;
        } else {
            g->answers = s->exchange + 1;
        }
        break;
    case REPLAY_BODY:
        if (s->exchange == REPLAY_NONE) {
            return;
        }
        break;
    case REPLAY_FRAME:
        if (!replay_caller_pass_frame(c, step)) {
            return;
        }
        break;
    case REPLAY_RAW:
        if (t->handshake != REPLAY_NONE) {
            return;
        }
        g->raw += s->bytes.len;
        break;
    case REPLAY_END:
        g->end = true;
        replay_caller_note_goodbye(&c->tape, s);
        break;
    case REPLAY_REQUEST:
        return;
    }
    g->any = true;
    g->recorded_ns = s->time_ns;
}

static bool is_gone(const struct replay_caller *c)
{
    return c->server.closed || c->server.end != 0;
}

static int messages_reached(struct replay_caller *c, bool *reached)
{
    int r = replay_align_reached(c->align, c->gate.messages, reached);

    if (r == 0 && !*reached && is_gone(c) &&
        (c->server.end != 0 || !replay_caller_speaks_on(c))) {
        *reached = true;
        r = replay_align_give_up(c->align, c->gate.messages);
    }
    return r;
}

static int is_reached(struct replay_caller *c, bool *reached)
{
    const struct caller_gate *g = &c->gate;
    int r = 0;

    *reached = true;
    switch ((enum replay_caller_state)c->state) {
    case CALLER_ASKING:
        *reached = replay_caller_http_reached(c);
        return 0;
    case CALLER_TUNNEL:
        *reached = c->raw >= g->raw || c->server.end != 0;
        break;
    case CALLER_FRAMES:
        if (g->messages > 0) {
            r = messages_reached(c, reached);
        }
        *reached = *reached && (!g->close || is_gone(c));
        break;
    case CALLER_IDLE:
    case CALLER_CLOSING:
    case CALLER_DONE:
        return 0;
    }
    *reached = *reached && (!g->end || c->server.end != 0);
    return r;
}

/* ---- for how long ---- */

/* What the recorded server took for message `index`, from what came before it. */
static int64_t message_took(const struct replay_connection *t, uint32_t index)
{
    const struct replay_message *m = &t->messages[index];
    uint32_t before = index > 0 ? m[-1].last_step : t->exchanges[t->handshake].response;
    int64_t from = t->steps[before].time_ns;
    int64_t took = t->steps[m->last_step].time_ns - from;

    return took > 0 ? took : 0;
}

static int64_t rest_took(const struct replay_caller *c)
{
    int64_t took = c->gate.recorded_ns - c->pace.previous_recorded;

    return took > 0 ? took : 0;
}

static bool is_awaited(const struct replay_caller *c, uint32_t index)
{
    return index != REPLAY_NONE &&
           c->connection->messages[index].number <= c->gate.messages;
}

/* How long the server may be silent, beyond what it took on the tape. */
static int64_t patience(const struct replay_caller *c, bool is_late)
{
    int64_t all = c->stage->options.patience_ns;

    return is_late || c->silent ? replay_caller_earlier(all, CALLER_GRACE_NS) : all;
}

int64_t replay_caller_wait_until(const struct replay_caller *c, int64_t patience_ns,
                                 int64_t took)
{
    int64_t began = c->gate.began_at;
    int64_t since = c->arrived_at > began ? c->arrived_at : began;
    int64_t most = c->stage->options.patience_ns * CALLER_PATIENCE_MOST;

    return replay_caller_earlier(since + patience_ns, began + most) + took;
}

static int64_t gate_limit(const struct replay_caller *c)
{
    uint32_t index;
    bool is_late;

    if (c->state == CALLER_ASKING) {
        return replay_caller_http_limit(c);
    }
    index = c->state == CALLER_FRAMES ? replay_align_awaits(c->align) : REPLAY_NONE;
    if (!is_awaited(c, index)) {
        /* After the close frame the rest of the end is a formality. */
        return replay_caller_wait_until(c, patience(c, c->server.closed), rest_took(c));
    }
    is_late = c->server.closed || c->connection->messages[index].number < c->stood;
    return replay_caller_wait_until(c, patience(c, is_late),
                                    is_late ? 0 : message_took(c->connection, index));
}

/* ---- and then ---- */

static void begin_wait(struct replay_caller *c, int64_t now_ns)
{
    c->gate.began_at = now_ns;
    c->gate.got = c->got;
}

/* Nothing came since the wait began, nor did anything later come before. */
static bool is_silent(const struct replay_caller *c, const struct replay_message *m)
{
    return c->got == c->gate.got && c->arrived_at <= c->gate.began_at &&
           m->number > c->stood;
}

/* Of a server that said nothing at all it is told what was awaited; of one that spoke,
 * what is missing (and of neither both). */
static int give_up_messages(struct replay_caller *c, uint32_t index, int64_t now_ns)
{
    const struct replay_message *m = &c->connection->messages[index];
    struct replay_event e = { .kind = REPLAY_EVENT_TIMEOUT,
                              .from = SERVER,
                              .message = m->number,
                              .time_ns = now_ns - c->gate.began_at,
                              .before = m->payload,
                              .before_present = true,
                              .before_binary = m->opcode == WIRE_OP_BINARY,
                              .after_binary = m->opcode == WIRE_OP_BINARY };

    if (is_silent(c, m) && !c->silent) {
        replay_caller_tell(c, &e);
        c->named = m->number;
        c->silent = true;
    }
    return replay_align_give_up(c->align, c->gate.messages);
}

static int give_up_raw(struct replay_caller *c, int64_t now_ns)
{
    struct replay_event e = { .kind = REPLAY_EVENT_TIMEOUT,
                              .from = SERVER,
                              .count = c->raw,
                              .expected = c->gate.raw,
                              .time_ns = now_ns - c->gate.began_at,
                              .text = bytes_of("bytes of the tunnel") };

    replay_caller_tell(c, &e);
    c->raw = c->gate.raw;
    return 0;
}

static int expire(struct replay_caller *c, int64_t now_ns)
{
    uint32_t index;

    if (c->state == CALLER_ASKING) {
        return replay_caller_http_expired(c, now_ns);
    }
    if (c->state == CALLER_TUNNEL && c->raw < c->gate.raw) {
        return give_up_raw(c, now_ns);
    }
    index = c->state == CALLER_FRAMES ? replay_align_awaits(c->align) : REPLAY_NONE;
    if (is_awaited(c, index)) {
        return give_up_messages(c, index, now_ns);
    }
    c->gate.close = c->gate.end = false;
    return c->server.closed ? 0 : replay_caller_tell_end(c);
}

static void pass(struct replay_caller *c, int64_t now_ns)
{
    replay_pace_gate(&c->pace, c->gate.recorded_ns, now_ns);
    c->gate.any = c->gate.close = c->gate.end = false;
    c->gate.interim = REPLAY_NONE;
    c->gate.began_at = REPLAY_NEVER;
}

int replay_caller_gate_open(struct replay_caller *c, bool must, bool *open,
                            int64_t now_ns)
{
    int r;

    *open = true;
    if (!replay_caller_is_ahead(c) &&
        (!c->gate.any || (!must && !c->stage->options.gate))) {
        return 0;
    }
    r = is_reached(c, open);
    while (r == 0 && !*open && c->gate.began_at >= 0 && now_ns >= gate_limit(c)) {
        r = expire(c, now_ns);
        begin_wait(c, now_ns);
        if (r == 0 && c->state != CALLER_DONE) {
            r = is_reached(c, open);
        }
        if (c->state == CALLER_DONE) {
            return r;
        }
    }
    if (r == 0 && *open) {
        pass(c, now_ns);
    } else if (r == 0) {
        if (c->gate.began_at < 0) {
            begin_wait(c, now_ns);
        }
        c->limit_at = gate_limit(c);
    }
    return r;
}
