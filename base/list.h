/*
 * base/list - an intrusive doubly linked list.
 *
 * The list head and every node are a struct list; a node outside any list points to
 * itself after list_init or list_remove.
 */
#ifndef WSTAPE_BASE_LIST_H
#define WSTAPE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev;
    struct list *next;
};

/* The struct of type `type` whose member `member` is the node `node`. */
#define LIST_ENTRY(node, type, member)                                                 \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *l, struct list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
