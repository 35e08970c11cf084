#include "replay/volatility_state.h"

#include "base/alloc.h"
#include "replay/compare.h"
#include "replay/script.h"
#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>

void replay_volatility_free(struct replay_volatility *v)
{
    if (v != NULL) {
        replay_paths_deinit(&v->sides[CLIENT]);
        replay_paths_deinit(&v->sides[SERVER]);
        alloc_free(v);
    }
}

int replay_volatility_has(const struct replay_volatility *v, enum side from,
                          const struct replay_tree *t, uint32_t value,
                          struct buf *scratch, bool *has)
{
    const struct replay_path *p;
    int r;

    if (v == NULL || v->sides[from].count == 0) {
        *has = false;
        return 0;
    }
    buf_clear(scratch);
    r = replay_tree_put_path(t, value, true, scratch);
    if (r < 0) {
        return r;
    }
    p = replay_paths_find(&v->sides[from], buf_bytes(scratch));
    *has = p != NULL && p->why != NULL;
    return 0;
}

size_t replay_volatility_count(const struct replay_volatility *v, enum side from)
{
    size_t count = 0;

    for (size_t n = 0; v != NULL && n < v->sides[from].count; n++) {
        count += v->sides[from].at[n].why != NULL;
    }
    return count;
}

/* ---- differences between two sessions ---- */

struct search {
    struct replay_compare compare;
    struct replay_paths *paths; /* of the side that is looked at */
    struct buf path;
};

/* Where something else than ids and times differs, these are not volatile either. */
static int note(struct search *s, const struct replay_difference *d, bool may_differ)
{
    struct replay_path *known;
    int r;

    buf_clear(&s->path);
    r = replay_tree_put_path(&s->compare.before, d->before_value, true, &s->path);
    if (r < 0) {
        return r;
    }
    known = replay_paths_find(s->paths, buf_bytes(&s->path));
    if (known != NULL) {
        known->why = may_differ ? known->why : NULL;
        return 0;
    }
    return replay_paths_put(s->paths, buf_bytes(&s->path),
                            may_differ ? "differs between sessions" : NULL);
}

/* Of the member that the value is in, through arrays. */
static bool is_under_time(const struct replay_tree *t, uint32_t n)
{
    while (t->at[n].key_from == t->at[n].key_to) {
        n = t->at[n].parent;
        if (n == REPLAY_NO_VALUE) {
            return false;
        }
    }
    return replay_guess_time(replay_value_key(t, n));
}

static int look_at_difference(void *owner, const struct replay_difference *d)
{
    struct search *s = owner;
    const struct replay_tree *x = &s->compare.before, *y = &s->compare.after;
    enum wire_json_kind kind;

    if (d->before_value == REPLAY_NO_VALUE || d->after_value == REPLAY_NO_VALUE) {
        return 0;
    }
    kind = x->at[d->before_value].kind;
    if (kind != y->at[d->after_value].kind ||
        replay_compare_is_name(x, d->before_value)) {
        return 0;
    }
    if (kind != WIRE_JSON_STRING && kind != WIRE_JSON_NUMBER) {
        return 0;
    }
    return note(s, d,
                (replay_guess_id(d->before) && replay_guess_id(d->after)) ||
                    (kind == WIRE_JSON_NUMBER && is_under_time(x, d->before_value)));
}

static bool is_comparable(const struct replay_message *m)
{
    return m->whole && m->opcode == WIRE_OP_TEXT;
}

static int look_at_messages(struct search *s, enum side from,
                            const struct replay_message *x,
                            const struct replay_message *y)
{
    struct replay_text before = { x->opcode, x->payload };
    struct replay_text after = { y->opcode, y->payload };
    bool same;
    int r;

    if (!is_comparable(x) || !is_comparable(y) || bytes_equal(x->payload, y->payload)) {
        return 0;
    }
    r = replay_compare_kind(&s->compare, before, after, &same);
    if (r < 0 || !same) {
        return r;
    }
    r = replay_compare(&s->compare, from, before, after, look_at_difference, s);
    return r < 0 ? r : 0;
}

static int look_at_sessions(struct search *s, enum side from,
                            const struct replay_connection *x,
                            const struct replay_connection *y)
{
    uint32_t n = x->first[from], m = y->first[from];
    int r = 0;

    for (unsigned i = 0; r == 0 && i < REPLAY_VOLATILE_LOOK; i++) {
        if (n == REPLAY_NONE || m == REPLAY_NONE) {
            return 0;
        }
        r = look_at_messages(s, from, &x->messages[n], &y->messages[m]);
        n = x->messages[n].next;
        m = y->messages[m].next;
    }
    return r;
}

/* ---- sessions of one path ---- */

struct session {
    const struct replay_connection *c;
    struct bytes path;
};

static struct session session_of(const struct replay_connection *c)
{
    struct bytes target = c->exchanges[c->handshake].target;

    return (struct session){ c,
                             bytes_first(target, bytes_find(target, bytes_of("?"))) };
}

static int order(const void *a, const void *b)
{
    const struct session *x = a, *y = b;
    size_t len = x->path.len < y->path.len ? x->path.len : y->path.len;
    int by_path = len == 0 ? 0 : memcmp(x->path.at, y->path.at, len);

    if (by_path == 0) {
        by_path = (x->path.len > y->path.len) - (x->path.len < y->path.len);
    }
    return by_path != 0 ? by_path : (x->c > y->c) - (x->c < y->c);
}

/* All sessions, those of one path together. -ENOMEM. */
static int sort_sessions(const struct replay_script *s, struct session **out,
                         size_t *count)
{
    struct session *at = alloc_zero(s->count, sizeof(*at));

    if (at == NULL) {
        return -ENOMEM;
    }
    *count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->connections[i].handshake != REPLAY_NONE) {
            at[(*count)++] = session_of(&s->connections[i]);
        }
    }
    qsort(at, *count, sizeof(*at), order);
    *out = at;
    return 0;
}

/* Every session with the first one of its path, and with the one before it. */
static int look_at_side(struct search *s, enum side from, const struct session *at,
                        size_t count)
{
    size_t first = 0;
    int r = 0;

    for (size_t i = 1; i < count && r == 0; i++) {
        if (!bytes_equal(at[i].path, at[first].path)) {
            first = i;
        }
        if (i == first || i - first >= REPLAY_VOLATILE_SESSIONS) {
            continue;
        }
        r = look_at_sessions(s, from, at[first].c, at[i].c);
        if (r == 0 && i - 1 > first) {
            r = look_at_sessions(s, from, at[i - 1].c, at[i].c);
        }
    }
    return r;
}

static int look_at_all(struct search *s, struct replay_volatility *v,
                       const struct replay_script *script)
{
    struct session *at;
    size_t count;
    int r = sort_sessions(script, &at, &count);

    if (r < 0) {
        return r;
    }
    s->paths = &v->sides[CLIENT];
    r = look_at_side(s, CLIENT, at, count);
    if (r == 0) {
        s->paths = &v->sides[SERVER];
        r = look_at_side(s, SERVER, at, count);
    }
    alloc_free(at);
    return r;
}

int replay_volatility_new(const struct replay_script *s, struct replay_volatility **out)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct replay_volatility *v = alloc_zero(1, sizeof(*v));
    struct search search = { 0 };
    int r;

    if (v == NULL) {
        return -ENOMEM;
    }
    replay_compare_init(&search.compare, &rules);
    r = look_at_all(&search, v, s);
    replay_compare_deinit(&search.compare);
    buf_deinit(&search.path);
    if (r < 0) {
        replay_volatility_free(v);
        return r;
    }
    *out = v;
    return 0;
}
