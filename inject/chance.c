#include "inject/chance.h"

/* FNV-1a, 64 bits. */
static uint64_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return h;
}

/* The finalizer of splitmix64: every bit in moves half of the bits out. */
static uint64_t mix(uint64_t v)
{
    v += UINT64_C(0x9e3779b97f4a7c15);
    v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    v = (v ^ (v >> 27)) * UINT64_C(0x94d049bb133111eb);
    return v ^ (v >> 31);
}

uint64_t inject_chance_bits(const struct inject_place *p, uint64_t nth)
{
    uint64_t v = mix(p->seed ^ hash_text(p->rule));

    v = mix(v ^ p->connection);
    v = mix(v ^ ((uint64_t)p->kind << 1 | (uint64_t)p->from));
    v = mix(v ^ p->message);
    return mix(v ^ nth);
}

double inject_chance_draw(const struct inject_place *p)
{
    return (double)(inject_chance_bits(p, 0) >> 11) * 0x1p-53;
}
