/*
 * What comes out of reading a tape's bytes, however damaged, checked against the tape.
 */
#ifndef WSTAPE_TESTS_CAPTURES_READING_H
#define WSTAPE_TESTS_CAPTURES_READING_H

#include "tests/unit/captures/fixture.h"

/* What reading bytes gave, checked on the way: items follow one another without a hole,
 * and every record is one that was put on the tape, in its order. */
struct result {
    bool found[TAPE_RECORDS_MAX]; /* by number on the tape */
    size_t records;
    size_t damages;
    size_t missings;
    uint64_t damaged; /* bytes, torn ones too */
    uint64_t torn;
};

/* Read to the end of `size` bytes. */
void read_from(struct capture_reader *r, const struct tape *t, uint64_t size,
               struct result *out);

/* The result of capture_reader_new; `*out` when it is 0. `chunk` as in memory_source.
 */
int read_bytes(const struct tape *t, struct bytes in, size_t chunk, struct result *out);

/* Records that lie outside [from, to) of the tape's bytes must have been found. */
void assert_found_outside(const struct tape *t, const struct result *r, size_t from,
                          size_t to);

/* Owned by the caller. */
struct buf copy_of(struct bytes in);

#endif
