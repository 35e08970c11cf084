/*
 * captures/intern - texts kept once, however many connections share them.
 *
 * Ten thousand connections to one path cost one path. A zeroed struct is empty.
 */
#ifndef WSTAPE_CAPTURES_INTERN_H
#define WSTAPE_CAPTURES_INTERN_H

#include "base/bytes.h"

struct capture_text {
    struct bytes text; /* `at` also ends with a NUL */
    uint32_t hash;
};

struct capture_intern {
    struct capture_text *texts;
    size_t count;
    size_t cap; /* 0 or a power of two */
};

void capture_intern_deinit(struct capture_intern *t);

/* The kept copy of `text`, cut to `limit` bytes; lives as long as the struct. -ENOMEM.
 */
int capture_intern_put(struct capture_intern *t, struct bytes text, size_t limit,
                       struct bytes *out);

#endif
