#include "base/text.h"

#include "base/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void holds(struct buf *b, const char *expected)
{
    assert_int_equal(buf_put_byte(b, 0), 0);
    assert_string_equal((const char *)b->at, expected);
    buf_deinit(b);
}

/* ---- for terminals ---- */

static void escapes_to(struct bytes in, const char *expected)
{
    struct buf out = { 0 };

    assert_int_equal(text_put_escaped(&out, in, SIZE_MAX), 0);
    holds(&out, expected);
}

static void plain_text_stays(void **state)
{
    (void)state;
    escapes_to((struct bytes){ 0 }, "");
    escapes_to(bytes_of("{\"a\": \"b\\n\"} ~"), "{\"a\": \"b\\n\"} ~");
    escapes_to(bytes_of("\u00e4\u20ac\u00a0\u65e5\U0001f600"),
               "\u00e4\u20ac\u00a0\u65e5\U0001f600");
}

static void controls_are_spelled_out(void **state)
{
    (void)state;
    escapes_to(bytes_of("a\nb\r\tc"), "a\\nb\\r\\tc");
    escapes_to(bytes_make("\0\x07\x1b[31m\x7f", 8), "\\x00\\x07\\x1b[31m\\x7f");
    escapes_to(bytes_of("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa1"),
               "\\u{80}\\u{9b}\\u{9f}\u00a1");
}

static void invisible_characters_are_spelled_out(void **state)
{
    (void)state;
    escapes_to(bytes_of("\u202aa\u202e\u2066\u2069"),
               "\\u{202a}a\\u{202e}\\u{2066}\\u{2069}");
    escapes_to(bytes_of("\u200b\u200d\u200f\u2010"),
               "\\u{200b}\\u{200d}\\u{200f}\u2010");
    escapes_to(bytes_of("\u2028\u2029\ufeff\u061c\u00ad"),
               "\\u{2028}\\u{2029}\\u{feff}\\u{61c}\\u{ad}");
    escapes_to(bytes_of("\U000e0041"), "\\u{e0041}");
}

static void invalid_bytes_are_spelled_out(void **state)
{
    (void)state;
    escapes_to(bytes_of("\xff\xfe"), "\\xff\\xfe");
    escapes_to(bytes_of("a\x80z"), "a\\x80z");
    escapes_to(bytes_of("\xe2\x82"), "\\xe2\\x82");
    escapes_to(bytes_of("\xe2\x82z"), "\\xe2\\x82z");
    escapes_to(bytes_of("\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80"),
               "\\xc0\\x80\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
}

static bool is_safe(uint32_t c)
{
    return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && !(c >= 0x200b && c <= 0x200f) &&
           !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) &&
           c != 0xfeff && c != 0x61c;
}

/* A strict reading of UTF-8 that shares nothing with the code under test. */
static uint32_t next_character(const uint8_t **at)
{
    const uint8_t *t = *at;
    unsigned tail = t[0] < 0x80 ? 0 : t[0] < 0xe0 ? 1 : t[0] < 0xf0 ? 2 : 3;
    uint32_t c = tail == 0 ? t[0] : t[0] & (0x3fU >> tail);

    assert_true(t[0] < 0x80 || (t[0] >= 0xc2 && t[0] <= 0xf4));
    for (unsigned i = 1; i <= tail; i++) {
        assert_int_equal(t[i] & 0xc0, 0x80);
        c = c << 6 | (t[i] & 0x3f);
    }
    *at += tail + 1;
    return c;
}

static void is_safe_text(struct buf *out)
{
    const uint8_t *at;

    assert_int_equal(buf_put_byte(out, 0), 0);
    for (at = out->at; *at != 0;) {
        assert_true(is_safe(next_character(&at)));
    }
    assert_ptr_equal(at + 1, out->at + out->len);
    buf_clear(out);
}

/* Whatever comes in, what goes out is UTF-8 without a control among it. */
static void any_bytes_become_safe(void **state)
{
    struct buf out = { 0 };
    uint32_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t raw[12];
        size_t len = round % sizeof(raw);

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            raw[i] = (uint8_t)(seed >> (round % 3 == 0 ? 24 : 17));
            raw[i] |= round % 2 == 0 ? 0x80 : 0;
        }
        assert_int_equal(text_put_escaped(&out, bytes_make(raw, len), len / 2), 0);
        is_safe_text(&out);
        assert_int_equal(text_put_json(&out, bytes_make(raw, len)), 0);
        is_safe_text(&out);
    }
    buf_deinit(&out);
}

static void cuts_to(const char *in, size_t limit, const char *expected)
{
    struct buf out = { 0 };

    assert_int_equal(text_put_escaped(&out, bytes_of(in), limit), 0);
    holds(&out, expected);
}

static void cuts_at_whole_characters(void **state)
{
    (void)state;
    cuts_to("hello", 5, "hello");
    cuts_to("hello", 4, "hell\u2026");
    cuts_to("hello", 0, "\u2026");
    cuts_to("", 0, "");
    cuts_to("a\u20acb", 1, "a\u2026");
    cuts_to("a\u20acb", 2, "a\u2026");
    cuts_to("a\u20acb", 3, "a\u2026");
    cuts_to("a\u20acb", 4, "a\u20ac\u2026");
    cuts_to("\U0001f600\U0001f600", 7, "\U0001f600\u2026");
    cuts_to("\x80\x80\x80\x80\x80\x80", 4, "\\x80\\x80\\x80\\x80\u2026");
    cuts_to("\xe2\x82 x", 2, "\\xe2\\x82\u2026");
}

/* ---- JSON ---- */

static void json_of(struct bytes in, const char *expected)
{
    struct buf out = { 0 };

    assert_int_equal(text_put_json(&out, in), 0);
    holds(&out, expected);
}

