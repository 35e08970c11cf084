#include "replay/compare_state.h"

#include "replay/volatility.h"
#include "wire/frame.h"

static const char *const names[] = {
    "type",         "event",      "kind",     "op",          "opcode",    "action",
    "method",       "cmd",        "command",  "target",      "rpc",       "procedure",
    "message_type", "event_type", "msg_type", "messageType", "eventType", "msgType",
};

bool replay_compare_names(struct bytes key_token)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (wire_json_equals(key_token, bytes_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_plain(const struct replay_tree *t, uint32_t value)
{
    return t->at[value].kind == WIRE_JSON_STRING ||
           t->at[value].kind == WIRE_JSON_NUMBER;
}

static bool has_names(const struct replay_tree *t)
{
    for (uint32_t n = t->at[0].first; n != REPLAY_NO_VALUE; n = t->at[n].next) {
        if (t->at[n].index >= REPLAY_NAMES_LOOK) {
            break;
        }
        if (is_plain(t, n) && replay_compare_names(replay_value_key(t, n))) {
            return true;
        }
    }
    return false;
}

bool replay_compare_is_name(const struct replay_tree *t, uint32_t value)
{
    struct bytes key = replay_value_key(t, value);

    if (t->at[value].parent != 0 || key.len == 0 || !is_plain(t, value) ||
        t->at[value].index >= REPLAY_NAMES_LOOK) {
        return false;
    }
    return replay_compare_names(key) ||
           (wire_json_equals(key, bytes_of("msg")) && !has_names(t));
}

/* ---- objects ---- */

static bool same_name(const struct replay_tree *x, uint32_t n,
                      const struct replay_tree *y, uint32_t m)
{
    enum replay_shape shape;

    if (x->at[n].kind != y->at[m].kind) {
        return false;
    }
    shape = replay_shape_of(replay_value_text(x, n));
    return replay_compare_same_scalar(x, n, y, m) ||
           (shape != REPLAY_SHAPE_NONE &&
            shape == replay_shape_of(replay_value_text(y, m)));
}

/* The member of `y` that stands where `n` stands in `x`: its twin, for a key that comes
 * more than once; the last one of the key when there are too few. */
static uint32_t counterpart(const struct replay_compare *c, const struct replay_tree *x,
                            uint32_t n)
{
    bool after = x == &c->after;
    uint32_t m = after ? replay_compare_twin_of_after(c, n)
                       : replay_compare_twin_of_before(c, n);

    return m != REPLAY_NO_VALUE ? m
                                : replay_tree_member(after ? &c->before : &c->after, 0,
                                                     replay_value_key(x, n));
}

/* Whether the naming members of `x` have an equal one in `y`. */
static bool names_agree(const struct replay_compare *c, const struct replay_tree *x,
                        const struct replay_tree *y)
{
    for (uint32_t n = x->at[0].first; n != REPLAY_NO_VALUE; n = x->at[n].next) {
        bool ignored = x == &c->after ? replay_compare_ignores_after(c, n)
                                      : replay_compare_ignores_before(c, n);
        uint32_t m;

        if (ignored || !replay_compare_is_name(x, n)) {
            continue;
        }
        m = counterpart(c, x, n);
        if (m == REPLAY_NO_VALUE || !same_name(x, n, y, m)) {
            return false;
        }
    }
    return true;
}

/* Whether the two outermost objects, which are paired, share a key, or one is empty. */
static bool share_a_key(const struct replay_compare *c)
{
    uint32_t n = c->before.at[0].first;
    bool share = n == REPLAY_NO_VALUE || c->after.at[0].first == REPLAY_NO_VALUE;

    for (; n != REPLAY_NO_VALUE && !share; n = c->before.at[n].next) {
        share = replay_compare_twin_of_before(c, n) != REPLAY_NO_VALUE;
    }
    return share;
}

static int same_objects(struct replay_compare *c, bool *same)
{
    int r = replay_compare_pair(c, c->before.at[0].first, c->after.at[0].first);

    if (r == 0) {
        *same = names_agree(c, &c->before, &c->after) &&
                names_agree(c, &c->after, &c->before) && share_a_key(c);
    }
    return r;
}

/* ---- others ---- */

static bool ignores_one(const struct replay_compare *c, uint32_t n, uint32_t m)
{
    return replay_compare_ignores_before(c, n) || replay_compare_ignores_after(c, m);
}

static bool same_arrays(const struct replay_compare *c)
{
    const struct replay_tree *x = &c->before, *y = &c->after;
    uint32_t n = x->at[0].first, m = y->at[0].first;
    bool string;

    if (n == REPLAY_NO_VALUE || m == REPLAY_NO_VALUE || ignores_one(c, n, m)) {
        return true;
    }
    string = x->at[n].kind == WIRE_JSON_STRING || y->at[m].kind == WIRE_JSON_STRING;
    return !string || same_name(x, n, y, m);
}

/* true and false are of one type. */
static enum wire_json_kind type_of(const struct replay_tree *t)
{
    return t->at[0].kind == WIRE_JSON_FALSE ? WIRE_JSON_TRUE : t->at[0].kind;
}

static bool same_prefix(const struct replay_compare *c)
{
    return bytes_equal(replay_value_prefix_kind(replay_tree_prefix(&c->before)),
                       replay_value_prefix_kind(replay_tree_prefix(&c->after)));
}

static int same_json(struct replay_compare *c, bool *same)
{
    enum wire_json_kind type = type_of(&c->before);

    if (!same_prefix(c)) {
        *same = false;
        return 0;
    }
    if (ignores_one(c, 0, 0) || type != type_of(&c->after)) {
        *same = ignores_one(c, 0, 0);
        return 0;
    }
    if (type == WIRE_JSON_OBJECT) {
        return same_objects(c, same);
    }
    *same = type != WIRE_JSON_ARRAY || same_arrays(c);
    return 0;
}

static int same_texts(struct replay_compare *c, struct bytes before, struct bytes after,
                      bool *same)
{
    int r = replay_compare_read(c, before, after);

    if (r <= 0) {
        return r < 0 ? r : same_json(c, same);
    }
    /* One of them is no tree: is neither? */
    if (c->before.count == 0) {
        r = replay_tree_read(&c->after, after);
        *same = r > 0;
    } else {
        *same = false;
    }
    return r < 0 ? r : 0;
}

int replay_compare_kind(struct replay_compare *c, struct replay_text before,
                        struct replay_text after, bool *same)
{
    int r;

    if (c->rules->match == REPLAY_MATCH_ANY) {
        *same = true;
        return 0;
    }
    if (before.opcode != after.opcode || before.opcode != WIRE_OP_TEXT) {
        *same = before.opcode == after.opcode;
        return 0;
    }
    r = same_texts(c, before.payload, after.payload, same);
    replay_compare_trim(c);
    return r;
}
