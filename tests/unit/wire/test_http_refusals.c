/*
 * Requests that two servers could read differently, or that are no HTTP/1.x at all:
 * each is refused, with the status and the reason, at every split, and every byte is
 * given back.
 */
#include "tests/unit/wire/http_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct refused {
    const char *input;
    unsigned status;
    const char *why;
};

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define TE   "Transfer-Encoding: chunked\r\n"
#define NEXT "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- heads ---- */

static const struct refused line_ends[] = {
    { "GET / HTTP/1.1\nHost: a\n\n", 400,
      "a line of the head ends with LF alone instead of CRLF" },
    { "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400,
      "a line of the head ends with LF alone instead of CRLF" },
    { GET "\n", 400, "a line of the head ends with LF alone instead of CRLF" },
    { "\n" GET "\r\n", 400, "a line of the head ends with LF alone instead of CRLF" },
    { "GET / HTTP/1.1\rHost: a\r\r", 400,
      "a carriage return without a line feed in the head" },
    { GET "X: a\rContent-Length: 5\r\n\r\n", 400,
      "a carriage return without a line feed in the head" },
    { GET "X: a\r\r\n\r\n", 400, "a carriage return without a line feed in the head" },
    { GET TE "X: y\r \r\n\r\n", 400,
      "a carriage return without a line feed in the head" },
};

