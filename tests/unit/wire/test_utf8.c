#include "wire/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Whole, and at every split into two: the same verdict. */
static bool is_text(struct bytes b)
{
    struct wire_utf8 u = { 0 };
    bool whole = wire_utf8_check(&u, b) && wire_utf8_complete(&u);

    for (size_t cut = 0; cut <= b.len; cut++) {
        u = (struct wire_utf8){ 0 };
        assert_int_equal(wire_utf8_check(&u, bytes_first(b, cut)) &&
                             wire_utf8_check(&u, bytes_from(b, cut)) &&
                             wire_utf8_complete(&u),
                         whole);
    }
    return whole;
}

static size_t encode(uint32_t c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x200000; c++) {
        bool is_valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        uint8_t text[4];
        struct wire_utf8 u = { 0 };
        size_t len = encode(c, text);
        bool said =
            wire_utf8_check(&u, bytes_make(text, len)) && wire_utf8_complete(&u);

        if (said != is_valid) {
            fail_msg("U+%04X is said to be %s", c, said ? "valid" : "invalid");
        }
    }
}

static void forms_that_are_wrong(void **state)
{
    static const char *const wrong[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x41",
        "\xc2\xc2",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe1\x80",
        "\xe1\x80\x41",
        "\xf0\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80",
        "\xf8\x88\x80",
        "\xfe",
        "\xff",
        "\xf1\x80\x80",
        "a\xff",
        "\xc3\xa4\x80",
        "01234567890123456789\xe2\x82",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(is_text(bytes_of(wrong[i])));
    }
}

static void texts_that_are_right(void **state)
{
    (void)state;
    assert_true(is_text((struct bytes){ 0 }));
    assert_true(is_text(bytes_make("\0", 1)));
    assert_true(is_text(bytes_of("plain text, longer than a few machine words")));
    assert_true(is_text(bytes_of("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5 "
                                 "\xf0\x9f\x98\x80 0123456789abcdef\xe2\x82\xac")));
}

/* The fast path must see one bad byte at any place of a long ASCII text. */
static void one_bad_byte_anywhere(void **state)
{
    uint8_t text[67];

    (void)state;
    for (size_t len = 1; len <= sizeof(text); len++) {
        memset(text, 'a', len);
        for (size_t at = 0; at < len; at++) {
            struct wire_utf8 u = { 0 };

            text[at] = 0xff;
            assert_false(wire_utf8_check(&u, bytes_make(text, len)));
            text[at] = 'a';
        }
    }
}

/* All strings of three bytes, against a plain reading of the table in RFC 3629. */
static bool reference(const uint8_t *t, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint8_t again[4];
        size_t n = t[i] < 0x80 ? 1 : t[i] < 0xe0 ? 2 : t[i] < 0xf0 ? 3 : 4;
        uint32_t c = n == 1 ? t[i] : t[i] & (0x7fU >> n);

        if (n > len - i) {
            return false;
        }
        for (size_t k = 1; k < n; k++) {
            c = c << 6 | (t[i + k] & 0x3f);
        }
        if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || encode(c, again) != n ||
            memcmp(again, t + i, n) != 0) {
            return false;
        }
        i += n;
    }
    return true;
}

static void every_string_of_three_bytes(void **state)
{
    (void)state;
    for (uint32_t v = 0; v < 1U << 24; v += 1 + (v & 0xff) % 3) {
        uint8_t text[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
        struct wire_utf8 u = { 0 };
        bool said = wire_utf8_check(&u, bytes_make(text, 3)) && wire_utf8_complete(&u);

        if (said != reference(text, 3)) {
            fail_msg("%06x is said to be %s", v, said ? "valid" : "invalid");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(forms_that_are_wrong),
        cmocka_unit_test(texts_that_are_right),
        cmocka_unit_test(one_bad_byte_anywhere),
        cmocka_unit_test(every_string_of_three_bytes),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
