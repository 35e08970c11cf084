#include "base/alloc.h"
#include "base/sm.h"
#include "proxy/session_state.h"
#include "wire/handshake.h"
#include "wire/lint.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int pass_client(struct proxy_session *s, struct slice in, int64_t now_ns);

int proxy_http_init(struct proxy_session *s)
{
    s->http = alloc_zero(1, sizeof(*s->http));
    if (s->http == NULL) {
        return -ENOMEM;
    }
    s->mode = PROXY_HTTP;
    for (int side = CLIENT; side <= SERVER; side++) {
        s->http->reader[side] = wire_http_new(side == CLIENT);
        if (s->http->reader[side] == NULL) {
            proxy_http_deinit(s);
            return -ENOMEM;
        }
    }
    return 0;
}

void proxy_http_deinit(struct proxy_session *s)
{
    struct proxy_http *h = s->http;

    if (h == NULL) {
        return;
    }
    wire_http_free(h->reader[CLIENT]);
    wire_http_free(h->reader[SERVER]);
    chunk_unref(h->first.chunk);
    for (size_t i = 0; i < h->held_count; i++) {
        chunk_unref(h->held[i].chunk);
    }
    alloc_free(h->held);
    alloc_free(h);
    s->http = NULL;
}

enum { HELD_MAX = 64 * 1024 }; /* bytes held before the client is no longer read */

/* ---- holding the client's input ---- */

int proxy_http_hold(struct proxy_session *s, struct slice in)
{
    struct proxy_http *h = s->http;

    if (in.len == 0) {
        return 0;
    }
    if (h->held_count == h->held_cap) {
        size_t cap = h->held_cap == 0 ? 4 : h->held_cap * 2;
        struct slice *held = alloc_resize(h->held, cap * sizeof(*held));

        if (held == NULL) {
            return -ENOMEM;
        }
        h->held = held;
        h->held_cap = cap;
    }
    chunk_ref(in.chunk);
    h->held[h->held_count++] = in;
    h->held_len += in.len;
    return proxy_session_pause(s, CLIENT, PROXY_PAUSE_WAIT, h->held_len > HELD_MAX);
}

int proxy_http_drop_held(struct proxy_session *s, int64_t now_ns)
{
    struct proxy_http *h = s->http;
    int r = 0;

    for (size_t i = 0; i < h->held_count; i++) {
        if (r == 0) {
            r = proxy_tap_raw(s->shared->tap, s->number, now_ns, CLIENT, h->held[i]);
        }
        chunk_unref(h->held[i].chunk);
    }
    h->held_count = 0;
    h->held_len = 0;
    return r;
}

/* Process what was held, and the end that was held behind it. Takes the list over,
 * since processing may hold again. */
static int pass_held(struct proxy_session *s, int64_t now_ns)
{
    struct proxy_http *h = s->http;
    struct slice *held = h->held;
    size_t count = h->held_count;
    int r = proxy_session_pause(s, CLIENT, PROXY_PAUSE_WAIT, false);

    h->held = NULL;
    h->held_count = h->held_cap = h->held_len = 0;
    for (size_t i = 0; i < count; i++) {
        if (r == 0 && s->state == PROXY_OPEN) {
            r = proxy_session_pass(s, CLIENT, held[i], now_ns);
        }
        chunk_unref(held[i].chunk);
    }
    alloc_free(held);
    return r;
}

static int pass_held_end(struct proxy_session *s, enum capture_end kind, int64_t now_ns)
{
    int r;

    if (s->state != PROXY_OPEN) {
        return 0;
    }
    if (s->http != NULL && s->http->held_count > 0) {
        s->http->fin_held = true;
        s->http->fin_kind = kind;
        return 0;
    }
    r = proxy_session_fin_from(s, CLIENT, kind, now_ns);
    return r == 0 ? proxy_session_settle(s, now_ns) : r;
}

