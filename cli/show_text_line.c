#include "cli/show_text.h"

#include "wire/utf8.h"

#include <stdio.h>

enum {
    TIME_END = 8,       /* columns: time, right-aligned */
    CONNECTION_MIN = 2, /* digits */
    KIND_COLUMNS = 8,
    NUMBER_MIN = 3, /* digits */
    SIZE_COLUMNS = 8,
};

static unsigned digits_of(uint64_t value, unsigned at_least)
{
    unsigned digits = 1;

    while (value >= 10) {
        value /= 10;
        digits++;
    }
    return digits > at_least ? digits : at_least;
}

static unsigned connection_end(const struct show *s)
{
    return TIME_END + 1 + digits_of(s->overview.highest, CONNECTION_MIN);
}

unsigned show_text_kind_start(const struct show *s)
{
    return connection_end(s) + (s->style.utf8 ? 3 : 4);
}

unsigned show_text_number_end(const struct show *s)
{
    return show_text_kind_start(s) + KIND_COLUMNS + NUMBER_MIN;
}

static unsigned text_start(const struct show *s)
{
    return show_text_number_end(s) + SIZE_COLUMNS + 2;
}

void show_text_start(struct show *s, const struct capture_moment *m, enum show_actor by,
                     enum show_colour colour, const char *kind)
{
    static const char *const arrows[] = { "→", "←", "·", "⇒", "⇐" };
    struct show_line *l = &s->line;
    char words[32];

    show_line_colour(l, SHOW_DIM);
    snprintf(words, sizeof(words), "%.3f", (double)m->time_ns / 1e9);
    show_line_right(l, TIME_END, words);
    snprintf(words, sizeof(words), "%u", (unsigned)m->connection);
    show_line_right(l, connection_end(s), m->connection == 0 ? "" : words);
    show_line_colour(l, colour);
    show_line_to(l, connection_end(s) + 1);
    show_line_text(l, arrows[by]);
    show_line_to(l, show_text_kind_start(s));
    show_line_text(l, kind);
}

void show_text_size(struct show *s, uint64_t size)
{
    char words[SHOW_SPAN_MAX];

    show_put_bytes(words, sizeof(words), size);
    show_line_right(&s->line, show_text_number_end(s) + SIZE_COLUMNS, words);
}

void show_text_column(struct show *s)
{
    show_line_colour(&s->line, SHOW_PLAIN);
    show_line_to(&s->line, text_start(s));
}

enum show_colour show_text_colour(enum side from)
{
    return from == CLIENT ? SHOW_CLIENT : SHOW_SERVER;
}

enum show_actor show_text_actor(enum side from)
{
    return from == CLIENT ? SHOW_BY_CLIENT : SHOW_BY_SERVER;
}

bool show_text_looks_like(struct bytes in)
{
    struct wire_utf8 u = { 0 };

    for (size_t i = 0; i < in.len; i++) {
        if (in.at[i] < 0x20 && in.at[i] != '\n' && in.at[i] != '\r' &&
            in.at[i] != '\t') {
            return false;
        }
    }
    return wire_utf8_check(&u, in);
}

void show_text_words(struct show *s, struct bytes text)
{
    show_line_safe(&s->line, text, show_line_room(&s->line), false);
}
