#include "tests/unit/tls/link.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

SSL *link_bare(SSL_CTX *c, bool server)
{
    SSL *s = SSL_new(c);

    assert_non_null(s);
    SSL_set_bio(s, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (server) {
        SSL_set_accept_state(s);
    } else {
        SSL_set_connect_state(s);
    }
    return s;
}

static void take_out(struct link_end *e)
{
    char at[4096];
    int n;

    while ((n = BIO_read(SSL_get_wbio(e->bare), at, sizeof(at))) > 0) {
        assert_int_equal(buf_put(&e->out, bytes_make(at, (size_t)n)), 0);
    }
}

static void feed_bare(struct link_end *e, struct bytes in)
{
    char at[4096];
    int n = 1;

    ERR_clear_error();
    if (in.len > 0) {
        assert_int_equal(BIO_write(SSL_get_rbio(e->bare), in.at, (int)in.len),
                         (int)in.len);
    }
    if (!SSL_is_init_finished(e->bare)) {
        n = SSL_do_handshake(e->bare);
    }
    while (n > 0 && (n = SSL_read(e->bare, at, sizeof(at))) > 0) {
        assert_int_equal(buf_put(&e->plain, bytes_make(at, (size_t)n)), 0);
    }
    e->bare_failed = e->bare_failed || SSL_get_error(e->bare, n) == SSL_ERROR_SSL;
    ERR_clear_error();
    take_out(e);
}

static void feed(struct link_end *e, struct bytes in)
{
    int r;

    if (e->bare != NULL) {
        feed_bare(e, in);
        return;
    }
    r = wire_tls_feed(e->tls, in, &e->plain, &e->out);
    if (r < 0 && e->r == 0) {
        e->r = r;
    }
}

static bool move(struct link *l, struct link_end *from, struct link_end *to)
{
    size_t len = from->out.len;

    if (len == 0) {
        return false;
    }
    if (l->piece > 0 && len > l->piece) {
        len = l->piece;
    }
    feed(to, bytes_make(from->out.at, len));
    buf_drop(&from->out, len);
    return true;
}

void link_run(struct link *l)
{
    bool moved = true;

    while (moved) {
        moved = move(l, &l->client, &l->server);
        moved = move(l, &l->server, &l->client) || moved;
    }
}

void link_start(struct link *l)
{
    feed(&l->client, (struct bytes){ 0 });
    link_run(l);
}

void link_send(struct link_end *e, const void *at, size_t len)
{
    if (e->bare != NULL) {
        assert_int_equal(SSL_write(e->bare, at, (int)len), (int)len);
        take_out(e);
        return;
    }
    assert_int_equal(wire_tls_send(e->tls, bytes_make(at, len), &e->out), 0);
}

static void end_deinit(struct link_end *e)
{
    wire_tls_free(e->tls);
    SSL_free(e->bare);
    buf_deinit(&e->out);
    buf_deinit(&e->plain);
}

void link_deinit(struct link *l)
{
    end_deinit(&l->client);
    end_deinit(&l->server);
    *l = (struct link){ 0 };
}
