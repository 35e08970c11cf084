#include "base/alloc.h"
#include "replay/volatility.h"
#include "tests/unit/replay/report_rig.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- the summary ---- */

static void summary(struct rig *g, bool json)
{
    assert_int_equal(replay_report_put_summary(g->report, g->stage, json, &g->out), 0);
}

static void the_summary_of_a_played_backend(void **state)
{
    struct replay_chosen chosen;
    struct replay_event second, third;
    struct rig g;

    (void)state;
    rig_init(&g, CLIENT, 1, true);
    summary(&g, false);
    expect(&g, "GET /ws (WebSocket): not played, 1 on the tape\n"
               "GET /a?b=1&c=\"<x>\": not played, 1 on the tape\n"
               "nothing was played\n");
    assert_int_equal(replay_choice_next(g.stage->choice, bytes_of("GET"),
                                        bytes_of("/ws"), true, &chosen),
                     0);
    take(&g, at(change(E(DIFFERENCE, 1), "1", "2"), "$.a"));
    take(&g, at(change(E(DIFFERENCE, 1), "3", "4"), "$.b"));
    take(&g, counts(E(SUBSTITUTED, 2), 3, 0));
    take(&g, counts(E(OVER, 0), 3, 3));
    second = counts(E(OVER, 0), 1, 1);
    second.connection = 2;
    second.recorded = 7;
    take(&g, second);
    third = of_http(counts(E(OVER, 0), 2, 1), "");
    third.connection = 3;
    take(&g, third);
    assert_int_equal(replay_report_mismatches(g.report), 2);
    summary(&g, false);
    expect(&g, "GET /ws (WebSocket): played 1 time, 1 on the tape\n"
               "GET /a?b=1&c=\"<x>\": not played, 1 on the tape\n"
               "connection 1: 3 of 3 messages came, 2 as on the tape, 2 mismatches\n"
               "connection 2, answered from connection 7 of the tape: 1 of 1 message "
               "came, as on the tape\n"
               "connection 3: 2 requests, 1 answered from the tape\n"
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
               "{\"record\":\"summary\",\"role\":\"backend\",\"connections\":3,"
               "\"copies\":1,\"messages\":6,\"expected\":5,\"differing\":1,"
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
               "response times of 3 copies: median 1.00 ms (recorded 2.00 ms), "
               "p95 2.00 ms (recorded 4.00 ms), p99 2.00 ms, max 2.00 ms\n"
               "1 difference\n");
    summary(&g, true);
    expect(&g, "{\"record\":\"summary\",\"role\":\"client\",\"connections\":2,"
               "\"copies\":3,\"messages\":1,\"expected\":1,\"differing\":1,"
               "\"substituted\":0,\"mismatches\":1,\"response_times\":{\"count\":2,"
               "\"p50\":0.001000,\"p95\":0.002000,\"p99\":0.002000,\"max\":0.002000,"
               "\"recorded_p50\":0.002000,\"recorded_p95\":0.004000}}\n");
    rig_deinit(&g);
}

/* Two sessions whose servers, and clients, say these. */
static struct replay_volatility *differing(const char *const *texts)
{
    struct replay_message messages[4];
    struct replay_exchange exchange = { .target = bytes_of("/ws") };
    struct replay_connection connections[2];
    const struct replay_script script = { .connections = connections, .count = 2 };
    struct replay_volatility *v = NULL;

    for (uint8_t i = 0; i < 4; i++) {
        messages[i] = (struct replay_message){ .payload = bytes_of(texts[i]),
                                               .next = REPLAY_NONE,
                                               .from = i < 2 ? CLIENT : SERVER,
                                               .opcode = WIRE_OP_TEXT,
                                               .whole = true };
    }
    for (uint32_t i = 0; i < 2; i++) {
        connections[i] = (struct replay_connection){
            .messages = messages,
            .message_count = 4,
            .exchanges = &exchange,
            .exchange_count = 1,
            .first = { [CLIENT] = i, [SERVER] = i + 2 },
        };
    }
    assert_int_equal(replay_volatility_new(&script, &v), 0);
    return v;
}

