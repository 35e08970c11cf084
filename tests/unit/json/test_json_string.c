#include "base/alloc.h"
#include "wire/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *token;
    const char *utf8;
} pairs[] = {
    { "\"\"", "" },
    { "\"plain\"", "plain" },
    { "\"tool_name\"", "tool_name" },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
    { "\"a\\u0062c\"", "abc" },
    { "\"\\u0061\\u0062\\u0063\"", "abc" },
    { "\"\\u00e9\\u20AC\\uffff\"", "\xc3\xa9\xe2\x82\xac\xef\xbf\xbf" },
    { "\"\xc3\xa9\xe2\x82\xac\"", "\xc3\xa9\xe2\x82\xac" },
    { "\"<\\ud83d\\ude00>\"", "<\xf0\x9f\x98\x80>" },
    { "\"\\udbff\\udfff\\ud800\\udc00\"", "\xf4\x8f\xbf\xbf\xf0\x90\x80\x80" },
    { "\"\xf0\x9f\x98\x80\\/\"", "\xf0\x9f\x98\x80/" },
    { "\"ends in \\\\\"", "ends in \\" },
    { "\"long enough to need more than one look at it \\u0021\"",
      "long enough to need more than one look at it !" },
};

static void decodes(void **state)
{
    struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        buf_clear(&out);
        assert_int_equal(buf_put_text(&out, "kept"), 0);
        assert_int_equal(wire_json_decode(&out, bytes_of(pairs[i].token)), 0);
        assert_int_equal(buf_put_byte(&out, 0), 0);
        assert_memory_equal(out.at, "kept", 4);
        assert_string_equal((const char *)out.at + 4, pairs[i].utf8);
    }
    buf_deinit(&out);
}

static void equals_only_its_own(void **state)
{
    size_t count = sizeof(pairs) / sizeof(pairs[0]);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(
                wire_json_equals(bytes_of(pairs[i].token), bytes_of(pairs[k].utf8)),
                strcmp(pairs[i].utf8, pairs[k].utf8) == 0);
        }
    }
}

static bool equals(const char *token, const char *utf8)
{
    return wire_json_equals(bytes_of(token), bytes_of(utf8));
}

static void equals_whole_texts_only(void **state)
{
    (void)state;
    assert_false(equals("\"abc\"", "ab"));
    assert_false(equals("\"abc\"", "abcd"));
    assert_false(equals("\"ab\\u0063\"", "ab"));
    assert_false(equals("\"ab\\u0063\"", "abcd"));
    assert_false(equals("\"ab\\u0063\"", "abx"));
    assert_false(equals("\"\\u0061bc\"", "abcd"));
    assert_false(equals("\"\\u0061bc\"", "xbc"));
    assert_false(equals("\"a\\\\u0062\"", "ab")); /* an escaped backslash, then text */
    assert_true(equals("\"a\\\\u0062\"", "a\\u0062"));
    assert_false(equals("\"a\\tb\"", "a\\tb"));
    assert_false(equals("\"\\u20ac\"", "\xe2\x82"));
    assert_true(wire_json_equals(bytes_of("\"a\\u0000b\""), bytes_make("a\0b", 3)));
    assert_false(wire_json_equals(bytes_of("\"a\""), (struct bytes){ 0 }));
    assert_true(wire_json_equals(bytes_of("\"\""), (struct bytes){ 0 }));
}

static void lone_surrogates(void **state)
{
    static const char *const tokens[] = {
        "\"\\ud800\"",         "\"\\udfff\"",    "\"\\ud800\\ud800\"", "\"\\ud800x\"",
        "\"\\udc00\\ud800\"",  "\"\\ud800\\n\"", "\"\\ud800\\u0041\"", "\"\\ud83d\"",
        "\"\\ud83d\\\\ude00\"" /* a backslash between the halves */
    };
    struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        buf_clear(&out);
        assert_int_equal(wire_json_decode(&out, bytes_of(tokens[i])), 0);
        assert_true(out.len >= 3);
        assert_true(bytes_find(buf_bytes(&out), bytes_of("\xef\xbf\xbd")) < out.len);
        assert_false(wire_json_equals(bytes_of(tokens[i]), buf_bytes(&out)));
    }
    buf_deinit(&out);
    assert_false(equals("\"\\ud800\"", "\xed\xa0\x80"));
    assert_true(equals("\"\\ufffd\"", "\xef\xbf\xbd"));
}

static void characters(void **state)
{
    static const uint32_t expected[] = { 'a', '\n', 0x1f600, 0xd800, 'b', 0x20ac };
    const char *text = "a\\n\\uD83D\\uDE00\\ud800b\xe2\x82\xac";
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_true(at < end);
        assert_int_equal(wire_json_character(&at, end), expected[i]);
    }
    assert_ptr_equal(at, end);
}

static void every_allocation_fails_once(void **state)
{
    struct bytes token = bytes_of(
        "\"a string that is longer than what a buffer has room for at first, \\u0061 "
        "good deal longer\"");

    (void)state;
    for (unsigned nth = 0;; nth++) {
        struct buf out = { 0 };
        bool hit;
        int r;

        alloc_fail_at(nth);
        r = wire_json_decode(&out, token);
        hit = alloc_fail_clear();
        buf_deinit(&out);
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (!hit) {
            assert_true(nth > 0);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(equals_only_its_own),
        cmocka_unit_test(equals_whole_texts_only),
        cmocka_unit_test(lone_surrogates),
        cmocka_unit_test(characters),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
