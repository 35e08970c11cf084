/* The tape plays the backend: HTTP, request by request. */
#include "tests/unit/replay/player_rig.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOST   "Host: h\r\n\r\n"
#define GET_A  "GET /a HTTP/1.1\r\n" HOST
#define GET_B  "GET /b HTTP/1.1\r\n" HOST
#define OK_A   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
#define OK_B   "HTTP/1.1 404 Nothing\r\nX-Why: so\r\nContent-Length: 1\r\n\r\n"
#define SAID_A "HTTP/1.1 200 OK\nContent-Length: 2\n\naa"
#define SAID_B "HTTP/1.1 404 Nothing\nX-Why: so\nContent-Length: 1\n\nb"

/* One connection, two requests. */
static void tape_two(struct rig *r)
{
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_response(t, 1, OK_A);
    put_body(t, 1, SERVER, "aa", 0);
    put_request(t, 2, GET_B);
    put_response(t, 2, OK_B);
    put_body(t, 2, SERVER, "b", 0);
    put_end(t, CLIENT, CAPTURE_END_FIN, false);
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
}

static void answers_one_after_the_other(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    r->verbose = true;
    rig_start(r);
    rig_text(r, GET_A);
    rig_expect(r, "! chosen #1 /a\n" SAID_A);
    rig_text(r, GET_B);
    rig_expect(r, "! chosen #2 /b\n" SAID_B);
    rig_text(r, GET_A); /* again: from the first */
    rig_expect(r, "! chosen #3 /a\n" SAID_A);
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! over 3 of 3\nend fin\n");
}

static void two_at_once(struct rig *r)
{
    rig_text(r, GET_B GET_A GET_B);
    rig_over(r, CAPTURE_END_FIN);
}

#define TWO_AT_ONCE SAID_B SAID_A SAID_B "! over 3 of 3\nend fin\n"

static void two_at_once_and_expect(struct rig *r)
{
    two_at_once(r);
    rig_expect(r, TWO_AT_ONCE);
}

/* Pipelining (RFC 9112, 9.3.2): answers have the order of the requests. */
static void answers_what_comes_at_once(void **state)
{
    tape_two(*state);
    rig_split_each(*state, two_at_once_and_expect);
}

/* As above, but the tape has them so. */
static void goes_on_to_the_next_of_several(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_request(t, 2, GET_B);
    put_response(t, 1, OK_A);
    put_body(t, 1, SERVER, "aa", 0);
    put_response(t, 2, OK_B);
    put_body(t, 2, SERVER, "b", 0);
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A GET_B);
    rig_expect(r, SAID_A SAID_B "end fin\n");
}

static void survives_every_failed_allocation(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    rig_fail_each(r, two_at_once);
    rig_expect(r, TWO_AT_ONCE);
}

static void answers_many_at_once(void **state)
{
    struct rig *r = *state;
    struct buf in = { 0 }, due = { 0 };

    tape_two(r);
    rig_start(r);
    for (int i = 0; i < 200; i++) { /* more than are read ahead */
        assert_int_equal(buf_put_text(&in, GET_A GET_B), 0);
        assert_int_equal(buf_put_text(&due, SAID_A SAID_B), 0);
    }
    assert_int_equal(buf_put_byte(&due, 0), 0);
    rig_in(r, buf_bytes(&in));
    rig_expect(r, (const char *)due.at);
    buf_deinit(&in);
    buf_deinit(&due);
}

/* ---- time ---- */

static void keeps_the_recorded_times(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 1;
    put_open(t, 1);
    put_request(t, 1, GET_A);
    t->now_ns += 99 * MS;
    put_response(t, 1, OK_A); /* 100 ms after the request */
    t->now_ns += 19 * MS;
    put_body(t, 1, SERVER, "1", 0);
    put_body(t, 1, SERVER, "2", 0);
    put_summary(t);
    rig_start(r);
    rig_pass(r, 7 * MS);
    rig_text(r, GET_A);
    rig_pass(r, 100 * MS - 1);
    rig_expect(r, "");
    rig_pass(r, 1);
    rig_expect(r, "HTTP/1.1 200 OK\nContent-Length: 2\n\n");
    rig_pass(r, 20 * MS - 1);
    rig_expect(r, "");
    rig_pass(r, 1);
    rig_expect(r, "1");
    rig_pass(r, MS);
    rig_expect(r, "2");
}

