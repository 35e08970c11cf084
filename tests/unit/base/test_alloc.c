#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void counts_what_lives(void **state)
{
    long before = alloc_live();
    void *a = alloc_get(10), *b = alloc_zero(3, 4), *c = alloc_text("xyz", 3);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_string_equal(c, "xyz");
    assert_int_equal(alloc_live(), before + 3);
    a = alloc_resize(a, 1000);
    assert_int_equal(alloc_live(), before + 3);
    alloc_free(a);
    alloc_free(b);
    alloc_free(c);
    alloc_free(NULL);
    assert_int_equal(alloc_live(), before);
}

static void nothing_is_still_something(void **state)
{
    void *a = alloc_get(0), *b = alloc_zero(0, 9), *c = alloc_resize(NULL, 0);
    char *d = alloc_text(NULL, 0);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_string_equal(d, "");
    alloc_free(a);
    alloc_free(b);
    alloc_free(c);
    alloc_free(d);
}

static void zeroed_means_zeroed(void **state)
{
    static const uint8_t zeros[512];
    void *at = alloc_zero(64, 8);

    (void)state;
    assert_memory_equal(at, zeros, sizeof(zeros));
    alloc_free(at);
}

const char *__asan_default_options(void);

/* AddressSanitizer would end the program where the system says NULL. */
const char *__asan_default_options(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "allocator_may_return_null=1";
}

static void absurd_sizes_are_refused(void **state)
{
    volatile size_t half = SIZE_MAX / 2; /* the compiler would object to a constant */
    long before = alloc_live();

    (void)state;
    assert_null(alloc_zero(half, 4));
    assert_int_equal(alloc_live(), before);
}

static void resize_that_fails_keeps_the_old(void **state)
{
    char *at = alloc_text("kept", 4);

    (void)state;
    alloc_fail_at(0);
    assert_null(alloc_resize(at, 4096));
    assert_true(alloc_fail_clear());
    assert_string_equal(at, "kept");
    alloc_free(at);
}

static void only_the_nth_fails(void **state)
{
    (void)state;
    for (unsigned long nth = 0; nth < 5; nth++) {
        void *got[5];

        alloc_fail_at(nth);
        for (unsigned long i = 0; i < 5; i++) {
            got[i] = alloc_get(8);
            assert_true((got[i] == NULL) == (i == nth));
        }
        assert_true(alloc_fail_clear());
        for (size_t i = 0; i < 5; i++) {
            alloc_free(got[i]);
        }
    }
}

static void clear_tells_whether_it_was_reached(void **state)
{
    void *at;

    (void)state;
    alloc_fail_at(1);
    at = alloc_get(1);
    assert_false(alloc_fail_clear());
    alloc_free(at);
    at = alloc_get(1);
    assert_non_null(at);
    assert_false(alloc_fail_clear());
    alloc_free(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_lives),
        cmocka_unit_test(nothing_is_still_something),
        cmocka_unit_test(zeroed_means_zeroed),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(resize_that_fails_keeps_the_old),
        cmocka_unit_test(only_the_nth_fails),
        cmocka_unit_test(clear_tells_whether_it_was_reached),
    };

    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