int proxy_http_release(struct proxy_session *s, int64_t now_ns)
{
    bool fin = s->http->fin_held;
    enum capture_end kind = s->http->fin_kind;
    int r;

    s->http->wait = PROXY_WAIT_NONE;
    s->http->fin_held = false;
    r = pass_client(s, (struct slice){ 0 }, now_ns);
    if (r == 0 && s->http != NULL) {
        r = pass_held(s, now_ns);
    }
    return r == 0 && fin ? pass_held_end(s, kind, now_ns) : r;
}

/* ---- modes ---- */

static int leave_http(struct proxy_session *s, bool is_websocket, uint8_t rsv,
                      int64_t now_ns)
{
    bool fin = s->http->fin_held;
    enum capture_end kind = s->http->fin_kind;
    int r;

    s->head_at = -1;
    s->mode = PROXY_TUNNEL;
    if (is_websocket) {
        proxy_frames_init(s, rsv);
    }
    r = pass_held(s, now_ns);
    proxy_http_deinit(s);
    return r == 0 && fin ? pass_held_end(s, kind, now_ns) : r;
}

/* ---- requests ---- */

/* Append `head` with the values of Host and Origin that the backend must see. */
static int put_rewritten(const struct proxy_session *s, struct bytes head,
                         const struct wire_head *h, struct buf *out)
{
    const struct proxy_config *c = s->shared->config;
    struct wire_field f;
    size_t at = h->fields_at, copied = 0;
    int r = 0;

    while (r == 0 && wire_head_next(head, &at, &f)) {
        bool is_host = bytes_equal_nocase(f.name, bytes_of("Host"));
        bool is_origin = bytes_equal_nocase(f.name, bytes_of("Origin")) &&
                         wire_url_is_origin(&c->listen, f.value);

        if (!is_host && !is_origin) {
            continue;
        }
        r = buf_put(
            out, bytes_make(head.at + copied, (size_t)(f.value.at - head.at) - copied));
        copied = (size_t)(f.value.at - head.at) + f.value.len;
        if (r == 0 && is_origin) {
            r = buf_put_text(out, c->upstream.is_tls ? "https://" : "http://");
        }
        if (r == 0) {
            r = wire_url_put_authority(out, &c->upstream);
        }
    }
    return r == 0 ? buf_put(out, bytes_from(head, copied)) : r;
}

static int record_head(struct proxy_session *s, enum capture_type type,
                       uint32_t exchange, struct bytes head, struct bytes sent,
                       int64_t now_ns)
{
    struct capture_record r = { .type = type };

    r.u.head.exchange = exchange;
    r.u.head.bytes = head;
    if (!bytes_equal(head, sent)) {
        r.u.head.sent = sent;
    }
    return proxy_tap_put(s->shared->tap, s->number, now_ns, &r);
}

static void note_exchange(struct proxy_session *s, struct bytes head,
                          const struct wire_head *h)
{
    struct proxy_http *http = s->http;
    struct proxy_exchange *x = &http->exchanges[http->exchange_count++];

    *x = (struct proxy_exchange){ .number = ++http->last_number };
    x->is_head = bytes_equal(h->method, bytes_of("HEAD"));
    x->is_connect = bytes_equal(h->method, bytes_of("CONNECT"));
    x->is_websocket = wire_handshake_asks(head, h);
    http->body_kept[CLIENT] = 0;
    s->head_at = -1;
}

static int connect_first(struct proxy_session *s, struct slice head, int64_t now_ns)
{
    s->http->first = head;
    chunk_ref(head.chunk);
    proxy_session_move(s, PROXY_CONNECTING);
    if (s->shared->config->connect_timeout_ns > 0) {
        s->deadline_at = now_ns + s->shared->config->connect_timeout_ns;
    }
    s->http->wait = PROXY_WAIT_CONNECT;
    return proxy_session_output(s, PROXY_CONNECT, SERVER);
}