/* The answer's delay counts from the end of the request's body. */
static void waits_for_the_body(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 1;
    put_open(t, 1);
    put_request(
        t, 1, "POST /a HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n" HOST);
    put_response(t, 1, "HTTP/1.1 100 Continue\r\n\r\n");
    put_body(t, 1, CLIENT, "ab", 0);
    put_body(t, 1, CLIENT, "cd", 0);
    t->now_ns += 49 * MS;
    put_response(t, 1, OK_A); /* 50 ms after the body */
    put_body(t, 1, SERVER, "aa", 0);
    put_summary(t);
    rig_start(r);
    rig_text(r,
             "POST /a HTTP/1.1\r\nContent-Length: 6\r\nExpect: 100-continue\r\n" HOST);
    rig_pass(r, MS);
    rig_expect(r, "HTTP/1.1 100 Continue\n\n");
    rig_text(r, "12345");
    rig_pass(r, 1000 * MS);
    rig_expect(r, "");
    rig_text(r, "6");
    rig_pass(r, 50 * MS - 1);
    rig_expect(r, "");
    rig_pass(r, 1);
    rig_expect(r, "HTTP/1.1 200 OK\nContent-Length: 2\n\n");
    rig_pass(r, MS);
    rig_expect(r, "aa");
}

/* The tape's backend did not wait for it. */
static void answers_before_the_body(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST);
    put_response(t, 1, OK_A);
    put_body(t, 1, SERVER, "aa", 0);
    put_body(t, 1, CLIENT, "1\r\nx\r\n0\r\n\r\n", 0);
    put_open(t, 2);
    put_request(t, 1,
                "POST /b HTTP/1.1\r\nContent-Length: 1\r\nExpect: "
                "100-continue\r\n" HOST); /* the body never came */
    put_response(t, 1, OK_B);
    put_body(t, 1, SERVER, "b", 0);
    put_summary(t);
    rig_start(r);
    rig_text(r, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST);
    rig_expect(r, SAID_A);
    rig_text(r, "1\r\nx\r\n0\r\n\r\n");
    rig_text(r,
             "POST /b HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n" HOST);
    rig_expect(r, SAID_B);
}

/* ---- ends ---- */

static void ends_what_runs_to_the_end(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_response(t, 1, "HTTP/1.1 200 OK\r\n\r\n");
    put_body(t, 1, SERVER, "until the end", 0);
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A);
    rig_expect(r, "HTTP/1.1 200 OK\n\nuntil the endend fin\n");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! over 1 of 1\n");
}

static void ends_when_the_answer_says_so(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_response(t, 1,
                 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n");
    put_body(t, 1, SERVER, "x", 0);
    put_end(t, CLIENT, CAPTURE_END_FIN, false);
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_open(t, 2);
    put_request(t, 1, GET_B);
    put_response(t, 1,
                 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n");
    put_body(t, 1, SERVER, "x", 0);
    put_end(t, SERVER, CAPTURE_END_RESET, false);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A GET_B);
    rig_expect(r,
               "HTTP/1.1 200 OK\nContent-Length: 1\nConnection: close\n\nxend fin\n");
    rig_connect(r);
    rig_text(r, GET_B);
    rig_expect(r,
               "HTTP/1.1 200 OK\nContent-Length: 1\nConnection: close\n\nxend reset\n");
}

static void ends_when_the_client_says_so(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    rig_start(r);
    rig_text(r, "GET /a HTTP/1.1\r\nConnection: close\r\n" HOST);
    rig_expect(r, SAID_A "end fin\n");
    rig_connect(r);
    rig_text(r, "GET /a HTTP/1.0\r\n\r\n");
    rig_expect(r, SAID_A "end fin\n");
}

static void ends_where_the_answer_was_cut(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_response(t, 1, OK_A);
    put_body(t, 1, SERVER, "a", 0);
    put_end(t, SERVER, CAPTURE_END_RESET, false);
    put_open(t, 2);
    put_request(t, 1, GET_B);
    put_response(t, 1, OK_A);
    put_body(t, 1, SERVER, "a", 0);
    put_end(t, CLIENT, CAPTURE_END_FIN, false); /* it gave up */
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A);
    rig_expect(r, "! note the tape's answer is not whole: it ends as there\n"
                  "HTTP/1.1 200 OK\nContent-Length: 2\n\naend reset\n");
    rig_connect(r);
    rig_text(r, GET_B);
    rig_pass(r, 1000 * MS);
    rig_expect(r, "! note the tape's answer is not whole: it ends as there\n"
                  "HTTP/1.1 200 OK\nContent-Length: 2\n\na");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! over 1 of 1\nend fin\n");
}

#define NO_ANSWER                                                                      \
    "! note the tape has no answer to this request: the connection goes on, or ends, " \
    "as there\n"

