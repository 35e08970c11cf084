#include "base/alloc.h"
#include "replay/report_state.h"
#include "tests/unit/replay/script_tape.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- a report on a tape of one or two connections ---- */

struct rig {
    struct script_tape tape;
    struct replay_script *script;
    struct replay_report *report;
    struct replay_stage *stage;
    struct buf out;
};

static void rig_init(struct rig *g, enum side live, uint32_t copies, bool two)
{
    static const struct replay_options options = { .pace = 1 };
    static const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    static const struct replay_listener nobody = { .tell = NULL };
    struct err e;

    memset(g, 0, sizeof(*g));
    script_tape_init(&g->tape);
    put_shake(&g->tape, 1, NULL);
    if (two) {
        put_open(&g->tape, 2);
        put_request(&g->tape, 1, "GET /a?b=1&c=\"<x>\" HTTP/1.1\r\nHost: h\r\n\r\n");
        put_response(&g->tape, 1, "HTTP/1.1 204 None\r\n\r\n");
    }
    put_summary(&g->tape);
    assert_int_equal(load(&g->tape, REPLAY_SCRIPT_MAX, &g->script, &e), 0);
    assert_int_equal(
        replay_stage_new(g->script, &options, &rules, &nobody, live, &g->stage), 0);
    g->report = replay_report_new(g->script, live, copies);
    assert_non_null(g->report);
}

static void rig_deinit(struct rig *g)
{
    replay_report_free(g->report);
    replay_stage_free(g->stage);
    replay_script_free(g->script);
    script_tape_deinit(&g->tape);
    buf_deinit(&g->out);
}

static void take(struct rig *g, struct replay_event e)
{
    assert_int_equal(replay_report_take(g->report, &e), 0);
}

static void expect(struct rig *g, const char *text)
{
    assert_int_equal(buf_put_byte(&g->out, '\0'), 0);
    assert_string_equal((const char *)g->out.at, text);
    buf_clear(&g->out);
}

static void expect_line(struct rig *g, struct replay_event e, const char *line)
{
    assert_int_equal(replay_report_put_line(g->report, &e, &g->out), 0);
    expect(g, line);
}

static void expect_json(struct rig *g, struct replay_event e, const char *line)
{
    assert_int_equal(replay_report_put_json(g->report, &e, &g->out), 0);
    expect(g, line);
}

static struct replay_event event(enum replay_event_kind kind, uint64_t message)
{
    return (struct replay_event){
        .kind = kind, .connection = 1, .from = SERVER, .message = message
    };
}

/* NULL: not there. */
static struct replay_event change(struct replay_event e, const char *before,
                                  const char *after)
{
    e.before_present = before != NULL;
    e.after_present = after != NULL;
    e.before = before == NULL ? e.before : bytes_of(before);
    e.after = after == NULL ? e.after : bytes_of(after);
    return e;
}

static struct replay_event at(struct replay_event e, const char *path)
{
    e.path = bytes_of(path);
    return e;
}

static struct replay_event says(struct replay_event e, const char *text)
{
    e.text = bytes_of(text);
    return e;
}

static struct replay_event of_http(struct replay_event e, const char *target)
{
    e.is_http = true;
    e.target = bytes_of(target);
    return e;
}

static struct replay_event counts(struct replay_event e, uint64_t count,
                                  uint64_t expected)
{
    e.count = count;
    e.expected = expected;
    return e;
}

#define E(KIND, message) event(REPLAY_EVENT_##KIND, message)

/* ---- lines ---- */

