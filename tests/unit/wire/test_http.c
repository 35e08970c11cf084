#include "tests/unit/wire/http_rig.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- requests ---- */

static void request_without_body(void **state)
{
    (void)state;
    request_says("GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
                 "head GET /health HTTP/1.1\ndone\nend: more\n");
}

static void request_of_http_1_0_needs_no_host(void **state)
{
    (void)state;
    request_says("GET / HTTP/1.0\r\n\r\n", "head GET / HTTP/1.0\ndone\nend: more\n");
}

static void blank_lines_before_a_request_are_part_of_it(void **state)
{
    (void)state;
    request_says("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
                 "head GET / HTTP/1.1\ndone\nend: more\n");
}

static void pipelined_requests(void **state)
{
    (void)state;
    request_says("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                 "GET /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
                 "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n0\r\n\r\n"
                 "HEAD /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                 "GET /5 HTTP/1.1\r\nHost: a\r\n\r\n",
                 "head POST /1 HTTP/1.1\nbody hello\ndone\n"
                 "head GET /2 HTTP/1.1\ndone\n"
                 "head POST /3 HTTP/1.1\nbody 3\\r\\nabc\\r\\n0\\r\\n\\r\\n\ndone\n"
                 "head HEAD /4 HTTP/1.1\ndone\n"
                 "head GET /5 HTTP/1.1\ndone\nend: more\n");
}

static void chunks_with_extensions_and_trailers(void **state)
{
    (void)state;
    request_says(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"
        "005;sig=\"a b\";x\r\nhello\r\nA\r\n0123456789\r\n"
        "0;last\r\nDigest: x=y\r\nEmpty:\r\n\r\n"
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "head POST / HTTP/1.1\n"
        "body 005;sig=\"a b\";x\\r\\nhello\\r\\nA\\r\\n0123456789\\r\\n"
        "0;last\\r\\nDigest: x=y\\r\\nEmpty:\\r\\n\\r\\n\ndone\n"
        "head GET / HTTP/1.1\ndone\nend: more\n");
}

static void body_is_given_as_it_comes(void **state)
{
    (void)state;
    request_says("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nGET\r\n\r\n"
                 "GET / HTTP/1.1\r\nHost: b\r\n\r\n",
                 "head PUT / HTTP/1.1\nbody GET\\r\\n\\r\\n\ndone\n"
                 "head GET / HTTP/1.1\ndone\nend: more\n");
}

