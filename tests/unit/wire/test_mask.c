#include "wire/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };

static void fill(uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(i * 7 + 3);
    }
}

/* The example of RFC 6455, 5.7. */
static void example(void **state)
{
    uint8_t out[5];

    (void)state;
    wire_mask(key, 0, (const uint8_t *)"\x7f\x9f\x4d\x51\x58", out, 5);
    assert_memory_equal(out, "Hello", 5);
}

static void every_length_and_offset(void **state)
{
    uint8_t in[80], out[81];

    (void)state;
    fill(in, sizeof(in));
    for (size_t len = 0; len <= sizeof(in); len++) {
        for (uint64_t at = 0; at < 9; at++) {
            out[len] = 0x5a;
            wire_mask(key, at, in, out, len);
            for (size_t i = 0; i < len; i++) {
                assert_int_equal(out[i], in[i] ^ key[(at + i) & 3]);
            }
            assert_int_equal(out[len], 0x5a);
        }
    }
}

static void unaligned_memory(void **state)
{
    uint8_t in[64], out[64];

    (void)state;
    fill(in, sizeof(in));
    for (size_t from = 0; from < 8; from++) {
        for (size_t to = 0; to < 8; to++) {
            wire_mask(key, 1, in + from, out + to, 40);
            for (size_t i = 0; i < 40; i++) {
                assert_int_equal(out[to + i], in[from + i] ^ key[(i + 1) & 3]);
            }
        }
    }
}

static void any_split_is_the_same_and_twice_is_nothing(void **state)
{
    uint8_t in[50], whole[50], split[50];

    (void)state;
    fill(in, sizeof(in));
    wire_mask(key, 0, in, whole, sizeof(in));
    for (size_t cut = 0; cut <= sizeof(in); cut++) {
        memcpy(split, in, sizeof(in));
        wire_mask(key, 0, split, split, cut);
        wire_mask(key, cut, split + cut, split + cut, sizeof(in) - cut);
        assert_memory_equal(split, whole, sizeof(in));
        wire_mask(key, 0, split, split, sizeof(in));
        assert_memory_equal(split, in, sizeof(in));
    }
}

static void offsets_beyond_4_gb(void **state)
{
    uint8_t out;

    (void)state;
    wire_mask(key, (UINT64_C(1) << 40) + 3, (const uint8_t *)"\0", &out, 1);
    assert_int_equal(out, key[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example),
        cmocka_unit_test(every_length_and_offset),
        cmocka_unit_test(unaligned_memory),
        cmocka_unit_test(any_split_is_the_same_and_twice_is_nothing),
        cmocka_unit_test(offsets_beyond_4_gb),
    };

    return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
