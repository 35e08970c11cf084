#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"

#include <stdio.h>

enum { WORD_MAX = 64 };

/* The two sides of "A..B" as C strings; `open`: there is no B behind the dots. */
struct sides {
    char from[WORD_MAX], to[WORD_MAX];
    bool is_range, open;
};

static bool take(struct bytes text, char out[WORD_MAX])
{
    if (text.len >= WORD_MAX || (text.len > 0 && memchr(text.at, '\0', text.len))) {
        return false;
    }
    memcpy(out, text.len > 0 ? text.at : (const uint8_t *)"", text.len);
    out[text.len] = '\0';
    return true;
}

static bool split(struct bytes text, struct sides *out)
{
    size_t dots = bytes_find(text, bytes_of(".."));

    *out = (struct sides){ .is_range = dots < text.len };
    if (!out->is_range) {
        return take(text, out->from);
    }
    out->open = dots + 2 == text.len;
    return take(bytes_first(text, dots), out->from) &&
           take(bytes_from(text, dots + 2), out->to);
}

/* ---- numbers and sizes ---- */

static bool number(const char *text, bool size, uint64_t *out)
{
    return (size ? text_parse_size(text, out)
                 : text_parse_number(text, 0, UINT64_MAX, out)) == 0;
}

static bool is_every(struct bytes text, char count[WORD_MAX])
{
    static const char word[] = "every ";
    size_t len = sizeof(word) - 1;

    return text.len > len && bytes_equal(bytes_first(text, len), bytes_of(word)) &&
           take(bytes_from(text, len), count);
}

static bool parse_range(struct bytes text, bool sizes, struct inject_range *out)
{
    struct sides s;

    *out = (struct inject_range){ .from = 1, .to = UINT64_MAX };
    if (!sizes && is_every(text, s.from)) {
        return number(s.from, false, &out->every) && out->every > 0;
    }
    if (!split(text, &s) || !number(s.from, sizes, &out->from)) {
        return false;
    }
    if (!s.is_range) {
        out->to = out->from;
        return true;
    }
    return s.open || number(s.to, sizes, &out->to);
}

static void read_range(struct inject_builder *b, const struct inject_tree_node *n,
                       const char *label, bool sizes, struct inject_range *out)
{
    if (n->kind != INJECT_TREE_SCALAR || inject_tree_is_null(n) ||
        !parse_range(n->text, sizes, out)) {
        inject_unfit(b, n, label,
                     sizes ? "a size or a range of sizes (like 1k, 1k..64k, 64k..)"
                           : "a number or a range (like 3, 1..3, 5.., every 4)");
    } else if (!sizes && out->from == 0) {
        inject_wrong(b, n, "%s: counting starts at 1", label);
    } else if (out->from > out->to) {
        inject_wrong(b, n, "%s: nothing is in \"%s\"", label,
                     inject_quote(n->text).text);
    }
}

void inject_value_ranges(struct inject_builder *b, const struct inject_tree_node *n,
                         const char *label, bool sizes, struct inject_ranges *out)
{
    const struct inject_tree_node *item = n->kind == INJECT_TREE_LIST ? n->first : n;
    size_t count = n->kind == INJECT_TREE_LIST ? n->count : 1;

    if (count == 0) {
        inject_wrong(b, n, "%s: the list is empty", label);
        return;
    }
    out->at = inject_room(b, count, sizeof(*out->at));
    for (; out->at != NULL && out->count < count; item = item->next) {
        read_range(b, item, label, sizes, &out->at[out->count++]);
    }
}

/* ---- time ---- */

static bool parse_span(struct bytes text, int64_t *from_ns, int64_t *to_ns)
{
    struct sides s;

    *to_ns = INT64_MAX;
    return split(text, &s) && text_parse_duration(s.from, from_ns) == 0 &&
           (!s.is_range || s.open || text_parse_duration(s.to, to_ns) == 0);
}

void inject_value_span(struct inject_builder *b, const struct inject_tree_node *n,
                       const char *label, int64_t *from_ns, int64_t *to_ns)
{
    int64_t from, to;

    if (n->kind != INJECT_TREE_SCALAR || inject_tree_is_null(n) ||
        !parse_span(n->text, &from, &to)) {
        inject_unfit(b, n, label, "a range of time (like 0s..3s, 5s..)");
    } else if (from >= to) {
        inject_wrong(b, n, "%s: nothing is in \"%s\"", label,
                     inject_quote(n->text).text);
    } else {
        *from_ns = from;
        *to_ns = to;
    }
}
