#include "cli/show_line.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <wchar.h>

struct sign {
    const char *utf8;
    const char *ascii;
};

static const struct sign signs[] = {
    { "→", "->" }, { "←", "<-" }, { "⇒", "=>" },  { "⇐", "<=" },
    { "·", "-" },  { "–", "-" },  { "…", "..." }, { "µ", "u" },
};

/* One character of valid UTF-8 at `at`; its length. */
static size_t character(const uint8_t *at, size_t len, uint32_t *out)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t value = size == 1 ? at[0] : at[0] & (0x7fU >> size);

    if (size > len) {
        *out = at[0];
        return 1;
    }
    for (size_t i = 1; i < size; i++) {
        value = value << 6 | (at[i] & 0x3fU);
    }
    *out = value;
    return size;
}

static const struct sign *sign_at(const char *text)
{
    if ((*text & 0x80) == 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (strncmp(text, signs[i].utf8, strlen(signs[i].utf8)) == 0) {
            return &signs[i];
        }
    }
    return NULL;
}

void show_line_init(struct show_line *l, struct show_out *o, const struct show_style *s)
{
    *l = (struct show_line){ .out = o, .style = s };
}

void show_line_deinit(struct show_line *l)
{
    buf_deinit(&l->scratch);
}

void show_line_colour(struct show_line *l, enum show_colour c)
{
    static const char *const codes[] = {
        [SHOW_PLAIN] = "\x1b[0m",   [SHOW_DIM] = "\x1b[2m",
        [SHOW_BOLD] = "\x1b[1m",    [SHOW_CLIENT] = "\x1b[36m",
        [SHOW_SERVER] = "\x1b[32m", [SHOW_WSTAPE] = "\x1b[33m",
        [SHOW_BAD] = "\x1b[31m",
    };

    if (!l->style->colour) {
        return;
    }
    if (l->colour != SHOW_PLAIN) {
        show_out_text(l->out, codes[SHOW_PLAIN]);
    }
    if (c != SHOW_PLAIN) {
        show_out_text(l->out, codes[c]);
    }
    l->colour = c;
}

/* The next piece of our own words, as it is printed, and its columns. */
static const char *own_piece(const struct show_style *style, const char **text,
                             unsigned *columns, size_t *len)
{
    const struct sign *sign = sign_at(*text);
    const char *at = *text;

    if (sign == NULL) {
        *columns = 1;
        *len = 1;
        *text += 1;
        return at;
    }
    *text += strlen(sign->utf8);
    *columns = style->utf8 ? 1 : (unsigned)strlen(sign->ascii);
    at = style->utf8 ? sign->utf8 : sign->ascii;
    *len = strlen(at);
    return at;
}

void show_line_text(struct show_line *l, const char *text)
{
    unsigned columns;
    size_t len;

    while (*text != '\0') {
        const char *at = own_piece(l->style, &text, &columns, &len);

        if (l->style->width != 0 && l->column + columns > l->style->width) {
            return;
        }
        show_out_put(l->out, bytes_make(at, len));
        l->column += columns;
    }
}

unsigned show_line_columns(const struct show_line *l, const char *text)
{
    unsigned sum = 0, columns;
    size_t len;

    while (*text != '\0') {
        (void)own_piece(l->style, &text, &columns, &len);
        sum += columns;
    }
    return sum;
}

void show_line_format(struct show_line *l, const char *format, ...)
{
    char words[256];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    show_line_text(l, words);
}

void show_line_to(struct show_line *l, unsigned column)
{
    unsigned count = l->column == 0 ? 0 : 1;

    if (column > l->column) {
        count = column - l->column;
    }
    show_out_spaces(l->out, count);
    l->column += count;
}

void show_line_right(struct show_line *l, unsigned column, const char *text)
{
    unsigned columns = show_line_columns(l, text);

    show_line_to(l, column > columns ? column - columns : 0);
    show_line_text(l, text);
}

