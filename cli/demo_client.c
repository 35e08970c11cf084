#include "cli/demo_client.h"

#include "base/alloc.h"
#include "base/random.h"
#include "base/sm.h"
#include "base/text.h"
#include "cli/demo_ws.h"
#include "net/stream.h"
#include "wire/accept.h"
#include "wire/handshake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 *   HEALTH --> OPENING --> CHATTING --> PINGED --> CLOSING --> DONE
 *                              |                      ^
 *                              +----- told to go -----+
 *   trouble: any --> DONE
 */
enum { HEALTH, OPENING, CHATTING, PINGED, CLOSING, DONE };

static const struct sm_state states[] = {
    [HEALTH] = { "health", SM_TO(OPENING) | SM_TO(DONE) },
    [OPENING] = { "opening", SM_TO(CHATTING) | SM_TO(DONE) },
    [CHATTING] = { "chatting", SM_TO(PINGED) | SM_TO(CLOSING) | SM_TO(DONE) },
    [PINGED] = { "pinged", SM_TO(CLOSING) | SM_TO(DONE) },
    [CLOSING] = { "closing", SM_TO(DONE) },
    [DONE] = { "done", 0 },
};

static const char *const questions[] = {
    "{\"type\":\"chat_message\",\"message\":\"What did we spend in October?\"}",
    "{\"type\":\"chat_message\",\"message\":\"Where can we save?\"}",
};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

/* What each question must bring, in order. */
static const char *const expected[] = { "agent_started", "agent_thinking",
                                        "tool_executing", "tool_completed",
                                        "agent_completed" };
enum { EXPECTED = sizeof(expected) / sizeof(expected[0]) };

struct demo_client {
    struct net_target *target;
    struct net_connect *connecting;
    struct net_stream *stream;
    struct wire_http *http;
    struct demo_ws ws;
    struct buf key; /* Sec-WebSocket-Key */
    const struct demo_client_events *events;
    void *owner;
    struct err trouble;
    uint8_t state;
    bool failed;
    bool greeted;
    unsigned asked; /* questions */
    unsigned heard; /* events of the last one */
};

static void connect_again(struct demo_client *c);

static void finish(struct demo_client *c)
{
    sm_move(states, &c->state, DONE);
    net_target_free(c->target);
    c->target = NULL;
    c->events->done(c->owner, c->failed ? &c->trouble : NULL);
}

/* Always -EPROTO: the caller resets the stream. */
static int fail(struct demo_client *c, const char *why)
{
    struct buf shown = { 0 };

    if (!c->failed) {
        c->failed = true;
        (void)text_put_escaped(&shown, buf_bytes(&c->ws.payload), 100);
        err_set(&c->trouble, 0, "the demo's client was %s and %s (last message: %.*s)",
                states[c->state].name, why, (int)shown.len,
                shown.at == NULL ? "" : (const char *)shown.at);
        buf_deinit(&shown);
    }
    return -EPROTO;
}

/* ---- sending ---- */

static int send_buf(struct demo_client *c, const struct buf *b)
{
    struct slice s;
    int r = slice_copy(buf_bytes(b), &s);

    if (r == 0) {
        r = net_stream_write(c->stream, s);
        chunk_unref(s.chunk);
    }
    return r;
}

static int send_frame(struct demo_client *c, unsigned opcode, struct bytes payload)
{
    struct buf out = { 0 };
    int r = demo_ws_put(&out, CLIENT, opcode, payload);

    if (r == 0) {
        r = send_buf(c, &out);
    }
    buf_deinit(&out);
    return r;
}

static int ask(struct demo_client *c)
{
    c->heard = 0;
    return send_frame(c, WIRE_OP_TEXT, bytes_of(questions[c->asked++]));
}

static int make_key(struct buf *out)
{
    uint8_t nonce[16];
    int r = random_fill(nonce, sizeof(nonce));

    buf_clear(out);
    return r < 0 ? r : text_put_base64(out, bytes_make(nonce, sizeof(nonce)));
}

static int send_request(struct demo_client *c)
{
    struct buf out = { 0 };
    char address[64];
    int r = make_key(&c->key);

    net_stream_peer(c->stream, address, sizeof(address));
    if (r == 0) {
        r = buf_put_format(&out,
                           "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: wstape-demo\r\n",
                           c->state == HEALTH ? "/health" : "/ws/test", address);
    }
    if (r == 0 && c->state == OPENING) {
        r = buf_put_format(&out,
                           "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n",
                           (int)c->key.len, (const char *)c->key.at);
    }
    if (r == 0) {
        r = buf_put_text(&out, "\r\n");
    }
    if (r == 0) {
        r = send_buf(c, &out);
    }
    buf_deinit(&out);
    return r;
}