static int request_head(struct proxy_session *s, int64_t now_ns)
{
    struct bytes head = wire_http_head(s->http->reader[CLIENT]);
    struct wire_head h;
    struct buf sent = { 0 };
    struct slice out;
    int r = wire_head_parse(head, true, &h);

    assert(r == 0);
    note_exchange(s, head, &h);
    if (s->shared->config->keep_host) {
        r = buf_put(&sent, head);
    } else {
        r = put_rewritten(s, head, &h, &sent);
    }
    if (r == 0) {
        r = record_head(s, CAPTURE_REQUEST, s->http->last_number, head,
                        buf_bytes(&sent), now_ns);
    }
    if (r == 0) {
        r = slice_copy(buf_bytes(&sent), &out);
    }
    buf_deinit(&sent);
    if (r < 0) {
        return r;
    }
    r = s->state == PROXY_WAITING ? connect_first(s, out, now_ns)
                                  : proxy_session_send(s, SERVER, out);
    chunk_unref(out.chunk);
    return r;
}

/* Answered only after the answers to the requests before it. */
static int refuse_request(struct proxy_session *s, unsigned status, const char *why,
                          struct slice rest, int64_t now_ns)
{
    struct bytes head = wire_http_head(s->http->reader[CLIENT]);
    struct slice copy;
    int r = proxy_http_hold(s, rest);

    s->http->refuse_status = status;
    s->http->refuse_why = why;
    if (r == 0) {
        r = slice_copy(head, &copy);
    }
    if (r < 0) {
        return r;
    }
    r = proxy_tap_raw(s->shared->tap, s->number, now_ns, CLIENT, copy);
    chunk_unref(copy.chunk);
    if (s->http->exchange_count > 0) {
        s->http->wait = PROXY_WAIT_REFUSE;
        return r;
    }
    return r == 0 ? proxy_answer(s, status, why, now_ns) : r;
}

/* ---- answers ---- */

static uint8_t rsv_of(struct bytes head, const struct wire_head *h)
{
    struct wire_deflate_params deflate;
    bool others;

    wire_handshake_extensions(head, h, &deflate, &others);
    if (others) {
        return WIRE_RSV1 | WIRE_RSV2 | WIRE_RSV3;
    }
    return deflate.agreed ? WIRE_RSV1 : 0;
}

static uint32_t current_number(const struct proxy_session *s)
{
    return s->http->exchange_count > 0 ? s->http->exchanges[0].number : 0;
}

static int response_head(struct proxy_session *s, uint8_t *rsv, int64_t now_ns)
{
    struct bytes head = wire_http_head(s->http->reader[SERVER]);
    struct wire_head h;
    struct slice out;
    int r = wire_head_parse(head, false, &h);

    assert(r == 0);
    s->http->status = h.status;
    s->http->body_kept[SERVER] = 0;
    *rsv = h.status == 101 ? rsv_of(head, &h) : 0;
    r = record_head(s, CAPTURE_RESPONSE, current_number(s), head, head, now_ns);
    if (r == 0) {
        r = slice_copy(head, &out);
    }
    if (r == 0) {
        r = proxy_session_send(s, CLIENT, out);
        chunk_unref(out.chunk);
    }
    return r;
}

static int go_on_waiting_client(struct proxy_session *s, bool switch_refused,
                                int64_t now_ns)
{
    struct proxy_http *h = s->http;

    switch (h->wait) {
    case PROXY_WAIT_NONE:
    case PROXY_WAIT_CONNECT:
        return 0;
    case PROXY_WAIT_SWITCH:
        if (!switch_refused) {
            return 0;
        }
        wire_http_resume(h->reader[CLIENT]);
        return proxy_http_release(s, now_ns);
    case PROXY_WAIT_PIPELINE:
        return proxy_http_release(s, now_ns);
    case PROXY_WAIT_REFUSE:
        return h->exchange_count == 0
                   ? proxy_answer(s, h->refuse_status, h->refuse_why, now_ns)
                   : 0;
    }
    abort();
}

