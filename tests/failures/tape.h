/*
 * tests/failures/tape - is a tape sound as far as it goes?
 */
#ifndef WSTAPE_TESTS_FAILURES_TAPE_H
#define WSTAPE_TESTS_FAILURES_TAPE_H

#include <stdbool.h>
#include <stdint.h>

struct tape_facts {
    uint64_t records;
    uint64_t gaps,
        gap_records;  /* GAP records, and how many records they say are lost */
    uint64_t torn;    /* bytes after the last whole record */
    uint64_t damaged; /* stretches that are unreadable, or missing */
    bool finished;    /* it ends with a SUMMARY */
};

/* False when there is no tape at all. */
bool tape_look(const char *path, struct tape_facts *out);

#endif
