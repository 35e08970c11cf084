#include "replay/volatility_state.h"

#include "base/alloc.h"

#include <errno.h>

void replay_paths_deinit(struct replay_paths *p)
{
    buf_deinit(&p->text);
    alloc_free(p->at);
    *p = (struct replay_paths){ 0 };
}

static int order(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int by_bytes = memcmp(a.at, b.at, len);

    return by_bytes != 0 ? by_bytes : (a.len > b.len) - (a.len < b.len);
}

/* The first entry that is not before `path`. */
static size_t place_of(const struct replay_paths *p, struct bytes path)
{
    size_t low = 0, high = p->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (order(replay_paths_text(p, middle), path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct replay_path *replay_paths_find(const struct replay_paths *p, struct bytes path)
{
    size_t n = place_of(p, path);

    return n < p->count && bytes_equal(replay_paths_text(p, n), path) ? &p->at[n]
                                                                      : NULL;
}

static int grow(struct replay_paths *p)
{
    size_t cap = p->cap == 0 ? 16 : p->cap * 2;
    struct replay_path *at = alloc_resize(p->at, cap * sizeof(*at));

    if (at == NULL) {
        return -ENOMEM;
    }
    p->at = at;
    p->cap = cap;
    return 0;
}

int replay_paths_put(struct replay_paths *p, struct bytes path, const char *why)
{
    size_t n = place_of(p, path), from = p->text.len;
    int r;

    if (p->count == REPLAY_VOLATILE_MAX || replay_paths_find(p, path) != NULL) {
        return 0;
    }
    r = p->count == p->cap ? grow(p) : 0;
    if (r == 0) {
        r = buf_put(&p->text, path);
    }
    if (r < 0) {
        return r;
    }
    memmove(p->at + n + 1, p->at + n, (p->count - n) * sizeof(*p->at));
    p->at[n] = (struct replay_path){ .from = from, .len = path.len, .why = why };
    p->count++;
    return 0;
}
