#include "base/alloc.h"
#include "base/random.h"
#include "proxy/server_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EARLY_MAX = 64 * 1024, /* bytes of a client that is kept waiting */
    TURN_OUTPUTS = 64,     /* waiting: the turn comes now, however many events follow */
};

int64_t proxy_pair_now(const struct proxy_pair *p)
{
    return net_loop_now_ns(p->server->loop);
}

void proxy_pair_check(struct proxy_pair *p, int r)
{
    if (r < 0) {
        proxy_pair_abort(p);
    }
}

/* ---- events of the streams ---- */

static enum side side_of(const struct proxy_pair *p, const struct net_stream *stream)
{
    return stream == p->streams[CLIENT] ? CLIENT : SERVER;
}

static void keep_early(struct proxy_pair *p, struct bytes in)
{
    if (buf_put(&p->early, in) < 0) {
        proxy_pair_abort(p);
    } else if (p->early.len > EARLY_MAX) {
        net_stream_read(p->streams[CLIENT], false);
    }
}

static void on_bytes(void *owner, struct net_stream *stream, struct slice in)
{
    struct proxy_pair *p = owner;
    enum side side = side_of(p, stream);

    if (p->closing || p->ended[side]) {
        return;
    }
    if (side == CLIENT && !p->let_in) {
        keep_early(p, slice_bytes(in));
        return;
    }
    if (p->tls[side] != NULL) {
        proxy_pair_feed_tls(p, side, slice_bytes(in));
    } else {
        proxy_pair_check(p,
                         proxy_session_bytes(p->session, side, in, proxy_pair_now(p)));
    }
    if (p->server->outputs.count >= TURN_OUTPUTS) {
        net_loop_turn_now(p->server->loop);
    }
}

static void on_end(void *owner, struct net_stream *stream, int status)
{
    struct proxy_pair *p = owner;
    enum side side = side_of(p, stream);
    enum capture_end kind = proxy_pair_end_kind(p, side, status);
    char text[256];

    if (p->tls[side] != NULL && !p->ready[side]) {
        snprintf(text, sizeof(text),
                 "the %s ended the connection in the TLS handshake%s%s",
                 side == CLIENT ? "client" : "backend", status == 0 ? "" : ": ",
                 status == 0 ? "" : net_error_text(status));
        proxy_pair_leg_ended(p, side, kind, text);
        return;
    }
    proxy_pair_leg_ended(p, side, kind,
                         kind == CAPTURE_END_ERROR ? net_error_text(status) : NULL);
}

static void on_drained(void *owner, struct net_stream *stream)
{
    struct proxy_pair *p = owner;

    if (!p->closing) {
        proxy_pair_check(p, proxy_session_queued(p->session, side_of(p, stream),
                                                 net_stream_queued(stream)));
    }
}

static void on_closed(void *owner, struct net_stream *stream)
{
    struct proxy_pair *p = owner;

    p->streams[side_of(p, stream)] = NULL;
    proxy_pair_free_if_gone(p);
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
        proxy_pair_server_ready(p, text);
        return;
    }
    p->streams[SERVER] = stream;
    net_stream_own(stream, &stream_events, p);
    if (context == NULL) {
        proxy_pair_server_ready(p, NULL);
        return;
    }
    p->tls[SERVER] = wire_tls_new(context, u->host);
    if (p->tls[SERVER] == NULL) {
        proxy_pair_abort(p);
        return;
    }
    net_stream_read(stream, true);
    proxy_pair_feed_tls(p, SERVER, (struct bytes){ 0 });
}

static void send(struct proxy_pair *p, enum side side, struct slice bytes)
{
    struct net_stream *stream = p->streams[side];
    int r;

    if (p->seats[side] != NULL) {
        proxy_seat_bytes(p->seats[side], slice_bytes(bytes));
        return;
    }
    if (stream == NULL || p->closing) {
        return;
    }
    if (p->tls[side] == NULL) {
        r = net_stream_write(stream, bytes);
    } else {
        buf_clear(&p->server->cipher);
        r = wire_tls_send(p->tls[side], slice_bytes(bytes), &p->server->cipher);
        if (r == 0) {
            r = proxy_pair_send_cipher(p, side);
        }
    }
    if (r < 0 && r != -EPIPE && r != -EPROTO) {
        proxy_pair_abort(p);
    } else if (net_stream_queued(stream) > PROXY_HIGH_WATER) {
        proxy_pair_check(
            p, proxy_session_queued(p->session, side, net_stream_queued(stream)));
    }
}

static void fin(struct proxy_pair *p, enum side side, bool notify)
{
    if (p->seats[side] != NULL) {
        proxy_seat_end(p->seats[side],
                       notify ? CAPTURE_END_FIN : CAPTURE_END_TRUNCATED);
        return;
    }
    if (p->streams[side] == NULL || p->closing) {
        return;
    }
    if (notify && p->tls[side] != NULL) {
        buf_clear(&p->server->cipher);
        if (wire_tls_end(p->tls[side], &p->server->cipher) < 0 ||
            proxy_pair_send_cipher(p, side) < 0) {
            proxy_pair_abort(p);
            return;
        }
    }
    net_stream_end(p->streams[side]);
}

