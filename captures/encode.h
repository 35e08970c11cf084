/*
 * captures/encode - records to msgpack (FORMAT.md), in memory.
 *
 * A block collects encoded records until the writer takes it. Small payloads are
 * copied; large ones are referenced, so that a chunk read from the network is written
 * to the tape without a copy.
 */
#ifndef WSTAPE_CAPTURES_ENCODE_H
#define WSTAPE_CAPTURES_ENCODE_H

#include "base/buf.h"
#include "base/chunk.h"
#include "captures/record.h"
#include "captures/tally.h"

enum {
    CAPTURE_INSERT_MIN = 4096
}; /* payload bytes from which on a slice is referenced */

struct capture_insert {
    size_t at;          /* offset in `bytes` before which the slice goes */
    struct slice slice; /* one reference, the block's */
};

enum { CAPTURE_HEAD_MAX = 64 }; /* a FRAME's bytes before its payload */

/* The last FRAME that was encoded, if it was whole, unmasked and small: the next one
 * often differs in nothing but its payload. */
struct capture_head {
    struct capture_record record; /* its payload has a length only */
    uint8_t bytes[CAPTURE_HEAD_MAX];
    size_t len; /* 0: there is none */
};

struct capture_block {
    struct buf bytes;
    struct capture_insert *inserts;
    size_t insert_count, insert_cap;
    size_t len;       /* bytes of the whole, inserts included */
    uint32_t id;      /* seeds the CRCs */
    uint64_t records; /* in this block */
    unsigned quiet;   /* blocks in a row that left most of the memory unused */
    struct capture_tally tally; /* for the next checkpoint */
    struct capture_head head;
};

void capture_block_init(struct capture_block *b, uint32_t id);
void capture_block_deinit(struct capture_block *b);

/* Empty it after it was written (or lost); the tally goes on. Memory that a burst took
 * is given back after a while. */
void capture_block_clear(struct capture_block *b);

/* The header map; must come first on a tape. -ENOMEM leaves the block as it was. */
int capture_encode_header(struct capture_block *b, const struct capture_header *h);

/* Append `r`. `backing`, when not NULL, is the slice that holds the record's payload
 * bytes (body, frame, more or raw) verbatim: the block may take a reference instead of
 * a copy. A CHECKPOINT's own fields are filled in here. -ENOMEM leaves the block as it
 * was; -EMSGSIZE: over CAPTURE_RECORD_MAX (a caller's bug: pieces are the caller's
 * duty). -EINVAL: no type at all. */
int capture_encode(struct capture_block *b, const struct capture_record *r,
                   const struct slice *backing);

/* As capture_encode for a FRAME or MORE whose payload is still masked on the wire: the
 * record's payload field points to masked bytes, `at` is their offset in the frame's
 * payload; they are unmasked into the block. For MORE, `mask` is the frame's key. */
int capture_encode_masked(struct capture_block *b, const struct capture_record *r,
                          const uint8_t mask[4], uint64_t at);

/* Append a whole record's bytes as another tape with the same id has them. -ENOMEM. */
int capture_encode_copy(struct capture_block *b, struct bytes record);

#endif
