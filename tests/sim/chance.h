/*
 * tests/sim/chance - numbers that follow from a seed.
 *
 * Splitmix64: the same seed gives the same numbers on every machine.
 */
#ifndef WSTAPE_TESTS_SIM_CHANCE_H
#define WSTAPE_TESTS_SIM_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct sim_chance {
    uint64_t state;
};

/* `stream` tells several of one seed apart. */
struct sim_chance sim_chance_new(uint64_t seed, uint64_t stream);

uint64_t sim_bits(struct sim_chance *c);

/* 0 to `n` - 1; 0 for 0. */
uint64_t sim_below(struct sim_chance *c, uint64_t n);

/* `from` to `to`, both included. */
uint64_t sim_between(struct sim_chance *c, uint64_t from, uint64_t to);

/* True so often in a hundred times. */
bool sim_odds(struct sim_chance *c, unsigned percent);

#endif
