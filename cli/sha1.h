/*
 * cli/sha1 - SHA-1 (RFC 3174), for the WebSocket handshake of the demo's ends.
 *
 * The handshake asks for it by name; it protects nothing there. Not for anything else.
 */
#ifndef WSTAPE_CLI_SHA1_H
#define WSTAPE_CLI_SHA1_H

#include "base/bytes.h"

enum { SHA1_LEN = 20, SHA1_BLOCK = 64 };

struct sha1 {
    uint32_t state[5];
    uint64_t len; /* bytes so far */
    uint8_t block[SHA1_BLOCK];
};

void sha1_init(struct sha1 *s);
void sha1_put(struct sha1 *s, struct bytes in);

/* The digest; `s` is used up. */
void sha1_finish(struct sha1 *s, uint8_t out[SHA1_LEN]);

#endif
