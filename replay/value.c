#include "replay/value.h"

#include "base/alloc.h"
#include "inject/path_name.h"

#include <assert.h>
#include <errno.h>

enum { PREFIX_MAX = 80, PREFIX_KIND = 2 };

/* ---- what stands before ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_in_prefix(uint8_t c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c >= ',' && c <= '/') || c == '_';
}

struct bytes replay_value_prefix(struct bytes text)
{
    size_t len = 0;

    if (text.len == 0 || !is_digit(text.at[0])) {
        return bytes_first(text, 0);
    }
    while (len < text.len && len <= PREFIX_MAX && is_in_prefix(text.at[len])) {
        len++;
    }
    return len < text.len && len <= PREFIX_MAX &&
                   (text.at[len] == '[' || text.at[len] == '{')
               ? bytes_first(text, len)
               : bytes_first(text, 0);
}

struct bytes replay_value_prefix_kind(struct bytes prefix)
{
    while (prefix.len > PREFIX_KIND && is_digit(prefix.at[prefix.len - 1])) {
        prefix.len--;
    }
    return prefix;
}

/* ---- reading ---- */

static int grow(struct replay_tree *t)
{
    uint32_t cap = t->cap == 0 ? 64 : t->cap * 2;
    struct replay_value *at = alloc_resize(t->at, cap * sizeof(*at));

    if (at == NULL) {
        return -ENOMEM;
    }
    t->at = at;
    t->cap = cap;
    return 0;
}

/* Where the next value goes. */
struct place {
    uint32_t parent; /* container that is open, or NO_VALUE */
    uint32_t last;   /* its last child so far, or NO_VALUE */
    size_t key_from, key_to;
};

static void link_in(struct replay_tree *t, const struct place *p, uint32_t child)
{
    struct replay_value *parent;

    if (p->parent == REPLAY_NO_VALUE) {
        return;
    }
    parent = &t->at[p->parent];
    if (p->last == REPLAY_NO_VALUE) {
        parent->first = child;
    } else {
        t->at[p->last].next = child;
    }
    t->at[child].index = parent->count++;
}

static int put_value(struct replay_tree *t, struct place *p,
                     const struct wire_json_token *token)
{
    uint32_t n = t->count;
    int r;

    if (n == REPLAY_VALUES_MAX) {
        return REPLAY_VALUE_LARGE;
    }
    r = n == t->cap ? grow(t) : 0;
    if (r < 0) {
        return r;
    }
    t->at[n] = (struct replay_value){
        .kind = token->kind,
        .key_from = (uint32_t)p->key_from,
        .key_to = (uint32_t)p->key_to,
        .from = (uint32_t)token->from,
        .to = (uint32_t)token->to,
        .parent = p->parent,
        .first = REPLAY_NO_VALUE,
        .next = REPLAY_NO_VALUE,
    };
    t->count++;
    link_in(t, p, n);
    p->last = n;
    p->key_from = p->key_to = 0;
    if (token->kind == WIRE_JSON_OBJECT || token->kind == WIRE_JSON_ARRAY) {
        p->parent = n;
        p->last = REPLAY_NO_VALUE;
    }
    return 0;
}

static int put_token(struct replay_tree *t, struct place *p,
                     const struct wire_json_token *token)
{
    switch (token->kind) {
    case WIRE_JSON_KEY:
        p->key_from = token->from;
        p->key_to = token->to;
        return 0;
    case WIRE_JSON_OBJECT_END:
    case WIRE_JSON_ARRAY_END:
        t->at[p->parent].to = (uint32_t)token->to;
        p->last = p->parent;
        p->parent = t->at[p->parent].parent;
        return 0;
    case WIRE_JSON_OBJECT:
    case WIRE_JSON_ARRAY:
    case WIRE_JSON_STRING:
    case WIRE_JSON_NUMBER:
    case WIRE_JSON_TRUE:
    case WIRE_JSON_FALSE:
    case WIRE_JSON_NULL:
        break;
    }
    return put_value(t, p, token);
}

int replay_tree_read(struct replay_tree *t, struct bytes text)
{
    struct place p = { .parent = REPLAY_NO_VALUE, .last = REPLAY_NO_VALUE };
    struct wire_json_token token;
    struct wire_json scan;
    int r;

    t->count = 0;
    t->text = text;
    t->prefix = (uint32_t)replay_value_prefix(text).len;
    if (text.len >= UINT32_MAX) {
        return REPLAY_VALUE_LARGE;
    }
    wire_json_init(&scan, bytes_from(text, t->prefix));
    while ((r = wire_json_next(&scan, &token)) == 0) {
        token.from += t->prefix;
        token.to += t->prefix;
        r = put_token(t, &p, &token);
        if (r != 0) {
            t->count = 0;
            return r;
        }
    }
    if (r == WIRE_JSON_OVER) {
        return 0;
    }
    t->count = 0;
    return REPLAY_VALUE_NOT_JSON;
}

void replay_tree_deinit(struct replay_tree *t)
{
    if (t != NULL) {
        alloc_free(t->at);
        *t = (struct replay_tree){ 0 };
    }
}

/* ---- finding ---- */

bool replay_value_same_string(struct bytes a, struct bytes b)
{
    const uint8_t *x = a.at + 1, *y = b.at + 1;
    const uint8_t *x_end = a.at + a.len - 1, *y_end = b.at + b.len - 1;

    if (bytes_equal(a, b)) {
        return true;
    }
    if (memchr(x, '\\', (size_t)(x_end - x)) == NULL &&
        memchr(y, '\\', (size_t)(y_end - y)) == NULL) {
        return false;
    }
    while (x < x_end && y < y_end) {
        if (wire_json_character(&x, x_end) != wire_json_character(&y, y_end)) {
            return false;
        }
    }
    return x == x_end && y == y_end;
}

