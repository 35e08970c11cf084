/*
 * inject/chance - chance that can be repeated: numbers from a seed and a place.
 *
 * Pure functions. The place is a rule's name, a connection and a message of one
 * direction; timing and other rules do not come into it. Not for secrets.
 */
#ifndef WSTAPE_INJECT_CHANCE_H
#define WSTAPE_INJECT_CHANCE_H

#include "wire/side.h"

#include <stdint.h>

struct inject_place {
    uint64_t seed;
    const char *rule;
    uint32_t connection;
    enum side from;
    unsigned kind;    /* enum inject_opcode; 0: the connection as such */
    uint64_t message; /* its number among its kind in this direction */
};

/* 64 bits for the n-th use at this place. */
uint64_t inject_chance_bits(const struct inject_place *p, uint64_t nth);

/* The draw: 0 <= d < 1. */
double inject_chance_draw(const struct inject_place *p);

#endif
