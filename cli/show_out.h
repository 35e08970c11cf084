/*
 * cli/show_out - buffered output of `wstape show`.
 *
 * Puts cannot fail: the first trouble is kept, what follows is dropped, and whoever
 * ends a line asks show_out_status(). A reader that went away (EPIPE) is trouble like
 * any other.
 */
#ifndef WSTAPE_CLI_SHOW_OUT_H
#define WSTAPE_CLI_SHOW_OUT_H

#include "base/buf.h"

#include <stdbool.h>

struct show_out {
    int fd;
    int error; /* 0 or the first negative errno */
    struct buf bytes;
    bool holds;       /* a line is not written yet, for it may be amended */
    size_t held_from; /* its start in `bytes` */
    size_t held_at;   /* where something may be put in */
};

void show_out_deinit(struct show_out *o);

void show_out_put(struct show_out *o, struct bytes in);
void show_out_text(struct show_out *o, const char *text);
void show_out_format(struct show_out *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void show_out_spaces(struct show_out *o, unsigned count);

/* Keep what a function of base/text returned. */
void show_out_note(struct show_out *o, int r);

/* The line that started at `from` may get something put in here, where it ends for now:
 * it and what follows are not written until show_out_amend or show_out_release. */
void show_out_hold(struct show_out *o, size_t from);

/* Put `text` into the line that is held, if there is one, and let go of it. */
void show_out_amend(struct show_out *o, const char *text);
void show_out_release(struct show_out *o);

/* Write when there is enough for one write; 0 or the kept error. */
int show_out_status(struct show_out *o);

/* Write all of it but what is held; 0 or the kept error. */
int show_out_flush(struct show_out *o);

#endif
