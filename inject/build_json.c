#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"
#include "wire/json.h"

#include <errno.h>
#include <stdlib.h>

/* ---- numbers of YAML's core schema that JSON writes in another way ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static size_t digits(struct bytes text, size_t at)
{
    while (at < text.len && is_digit(text.at[at])) {
        at++;
    }
    return at;
}

/* The parts of [-+]digits[.digits][e[-+]digits], where one of the first two may lack.
 */
struct number {
    bool negative;
    struct bytes whole, fraction, exponent;
};

static struct bytes part(struct bytes text, size_t from, size_t to)
{
    return bytes_make(text.at + from, to - from);
}

static bool is_number(struct bytes text, struct number *out)
{
    size_t at = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+'), end;

    *out = (struct number){ .negative = at == 1 && text.at[0] == '-' };
    end = digits(text, at);
    out->whole = part(text, at, end);
    if (end < text.len && text.at[end] == '.') {
        at = end + 1;
        end = digits(text, at);
        out->fraction = part(text, at, end);
    }
    if (out->whole.len + out->fraction.len == 0) {
        return false;
    }
    if (end < text.len && (text.at[end] | 0x20) == 'e') {
        at = end + 1;
        end = at + (at < text.len && (text.at[at] == '-' || text.at[at] == '+'));
        if (digits(text, end) == end) {
            return false;
        }
        end = digits(text, end);
        out->exponent = part(text, at, end);
    }
    return end == text.len;
}

static int put_number(const struct number *n, struct buf *out)
{
    struct bytes whole = n->whole;
    int r = n->negative ? buf_put_byte(out, '-') : 0;

    while (whole.len > 1 && whole.at[0] == '0') {
        whole = bytes_from(whole, 1);
    }
    r = r < 0 ? r : buf_put(out, whole.len > 0 ? whole : bytes_of("0"));
    if (r == 0 && n->fraction.len > 0) {
        r = buf_put_byte(out, '.');
        r = r < 0 ? r : buf_put(out, n->fraction);
    }
    if (r == 0 && n->exponent.len > 0) {
        r = buf_put_byte(out, 'e');
        r = r < 0 ? r : buf_put(out, n->exponent);
    }
    return r;
}

/* 0o17, 0x1f. 1: it is none. */
static int put_based(struct bytes text, struct buf *out)
{
    bool hex = text.len > 2 && bytes_equal(bytes_first(text, 2), bytes_of("0x"));
    bool octal = text.len > 2 && bytes_equal(bytes_first(text, 2), bytes_of("0o"));
    unsigned base = hex ? 16 : 8;
    uint64_t value = 0;

    if (!hex && !octal) {
        return 1;
    }
    for (size_t i = 2; i < text.len; i++) {
        uint8_t c = text.at[i], lower = c | 0x20;
        unsigned digit = is_digit(c)                    ? c - (unsigned)'0'
                         : lower >= 'a' && lower <= 'f' ? lower - (unsigned)'a' + 10
                                                        : 16;

        if (digit >= base || value > (UINT64_MAX - digit) / base) {
            return 1;
        }
        value = value * base + digit;
    }
    return buf_put_format(out, "%llu", (unsigned long long)value);
}

/* ---- scalars ---- */

static bool is_word(struct bytes text, const char *const words[3])
{
    return bytes_equal(text, bytes_of(words[0])) ||
           bytes_equal(text, bytes_of(words[1])) ||
           bytes_equal(text, bytes_of(words[2]));
}

/* What begins with a bracket and has no quotes around it comes from a line: JSON. */
static bool put_literal(struct inject_builder *b, const struct inject_tree_node *n,
                        struct buf *out)
{
    struct wire_json scan;

    wire_json_init(&scan, n->text);
    if (wire_json_finish(&scan) == WIRE_JSON_BAD) {
        inject_complain(&b->complaints, b->source, inject_place_in(b, n, scan.at + 1),
                        "no JSON: %s (a text like this needs quotes)", scan.reason);
        return false;
    }
    if (buf_put(out, n->text) < 0) {
        b->failed = -ENOMEM;
    }
    return true;
}

static int put_plain(struct bytes text, struct buf *out)
{
    static const char *const trues[] = { "true", "True", "TRUE" };
    static const char *const falses[] = { "false", "False", "FALSE" };
    struct number number;
    int r;

    if (is_word(text, trues)) {
        return buf_put_text(out, "true");
    }
    if (is_word(text, falses)) {
        return buf_put_text(out, "false");
    }
    if (is_number(text, &number)) {
        return put_number(&number, out);
    }
    r = put_based(text, out);
    return r == 1 ? text_put_json(out, text) : r;
}

