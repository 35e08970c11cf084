/*
 * captures/decode - msgpack to records (FORMAT.md), in memory.
 *
 * Never trusts its input: lengths are checked against what is there before anything is
 * allocated, and a record counts only when its CRC is right.
 */
#ifndef WSTAPE_CAPTURES_DECODE_H
#define WSTAPE_CAPTURES_DECODE_H

#include "captures/record.h"

struct capture_decoder; /* holds msgpack's scratch memory */

struct capture_decoder *capture_decoder_new(void); /* NULL when memory is out */
void capture_decoder_free(struct capture_decoder *d);

enum {
    CAPTURE_DECODE_MORE = 1, /* a good start, but the rest is not there */
    CAPTURE_DECODE_BAD = 2,  /* no record here */
};

/* The header map at the start of `in`. `*used` and `*out` are set when 0 is returned.
 * CAPTURE_DECODE_BAD also for a newer version: then out->version tells (0 otherwise). */
int capture_decode_header(struct capture_decoder *d, struct bytes in, size_t *used,
                          struct capture_header *out);

/* One record at the start of `in`, CRC seeded with `id`. As above. Types of a later
 * version with a right CRC decode with only type, connection 0 and time 0 set. */
int capture_decode(struct capture_decoder *d, uint32_t id, struct bytes in, size_t *used,
                   struct capture_record *out);

#endif
