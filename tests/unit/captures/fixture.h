/*
 * Tapes in memory: records to put on them, sinks that fail, sources that give little,
 * and comparisons.
 */
#ifndef WSTAPE_TESTS_CAPTURES_FIXTURE_H
#define WSTAPE_TESTS_CAPTURES_FIXTURE_H

#include "captures/encode.h"
#include "captures/reader.h"
#include "captures/writer.h"
#include "tests/unit/captures/records.h"

/* ---- a tape whose borders are known ---- */

enum { TAPE_RECORDS_MAX = 4096 };

struct tape {
    struct capture_block block;          /* no slices in it: block.bytes is all of it */
    size_t starts[TAPE_RECORDS_MAX + 1]; /* of each record, then the end */
    size_t count;
};

void tape_init(struct tape *t, uint32_t id); /* the header and a checkpoint */
void tape_deinit(struct tape *t);
void tape_put(struct tape *t, const struct capture_record *r);
void tape_put_checkpoint(struct tape *t);
struct bytes tape_bytes(const struct tape *t);
struct bytes tape_record(const struct tape *t, size_t i);

/* One of each type, a checkpoint in the middle, frames, a checkpoint and a summary. */
void tape_fill(struct tape *t, uint64_t seed, size_t payload_max);

/* ---- reading bytes in memory ---- */

struct memory_source {
    struct bytes bytes;
    size_t chunk; /* bytes given at once, 0: all that is asked for */
    int error;    /* negative errno of every read, 0 none */
};

struct capture_source memory_source(struct memory_source *m);

/* ---- writing to memory ---- */

struct memory_sink {
    struct buf bytes;
    size_t limit; /* bytes that fit; SIZE_MAX: all */
    int error;    /* what a write beyond the limit gives */
    bool is_pipe; /* cannot be cut */
    int sync_error;
    unsigned writes, syncs, cuts;
};

struct capture_sink memory_sink(struct memory_sink *m);

#endif
