/*
 * tests/sim/tape - a tape in memory: a sink that fails when it is told to, and what a
 * reader makes of it afterwards.
 */
#ifndef WSTAPE_TESTS_SIM_TAPE_H
#define WSTAPE_TESTS_SIM_TAPE_H

#include "captures/reader.h"
#include "captures/writer.h"

/* When writing fails; `from` 0: never. Counts writes, the header's being the first. */
struct sim_trouble {
    enum capture_policy policy;
    unsigned from, count;
    unsigned part;   /* percent of a failing write's bytes that are written */
    bool cannot_cut; /* a pipe: what is half written stays */
};

struct sim_tape {
    struct sim_trouble trouble;
    struct buf bytes;
    unsigned writes;
    bool torn; /* half a block had to stay */
};

struct capture_sink sim_tape_sink(struct sim_tape *t);

/* Its bytes, to be read only. Borrowed. */
struct capture_source sim_tape_source(const struct sim_tape *t);

/* What was put on the tape, record by record, as far as it did not fail. */
struct sim_tape_sum {
    uint64_t records, crc;
};

void sim_tape_count(struct sim_tape_sum *sum, struct bytes record);

/* Read all of it: nothing is damaged or missing, the records are those of `sum`, and
 * the whole of it can be told. False: `why` says what is wrong. */
bool sim_tape_verify(const struct sim_tape *t, const struct sim_tape_sum *sum,
                     const struct capture_writer_totals *totals, struct buf *why);

#endif
