/*
 * captures/decode - msgpack to records (FORMAT.md), in memory.
 *
 * Never trusts its input: lengths are checked against what is there before anything is
 * allocated, and a record counts only when its CRC is right.
 */
#ifndef WSTAPE_CAPTURES_DECODE_H
#define WSTAPE_CAPTURES_DECODE_H

#include "captures/scan.h"

struct capture_decoder; /* holds msgpack's scratch memory */

struct capture_decoder *capture_decoder_new(void); /* NULL when memory is out */
void capture_decoder_free(struct capture_decoder *d);

/* All three: 0, CAPTURE_DECODE_MORE, CAPTURE_DECODE_BAD, or -ENOMEM. */

/* The header map at the start of `in`. `*used` and `*out` are set when 0 is returned.
 * CAPTURE_DECODE_BAD also for a newer version: then out->version tells (0 otherwise).
 */
int capture_decode_header(struct capture_decoder *d, struct bytes in, size_t *used,
                          struct capture_header *out);

/* The id of the tape that a checkpoint at the start of `in` belongs to, for a tape
 * whose header is damaged: the CRC is seeded with the id the checkpoint itself carries.
 */
int capture_decode_orphan(struct capture_decoder *d, struct bytes in, uint32_t *id);

/* One record at the start of `in`, CRC seeded with `id`. As above. Types of a later
 * version with a right CRC decode with only type, connection 0 and time 0 set; an end
 * of a kind unknown here reads as CAPTURE_END_ERROR; fields added later are ignored. */
int capture_decode(struct capture_decoder *d, uint32_t id, struct bytes in,
                   size_t *used, struct capture_record *out);

#endif