/* ---- receiving ---- */

static bool is_event(struct bytes text, const char *type)
{
    char start[64];
    int len = snprintf(start, sizeof(start), "{\"type\":\"%s\",", type);

    return text.len > (size_t)len && memcmp(text.at, start, (size_t)len) == 0;
}

static bool has_key(struct bytes text, const char *key)
{
    return memmem(text.at, text.len, key, strlen(key)) != NULL;
}

static void look_at(struct demo_client *c, struct bytes text)
{
    if (is_event(text, "tool_executing") && !has_key(text, "\"tool_name\":")) {
        c->events->saw(c->owner, "tool_executing without tool_name");
    }
}

static int take_text(struct demo_client *c, struct bytes text)
{
    if (!c->greeted) {
        if (!is_event(text, "connection_established")) {
            return fail(c, "got no connection_established first");
        }
        c->greeted = true;
        return ask(c);
    }
    if (c->heard == EXPECTED || !is_event(text, expected[c->heard])) {
        return fail(c, "got another event than was due");
    }
    look_at(c, text);
    if (++c->heard < EXPECTED) {
        return 0;
    }
    if (c->asked < QUESTIONS) {
        return ask(c);
    }
    sm_move(states, &c->state, PINGED);
    return send_frame(c, WIRE_OP_PING, bytes_of("still there?"));
}

static int take_pong(struct demo_client *c)
{
    static const uint8_t normal[] = { 1000 >> 8, 1000 & 0xff, 'd', 'o', 'n', 'e' };

    if (c->state != PINGED) {
        return fail(c, "got a pong nobody asked for");
    }
    sm_move(states, &c->state, CLOSING);
    return send_frame(c, WIRE_OP_CLOSE, bytes_make(normal, sizeof(normal)));
}

/* The other end has enough: its word, and ours back. */
static int told_to_go(struct demo_client *c)
{
    struct bytes said = buf_bytes(&c->ws.payload);
    struct buf reason = { 0 };
    char text[256];

    if (c->state != CHATTING || said.len < 2) {
        return fail(c, "was closed early");
    }
    (void)text_put_escaped(&reason, bytes_from(said, 2), said.len);
    snprintf(text, sizeof(text), "closed with %u (%.*s)",
             (unsigned)said.at[0] << 8 | said.at[1], (int)reason.len,
             reason.at == NULL ? "" : (const char *)reason.at);
    buf_deinit(&reason);
    c->events->saw(c->owner, text);
    sm_move(states, &c->state, CLOSING);
    return send_frame(c, WIRE_OP_CLOSE, said);
}

static int take_close(struct demo_client *c)
{
    int r = c->state == CLOSING ? 0 : told_to_go(c);

    net_stream_end(c->stream);
    return r;
}

static int take_message(struct demo_client *c)
{
    switch (wire_frame_opcode(&c->ws.frame)) {
    case WIRE_OP_TEXT:
        return c->state == CHATTING ? take_text(c, buf_bytes(&c->ws.payload))
                                    : fail(c, "got an event too many");
    case WIRE_OP_PONG:
        return take_pong(c);
    case WIRE_OP_CLOSE:
        return take_close(c);
    default:
        return fail(c, "got a frame that was not due");
    }
}

static int take_ws(struct demo_client *c, struct bytes in)
{
    size_t used;
    int r = 0;

    while (r == 0) {
        r = demo_ws_next(&c->ws, in, &used);
        in = bytes_from(in, used);
        if (r == 0) {
            r = take_message(c);
        }
    }
    return r < 0 ? r : 0;
}

static int check_accept(struct demo_client *c, struct bytes head,
                        const struct wire_head *h)
{
    struct buf due = { 0 };
    struct wire_field got;
    int r = wire_accept_put(&due, buf_bytes(&c->key));

    if (r == 0 && (!wire_handshake_agrees(head, h) ||
                   !wire_head_find(head, h, "Sec-WebSocket-Accept", &got) ||
                   !bytes_equal(got.value, buf_bytes(&due)))) {
        r = fail(c, "got no upgrade, or a wrong Sec-WebSocket-Accept");
    }
    buf_deinit(&due);
    return r;
}

