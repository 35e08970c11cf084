#include "replay/caller_state.h"

#include <assert.h>
#include <errno.h>

/* ---- how a side says goodbye ---- */

void replay_caller_note_close(struct caller_goodbye *g, struct bytes payload)
{
    if (g->closed) {
        return;
    }
    g->closed = true;
    g->len =
        (uint8_t)(payload.len < CALLER_CONTROL_MAX ? payload.len : CALLER_CONTROL_MAX);
    if (g->len > 0) {
        memcpy(g->payload, payload.at, g->len);
    }
}

static bool is_close(const struct replay_step *s)
{
    return s->kind == REPLAY_FRAME && (s->first & 0x0fU) == WIRE_OP_CLOSE &&
           s->bytes.len >= s->payload_len;
}

bool replay_caller_speaks_on(const struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;
    uint32_t last = t->last[SERVER];

    for (uint32_t i = last == REPLAY_NONE ? 0 : t->messages[last].last_step; i > 0;
         i--) {
        if (t->steps[i - 1].from == SERVER && is_close(&t->steps[i - 1])) {
            return true;
        }
    }
    return false;
}

void replay_caller_note_goodbye(struct caller_goodbye *g, const struct replay_step *s)
{
    if (s->kind == REPLAY_END && g->end == 0) {
        g->end = (enum capture_end)s->end;
    } else if (is_close(s)) {
        replay_caller_note_close(g, s->bytes);
    }
}

static int put_close_words(const struct caller_goodbye *g, struct buf *out)
{
    int r;

    if (g->len < 2) {
        return buf_put_text(out, "close without code");
    }
    r = buf_put_format(out, "close %u", g->payload[0] * 256U + g->payload[1]);
    if (r < 0 || g->len == 2) {
        return r;
    }
    r = buf_put_text(out, " (");
    if (r == 0) {
        r = buf_put(out, bytes_make(g->payload + 2, g->len - 2U));
    }
    return r == 0 ? buf_put_text(out, ")") : r;
}

static int put_goodbye(const struct caller_goodbye *g, bool frames, struct buf *out)
{
    if (g->closed) {
        return put_close_words(g, out);
    }
    switch (g->end) {
    case CAPTURE_END_FIN:
    case CAPTURE_END_TRUNCATED:
        return buf_put_text(out, frames ? "FIN without close" : "FIN");
    case CAPTURE_END_RESET:
    case CAPTURE_END_TIMEOUT:
    case CAPTURE_END_REFUSED:
    case CAPTURE_END_ERROR:
    case CAPTURE_END_STOP:
    case CAPTURE_END_FAULT:
        return buf_put_text(out, "RST");
    }
    return buf_put_text(out, "still open");
}

static bool is_gone(const struct caller_goodbye *g)
{
    return g->closed || g->end != 0;
}

static void read_on_for_goodbye(struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;

    for (uint32_t i = c->cursor; i < t->step_count; i++) {
        if (t->steps[i].from == SERVER) {
            replay_caller_note_goodbye(&c->tape, &t->steps[i]);
        }
    }
}

int replay_caller_tell_end(struct replay_caller *c)
{
    bool frames = c->state != CALLER_TUNNEL, ours;
    struct buf before = { 0 }, after = { 0 };
    struct replay_event e = { .kind = REPLAY_EVENT_END, .from = SERVER };
    int r;

    if (c->end_told || c->output.end == CAPTURE_END_RESET) {
        return 0;
    }
    read_on_for_goodbye(c);
    ours = c->closed_out || c->ended_out;
    if (!is_gone(&c->tape) && (ours || !is_gone(&c->server))) {
        return 0;
    }
    r = put_goodbye(&c->tape, frames, &before);
    if (r == 0) {
        r = put_goodbye(&c->server, frames, &after);
    }
    if (r == 0 && !bytes_equal(buf_bytes(&before), buf_bytes(&after))) {
        e.before = buf_bytes(&before);
        e.after = buf_bytes(&after);
        e.before_present = e.after_present = c->end_told = true;
        replay_caller_tell(c, &e);
    }
    buf_deinit(&before);
    buf_deinit(&after);
    return r;
}

