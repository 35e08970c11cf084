#include "replay/script_state.h"

#include "wire/http.h"

#include <assert.h>

/* Numbers grow along the array: the recorder counts. */
static uint32_t find(const struct replay_connection *c, uint32_t number)
{
    uint32_t from = 0, to = c->exchange_count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (c->exchanges[middle].number < number) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < c->exchange_count && c->exchanges[from].number == number
               ? from
               : REPLAY_NONE;
}

static int put_step(struct script_reading *b, struct script_strand *s,
                    struct replay_step *step, struct bytes in)
{
    int r = replay_script_keep(b, in, &step->bytes);

    step->message = REPLAY_NONE;
    return r == 0 ? replay_script_step(b, s, step, NULL) : r;
}

/* ---- requests ---- */

static int put_exchange(struct script_reading *b, struct script_strand *s,
                        uint32_t number)
{
    struct replay_connection *c = script_connection(b, s);
    void *at = c->exchanges;
    int r = replay_script_grow(&at, c->exchange_count, &s->exchange_cap,
                               sizeof(*c->exchanges));

    c->exchanges = at;
    if (r == 0) {
        c->exchanges[c->exchange_count++] =
            (struct replay_exchange){ .method = bytes_of("?"),
                                      .target = bytes_of("?"),
                                      .number = number,
                                      .request = c->step_count,
                                      .response = REPLAY_NONE,
                                      .first_response = REPLAY_NONE };
    }
    return r;
}

int replay_script_request(struct script_reading *b, struct script_strand *s,
                          const struct capture_record *r)
{
    struct replay_connection *c = script_connection(b, s);
    struct replay_step step = { .time_ns = r->time_ns,
                                .exchange = c->exchange_count,
                                .kind = REPLAY_REQUEST,
                                .from = CLIENT };
    struct replay_exchange *x;
    struct wire_head h;
    int done = capture_exchanges_break(&s->http, CLIENT);

    done = done == 0 ? put_exchange(b, s, r->u.head.exchange) : done;
    done = done == 0 ? put_step(b, s, &step, r->u.head.bytes) : done;
    if (done < 0) {
        return done;
    }
    s->answering = REPLAY_NONE;
    x = &c->exchanges[step.exchange];
    if (wire_head_parse(step.bytes, true, &h) == 0) {
        x->method = h.method;
        x->target = h.target;
        x->asks = wire_handshake_asks(step.bytes, &h);
    }
    return capture_exchanges_head(&s->http, r);
}

/* ---- answers ---- */

/* The handshake opened a WebSocket: what follows are frames. */
static void agree(struct script_reading *b, struct script_strand *s, uint32_t exchange,
                  struct bytes head, const struct wire_head *h)
{
    struct replay_connection *c = script_connection(b, s);
    bool others;

    s->is_websocket = true;
    wire_handshake_extensions(head, h, &c->deflate, &others);
    capture_messages_agree(&s->lanes[CLIENT].messages, &c->deflate, others);
    capture_messages_agree(&s->lanes[SERVER].messages, &c->deflate, others);
    if (exchange != REPLAY_NONE) {
        c->exchanges[exchange].agrees = true;
        c->handshake = exchange;
    }
}

static bool opens_tunnel(const struct replay_exchange *x, unsigned status)
{
    return status == 101 || (status >= 200 && status < 300 &&
                             bytes_equal(x->method, bytes_of("CONNECT")));
}

/* `step` is the answer's head, the last step so far. */
static void answer(struct script_reading *b, struct script_strand *s,
                   const struct replay_step *step)
{
    struct replay_connection *c = script_connection(b, s);
    struct replay_exchange none = { .first_response = REPLAY_NONE, .asks = true };
    struct replay_exchange *x =
        step->exchange == REPLAY_NONE ? &none : &c->exchanges[step->exchange];
    struct wire_head h;

    if (x->first_response == REPLAY_NONE) {
        x->first_response = c->step_count - 1;
    }
    if (wire_head_parse(step->bytes, false, &h) < 0) {
        x->response = c->step_count - 1;
        return;
    }
    if (h.status < 200 && h.status != 101) {
        return;
    }
    x->response = c->step_count - 1;
    x->status = h.status;
    if (x->asks && wire_handshake_agrees(step->bytes, &h)) {
        agree(b, s, step->exchange, step->bytes, &h);
    } else if (step->exchange != REPLAY_NONE) {
        x->tunnel = opens_tunnel(x, h.status);
    }
}

