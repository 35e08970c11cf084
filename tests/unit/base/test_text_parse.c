#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        { "0", 0 },
        { "000", 0 },
        { "0.0", 0 },
        { "0s", 0 },
        { "250ms", 250 * MS },
        { "3s", 3 * S },
        { "2m", 120 * S },
        { "1.5s", 1500 * MS },
        { "1h", 3600 * S },
        { "0.001ms", 1000 },
        { "0.25m", 15 * S },
        { "87600h", INT64_C(87600) * 3600 * S },
        { "1.0000009s", S },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ns = -1;

        assert_int_equal(text_parse_duration(good[i].text, &ns), 0);
        assert_true(ns == good[i].ns);
    }
}

static void what_is_no_duration(void **state)
{
    static const char *const bad[] = {
        "",
        "s",
        "3",
        "1.5",
        "-1s",
        "+1s",
        " 1s",
        "1s ",
        "1 s",
        "1S",
        "1d",
        "1sec",
        "1.s",
        ".5s",
        "1..5s",
        "1,5s",
        "1e3s",
        "0x1s",
        "1ms2",
        "inf",
        "999999h",
        "99999999999999999999s",
        "9223372036854775807ms",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = -1;

        assert_int_equal(text_parse_duration(bad[i], &ns), -EINVAL);
        assert_true(ns == -1);
    }
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {
        { "0", 0 },
        { "512", 512 },
        { "64k", 65536 },
        { "64K", 65536 },
        { "16M", 16777216 },
        { "1G", UINT64_C(1) << 30 },
        { "18446744073709551615", UINT64_MAX },
        { "17179869183G", UINT64_C(17179869183) << 30 },
    };
    static const char *const bad[] = { "",
                                       "k",
                                       "-1",
                                       "+1",
                                       "1kB",
                                       "1T",
                                       " 1",
                                       "1 ",
                                       "1.5k",
                                       "0x10",
                                       "18446744073709551616",
                                       "17179869184G",
                                       "18014398509481984k" };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t size = 7;

        assert_int_equal(text_parse_size(good[i].text, &size), 0);
        assert_true(size == good[i].size);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t size = 7;

        assert_int_equal(text_parse_size(bad[i], &size), -EINVAL);
        assert_int_equal(size, 7);
    }
}

static void numbers(void **state)
{
    uint64_t n = 7;

    (void)state;
    assert_int_equal(text_parse_number("", 0, 9, &n), -EINVAL);
    assert_int_equal(text_parse_number("10", 0, 9, &n), -EINVAL);
    assert_int_equal(text_parse_number("2", 3, 9, &n), -EINVAL);
    assert_int_equal(text_parse_number("3x", 3, 9, &n), -EINVAL);
    assert_int_equal(text_parse_number("-3", 0, 9, &n), -EINVAL);
    assert_int_equal(text_parse_number("1", 0, 0, &n), -EINVAL);
    assert_int_equal(text_parse_number("18446744073709551616", 0, UINT64_MAX, &n),
                     -EINVAL);
    assert_int_equal(n, 7);
    assert_int_equal(text_parse_number("3", 3, 9, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(text_parse_number("009", 3, 9, &n), 0);
    assert_int_equal(n, 9);
    assert_int_equal(text_parse_number("0", 0, 0, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(text_parse_number("18446744073709551615", 0, UINT64_MAX, &n), 0);
    assert_true(n == UINT64_MAX);
}

static const char *const names[] = { "listen",     "upstream",  "output",
                                     "drop_field", "set_field", "probability",
                                     "close",      "on",        NULL };

static void nearest_is(const char *text, const char *expected)
{
    const char *said = text_nearest(text, names);

    if (expected == NULL) {
        assert_null(said);
    } else {
        assert_non_null(said);
        assert_string_equal(said, expected);
    }
}

static void misspelled_names_are_found(void **state)
{
    (void)state;
    nearest_is("drop_feild", "drop_field");
    nearest_is("dropfield", "drop_field");
    nearest_is("lisen", "listen");
    nearest_is("upstreams", "upstream");
    nearest_is("propability", "probability");
    nearest_is("listen", "listen");
    nearest_is("clse", "close");
}

static void strange_names_are_not(void **state)
{
    char text[200];

    (void)state;
    nearest_is("", NULL);
    nearest_is("x", NULL);
    nearest_is("xy", NULL);
    nearest_is("frobnicate", NULL);
    nearest_is("abcdef", NULL);
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    nearest_is(text, NULL);
    assert_null(text_nearest("listen", (const char *const[]){ NULL }));
    assert_null(text_nearest("listen", (const char *const[]){ text, NULL }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(what_is_no_duration),
        cmocka_unit_test(sizes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(misspelled_names_are_found),
        cmocka_unit_test(strange_names_are_not),
    };

    return cmocka_run_group_tests_name("text_parse", tests, NULL, NULL);
}