/* ---- too early ---- */

static bool is_said(const struct replay_step *s)
{
    return s->kind != REPLAY_FRAME || is_close(s) || (s->first & 0x08U) == 0;
}

/* The recorded client had more to say before its server left. */
static bool is_early(const struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;

    if (c->closed_out || c->ended_out || is_gone(&c->tape)) {
        return false;
    }
    for (uint32_t i = c->cursor; i < t->step_count; i++) {
        const struct replay_step *s = &t->steps[i];

        if (s->from == CLIENT && is_said(s)) {
            return true;
        }
        if (s->from == SERVER && (s->kind == REPLAY_END || is_close(s))) {
            return false;
        }
    }
    return false;
}

int replay_caller_left(struct replay_caller *c, int64_t now_ns)
{
    bool listens = c->state == CALLER_FRAMES || c->state == CALLER_TUNNEL;
    bool deaf = c->server.end == CAPTURE_END_RESET || (c->server.end != 0 && !c->flow);

    if (listens && (deaf || is_early(c))) {
        return replay_caller_finish(c, now_ns);
    }
    return 0;
}

/* ---- the last word ---- */

/* A close frame: the answer to the server's, or our own. */
static int put_close(struct replay_caller *c, unsigned code, const char *reason)
{
    uint8_t payload[CALLER_CONTROL_MAX];
    size_t len = strlen(reason);

    if (c->server.closed) {
        return replay_caller_put_close(
            c, bytes_make(c->server.payload, c->server.len >= 2 ? 2 : 0));
    }
    assert(len + 2 <= sizeof(payload));
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)(code & 0xff);
    memcpy(payload + 2, reason, len);
    return replay_caller_put_close(c, bytes_make(payload, len + 2));
}

int replay_caller_say_goodbye(struct replay_caller *c, unsigned code,
                              const char *reason, int64_t now_ns)
{
    bool speaks = c->state == CALLER_FRAMES && !c->ended_out && !c->closed_out &&
                  c->server.end == 0;
    int r = speaks ? put_close(c, code, reason) : 0;

    if (r < 0) {
        return r;
    }
    if (!speaks || c->server.closed) {
        replay_caller_hang_up(c, CAPTURE_END_FIN);
        return 0;
    }
    replay_caller_move(c, CALLER_CLOSING);
    c->due_at = REPLAY_NEVER;
    c->limit_at = now_ns + CALLER_GRACE_NS;
    return 0;
}

int replay_caller_finish(struct replay_caller *c, int64_t now_ns)
{
    int r = 0;

    if (c->state == CALLER_ASKING) {
        r = replay_caller_http_finish(c);
    } else {
        if (c->align != NULL) {
            r = replay_align_finish(c->align);
        }
        if (r == 0) {
            r = replay_caller_tell_end(c);
        }
    }
    return r == 0 ? replay_caller_say_goodbye(c, 1000, "", now_ns) : r;
}

/* ---- the run is over ---- */

static void tell_awaited(struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;
    struct replay_event e = { .kind = REPLAY_EVENT_WAITS, .from = SERVER };
    uint32_t index = c->align == NULL ? REPLAY_NONE : replay_align_awaits(c->align);

    if (c->state == CALLER_ASKING && c->answered < t->exchange_count) {
        e.text = bytes_of("the answer");
        (void)replay_caller_tell_of(c, c->answered, &e);
        return;
    }
    if (index != REPLAY_NONE) {
        e.message = t->messages[index].number;
        e.before = t->messages[index].payload;
        e.before_present = true;
        e.before_binary = e.after_binary = t->messages[index].opcode == WIRE_OP_BINARY;
    } else {
        e.text = bytes_of("the end");
    }
    replay_caller_tell(c, &e);
}

void replay_caller_stop(struct replay_caller *c, int64_t now_ns)
{
    if (c->state == CALLER_DONE) {
        return;
    }
    if (c->state != CALLER_CLOSING) {
        tell_awaited(c);
        (void)replay_caller_say_goodbye(c, 1001, "", now_ns);
    }
    replay_caller_hang_up(c, CAPTURE_END_FIN);
    c->output.wake_at = REPLAY_NEVER;
}
