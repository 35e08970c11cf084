/*
 * base/chunk - reference-counted memory that bytes are read into once and never copied.
 *
 * One chunk serves the sender and the tape. A chunk belongs to one thread. A pool keeps
 * freed chunks of one capacity so that a busy loop touches the same memory again.
 */
#ifndef WSTAPE_BASE_CHUNK_H
#define WSTAPE_BASE_CHUNK_H

#include "base/bytes.h"

struct chunk_pool {
    struct chunk *spare; /* linked through `next` */
    size_t cap;          /* bytes a chunk of this pool holds */
    unsigned spare_count;
    unsigned spare_max; /* chunks kept; more are given back to the system */
};

struct chunk {
    struct chunk_pool *pool; /* NULL: freed when the last reference goes */
    struct chunk *next;
    size_t cap;
    unsigned refs;
    uint8_t data[];
};

/* A part of a chunk. Whoever keeps a slice keeps a reference to its chunk. */
struct slice {
    struct chunk *chunk; /* NULL for an empty slice */
    size_t off;
    size_t len;
};

void chunk_pool_init(struct chunk_pool *p, size_t cap, unsigned spare_max);

/* All chunks of the pool must have come back. */
void chunk_pool_deinit(struct chunk_pool *p);

/* One reference, owned by the caller; NULL when memory is out. */
struct chunk *chunk_pool_get(struct chunk_pool *p);

/* A chunk of its own size; one reference, owned by the caller; NULL when memory is out.
 */
struct chunk *chunk_new(size_t cap);

struct chunk *chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c); /* takes NULL */

static inline struct bytes slice_bytes(struct slice s)
{
    return (struct bytes){ s.chunk == NULL ? NULL : s.chunk->data + s.off, s.len };
}

/* A slice of a new chunk holding a copy of `in`. -ENOMEM leaves `*out` as it was. */
int slice_copy(struct bytes in, struct slice *out);

#endif
