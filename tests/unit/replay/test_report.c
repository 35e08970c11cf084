#include "tests/unit/replay/report_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- lines ---- */

static void lines_of_a_played_client(void **state)
{
    struct replay_event order = E(ORDER, 5), timeout = E(TIMEOUT, 3);
    struct replay_event answer = E(EXTRA, 2);
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 1, false);
    expect_line(&g, at(change(E(DIFFERENCE, 7), "0.91", "0.87"), "$.results[0].score"),
                "message 7 $.results[0].score: 0.91 → 0.87");
    expect_line(&g, at(change(E(DIFFERENCE, 7), "\"search\"", NULL), "$.tool_name"),
                "message 7 $.tool_name: \"search\" → (missing)");
    expect_line(&g, at(change(E(DIFFERENCE, 7), NULL, "5"), "$.x"),
                "message 7 $.x: (missing) → 5");
    expect_line(&g, change(E(DIFFERENCE, 2), "hello", ""),
                "message 2: hello → (empty)");
    expect_line(&g, change(E(MISSING, 5), "{\"a\":1}", NULL),
                "message 5 missing: {\"a\":1}");
    expect_line(&g, change(E(EXTRA, 6), NULL, "{}"),
                "extra message after message 6: {}");
    expect_line(&g, change(E(EXTRA, 0), NULL, "{}"),
                "extra message before the first: {}");
    answer.is_http = true;
    expect_line(&g, change(answer, NULL, "408"),
                "an answer that nothing asked for: status 408");
    answer.target = bytes_of("GET /a");
    expect_line(&g, change(answer, NULL, "200"),
                "request 2 GET /a: the tape has no answer to it, got status 200");
    order.other = 4;
    expect_line(&g, order, "message 5 came before message 4");
    expect_line(&g, change(E(END, 0), "close 1000", "close 1011 (Internal error)"),
                "end: close 1000 → close 1011 (Internal error)");
    timeout.time_ns = INT64_C(10000000000);
    expect_line(&g, change(timeout, "{}", NULL),
                "message 3 did not come within 10.00 s (see --timeout): {}");
    timeout.message = 0;
    expect_line(&g, says(timeout, "bytes of the tunnel"),
                "bytes of the tunnel: waited in vain for 10.00 s (see --timeout)");
    expect_line(&g, says(E(BROKEN, 0), "the backend cannot be reached"),
                "the backend cannot be reached");
    expect_line(&g, says(E(BROKEN, 3), "not UTF-8"), "message 3: not UTF-8");
    expect_line(&g, at(change(E(FIELD, 0), "chat.v1", NULL), "Sec-WebSocket-Protocol"),
                "handshake Sec-WebSocket-Protocol: chat.v1 → (missing)");
    expect_line(&g, counts(change(E(EARLY, 3), "{}", NULL), 1, 0),
                "the backend ended early: 1 message of the tape did not come, "
                "message 3: {}");
    expect_line(&g, change(E(WAITS, 3), "{}", NULL), "wstape waits for message 3: {}");
    expect_line(&g, counts(E(OVER, 0), 4, 5),
                "the connection is over: 4 of 5 messages");
    expect_line(&g, E(RESPONSE_TIME, 1), "");
    rig_deinit(&g);
}

static void lines_about_http(void **state)
{
    struct replay_event timeout = of_http(E(TIMEOUT, 2), "GET /health"), handshake;
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 1, false);
    expect_line(&g, change(of_http(E(STATUS, 2), "GET /health"), "200", "503"),
                "request 2 GET /health: status 200 → 503");
    expect_line(
        &g, says(change(of_http(E(STATUS, 2), "GET /health"), "200", "503"), "busy"),
        "request 2 GET /health: status 200 → 503: busy");
    expect_line(
        &g,
        at(change(of_http(E(DIFFERENCE, 2), "GET /health"), "true", "false"), "$.ok"),
        "request 2 GET /health $.ok: true → false");
    expect_line(&g, of_http(E(MISSING, 3), "GET /x"), "request 3 GET /x: no answer");
    expect_line(&g, says(of_http(E(MISSING, 3), "GET /x"), "the backend went"),
                "request 3 GET /x: no answer: the backend went");
    timeout.time_ns = 1500000000;
    expect_line(&g, says(timeout, "the answer"),
                "request 2 GET /health: the answer did not come within 1.50 s (see "
                "--timeout)");
    handshake = change(E(STATUS, 0), "101", "403");
    handshake.target = bytes_of("GET /ws");
    expect_line(&g, handshake, "handshake GET /ws: status 101 → 403");
    expect_line(&g, says(of_http(E(WAITS, 2), "GET /x"), "the answer"),
                "wstape waits for the answer: request 2 GET /x");
    rig_deinit(&g);
}

