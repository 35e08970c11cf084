#include "replay/choice.h"

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>

enum { PUT_MAX = 100 };

/* Exchanges are grouped twice. */
enum by { BY_TARGET, BY_PATH };

/* An exchange of the tape, in a list of each kind. */
struct item {
    uint32_t connection, exchange;
    uint32_t group;   /* by target */
    uint32_t next[2]; /* by enum by: the next one of the same group, or NONE */
    uint64_t plays;
};

/* Exchanges with the same method, kind and target (or path), in the tape's order. */
struct group {
    struct bytes method, name; /* borrowed from the script */
    bool asks;
    uint32_t hash;
    uint32_t first, last; /* items */
    uint32_t at;          /* where to look for the next one, NONE: past the last */
    uint64_t round;       /* items with more plays than this have had their turn */
    uint64_t recorded, played;
};

struct groups {
    struct group *at;
    uint32_t *slots; /* open addressing: index of a group, or NONE */
    uint32_t count, cap, mask;
};

struct replay_choice {
    const struct replay_script *script;
    enum replay_when_exhausted when;
    struct item *items;
    uint32_t count;
    struct groups groups[2]; /* by enum by */
};

static struct bytes without_query(struct bytes target)
{
    return bytes_first(target, bytes_find(target, bytes_of("?")));
}

static uint32_t hash_of(struct bytes method, struct bytes name, bool asks)
{
    return crc32c(crc32c(asks ? 1 : 2, method), name);
}

/* The slot of a group, or the free one where it belongs. */
static uint32_t *slot_of(const struct groups *g, struct bytes method, struct bytes name,
                         bool asks)
{
    uint32_t hash = hash_of(method, name, asks);
    uint32_t i = hash & g->mask;

    while (g->slots[i] != REPLAY_NONE) {
        const struct group *at = &g->at[g->slots[i]];

        if (at->hash == hash && at->asks == asks && bytes_equal(at->method, method) &&
            bytes_equal(at->name, name)) {
            break;
        }
        i = (i + 1) & g->mask;
    }
    return &g->slots[i];
}

/* ---- building ---- */

/* Slots for `items` groups at most, which grow as they come. */
static int prepare(struct groups *g, uint32_t items)
{
    uint32_t slots = 4;

    while (slots / 2 < items) {
        slots *= 2;
    }
    g->slots = alloc_get(slots * sizeof(*g->slots));
    if (g->slots == NULL) {
        return -ENOMEM;
    }
    g->mask = slots - 1;
    memset(g->slots, 0xff, slots * sizeof(*g->slots));
    return 0;
}

static int add_group(struct groups *g, const struct group *made, uint32_t *slot)
{
    if (g->count == g->cap) {
        uint32_t cap = g->cap == 0 ? 16 : g->cap * 2;
        struct group *at = alloc_resize(g->at, cap * sizeof(*at));

        if (at == NULL) {
            return -ENOMEM;
        }
        g->at = at;
        g->cap = cap;
    }
    *slot = g->count;
    g->at[g->count++] = *made;
    return 0;
}

/* Appends item `index` to its group. */
static int join(struct replay_choice *c, enum by by, uint32_t index,
                const struct replay_exchange *e)
{
    struct groups *g = &c->groups[by];
    struct bytes name = by == BY_TARGET ? e->target : without_query(e->target);
    uint32_t *slot = slot_of(g, e->method, name, e->asks);

    c->items[index].next[by] = REPLAY_NONE;
    if (*slot == REPLAY_NONE) {
        struct group made = {
            .method = e->method,
            .name = name,
            .asks = e->asks,
            .hash = hash_of(e->method, name, e->asks),
            .first = index,
            .last = index,
            .at = index,
        };
        int r = add_group(g, &made, slot);

        if (r < 0) {
            return r;
        }
    } else {
        c->items[g->at[*slot].last].next[by] = index;
    }
    g->at[*slot].last = index;
    g->at[*slot].recorded++;
    if (by == BY_TARGET) {
        c->items[index].group = *slot;
    }
    return 0;
}

static int add_connection(struct replay_choice *c, uint32_t connection)
{
    const struct replay_connection *from = &c->script->connections[connection];

    for (uint32_t i = 0; i < from->exchange_count; i++) {
        uint32_t index = c->count;
        int r;

        c->items[index] = (struct item){ .connection = connection, .exchange = i };
        r = join(c, BY_TARGET, index, &from->exchanges[i]);
        if (r == 0) {
            r = join(c, BY_PATH, index, &from->exchanges[i]);
        }
        if (r < 0) {
            return r;
        }
        c->count++;
    }
    return 0;
}

