#include "replay/caller_state.h"

#include <errno.h>

/* ---- what we ask ---- */

/* Nobody can answer a part of a request, nor read what follows it. */
static int refuse_cut(struct replay_caller *c, uint32_t x)
{
    struct replay_event e = {
        .kind = REPLAY_EVENT_MISSING,
        .text = bytes_of("its body is not all on the tape: record it with a larger "
                         "--http-body-limit"),
    };
    int r = replay_caller_tell_of(c, x, &e);

    replay_caller_hang_up(c, CAPTURE_END_FIN);
    return r;
}

static int put_request(struct replay_caller *c, const struct replay_step *s,
                       int64_t now_ns)
{
    const struct replay_options *o = &c->stage->options;
    struct buf *out = &c->output.send;
    size_t from = out->len;
    int r;

    if (c->connection->exchanges[s->exchange].asked_cut) {
        return refuse_cut(c, s->exchange);
    }
    r = replay_caller_put_request(o, s->bytes, out);
    if (r == 0 && c->connection->exchanges[s->exchange].asks) {
        buf_clear(&c->accept);
        r = replay_caller_put_accept(o, bytes_from(buf_bytes(out), from), &c->accept);
    }
    c->asked = s->exchange + 1;
    c->asked_at = now_ns;
    return r;
}

int replay_caller_ask(struct replay_caller *c, const struct replay_step *s,
                      int64_t now_ns)
{
    return s->kind == REPLAY_REQUEST ? put_request(c, s, now_ns)
                                     : buf_put(&c->output.send, s->bytes);
}

/* ---- whole answers ---- */

static int tell_broken(struct replay_caller *c, const char *why)
{
    struct replay_event e = { .kind = REPLAY_EVENT_BROKEN, .text = bytes_of(why) };

    return replay_caller_tell_of(c, c->answered, &e);
}

static void next_answer(struct replay_caller *c)
{
    c->answered++;
    c->in_answer = c->heard = false;
}

static int answer_done(struct replay_caller *c)
{
    const struct replay_exchange *on_tape = replay_caller_exchange(c, c->answered);
    int r;

    if (c->status < 200) {
        return 0;
    }
    r = replay_caller_compare_answer(c, c->unasked ? c->connection->exchange_count
                                                   : c->answered);
    if (r < 0 || c->unasked) {
        c->in_answer = c->heard = false;
        return r;
    }
    next_answer(c);
    if (on_tape != NULL && (on_tape->agrees || on_tape->tunnel)) {
        replay_caller_hang_up(c, CAPTURE_END_FIN); /* what follows needs the upgrade */
    }
    return 0;
}

/* ---- answers as they come ---- */

static int tell_response_time(struct replay_caller *c, int64_t now_ns)
{
    const struct replay_connection *t = c->connection;
    const struct replay_exchange *x = replay_caller_exchange(c, c->answered);
    struct replay_event e = { .kind = REPLAY_EVENT_RESPONSE_TIME };

    if (x == NULL || x->response == REPLAY_NONE || c->asked != c->answered + 1) {
        return 0;
    }
    e.time_ns = now_ns - c->asked_at;
    e.recorded_ns = t->steps[x->response].time_ns - t->steps[x->request].time_ns;
    return replay_caller_tell_of(c, c->answered, &e);
}

static int take_handshake(struct replay_caller *c, struct bytes head,
                          const struct wire_head *h)
{
    const struct replay_connection *t = c->connection;
    const struct replay_exchange *x = replay_caller_exchange(c, c->answered);
    bool others;

    wire_handshake_extensions(head, h, &c->params, &others);
    if (x == NULL || !x->agrees) {
        return 0;
    }
    return replay_caller_compare_heads(c, t->steps[x->request].bytes,
                                       t->steps[x->response].bytes, head);
}

