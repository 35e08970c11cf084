/*
 * captures/encode - records to msgpack (FORMAT.md), in memory.
 *
 * A block collects encoded records until the writer takes it. Small payloads are copied;
 * large ones are referenced, so that a chunk read from the network is written to the tape
 * without a copy.
 */
#ifndef WSTAPE_CAPTURES_ENCODE_H
#define WSTAPE_CAPTURES_ENCODE_H

#include "base/buf.h"
#include "base/chunk.h"
#include "captures/record.h"

struct capture_insert {
    size_t at;          /* offset in `bytes` before which the slice goes */
    struct slice slice; /* one reference, the block's */
};

struct capture_block {
    struct buf bytes;
    struct capture_insert *inserts;
    size_t insert_count, insert_cap;
    size_t len;       /* bytes of the whole, inserts included */
    uint32_t id;      /* seeds the CRCs */
    uint64_t records; /* in this block */
    uint64_t since_records; /* since the last checkpoint: for the next one */
    uint64_t since_bytes;
    uint32_t since_crc;
};

void capture_block_init(struct capture_block *b, uint32_t id);
void capture_block_deinit(struct capture_block *b);

/* Empty it after it was written (or lost); the checkpoint state goes on. */
void capture_block_clear(struct capture_block *b);

/* The header map; must come first on a tape. -ENOMEM leaves the block as it was. */
int capture_encode_header(struct capture_block *b, const struct capture_header *h);

/* Append `r`. `backing`, when not NULL, is the slice that holds the record's payload bytes
 * (body, frame, more or raw) verbatim: the block may take a reference instead of a copy.
 * A CHECKPOINT's own fields are filled in here. -ENOMEM leaves the block as it was;
 * -EMSGSIZE: over CAPTURE_RECORD_MAX (a caller's bug: pieces are the caller's duty). */
int capture_encode(struct capture_block *b, const struct capture_record *r,
                   const struct slice *backing);

/* As capture_encode for a FRAME or MORE whose payload is still masked on the wire: the
 * record's payload field points to masked bytes, `at` is their offset in the frame's
 * payload; they are unmasked into the block. For MORE, `mask` is the frame's key. */
int capture_encode_masked(struct capture_block *b, const struct capture_record *r,
                          const uint8_t mask[4], uint64_t at);

#endif