static int fill(struct replay_choice *c)
{
    uint64_t count = 0;
    int r;

    for (size_t i = 0; i < c->script->count; i++) {
        count += c->script->connections[i].exchange_count;
    }
    assert(count < REPLAY_NONE / 4);
    c->items = alloc_zero(count, sizeof(*c->items));
    if (c->items == NULL) {
        return -ENOMEM;
    }
    r = prepare(&c->groups[BY_TARGET], (uint32_t)count);
    if (r == 0) {
        r = prepare(&c->groups[BY_PATH], (uint32_t)count);
    }
    for (size_t i = 0; r == 0 && i < c->script->count; i++) {
        r = add_connection(c, (uint32_t)i);
    }
    return r;
}

int replay_choice_new(const struct replay_script *s, enum replay_when_exhausted when,
                      struct replay_choice **out)
{
    struct replay_choice *c = alloc_zero(1, sizeof(*c));
    int r;

    if (c == NULL) {
        return -ENOMEM;
    }
    c->script = s;
    c->when = when;
    r = fill(c);
    if (r < 0) {
        replay_choice_free(c);
        return r;
    }
    *out = c;
    return 0;
}

void replay_choice_free(struct replay_choice *c)
{
    if (c == NULL) {
        return;
    }
    for (int by = BY_TARGET; by <= BY_PATH; by++) {
        alloc_free(c->groups[by].at);
        alloc_free(c->groups[by].slots);
    }
    alloc_free(c->items);
    alloc_free(c);
}

/* ---- choosing ---- */

/* The first item that has not had its turn. An item can have had it through the other
 * kind of group: each step here is paid for by a play. */
static uint32_t next_item(const struct replay_choice *c, struct group *g, enum by by)
{
    for (;;) {
        while (g->at != REPLAY_NONE && c->items[g->at].plays > g->round) {
            g->at = c->items[g->at].next[by];
        }
        if (g->at != REPLAY_NONE) {
            return g->at;
        }
        if (c->when != REPLAY_LOOP) {
            return c->when == REPLAY_LAST ? g->last : REPLAY_NONE;
        }
        g->round++;
        g->at = g->first;
    }
}

int replay_choice_next(struct replay_choice *c, struct bytes method,
                       struct bytes target, bool asks, struct replay_chosen *out)
{
    enum by by = BY_TARGET;
    uint32_t slot = *slot_of(&c->groups[by], method, target, asks);
    uint32_t index;
    struct item *item;

    if (slot == REPLAY_NONE) {
        by = BY_PATH;
        slot = *slot_of(&c->groups[by], method, without_query(target), asks);
    }
    if (slot == REPLAY_NONE) {
        return REPLAY_CHOICE_UNKNOWN;
    }
    index = next_item(c, &c->groups[by].at[slot], by);
    if (index == REPLAY_NONE) {
        return REPLAY_CHOICE_EXHAUSTED;
    }
    item = &c->items[index];
    item->plays++;
    c->groups[BY_TARGET].at[item->group].played++;
    *out = (struct replay_chosen){
        .connection = &c->script->connections[item->connection],
        .connection_index = item->connection,
        .exchange = item->exchange,
        .item = index,
    };
    return 0;
}

void replay_choice_undo(struct replay_choice *c, const struct replay_chosen *chosen)
{
    struct item *item = &c->items[chosen->item];

    item->plays--;
    c->groups[BY_TARGET].at[item->group].played--;
}

/* ---- telling ---- */

size_t replay_choice_count(const struct replay_choice *c)
{
    return c->groups[BY_TARGET].count;
}

void replay_choice_entry(const struct replay_choice *c, size_t i,
                         struct replay_choice_entry *out)
{
    const struct group *g = &c->groups[BY_TARGET].at[i];

    assert(i < c->groups[BY_TARGET].count);
    *out = (struct replay_choice_entry){
        .method = g->method,
        .target = g->name,
        .asks = g->asks,
        .recorded = g->recorded,
        .played = g->played,
    };
}

static int put_entry(const struct replay_choice_entry *e, struct buf *out)
{
    int r = buf_put_text(out, "{\"method\":");

    if (r == 0) {
        r = text_put_json(out, e->method);
    }
    if (r == 0) {
        r = buf_put_text(out, ",\"target\":");
    }
    if (r == 0) {
        r = text_put_json(out, e->target);
    }
    if (r == 0) {
        r = buf_put_format(out, ",\"count\":%llu,\"websocket\":%s}",
                           (unsigned long long)e->recorded, e->asks ? "true" : "false");
    }
    return r;
}

int replay_choice_put(const struct replay_choice *c, struct buf *out)
{
    int r = buf_put_byte(out, '[');

    for (size_t i = 0; r == 0 && i < replay_choice_count(c) && i < PUT_MAX; i++) {
        struct replay_choice_entry e;

        replay_choice_entry(c, i, &e);
        r = i == 0 ? 0 : buf_put_byte(out, ',');
        if (r == 0) {
            r = put_entry(&e, out);
        }
    }
    return r < 0 ? r : buf_put_byte(out, ']');
}
