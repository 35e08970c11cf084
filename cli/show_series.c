#include "cli/show_series.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>

/* 64 buckets for every power of two: below 64 each number has its own. */
enum {
    SPLIT_BITS = 6,
    SPLIT = 1 << SPLIT_BITS,
    BUCKETS = (64 - SPLIT_BITS + 1) * SPLIT
};

static size_t bucket_of(uint64_t value)
{
    unsigned shift;

    if (value < SPLIT) {
        return (size_t)value;
    }
    shift = 63U - (unsigned)__builtin_clzll(value) - SPLIT_BITS;
    return (size_t)shift * SPLIT + (size_t)(value >> shift);
}

/* The middle of a bucket. */
static uint64_t value_of(size_t bucket)
{
    unsigned shift;

    if (bucket < 2 * SPLIT) {
        return bucket;
    }
    shift = (unsigned)(bucket / SPLIT) - 1;
    return ((uint64_t)(bucket % SPLIT + SPLIT) << shift) + (UINT64_C(1) << shift) / 2;
}

static int become_histogram(struct show_series *s)
{
    uint64_t *counts = alloc_zero(BUCKETS, sizeof(*counts));

    if (counts == NULL) {
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < s->count; i++) {
        counts[bucket_of(s->values[i])]++;
    }
    alloc_free(s->values);
    s->values = counts;
    s->is_histogram = true;
    return 0;
}

static int make_room(struct show_series *s)
{
    size_t cap = s->cap == 0 ? 8 : s->cap * 2;
    uint64_t *wider;

    if (s->is_histogram || s->count < s->cap) {
        return 0;
    }
    if (s->count >= s->exact_max) {
        return become_histogram(s);
    }
    cap = cap < s->exact_max ? cap : s->exact_max;
    wider = alloc_resize(s->values, cap * sizeof(*wider));
    if (wider == NULL) {
        return -ENOMEM;
    }
    s->values = wider;
    s->cap = cap;
    return 0;
}

void show_series_deinit(struct show_series *s)
{
    alloc_free(s->values);
    s->values = NULL;
}

int show_series_add(struct show_series *s, uint64_t value)
{
    int r = make_room(s);

    if (r < 0) {
        return r;
    }
    if (s->is_histogram) {
        s->values[bucket_of(value)]++;
    } else {
        s->values[s->count] = value;
    }
    s->min = s->count == 0 || value < s->min ? value : s->min;
    s->max = value > s->max ? value : s->max;
    s->sum += value;
    s->count++;
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The value with `rank` (from 0) values before it. */
static uint64_t at_rank(const struct show_series *s, uint64_t rank)
{
    uint64_t value = s->max, seen = 0;

    if (!s->is_histogram) {
        return s->values[rank];
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += s->values[i];
        if (seen > rank) {
            value = value_of(i);
            break;
        }
    }
    value = value < s->min ? s->min : value;
    return value > s->max ? s->max : value;
}

struct show_series_facts show_series_facts(struct show_series *s)
{
    struct show_series_facts f = { .count = s->count, .exact = !s->is_histogram };
    uint64_t low, high;

    if (s->count == 0) {
        return f;
    }
    if (!s->is_histogram) {
        qsort(s->values, (size_t)s->count, sizeof(*s->values), compare);
    }
    low = at_rank(s, (s->count - 1) / 2);
    high = at_rank(s, s->count / 2);
    f.min = s->min;
    f.max = s->max;
    f.median = low + (high - low) / 2;
    f.p95 = at_rank(s, (s->count * 95 + 99) / 100 - 1);
    return f;
}