static void reset(struct proxy_pair *p, enum side side)
{
    if (side == SERVER) {
        proxy_pair_cancel_connect(p);
    }
    if (p->streams[side] != NULL) {
        net_stream_reset(p->streams[side]);
    } else if (p->seats[side] != NULL) {
        proxy_seat_end(p->seats[side], CAPTURE_END_RESET);
        proxy_seat_leave(p->seats[side], CAPTURE_END_RESET, false);
    }
}

/* What the client sent while it was kept waiting comes first. */
static void feed_early(struct proxy_pair *p)
{
    struct slice copy;
    int r;

    if (p->early.len == 0) {
        return;
    }
    r = slice_copy(buf_bytes(&p->early), &copy);
    buf_deinit(&p->early);
    if (r < 0) {
        proxy_pair_abort(p);
        return;
    }
    on_bytes(p, p->streams[CLIENT], copy);
    chunk_unref(copy.chunk);
}

static void let_in(struct proxy_pair *p, enum proxy_tls_fault fault)
{
    struct wire_tls_context *context = p->server->config.listen_tls[fault];

    if (p->seats[CLIENT] != NULL && !p->closing) {
        p->let_in = true;
        proxy_pair_client_ready(p);
        proxy_seat_ready(p->seats[CLIENT]);
        return;
    }
    if (p->streams[CLIENT] == NULL || p->closing) {
        return;
    }
    p->let_in = true;
    if (context == NULL) {
        proxy_pair_client_ready(p);
    } else {
        p->tls_abort = fault == PROXY_TLS_ABORT;
        p->tls[CLIENT] = wire_tls_new(context, NULL);
        if (p->tls[CLIENT] == NULL) {
            proxy_pair_abort(p);
            return;
        }
    }
    net_stream_read(p->streams[CLIENT], true);
    feed_early(p);
}

static void read_from(struct proxy_pair *p, enum side side, bool on)
{
    if (p->seats[side] != NULL) {
        proxy_seat_flow(p->seats[side], on);
    } else if (p->streams[side] != NULL && !p->closing) {
        net_stream_read(p->streams[side], on);
    }
}

static void reach_backend(struct proxy_pair *p)
{
    if (p->closing) { /* cut off earlier in this turn */
        return;
    }
    if (p->server->config.backend != NULL) {
        proxy_pair_connect_guest(p);
        return;
    }
    p->connect = net_connect_start(p->server->target, connected, p);
    if (p->connect == NULL) {
        proxy_pair_abort(p);
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
        read_from(p, side, out->on);
        return;
    case PROXY_CONNECT:
        reach_backend(p);
        return;
    case PROXY_FIN:
    case PROXY_CUT:
        fin(p, side, out->kind == PROXY_FIN);
        return;
    case PROXY_RESET:
        reset(p, side);
        return;
    case PROXY_ACCEPT:
        let_in(p, (enum proxy_tls_fault)out->tls);
        return;
    case PROXY_WAKE:
        if (!p->closing) {
            proxy_pair_wake_at(p, out->u.wake_at);
        }
        return;
    case PROXY_CLOSE:
        proxy_pair_close(p);
        return;
    }
    abort();
}

/* ---- beginning and stopping ---- */

static void accept_client(struct proxy_pair *p)
{
    struct proxy_addresses a;
    struct capture_tls tls = { 0 };
    struct proxy_leg_facts facts;

    if (p->server->open - p->server->refused > p->server->config.max_connections) {
        p->refused = true;
        p->server->refused++;
        let_in(p, PROXY_TLS_SOUND);
        return;
    }
    proxy_pair_client_facts(p, &a, &tls, &facts);
    proxy_pair_check(p, proxy_session_accepted(p->session, &facts, proxy_pair_now(p)));
    read_from(p, CLIENT, true);
}

/* Not in the server's list yet. NULL when memory is out. */
static struct proxy_pair *new_pair(struct proxy_server *s)
{
    struct proxy_pair *p = alloc_zero(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }
    p->number = s->accepted;
    p->session = proxy_session_new(&s->shared, p->number, p, net_loop_now_ns(s->loop));
    if (p->session == NULL) {
        alloc_free(p);
        return NULL;
    }
    p->server = s;
    p->accepted_at = net_loop_now_ns(s->loop);
    return p;
}

void proxy_pair_accept(struct proxy_server *s, struct net_stream *stream)
{
    struct proxy_pair *p = new_pair(s);

    if (p == NULL) {
        s->open--;
        net_stream_reset(stream);
        return;
    }
    p->streams[CLIENT] = stream;
    list_append(&s->pairs, &p->node);
    net_stream_own(stream, &stream_events, p);
    accept_client(p);
}

int proxy_pair_call(struct proxy_server *s, const struct proxy_guest *guest,
                    void *object)
{
    struct proxy_pair *p = new_pair(s);

    if (p == NULL) {
        return -ENOMEM;
    }
    if (proxy_seat_new(p, CLIENT, guest, object) < 0) {
        proxy_session_free(p->session);
        alloc_free(p);
        return -ENOMEM;
    }
    list_append(&s->pairs, &p->node);
    accept_client(p);
    return 0;
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
    if (p->tls[CLIENT] != NULL && !p->ready[CLIENT]) {
        proxy_pair_leg_ended(p, CLIENT, CAPTURE_END_STOP,
                             "stopped in the TLS handshake");
        return;
    }
    if (random_fill(mask, sizeof(mask)) < 0 ||
        proxy_session_stop(p->session, code, reason, mask, proxy_pair_now(p)) < 0) {
        proxy_pair_abort(p);
    }
}
