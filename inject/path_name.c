#include "inject/path_name.h"

#include "wire/json.h"

#include <assert.h>

/* ---- without quotes ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool begins_name(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

size_t inject_path_name_len(struct bytes in)
{
    size_t len = 0;

    if (in.len == 0 || !begins_name(in.at[0])) {
        return 0;
    }
    while (len < in.len &&
           (begins_name(in.at[len]) || is_digit(in.at[len]) || in.at[len] == '-')) {
        len++;
    }
    return len;
}

/* ---- with quotes ---- */

static bool is_hex(uint8_t c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Bytes of the escape at the start of `in`, 0 when it is none or cut short. */
static size_t escape_len(struct bytes in)
{
    if (in.len >= 2 && memchr("bfnrt/\\'\"", in.at[1], 9) != NULL) {
        return 2;
    }
    if (in.len < 6 || in.at[1] != 'u') {
        return 0;
    }
    for (size_t i = 2; i < 6; i++) {
        if (!is_hex(in.at[i])) {
            return 0;
        }
    }
    return 6;
}

/* The escape at in.at[*at], as JSON has it; \' besides. */
static const char *read_escape(struct bytes in, size_t *at, struct buf *out)
{
    struct bytes rest = bytes_from(in, *at);
    size_t len = escape_len(rest);
    uint8_t token[2 + 12] = { '"' };
    const uint8_t *end = token + 1;
    uint32_t c;
    int r;

    if (len == 6 && escape_len(bytes_from(rest, 6)) == 6) {
        len = 12; /* perhaps a pair */
    }
    if (len == 0) {
        return "not an escape; they are those of JSON strings, and \\'";
    }
    memcpy(token + 1, rest.at, len);
    if (rest.at[1] == '\'') {
        c = '\'';
        end += 2;
    } else {
        c = wire_json_character(&end, token + 1 + len);
    }
    if (c >= 0xd800 && c <= 0xdfff) {
        return "half of a surrogate pair is no character";
    }
    len = (size_t)(end - token) - 1;
    token[len + 1] = '"';
    r = c == '\'' ? buf_put_byte(out, '\'')
                  : wire_json_decode(out, bytes_make(token, len + 2));
    assert(r == 0);
    *at += len;
    return NULL;
}

static const char *read_character(struct bytes in, size_t *at, struct buf *out)
{
    uint8_t c = in.at[*at];
    int r;

    if (c == '\\') {
        return read_escape(in, at, out);
    }
    if (c < 0x20) {
        return "a control character has to be escaped";
    }
    (*at)++;
    r = buf_put_byte(out, c);
    assert(r == 0);
    return NULL;
}

const char *inject_path_name_read(struct bytes in, size_t *at, struct buf *out)
{
    uint8_t quote = in.at[*at];
    size_t opened = (*at)++;

    while (*at < in.len && in.at[*at] != quote) {
        const char *wrong = read_character(in, at, out);

        if (wrong != NULL) {
            return wrong;
        }
    }
    if (*at == in.len) {
        *at = opened;
        return "this quote is not closed";
    }
    (*at)++;
    return NULL;
}

static int put_character(uint8_t c, struct buf *out)
{
    static const char named[] = "\bb\ff\nn\rr\tt''\\\\";

    for (size_t i = 0; named[i] != '\0'; i += 2) {
        if (c == (uint8_t)named[i]) {
            return buf_put_format(out, "\\%c", named[i + 1]);
        }
    }
    return c < 0x20 ? buf_put_format(out, "\\u%04x", (unsigned)c)
                    : buf_put_byte(out, c);
}

int inject_path_name_put(struct bytes name, struct buf *out)
{
    int r = buf_put_text(out, "['");

    for (size_t i = 0; i < name.len && r == 0; i++) {
        r = put_character(name.at[i], out);
    }
    return r < 0 ? r : buf_put_text(out, "']");
}
