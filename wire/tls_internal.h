/*
 * wire/tls_internal - what the files of wire/tls share; it brings OpenSSL.
 */
#ifndef WSTAPE_WIRE_TLS_INTERNAL_H
#define WSTAPE_WIRE_TLS_INTERNAL_H

#include "wire/tls.h"

#include <openssl/ssl.h>

struct wire_tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *pipe; /* moves bytes between a connection and its caller's buffers */
    bool is_server;
};

struct wire_tls {
    SSL *ssl;
    const struct wire_tls_context *context;
    enum wire_tls_state state;
    bool no_memory;     /* an append to `cipher` failed */
    uint8_t first_len;  /* of `first` */
    uint8_t first[8];   /* what came first, to tell plain HTTP */
    struct bytes in;    /* lent by the caller of wire_tls_feed, what is left of it */
    struct buf *cipher; /* lent likewise; NULL outside of calls */
    char *name;         /* the server's, without a final dot; NULL on the server side */
    struct buf error;   /* in words, with a final NUL; empty while all is well */
};

/* ---- tls_pipe.c ---- */

/* The BIO through which OpenSSL reaches `in` and `cipher`; its data is the wire_tls. */
BIO_METHOD *wire_tls_pipe_new(void);

/* ---- tls_words.c ---- */

/* Why the certificate that `x` is at does not convince, into t->error. */
void wire_tls_say_verify(struct wire_tls *t, X509_STORE_CTX *x);

/* Why the connection failed, from OpenSSL's queue of errors, into t->error unless
 * something more exact is there. */
void wire_tls_say_failure(struct wire_tls *t);

/* True when OpenSSL's queue says that memory is out. */
bool wire_tls_out_of_memory(void);

#endif
