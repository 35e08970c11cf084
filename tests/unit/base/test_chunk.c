#include "base/chunk.h"

#include "base/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void references_are_counted(void **state)
{
    long before = alloc_live();
    struct chunk *c = chunk_new(100);

    (void)state;
    assert_int_equal(c->cap, 100);
    memset(c->data, 1, 100);
    assert_ptr_equal(chunk_ref(c), c);
    chunk_unref(c);
    assert_int_equal(alloc_live(), before + 1);
    chunk_unref(c);
    assert_int_equal(alloc_live(), before);
    chunk_unref(NULL);
}

static void a_pool_gives_the_same_memory_again(void **state)
{
    struct chunk_pool p;
    struct chunk *c, *again;

    (void)state;
    chunk_pool_init(&p, 64, 2);
    c = chunk_pool_get(&p);
    assert_int_equal(c->cap, 64);
    chunk_unref(c);
    assert_int_equal(p.spare_count, 1);
    again = chunk_pool_get(&p);
    assert_ptr_equal(again, c);
    assert_int_equal(again->refs, 1);
    assert_int_equal(p.spare_count, 0);
    chunk_ref(again);
    chunk_unref(again);
    assert_int_equal(p.spare_count, 0);
    chunk_unref(again);
    chunk_pool_deinit(&p);
    chunk_pool_deinit(NULL);
}

static void a_pool_keeps_no_more_than_its_spares(void **state)
{
    long before = alloc_live();
    struct chunk *taken[5];
    struct chunk_pool p;

    (void)state;
    chunk_pool_init(&p, 64, 2);
    for (size_t i = 0; i < 5; i++) {
        taken[i] = chunk_pool_get(&p);
        assert_non_null(taken[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        chunk_unref(taken[i]);
    }
    assert_int_equal(alloc_live(), before + 2);
    chunk_pool_deinit(&p);
    assert_int_equal(alloc_live(), before);
}

static void slices_copy(void **state)
{
    struct slice s = { 0 };

    (void)state;
    assert_int_equal(slice_bytes(s).len, 0);
    assert_int_equal(slice_copy(bytes_of("abc"), &s), 0);
    assert_true(bytes_equal(slice_bytes(s), bytes_of("abc")));
    s.off = 1;
    s.len = 1;
    assert_true(bytes_equal(slice_bytes(s), bytes_of("b")));
    chunk_unref(s.chunk);
    assert_int_equal(slice_copy((struct bytes){ 0 }, &s), 0);
    assert_int_equal(s.len, 0);
    chunk_unref(s.chunk);
}

static void without_memory(void **state)
{
    struct slice s = { .len = 7 };
    struct chunk_pool p;

    (void)state;
    chunk_pool_init(&p, 64, 2);
    alloc_fail_at(0);
    assert_null(chunk_pool_get(&p));
    alloc_fail_at(0);
    assert_null(chunk_new(1));
    alloc_fail_at(0);
    assert_int_equal(slice_copy(bytes_of("x"), &s), -ENOMEM);
    assert_true(alloc_fail_clear());
    assert_int_equal(s.len, 7);
    assert_null(chunk_new(SIZE_MAX));
    chunk_pool_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_counted),
        cmocka_unit_test(a_pool_gives_the_same_memory_again),
        cmocka_unit_test(a_pool_keeps_no_more_than_its_spares),
        cmocka_unit_test(slices_copy),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
