#include "inject/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool matches(const char *pattern, const char *text)
{
    return inject_glob_match(bytes_of(pattern), bytes_of(text));
}

static void fits(const char *pattern, const char *text)
{
    if (!matches(pattern, text)) {
        fail_msg("'%s' does not fit '%s'", pattern, text);
    }
}

static void fits_not(const char *pattern, const char *text)
{
    if (matches(pattern, text)) {
        fail_msg("'%s' fits '%s'", pattern, text);
    }
}

static void literals(void **state)
{
    (void)state;
    fits("", "");
    fits_not("", "a");
    fits_not("a", "");
    fits("/ws/test", "/ws/test");
    fits_not("/ws/test", "/ws/test2");
    fits_not("/ws/test", "/ws/tes");
    fits_not("/ws/test", "/WS/test");
    fits("a.c(d)+$", "a.c(d)+$");
    fits_not("a.c", "abc");
    assert_true(inject_glob_match((struct bytes){ 0 }, (struct bytes){ 0 }));
}

static void stars(void **state)
{
    (void)state;
    fits("*", "");
    fits("*", "/any/thing at all");
    fits("**", "x");
    fits("/ws/*", "/ws/");
    fits("/ws/*", "/ws/a/b");
    fits_not("/ws/*", "/ws");
    fits("*_executing", "tool_executing");
    fits_not("*_executing", "tool_executing_");
    fits("a*b*c", "abc");
    fits("a*b*c", "a_b_b_c_c");
    fits_not("a*b*c", "a_c_b");
    fits("*a*", "bab");
    fits_not("*a*", "bbb");
    fits("a*a", "aa");
    fits_not("a*a", "a");
    fits("*ab", "aab");
    fits("*aab*", "aaaab");
    fits("x*?y", "xzy");
    fits_not("x*?y", "xy");
}

static void single_characters(void **state)
{
    (void)state;
    fits("?", "a");
    fits_not("?", "");
    fits_not("?", "ab");
    fits("?", "\xe2\x82\xac");
    fits("?", "\xf0\x9f\x98\x80");
    fits("a?c", "a\xc3\xa9"
                "c");
    fits("?", "\xff"); /* a stray byte is one too */
    fits("??", "\xe2\x82");
    fits_not("?", "\xe2\x82");
}

static void sets(void **state)
{
    (void)state;
    fits("[abc]", "b");
    fits_not("[abc]", "d");
    fits_not("[abc]", "");
    fits("[a-z][0-9]", "k7");
    fits_not("[a-z]", "K");
    fits("v[1-3]*", "v2.1");
    fits("[!a-c]", "d");
    fits("[^a-c]", "d");
    fits_not("[!a-c]", "b");
    fits_not("[!a-c]", "");
    fits("[]]", "]");
    fits("[!]]", "x");
    fits_not("[!]]", "]");
    fits("[]-]", "-");
    fits("[a-]", "-");
    fits("[-a]", "-");
    fits("[*?]", "*");
    fits_not("[*?]", "x");
    fits("[\\]\\-x]", "]");
    fits("[\\]\\-x]", "-");
    fits_not("[a\\-c]", "b");
    fits("[\xc3\xa0-\xc3\xbf]", "\xc3\xa9");
    fits_not("[\xc3\xa0-\xc3\xbf]", "e");
    fits("[!a]", "\xe2\x82\xac");
    fits_not("[!a]", "\xff"); /* no character */
    fits_not("[\xf0\x90\x80\x80-\xf4\x8f\xbf\xbf]", "\xff");
}

static void escapes(void **state)
{
    (void)state;
    fits("\\*", "*");
    fits_not("\\*", "x");
    fits("\\?\\[\\\\", "?[\\");
    fits("\\a", "a");
    fits("*\\*", "2**");
    fits_not("*\\*", "2*3");
    fits("\\\xe2\x82\xac", "\xe2\x82\xac");
}

