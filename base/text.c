#include "base/text.h"

#include <errno.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

static const char hex_digits[] = "0123456789abcdef";

/* ---- UTF-8 ---- */

#define INVALID UINT32_MAX

/* Bytes that may follow a lead byte (RFC 3629, section 4); 0 for no lead byte. */
static unsigned tail_of(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    if (lead < 0xe0) {
        return 1;
    }
    if (lead < 0xf0) {
        *low = lead == 0xe0 ? 0xa0 : 0x80;
        *high = lead == 0xed ? 0x9f : 0xbf;
        return 2;
    }
    *low = lead == 0xf0 ? 0x90 : 0x80;
    *high = lead == 0xf4 ? 0x8f : 0xbf;
    return 3;
}

/* The character at the start of `in` (at least one byte) and its length. INVALID: as
 * many bytes as begin a character that does not go on as it should, at least one. */
static uint32_t decode(struct bytes in, size_t *len)
{
    uint8_t lead = in.at[0], low, high;
    unsigned tail = tail_of(lead, &low, &high);
    uint32_t c = lead & (0x3fU >> tail);

    *len = 1;
    if (lead < 0x80) {
        return lead;
    }
    if (tail == 0) {
        return INVALID;
    }
    for (; tail > 0; tail--) {
        if (*len == in.len || in.at[*len] < low || in.at[*len] > high) {
            return INVALID;
        }
        c = c << 6 | (in.at[(*len)++] & 0x3fU);
        low = 0x80;
        high = 0xbf;
    }
    return c;
}

/* Characters that show nothing, or make others show in another place than they are. */
static bool is_hidden(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        { 0x7f, 0x9f },       { 0xad, 0xad },     { 0x61c, 0x61c },
        { 0x180e, 0x180e },   { 0x200b, 0x200f }, { 0x2028, 0x202e },
        { 0x2060, 0x206f },   { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
        { 0xe0000, 0xe007f },
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1]) {
            return true;
        }
    }
    return c < 0x20;
}

/* How many bytes at the start are printable ASCII other than `but` and `or`. */
static size_t plain_len(struct bytes in, uint8_t but, uint8_t or)
{
    size_t len = 0;

    while (len < in.len && in.at[len] >= 0x20 && in.at[len] < 0x7f &&
               in.at[len] != but && in.at[len] != or) {
        len++;
    }
    return len;
}