static void lines_of_a_played_backend_name_the_connection(void **state)
{
    struct rig g;

    (void)state;
    rig_init(&g, CLIENT, 1, false);
    expect_line(&g, change(E(WAITS, 3), "{\"type\":\"chat_message\"}", NULL),
                "connection 1 waits for message 3: {\"type\":\"chat_message\"}");
    expect_line(&g, says(E(WAITS, 0), "its close frame"),
                "connection 1 waits for its close frame");
    expect_line(
        &g,
        change(E(UNEXPECTED, 1), "{\"type\":\"chat_message\",\"n\":1}",
               "{\"type\":\"agent_started\"}"),
        "connection 1 message 1 is not what the tape has next: expected "
        "{\"type\":\"chat_message\",\"n\":1}, got {\"type\":\"agent_started\"}: "
        "nothing answers it ($.type: \"chat_message\" → \"agent_started\")");
    expect_line(&g, change(E(UNEXPECTED, 1), "{\"op\":1}", "{}"),
                "connection 1 message 1 is not what the tape has next: expected "
                "{\"op\":1}, got {}: nothing answers it ($.op: 1 → (missing))");
    expect_line(&g, change(E(UNEXPECTED, 1), "{\"a\":1}", "[1]"),
                "connection 1 message 1 is not what the tape has next: expected "
                "{\"a\":1}, got [1]: nothing answers it");
    expect_line(&g, counts(change(E(EXTRA, 3), NULL, "{}"), 4, 3),
                "connection 1 sent message 4, but the tape has only 3: {}");
    expect_line(&g, change(E(EXTRA, 2), NULL, "{}"),
                "connection 1 sent message 3, but the tape has only 2: {}");
    expect_line(&g, change(E(EXTRA, 0), NULL, "{}"),
                "connection 1 sent message 1, but the tape has none: {}");
    expect_line(&g, counts(change(E(EARLY, 3), "{}", NULL), 2, 0),
                "connection 1 ended early: 2 messages of the tape did not come, the "
                "first is message 3: {}");
    expect_line(&g, says(E(EARLY, 0), "a close frame"),
                "connection 1 ended early: the tape goes on with a close frame");
    expect_line(&g, says(E(UNKNOWN, 0), "GET /nope"),
                "connection 1: GET /nope is not on the tape: answered with 404");
    expect_line(
        &g, says(E(EXHAUSTED, 0), "/ws"),
        "connection 1: /ws was played as often as the tape has it: refused (see "
        "--when-exhausted)");
    expect_line(&g, says(E(NOTE, 0), "by the way"), "connection 1: by the way");
    expect_line(&g, counts(E(SUBSTITUTED, 4), 2, 0),
                "connection 1 message 4: 2 live values filled in");
    rig_deinit(&g);
}

static void connections_and_copies_are_named_where_there_are_several(void **state)
{
    struct replay_event e = change(E(END, 0), "FIN", "RST"), chosen;
    struct rig g;

    (void)state;
    e.copy = 3;
    rig_init(&g, SERVER, 5, false);
    expect_line(&g, e, "copy 3 end: FIN → RST");
    rig_deinit(&g);
    rig_init(&g, SERVER, 5, true);
    expect_line(&g, e, "connection 1 copy 3 end: FIN → RST");
    rig_deinit(&g);
    rig_init(&g, SERVER, 1, true);
    expect_line(&g, e, "connection 1 end: FIN → RST");
    rig_deinit(&g);
    rig_init(&g, CLIENT, 1, true);
    chosen = says(E(CHOSEN, 0), "GET /ws");
    chosen.recorded = 2;
    expect_line(&g, chosen,
                "connection 1 is answered from connection 2 of the tape: GET /ws");
    rig_deinit(&g);
}

static void what_came_from_the_network_is_escaped_and_cut(void **state)
{
    char big[1000];
    struct replay_event e = E(MISSING, 1);
    struct rig g;

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    rig_init(&g, SERVER, 1, false);
    expect_line(&g, change(E(MISSING, 1), "a\x1b[2J\nb\xff", NULL),
                "message 1 missing: a\\x1b[2J\\nb\\xff");
    expect_line(&g, at(change(E(DIFFERENCE, 1), "1", "2"), "$['\x07']"),
                "message 1 $['\\x07']: 1 → 2");
    assert_int_equal(
        replay_report_put_line(g.report, &(struct replay_event){ 0 }, &g.out), 0);
    buf_clear(&g.out);
    e = change(e, big, NULL);
    assert_int_equal(replay_report_put_line(g.report, &e, &g.out), 0);
    assert_int_equal(g.out.len, strlen("message 1 missing: ") + REPLAY_REPORT_TEXT + 3);
    assert_memory_equal(g.out.at + g.out.len - 4, "x…", 4);
    buf_clear(&g.out);
    e = change(E(MISSING, 1), "", NULL);
    e.before_binary = e.after_binary = true;
    e.before = bytes_make("\0\1\2", 3);
    expect_line(&g, e, "message 1 missing: binary 000102 (3 B)");
    e.before = bytes_make(big, 30);
    expect_line(&g, e,
                "message 1 missing: binary "
                "787878787878787878787878787878787878787878787878… (30 B)");
    rig_deinit(&g);
}

