#include "base/alloc.h"
#include "base/sm.h"
#include "proxy/session_state.h"
#include "wire/handshake.h"
#include "wire/lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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
    for (unsigned i = 0; i < h->exchange_count; i++) {
        chunk_unref(h->exchanges[i].head.chunk);
    }
    for (size_t i = 0; i < h->held_count; i++) {
        chunk_unref(h->held[i].chunk);
    }
    alloc_free(h->held);
    alloc_free(h);
    s->http = NULL;
}

enum {
    HELD_MAX = 64 * 1024,  /* bytes held before the client is no longer read */
    SMALL_MAX = 16 * 1024, /* shorter ones are copied: they must not pin a read chunk */
};

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
    if (in.len < SMALL_MAX) {
        int r = slice_copy(slice_bytes(in), &in);

        if (r < 0) {
            return r;
        }
    } else {
        chunk_ref(in.chunk);
    }
    h->held[h->held_count++] = in;
    h->held_len += in.len;
    return proxy_session_pause(s, CLIENT, PROXY_PAUSE_WAIT, h->held_len > HELD_MAX);
}

/* Of a head that is not whole; empty when it is, or there is none. */
static struct bytes half_head(const struct proxy_session *s)
{
    return s->http->in_request || s->http->rest_kept
               ? (struct bytes){ 0 }
               : wire_http_head(s->http->reader[CLIENT]);
}

int proxy_http_keep_half_head(struct proxy_session *s, int64_t now_ns)
{
    struct slice copy;
    int r;

    if (half_head(s).len == 0) {
        return 0;
    }
    r = slice_copy(half_head(s), &copy);
    s->http->rest_kept = true;
    if (r == 0) {
        r = proxy_tap_raw(s->shared->tap, s->number, now_ns, CLIENT, copy);
        chunk_unref(copy.chunk);
    }
    return r;
}

int proxy_http_keep_half_answer(struct proxy_session *s, int64_t now_ns)
{
    const struct wire_http *reader = s->http->reader[SERVER];
    struct slice copy;
    int r;

    if (s->http->half_answer_kept || !wire_http_in_head(reader)) {
        return 0;
    }
    s->http->half_answer_kept = true;
    r = slice_copy(wire_http_head(reader), &copy);
    if (r == 0) {
        r = proxy_tap_raw(s->shared->tap, s->number, now_ns, SERVER, copy);
        chunk_unref(copy.chunk);
    }
    return r;
}

