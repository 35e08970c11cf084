#include "inject/tree.h"

#include "base/alloc.h"

#include <string.h>

enum { BLOCK_LEN = 16 * 1024, ALIGN = 16 };

struct inject_tree_block {
    struct inject_tree_block *next;
    size_t used, cap;
    _Alignas(ALIGN) uint8_t at[];
};

void inject_tree_deinit(struct inject_tree *t)
{
    struct inject_tree_block *next;

    for (struct inject_tree_block *b = t->blocks; b != NULL; b = next) {
        next = b->next;
        alloc_free(b);
    }
    *t = (struct inject_tree){ 0 };
}

static void *get(struct inject_tree *t, size_t len)
{
    struct inject_tree_block *b = t->blocks;
    size_t cap;

    len = (len + ALIGN - 1) / ALIGN * ALIGN;
    if (b == NULL || b->cap - b->used < len) {
        cap = len > BLOCK_LEN ? len : BLOCK_LEN;
        b = alloc_get(sizeof(*b) + cap);
        if (b == NULL) {
            return NULL;
        }
        *b = (struct inject_tree_block){ .next = t->blocks, .cap = cap };
        t->blocks = b;
    }
    b->used += len;
    return b->at + b->used - len;
}

static bool copy_text(struct inject_tree *t, struct bytes text,
                      struct inject_tree_node *n)
{
    uint8_t *copy = get(t, text.len + 1);

    if (copy == NULL) {
        return false;
    }
    if (text.len > 0) {
        memcpy(copy, text.at, text.len);
    }
    copy[text.len] = '\0';
    n->text = bytes_make(copy, text.len);
    t->text_len += text.len;
    return true;
}

struct inject_tree_node *inject_tree_add(struct inject_tree *t,
                                         enum inject_tree_kind kind, size_t at,
                                         struct bytes text)
{
    struct inject_tree_node *n = get(t, sizeof(*n));

    if (n == NULL) {
        return NULL;
    }
    *n = (struct inject_tree_node){ .kind = kind, .at = at };
    t->node_count++;
    return kind != INJECT_TREE_SCALAR || copy_text(t, text, n) ? n : NULL;
}

void inject_tree_append(struct inject_tree_node *parent, struct inject_tree_node *key,
                        struct inject_tree_node *child)
{
    child->key = key;
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->count++;
}

struct inject_tree_node *inject_tree_find(const struct inject_tree_node *map,
                                          const char *name)
{
    struct inject_tree_node *n = NULL;

    if (map != NULL && map->kind == INJECT_TREE_MAP) {
        n = map->first;
    }
    while (n != NULL && !bytes_equal(n->key->text, bytes_of(name))) {
        n = n->next;
    }
    return n;
}

bool inject_tree_is_null(const struct inject_tree_node *n)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };

    if (n->kind != INJECT_TREE_SCALAR || n->quoted) {
        return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (bytes_equal(n->text, bytes_of(words[i]))) {
            return true;
        }
    }
    return false;
}

const char *inject_tree_kind_name(const struct inject_tree_node *n)
{
    switch (n->kind) {
    case INJECT_TREE_MAP:
        return "a map";
    case INJECT_TREE_LIST:
        return "a list";
    case INJECT_TREE_SCALAR:
        break;
    }
    return inject_tree_is_null(n) ? "nothing" : "a scalar";
}
