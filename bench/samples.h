/*
 * bench/samples - latencies of a run, for percentiles afterwards.
 *
 * Keeps every sample up to a limit of some minutes at full speed; further ones are not
 * kept. Sorting happens after the run, so that nothing but a store is measured along.
 */
#ifndef WSTAPE_BENCH_SAMPLES_H
#define WSTAPE_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct bench_samples {
    uint32_t *at; /* in units of 100 ns */
    size_t count;
    size_t cap;
};

/* The memory is touched here, so that the run does not pay for it. -ENOMEM. */
int bench_samples_init(struct bench_samples *s, size_t cap);
void bench_samples_deinit(struct bench_samples *s);

void bench_samples_put(struct bench_samples *s, int64_t ns);

/* Forget what was put. */
void bench_samples_clear(struct bench_samples *s);

/* Once, before bench_samples_percentile. */
void bench_samples_sort(struct bench_samples *s);

/* In microseconds; 0 without samples. */
double bench_samples_percentile(const struct bench_samples *s, unsigned percent);

#endif
