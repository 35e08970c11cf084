/*
 * wire/authority - a local certificate authority, for listening with TLS without a
 * certificate of one's own.
 *
 * The authority is a P-256 key and a self-signed certificate (10 years, path length 0,
 * name constraints limiting it to local names and addresses) in one folder, made on first
 * use: ca.pem (0644) and ca-key.pem (0600). Leaves live in memory only.
 */
#ifndef WSTAPE_WIRE_AUTHORITY_H
#define WSTAPE_WIRE_AUTHORITY_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* What `wstape ca` prints about the authority. */
struct wire_authority_facts {
    char cert_path[1024];
    char subject[256];
    char sha256[96]; /* fingerprint, "AB:CD:..." */
    char not_after[64];
    bool created; /* made just now */
};

/* Load the authority of `folder`, or make one (folder mode 0700). `wall_ns` is the time
 * of day. Errors with words: -EACCES, -EINVAL (damaged files: names them), ... */
int wire_authority_open(const char *folder, int64_t wall_ns,
                        struct wire_authority_facts *out, struct err *e);

/* A new leaf signed by the authority of `folder`, valid for 7 days, for `host` and always
 * for localhost, 127.0.0.1 and ::1. PEM chain (leaf, authority) and key are appended. */
int wire_authority_leaf(const char *folder, const char *host, int64_t wall_ns,
                        struct buf *chain, struct buf *key, struct err *e);

#endif