static const struct refused controls[] = {
    { GET "X: a\x01z\r\n\r\n", 400, "a control byte in the head" },
    { GET "X: a\x7fz\r\n\r\n", 400, "a control byte in the head" },
    { GET "X\x0b: a\r\n\r\n", 400, "a control byte in the head" },
    { POST "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n",
      400, "a control byte in the head" },
    { POST "Transfer-Encoding: chunked\x0c\r\n\r\n", 400,
      "a control byte in the head" },
    { "GET /\x1b[0m HTTP/1.1\r\nHost: a\r\n\r\n", 400, "a control byte in the head" },
    { "\x16GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "a control byte in the head" },
    { GET "X: \x16\x03\r\n\r\n", 400, "a control byte in the head" },
};

static const struct refused names[] = {
    { POST "Content-Length : 5\r\n\r\nhello", 400,
      "white space between a field name and its colon" },
    { POST "Transfer-Encoding\t: chunked\r\n\r\n", 400,
      "white space between a field name and its colon" },
    { GET " X: b\r\n\r\n", 400,
      "a field line begins with white space (obsolete line folding)" },
    { POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400,
      "Transfer-Encoding is malformed" },
    { POST "X: a\r\n\tContent-Length: 5\r\n\r\n", 400,
      "a field line begins with white space (obsolete line folding)" },
    { "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400,
      "a field line begins with white space (obsolete line folding)" },
    { GET ": empty\r\n\r\n", 400, "a field line without a name" },
    { GET "no colon here\r\n\r\n", 400, "a field line without a colon" },
    { GET "Content Length: 5\r\n\r\n", 400, "a field name holds an invalid byte" },
    { GET "(X): a\r\n\r\n", 400, "a field name holds an invalid byte" },
    { GET "\xc3\x84: a\r\n\r\n", 400, "a field name holds an invalid byte" },
    { GET "\"X\": a\r\n\r\n", 400, "a field name holds an invalid byte" },
};

static const struct refused lengths[] = {
    { POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400,
      "more than one Content-Length" },
    { POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello", 400,
      "more than one Content-Length" },
    { POST "Content-Length: 1, 1\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length: +1\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length: -1\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length:  1x\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length: 0x1\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length: 1 0\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length: 1.0\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length: \"1\"\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length: \xd9\xa1\r\n\r\nx", 400,
      "Content-Length is not a plain decimal number" },
    { POST "Content-Length:\r\n\r\nx", 400, "Content-Length is empty" },
    { POST "Content-Length: 18446744073709551617\r\n\r\nx", 400,
      "Content-Length is beyond 2^63" },
    { POST "Content-Length: 9223372036854775808\r\n\r\nx", 400,
      "Content-Length is beyond 2^63" },
    { POST "Content-Length: 99999999999999999999999999999999\r\n\r\nx", 400,
      "Content-Length is beyond 2^63" },
    { POST "Content-Length: 5\r\n" TE "\r\n0\r\n\r\n" NEXT, 400,
      "Content-Length together with Transfer-Encoding" },
    { POST TE "Content-Length: 5\r\n\r\n0\r\n\r\n" NEXT, 400,
      "Content-Length together with Transfer-Encoding" },
    { POST TE "Content-Length: 0\r\n\r\n0\r\n\r\n", 400,
      "Content-Length together with Transfer-Encoding" },
};

static const struct refused codings[] = {
    { POST TE TE "\r\n0\r\n\r\n", 400, "more than one Transfer-Encoding" },
    { POST "Transfer-Encoding: gzip\r\n" TE "\r\n0\r\n\r\n", 400,
      "Transfer-Encoding does not end in exactly one \"chunked\"" },
    { POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400,
      "Transfer-Encoding does not end in exactly one \"chunked\"" },
    { POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400,
      "Transfer-Encoding does not end in exactly one \"chunked\"" },
    { POST "Transfer-Encoding: gzip\r\n\r\n", 400,
      "Transfer-Encoding does not end in exactly one \"chunked\"" },
    { POST "Transfer-Encoding:\r\n\r\n", 400, "Transfer-Encoding is malformed" },
    { POST "Transfer-Encoding: ,chunked\r\n\r\n", 400,
      "Transfer-Encoding is malformed" },
    { POST "Transfer-Encoding: chunked;a=b\r\n\r\n", 400,
      "Transfer-Encoding is malformed" },
    { POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400,
      "Transfer-Encoding is malformed" },
    { POST "Transfer-Encoding: chun ked\r\n\r\n", 400,
      "Transfer-Encoding is malformed" },
    { POST "Transfer-Encoding: chunked,\r\n\r\n", 400,
      "Transfer-Encoding does not end in exactly one \"chunked\"" },
    { POST "Transfer-Encoding: xchunked\r\n\r\n", 501,
      "Transfer-Encoding names a coding that is not known" },
    { POST "Transfer-Encoding: identity\r\n\r\n", 501,
      "Transfer-Encoding names a coding that is not known" },
    { POST "Transfer-Encoding: x, chunked\r\n\r\n", 501,
      "Transfer-Encoding names a coding that is not known" },
    { POST "Transfer-Encoding: identity, chunked\r\n\r\n", 501,
      "Transfer-Encoding names a coding that is not known" },
    { "POST / HTTP/1.0\r\nHost: a\r\n" TE "\r\n0\r\n\r\n", 400,
      "Transfer-Encoding in an HTTP/1.0 request" },
};

static const struct refused hosts[] = {
    { "GET / HTTP/1.1\r\n\r\n", 400, "an HTTP/1.1 request without Host" },
    { GET "Host: b\r\n\r\n", 400, "more than one Host" },
    { GET "host: a\r\n\r\n", 400, "more than one Host" },
    { "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, "more than one Host" },
    { "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400,
      "Host is not a host name with an optional port" },
    { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400,
      "Host is not a host name with an optional port" },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400,
      "Host is not a host name with an optional port" },
    { "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400,
      "Host is not a host name with an optional port" },
    { POST "Connection: close, Content-Length\r\nContent-Length: 1\r\n\r\nx", 400,
      "Connection asks to remove a field that frames the message" },
    { POST "Connection: transfer-encoding\r\n" TE "\r\n0\r\n\r\n", 400,
      "Connection asks to remove a field that frames the message" },
    { "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\nx", 400,
      "CONNECT with a body" },
    { "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n" TE "\r\n0\r\n\r\n", 400,
      "CONNECT with a body" },
};

static const struct refused start_lines[] = {
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505,
      "the client began with HTTP/2; only HTTP/1.1 is spoken here" },
    { "GET /\r\n", 505, "a request line without a version, as in HTTP/0.9" },
    { "GET / HTTP/2.0\r\n", 505, "the HTTP version is neither 1.1 nor 1.0" },
    { "GET / HTTP/0.9\r\n", 505, "the HTTP version is neither 1.1 nor 1.0" },
    { "GET / HTTP/1.2\r\n", 505, "the HTTP version is neither 1.1 nor 1.0" },
    { "GET / HTTP/1.10\r\n", 400,
      "the request line is not \"METHOD target HTTP/1.1\"" },
    { "GET / http/1.1\r\n", 400, "the request line is not \"METHOD target HTTP/1.1\"" },
    { "GET / ICY/1.1x\r\n", 400, "the request line is not \"METHOD target HTTP/1.1\"" },
    { "GET / HTTP/1.1 \r\n", 400,
      "the request line is not \"METHOD target HTTP/1.1\"" },
    { "GET /a b HTTP/1.1\r\n", 400,
      "the request line is not \"METHOD target HTTP/1.1\"" },
    { "GET /  HTTP/1.1\r\n", 400,
      "the request line is not \"METHOD target HTTP/1.1\"" },
    { "GET  / HTTP/1.1\r\n", 400,
      "white space in the request line other than two single spaces" },
    { "GET\t/ HTTP/1.1\r\n", 400,
      "the request line is not \"METHOD target HTTP/1.1\"" },
    { "GET /\tx HTTP/1.1\r\n", 400,
      "white space in the request line other than two single spaces" },
    { " GET / HTTP/1.1\r\n", 400,
      "the request line is not \"METHOD target HTTP/1.1\"" },
    { "hello\r\n", 400, "the request line is not \"METHOD target HTTP/1.1\"" },
    { "{\"type\": 1}\r\n", 400, "the request line is not \"METHOD target HTTP/1.1\"" },
    { "\x16\x03\x01\x02", 400,
      "the client spoke TLS on a plain port; use wss:// in --listen" },
};

