#include "tests/sim/chance.h"

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct sim_chance sim_chance_new(uint64_t seed, uint64_t stream)
{
    return (struct sim_chance){ mix(seed) ^ mix(~stream) };
}

uint64_t sim_bits(struct sim_chance *c)
{
    c->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(c->state);
}

uint64_t sim_below(struct sim_chance *c, uint64_t n)
{
    return n == 0 ? 0 : sim_bits(c) % n;
}

uint64_t sim_between(struct sim_chance *c, uint64_t from, uint64_t to)
{
    return from + sim_below(c, to - from + 1);
}

bool sim_odds(struct sim_chance *c, unsigned percent)
{
    return sim_below(c, 100) < percent;
}
