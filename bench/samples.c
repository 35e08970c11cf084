#include "bench/samples.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT_NS = 100, UNITS_A_US = 10 };

int bench_samples_init(struct bench_samples *s, size_t cap)
{
    uint32_t *at = alloc_get(cap * sizeof *at);

    if (at == NULL) {
        return -ENOMEM;
    }
    memset(at, 0xff, cap * sizeof *at);
    *s = (struct bench_samples){ .at = at, .cap = cap };
    return 0;
}

void bench_samples_deinit(struct bench_samples *s)
{
    alloc_free(s->at);
    *s = (struct bench_samples){ 0 };
}

void bench_samples_put(struct bench_samples *s, int64_t ns)
{
    if (s->count < s->cap) {
        s->at[s->count++] = (uint32_t)(ns / UNIT_NS);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void bench_samples_clear(struct bench_samples *s)
{
    s->count = 0;
}

void bench_samples_sort(struct bench_samples *s)
{
    qsort(s->at, s->count, sizeof *s->at, compare);
}

double bench_samples_percentile(const struct bench_samples *s, unsigned percent)
{
    size_t at = s->count * percent / 100;

    if (s->count == 0) {
        return 0;
    }
    return (double)s->at[at] / UNITS_A_US;
}
