#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct bytes none;

static void equality(void **state)
{
    (void)state;
    assert_true(bytes_equal(none, bytes_of("")));
    assert_true(bytes_equal(bytes_of("ab"), bytes_make("abc", 2)));
    assert_false(bytes_equal(bytes_of("ab"), bytes_of("aB")));
    assert_false(bytes_equal(bytes_of("ab"), bytes_of("abc")));
    assert_true(bytes_equal_nocase(bytes_of("Sec-Websocket-KEY"),
                                   bytes_of("sec-webSocket-key")));
    assert_true(bytes_equal_nocase(none, none));
    assert_false(bytes_equal_nocase(bytes_of("a"), bytes_of("b")));
    assert_false(bytes_equal_nocase(bytes_of("a"), bytes_of("ab")));
}

/* Only letters have two cases: '@' and '`', '[' and '{' differ by the same bit. */
static void case_is_of_letters_only(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t one = (uint8_t)a, two = (uint8_t)b;
            bool letters = (a >= 'A' && a <= 'Z') || (a >= 'a' && a <= 'z');
            bool expected = a == b || (letters && (a ^ b) == 0x20);

            assert_int_equal(
                bytes_equal_nocase(bytes_make(&one, 1), bytes_make(&two, 1)), expected);
        }
    }
}

static void parts(void **state)
{
    struct bytes b = bytes_of("hello");

    (void)state;
    assert_true(bytes_equal(bytes_first(b, 2), bytes_of("he")));
    assert_true(bytes_equal(bytes_from(b, 2), bytes_of("llo")));
    assert_int_equal(bytes_from(b, 5).len, 0);
    assert_int_equal(bytes_first(b, 0).len, 0);
    assert_null(bytes_from(none, 0).at);
}

static void trimming(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_trim(bytes_of(" \t a b\t ")), bytes_of("a b")));
    assert_true(bytes_equal(bytes_trim(bytes_of("\ra\n")), bytes_of("\ra\n")));
    assert_int_equal(bytes_trim(bytes_of(" \t ")).len, 0);
    assert_int_equal(bytes_trim(none).len, 0);
}

static void finding(void **state)
{
    struct bytes b = bytes_of("abcabd");

    (void)state;
    assert_int_equal(bytes_find(b, bytes_of("abd")), 3);
    assert_int_equal(bytes_find(b, bytes_of("ab")), 0);
    assert_int_equal(bytes_find(b, bytes_of("d")), 5);
    assert_int_equal(bytes_find(b, bytes_of("x")), 6);
    assert_int_equal(bytes_find(b, bytes_of("abcabdx")), 6);
    assert_int_equal(bytes_find(b, none), 0);
    assert_int_equal(bytes_find(none, b), 0);
    assert_int_equal(bytes_find(none, none), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality), cmocka_unit_test(case_is_of_letters_only),
        cmocka_unit_test(parts),    cmocka_unit_test(trimming),
        cmocka_unit_test(finding),
    };

    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