static void json_strings(void **state)
{
    (void)state;
    json_of((struct bytes){ 0 }, "\"\"");
    json_of(bytes_of("plain /"), "\"plain /\"");
    json_of(bytes_of("\"quoted\" \\"), "\"\\\"quoted\\\" \\\\\"");
    json_of(bytes_of("\n\r\t"), "\"\\n\\r\\t\"");
    json_of(bytes_make("\0\x1f\x7f", 3), "\"\\u0000\\u001f\\u007f\"");
    json_of(bytes_of("\xc2\x85\u202e\u2028"), "\"\\u0085\\u202e\\u2028\"");
    json_of(bytes_of("\U000e0041\U0001f600"), "\"\\udb40\\udc41\U0001f600\"");
    json_of(bytes_of("\u00e4\u20ac"), "\"\u00e4\u20ac\"");
}

static void json_of_invalid_utf8(void **state)
{
    (void)state;
    json_of(bytes_of("a\xffz"), "\"a\ufffdz\"");
    json_of(bytes_of("\xe2\x82"), "\"\ufffd\"");
    json_of(bytes_of("\xe2\x82z"), "\"\ufffdz\"");
    json_of(bytes_of("\xf0\x80\x80"), "\"\ufffd\ufffd\ufffd\"");
    json_of(bytes_of("\xed\xa0\x80"), "\"\ufffd\ufffd\ufffd\"");
}

/* ---- bytes ---- */

static void base64(void **state)
{
    static const char *const pairs[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
        { "\xfb\xff\xbf", "+/+/" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct buf out = { 0 };

        assert_int_equal(text_put_base64(&out, bytes_of(pairs[i][0])), 0);
        holds(&out, pairs[i][1]);
    }
}

static void hex(void **state)
{
    struct buf out = { 0 };

    (void)state;
    assert_int_equal(text_put_hex(&out, (struct bytes){ 0 }), 0);
    assert_int_equal(text_put_hex(&out, bytes_make("\x00\x9f\xa5\xff", 4)), 0);
    holds(&out, "009fa5ff");
}

/* ---- sizes and times ---- */

static void sizes(void **state)
{
    static const struct {
        uint64_t size;
        const char *text;
    } pairs[] = {
        { 0, "0 B" },
        { 112, "112 B" },
        { 999, "999 B" },
        { 1000, "1.0 kB" },
        { 1049, "1.0 kB" },
        { 1050, "1.1 kB" },
        { 4200, "4.2 kB" },
        { 999949, "999.9 kB" },
        { 999950, "1.0 MB" },
        { 1300000, "1.3 MB" },
        { UINT64_C(999950000), "1.0 GB" },
        { UINT64_C(5000000000000), "5.0 TB" },
        { UINT64_C(1000000000000000), "1.0 PB" },
        { UINT64_MAX, "18.4 EB" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct buf out = { 0 };

        assert_int_equal(text_put_size(&out, pairs[i].size), 0);
        holds(&out, pairs[i].text);
    }
}

static void times(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } pairs[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { INT64_C(1795215901123999999), "2026-11-20T23:05:01.123Z" },
        { INT64_C(951782400000000000), "2000-02-29T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { INT64_C(-1000000000), "1969-12-31T23:59:59.000Z" },
        { INT64_MAX, "2262-04-11T23:47:16.854Z" },
        { INT64_MIN, "1677-09-21T00:12:43.145Z" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct buf out = { 0 };

        assert_int_equal(text_put_utc(&out, pairs[i].ns), 0);
        holds(&out, pairs[i].text);
    }
}

/* ---- memory ---- */

static int put_all(struct buf *out)
{
    struct bytes in = bytes_of("0123456789 0123456789\n0123456789\x1b 0123456789 \xff");
    int r = text_put_escaped(out, in, 40);

    r = r < 0 ? r : text_put_json(out, in);
    r = r < 0 ? r : text_put_base64(out, in);
    r = r < 0 ? r : text_put_hex(out, in);
    r = r < 0 ? r : text_put_size(out, 1);
    return r < 0 ? r : text_put_utc(out, 0);
}

static void failed_allocations(void **state)
{
    bool hit = true;

    (void)state;
    for (unsigned nth = 0; hit; nth++) {
        struct buf out = { 0 };
        int r;

        alloc_fail_at(nth);
        r = put_all(&out);
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        buf_deinit(&out);
    }
}

/* A text that could not be put leaves nothing of itself. */
static void nothing_half_done(void **state)
{
    struct bytes in = bytes_of("0123456789012345678901234567890123456789\n"
                               "0123456789012345678901234567890123456789\n");
    struct buf out = { 0 };

    (void)state;
    assert_int_equal(buf_put_text(&out, "0123456789"), 0);
    alloc_fail_at(0);
    assert_int_equal(text_put_escaped(&out, in, SIZE_MAX), -ENOMEM);
    assert_int_equal(out.len, 10);
    alloc_fail_at(0);
    assert_int_equal(text_put_json(&out, in), -ENOMEM);
    assert_int_equal(out.len, 10);
    assert_true(alloc_fail_clear());
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(controls_are_spelled_out),
        cmocka_unit_test(invisible_characters_are_spelled_out),
        cmocka_unit_test(invalid_bytes_are_spelled_out),
        cmocka_unit_test(any_bytes_become_safe),
        cmocka_unit_test(cuts_at_whole_characters),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(json_of_invalid_utf8),
        cmocka_unit_test(base64),
        cmocka_unit_test(hex),
        cmocka_unit_test(sizes),
        cmocka_unit_test(times),
        cmocka_unit_test(failed_allocations),
        cmocka_unit_test(nothing_half_done),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
