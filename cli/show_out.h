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
};

void show_out_deinit(struct show_out *o);

void show_out_put(struct show_out *o, struct bytes in);
void show_out_text(struct show_out *o, const char *text);
void show_out_format(struct show_out *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void show_out_spaces(struct show_out *o, unsigned count);

/* Keep what a function of base/text returned. */
void show_out_note(struct show_out *o, int r);

/* Write when there is enough for one write; 0 or the kept error. */
int show_out_status(struct show_out *o);

/* Write all of it; 0 or the kept error. */
int show_out_flush(struct show_out *o);

#endif
