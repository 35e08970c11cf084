#include "proxy/server_state.h"

#include "base/alloc.h"

static bool has(const struct proxy_pair *p, enum side side)
{
    return p->streams[side] != NULL || p->seats[side] != NULL;
}

void proxy_pair_free_if_gone(struct proxy_pair *p)
{
    struct proxy_server *s = p->server;
    bool refused = p->refused;

    if (has(p, CLIENT) || has(p, SERVER) || !p->closing) {
        return;
    }
    net_timer_free(p->timer);
    wire_tls_free(p->tls[CLIENT]);
    wire_tls_free(p->tls[SERVER]);
    proxy_session_free(p->session);
    buf_deinit(&p->early);
    list_remove(&p->node);
    alloc_free(p);
    proxy_server_pair_gone(s, refused);
}

void proxy_pair_cancel_connect(struct proxy_pair *p)
{
    if (p->connect != NULL) {
        net_connect_cancel(p->connect);
        p->connect = NULL;
    }
}

void proxy_pair_abort(struct proxy_pair *p)
{
    if (!p->closing) {
        proxy_session_abandon(
            p->session, p->server->stopping ? CAPTURE_END_STOP : CAPTURE_END_ERROR,
            proxy_pair_now(p));
    }
    p->closing = true;
    proxy_pair_cancel_connect(p);
    for (int side = CLIENT; side <= SERVER; side++) {
        if (p->streams[side] != NULL) {
            net_stream_reset(p->streams[side]);
        } else if (p->seats[side] != NULL) {
            proxy_seat_leave(p->seats[side], CAPTURE_END_RESET, true);
        }
    }
}

static size_t queued(const struct proxy_pair *p)
{
    size_t sum = 0;

    for (int side = CLIENT; side <= SERVER; side++) {
        if (p->streams[side] != NULL) {
            sum += net_stream_queued(p->streams[side]);
        }
    }
    return sum;
}

static void fire(void *owner);

void proxy_pair_wake_at(struct proxy_pair *p, int64_t at_ns)
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

/* What is queued still goes out as long as it moves. */
static void watch_queue(struct proxy_pair *p)
{
    size_t now = queued(p);

    if (now == 0) {
        return;
    }
    if (now == p->last_queued) {
        proxy_pair_abort(p);
        return;
    }
    p->last_queued = now;
    proxy_pair_wake_at(p, proxy_pair_now(p) + (p->server->stopping
                                                   ? p->server->config.proxy.linger_ns
                                                   : PROXY_STALL_NS));
}

void proxy_pair_close(struct proxy_pair *p)
{
    p->closing = true;
    proxy_pair_cancel_connect(p);
    watch_queue(p);
    for (int side = CLIENT; side <= SERVER; side++) {
        if (p->streams[side] != NULL) {
            net_stream_finish(p->streams[side]);
        } else if (p->seats[side] != NULL) {
            proxy_seat_leave(p->seats[side], CAPTURE_END_FIN, false);
        }
    }
}

static bool handshake_expired(const struct proxy_pair *p)
{
    int64_t limit = p->server->config.proxy.head_timeout_ns;

    return p->tls[CLIENT] != NULL && !p->ready[CLIENT] && limit > 0 &&
           proxy_pair_now(p) - p->accepted_at >= limit;
}

static void fire(void *owner)
{
    struct proxy_pair *p = owner;

    if (p->closing) {
        watch_queue(p);
        return;
    }
    if (handshake_expired(p)) {
        proxy_pair_leg_ended(
            p, CLIENT, CAPTURE_END_TIMEOUT,
            "the TLS handshake did not finish in time (--head-timeout)");
        return;
    }
    proxy_pair_check(p, proxy_session_wake(p->session, proxy_pair_now(p)));
}