int replay_script_response(struct script_reading *b, struct script_strand *s,
                           const struct capture_record *r)
{
    struct replay_step step = { .time_ns = r->time_ns,
                                .kind = REPLAY_RESPONSE,
                                .from = SERVER };
    int done = capture_exchanges_break(&s->http, SERVER);

    step.exchange = find(script_connection(b, s), r->u.head.exchange);
    done = done == 0 ? put_step(b, s, &step, r->u.head.bytes) : done;
    if (done < 0) {
        return done;
    }
    answer(b, s, &step);
    return capture_exchanges_head(&s->http, r);
}

int replay_script_body(struct script_reading *b, struct script_strand *s,
                       const struct capture_record *r)
{
    struct replay_connection *c = script_connection(b, s);
    struct replay_step step = { .time_ns = r->time_ns,
                                .payload_len = r->u.body.wire_len,
                                .exchange = find(c, r->u.body.exchange),
                                .kind = REPLAY_BODY,
                                .from = (uint8_t)r->u.body.from };
    bool cut = r->u.body.wire_len > r->u.body.bytes.len;
    int done = put_step(b, s, &step, r->u.body.bytes);

    if (done < 0) {
        return done;
    }
    if (cut && step.exchange != REPLAY_NONE) {
        struct replay_exchange *x = &c->exchanges[step.exchange];

        x->cut = x->cut || r->u.body.from == SERVER;
        x->asked_cut = x->asked_cut || r->u.body.from == CLIENT;
    }
    return capture_exchanges_body(&s->http, r);
}

/* ---- answers of the recorder's own ---- */

static int put_own_body(struct script_reading *b, struct script_strand *s,
                        int64_t time_ns, struct bytes in)
{
    struct replay_step step = { .time_ns = time_ns,
                                .payload_len = in.len,
                                .exchange = s->answering,
                                .kind = REPLAY_BODY,
                                .from = SERVER };

    return in.len == 0 ? 0 : put_step(b, s, &step, in);
}

static int put_own_answer(struct script_reading *b, struct script_strand *s,
                          int64_t time_ns, struct bytes in)
{
    struct replay_step step = { .time_ns = time_ns,
                                .exchange = s->answering,
                                .kind = REPLAY_RESPONSE,
                                .from = SERVER };
    size_t end = bytes_find(in, bytes_of("\r\n\r\n"));
    int done;

    assert(end < in.len); /* capture_exchanges has read the head */
    done = put_step(b, s, &step, bytes_first(in, end + 4));
    if (done < 0) {
        return done;
    }
    script_connection(b, s)->exchanges[s->answering].by_wstape = true;
    answer(b, s, &step);
    return put_own_body(b, s, time_ns, bytes_from(in, end + 4));
}

/* A long answer lies in several records: what follows the first is its body. */
int replay_script_sent(struct script_reading *b, struct script_strand *s,
                       const struct capture_record *r)
{
    bool had = s->answering != REPLAY_NONE;
    int done;

    if (s->is_websocket || r->u.sent.to != CLIENT) {
        return 0;
    }
    done = capture_exchanges_sent(&s->http, r);
    if (done == CAPTURE_EXCHANGES_ANSWERED) {
        return s->answering == REPLAY_NONE
                   ? 0
                   : put_own_answer(b, s, r->time_ns, r->u.sent.bytes);
    }
    return done == 0 && had ? put_own_body(b, s, r->time_ns, r->u.sent.bytes) : done;
}

/* ---- what capture_exchanges says ---- */

int replay_script_content(void *owner, uint32_t connection,
                          const struct capture_body *body)
{
    (void)owner;
    (void)connection;
    (void)body;
    return 0;
}

int replay_script_exchange(void *owner, uint32_t connection,
                           const struct capture_exchange *e)
{
    struct script_reading *b = owner;
    struct script_strand *s = b->current;
    struct replay_connection *c = script_connection(b, s);
    uint32_t index = find(c, e->number);

    assert(connection == c->number);
    if (index == REPLAY_NONE) {
        return 0;
    }
    c->exchanges[index].incomplete = e->incomplete;
    if (e->by_wstape) {
        /* The backend's answer, where there is one, is the script. */
        s->answering =
            c->exchanges[index].response == REPLAY_NONE ? index : REPLAY_NONE;
    }
    return 0;
}
