/*
 * cli/show_text - the text view in its parts: one line a moment.
 *
 * Columns: time since the tape's start, connection, arrow, kind, message number, size,
 * text.
 */
#ifndef WSTAPE_CLI_SHOW_TEXT_H
#define WSTAPE_CLI_SHOW_TEXT_H

#include "cli/show.h"

enum { SHOW_SPAN_MAX = 32 };

/* Whose doing it is: an arrow, a double one for what wstape itself sent. */
enum show_actor {
    SHOW_BY_CLIENT,
    SHOW_BY_SERVER,
    SHOW_BY_NOBODY,
    SHOW_TO_SERVER,
    SHOW_TO_CLIENT,
};

/* The columns up to the kind. */
void show_text_start(struct show *s, const struct capture_moment *m, enum show_actor by,
                     enum show_colour colour, const char *kind);
void show_text_size(struct show *s, uint64_t size);

/* Move to the text column. */
void show_text_column(struct show *s);

/* Foreign text up to the end of the line. */
void show_text_words(struct show *s, struct bytes text);

unsigned show_text_kind_start(const struct show *s);
unsigned show_text_number_end(const struct show *s);

enum show_colour show_text_colour(enum side from);
enum show_actor show_text_actor(enum side from);

/* UTF-8 without control characters but tabs and line ends; may stop inside a character.
 */
bool show_text_looks_like(struct bytes in);

/* "text", "close", "op 11"; may be written to `out`. */
const char *show_text_kind(unsigned opcode, char out[16]);

/* Lines of their own. A message or frame may be one that arrived (MESSAGE) or one that
 * wstape sent (DELIVERED). */
int show_text_message(struct show *s, const struct capture_moment *at);
int show_text_frame(struct show *s, const struct capture_moment *at);
int show_text_fault(struct show *s, const struct capture_moment *at);

#endif
