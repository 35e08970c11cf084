#include "base/alloc.h"
#include "tests/unit/tls/certs.h"
#include "tests/unit/tls/link.h"

#include <errno.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What all tests share: an authority, a good leaf, and where the authority's PEM is. */
static struct cert authority;
static struct cert leaf;
static char *authority_file;

static const struct cert_wants good = { .name = "localhost",
                                        .names =
                                            "DNS:localhost,DNS:*.dev.test,IP:127.0.0.1,"
                                            "IP:::1",
                                        .usage = "serverAuth",
                                        .from_days = -1 };

static int set_up(void **state)
{
    const struct cert_wants wants = { .name = "Test Authority",
                                      .authority = true,
                                      .from_days = -1 };
    struct buf pem = { 0 };

    (void)state;
    assert_int_equal(wire_tls_setup(), 0);
    assert_int_equal(wire_tls_setup(), 0); /* twice does no harm */
    authority = cert_make(&wants, NULL);
    leaf = cert_make(&good, &authority);
    cert_put(&pem, &authority);
    authority_file = temporary_file(buf_bytes(&pem));
    buf_deinit(&pem);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cert_free(&leaf);
    cert_free(&authority);
    temporary_free(authority_file);
    return 0;
}

static struct wire_tls_context *serve(const struct cert *c, const struct cert *also)
{
    struct wire_tls_context *out = NULL;
    struct buf chain = { 0 };
    struct buf key = { 0 };
    struct err e = { "" };

    cert_put(&chain, c);
    if (also != NULL) {
        cert_put(&chain, also);
    }
    cert_put_key(&key, c, NULL);
    if (wire_tls_server_context_pem(buf_bytes(&chain), buf_bytes(&key), &out, &e) !=
        0) {
        fail_msg("%s", e.text);
    }
    buf_deinit(&chain);
    buf_deinit(&key);
    return out;
}

static struct wire_tls_context *trust(const char *file)
{
    const struct wire_tls_client_config config = { .ca_file = file,
                                                   .insecure = file == NULL };
    struct wire_tls_context *out = NULL;
    struct err e = { "" };

    if (wire_tls_client_context(&config, &out, &e) != 0) {
        fail_msg("%s", e.text);
    }
    return out;
}

/* One connection between ends of ours. */
struct pair {
    struct wire_tls_context *client;
    struct wire_tls_context *server;
    struct link link;
};

static void pair_init(struct pair *p, const struct cert *c, const char *ca,
                      const char *name)
{
    *p = (struct pair){ .client = trust(ca), .server = serve(c, NULL) };
    p->link.client.tls = wire_tls_new(p->client, name);
    p->link.server.tls = wire_tls_new(p->server, NULL);
    assert_non_null(p->link.client.tls);
    assert_non_null(p->link.server.tls);
}

static void pair_deinit(struct pair *p)
{
    link_deinit(&p->link);
    wire_tls_context_free(p->client);
    wire_tls_context_free(p->server);
}

static void assert_open(const struct pair *p)
{
    assert_string_equal(wire_tls_error(p->link.client.tls), "");
    assert_string_equal(wire_tls_error(p->link.server.tls), "");
    assert_int_equal(wire_tls_state(p->link.client.tls), WIRE_TLS_OPEN);
    assert_int_equal(wire_tls_state(p->link.server.tls), WIRE_TLS_OPEN);
}

static void assert_plain(struct link_end *e, const char *want)
{
    assert_int_equal(e->plain.len, strlen(want));
    assert_memory_equal(e->plain.at, want, e->plain.len);
    buf_clear(&e->plain);
}

/* ---- what works ---- */

static void shakes_hands_and_talks(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p, &leaf, authority_file, "localhost");
    assert_int_equal(wire_tls_state(p.link.client.tls), WIRE_TLS_HANDSHAKE);
    assert_string_equal(wire_tls_version(p.link.client.tls), "");
    assert_int_equal(
        wire_tls_send(p.link.client.tls, bytes_of("x"), &p.link.client.out), -EPROTO);
    link_start(&p.link);
    assert_open(&p);
    assert_string_equal(wire_tls_version(p.link.client.tls), "TLSv1.3");
    assert_string_equal(wire_tls_version(p.link.server.tls), "TLSv1.3");
    assert_string_equal(wire_tls_cipher(p.link.client.tls),
                        wire_tls_cipher(p.link.server.tls));
    assert_true(strlen(wire_tls_cipher(p.link.server.tls)) > 0);
    assert_string_equal(wire_tls_alpn(p.link.client.tls), "http/1.1");
    assert_string_equal(wire_tls_alpn(p.link.server.tls), "http/1.1");
    assert_string_equal(wire_tls_server_name(p.link.client.tls), "localhost");
    assert_string_equal(wire_tls_server_name(p.link.server.tls), "localhost");
    assert_false(wire_tls_peer_is_plain_http(p.link.server.tls));
    link_send(&p.link.client, "ping", 4);
    link_send(&p.link.server, "pong!", 5);
    link_run(&p.link);
    assert_plain(&p.link.server, "ping");
    assert_plain(&p.link.client, "pong!");
    pair_deinit(&p);
}

