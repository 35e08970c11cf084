/*
 * wire/tls - TLS 1.2 and up on memory BIOs: bytes in, bytes out, no sockets.
 *
 * The only includer of OpenSSL besides wire/authority. Upstream contexts verify the
 * certificate chain and the name unless told not to. Both kinds offer or choose ALPN
 * http/1.1 (RFC 7301).
 */
#ifndef WSTAPE_WIRE_TLS_H
#define WSTAPE_WIRE_TLS_H

#include "base/buf.h"
#include "base/chunk.h"
#include "base/err.h"

#include <stdbool.h>

struct wire_tls_context; /* shared by all connections of one leg */
struct wire_tls;         /* one connection */

/* Point OpenSSL at base/alloc. Call first in main; 0 or -ENOMEM. */
int wire_tls_setup(void);

struct wire_tls_client_config {
    const char *ca_file;   /* PEM; NULL: the system's store */
    const char *cert_file; /* PEM chain; NULL: no client certificate */
    const char *key_file;  /* PEM; NULL: in cert_file */
    bool insecure;         /* verify nothing */
};

/* A context for connecting. -EINVAL, -ENOENT, -ENOMEM with words (file and reason). */
int wire_tls_client_context(const struct wire_tls_client_config *c,
                            struct wire_tls_context **out, struct err *e);

/* A context for listening with a PEM chain and key file (key NULL: in cert_file). */
int wire_tls_server_context(const char *cert_file, const char *key_file,
                            struct wire_tls_context **out, struct err *e);

/* As above from PEM in memory (wire/authority makes it). */
int wire_tls_server_context_pem(struct bytes chain, struct bytes key,
                                struct wire_tls_context **out, struct err *e);

void wire_tls_context_free(struct wire_tls_context *c); /* takes NULL */

/* A connection. Client side: `server_name` is sent as SNI (unless an IP address) and
 * verified; NULL for the listening side. NULL when memory is out. The context must
 * outlive it. */
struct wire_tls *wire_tls_new(struct wire_tls_context *c, const char *server_name);
void wire_tls_free(struct wire_tls *t); /* takes NULL */

enum wire_tls_state {
    WIRE_TLS_HANDSHAKE = 0,
    WIRE_TLS_OPEN,
    WIRE_TLS_ENDED, /* the peer sent close_notify; writing still works */
    WIRE_TLS_FAILED /* wire_tls_error() says why */
};

enum wire_tls_state wire_tls_state(const struct wire_tls *t);

/*
 * Ciphertext came (empty: just go on, as a client must to start). Decrypted bytes are
 * appended to `plain`; what must go to the peer (handshake, alerts) is appended to
 * `cipher`. Look at wire_tls_state() afterwards. -ENOMEM.
 */
int wire_tls_feed(struct wire_tls *t, struct bytes in, struct buf *plain,
                  struct buf *cipher);

/* Encrypt `in` onto `cipher`. Only in OPEN or ENDED. -ENOMEM, -EPROTO. */
int wire_tls_send(struct wire_tls *t, struct bytes in, struct buf *cipher);

/* close_notify onto `cipher`. -ENOMEM. */
int wire_tls_end(struct wire_tls *t, struct buf *cipher);

/* Why it failed, for people: "the certificate expired on 2026-05-01 12:00:00 UTC", "the
 * certificate is for other.example, not for localhost", "the client spoke plain HTTP on
 * a TLS port", "the server refused: alert unknown CA (...)". Safe to print. Valid as
 * long as `t`; "" while all is well. */
const char *wire_tls_error(const struct wire_tls *t);

/* Listening side, after a failure: the first bytes were plain HTTP, so a plain HTTP
 * answer will be understood. */
bool wire_tls_peer_is_plain_http(const struct wire_tls *t);

/* Facts once OPEN, "" when absent; valid as long as `t`. */
const char *wire_tls_version(const struct wire_tls *t);
const char *wire_tls_cipher(const struct wire_tls *t);
const char *wire_tls_alpn(const struct wire_tls *t);
const char *wire_tls_server_name(const struct wire_tls *t);

#endif
