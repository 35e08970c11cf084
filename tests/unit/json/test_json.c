#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The text ends where its memory ends, so that reading past it is found. */
struct copy {
    uint8_t *at;
    struct bytes text;
};

static struct copy copy_of(struct bytes text)
{
    struct copy c = { .at = malloc(text.len > 0 ? text.len : 1) };

    assert_non_null(c.at);
    if (text.len > 0) {
        memcpy(c.at, text.at, text.len);
    }
    c.text = bytes_make(text.len > 0 ? c.at : NULL, text.len);
    return c;
}

static int verdict(struct bytes text, struct wire_json *j)
{
    struct copy c = copy_of(text);
    struct wire_json_token t = { .from = 77 };
    int r;

    wire_json_init(j, c.text);
    r = wire_json_finish(j);
    assert_int_equal(wire_json_next(j, &t), r); /* it stays so */
    assert_int_equal(t.from, 77);
    free(c.at);
    return r;
}

static void is_json(const char *text)
{
    struct wire_json j;

    if (verdict(bytes_of(text), &j) != WIRE_JSON_OVER) {
        fail_msg("refused at %zu (%s): %s", j.at, j.reason, text);
    }
    assert_null(j.reason);
    assert_int_equal(j.depth, 0);
}

static void is_not_bytes(struct bytes text, size_t at, const char *reason)
{
    struct wire_json j;

    if (verdict(text, &j) != WIRE_JSON_BAD) {
        fail_msg("taken: %.*s", (int)text.len, (const char *)text.at);
    }
    if (j.at != at || strstr(j.reason, reason) == NULL) {
        fail_msg("at %zu: %s: %.*s", j.at, j.reason, (int)text.len,
                 (const char *)text.at);
    }
}

static void is_not(const char *text, size_t at, const char *reason)
{
    is_not_bytes(bytes_of(text), at, reason);
}

/* ---- tokens ---- */

/* "kind:text" of each token, with the containers open after it. */
static void tokens_are(const char *text, const char *expected)
{
    static const char kinds[] = "{[}]ksntf0";
    char said[1024] = "";
    struct wire_json j;
    struct wire_json_token t;
    size_t len = 0;
    int r;

    wire_json_init(&j, bytes_of(text));
    while ((r = wire_json_next(&j, &t)) == 0) {
        len += (size_t)snprintf(said + len, sizeof(said) - len, "%c%u:%.*s|",
                                kinds[t.kind], j.depth, (int)(t.to - t.from),
                                text + t.from);
        assert_true(len < sizeof(said));
    }
    assert_int_equal(r, WIRE_JSON_OVER);
    assert_int_equal(wire_json_next(&j, &t), WIRE_JSON_OVER);
    assert_string_equal(said, expected);
}

static void gives_tokens(void **state)
{
    (void)state;
    tokens_are("{}", "{1:{|}0:}|");
    tokens_are(" [ ] \r\n\t", "[1:[|]0:]|");
    tokens_are("{\"a\": 1 , \"b\":[true,false , null],\"a\":{ \"\":\"x\\\"y\"}}",
               "{1:{|k1:\"a\"|n1:1|k1:\"b\"|[2:[|t2:true|f2:false|02:null|]1:]|"
               "k1:\"a\"|{2:{|k2:\"\"|s2:\"x\\\"y\"|}1:}|}0:}|");
    tokens_are("-0.50E+07", "n0:-0.50E+07|");
    tokens_are("\t\"only\"\n", "s0:\"only\"|");
    tokens_are("[[],{}]", "[1:[|[2:[|]1:]|{2:{|}1:}|]0:]|");
}

static void leaves_containers(void **state)
{
    struct wire_json j;
    struct wire_json_token t;
    const char *text = "[{\"a\":[1,{}],\"b\":\"]}\"} , 2]";
    size_t to = 0;

    (void)state;
    wire_json_init(&j, bytes_of(text));
    assert_int_equal(wire_json_next(&j, &t), 0);
    assert_int_equal(wire_json_next(&j, &t), 0);
    assert_int_equal(wire_json_leave(&j, &to), 0);
    assert_memory_equal(text + to, " , 2]", 5);
    assert_int_equal(wire_json_next(&j, &t), 0);
    assert_int_equal(t.kind, WIRE_JSON_NUMBER);
    assert_int_equal(wire_json_finish(&j), WIRE_JSON_OVER);

    wire_json_init(&j, bytes_of("[[1,,]]"));
    wire_json_next(&j, &t);
    wire_json_next(&j, &t);
    to = 99;
    assert_int_equal(wire_json_leave(&j, &to), WIRE_JSON_BAD);
    assert_int_equal(to, 99);
    assert_int_equal(j.at, 4);
}

