/*
 * inject/complain - collects what is wrong with rules, each with its place.
 *
 *   faults.yaml:7:11: unknown key "drop_feild" (did you mean drop_field?)
 *       drop_feild: tool_name
 *       ^
 *
 * Columns count characters, from 1. Complaints come out in the order of the sources and
 * of their texts; the same one about the same place is kept once.
 */
#ifndef WSTAPE_INJECT_COMPLAIN_H
#define WSTAPE_INJECT_COMPLAIN_H

#include "inject/build.h"

enum { INJECT_COMPLAINTS_SHOWN = 50 };

struct inject_complaint {
    const struct inject_source *source;
    size_t at;
    char text[400];
};

/* A zeroed struct has none. */
struct inject_complaints {
    struct inject_complaint *at; /* the first INJECT_COMPLAINTS_SHOWN that were found */
    size_t count;
    unsigned total;
    int failed; /* 0, or -ENOMEM: one was lost */
};

void inject_complaints_deinit(struct inject_complaints *c);

/* About the byte at `at` of the source's text. What comes from outside goes in through
 * inject_quote. */
void inject_complain(struct inject_complaints *c, const struct inject_source *s,
                     size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* All of them as text. -ENOMEM. */
int inject_complaints_put(struct inject_complaints *c, struct buf *out);

/* Line and column (in characters, both from 1) of an offset. */
void inject_place_of(struct bytes text, size_t at, unsigned *line, unsigned *column);

/* A few characters of what somebody wrote, safe to print. */
struct inject_quoted {
    char text[100];
};
struct inject_quoted inject_quote(struct bytes text);

#endif
