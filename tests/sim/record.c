#include "tests/sim/sim.h"
#include "tests/sim/world.h"

#include <stdio.h>

static bool is_prefix(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;

    return bytes_equal(bytes_first(a, len), bytes_first(b, len));
}

/* The same, or as far as one of them went: when wstape ended a connection by itself,
 * how far the other direction was depends on when. */
static bool same(struct bytes a, struct bytes b, bool cut)
{
    return cut ? is_prefix(a, b) : bytes_equal(a, b);
}

static size_t first_difference(const struct buf *a, const struct buf *b)
{
    size_t at = 0;

    while (at < a->len && at < b->len && a->at[at] == b->at[at]) {
        at++;
    }
    return at;
}

static void compare_pair(const struct sim_pair *a, const struct sim_pair *b,
                         struct buf *wrong)
{
    bool cut = a->facts.by_us || b->facts.by_us || a->facts.cuts || b->facts.cuts;

    for (int side = CLIENT; side <= SERVER && wrong->len == 0; side++) {
        const struct buf *x = &a->facts.faults[side], *y = &b->facts.faults[side];

        if (!same(buf_bytes(x), buf_bytes(y), cut)) {
            sim_must(buf_put_format(
                wrong,
                "connection %u: acts on what %s says depend on the split:\n%.*s--- "
                "or\n%.*s",
                a->number, side_name((enum side)side), (int)x->len, (const char *)x->at,
                (int)y->len, (const char *)y->at));
            return;
        }
        x = &a->facts.got[side];
        y = &b->facts.got[side];
        if (!cut && !bytes_equal(buf_bytes(x), buf_bytes(y))) {
            sim_must(buf_put_format(
                wrong, "connection %u: what %s gets depends on the split, from %zu on",
                a->number, side_name((enum side)side), first_difference(x, y)));
        }
    }
}

static void compare_splits(const struct sim_world *a, const struct sim_world *b,
                           struct buf *wrong)
{
    for (unsigned i = 0; i < a->scene->count && wrong->len == 0; i++) {
        compare_pair(&a->pairs[i], &b->pairs[i], wrong);
    }
}

/* Run a scene once more and hold it against the first time. */
static void again(const struct sim_world *first, uint64_t split, bool verbose,
                  struct buf *wrong)
{
    struct sim_world second;

    sim_world_run(&second, first->scene, split, verbose);
    if (second.wrong.len > 0) {
        sim_must(buf_put(wrong, buf_bytes(&second.wrong)));
    } else if (split == 0 && second.digest != first->digest) {
        sim_must(buf_put_text(wrong, "the second run of the seed differs"));
    } else if (split > 0) {
        compare_splits(first, &second, wrong);
    }
    sim_world_deinit(&second);
}

bool sim_record_run(uint64_t seed, bool verbose, struct buf *wrong)
{
    struct sim_scene scene;
    struct sim_world first;

    sim_scene_make_with_halves(&scene, seed);
    if (verbose) {
        sim_scene_describe(&scene);
    }
    sim_world_run(&first, &scene, 0, verbose);
    sim_must(buf_put(wrong, buf_bytes(&first.wrong)));
    if (wrong->len == 0) {
        again(&first, 0, false, wrong);
    }
    if (wrong->len == 0 && scene.calm) {
        if (verbose) {
            printf("--- other splits\n");
        }
        again(&first, 1, verbose, wrong);
    }
    sim_world_deinit(&first);
    sim_scene_deinit(&scene);
    return wrong->len == 0;
}
