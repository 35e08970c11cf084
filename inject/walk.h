/*
 * inject/walk - goes through a JSON text once, and says where paths lead.
 *
 * Nodes come in the order of the text. Containers that no path can lead into are passed
 * over: what is in them gives no nodes (it is still checked to be JSON). Memory is
 * bounded by the number of paths and the depth of the containers that are not passed
 * over.
 *
 *     inject_walk_init(&w);
 *     n = inject_walk_add(&w, &path);             as often as there are paths
 *     inject_walk_start(&w, text);                again for each text
 *     while ((r = inject_walk_next(&w, &node)) == 0) { if (node.hits >> n & 1) ... }
 *     inject_walk_deinit(&w);
 */
#ifndef WSTAPE_INJECT_WALK_H
#define WSTAPE_INJECT_WALK_H

#include "inject/path.h"
#include "wire/json.h"

enum { INJECT_WALK_PATHS_MAX = 64 };

enum inject_node_kind {
    INJECT_NODE_VALUE, /* a value that is no container, or a whole container */
    INJECT_NODE_OPEN,  /* a container begins; its children follow, then its CLOSE */
    INJECT_NODE_CLOSE, /* it ends */
};

struct inject_node {
    enum inject_node_kind kind;
    enum wire_json_kind type; /* of the value: OBJECT, ARRAY or a scalar's */
    unsigned depth;           /* containers around the value */
    bool is_member;           /* of an object, so it has a key */
    size_t key_from, key_to;  /* the key with its quotes */
    size_t from, to;          /* the value; `to` is not known (0) at OPEN */
    uint64_t index;           /* which child it is, from 0 */
    uint64_t hits;            /* bit n: path n leads to this value */

    /* At CLOSE. */
    uint64_t missing; /* bit n: path n ends in a name that this object could have, and
                         has not: putting the member in makes the path lead to it */
    uint64_t count;   /* children */
    size_t tail; /* after the last child, or after the bracket when there is none */
};

struct inject_walk {
    struct wire_json scan; /* after WIRE_JSON_BAD: where and why */
    const struct inject_path *paths[INJECT_WALK_PATHS_MAX];
    unsigned path_count;
    struct inject_level *levels; /* one for each container that is open to the caller */
    uint64_t *states;            /* path_count a level, and as many for the next */
    size_t level_count, level_cap;
};

void inject_walk_init(struct inject_walk *w);
void inject_walk_deinit(struct inject_walk *w);

/* `p` is borrowed. Returns its number, 0 for the first. At most INJECT_WALK_PATHS_MAX,
 * and none after the first start. */
unsigned inject_walk_add(struct inject_walk *w, const struct inject_path *p);

/* `text` is borrowed until the walk is over. */
void inject_walk_start(struct inject_walk *w, struct bytes text);

/* The next node. WIRE_JSON_OVER when there are no more and the text was JSON;
 * WIRE_JSON_BAD when it is not; -ENOMEM. `*out` is set only when 0 is returned. */
int inject_walk_next(struct inject_walk *w, struct inject_node *out);

/* Right after an OPEN: pass over the rest of the container; it has no CLOSE then. 0 and
 * the offset after its bracket, or WIRE_JSON_BAD. */
int inject_walk_leave(struct inject_walk *w, size_t *to);

#endif