/* What the named escapes stand for, in the order of their letters. */
static const char *short_escape(uint32_t c)
{
    switch (c) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* ---- escapes ---- */

static int put_escaped_character(struct buf *out, struct bytes in, size_t *len)
{
    uint32_t c = decode(in, len);

    if (c == INVALID) {
        *len = 1;
        return buf_put_format(out, "\\x%02x", (unsigned)in.at[0]);
    }
    if (!is_hidden(c)) {
        return buf_put(out, bytes_first(in, *len));
    }
    if (short_escape(c) != NULL) {
        return buf_put_text(out, short_escape(c));
    }
    return buf_put_format(out, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
}

/* Cut at `limit`, but not inside a character. */
static size_t whole_characters(struct bytes in, size_t limit)
{
    size_t at = limit, len;

    if (in.len <= limit) {
        return in.len;
    }
    while (at > 0 && limit - at < 3 && (in.at[at] & 0xc0) == 0x80) {
        at--;
    }
    return decode(bytes_from(in, at), &len) != INVALID && at + len > limit ? at : limit;
}

static int put_all_escaped(struct buf *out, struct bytes in)
{
    int r = 0;

    while (in.len > 0 && r == 0) {
        size_t len = plain_len(in, 0, 0);

        r = len > 0 ? buf_put(out, bytes_first(in, len))
                    : put_escaped_character(out, in, &len);
        in = bytes_from(in, len);
    }
    return r;
}

int text_put_escaped(struct buf *out, struct bytes in, size_t limit)
{
    size_t before = out->len, len = whole_characters(in, limit);
    int r = put_all_escaped(out, bytes_first(in, len));

    if (r == 0 && len < in.len) {
        r = buf_put_text(out, "\u2026");
    }
    if (r < 0) {
        out->len = before;
    }
    return r;
}

/* "\\u0000" for one unit of UTF-16. */
static int put_json_unit(struct buf *out, uint32_t unit)
{
    const char escape[6] = { '\\',
                             'u',
                             hex_digits[unit >> 12 & 15],
                             hex_digits[unit >> 8 & 15],
                             hex_digits[unit >> 4 & 15],
                             hex_digits[unit & 15] };

    return buf_put(out, bytes_make(escape, sizeof(escape)));
}

static int put_json_escape(struct buf *out, uint32_t c)
{
    int r;

    if (short_escape(c) != NULL) {
        return buf_put_text(out, short_escape(c));
    }
    if (c < 0x10000) {
        return put_json_unit(out, c);
    }
    c -= 0x10000;
    r = put_json_unit(out, 0xd800 + (c >> 10));
    return r == 0 ? put_json_unit(out, 0xdc00 + (c & 0x3ff)) : r;
}

static int put_json_character(struct buf *out, struct bytes in, size_t *len)
{
    uint32_t c = decode(in, len);

    if (c == INVALID) {
        return buf_put_text(out, "\ufffd");
    }
    if (c == '"' || c == '\\') {
        return buf_put(out, bytes_make(c == '"' ? "\\\"" : "\\\\", 2));
    }
    return is_hidden(c) ? put_json_escape(out, c) : buf_put(out, bytes_first(in, *len));
}

int text_put_json(struct buf *out, struct bytes in)
{
    size_t before = out->len;
    int r = buf_put_byte(out, '"');

    while (in.len > 0 && r == 0) {
        size_t len = plain_len(in, '"', '\\');

        r = len > 0 ? buf_put(out, bytes_first(in, len))
                    : put_json_character(out, in, &len);
        in = bytes_from(in, len);
    }
    if (r == 0) {
        r = buf_put_byte(out, '"');
    }
    if (r < 0) {
        out->len = before;
    }
    return r;
}

/* ---- bytes as text ---- */

int text_put_base64(struct buf *out, struct bytes in)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int r = buf_reserve(out, (in.len + 2) / 3 * 4);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < in.len; i += 3) {
        size_t have = in.len - i < 3 ? in.len - i : 3;
        uint32_t v = (uint32_t)in.at[i] << 16;

        v |= have > 1 ? (uint32_t)in.at[i + 1] << 8 : 0;
        v |= have > 2 ? in.at[i + 2] : 0;
        out->at[out->len++] = (uint8_t)digits[v >> 18];
        out->at[out->len++] = (uint8_t)digits[v >> 12 & 63];
        out->at[out->len++] = have > 1 ? (uint8_t)digits[v >> 6 & 63] : '=';
        out->at[out->len++] = have > 2 ? (uint8_t)digits[v & 63] : '=';
    }
    return 0;
}

int text_put_hex(struct buf *out, struct bytes in)
{
    int r = in.len > SIZE_MAX / 4 ? -ENOMEM : buf_reserve(out, in.len * 2);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < in.len; i++) {
        out->at[out->len++] = (uint8_t)hex_digits[in.at[i] >> 4];
        out->at[out->len++] = (uint8_t)hex_digits[in.at[i] & 15];
    }
    return 0;
}

/* ---- numbers as text ---- */

int text_put_size(struct buf *out, uint64_t size)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
    uint64_t unit = 1000, tenths;
    size_t i = 0;

    if (size < 1000) {
        return buf_put_format(out, "%u B", (unsigned)size);
    }
    /* The next unit where rounding would give 1000.0 of this one. */
    while (i + 1 < sizeof(units) / sizeof(units[0]) &&
           size >= unit * 1000 - unit / 20) {
        unit *= 1000;
        i++;
    }
    tenths = size / (unit / 10) + (size % (unit / 10) >= unit / 20 ? 1 : 0);
    return buf_put_format(out, "%llu.%llu %s", (unsigned long long)(tenths / 10),
                          (unsigned long long)(tenths % 10), units[i]);
}

int text_put_utc(struct buf *out, int64_t wall_ns)
{
    int64_t ns = wall_ns % NS_PER_S;
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm t;

    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    gmtime_r(&seconds, &t); /* cannot fail within the range of nanoseconds */
    return buf_put_format(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900,
                          t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
                          (int)(ns / NS_PER_MS));
}
