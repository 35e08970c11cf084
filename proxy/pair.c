#include "base/alloc.h"
#include "base/random.h"
#include "proxy/server_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t now(const struct proxy_pair *p)
{
    return net_loop_now_ns(p->server->loop);
}

/* ---- the end of a pair ---- */

static void free_if_gone(struct proxy_pair *p)
{
    struct proxy_server *s = p->server;

    if (p->streams[CLIENT] != NULL || p->streams[SERVER] != NULL || !p->closing) {
        return;
    }
    net_timer_free(p->timer);
    wire_tls_free(p->tls[CLIENT]);
    wire_tls_free(p->tls[SERVER]);
    proxy_session_free(p->session);
    list_remove(&p->node);
    alloc_free(p);
    proxy_server_pair_gone(s);
}

static void cancel_connect(struct proxy_pair *p)
{
    if (p->connect != NULL) {
        net_connect_cancel(p->connect);
        p->connect = NULL;
    }
}

void proxy_pair_abort(struct proxy_pair *p)
{
    p->closing = true;
    cancel_connect(p);
    for (int side = CLIENT; side <= SERVER; side++) {
        if (p->streams[side] != NULL) {
            net_stream_reset(p->streams[side]);
        }
    }
}

/* What is queued still goes out, but not for longer than the linger time. */
static void close_pair(struct proxy_pair *p)
{
    p->closing = true;
    cancel_connect(p);
    for (int side = CLIENT; side <= SERVER; side++) {
        if (p->streams[side] != NULL) {
            net_stream_finish(p->streams[side]);
        }
    }
    if (p->timer != NULL) {
        net_timer_at(p->timer, now(p) + p->server->config.proxy.linger_ns);
    }
}

/* Every input of the session ends here: what cannot go on is cut off. */
static void check(struct proxy_pair *p, int r)
{
    if (r < 0) {
        proxy_pair_abort(p);
    }
}

static void fire(void *owner)
{
    struct proxy_pair *p = owner;

    if (p->closing) {
        proxy_pair_abort(p);
        return;
    }
    check(p, proxy_session_wake(p->session, now(p)));
}

static void wake_at(struct proxy_pair *p, int64_t at_ns)
{
    if (p->timer == NULL && at_ns >= 0) {
        p->timer = net_timer_new(p->server->loop, fire, p);
    }
    if (p->timer != NULL) {
        net_timer_at(p->timer, at_ns);
    } else if (at_ns >= 0) {
        proxy_pair_abort(p);
    }
}

/* ---- legs ---- */

static void leg_facts(struct proxy_pair *p, enum side side, struct capture_tls *tls,
                      struct proxy_leg_facts *out)
{
    struct wire_tls *t = p->tls[side];

    if (t != NULL) {
        tls->version = bytes_of(wire_tls_version(t));
        tls->cipher = bytes_of(wire_tls_cipher(t));
        tls->alpn = bytes_of(wire_tls_alpn(t));
        tls->server_name = bytes_of(wire_tls_server_name(t));
        out->tls = tls;
    }
}

struct addresses {
    char peer[64], local[64];
};

static void client_facts(struct proxy_pair *p, struct addresses *a,
                         struct capture_tls *tls, struct proxy_leg_facts *out)
{
    net_stream_peer(p->streams[CLIENT], a->peer, sizeof(a->peer));
    net_stream_local(p->streams[CLIENT], a->local, sizeof(a->local));
    *out = (struct proxy_leg_facts){ .address = a->peer, .local = a->local };
    leg_facts(p, CLIENT, tls, out);
}

static void client_ready(struct proxy_pair *p)
{
    struct addresses a;
    struct capture_tls tls = { 0 };
    struct proxy_leg_facts facts;

    p->ready[CLIENT] = true;
    client_facts(p, &a, &tls, &facts);
    check(p, proxy_session_opened(p->session, &facts, now(p)));
}

