/*
 * cli/show_line - one line of text output: columns, colour, and never a raw byte.
 *
 * Counts terminal columns, so that cells align and the last one is cut to the width.
 * Everything that comes from a tape goes through show_line_safe or show_line_hex. Where
 * the locale is not UTF-8, our own signs have ASCII stand-ins and foreign text is
 * escaped.
 */
#ifndef WSTAPE_CLI_SHOW_LINE_H
#define WSTAPE_CLI_SHOW_LINE_H

#include "cli/show_out.h"

#include <stdint.h>

struct show_style {
    bool colour;
    bool utf8;
    unsigned width; /* of the terminal; 0: no terminal */
};

enum { SHOW_LINE_MAX = 1000 }; /* columns of text where there is no terminal */

enum show_colour {
    SHOW_PLAIN,
    SHOW_DIM,
    SHOW_BOLD,
    SHOW_CLIENT, /* what the client said */
    SHOW_SERVER, /* what the server said */
    SHOW_WSTAPE, /* what wstape did */
    SHOW_BAD,    /* faults, damage */
};

struct show_line {
    struct show_out *out;
    const struct show_style *style;
    struct buf scratch;
    enum show_colour colour; /* of what comes next */
    unsigned column;
};

void show_line_init(struct show_line *l, struct show_out *o,
                    const struct show_style *s);
void show_line_deinit(struct show_line *l);

/* Colour of what follows, until the next call or the end of the line. */
void show_line_colour(struct show_line *l, enum show_colour c);

/* Our own words: ASCII and the signs → ← ⇒ ⇐ · – … µ only. Cut at the terminal's width.
 */
void show_line_text(struct show_line *l, const char *text);
void show_line_format(struct show_line *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Spaces up to `column`; one at least unless at the start of the line. */
void show_line_to(struct show_line *l, unsigned column);

/* `text` (our own) so that it ends at `column`, after one space at least. */
void show_line_right(struct show_line *l, unsigned column, const char *text);

/* Columns left on this line. */
unsigned show_line_room(const struct show_line *l);

/* Foreign text in at most `room` columns, else cut with "…". `more`: there is more of
 * it than `in`. */
void show_line_safe(struct show_line *l, struct bytes in, unsigned room, bool more);

/* Bytes as "00 ff 12 …". */
void show_line_hex(struct show_line *l, struct bytes in, unsigned room, bool more);

/* Foreign text in full, however long: the terminal wraps it. */
void show_line_whole(struct show_line *l, struct bytes in);

/* The line break; 0 or the output's error. */
int show_line_end(struct show_line *l);

/* Columns that our own words take. */
unsigned show_line_columns(const struct show_line *l, const char *text);

#endif