static void ends_where_there_was_no_answer(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 1;
    put_open(t, 1);
    put_request(t, 1, GET_A);
    t->now_ns += 29 * MS;
    put_end(t, SERVER, CAPTURE_END_RESET, false);
    put_open(t, 2);
    put_request(t, 1, GET_A);
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_open(t, 3);
    put_request(t, 1, GET_A);
    put_end(t, CLIENT, CAPTURE_END_FIN, false);
    put_end(t, SERVER, CAPTURE_END_RESET, false);
    put_open(t, 4);
    put_request(t, 1, GET_A);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A);
    rig_pass(r, 30 * MS - 1);
    rig_expect(r, NO_ANSWER);
    rig_pass(r, 1);
    rig_expect(r, "end reset\n");
    rig_connect(r);
    rig_text(r, GET_A);
    rig_pass(r, 1 * MS);
    rig_expect(r, NO_ANSWER "end fin\n");
    for (int i = 3; i <= 4; i++) {
        rig_connect(r);
        rig_text(r, GET_A);
        rig_pass(r, 100000 * MS);
        rig_expect(r, NO_ANSWER);
        rig_over(r, CAPTURE_END_FIN);
        rig_expect(r,
                   i == 3 ? "! over 1 of 1\nend reset\n" : "! over 1 of 1\nend fin\n");
    }
}

/* The tape's backend closed what was idle; a request that comes first is answered. */
static void ends_when_idle(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 1;
    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_response(t, 1, OK_A);
    put_body(t, 1, SERVER, "aa", 0);
    t->now_ns += 499 * MS;
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A);
    rig_pass(r, 400 * MS);
    rig_expect(r, SAID_A);
    rig_text(r, GET_A);
    rig_pass(r, 400 * MS);
    rig_expect(r, SAID_A);
    rig_pass(r, 200 * MS);
    rig_expect(r, "end fin\n");
}

static void answers_a_client_that_has_ended(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    r->options.pace = 1;
    rig_start(r);
    rig_text(r, GET_A GET_B "GET /cut");
    rig_over(r, CAPTURE_END_FIN);
    rig_pass(r, 10 * MS);
    rig_expect(r, "HTTP/1.1 200 OK\nContent-Length: 2\n\n! over 2 of 2\naa" SAID_B
                  "end fin\n");
    rig_connect(r);
    rig_text(r, GET_A);
    rig_over(r, CAPTURE_END_RESET);
    rig_pass(r, 10 * MS);
    rig_expect(r, "! over 1 of 0\n");
}

#define POST_C       "POST /c HTTP/1.1\r\nContent-Length: 4\r\n" HOST
#define OVER_C(over) "HTTP/1.1 201 Made\nContent-Length: 2\n\n" over "cc"

/* A refused handshake, then a request with a body. */
static void tape_refusal(struct rig *r)
{
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, ASK "\r\n");
    put_response(t, 1, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n");
    put_body(t, 1, SERVER, "no", 0);
    put_request(t, 2, POST_C);
    put_body(t, 2, CLIENT, "1234", 0);
    put_response(t, 2, "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\n");
    put_body(t, 2, SERVER, "cc", 0);
    put_summary(t);
    r->options.pace = 1;
    rig_start(r);
}

/* What waited for the handshake's answer is read when the client has long ended: half
 * of a request is not waited for. */
static void ends_behind_half_of_a_request_that_waited(void **state)
{
    struct rig *r = *state;

    tape_refusal(r);
    rig_text(r, ASK "\r\n" POST_C "12");
    rig_over(r, CAPTURE_END_FIN);
    rig_pass(r, 100 * MS);
    rig_expect(r, "HTTP/1.1 403 Forbidden\nContent-Length: 2\n\n! over 2 of 1\nno"
                  "end fin\n");
    rig_connect(r);
    rig_text(r, ASK "\r\n" POST_C "1234");
    rig_over(r, CAPTURE_END_FIN);
    rig_pass(r, 100 * MS);
    rig_expect(r, "HTTP/1.1 403 Forbidden\nContent-Length: 2\n\nno" OVER_C(
                      "! over 2 of 2\n") "end fin\n");
}

/* The last request that is read ahead is so up to its body only; the body came before
 * the client's end, and so did half of one more. */