/* ---- JSON ---- */

static void events_as_objects(void **state)
{
    struct replay_event e;
    struct replay_event recorded;
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 2, false);
    e = at(change(E(DIFFERENCE, 7), "0.91", "0.87"), "$.results[0].score");
    e.copy = 2;
    expect_json(&g, e,
                "{\"record\":\"difference\",\"connection\":1,\"copy\":2,\"message\":7,"
                "\"from\":\"server\",\"path\":\"$.results[0].score\",\"before\":0.91,"
                "\"after\":0.87,\"mismatch\":true}");
    expect_json(&g,
                change(E(MISSING, 1),
                       " { \"a\\ud800\" : [ 1 ,\n true ], \"\x7f\": {} } ", NULL),
                "{\"record\":\"missing\",\"connection\":1,\"message\":1,\"from\":"
                "\"server\",\"before\":{\"a\\ud800\":[1,true],\"\\u007f\":{}},"
                "\"mismatch\":true}");
    expect_json(
        &g, change(E(EXTRA, 0), NULL, "{\"not\" json"),
        "{\"record\":\"extra\",\"connection\":1,\"after\":\"{\\\"not\\\" json\","
        "\"mismatch\":true}");
    expect_json(&g, change(E(END, 0), "1000", "RST"),
                "{\"record\":\"end\",\"connection\":1,\"before\":\"1000\",\"after\":"
                "\"RST\",\"mismatch\":true}");
    e = change(E(WAITS, 1), "", NULL);
    e.before = bytes_make("\0\1", 2);
    e.before_binary = e.after_binary = true;
    expect_json(&g, e,
                "{\"record\":\"waits\",\"connection\":1,\"message\":1,\"from\":"
                "\"server\",\"before_base64\":\"AAE=\"}");
    expect_json(&g, change(of_http(E(STATUS, 2), "GET /health"), "200", "503"),
                "{\"record\":\"status\",\"connection\":1,\"request\":2,\"target\":"
                "\"GET /health\",\"before\":200,\"after\":503,\"mismatch\":true}");
    e = E(RESPONSE_TIME, 1);
    e.time_ns = 1500000;
    e.recorded_ns = 2000000000;
    expect_json(&g, e,
                "{\"record\":\"response_time\",\"connection\":1,\"message\":1,\"from\":"
                "\"server\",\"time\":0.001500,\"recorded_time\":2.000000}");
    expect_json(&g, counts(E(OVER, 0), 0, 3),
                "{\"record\":\"over\",\"connection\":1,\"count\":0,\"expected\":3}");
    recorded = counts(E(OVER, 0), 0, 3);
    recorded.recorded = 1; /* also when it is the same number */
    expect_json(&g, recorded,
                "{\"record\":\"over\",\"connection\":1,\"recorded\":1,\"count\":0,"
                "\"expected\":3}");
    rig_deinit(&g);
}

static void a_large_value_is_a_string_that_is_cut(void **state)
{
    struct replay_event e = E(MISSING, 1);
    struct buf text = { 0 };
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 1, false);
    assert_int_equal(buf_put_byte(&text, '['), 0);
    for (int i = 0; i < REPLAY_REPORT_JSON; i++) {
        assert_int_equal(buf_put_byte(&text, '1'), 0);
    }
    assert_int_equal(buf_put_byte(&text, ']'), 0);
    e.before = buf_bytes(&text);
    e.before_present = true;
    assert_int_equal(replay_report_put_json(g.report, &e, &g.out), 0);
    assert_true(g.out.len < REPLAY_REPORT_JSON + 200);
    assert_true(bytes_find(buf_bytes(&g.out), bytes_of("\"before\":\"[111")) <
                g.out.len);
    assert_true(bytes_find(buf_bytes(&g.out), bytes_of("1\",\"cut\":true,")) <
                g.out.len);
    buf_deinit(&text);
    rig_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_played_client),
        cmocka_unit_test(lines_about_http),
        cmocka_unit_test(lines_of_a_played_backend_name_the_connection),
        cmocka_unit_test(connections_and_copies_are_named_where_there_are_several),
        cmocka_unit_test(what_came_from_the_network_is_escaped_and_cut),
        cmocka_unit_test(events_as_objects),
        cmocka_unit_test(a_large_value_is_a_string_that_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