static void says_how_many_places_were_not_compared(void **state)
{
    struct replay_volatility *v = differing((const char *const[]){
        "{\"a\":\"id-1\",\"b\":10001,\"c\":\"x\"}",
        "{\"a\":\"id-2\",\"b\":10002,\"c\":\"y\"}", "{\"took\":1}", "{\"took\":2}" });
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 1, false);
    g.stage->rules.volatility = v;
    summary(&g, false);
    expect(&g, "0 messages compared, none differs\nnothing was played\n");
    take(&g, counts(E(OVER, 0), 5, 5));
    summary(&g, false);
    expect(&g, "5 messages compared, none differs\n"
               "1 place that differs between sessions was not compared (-v lists it)\n"
               "no difference\n");
    g.stage->rules.match = REPLAY_MATCH_EXACT;
    summary(&g, false);
    expect(&g, "5 messages compared, none differs\nno difference\n");
    rig_deinit(&g);

    rig_init(&g, CLIENT, 1, false);
    g.stage->rules.volatility = v;
    take(&g, counts(E(OVER, 0), 5, 5));
    summary(&g, false);
    expect(&g,
           "GET /ws (WebSocket): not played, 1 on the tape\n"
           "connection 1: 5 of 5 messages came, all as on the tape\n"
           "2 places that differ between sessions were not compared (-v lists them)\n"
           "no mismatch\n");
    rig_deinit(&g);
    replay_volatility_free(v);
}

/* A handshake that was refused on the tape is an answer of HTTP; one that led to a
 * WebSocket is no message. */
static void a_handshake_with_another_status_counts_once(void **state)
{
    struct replay_event status = change(E(STATUS, 0), "403", "101");
    struct replay_event over = of_http(counts(E(OVER, 0), 1, 1), "");
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 2, false);
    status.copy = over.copy = 1;
    take(&g, status);
    take(&g, over);
    summary(&g, false);
    expect(&g, "connection 1 copy 1: 1 of 1 answer came, 0 as on the tape, 1 mismatch\n"
               "1 answer compared, 1 differs\n"
               "1 difference\n");
    rig_deinit(&g);

    rig_init(&g, SERVER, 1, false);
    take(&g, change(E(STATUS, 0), "101", "403"));
    take(&g, counts(E(OVER, 0), 0, 2));
    summary(&g, false);
    expect(&g, "0 messages compared, none differs\n1 difference\n");
    rig_deinit(&g);
}

static void those_that_failed_come_first_where_room_is_short(void **state)
{
    struct rig g;

    (void)state;
    rig_init(&g, SERVER, 50, false);
    for (uint32_t i = 1; i <= 50; i++) {
        struct replay_event odd = change(E(DIFFERENCE, 1), "1", "2");
        struct replay_event over = counts(E(OVER, 0), 1, 1);

        odd.copy = over.copy = i;
        if (i == 31 || i == 45) {
            take(&g, at(odd, "$.a"));
        }
        take(&g, over);
    }
    summary(&g, false);
    assert_int_equal(buf_put_byte(&g.out, '\0'), 0);
    assert_memory_equal(g.out.at, "connection 1 copy 31: ", 22);
    assert_non_null(
        strstr((const char *)g.out.at, "1 mismatch\nconnection 1 copy 45: "));
    assert_non_null(
        strstr((const char *)g.out.at, "1 mismatch\nconnection 1 copy 1: "));
    assert_non_null(strstr((const char *)g.out.at, "\nand 30 more connections\n"));
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
        cmocka_unit_test(the_summary_of_a_played_backend),
        cmocka_unit_test(the_summary_of_a_played_client),
        cmocka_unit_test(says_how_many_places_were_not_compared),
        cmocka_unit_test(a_handshake_with_another_status_counts_once),
        cmocka_unit_test(those_that_failed_come_first_where_room_is_short),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(times_are_thinned_out_evenly),
        cmocka_unit_test(junit_is_xml_whatever_came),
        cmocka_unit_test(junit_says_what_it_leaves_out),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
