#include "base/alloc.h"
#include "wire/tls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_FILE = 16 * 1024 * 1024
}; /* a bundle of all public authorities is 0.2 MB */

/* ---- files ---- */

static int read_all(int fd, struct buf *out)
{
    for (;;) {
        ssize_t n;
        int r = buf_reserve(out, 64 * 1024);

        if (r < 0) {
            return r;
        }
        n = read(fd, out->at + out->len, out->cap - out->len);
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            return 0;
        }
        out->len += (size_t)n;
        if (out->len > MOST_FILE) {
            return -EFBIG;
        }
    }
}

static int read_file(const char *path, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : read_all(fd, out);

    if (fd >= 0) {
        close(fd);
    }
    return r < 0 ? err_set(e, r, "cannot read %s: %s", path,
                           r == -EFBIG ? "it is larger than 16M" : strerror(-r))
                 : 0;
}

/* ---- PEM ---- */

/* Why nothing of the kind `want` ("certificate", "private key") was found in `pem`. */
static int say_no_pem(struct err *e, struct bytes pem, const char *name,
                      const char *want)
{
    bool has_key = bytes_find(pem, bytes_of("PRIVATE KEY-----")) < pem.len;
    bool has_cert = bytes_find(pem, bytes_of("BEGIN CERTIFICATE-----")) < pem.len;
    bool wants_key = strcmp(want, "private key") == 0;

    ERR_clear_error();
    if (wants_key ? has_key : has_cert) {
        return err_set(e, -EINVAL, "%s: the %s in it is damaged", name, want);
    }
    if (has_key || has_cert) {
        return err_set(e, -EINVAL,
                       "%s holds a %s where a %s is expected (are the two files "
                       "swapped?)",
                       name, has_key ? "private key" : "certificate", want);
    }
    return err_set(e, -EINVAL,
                   "%s holds no %s (it should be a PEM file, with a line "
                   "-----BEGIN ...)",
                   name, want);
}

static bool ran_out_of_pem(void)
{
    unsigned long last = ERR_peek_last_error();

    return ERR_GET_LIB(last) == ERR_LIB_PEM &&
           ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

static int no_memory(struct err *e)
{
    ERR_clear_error();
    return err_set(e, -ENOMEM, "out of memory");
}

/* Hand every certificate in `pem` to `take`, which owns it then and returns 1 or 0. */
static int each_cert(struct bytes pem, const char *name, struct wire_tls_context *c,
                     int (*take)(struct wire_tls_context *c, X509 *cert, int nth),
                     struct err *e)
{
    BIO *b = BIO_new_mem_buf(pem.at, (int)pem.len);
    int nth = 0;
    int r = 0;

    if (b == NULL) {
        return no_memory(e);
    }
    ERR_clear_error();
    while (r == 0) {
        X509 *cert = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL);

        if (cert == NULL) {
            break;
        }
        if (take(c, cert, nth++) != 1) {
            r = err_set(e, -EINVAL, "%s: certificate %d cannot be used: %s", name, nth,
                        ERR_reason_error_string(ERR_peek_last_error()));
        }
    }
    BIO_free(b);
    if (r == 0 && wire_tls_out_of_memory()) {
        r = no_memory(e);
    } else if (r == 0 && (nth == 0 || !ran_out_of_pem())) {
        r = say_no_pem(e, pem, name, "certificate");
    }
    ERR_clear_error();
    return r;
}

static int take_chain(struct wire_tls_context *c, X509 *cert, int nth)
{
    int r;

    if (nth > 0) {
        r = (int)SSL_CTX_add0_chain_cert(c->ssl, cert);
        if (r != 1) {
            X509_free(cert);
        }
        return r;
    }
    r = SSL_CTX_use_certificate(c->ssl, cert);
    X509_free(cert);
    return r;
}

static int take_authority(struct wire_tls_context *c, X509 *cert, int nth)
{
    int r = X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ssl), cert);

    (void)nth;
    X509_free(cert);
    return r;
}

