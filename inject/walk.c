#include "inject/walk.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/*
 * A path's state at a container is a set of bits: bit n says that segment n is to be
 * tried on the children. The bit after the last segment says that the path leads here.
 */
struct inject_level {
    struct inject_node node; /* as it was opened */
    uint64_t wanted;         /* paths that end in a name that may be a key here */
    uint64_t found;          /* those of them that led to a child */
    uint64_t count;
    size_t tail;
};

void inject_walk_init(struct inject_walk *w)
{
    memset(w, 0, sizeof(*w));
}

void inject_walk_deinit(struct inject_walk *w)
{
    if (w != NULL) {
        alloc_free(w->levels);
        alloc_free(w->states);
        inject_walk_init(w);
    }
}

unsigned inject_walk_add(struct inject_walk *w, const struct inject_path *p)
{
    assert(w->path_count < INJECT_WALK_PATHS_MAX && w->level_cap == 0);
    w->paths[w->path_count] = p;
    return w->path_count++;
}

void inject_walk_start(struct inject_walk *w, struct bytes text)
{
    wire_json_init(&w->scan, text);
    w->level_count = 0;
}

/* ---- levels ---- */

static int grow(struct inject_walk *w)
{
    size_t cap = w->level_cap == 0 ? 8 : w->level_cap * 2;
    struct inject_level *levels;
    uint64_t *states;

    levels = alloc_resize(w->levels, cap * sizeof(*levels));
    if (levels == NULL) {
        return -ENOMEM;
    }
    w->levels = levels;
    states = alloc_resize(w->states, cap * w->path_count * sizeof(*states));
    if (states == NULL) {
        return -ENOMEM;
    }
    w->states = states;
    w->level_cap = cap;
    return 0;
}

static struct inject_level *top_of(struct inject_walk *w)
{
    assert(w->level_count > 0);
    return &w->levels[w->level_count - 1];
}

static uint64_t *states_at(struct inject_walk *w, size_t level)
{
    return &w->states[level * w->path_count];
}

/* ---- paths ---- */

static bool fits(const struct inject_walk *w, const struct inject_segment *s,
                 const struct inject_node *child)
{
    switch (s->kind) {
    case INJECT_SEGMENT_NAME:
        return child->is_member &&
               wire_json_equals(bytes_make(w->scan.text.at + child->key_from,
                                           child->key_to - child->key_from),
                                s->name);
    case INJECT_SEGMENT_INDEX:
        return !child->is_member && child->index == s->index;
    case INJECT_SEGMENT_ANY:
        return true;
    }
    abort();
}

/* The state of path `p` at a child of a container where its state is `states`. */
static uint64_t step(const struct inject_walk *w, const struct inject_path *p,
                     uint64_t states, const struct inject_node *child)
{
    uint64_t next = states & p->descends;

    for (; states != 0; states &= states - 1) {
        unsigned n = (unsigned)__builtin_ctzll(states);

        if (fits(w, &p->segments[n], child)) {
            next |= UINT64_C(2) << n;
        }
    }
    return next;
}

/* Set the child's states, one level down, and its hits. True when a path goes on below.
 */
static bool step_all(struct inject_walk *w, struct inject_node *child)
{
    const uint64_t *here = states_at(w, w->level_count - 1);
    uint64_t *below = states_at(w, w->level_count);
    bool goes_on = false;

    for (unsigned n = 0; n < w->path_count; n++) {
        const struct inject_path *p = w->paths[n];
        uint64_t next = here[n] == 0 ? 0 : step(w, p, here[n], child);
        uint64_t hit = next >> p->count & 1;

        child->hits |= hit << n;
        below[n] = next & ~(UINT64_C(1) << p->count);
        goes_on = goes_on || below[n] != 0;
    }
    top_of(w)->found |= child->hits;
    return goes_on;
}