static void client_refused(struct proxy_pair *p, unsigned status, const char *why)
{
    struct addresses a;
    struct capture_tls tls = { 0 };
    struct proxy_leg_facts facts;

    p->ready[CLIENT] = true;
    client_facts(p, &a, &tls, &facts);
    check(p, proxy_session_refuse(p->session, &facts, status, why, now(p)));
}

static void server_ready(struct proxy_pair *p, const char *error)
{
    struct capture_tls tls = { 0 };
    struct proxy_leg_facts facts = { .address = p->address };

    p->ready[SERVER] = error == NULL;
    leg_facts(p, SERVER, &tls, &facts);
    check(p, proxy_session_connected(p->session, &facts, error, now(p)));
}

/* The leg's input is over, before or after it was ready. */
static void leg_ended(struct proxy_pair *p, enum side side, enum capture_end kind,
                      const char *text)
{
    if (p->ended[side] || p->closing) {
        return;
    }
    p->ended[side] = true;
    if (!p->ready[side] && side == SERVER) {
        server_ready(p, text);
        return;
    }
    if (!p->ready[side]) {
        client_ready(p);
    }
    check(p, proxy_session_ended(p->session, side, kind, text, now(p)));
}

/* ---- bytes in ---- */

static int send_cipher(struct proxy_pair *p, enum side side)
{
    struct buf *cipher = &p->server->cipher;
    struct slice copy;
    int r;

    if (cipher->len == 0 || p->streams[side] == NULL) {
        return 0;
    }
    r = slice_copy(buf_bytes(cipher), &copy);
    buf_clear(cipher);
    if (r < 0) {
        return r;
    }
    r = net_stream_write(p->streams[side], copy);
    chunk_unref(copy.chunk);
    return r == -EPIPE ? 0 : r;
}

static void tls_failed(struct proxy_pair *p, enum side side)
{
    char text[512];

    if (side == CLIENT && !p->ready[CLIENT] &&
        wire_tls_peer_is_plain_http(p->tls[CLIENT])) {
        wire_tls_free(p->tls[CLIENT]);
        p->tls[CLIENT] = NULL;
        client_refused(p, 400,
                       "the client spoke plain HTTP on a TLS port: use https:// or "
                       "wss://");
        return;
    }
    snprintf(text, sizeof(text), "%s%s", p->ready[side] ? "TLS: " : "TLS handshake: ",
             wire_tls_error(p->tls[side]));
    leg_ended(p, side, CAPTURE_END_ERROR, text);
}

static void plain_bytes(struct proxy_pair *p, enum side side)
{
    struct slice copy;
    int r;

    if (p->server->plain.len == 0 || p->ended[side]) {
        return;
    }
    r = slice_copy(buf_bytes(&p->server->plain), &copy);
    if (r == 0) {
        r = proxy_session_bytes(p->session, side, copy, now(p));
        chunk_unref(copy.chunk);
    }
    check(p, r);
}

static void feed_tls(struct proxy_pair *p, enum side side, struct bytes in)
{
    struct wire_tls *tls = p->tls[side];
    int r;

    buf_clear(&p->server->plain);
    buf_clear(&p->server->cipher);
    r = wire_tls_feed(tls, in, &p->server->plain, &p->server->cipher);
    if (r == 0) {
        r = send_cipher(p, side);
    }
    if (r < 0) {
        proxy_pair_abort(p);
        return;
    }
    if (wire_tls_state(tls) != WIRE_TLS_HANDSHAKE &&
        wire_tls_state(tls) != WIRE_TLS_FAILED && !p->ready[side]) {
        if (side == CLIENT) {
            client_ready(p);
        } else {
            server_ready(p, NULL);
        }
    }
    plain_bytes(p, side);
    if (wire_tls_state(tls) == WIRE_TLS_ENDED) {
        leg_ended(p, side, CAPTURE_END_FIN, NULL);
    } else if (wire_tls_state(tls) == WIRE_TLS_FAILED) {
        tls_failed(p, side);
    }
}