/* ---- chunked bodies ---- */

static const struct refused chunks[] = {
    { POST TE "\r\n\r\n", 400, "a chunk without a hexadecimal size" },
    { POST TE "\r\nx\r\n", 400, "a chunk without a hexadecimal size" },
    { POST TE "\r\n-1\r\n", 400, "a chunk without a hexadecimal size" },
    { POST TE "\r\n 5\r\nhello\r\n", 400, "a chunk without a hexadecimal size" },
    { POST TE "\r\n0x5\r\nhello\r\n", 400,
      "a chunk size is followed by something else than \";\" or CRLF" },
    { POST TE "\r\n5 \r\nhello\r\n", 400,
      "a chunk size is followed by something else than \";\" or CRLF" },
    { POST TE "\r\n5_0\r\nhello\r\n", 400,
      "a chunk size is followed by something else than \";\" or CRLF" },
    { POST TE "\r\n5\nhello\r\n", 400,
      "a chunk size line ends with LF alone instead of CRLF" },
    { POST TE "\r\n5;a\nhello\r\n0\r\n\r\n", 400,
      "a chunk size line ends with LF alone instead of CRLF" },
    { POST TE "\r\n5;a\rhello\r\n", 400,
      "a carriage return without a line feed in a chunked body" },
    { POST TE "\r\n5;a=\x01\r\nhello\r\n", 400, "a control byte in a chunk extension" },
    { POST TE "\r\n5\r\nhello!\r\n", 400,
      "chunk data is not followed by CRLF: the chunk is longer or shorter than its "
      "size "
      "says" },
    { POST TE "\r\n5\r\nhello\n0\r\n\r\n", 400,
      "chunk data is not followed by CRLF: the chunk is longer or shorter than its "
      "size "
      "says" },
    { POST TE "\r\n5\r\nhello\rx", 400,
      "a carriage return without a line feed in a chunked body" },
    { POST TE "\r\nffffffffffffffff\r\n", 400, "a chunk size beyond 2^63" },
    { POST TE "\r\n8000000000000000\r\n", 400, "a chunk size beyond 2^63" },
    { POST TE "\r\n10000000000000005\r\nhello\r\n", 400, "a chunk size beyond 2^63" },
    { POST TE "\r\n00000000000000005\r\nhello\r\n", 400, "a chunk size beyond 2^63" },
    { POST TE "\r\n0\r\nX : y\r\n\r\n", 400,
      "a field name in the trailer section holds an invalid byte" },
    { POST TE "\r\n0\r\nno colon\r\n\r\n", 400,
      "a field name in the trailer section holds an invalid byte" },
    { POST TE "\r\n0\r\n: x\r\n\r\n", 400,
      "a line in the trailer section does not begin with a field name" },
    { POST TE "\r\n0\r\nX: y\r\n folded\r\n\r\n", 400,
      "a line in the trailer section does not begin with a field name" },
    { POST TE "\r\n0\r\nX: y\n\r\n", 400, "a control byte in the trailer section" },
    { POST TE "\r\n0\r\nX: y\rz\r\n", 400,
      "a carriage return without a line feed in a chunked body" },
    { POST TE "\r\n0\r\n\rx", 400,
      "a carriage return without a line feed in a chunked body" },
    { POST TE "\r\n0\r\n\nGET", 400,
      "a line in the trailer section does not begin with a field name" },
};