static void ill_formed_patterns_stand_for_themselves(void **state)
{
    (void)state;
    fits("[abc", "[abc");
    fits_not("[abc", "a");
    fits("[", "[");
    fits("[]", "[]");
    fits("[!", "[!");
    fits("[a\\", "[a\\");
    fits("a\\", "a\\");
    fits("x[a-", "x[a-");
    fits("*[a", "[[a");
}

/* An overlong / is no /. */
static void invalid_utf8(void **state)
{
    (void)state;
    fits_not("/", "\xc0\xaf");
    fits_not("/", "\xe0\x80\xaf");
    fits("\xe0\x80\xaf", "\xe0\x80\xaf");
    fits_not("?", "\xed\xa0\x80");
    fits("*\xff*", "a\xff"
                   "b");
    fits_not("*\xff*", "a\xfe"
                       "b");
    fits_not("\xc3\xa9", "\xc3");
    fits_not("\xc3", "\xc3\xa9");
}

static bool matches_json(const char *pattern, const char *token)
{
    return inject_glob_match_json(bytes_of(pattern), bytes_of(token));
}

static void json_strings(void **state)
{
    (void)state;
    assert_true(matches_json("", "\"\""));
    assert_true(matches_json("tool_*", "\"tool_executing\""));
    assert_true(matches_json("tool_*", "\"\\u0074ool_x\""));
    assert_false(matches_json("tool_*", "\"atool_x\""));
    assert_true(matches_json("a?b", "\"a\\nb\""));
    assert_true(matches_json("a?b", "\"a\\ud83d\\ude00b\""));
    assert_false(matches_json("a??b", "\"a\\ud83d\\ude00b\""));
    assert_true(matches_json("a?b", "\"a\\ud83db\"")); /* half a pair is one */
    assert_true(matches_json("*\xf0\x9f\x98\x80", "\"x\\ud83d\\ude00\""));
    assert_true(matches_json("*\\\\*", "\"c:\\\\x\""));
    assert_false(matches_json("\\u0041", "\"A\""));
    assert_true(matches_json("[\xc3\xa0-\xc3\xbf]", "\"\\u00e9\""));
    assert_true(matches_json("*\"", "\"a\\\"\""));
}

/* With one star remembered at a time this is a matter of milliseconds. */
static void takes_no_time(void **state)
{
    size_t len = 100000;
    char *text = malloc(len + 1);

    (void)state;
    assert_non_null(text);
    memset(text, 'a', len);
    text[len] = '\0';
    fits_not("*a*a*a*a*a*a*a*a*a*a*a*a*b", text);
    fits_not("*?*?*?*?[a]*?*?*?*?*?*?*?*b", text);
    fits("*a*a*a*a*a*a*a*a*a*a*a*a*", text);
    free(text);
}

static void good(const char *pattern)
{
    size_t column;

    assert_null(inject_glob_check(bytes_of(pattern), &column));
}

static void bad(const char *pattern, size_t column, const char *words)
{
    size_t at = 0;
    const char *said = inject_glob_check(bytes_of(pattern), &at);

    assert_non_null(said);
    assert_non_null(strstr(said, words));
    assert_int_equal(at, column);
}

static void checks(void **state)
{
    (void)state;
    good("");
    good("*?[a-z][!x][]a][a-]\\[\\\\");
    good("[\\]]");
    good("[\xc3\xa0-\xc3\xbf]");
    bad("ab[c", 3, "no ]");
    bad("[]", 1, "no ]");
    bad("[!]", 1, "no ]");
    bad("[a\\]", 1, "no ]");
    bad("abc\\", 4, "nothing follows");
    bad("\\[ok[z-a]", 5, "backwards");
    bad("[a-cz-x]", 1, "backwards");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals),
        cmocka_unit_test(stars),
        cmocka_unit_test(single_characters),
        cmocka_unit_test(sets),
        cmocka_unit_test(escapes),
        cmocka_unit_test(ill_formed_patterns_stand_for_themselves),
        cmocka_unit_test(invalid_utf8),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(takes_no_time),
        cmocka_unit_test(checks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