static enum side side_of(const struct proxy_pair *p, const struct net_stream *stream)
{
    return stream == p->streams[CLIENT] ? CLIENT : SERVER;
}

static void on_bytes(void *owner, struct net_stream *stream, struct slice in)
{
    struct proxy_pair *p = owner;
    enum side side = side_of(p, stream);

    if (p->closing || p->ended[side]) {
        return;
    }
    if (p->tls[side] != NULL) {
        feed_tls(p, side, slice_bytes(in));
    } else {
        check(p, proxy_session_bytes(p->session, side, in, now(p)));
    }
}

static enum capture_end end_kind(const struct proxy_pair *p, enum side side, int status)
{
    if (status == 0) {
        return p->tls[side] == NULL ? CAPTURE_END_FIN : CAPTURE_END_TRUNCATED;
    }
    return status == -ECONNRESET || status == -EPIPE ? CAPTURE_END_RESET
                                                     : CAPTURE_END_ERROR;
}

static void on_end(void *owner, struct net_stream *stream, int status)
{
    struct proxy_pair *p = owner;
    enum side side = side_of(p, stream);
    enum capture_end kind = end_kind(p, side, status);
    char text[256];

    if (p->tls[side] != NULL && !p->ready[side]) {
        snprintf(text, sizeof(text),
                 "the %s ended the connection in the TLS handshake%s%s",
                 side == CLIENT ? "client" : "backend", status == 0 ? "" : ": ",
                 status == 0 ? "" : net_error_text(status));
        leg_ended(p, side, kind, text);
        return;
    }
    leg_ended(p, side, kind, kind == CAPTURE_END_ERROR ? net_error_text(status) : NULL);
}

static void on_drained(void *owner, struct net_stream *stream)
{
    struct proxy_pair *p = owner;

    if (!p->closing) {
        check(p, proxy_session_queued(p->session, side_of(p, stream),
                                      net_stream_queued(stream)));
    }
}

static void on_closed(void *owner, struct net_stream *stream)
{
    struct proxy_pair *p = owner;

    p->streams[side_of(p, stream)] = NULL;
    free_if_gone(p);
}

static const struct net_stream_events stream_events = { on_bytes, on_end, on_drained,
                                                        on_closed };

/* ---- outputs ---- */

static void connected(void *owner, struct net_stream *stream, int status,
                      const char *address)
{
    struct proxy_pair *p = owner;
    const struct wire_url *u = &p->server->config.proxy.upstream;
    struct wire_tls_context *context = p->server->config.upstream_tls;
    char text[512];

    p->connect = NULL;
    snprintf(p->address, sizeof(p->address), "%s", address);
    if (stream == NULL) {
        snprintf(text, sizeof(text), "cannot reach the backend %s port %u: %s", u->host,
                 (unsigned)u->port, net_error_text(status));
        server_ready(p, text);
        return;
    }
    p->streams[SERVER] = stream;
    net_stream_own(stream, &stream_events, p);
    if (context == NULL) {
        server_ready(p, NULL);
        return;
    }
    p->tls[SERVER] = wire_tls_new(context, u->host);
    if (p->tls[SERVER] == NULL) {
        proxy_pair_abort(p);
        return;
    }
    net_stream_read(stream, true);
    feed_tls(p, SERVER, (struct bytes){ 0 });
}

static void send(struct proxy_pair *p, enum side side, struct slice bytes)
{
    struct net_stream *stream = p->streams[side];
    int r;

    if (stream == NULL || p->closing) {
        return;
    }
    if (p->tls[side] == NULL) {
        r = net_stream_write(stream, bytes);
    } else {
        buf_clear(&p->server->cipher);
        r = wire_tls_send(p->tls[side], slice_bytes(bytes), &p->server->cipher);
        if (r == 0) {
            r = send_cipher(p, side);
        }
    }
    if (r < 0 && r != -EPIPE && r != -EPROTO) {
        proxy_pair_abort(p);
    } else if (net_stream_queued(stream) > PROXY_HIGH_WATER) {
        check(p, proxy_session_queued(p->session, side, net_stream_queued(stream)));
    }
}

