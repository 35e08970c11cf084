/*
 * base/text - text for people and from people: escapes, numbers with units, base64.
 *
 * Nothing from the network reaches a terminal but through text_put_escaped.
 */
#ifndef WSTAPE_BASE_TEXT_H
#define WSTAPE_BASE_TEXT_H

#include "base/buf.h"

#include <stdint.h>

/* Append `in` safe for a terminal: valid UTF-8 stays; C0, DEL, C1, bidi and other
 * invisible controls and invalid bytes become \n, \t, \x1b, \u{202e} and the like. At
 * most `limit` input bytes (whole characters), then "…". -ENOMEM. */
int text_put_escaped(struct buf *out, struct bytes in, size_t limit);

/* Append a JSON string (RFC 8259) with its quotes. Invalid UTF-8 becomes U+FFFD; DEL
 * and C1 controls are escaped too, so that the line is safe to print. -ENOMEM. */
int text_put_json(struct buf *out, struct bytes in);

/* Append base64 (RFC 4648, section 4, with padding). -ENOMEM. */
int text_put_base64(struct buf *out, struct bytes in);

/* Append two lower-case hex digits a byte. -ENOMEM. */
int text_put_hex(struct buf *out, struct bytes in);

/* Append a size for people: "112 B", "4.2 kB", "1.3 MB" (powers of 1000). -ENOMEM. */
int text_put_size(struct buf *out, uint64_t size);

/* Append "2026-11-20T23:05:01.123Z" for nanoseconds since 1970. -ENOMEM. */
int text_put_utc(struct buf *out, int64_t wall_ns);

/* "250ms", "3s", "2m", "1.5s", "1h", "0"; a bare number other than 0 is an error.
 * -EINVAL when it is none or beyond 10 years. Written on success only. */
int text_parse_duration(const char *text, int64_t *out_ns);

/* "512", "64k", "16M", "1G" (powers of 1024). -EINVAL as above. */
int text_parse_size(const char *text, uint64_t *out);

/* A decimal of digits only, within min..max. -EINVAL. */
int text_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* The entry of NULL-terminated `names` that looks most like `text` (edit distance at
 * most a third of its length, 2 at least), or NULL: for "did you mean". */
const char *text_nearest(const char *text, const char *const *names);

#endif