/* All that was given out as body, then what is kept: the input, without its head. */
static void gives_back_all(const struct http_said *said, const char *input)
{
    char shown[1024], kept[1024] = "";
    const char *body = strstr(said->text, "\nbody ");
    const char *rest = strstr(said->text, " | ");
    const char *from = input;
    size_t len = 0;

    if (strncmp(said->text, "head ", 5) == 0) {
        from = strstr(input, "\r\n\r\n") + 4;
    }
    for (; *from != '\0'; from++) {
        uint8_t c = (uint8_t)*from;

        len += (size_t)snprintf(shown + len, sizeof(shown) - len,
                                c == '\r'              ? "\\r"
                                : c == '\n'            ? "\\n"
                                : c < 0x20 || c > 0x7e ? "\\x%02x"
                                                       : "%c",
                                c);
    }
    shown[len] = '\0';
    if (body != NULL) {
        strncat(kept, body + 6, strcspn(body + 6, "\n"));
    }
    strncat(kept, rest + 3, strcspn(rest + 3, "\n"));
    assert_string_equal(kept, shown);
}

static void check(const struct refused *r, size_t first, size_t each)
{
    struct http_input in = { .is_request = true, .bytes = bytes_of(r->input) };
    struct http_said said;
    char expected[256];
    const char *bad;

    http_run(&in, first, each, &said);
    snprintf(expected, sizeof(expected), "bad %u %s | ", r->status, r->why);
    bad = strstr(said.text, "bad ");
    if (bad == NULL || strncmp(bad, expected, strlen(expected)) != 0) {
        print_error("%s\nsaid: %s\nnot: %s\n", r->input, said.text, expected);
        fail();
    }
    assert_null(strstr(said.text, "done"));
    gives_back_all(&said, r->input);
}

static void check_all(const struct refused *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(all[i].input);

        check(&all[i], len, len);
        for (size_t cut = 1; cut < len; cut++) {
            check(&all[i], cut, SIZE_MAX);
        }
        for (size_t each = 1; each < 8; each++) {
            check(&all[i], each, each);
        }
    }
}

#define CHECK_ALL(table) check_all(table, sizeof(table) / sizeof((table)[0]))

static void refuses_line_ends(void **state)
{
    (void)state;
    CHECK_ALL(line_ends);
}

static void refuses_control_bytes(void **state)
{
    (void)state;
    CHECK_ALL(controls);
}

static void refuses_nul(void **state)
{
    static const char text[] = GET "X: a\0b\r\n\r\n";
    struct http_input in = { .is_request = true,
                             .bytes = bytes_make(text, sizeof(text) - 1) };

    (void)state;
    http_says(&in, "bad 400 a NUL byte in the head | GET / HTTP/1.1\\r\\nHost: a\\r\\n"
                   "X: a\\x00b\\r\\n\\r\\n\n");
}

static void refuses_field_names(void **state)
{
    (void)state;
    CHECK_ALL(names);
}

static void refuses_lengths(void **state)
{
    (void)state;
    CHECK_ALL(lengths);
}

static void refuses_codings(void **state)
{
    (void)state;
    CHECK_ALL(codings);
}

static void refuses_hosts_and_connections(void **state)
{
    (void)state;
    CHECK_ALL(hosts);
}

static void refuses_start_lines(void **state)
{
    (void)state;
    CHECK_ALL(start_lines);
}

static void refuses_chunks(void **state)
{
    (void)state;
    CHECK_ALL(chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_line_ends),
        cmocka_unit_test(refuses_control_bytes),
        cmocka_unit_test(refuses_nul),
        cmocka_unit_test(refuses_field_names),
        cmocka_unit_test(refuses_lengths),
        cmocka_unit_test(refuses_codings),
        cmocka_unit_test(refuses_hosts_and_connections),
        cmocka_unit_test(refuses_start_lines),
        cmocka_unit_test(refuses_chunks),
    };

    return cmocka_run_group_tests_name("http_refusals", tests, NULL, NULL);
}
