#include "cli/demo_backend.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/demo_ws.h"
#include "net/stream.h"
#include "wire/accept.h"
#include "wire/handshake.h"

#include <errno.h>

enum { RUNS = 2, STEPS = 5 };

struct step {
    unsigned after_ms;
    const char *type;
    const char *fields;
};

static const struct step runs[RUNS][STEPS] = {
    { { 4, "agent_started", "\"agent_name\":\"cost_analyst\"" },
      { 45, "agent_thinking",
        "\"thought\":\"Which service costs most? I need the bill.\"" },
      { 20, "tool_executing",
        "\"tool_name\":\"get_bill\",\"parameters\":{\"month\":\"2025-10\",\"group_by\":"
        "\"service\"}" },
      { 80, "tool_completed",
        "\"tool_name\":\"get_bill\",\"results\":[{\"service\":\"compute\",\"usd\":1204."
        "50},"
        "{\"service\":\"storage\",\"usd\":310.25}],\"duration\":0.080" },
      { 60, "agent_completed",
        "\"response\":\"Compute: 1204.50 USD of 1514.75 USD in October.\"" } },
    { { 4, "agent_started", "\"agent_name\":\"cost_analyst\"" },
      { 30, "agent_thinking", "\"thought\":\"Look for machines that idle at night.\"" },
      { 20, "tool_executing",
        "\"tool_name\":\"find_idle\",\"parameters\":{\"below_cpu\":0.05,\"hours\":[20,"
        "6]}" },
      { 95, "tool_completed",
        "\"tool_name\":\"find_idle\",\"results\":[{\"machine\":\"staging-3\",\"cpu\":0."
        "012},"
        "{\"machine\":\"batch-1\",\"cpu\":0.031}],\"duration\":0.095" },
      { 50, "agent_completed",
        "\"response\":\"Stop staging-3 and batch-1 at night: about 180 USD a "
        "month.\"" } },
};

struct demo_backend {
    struct net_loop *loop;
    struct net_listener *listener;
};

struct connection {
    struct demo_backend *backend;
    struct net_stream *stream;
    struct net_timer *next_step;
    struct wire_http *http;
    struct demo_ws ws;
    bool is_ws;
    unsigned asked; /* chat messages that came */
    unsigned run;   /* runs done */
    unsigned step;  /* of the run in progress */
};

/* ---- sending ---- */

static int send_buf(struct connection *c, const struct buf *b)
{
    struct slice s;
    int r = slice_copy(buf_bytes(b), &s);

    if (r == 0) {
        r = net_stream_write(c->stream, s);
        chunk_unref(s.chunk);
    }
    return r;
}

static int send_frame(struct connection *c, unsigned opcode, struct bytes payload)
{
    struct buf out = { 0 };
    int r = demo_ws_put(&out, SERVER, opcode, payload);

    if (r == 0) {
        r = send_buf(c, &out);
    }
    buf_deinit(&out);
    return r;
}

static int send_event(struct connection *c, const char *type, const char *fields)
{
    int64_t ms = clock_wall_ns() / CLOCK_NS_PER_MS;
    struct buf text = { 0 };
    int r =
        buf_put_format(&text, "{\"type\":\"%s\",%s,\"timestamp\":%lld.%03lld}", type,
                       fields, (long long)(ms / 1000), (long long)(ms % 1000));

    if (r == 0) {
        r = send_frame(c, WIRE_OP_TEXT, buf_bytes(&text));
    }
    buf_deinit(&text);
    return r;
}

/* ---- a run: one step a timer ---- */

static void schedule(struct connection *c)
{
    if (c->run < c->asked) {
        net_timer_at(c->next_step,
                     net_loop_now_ns(c->backend->loop) +
                         runs[c->run % RUNS][c->step].after_ms * CLOCK_NS_PER_MS);
    }
}

static void step_due(void *owner)
{
    struct connection *c = owner;
    const struct step *s = &runs[c->run % RUNS][c->step];

    if (send_event(c, s->type, s->fields) < 0) {
        net_stream_reset(c->stream);
        return;
    }
    c->step = (c->step + 1) % STEPS;
    c->run += c->step == 0;
    schedule(c);
}

/* ---- receiving ---- */

static int take_message(struct connection *c)
{
    struct bytes payload = buf_bytes(&c->ws.payload);
    int r;

    switch (wire_frame_opcode(&c->ws.frame)) {
    case WIRE_OP_TEXT:
        c->asked++;
        if (c->asked == c->run + 1) {
            schedule(c);
        }
        return 0;
    case WIRE_OP_PING:
        return send_frame(c, WIRE_OP_PONG, payload);
    case WIRE_OP_CLOSE:
        c->asked = c->run;
        net_timer_at(c->next_step, -1);
        r = send_frame(c, WIRE_OP_CLOSE, payload);
        net_stream_end(c->stream);
        return r;
    default:
        return 0;
    }
}

