#include "base/buf.h"

#include "base/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void holds(const struct buf *b, const char *text)
{
    assert_int_equal(b->len, strlen(text));
    assert_true(b->len <= b->cap);
    if (b->len > 0) {
        assert_memory_equal(b->at, text, b->len);
    }
    assert_true(bytes_equal(buf_bytes(b), bytes_of(text)));
}

static void appends(void **state)
{
    struct buf b = { 0 };

    (void)state;
    holds(&b, "");
    assert_int_equal(buf_put(&b, (struct bytes){ 0 }), 0);
    assert_int_equal(buf_put_text(&b, "one "), 0);
    assert_int_equal(buf_put(&b, bytes_of("two")), 0);
    assert_int_equal(buf_put_byte(&b, ' '), 0);
    assert_int_equal(buf_put_format(&b, "%s %d", "three", 4), 0);
    assert_int_equal(buf_put_format(&b, "%s", ""), 0);
    holds(&b, "one two three 4");
    buf_clear(&b);
    holds(&b, "");
    assert_true(b.cap > 0);
    buf_deinit(&b);
    assert_null(b.at);
    assert_int_equal(b.cap, 0);
    assert_int_equal(buf_put_byte(&b, 'x'), 0);
    holds(&b, "x");
    buf_deinit(&b);
    buf_deinit(NULL);
}

static void grows_far(void **state)
{
    struct buf b = { 0 };

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(buf_put_byte(&b, (uint8_t)(i * 7)), 0);
    }
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(b.at[i], (uint8_t)(i * 7));
    }
    buf_deinit(&b);
}

static void long_formats_fit(void **state)
{
    struct buf b = { 0 };

    (void)state;
    assert_int_equal(buf_put_format(&b, "%0500d", 1), 0);
    assert_int_equal(b.len, 500);
    assert_int_equal(b.at[499], '1');
    buf_deinit(&b);
}

static void drops_from_the_front(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_drop(&b, 0);
    assert_int_equal(buf_put_text(&b, "abcdef"), 0);
    buf_drop(&b, 0);
    holds(&b, "abcdef");
    buf_drop(&b, 2);
    holds(&b, "cdef");
    buf_drop(&b, 4);
    holds(&b, "");
    buf_deinit(&b);
}

static void reserved_room_does_not_move(void **state)
{
    struct buf b = { 0 };
    uint8_t *at;

    (void)state;
    assert_int_equal(buf_put_text(&b, "abc"), 0);
    assert_int_equal(buf_reserve(&b, 5000), 0);
    assert_true(b.cap - b.len >= 5000);
    holds(&b, "abc");
    at = b.at;
    while (b.len < 5003) {
        assert_int_equal(buf_put_byte(&b, 'x'), 0);
    }
    assert_ptr_equal(b.at, at);
    buf_deinit(&b);
}

static void without_memory_it_stays_as_it_was(void **state)
{
    static char text[300];
    struct buf b = { 0 };

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(buf_put_text(&b, "old"), 0);
    alloc_fail_at(0);
    assert_int_equal(buf_put_text(&b, text), -ENOMEM);
    alloc_fail_at(0);
    assert_int_equal(buf_put_format(&b, "%s", text), -ENOMEM);
    assert_true(alloc_fail_clear());
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 2), -ENOMEM);
    assert_int_equal(buf_reserve(&b, SIZE_MAX / 2), -ENOMEM);
    holds(&b, "old");
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(grows_far),
        cmocka_unit_test(long_formats_fit),
        cmocka_unit_test(drops_from_the_front),
        cmocka_unit_test(reserved_room_does_not_move),
        cmocka_unit_test(without_memory_it_stays_as_it_was),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