/* The answer is complete; interim ones (1xx) leave their request open. */
static int response_done(struct proxy_session *s, int64_t now_ns)
{
    struct proxy_http *h = s->http;
    bool was_switch;

    h->answers_told = false;
    if (h->status >= 100 && h->status < 200) {
        return 0;
    }
    if (h->exchange_count == 0) {
        return 0;
    }
    was_switch = h->exchanges[0].is_switch;
    h->exchange_count--;
    memmove(&h->exchanges[0], &h->exchanges[1],
            h->exchange_count * sizeof(h->exchanges[0]));
    if (s->stop_wanted && h->exchange_count == 0) {
        return proxy_session_stop_now(s, now_ns);
    }
    return go_on_waiting_client(s, was_switch, now_ns);
}

/* The backend does not speak HTTP (any more): what it says passes on unparsed. */
static int response_bad(struct proxy_session *s, const char *why, struct slice rest,
                        int64_t now_ns)
{
    char text[256];
    struct slice head;
    int r;

    snprintf(text, sizeof(text),
             "the backend's answer is not valid HTTP (%s): from here "
             "on bytes pass unparsed",
             why);
    r = slice_copy(wire_http_head(s->http->reader[SERVER]), &head);
    if (r == 0) {
        r = proxy_tap_note(s->shared->tap, s->number, now_ns, text);
    }
    if (r < 0) {
        return r;
    }
    r = leave_http(s, false, 0, now_ns);
    if (r == 0 && head.len > 0) {
        r = proxy_session_pass(s, SERVER, head, now_ns);
    }
    chunk_unref(head.chunk);
    return r == 0 && rest.len > 0 ? proxy_session_pass(s, SERVER, rest, now_ns) : r;
}

static int switched(struct proxy_session *s, uint8_t rsv, struct slice rest,
                    int64_t now_ns)
{
    bool is_websocket =
        s->http->exchange_count > 0 && s->http->exchanges[0].is_websocket;
    int r = leave_http(s, is_websocket, rsv, now_ns);

    if (r == 0 && s->stop_wanted) {
        r = proxy_session_stop_now(s, now_ns);
    }
    return r == 0 && rest.len > 0 ? proxy_session_pass(s, SERVER, rest, now_ns) : r;
}

/* ---- both ---- */

static int body(struct proxy_session *s, enum side from, struct slice in,
                int64_t now_ns)
{
    uint64_t limit = s->shared->config->http_body_limit;
    uint64_t *kept = &s->http->body_kept[from];
    struct capture_record r = { .type = CAPTURE_BODY,
                                .connection = s->number,
                                .time_ns = now_ns - s->shared->tap->origin_ns };
    struct slice keep = in;
    int err = 0;

    r.u.body.from = from;
    r.u.body.exchange = from == CLIENT ? s->http->last_number : current_number(s);
    r.u.body.wire_len = in.len;
    if (keep.len > limit - *kept) {
        keep.len = (size_t)(limit - *kept);
    }
    assert(in.len <= CAPTURE_PIECE_MAX);
    *kept += keep.len;
    r.u.body.bytes = slice_bytes(keep);
    if (s->shared->tap->block != NULL) {
        err = capture_encode(s->shared->tap->block, &r, &keep);
    }
    return err == 0 ? proxy_session_send(s, side_other(from), in) : err;
}

static struct slice rest_of(struct slice in, size_t at)
{
    return (struct slice){ in.chunk, in.off + at, in.len - at };
}

/* The answer decides what follows, unless it came before the request was whole. */
static void wait_for_switch(struct proxy_http *h)
{
    struct proxy_exchange *last =
        h->exchange_count > 0 ? &h->exchanges[h->exchange_count - 1] : NULL;

    if (last == NULL || last->number != h->last_number) {
        wire_http_resume(h->reader[CLIENT]);
        return;
    }
    last->is_switch = true;
    h->wait = PROXY_WAIT_SWITCH;
}

