/*
 * JSON: the scan against a plain reading of RFC 8259; its tokens lie in the text in
 * order with nothing but white space, commas and colons between them; strings decode to
 * UTF-8 that equals them, and globs made of themselves fit.
 */
#include "base/text.h"
#include "inject/glob.h"
#include "tests/fuzz/target.h"
#include "wire/json.h"
#include "wire/utf8.h"

/* ---- the grammar, a rule a function; each moves `in` past what it takes ---- */

static bool value(struct bytes *in, unsigned depth);

static bool next_is(struct bytes *in, uint8_t byte)
{
    if (in->len == 0 || in->at[0] != byte) {
        return false;
    }
    *in = bytes_from(*in, 1);
    return true;
}

static bool any_of(struct bytes *in, const char *set)
{
    if (in->len == 0 || in->at[0] == 0 || strchr(set, in->at[0]) == NULL) {
        return false;
    }
    *in = bytes_from(*in, 1);
    return true;
}

static void space(struct bytes *in)
{
    while (any_of(in, " \t\r\n")) {
    }
}

static bool digits(struct bytes *in)
{
    bool some = false;

    while (any_of(in, "0123456789")) {
        some = true;
    }
    return some;
}

static bool number(struct bytes *in)
{
    next_is(in, '-');
    if (!next_is(in, '0') && !digits(in)) {
        return false;
    }
    if (next_is(in, '.') && !digits(in)) {
        return false;
    }
    if (any_of(in, "eE")) {
        any_of(in, "+-");
        return digits(in);
    }
    return true;
}

static bool escape(struct bytes *in)
{
    if (!next_is(in, 'u')) {
        return any_of(in, "\"\\/bfnrt");
    }
    for (int i = 0; i < 4; i++) {
        if (!any_of(in, "0123456789abcdefABCDEF")) {
            return false;
        }
    }
    return true;
}

static bool string(struct bytes *in)
{
    struct wire_utf8 utf8 = { 0 };

    if (!next_is(in, '"')) {
        return false;
    }
    while (!next_is(in, '"')) {
        if (in->len == 0 || in->at[0] < 0x20 ||
            !wire_utf8_check(&utf8, bytes_first(*in, 1)) ||
            (in->at[0] < 0x80 && !wire_utf8_complete(&utf8))) {
            return false;
        }
        if (!next_is(in, '\\')) {
            *in = bytes_from(*in, 1);
        } else if (!escape(in)) {
            return false;
        }
    }
    return wire_utf8_complete(&utf8);
}

static bool word(struct bytes *in, const char *text)
{
    for (; *text != '\0'; text++) {
        if (!next_is(in, (uint8_t)*text)) {
            return false;
        }
    }
    return true;
}

static bool member(struct bytes *in, unsigned depth)
{
    space(in);
    if (!string(in)) {
        return false;
    }
    space(in);
    return next_is(in, ':') && value(in, depth);
}

static bool container(struct bytes *in, uint8_t end, unsigned depth)
{
    if (depth == 0) {
        return false;
    }
    space(in);
    if (next_is(in, end)) {
        return true;
    }
    do {
        if (!(end == '}' ? member(in, depth - 1) : value(in, depth - 1))) {
            return false;
        }
    } while (next_is(in, ','));
    return next_is(in, end);
}

/* With the white space around it. */
static bool value(struct bytes *in, unsigned depth)
{
    bool good;

    space(in);
    if (next_is(in, '{')) {
        good = container(in, '}', depth);
    } else if (next_is(in, '[')) {
        good = container(in, ']', depth);
    } else if (in->len > 0 && in->at[0] == '"') {
        good = string(in);
    } else if (in->len > 0 && strchr("tfn", in->at[0]) != NULL && in->at[0] != 0) {
        good = word(in, in->at[0] == 't'   ? "true"
                        : in->at[0] == 'f' ? "false"
                                           : "null");
    } else {
        good = number(in);
    }
    space(in);
    return good;
}

static bool is_json(struct bytes in)
{
    return value(&in, WIRE_JSON_DEPTH_MAX) && in.len == 0;
}

/* ---- properties ---- */

static void check_string(struct bytes token)
{
    struct buf text = { 0 }, again = { 0 };
    struct wire_utf8 utf8 = { 0 };
    bool whole = true;

    for (const uint8_t *at = token.at + 1, *end = at + token.len - 2; at < end;) {
        uint32_t c = wire_json_character(&at, end);

        must(c <= 0x10ffff && at <= end);
        whole = whole && (c < 0xd800 || c > 0xdfff);
    }
    must(wire_json_decode(&text, token) == 0);
    must(wire_utf8_check(&utf8, buf_bytes(&text)) && wire_utf8_complete(&utf8));
    must(wire_json_equals(token, buf_bytes(&text)) == whole);
    must(text_put_json(&again, buf_bytes(&text)) == 0);
    must(wire_json_equals(buf_bytes(&again), buf_bytes(&text)));
    must(inject_glob_match_json(bytes_of("*"), token));
    must(inject_glob_match(buf_bytes(&text), buf_bytes(&text)) ||
         bytes_find(buf_bytes(&text), bytes_of("[")) < text.len ||
         bytes_find(buf_bytes(&text), bytes_of("\\")) < text.len);
    buf_deinit(&text);
    buf_deinit(&again);
}

static void check_gap(struct bytes gap)
{
    for (size_t i = 0; i < gap.len; i++) {
        must(gap.at[i] != 0 && strchr(" \t\r\n,:", gap.at[i]) != NULL);
    }
}

static void check_scan(struct bytes in)
{
    struct wire_json j;
    struct wire_json_token t;
    size_t last = 0;
    int r;

    wire_json_init(&j, in);
    while ((r = wire_json_next(&j, &t)) == 0) {
        must(last <= t.from && t.from < t.to && t.to <= in.len);
        check_gap(bytes_make(in.at + last, t.from - last));
        if (t.kind == WIRE_JSON_STRING || t.kind == WIRE_JSON_KEY) {
            check_string(bytes_make(in.at + t.from, t.to - t.from));
        }
        last = t.to;
    }
    must((r == WIRE_JSON_OVER) == is_json(in));
    must((r == WIRE_JSON_BAD) == (j.reason != NULL));
    must(j.at <= in.len);
    if (r == WIRE_JSON_OVER) {
        must(j.depth == 0);
        check_gap(bytes_make(in.at + last, in.len - last));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check_scan(bytes_make(data, len));
    return 0;
}
