#include "wire/http_chunked.h"

#include "base/alloc.h"
#include "wire/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct outcome {
    char content[256];
    size_t len;
    size_t used;
    enum wire_chunked_result result;
    const char *why;
};

static struct outcome decode(struct bytes in, size_t each, bool is_lenient)
{
    struct wire_chunked c = { .is_lenient = is_lenient };
    struct outcome o = { .result = WIRE_CHUNKED_MORE };
    struct bytes content;
    size_t used;

    while (o.used < in.len && o.result == WIRE_CHUNKED_MORE) {
        struct bytes piece = bytes_from(in, o.used);

        piece.len = piece.len < each ? piece.len : each;
        o.result = wire_chunked_next(&c, piece, &used, &content, &o.why);
        assert_true(used <= piece.len);
        assert_true(o.len + content.len < sizeof(o.content));
        if (content.len > 0) {
            memcpy(o.content + o.len, content.at, content.len);
        }
        o.len += content.len;
        o.used += used;
    }
    o.content[o.len] = '\0';
    return o;
}

static void decodes(const char *text, bool is_lenient, const char *content, size_t used,
                    enum wire_chunked_result result)
{
    struct bytes in = bytes_of(text);

    for (size_t each = 1; each <= in.len; each++) {
        struct outcome o = decode(in, each, is_lenient);

        assert_string_equal(o.content, content);
        assert_int_equal(o.used, used);
        assert_int_equal(o.result, result);
        assert_true((o.why != NULL) == (result == WIRE_CHUNKED_BAD));
    }
}

static void finds_content_and_end(void **state)
{
    (void)state;
    decodes("0\r\n\r\nnext", false, "", 5, WIRE_CHUNKED_END);
    decodes(
        "3\r\nabc\r\n10;x=\"y\"\r\n0123456789abcdef\r\n000\r\nT: 1\r\nU:\r\n\r\nGET",
        false, "abc0123456789abcdef", 53, WIRE_CHUNKED_END);
    decodes("3\r\nab", false, "ab", 5, WIRE_CHUNKED_MORE);
}

static void lenient_reads_what_servers_send(void **state)
{
    (void)state;
    decodes("3\nabc\n0\n\n", true, "abc", 9, WIRE_CHUNKED_END);
    decodes("3   \r\nabc\r\n0 \r\nT t\n folded\r\n\r\n", true, "abc", 30,
            WIRE_CHUNKED_END);
}

static void strict_stops_before_the_wrong_byte(void **state)
{
    (void)state;
    decodes("3\nabc", false, "", 1, WIRE_CHUNKED_BAD);
    decodes("3 \r\nabc", false, "", 1, WIRE_CHUNKED_BAD);
    decodes("2\r\nabc", false, "ab", 5, WIRE_CHUNKED_BAD);
    decodes("0\r\n x", false, "", 3, WIRE_CHUNKED_BAD);
}

static void sizes_up_to_2_63(void **state)
{
    struct wire_chunked c = { 0 };
    struct bytes content;
    const char *why = NULL;
    size_t used;

    (void)state;
    assert_int_equal(wire_chunked_next(&c, bytes_of("7fffffffffffffff\r\nxy"), &used,
                                       &content, &why),
                     WIRE_CHUNKED_MORE);
    assert_int_equal(content.len, 2);
    assert_true(c.left == UINT64_C(0x7ffffffffffffffd));
    decodes("8000000000000000\r\n", false, "", 15, WIRE_CHUNKED_BAD);
}

static void dechunks_whole_bodies(void **state)
{
    struct buf out = { 0 };

    (void)state;
    assert_int_equal(
        wire_http_dechunk(bytes_of("3\r\nabc\r\n1;x\r\nd\r\n0\r\nT: 1\r\n\r\n"), &out),
        0);
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.at, "abcd", 4);
    assert_int_equal(wire_http_dechunk(bytes_of("1\ne\n0\n\n"), &out), 0);
    assert_memory_equal(out.at, "abcde", 5);
    buf_deinit(&out);
}

static void dechunk_tells_what_is_cut_off(void **state)
{
    static const char *const cut[] = {
        "",      "3",          "3\r\n", "3\r\nab",  "3\r\nabc\r\n",
        "0\r\n", "0\r\n\r\nx", "x",     "3\r\nabcd"
    };
    static const size_t lens[] = { 0, 0, 0, 2, 3, 0, 0, 0, 3 };

    (void)state;
    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        struct buf out = { 0 };

        assert_int_equal(wire_http_dechunk(bytes_of(cut[i]), &out), -EINVAL);
        assert_int_equal(out.len, lens[i]);
        buf_deinit(&out);
    }
}

static void dechunk_without_memory(void **state)
{
    struct buf out = { 0 };

    (void)state;
    alloc_fail_at(0);
    assert_int_equal(wire_http_dechunk(bytes_of("3\r\nabc\r\n0\r\n\r\n"), &out),
                     -ENOMEM);
    assert_true(alloc_fail_clear());
    assert_null(out.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_content_and_end),
        cmocka_unit_test(lenient_reads_what_servers_send),
        cmocka_unit_test(strict_stops_before_the_wrong_byte),
        cmocka_unit_test(sizes_up_to_2_63),
        cmocka_unit_test(dechunks_whole_bodies),
        cmocka_unit_test(dechunk_tells_what_is_cut_off),
        cmocka_unit_test(dechunk_without_memory),
    };

    return cmocka_run_group_tests_name("http_chunked", tests, NULL, NULL);
}
