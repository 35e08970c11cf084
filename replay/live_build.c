#include "replay/live_build.h"

#include "base/alloc.h"
#include "base/crc32c.h"
#include "replay/compare.h"

#include <errno.h>

enum {
    STRING_ANYWHERE = 4, /* bytes of a string that is distinctive */
    DIGITS_ANYWHERE = 5, /* of a number */
    SHORT_MOST = 8,      /* bytes of a value that is not: -1.2e+34 */
    KEY_LEAST = 8,       /* bytes of a key that may be an id */
    LEVELS = 8,          /* of arrays, that tell keys apart */
    TWINS = 8,           /* sources of one value in one message that are looked at */
};

enum { KEY_OF_ROOT = 1, KEY_OF_PLAIN = 2 }; /* where nothing has a key */

/* A scalar of a message, or its text as a whole. */
struct scalar {
    uint32_t message;
    uint32_t node;
    struct bytes raw;  /* as written, without quotes */
    struct bytes text; /* decoded */
    uint32_t from;     /* of `raw`, in the payload */
    uint32_t key;      /* hash */
    uint32_t near;     /* hash of key, depth and type */
    uint32_t place;    /* of a source */
    uint8_t form;
};

/* Room for one more. NULL: no memory. */
static void *with_room(void *at, uint32_t count, uint32_t *cap, size_t size)
{
    uint32_t more = *cap == 0 ? 16 : *cap * 2;
    void *wide;

    if (count < *cap) {
        return at;
    }
    wide = alloc_resize(at, more * size);
    *cap = wide == NULL ? *cap : more;
    return wide;
}

/* ---- reading scalars ---- */

static struct bytes inner(struct bytes token)
{
    return bytes_make(token.at + 1, token.len - 2);
}

/* The characters of a string token; `scratch` is used when it has escapes. */
static int decoded(struct bytes token, struct buf *scratch, struct bytes *out)
{
    struct bytes in = inner(token);
    int r;

    if (in.len == 0 || memchr(in.at, '\\', in.len) == NULL) {
        *out = in;
        return 0;
    }
    buf_clear(scratch);
    r = wire_json_decode(scratch, token);
    if (r == 0) {
        *out = buf_bytes(scratch);
    }
    return r;
}

/* Of the member that the value is in, and where it is in its arrays. Never 0. */
static int key_of(struct replay_live_builder *b, uint32_t n, uint32_t *out)
{
    const struct replay_value *at = &b->tree.at[n];
    uint32_t hash = KEY_OF_ROOT;
    struct bytes name = { 0 };
    int r = 0;

    for (int i = 0; i < LEVELS; i++) {
        if (at->parent == REPLAY_NO_VALUE || at->key_to > at->key_from) {
            break;
        }
        hash = hash * 31 + at->index + 1;
        at = &b->tree.at[at->parent];
    }
    if (at->key_to > at->key_from) {
        r = decoded(replay_value_key(&b->tree, (uint32_t)(at - b->tree.at)), &b->key,
                    &name);
    }
    hash = crc32c(hash, name);
    *out = hash == 0 ? KEY_OF_ROOT : hash;
    return r;
}

/* Where a value that is not distinctive is the same one. Never 0. */
static uint32_t near_of(const struct replay_tree *t, uint32_t n, uint32_t key)
{
    uint8_t where[2] = { 0, t->at[n].kind == WIRE_JSON_NUMBER };
    uint32_t hash;

    while (t->at[n].parent != REPLAY_NO_VALUE) {
        n = t->at[n].parent;
        where[0]++;
    }
    hash = crc32c(key, bytes_make(where, sizeof(where)));
    return hash == 0 ? KEY_OF_ROOT : hash;
}

static bool is_scalar(const struct replay_value *v)
{
    return v->kind == WIRE_JSON_STRING || v->kind == WIRE_JSON_NUMBER;
}

/* Value `n` of the tree, a string or number. */
static int read_scalar(struct replay_live_builder *b, uint32_t n, struct scalar *out)
{
    bool string = b->tree.at[n].kind == WIRE_JSON_STRING;
    struct bytes token = replay_value_text(&b->tree, n);
    int r;

    out->node = n;
    out->from = b->tree.at[n].from + (string ? 1 : 0);
    out->raw = out->text = string ? inner(token) : token;
    out->form = string ? REPLAY_LIVE_STRING : REPLAY_LIVE_NUMBER;
    r = string ? decoded(token, &b->decoded, &out->text) : 0;
    if (r == 0) {
        r = key_of(b, n, &out->key);
    }
    out->near = r == 0 ? near_of(&b->tree, n, out->key) : 0;
    return r;
}

static struct scalar plain_text(const struct replay_live_builder *b, uint32_t message)
{
    struct bytes payload = b->l->connection->messages[message].payload;

