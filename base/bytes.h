/*
 * base/bytes - a borrowed run of bytes.
 *
 * Owns nothing: whoever made it says how long it lives. `at` may be NULL when `len` is
 * 0.
 */
#ifndef WSTAPE_BASE_BYTES_H
#define WSTAPE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at;
    size_t len;
};

/* The bytes of a literal or of any C string, without its final NUL. */
static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static inline struct bytes bytes_make(const void *at, size_t len)
{
    return (struct bytes){ at, len };
}

bool bytes_equal(struct bytes a, struct bytes b);

/* As bytes_equal, but ASCII letters compare without case (RFC 9110, field names). */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* From `from` (inclusive) to the end; `from` is at most `b.len`. */
static inline struct bytes bytes_from(struct bytes b, size_t from)
{
    return (struct bytes){ b.len == 0 ? b.at : b.at + from, b.len - from };
}

/* The first `len` bytes; `len` is at most `b.len`. */
static inline struct bytes bytes_first(struct bytes b, size_t len)
{
    return (struct bytes){ b.at, len };
}

/* Without spaces and tabs at both ends (OWS of RFC 9110, section 5.6.3). */
struct bytes bytes_trim(struct bytes b);

/* Where `needle` first occurs in `b`, or b.len when it does not. */
size_t bytes_find(struct bytes b, struct bytes needle);

#endif
