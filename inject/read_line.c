#include "inject/read.h"

#include "base/buf.h"
#include "inject/table.h"

#include <errno.h>

enum { PAIRS_MAX = 256, NESTING_MAX = 64 };

/* A key, and its value when it has one. */
struct pair {
    struct bytes key;
    size_t at;
    struct inject_tree_node *value;
};

struct reader {
    const struct inject_source *source;
    struct bytes text;
    struct inject_tree *tree;
    struct inject_complaints *complaints;
    struct pair pairs[PAIRS_MAX];
    size_t count;
    int action; /* enum inject_action; -1: none is named */
    struct inject_tree_node *root, *when, *params;
};

/* ---- characters ---- */

static size_t skip_blanks(struct bytes text, size_t at)
{
    while (at < text.len && (text.at[at] == ' ' || text.at[at] == '\t')) {
        at++;
    }
    return at;
}

/* After the closing quote of the string that begins at `at`; 0: it has none. */
static size_t skip_quotes(struct bytes text, size_t at)
{
    uint8_t quote = text.at[at];

    for (at++; at < text.len; at++) {
        if (text.at[at] == '\\') {
            at++;
        } else if (text.at[at] == quote) {
            return at + 1;
        }
    }
    return 0;
}

/* The brackets that are open, as those that close them. */
struct nesting {
    uint8_t closing[NESTING_MAX];
    size_t depth;
};

/* False: a bracket that does not fit, or too many. */
static bool nest(struct nesting *n, uint8_t c)
{
    if (c == '[' || c == '{') {
        if (n->depth == NESTING_MAX) {
            return false;
        }
        n->closing[n->depth++] = c == '[' ? ']' : '}';
        return true;
    }
    return (c != ']' && c != '}') || n->closing[--n->depth] == c;
}

/* After the bracket that closes the one at `at`; 0: none does. */
static size_t skip_brackets(struct bytes text, size_t at)
{
    struct nesting n = { .depth = 0 };

    do {
        uint8_t c = text.at[at];

        if (!nest(&n, c)) {
            return 0;
        }
        at = c == '"' ? skip_quotes(text, at) : at + (c == '\\' ? 2 : 1);
        if (at == 0) {
            return 0;
        }
    } while (n.depth > 0 && at < text.len);
    return n.depth == 0 ? at : 0;
}

static bool is_escape(struct bytes text, size_t at)
{
    return text.at[at] == '\\' && at + 1 < text.len &&
           (text.at[at + 1] == ',' || text.at[at + 1] == '"' ||
            text.at[at + 1] == '\\');
}

/* ---- values ---- */

/* Append text[from..to) without the escapes. */
static int put_unescaped(struct bytes text, size_t from, size_t to, struct buf *out)
{
    int r = 0;

    while (r == 0 && from < to) {
        from += is_escape(text, from);
        r = buf_put_byte(out, text.at[from++]);
    }
    return r;
}

/* A whole value in quotes; `*to` is after it. 1: it is not one. */
static int read_quoted(struct bytes text, size_t at, size_t *to, struct buf *out)
{
    size_t end = skip_quotes(text, at);
    size_t next = skip_blanks(text, end);

    if (end == 0 || (next < text.len && text.at[next] != ',')) {
        return 1;
    }
    *to = next;
    return put_unescaped(text, at + 1, end - 1, out);
}

/* Up to a comma that separates. Between brackets all stays as it is. */
static int read_plain(struct bytes text, size_t at, size_t *to, struct buf *out)
{
    size_t solid = out->len, close;
    int r = 0;

    while (r == 0 && at < text.len && text.at[at] != ',') {
        bool blank = text.at[at] == ' ' || text.at[at] == '\t';

        close = text.at[at] == '[' || text.at[at] == '{' ? skip_brackets(text, at) : 0;
        if (close > 0) {
            r = buf_put(out, bytes_make(text.at + at, close - at));
            at = close;
        } else {
            at += is_escape(text, at);
            r = buf_put_byte(out, text.at[at++]);
        }
        solid = blank ? solid : out->len;
    }
    out->len = solid;
    *to = at;
    return r;
}

static int read_scalar(struct reader *l, struct bytes text, size_t at, size_t *to,
                       struct inject_tree_node **out)
{
    struct buf value = { 0 };
    bool quoted = at < text.len && text.at[at] == '"';
    int r = quoted ? read_quoted(text, at, to, &value) : 1;

    if (quoted && skip_quotes(text, at) == 0) {
        inject_complain(l->complaints, l->source, at,
                        "this quote has no closing one (\\\" is a quote as such)");
    }
    if (r == 1) {
        quoted = false;
        r = read_plain(text, at, to, &value);
    }
    if (r == 0) {
        *out = inject_tree_add(l->tree, INJECT_TREE_SCALAR, at, buf_bytes(&value));
        r = *out == NULL ? -ENOMEM : 0;
    }
    if (r == 0) {
        (*out)->quoted = quoted;
    }
    buf_deinit(&value);
    return r;
}

