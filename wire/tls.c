#include "wire/tls.h"

#include "base/alloc.h"
#include "wire/tls_internal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
    RECORD = 16 * 1024, /* plaintext of a record at most (RFC 8446, section 5.1) */
    RECORD_EXTRA = 64,  /* what encryption adds to one, rounded up */
    LEAST_ROOM = 512,   /* for decrypted bytes */
};

/* ---- set-up ---- */

static void *get(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return alloc_get(len);
}

static void *resize(void *at, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    if (len == 0) {
        alloc_free(at);
        return NULL;
    }
    return alloc_resize(at, len);
}

static void give_back(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    alloc_free(at);
}

int wire_tls_setup(void)
{
    CRYPTO_malloc_fn now;

    CRYPTO_get_mem_functions(&now, NULL, NULL);
    if (now != get && CRYPTO_set_mem_functions(get, resize, give_back) != 1) {
        return -ENOMEM;
    }
    return OPENSSL_init_ssl(0, NULL) == 1 ? 0 : -ENOMEM;
}

/* ---- life ---- */

/* Names compare without a final dot, and neither SNI nor certificates have one. */
static char *copy_name(const char *name)
{
    size_t len = strlen(name);

    return alloc_text(name, len > 1 && name[len - 1] == '.' ? len - 1 : len);
}

/* SNI (RFC 6066, section 3) and what the certificate must be for. */
static bool set_name(struct wire_tls *t)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(t->ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(p, t->name) == 1) {
        return true;
    }
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(p, t->name, 0) == 1 &&
           SSL_set_tlsext_host_name(t->ssl, t->name) == 1;
}

static bool attach_pipe(struct wire_tls *t)
{
    BIO *b = BIO_new(t->context->pipe);

    if (b == NULL) {
        return false;
    }
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    SSL_set_bio(t->ssl, b, b);
    return true;
}

struct wire_tls *wire_tls_new(struct wire_tls_context *c, const char *server_name)
{
    struct wire_tls *t = alloc_zero(1, sizeof(*t));

    if (t == NULL) {
        return NULL;
    }
    t->context = c;
    t->ssl = SSL_new(c->ssl);
    if (t->ssl == NULL || !attach_pipe(t) || SSL_set_app_data(t->ssl, t) != 1) {
        goto fail;
    }
    if (c->is_server) {
        SSL_set_accept_state(t->ssl);
        return t;
    }
    SSL_set_connect_state(t->ssl);
    t->name = copy_name(server_name);
    if (t->name == NULL || !set_name(t)) {
        goto fail;
    }
    return t;

fail:
    ERR_clear_error();
    wire_tls_free(t);
    return NULL;
}

void wire_tls_free(struct wire_tls *t)
{
    if (t == NULL) {
        return;
    }
    SSL_free(t->ssl);
    alloc_free(t->name);
    buf_deinit(&t->error);
    alloc_free(t);
}

/* ---- bytes ---- */

/* What an OpenSSL call that did not succeed means: 0 when it only wants more input. */
static int judge(struct wire_tls *t, int r)
{
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        t->state = WIRE_TLS_ENDED;
        return 0;
    default:
        break;
    }
    t->state = WIRE_TLS_FAILED;
    if (t->no_memory || wire_tls_out_of_memory()) {
        ERR_clear_error();
        return -ENOMEM;
    }
    wire_tls_say_failure(t);
    ERR_clear_error();
    return 0;
}

static int read_plain(struct wire_tls *t, struct buf *plain)
{
    while (t->state == WIRE_TLS_OPEN) {
        size_t room = t->in.len < LEAST_ROOM ? LEAST_ROOM : t->in.len;
        size_t got;
        int r = buf_reserve(plain, room < RECORD ? room : RECORD);

        if (r < 0) {
            return r;
        }
        r = SSL_read_ex(t->ssl, plain->at + plain->len, plain->cap - plain->len, &got);
        if (r != 1) {
            return judge(t, r); /* wants more only when `in` is used up */
        }
        plain->len += got;
    }
    return 0;
}