static void megabytes_pass(void **state)
{
    enum { LEN = 3 * 1024 * 1024 + 7 };
    uint8_t *data = alloc_get(LEN);
    struct pair p;

    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < LEN; i++) {
        data[i] = (uint8_t)(i * 31 + i / 1000);
    }
    pair_init(&p, &leaf, authority_file, "localhost");
    p.link.piece = 10000; /* across the borders of records */
    link_start(&p.link);
    link_send(&p.link.client, data, LEN);
    link_send(&p.link.client, NULL, 0);
    link_run(&p.link);
    assert_int_equal(p.link.server.plain.len, LEN);
    assert_memory_equal(p.link.server.plain.at, data, LEN);
    assert_open(&p);
    pair_deinit(&p);
    alloc_free(data);
}

/* Any split of the bytes gives the same connection. */
static void any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 1500; piece += piece < 40 ? 1 : 97) {
        struct pair p;

        pair_init(&p, &leaf, authority_file, "localhost");
        p.link.piece = piece;
        link_start(&p.link);
        assert_open(&p);
        link_send(&p.link.client, "question", 8);
        link_run(&p.link);
        assert_plain(&p.link.server, "question");
        link_send(&p.link.server, "answer", 6);
        link_run(&p.link);
        assert_plain(&p.link.client, "answer");
        pair_deinit(&p);
    }
}

/* Feed `all` to `e` in two parts. */
static void feed_split(struct link_end *e, const struct buf *all, size_t at)
{
    assert_int_equal(wire_tls_feed(e->tls, bytes_make(all->at, at), &e->plain, &e->out),
                     0);
    assert_int_equal(wire_tls_feed(e->tls, bytes_make(all->at + at, all->len - at),
                                   &e->plain, &e->out),
                     0);
}

/* The client's hello and the server's flight, each cut in two at every place. */
static void every_split_of_the_handshake(void **state)
{
    size_t most = 1;

    (void)state;
    for (size_t at = 0; at <= most; at++) {
        struct buf hello = { 0 };
        struct buf flight = { 0 };
        struct pair p;

        pair_init(&p, &leaf, authority_file, "localhost");
        assert_int_equal(wire_tls_feed(p.link.client.tls, (struct bytes){ 0 },
                                       &p.link.client.plain, &hello),
                         0);
        feed_split(&p.link.server, &hello, at < hello.len ? at : hello.len);
        assert_int_equal(buf_put(&flight, buf_bytes(&p.link.server.out)), 0);
        buf_clear(&p.link.server.out);
        feed_split(&p.link.client, &flight, at < flight.len ? at : flight.len);
        most = flight.len;
        link_run(&p.link);
        assert_open(&p);
        buf_deinit(&hello);
        buf_deinit(&flight);
        pair_deinit(&p);
    }
    assert_true(most > 500);
}

static void end_is_told_and_writing_goes_on(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p, &leaf, authority_file, "localhost");
    link_start(&p.link);
    link_send(&p.link.client, "last", 4);
    assert_int_equal(wire_tls_end(p.link.client.tls, &p.link.client.out), 0);
    link_run(&p.link);
    assert_plain(&p.link.server, "last");
    assert_int_equal(wire_tls_state(p.link.server.tls), WIRE_TLS_ENDED);
    assert_int_equal(wire_tls_state(p.link.client.tls), WIRE_TLS_OPEN);
    link_send(&p.link.server, "still here", 10);
    link_run(&p.link);
    assert_plain(&p.link.client, "still here");
    assert_int_equal(wire_tls_end(p.link.server.tls, &p.link.server.out), 0);
    link_run(&p.link);
    assert_int_equal(wire_tls_state(p.link.client.tls), WIRE_TLS_ENDED);
    assert_string_equal(wire_tls_error(p.link.client.tls), "");
    pair_deinit(&p);
}