static void upgrade_request_switches(void **state)
{
    struct http_input in = {
        .is_request = true,
        .bytes = bytes_of("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                          "Connection: keep-alive, Upgrade\r\n\r\n\x81\x80"),
    };

    (void)state;
    http_says(&in, "head GET /ws HTTP/1.1\nswitch\nrest \\x81\\x80\n");
}

static void upgrade_request_with_body_switches_after_it(void **state)
{
    struct http_input in = {
        .is_request = true,
        .bytes = bytes_of("POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n"
                          "Connection: upgrade\r\nContent-Length: 2\r\n\r\nhiPRI"),
    };

    (void)state;
    http_says(&in, "head POST / HTTP/1.1\nbody hi\nswitch\nrest PRI\n");
}

static void upgrade_with_chunked_body_switches_after_it(void **state)
{
    struct http_input in = {
        .is_request = true,
        .bytes = bytes_of("POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: "
                          "upgrade\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "1\r\nz\r\n0\r\n\r\nrest"),
    };

    (void)state;
    http_says(&in, "head POST / HTTP/1.1\nbody 1\\r\\nz\\r\\n0\\r\\n\\r\\n\n"
                   "switch\nrest rest\n");
}

static void refused_upgrade_goes_on_as_http(void **state)
{
    (void)state;
    request_says("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\n\r\n"
                 "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
                 "head GET /ws HTTP/1.1\nswitch\n"
                 "head GET /2 HTTP/1.1\ndone\nend: more\n");
}

static void upgrade_needs_both_fields_and_http_1_1(void **state)
{
    (void)state;
    request_says("GET /1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"
                 "GET /2 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n"
                 "GET /3 HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                 "head GET /1 HTTP/1.1\ndone\nhead GET /2 HTTP/1.1\ndone\n"
                 "head GET /3 HTTP/1.0\ndone\nend: more\n");
}

static void connect_switches(void **state)
{
    struct http_input in = {
        .is_request = true,
        .bytes =
            bytes_of("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
                     "\x16\x03\x01"),
    };

    (void)state;
    http_says(&in, "head CONNECT a.example:443 HTTP/1.1\nswitch\n"
                   "rest \\x16\\x03\\x01\n");
}

static void request_cut_off(void **state)
{
    (void)state;
    request_says("GET / HTT",
                 "end: bad 400 the connection ended inside a head | GET / HTT\n");
    request_says("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
                 "head POST / HTTP/1.1\nbody hel\n"
                 "end: bad 400 the connection ended inside a body | \n");
    request_says(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        "head POST / HTTP/1.1\nbody 0\\r\\n\n"
        "end: bad 400 the connection ended inside a body | \n");
}

/* ---- responses ---- */

static void response_with_length(void **state)
{
    (void)state;
    response_says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
                  "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                  "head HTTP/1.1 200 OK\nbody hi\ndone\n"
                  "head HTTP/1.1 404 Not Found\ndone\nend: more\n");
}

static void response_until_the_end(void **state)
{
    (void)state;
    response_says(
        "HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "head HTTP/1.0 200 OK\nbody HTTP/1.1 200 OK\\r\\n\\r\\n\nend: done\n");
    response_says("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
                  "head HTTP/1.1 200 OK\nbody x\nend: done\n");
}

static void response_in_chunks(void **state)
{
    (void)state;
    response_says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "4;a=b\r\nwxyz\r\n0\r\nTrailer: 1\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
                  "head HTTP/1.1 200 OK\n"
                  "body 4;a=b\\r\\nwxyz\\r\\n0\\r\\nTrailer: 1\\r\\n\\r\\n\ndone\n"
                  "head HTTP/1.1 200 OK\nbody !\ndone\nend: more\n");
}

static void chunked_wins_over_length_in_responses(void **state)
{
    (void)state;
    response_says("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  "head HTTP/1.1 200 OK\nbody 0\\r\\n\\r\\n\ndone\nend: more\n");
}

static void interim_responses(void **state)
{
    struct http_input in = {
        .answers = "H",
        .bytes = bytes_of("HTTP/1.1 100 Continue\r\n\r\n"
                          "HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 3\r\n"
                          "\r\n"
                          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!"),
    };

    (void)state;
    http_says(&in, "head HTTP/1.1 100 Continue\ndone\n"
                   "head HTTP/1.1 103 Early Hints\ndone\n"
                   "head HTTP/1.1 200 OK\ndone\n"
                   "head HTTP/1.1 200 OK\nbody !\ndone\nend: more\n");
}

static void responses_that_have_no_body(void **state)
{
    struct http_input in = {
        .answers = "GGHHG",
        .bytes =
            bytes_of("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"
                     "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "HTTP/1.1 200 OK\r\n\r\n"
                     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    };

    (void)state;
    http_says(&in, "head HTTP/1.1 204 No Content\ndone\n"
                   "head HTTP/1.1 304 Not Modified\ndone\n"
                   "head HTTP/1.1 200 OK\ndone\n"
                   "head HTTP/1.1 200 OK\ndone\n"
                   "head HTTP/1.1 200 OK\nbody x\ndone\nend: more\n");
}

static void response_101_switches(void **state)
{
    (void)state;
    response_says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nContent-Length: 5\r\n\r\n\x81\x01x",
                  "head HTTP/1.1 101 Switching Protocols\nswitch\nrest \\x81\\x01x\n");
    response_says("HTTP/1.1 101 Odd\r\n\r\nabc",
                  "head HTTP/1.1 101 Odd\nswitch\nrest abc\n");
}

static void refused_upgrade_is_an_ordinary_response(void **state)
{
    (void)state;
    response_says(
        "HTTP/1.1 403 Forbidden\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Content-Length: 2\r\n\r\nnoHTTP/1.1 204 x\r\n\r\n",
        "head HTTP/1.1 403 Forbidden\nbody no\ndone\n"
        "head HTTP/1.1 204 x\ndone\nend: more\n");
}

static void answers_to_connect(void **state)
{
    struct http_input in = {
        .answers = "CC",
        .bytes =
            bytes_of("HTTP/1.1 407 Who\r\nContent-Length: 1\r\n\r\n?"
                     "HTTP/1.1 200 Connected\r\nContent-Length: 9\r\n\r\n\x16\x03"),
    };

    (void)state;
    http_says(&in, "head HTTP/1.1 407 Who\nbody ?\ndone\n"
                   "head HTTP/1.1 200 Connected\nswitch\nrest \\x16\\x03\n");
}

static void sloppy_responses_are_read(void **state)
{
    (void)state;
    response_says("HTTP/1.1 200 OK\nContent-Length: 2\nX: a\n b\n\nhi",
                  "head HTTP/1.1 200 OK\nbody hi\ndone\nend: more\n");
    response_says("\r\nHTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
                  "head HTTP/1.1 200\nbody hi\ndone\nend: more\n");
    response_says("HTTP/1.1 200 OK\r\nX: \x01\x80\r\nContent-Length: 0\r\n\r\n",
                  "head HTTP/1.1 200 OK\ndone\nend: more\n");
    response_says("HTTP/1.3 299 x\r\nContent-Length: 0\r\n\r\n",
                  "head HTTP/1.3 299 x\ndone\nend: more\n");
    response_says(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "head HTTP/1.1 200 OK\ndone\nhead HTTP/1.1 200 OK\ndone\nend: more\n");
}

static void what_is_no_response_is_told_at_once(void **state)
{
    (void)state;
    response_says(
        "SSH-2.0-x\r\n",
        "bad 400 the response does not begin with HTTP/1. | SSH-2.0-x\\r\\n\n");
    response_says("HTTP/2 200\r\n\r\n",
                  "bad 400 the response does not begin with HTTP/1. | "
                  "HTTP/2 200\\r\\n\\r\\n\n");
    response_says("\x15\x03\x01", "bad 400 the server speaks TLS on this port; use "
                                  "wss:// for it | \\x15\\x03\\x01\n");
    response_says("HTTP/1.1 20 OK\r\n\r\n",
                  "bad 400 the status line is not \"HTTP/1.1 200 reason\" | "
                  "HTTP/1.1 20 OK\\r\\n\\r\\n\n");
    response_says("HTTP/1.",
                  "end: bad 400 the connection ended inside a head | HTTP/1.\n");
}

static void is_bad_from(const char *input, const char *before, const char *rest)
{
    struct http_input in = { .bytes = bytes_of(input) };
    struct http_said said;
    const char *bad, *kept;

    for (size_t cut = 1; cut < in.bytes.len; cut++) {
        http_run(&in, cut, 1, &said);
        bad = strstr(said.text, "bad 400 ");
        kept = strstr(said.text, " | ");
        assert_non_null(bad);
        assert_non_null(kept);
        assert_memory_equal(said.text, before, strlen(before));
        assert_ptr_equal(bad, said.text + strlen(before));
        assert_string_equal(kept + 3, rest);
    }
}

/* What llhttp cannot frame, in whatever words it says so. */
static void unframed_responses_give_back_every_byte(void **state)
{
    (void)state;
    is_bad_from("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "",
                "HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\nContent-Length: 2\\r\\n"
                "\\r\\nab\n");
    is_bad_from("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab", "",
                "HTTP/1.1 200 OK\\r\\nContent-Length: x\\r\\n\\r\\nab\n");
    is_bad_from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabxyz",
                "head HTTP/1.1 200 OK\nbody 2\\r\\nab\n", "xyz\n");
    is_bad_from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz",
                "head HTTP/1.1 200 OK\n", "zz\n");
}

/* ---- limits and memory ---- */

static struct bytes long_head(char *at, size_t len)
{
    int start = snprintf(at, len, "GET / HTTP/1.1\r\nHost: a\r\nX: ");

    memset(at + start, 'x', len - (size_t)start);
    memcpy(at + len - 4, "\r\n\r\n", 4);
    return bytes_make(at, len);
}

static void head_may_be_as_long_as_the_limit(void **state)
{
    static char text[WIRE_HTTP_HEAD_MAX + 1];
    struct http_said said;
    struct http_input in = { .is_request = true,
                             .bytes = long_head(text, WIRE_HTTP_HEAD_MAX) };

    (void)state;
    http_run(&in, SIZE_MAX, 1, &said);
    assert_string_equal(said.text, "head GET / HTTP/1.1\ndone\nend: more\n");
    http_run(&in, 1, 4096, &said);
    assert_string_equal(said.text, "head GET / HTTP/1.1\ndone\nend: more\n");
}

/* The reader must keep at most the limit, and say so at the same byte for any split. */
static void head_beyond_the_limit_is_refused(void **state)
{
    static char text[WIRE_HTTP_HEAD_MAX + 1];
    struct bytes in = long_head(text, sizeof(text));

    (void)state;
    for (size_t each = 1; each <= in.len; each = each * 7 + 1) {
        struct wire_http *h = wire_http_new(true);
        struct wire_http_event e = { .kind = WIRE_HTTP_MORE };
        size_t at = 0, used;

        while (e.kind == WIRE_HTTP_MORE) {
            struct bytes rest = bytes_from(in, at);

            assert_true(rest.len > 0);
            assert_int_equal(
                wire_http_next(h, bytes_first(rest, each < rest.len ? each : rest.len),
                               &used, &e),
                0);
            at += used;
        }
        assert_int_equal(e.kind, WIRE_HTTP_BAD);
        assert_int_equal(e.status, 431);
        assert_string_equal(e.why, "the head is longer than 64 kB");
        assert_int_equal(wire_http_head(h).len, WIRE_HTTP_HEAD_MAX);
        assert_int_equal(at, WIRE_HTTP_HEAD_MAX);
        wire_http_free(h);
    }
}

static void idle_reader_holds_no_head(void **state)
{
    struct bytes in = bytes_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    long before = alloc_live();
    struct wire_http *h = wire_http_new(true);
    struct wire_http_event e;
    size_t used;

    (void)state;
    assert_false(wire_http_in_head(h));
    assert_int_equal(wire_http_next(h, bytes_first(in, 5), &used, &e), 0);
    assert_true(wire_http_in_head(h));
    assert_int_equal(wire_http_next(h, bytes_from(in, 5), &used, &e), 0);
    assert_int_equal(e.kind, WIRE_HTTP_HEAD);
    assert_true(bytes_equal(wire_http_head(h), in));
    assert_int_equal(wire_http_next(h, (struct bytes){ 0 }, &used, &e), 0);
    assert_int_equal(e.kind, WIRE_HTTP_DONE);
    assert_false(wire_http_in_head(h));
    assert_int_equal(alloc_live(), before + 1);
    wire_http_free(h);
    assert_int_equal(alloc_live(), before);
}

static void after_a_fault_it_stays_dead(void **state)
{
    struct wire_http *h = wire_http_new(true);
    struct wire_http_event e;
    size_t used;

    (void)state;
    assert_int_equal(wire_http_next(h, bytes_of("G\n"), &used, &e), 0);
    assert_int_equal(e.kind, WIRE_HTTP_BAD);
    assert_int_equal(wire_http_next(h, bytes_of("GET / HTTP/1.0\r\n\r\n"), &used, &e),
                     0);
    assert_int_equal(e.kind, WIRE_HTTP_BAD);
    assert_int_equal(used, 0);
    wire_http_finish(h, &e);
    assert_int_equal(e.kind, WIRE_HTTP_BAD);
    wire_http_free(h);
    wire_http_free(NULL);
}

static void after_a_switch_it_waits(void **state)
{
    struct wire_http *h = wire_http_new(false);
    struct wire_http_event e;
    size_t used;

    (void)state;
    assert_int_equal(wire_http_next(h, bytes_of("HTTP/1.1 101 x\r\n\r\nab"), &used, &e),
                     0);
    assert_int_equal(used, 18);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wire_http_next(h, bytes_of("ab"), &used, &e), 0);
        assert_int_equal(e.kind, WIRE_HTTP_SWITCH);
        assert_int_equal(used, 0);
    }
    wire_http_finish(h, &e);
    assert_int_equal(e.kind, WIRE_HTTP_MORE);
    wire_http_resume(h);
    assert_int_equal(wire_http_next(h, bytes_of("HTTP/1.1 204 x\r\n\r\n"), &used, &e),
                     0);
    assert_int_equal(e.kind, WIRE_HTTP_HEAD);
    wire_http_free(h);
}

