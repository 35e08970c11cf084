/*
 * tests/fuzz/target - what every fuzz target shares.
 */
#ifndef WSTAPE_TESTS_FUZZ_TARGET_H
#define WSTAPE_TESTS_FUZZ_TARGET_H

#include "base/buf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A property that must hold for every input. */
static inline void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Allocations do not fail here. */
static inline void put(struct buf *out, struct bytes in)
{
    must(buf_put(out, in) == 0);
}

static inline void same(const struct buf *a, const struct buf *b)
{
    must(bytes_equal(buf_bytes(a), buf_bytes(b)));
}

#endif
