#include "replay/live_state.h"

#include "base/alloc.h"
#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

/* ---- places ---- */

enum { PLACE_OF_ROOT = 1 };

/* Keys that are written with escapes are all taken for one. */
static struct bytes step_of(struct bytes key)
{
    if (key.len == 0) {
        return bytes_of("[*]");
    }
    return memchr(key.at, '\\', key.len) == NULL ? key : bytes_of("\\");
}

int replay_live_places(const struct replay_tree *t, struct buf *out)
{
    size_t len = t->count * sizeof(uint32_t);
    uint32_t *places;
    int r;

    buf_clear(out);
    r = buf_reserve(out, len);
    if (r < 0 || len == 0) {
        return r;
    }
    places = (void *)out->at;
    places[0] = PLACE_OF_ROOT;
    for (uint32_t n = 1; n < t->count; n++) {
        places[n] = crc32c(places[t->at[n].parent], step_of(replay_value_key(t, n)));
    }
    out->len = len;
    return 0;
}

static int order(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

bool replay_links_has_place(const struct replay_links *l, uint32_t place)
{
    return l->place_count > 0 && bsearch(&place, l->places, l->place_count,
                                         sizeof(*l->places), order) != NULL;
}

/* ---- ids ---- */

static bool may_be_id(struct bytes text)
{
    bool digit = false;

    for (size_t i = 0; i < text.len; i++) {
        digit = digit || (text.at[i] >= '0' && text.at[i] <= '9');
        if (text.at[i] <= ' ') {
            return false;
        }
    }
    return digit;
}

static bool is_whole(const struct replay_live_link *link)
{
    return link->form == REPLAY_LIVE_STRING || link->form == REPLAY_LIVE_NUMBER ||
           link->form == REPLAY_LIVE_KEY;
}

static bool is_id(const struct replay_links *l, uint32_t source)
{
    return l->sources[source].node != REPLAY_NO_VALUE &&
           l->texts[l->sources[source].value].is_id;
}

static void mark_ids(struct replay_links *l)
{
    for (uint32_t i = 0; i < l->link_count; i++) {
        struct replay_live_text *t = &l->texts[l->sources[l->links[i].source].value];

        t->is_id = t->is_id ||
                   (is_whole(&l->links[i]) && t->distinctive && may_be_id(t->text));
    }
}

static void drop_doubles(struct replay_links *l)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->place_count; i++) {
        if (kept == 0 || l->places[i] != l->places[kept - 1]) {
            l->places[kept++] = l->places[i];
        }
    }
    l->place_count = kept;
}

int replay_live_find_ids(struct replay_links *l)
{
    uint32_t count = 0;

    mark_ids(l);
    for (uint32_t i = 0; i < l->source_count; i++) {
        count += is_id(l, i);
    }
    if (count == 0) {
        return 0;
    }
    l->places = alloc_get(count * sizeof(*l->places));
    if (l->places == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < l->source_count; i++) {
        if (is_id(l, i)) {
            l->places[l->place_count++] = l->sources[i].place;
        }
    }
    qsort(l->places, l->place_count, sizeof(*l->places), order);
    drop_doubles(l);
    return 0;
}

bool replay_links_any_id(const struct replay_links *l)
{
    return l->place_count > 0;
}

enum side replay_links_side(const struct replay_links *l)
{
    return l->from;
}

/* Sources lie in the order of their messages, and of the values in these. */
static uint32_t find_source(const struct replay_links *l, uint32_t message,
                            uint32_t node)
{
    uint32_t low = 0, high = l->source_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct replay_live_source *s = &l->sources[middle];

        if (s->message < message || (s->message == message && s->node < node)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t replay_live_sources_of(const struct replay_links *l, uint32_t message)
{
    return find_source(l, message, 0);
}

bool replay_links_is_id(const struct replay_links *l, uint32_t message, uint32_t node)
{
    uint32_t i = find_source(l, message, node);

    return i < l->source_count && l->sources[i].message == message &&
           l->sources[i].node == node && is_id(l, i);
}

/* ---- for -v ---- */

struct listing {
    struct replay_tree tree;
    uint32_t message; /* that the tree is of */
    struct buf path;
};

static int put_path(struct listing *s, const struct replay_links *l, uint32_t source)
{
    uint32_t message = l->sources[source].message;
    int r = 0;

    if (s->message != message) {
        s->message = message;
        r = replay_tree_read(&s->tree, l->connection->messages[message].payload);
    }
    buf_clear(&s->path);
    return r < 0 ? r
                 : replay_tree_put_path(&s->tree, l->sources[source].node, true,
                                        &s->path);
}

int replay_links_list_ids(const struct replay_links *l,
                          int (*tell)(void *owner, struct bytes path), void *owner)
{
    struct listing s = { .message = REPLAY_NONE };
    int r = 0;

    for (uint32_t i = 0; r >= 0 && i < l->source_count; i++) {
        if (is_id(l, i)) {
            r = put_path(&s, l, i);
            r = r < 0 ? r : tell(owner, buf_bytes(&s.path));
        }
    }
    replay_tree_deinit(&s.tree);
    buf_deinit(&s.path);
    return r < 0 ? r : 0;
}
