/* HTTP on a tape: bodies, and answers with their questions. */
#include "tests/unit/timeline/transcript.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct transcript *t = malloc(sizeof(*t));

    if (t == NULL) {
        return -1;
    }
    transcript_init(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    transcript_deinit(*state);
    free(*state);
    assert_int_equal(alloc_live(), 0);
    return 0;
}

static void length_says_where_a_body_ends(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
    body(t, 1, CLIENT, "he");
    body(t, 1, CLIENT, "llo");
    expect(t, "c>s body 1 5/5 \"hello\"\n");
    response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
    body(t, 1, SERVER, "yes");
    expect(t, "s>c body 1 3/3 \"yes\"\n"
              "POST /a = 200 up 5 down 3\n");
}

static void some_answers_have_no_body(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "HEAD /a HTTP/1.1\r\n\r\n");
    response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
    request(t, 2, "GET /b HTTP/1.1\r\n\r\n");
    response(t, 2, "HTTP/1.1 204 No Content\r\n\r\n");
    request(t, 3, "GET /c HTTP/1.1\r\n\r\n");
    response(t, 3, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
    request(t, 4, "GET /d HTTP/1.1\r\n\r\n");
    response(t, 4, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(t, "HEAD /a = 200 up 0 down 0\n"
              "GET /b = 204 up 0 down 0\n"
              "GET /c = 304 up 0 down 0\n"
              "GET /d = 200 up 0 down 0\n");
}

static void interim_answers_are_not_the_answer(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
    response(t, 1, "HTTP/1.1 100 Continue\r\n\r\n");
    body(t, 1, CLIENT, "ok");
    response(t, 1, "HTTP/1.1 103 Early Hints\r\n\r\n");
    expect(t, "c>s body 1 2/2 \"ok\"\n");
    response(t, 1, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    expect(t, "POST /a = 201 up 2 down 0\n");
}

static void chunks_join_wherever_they_are_cut(void **state)
{
    static const char wire[] =
        "4;x=1\r\nWiki\r\n6\r\npedia \r\n0\r\nTrailer: 1\r\n\r\n";
    char left[64], right[64];

    (void)state;
    for (size_t at = 1; at < sizeof(wire) - 1; at++) {
        struct transcript t;

        transcript_init(&t);
        request(&t, 1, "GET / HTTP/1.1\r\n\r\n");
        response(&t, 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        snprintf(left, sizeof(left), "%.*s", (int)at, wire);
        snprintf(right, sizeof(right), "%s", wire + at);
        body(&t, 1, SERVER, left);
        expect(&t, "");
        body(&t, 1, SERVER, right);
        expect(&t, "s>c body 1 10/41 \"Wikipedia \"\n"
                   "GET / = 200 up 0 down 10\n");
        transcript_deinit(&t);
    }
}

static void broken_chunks_keep_their_bytes(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "GET / HTTP/1.1\r\n\r\n");
    response(t, 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    body(t, 1, SERVER, "2\r\nok\r\nzz\r\nrest");
    body(t, 1, SERVER, " and more");
    end(t, SERVER, CAPTURE_END_FIN, false);
    expect(t, "s>c body 1 19/24 \"okzz\\r\\nrest and more\" malformed incomplete\n"
              "GET / = 200 up 0 down 19 incomplete\n"
              "end server 1\n");
}

static void the_end_may_end_a_body(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "GET / HTTP/1.0\r\n\r\n");
    response(t, 1, "HTTP/1.0 200 OK\r\n\r\n");
    body(t, 1, SERVER, "until ");
    body(t, 1, SERVER, "the end");
    expect(t, "");
    end(t, SERVER, CAPTURE_END_FIN, false);
    expect(t, "s>c body 1 13/13 \"until the end\"\n"
              "GET / = 200 up 0 down 13\n"
              "end server 1\n");
}

static void an_end_may_cut_a_body(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "GET /a HTTP/1.1\r\n\r\n");
    response(t, 1, "HTTP/1.1 200 OK\r\n\r\n");
    body(t, 1, SERVER, "abc");
    end(t, SERVER, CAPTURE_END_RESET, false);
    expect(t, "s>c body 1 3/3 \"abc\" incomplete\n"
              "GET /a = 200 up 0 down 3 incomplete\n"
              "end server 3\n");
    t->connection = 2;
    request(t, 1, "GET /b HTTP/1.1\r\n\r\n");
    response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    end(t, SERVER, CAPTURE_END_FIN, false);
    expect(t, "2 s>c body 1 0/0 \"\" incomplete\n"
              "GET /b = 200 up 0 down 0 elsewhere incomplete\n"
              "end server 1\n");
}

static void recording_limits_cut_without_breaking(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "GET /a HTTP/1.1\r\n\r\n");
    response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    body_cut(t, 1, SERVER, "abc", 2);
    body_cut(t, 1, SERVER, "", 5);
    expect(t, "s>c body 1 10/10 \"abc\" cut\n"
              "GET /a = 200 up 0 down 10\n");
    request(t, 2, "GET /b HTTP/1.1\r\n\r\n");
    response(t, 2, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    body_cut(t, 2, SERVER, "5\r\nabc", 9);
    expect(t, "");
    request(t, 3, "GET /c HTTP/1.1\r\n\r\n");
    response(t, 3, "HTTP/1.1 204 No Content\r\n\r\n");
    expect(t, "s>c body 2 3/15 \"abc\" cut\n"
              "GET /b = 200 up 0 down 3\n"
              "GET /c = 204 up 0 down 0\n");
}

static void bodies_are_held_up_to_a_limit(void **state)
{
    struct transcript *t = *state;

    t->config.body_keep = 4;
    request(t, 1, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    body(t, 1, CLIENT, "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
    expect(t, "c>s body 1 6/21 \"abcd\" cut\n");
}

static void pipelined_requests_get_their_own_answers(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "GET /1 HTTP/1.1\r\n\r\n");
    request(t, 2, "GET /2 HTTP/1.1\r\n\r\n");
    request(t, 3, "GET /3 HTTP/1.1\r\n\r\n");
    response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
    body(t, 1, SERVER, "a");
    response(t, 2, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n");
    body(t, 2, SERVER, "bb");
    expect(t, "s>c body 1 1/1 \"a\"\n"
              "GET /1 = 200 up 0 down 1\n"
              "s>c body 2 2/2 \"bb\"\n"
              "GET /2 = 404 up 0 down 2\n");
    finish(t, 0);
    expect(t, "GET /3 = 0 up 0 down 0\n");
}

static void too_many_open_requests_are_given_up(void **state)
{
    struct transcript *t = *state;
    char head[64];

    for (uint32_t i = 1; i <= CAPTURE_EXCHANGES_OPEN_MAX; i++) {
        snprintf(head, sizeof(head), "GET /%u HTTP/1.1\r\n\r\n", (unsigned)i);
        request(t, i, head);
    }
    expect(t, "");
    request(t, 999, "GET /last HTTP/1.1\r\n\r\n");
    expect(t, "GET /1 = 0 up 0 down 0\n");
}

static void wstape_may_answer_itself(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    sent(t, CLIENT, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}");
    end(t, CLIENT, CAPTURE_END_REFUSED, true);
    expect(t, "record 9 of 1\n"
              "GET /ws = 502 up 0 down 2 by-wstape\n"
              "end client 5 by wstape\n");
}

static void upgrades_end_http(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "GET /ws HTTP/1.1\r\n\r\n");
    response(t, 1, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    t->connection = 2;
    request(t, 1, "CONNECT h:1 HTTP/1.1\r\n\r\n");
    response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
    expect(t, "GET /ws = 101 up 0 down 0 upgraded\n"
              "CONNECT h:1 = 200 up 0 down 0 elsewhere upgraded\n");
}

static void unreadable_heads_stay_in_place(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "\xff\xff\r\n\r\n");
    response(t, 1, "also not HTTP\r\n\r\n");
    body(t, 1, SERVER, "bytes");
    finish(t, 0);
    expect(t, "s>c body 1 5/5 \"bytes\" incomplete\n"
              "? ? = 0 up 0 down 5 incomplete\n");
}

static void damage_cuts_bodies_and_keeps_questions(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
    body(t, 1, CLIENT, "abc");
    stretch(t, CAPTURE_EVENT_DAMAGE, 1, 2);
    body(t, 1, CLIENT, "ghi");
    expect(t, "c>s body 1 3/3 \"abc\" incomplete\n"
              "damage 1+2\n");
    response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    finish(t, 0);
    expect(t, "POST /a = 200 up 3 down 0\n"
              "c>s body 1 3/3 \"ghi\" incomplete\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(length_says_where_a_body_ends),
        CASE(some_answers_have_no_body),
        CASE(interim_answers_are_not_the_answer),
        CASE(chunks_join_wherever_they_are_cut),
        CASE(broken_chunks_keep_their_bytes),
        CASE(the_end_may_end_a_body),
        CASE(an_end_may_cut_a_body),
        CASE(recording_limits_cut_without_breaking),
        CASE(bodies_are_held_up_to_a_limit),
        CASE(pipelined_requests_get_their_own_answers),
        CASE(too_many_open_requests_are_given_up),
        CASE(wstape_may_answer_itself),
        CASE(upgrades_end_http),
        CASE(unreadable_heads_stay_in_place),
        CASE(damage_cuts_bodies_and_keeps_questions),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