/* ---- what is JSON ---- */

static void takes_json(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "1e5",
        "1E+5",
        "1.5e-5",
        "-0.0",
        "123456789012345678901234567890",
        "1e999999999",
        "true",
        "false",
        "null",
        "\"\"",
        " \t\r\n1 \t\r\n",
        "[1,\"a\",{},[],true]",
        "{\"a\":{\"a\":{\"a\":1}},\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uFFFf\"",
        "\"\\ud83d\\ude00 \\ud800 \\udc00\\ud800\"", /* lone halves too */
        "\"\x7f\"",
        "\"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf\"",
        "\"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf \xef\xbb\xbf\"",
        "{\"\xe2\x82\xac\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        is_json(texts[i]);
    }
}

static void refuses_structure(void **state)
{
    (void)state;
    is_not("", 0, "value is due"); /* copied to NULL */
    is_not("  ", 2, "value is due");
    is_not("[", 1, "value is due");
    is_not("[1", 2, "ends inside");
    is_not("[1,", 3, "value is due");
    is_not("[1,]", 3, "expected a value");
    is_not("[,1]", 1, "expected a value");
    is_not("[1 2]", 3, "expected , or ]");
    is_not("[1}", 2, "expected , or ]");
    is_not("]", 0, "expected a value");
    is_not("{", 1, "ends inside");
    is_not("{\"a\"", 4, "expected : after");
    is_not("{\"a\"}", 4, "expected : after");
    is_not("{\"a\":", 5, "value is due");
    is_not("{\"a\":}", 5, "expected a value");
    is_not("{\"a\" 1}", 5, "expected : after");
    is_not("{\"a\":1", 6, "ends inside");
    is_not("{\"a\":1,", 7, "ends inside");
    is_not("{\"a\":1,}", 7, "expected a key");
    is_not("{\"a\":1]", 6, "expected , or }");
    is_not("{\"a\":1 \"b\":2}", 7, "expected , or }");
    is_not("{a:1}", 1, "expected a key");
    is_not("{1:1}", 1, "expected a key");
    is_not("{,}", 1, "expected a key");
    is_not("{'a':1}", 1, "expected a key");
    is_not("1 2", 2, "more text after");
    is_not("{} {}", 3, "more text after");
    is_not("[]]", 2, "more text after");
    is_not("// note\n1", 0, "expected a value");
    is_not("1 // note", 2, "more text after");
    is_not("\xef\xbb\xbf{}", 0, "byte order mark");
    is_not("\xef\xbb", 0, "expected a value");
    is_not("\x0b"
           "1",
           0, "expected a value");
    is_not("\xc2\xa0"
           "1",
           0, "expected a value"); /* a space elsewhere, not here */
    is_not_bytes(bytes_make("1\0", 2), 1, "more text after");
    is_not_bytes(bytes_make("\0", 1), 0, "expected a value");
}

static void refuses_words(void **state)
{
    (void)state;
    is_not("tru", 0, "not a value");
    is_not("[nul]", 1, "not a value");
    is_not("True", 0, "expected a value");
    is_not("trueX", 4, "more text after");
    is_not("NaN", 0, "expected a value");
    is_not("[nan]", 1, "not a value");
    is_not("Infinity", 0, "expected a value");
    is_not("undefined", 0, "expected a value");
    is_not("-", 1, "a digit");
    is_not("-x", 1, "a digit");
    is_not("+1", 0, "expected a value");
    is_not(".5", 0, "expected a value");
    is_not("5.", 2, "a digit");
    is_not("5.e1", 2, "a digit");
    is_not("1e", 2, "a digit");
    is_not("1e+", 3, "a digit");
    is_not("1eE", 2, "a digit");
    is_not("01", 0, "begin with 0");
    is_not("-01", 1, "begin with 0");
    is_not("0x1", 1, "more text after");
    is_not("1_000", 1, "more text after");
    is_not("[1.2.3]", 4, "expected , or ]");
    is_not("-Infinity", 1, "a digit");
}

static void refuses_strings(void **state)
{
    (void)state;
    is_not("\"", 1, "ends inside a string");
    is_not("\"abc", 4, "ends inside a string");
    is_not("\"abc\\", 4, "not an escape");
    is_not("\"abc\\\"", 6, "ends inside a string");
    is_not("\"a\nb\"", 2, "control character");
    is_not("\"01234567\x1f\"", 9, "control character");
    is_not("\"\\a\"", 1, "not an escape");
    is_not("\"\\'\"", 1, "not an escape");
    is_not("\"\\x41\"", 1, "not an escape");
    is_not("\"\\u12\"", 1, "not an escape");
    is_not("\"\\u123g\"", 1, "not an escape");
    is_not("\"\\u\"", 1, "not an escape");
    is_not("\"\\U0041\"", 1, "not an escape");
    is_not("\"\\u 041\"", 1, "not an escape");
    is_not("\"\\u123", 1, "not an escape");
    is_not("'a'", 0, "expected a value");
    is_not_bytes(bytes_make("\"\0\"", 3), 1, "control character");
    is_not("{\"a\x01\":1}", 3, "control character");
}