/* A FIN without close_notify leaves OPEN: the caller sees the difference. */
static void truncation_is_no_end(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p, &leaf, authority_file, "localhost");
    link_start(&p.link);
    link_send(&p.link.client, "half a record", 13);
    p.link.client.out.len -= 5;
    link_run(&p.link);
    assert_int_equal(p.link.server.plain.len, 0);
    assert_int_equal(wire_tls_state(p.link.server.tls), WIRE_TLS_OPEN);
    pair_deinit(&p);
}

static void names_that_fit(void **state)
{
    static const char *const names[] = { "localhost",  "localhost.", "LOCALHOST",
                                         "a.dev.test", "127.0.0.1",  "::1" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct pair p;

        pair_init(&p, &leaf, authority_file, names[i]);
        link_start(&p.link);
        assert_open(&p);
        pair_deinit(&p);
    }
}

static void addresses_are_not_sent_as_names(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p, &leaf, authority_file, "127.0.0.1");
    link_start(&p.link);
    assert_string_equal(wire_tls_server_name(p.link.server.tls), "");
    assert_string_equal(wire_tls_server_name(p.link.client.tls), "");
    pair_deinit(&p);
}

/* ---- certificates that do not convince ---- */

static void refuses(const struct cert_wants *wants, const struct cert *by,
                    const char *name, const char *words)
{
    struct cert c = cert_make(wants, by);
    struct pair p;

    pair_init(&p, &c, authority_file, name);
    link_start(&p.link);
    assert_int_equal(wire_tls_state(p.link.client.tls), WIRE_TLS_FAILED);
    if (strstr(wire_tls_error(p.link.client.tls), words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", wire_tls_error(p.link.client.tls),
                 words);
    }
    assert_int_equal(wire_tls_state(p.link.server.tls), WIRE_TLS_FAILED);
    assert_non_null(
        strstr(wire_tls_error(p.link.server.tls), "the client refused: alert"));
    assert_int_equal(
        wire_tls_send(p.link.client.tls, bytes_of("x"), &p.link.client.out), -EPROTO);
    assert_int_equal(p.link.client.r, 0);
    pair_deinit(&p);

    pair_init(&p, &c, NULL, name); /* insecure: anything goes */
    link_start(&p.link);
    assert_open(&p);
    pair_deinit(&p);
    cert_free(&c);
}

static void expired(void **state)
{
    struct cert_wants w = good;

    (void)state;
    w.from_days = -20;
    w.to_days = -10;
    refuses(&w, &authority, "localhost", "the certificate expired on 20");
}

static void not_yet_valid(void **state)
{
    struct cert_wants w = good;

    (void)state;
    w.from_days = 10;
    refuses(&w, &authority, "localhost", "the certificate is not valid before 20");
}

static void for_another_host(void **state)
{
    (void)state;
    refuses(&good, &authority, "other.example",
            "the certificate is for localhost, *.dev.test, 127.0.0.1, ::1, not for "
            "other.example");
    refuses(&good, &authority, "127.0.0.2", "not for 127.0.0.2");
    refuses(&good, &authority, "a.b.dev.test", "not for a.b.dev.test");
}

static void partial_wildcards_count_for_nothing(void **state)
{
    struct cert_wants w = good;

    (void)state;
    w.names = "DNS:w*.test";
    refuses(&w, &authority, "www.test",
            "the certificate is for w*.test, not for www.test");
}

/* What a certificate says may be anything: no control character gets into our words. */
static void names_are_escaped(void **state)
{
    struct cert_wants w = good;

    (void)state;
    w.names = "DNS:a\x1b[31mb.test";
    refuses(&w, &authority, "www.test", "the certificate is for a\\x1b[31mb.test, not");
}

static void many_names_are_cut(void **state)
{
    struct cert_wants w = good;

    (void)state;
    w.names = "DNS:a.x,DNS:b.x,DNS:c.x,DNS:d.x,DNS:e.x,DNS:f.x";
    refuses(&w, &authority, "h", "is for a.x, b.x, c.x, d.x, e.x, ..., not for h");
}

static void self_signed(void **state)
{
    (void)state;
    refuses(
        &good, NULL, "localhost",
        "the certificate is self-signed: give its authority with --upstream-ca FILE, "
        "or --upstream-insecure");
}

static void unknown_authority(void **state)
{
    const struct cert_wants wants = { .name = "Somebody Else",
                                      .authority = true,
                                      .from_days = -1 };
    struct cert other = cert_make(&wants, NULL);

    (void)state;
    refuses(&good, &other, "localhost",
            "the certificate was issued by \"Somebody Else\", which is not known here: "
            "give that authority's certificate with --upstream-ca FILE");
    cert_free(&other);
}

