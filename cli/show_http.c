#include "cli/show.h"
#include "wire/utf8.h"

#include <stdio.h>

enum { INDENT = 4, DUMP_ROW = 16 };

static void put_margin(struct show *s)
{
    show_line_to(&s->line, INDENT);
    show_line_colour(&s->line, SHOW_DIM);
    show_line_text(&s->line, "| ");
    show_line_colour(&s->line, SHOW_PLAIN);
}

/* Text line by line, each in full: a terminal wraps it. */
static int put_lines(struct show *s, struct bytes in)
{
    int r = 0;

    while (r == 0 && in.len > 0) {
        size_t at = bytes_find(in, bytes_of("\n")), len = at;

        if (len > 0 && at < in.len && in.at[len - 1] == '\r') {
            len--;
        }
        put_margin(s);
        show_line_whole(&s->line, bytes_first(in, len));
        r = show_line_end(&s->line);
        in = bytes_from(in, at < in.len ? at + 1 : in.len);
    }
    return r;
}

static int put_dump_row(struct show *s, size_t offset, struct bytes row)
{
    put_margin(s);
    show_line_colour(&s->line, SHOW_DIM);
    show_line_format(&s->line, "%06zx  ", offset);
    show_line_colour(&s->line, SHOW_PLAIN);
    for (size_t i = 0; i < DUMP_ROW; i++) {
        if (i < row.len) {
            show_line_format(&s->line, "%02x ", row.at[i]);
        } else {
            show_line_text(&s->line, "   ");
        }
    }
    show_line_text(&s->line, " ");
    for (size_t i = 0; i < row.len; i++) {
        char one[2] = { (char)(row.at[i] >= 0x20 && row.at[i] < 0x7f ? row.at[i]
                                                                     : '.') };

        show_line_text(&s->line, one);
    }
    return show_line_end(&s->line);
}

static int put_dump(struct show *s, struct bytes in)
{
    int r = 0;

    for (size_t at = 0; r == 0 && at < in.len; at += DUMP_ROW) {
        size_t len = in.len - at < DUMP_ROW ? in.len - at : DUMP_ROW;

        r = put_dump_row(s, at, bytes_make(in.at + at, len));
    }
    return r;
}

/* UTF-8 with few control characters; a body that was cut may end inside a character. */
static bool is_text(struct bytes in)
{
    struct wire_utf8 u = { 0 };
    size_t odd = 0;

    for (size_t i = 0; i < in.len; i++) {
        odd += in.at[i] < 0x20 && (in.at[i] < '\t' || in.at[i] > '\r') ? 1 : 0;
    }
    return odd * 20 <= in.len && wire_utf8_check(&u, in);
}

int show_http_head(struct show *s, struct bytes head)
{
    if (head.len >= 4 && memcmp(head.at + head.len - 4, "\r\n\r\n", 4) == 0) {
        head.len -= 2;
    }
    return put_lines(s, head);
}

int show_http_body(struct show *s, const struct capture_body *b)
{
    return is_text(b->bytes) ? put_lines(s, b->bytes) : put_dump(s, b->bytes);
}
