/*
 * replay/value - a JSON text (RFC 8259), maybe with a prefix, as a tree over its own
 * bytes.
 *
 * Nothing is converted or copied: every value is a place in the text, scanned strictly
 * by wire/json. A value takes 44 bytes. Duplicate keys stay as they are; a lookup finds
 * the last one, as most parsers do.
 */
#ifndef WSTAPE_REPLAY_VALUE_H
#define WSTAPE_REPLAY_VALUE_H

#include "base/buf.h"
#include "wire/json.h"

enum {
    REPLAY_VALUES_MAX = 1 << 20, /* values in one text; more: REPLAY_VALUE_LARGE */
};

#define REPLAY_NO_VALUE UINT32_MAX

struct replay_value {
    enum wire_json_kind kind; /* OBJECT, ARRAY or a scalar's */
    uint32_t key_from;        /* the key with its quotes; to == from: it has none */
    uint32_t key_to;
    uint32_t from, to;            /* the value, containers with their brackets */
    uint32_t parent, first, next; /* REPLAY_NO_VALUE: none */
    uint32_t index;               /* which child it is, from 0 */
    uint32_t count;               /* children */
};

/* Reused from text to text. Zeroed: empty. */
struct replay_tree {
    struct bytes text;       /* borrowed */
    struct replay_value *at; /* in the order of the text; at[0] is the root */
    uint32_t count, cap;
    uint32_t prefix; /* bytes of the text before its JSON */
};

enum {
    REPLAY_VALUE_NOT_JSON = 1,
    REPLAY_VALUE_LARGE = 2, /* too many values, or 4 GiB of text */
};

/* What stands before the JSON, as in Engine.IO and Socket.IO (421["say",{}],
 * 42/admin,["say"]): a digit, then digits, letters and any of - _ . / , up to the first
 * [ or {, 80 bytes at most. Empty for other texts, also for those that are no JSON. */
struct bytes replay_value_prefix(struct bytes text);

/* What a prefix says of the kind: all but the digits that it ends with, behind its
 * first two bytes (the number of an acknowledgement). */
struct bytes replay_value_prefix_kind(struct bytes prefix);

static inline struct bytes replay_tree_prefix(const struct replay_tree *t)
{
    return bytes_make(t->text.at, t->prefix);
}

/* Read `text`, which must outlive the tree's use. 0, an enum of the above (the tree is
 * then empty), or -ENOMEM. */
int replay_tree_read(struct replay_tree *t, struct bytes text);
void replay_tree_deinit(struct replay_tree *t);

static inline struct bytes replay_value_text(const struct replay_tree *t,
                                             uint32_t value)
{
    return bytes_make(t->text.at + t->at[value].from,
                      t->at[value].to - t->at[value].from);
}

/* Key with its quotes; empty when it has none. */
static inline struct bytes replay_value_key(const struct replay_tree *t, uint32_t value)
{
    return bytes_make(t->text.at + t->at[value].key_from,
                      t->at[value].key_to - t->at[value].key_from);
}

/* Whether two string tokens, quotes included, are the same characters (escapes
 * resolved). */
bool replay_value_same_string(struct bytes a, struct bytes b);

/* Whether a string token has a blank or a control character (escapes resolved). */
bool replay_value_has_space(struct bytes token);

/* The last member of `object` whose key equals the string token `key` (escapes
 * resolved), or REPLAY_NO_VALUE. */
uint32_t replay_tree_member(const struct replay_tree *t, uint32_t object,
                            struct bytes key);

/* Element `index` of an array, or REPLAY_NO_VALUE. No walk through all of them. */
uint32_t replay_tree_element(const struct replay_tree *t, uint32_t array,
                             uint32_t index);

/* The value in `t` that stands where `value` stands in `other` (same keys and indexes),
 * or REPLAY_NO_VALUE. Of members with one key it is the one with the same index, else
 * the last. */
uint32_t replay_tree_same_place(const struct replay_tree *t,
                                const struct replay_tree *other, uint32_t value);

/* Append the path to a value as people write it (inject/path's spelling): $.a.b[0]
 * ['other name']. `any_index`: every index becomes [*]. -ENOMEM. */
int replay_tree_put_path(const struct replay_tree *t, uint32_t value, bool any_index,
                         struct buf *out);

#endif
