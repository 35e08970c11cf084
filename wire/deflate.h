/*
 * wire/deflate - permessage-deflate decompression (RFC 7692, section 7.2.2).
 *
 * One struct wire_inflate per direction: about 7 kB, and the window's size on top from
 * the first message on. The compressor comes with the rules that need it.
 */
#ifndef WSTAPE_WIRE_DEFLATE_H
#define WSTAPE_WIRE_DEFLATE_H

#include "base/buf.h"

#include <stdbool.h>

struct wire_inflate;

/* The window is the largest there is, whatever was negotiated: a peer that refers
 * further back than it should is still read, and the same way however its output is
 * taken. NULL when memory is out. */
struct wire_inflate *wire_inflate_new(bool no_context_takeover);
void wire_inflate_free(struct wire_inflate *i);

enum {
    WIRE_INFLATE_CORRUPT = 1, /* not a deflate stream: `out` holds what came before the
                                 damage; with context takeover every later message is
                                 CORRUPT too */
    WIRE_INFLATE_LIMIT = 2,   /* more than `limit` bytes: `out` holds the first `limit`;
                                 the context is still right for the next message */
};

/* Inflate one whole message payload (all frames joined) onto `out`, which grows by at
 * most `limit` bytes. 0, a WIRE_INFLATE_* value, or -ENOMEM (`out` is then as long as
 * before; when it was zlib that had no memory, later messages are CORRUPT). Past the
 * limit the rest is inflated and thrown away: the work is bounded by the input's length
 * times 1032. */
int wire_inflate_message(struct wire_inflate *i, struct bytes in, size_t limit,
                         struct buf *out);

/* ---- compression, for messages that rules change ---- */

struct wire_deflate;

/* A compressor that starts with an empty window: what it says is right for a receiver
 * whatever passed before, as long as nothing compressed by others comes after.
 * `window_bits` 8..15. NULL when memory is out. */
struct wire_deflate *wire_deflate_new(unsigned window_bits, bool no_context_takeover);
void wire_deflate_free(struct wire_deflate *d); /* takes NULL */

/* Append the payload of one compressed message (RFC 7692, 7.2.1). -ENOMEM. */
int wire_deflate_message(struct wire_deflate *d, struct bytes in, struct buf *out);

#endif