/* Nobody is asked for a passphrase: a proxy starts unattended. */
static int note_passphrase(char *out, int cap, int writing, void *asked)
{
    (void)out;
    (void)cap;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static int use_key(struct wire_tls_context *c, EVP_PKEY *key, const char *name,
                   const char *cert_name, struct err *e)
{
    if (SSL_CTX_use_PrivateKey(c->ssl, key) != 1 ||
        SSL_CTX_check_private_key(c->ssl) != 1) {
        if (wire_tls_out_of_memory()) {
            return no_memory(e);
        }
        ERR_clear_error();
        return err_set(e, -EINVAL,
                       "the key in %s does not belong to the certificate in %s", name,
                       cert_name);
    }
    return 0;
}

static int load_key(struct wire_tls_context *c, struct bytes pem, const char *name,
                    const char *cert_name, struct err *e)
{
    BIO *b = BIO_new_mem_buf(pem.at, (int)pem.len);
    bool asked = false;
    EVP_PKEY *key;
    int r;

    if (b == NULL) {
        return no_memory(e);
    }
    ERR_clear_error();
    key = PEM_read_bio_PrivateKey(b, NULL, note_passphrase, &asked);
    BIO_free(b);
    if (key != NULL) {
        r = use_key(c, key, name, cert_name, e);
    } else if (wire_tls_out_of_memory()) {
        r = no_memory(e);
    } else if (asked) {
        r = err_set(
            e, -EINVAL,
            "the private key in %s is encrypted: decrypt it first (openssl pkey "
            "-in %s -out plain.pem)",
            name, name);
    } else {
        r = say_no_pem(e, pem, name, "private key");
    }
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r;
}

static int load_pair(struct wire_tls_context *c, struct bytes chain,
                     const char *cert_name, struct bytes key, const char *key_name,
                     struct err *e)
{
    int r = each_cert(chain, cert_name, c, take_chain, e);

    return r < 0 ? r : load_key(c, key, key_name, cert_name, e);
}

static int load_pair_files(struct wire_tls_context *c, const char *cert_file,
                           const char *key_file, struct err *e)
{
    struct buf chain = { 0 };
    struct buf key = { 0 };
    const char *key_name = key_file == NULL ? cert_file : key_file;
    int r = read_file(cert_file, &chain, e);

    if (r == 0) {
        r = read_file(key_name, &key, e);
    }
    if (r == 0) {
        r = load_pair(c, buf_bytes(&chain), cert_file, buf_bytes(&key), key_name, e);
    }
    OPENSSL_cleanse(key.at, key.len);
    buf_deinit(&key);
    buf_deinit(&chain);
    return r;
}

static int load_authorities(struct wire_tls_context *c, const char *file, struct err *e)
{
    struct buf pem = { 0 };
    int r = read_file(file, &pem, e);

    if (r == 0) {
        r = each_cert(buf_bytes(&pem), file, c, take_authority, e);
    }
    buf_deinit(&pem);
    return r;
}

/* ---- contexts ---- */

/* ALPN (RFC 7301): the one protocol, with its length before it. */
static const unsigned char http11[] = { 8, 'h', 't', 't', 'p', '/', '1', '.', '1' };

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    while (in_len > 0 && in[0] < in_len) {
        if (in[0] == http11[0] && memcmp(in + 1, http11 + 1, http11[0]) == 0) {
            *out = in + 1;
            *out_len = in[0];
            return SSL_TLSEXT_ERR_OK;
        }
        in_len -= in[0] + 1U;
        in += in[0] + 1;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static int verified(int ok, X509_STORE_CTX *x)
{
    const SSL *ssl =
        X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());

    if (ok != 1) {
        wire_tls_say_verify(SSL_get_app_data(ssl), x);
    }
    return ok;
}

static struct wire_tls_context *context_new(bool is_server)
{
    struct wire_tls_context *c = alloc_zero(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->is_server = is_server;
    c->pipe = wire_tls_pipe_new();
    c->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (c->pipe == NULL || c->ssl == NULL ||
        SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION) != 1) {
        wire_tls_context_free(c);
        return NULL;
    }
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF); /* tickets need none */
    return c;
}

static int set_up_client(struct wire_tls_context *c,
                         const struct wire_tls_client_config *config, struct err *e)
{
    int r = 0;

    if (SSL_CTX_set_alpn_protos(c->ssl, http11, sizeof(http11)) != 0) {
        return no_memory(e);
    }
    SSL_CTX_set_verify(c->ssl, config->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       config->insecure ? NULL : verified);
    if (config->ca_file != NULL) {
        /* One's own authority may be an intermediate one, or the certificate itself. */
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(c->ssl),
                                    X509_V_FLAG_PARTIAL_CHAIN);
        r = load_authorities(c, config->ca_file, e);
    } else if (!config->insecure && SSL_CTX_set_default_verify_paths(c->ssl) != 1) {
        r = no_memory(e);
    }
    if (r == 0 && config->cert_file != NULL) {
        r = load_pair_files(c, config->cert_file, config->key_file, e);
    }
    return r;
}

int wire_tls_client_context(const struct wire_tls_client_config *config,
                            struct wire_tls_context **out, struct err *e)
{
    struct wire_tls_context *c = context_new(false);
    int r;

    if (c == NULL) {
        return no_memory(e);
    }
    r = set_up_client(c, config, e);
    if (r < 0) {
        wire_tls_context_free(c);
        return r;
    }
    *out = c;
    return 0;
}

static struct wire_tls_context *server_new(void)
{
    struct wire_tls_context *c = context_new(true);

    if (c != NULL) {
        SSL_CTX_set_alpn_select_cb(c->ssl, choose_protocol, NULL);
        SSL_CTX_set_dh_auto(c->ssl, 1);
    }
    return c;
}

static int finish_server(struct wire_tls_context *c, int r,
                         struct wire_tls_context **out)
{
    if (r < 0) {
        wire_tls_context_free(c);
        return r;
    }
    *out = c;
    return 0;
}

int wire_tls_server_context(const char *cert_file, const char *key_file,
                            struct wire_tls_context **out, struct err *e)
{
    struct wire_tls_context *c = server_new();

    if (c == NULL) {
        return no_memory(e);
    }
    return finish_server(c, load_pair_files(c, cert_file, key_file, e), out);
}

int wire_tls_server_context_pem(struct bytes chain, struct bytes key,
                                struct wire_tls_context **out, struct err *e)
{
    struct wire_tls_context *c = server_new();

    if (c == NULL) {
        return no_memory(e);
    }
    return finish_server(c, load_pair(c, chain, "the certificate", key, "the key", e),
                         out);
}

void wire_tls_context_free(struct wire_tls_context *c)
{
    if (c != NULL) {
        SSL_CTX_free(c->ssl);
        BIO_meth_free(c->pipe);
        alloc_free(c);
    }
}
