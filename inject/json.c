#include "inject/json.h"

#include "inject/decimal.h"
#include "inject/glob.h"
#include "inject/walk.h"

#include <assert.h>

enum kind { ANY, NONE, TRUE, FALSE, NUMBER, STRING };

static bool is_one_of(struct bytes text, const char *const words[3])
{
    return bytes_equal(text, bytes_of(words[0])) ||
           bytes_equal(text, bytes_of(words[1])) ||
           bytes_equal(text, bytes_of(words[2]));
}

static bool is_number(struct bytes text)
{
    struct wire_json j;
    struct wire_json_token t;

    wire_json_init(&j, text);
    return wire_json_next(&j, &t) == 0 && t.kind == WIRE_JSON_NUMBER && t.from == 0 &&
           t.to == text.len;
}

static enum kind kind_of(struct bytes text)
{
    static const char *const nulls[] = { "null", "Null", "NULL" };
    static const char *const trues[] = { "true", "True", "TRUE" };
    static const char *const falses[] = { "false", "False", "FALSE" };

    if (text.len == 0) {
        return NONE;
    }
    switch (text.at[0]) {
    case '*':
        return text.len == 1 ? ANY : STRING;
    case '~':
        return text.len == 1 ? NONE : STRING;
    case 'n':
    case 'N':
        return is_one_of(text, nulls) ? NONE : STRING;
    case 't':
    case 'T':
        return is_one_of(text, trues) ? TRUE : STRING;
    case 'f':
    case 'F':
        return is_one_of(text, falses) ? FALSE : STRING;
    default:
        return (text.at[0] == '-' || (text.at[0] >= '0' && text.at[0] <= '9')) &&
                       is_number(text)
                   ? NUMBER
                   : STRING;
    }
}

static bool in_quotes(struct bytes text)
{
    return text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"';
}

/* Of a word that stands for a string. */
static struct bytes glob_of(struct bytes text)
{
    return in_quotes(text) ? bytes_make(text.at + 1, text.len - 2) : text;
}

int inject_json_put_expected(struct bytes text, bool quoted, struct buf *out)
{
    enum kind kind = kind_of(text);
    bool add = quoted && kind != STRING && kind != ANY;
    int r = buf_reserve(out, text.len + 2);

    if (r < 0) {
        return r;
    }
    if (add) {
        buf_put_byte(out, '"');
    }
    buf_put(out, text);
    return add ? buf_put_byte(out, '"') : 0;
}

const char *inject_json_check_expected(struct bytes expected, size_t *column)
{
    const char *wrong;

    if (kind_of(expected) != STRING) {
        return NULL;
    }
    wrong = inject_glob_check(glob_of(expected), column);
    if (wrong != NULL && in_quotes(expected)) {
        (*column)++;
    }
    return wrong;
}

bool inject_json_equals(struct bytes value, struct bytes expected)
{
    uint8_t first = value.at[0];

    switch (kind_of(expected)) {
    case ANY:
        return true;
    case NONE:
        return first == 'n';
    case TRUE:
        return first == 't';
    case FALSE:
        return first == 'f';
    case NUMBER:
        return (first == '-' || (first >= '0' && first <= '9')) &&
               inject_decimal_equal(value, expected);
    case STRING:
        return first == '"' && inject_glob_match_json(glob_of(expected), value);
    }
    return false;
}

/* Those of the conditions in `hits` that the value of the node meets. */
static uint64_t met(struct bytes text, const struct inject_node *node,
                    const struct inject_json_condition *conditions)
{
    size_t to = node->kind == INJECT_NODE_OPEN ? node->from + 1 : node->to;
    struct bytes value = bytes_make(text.at + node->from, to - node->from);
    uint64_t held = 0;

    for (uint64_t left = node->hits; left != 0; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctzll(left);

        held |= (uint64_t)inject_json_equals(value, bytes_of(conditions[n].expected))
                << n;
    }
    return held;
}

int inject_json_holds(struct bytes text, const struct inject_json_condition *conditions,
                      size_t count, bool *holds)
{
    uint64_t all = count == 0 ? 0 : UINT64_MAX >> (64 - count), held = 0;
    struct inject_walk w;
    struct inject_node node;
    int r = 0;

    assert(count <= INJECT_JSON_CONDITIONS_MAX);
    inject_walk_init(&w);
    for (size_t i = 0; i < count; i++) {
        inject_walk_add(&w, conditions[i].path);
    }
    inject_walk_start(&w, text);
    while (r == 0 && held != all) {
        r = inject_walk_next(&w, &node);
        if (r == 0 && node.kind != INJECT_NODE_CLOSE) {
            held |= met(text, &node, conditions);
        }
    }
    if (r == 0) {
        r = wire_json_finish(&w.scan);
    }
    inject_walk_deinit(&w);
    if (r < 0) {
        return r;
    }
    if (r == WIRE_JSON_BAD) {
        return INJECT_JSON_BAD;
    }
    *holds = held == all;
    return 0;
}
