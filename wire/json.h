/*
 * wire/json - a strict scan over one JSON text (RFC 8259).
 *
 * Yields tokens with their byte offsets, so that a caller can cut in the text itself.
 * The text lies whole in memory and is borrowed. Nothing is allocated, converted or
 * copied: a number stays the characters it was written with. Duplicate keys are not
 * looked for.
 *
 * Refused: a byte order mark, anything after the value, invalid UTF-8 and bare control
 * characters in strings, containers nested deeper than WIRE_JSON_DEPTH_MAX. An escaped
 * surrogate without its partner is a character like any other (RFC 8259, section 8.2).
 */
#ifndef WSTAPE_WIRE_JSON_H
#define WSTAPE_WIRE_JSON_H

#include "base/buf.h"

enum { WIRE_JSON_DEPTH_MAX = 1000 };

enum wire_json_kind {
    WIRE_JSON_OBJECT, /* { */
    WIRE_JSON_ARRAY,  /* [ */
    WIRE_JSON_OBJECT_END,
    WIRE_JSON_ARRAY_END,
    WIRE_JSON_KEY, /* the string alone; its colon has been read too */
    WIRE_JSON_STRING,
    WIRE_JSON_NUMBER,
    WIRE_JSON_TRUE,
    WIRE_JSON_FALSE,
    WIRE_JSON_NULL,
};

struct wire_json_token {
    enum wire_json_kind kind;
    size_t from; /* offset of the first byte; a string's is its quote */
    size_t to;   /* offset after the last byte */
};

struct wire_json {
    struct bytes text;
    size_t at; /* how far it is read; after WIRE_JSON_BAD, where it went wrong */
    const char *reason; /* after WIRE_JSON_BAD: why, for people; NULL before */
    unsigned depth;     /* containers open */
    uint8_t state;
    uint64_t
        objects[WIRE_JSON_DEPTH_MAX / 64 + 1]; /* a bit a level: an object, no array */
};

enum {
    WIRE_JSON_OVER = 1, /* the text is over, and was JSON */
    WIRE_JSON_BAD,      /* the text is not JSON: see `at` and `reason` */
};

void wire_json_init(struct wire_json *j, struct bytes text);

/* The next token. `*out` is set only when 0 is returned; WIRE_JSON_OVER and
 * WIRE_JSON_BAD are returned again on every further call. */
int wire_json_next(struct wire_json *j, struct wire_json_token *out);

/* Read on to the end: WIRE_JSON_OVER or WIRE_JSON_BAD. */
int wire_json_finish(struct wire_json *j);

/* Read on past the end of the container whose first token was read last: 0 and the
 * offset after its bracket, or WIRE_JSON_BAD. */
int wire_json_leave(struct wire_json *j, size_t *to);

/*
 * The characters of a string token, quotes included, that a scan has accepted.
 */

/* A character at `*at`, escape or not; `*at` moves past it. `end` is the closing quote.
 * Halves of a surrogate pair are joined; one without the other comes as it is. */
uint32_t wire_json_character(const uint8_t **at, const uint8_t *end);

/* Append the string as UTF-8; a surrogate without its partner becomes U+FFFD. -ENOMEM.
 */
int wire_json_decode(struct buf *out, struct bytes token);

/* Whether the string is these UTF-8 bytes. A surrogate without its partner equals none.
 */
bool wire_json_equals(struct bytes token, struct bytes utf8);

#endif