static void untrusted_authority_in_the_chain(void **state)
{
    const struct cert_wants wants = { .name = "Somebody Else",
                                      .authority = true,
                                      .from_days = -1 };
    struct cert other = cert_make(&wants, NULL);
    struct cert c = cert_make(&good, &other);
    struct pair p = { .client = trust(authority_file), .server = serve(&c, &other) };

    (void)state;
    p.link.client.tls = wire_tls_new(p.client, "localhost");
    p.link.server.tls = wire_tls_new(p.server, NULL);
    link_start(&p.link);
    assert_non_null(strstr(wire_tls_error(p.link.client.tls),
                           "comes from the authority \"Somebody Else\", which is not "
                           "trusted here"));
    pair_deinit(&p);
    cert_free(&c);
    cert_free(&other);
}

static void wrong_purpose(void **state)
{
    struct cert_wants w = good;

    (void)state;
    w.usage = "clientAuth";
    refuses(&w, &authority, "localhost", "the certificate is not one for servers");
}

static void expired_authority(void **state)
{
    const struct cert_wants wants = {
        .name = "Old Authority", .authority = true, .from_days = -20, .to_days = -10
    };
    struct cert old = cert_make(&wants, NULL);
    struct cert c = cert_make(&good, &old);
    struct buf pem = { 0 };
    struct pair p;
    char *file;

    (void)state;
    cert_put(&pem, &old);
    file = temporary_file(buf_bytes(&pem));
    pair_init(&p, &c, file, "localhost");
    link_start(&p.link);
    assert_non_null(
        strstr(wire_tls_error(p.link.client.tls),
               "the certificate of the authority \"Old Authority\" expired"));
    pair_deinit(&p);
    temporary_free(file);
    buf_deinit(&pem);
    cert_free(&c);
    cert_free(&old);
}

/* The certificate itself, or an authority in between, is enough as --upstream-ca. */
static void own_certificate_as_authority(void **state)
{
    struct cert c = cert_make(&good, NULL);
    struct buf pem = { 0 };
    struct pair p;
    char *file;

    (void)state;
    cert_put(&pem, &c);
    file = temporary_file(buf_bytes(&pem));
    pair_init(&p, &c, file, "localhost");
    link_start(&p.link);
    assert_open(&p);
    pair_deinit(&p);
    temporary_free(file);
    buf_clear(&pem);
    cert_put(&pem, &leaf);
    file = temporary_file(buf_bytes(&pem));
    pair_init(&p, &leaf, file, "localhost");
    link_start(&p.link);
    assert_open(&p);
    pair_deinit(&p);
    temporary_free(file);
    buf_deinit(&pem);
    cert_free(&c);
}

/* Without --upstream-ca the system's store decides, and does not know our authority. */
static void system_store(void **state)
{
    const struct wire_tls_client_config config = { .insecure = false };
    struct pair p = { .server = serve(&leaf, NULL) };
    struct err e = { "" };

    (void)state;
    assert_int_equal(wire_tls_client_context(&config, &p.client, &e), 0);
    p.link.client.tls = wire_tls_new(p.client, "localhost");
    p.link.server.tls = wire_tls_new(p.server, NULL);
    link_start(&p.link);
    assert_non_null(strstr(wire_tls_error(p.link.client.tls), "\"Test Authority\""));
    pair_deinit(&p);
}

/* ---- peers that are not ours ---- */

static SSL_CTX *bare_server(int max_version)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());

    assert_non_null(c);
    assert_int_equal(SSL_CTX_use_certificate(c, leaf.x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(c, leaf.key), 1);
    SSL_CTX_set_security_level(c, 0);
    SSL_CTX_set_min_proto_version(c, 0);
    SSL_CTX_set_max_proto_version(c, max_version);
    return c;
}

static void want_client_cert(SSL_CTX *c)
{
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(c), authority.x);
}

/* Our client against a bare server. */
static void client_against(SSL_CTX *server, struct wire_tls_context *client,
                           struct link *l)
{
    *l = (struct link){ .client.tls = wire_tls_new(client, "localhost"),
                        .server.bare = link_bare(server, true) };
    link_start(l);
}

static void client_cert_missing(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct wire_tls_context *client = trust(authority_file);

    (void)state;
    for (int i = 0; i < 2; i++) {
        SSL_CTX *server = bare_server(versions[i]);
        const char *words;
        struct link l;

        want_client_cert(server);
        client_against(server, client, &l); /* with 1.3 it fails after our handshake */
        assert_int_equal(wire_tls_state(l.client.tls), WIRE_TLS_FAILED);
        words = wire_tls_error(l.client.tls);
        assert_non_null(strstr(words, "the server refused: alert "));
        assert_non_null(strstr(words, "it wants a client certificate"));
        link_deinit(&l);
        SSL_CTX_free(server);
    }
    wire_tls_context_free(client);
}

