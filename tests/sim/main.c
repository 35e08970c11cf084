/*
 * tests/sim - whole sessions in memory, made from a seed.
 *
 *   sim [--seeds A..B] [--seed N] [-v]
 *
 * Runs every kind of world for every seed. The first seed that fails prints what does
 * not hold and the command that runs it again, and ends the program with 1.
 */
#include "base/alloc.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a seed is played in. */
static const struct {
    const char *name;
    bool (*run)(uint64_t seed, bool verbose, struct buf *wrong);
} kinds[] = { { "record", sim_record_run }, { "replay", sim_replay_run } };

struct range {
    uint64_t from, to;
    bool verbose;
};

static bool run_seed(const char *program, uint64_t seed, bool verbose)
{
    struct buf wrong = { 0 };
    bool good = true;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && good; i++) {
        long live = alloc_live();

        good = kinds[i].run(seed, verbose, &wrong);
        if (good && alloc_live() != live) {
            good = false;
            buf_put_format(&wrong, "%ld allocations were not freed",
                           alloc_live() - live);
        }
        if (!good) {
            printf("seed %llu (%s): %.*s\n  to see it: %s --seed %llu -v\n",
                   (unsigned long long)seed, kinds[i].name, (int)wrong.len,
                   (const char *)wrong.at, program, (unsigned long long)seed);
        }
    }
    buf_deinit(&wrong);
    return good;
}

static bool take_seeds(const char *text, bool single, struct range *out)
{
    char *end;

    out->from = out->to = strtoull(text, &end, 10);
    if (!single && strncmp(end, "..", 2) == 0) {
        out->to = strtoull(end + 2, &end, 10);
    }
    return end != text && *end == '\0' && out->from <= out->to;
}

static bool take_options(int argc, char **argv, struct range *out)
{
    bool good = true;

    for (int i = 1; i < argc && good; i++) {
        bool single = strcmp(argv[i], "--seed") == 0;

        if (strcmp(argv[i], "-v") == 0) {
            out->verbose = true;
        } else if ((single || strcmp(argv[i], "--seeds") == 0) && i + 1 < argc) {
            good = take_seeds(argv[++i], single, out);
        } else {
            good = false;
        }
    }
    return good;
}

int main(int argc, char **argv)
{
    struct range seeds = { .from = 1, .to = 2000 };

    if (!take_options(argc, argv, &seeds)) {
        fprintf(stderr, "usage: sim [--seeds A..B] [--seed N] [-v]\n");
        return 2;
    }
    for (uint64_t seed = seeds.from;; seed++) {
        if (!run_seed(argv[0], seed, seeds.verbose)) {
            return 1;
        }
        if (seed == seeds.to) {
            break;
        }
    }
    printf("%llu seeds passed\n", (unsigned long long)(seeds.to - seeds.from + 1));
    return 0;
}
