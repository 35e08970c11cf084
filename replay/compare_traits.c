#include "replay/compare_state.h"

#include "replay/live.h"
#include "replay/volatility.h"
#include "wire/frame.h"

#include <stdlib.h>

/*
 * A number for each value, such that equal ones have the same: of a scalar made of what
 * it means, of a container the sum over its children, each with its key or index.
 */

enum seed {
    OF_BYTES = 1,
    OF_KEY,
    OF_INDEX,
    OF_SHAPE,
    OF_NUMBER,
    OF_KIND,
    OF_OPCODE,
    OF_TEXT
};

enum { NUMBER_MAX = 400 };

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) + UINT64_C(0x632be59bd9b4e019);

    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

static uint64_t of_bytes(uint64_t seed, struct bytes in)
{
    uint64_t h = mix(seed, in.len), word;

    for (; in.len >= sizeof(word); in = bytes_from(in, sizeof(word))) {
        memcpy(&word, in.at, sizeof(word));
        h = mix(h, word);
    }
    word = 0;
    memcpy(&word, in.len > 0 ? in.at : (const uint8_t *)"", in.len);
    return mix(h, word);
}

/* ---- scalars ---- */

/* What stands between the ids and times in it, and that these are there. */
static uint64_t of_text(uint64_t seed, struct bytes in)
{
    enum replay_shape shape = REPLAY_SHAPE_NONE;
    uint64_t h = seed;
    size_t from = 0, at = 0;

    while (at < in.len) {
        size_t len = replay_shape_part(in, at, &shape);

        if (len > 0) {
            h = mix(of_bytes(h, bytes_make(in.at + from, at - from)), shape);
            from = at + len;
        }
        at += len > 0 ? len : 1;
    }
    return of_bytes(h, bytes_from(in, from));
}

/* By characters, so that escapes make no difference. */
static int of_string(struct replay_compare *c, uint64_t seed, struct bytes token,
                     uint64_t *out)
{
    struct bytes inner = bytes_make(token.at + 1, token.len - 2);
    int r = 0;

    if (memchr(inner.at, '\\', inner.len) != NULL) {
        buf_clear(&c->keys);
        r = wire_json_decode(&c->keys, token);
        inner = buf_bytes(&c->keys);
    }
    if (r == 0) {
        *out = seed == OF_TEXT ? of_text(seed, inner) : of_bytes(seed, inner);
    }
    return r;
}

/* Numbers that are equal are so as doubles too. */
static uint64_t of_number(struct bytes number)
{
    char text[NUMBER_MAX + 1];
    double value;
    uint64_t bits;

    if (number.len > NUMBER_MAX) {
        return mix(OF_NUMBER, 0);
    }
    memcpy(text, number.at, number.len);
    text[number.len] = '\0';
    value = strtod(text, NULL) + 0.0; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof(bits));
    return mix(OF_NUMBER, bits);
}

/* Whether an id may stand at a value; the places are known if there are ids. */
static bool may_be_id(const struct replay_compare *c, uint32_t n)
{
    struct bytes text = replay_value_text(&c->before, n);
    uint32_t place;

    if (c->places.len == 0) {
        return false;
    }
    memcpy(&place, c->places.at + n * sizeof(place), sizeof(place));
    return replay_links_has_place(c->links, place) &&
           (c->before.at[n].kind == WIRE_JSON_NUMBER || !replay_value_has_space(text));
}

/* Strings and numbers, as far as they are not volatile. */
static int of_plain(struct replay_compare *c, enum side from, uint32_t n, uint64_t *out)
{
    const struct replay_rules *rules = c->rules;
    struct bytes text = replay_value_text(&c->before, n);
    enum wire_json_kind kind = c->before.at[n].kind;
    enum replay_shape shape = REPLAY_SHAPE_NONE;
    bool has = false;

    if (rules->match == REPLAY_MATCH_JSON) {
        int r = replay_volatility_has(rules->volatility, from, &c->before, n, &c->path,
                                      &has);

        if (r < 0) {
            return r;
        }
        shape = replay_shape_of(text);
        has = has || may_be_id(c, n);
    }
    if (has || shape != REPLAY_SHAPE_NONE) {
        *out = mix(mix(OF_SHAPE, kind), has ? UINT64_MAX : shape);
        return 0;
    }
    if (kind == WIRE_JSON_NUMBER) {
        *out = of_number(text);
        return 0;
    }
    return of_string(c, rules->match == REPLAY_MATCH_JSON ? OF_TEXT : OF_BYTES, text,
                     out);
}

/* ---- values ---- */

static int of_child(struct replay_compare *c, uint32_t n, uint64_t value, uint64_t *out)
{
    struct bytes key = replay_value_key(&c->before, n);
    uint64_t name = mix(OF_INDEX, c->before.at[n].index);
    int r = key.len == 0 ? 0 : of_string(c, OF_KEY, key, &name);

    *out = mix(name, value);
    return r;
}

