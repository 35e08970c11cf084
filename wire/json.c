#include "wire/json.h"

#include "wire/json_lex.h"

#include <assert.h>

enum {
    VALUE,       /* a value has to come */
    FIRST_VALUE, /* a value or ] */
    FIRST_KEY,   /* a key or } */
    AFTER,       /* a value is over */
    BAD,
};

static int fail(struct wire_json *j, const uint8_t *at, const char *reason)
{
    j->at = (size_t)(at - j->text.at);
    j->reason = reason;
    j->state = BAD;
    return WIRE_JSON_BAD;
}

static const uint8_t *end_of(const struct wire_json *j)
{
    return j->text.at + j->text.len;
}

static int give(struct wire_json *j, struct wire_json_token *out,
                enum wire_json_kind kind, const uint8_t *from, const uint8_t *to)
{
    out->kind = kind;
    out->from = (size_t)(from - j->text.at);
    out->to = (size_t)(to - j->text.at);
    j->at = out->to;
    return 0;
}

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* ---- values ---- */

static int put_string(struct wire_json *j, const uint8_t *at,
                      struct wire_json_token *out)
{
    const char *reason = NULL;
    const uint8_t *to = wire_json_skip_string(at, end_of(j), &reason);

    if (reason != NULL) {
        return fail(j, to, reason);
    }
    j->state = AFTER;
    return give(j, out, WIRE_JSON_STRING, at, to);
}

static int put_number(struct wire_json *j, const uint8_t *at,
                      struct wire_json_token *out)
{
    const char *reason = NULL;
    const uint8_t *to = wire_json_skip_number(at, end_of(j), &reason);

    if (reason != NULL) {
        return fail(j, to, reason);
    }
    j->state = AFTER;
    return give(j, out, WIRE_JSON_NUMBER, at, to);
}

static int put_literal(struct wire_json *j, const uint8_t *at, enum wire_json_kind kind,
                       struct wire_json_token *out)
{
    static const char words[][6] = { "true", "false", "null" };
    const char *word = words[kind - WIRE_JSON_TRUE];
    size_t len = strlen(word);

    if ((size_t)(end_of(j) - at) < len || memcmp(at, word, len) != 0) {
        return fail(j, at, "not a value: only true, false and null go without quotes");
    }
    j->state = AFTER;
    return give(j, out, kind, at, at + len);
}

static int put_open(struct wire_json *j, const uint8_t *at, struct wire_json_token *out)
{
    uint64_t bit = UINT64_C(1) << (j->depth % 64);
    uint64_t *level = &j->objects[j->depth / 64];
    bool object = *at == '{';

    if (j->depth == WIRE_JSON_DEPTH_MAX) {
        return fail(j, at, "too deep: more than 1000 containers in each other");
    }
    *level = object ? *level | bit : *level & ~bit;
    j->depth++;
    j->state = object ? FIRST_KEY : FIRST_VALUE;
    return give(j, out, object ? WIRE_JSON_OBJECT : WIRE_JSON_ARRAY, at, at + 1);
}

static bool in_object(const struct wire_json *j)
{
    unsigned level = j->depth - 1;

    return (j->objects[level / 64] >> (level % 64) & 1) != 0;
}

static int put_close(struct wire_json *j, const uint8_t *at,
                     struct wire_json_token *out)
{
    bool object = in_object(j);

    if (at == end_of(j)) {
        return fail(j, at, "the text ends inside an object or array");
    }
    if (*at != (object ? '}' : ']')) {
        return fail(j, at, object ? "expected , or }" : "expected , or ]");
    }
    j->depth--;
    j->state = AFTER;
    return give(j, out, object ? WIRE_JSON_OBJECT_END : WIRE_JSON_ARRAY_END, at,
                at + 1);
}

static int put_key(struct wire_json *j, const uint8_t *at, struct wire_json_token *out)
{
    const uint8_t *end = end_of(j);
    const uint8_t *to, *colon;
    const char *reason = NULL;

    if (at == end || *at != '"') {
        return fail(j, at,
                    at == end ? "the text ends inside an object" : "expected a key");
    }
    to = wire_json_skip_string(at, end, &reason);
    if (reason != NULL) {
        return fail(j, to, reason);
    }
    colon = skip_space(to, end);
    if (colon == end || *colon != ':') {
        return fail(j, colon, "expected : after a key");
    }
    j->state = VALUE;
    give(j, out, WIRE_JSON_KEY, at, to);
    j->at = (size_t)(colon + 1 - j->text.at);
    return 0;
}

static int no_value(struct wire_json *j, const uint8_t *at)
{
    static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };

    if (at == end_of(j)) {
        return fail(j, at, "the text ends where a value is due");
    }
    if (at == j->text.at && j->text.len >= sizeof(mark) &&
        memcmp(at, mark, sizeof(mark)) == 0) {
        return fail(j, at, "a byte order mark may not be there");
    }
    return fail(j, at, "expected a value");
}

static int put_value(struct wire_json *j, const uint8_t *at,
                     struct wire_json_token *out)
{
    switch (at == end_of(j) ? 0 : *at) {
    case '"':
        return put_string(j, at, out);
    case '{':
    case '[':
        return put_open(j, at, out);
    case 't':
        return put_literal(j, at, WIRE_JSON_TRUE, out);
    case 'f':
        return put_literal(j, at, WIRE_JSON_FALSE, out);
    case 'n':
        return put_literal(j, at, WIRE_JSON_NULL, out);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return put_number(j, at, out);
    default:
        return no_value(j, at);
    }
}

/* ---- the scan ---- */

void wire_json_init(struct wire_json *j, struct bytes text)
{
    j->text = text.len == 0 ? bytes_of("") : text;
    j->at = 0;
    j->reason = NULL;
    j->depth = 0;
    j->state = VALUE;
    memset(j->objects, 0, sizeof(j->objects));
}

/* At what follows a value: a comma is read over, everything else decides. */
static int put_after(struct wire_json *j, const uint8_t *at,
                     struct wire_json_token *out)
{
    const uint8_t *end = end_of(j);

    if (j->depth == 0) {
        return at == end ? WIRE_JSON_OVER : fail(j, at, "more text after the value");
    }
    if (at == end || *at != ',') {
        return put_close(j, at, out);
    }
    at = skip_space(at + 1, end);
    return in_object(j) ? put_key(j, at, out) : put_value(j, at, out);
}

int wire_json_next(struct wire_json *j, struct wire_json_token *out)
{
    const uint8_t *end = end_of(j);
    const uint8_t *at = skip_space(j->text.at + j->at, end);

    switch (j->state) {
    case AFTER:
        return put_after(j, at, out);
    case FIRST_KEY:
        return at < end && *at == '}' ? put_close(j, at, out) : put_key(j, at, out);
    case FIRST_VALUE:
        return at < end && *at == ']' ? put_close(j, at, out) : put_value(j, at, out);
    case VALUE:
        return put_value(j, at, out);
    default:
        return WIRE_JSON_BAD;
    }
}

int wire_json_finish(struct wire_json *j)
{
    struct wire_json_token t;
    int r;

    do {
        r = wire_json_next(j, &t);
    } while (r == 0);
    return r;
}

int wire_json_leave(struct wire_json *j, size_t *to)
{
    struct wire_json_token t = { 0 };
    unsigned outside = j->depth - 1;

    assert(j->depth > 0);
    while (j->depth > outside) {
        int r = wire_json_next(j, &t);

        if (r != 0) {
            return r;
        }
    }
    *to = t.to;
    return 0;
}