static struct wire_tls_context *with_client_cert(const struct cert *c)
{
    struct buf pem = { 0 };
    struct wire_tls_context *out = NULL;
    struct wire_tls_client_config config = { .ca_file = authority_file };
    struct err e = { "" };
    char *file;

    cert_put(&pem, c);
    cert_put_key(&pem, c, NULL);
    file = temporary_file(buf_bytes(&pem));
    config.cert_file = file; /* the key is in it, too */
    assert_int_equal(wire_tls_client_context(&config, &out, &e), 0);
    temporary_free(file);
    buf_deinit(&pem);
    return out;
}

static void client_cert_given(void **state)
{
    const struct cert_wants wants = { .name = "client",
                                      .usage = "clientAuth",
                                      .from_days = -1 };
    struct cert known = cert_make(&wants, &authority);
    struct cert unknown = cert_make(&wants, NULL);
    struct wire_tls_context *client = with_client_cert(&known);
    SSL_CTX *server = bare_server(0);
    struct link l;

    (void)state;
    want_client_cert(server);
    client_against(server, client, &l);
    assert_string_equal(wire_tls_error(l.client.tls), "");
    assert_int_equal(wire_tls_state(l.client.tls), WIRE_TLS_OPEN);
    assert_false(l.server.bare_failed);
    link_deinit(&l);
    wire_tls_context_free(client);

    client = with_client_cert(&unknown);
    client_against(server, client, &l);
    assert_int_equal(wire_tls_state(l.client.tls), WIRE_TLS_FAILED);
    assert_non_null(strstr(wire_tls_error(l.client.tls),
                           "it does not accept the client certificate"));
    link_deinit(&l);
    wire_tls_context_free(client);
    SSL_CTX_free(server);
    cert_free(&known);
    cert_free(&unknown);
}

static void old_versions(void **state)
{
    struct wire_tls_context *client = trust(authority_file);
    struct wire_tls_context *server = serve(&leaf, NULL);
    SSL_CTX *old_server = bare_server(TLS1_1_VERSION);
    SSL_CTX *old_client = SSL_CTX_new(TLS_client_method());
    struct link l;

    (void)state;
    client_against(old_server, client, &l);
    assert_int_equal(wire_tls_state(l.client.tls), WIRE_TLS_FAILED);
    assert_non_null(strstr(wire_tls_error(l.client.tls), "does not speak TLS 1.2 or"));
    link_deinit(&l);

    SSL_CTX_set_security_level(old_client, 0);
    SSL_CTX_set_min_proto_version(old_client, 0);
    SSL_CTX_set_max_proto_version(old_client, TLS1_1_VERSION);
    l = (struct link){ .client.bare = link_bare(old_client, false),
                       .server.tls = wire_tls_new(server, NULL) };
    link_start(&l);
    assert_int_equal(wire_tls_state(l.server.tls), WIRE_TLS_FAILED);
    assert_string_equal(wire_tls_error(l.server.tls),
                        "the client does not speak TLS 1.2 or later");
    assert_true(l.client.bare_failed);
    link_deinit(&l);
    SSL_CTX_free(old_client);
    SSL_CTX_free(old_server);
    wire_tls_context_free(client);
    wire_tls_context_free(server);
}

/* TLS 1.2 works as well, and a client may offer whatever ALPN it likes. */
static void other_clients(void **state)
{
    static const unsigned char h2[] = "\x02h2";
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    struct wire_tls_context *server = serve(&leaf, NULL);

    (void)state;
    for (int i = 0; i < 3; i++) {
        SSL_CTX *c = SSL_CTX_new(TLS_client_method());
        struct link l;

        SSL_CTX_set_max_proto_version(c, i == 0 ? TLS1_2_VERSION : 0);
        if (i > 0) {
            SSL_CTX_set_alpn_protos(c, i == 1 ? h2 : both,
                                    i == 1 ? sizeof(h2) - 1 : sizeof(both) - 1);
        }
        l = (struct link){ .client.bare = link_bare(c, false),
                           .server.tls = wire_tls_new(server, NULL) };
        link_start(&l);
        assert_int_equal(wire_tls_state(l.server.tls), WIRE_TLS_OPEN);
        assert_string_equal(wire_tls_alpn(l.server.tls), i == 2 ? "http/1.1" : "");
        assert_string_equal(wire_tls_version(l.server.tls),
                            i == 0 ? "TLSv1.2" : "TLSv1.3");
        link_send(&l.client, "hello", 5);
        link_run(&l);
        assert_plain(&l.server, "hello");
        link_deinit(&l);
        SSL_CTX_free(c);
    }
    wire_tls_context_free(server);
}