/* What a name is for the kind: its value, or its shape. */
static int of_name(struct replay_compare *c, uint32_t n, uint64_t *out)
{
    struct bytes text = replay_value_text(&c->before, n);
    enum replay_shape shape = replay_shape_of(text);

    if (shape != REPLAY_SHAPE_NONE) {
        *out = mix(OF_SHAPE, shape);
        return 0;
    }
    if (c->before.at[n].kind == WIRE_JSON_NUMBER) {
        *out = of_number(text);
        return 0;
    }
    return of_string(c, OF_BYTES, text, out);
}

/* Children come after their parents, so it is done from the last one to the first. */
static int sum_values(struct replay_compare *c, enum side from, uint64_t *sums)
{
    const struct replay_tree *t = &c->before;
    int r = 0;

    for (uint32_t n = t->count; n-- > 0 && r == 0;) {
        enum wire_json_kind kind = t->at[n].kind;
        uint64_t own = mix(mix(OF_KIND, kind), sums[n]), child;

        if (replay_compare_ignores_before(c, n)) {
            sums[n] = 0;
            continue;
        }
        if (kind == WIRE_JSON_STRING || kind == WIRE_JSON_NUMBER) {
            r = of_plain(c, from, n, &own);
        }
        sums[n] = own;
        if (r == 0 && n > 0) {
            r = of_child(c, n, own, &child);
            sums[t->at[n].parent] += r == 0 ? child : 0;
        }
    }
    return r;
}

static int sum_names(struct replay_compare *c, uint64_t *out)
{
    const struct replay_tree *t = &c->before;
    bool is_array = t->at[0].kind == WIRE_JSON_ARRAY;
    uint64_t sum = 0, value, named;
    int r = 0;

    for (uint32_t n = t->at[0].first; n != REPLAY_NO_VALUE; n = t->at[n].next) {
        bool names = is_array ? t->at[n].index == 0 && t->at[n].kind == WIRE_JSON_STRING
                              : replay_compare_is_name(t, n);

        if (!names || replay_compare_ignores_before(c, n)) {
            continue;
        }
        r = of_name(c, n, &value);
        if (r == 0) {
            r = of_child(c, n, value, &named);
        }
        if (r < 0) {
            return r;
        }
        sum += named;
    }
    *out = sum;
    return 0;
}

/* Objects share a key, unless one is empty. */
static int keys_of(struct replay_compare *c, uint64_t *out)
{
    const struct replay_tree *t = &c->before;
    uint32_t n = t->at[0].first;
    uint64_t keys = 0, key;
    int r = 0;

    if (t->at[0].kind != WIRE_JSON_OBJECT || n == REPLAY_NO_VALUE ||
        replay_compare_ignores_before(c, 0)) {
        *out = UINT64_MAX;
        return 0;
    }
    for (; r == 0 && n != REPLAY_NO_VALUE; n = t->at[n].next) {
        r = of_string(c, OF_KEY, replay_value_key(t, n), &key);
        keys |= r == 0 ? UINT64_C(1) << (key & 63) : 0;
    }
    *out = keys;
    return r;
}

static int json_traits(struct replay_compare *c, enum side from,
                       struct replay_traits *out)
{
    enum wire_json_kind kind = c->before.at[0].kind;
    struct bytes prefix = replay_tree_prefix(&c->before);
    size_t len = c->before.count * sizeof(uint64_t);
    uint64_t names = 0;
    int r;

    buf_clear(&c->twins);
    r = buf_reserve(&c->twins, len);
    if (r < 0) {
        return r;
    }
    memset(c->twins.at, 0, len);
    buf_clear(&c->places);
    if (c->links != NULL && replay_links_any_id(c->links)) {
        r = replay_live_places(&c->before, &c->places);
    }
    if (r < 0) {
        return r;
    }
    r = sum_values(c, from, (void *)c->twins.at);
    if (r == 0) {
        r = sum_names(c, &names);
    }
    if (r == 0) {
        r = keys_of(c, &out->keys);
    }
    if (r < 0) {
        return r;
    }
    memcpy(&out->equal, c->twins.at, sizeof(out->equal));
    out->equal = of_bytes(out->equal, prefix);
    out->kind = mix(kind == WIRE_JSON_FALSE ? WIRE_JSON_TRUE : kind, names);
    out->kind = of_bytes(out->kind, replay_value_prefix_kind(prefix));
    return 0;
}

int replay_compare_traits(struct replay_compare *c, enum side from,
                          struct replay_text text, struct replay_traits *out)
{
    struct replay_traits t = { .equal = mix(OF_OPCODE, text.opcode),
                               .kind = mix(OF_OPCODE, text.opcode),
                               .keys = UINT64_MAX };
    bool by_bytes =
        c->rules->match == REPLAY_MATCH_EXACT && c->rules->ignore_count == 0;
    int r = 1;

    if (c->rules->match == REPLAY_MATCH_ANY) {
        *out = (struct replay_traits){ .keys = UINT64_MAX };
        return 0;
    }
    if (text.opcode == WIRE_OP_TEXT) {
        r = replay_compare_read_one(c, text.payload);
    }
    if (r == 0) {
        r = json_traits(c, from, &t);
    }
    replay_compare_trim(c);
    if (r < 0) {
        return r;
    }
    if (r > 0 || by_bytes) {
        t.equal = of_bytes(mix(OF_BYTES, text.opcode), text.payload);
    }
    *out = t;
    return 0;
}
