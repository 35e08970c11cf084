#include "proxy/line.h"

#include "base/alloc.h"

#include <errno.h>

static struct proxy_line_item *item(const struct proxy_line *l, size_t i)
{
    return &l->items[(l->first + i) % l->cap];
}

void proxy_line_clear(struct proxy_line *l)
{
    for (size_t i = 0; i < l->count; i++) {
        chunk_unref(item(l, i)->bytes.chunk);
    }
    l->count = 0;
    l->len = 0;
    l->ended = false;
}

void proxy_line_deinit(struct proxy_line *l)
{
    proxy_line_clear(l);
    alloc_free(l->items);
    *l = (struct proxy_line){ 0 };
}

static int grow(struct proxy_line *l)
{
    size_t cap = l->cap == 0 ? 8 : l->cap * 2;
    struct proxy_line_item *items = alloc_get(cap * sizeof(*items));

    if (items == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < l->count; i++) {
        items[i] = *item(l, i);
    }
    alloc_free(l->items);
    l->items = items;
    l->first = 0;
    l->cap = cap;
    return 0;
}

int proxy_line_put(struct proxy_line *l, struct slice bytes, int64_t go_at, bool whole)
{
    int r = l->count == l->cap ? grow(l) : 0;

    if (r < 0 || bytes.len == 0) {
        return r;
    }
    if (l->count > 0 && go_at < l->go_at) {
        go_at = l->go_at;
    }
    l->go_at = go_at;
    chunk_ref(bytes.chunk);
    *item(l, l->count) = (struct proxy_line_item){ bytes, go_at, whole };
    l->count++;
    l->len += bytes.len;
    return 0;
}

bool proxy_line_take(struct proxy_line *l, int64_t now_ns, struct slice *out)
{
    const struct proxy_line_item *head;

    if (l->count == 0 || item(l, 0)->go_at > now_ns) {
        return false;
    }
    head = item(l, 0);
    *out = head->bytes;
    l->torn = !head->whole;
    l->first = (l->first + 1) % l->cap;
    l->count--;
    l->len -= out->len;
    return true;
}

int64_t proxy_line_next_at(const struct proxy_line *l)
{
    return l->count == 0 || item(l, 0)->go_at == PROXY_LINE_NEVER ? -1
                                                                  : item(l, 0)->go_at;
}

void proxy_line_flush(struct proxy_line *l)
{
    for (size_t i = 0; i < l->count; i++) {
        item(l, i)->go_at = 0;
    }
    l->go_at = 0;
}