static int take_head(struct replay_caller *c, int64_t now_ns)
{
    struct bytes head = wire_http_head(c->reader);
    struct wire_head h;
    int r;

    if (wire_head_parse(head, false, &h) < 0) {
        return 0; /* the reader has judged it */
    }
    c->status = h.status;
    c->heard = true;
    if (h.status < 200 && h.status != 101) {
        return 0;
    }
    c->in_answer = true;
    c->unasked = c->answered >= c->asked;
    c->large = false;
    c->chunked = wire_head_has_token(head, &h, "Transfer-Encoding", "chunked");
    buf_clear(&c->body);
    r = tell_response_time(c, now_ns);
    return r == 0 && h.status == 101 ? take_handshake(c, head, &h) : r;
}

static int take_body(struct replay_caller *c, struct bytes part)
{
    struct replay_event e = {
        .kind = REPLAY_EVENT_NOTE,
        .text =
            bytes_of("the answer is over --max-message: its body is not compared")
    };

    if (c->large) {
        return 0;
    }
    if (part.len > c->stage->options.max_message - c->body.len) {
        c->large = true;
        return replay_caller_tell_of(c, c->answered, &e);
    }
    return buf_put(&c->body, part);
}

static void enter_tunnel(struct replay_caller *c, const struct replay_exchange *x)
{
    c->raw_step = x->response + 1;
    replay_caller_move(c, CALLER_TUNNEL);
}

/* A 101, or a CONNECT that was granted. */
static int switched(struct replay_caller *c, int64_t now_ns)
{
    const struct replay_connection *t = c->connection;
    const struct replay_exchange *x = replay_caller_exchange(c, c->answered);
    bool expected = x != NULL && (x->agrees ? c->status == 101 : x->tunnel);
    int r = 0;

    if (!expected || x->status != c->status) {
        r = replay_caller_compare_answer(c, c->answered);
    }
    next_answer(c);
    if (r < 0 || !expected) {
        replay_caller_hang_up(c, CAPTURE_END_FIN);
        return r;
    }
    replay_pace_gate(&c->pace, t->steps[x->response].time_ns, now_ns);
    if (x->agrees) {
        return replay_caller_frames_start(c);
    }
    enter_tunnel(c, x);
    return 0;
}

/* Blank lines before an answer do not count, so it is said anew until its head is
 * there. */
static void tell_reader(struct replay_caller *c)
{
    const struct replay_exchange *x = replay_caller_exchange(c, c->answered);

    if (!c->in_answer && x != NULL) {
        wire_http_answers(c->reader, bytes_equal(x->method, bytes_of("HEAD")),
                          bytes_equal(x->method, bytes_of("CONNECT")));
    }
}

static int take_event(struct replay_caller *c, const struct wire_http_event *ev,
                      int64_t now_ns)
{
    int r = 0;

    switch (ev->kind) {
    case WIRE_HTTP_HEAD:
        return take_head(c, now_ns);
    case WIRE_HTTP_BODY:
        return take_body(c, ev->bytes);
    case WIRE_HTTP_DONE:
        return answer_done(c);
    case WIRE_HTTP_SWITCH:
        return switched(c, now_ns);
    case WIRE_HTTP_BAD:
        r = tell_broken(c, ev->why);
        replay_caller_hang_up(c, CAPTURE_END_FIN);
        return r;
    case WIRE_HTTP_MORE:
        return 0;
    }
    return r;
}

int replay_caller_http_bytes(struct replay_caller *c, struct bytes in,
                             struct bytes *rest, int64_t now_ns)
{
    struct wire_http_event ev;
    size_t used;
    int r;

    c->arrived_at = now_ns;
    do {
        tell_reader(c);
        r = wire_http_next(c->reader, in, &used, &ev);
        if (r < 0) {
            return r;
        }
        in = bytes_from(in, used);
        r = take_event(c, &ev, now_ns);
    } while (r == 0 && ev.kind != WIRE_HTTP_MORE && c->state == CALLER_ASKING);
    *rest = in;
    return r;
}

/* ---- the end ---- */

static bool awaits_answers(const struct replay_caller *c)
{
    for (uint32_t x = c->answered; x < c->connection->exchange_count; x++) {
        if (c->connection->exchanges[x].response != REPLAY_NONE) {
            return true;
        }
    }
    return false;
}

