#include "base/alloc.h"
#include "wire/deflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#define ZLIB_CONST
#include <zlib.h>

enum { MESSAGES = 200, LONGEST = 70000, LIMIT = 1 << 24 };

/* Numbers that are the same at every run. */
static uint32_t next_number(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static size_t make_message(uint32_t *state, unsigned n, uint8_t *out)
{
    static const uint8_t letters[] = "{}\":,abc";
    size_t len = n % 50 == 7 ? LONGEST : n % 9 == 0 ? 0 : next_number(state) % 700;

    for (size_t i = 0; i < len; i++) {
        out[i] = letters[next_number(state) % (n % 3 == 0 ? 8 : 3)];
    }
    return len;
}

static void check_window(unsigned bits, bool fresh)
{
    static uint8_t message[LONGEST];
    struct wire_deflate *d = wire_deflate_new(bits, fresh);
    struct wire_inflate *i = wire_inflate_new(fresh);
    uint32_t state = bits;

    assert_non_null(d);
    assert_non_null(i);
    for (unsigned n = 0; n < MESSAGES; n++) {
        size_t len = make_message(&state, n, message);
        struct buf wire = { 0 }, plain = { 0 };

        assert_int_equal(wire_deflate_message(d, bytes_make(message, len), &wire), 0);
        assert_true(wire.len > 0);
        assert_int_equal(wire_inflate_message(i, buf_bytes(&wire), LIMIT, &plain), 0);
        assert_true(bytes_equal(buf_bytes(&plain), bytes_make(message, len)));
        buf_deinit(&wire);
        buf_deinit(&plain);
    }
    wire_deflate_free(d);
    wire_inflate_free(i);
}

static void what_goes_in_comes_out(void **unused)
{
    (void)unused;
    for (unsigned bits = 8; bits <= 15; bits++) {
        check_window(bits, false);
        check_window(bits, true);
    }
    assert_int_equal(alloc_live(), 0);
}

/* A receiver with no more memory than was agreed; it gives out a few bytes at a time,
 * so that what lies further back is gone. */
static bool fits_window(struct bytes wire, unsigned bits, size_t len)
{
    uint8_t few[16];
    z_stream z = { .next_in = wire.at, .avail_in = (unsigned)wire.len };
    size_t sum = 0;
    int r;

    assert_int_equal(inflateInit2(&z, -(int)bits), Z_OK);
    do {
        z.next_out = few;
        z.avail_out = sizeof(few);
        r = inflate(&z, Z_SYNC_FLUSH);
        sum += sizeof(few) - z.avail_out;
    } while (r == Z_OK && z.avail_out == 0);
    inflateEnd(&z);
    return (r == Z_OK || r == Z_BUF_ERROR) && sum == len;
}

/* Words that come again further and further back. */
static void nothing_refers_beyond_the_window(void **unused)
{
    static uint8_t message[LONGEST];
    uint32_t state = 3;

    (void)unused;
    for (size_t at = 0; at < LONGEST; at++) {
        size_t back = (size_t)64 << (at / 64 % 10);

        message[at] = back > at || at % 128 < 64 ? (uint8_t)next_number(&state)
                                                 : message[at - back];
    }
    for (unsigned bits = 8; bits <= 15; bits++) {
        struct wire_deflate *d = wire_deflate_new(bits, false);
        struct buf wire = { 0 };

        assert_int_equal(wire_deflate_message(d, bytes_make(message, LONGEST), &wire),
                         0);
        assert_true(fits_window(buf_bytes(&wire), bits, LONGEST));
        buf_deinit(&wire);
        wire_deflate_free(d);
    }
}

static void a_late_start_needs_nothing_of_before(void **unused)
{
    struct wire_deflate *theirs = wire_deflate_new(15, false);
    struct wire_deflate *ours = wire_deflate_new(15, false);
    struct wire_inflate *receiver = wire_inflate_new(false);
    struct bytes text = bytes_of("the same words, the same words, the same words");

    (void)unused;
    for (int n = 0; n < 20; n++) {
        struct buf wire = { 0 }, plain = { 0 };

        assert_int_equal(wire_deflate_message(n < 10 ? theirs : ours, text, &wire), 0);
        assert_int_equal(
            wire_inflate_message(receiver, buf_bytes(&wire), LIMIT, &plain), 0);
        assert_true(bytes_equal(buf_bytes(&plain), text));
        buf_deinit(&wire);
        buf_deinit(&plain);
    }
    wire_deflate_free(theirs);
    wire_deflate_free(ours);
    wire_inflate_free(receiver);
}

static void every_failed_allocation_leaves_nothing(void **unused)
{
    (void)unused;
    for (unsigned long nth = 0;; nth++) {
        struct wire_deflate *d;
        struct buf wire = { 0 };
        int r = 0;

        alloc_fail_at(nth);
        d = wire_deflate_new(15, false);
        if (d != NULL) {
            r = wire_deflate_message(d, bytes_of("hello hello"), &wire);
        }
        wire_deflate_free(d);
        buf_deinit(&wire);
        if (!alloc_fail_clear()) {
            assert_int_equal(r, 0);
            break;
        }
        assert_true(d == NULL || r < 0);
        assert_int_equal(alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(nothing_refers_beyond_the_window),
        cmocka_unit_test(a_late_start_needs_nothing_of_before),
        cmocka_unit_test(every_failed_allocation_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
