#include "replay/volatility.h"
#include "tests/sim/replay_world.h"
#include "tests/sim/sim.h"

#include "base/clock.h"
#include "tests/sim/talk.h"
#include "wire/accept.h"

#include <stdio.h>

/* ---- the plan ---- */

static void choose_wildly(struct replay_options *o, struct sim_chance *c)
{
    if (sim_odds(c, 20)) {
        o->gate = false;
    }
    if (sim_odds(c, 30)) {
        o->on_mismatch = (enum replay_on_mismatch)sim_below(c, 3);
    }
    o->when_exhausted = (enum replay_when_exhausted)sim_below(c, 3);
    if (sim_odds(c, 10)) {
        o->max_message = sim_between(c, 1, 200);
    }
    if (sim_odds(c, 40)) {
        o->patience_ns = (int64_t)sim_between(c, 1, 3000) * CLOCK_NS_PER_MS;
    }
}

static void make_plan(struct sim_replay_plan *p, uint64_t seed, int odd,
                      const struct sim_replay_tape *tape)
{
    static const double paces[] = { 0, 0, 1, 10 };
    struct sim_chance c = sim_chance_new(seed, 30 + (uint64_t)(odd + 1));

    *p = (struct sim_replay_plan){
        .seed = seed,
        .tape = tape,
        .odd = odd,
        .options = { .gate = true,
                     .substitute = sim_odds(&c, 80),
                     .pace = paces[sim_below(&c, 4)],
                     .max_message = 1 << 24,
                     .patience_ns = 10 * CLOCK_NS_PER_S,
                     .put_accept = wire_accept_put },
        .rules = { .match = (enum replay_match)sim_below(&c, 3) },
        .punctual = sim_odds(&c, 30),
    };
    if (odd >= 0 || !tape->clean) {
        choose_wildly(&p->options, &c);
    }
}

static void describe(const struct sim_replay_plan *p)
{
    static const char *const who[] = { "the tape with itself", "an odd client",
                                       "an odd server" };

    printf("--- %s: %s, pace %g, match %d, gate %d, on mismatch %d, patience %lld ms, "
           "%zu connections%s\n",
           who[p->odd + 1], p->tape->clean ? "clean" : "not clean", p->options.pace,
           (int)p->rules.match, p->options.gate, (int)p->options.on_mismatch,
           (long long)(p->options.patience_ns / CLOCK_NS_PER_MS),
           p->tape->script->count, p->punctual ? ", punctual" : "");
}

/* ---- several runs of one ---- */

static void compare_splits(const struct sim_replay *a, const struct sim_replay *b,
                           struct buf *wrong)
{
    for (size_t i = 0; i < a->plan->tape->script->count && wrong->len == 0; i++) {
        for (int side = CLIENT; side <= SERVER && wrong->len == 0; side++) {
            const struct sim_ear *x = &a->calls[i].ends[side].ear;
            const struct sim_ear *y = &b->calls[i].ends[side].ear;

            if (!bytes_equal(buf_bytes(&x->texts), buf_bytes(&y->texts))) {
                sim_must(buf_put_format(wrong,
                                        "what %s says depends on the split: %zu "
                                        "messages or %zu",
                                        side_name((enum side)side), x->count,
                                        y->count));
            }
        }
    }
    for (int side = CLIENT; side <= SERVER && wrong->len == 0; side++) {
        const struct buf *x = &a->events[side], *y = &b->events[side];

        if (!bytes_equal(buf_bytes(x), buf_bytes(y))) {
            sim_must(buf_put_format(
                wrong, "events depend on the split:\n%.*s--- or\n%.*s", (int)x->len,
                (const char *)x->at, (int)y->len, (const char *)y->at));
        }
    }
}

static void again(const struct sim_replay *first, uint64_t split, bool verbose,
                  struct buf *wrong)
{
    struct sim_replay second;

    if (verbose) {
        printf("--- once more, split %d\n", (int)split);
    }
    sim_replay_world_run(&second, first->plan, split, verbose);
    if (second.wrong.len > 0) {
        sim_must(buf_put(wrong, buf_bytes(&second.wrong)));
    } else if (split == 0 && second.digest != first->digest) {
        sim_must(buf_put_text(wrong, "the second run of the seed differs"));
    } else if (split > 0 && first->plan->tape->clean && first->plan->odd < 0) {
        compare_splits(first, &second, wrong);
    }
    sim_replay_world_deinit(&second);
}

static void play(uint64_t seed, int odd, const struct sim_replay_tape *tape,
                 bool verbose, struct buf *wrong)
{
    struct replay_volatility *volatility = NULL;
    struct sim_replay_plan plan;
    struct sim_replay first;

    make_plan(&plan, seed, odd, tape);
    if (plan.rules.match == REPLAY_MATCH_JSON) {
        sim_must(replay_volatility_new(tape->script, &volatility));
        plan.rules.volatility = volatility;
    }
    if (verbose) {
        describe(&plan);
    }
    sim_replay_world_run(&first, &plan, 0, verbose);
    sim_must(buf_put(wrong, buf_bytes(&first.wrong)));
    if (wrong->len == 0) {
        again(&first, 0, false, wrong);
    }
    if (wrong->len == 0) {
        again(&first, 1, verbose, wrong);
    }
    sim_replay_world_deinit(&first);
    replay_volatility_free(volatility);
}

bool sim_replay_run(uint64_t seed, bool verbose, struct buf *wrong)
{
    struct sim_replay_tape tape;
    bool good = sim_replay_tape_make(&tape, seed, wrong);

    if (tape.script != NULL) {
        for (int odd = -1; odd <= SERVER && wrong->len == 0; odd++) {
            play(seed, odd, &tape, verbose, wrong);
        }
    }
    sim_replay_tape_deinit(&tape);
    return good && wrong->len == 0;
}