/* The end may come before the caller asked whether the message is complete. */
static void finish_completes_a_whole_message(void **state)
{
    struct wire_http *h = wire_http_new(true);
    struct wire_http_event e;
    size_t used;

    (void)state;
    assert_int_equal(wire_http_next(h, bytes_of("GET / HTTP/1.0\r\n\r\n"), &used, &e),
                     0);
    assert_int_equal(e.kind, WIRE_HTTP_HEAD);
    wire_http_finish(h, &e);
    assert_int_equal(e.kind, WIRE_HTTP_DONE);
    assert_int_equal(wire_http_head(h).len, 0);
    wire_http_finish(h, &e);
    assert_int_equal(e.kind, WIRE_HTTP_MORE);
    wire_http_free(h);
}

/* An allocation that fails is reported, changes nothing, and the next try goes through.
 */
static void failed_allocations_lose_nothing(void **state)
{
    static const char expected[] = "head POST / HTTP/1.1\nbody hello\ndone\n"
                                   "head GET / HTTP/1.1\ndone\nend: more\n";
    struct http_input in = {
        .is_request = true,
        .bytes =
            bytes_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                     "X-Long: 0123456789012345678901234567890123456789\r\n\r\nhello"
                     "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    };
    long before = alloc_live();
    struct http_said said;
    bool hit;

    (void)state;
    for (unsigned nth = 0;; nth++) {
        alloc_fail_at(nth);
        http_run(&in, 10, 7, &said);
        hit = alloc_fail_clear();
        assert_string_equal(said.text, expected);
        assert_int_equal(alloc_live(), before);
        if (!hit) {
            assert_true(nth >= 4);
            return;
        }
    }
}

static void large_bodies_are_not_held(void **state)
{
    static uint8_t piece[65536];
    long before = alloc_live();
    struct wire_http *h = wire_http_new(true);
    struct wire_http_event e;
    uint64_t left = UINT64_C(5000000000);
    size_t used;

    (void)state;
    assert_int_equal(wire_http_next(h,
                                    bytes_of("PUT / HTTP/1.1\r\nHost: a\r\n"
                                             "Content-Length: 5000000000\r\n\r\n"),
                                    &used, &e),
                     0);
    assert_int_equal(e.kind, WIRE_HTTP_HEAD);
    while (left > 0) {
        size_t expected = left < sizeof(piece) ? (size_t)left : sizeof(piece);

        assert_int_equal(wire_http_next(h, bytes_make(piece, sizeof(piece)), &used, &e),
                         0);
        assert_int_equal(e.kind, WIRE_HTTP_BODY);
        assert_int_equal(used, expected);
        left -= used;
        assert_int_equal(alloc_live(), before + 1);
    }
    assert_int_equal(wire_http_next(h, (struct bytes){ 0 }, &used, &e), 0);
    assert_int_equal(e.kind, WIRE_HTTP_DONE);
    wire_http_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_without_body),
        cmocka_unit_test(request_of_http_1_0_needs_no_host),
        cmocka_unit_test(blank_lines_before_a_request_are_part_of_it),
        cmocka_unit_test(pipelined_requests),
        cmocka_unit_test(chunks_with_extensions_and_trailers),
        cmocka_unit_test(body_is_given_as_it_comes),
        cmocka_unit_test(upgrade_request_switches),
        cmocka_unit_test(upgrade_request_with_body_switches_after_it),
        cmocka_unit_test(upgrade_with_chunked_body_switches_after_it),
        cmocka_unit_test(refused_upgrade_goes_on_as_http),
        cmocka_unit_test(upgrade_needs_both_fields_and_http_1_1),
        cmocka_unit_test(connect_switches),
        cmocka_unit_test(request_cut_off),
        cmocka_unit_test(response_with_length),
        cmocka_unit_test(response_until_the_end),
        cmocka_unit_test(response_in_chunks),
        cmocka_unit_test(chunked_wins_over_length_in_responses),
        cmocka_unit_test(interim_responses),
        cmocka_unit_test(responses_that_have_no_body),
        cmocka_unit_test(response_101_switches),
        cmocka_unit_test(refused_upgrade_is_an_ordinary_response),
        cmocka_unit_test(answers_to_connect),
        cmocka_unit_test(sloppy_responses_are_read),
        cmocka_unit_test(what_is_no_response_is_told_at_once),
        cmocka_unit_test(unframed_responses_give_back_every_byte),
        cmocka_unit_test(head_may_be_as_long_as_the_limit),
        cmocka_unit_test(head_beyond_the_limit_is_refused),
        cmocka_unit_test(idle_reader_holds_no_head),
        cmocka_unit_test(after_a_fault_it_stays_dead),
        cmocka_unit_test(after_a_switch_it_waits),
        cmocka_unit_test(finish_completes_a_whole_message),
        cmocka_unit_test(failed_allocations_lose_nothing),
        cmocka_unit_test(large_bodies_are_not_held),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
