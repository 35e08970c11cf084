/*
 * wire/lint - names what is wrong with a direction's frames (RFC 6455).
 *
 * Judges, never refuses. One struct wire_lint watches one direction from its first
 * frame on; feed it each header, then its payload in any pieces. Any split of the
 * payload shows the same bits. A message that starts inside a fragmented one takes its
 * place; compressed messages are not looked into.
 */
#ifndef WSTAPE_WIRE_LINT_H
#define WSTAPE_WIRE_LINT_H

#include "base/bytes.h"
#include "wire/frame.h"
#include "wire/side.h"
#include "wire/utf8.h"

#include <stdbool.h>
#include <stdint.h>

/* Bits on the tape: never re-use a number. */
enum {
    WIRE_FAULT_RSV = 1 << 0,              /* RSV bit no extension explains (5.2) */
    WIRE_FAULT_OPCODE = 1 << 1,           /* reserved opcode (5.2) */
    WIRE_FAULT_MASK = 1 << 2,             /* client unmasked or server masked (5.1) */
    WIRE_FAULT_LENGTH_FORM = 1 << 3,      /* not the shortest form (5.2) */
    WIRE_FAULT_LENGTH_TOP_BIT = 1 << 4,   /* length of 2^63 and more (5.2) */
    WIRE_FAULT_CONTROL_LENGTH = 1 << 5,   /* control frame over 125 bytes (5.5) */
    WIRE_FAULT_CONTROL_FRAGMENT = 1 << 6, /* control frame without FIN (5.5) */
    WIRE_FAULT_ORPHAN = 1 << 7,           /* continuation of nothing (5.4) */
    WIRE_FAULT_INTERLEAVED = 1 << 8,   /* new message inside a fragmented one (5.4) */
    WIRE_FAULT_UTF8 = 1 << 9,          /* text or close reason not UTF-8 (8.1) */
    WIRE_FAULT_CLOSE_LENGTH = 1 << 10, /* close payload of one byte (5.5.1) */
    WIRE_FAULT_CLOSE_CODE = 1 << 11,   /* code that must not be on the wire (7.4) */
    WIRE_FAULT_AFTER_CLOSE = 1 << 12,  /* a frame after the close frame (5.5.1) */
};

/* "rsv", "opcode", ... for one bit, by its position; NULL past the last. */
const char *wire_fault_name(unsigned bit);

struct wire_lint {
    uint64_t payload_at; /* payload bytes of the current frame seen */
    struct wire_frame frame;
    struct wire_utf8 message_utf8; /* of the text message in progress */
    struct wire_utf8 close_utf8;
    uint16_t close_code;
    uint8_t from;           /* enum side */
    uint8_t rsv_allowed;    /* WIRE_RSV bits an extension has claimed */
    uint8_t message_opcode; /* of the fragmented message in progress, 0 none */
    uint8_t message_coded;  /* it is compressed: its bytes are not text */
    uint8_t closed;         /* a close frame has passed */
    uint8_t utf8_bad;       /* reported once a message */
    uint8_t close_bad;      /* reported once a close reason */
};

/* `rsv_allowed`: WIRE_RSV1 when permessage-deflate was agreed (RFC 7692, 6). */
void wire_lint_init(struct wire_lint *l, enum side from, uint8_t rsv_allowed);

/* A header came: WIRE_FAULT_* bits it shows. */
uint32_t wire_lint_frame(struct wire_lint *l, const struct wire_frame *f);

/* The next unmasked payload bytes of that frame: the bits they show. Call it once with
 * the last bytes (or with none, for an empty payload) so that what only the end tells
 * is judged. */
uint32_t wire_lint_payload(struct wire_lint *l, struct bytes payload);

/* A frame with all of its payload: the same bits as the two above together. Nearly
 * every frame comes whole, and most are a message by themselves, which is seen at a
 * glance. */
uint32_t wire_lint_whole(struct wire_lint *l, const struct wire_frame *f,
                         struct bytes payload);

/* A text or binary message in one frame, not compressed. */
bool wire_lint_is_plain(const struct wire_frame *f);

/* When wire_lint_is_plain and a frame with the very same header showed nothing right
 * before this one: whether this one, with all of its payload, shows nothing either. */
bool wire_lint_plain(const struct wire_frame *f, struct bytes payload);

#endif