/* ---- what is no TLS at all ---- */

static void feed_pieces(struct link_end *e, const char *text, size_t len, size_t piece)
{
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;

        assert_int_equal(
            wire_tls_feed(e->tls, bytes_make(text + at, n), &e->plain, &e->out), 0);
    }
}

static void plain_http_on_a_tls_port(void **state)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",        "DELETE /x HTTP/1.1\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\n\r\n",      "PROPFINDALOT / HTTP/1.1\r\n\r\n"
    };
    struct wire_tls_context *server = serve(&leaf, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        for (size_t piece = 1; piece < 30; piece += 7) {
            struct link_end e = { .tls = wire_tls_new(server, NULL) };

            feed_pieces(&e, requests[i], strlen(requests[i]), piece);
            assert_int_equal(wire_tls_state(e.tls), WIRE_TLS_FAILED);
            assert_true(wire_tls_peer_is_plain_http(e.tls));
            assert_string_equal(wire_tls_error(e.tls),
                                "the client spoke plain HTTP on a TLS port");
            wire_tls_free(e.tls);
            buf_deinit(&e.out);
            buf_deinit(&e.plain);
        }
    }
    wire_tls_context_free(server);
}

static void garbage_on_a_tls_port(void **state)
{
    static const char garbage[] = "\x01\x02\x03\x04\x05\x06 no TLS, and no HTTP either";
    struct wire_tls_context *server = serve(&leaf, NULL);
    struct link_end e = { .tls = wire_tls_new(server, NULL) };

    (void)state;
    feed_pieces(&e, garbage, sizeof(garbage), 3);
    assert_int_equal(wire_tls_state(e.tls), WIRE_TLS_FAILED);
    assert_false(wire_tls_peer_is_plain_http(e.tls));
    assert_string_equal(wire_tls_error(e.tls), "what the client sent is not TLS");
    wire_tls_free(e.tls);
    buf_deinit(&e.out);
    wire_tls_context_free(server);
}

static void plain_server(void **state)
{
    static const char *const answers[] = { "HTTP/1.1 400 Bad Request\r\n\r\n",
                                           "SSH-2.0-OpenSSH_9.2\r\n",
                                           "220 mail ready\r\n" };
    struct wire_tls_context *client = trust(authority_file);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct link_end e = { .tls = wire_tls_new(client, "localhost") };

        feed_pieces(&e, answers[i], strlen(answers[i]), 4);
        assert_int_equal(wire_tls_state(e.tls), WIRE_TLS_FAILED);
        assert_string_equal(wire_tls_error(e.tls),
                            "the server does not speak TLS on this port: use ws:// for "
                            "it");
        wire_tls_free(e.tls);
        buf_deinit(&e.out);
    }
    wire_tls_context_free(client);
}

static void damaged_record(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p, &leaf, authority_file, "localhost");
    link_start(&p.link);
    link_send(&p.link.client, "hello", 5);
    p.link.client.out.at[p.link.client.out.len - 1] ^= 1;
    link_run(&p.link);
    assert_int_equal(wire_tls_state(p.link.server.tls), WIRE_TLS_FAILED);
    assert_int_equal(p.link.server.plain.len, 0);
    assert_non_null(
        strstr(wire_tls_error(p.link.server.tls), "TLS with the client failed"));
    assert_int_equal(wire_tls_state(p.link.client.tls),
                     WIRE_TLS_FAILED); /* our alert */
    assert_non_null(strstr(wire_tls_error(p.link.client.tls), "bad record mac"));
    pair_deinit(&p);
}