static void keep_first(struct wire_tls *t, struct bytes in)
{
    while (t->first_len < sizeof(t->first) && in.len > 0) {
        t->first[t->first_len++] = in.at[0];
        in = bytes_from(in, 1);
    }
}

static int shake_hands(struct wire_tls *t)
{
    int r = SSL_do_handshake(t->ssl);

    if (r != 1) {
        return judge(t, r);
    }
    t->state = WIRE_TLS_OPEN;
    return 0;
}

int wire_tls_feed(struct wire_tls *t, struct bytes in, struct buf *plain,
                  struct buf *cipher)
{
    int r = 0;

    keep_first(t, in);
    t->in = in;
    t->cipher = cipher;
    ERR_clear_error();
    if (t->state == WIRE_TLS_HANDSHAKE) {
        r = shake_hands(t);
    }
    if (r == 0 && t->state == WIRE_TLS_OPEN) {
        r = read_plain(t, plain);
    }
    t->in = (struct bytes){ 0 };
    t->cipher = NULL;
    return r;
}

int wire_tls_send(struct wire_tls *t, struct bytes in, struct buf *cipher)
{
    int r = 0;

    if (t->state != WIRE_TLS_OPEN && t->state != WIRE_TLS_ENDED) {
        return -EPROTO;
    }
    if (in.len == 0) {
        return 0;
    }
    r = buf_reserve(cipher, in.len + (in.len / RECORD + 1) * RECORD_EXTRA);
    if (r < 0) {
        return r;
    }
    t->cipher = cipher;
    ERR_clear_error();
    while (in.len > 0 && r == 0) {
        size_t sent = 0;

        if (SSL_write_ex(t->ssl, in.at, in.len, &sent) == 1) {
            in = bytes_from(in, sent);
            continue;
        }
        r = judge(t, 0);
        r = r < 0 ? r : -EPROTO;
    }
    t->cipher = NULL;
    return r;
}

int wire_tls_end(struct wire_tls *t, struct buf *cipher)
{
    int r;

    if (t->state != WIRE_TLS_OPEN && t->state != WIRE_TLS_ENDED) {
        return 0;
    }
    t->cipher = cipher;
    ERR_clear_error();
    r = SSL_shutdown(t->ssl);
    t->cipher = NULL;
    ERR_clear_error();
    return r < 0 && t->no_memory ? -ENOMEM : 0;
}

/* ---- facts ---- */

enum wire_tls_state wire_tls_state(const struct wire_tls *t)
{
    return t->state;
}

const char *wire_tls_error(const struct wire_tls *t)
{
    if (t->error.len > 0) {
        return (const char *)t->error.at;
    }
    return t->state == WIRE_TLS_FAILED ? "out of memory" : "";
}

/* A method (RFC 9110, section 9.1) as far as it came, where a ClientHello begins 16 03.
 */
bool wire_tls_peer_is_plain_http(const struct wire_tls *t)
{
    size_t letters = 0;

    if (!t->context->is_server || t->state != WIRE_TLS_FAILED) {
        return false;
    }
    while (letters < t->first_len && t->first[letters] >= 'A' &&
           t->first[letters] <= 'Z') {
        letters++;
    }
    return letters >= 3 && (letters == t->first_len || t->first[letters] == ' ');
}

const char *wire_tls_version(const struct wire_tls *t)
{
    return SSL_is_init_finished(t->ssl) ? SSL_get_version(t->ssl) : "";
}

const char *wire_tls_cipher(const struct wire_tls *t)
{
    const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);

    return c == NULL ? "" : SSL_CIPHER_get_name(c);
}

const char *wire_tls_alpn(const struct wire_tls *t)
{
    const unsigned char *at;
    unsigned len;

    SSL_get0_alpn_selected(t->ssl, &at, &len);
    return len == 0 ? "" : "http/1.1"; /* nothing else is offered or chosen */
}

const char *wire_tls_server_name(const struct wire_tls *t)
{
    const char *name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);

    return name == NULL ? "" : name;
}
