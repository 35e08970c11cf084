#include "wire/json.h"

#include <assert.h>

#define REPLACEMENT 0xfffdU

static uint32_t hex_value(uint8_t byte)
{
    return byte <= '9' ? byte - (uint32_t)'0' : (byte | 0x20U) - 'a' + 10U;
}

/* The four digits after \u. */
static uint32_t hex_unit(const uint8_t *at)
{
    return hex_value(at[0]) << 12 | hex_value(at[1]) << 8 | hex_value(at[2]) << 4 |
           hex_value(at[3]);
}

static bool is_high(uint32_t c)
{
    return c >= 0xd800 && c <= 0xdbff;
}

static bool is_low(uint32_t c)
{
    return c >= 0xdc00 && c <= 0xdfff;
}

/* At the first digit of \uXXXX; joins it with a second one that makes a pair. */
static uint32_t unit_pair(const uint8_t **at, const uint8_t *end)
{
    uint32_t high = hex_unit(*at), low;

    *at += 4;
    if (!is_high(high) || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') {
        return high;
    }
    low = hex_unit(*at + 2);
    if (!is_low(low)) {
        return high;
    }
    *at += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static uint32_t escaped(const uint8_t **at, const uint8_t *end)
{
    uint8_t letter = (*at)[1];

    *at += 2;
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        return unit_pair(at, end);
    default:
        return letter;
    }
}

uint32_t wire_json_character(const uint8_t **at, const uint8_t *end)
{
    uint8_t lead = **at;
    uint32_t c;
    unsigned tail;

    if (lead == '\\') {
        return escaped(at, end);
    }
    tail = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    c = tail == 0 ? lead : lead & (0x3fU >> tail);
    (*at)++;
    while (tail-- > 0) {
        c = c << 6 | (*(*at)++ & 0x3fU);
    }
    return c;
}

/* Between the quotes. */
static struct bytes inside(struct bytes token)
{
    assert(token.len >= 2);
    return bytes_make(token.at + 1, token.len - 2);
}

static size_t encode(uint32_t c, uint8_t out[4])
{
    if (is_high(c) || is_low(c)) {
        c = REPLACEMENT;
    }
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* Up to the next escape, at most to `end`. */
static size_t unescaped_len(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *slash;

    if (at >= end) {
        return 0;
    }
    slash = memchr(at, '\\', (size_t)(end - at));
    return (size_t)((slash == NULL ? end : slash) - at);
}

int wire_json_decode(struct buf *out, struct bytes token)
{
    struct bytes in = inside(token);
    const uint8_t *at = in.at, *end = in.at + in.len;
    uint8_t utf8[4];
    int r = buf_reserve(out, in.len); /* no escape is shorter than its character */

    while (r == 0 && at < end) {
        size_t len = unescaped_len(at, end);

        if (len > 0) {
            r = buf_put(out, bytes_make(at, len));
            at += len;
        } else {
            len = encode(escaped(&at, end), utf8);
            r = buf_put(out, bytes_make(utf8, len));
        }
    }
    return r;
}

/* Takes `part` off the start of `text`; false when it is not there. */
static bool take(struct bytes *text, const uint8_t *part, size_t len)
{
    if (len > text->len || (len > 0 && memcmp(text->at, part, len) != 0)) {
        return false;
    }
    *text = bytes_from(*text, len);
    return true;
}

/* As above, for the character of the escape at `*at`. */
static bool take_escaped(struct bytes *text, const uint8_t **at, const uint8_t *end)
{
    uint32_t c = escaped(at, end);
    uint8_t utf8[4];

    return !is_high(c) && !is_low(c) && take(text, utf8, encode(c, utf8));
}

bool wire_json_equals(struct bytes token, struct bytes utf8)
{
    struct bytes in = inside(token);
    const uint8_t *at = in.at, *end = in.at + in.len;

    /* An escape is never shorter than what it stands for. */
    if (in.len < utf8.len || (utf8.len > 0 && *at != '\\' && *at != *utf8.at)) {
        return false;
    }
    while (at < end) {
        size_t len = unescaped_len(at, end);

        if (!take(&utf8, at, len)) {
            return false;
        }
        at += len;
        if (at < end && !take_escaped(&utf8, &at, end)) {
            return false;
        }
    }
    return utf8.len == 0;
}
