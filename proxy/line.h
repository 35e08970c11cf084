/*
 * proxy/line - bytes that wait for their time, in order.
 *
 * A queue of slices, each with the earliest moment it may go; nothing overtakes. An end
 * may stand behind the last one. Time is an argument.
 */
#ifndef WSTAPE_PROXY_LINE_H
#define WSTAPE_PROXY_LINE_H

#include "base/chunk.h"

#include <stdbool.h>
#include <stdint.h>

#define PROXY_LINE_NEVER INT64_MAX /* as a time: not before somebody flushes */

struct proxy_line_item {
    struct slice bytes; /* one reference */
    int64_t go_at;
    bool whole; /* ends at a frame border */
};

struct proxy_line {
    struct proxy_line_item *items; /* a ring */
    size_t first, count, cap;
    size_t len;    /* bytes of all */
    int64_t go_at; /* of the last item put; later ones are not earlier */
    bool torn;     /* what has gone so far ends inside a frame */
    bool ended;    /* an end waits behind the last item */
    int end_kind;  /* enum capture_end */
};

void proxy_line_deinit(struct proxy_line *l);

/* Append; takes its own reference. -ENOMEM. */
int proxy_line_put(struct proxy_line *l, struct slice bytes, int64_t go_at, bool whole);

/* The first item, if its time has come: its reference is the caller's. */
bool proxy_line_take(struct proxy_line *l, int64_t now_ns, struct slice *out);

/* When the first item may go; negative: there is none, or never. */
int64_t proxy_line_next_at(const struct proxy_line *l);

/* Let everything go at once. */
void proxy_line_flush(struct proxy_line *l);

/* Drop everything, the end behind it included. */
void proxy_line_clear(struct proxy_line *l);

static inline bool proxy_line_empty(const struct proxy_line *l)
{
    return l->count == 0;
}

#endif
