/*
 * wire/utf8 - incremental UTF-8 check (RFC 3629).
 *
 * A zeroed struct is at the start of a text. Any split gives the same verdict.
 */
#ifndef WSTAPE_WIRE_UTF8_H
#define WSTAPE_WIRE_UTF8_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct wire_utf8 {
    uint8_t need;      /* continuation bytes still due */
    uint8_t low, high; /* range of the next one */
};

/* False when `in` goes wrong; the state is then undefined. */
bool wire_utf8_check(struct wire_utf8 *u, struct bytes in);

/* True when the text may end here. */
static inline bool wire_utf8_complete(const struct wire_utf8 *u)
{
    return u->need == 0;
}

#endif