static void answers_the_last_that_is_read_ahead(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;
    struct buf in = { 0 }, due = { 0 };

    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_response(t, 1, OK_A);
    put_body(t, 1, SERVER, "aa", 0);
    put_request(t, 2, POST_C);
    put_body(t, 2, CLIENT, "1234", 0);
    put_response(t, 2, "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\n");
    put_body(t, 2, SERVER, "cc", 0);
    put_summary(t);
    r->options.pace = 1;
    rig_start(r);
    for (int i = 0; i < 63; i++) {
        assert_int_equal(buf_put_text(&in, GET_A), 0);
        assert_int_equal(buf_put_text(&due, SAID_A), 0);
    }
    assert_int_equal(buf_put_text(&in, POST_C "1234" POST_C "12"), 0);
    assert_int_equal(buf_put_text(&due, OVER_C("! over 65 of 64\n") "end fin\n"), 0);
    assert_int_equal(buf_put_byte(&due, 0), 0);
    rig_in(r, buf_bytes(&in));
    rig_over(r, CAPTURE_END_FIN);
    rig_pass(r, 1000 * MS);
    rig_expect(r, (const char *)due.at);
    buf_deinit(&in);
    buf_deinit(&due);
}

/* ---- special answers ---- */

static void answers_head(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, "HEAD /a HTTP/1.1\r\n" HOST);
    put_response(t, 1, "HTTP/1.1 200 OK\r\n\r\n");
    put_request(t, 2, GET_A);
    put_response(t, 2, OK_A);
    put_body(t, 2, SERVER, "aa", 0);
    put_summary(t);
    rig_start(r);
    rig_text(r, "HEAD /a HTTP/1.1\r\n" HOST GET_A);
    rig_expect(r, "HTTP/1.1 200 OK\n\n" SAID_A);
}

static void says_what_is_no_http(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_raw(t, SERVER, "garbage\n");
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A);
    rig_expect(r, "! note the tape's answer is not whole: it ends as there\n"
                  "garbage\nend fin\n");
}

#define CUT                                                                            \
    "! note a limit of the recording cut this answer's body: what is on the tape is "  \
    "sent\n"

static void tells_what_a_limit_cut(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, GET_A);
    put_response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\nX-A: 1\r\n\r\n");
    put_body(t, 1, SERVER, "these", 895);
    put_request(t, 2, GET_B);
    put_response(t, 2,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-B: 1\r\n\r\n");
    put_body(t, 2, SERVER, "64\r\nsome", 96);
    put_request(t, 3, GET_A);
    put_response(t, 3, OK_A);
    put_body(t, 3, SERVER, "aa", 0);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A);
    rig_expect(r, CUT "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 5\n\nthese");
    rig_text(r, GET_B);
    rig_expect(r, CUT "HTTP/1.1 200 OK\nX-B: 1\nContent-Length: 4\n\nsome");
    rig_text(r, GET_A);
    rig_expect(r, SAID_A);
}

/* ---- what the tape has not ---- */

#define ON_TAPE                                                                        \
    "[{\"method\":\"GET\",\"target\":\"/a\",\"count\":1,\"websocket\":false},"         \
    "{\"method\":\"GET\",\"target\":\"/b\",\"count\":1,\"websocket\":false}]}\n"

static void tells_what_is_unknown(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    rig_start(r);
    rig_text(r, "POST /x?y=\"1\" HTTP/1.1\r\nContent-Length: 2\r\n" HOST);
    rig_expect(r, "! unknown #1 POST /x?y=\"1\"\n"); /* behind the body */
    rig_text(r, "zz");
    rig_expect(
        r, "HTTP/1.1 404 Not Found\nContent-Type: application/json\n"
           "Content-Length: 215\n\n"
           "{\"error\":\"POST /x?y=\\\"1\\\" is not on the tape\","
           "\"method\":\"POST\",\"target\":\"/x?y=\\\"1\\\"\",\"on_tape\":" ON_TAPE);
    rig_text(r, GET_A); /* and on */
    rig_expect(r, SAID_A);
    rig_text(r, "HEAD /x HTTP/1.1\r\nConnection: close\r\n" HOST);
    rig_expect(r, "! unknown #3 HEAD /x\n"
                  "HTTP/1.1 404 Not Found\nContent-Type: application/json\n"
                  "Content-Length: 199\nConnection: close\n\nend fin\n");
}

/* It ends there, as with servers that refuse an upgrade: some clients wait for that. */
static void tells_an_unknown_handshake(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    rig_start(r);
    rig_text(
        r,
        "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" HOST GET_A);
    rig_expect(r, "! unknown #1 GET /ws\n"
                  "HTTP/1.1 404 Not Found\nContent-Type: application/json\n"
                  "Content-Length: 199\nConnection: close\n\n"
                  "{\"error\":\"GET /ws is not on the tape\","
                  "\"method\":\"GET\",\"target\":\"/ws\",\"on_tape\":" ON_TAPE
                  "end fin\n");
}

