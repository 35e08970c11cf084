#include "replay/caller_state.h"
#include "wire/utf8.h"

#include <errno.h>
#include <stdio.h>

/* ---- what is told ---- */

const struct replay_exchange *replay_caller_exchange(const struct replay_caller *c,
                                                     uint32_t x)
{
    return x < c->connection->exchange_count ? &c->connection->exchanges[x] : NULL;
}

struct status_text {
    char text[8];
};

static struct bytes status_put(struct status_text *s, unsigned status)
{
    snprintf(s->text, sizeof(s->text), "%u", status % 1000);
    return bytes_of(s->text);
}

/* An event about exchange `x`. */
int replay_caller_tell_of(struct replay_caller *c, uint32_t x, struct replay_event *e)
{
    const struct replay_exchange *on_tape = replay_caller_exchange(c, x);
    int r = 0;

    buf_clear(&c->target);
    e->from = SERVER;
    e->is_http = true;
    e->message = x + 1U;
    if (on_tape != NULL) {
        e->is_http = e->kind != REPLAY_EVENT_STATUS || !on_tape->asks;
        e->message = e->is_http ? on_tape->number : 0;
        r = replay_caller_put_target(on_tape, &c->target);
    }
    e->target = buf_bytes(&c->target);
    if (r == 0) {
        replay_caller_tell(c, e);
    }
    return r;
}

/* What the tape has, MISSING or awaited for `time_ns`. */
int replay_caller_tell_unanswered(struct replay_caller *c, uint32_t x,
                                  enum replay_event_kind kind, int64_t time_ns)
{
    struct status_text status;
    const struct replay_exchange *on_tape = replay_caller_exchange(c, x);
    struct replay_event e = { .kind = kind, .time_ns = time_ns };

    if (kind == REPLAY_EVENT_TIMEOUT) {
        e.text = bytes_of("the answer");
        return replay_caller_tell_of(c, x, &e);
    }
    if (on_tape != NULL && on_tape->response != REPLAY_NONE) {
        e.before = status_put(&status, on_tape->status);
        e.before_present = true;
    }
    if (c->server.end != 0) {
        e.text = bytes_of(c->server.end == CAPTURE_END_RESET
                              ? "the backend reset the connection"
                              : "the backend ended the connection");
    }
    return replay_caller_tell_of(c, x, &e);
}

/* ---- bodies ---- */

static int content_of(struct bytes wire, bool chunked, struct buf *plain,
                      struct bytes *out)
{
    int r;

    *out = wire;
    if (!chunked) {
        return 0;
    }
    buf_clear(plain);
    r = wire_http_dechunk(wire, plain);
    if (r == 0) {
        *out = buf_bytes(plain);
    }
    return r == -ENOMEM ? r : 0;
}

static bool is_chunked(struct bytes head)
{
    struct wire_head h;

    return wire_head_parse(head, false, &h) == 0 &&
           wire_head_has_token(head, &h, "Transfer-Encoding", "chunked");
}

static int recorded_body(struct replay_caller *c, uint32_t x, struct bytes *out)
{
    const struct replay_connection *t = c->connection;
    uint32_t response = t->exchanges[x].response;
    int r = 0;

    buf_clear(&c->recorded);
    for (uint32_t i = response + 1; r == 0 && i < t->step_count; i++) {
        const struct replay_step *s = &t->steps[i];

        if (s->kind == REPLAY_FRAME ||
            (s->kind == REPLAY_RESPONSE && s->exchange > x)) {
            break;
        }
        if (s->kind == REPLAY_BODY && s->from == SERVER && s->exchange == x) {
            r = buf_put(&c->recorded, s->bytes);
        }
    }
    return r == 0 ? content_of(buf_bytes(&c->recorded),
                               is_chunked(t->steps[response].bytes), &c->plain[0], out)
                  : r;
}

struct body_owner {
    struct replay_caller *caller;
    bool is_binary;
};

static int tell_place(void *owner, const struct replay_difference *d)
{
    const struct body_owner *o = owner;
    struct replay_event e = { .kind = REPLAY_EVENT_DIFFERENCE,
                              .path = d->path,
                              .before = d->before,
                              .after = d->after,
                              .before_present = d->before_present,
                              .after_present = d->after_present,
                              .before_binary = o->is_binary,
                              .after_binary = o->is_binary };

    return replay_caller_tell_of(o->caller, o->caller->answered, &e);
}

static int tell_rest(struct replay_caller *c)
{
    char text[64];
    struct replay_event e = { .kind = REPLAY_EVENT_NOTE };

    replay_compare_say_rest(&c->compare, text);
    e.text = bytes_of(text);
    return replay_caller_tell_of(c, c->answered, &e);
}

static bool is_text(struct bytes b)
{
    struct wire_utf8 u = { 0 };

    return wire_utf8_check(&u, b) && wire_utf8_complete(&u);
}

static int compare_bodies(struct replay_caller *c, uint32_t x)
{
    struct body_owner owner = { .caller = c };
    struct replay_text before, after;
    int r = recorded_body(c, x, &before.payload);

    if (r == 0) {
        r = content_of(buf_bytes(&c->body), c->chunked, &c->plain[1], &after.payload);
    }
    if (r < 0) {
        return r;
    }
    owner.is_binary = !is_text(before.payload) || !is_text(after.payload);
    before.opcode = after.opcode = owner.is_binary ? WIRE_OP_BINARY : WIRE_OP_TEXT;
    r = replay_compare(&c->compare, SERVER, before, after, tell_place, &owner);
    if (r >= 0 && c->compare.rest > 0) {
        r = tell_rest(c);
    }
    return r < 0 ? r : 0;
}

/* ---- whole answers ---- */

static int tell_status(struct replay_caller *c, uint32_t x)
{
    struct status_text before, after;
    struct replay_event e = { .kind = REPLAY_EVENT_STATUS, .after_present = true };
    struct bytes body;
    int r = content_of(buf_bytes(&c->body), c->chunked, &c->plain[1], &body);

    if (r < 0) {
        return r;
    }
    e.before = status_put(&before, c->connection->exchanges[x].status);
    e.after = status_put(&after, c->status);
    e.before_present = true;
    e.text =
        bytes_first(body, body.len < CALLER_SHOWN_MAX ? body.len : CALLER_SHOWN_MAX);
    return replay_caller_tell_of(c, x, &e);
}

/* The tape has no answer: its server hung up, or nobody waited for one. */
static int tell_unexpected(struct replay_caller *c, uint32_t x)
{
    struct status_text after;
    struct replay_event e = { .kind = REPLAY_EVENT_EXTRA, .after_present = true };

    e.after = status_put(&after, c->status);
    return replay_caller_tell_of(c, x, &e);
}

int replay_caller_compare_answer(struct replay_caller *c, uint32_t x)
{
    const struct replay_exchange *on_tape = replay_caller_exchange(c, x);

    if (on_tape == NULL || (on_tape->response == REPLAY_NONE && c->gate.end)) {
        return tell_unexpected(c, x);
    }
    if (on_tape->response == REPLAY_NONE) {
        return 0;
    }
    if (on_tape->status != c->status) {
        return tell_status(c, x);
    }
    return on_tape->cut || on_tape->incomplete || c->large ? 0 : compare_bodies(c, x);
}