static bool step_root(struct inject_walk *w, struct inject_node *root)
{
    uint64_t *below = states_at(w, 0);
    bool goes_on = false;

    for (unsigned n = 0; n < w->path_count; n++) {
        bool whole = w->paths[n]->count == 0;

        root->hits |= (uint64_t)whole << n;
        below[n] = whole ? 0 : 1;
        goes_on = goes_on || !whole;
    }
    return goes_on;
}

/* The paths of which only a last, plain name is left to try on the children. */
static uint64_t wanted_in(struct inject_walk *w, size_t level)
{
    const uint64_t *states = states_at(w, level);
    uint64_t wanted = 0;

    for (unsigned n = 0; n < w->path_count; n++) {
        const struct inject_path *p = w->paths[n];

        if (inject_path_name(p) != NULL && (states[n] >> (p->count - 1) & 1) != 0) {
            wanted |= UINT64_C(1) << n;
        }
    }
    return wanted;
}

/* ---- nodes ---- */

static bool opens(enum wire_json_kind kind)
{
    return kind == WIRE_JSON_OBJECT || kind == WIRE_JSON_ARRAY;
}

static bool closes(enum wire_json_kind kind)
{
    return kind == WIRE_JSON_OBJECT_END || kind == WIRE_JSON_ARRAY_END;
}

/* A child of the top level ends at `to`. */
static void child_over(struct inject_walk *w, size_t to)
{
    if (w->level_count > 0) {
        top_of(w)->tail = to;
    }
}

static void open_level(struct inject_walk *w, const struct inject_node *node)
{
    w->levels[w->level_count] = (struct inject_level){
        .node = *node,
        .wanted = node->type == WIRE_JSON_OBJECT ? wanted_in(w, w->level_count) : 0,
        .tail = node->from + 1,
    };
    w->level_count++;
}

static int close_level(struct inject_walk *w, size_t to, struct inject_node *out)
{
    const struct inject_level *top = top_of(w);

    *out = top->node;
    out->kind = INJECT_NODE_CLOSE;
    out->to = to;
    out->missing = top->wanted & ~top->found;
    out->count = top->count;
    out->tail = top->tail;
    w->level_count--;
    child_over(w, to);
    return 0;
}

/* The value whose first token is `t`; `node` has its key, if there is one. */
static int put_value(struct inject_walk *w, const struct wire_json_token *t,
                     struct inject_node *node)
{
    bool goes_on;
    int r;

    node->type = t->kind;
    node->from = t->from;
    node->to = t->to;
    node->depth = (unsigned)w->level_count;
    if (w->level_count == 0) {
        goes_on = step_root(w, node);
    } else {
        node->index = top_of(w)->count++;
        goes_on = step_all(w, node);
    }
    if (goes_on && opens(t->kind)) {
        node->kind = INJECT_NODE_OPEN;
        node->to = 0;
        open_level(w, node);
        return 0;
    }
    node->kind = INJECT_NODE_VALUE;
    r = opens(t->kind) ? wire_json_leave(&w->scan, &node->to) : 0;
    child_over(w, node->to);
    return r;
}

int inject_walk_next(struct inject_walk *w, struct inject_node *out)
{
    struct inject_node node = { 0 };
    struct wire_json_token t;
    int r = wire_json_next(&w->scan, &t);

    if (r == 0 && w->level_count == w->level_cap) {
        r = grow(w);
    }
    if (r != 0) {
        return r;
    }
    if (closes(t.kind)) {
        return close_level(w, t.to, out);
    }
    if (t.kind == WIRE_JSON_KEY) {
        node.is_member = true;
        node.key_from = t.from;
        node.key_to = t.to;
        r = wire_json_next(&w->scan, &t);
    }
    if (r == 0) {
        r = put_value(w, &t, &node);
    }
    if (r == 0) {
        *out = node;
    }
    return r;
}

int inject_walk_leave(struct inject_walk *w, size_t *to)
{
    int r;

    assert(w->level_count > 0 && w->scan.depth == w->level_count);
    r = wire_json_leave(&w->scan, to);
    if (r == 0) {
        w->level_count--;
        child_over(w, *to);
    }
    return r;
}
