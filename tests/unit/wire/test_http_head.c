#include "wire/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void equals(struct bytes b, const char *text)
{
    assert_int_equal(b.len, strlen(text));
    assert_memory_equal(b.at == NULL ? (const void *)"" : b.at, text, b.len);
}

static struct wire_head parsed(const char *head, bool is_request)
{
    struct wire_head h;

    assert_int_equal(wire_head_parse(bytes_of(head), is_request, &h), 0);
    return h;
}

static void reads_a_request_line(void **state)
{
    const char *text = "\r\nGET /a?b HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n";
    struct wire_head h = parsed(text, true);

    (void)state;
    equals(h.start_line, "GET /a?b HTTP/1.1");
    equals(h.method, "GET");
    equals(h.target, "/a?b");
    assert_int_equal(h.minor, 1);
    assert_int_equal(h.status, 0);
    assert_int_equal(h.fields_at, 21);
}

static void reads_a_status_line(void **state)
{
    struct wire_head h = parsed("HTTP/1.0 404 Not  Found \r\n\r\n", false);

    (void)state;
    assert_int_equal(h.status, 404);
    assert_int_equal(h.minor, 0);
    equals(h.reason, "Not  Found ");
    h = parsed("HTTP/1.1 200\n\n", false);
    assert_int_equal(h.status, 200);
    equals(h.reason, "");
}

static void refuses_what_is_no_start_line(void **state)
{
    static const char *const requests[] = {
        "",
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        " / HTTP/1.1",
        "GET /\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.x\r\n\r\n",
        "GET / HTTP/1.11\r\n\r\n",
    };
    static const char *const responses[] = {
        "",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    };
    struct wire_head h = { .status = 7 };

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        assert_int_equal(wire_head_parse(bytes_of(requests[i]), true, &h), -EINVAL);
    }
    for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++) {
        assert_int_equal(wire_head_parse(bytes_of(responses[i]), false, &h), -EINVAL);
    }
    assert_int_equal(h.status, 7);
}

static void walks_the_fields(void **state)
{
    static const char *const expected[][2] = {
        { "Host", "a:1" },  { "EMPTY", "" },
        { "x", "a: b" },    { "Folded", "one\r\n two\r\n\tthree" },
        { "no colon", "" }, { "Spaced", "v" },
        { "", "nameless" }, { "Last", "\xe4" },
    };
    struct bytes head =
        bytes_of("GET / HTTP/1.1\r\nHost: a:1\r\nEMPTY:\r\nx:\t a: b \t\n"
                 "Folded: one\r\n two\r\n\tthree\r\nno colon\r\n"
                 "Spaced : v\r\n: nameless\r\nLast: \xe4\r\n\r\nBody: x\r\n");
    struct wire_head h;
    struct wire_field f;
    size_t at, i;

    (void)state;
    assert_int_equal(wire_head_parse(head, true, &h), 0);
    at = h.fields_at;
    for (i = 0; wire_head_next(head, &at, &f); i++) {
        assert_in_range(i, 0, sizeof(expected) / sizeof(expected[0]) - 1);
        equals(f.name, expected[i][0]);
        equals(f.value, expected[i][1]);
    }
    assert_int_equal(i, sizeof(expected) / sizeof(expected[0]));
    assert_false(wire_head_next(head, &at, &f));
}

static void walks_a_head_that_just_stops(void **state)
{
    struct bytes head = bytes_of("HTTP/1.1 200 OK\r\nA: b");
    struct wire_head h;
    struct wire_field f;

    (void)state;
    assert_int_equal(wire_head_parse(head, false, &h), 0);
    assert_true(wire_head_find(head, &h, "a", &f));
    equals(f.value, "b");
}

static void finds_fields_by_name(void **state)
{
    struct bytes head =
        bytes_of("HTTP/1.1 200 OK\r\nset-cookie: a\r\nSet-Cookie: b\r\n\r\n");
    struct wire_head h;
    struct wire_field f = { 0 };

    (void)state;
    assert_int_equal(wire_head_parse(head, false, &h), 0);
    assert_true(wire_head_find(head, &h, "SET-COOKIE", &f));
    equals(f.name, "set-cookie");
    equals(f.value, "a");
    assert_false(wire_head_find(head, &h, "Set-Cookie2", &f));
    assert_false(wire_head_find(head, &h, "Set", &f));
}

static void finds_tokens_over_all_lines(void **state)
{
    struct bytes head = bytes_of("GET / HTTP/1.1\r\nConnection: keep-alive\r\n"
                                 "Connection: foo,\r\n UPGRADE \r\n"
                                 "Quoted: \"a, upgrade, b\", c\r\nEmpty:\r\n\r\n");
    struct wire_head h;

    (void)state;
    assert_int_equal(wire_head_parse(head, true, &h), 0);
    assert_true(wire_head_has_token(head, &h, "connection", "upgrade"));
    assert_true(wire_head_has_token(head, &h, "Connection", "Keep-Alive"));
    assert_false(wire_head_has_token(head, &h, "Connection", "keep"));
    assert_false(wire_head_has_token(head, &h, "Quoted", "upgrade"));
    assert_true(wire_head_has_token(head, &h, "Quoted", "c"));
    assert_false(wire_head_has_token(head, &h, "Empty", "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_request_line),
        cmocka_unit_test(reads_a_status_line),
        cmocka_unit_test(refuses_what_is_no_start_line),
        cmocka_unit_test(walks_the_fields),
        cmocka_unit_test(walks_a_head_that_just_stops),
        cmocka_unit_test(finds_fields_by_name),
        cmocka_unit_test(finds_tokens_over_all_lines),
    };

    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