/* A fatal alert in answer to the first flight (RFC 8446, section 6.2). */
static void answers_with(bool to_client, uint8_t alert, const char *words)
{
    const uint8_t record[] = { 21, 3, 3, 0, 2, 2, alert };
    struct buf plain = { 0 };
    struct wire_tls *t;
    struct pair p;

    pair_init(&p, &leaf, authority_file, "localhost");
    assert_int_equal(wire_tls_feed(p.link.client.tls, (struct bytes){ 0 }, &plain,
                                   &p.link.client.out),
                     0);
    if (!to_client) {
        assert_int_equal(wire_tls_feed(p.link.server.tls, buf_bytes(&p.link.client.out),
                                       &plain, &p.link.server.out),
                         0);
    }
    t = to_client ? p.link.client.tls : p.link.server.tls;
    assert_int_equal(wire_tls_feed(t, bytes_make(record, sizeof(record)), &plain,
                                   &p.link.client.out),
                     0);
    assert_int_equal(wire_tls_state(t), WIRE_TLS_FAILED);
    if (strstr(wire_tls_error(t), words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", wire_tls_error(t), words);
    }
    buf_deinit(&plain);
    pair_deinit(&p);
}

static void alerts_have_words(void **state)
{
    (void)state;
    answers_with(true, SSL_AD_PROTOCOL_VERSION, "does not speak TLS 1.2 or later");
    answers_with(true, SSL_AD_UNRECOGNIZED_NAME, "does not know that host name");
    answers_with(true, SSL_AD_NO_APPLICATION_PROTOCOL, "does not speak http/1.1");
    answers_with(true, SSL_AD_INTERNAL_ERROR, "internal error");
    answers_with(false, SSL_AD_UNKNOWN_CA, "does not trust the listening certificate");
    answers_with(false, SSL_AD_CERTIFICATE_EXPIRED, "has expired");
    answers_with(false, SSL_AD_PROTOCOL_VERSION, "does not speak TLS 1.2 or later");
}

/* ---- files ---- */

static void say(const char *cert, const char *key, int code, const char *words)
{
    struct wire_tls_context *out = NULL;
    struct err e = { "" };

    assert_int_equal(wire_tls_server_context(cert, key, &out, &e), code);
    assert_null(out);
    if (strstr(e.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", e.text, words);
    }
}

static char *file_of(const struct cert *cert, const struct cert *key,
                     const char *passphrase)
{
    struct buf pem = { 0 };
    char *file;

    if (cert != NULL) {
        cert_put(&pem, cert);
    }
    if (key != NULL) {
        cert_put_key(&pem, key, passphrase);
    }
    file = temporary_file(buf_bytes(&pem));
    buf_deinit(&pem);
    return file;
}

static void files_that_do_not_fit(void **state)
{
    char *cert = file_of(&leaf, NULL, NULL);
    char *key = file_of(NULL, &leaf, NULL);
    char *other = file_of(NULL, &authority, NULL);
    char *locked = file_of(NULL, &leaf, "secret");
    char *empty = file_of(NULL, NULL, NULL);
    char *torn = temporary_file(bytes_of("-----BEGIN CERTIFICATE-----\nMIIB\n"));
    char *torn_key = temporary_file(bytes_of("-----BEGIN PRIVATE KEY-----\nMIIB\n"
                                             "-----END PRIVATE KEY-----\n"));

    (void)state;
    say("/no/such.pem", key, -ENOENT, "cannot read /no/such.pem: No such file");
    say(cert, "/no/key.pem", -ENOENT, "cannot read /no/key.pem: No such file");
    say("/tmp", key, -EISDIR, "cannot read /tmp: Is a directory");
    say(key, cert, -EINVAL,
        "holds a private key where a certificate is expected (are the");
    say(cert, cert, -EINVAL, "holds a certificate where a private key is expected");
    say(cert, NULL, -EINVAL, "holds a certificate where a private key is expected");
    say(cert, other, -EINVAL, "does not belong to the certificate in /tmp/");
    say(cert, locked, -EINVAL,
        "is encrypted: decrypt it first (openssl pkey -in /tmp/");
    say(empty, key, -EINVAL, "holds no certificate (it should be a PEM file");
    say(cert, empty, -EINVAL, "holds no private key");
    say(torn, key, -EINVAL, "the certificate in it is damaged");
    say(cert, torn_key, -EINVAL, "the private key in it is damaged");
    temporary_free(cert);
    temporary_free(key);
    temporary_free(other);
    temporary_free(locked);
    temporary_free(empty);
    temporary_free(torn);
    temporary_free(torn_key);
}

static void one_file_for_both(void **state)
{
    struct wire_tls_context *out = NULL;
    char *file = file_of(&leaf, &leaf, NULL);
    struct err e = { "" };

    (void)state;
    assert_int_equal(wire_tls_server_context(file, NULL, &out, &e), 0);
    wire_tls_context_free(out);
    temporary_free(file);
}

static void authorities_file_without_any(void **state)
{
    char *key = file_of(NULL, &leaf, NULL);
    const struct wire_tls_client_config config = { .ca_file = key };
    struct wire_tls_context *out = NULL;
    struct err e = { "" };

    (void)state;
    assert_int_equal(wire_tls_client_context(&config, &out, &e), -EINVAL);
    assert_non_null(strstr(e.text, "holds a private key where a certificate is"));
    temporary_free(key);
}

/* ---- want of memory ---- */

/* 0 or -ENOMEM; with 0 both ends talked. */
static int talk(struct buf *chain, struct buf *key)
{
    const struct wire_tls_client_config config = { .ca_file = authority_file };
    struct pair p = { 0 };
    struct err e = { "" };
    int r =
        wire_tls_server_context_pem(buf_bytes(chain), buf_bytes(key), &p.server, &e);

    if (r == 0) {
        r = wire_tls_client_context(&config, &p.client, &e);
    }
    if (r == 0) {
        p.link.client.tls = wire_tls_new(p.client, "localhost");
        p.link.server.tls = wire_tls_new(p.server, NULL);
        r = p.link.client.tls != NULL && p.link.server.tls != NULL ? 0 : -ENOMEM;
    }
    if (r == 0) {
        link_start(&p.link);
        r = p.link.client.r < 0 ? p.link.client.r : p.link.server.r;
    }
    if (r == 0 && wire_tls_state(p.link.client.tls) == WIRE_TLS_OPEN) {
        r = wire_tls_send(p.link.client.tls, bytes_of("hello"), &p.link.client.out);
        link_run(&p.link);
        r = r < 0 ? r : p.link.server.r;
    }
    if (r == 0 && p.link.server.plain.len != 5) {
        /* OpenSSL did not say memory: then the connection must have failed in words. */
        assert_true(wire_tls_state(p.link.client.tls) == WIRE_TLS_FAILED ||
                    wire_tls_state(p.link.server.tls) == WIRE_TLS_FAILED);
        r = -EPROTO;
    }
    pair_deinit(&p);
    return r;
}

/* OpenSSL keeps the memory of error texts for the next ones. */
static void fill_error_ring(void)
{
    for (int i = 0; i < 2 * ERR_NUM_ERRORS; i++) {
        ERR_raise_data(ERR_LIB_USER, 1, "a text");
    }
    ERR_clear_error();
}

/* There are more than 10,000 allocations, most of them OpenSSL's: the first 64 each,
 * then one of so many. */
static void allocations_fail(void **state)
{
    struct buf chain = { 0 };
    struct buf key = { 0 };
    bool hit = true;
    long live;

    (void)state;
    cert_put(&chain, &leaf);
    cert_put_key(&key, &leaf, NULL);
    assert_int_equal(talk(&chain, &key),
                     0); /* what OpenSSL keeps for good is made now */
    fill_error_ring();
    live = alloc_live();
    for (unsigned long nth = 0; hit; nth += 1 + nth / 64) {
        int r;

        alloc_fail_at(nth);
        r = talk(&chain, &key);
        hit = alloc_fail_clear();
        assert_true(hit || r == 0);
    }
    assert_int_equal(alloc_live(), live);
    buf_deinit(&chain);
    buf_deinit(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shakes_hands_and_talks),
        cmocka_unit_test(megabytes_pass),
        cmocka_unit_test(any_pieces),
        cmocka_unit_test(every_split_of_the_handshake),
        cmocka_unit_test(end_is_told_and_writing_goes_on),
        cmocka_unit_test(truncation_is_no_end),
        cmocka_unit_test(names_that_fit),
        cmocka_unit_test(addresses_are_not_sent_as_names),
        cmocka_unit_test(expired),
        cmocka_unit_test(not_yet_valid),
        cmocka_unit_test(for_another_host),
        cmocka_unit_test(partial_wildcards_count_for_nothing),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(many_names_are_cut),
        cmocka_unit_test(self_signed),
        cmocka_unit_test(unknown_authority),
        cmocka_unit_test(untrusted_authority_in_the_chain),
        cmocka_unit_test(wrong_purpose),
        cmocka_unit_test(expired_authority),
        cmocka_unit_test(own_certificate_as_authority),
        cmocka_unit_test(system_store),
        cmocka_unit_test(client_cert_missing),
        cmocka_unit_test(client_cert_given),
        cmocka_unit_test(old_versions),
        cmocka_unit_test(other_clients),
        cmocka_unit_test(plain_http_on_a_tls_port),
        cmocka_unit_test(garbage_on_a_tls_port),
        cmocka_unit_test(plain_server),
        cmocka_unit_test(damaged_record),
        cmocka_unit_test(alerts_have_words),
        cmocka_unit_test(files_that_do_not_fit),
        cmocka_unit_test(one_file_for_both),
        cmocka_unit_test(authorities_file_without_any),
        cmocka_unit_test(allocations_fail),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
