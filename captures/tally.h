/*
 * captures/tally - what a checkpoint says about the records before it.
 *
 * Writers keep one while they append, readers keep one while they read; a checkpoint on
 * which the two differ tells that whole records are missing.
 */
#ifndef WSTAPE_CAPTURES_TALLY_H
#define WSTAPE_CAPTURES_TALLY_H

#include "base/crc32c.h"

enum { CAPTURE_CRC_LEN = 5 }; /* the last element of every record: 0xce, 4 bytes */

struct capture_tally {
    uint64_t number;  /* checkpoints so far */
    uint64_t records; /* since the last checkpoint */
    uint64_t bytes;   /* of those records */
    uint32_t crc;     /* over their CRCs, 4 bytes each, big endian */
};

/* A record of `len` bytes that is no checkpoint; `end` points behind its last byte. */
static inline void capture_tally_add(struct capture_tally *t, const uint8_t *end,
                                     uint64_t len)
{
    t->records++;
    t->bytes += len;
    t->crc = crc32c(t->crc, bytes_make(end - 4, 4));
}

/* The checkpoint with this number. */
static inline void capture_tally_restart(struct capture_tally *t, uint64_t number)
{
    *t = (struct capture_tally){ .number = number };
}

#endif