static void lines_of_a_played_client(void **state)
{
    struct replay_event order = E(ORDER, 5), timeout = E(TIMEOUT, 3);
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
    e.is_binary = true;
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
    e.is_binary = true;
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

/* ---- the summary ---- */

static void summary(struct rig *g, bool json)
{
    assert_int_equal(replay_report_put_summary(g->report, g->stage, json, &g->out), 0);
}

static void the_summary_of_a_played_backend(void **state)
{
    struct replay_chosen chosen;
    struct replay_event second;
    struct rig g;

    (void)state;
    rig_init(&g, CLIENT, 1, true);
    summary(&g, false);
    expect(&g, "GET /ws (WebSocket): not played, 1 on the tape\n"
               "GET /a?b=1&c=\"<x>\": not played, 1 on the tape\n"
               "no mismatch\n");
    assert_int_equal(replay_choice_next(g.stage->choice, bytes_of("GET"),
                                        bytes_of("/ws"), true, &chosen),
                     0);
    take(&g, at(change(E(DIFFERENCE, 1), "1", "2"), "$.a"));
    take(&g, at(change(E(DIFFERENCE, 1), "3", "4"), "$.b"));
    take(&g, counts(E(SUBSTITUTED, 2), 3, 0));
    take(&g, counts(E(OVER, 0), 3, 3));
    second = counts(E(OVER, 0), 1, 1);
    second.connection = 2;
    take(&g, second);
    assert_int_equal(replay_report_mismatches(g.report), 2);
    summary(&g, false);
    expect(&g, "GET /ws (WebSocket): played 1 time, 1 on the tape\n"
               "GET /a?b=1&c=\"<x>\": not played, 1 on the tape\n"
               "connection 1: 3 of 3 messages came, 2 as on the tape, 2 mismatches\n"
               "connection 2: 1 of 1 message came, as on the tape\n"
               "3 live values filled in\n"
               "2 mismatches:\n"
               "  connection 1 message 1 $.a: 1 → 2\n"
               "  connection 1 message 1 $.b: 3 → 4\n");
    summary(&g, true);
    expect(&g, "{\"record\":\"played\",\"method\":\"GET\",\"target\":\"/ws\","
               "\"websocket\":true,\"recorded\":1,\"played\":1}\n"
               "{\"record\":\"played\",\"method\":\"GET\",\"target\":"
               "\"/a?b=1&c=\\\"<x>\\\"\",\"websocket\":false,\"recorded\":1,"
               "\"played\":0}\n"
               "{\"record\":\"summary\",\"role\":\"backend\",\"connections\":2,"
               "\"copies\":1,\"messages\":4,\"expected\":4,\"differing\":1,"
               "\"substituted\":3,\"mismatches\":2}\n");
    rig_deinit(&g);
}

static void put_times(struct rig *g, int count)
{
    for (int i = 1; i <= count; i++) {
        struct replay_event e = E(RESPONSE_TIME, 1);

        e.time_ns = INT64_C(1000000) * i;
        e.recorded_ns = INT64_C(2000000) * i;
        take(g, e);
    }
}

static void the_summary_of_a_played_client(void **state)
{
    struct replay_event http = of_http(counts(E(OVER, 0), 1, 1), "");
    struct replay_event status = of_http(change(E(STATUS, 1), "200", "503"), "GET /a");
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 1, false);
    put_times(&g, 100);
    take(&g, counts(E(OVER, 0), 5, 5));
    summary(&g, false);
    expect(&g, "5 messages compared, none differs\n"
               "response times: median 50.0 ms (recorded 100.0 ms), p95 95.0 ms "
               "(recorded 190.0 ms)\n"
               "no difference\n");
    rig_deinit(&g);

    rig_init(&g, SERVER, 3, true);
    put_times(&g, 2);
    status.copy = http.copy = 2;
    take(&g, status);
    take(&g, http);
    summary(&g, false);
    expect(&g, "connection 1 copy 2: 1 of 1 answer came, 0 as on the tape, 1 mismatch\n"
               "1 answer compared, 1 differs\n"
               "response times: median 1.00 ms (recorded 2.00 ms), p95 2.00 ms "
               "(recorded 4.00 ms)\n"
               "latency of 3 copies: p50 1.00 ms, p95 2.00 ms, p99 2.00 ms, max 2.00 "
               "ms\n"
               "1 difference:\n"
               "  connection 1 copy 2 request 1 GET /a: status 200 → 503\n");
    summary(&g, true);
    expect(&g, "{\"record\":\"summary\",\"role\":\"client\",\"connections\":2,"
               "\"copies\":3,\"messages\":1,\"expected\":1,\"differing\":1,"
               "\"substituted\":0,\"mismatches\":1,\"response_times\":{\"count\":2,"
               "\"p50\":0.001000,\"p95\":0.002000,\"p99\":0.002000,\"max\":0.002000,"
               "\"recorded_p50\":0.002000,\"recorded_p95\":0.004000}}\n");
    rig_deinit(&g);
}

