/*
 * base/clock - the machine's clocks, in nanoseconds.
 *
 * Only shells read them; core code gets `now` as an argument.
 */
#ifndef WSTAPE_BASE_CLOCK_H
#define WSTAPE_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_MS INT64_C(1000000)
#define CLOCK_NS_PER_S  INT64_C(1000000000)

/* Since an arbitrary start; never goes back. */
int64_t clock_monotonic_ns(void);

/* Since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ns(void);

#endif