static void fin(struct proxy_pair *p, enum side side, bool notify)
{
    if (p->streams[side] == NULL || p->closing) {
        return;
    }
    if (notify && p->tls[side] != NULL) {
        buf_clear(&p->server->cipher);
        if (wire_tls_end(p->tls[side], &p->server->cipher) < 0 ||
            send_cipher(p, side) < 0) {
            proxy_pair_abort(p);
            return;
        }
    }
    net_stream_end(p->streams[side]);
}

static void reset(struct proxy_pair *p, enum side side)
{
    if (side == SERVER) {
        cancel_connect(p);
    }
    if (p->streams[side] != NULL) {
        net_stream_reset(p->streams[side]);
    }
}

void proxy_pair_perform(struct proxy_pair *p, const struct proxy_output *out)
{
    enum side side = (enum side)out->side;

    switch ((enum proxy_output_kind)out->kind) {
    case PROXY_SEND:
        send(p, side, out->u.send);
        return;
    case PROXY_READ:
        if (p->streams[side] != NULL && !p->closing) {
            net_stream_read(p->streams[side], out->on);
        }
        return;
    case PROXY_CONNECT:
        p->connect = net_connect_start(p->server->target, connected, p);
        if (p->connect == NULL) {
            proxy_pair_abort(p);
        }
        return;
    case PROXY_FIN:
    case PROXY_CUT:
        fin(p, side, out->kind == PROXY_FIN);
        return;
    case PROXY_RESET:
        reset(p, side);
        return;
    case PROXY_WAKE:
        if (!p->closing) {
            wake_at(p, out->u.wake_at);
        }
        return;
    case PROXY_CLOSE:
        close_pair(p);
        return;
    }
    abort();
}

/* ---- beginning and stopping ---- */

static void start(struct proxy_pair *p)
{
    struct wire_tls_context *context = p->server->config.listen_tls;

    if (p->server->open > p->server->config.max_connections) {
        client_refused(p, 503, "too many connections (--max-connections)");
        return;
    }
    if (context == NULL) {
        client_ready(p);
        return;
    }
    p->tls[CLIENT] = wire_tls_new(context, NULL);
    if (p->tls[CLIENT] == NULL) {
        proxy_pair_abort(p);
        return;
    }
    net_stream_read(p->streams[CLIENT], true);
    check(p, proxy_session_wake(p->session, now(p)));
}

void proxy_pair_accept(struct proxy_server *s, struct net_stream *stream)
{
    struct proxy_pair *p = alloc_zero(1, sizeof(*p));

    if (p != NULL) {
        p->session =
            proxy_session_new(&s->shared, s->accepted, p, net_loop_now_ns(s->loop));
    }
    if (p == NULL || p->session == NULL) {
        alloc_free(p);
        s->open--;
        net_stream_reset(stream);
        return;
    }
    p->server = s;
    p->streams[CLIENT] = stream;
    list_append(&s->pairs, &p->node);
    net_stream_own(stream, &stream_events, p);
    start(p);
}

void proxy_pair_lost(struct proxy_pair *p, enum side to)
{
    proxy_session_lost(p->session, to);
}

void proxy_pair_stop(struct proxy_pair *p, unsigned code, const char *reason)
{
    uint8_t mask[4];

    if (p->closing) {
        return;
    }
    if (random_fill(mask, sizeof(mask)) < 0 ||
        proxy_session_stop(p->session, code, reason, mask, now(p)) < 0) {
        proxy_pair_abort(p);
    }
}
