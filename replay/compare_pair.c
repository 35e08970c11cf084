#include "replay/compare_state.h"

#include <stdlib.h>

enum { SCAN_MAX = 32 }; /* members of one object; more are sorted */

struct keyed {
    struct bytes key;
    uint32_t value;
};

/* ---- twins: one place a value of c->before, then of c->after ---- */

static uint32_t *twins_of(const struct replay_compare *c)
{
    return (void *)c->twins.at;
}

uint32_t replay_compare_twin_of_before(const struct replay_compare *c, uint32_t value)
{
    return twins_of(c)[value];
}

uint32_t replay_compare_twin_of_after(const struct replay_compare *c, uint32_t value)
{
    return twins_of(c)[c->before.count + value];
}

static void join(struct replay_compare *c, uint32_t before, uint32_t after)
{
    twins_of(c)[before] = after;
    twins_of(c)[c->before.count + after] = before;
}

/* Those from `first` on are alone. Returns how many they are. */
static uint32_t part(const struct replay_tree *t, uint32_t first, uint32_t *twins)
{
    uint32_t count = 0;

    for (uint32_t n = first; n != REPLAY_NO_VALUE; n = t->at[n].next) {
        twins[n] = REPLAY_NO_VALUE;
        count++;
    }
    return count;
}

/* ---- few ---- */

static uint32_t find_alone(const struct replay_compare *c, uint32_t first,
                           struct bytes key)
{
    for (uint32_t m = first; m != REPLAY_NO_VALUE; m = c->after.at[m].next) {
        if (replay_compare_twin_of_after(c, m) == REPLAY_NO_VALUE &&
            replay_value_same_string(replay_value_key(&c->after, m), key)) {
            return m;
        }
    }
    return REPLAY_NO_VALUE;
}

static void pair_by_scan(struct replay_compare *c, uint32_t before, uint32_t after)
{
    for (uint32_t n = before; n != REPLAY_NO_VALUE; n = c->before.at[n].next) {
        uint32_t m = find_alone(c, after, replay_value_key(&c->before, n));

        if (m != REPLAY_NO_VALUE) {
            join(c, n, m);
        }
    }
}

/* ---- many ---- */

/* By code points, escapes resolved: -1, 0, 1. */
static int order_of_keys(struct bytes a, struct bytes b)
{
    const uint8_t *x = a.at + 1, *y = b.at + 1;
    const uint8_t *x_end = a.at + a.len - 1, *y_end = b.at + b.len - 1;

    while (x < x_end && y < y_end) {
        uint32_t p = wire_json_character(&x, x_end);
        uint32_t q = wire_json_character(&y, y_end);

        if (p != q) {
            return p < q ? -1 : 1;
        }
    }
    return (x < x_end) - (y < y_end);
}

static int order(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int by_key = order_of_keys(x->key, y->key);

    return by_key != 0 ? by_key : (x->value > y->value) - (x->value < y->value);
}

static uint32_t sorted(const struct replay_tree *t, uint32_t first, struct keyed *out)
{
    uint32_t count = 0;

    for (uint32_t n = first; n != REPLAY_NO_VALUE; n = t->at[n].next) {
        out[count++] = (struct keyed){ replay_value_key(t, n), n };
    }
    qsort(out, count, sizeof(*out), order);
    return count;
}

static int pair_by_order(struct replay_compare *c, uint32_t before, uint32_t after,
                         size_t count)
{
    uint32_t i = 0, k = 0, x_count, y_count;
    struct keyed *x, *y;
    int r;

    buf_clear(&c->keys);
    r = buf_reserve(&c->keys, count * sizeof(*x));
    if (r < 0) {
        return r;
    }
    x = (void *)c->keys.at;
    x_count = sorted(&c->before, before, x);
    y = x + x_count;
    y_count = sorted(&c->after, after, y);
    while (i < x_count && k < y_count) {
        int by_key = order_of_keys(x[i].key, y[k].key);

        if (by_key == 0) {
            join(c, x[i].value, y[k].value);
        }
        i += by_key <= 0;
        k += by_key >= 0;
    }
    return 0;
}

int replay_compare_pair(struct replay_compare *c, uint32_t before, uint32_t after)
{
    size_t len = ((size_t)c->before.count + c->after.count) * sizeof(uint32_t);
    uint32_t x, y;
    int r;

    /* As large for inner objects as for outer ones, whose twins thus stay. */
    r = buf_reserve(&c->twins, len);
    if (r < 0) {
        return r;
    }
    x = part(&c->before, before, twins_of(c));
    y = part(&c->after, after, twins_of(c) + c->before.count);
    if (x <= SCAN_MAX && y <= SCAN_MAX) {
        pair_by_scan(c, before, after);
        return 0;
    }
    return pair_by_order(c, before, after, (size_t)x + y);
}
