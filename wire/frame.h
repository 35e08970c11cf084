/*
 * wire/frame - WebSocket frame headers (RFC 6455, section 5.2).
 *
 * Headers only. Payload is never buffered and no peer is ever refused: a header that
 * breaks the rules still decodes (wire/lint names what is wrong). Encoding gives back
 * exactly the bytes that were decoded. Knows nothing of sockets, time or messages.
 */
#ifndef WSTAPE_WIRE_FRAME_H
#define WSTAPE_WIRE_FRAME_H

#include "base/bytes.h"

#include <stdint.h>

enum { WIRE_FRAME_HEADER_MAX = 14 };

enum {
    WIRE_OP_CONTINUATION = 0,
    WIRE_OP_TEXT = 1,
    WIRE_OP_BINARY = 2,
    WIRE_OP_CLOSE = 8,
    WIRE_OP_PING = 9,
    WIRE_OP_PONG = 10,
};

enum { WIRE_FIN = 0x80, WIRE_RSV1 = 0x40, WIRE_RSV2 = 0x20, WIRE_RSV3 = 0x10 };

struct wire_frame {
    uint64_t payload_len; /* as declared, the top bit included */
    uint8_t first;        /* FIN, RSV1-3 and opcode as received */
    uint8_t form;         /* bits of the length field used: 7, 16 or 64 */
    uint8_t masked;       /* 0 or 1 */
    uint8_t mask[4];      /* zero when not masked */
    uint8_t header_len;   /* 2..14 */
};

static inline unsigned wire_frame_opcode(const struct wire_frame *f)
{
    return f->first & 0x0fU;
}

static inline int wire_frame_is_control(const struct wire_frame *f)
{
    return (f->first & 0x08U) != 0;
}

struct wire_frame_decoder {
    uint8_t raw[WIRE_FRAME_HEADER_MAX];
    uint8_t have; /* header bytes of the frame in progress */
};

enum { WIRE_FRAME_PARTIAL = 1 }; /* all input used, header not complete yet */

/*
 * Read header bytes from `in`, stopping at the first payload byte.
 * `*used` is set on every return; `*out` only when 0 is returned.
 * Any split of the same input gives the same headers.
 */
int wire_frame_decode(struct wire_frame_decoder *d, struct bytes in, size_t *used,
                      struct wire_frame *out);

/* Write the header to `out`; returns its length. `form` is taken as it is. */
size_t wire_frame_encode(const struct wire_frame *f,
                         uint8_t out[WIRE_FRAME_HEADER_MAX]);

/* The shortest form for a payload of `len` bytes: 7, 16 or 64. */
uint8_t wire_frame_form(uint64_t len);

#endif
