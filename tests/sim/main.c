/*
 * tests/sim - whole sessions in memory, made from a seed.
 *
 *   sim [--kind record|replay] [--seeds A..B] [--seed N] [-v]
 *
 * Runs every kind of world, or one, for every seed. The first seed that fails prints
 * what does not hold and the command that runs it again, and ends the program with 1.
 */
#include "base/alloc.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

/* What a seed is played in. */
static const struct {
    const char *name;
    bool (*run)(uint64_t seed, bool verbose, struct buf *wrong);
} kinds[] = { { "record", sim_record_run }, { "replay", sim_replay_run } };

struct range {
    uint64_t from, to;
    const char *kind; /* NULL: all */
    const char *program;
    bool verbose;
};

/* ---- seeds that crash ---- */

/* What to say of the seed that runs now, for those who only hear that the program died.
 */
static struct {
    char text[512];
    size_t len;
} now;

static void remember(const char *program, const char *kind, uint64_t seed)
{
    int len = snprintf(now.text, sizeof(now.text),
                       "seed %llu (%s): crashed\n  to see it: %s --kind %s --seed %llu "
                       "-v\n",
                       (unsigned long long)seed, kind, program, kind,
                       (unsigned long long)seed);

    now.len = len < (int)sizeof(now.text) ? (size_t)len : sizeof(now.text) - 1;
}

static void tell_death(void)
{
    if (write(STDERR_FILENO, now.text, now.len) < 0) {
        return; /* there is nobody to tell */
    }
}

static void on_abort(int number)
{
    (void)number;
    tell_death();
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void watch_for_death(void)
{
#ifdef SANITIZED
    __sanitizer_set_death_callback(tell_death);
#endif
    signal(SIGABRT, on_abort);
}

/* ---- seeds ---- */

static bool is_wanted(size_t kind, const struct range *seeds)
{
    return seeds->kind == NULL || strcmp(seeds->kind, kinds[kind].name) == 0;
}

static bool run_seed(uint64_t seed, const struct range *seeds)
{
    struct buf wrong = { 0 };
    bool good = true;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && good; i++) {
        long live = alloc_live();

        if (!is_wanted(i, seeds)) {
            continue;
        }
        remember(seeds->program, kinds[i].name, seed);
        good = kinds[i].run(seed, seeds->verbose, &wrong);
        if (good && alloc_live() != live) {
            good = false;
            buf_put_format(&wrong, "%ld allocations were not freed",
                           alloc_live() - live);
        }
        if (!good) {
            printf("seed %" PRIu64
                   " (%s): %.*s\n  to see it: %s --kind %s --seed %" PRIu64 " -v\n",
                   seed, kinds[i].name, (int)wrong.len, (const char *)wrong.at,
                   seeds->program, kinds[i].name, seed);
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

static bool take_kind(const char *name, struct range *out)
{
    out->kind = name;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (is_wanted(i, out)) {
            return true;
        }
    }
    return false;
}

static bool take_options(int argc, char **argv, struct range *out)
{
    bool good = true;

    for (int i = 1; i < argc && good; i++) {
        bool single = strcmp(argv[i], "--seed") == 0;

        if (strcmp(argv[i], "-v") == 0) {
            out->verbose = true;
        } else if (strcmp(argv[i], "--kind") == 0 && i + 1 < argc) {
            good = take_kind(argv[++i], out);
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
    struct range seeds = { .from = 1, .to = 2000, .program = argv[0] };

    if (!take_options(argc, argv, &seeds)) {
        fprintf(stderr,
                "usage: sim [--kind record|replay] [--seeds A..B] [--seed N] [-v]\n");
        return 2;
    }
    watch_for_death();
    for (uint64_t seed = seeds.from;; seed++) {
        if (!run_seed(seed, &seeds)) {
            return 1;
        }
        if (seed == seeds.to) {
            break;
        }
    }
    printf("%" PRIu64 " seeds passed\n", seeds.to - seeds.from + 1);
    return 0;
}
