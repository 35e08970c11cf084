#include "proxy/faults.h"
#include "wire/handshake.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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

/* The rules look at the request that is answered, not at the last one. */
static int ask_rules(struct proxy_session *s, struct bytes head, unsigned status,
                     struct buf *changed, struct proxy_ruling *ruling, int64_t now_ns)
{
    int r = 0;

    if (s->http->exchange_count > 0) {
        r = inject_answers(s->faults->connection,
                           slice_bytes(s->http->exchanges[0].head));
    }
    return r == 0 ? proxy_faults_response(s, head, status, changed, ruling, now_ns) : r;
}

/* Record and pass on a head, with what rules change in it. */
static int pass_head(struct proxy_session *s, struct bytes head, unsigned status,
                     int64_t now_ns)
{
    struct proxy_ruling ruling = { .count = 0 };
    struct buf changed = { 0 };
    struct slice out;
    struct bytes sent = head;
    int r = 0;

    if (s->faults != NULL) {
        r = ask_rules(s, head, status, &changed, &ruling, now_ns);
        sent = changed.len > 0 ? buf_bytes(&changed) : head;
    }
    if (r == 0) {
        r = proxy_http_record_head(s, CAPTURE_RESPONSE, proxy_http_answering(s), head,
                                   sent, now_ns);
    }
    if (r == 0) {
        r = proxy_faults_record_ruling(s, &ruling, SERVER, now_ns);
    }
    if (r == 0) {
        r = slice_copy(sent, &out);
    }
    if (r == 0) {
        r = proxy_session_send(s, CLIENT, out, now_ns);
        chunk_unref(out.chunk);
    }
    buf_deinit(&changed);
    return r;
}

/* A 101 that names another protocol than the one asked for is a tunnel. */
static bool opens_websocket(const struct proxy_session *s, struct bytes head,
                            const struct wire_head *h)
{
    struct wire_field upgrade;

    return h->status == 101 && s->http->exchange_count > 0 &&
           s->http->exchanges[0].is_websocket &&
           (!wire_head_find(head, h, "Upgrade", &upgrade) ||
            wire_handshake_agrees(head, h));
}

static int response_head(struct proxy_session *s, uint8_t *rsv, int64_t now_ns)
{
    struct bytes head = wire_http_head(s->http->reader[SERVER]);
    struct wire_head h;
    int r = wire_head_parse(head, false, &h);

    assert(r == 0);
    s->http->status = h.status;
    s->http->body_kept[SERVER] = 0;
    s->http->in_answer = h.status >= 200;
    s->http->opens_websocket = opens_websocket(s, head, &h);
    *rsv = h.status == 101 ? rsv_of(head, &h) : 0;
    r = pass_head(s, head, h.status, now_ns);
    return r == 0 && s->faults != NULL && s->http->opens_websocket
               ? proxy_faults_open(s, head)
               : r;
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
    case PROXY_WAIT_RULE:
        return proxy_faults_request_due(s, now_ns);
    case PROXY_WAIT_REFUSE:
        return proxy_http_refuse_due(s, now_ns);
    }
    abort();
}

/* The answer is complete; interim ones (1xx) leave their request open. */
int proxy_http_response_done(struct proxy_session *s, int64_t now_ns)
{
    struct proxy_http *h = s->http;
    bool was_switch;

    h->in_answer = false;
    if (h->status >= 100 && h->status < 200) {
        return 0;
    }
    if (h->exchange_count == 0) {
        return 0;
    }
    was_switch = h->exchanges[0].is_switch;
    chunk_unref(h->exchanges[0].head.chunk);
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
    r = proxy_http_leave(s, false, 0, now_ns);
    if (r == 0 && head.len > 0) {
        r = proxy_session_pass(s, SERVER, head, now_ns);
    }
    chunk_unref(head.chunk);
    return r == 0 && rest.len > 0 ? proxy_session_pass(s, SERVER, rest, now_ns) : r;
}

static int switched(struct proxy_session *s, uint8_t rsv, struct slice rest,
                    int64_t now_ns)
{
    int r = proxy_http_leave(s, s->http->opens_websocket, rsv, now_ns);

    if (r == 0 && s->stop_wanted) {
        r = proxy_session_stop_now(s, now_ns);
    }
    return r == 0 && rest.len > 0 ? proxy_session_pass(s, SERVER, rest, now_ns) : r;
}

/* What the next answer is to: blank lines before it do not count, so it is said anew
 * until its head is there. */
static void tell_reader(struct proxy_session *s)
{
    static const struct proxy_exchange none;
    const struct proxy_exchange *x =
        s->http->exchange_count > 0 ? &s->http->exchanges[0] : &none;

    if (!s->http->in_answer) {
        wire_http_answers(s->http->reader[SERVER], x->is_head, x->is_connect);
    }
}

int proxy_http_pass_server(struct proxy_session *s, struct slice in, int64_t now_ns)
{
    struct wire_http_event ev = { 0 };
    uint8_t rsv = 0;
    size_t at = 0;
    int r = 0;

    while (r == 0 && s->http != NULL && s->state == PROXY_OPEN) {
        struct slice rest = proxy_slice_rest(in, at);
        size_t used;

        tell_reader(s);
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
            r = proxy_http_body(s, SERVER, rest, now_ns);
            break;
        case WIRE_HTTP_DONE:
            r = proxy_http_response_done(s, now_ns);
            break;
        case WIRE_HTTP_SWITCH:
            return switched(s, rsv, proxy_slice_rest(in, at), now_ns);
        case WIRE_HTTP_BAD:
            return response_bad(s, ev.why, proxy_slice_rest(in, at), now_ns);
        }
    }
    return r == 0 ? proxy_session_too_late(s, SERVER, proxy_slice_rest(in, at), now_ns)
                  : r;
}