/* [a, b]: `inside` ends before the closing bracket. */
static int read_list(struct reader *l, struct bytes inside, size_t at,
                     struct inject_tree_node **out)
{
    struct inject_tree_node *list, *item;
    size_t from = at;
    int r = 0;

    list = inject_tree_add(l->tree, INJECT_TREE_LIST, at - 1, (struct bytes){ 0 });
    if (list == NULL) {
        return -ENOMEM;
    }
    while (r == 0 && from <= inside.len && skip_blanks(inside, at) < inside.len) {
        from = skip_blanks(inside, from);
        r = read_scalar(l, inside, from, &from, &item);
        if (r == 0) {
            inject_tree_append(list, NULL, item);
            from++; /* the comma */
        }
    }
    *out = list;
    return r;
}

/* May a [ at the start of this key's value begin a list? A path may begin with one too:
 * then a quote, a digit, * or ] follows. */
static bool takes_list(struct bytes key, struct bytes text, size_t at)
{
    static const char *const names[] = { "connection", "message", "size", "opcode",
                                         "drop_header" };
    size_t next = skip_blanks(text, at + 1);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (bytes_equal(key, bytes_of(names[i]))) {
            return true;
        }
    }
    return bytes_equal(key, bytes_of("drop_field")) && next < text.len &&
           strchr("'\"*]0123456789", text.at[next]) == NULL;
}

static int read_value(struct reader *l, struct bytes key, size_t at, size_t *to,
                      struct inject_tree_node **out)
{
    size_t end, next;

    if (at < l->text.len && l->text.at[at] == '[' && takes_list(key, l->text, at)) {
        end = skip_brackets(l->text, at);
        next = skip_blanks(l->text, end);
        if (end > 0 && (next == l->text.len || l->text.at[next] == ',')) {
            *to = next;
            return read_list(l, bytes_first(l->text, end - 1), at + 1, out);
        }
    }
    return read_scalar(l, l->text, at, to, out);
}

/* ---- pairs ---- */

/* Where the key that begins at `at` ends. In json.['a=b'] the name may be anything. */
static size_t key_end(struct bytes text, size_t at)
{
    size_t close;

    while (at < text.len && text.at[at] != '=' && text.at[at] != ',') {
        bool quoted = text.at[at] == '[' && at + 1 < text.len &&
                      (text.at[at + 1] == '\'' || text.at[at + 1] == '"');

        close = quoted ? skip_quotes(text, at + 1) : 0;
        at = close > 0 ? close : at + 1;
    }
    return at;
}

static int read_pair(struct reader *l, size_t *at)
{
    struct pair *p = &l->pairs[l->count];
    size_t from = skip_blanks(l->text, *at), end = key_end(l->text, from);

    p->key = bytes_trim(bytes_make(l->text.at + from, end - from));
    p->at = from;
    p->value = NULL;
    *at = end;
    if (p->key.len == 0) {
        inject_complain(l->complaints, l->source, from,
                        "expected a key, as in drop,from=server");
    } else {
        l->count++;
    }
    if (end < l->text.len && l->text.at[end] == '=') {
        return read_value(l, p->key, skip_blanks(l->text, end + 1), at, &p->value);
    }
    p->value = inject_tree_add(l->tree, INJECT_TREE_SCALAR, from, (struct bytes){ 0 });
    return p->value == NULL ? -ENOMEM : 0;
}

static int read_pairs(struct reader *l)
{
    size_t at = 0;
    int r = 0;

    while (r == 0 && at <= l->text.len) {
        if (l->count == PAIRS_MAX) {
            inject_complain(l->complaints, l->source, at, "more than %d keys",
                            PAIRS_MAX);
            return 0;
        }
        r = read_pair(l, &at);
        at++; /* the comma */
    }
    return r;
}

/* ---- the tree ---- */

static struct bytes head_of(struct bytes key)
{
    return bytes_first(key, bytes_find(key, bytes_of(".")));
}

/* The part of the key behind `head` and its dot; len 0: there is none. */
static struct bytes rest_of(struct bytes key, struct bytes head)
{
    return bytes_from(key, key.len > head.len ? head.len + 1 : head.len);
}

/* `key` is the end of the pair's key, or a name that stands for it. */
static int put(struct reader *l, struct inject_tree_node *map, struct bytes key,
               const struct pair *p)
{
    bool is_end = key.len < p->key.len && key.at == p->key.at + p->key.len - key.len;
    size_t at = is_end ? p->at + p->key.len - key.len : p->at;
    struct inject_tree_node *node =
        inject_tree_add(l->tree, INJECT_TREE_SCALAR, at, key);

    if (node == NULL) {
        return -ENOMEM;
    }
    inject_tree_append(map, node, p->value);
    return 0;
}

