/*
 * captures/fields - the fields of every record type, in the order of the tape.
 *
 * One table says what captures/encode writes, what captures/decode reads and what a
 * tape's header tells about itself; FORMAT.md says the same in words. Connection, time
 * and CRC, which every record has, are not listed.
 */
#ifndef WSTAPE_CAPTURES_FIELDS_H
#define WSTAPE_CAPTURES_FIELDS_H

#include "captures/record.h"

enum capture_field_kind {
    CAPTURE_FIELD_U8, /* uint8_t, uint32_t, uint64_t: msgpack integers */
    CAPTURE_FIELD_U32,
    CAPTURE_FIELD_U64,
    CAPTURE_FIELD_BOOL,  /* uint8_t, 0 or 1: a msgpack boolean */
    CAPTURE_FIELD_SIDE,  /* enum side: an integer */
    CAPTURE_FIELD_END,   /* enum capture_end: an integer */
    CAPTURE_FIELD_FORM,  /* uint8_t, 7, 16 or 64: an integer */
    CAPTURE_FIELD_MASK,  /* uint8_t[4]: bin, or nil when `flag` is 0 */
    CAPTURE_FIELD_TLS,   /* struct capture_tls: array of texts, nil when `flag` is 0 */
    CAPTURE_FIELD_TEXT,  /* struct bytes: str, nil when empty, bin when not UTF-8 */
    CAPTURE_FIELD_BIN,   /* struct bytes: bin */
    CAPTURE_FIELD_MAYBE, /* struct bytes: bin, nil when empty */
    CAPTURE_FIELD_PAYLOAD, /* struct bytes: bin, the last field */
};

struct capture_field {
    const char *name;
    enum capture_field_kind kind;
    uint16_t offset; /* in struct capture_record */
    uint16_t flag; /* MASK, TLS: offset of the uint8_t that says whether it is there */
};

enum { CAPTURE_FIELDS_MAX = 9 };

struct capture_fields {
    const char *name; /* of the type; NULL: this version knows no such type */
    struct capture_field at[CAPTURE_FIELDS_MAX];
    uint8_t count;
};

/* The fields of `type`, any number; `name` is NULL when it is unknown. Never NULL. */
const struct capture_fields *capture_fields_of(unsigned type);

#endif
