/*
 * base/random - bytes from the system's random generator.
 *
 * For shells only: core code gets chance as an argument.
 */
#ifndef WSTAPE_BASE_RANDOM_H
#define WSTAPE_BASE_RANDOM_H

#include <stddef.h>

/* Fill `out`. A negative errno when the system has none to give. */
int random_fill(void *out, size_t len);

#endif
