/*
 * tests/unit/tls/link - two TLS ends with a wire of bytes between them.
 *
 * Each end is a wire_tls or a bare OpenSSL one (for peers that do what ours never do).
 * The wire hands over at most `piece` bytes at a time.
 */
#ifndef WSTAPE_TESTS_TLS_LINK_H
#define WSTAPE_TESTS_TLS_LINK_H

#include "wire/tls.h"

#include <openssl/ssl.h>

struct link_end {
    struct wire_tls *tls; /* ours, or */
    SSL *bare;
    bool bare_failed;
    struct buf out;   /* cipher, for the other end */
    struct buf plain; /* what was decrypted */
    int r;            /* the first negative result */
};

struct link {
    struct link_end client;
    struct link_end server;
    size_t piece;
};

/* Hand bytes to and fro until nothing moves any more. */
void link_run(struct link *l);

/* As link_run, starting with an empty feed to the client. */
void link_start(struct link *l);

void link_send(struct link_end *e, const void *at, size_t len);

/* Frees both ends and their buffers. */
void link_deinit(struct link *l);

/* A bare end over memory BIOs; `server` without a host. */
SSL *link_bare(SSL_CTX *c, bool server);

#endif
