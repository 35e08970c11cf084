#include "replay/caller_state.h"
#include "wire/lint.h"

#include <errno.h>

/* ---- what we say ---- */

/* A mask that is not on the tape: RFC 6455, 5.3 wants it to be unknown to whoever wrote
 * the payload, and here nobody else did. */
static void next_key(struct replay_caller *c, uint8_t key[4])
{
    c->key ^= c->key << 13;
    c->key ^= c->key >> 17;
    c->key ^= c->key << 5;
    for (unsigned i = 0; i < 4; i++) {
        key[i] = (uint8_t)(c->key >> (8 * i));
    }
}

static int put_control(struct replay_caller *c, uint8_t opcode, struct bytes payload)
{
    uint8_t key[4];

    next_key(c, key);
    return replay_speak_control(&c->speak, opcode, payload, key, &c->output.send);
}

int replay_caller_put_pong(struct replay_caller *c)
{
    c->pong_due = false;
    return c->ended_out || c->closed_out
               ? 0
               : put_control(c, WIRE_OP_PONG, bytes_make(c->pong, c->pong_len));
}

int replay_caller_put_close(struct replay_caller *c, struct bytes payload)
{
    c->closed_out = true;
    return put_control(c, WIRE_OP_CLOSE, payload);
}

static void tell_substituted(struct replay_caller *c, const struct replay_message *m,
                             size_t count)
{
    struct replay_event e = { .kind = REPLAY_EVENT_SUBSTITUTED,
                              .from = CLIENT,
                              .message = m->number,
                              .count = count };

    if (count > 0 && c->stage->listener.verbose) {
        replay_caller_tell(c, &e);
    }
}

static int live_text(struct replay_caller *c, uint32_t index, struct bytes *out)
{
    const struct replay_message *m = &c->connection->messages[index];
    size_t replaced = 0;
    int r = 0;

    *out = m->payload;
    if (c->live != NULL && m->whole) {
        r = replay_live_fill(c->live, index, &c->filled, out, &replaced);
    }
    if (r == 0 && replaced > 0) {
        r = replay_swaps_note(&c->swaps, index, m->payload, *out);
    }
    if (r == 0) {
        tell_substituted(c, m, replaced);
    }
    return r;
}

/* A message is out: what the server says next is the answer, if it was on the tape. */
static void await_answer(struct replay_caller *c, uint32_t index, int64_t now_ns)
{
    const struct replay_connection *t = c->connection;
    const struct replay_message *m = &t->messages[index], *next = m + 1;

    c->response.due = index + 1 < t->message_count && next->from == SERVER;
    if (c->response.due) {
        c->response.number = next->number;
        c->response.said_at = now_ns;
        c->response.recorded_ns =
            t->steps[next->last_step].time_ns - t->steps[m->last_step].time_ns;
    }
}

int replay_caller_say(struct replay_caller *c, uint32_t step, int64_t now_ns)
{
    const struct replay_connection *t = c->connection;
    const struct replay_step *s = &t->steps[step];
    struct bytes text = { NULL, 0 };
    int r = 0;

    if (c->closed_out && (s->first & 0x0fU) == WIRE_OP_CLOSE) {
        return 0;
    }
    if (s->message != REPLAY_NONE && t->messages[s->message].step == step) {
        r = live_text(c, s->message, &text);
    }
    if (r == 0) {
        r = replay_speak_step(&c->speak, step, text, &c->output.send);
    }
    if (r < 0) {
        return r;
    }
    if ((s->first & 0x0fU) == WIRE_OP_CLOSE) {
        c->closed_out = true;
    }
    if (s->message != REPLAY_NONE && t->messages[s->message].last_step == step) {
        await_answer(c, s->message, now_ns);
    }
    return 0;
}

/* ---- recorded pings and their pongs ---- */

static void note_ping(struct replay_caller *c, uint32_t step)
{
    if (c->ping_count == CALLER_PINGS) {
        c->ping_count--;
        memmove(c->pings, c->pings + 1, c->ping_count * sizeof(c->pings[0]));
    }
    c->pings[c->ping_count++] = step;
}

/* A pong may answer the latest of several pings (RFC 6455, 5.5.3): those before it will
 * not be answered any more. */
