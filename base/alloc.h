/*
 * base/alloc - the only caller of malloc.
 *
 * Every module, libuv and OpenSSL allocate through these, so that a test can make the
 * n-th allocation fail and see that nothing leaked. The state is process-wide and safe
 * to use from libuv's worker threads.
 */
#ifndef WSTAPE_BASE_ALLOC_H
#define WSTAPE_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* NULL when memory is out. A length of 0 gives a pointer that alloc_free takes. */
void *alloc_get(size_t len);

/* As alloc_get, the bytes zeroed; NULL also when count * len overflows. */
void *alloc_zero(size_t count, size_t len);

/* As realloc: `at` may be NULL and stays valid when NULL is returned. */
void *alloc_resize(void *at, size_t len);

/* Takes NULL. */
void alloc_free(void *at);

/* A NUL-terminated copy of `len` bytes, NULL when memory is out. Owned by the caller.
 */
char *alloc_text(const void *at, size_t len);

/* Tests: the n-th allocation from now (0 = the next) fails, and only that one. */
void alloc_fail_at(unsigned long nth);

/* Tests: stop failing. True when the failure was reached. */
bool alloc_fail_clear(void);

/* Allocations not yet freed, since the program started. */
long alloc_live(void);

#endif