static int take_ws(struct connection *c, struct bytes in)
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

static int put_answer(struct buf *out, const char *status, const char *json)
{
    return buf_put_format(out,
                          "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          status, strlen(json), json);
}

static int put_agreement(struct buf *out, struct bytes key)
{
    int r =
        buf_put_text(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: ");

    if (r == 0) {
        r = wire_accept_put(out, key);
    }
    if (r == 0) {
        r = buf_put_text(out, "\r\n\r\n");
    }
    return r;
}

static int answer(struct connection *c)
{
    struct bytes head = wire_http_head(c->http);
    struct buf out = { 0 };
    struct wire_field key;
    struct wire_head h;
    int r = wire_head_parse(head, true, &h);

    if (r < 0) {
        return r;
    }
    if (wire_handshake_asks(head, &h) &&
        wire_head_find(head, &h, "Sec-WebSocket-Key", &key)) {
        r = put_agreement(&out, key.value);
        c->is_ws = true;
    } else if (bytes_equal(h.target, bytes_of("/health"))) {
        r = put_answer(&out, "200 OK", "{\"status\":\"healthy\",\"agents\":1}");
    } else {
        r = put_answer(&out, "404 Not Found", "{\"detail\":\"Not Found\"}");
    }
    if (r == 0) {
        r = send_buf(c, &out);
    }
    buf_deinit(&out);
    if (r == 0 && c->is_ws) {
        r = send_event(c, "connection_established",
                       "\"data\":{\"user_id\":\"demo\",\"connection_id\":\"ws-1\"}");
    }
    return r;
}

static int take_http(struct connection *c, struct bytes in)
{
    struct wire_http_event event = { .kind = WIRE_HTTP_DONE };
    size_t used;
    int r = 0;

    while (r == 0 && event.kind != WIRE_HTTP_MORE && event.kind != WIRE_HTTP_SWITCH) {
        r = wire_http_next(c->http, in, &used, &event);
        if (r < 0) {
            return r;
        }
        in = bytes_from(in, used);
        if (event.kind == WIRE_HTTP_BAD) {
            return -EPROTO;
        }
        if (event.kind == WIRE_HTTP_HEAD) {
            r = answer(c);
        }
    }
    return r == 0 && c->is_ws ? take_ws(c, in) : r;
}

static void bytes_came(void *owner, struct net_stream *s, struct slice in)
{
    struct connection *c = owner;
    int r = c->is_ws ? take_ws(c, slice_bytes(in)) : take_http(c, slice_bytes(in));

    if (r < 0) {
        net_stream_reset(s);
    }
}

static void ended(void *owner, struct net_stream *s, int status)
{
    struct connection *c = owner;

    (void)status;
    net_timer_at(c->next_step, -1);
    net_stream_close(s);
}

static void drained(void *owner, struct net_stream *s)
{
    (void)owner;
    (void)s;
}

/* ---- lifecycle ---- */

static void free_connection(struct connection *c)
{
    net_timer_free(c->next_step);
    wire_http_free(c->http);
    demo_ws_deinit(&c->ws);
    alloc_free(c);
}

static void closed(void *owner, struct net_stream *s)
{
    (void)s;
    free_connection(owner);
}

static const struct net_stream_events events = { bytes_came, ended, drained, closed };

static void accepted(void *owner, struct net_stream *s)
{
    struct demo_backend *b = owner;
    struct connection *c = alloc_zero(1, sizeof(*c));

    if (c == NULL) {
        net_stream_close(s);
        return;
    }
    c->backend = b;
    c->stream = s;
    c->http = wire_http_new(true);
    c->next_step = net_timer_new(b->loop, step_due, c);
    if (c->http == NULL || c->next_step == NULL) {
        free_connection(c);
        net_stream_close(s);
        return;
    }
    net_stream_own(s, &events, c);
    net_stream_read(s, true);
}

static void trouble(void *owner, int error)
{
    (void)owner;
    (void)error; /* the listener goes on by itself */
}

int demo_backend_new(struct net_loop *loop, struct demo_backend **out, struct err *e)
{
    static const struct net_listener_events listening = { accepted, trouble };
    struct demo_backend *b = alloc_zero(1, sizeof(*b));
    int r;

    if (b == NULL) {
        return err_set(e, -ENOMEM, "out of memory");
    }
    b->loop = loop;
    r = net_listener_new(loop, "127.0.0.1", 0, &listening, b, &b->listener, e);
    if (r < 0) {
        alloc_free(b);
        return r;
    }
    *out = b;
    return 0;
}

uint16_t demo_backend_port(const struct demo_backend *b)
{
    return net_listener_port(b->listener);
}

void demo_backend_stop(struct demo_backend *b)
{
    net_listener_free(b->listener);
    b->listener = NULL;
}

void demo_backend_free(struct demo_backend *b)
{
    alloc_free(b);
}
