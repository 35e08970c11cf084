#include "replay/swaps.h"

#include "base/alloc.h"
#include "base/crc32c.h"

#include <errno.h>

enum { TREE_KEPT = 4096 }; /* values that scratch memory is kept for */

struct replay_swap {
    uint32_t index;          /* of the message that was said with it first */
    size_t from;             /* in `texts`: recorded, then live */
    uint32_t recorded, live; /* bytes */
    uint32_t before;         /* the swap before it with this hash, and 1; 0: none */
};

void replay_swaps_deinit(struct replay_swaps *s)
{
    alloc_free(s->at);
    buf_deinit(&s->texts);
    buf_deinit(&s->scratch);
    capture_map_deinit(&s->by_hash);
    replay_tree_deinit(&s->tape);
    replay_tree_deinit(&s->live);
}

/* ---- pairs of texts ---- */

static uint32_t hash_of(struct bytes recorded, struct bytes live)
{
    return crc32c(crc32c(0, recorded) + 1, live);
}

static bool is_pair(const struct replay_swaps *s, const struct replay_swap *p,
                    struct bytes recorded, struct bytes live)
{
    struct bytes both = bytes_from(buf_bytes(&s->texts), p->from);

    return bytes_equal(bytes_first(both, p->recorded), recorded) &&
           bytes_equal(bytes_first(bytes_from(both, p->recorded), p->live), live);
}

static const struct replay_swap *find(const struct replay_swaps *s,
                                      struct bytes recorded, struct bytes live)
{
    uint32_t hash = hash_of(recorded, live);
    size_t place = (size_t)(uintptr_t)capture_map_get(&s->by_hash, hash);

    while (place != 0) {
        const struct replay_swap *p = &s->at[place - 1];

        if (is_pair(s, p, recorded, live)) {
            return p;
        }
        place = p->before;
    }
    return NULL;
}

static int make_room(struct replay_swaps *s)
{
    uint32_t cap = s->cap * 2 + 4;
    void *moved;

    if (s->count < s->cap) {
        return 0;
    }
    moved = alloc_resize(s->at, cap * sizeof(*s->at));
    if (moved == NULL) {
        return -ENOMEM;
    }
    s->at = moved;
    s->cap = cap;
    return 0;
}

static bool is_too_much(const struct replay_swaps *s, struct bytes recorded,
                        struct bytes live)
{
    return s->count == REPLAY_SWAPS_MAX || recorded.len > REPLAY_SWAPS_VALUE_MAX ||
           live.len > REPLAY_SWAPS_VALUE_MAX ||
           recorded.len + live.len > REPLAY_SWAPS_BYTES - s->texts.len;
}

static int add(struct replay_swaps *s, uint32_t index, struct bytes recorded,
               struct bytes live)
{
    uint32_t hash = hash_of(recorded, live);
    size_t from = s->texts.len;
    int r;

    if (is_too_much(s, recorded, live) || find(s, recorded, live) != NULL) {
        return 0;
    }
    r = make_room(s);
    r = r == 0 ? buf_put(&s->texts, recorded) : r;
    r = r == 0 ? buf_put(&s->texts, live) : r;
    if (r < 0) {
        s->texts.len = from;
        return r;
    }
    s->at[s->count] = (struct replay_swap){
        .index = index,
        .from = from,
        .recorded = (uint32_t)recorded.len,
        .live = (uint32_t)live.len,
        .before = (uint32_t)(uintptr_t)capture_map_get(&s->by_hash, hash),
    };
    r = capture_map_put(&s->by_hash, hash, (void *)((uintptr_t)s->count + 1));
    if (r < 0) {
        s->texts.len = from;
        return r;
    }
    s->count++;
    return 0;
}

/* ---- values ---- */

struct pair {
    struct bytes recorded, live;
};

/* Append the characters of a string token, or the token. */
static int put_plain(struct buf *out, struct bytes token)
{
    return token.len > 0 && token.at[0] == '"' ? wire_json_decode(out, token)
                                               : buf_put(out, token);
}

/* Both tokens as characters; they lie in the scratch memory. */
static int read_pair(struct replay_swaps *s, struct bytes recorded, struct bytes live,
                     struct pair *out)
{
    size_t middle;
    int r;

    buf_clear(&s->scratch);
    r = put_plain(&s->scratch, recorded);
    middle = s->scratch.len;
    r = r == 0 ? put_plain(&s->scratch, live) : r;
    if (r == 0) {
        out->recorded = bytes_first(buf_bytes(&s->scratch), middle);
        out->live = bytes_from(buf_bytes(&s->scratch), middle);
    }
    return r;
}

static int add_tokens(struct replay_swaps *s, uint32_t index, struct bytes recorded,
                      struct bytes live)
{
    struct pair p;
    int r;

    if (bytes_equal(recorded, live)) {
        return 0;
    }
    r = read_pair(s, recorded, live, &p);
    return r == 0 ? add(s, index, p.recorded, p.live) : r;
}

static bool is_scalar(const struct replay_tree *t, uint32_t n)
{
    return t->at[n].kind == WIRE_JSON_STRING || t->at[n].kind == WIRE_JSON_NUMBER;
}

/* One value stands for one value: nothing is put in that changes the shape. */
static int add_values(struct replay_swaps *s, uint32_t index)
{
    const struct replay_tree *tape = &s->tape, *live = &s->live;
    int r = 0;

    for (uint32_t n = 0; r == 0 && n < tape->count && tape->count == live->count; n++) {
        r = add_tokens(s, index, replay_value_key(tape, n), replay_value_key(live, n));
        if (r == 0 && is_scalar(tape, n) && is_scalar(live, n)) {
            r = add_tokens(s, index, replay_value_text(tape, n),
                           replay_value_text(live, n));
        }
    }
    return r;
}

static void trim(struct replay_tree *t)
{
    if (t->cap > TREE_KEPT) {
        replay_tree_deinit(t);
    }
}

int replay_swaps_note(struct replay_swaps *s, uint32_t index, struct bytes recorded,
                      struct bytes live)
{
    int r = replay_tree_read(&s->tape, recorded);

    if (r == 0) {
        r = replay_tree_read(&s->live, live);
    }
    if (r == 0) {
        r = add_values(s, index);
    } else if (r > 0) {
        r = add(s, index, recorded, live);
    }
    trim(&s->tape);
    trim(&s->live);
    return r;
}

int replay_swaps_has(struct replay_swaps *s, const struct replay_swaps_question *q,
                     bool *has)
{
    struct pair p = { q->recorded, q->live };
    const struct replay_swap *swap;
    int r = 0;

    *has = false;
    if (s->count == 0) {
        return 0;
    }
    if (q->is_json) {
        r = read_pair(s, q->recorded, q->live, &p);
    }
    if (r < 0) {
        return r;
    }
    swap = find(s, p.recorded, p.live);
    *has = swap != NULL && swap->index < q->index;
    return 0;
}
