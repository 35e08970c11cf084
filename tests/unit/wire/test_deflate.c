#include "wire/deflate.h"

#include "base/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <zlib.h>

/* ---- a compressor to test against ---- */

static void compressor(z_stream *z, int window_bits)
{
    *z = (z_stream){ 0 };
    assert_int_equal(
        deflateInit2(z, 6, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

/* As RFC 7692, 7.2.1 says: flushed, without the final 00 00 ff ff. */
static struct bytes compress_with(z_stream *z, struct bytes in, int flush, uint8_t *out,
                                  size_t room)
{
    uint8_t copy[4096];
    size_t len;

    assert_true(in.len <= sizeof(copy));
    memcpy(copy, in.at, in.len);
    z->next_in = copy;
    z->avail_in = (unsigned)in.len;
    z->next_out = out;
    z->avail_out = (unsigned)room;
    assert_true(deflate(z, flush) >= 0);
    assert_true(z->avail_out > 0);
    len = room - z->avail_out;
    if (flush == Z_SYNC_FLUSH) {
        assert_memory_equal(out + len - 4, "\x00\x00\xff\xff", 4);
        len -= 4;
    }
    return bytes_make(out, len);
}

static void inflates(struct wire_inflate *i, struct bytes in, const char *expected)
{
    struct buf out = { 0 };

    assert_int_equal(wire_inflate_message(i, in, SIZE_MAX, &out), 0);
    assert_int_equal(out.len, strlen(expected));
    if (out.len > 0) {
        assert_memory_equal(out.at, expected, out.len);
    }
    buf_deinit(&out);
}

#define BYTES(...)                                                                     \
    bytes_make(((const uint8_t[]){ __VA_ARGS__ }),                                     \
               sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* ---- the examples of RFC 7692, 7.2.3 ---- */

static void one_block(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);

    (void)state;
    inflates(i, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello");
    inflates(i, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello"); /* refers back */
    wire_inflate_free(i);
}

static void without_context_takeover(void **state)
{
    struct wire_inflate *i = wire_inflate_new(true);
    struct buf out = { 0 };

    (void)state;
    inflates(i, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello");
    inflates(i, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello");
    assert_int_equal(
        wire_inflate_message(i, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), 100, &out),
        WIRE_INFLATE_CORRUPT);
    buf_deinit(&out);
    /* One bad message does not touch the next. */
    inflates(i, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello");
    wire_inflate_free(i);
}

static void stored_block(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);

    (void)state;
    inflates(i, BYTES(0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00),
             "Hello");
    wire_inflate_free(i);
}

static void final_block(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);

    (void)state;
    inflates(i, BYTES(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00), "Hello");
    inflates(i, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello"); /* the context stays */
    inflates(i, BYTES(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00), "Hello");
    inflates(i, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello");
    wire_inflate_free(i);
}

static void final_block_at_the_very_end(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);

    (void)state;
    inflates(i, BYTES(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello");
    inflates(i, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello");
    wire_inflate_free(i);
}

static void two_blocks(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);

    (void)state;
    inflates(i,
             BYTES(0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9,
                   0x07, 0x00),
             "Hello");
    wire_inflate_free(i);
}

static void empty_messages(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);

    (void)state;
    inflates(i, BYTES(0x00), "");
    inflates(i, BYTES(0x02, 0x00), ""); /* an empty block of fixed codes */
    inflates(i, (struct bytes){ 0 }, "");
    inflates(i, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello");
    wire_inflate_free(i);
}

/* ---- streams ---- */

static void many_messages_share_a_context(int window_bits, int final_every)
{
    struct wire_inflate *i = wire_inflate_new(false);
    z_stream z;
    size_t before = 0, later = 0;

    assert_non_null(i);
    compressor(&z, window_bits < 9 ? 9 : window_bits);
    for (int n = 0; n < 300; n++) {
        uint8_t packed[2048];
        char text[300];
        struct bytes in;

        snprintf(
            text, sizeof(text),
            "{\"type\":\"tool_completed\",\"tool_name\":\"tool %d\",\"duration\":%d,"
            "\"results\":[%d,%d,%d],\"timestamp\":1700000%03d}",
            n % 7, n * 31, n, n + 1, n * 17, n);
        if (final_every > 0 && n % final_every == 0) {
            in =
                compress_with(&z, bytes_of(text), Z_FINISH, packed, sizeof(packed) - 1);
            packed[in.len++] = 0; /* 7.2.3.4 */
            deflateReset(&z);
        } else {
            in =
                compress_with(&z, bytes_of(text), Z_SYNC_FLUSH, packed, sizeof(packed));
        }
        *(n == 0 ? &before : &later) = in.len;
        inflates(i, in, text);
    }
    assert_true(final_every > 0 || later * 2 < before);
    deflateEnd(&z);
    wire_inflate_free(i);
}

static void context_takeover(void **state)
{
    (void)state;
    for (int bits = 8; bits <= 15; bits++) {
        many_messages_share_a_context(bits, 0);
    }
}

static void context_takeover_with_final_blocks(void **state)
{
    (void)state;
    many_messages_share_a_context(15, 1);
    many_messages_share_a_context(15, 5);
    many_messages_share_a_context(9, 3);
}

/* After a final block references still go back as far as they may (7.2.3.4). */
static void a_final_block_leaves_the_whole_window(void **state)
{
    enum { ALL = 32000, PART = 4000 };
    static uint8_t said[ALL], packed[2 * PART];
    struct wire_inflate *i = wire_inflate_new(false);
    struct buf out = { 0 };
    struct bytes in;
    uint32_t number = 1;
    z_stream z;

    compressor(&z, 15);
    for (size_t at = 0; at < ALL; at++) {
        number = number * 1664525U + 1013904223U;
        said[at] = (uint8_t)(number >> 24);
    }
    for (size_t at = 0; at < ALL; at += PART) {
        bool last = at + PART == ALL;

        in = compress_with(&z, bytes_make(said + at, PART),
                           last ? Z_FINISH : Z_SYNC_FLUSH, packed, sizeof(packed));
        assert_int_equal(wire_inflate_message(i, in, SIZE_MAX, &out), 0);
    }
    assert_int_equal(deflateReset(&z), Z_OK);
    assert_int_equal(deflateSetDictionary(&z, said, ALL), Z_OK);
    in =
        compress_with(&z, bytes_make(said, PART), Z_SYNC_FLUSH, packed, sizeof(packed));
    assert_true(in.len < PART / 4);
    buf_clear(&out);
    assert_int_equal(wire_inflate_message(i, in, SIZE_MAX, &out), 0);
    assert_true(bytes_equal(buf_bytes(&out), bytes_make(said, PART)));
    buf_deinit(&out);
    deflateEnd(&z);
    wire_inflate_free(i);
    (void)state;
}

/* 200 kB of zeros from 200 bytes, three times: the second is cut, the third is not. */
static void limit_keeps_the_context_right(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);
    static const uint8_t zeros[4096];
    uint8_t packed[3][4096];
    struct buf out = { 0 };
    z_stream z;

    (void)state;
    compressor(&z, 15);
    for (int n = 0; n < 3; n++) {
        struct bytes in = { packed[n], 0 };
        int r;

        for (int k = 0; k < 50; k++) {
            in.len += compress_with(&z, bytes_make(zeros, sizeof(zeros)), Z_NO_FLUSH,
                                    packed[n] + in.len, sizeof(packed[n]) - in.len)
                          .len;
        }
        in.len += compress_with(&z, bytes_of("end"), Z_SYNC_FLUSH, packed[n] + in.len,
                                sizeof(packed[n]) - in.len)
                      .len;
        out.len = 0;
        r = wire_inflate_message(i, in, n == 1 ? 1000 : SIZE_MAX, &out);
        assert_int_equal(r, n == 1 ? WIRE_INFLATE_LIMIT : 0);
        assert_int_equal(out.len, n == 1 ? 1000 : 50 * sizeof(zeros) + 3);
        assert_int_equal(out.at[999], 0);
    }
    assert_memory_equal(out.at + out.len - 3, "end", 3);
    deflateEnd(&z);
    buf_deinit(&out);
    wire_inflate_free(i);
}

static void limit_is_exact(void **state)
{
    struct bytes hello = BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);

    (void)state;
    for (size_t limit = 0; limit < 8; limit++) {
        struct wire_inflate *i = wire_inflate_new(false);
        struct buf out = { 0 };
        int r;

        assert_int_equal(buf_put_text(&out, "<"), 0);
        r = wire_inflate_message(i, hello, limit, &out);
        assert_int_equal(r, limit < 5 ? WIRE_INFLATE_LIMIT : 0);
        assert_int_equal(out.len, 1 + (limit < 5 ? limit : 5));
        assert_memory_equal(out.at, "<Hello", out.len);
        buf_deinit(&out);
        wire_inflate_free(i);
    }
}

static void corrupt_is_told_and_stays(void **state)
{
    const struct bytes bad[] = {
        BYTES(0xff, 0xff, 0xff),             /* reserved block type */
        BYTES(0xf2, 0x48, 0xcd),             /* cut off inside a block */
        BYTES(0x00, 0x05, 0x00, 0xfa, 0xff), /* a stored block without its bytes */
        BYTES(0x00, 0x05, 0x00, 0xfa, 0xfe, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00),
        BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), /* back to before the start */
        /* a stored block that the tail and the next message would just fill */
        BYTES(0x00, 0x0c, 0x00, 0xf3, 0xff, 0x48, 0x65),
    };

    (void)state;
    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        struct wire_inflate *i = wire_inflate_new(false);
        struct buf out = { 0 };

        assert_int_equal(wire_inflate_message(i, bad[n], 1000, &out),
                         WIRE_INFLATE_CORRUPT);
        assert_int_equal(
            wire_inflate_message(i, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00),
                                 1000, &out),
            WIRE_INFLATE_CORRUPT);
        buf_deinit(&out);
        wire_inflate_free(i);
    }
}

static void what_came_before_the_damage_is_kept(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);
    struct buf out = { 0 };

    (void)state;
    assert_int_equal(
        wire_inflate_message(
            i, BYTES(0x00, 0x02, 0x00, 0xfd, 0xff, 0x48, 0x65, 0xff, 0xff), 1000, &out),
        WIRE_INFLATE_CORRUPT);
    assert_int_equal(out.len, 2);
    assert_memory_equal(out.at, "He", 2);
    buf_deinit(&out);
    wire_inflate_free(i);
}

/* Every allocation fails once. -ENOMEM leaves `out` alone; without memory for the
 * output only, the context is still right. */
static void failed_allocations(void **state)
{
    long before = alloc_live();
    bool hit = true;

    (void)state;
    for (unsigned nth = 0; hit; nth++) {
        struct buf out = { 0 };
        struct wire_inflate *i;
        int r = -ENOMEM;

        alloc_fail_at(nth);
        i = wire_inflate_new(false);
        if (i != NULL) {
            r = wire_inflate_message(
                i, BYTES(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00), 1000, &out);
        }
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        assert_int_equal(out.len, hit ? 0 : 5);
        buf_deinit(&out);
        wire_inflate_free(i);
        assert_int_equal(alloc_live(), before);
    }
}

static void no_memory_for_output_keeps_the_context(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);
    struct buf out = { 0 };

    (void)state;
    inflates(i, BYTES(0x00), "");
    alloc_fail_at(0); /* the buffer's, which comes first */
    assert_int_equal(
        wire_inflate_message(i, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), 1000,
                             &out),
        -ENOMEM);
    assert_true(alloc_fail_clear());
    inflates(i, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello");
    wire_inflate_free(i);
    wire_inflate_free(NULL);
}

/* The output outgrows the buffer many times; each time there may be no memory. */
static void failed_growth_keeps_the_context(void **state)
{
    static const uint8_t zeros[4096];
    uint8_t packed[2][512];
    struct bytes in[2];
    bool hit = true;
    z_stream z;

    (void)state;
    compressor(&z, 15);
    for (int n = 0; n < 2; n++) {
        in[n] = compress_with(&z, bytes_make(zeros, sizeof(zeros)), Z_SYNC_FLUSH,
                              packed[n], sizeof(packed[n]));
    }
    deflateEnd(&z);
    for (unsigned nth = 0; hit; nth++) {
        struct wire_inflate *i = wire_inflate_new(false);
        struct buf out = { 0 };
        int r;

        /* zlib takes its window now, and nothing later */
        inflates(i, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello");
        assert_int_equal(buf_put_text(&out, "<"), 0);
        alloc_fail_at(nth);
        r = wire_inflate_message(i, in[0], SIZE_MAX, &out);
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        assert_int_equal(out.len, hit ? 1 : 1 + sizeof(zeros));
        r = wire_inflate_message(i, in[1], SIZE_MAX, &out);
        assert_int_equal(r, 0);
        assert_memory_equal(out.at + out.len - sizeof(zeros), zeros, sizeof(zeros));
        buf_deinit(&out);
        wire_inflate_free(i);
        assert_true(hit || nth > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_block),
        cmocka_unit_test(without_context_takeover),
        cmocka_unit_test(stored_block),
        cmocka_unit_test(final_block),
        cmocka_unit_test(final_block_at_the_very_end),
        cmocka_unit_test(two_blocks),
        cmocka_unit_test(empty_messages),
        cmocka_unit_test(context_takeover),
        cmocka_unit_test(context_takeover_with_final_blocks),
        cmocka_unit_test(a_final_block_leaves_the_whole_window),
        cmocka_unit_test(limit_keeps_the_context_right),
        cmocka_unit_test(limit_is_exact),
        cmocka_unit_test(corrupt_is_told_and_stays),
        cmocka_unit_test(what_came_before_the_damage_is_kept),
        cmocka_unit_test(failed_allocations),
        cmocka_unit_test(no_memory_for_output_keeps_the_context),
        cmocka_unit_test(failed_growth_keeps_the_context),
    };

    return cmocka_run_group_tests_name("deflate", tests, NULL, NULL);
}
