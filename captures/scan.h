/*
 * captures/scan - where an object of a tape ends, without believing it.
 *
 * Walks over msgpack heads only. Counts, depth and length are bounded before anything
 * else looks at the bytes, so that no input makes the unpacker allocate. Says nothing
 * about the CRC.
 */
#ifndef WSTAPE_CAPTURES_SCAN_H
#define WSTAPE_CAPTURES_SCAN_H

#include "captures/record.h"

enum {
    CAPTURE_DECODE_MORE = 1, /* a good start, but the rest is not there */
    CAPTURE_DECODE_BAD = 2,  /* no record here */
};

struct capture_scan {
    size_t len;     /* bytes of the object */
    size_t crc_at;  /* offset of its last element, the CRC */
    uint32_t crc;   /* as it says */
    uint32_t count; /* elements of the array, pairs of the map */
    uint8_t type;   /* of a record, any value from 1 to 127 */
};

/* An array at the start of `in` that begins and ends like a record. 0, or an enum of
 * the above; `*out` is set when 0 is returned. */
int capture_scan_record(struct bytes in, struct capture_scan *out);

/* A map at the start of `in` that begins and ends like a header. As above. */
int capture_scan_header(struct bytes in, struct capture_scan *out);

/* The first offset from `from` on at which a record may start: a quick look at a few
 * bytes. in.len when there is none. */
size_t capture_scan_find(struct bytes in, size_t from);

#endif
