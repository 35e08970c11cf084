/*
 * wire/authority_cert - the certificates that wire/authority makes: which extensions,
 * what they say. Private to it; brings OpenSSL.
 */
#ifndef WSTAPE_WIRE_AUTHORITY_CERT_H
#define WSTAPE_WIRE_AUTHORITY_CERT_H

#include "wire/authority.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

struct authority {
    X509 *cert;
    EVP_PKEY *key;
};

void authority_deinit(struct authority *a);

/* A self-signed one; `machine` is the name of this machine, for its subject and its
 * name constraints. -ENOMEM. */
int authority_make(const char *user, const char *machine, int64_t wall_s,
                   struct authority *out);

/* True for an address or what may be a host's name; certificates are for those only. */
bool authority_can_name(const char *host);

/* A leaf for `host` and loopback, signed by `by`, with a key of its own. -ENOMEM. */
int authority_make_leaf(const struct authority *by, const char *host, int64_t wall_s,
                        struct authority *out);

/* One that no client must accept. -ENOMEM. */
int authority_make_faulty_leaf(const struct authority *by, enum wire_leaf_fault fault,
                               int64_t wall_s, struct authority *out);

/* X509_V_OK, or why `leaf` would not convince a client that trusts `by`. */
int authority_check(const struct authority *by, const struct authority *leaf,
                    int64_t wall_s);

#endif