static int take_head(struct demo_client *c)
{
    struct bytes head = wire_http_head(c->http);
    struct wire_head h;
    int r = wire_head_parse(head, false, &h);

    if (r < 0) {
        return r;
    }
    if (c->state == OPENING) {
        return check_accept(c, head, &h);
    }
    return h.status == 200 ? 0 : fail(c, "got another status than 200");
}

static int take_http(struct demo_client *c, struct bytes in)
{
    struct wire_http_event event;
    size_t used;
    int r;

    for (;;) {
        r = wire_http_next(c->http, in, &used, &event);
        in = bytes_from(in, used);
        if (r == 0 && event.kind == WIRE_HTTP_HEAD) {
            r = take_head(c);
        }
        if (r < 0 || event.kind == WIRE_HTTP_MORE) {
            return r;
        }
        if (event.kind == WIRE_HTTP_BAD) {
            return fail(c, "got no HTTP");
        }
        if (event.kind == WIRE_HTTP_DONE) {
            net_stream_end(c->stream);
        }
        if (event.kind == WIRE_HTTP_SWITCH) {
            sm_move(states, &c->state, CHATTING);
            return take_ws(c, in);
        }
    }
}

static void bytes_came(void *owner, struct net_stream *s, struct slice in)
{
    struct demo_client *c = owner;
    int r = c->state >= CHATTING ? take_ws(c, slice_bytes(in))
                                 : take_http(c, slice_bytes(in));

    if (r < 0) {
        fail(c, "could not go on");
        net_stream_reset(s);
    }
}

static void ended(void *owner, struct net_stream *s, int status)
{
    struct demo_client *c = owner;

    if (status < 0) {
        fail(c, "lost the connection");
    }
    net_stream_close(s);
}

static void drained(void *owner, struct net_stream *s)
{
    (void)owner;
    (void)s;
}

static void closed(void *owner, struct net_stream *s)
{
    struct demo_client *c = owner;

    (void)s;
    c->stream = NULL;
    wire_http_free(c->http);
    c->http = NULL;
    if (c->state == HEALTH && !c->failed) {
        sm_move(states, &c->state, OPENING);
        connect_again(c);
        return;
    }
    if (c->state != CLOSING) {
        fail(c, "was left alone");
    }
    finish(c);
}

/* ---- connecting ---- */

static const struct net_stream_events stream_events = { bytes_came, ended, drained,
                                                        closed };

static void connected(void *owner, struct net_stream *s, int status,
                      const char *address)
{
    struct demo_client *c = owner;

    (void)address;
    c->connecting = NULL;
    if (status < 0) {
        fail(c, net_error_text(status));
        finish(c);
        return;
    }
    c->stream = s;
    net_stream_own(s, &stream_events, c);
    net_stream_read(s, true);
    c->http = wire_http_new(false);
    if (c->http == NULL || send_request(c) < 0) {
        fail(c, "could not send its request");
        net_stream_reset(s);
        return;
    }
    wire_http_answers(c->http, false, false);
}

static void connect_again(struct demo_client *c)
{
    c->connecting = net_connect_start(c->target, connected, c);
    if (c->connecting == NULL) {
        fail(c, "ran out of memory");
        finish(c);
    }
}

int demo_client_start(struct net_loop *loop, uint16_t port,
                      const struct demo_client_events *events, void *owner,
                      struct demo_client **out)
{
    struct demo_client *c = alloc_zero(1, sizeof(*c));

    if (c == NULL) {
        return -ENOMEM;
    }
    c->events = events;
    c->owner = owner;
    c->target = net_target_new(loop, "127.0.0.1", port);
    if (c->target != NULL) {
        c->connecting = net_connect_start(c->target, connected, c);
    }
    if (c->connecting == NULL) {
        net_target_free(c->target);
        alloc_free(c);
        return -ENOMEM;
    }
    *out = c;
    return 0;
}

void demo_client_give_up(struct demo_client *c, const char *why)
{
    if (c->state == DONE) {
        return;
    }
    fail(c, why);
    if (c->stream != NULL) {
        net_stream_reset(c->stream);
        return;
    }
    net_connect_cancel(c->connecting);
    finish(c);
}

void demo_client_free(struct demo_client *c)
{
    if (c != NULL) {
        demo_ws_deinit(&c->ws);
        buf_deinit(&c->key);
        alloc_free(c);
    }
}