/* Beyond the limits everything still counts. */
static void what_is_kept_is_bounded(void **state)
{
    struct rig g;

    (void)state;
    rig_init(&g, CLIENT, 1, false);
    for (uint32_t i = 1; i <= REPLAY_REPORT_CASES + 10; i++) {
        struct replay_event e = counts(E(OVER, 0), 1, 1);

        e.connection = i;
        take(&g, e);
    }
    for (int i = 0; i < REPLAY_REPORT_KEPT + 7; i++) {
        take(&g, change(E(END, 0), "FIN", "RST"));
    }
    assert_int_equal(replay_report_mismatches(g.report), REPLAY_REPORT_KEPT + 7);
    summary(&g, false);
    assert_int_equal(buf_put_byte(&g.out, '\0'), 0);
    assert_non_null(strstr((const char *)g.out.at, "and 65526 more connections\n"));
    assert_non_null(strstr((const char *)g.out.at, "\n  and 7 more\n"));
    rig_deinit(&g);
}

static void times_are_thinned_out_evenly(void **state)
{
    struct rig g;
    int64_t *sorted;

    (void)state;
    rig_init(&g, SERVER, 1, false);
    put_times(&g, REPLAY_REPORT_TIMES * 2 + 5);
    assert_true(g.report->time_count <= REPLAY_REPORT_TIMES);
    assert_int_equal(replay_report_times(g.report, false, &sorted), 0);
    for (size_t i = 1; i < g.report->time_count; i++) {
        assert_int_equal(sorted[i] - sorted[i - 1],
                         INT64_C(1000000) * (int64_t)g.report->time_every);
    }
    alloc_free(sorted);
    rig_deinit(&g);
}

/* ---- JUnit ---- */

/* A reader of just enough XML: elements nest, attributes are quoted, `&` starts one of
 * the five entities, and there is no control character. */
struct xml {
    const char *at;
    const char *open[8]; /* names of open elements */
    size_t lens[8];
    size_t depth, elements;
};

static void check_text(struct xml *x, const char *ends)
{
    static const char *const entities[] = { "&amp;", "&lt;", "&gt;", "&quot;",
                                            "&apos;" };

    for (; *x->at != '\0' && strchr(ends, *x->at) == NULL; x->at++) {
        bool known = *x->at != '&';

        for (size_t i = 0; !known && i < 5; i++) {
            known = strncmp(x->at, entities[i], strlen(entities[i])) == 0;
        }
        assert_true(known);
        assert_true(*x->at != '<' && *x->at != '>');
        assert_true((unsigned char)*x->at >= 0x20 || *x->at == '\n');
        assert_true(strncmp(x->at, "\xef\xbf\xbf", 3) != 0);
    }
}

static void check_attributes(struct xml *x)
{
    while (*x->at == ' ') {
        x->at += 1 + strspn(x->at + 1, "abcdefghijklmnopqrstuvwxyz");
        assert_memory_equal(x->at, "=\"", 2);
        x->at += 2;
        check_text(x, "\"");
        assert_int_equal(*x->at++, '"');
    }
}

static void check_tag(struct xml *x)
{
    bool closes = *x->at == '/';
    size_t len;

    x->at += closes;
    len = strspn(x->at, "abcdefghijklmnopqrstuvwxyz");
    assert_true(len > 0);
    if (closes) {
        assert_true(x->depth > 0);
        x->depth--;
        assert_int_equal(x->lens[x->depth], len);
        assert_memory_equal(x->open[x->depth], x->at, len);
        x->at += len;
    } else {
        assert_true(x->depth < 8);
        x->open[x->depth] = x->at;
        x->lens[x->depth++] = len;
        x->elements++;
        x->at += len;
        check_attributes(x);
        if (*x->at == '/') {
            x->depth--;
            x->at++;
        }
    }
    assert_int_equal(*x->at++, '>');
}

static size_t count_elements(const char *text)
{
    static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    struct xml x = { .at = text + strlen(head) };

    assert_memory_equal(text, head, strlen(head));
    do {
        check_text(&x, "<");
        if (*x.at == '<') {
            x.at++;
            check_tag(&x);
        }
    } while (*x.at != '\0' && x.depth > 0);
    assert_string_equal(x.at, "\n");
    return x.elements;
}

