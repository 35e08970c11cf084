/*
 * captures/map - what is known of a connection, found by its number.
 *
 * Numbers on a tape count from 1, but a tape may be damaged or made by anyone, so they
 * index no array. Owns no values. A zeroed struct is an empty map.
 */
#ifndef WSTAPE_CAPTURES_MAP_H
#define WSTAPE_CAPTURES_MAP_H

#include <stddef.h>
#include <stdint.h>

struct capture_map_entry {
    uint32_t key;
    void *value; /* NULL: the place is free */
};

struct capture_map {
    struct capture_map_entry *entries;
    size_t count;
    size_t cap; /* 0 or a power of two */
};

void capture_map_deinit(struct capture_map *m);

/* NULL when there is none. */
void *capture_map_get(const struct capture_map *m, uint32_t key);

/* Add or replace; `value` is not NULL. -ENOMEM leaves the map as it was. */
int capture_map_put(struct capture_map *m, uint32_t key, void *value);

/* Does nothing when there is none. */
void capture_map_remove(struct capture_map *m, uint32_t key);

#endif