    return (struct scalar){
        .message = message,
        .node = REPLAY_NO_VALUE,
        .raw = payload,
        .text = payload,
        .key = KEY_OF_PLAIN,
        .near = KEY_OF_PLAIN,
        .form = REPLAY_LIVE_PLAIN,
    };
}

static bool is_distinctive(const struct scalar *s)
{
    size_t digits = 0;

    if (s->form != REPLAY_LIVE_NUMBER) {
        return s->text.len >= STRING_ANYWHERE;
    }
    for (size_t i = 0; i < s->text.len; i++) {
        digits += s->text.at[i] >= '0' && s->text.at[i] <= '9';
    }
    return digits >= DIGITS_ANYWHERE;
}

/* ---- sources ---- */

/* Whether the value says what kind of thing it is in: naming members, and the first
 * element of a message that is an array. */
static bool is_naming(const struct replay_tree *t, uint32_t n)
{
    struct bytes key = replay_value_key(t, n);

    if (t->at[n].parent == REPLAY_NO_VALUE) {
        return false;
    }
    if (key.len == 0) {
        return t->at[n].parent == 0 && t->at[n].index == 0;
    }
    if (t->at[n].parent == 0) {
        return replay_compare_names(key);
    }
    return wire_json_equals(key, bytes_of("type")) ||
           wire_json_equals(key, bytes_of("kind"));
}

static int add_source(struct replay_live_builder *b, const struct scalar *s)
{
    struct replay_links *l = b->l;
    bool borrows = s->text.len == s->raw.len;
    struct replay_live_source *sources;
    uint32_t value;
    int r;

    if (s->text.len == 0 || s->text.len > REPLAY_LIVE_VALUE_MAX ||
        l->source_count == REPLAY_LIVE_SOURCES_MAX) {
        return 0;
    }
    sources = with_room(l->sources, l->source_count, &b->source_cap, sizeof(*sources));
    if (sources == NULL) {
        return -ENOMEM;
    }
    l->sources = sources;
    r = replay_live_values_put(&b->values, borrows ? s->raw : s->text,
                               is_distinctive(s) ? 0 : s->near, !borrows, &value);
    if (r < 0) {
        return r;
    }
    sources[l->source_count] = (struct replay_live_source){
        .message = s->message,
        .node = s->node,
        .value = value,
        .before = b->values.at[value].last,
        .key = s->key,
        .place = s->place,
        .number = s->form == REPLAY_LIVE_NUMBER,
    };
    b->values.at[value].last = l->source_count++;
    return 0;
}

int replay_live_build_sources(struct replay_live_builder *b, uint32_t message,
                              bool is_plain)
{
    struct scalar s = { .message = message };
    int r = 0;

    if (is_plain) {
        s = plain_text(b, message);
        return add_source(b, &s);
    }

    r = replay_live_places(&b->tree, &b->places);
    for (uint32_t n = 0; r == 0 && n < b->tree.count; n++) {
        if (!is_scalar(&b->tree.at[n]) || is_naming(&b->tree, n)) {
            continue;
        }
        r = read_scalar(b, n, &s);
        s.place = ((const uint32_t *)(void *)b->places.at)[n];
        if (r == 0) {
            r = add_source(b, &s);
        }
    }
    return r;
}

/* ---- carriers ---- */

static int add_link(struct replay_live_builder *b, uint32_t message,
                    const struct replay_live_link *link)
{
    struct replay_links *l = b->l;
    struct replay_live_carrier *carriers =
        with_room(l->carriers, l->carrier_count, &b->carrier_cap, sizeof(*carriers));
    struct replay_live_link *links;

    if (carriers == NULL) {
        return -ENOMEM;
    }
    l->carriers = carriers;
    links = with_room(l->links, l->link_count, &b->link_cap, sizeof(*links));
    if (links == NULL) {
        return -ENOMEM;
    }
    l->links = links;
    if (l->carrier_count == 0 || carriers[l->carrier_count - 1].message != message) {
        carriers[l->carrier_count++] =
            (struct replay_live_carrier){ message, l->link_count };
    }
    links[l->link_count++] = *link;
    return 0;
}

/* The latest source of a value; among those of one message, one under the same key. */
static uint32_t latest(const struct replay_live_builder *b, uint32_t value,
                       uint32_t key)
{
    const struct replay_live_source *sources = b->l->sources;
    uint32_t last = b->values.at[value].last, at = last;

    for (int i = 0; i < TWINS && at != REPLAY_NO_LIVE; i++) {
        if (sources[at].message != sources[last].message) {
            break;
        }
        if (sources[at].key == key) {
            return at;
        }
        at = sources[at].before;
    }
    return last;
}