static bool is_infinite(struct bytes text)
{
    static const char *const words[] = { ".inf", ".Inf", ".INF" };
    static const char *const nans[] = { ".nan", ".NaN", ".NAN" };
    bool sign = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+');

    return is_word(bytes_from(text, sign), words) || is_word(text, nans);
}

static bool put_scalar(struct inject_builder *b, const struct inject_tree_node *n,
                       struct buf *out)
{
    int r;

    if (n->quoted) {
        r = text_put_json(out, n->text);
    } else if (inject_tree_is_null(n)) {
        r = buf_put_text(out, "null");
    } else if (n->text.at[0] == '{' || n->text.at[0] == '[') {
        return put_literal(b, n, out);
    } else if (is_infinite(n->text)) {
        return inject_unfit(b, n, "json", "a number that JSON knows");
    } else {
        r = put_plain(n->text, out);
    }
    b->failed = r < 0 ? r : b->failed;
    return r == 0;
}

/* ---- containers ---- */

static bool put_byte(struct inject_builder *b, struct buf *out, char c)
{
    if (buf_put_byte(out, (uint8_t)c) < 0) {
        b->failed = -ENOMEM;
        return false;
    }
    return true;
}

static bool put_key(struct inject_builder *b, const struct inject_tree_node *key,
                    struct buf *out)
{
    if (text_put_json(out, key->text) < 0) {
        b->failed = -ENOMEM;
        return false;
    }
    return put_byte(b, out, ':');
}

static bool put_child(struct inject_builder *b, const struct inject_tree_node *n,
                      bool first, struct buf *out)
{
    return (first || put_byte(b, out, ',')) &&
           (n->key == NULL || put_key(b, n->key, out)) && inject_build_json(b, n, out);
}

/* To the end, so that all that is wrong is found. */
static bool put_children(struct inject_builder *b, const struct inject_tree_node *n,
                         struct buf *out)
{
    bool good = true;

    for (const struct inject_tree_node *c = n->first; c != NULL; c = c->next) {
        good = put_child(b, c, c == n->first, out) && good;
    }
    return good;
}

bool inject_build_json(struct inject_builder *b, const struct inject_tree_node *n,
                       struct buf *out)
{
    bool map = n->kind == INJECT_TREE_MAP, good;

    if (n->kind == INJECT_TREE_SCALAR) {
        return put_scalar(b, n, out);
    }
    if (!put_byte(b, out, map ? '{' : '[')) {
        return false;
    }
    good = put_children(b, n, out);
    return put_byte(b, out, map ? '}' : ']') && good;
}

/* ---- a rule's own text ---- */

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* FNV-1a. */
static uint64_t hash_bytes(uint64_t h, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        h = (h ^ text.at[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

static uint64_t hash_scalar(struct inject_builder *b, const struct inject_tree_node *n)
{
    struct buf word = { 0 };
    uint64_t h = hash_bytes(HASH_START, bytes_of("s"));

    if (inject_json_put_expected(n->text, n->quoted, &word) < 0) {
        b->failed = -ENOMEM;
    }
    h = hash_bytes(h, buf_bytes(&word));
    buf_deinit(&word);
    return h;
}

static uint64_t hash_number(uint64_t h, uint64_t v)
{
    uint8_t raw[8];

    for (unsigned i = 0; i < 8; i++) {
        raw[i] = (uint8_t)(v >> (8 * i));
    }
    return hash_bytes(h, bytes_make(raw, sizeof(raw)));
}

/* Maps add their entries up, so that their order does not count. */
static uint64_t hash_node(struct inject_builder *b, const struct inject_tree_node *n)
{
    uint64_t h = hash_bytes(HASH_START, bytes_of("l")), sum = 0;

    if (n->kind == INJECT_TREE_SCALAR) {
        return hash_scalar(b, n);
    }
    for (const struct inject_tree_node *c = n->first; c != NULL; c = c->next) {
        if (c->key != NULL) {
            sum += hash_number(hash_scalar(b, c->key), hash_node(b, c));
        } else {
            h = hash_number(h, hash_node(b, c));
        }
    }
    return n->kind == INJECT_TREE_LIST
               ? h
               : hash_number(hash_bytes(HASH_START, bytes_of("m")), sum);
}

uint64_t inject_build_hash(struct inject_builder *b,
                           const struct inject_tree_node *rule)
{
    return hash_node(b, rule);
}
