/*
 * tests/sim/sim - kinds of worlds that a seed is played in.
 *
 * Each takes a seed and says what does not hold, in words; a new kind is a file of its
 * own and a line in main.c.
 */
#ifndef WSTAPE_TESTS_SIM_SIM_H
#define WSTAPE_TESTS_SIM_SIM_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* record.c: clients and backends with a recording session between them. False: `wrong`
 * says what does not hold. `verbose`: tell what happens on stdout. */
bool sim_record_run(uint64_t seed, bool verbose, struct buf *wrong);

/* replay.c: the tape that such a world leaves, played against itself, and against ends
 * that do not keep to it. */
bool sim_replay_run(uint64_t seed, bool verbose, struct buf *wrong);

#endif