/* The source of a scalar as a whole, or NO_LIVE. */
static uint32_t source_of(struct replay_live_builder *b, const struct scalar *s)
{
    const struct replay_live_source *sources = b->l->sources;
    uint32_t anywhere, here, source;

    if (s->text.len == 0 || s->text.len > REPLAY_LIVE_VALUE_MAX) {
        return REPLAY_NO_LIVE;
    }
    anywhere = replay_live_values_find(&b->values, s->text, 0);
    here = s->text.len > SHORT_MOST
               ? REPLAY_NO_LIVE
               : replay_live_values_find(&b->values, s->text, s->near);
    if (anywhere == REPLAY_NO_LIVE) {
        return here == REPLAY_NO_LIVE ? here : b->values.at[here].last;
    }
    source = latest(b, anywhere, s->key);
    if (here != REPLAY_NO_LIVE &&
        sources[b->values.at[here].last].message >= sources[source].message) {
        source = b->values.at[here].last;
    }
    return source;
}

/* Goes through a string as it is written along with its characters. */
struct cursor {
    const uint8_t *at, *end;
    size_t decoded; /* bytes of UTF-8 before it */
};

static size_t utf8_len(uint32_t c)
{
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void move_to(struct cursor *c, size_t decoded_at)
{
    while (c->decoded < decoded_at && c->at < c->end) {
        c->decoded += utf8_len(wire_json_character(&c->at, c->end));
    }
}

/* Where `found` stands in the payload. */
static void place(struct cursor *c, const struct scalar *s,
                  const struct replay_live_found *found, struct replay_live_link *link)
{
    if (s->text.len == s->raw.len) { /* no escapes */
        link->from = s->from + (uint32_t)found->from;
        link->to = s->from + (uint32_t)found->to;
        return;
    }
    move_to(c, found->from);
    link->from = s->from + (uint32_t)(c->at - s->raw.at);
    move_to(c, found->to);
    link->to = s->from + (uint32_t)(c->at - s->raw.at);
}

/* Values inside a text. */
static int add_parts(struct replay_live_builder *b, const struct scalar *s)
{
    struct cursor c = { .at = s->raw.at };
    struct replay_live_found found = { 0 };
    int r = 0;

    if (s->raw.len == 0) {
        return 0;
    }
    c.end = c.at + s->raw.len;
    while (r == 0 && replay_live_values_next(&b->values, s->text, found.to, &found)) {
        struct replay_live_link link = {
            .source = latest(b, found.value, s->key),
            .form = s->form == REPLAY_LIVE_PLAIN ? s->form : REPLAY_LIVE_PART,
        };

        place(&c, s, &found, &link);
        r = add_link(b, s->message, &link);
    }
    return r;
}

static int add_scalar(struct replay_live_builder *b, const struct scalar *s)
{
    uint32_t source = source_of(b, s);
    uint32_t quote = s->form == REPLAY_LIVE_STRING ? 1 : 0;
    struct replay_live_link link = {
        .from = s->from - quote,
        .to = s->from + (uint32_t)s->raw.len + quote,
        .source = source,
        .form = s->form,
    };

    if (source != REPLAY_NO_LIVE) {
        return add_link(b, s->message, &link);
    }
    return s->form == REPLAY_LIVE_NUMBER ? 0 : add_parts(b, s);
}

static bool may_be_id(struct bytes key)
{
    if (key.len < KEY_LEAST + 2) {
        return false;
    }
    for (size_t i = 0; i < key.len; i++) {
        if (key.at[i] >= '0' && key.at[i] <= '9') {
            return true;
        }
    }
    return false;
}

/* Maps by id: a key that is a value as a whole. */
static int add_key(struct replay_live_builder *b, uint32_t message, uint32_t n)
{
    struct replay_live_link link = {
        .from = b->tree.at[n].key_from,
        .to = b->tree.at[n].key_to,
        .form = REPLAY_LIVE_KEY,
    };
    struct bytes name;
    uint32_t value;
    int r;

    if (!may_be_id(replay_value_key(&b->tree, n))) {
        return 0;
    }
    r = decoded(replay_value_key(&b->tree, n), &b->key, &name);
    if (r < 0) {
        return r;
    }
    value = name.len > REPLAY_LIVE_VALUE_MAX
                ? REPLAY_NO_LIVE
                : replay_live_values_find(&b->values, name, 0);
    if (value == REPLAY_NO_LIVE) {
        return 0;
    }
    link.source = b->values.at[value].last;
    return add_link(b, message, &link);
}

int replay_live_build_links(struct replay_live_builder *b, uint32_t message,
                            bool is_plain)
{
    struct scalar s = { .message = message };
    int r = 0;

    if (is_plain) {
        s = plain_text(b, message);
        return add_scalar(b, &s);
    }

    for (uint32_t n = 0; r == 0 && n < b->tree.count; n++) {
        r = add_key(b, message, n);
        if (r < 0 || !is_scalar(&b->tree.at[n])) {
            continue;
        }
        r = read_scalar(b, n, &s);
        if (r == 0) {
            r = add_scalar(b, &s);
        }
    }
    return r;
}
