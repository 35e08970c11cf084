/*
 * wire/http_chunked - the chunked transfer coding (RFC 9112, section 7.1).
 *
 * Tells content from framing and finds the end; holds nothing. Strict: CRLF only, no
 * white space around sizes, trailers are proper field lines. Lenient: bare LF ends a
 * line, and what follows a size is passed over.
 */
#ifndef WSTAPE_WIRE_HTTP_CHUNKED_H
#define WSTAPE_WIRE_HTTP_CHUNKED_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeroed (but for is_lenient) at the start of a body. */
struct wire_chunked {
    uint64_t left; /* content bytes of the current chunk still to come */
    uint8_t state;
    uint8_t digits; /* of the size being read */
    bool is_lenient;
};

enum wire_chunked_result {
    WIRE_CHUNKED_MORE = 0, /* go on with the rest, if there is any */
    WIRE_CHUNKED_END,      /* the body is complete, its trailers included */
    WIRE_CHUNKED_BAD,      /* `*why` says what is wrong (static text) */
};

/* Read framing up to and with the next run of content, which is `*content` (maybe
 * empty).
 * `*used` bytes of `in` were read; at BAD they stop before the byte that is wrong. Any
 * split of the same input gives the same content, end and fault. */
enum wire_chunked_result wire_chunked_next(struct wire_chunked *c, struct bytes in,
                                           size_t *used, struct bytes *content,
                                           const char **why);

#endif
