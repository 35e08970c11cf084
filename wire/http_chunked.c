#include "wire/http_chunked.h"

#include "wire/http_strict.h"

#include <errno.h>

enum {
    SIZE = 0,  /* hexadecimal digits */
    EXTENSION, /* what follows them on the line */
    SIZE_LF,   /* LF of the size line is due */
    DATA,      /* content */
    DATA_CR,   /* CRLF after the content is due */
    DATA_LF,
    LINE, /* a trailer line, or the empty line that ends it all */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
};

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void to(struct wire_chunked *c, uint8_t state)
{
    c->state = state;
}

static void end_size_line(struct wire_chunked *c)
{
    c->digits = 0;
    to(c, c->left == 0 ? LINE : DATA);
}

/* Each on_ function takes one byte; it returns NULL or what is wrong with it. */

static const char *on_extension(struct wire_chunked *c, uint8_t byte)
{
    if (byte == '\r') {
        to(c, SIZE_LF);
    } else if (byte == '\n') {
        if (!c->is_lenient) {
            return "a chunk size line ends with LF alone instead of CRLF";
        }
        end_size_line(c);
    } else if (!c->is_lenient && (byte == 0x7f || (byte < 0x20 && byte != '\t'))) {
        return "a control byte in a chunk extension";
    }
    return NULL;
}

static const char *on_size(struct wire_chunked *c, uint8_t byte)
{
    int digit = hex_value(byte);

    if (digit >= 0) {
        if (c->digits == 16 || c->left >> 59 != 0) {
            return "a chunk size beyond 2^63";
        }
        c->left = c->left << 4 | (unsigned)digit;
        c->digits++;
        return NULL;
    }
    if (c->digits == 0) {
        return "a chunk without a hexadecimal size";
    }
    if (!c->is_lenient && byte != '\r' && byte != '\n' && byte != ';') {
        return "a chunk size is followed by something else than \";\" or CRLF";
    }
    to(c, EXTENSION);
    return on_extension(c, byte);
}

static const char *on_data_end(struct wire_chunked *c, uint8_t byte)
{
    if (byte == '\r') {
        to(c, DATA_LF);
    } else if (byte == '\n' && c->is_lenient) {
        to(c, SIZE);
    } else {
        return "chunk data is not followed by CRLF: the chunk is longer or shorter "
               "than "
               "its size says";
    }
    return NULL;
}

static const char *on_line(struct wire_chunked *c, uint8_t byte)
{
    if (byte == '\r') {
        to(c, LAST_LF);
    } else if (c->is_lenient) {
        to(c, byte == '\n' ? DONE : TRAILER_VALUE);
    } else if (wire_http_is_token_byte(byte)) {
        to(c, TRAILER_NAME);
    } else {
        return "a line in the trailer section does not begin with a field name";
    }
    return NULL;
}

static const char *on_trailer_name(struct wire_chunked *c, uint8_t byte)
{
    if (byte == ':') {
        to(c, TRAILER_VALUE);
    } else if (!wire_http_is_token_byte(byte)) {
        return "a field name in the trailer section holds an invalid byte";
    }
    return NULL;
}

static const char *on_trailer_value(struct wire_chunked *c, uint8_t byte)
{
    if (byte == '\r') {
        to(c, TRAILER_LF);
    } else if (byte == '\n' && c->is_lenient) {
        to(c, LINE);
    } else if (!c->is_lenient && (byte == 0x7f || (byte < 0x20 && byte != '\t'))) {
        return "a control byte in the trailer section";
    }
    return NULL;
}

static const char *on_lf(struct wire_chunked *c, uint8_t byte)
{
    if (byte != '\n') {
        return "a carriage return without a line feed in a chunked body";
    }
    switch (c->state) {
    case SIZE_LF:
        end_size_line(c);
        break;
    case DATA_LF:
        to(c, SIZE);
        break;
    case TRAILER_LF:
        to(c, LINE);
        break;
    default:
        to(c, DONE);
        break;
    }
    return NULL;
}

static const char *on_byte(struct wire_chunked *c, uint8_t byte)
{
    switch (c->state) {
    case SIZE:
        return on_size(c, byte);
    case EXTENSION:
        return on_extension(c, byte);
    case DATA_CR:
        return on_data_end(c, byte);
    case LINE:
        return on_line(c, byte);
    case TRAILER_NAME:
        return on_trailer_name(c, byte);
    case TRAILER_VALUE:
        return on_trailer_value(c, byte);
    default:
        return on_lf(c, byte);
    }
}

static struct bytes take_content(struct wire_chunked *c, struct bytes in)
{
    size_t len = c->left < in.len ? (size_t)c->left : in.len;

    c->left -= len;
    if (c->left == 0) {
        to(c, DATA_CR);
    }
    return bytes_first(in, len);
}

enum wire_chunked_result wire_chunked_next(struct wire_chunked *c, struct bytes in,
                                           size_t *used, struct bytes *content,
                                           const char **why)
{
    *content = (struct bytes){ 0 };
    for (*used = 0; *used < in.len && c->state != DONE; (*used)++) {
        const char *wrong;

        if (c->state == DATA) {
            *content = take_content(c, bytes_from(in, *used));
            *used += content->len;
            return WIRE_CHUNKED_MORE;
        }
        wrong = on_byte(c, in.at[*used]);
        if (wrong != NULL) {
            *why = wrong;
            return WIRE_CHUNKED_BAD;
        }
    }
    return c->state == DONE ? WIRE_CHUNKED_END : WIRE_CHUNKED_MORE;
}

int wire_http_dechunk(struct bytes wire, struct buf *out)
{
    struct wire_chunked c = { .is_lenient = true };
    struct bytes content;
    const char *why;
    size_t used;

    for (;;) {
        enum wire_chunked_result what =
            wire_chunked_next(&c, wire, &used, &content, &why);
        int r = buf_put(out, content);

        if (r < 0) {
            return r;
        }
        wire = bytes_from(wire, used);
        if (what == WIRE_CHUNKED_END && wire.len == 0) {
            return 0;
        }
        if (what != WIRE_CHUNKED_MORE || wire.len == 0) {
            return -EINVAL;
        }
    }
}