static void refuses_bad_utf8(void **state)
{
    static const char *const wrong[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x20",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xe2\x82\x20",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x80\x80",
        "\xf0\x9f\x98",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80",
        "\xf8\x88\x80",
        "\xfe",
        "\xff",
        "\xe2\x28\xa1",
        "\xf0\x28\x8c",
        "\xf0\x90\x28\xbc",
        "\xf0\x90\x8c\x28",
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        for (int before = 0; before < 18; before++) {
            snprintf(text, sizeof(text), "[\"%.*s%s\"]", before, "abcdefghijklmnopqrs",
                     wrong[i]);
            is_not(text, 2 + (size_t)before, "not UTF-8");
            text[strlen(text) - 2] = '\0'; /* the same at the very end */
            is_not(text, 2 + (size_t)before, "not UTF-8");
        }
    }
}

/* ---- everywhere ---- */

static const char sample[] =
    "{\"type\": \"tool_executing\", \"n\": [1, -2.5e+3, 0], \"ok\": true,\n"
    " \"t\\u00e9xt\": \"gr\xc3\xbc\xc3\x9f\x65 \\ud83d\\ude00 \xf0\x9f\x98\x80\", "
    "\"none\": null, \"no\": false, \"in\": {\"a\": {}, \"b\": []}}";

static void no_prefix_is_json(void **state)
{
    struct wire_json j;
    size_t len = sizeof(sample) - 1;

    (void)state;
    is_json(sample);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(verdict(bytes_make(sample, cut), &j), WIRE_JSON_BAD);
        assert_true(j.at <= cut);
    }
}

/* Each special byte is found at each place, whatever the alignment. */
static void finds_specials_anywhere(void **state)
{
    static const char specials[] = { '"', '\\', '\x01', '\x1f', '\xff', '\x80' };
    char text[64];
    struct wire_json j;

    (void)state;
    for (size_t s = 0; s < sizeof(specials); s++) {
        for (size_t at = 0; at < 39; at++) {
            text[0] = '"';
            memset(text + 1, '~', 40);
            text[41] = '"';
            text[1 + at] = specials[s];
            assert_int_equal(verdict(bytes_make(text, 42), &j), WIRE_JSON_BAD);
            assert_int_equal(j.at, specials[s] == '"' ? at + 2 : at + 1);
        }
    }
}

static void nested(size_t depth, int expected)
{
    char *text = malloc(2 * depth);
    struct wire_json j;

    assert_non_null(text);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    assert_int_equal(verdict(bytes_make(text, 2 * depth), &j), expected);
    if (expected == WIRE_JSON_BAD) {
        assert_int_equal(j.at, WIRE_JSON_DEPTH_MAX);
        assert_non_null(strstr(j.reason, "too deep"));
    }
    free(text);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    nested(WIRE_JSON_DEPTH_MAX, WIRE_JSON_OVER);
    nested(WIRE_JSON_DEPTH_MAX + 1, WIRE_JSON_BAD);
    nested(100000, WIRE_JSON_BAD);
}

/* Objects and arrays in turn, so that each level's kind is remembered. */
static void deep_levels_keep_their_kind(void **state)
{
    struct buf text = { 0 };
    struct wire_json j;

    (void)state;
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX / 2; i++) {
        assert_int_equal(buf_put_text(&text, "{\"a\":["), 0);
    }
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX / 2; i++) {
        assert_int_equal(buf_put_text(&text, "]}"), 0);
    }
    assert_int_equal(verdict(buf_bytes(&text), &j), WIRE_JSON_OVER);
    text.at[text.len - 3] = ']'; /* was the } of the second object */
    assert_int_equal(verdict(buf_bytes(&text), &j), WIRE_JSON_BAD);
    assert_int_equal(j.at, text.len - 3);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_tokens),
        cmocka_unit_test(leaves_containers),
        cmocka_unit_test(takes_json),
        cmocka_unit_test(refuses_structure),
        cmocka_unit_test(refuses_words),
        cmocka_unit_test(refuses_strings),
        cmocka_unit_test(refuses_bad_utf8),
        cmocka_unit_test(no_prefix_is_json),
        cmocka_unit_test(finds_specials_anywhere),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(deep_levels_keep_their_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