static void refuses_what_is_exhausted(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    r->options.when_exhausted = REPLAY_REFUSE;
    rig_start(r);
    rig_text(r, GET_A);
    rig_expect(r, SAID_A);
    rig_text(r, GET_A);
    rig_expect(r, "! exhausted #2 GET /a\n"
                  "HTTP/1.1 503 Service Unavailable\nContent-Type: application/json\n"
                  "Content-Length: 222\n\n"
                  "{\"error\":\"all answers to GET /a that the tape has were given\","
                  "\"method\":\"GET\",\"target\":\"/a\",\"on_tape\":" ON_TAPE);
}

static void unknown(struct rig *r)
{
    rig_text(r, "GET /x HTTP/1.1\r\n" HOST);
}

static void survives_every_failed_allocation_of_its_own_answer(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    rig_fail_each(r, unknown);
    rig_expect(r, "! unknown #1 GET /x\n"
                  "HTTP/1.1 404 Not Found\nContent-Type: application/json\n"
                  "Content-Length: 197\n\n"
                  "{\"error\":\"GET /x is not on the tape\","
                  "\"method\":\"GET\",\"target\":\"/x\",\"on_tape\":" ON_TAPE);
}

/* The proxy's session lets none of this through; it is no reason to fall over. */
static void ends_what_is_malformed(void **state)
{
    struct rig *r = *state;

    tape_two(r);
    rig_start(r);
    rig_text(r, "GET /a\r\n\r\n");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! broken #1 a request line without a version, as in HTTP/0.9\n"
                  "end fin\n! over 0 of 0\n");
}

/* ---- upgrades ---- */

/* Refused on the tape: HTTP goes on behind it. */
static void refuses_a_handshake(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, ASK "\r\n");
    put_response(t, 1, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n");
    put_body(t, 1, SERVER, "no", 0);
    put_request(t, 2, GET_A);
    put_response(t, 2, OK_A);
    put_body(t, 2, SERVER, "aa", 0);
    put_summary(t);
    rig_start(r);
    rig_text(r, ASK "\r\n" GET_A);
    rig_expect(r, "HTTP/1.1 403 Forbidden\nContent-Length: 2\n\nno" SAID_A);
}

/* HTTP first, then a WebSocket; frames that came with the request are not lost. */
static void goes_over_to_frames(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "ask");
    put_text(t, SERVER, "reply");
    put_open(t, 2);
    put_request(t, 1, GET_A);
    put_response(t, 1, OK_A);
    put_body(t, 1, SERVER, "aa", 0);
    put_summary(t);
    rig_start(r);
    rig_text(r, GET_A);
    rig_expect(r, SAID_A);
    r->shakes = true;
    rig_text(r, ASK "\r\n"
                    "\x81\x03"
                    "ask");
    rig_expect(r, "! broken #1 the client broke the protocol (RFC 6455): mask\n"
                  "text reply\n");
}

#define EACH(test)                                                                     \
    cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown, &whole),   \
        cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown,        \
                                                 &bytes)
#define ONCE(test)                                                                     \
    cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown, &whole)

int main(void)
{
    size_t whole = 0, bytes = 1;
    const struct CMUnitTest tests[] = {
        EACH(answers_one_after_the_other),
        ONCE(answers_what_comes_at_once),
        EACH(goes_on_to_the_next_of_several),
        EACH(survives_every_failed_allocation),
        ONCE(answers_many_at_once),
        EACH(keeps_the_recorded_times),
        EACH(waits_for_the_body),
        EACH(answers_before_the_body),
        EACH(ends_what_runs_to_the_end),
        EACH(ends_when_the_answer_says_so),
        EACH(ends_when_the_client_says_so),
        EACH(ends_where_the_answer_was_cut),
        EACH(ends_where_there_was_no_answer),
        EACH(ends_when_idle),
        ONCE(answers_a_client_that_has_ended),
        EACH(ends_behind_half_of_a_request_that_waited),
        ONCE(answers_the_last_that_is_read_ahead),
        EACH(answers_head),
        EACH(says_what_is_no_http),
        EACH(tells_what_a_limit_cut),
        EACH(tells_what_is_unknown),
        EACH(tells_an_unknown_handshake),
        EACH(refuses_what_is_exhausted),
        ONCE(survives_every_failed_allocation_of_its_own_answer),
        EACH(ends_what_is_malformed),
        EACH(refuses_a_handshake),
        EACH(goes_over_to_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
