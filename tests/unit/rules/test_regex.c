#include "base/alloc.h"
#include "inject/regex.h"
#include "rules_rig.h"

#include <errno.h>
#include <string.h>

static bool matches(const char *pattern, struct bytes text)
{
    struct inject_regex *r = NULL;
    struct err e = { "" };
    size_t column = 0;
    bool hit;

    assert_int_equal(inject_regex_new(bytes_of(pattern), &r, &e, &column), 0);
    hit = inject_regex_match(r, text) == 1;
    assert_int_equal(inject_regex_match(r, text), hit); /* it keeps no state */
    inject_regex_free(r);
    return hit;
}

static void matches_anywhere(void **state)
{
    (void)state;
    assert_true(matches("b+", bytes_of("abbc")));
    assert_true(matches("^a.c$", bytes_of("abc")));
    assert_true(matches("", bytes_of("")));
    assert_true(matches("^$", (struct bytes){ 0 }));
    assert_true(matches("\"id\":\\d{3}", bytes_of("{\"id\":123}")));
    assert_true(matches("(?i)ERROR", bytes_of("an error")));
    assert_true(matches("a\\x00b", bytes_make("a\0b", 3)));
    assert_false(matches("b", bytes_of("ac")));
    assert_false(matches("^b", bytes_of("ab")));
}

static void characters_are_utf8(void **state)
{
    (void)state;
    assert_true(matches("^.$", bytes_of("\xc3\xa9")));
    assert_true(matches("^\\x{1F600}$", bytes_of("\xf0\x9f\x98\x80")));
    assert_false(matches("a", bytes_of("a\xff")));
    assert_false(matches(".", bytes_of("\xc3")));
}

/* As long as it takes to see that there is no end in sight, and no longer. */
static void backtracking_is_bounded(void **state)
{
    static char text[100000];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_false(matches("^(a+)+$b", bytes_make(text, sizeof(text))));
    assert_false(matches("(a*)*(a*)*(a*)*b", bytes_make(text, 5000)));
    assert_true(matches("^a*$", bytes_make(text, sizeof(text))));
}

static void says_what_is_wrong(void **state)
{
    static const struct {
        const char *pattern, *words;
        size_t column;
    } bad[] = {
        { "a(b", "missing closing parenthesis", 4 },
        { "a[b", "missing terminating ] for character class", 4 },
        { "\\C", "using \\C is disabled by the application", 3 },
        { "(?<a>)(?<a>)",
          "two named subpatterns have the same name (PCRE2_DUPNAMES "
          "not set)",
          12 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct inject_regex *r = NULL;
        struct err e = { "" };
        size_t column = 0;

        assert_int_equal(inject_regex_new(bytes_of(bad[i].pattern), &r, &e, &column),
                         INJECT_REGEX_BAD);
        assert_null(r);
        assert_string_equal(e.text, bad[i].words);
        assert_int_equal(column, bad[i].column);
    }
    assert_int_equal(alloc_live(), 0);
}

static void a_pattern_has_a_length(void **state)
{
    static char text[16 * 1024 + 1];
    struct inject_regex *r = NULL;
    struct err e = { "" };
    size_t column = 0;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(
        inject_regex_new(bytes_make(text, sizeof(text) - 1), &r, &e, &column), 0);
    inject_regex_free(r);
    r = NULL;
    assert_int_equal(inject_regex_new(bytes_make(text, sizeof(text)), &r, &e, &column),
                     INJECT_REGEX_BAD);
    assert_null(r);
    assert_string_equal(e.text, "it is longer than 16k");
    assert_int_equal(column, 1);
    assert_int_equal(alloc_live(), 0);
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    inject_regex_free(NULL);
    for (unsigned nth = 0;; nth++) {
        struct inject_regex *r = NULL;
        struct err e;
        size_t column;
        bool hit;
        int result;

        alloc_fail_at(nth);
        result = inject_regex_new(bytes_of("(a|b)*(?<c>[d-f]{2,5})"), &r, &e, &column);
        hit = alloc_fail_clear();
        inject_regex_free(r);
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(result, hit ? -ENOMEM : 0);
        if (!hit) {
            assert_true(nth > 0);
            return;
        }
    }
}

/* No match for want of memory is not "no match". */
static void matching_says_that_memory_is_out(void **state)
{
    static const char text[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct inject_regex *r = NULL;
    struct err e;
    size_t column;
    unsigned nth = 0;
    bool hit = true;

    (void)state;
    while (hit) {
        int found;

        assert_int_equal(
            inject_regex_new(bytes_of("^(a|(b)|(c)|(d))*$"), &r, &e, &column), 0);
        alloc_fail_at(nth++);
        found = inject_regex_match(r, bytes_of(text));
        hit = alloc_fail_clear();
        inject_regex_free(r);
        assert_int_equal(found, hit ? -ENOMEM : 1);
        assert_int_equal(alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_anywhere),
        cmocka_unit_test(characters_are_utf8),
        cmocka_unit_test(backtracking_is_bounded),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(a_pattern_has_a_length),
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(matching_says_that_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
