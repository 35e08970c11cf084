/* The tape as client: requests, answers, handshakes, tunnels. */
#include "tests/unit/replay/caller_rig.h"

#include "base/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEALTH "GET /health HTTP/1.1\r\nHost: h\r\nAuthorization: old\r\n\r\n"
#define OK_JSON                                                                        \
    "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{\"status\":\"up\",\"load\":0.25}"
#define POST                                                                           \
    "POST /agents HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n"                    \
    "{\"a\":1}"
#define SHAKE                                                                          \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"     \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

static void put_health(struct rig *r, uint32_t exchange)
{
    put_request(&r->tape, exchange, HEALTH);
    put_response(&r->tape, exchange, "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n");
    put_body(&r->tape, exchange, SERVER, "{\"status\":\"up\",\"load\":0.25}", 0);
}

static void put_post(struct rig *r, uint32_t exchange)
{
    put_request(&r->tape, exchange,
                "POST /agents HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n");
    put_body(&r->tape, exchange, CLIENT, "{\"a\":1}", 0);
    put_response(&r->tape, exchange,
                 "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_body(&r->tape, exchange, SERVER, "3\r\n{\"n\r\n4\r\n\":1}\r\n0\r\n\r\n", 0);
}

static void put_finish(struct rig *r)
{
    put_end(&r->tape, CLIENT, CAPTURE_END_FIN, false);
    put_end(&r->tape, SERVER, CAPTURE_END_FIN, false);
    put_summary(&r->tape);
}

static void start_exchanges(struct rig *r)
{
    rig_init(r);
    put_open(&r->tape, 1);
    put_health(r, 1);
    put_post(r, 2);
    put_finish(r);
    rig_start(r);
}

static void finish(struct rig *r)
{
    rig_end(r, CAPTURE_END_FIN);
    rig_run(r);
    expect_done(r, CAPTURE_END_FIN);
    rig_deinit(r);
}

/* ---- exchanges ---- */

static void requests_wait_for_whole_answers(void **unused)
{
    struct rig r;

    (void)unused;
    start_exchanges(&r);
    expect_asked(&r, HEALTH);
    rig_say(&r, "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{\"load\":0.25,");
    expect_asked(&r, HEALTH);
    rig_say(&r, "\"status\":\"up\"}");
    expect_asked(&r, HEALTH POST);
    rig_say(&r, "HTTP/1.1 201 OK\r\nContent-Length: 7\r\n\r\n{\"n\":1}");
    assert_int_equal(replay_caller_output(r.caller)->end, CAPTURE_END_FIN);
    expect_told(&r, "");
    finish(&r);
}

static void bodies_and_statuses_are_compared(void **unused)
{
    struct rig r;

    (void)unused;
    start_exchanges(&r);
    rig_say(&r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "c\r\n{\"status\":\"d\r\n10\r\nown\",\"load\":0.25\r\n"
                "8\r\n,\"by\":1}\r\n0\r\n\r\n");
    rig_say(&r, "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nlater");
    expect_told(&r, "difference http 1 GET /health $.status: \"up\" -> \"down\"\n"
                    "difference http 1 GET /health $.by: none -> 1\n"
                    "status http 2 POST /agents: 201 -> 503 (later)\n");
    finish(&r);
}

static void what_is_not_json_is_compared_as_bytes(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_request(&r.tape, 1, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    put_response(&r.tape, 1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    put_body(&r.tape, 1, SERVER, "hello", 0);
    put_finish(&r);
    rig_start(&r);
    rig_say(&r, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd");
    expect_told(&r, "difference http 1 GET /: hello -> \xff\xfe\xfd\n");
    finish(&r);
}

static void an_answer_to_head_has_no_body(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_request(&r.tape, 1, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    put_response(&r.tape, 1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    put_health(&r, 2);
    put_finish(&r);
    rig_start(&r);
    rig_say(&r, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    expect_asked(&r, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" HEALTH);
    rig_say(&r, OK_JSON);
    expect_told(&r, "");
    finish(&r);
}

static void an_answer_may_run_to_the_end(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_request(&r.tape, 1, "GET / HTTP/1.0\r\n\r\n");
    put_response(&r.tape, 1, "HTTP/1.0 200 OK\r\n\r\n");
    put_body(&r.tape, 1, SERVER, "[1,2]", 0);
    put_end(&r.tape, SERVER, CAPTURE_END_FIN, false);
    put_end(&r.tape, CLIENT, CAPTURE_END_FIN, false);
    put_summary(&r.tape);
    rig_start(&r);
    rig_say(&r, "HTTP/1.0 200 OK\r\n\r\n[1,3]");
    expect_told(&r, "");
    rig_end(&r, CAPTURE_END_FIN);
    expect_told(&r, "difference http 1 GET / $[1]: 2 -> 3\n");
    finish(&r);
}

static void an_interim_answer_is_waited_for_a_second(void **unused)
{
    struct rig r;

    (void)unused;
    for (int live = 0; live < 2; live++) {
        rig_init(&r);
        put_open(&r.tape, 1);
        put_request(&r.tape, 1,
                    "PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                    "Content-Length: 2\r\n\r\n");
        put_response(&r.tape, 1, "HTTP/1.1 100 Continue\r\n\r\n");
        put_body(&r.tape, 1, CLIENT, "ok", 0);
        put_response(&r.tape, 1, "HTTP/1.1 204 Done\r\n\r\n");
        put_finish(&r);
        rig_start(&r);
        rig_wait(&r, 900 * MS);
        assert_memory_equal(r.sent.at + r.sent.len - 4, "\r\n\r\n", 4);
        if (live) {
            rig_say(&r, "HTTP/1.1 100 Go on\r\n\r\n");
        } else {
            rig_wait(&r, 200 * MS);
        }
        assert_memory_equal(r.sent.at + r.sent.len - 4, "\r\nok", 4);
        rig_say(&r, "HTTP/1.1 204 Done\r\n\r\n");
        expect_told(&r, "");
        finish(&r);
    }
}

static void a_backend_that_hangs_up_leaves_answers_missing(void **unused)
{
    struct rig r;

    (void)unused;
    start_exchanges(&r);
    rig_say(&r, OK_JSON);
    rig_end(&r, CAPTURE_END_RESET);
    expect_told(&r, "missing http 2 POST /agents: 201 -> none (the backend reset the "
                    "connection)\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void a_cut_answer_is_broken(void **unused)
{
    struct rig r;

    (void)unused;
    start_exchanges(&r);
    rig_say(&r, "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{");
    rig_end(&r, CAPTURE_END_FIN);
    expect_told(&r, "broken http 1 GET /health (the answer was cut off)\n"
                    "missing http 2 POST /agents: 201 -> none (the backend ended the "
                    "connection)\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void a_silent_backend_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    start_exchanges(&r);
    r.all = true;
    rig_run(&r);
    expect_told(&r, "timeout http 1 GET /health after 10001ms (the "
                    "answer)\n"
                    "missing http 2 POST /agents: 201 -> none\n"
                    "over http 0 of 2\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

/* Half a request is not worth a wait. */
static void a_request_that_the_tape_has_in_part_is_not_asked(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_health(&r, 1);
    put_request(&r.tape, 2,
                "POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n");
    put_body(&r.tape, 2, CLIENT, "{\"a\"", 3);
    put_response(&r.tape, 2, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    put_finish(&r);
    r.all = true;
    rig_start(&r);
    rig_say(&r, OK_JSON);
    expect_asked(&r, HEALTH);
    expect_told(&r, "response_time http 1 GET /health 0ms then 1ms\n"
                    "missing http 2 POST /big (its body is not all on the tape: record "
                    "it with a larger --h)\n"
                    "over http 1 of 2\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

/* Its handshake could not be read. */
static void frames_without_a_handshake_are_not_waited_with(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_text(&r.tape, SERVER, "welcome");
    put_text(&r.tape, CLIENT, "hello");
    put_summary(&r.tape);
    rig_start(&r);
    expect_asked(&r, "");
    expect_told(&r, "broken (the tape lacks the handshake: it cannot be played)\n");
    assert_false(replay_caller_can_play(&r.script->connections[0]));
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);

    rig_init(&r);
    put_open(&r.tape, 1);
    put_health(&r, 1);
    put_text(&r.tape, CLIENT, "hello");
    put_summary(&r.tape);
    rig_start(&r);
    assert_true(replay_caller_can_play(&r.script->connections[0]));
    rig_say(&r, OK_JSON);
    expect_asked(&r, HEALTH);
    expect_told(&r, "broken (the tape lacks the handshake: it cannot be played)\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void what_is_no_http_is_broken(void **unused)
{
    struct rig r;

    (void)unused;
    start_exchanges(&r);
    rig_say(&r, "SSH-2.0-OpenSSH_9.2\r\n");
    expect_told(
        &r, "broken http 1 GET /health (the response does not begin with HTTP/1.)\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void an_answer_over_the_limit_is_noted(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_health(&r, 1);
    put_finish(&r);
    r.options.max_message = 10;
    rig_start(&r);
    rig_say(&r, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nabcdefghijkl");
    expect_told(&r, "note http 1 GET /health (the answer is over --max-message: its "
                    "body is not compared)\n");
    finish(&r);
}

static void a_body_that_the_tape_cut_is_not_compared(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_request(&r.tape, 1, HEALTH);
    put_response(&r.tape, 1, "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n");
    put_body(&r.tape, 1, SERVER, "{\"st", 23);
    put_finish(&r);
    rig_start(&r);
    rig_say(&r, OK_JSON);
    expect_told(&r, "");
    finish(&r);
}

static void an_answer_that_nobody_asked_for_is_extra(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_health(&r, 1);
    r.tape.now_ns += 1000 * MS;
    put_finish(&r);
    r.options.pace = 1;
    rig_start(&r);
    rig_wait(&r, 1 * MS);
    rig_say(&r, OK_JSON "HTTP/1.1 408 Idle\r\nContent-Length: 0\r\n\r\n");
    expect_told(&r, "extra http 2: none -> 408\n");
    finish(&r);
}

static void a_backend_that_cannot_be_reached_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    start_exchanges(&r);
    replay_caller_unreachable(r.caller, "127.0.0.1:9: connection refused");
    expect_told(&r, "broken (127.0.0.1:9: connection refused)\n");
    expect_done(&r, CAPTURE_END_RESET);
    rig_deinit(&r);
}

/* ---- --header ---- */

static void expect_head(const char *const *fields, size_t count, const char *text)
{
    struct rig r;

    rig_init(&r);
    put_open(&r.tape, 1);
    put_request(&r.tape, 1,
                "GET / HTTP/1.1\r\nHost: h\r\nCookie: a\r\nX: 1\r\ncookie: b\r\n\r\n");
    put_response(&r.tape, 1, "HTTP/1.1 204 Done\r\n\r\n");
    put_finish(&r);
    r.options.fields = fields;
    r.options.field_count = count;
    rig_start(&r);
    expect_asked(&r, text);
    rig_say(&r, "HTTP/1.1 204 Done\r\n\r\n");
    expect_told(&r, "");
    finish(&r);
}

static void fields_are_replaced_added_and_left_out(void **unused)
{
    static const char *const replaced[] = { "COOKIE:  c", "Cookie: d" };
    static const char *const added[] = { "Authorization: Bearer x", "Y:z" };
    static const char *const removed[] = { "cookie:", "host:" };

    (void)unused;
    expect_head(replaced, 0,
                "GET / HTTP/1.1\r\nHost: h\r\nCookie: a\r\nX: 1\r\ncookie: b\r\n\r\n");
    expect_head(replaced, 2,
                "GET / HTTP/1.1\r\nHost: h\r\nCOOKIE: c\r\nCookie: d\r\nX: 1\r\n\r\n");
    expect_head(added, 2,
                "GET / HTTP/1.1\r\nHost: h\r\nCookie: a\r\nX: 1\r\ncookie: b\r\n"
                "Authorization: Bearer x\r\nY: z\r\n\r\n");
    expect_head(removed, 2, "GET / HTTP/1.1\r\nX: 1\r\n\r\n");
}

/* ---- path and query of --to ---- */

#define WS_FIELDS                                                                      \
    " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Cookie: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                     \
    "Sec-WebSocket-Version: 13\r\n\r\n"

/* What `then` is sent as: a target with `fields`, WS_FIELDS for a handshake. */
static void expect_aimed(const char *then, const char *fields, const char *path,
                         const char *query, const char *now)
{
    static const char *const cookie[] = { "Cookie: a" };
    char recorded[512], asked[512];

    snprintf(recorded, sizeof(recorded), "GET %s%s", then, fields);
    snprintf(asked, sizeof(asked), "GET %s%s", now, fields);
    for (size_t count = 0; count <= 1; count++) { /* fields that are given as well */
        struct rig r;

        rig_init(&r);
        put_open(&r.tape, 1);
        put_request(&r.tape, 1, recorded);
        put_response(&r.tape, 1, "HTTP/1.1 204 Done\r\n\r\n");
        put_finish(&r);
        r.options.fields = cookie;
        r.options.field_count = count;
        r.options.path = bytes_of(path);
        r.options.query = bytes_of(query);
        rig_start(&r);
        expect_asked(&r, asked);
        rig_say(&r, "HTTP/1.1 204 Done\r\n\r\n");
        expect_told(&r, "");
        finish(&r);
    }
}

static void handshakes_are_aimed(void **unused)
{
    static const char plain[] = " HTTP/1.1\r\nHost: h\r\nCookie: a\r\n\r\n";

    (void)unused;
    expect_aimed("/ws?token=old", WS_FIELDS, "", "", "/ws?token=old");
    expect_aimed("/ws?token=old", WS_FIELDS, "", "?token=new&x", "/ws?token=new&x");
    expect_aimed("/ws", WS_FIELDS, "", "?token=new", "/ws?token=new");
    expect_aimed("/ws?token=old", WS_FIELDS, "/v2/ws", "", "/v2/ws?token=old");
    expect_aimed("/ws?a?b", WS_FIELDS, "/v2", "?c", "/v2?c");
    expect_aimed("http://h/ws", WS_FIELDS, "/v2", "?c", "http://h/ws");
    expect_aimed("/ws?token=old", plain, "/v2", "?c", "/ws?token=old");
}

/* ---- handshakes ---- */

static void start_handshake(struct rig *r)
{
    rig_init(r);
    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, SERVER, "hello");
    put_text(&r->tape, CLIENT, "hi");
    put_summary(&r->tape);
    rig_start(r);
}

static void a_refused_handshake_is_the_end(void **unused)
{
    struct rig r;

    (void)unused;
    start_handshake(&r);
    expect_asked(&r, SHAKE);
    rig_say(&r, "HTTP/1.1 403 Forbidden\r\nContent-Length: 23\r\n\r\nE2E bypass key");
    expect_told(&r, "");
    rig_say(&r, " required");
    expect_told(&r, "status GET /ws: 101 -> 403 (E2E bypass key required)\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void one_that_was_refused_and_is_not_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_open(&r.tape, 1);
    put_request(&r.tape, 1, SHAKE);
    put_response(&r.tape, 1, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n");
    put_body(&r.tape, 1, SERVER, "no", 0);
    put_finish(&r);
    rig_start(&r);
    rig_agree(&r, "");
    expect_told(&r, "status GET /ws: 403 -> 101\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void a_handshake_without_answer_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    start_handshake(&r);
    rig_run(&r);
    expect_told(&r, "timeout http 1 GET /ws after 10001ms (the answer)\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void fields_of_the_answer_are_compared(void **unused)
{
    struct rig r;

    (void)unused;
    start_handshake(&r);
    rig_agree(&r, "Sec-WebSocket-Protocol: chat\r\nServer: other\r\n");
    expect_told(&r, "field Sec-WebSocket-Protocol: none -> chat\n");
    rig_deinit(&r);
}

static void a_wrong_accept_is_broken(void **unused)
{
    struct rig r;

    (void)unused;
    start_handshake(&r);
    rig_say(&r, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n");
    expect_told(&r, "broken (Sec-WebSocket-Accept does not answer the key)\n");
    rig_deinit(&r);
}

static void a_key_of_ones_own_is_answered(void **unused)
{
    static const char *const fields[] = { "Sec-WebSocket-Key: mine" };
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_text(&r.tape, CLIENT, "hi");
    put_summary(&r.tape);
    r.options.fields = fields;
    r.options.field_count = 1;
    rig_start(&r);
    r.frames_from = r.sent.len;
    rig_say(&r, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: another\r\n\r\n");
    expect_told(&r, "");
    expect_said(&r, "text hi\nclose 1000\n");
    rig_deinit(&r);
}

/* ---- tunnels ---- */

static void start_tunnel(struct rig *r)
{
    rig_init(r);
    put_open(&r->tape, 1);
    put_request(&r->tape, 1, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    put_response(&r->tape, 1, "HTTP/1.1 200 OK\r\n\r\n");
    put_raw(&r->tape, CLIENT, "one");
    put_raw(&r->tape, SERVER, "two");
    put_raw(&r->tape, SERVER, "three");
    put_raw(&r->tape, CLIENT, "four");
    put_end(&r->tape, SERVER, CAPTURE_END_FIN, false);
    put_end(&r->tape, CLIENT, CAPTURE_END_FIN, false);
    put_summary(&r->tape);
    rig_start(r);
    rig_say(r, "HTTP/1.1 200 OK\r\n\r\n");
}

static void a_tunnel_is_compared_byte_for_byte(void **unused)
{
    static const char asked[] = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";
    struct rig r;

    (void)unused;
    start_tunnel(&r);
    rig_say(&r, "twoth");
    assert_int_equal(r.sent.len, sizeof(asked) - 1 + 3);
    rig_say(&r, "rEe");
    assert_int_equal(r.sent.len, sizeof(asked) - 1 + 7);
    expect_told(&r, "difference: ee -> Ee (bytes of the tunnel)\n");
    finish(&r);
}

static void a_tunnel_that_is_reset_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    start_tunnel(&r);
    rig_say(&r, "twothree");
    rig_end(&r, CAPTURE_END_RESET);
    expect_told(&r, "end: FIN -> RST\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void a_silent_tunnel_ends(void **unused)
{
    struct rig r;

    (void)unused;
    start_tunnel(&r);
    rig_run(&r);
    expect_told(&r, "timeout after 10002ms (bytes of the tunnel)\n"
                    "end: FIN -> still open\n");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

/* ---- splits and memory ---- */

static void run_exchanges(struct rig *r)
{
    rig_say(r, "\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "c\r\n{\"status\":\"d\r\n10\r\nown\",\"load\":0.25\r\n"
               "8\r\n,\"by\":1}\r\n0\r\n\r\n");
    rig_say(r, "HTTP/1.1 102 Wait\r\n\r\n"
               "HTTP/1.1 201 OK\r\nContent-Length: 7\r\n\r\n{\"n\":2}");
    rig_end(r, CAPTURE_END_FIN);
}

static void every_split_is_the_same(void **unused)
{
    (void)unused;
    for (size_t split = 0; split < 150; split++) {
        struct rig r;

        start_exchanges(&r);
        r.split = split;
        run_exchanges(&r);
        expect_asked(&r, HEALTH POST);
        expect_told(&r, "difference http 1 GET /health $.status: \"up\" -> \"down\"\n"
                        "difference http 1 GET /health $.by: none -> 1\n"
                        "difference http 2 POST /agents $.n: 1 -> 2\n");
        expect_done(&r, CAPTURE_END_FIN);
        rig_deinit(&r);
    }
}

static void no_failed_allocation_leaks(void **unused)
{
    static const char *const fields[] = { "Authorization: new", "More: 1" };
    bool hit = true;

    (void)unused;
    for (unsigned long nth = 0; hit; nth++) {
        struct rig r;

        rig_init(&r);
        put_open(&r.tape, 1);
        put_health(&r, 1);
        put_post(&r, 2);
        put_finish(&r);
        r.options.fields = fields;
        r.options.field_count = 2;
        r.tight = true;
        rig_load(&r);
        alloc_fail_at(nth);
        rig_start(&r);
        if (r.error == 0) {
            run_exchanges(&r);
        }
        hit = alloc_fail_clear();
        assert_int_equal(r.error, hit ? -ENOMEM : 0);
        rig_deinit(&r);
    }
}

static void no_failed_allocation_of_a_handshake_leaks(void **unused)
{
    bool hit = true;

    (void)unused;
    for (unsigned long nth = 0; hit; nth++) {
        struct rig r;

        rig_init(&r);
        put_shake(&r.tape, 1, "permessage-deflate");
        put_text(&r.tape, CLIENT, "hi");
        put_summary(&r.tape);
        r.tight = true;
        rig_load(&r);
        alloc_fail_at(nth);
        rig_start(&r);
        if (r.error == 0) {
            rig_agree(&r, "Sec-WebSocket-Protocol: chat\r\n");
        }
        hit = alloc_fail_clear();
        assert_int_equal(r.error, hit ? -ENOMEM : 0);
        rig_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_wait_for_whole_answers),
        cmocka_unit_test(bodies_and_statuses_are_compared),
        cmocka_unit_test(what_is_not_json_is_compared_as_bytes),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(an_answer_may_run_to_the_end),
        cmocka_unit_test(an_interim_answer_is_waited_for_a_second),
        cmocka_unit_test(a_backend_that_hangs_up_leaves_answers_missing),
        cmocka_unit_test(a_cut_answer_is_broken),
        cmocka_unit_test(a_silent_backend_is_told),
        cmocka_unit_test(a_request_that_the_tape_has_in_part_is_not_asked),
        cmocka_unit_test(frames_without_a_handshake_are_not_waited_with),
        cmocka_unit_test(what_is_no_http_is_broken),
        cmocka_unit_test(an_answer_over_the_limit_is_noted),
        cmocka_unit_test(a_body_that_the_tape_cut_is_not_compared),
        cmocka_unit_test(an_answer_that_nobody_asked_for_is_extra),
        cmocka_unit_test(a_backend_that_cannot_be_reached_is_told),
        cmocka_unit_test(fields_are_replaced_added_and_left_out),
        cmocka_unit_test(handshakes_are_aimed),
        cmocka_unit_test(a_refused_handshake_is_the_end),
        cmocka_unit_test(one_that_was_refused_and_is_not_is_told),
        cmocka_unit_test(a_handshake_without_answer_is_told),
        cmocka_unit_test(fields_of_the_answer_are_compared),
        cmocka_unit_test(a_wrong_accept_is_broken),
        cmocka_unit_test(a_key_of_ones_own_is_answered),
        cmocka_unit_test(a_tunnel_is_compared_byte_for_byte),
        cmocka_unit_test(a_tunnel_that_is_reset_is_told),
        cmocka_unit_test(a_silent_tunnel_ends),
        cmocka_unit_test(every_split_is_the_same),
        cmocka_unit_test(no_failed_allocation_leaks),
        cmocka_unit_test(no_failed_allocation_of_a_handshake_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
