#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint32_t crc_of(const uint8_t *at, size_t len)
{
    struct bytes in = bytes_make(at, len);

    assert_int_equal(crc32c_portable(0, in), crc32c(0, in));
    return crc32c(0, in);
}

/* RFC 3720, appendix B.4, as numbers: its bytes stand in the order of the wire. */
static void published_examples(void **state)
{
    uint8_t block[32];

    memset(block, 0, sizeof(block));
    assert_int_equal(crc_of(block, sizeof(block)), 0x8a9136aa);
    memset(block, 0xff, sizeof(block));
    assert_int_equal(crc_of(block, sizeof(block)), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (uint8_t)i;
    }
    assert_int_equal(crc_of(block, sizeof(block)), 0x46dd794e);
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc_of(block, sizeof(block)), 0x113fdb5c);
    assert_int_equal(crc_of((const uint8_t *)"123456789", 9), 0xe3069283);
    (void)state;
}

static void fill(uint8_t *at, size_t len)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        at[i] = (uint8_t)(seed >> 24);
    }
}

static void both_versions_agree_at_every_length_and_alignment(void **state)
{
    static uint8_t bytes[70000];

    fill(bytes, sizeof(bytes));
    for (size_t len = 0; len < 3100; len++) {
        struct bytes in = bytes_make(bytes + len % 9, len);

        assert_int_equal(crc32c(0x5eed, in), crc32c_portable(0x5eed, in));
    }
    assert_int_equal(crc32c(7, bytes_make(bytes + 1, 65536)),
                     crc32c_portable(7, bytes_make(bytes + 1, 65536)));
    (void)state;
}

static void a_crc_goes_on_where_an_earlier_one_ended(void **state)
{
    uint8_t bytes[2200];
    struct bytes all = bytes_make(bytes, sizeof(bytes));
    uint32_t whole;

    fill(bytes, sizeof(bytes));
    whole = crc32c(0, all);
    for (size_t at = 0; at <= sizeof(bytes); at++) {
        uint32_t first = crc32c(0, bytes_first(all, at));

        assert_int_equal(crc32c(first, bytes_from(all, at)), whole);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(both_versions_agree_at_every_length_and_alignment),
        cmocka_unit_test(a_crc_goes_on_where_an_earlier_one_ended),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
