/*
 * wire/authority - a local certificate authority, for listening with TLS without a
 * certificate of one's own.
 *
 * The authority is a P-256 key and a self-signed certificate (10 years, path length 0)
 * in one folder, made on first use: ca.pem (0644) and ca-key.pem (0600). Leaves live in
 * memory only.
 *
 * People put this authority into their trust stores, so its own certificate says that
 * it may vouch for local names and addresses only (name constraints, RFC 5280, section
 * 4.2.1.10): localhost, local, test, internal, lan, home.arpa, this machine's name when
 * it was made, and loopback, link-local and private addresses. A stolen key is then no
 * use against the web. Whoever listens under another name needs a certificate for it
 * (--tls-cert); wire_authority_leaf says so.
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

/* Load the authority of `folder`, or make one (folder mode 0700, with its parents; safe
 * when several processes do it at once). `wall_ns` is the time of day. Errors with
 * words: -EACCES, -EINVAL (damaged files: names them; expired), ... */
int wire_authority_open(const char *folder, int64_t wall_ns,
                        struct wire_authority_facts *out, struct err *e);

/* A new leaf signed by the authority of `folder` (made if it is not there), valid from
 * an hour ago for 7 days, for `host` (unless that is 0.0.0.0 or ::) and always for
 * localhost, 127.0.0.1 and ::1. PEM chain (leaf, authority) and key are appended. As
 * above; -EPERM when the authority may not vouch for `host`. */
int wire_authority_leaf(const char *folder, const char *host, int64_t wall_ns,
                        struct buf *chain, struct buf *key, struct err *e);

/* Leaves that no client must accept, for the faults `tls: expired` and the like. */
enum wire_leaf_fault {
    WIRE_LEAF_EXPIRED,
    WIRE_LEAF_SELF_SIGNED,
    WIRE_LEAF_WRONG_HOST, /* for wrong-host.test only */
};
int wire_authority_faulty_leaf(const char *folder, enum wire_leaf_fault fault,
                               int64_t wall_ns, struct buf *chain, struct buf *key,
                               struct err *e);

#endif