/* The map under `name` in `parent`, made when it is not there. */
static int open_map(struct reader *l, struct inject_tree_node *parent,
                    struct bytes name, size_t at, struct inject_tree_node **out)
{
    struct inject_tree_node *n, *key;

    for (n = parent->first; n != NULL; n = n->next) {
        if (n->kind == INJECT_TREE_MAP && bytes_equal(n->key->text, name)) {
            *out = n;
            return 0;
        }
    }
    n = inject_tree_add(l->tree, INJECT_TREE_MAP, at, (struct bytes){ 0 });
    key = inject_tree_add(l->tree, INJECT_TREE_SCALAR, at, name);
    if (n == NULL || key == NULL) {
        return -ENOMEM;
    }
    inject_tree_append(parent, key, n);
    *out = n;
    return 0;
}

/* A key with something behind the dot goes into the map of its head. */
static int put_in(struct reader *l, struct inject_tree_node *map, struct bytes head,
                  const struct pair *p)
{
    struct bytes rest = rest_of(p->key, head);
    struct inject_tree_node *inner;
    int r;

    if (rest.len == 0) {
        return put(l, map, head, p);
    }
    r = open_map(l, map, head, p->at, &inner);
    return r < 0 ? r : put(l, inner, rest, p);
}

static int put_condition(struct reader *l, struct bytes head, const struct pair *p)
{
    int r = open_map(l, l->root, bytes_of("when"), p->at, &l->when);

    return r < 0 ? r : put_in(l, l->when, head, p);
}

/* Does the key belong to the action, but is not its own? Then its value is a map. */
static bool is_param(const struct inject_action_row *row, struct bytes key)
{
    struct bytes head = head_of(key);

    if (bytes_equal(head, bytes_of(row->name))) {
        return key.len > head.len && inject_has_map_form(row);
    }
    return inject_condition_find(head) < 0 && inject_param_find(row, head) != NULL;
}

static bool has_params(const struct reader *l, const struct inject_action_row *row)
{
    for (size_t i = 0; i < l->count; i++) {
        if (is_param(row, l->pairs[i].key)) {
            return true;
        }
    }
    return false;
}

/* `key` is the action's own, as in close=1011, close.reason=Bye or set_field.a=1. */
static int put_action(struct reader *l, const struct inject_action_row *row,
                      const struct pair *p)
{
    struct bytes name = bytes_of(row->name), rest = rest_of(p->key, name);
    struct pair inner = *p;
    int r;

    if (!inject_has_map_form(row) || !has_params(l, row)) {
        return put_in(l, l->root, name, p);
    }
    r = open_map(l, l->root, name, p->at, &l->params);
    if (r < 0) {
        return r;
    }
    if (rest.len == 0) {
        if (inject_tree_is_null(p->value)) {
            return 0; /* insert,file=... */
        }
        return put(l, l->params, bytes_of(row->params[0].name), p);
    }
    inner.key = rest;
    inner.at += p->key.len - rest.len;
    return put_in(l, l->params, head_of(rest), &inner);
}

static int put_param(struct reader *l, const struct inject_action_row *row,
                     const struct pair *p)
{
    int r = open_map(l, l->root, bytes_of(row->name), p->at, &l->params);

    return r < 0 ? r : put_in(l, l->params, head_of(p->key), p);
}

static int place(struct reader *l, const struct pair *p)
{
    const struct inject_action_row *row =
        l->action < 0 ? NULL : inject_action_row((enum inject_action)l->action);
    struct bytes head = head_of(p->key);
    int condition = inject_condition_find(head);

    if (condition >= 0) {
        bool open = inject_condition_row((enum inject_condition)condition)->is_map;

        return put_condition(l, open ? head : p->key, p);
    }
    if (row != NULL && bytes_equal(head, bytes_of(row->name))) {
        return put_action(l, row, p);
    }
    if (row != NULL && inject_param_find(row, head) != NULL) {
        return put_param(l, row, p);
    }
    return put(l, l->root, p->key, p);
}

/* The first key that names an action does; a parameter may be called like another. */
static int find_action(const struct reader *l)
{
    int found = -1;

    for (size_t i = 0; i < l->count && found < 0; i++) {
        found = inject_action_find(head_of(l->pairs[i].key));
    }
    return found;
}

static int read_all(struct reader *l)
{
    int r = read_pairs(l);

    if (r < 0 || l->count == 0) {
        return r;
    }
    l->action = find_action(l);
    l->root = inject_tree_add(l->tree, INJECT_TREE_MAP, 0, (struct bytes){ 0 });
    if (l->root == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; r == 0 && i < l->count; i++) {
        r = place(l, &l->pairs[i]);
    }
    l->tree->root = l->root;
    return r;
}

int inject_read_line(const struct inject_source *s, struct inject_tree *t,
                     struct inject_complaints *c)
{
    struct reader l = {
        .source = s, .text = s->text, .tree = t, .complaints = c, .action = -1
    };

    return read_all(&l);
}
