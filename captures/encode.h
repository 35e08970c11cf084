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

#include <stdbool.h>

enum {
    CAPTURE_INSERT_MIN = 4096
}; /* payload bytes from which on a slice is referenced */

struct capture_insert {
    size_t at;          /* offset in `bytes` before which the slice goes */
    struct slice slice; /* one reference, the block's */
};

enum { CAPTURE_HEAD_MAX = 64 }; /* a FRAME's bytes before its payload */

/* The record encoded last, if it was a small FRAME: what capture_encode_again repeats.
 */
struct capture_again {
    size_t at;          /* offset of the record in the block's bytes */
    size_t len;         /* of its bytes before the payload; 0: it was none */
    size_t payload_len; /* in this record */
    bool taken;         /* the two below are filled */
    uint8_t head[CAPTURE_HEAD_MAX];
    uint32_t crc; /* of the head */
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
    struct capture_again again;
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

/* The record encoded last was a FRAME with a payload under CAPTURE_INSERT_MIN. */
static inline bool capture_can_repeat(const struct capture_block *b)
{
    return b->again.len > 0;
}

/* When capture_can_repeat: append that record once more, with another payload of the
 * same length. The bytes are those that capture_encode would make; bursts of small
 * frames differ in nothing else. -ENOMEM leaves the block as it was. */
int capture_encode_again(struct capture_block *b, struct bytes payload);

/* Append a whole record's bytes as another tape with the same id has them. -ENOMEM. */
int capture_encode_copy(struct capture_block *b, struct bytes record);

#endif