unsigned show_line_room(const struct show_line *l)
{
    unsigned width = l->style->width;

    if (width == 0) {
        return SHOW_LINE_MAX;
    }
    return width > l->column ? width - l->column : 0;
}

/* ---- foreign text ---- */

/* One character in a form that this terminal shows in a known number of columns. */
static unsigned put_character(struct show_line *l, const uint8_t *at, size_t len,
                              uint32_t value, bool measure_only)
{
    int columns = value < 0x80 ? 1 : l->style->utf8 ? wcwidth((wchar_t)value) : -1;
    char escape[16];

    if (columns >= 0) {
        if (!measure_only) {
            show_out_put(l->out, bytes_make(at, len));
        }
        return (unsigned)columns;
    }
    snprintf(escape, sizeof(escape), "\\u{%x}", (unsigned)value);
    if (!measure_only) {
        show_out_text(l->out, escape);
    }
    return (unsigned)strlen(escape);
}

/* Bytes at the start of `in` that are ASCII, `room` at most. */
static size_t ascii_len(struct bytes in, unsigned room)
{
    size_t max = in.len < room ? in.len : room, len = 0;

    while (len < max && in.at[len] < 0x80) {
        len++;
    }
    return len;
}

/* Put what of the scratch fits into `room`; the bytes that did. */
static size_t put_fitting(struct show_line *l, unsigned room, bool measure_only)
{
    struct bytes in = buf_bytes(&l->scratch);
    unsigned used = 0;

    while (in.len > 0) {
        size_t len = ascii_len(in, room - used);
        unsigned columns = (unsigned)len;
        uint32_t value = 0;

        if (len == 0) {
            len = character(in.at, in.len, &value);
            columns = put_character(l, in.at, len, value, true);
        }
        if (used + columns > room) {
            break;
        }
        if (!measure_only && in.at[0] < 0x80) {
            show_out_put(l->out, bytes_first(in, len));
        } else if (!measure_only) {
            put_character(l, in.at, len, value, false);
        }
        used += columns;
        in = bytes_from(in, len);
    }
    l->column += measure_only ? 0 : used;
    return l->scratch.len - in.len;
}

static void put_cut(struct show_line *l, unsigned room, bool more)
{
    unsigned sign = l->style->utf8 ? 1 : 3;

    if (!more && put_fitting(l, room, true) == l->scratch.len) {
        put_fitting(l, room, false);
    } else if (room >= sign) {
        put_fitting(l, room - sign, false);
        show_line_text(l, "…");
    }
}

void show_line_safe(struct show_line *l, struct bytes in, unsigned room, bool more)
{
    size_t limit = (size_t)room * 4 + 4; /* a column takes four bytes at most */

    more = more || in.len > limit;
    in = bytes_first(in, in.len < limit ? in.len : limit);
    buf_clear(&l->scratch);
    show_out_note(l->out, text_put_escaped(&l->scratch, in, in.len));
    put_cut(l, room, more);
}

void show_line_whole(struct show_line *l, struct bytes in)
{
    buf_clear(&l->scratch);
    show_out_note(l->out, text_put_escaped(&l->scratch, in, in.len));
    put_fitting(l, UINT32_MAX / 2, false);
}

void show_line_hex(struct show_line *l, struct bytes in, unsigned room, bool more)
{
    size_t limit = (size_t)room / 3 + 2;

    more = more || in.len > limit;
    in = bytes_first(in, in.len < limit ? in.len : limit);
    buf_clear(&l->scratch);
    for (size_t i = 0; i < in.len; i++) {
        show_out_note(l->out, buf_put_format(&l->scratch, i == 0 ? "%02x" : " %02x",
                                             (unsigned)in.at[i]));
    }
    put_cut(l, room, more);
}

int show_line_end(struct show_line *l)
{
    show_line_colour(l, SHOW_PLAIN);
    show_out_text(l->out, "\n");
    l->column = 0;
    return show_out_status(l->out);
}
