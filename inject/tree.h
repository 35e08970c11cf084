/*
 * inject/tree - what a rule file or a line of --fault says, before its meaning.
 *
 * Scalars, maps and lists, each with its place in the source, so that every error can
 * point at it. Both forms of rules become one tree, and one checker reads it.
 */
#ifndef WSTAPE_INJECT_TREE_H
#define WSTAPE_INJECT_TREE_H

#include "base/bytes.h"

enum {
    INJECT_TREE_NODES_MAX = 100000,
    INJECT_TREE_DEPTH_MAX = 64,
    INJECT_TREE_TEXT_MAX =
        16 * 1024 * 1024, /* bytes of all scalars, aliases included */
};

enum inject_tree_kind { INJECT_TREE_SCALAR, INJECT_TREE_MAP, INJECT_TREE_LIST };

struct inject_tree_node {
    enum inject_tree_kind kind;
    bool quoted;                  /* a scalar that is a text, whatever it looks like */
    size_t at;                    /* offset in the source */
    struct bytes text;            /* of a scalar; a NUL follows it */
    struct inject_tree_node *key; /* in a map: a scalar; else NULL */
    struct inject_tree_node *next;
    struct inject_tree_node *first, *last; /* children */
    size_t count;
};

struct inject_tree_block;

/* A zeroed struct is an empty tree. It owns its nodes and their texts. */
struct inject_tree {
    struct inject_tree_node *root; /* NULL: the source says nothing */
    struct inject_tree_block *blocks;
    size_t node_count;
    size_t text_len;
};

void inject_tree_deinit(struct inject_tree *t);

/* A new node without a parent; `text` (of a scalar) is copied. NULL: memory is out. */
struct inject_tree_node *inject_tree_add(struct inject_tree *t,
                                         enum inject_tree_kind kind, size_t at,
                                         struct bytes text);

/* Make `child` the last of `parent`, under `key` when that is a map. */
void inject_tree_append(struct inject_tree_node *parent, struct inject_tree_node *key,
                        struct inject_tree_node *child);

/* The value of a map's first entry called `name`, NULL: there is none, or `map` is
 * none. */
struct inject_tree_node *inject_tree_find(const struct inject_tree_node *map,
                                          const char *name);

/* Is it a scalar that says null (nothing, ~, null)? */
bool inject_tree_is_null(const struct inject_tree_node *n);

/* "a map", "a list", "null", or the scalar's own kind: for errors. */
const char *inject_tree_kind_name(const struct inject_tree_node *n);

#endif
