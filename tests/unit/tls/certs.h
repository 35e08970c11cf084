/*
 * tests/unit/tls/certs - certificates as tests want them: expired, for others,
 * self-signed.
 */
#ifndef WSTAPE_TESTS_TLS_CERTS_H
#define WSTAPE_TESTS_TLS_CERTS_H

#include "base/buf.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct cert {
    X509 *x;
    EVP_PKEY *key;
};

struct cert_wants {
    const char *name;  /* common name */
    const char *names; /* subjectAltName in OpenSSL's notation; NULL: none */
    const char *usage; /* extended key usage; NULL: none */
    bool authority;
    int from_days; /* relative to now */
    int to_days;   /* 0: 30 */
};

/* Signed by `by`, or by itself when that is NULL. */
struct cert cert_make(const struct cert_wants *wants, const struct cert *by);
void cert_free(struct cert *c);

/* PEM, appended. */
void cert_put(struct buf *out, const struct cert *c);
void cert_put_key(struct buf *out, const struct cert *c, const char *passphrase);

/* A temporary file with it; freed by temporary_free, which removes the file. */
char *temporary_file(struct bytes in);
char *temporary_folder(void);
void temporary_free(char *path); /* a folder with what is in it */

#endif