bool replay_caller_is_pong(struct replay_caller *c, uint32_t step)
{
    const struct replay_step *s = &c->connection->steps[step];

    if (s->kind != REPLAY_FRAME || (s->first & 0x0fU) != WIRE_OP_PONG) {
        return false;
    }
    for (uint32_t i = 0; i < c->ping_count; i++) {
        if (bytes_equal(c->connection->steps[c->pings[i]].bytes, s->bytes)) {
            c->ping_count -= i + 1;
            memmove(c->pings, c->pings + i + 1, c->ping_count * sizeof(c->pings[0]));
            return true;
        }
    }
    return false;
}

bool replay_caller_pass_frame(struct replay_caller *c, uint32_t step)
{
    const struct replay_connection *t = c->connection;
    const struct replay_step *s = &t->steps[step];
    unsigned opcode = s->first & 0x0fU;

    if (opcode == WIRE_OP_PING) {
        note_ping(c, step);
    } else if (opcode == WIRE_OP_CLOSE) {
        replay_caller_note_goodbye(&c->tape, s);
        c->gate.close = true;
        return true;
    }
    if (s->message == REPLAY_NONE || t->messages[s->message].last_step != step) {
        return false;
    }
    c->gate.messages = t->messages[s->message].number;
    return true;
}

/* ---- what breaks the protocol ---- */

static int put_faults(uint32_t faults, struct buf *out)
{
    int r = 0;

    for (unsigned bit = 0; r == 0 && wire_fault_name(bit) != NULL; bit++) {
        if ((faults & (UINT32_C(1) << bit)) != 0) {
            r = buf_put_format(out, "%s%s", out->len > 0 ? ", " : "",
                               wire_fault_name(bit));
        }
    }
    return r;
}

static int tell_broken(struct replay_caller *c, uint64_t number, const char *what,
                       uint32_t faults)
{
    struct replay_event e = { .kind = REPLAY_EVENT_BROKEN,
                              .from = SERVER,
                              .message = number };
    struct buf text = { 0 };
    int r = what != NULL ? buf_put_text(&text, what) : put_faults(faults, &text);

    if (r == 0) {
        e.text = buf_bytes(&text);
        replay_caller_tell(c, &e);
    }
    buf_deinit(&text);
    return r;
}

/* Every kind of fault is told once. */
static int check_faults(struct replay_caller *c, const struct capture_message *m)
{
    uint32_t news = m->faults & ~c->faults;

    if (news == 0) {
        return 0;
    }
    if (!c->linted) {
        c->tape_faults = replay_connection_faults(c->connection, SERVER);
        c->linted = true;
    }
    c->faults |= news;
    news &= ~c->tape_faults;
    return news == 0 ? 0 : tell_broken(c, m->number, NULL, news);
}

/* ---- what the server says ---- */

static void tell_response_time(struct replay_caller *c, int64_t now_ns)
{
    struct replay_event e = { .kind = REPLAY_EVENT_RESPONSE_TIME,
                              .from = SERVER,
                              .message = c->response.number,
                              .time_ns = now_ns - c->response.said_at,
                              .recorded_ns = c->response.recorded_ns };

    if (c->response.due) {
        c->response.due = false;
        replay_caller_tell(c, &e);
    }
}

/* What could not be read then may be as unreadable now. */
static bool was_unreadable(const struct replay_caller *c)
{
    uint32_t index = replay_align_awaits(c->align);

    return index != REPLAY_NONE && !c->connection->messages[index].whole;
}

static bool is_readable(const struct capture_message *m)
{
    return !m->cut && !m->over && capture_coding_text(m->coding) == NULL;
}

static int note_undecoded(struct replay_caller *c, const struct capture_message *m)
{
    struct replay_event e = {
        .kind = REPLAY_EVENT_NOTE,
        .from = SERVER,
        .message = m->number,
        .text = bytes_of("over --max-message: what is beyond it is not compared")
    };
    const char *why = capture_coding_text(m->coding);

    if (m->cut || m->over || m->coding == CAPTURE_CODED_LARGE) {
        replay_caller_tell(c, &e);
        return 0;
    }
    return why == NULL || was_unreadable(c) ? 0 : tell_broken(c, m->number, why, 0);
}