bool replay_value_has_space(struct bytes token)
{
    const uint8_t *at = token.at + 1, *end = token.at + token.len - 1;

    while (at < end) {
        if (wire_json_character(&at, end) <= ' ') {
            return true;
        }
    }
    return false;
}

uint32_t replay_tree_member(const struct replay_tree *t, uint32_t object,
                            struct bytes key)
{
    uint32_t found = REPLAY_NO_VALUE;

    if (t->at[object].kind != WIRE_JSON_OBJECT) {
        return REPLAY_NO_VALUE;
    }
    for (uint32_t n = t->at[object].first; n != REPLAY_NO_VALUE; n = t->at[n].next) {
        if (replay_value_same_string(replay_value_key(t, n), key)) {
            found = n;
        }
    }
    return found;
}

/* The child of `container` that `n`, a value after it, is or lies in. NO_VALUE: it lies
 * outside. */
static uint32_t child_around(const struct replay_tree *t, uint32_t container,
                             uint32_t n)
{
    while (n != REPLAY_NO_VALUE && n > container && t->at[n].parent != container) {
        n = t->at[n].parent;
    }
    return n == REPLAY_NO_VALUE || n <= container ? REPLAY_NO_VALUE : n;
}

/* Values lie in the order of the text, so this is a search by halves. */
static uint32_t child_at(const struct replay_tree *t, uint32_t container,
                         uint32_t index)
{
    uint32_t low = t->at[container].first, high = t->count;

    if (index >= t->at[container].count) {
        return REPLAY_NO_VALUE;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t child = child_around(t, container, middle);

        if (child != REPLAY_NO_VALUE && t->at[child].index == index) {
            return child;
        }
        if (child != REPLAY_NO_VALUE && t->at[child].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return REPLAY_NO_VALUE;
}

uint32_t replay_tree_element(const struct replay_tree *t, uint32_t array,
                             uint32_t index)
{
    return t->at[array].kind == WIRE_JSON_ARRAY ? child_at(t, array, index)
                                                : REPLAY_NO_VALUE;
}

/* ---- places ---- */

/* The values from the root's child down to `value`. */
static unsigned way_to(const struct replay_tree *t, uint32_t value,
                       uint32_t way[WIRE_JSON_DEPTH_MAX])
{
    unsigned depth = 0, at;

    for (uint32_t n = value; t->at[n].parent != REPLAY_NO_VALUE; n = t->at[n].parent) {
        depth++;
    }
    assert(depth <= WIRE_JSON_DEPTH_MAX);
    at = depth;
    for (uint32_t n = value; at > 0; n = t->at[n].parent) {
        way[--at] = n;
    }
    return depth;
}

static uint32_t same_child(const struct replay_tree *t, uint32_t in,
                           const struct replay_tree *other, uint32_t child)
{
    struct bytes key = replay_value_key(other, child);
    uint32_t n;

    if (key.len == 0) {
        return replay_tree_element(t, in, other->at[child].index);
    }
    if (t->at[in].kind != WIRE_JSON_OBJECT) {
        return REPLAY_NO_VALUE;
    }
    n = child_at(t, in, other->at[child].index);
    return n != REPLAY_NO_VALUE && replay_value_same_string(replay_value_key(t, n), key)
               ? n
               : replay_tree_member(t, in, key);
}

uint32_t replay_tree_same_place(const struct replay_tree *t,
                                const struct replay_tree *other, uint32_t value)
{
    uint32_t way[WIRE_JSON_DEPTH_MAX], n = t->count == 0 ? REPLAY_NO_VALUE : 0;
    unsigned depth = way_to(other, value, way);

    for (unsigned i = 0; i < depth && n != REPLAY_NO_VALUE; i++) {
        n = same_child(t, n, other, way[i]);
    }
    return n;
}

static int put_bare(struct bytes name, struct buf *out)
{
    int r = buf_put_byte(out, '.');

    return r < 0 ? r : buf_put(out, name);
}

static int put_name(struct bytes name, struct buf *out)
{
    return name.len > 0 && inject_path_name_len(name) == name.len
               ? put_bare(name, out)
               : inject_path_name_put(name, out);
}

static int put_key(struct bytes key, struct buf *out)
{
    struct bytes inner = bytes_make(key.at + 1, key.len - 2);
    struct buf name = { 0 };
    int r;

    if (memchr(inner.at, '\\', inner.len) == NULL) {
        return put_name(inner, out);
    }
    r = wire_json_decode(&name, key);
    if (r == 0) {
        r = put_name(buf_bytes(&name), out);
    }
    buf_deinit(&name);
    return r;
}

static int put_index(uint32_t index, bool any, struct buf *out)
{
    return any ? buf_put_text(out, "[*]") : buf_put_format(out, "[%u]", index);
}

int replay_tree_put_path(const struct replay_tree *t, uint32_t value, bool any_index,
                         struct buf *out)
{
    uint32_t way[WIRE_JSON_DEPTH_MAX];
    unsigned depth = way_to(t, value, way);
    size_t len = out->len;
    int r = buf_put_byte(out, '$');

    for (unsigned i = 0; i < depth && r == 0; i++) {
        struct bytes key = replay_value_key(t, way[i]);

        r = key.len > 0 ? put_key(key, out)
                        : put_index(t->at[way[i]].index, any_index, out);
    }
    out->len = r < 0 ? len : out->len;
    return r;
}