/* The answer in progress: complete if the end was to end it, else cut off. */
static int end_answer(struct replay_caller *c)
{
    const struct replay_exchange *x = replay_caller_exchange(c, c->answered);
    struct wire_http_event ev;

    wire_http_finish(c->reader, &ev);
    if (ev.kind == WIRE_HTTP_DONE && c->server.end != CAPTURE_END_RESET) {
        return answer_done(c);
    }
    if (!c->in_answer || c->unasked) {
        return 0;
    }
    if (x != NULL && x->incomplete) {
        int r = replay_caller_compare_answer(c, c->answered);

        next_answer(c);
        return r;
    }
    if (x != NULL) {
        int r = tell_broken(c, "the answer was cut off");

        next_answer(c);
        return r;
    }
    return 0;
}

int replay_caller_http_ended(struct replay_caller *c, int64_t now_ns)
{
    int r = end_answer(c);

    if (r < 0 || c->state != CALLER_ASKING) {
        return r;
    }
    return awaits_answers(c) || c->server.end == CAPTURE_END_RESET
               ? replay_caller_finish(c, now_ns)
               : 0;
}

int replay_caller_http_finish(struct replay_caller *c)
{
    int r = 0;

    for (uint32_t x = c->answered; r == 0 && x < c->connection->exchange_count; x++) {
        if (c->connection->exchanges[x].response != REPLAY_NONE) {
            r = replay_caller_tell_unanswered(c, x, REPLAY_EVENT_MISSING, 0);
        }
    }
    return r;
}

/* ---- waiting ---- */

bool replay_caller_is_ahead(const struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;

    return c->state == CALLER_ASKING && c->cursor < t->step_count &&
           t->steps[c->cursor].kind == REPLAY_FRAME;
}

bool replay_caller_is_headless(const struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;

    return replay_caller_is_ahead(c) && c->answered >= c->asked &&
           (t->handshake == REPLAY_NONE ||
            t->exchanges[t->handshake].request > c->cursor);
}

int replay_caller_refuse_headless(struct replay_caller *c)
{
    struct replay_event e = {
        .kind = REPLAY_EVENT_BROKEN,
        .from = SERVER,
        .text = bytes_of("the tape lacks the handshake: it cannot be played"),
    };

    replay_caller_tell(c, &e);
    replay_caller_hang_up(c, CAPTURE_END_FIN);
    return 0;
}

static bool awaits_answer(const struct replay_caller *c)
{
    return c->answered < c->gate.answers || replay_caller_is_ahead(c);
}

static bool awaits_interim(const struct replay_caller *c)
{
    uint32_t x = c->gate.interim;

    return x != REPLAY_NONE && c->answered <= x && !(c->answered == x && c->heard);
}

bool replay_caller_http_reached(const struct replay_caller *c)
{
    return !awaits_answer(c) && !awaits_interim(c) &&
           (!c->gate.end || c->server.end != 0);
}

int64_t replay_caller_http_limit(const struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;
    const struct replay_exchange *x = replay_caller_exchange(c, c->answered);
    int64_t all = c->stage->options.patience_ns;
    int64_t took = 0;

    if (!awaits_answer(c) && (awaits_interim(c) || c->answered >= c->asked)) {
        all = replay_caller_earlier(all, CALLER_GRACE_NS);
    } else if (x != NULL && x->response != REPLAY_NONE) {
        took = t->steps[x->response].time_ns - t->steps[x->request].time_ns;
    }
    return replay_caller_wait_until(c, all, took > 0 ? took : 0);
}

int replay_caller_http_expired(struct replay_caller *c, int64_t now_ns)
{
    int r = 0;

    if (awaits_answer(c)) {
        r = replay_caller_tell_unanswered(c, c->answered, REPLAY_EVENT_TIMEOUT,
                                          now_ns - c->gate.began_at);
        c->answered++;
        c->given_up++;
        return r == 0 ? replay_caller_finish(c, now_ns) : r;
    }
    if (awaits_interim(c)) {
        c->gate.interim = REPLAY_NONE;
        return 0;
    }
    if (c->answered < c->asked) {
        r = replay_caller_tell_end(c);
    }
    c->gate.end = false;
    return r;
}
