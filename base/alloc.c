#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_long live;
static atomic_long fail_in = -1; /* allocations left before the one that fails */
static atomic_bool failed;

static bool must_fail(void)
{
    if (atomic_load_explicit(&fail_in, memory_order_relaxed) < 0) {
        return false;
    }
    if (atomic_fetch_sub(&fail_in, 1) == 0) {
        atomic_store(&failed, true);
        return true;
    }
    return false;
}

static void *counted(void *at)
{
    if (at != NULL) {
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    }
    return at;
}

void *alloc_get(size_t len)
{
    return must_fail() ? NULL : counted(malloc(len == 0 ? 1 : len));
}

void *alloc_zero(size_t count, size_t len)
{
    if (count == 0 || len == 0) {
        count = len = 1;
    }
    return must_fail() ? NULL : counted(calloc(count, len));
}

void *alloc_resize(void *at, size_t len)
{
    if (at == NULL) {
        return alloc_get(len);
    }
    return must_fail() ? NULL : realloc(at, len == 0 ? 1 : len);
}

void alloc_free(void *at)
{
    if (at != NULL) {
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
        free(at);
    }
}

char *alloc_text(const void *at, size_t len)
{
    char *copy = alloc_get(len + 1);

    if (copy != NULL) {
        if (len > 0) {
            memcpy(copy, at, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

void alloc_fail_at(unsigned long nth)
{
    atomic_store(&failed, false);
    atomic_store(&fail_in, (long)nth);
}

bool alloc_fail_clear(void)
{
    atomic_store(&fail_in, -1);
    return atomic_exchange(&failed, false);
}

long alloc_live(void)
{
    return atomic_load(&live);
}
