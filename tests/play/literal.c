#include "tests/play/play.h"
#include "wire/frame.h"

#include <errno.h>

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_pair(struct bytes text, size_t at)
{
    int high = at + 1 < text.len ? hex_digit(text.at[at]) : -1;
    int low = high < 0 ? -1 : hex_digit(text.at[at + 1]);

    return low < 0 ? -1 : high * 16 + low;
}

static int escape(struct bytes text, size_t *at, struct buf *out)
{
    int value;

    switch (text.at[*at]) {
    case 'r':
        value = '\r';
        break;
    case 'n':
        value = '\n';
        break;
    case 't':
        value = '\t';
        break;
    case 'x':
        value = hex_pair(text, *at + 1);
        *at += 2;
        break;
    default:
        value = text.at[*at];
    }
    *at += 1;
    return value < 0 ? -EINVAL : buf_put_byte(out, (uint8_t)value);
}

static int string(struct bytes text, size_t *at, struct buf *out)
{
    int r = 0;

    while (r == 0 && *at < text.len && text.at[*at] != '"') {
        if (text.at[*at] == '\\' && *at + 1 < text.len) {
            *at += 1;
            r = escape(text, at, out);
        } else {
            r = buf_put_byte(out, text.at[(*at)++]);
        }
    }
    if (*at == text.len) {
        return -EINVAL;
    }
    *at += 1;
    return r;
}

static int counted(struct bytes text, size_t *at, struct buf *out)
{
    struct wire_frame f = { .first = 0 };
    uint8_t header[WIRE_FRAME_HEADER_MAX];
    struct buf inner = { 0 };
    int r = string(text, at, &inner);

    f.payload_len = inner.len;
    f.form = wire_frame_form(inner.len);
    if (r == 0) {
        r = buf_put(out, bytes_make(header + 1, wire_frame_encode(&f, header) - 1));
    }
    if (r == 0) {
        r = buf_put(out, buf_bytes(&inner));
    }
    buf_deinit(&inner);
    return r;
}

/* "x*5000": the letter, so often. */
static int repeat(struct bytes text, size_t *at, struct buf *out)
{
    uint8_t letter = text.at[*at];
    unsigned long count = 0;
    int r = 0;

    for (*at += 2; *at < text.len && text.at[*at] >= '0' && text.at[*at] <= '9';
         *at += 1) {
        count = count * 10 + (unsigned long)(text.at[*at] - '0');
    }
    while (r == 0 && count-- > 0) {
        r = buf_put_byte(out, letter);
    }
    return r;
}

int play_literal(struct bytes text, struct buf *out)
{
    size_t at = 0;
    int r = 0;

    while (r == 0 && at < text.len) {
        int byte = hex_pair(text, at);

        if (text.at[at] == ' ') {
            at++;
        } else if (text.at[at] == '#' && at + 1 < text.len) {
            at += 2;
            r = counted(text, &at, out);
        } else if (text.at[at] == '"') {
            at++;
            r = string(text, &at, out);
        } else if (at + 1 < text.len && text.at[at + 1] == '*') {
            r = repeat(text, &at, out);
        } else if (byte >= 0) {
            at += 2;
            r = buf_put_byte(out, (uint8_t)byte);
        } else {
            r = -EINVAL;
        }
    }
    return r;
}

int play_put_literal(struct buf *out, struct bytes in)
{
    int r = buf_put_text(out, "\"");

    for (size_t i = 0; r == 0 && i < in.len; i++) {
        uint8_t c = in.at[i];

        if (c == '\r') {
            r = buf_put_text(out, "\\r");
        } else if (c == '\n') {
            r = buf_put_text(out, "\\n");
        } else if (c == '"' || c == '\\') {
            r = buf_put_format(out, "\\%c", c);
        } else if (c < 0x20 || c > 0x7e) {
            r = buf_put_format(out, "\\x%02x", c);
        } else {
            r = buf_put_byte(out, c);
        }
    }
    return r == 0 ? buf_put_text(out, "\"") : r;
}
