#include "proxy/server_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

void proxy_pair_client_facts(struct proxy_pair *p, struct proxy_addresses *a,
                             struct capture_tls *tls, struct proxy_leg_facts *out)
{
    if (p->streams[CLIENT] != NULL) {
        net_stream_peer(p->streams[CLIENT], a->peer, sizeof(a->peer));
        net_stream_local(p->streams[CLIENT], a->local, sizeof(a->local));
    } else {
        snprintf(a->peer, sizeof(a->peer), "%s", PROXY_GUEST_ADDRESS);
        a->local[0] = '\0';
    }
    *out = (struct proxy_leg_facts){ .address = a->peer, .local = a->local };
    leg_facts(p, CLIENT, tls, out);
}

static void open_client(struct proxy_pair *p)
{
    struct proxy_addresses a;
    struct capture_tls tls = { 0 };
    struct proxy_leg_facts facts;

    p->ready[CLIENT] = true;
    proxy_pair_client_facts(p, &a, &tls, &facts);
    proxy_pair_check(p, proxy_session_opened(p->session, &facts, proxy_pair_now(p)));
}

void proxy_pair_client_ready(struct proxy_pair *p)
{
    if (p->refused) {
        proxy_pair_client_refused(p, 503, "too many connections (--max-connections)");
        return;
    }
    open_client(p);
}

void proxy_pair_client_refused(struct proxy_pair *p, unsigned status, const char *why)
{
    struct proxy_addresses a;
    struct capture_tls tls = { 0 };
    struct proxy_leg_facts facts;

    p->ready[CLIENT] = true;
    proxy_pair_client_facts(p, &a, &tls, &facts);
    proxy_pair_check(
        p, proxy_session_refuse(p->session, &facts, status, why, proxy_pair_now(p)));
}

void proxy_pair_server_ready(struct proxy_pair *p, const char *error)
{
    struct capture_tls tls = { 0 };
    struct proxy_leg_facts facts = { .address = p->address };

    p->ready[SERVER] = error == NULL;
    leg_facts(p, SERVER, &tls, &facts);
    proxy_pair_check(
        p, proxy_session_connected(p->session, &facts, error, proxy_pair_now(p)));
}

/* The leg's input is over, before or after it was ready. */
void proxy_pair_leg_ended(struct proxy_pair *p, enum side side, enum capture_end kind,
                          const char *text)
{
    if (p->closing) {
        return;
    }
    p->ended[side] = true;
    if (!p->ready[side] && side == SERVER) {
        proxy_pair_server_ready(p, text);
        return;
    }
    if (!p->ready[side]) {
        proxy_pair_client_ready(p);
    }
    proxy_pair_check(
        p, proxy_session_ended(p->session, side, kind, text, proxy_pair_now(p)));
}

int proxy_pair_send_cipher(struct proxy_pair *p, enum side side)
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
        proxy_pair_client_refused(
            p, 400,
            "the client spoke plain HTTP on a TLS port: use https:// or "
            "wss://");
        return;
    }
    snprintf(text, sizeof(text), "%s%s", p->ready[side] ? "TLS: " : "TLS handshake: ",
             wire_tls_error(p->tls[side]));
    proxy_pair_leg_ended(p, side, CAPTURE_END_ERROR, text);
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
        r = proxy_session_bytes(p->session, side, copy, proxy_pair_now(p));
        chunk_unref(copy.chunk);
    }
    proxy_pair_check(p, r);
}

void proxy_pair_feed_tls(struct proxy_pair *p, enum side side, struct bytes in)
{
    struct wire_tls *tls = p->tls[side];
    bool aborts;
    int r;

    buf_clear(&p->server->plain);
    buf_clear(&p->server->cipher);
    r = wire_tls_feed(tls, in, &p->server->plain, &p->server->cipher);
    aborts = side == CLIENT && p->tls_abort && p->server->cipher.len > 0;
    if (aborts) {
        p->server->cipher.len = (p->server->cipher.len + 1) / 2;
    }
    if (r == 0) {
        r = proxy_pair_send_cipher(p, side);
    }
    if (r < 0) {
        proxy_pair_abort(p);
        return;
    }
    if (aborts) {
        proxy_pair_leg_ended(p, side, CAPTURE_END_FAULT,
                             "a rule aborted the TLS handshake");
        return;
    }
    if (wire_tls_state(tls) != WIRE_TLS_HANDSHAKE &&
        wire_tls_state(tls) != WIRE_TLS_FAILED && !p->ready[side]) {
        if (side == CLIENT) {
            proxy_pair_client_ready(p);
        } else {
            proxy_pair_server_ready(p, NULL);
        }
    }
    plain_bytes(p, side);
    if (wire_tls_state(tls) == WIRE_TLS_ENDED) {
        proxy_pair_leg_ended(p, side, CAPTURE_END_FIN, NULL);
    } else if (wire_tls_state(tls) == WIRE_TLS_FAILED) {
        tls_failed(p, side);
    }
}

enum capture_end proxy_pair_end_kind(const struct proxy_pair *p, enum side side,
                                     int status)
{
    if (status == 0) {
        return p->tls[side] == NULL ? CAPTURE_END_FIN : CAPTURE_END_TRUNCATED;
    }
    return status == -ECONNRESET || status == -EPIPE ? CAPTURE_END_RESET
                                                     : CAPTURE_END_ERROR;
}