static int pass_client(struct proxy_session *s, struct slice in, int64_t now_ns)
{
    struct wire_http_event ev = { 0 };
    size_t at = 0;
    int r = 0;

    while (r == 0 && s->http != NULL && s->state != PROXY_DRAINING &&
           s->state != PROXY_DONE) {
        struct slice rest = rest_of(in, at);
        size_t used;

        if (s->http->wait != PROXY_WAIT_NONE) {
            return proxy_http_hold(s, rest);
        }
        r = wire_http_next(s->http->reader[CLIENT], slice_bytes(rest), &used, &ev);
        if (r < 0) {
            return r;
        }
        rest.len = used;
        at += used;
        switch (ev.kind) {
        case WIRE_HTTP_MORE:
            if (s->head_at < 0 && wire_http_head(s->http->reader[CLIENT]).len > 0) {
                s->head_at = now_ns;
            }
            return 0;
        case WIRE_HTTP_HEAD:
            r = request_head(s, now_ns);
            break;
        case WIRE_HTTP_BODY:
            r = body(s, CLIENT, rest, now_ns);
            break;
        case WIRE_HTTP_DONE:
            if (s->http->exchange_count == PROXY_PIPELINE_MAX) {
                s->http->wait = PROXY_WAIT_PIPELINE;
            }
            break;
        case WIRE_HTTP_SWITCH:
            wait_for_switch(s->http);
            break;
        case WIRE_HTTP_BAD:
            return refuse_request(s, ev.status, ev.why, rest_of(in, at), now_ns);
        }
    }
    return r;
}

static int pass_server(struct proxy_session *s, struct slice in, int64_t now_ns)
{
    struct wire_http_event ev = { 0 };
    uint8_t rsv = 0;
    size_t at = 0;
    int r = 0;

    while (r == 0 && s->http != NULL && s->state == PROXY_OPEN) {
        struct slice rest = rest_of(in, at);
        size_t used;

        if (!s->http->answers_told && rest.len > 0) {
            struct proxy_exchange none = { 0 };
            struct proxy_exchange *x =
                s->http->exchange_count > 0 ? &s->http->exchanges[0] : &none;

            wire_http_answers(s->http->reader[SERVER], x->is_head, x->is_connect);
            s->http->answers_told = true;
        }
        r = wire_http_next(s->http->reader[SERVER], slice_bytes(rest), &used, &ev);
        if (r < 0) {
            return r;
        }
        rest.len = used;
        at += used;
        switch (ev.kind) {
        case WIRE_HTTP_MORE:
            return 0;
        case WIRE_HTTP_HEAD:
            r = response_head(s, &rsv, now_ns);
            break;
        case WIRE_HTTP_BODY:
            r = body(s, SERVER, rest, now_ns);
            break;
        case WIRE_HTTP_DONE:
            r = response_done(s, now_ns);
            break;
        case WIRE_HTTP_SWITCH:
            return switched(s, rsv, rest_of(in, at), now_ns);
        case WIRE_HTTP_BAD:
            return response_bad(s, ev.why, rest_of(in, at), now_ns);
        }
    }
    return r;
}

int proxy_http_pass(struct proxy_session *s, enum side from, struct slice in,
                    int64_t now_ns)
{
    return from == CLIENT ? pass_client(s, in, now_ns) : pass_server(s, in, now_ns);
}

int proxy_http_finish(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct wire_http_event ev = { 0 };
    struct slice head;
    char text[256];
    int r;

    wire_http_finish(s->http->reader[from], &ev);
    if (ev.kind == WIRE_HTTP_DONE) {
        return from == SERVER ? response_done(s, now_ns) : 0;
    }
    if (ev.kind != WIRE_HTTP_BAD) {
        return 0;
    }
    snprintf(text, sizeof(text), "the %s ended in the middle of a message (%s)",
             side_name(from), ev.why);
    r = proxy_tap_note(s->shared->tap, s->number, now_ns, text);
    if (r == 0) {
        r = slice_copy(wire_http_head(s->http->reader[from]), &head);
    }
    if (r < 0) {
        return r;
    }
    r = proxy_tap_raw(s->shared->tap, s->number, now_ns, from, head);
    if (r == 0 && (s->state == PROXY_OPEN)) {
        r = proxy_session_send(s, side_other(from), head);
    }
    chunk_unref(head.chunk);
    return r;
}
