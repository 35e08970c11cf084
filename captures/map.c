#include "captures/map.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>

/* Fibonacci hashing: numbers that count up spread well. */
static size_t place_of(const struct capture_map *m, uint32_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (m->cap - 1);
}

/* The entry of `key`, or the free place where it belongs. The map is never full. */
static struct capture_map_entry *find(const struct capture_map *m, uint32_t key)
{
    size_t at = place_of(m, key);

    while (m->entries[at].value != NULL && m->entries[at].key != key) {
        at = (at + 1) & (m->cap - 1);
    }
    return &m->entries[at];
}

static int grow(struct capture_map *m)
{
    struct capture_map wider = { .cap = m->cap == 0 ? 16 : m->cap * 2,
                                 .count = m->count };

    wider.entries = alloc_zero(wider.cap, sizeof(*wider.entries));
    if (wider.entries == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->entries[i].value != NULL) {
            *find(&wider, m->entries[i].key) = m->entries[i];
        }
    }
    alloc_free(m->entries);
    *m = wider;
    return 0;
}

void capture_map_deinit(struct capture_map *m)
{
    if (m != NULL) {
        alloc_free(m->entries);
        *m = (struct capture_map){ 0 };
    }
}

void *capture_map_get(const struct capture_map *m, uint32_t key)
{
    return m->cap == 0 ? NULL : find(m, key)->value;
}

int capture_map_put(struct capture_map *m, uint32_t key, void *value)
{
    struct capture_map_entry *e;
    int r = 0;

    assert(value != NULL);
    if (m->count >= m->cap / 2) {
        r = grow(m);
    }
    if (r < 0) {
        return r;
    }
    e = find(m, key);
    m->count += e->value == NULL ? 1 : 0;
    *e = (struct capture_map_entry){ key, value };
    return 0;
}

void capture_map_remove(struct capture_map *m, uint32_t key)
{
    size_t hole, at, home;

    if (capture_map_get(m, key) == NULL) {
        return;
    }
    hole = at = (size_t)(find(m, key) - m->entries);
    m->entries[hole].value = NULL;
    m->count--;
    /* Entries behind the hole move up unless that puts them before their own place. */
    for (;;) {
        at = (at + 1) & (m->cap - 1);
        if (m->entries[at].value == NULL) {
            return;
        }
        home = place_of(m, m->entries[at].key);
        if (((at - home) & (m->cap - 1)) >= ((at - hole) & (m->cap - 1))) {
            m->entries[hole] = m->entries[at];
            m->entries[at].value = NULL;
            hole = at;
        }
    }
}