int proxy_http_keep_rest(struct proxy_session *s, int64_t now_ns)
{
    struct proxy_http *h = s->http;
    int r = proxy_http_keep_half_head(s, now_ns);

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

/* All that was held, as one slice: what ends the connection in the middle of it then
 * finds the rest held. */
static int take_held(struct proxy_http *h, struct slice *out)
{
    struct chunk *all;
    size_t at = 0;

    if (h->held_count == 1) {
        *out = h->held[--h->held_count];
        h->held_len = 0;
        return 0;
    }
    all = chunk_new(h->held_len);
    if (all == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < h->held_count; i++) {
        struct bytes b = slice_bytes(h->held[i]);

        memcpy(all->data + at, b.at, b.len);
        at += b.len;
        chunk_unref(h->held[i].chunk);
    }
    h->held_count = 0;
    h->held_len = 0;
    *out = (struct slice){ all, 0, at };
    return 0;
}

/* Process what was held; that may hold again. */
static int pass_held(struct proxy_session *s, int64_t now_ns)
{
    int r = proxy_session_pause(s, CLIENT, PROXY_PAUSE_WAIT, false);
    struct slice held;

    if (r < 0 || s->http->held_count == 0) {
        return r;
    }
    r = take_held(s->http, &held);
    if (r == 0) {
        r = s->state == PROXY_OPEN ? proxy_session_pass(s, CLIENT, held, now_ns)
                                   : proxy_session_too_late(s, CLIENT, held, now_ns);
        chunk_unref(held.chunk);
    }
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
    r = proxy_http_pass_client(s, (struct slice){ 0 }, now_ns);
    if (r == 0 && s->http != NULL) {
        r = pass_held(s, now_ns);
    }
    return r == 0 && fin ? pass_held_end(s, kind, now_ns) : r;
}

/* ---- modes ---- */

/* It turned out not to be HTTP. */
static int pass_half_head(struct proxy_session *s, int64_t now_ns)
{
    struct slice copy;
    int r;

    if (half_head(s).len == 0) {
        return 0;
    }
    r = slice_copy(half_head(s), &copy);
    s->http->rest_kept = true;
    if (r == 0) {
        r = proxy_session_pass(s, CLIENT, copy, now_ns);
        chunk_unref(copy.chunk);
    }
    return r;
}

int proxy_http_leave(struct proxy_session *s, bool is_websocket, uint8_t rsv,
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
    r = pass_half_head(s, now_ns);
    if (r == 0) {
        r = pass_held(s, now_ns);
    }
    proxy_http_deinit(s);
    return r == 0 && fin ? pass_held_end(s, kind, now_ns) : r;
}

int proxy_http_pass(struct proxy_session *s, enum side from, struct slice in,
                    int64_t now_ns)
{
    return from == CLIENT ? proxy_http_pass_client(s, in, now_ns)
                          : proxy_http_pass_server(s, in, now_ns);
}

uint32_t proxy_http_answering(const struct proxy_session *s)
{
    return s->http->exchange_count > 0 ? s->http->exchanges[0].number : 0;
}

int proxy_http_record_head(struct proxy_session *s, enum capture_type type,
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

static int record_body(struct proxy_session *s, enum side from, struct slice in,
                       int64_t now_ns)
{
    uint64_t limit = s->shared->config->http_body_limit;
    uint64_t *kept = &s->http->body_kept[from];
    struct capture_record r = { .type = CAPTURE_BODY,
                                .connection = s->number,
                                .time_ns = now_ns - s->shared->tap->origin_ns };
    struct slice keep = in;

    r.u.body.from = from;
    r.u.body.exchange = from == CLIENT ? s->http->last_number : proxy_http_answering(s);
    r.u.body.wire_len = in.len;
    if (keep.len > limit - *kept) {
        keep.len = (size_t)(limit - *kept);
    }
    *kept += keep.len;
    r.u.body.bytes = slice_bytes(keep);
    return s->shared->tap->block == NULL
               ? 0
               : capture_encode(s->shared->tap->block, &r, &keep);
}

int proxy_http_body(struct proxy_session *s, enum side from, struct slice in,
                    int64_t now_ns)
{
    int r = 0;

    for (size_t at = 0; r == 0 && at < in.len; at += CAPTURE_PIECE_MAX) {
        struct slice piece = proxy_slice_rest(in, at);

        if (piece.len > CAPTURE_PIECE_MAX) {
            piece.len = CAPTURE_PIECE_MAX;
        }
        r = record_body(s, from, piece, now_ns);
    }
    return r == 0 ? proxy_session_send(s, side_other(from), in, now_ns) : r;
}

int proxy_http_finish(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct wire_http_event ev = { 0 };
    struct slice head;
    char text[256];
    int r;

    wire_http_finish(s->http->reader[from], &ev);
    if (ev.kind == WIRE_HTTP_DONE) {
        return from == SERVER ? proxy_http_response_done(s, now_ns) : 0;
    }
    if (ev.kind != WIRE_HTTP_BAD) {
        return 0;
    }
    snprintf(text, sizeof(text), "the %s ended in the middle of a message (%s)",
             side_name(from), ev.why);
    r = proxy_tap_note(s->shared->tap, s->number, now_ns, text);
    s->http->rest_kept = s->http->rest_kept || from == CLIENT;
    if (r == 0) {
        r = slice_copy(wire_http_head(s->http->reader[from]), &head);
    }
    if (r < 0) {
        return r;
    }
    r = proxy_tap_raw(s->shared->tap, s->number, now_ns, from, head);
    if (r == 0 && from == SERVER && s->state == PROXY_OPEN) {
        r = proxy_session_send(s, side_other(from), head, now_ns);
    }
    chunk_unref(head.chunk);
    return r;
}