static void junit_is_xml_whatever_came(void **state)
{
    struct replay_event e = counts(E(OVER, 0), 1, 1);
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 2, true);
    e.copy = e.recorded = 1;
    take(&g, e);
    e.connection = e.copy = e.recorded = 2;
    take(&g, e);
    e = change(E(MISSING, 1), "<&>\"'\x01\x1b]]>\xef\xbf\xbf\xff\n", NULL);
    e.connection = e.copy = 2;
    take(&g, e);
    assert_int_equal(
        replay_report_put_junit(g.report, "a <tape> & \"more\"\xff.wstape", &g.out), 0);
    expect(
        &g,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites tests=\"2\" failures=\"1\" errors=\"0\">\n"
        "  <testsuite name=\"a &lt;tape&gt; &amp; &quot;more&quot;\\xff.wstape\" "
        "tests=\"2\" failures=\"1\" errors=\"0\">\n"
        "    <testcase classname=\"wstape.replay\" name=\"connection 1 copy 1: GET "
        "/ws\"/>\n"
        "    <testcase classname=\"wstape.replay\" name=\"connection 2 copy 2: GET "
        "/a?b=1&amp;c=&quot;&lt;x&gt;&quot;\">\n"
        "      <failure type=\"mismatch\" message=\"1 mismatch\">connection 2 copy 2 "
        "message 1 missing: &lt;&amp;&gt;&quot;'\\x01\\x1b]]&gt;\\u{fffe}\\xff\\n"
        "</failure>\n"
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n");
    assert_int_equal(
        replay_report_put_junit(g.report, "a <tape> & \"more\"\xff.wstape", &g.out), 0);
    assert_int_equal(buf_put_byte(&g.out, '\0'), 0);
    assert_int_equal(count_elements((const char *)g.out.at), 5);
    rig_deinit(&g);
}

static void junit_says_what_it_leaves_out(void **state)
{
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 1, false);
    for (int i = 0; i < REPLAY_REPORT_KEPT + 1; i++) {
        take(&g, change(E(END, 0), "FIN", "RST"));
    }
    for (uint32_t i = 1; i <= REPLAY_REPORT_CASES + 1; i++) {
        struct replay_event e = counts(E(OVER, 0), 1, 1);

        e.connection = i;
        take(&g, e);
    }
    assert_int_equal(replay_report_put_junit(g.report, "t", &g.out), 0);
    assert_int_equal(buf_put_byte(&g.out, '\0'), 0);
    assert_int_equal(count_elements((const char *)g.out.at),
                     2 + REPLAY_REPORT_CASES + 1 + 1);
    assert_non_null(strstr((const char *)g.out.at, "\nand 1 more</failure>"));
    assert_non_null(strstr((const char *)g.out.at, "name=\"1 further connections\""));
    rig_deinit(&g);
}

/* ---- memory ---- */

static int everything(struct rig *g)
{
    struct replay_event events[] = {
        change(E(UNEXPECTED, 1), "{\"type\":\"\xc3\xa9\"}", "{\"type\":1}"),
        at(change(E(DIFFERENCE, 2), "1", "\"\x7f\""), "$.a"),
        E(RESPONSE_TIME, 2),
        counts(E(OVER, 0), 2, 2),
    };
    struct replay_report *r = replay_report_new(g->script, CLIENT, 1);
    int done = r == NULL ? -ENOMEM : 0;

    for (size_t i = 0; done == 0 && i < sizeof(events) / sizeof(events[0]); i++) {
        done = replay_report_take(r, &events[i]);
        done = done == 0 ? replay_report_put_json(r, &events[i], &g->out) : done;
    }
    for (int json = 0; done == 0 && json < 2; json++) {
        done = replay_report_put_summary(r, g->stage, json == 1, &g->out);
    }
    if (done == 0) {
        done = replay_report_put_junit(r, "t", &g->out);
    }
    replay_report_free(r);
    buf_deinit(&g->out);
    return done;
}

static void every_allocation_may_fail(void **state)
{
    struct rig g;
    bool hit = true;

    (void)state;
    rig_init(&g, CLIENT, 1, true);
    for (unsigned nth = 0; hit; nth++) {
        long before = alloc_live();
        int r;

        alloc_fail_at(nth);
        r = everything(&g);
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), before);
        assert_int_equal(r, hit ? -ENOMEM : 0);
    }
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
        cmocka_unit_test(the_summary_of_a_played_backend),
        cmocka_unit_test(the_summary_of_a_played_client),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(times_are_thinned_out_evenly),
        cmocka_unit_test(junit_is_xml_whatever_came),
        cmocka_unit_test(junit_says_what_it_leaves_out),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