static int hear_data(struct replay_caller *c, const struct capture_message *m,
                     int64_t now_ns)
{
    struct replay_text text = { .opcode = (uint8_t)capture_message_opcode(m),
                                .payload = m->payload };
    int r;

    c->got++;
    c->silent = false;
    if (c->got <= c->gate.messages || !c->gate.any) {
        c->arrived_at = now_ns;
    }
    tell_response_time(c, now_ns);
    r = note_undecoded(c, m);
    return r == 0 ? replay_align_put(c->align, text, is_readable(m)) : r;
}

/* While nothing is to be sent, only the last ping is remembered (RFC 6455, 5.5.3). */
static int hear_ping(struct replay_caller *c, struct bytes payload)
{
    if (payload.len > CALLER_CONTROL_MAX) {
        return 0;
    }
    c->pong_len = (uint8_t)payload.len;
    if (payload.len > 0) {
        memcpy(c->pong, payload.at, payload.len);
    }
    c->pong_due = true;
    return c->flow ? replay_caller_put_pong(c) : 0;
}

static int hear_message(void *owner, uint32_t connection,
                        const struct capture_message *m)
{
    struct replay_caller *c = owner;
    unsigned opcode = capture_message_opcode(m);
    int r;

    (void)connection;
    /* Before what follows: a close frame, or a mismatch, may be the end of it. */
    r = c->early ? replay_caller_settle(c, 0, m->end_ns)
                 : replay_caller_close_for_mismatch(c, m->end_ns);
    if (r < 0) {
        return r;
    }
    if (m->incomplete ||
        (c->server.closed && (opcode >= 8 || !replay_caller_speaks_on(c)))) {
        return c->state == CALLER_FRAMES ? check_faults(c, m) : 0;
    }
    if (opcode == WIRE_OP_CLOSE) {
        replay_caller_note_close(&c->server, m->payload);
        c->early = true;
    }
    if (c->state != CALLER_FRAMES) {
        return 0;
    }
    r = check_faults(c, m);
    if (r == 0 && opcode == WIRE_OP_PING) {
        r = hear_ping(c, m->payload);
    } else if (r == 0 && (opcode == WIRE_OP_TEXT || opcode == WIRE_OP_BINARY)) {
        r = hear_data(c, m, m->end_ns);
    }
    return r;
}

int replay_caller_frames_bytes(struct replay_caller *c, struct bytes in, int64_t now_ns)
{
    int r = replay_hear_feed(&c->hear, in, now_ns);

    if (r < 0) {
        return r;
    }
    if (c->hear.delivered->messages.data.fragments > 0) {
        c->arrived_at = now_ns; /* a long one is on its way */
    }
    if (c->state == CALLER_CLOSING && c->server.closed) {
        replay_caller_hang_up(c, CAPTURE_END_FIN);
    }
    return 0;
}

/* ---- what the comparison finds ---- */

static void told(void *owner, struct replay_event *e)
{
    struct replay_caller *c = owner;

    if (e->kind == REPLAY_EVENT_MISSING && c->named != 0 && e->message == c->named) {
        c->named = 0;
        return;
    }
    replay_caller_tell(c, e);
}

static int stands(void *owner, uint32_t index, struct bytes payload,
                  int64_t recorded_ns)
{
    struct replay_caller *c = owner;
    uint64_t number = c->connection->messages[index].number;

    (void)recorded_ns;
    if (number > c->stood) {
        c->stood = number;
    }
    return c->live == NULL ? 0 : replay_live_learn(c->live, index, payload);
}

int replay_caller_frames_start(struct replay_caller *c)
{
    struct replay_align_config config = { .stage = c->stage,
                                          .connection = c->connection,
                                          .swaps = &c->swaps,
                                          .from = SERVER,
                                          .tell = told,
                                          .stands = stands,
                                          .owner = c };
    int r = replay_stage_links(c->stage, c->index, &config.links);

    if (r == 0) {
        r = replay_align_new(&config, &c->align);
    }
    if (r == 0) {
        r = replay_hear_init(&c->hear, SERVER, &c->params,
                             c->stage->options.max_message, hear_message, c);
    }
    if (r == 0) {
        replay_speak_init(&c->speak, c->connection, CLIENT, &c->params);
        replay_caller_move(c, CALLER_FRAMES);
        wire_http_free(c->reader);
        c->reader = NULL;
    }
    return r;
}

void replay_caller_frames_deinit(struct replay_caller *c)
{
    replay_hear_deinit(&c->hear);
    replay_speak_deinit(&c->speak);
    replay_align_free(c->align);
}
