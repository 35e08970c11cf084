#include "base/chunk.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>

void chunk_pool_init(struct chunk_pool *p, size_t cap, unsigned spare_max)
{
    *p = (struct chunk_pool){ .cap = cap, .spare_max = spare_max };
}

void chunk_pool_deinit(struct chunk_pool *p)
{
    while (p != NULL && p->spare != NULL) {
        struct chunk *c = p->spare;

        p->spare = c->next;
        p->spare_count--;
        alloc_free(c);
    }
}

struct chunk *chunk_new(size_t cap)
{
    struct chunk *c;

    if (cap > SIZE_MAX - sizeof(*c)) {
        return NULL;
    }
    c = alloc_get(sizeof(*c) + cap);
    if (c != NULL) {
        *c = (struct chunk){ .cap = cap, .refs = 1 };
    }
    return c;
}

struct chunk *chunk_pool_get(struct chunk_pool *p)
{
    struct chunk *c = p->spare;

    if (c != NULL) {
        p->spare = c->next;
        p->spare_count--;
        c->next = NULL;
        c->refs = 1;
        return c;
    }
    c = chunk_new(p->cap);
    if (c != NULL) {
        c->pool = p;
    }
    return c;
}

struct chunk *chunk_ref(struct chunk *c)
{
    assert(c->refs > 0);
    c->refs++;
    return c;
}

void chunk_unref(struct chunk *c)
{
    if (c == NULL) {
        return;
    }
    assert(c->refs > 0);
    if (--c->refs > 0) {
        return;
    }
    if (c->pool != NULL && c->pool->spare_count < c->pool->spare_max) {
        c->next = c->pool->spare;
        c->pool->spare = c;
        c->pool->spare_count++;
        return;
    }
    alloc_free(c);
}

int slice_copy(struct bytes in, struct slice *out)
{
    struct chunk *c = chunk_new(in.len);

    if (c == NULL) {
        return -ENOMEM;
    }
    if (in.len > 0) {
        memcpy(c->data, in.at, in.len);
    }
    *out = (struct slice){ c, 0, in.len };
    return 0;
}
