#include "proxy/faults.h"
#include "wire/handshake.h"

#include <assert.h>
#include <errno.h>

enum { AUTHORITY_ROOM = 64 }; /* more than most backends' names differ in length */

/* Append `head` with the values of Host and Origin that the backend must see. */
static int put_rewritten(const struct proxy_session *s, struct bytes head,
                         const struct wire_head *h, struct buf *out)
{
    const struct proxy_config *c = s->shared->config;
    struct wire_field f;
    size_t at = h->fields_at, copied = 0;
    int r = buf_reserve(out, head.len + AUTHORITY_ROOM);

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

static int note_exchange(struct proxy_session *s, struct bytes head,
                         const struct wire_head *h)
{
    struct proxy_http *http = s->http;
    struct proxy_exchange *x = &http->exchanges[http->exchange_count++];

    *x = (struct proxy_exchange){ .number = ++http->last_number };
    x->is_head = bytes_equal(h->method, bytes_of("HEAD"));
    x->is_connect = bytes_equal(h->method, bytes_of("CONNECT"));
    x->is_websocket = wire_handshake_asks(head, h);
    http->body_kept[CLIENT] = 0;
    http->in_request = true;
    s->head_at = -1;
    return s->faults == NULL ? 0 : slice_copy(head, &x->head);
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

int proxy_http_proceed(struct proxy_session *s, int64_t now_ns)
{
    struct slice head = s->http->first;
    int r;

    s->http->first = (struct slice){ 0 };
    if (s->state == PROXY_WAITING) {
        r = connect_first(s, head, now_ns);
    } else {
        r = proxy_session_send(s, SERVER, head, now_ns);
    }
    chunk_unref(head.chunk);
    return r;
}

/* The head that the backend must see: with what rules change, then Host and Origin. */
static int put_sent(const struct proxy_session *s, struct bytes head, struct buf *out)
{
    struct wire_head h;
    int r = wire_head_parse(head, true, &h);

    return r < 0 || s->shared->config->keep_host ? buf_put(out, head)
                                                 : put_rewritten(s, head, &h, out);
}

static int ask_rules(struct proxy_session *s, struct bytes head, struct buf *changed,
                     struct proxy_ruling *ruling, int64_t now_ns)
{
    int r = proxy_faults_request(s, head, changed, ruling, now_ns);

    return r == 0 && changed->len == 0 ? buf_put(changed, head) : r;
}

static int request_head(struct proxy_session *s, int64_t now_ns)
{
    struct bytes head = wire_http_head(s->http->reader[CLIENT]);
    struct proxy_ruling ruling = { .count = 0 };
    struct buf changed = { 0 }, sent = { 0 };
    struct wire_head h;
    int r = wire_head_parse(head, true, &h);

    assert(r == 0);
    r = note_exchange(s, head, &h);
    if (r == 0 && s->faults != NULL) {
        r = ask_rules(s, head, &changed, &ruling, now_ns);
    }
    if (r == 0) {
        r = put_sent(s, changed.len > 0 ? buf_bytes(&changed) : head, &sent);
    }
    if (r == 0) {
        r = proxy_http_record_head(s, CAPTURE_REQUEST, s->http->last_number, head,
                                   buf_bytes(&sent), now_ns);
    }
    if (r == 0) {
        r = slice_copy(buf_bytes(&sent), &s->http->first);
    }
    buf_deinit(&changed);
    buf_deinit(&sent);
    if (r < 0) {
        return r;
    }
    return ruling.count > 0 ? proxy_faults_rule_request(s, &ruling, now_ns)
                            : proxy_http_proceed(s, now_ns);
}

int proxy_http_refuse(struct proxy_session *s, unsigned status, const char *why,
                      int64_t now_ns)
{
    int r = proxy_http_keep_half_head(s, now_ns);

    s->http->refuse_status = status;
    s->http->refuse_why = why;
    s->http->wait = PROXY_WAIT_REFUSE;
    return r == 0 ? proxy_http_refuse_due(s, now_ns) : r;
}

/* The backend has answered what it got of the request: there is nothing to add. */
static int hang_up(struct proxy_session *s, int64_t now_ns)
{
    int r = proxy_tap_note(s->shared->tap, s->number, now_ns, s->http->refuse_why);

    if (r == 0) {
        r = proxy_session_end_out(s, CLIENT, CAPTURE_END_FIN, now_ns);
    }
    if (r == 0) {
        r = proxy_session_end_out(s, SERVER, CAPTURE_END_FIN, now_ns);
    }
    return r == 0 ? proxy_session_drain(s, CAPTURE_END_REFUSED, now_ns) : r;
}

int proxy_http_refuse_due(struct proxy_session *s, int64_t now_ns)
{
    struct proxy_http *h = s->http;
    /* A request that goes wrong in its body is one of those under way: its own answer
     * is ours to give, unless the backend has begun with it. */
    unsigned before = h->in_request ? 1 : 0;

    if (h->exchange_count > before) {
        return 0;
    }
    if (before > 0 && h->exchange_count == 0) {
        return hang_up(s, now_ns);
    }
    if (before > 0 && h->in_answer) {
        return proxy_session_end_out(s, SERVER, CAPTURE_END_FIN, now_ns);
    }
    return proxy_answer(s, h->refuse_status, h->refuse_why, now_ns);
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

/* It and all behind it is kept on the tape, and goes nowhere. */
static int refuse_bytes(struct proxy_session *s, const struct wire_http_event *bad,
                        struct slice rest, int64_t now_ns)
{
    int r = proxy_http_hold(s, rest);

    return r == 0 ? proxy_http_refuse(s, bad->status, bad->why, now_ns) : r;
}

/* What the reader found at the front of `rest`; `used` bytes of it belong to it. 1:
 * there is no more to find. */
static int take_event(struct proxy_session *s, const struct wire_http_event *ev,
                      struct slice rest, size_t used, int64_t now_ns)
{
    struct slice part = { rest.chunk, rest.off, used };

    switch (ev->kind) {
    case WIRE_HTTP_MORE:
        if (s->head_at < 0 && wire_http_head(s->http->reader[CLIENT]).len > 0) {
            s->head_at = now_ns;
        }
        return 1;
    case WIRE_HTTP_HEAD:
        return request_head(s, now_ns);
    case WIRE_HTTP_BODY:
        return proxy_http_body(s, CLIENT, part, now_ns);
    case WIRE_HTTP_DONE:
        s->http->in_request = false;
        if (s->http->exchange_count == PROXY_PIPELINE_MAX) {
            s->http->wait = PROXY_WAIT_PIPELINE;
        }
        return 0;
    case WIRE_HTTP_SWITCH:
        s->http->in_request = false;
        wait_for_switch(s->http);
        return 0;
    case WIRE_HTTP_BAD:
        break;
    }
    return refuse_bytes(s, ev, proxy_slice_rest(rest, used), now_ns);
}

/* The reason to wait came up before `rest`, by what the reader found last. */
static int wait_with(struct proxy_session *s, const struct wire_http_event *last,
                     struct slice rest, int64_t now_ns)
{
    bool ruled = last->kind == WIRE_HTTP_HEAD && s->http->wait == PROXY_WAIT_RULE;
    int r = last->kind == WIRE_HTTP_BAD ? 0 : proxy_http_hold(s, rest);

    return r == 0 && ruled ? proxy_faults_request_due(s, now_ns) : r;
}

int proxy_http_pass_client(struct proxy_session *s, struct slice in, int64_t now_ns)
{
    struct wire_http_event ev = { 0 };
    size_t at = 0, used;
    int r = 0;

    while (r == 0 && s->http != NULL && s->state != PROXY_DRAINING &&
           s->state != PROXY_DONE) {
        struct slice rest = proxy_slice_rest(in, at);

        if (s->http->wait != PROXY_WAIT_NONE) {
            return wait_with(s, &ev, rest, now_ns);
        }
        r = wire_http_next(s->http->reader[CLIENT], slice_bytes(rest), &used, &ev);
        if (r == 0) {
            at += used;
            r = take_event(s, &ev, rest, used, now_ns);
        }
    }
    return r == 0 && ev.kind != WIRE_HTTP_BAD
               ? proxy_session_too_late(s, CLIENT, proxy_slice_rest(in, at), now_ns)
               : (r < 0 ? r : 0);
}
