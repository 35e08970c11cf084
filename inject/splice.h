/*
 * inject/splice - builds a text from another one by replacing parts of it.
 *
 * Parts are given in the order of the text and do not overlap. Only inject/edit uses
 * it.
 */
#ifndef WSTAPE_INJECT_SPLICE_H
#define WSTAPE_INJECT_SPLICE_H

#include "base/buf.h"

struct inject_splice {
    struct bytes text;
    struct buf *out;
    size_t start;  /* length of `out` before */
    size_t copied; /* up to where `text` has been taken over */
};

/* Both are borrowed until the end. */
void inject_splice_start(struct inject_splice *s, struct bytes text, struct buf *out);

/* Take the text over up to `from`, and leave out what follows up to `to`. What is put
 * into `out` next stands in its place. -ENOMEM. */
int inject_splice_cut(struct inject_splice *s, size_t from, size_t to);

/* Take the rest over. -ENOMEM. */
int inject_splice_finish(struct inject_splice *s);

/* Make `out` what it was before the start. */
void inject_splice_undo(struct inject_splice *s);

#endif
