/* What a tape holds at a glance, and the tables that keep it. */
#include "captures/overview.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void feed(struct capture_overview *o, struct capture_record *r, int64_t time_ns)
{
    struct capture_item item = { .event = CAPTURE_EVENT_RECORD };

    r->time_ns = time_ns;
    item.record = *r;
    assert_int_equal(capture_overview_feed(o, &item), 0);
}

static void feed_open(struct capture_overview *o, uint32_t connection,
                      const char *client)
{
    struct capture_record r = { .type = CAPTURE_OPEN, .connection = connection };

    r.u.open.client = bytes_of(client);
    r.u.open.listen = bytes_of("127.0.0.1:1");
    r.u.open.is_tls = 1;
    r.u.open.tls.version = bytes_of("TLSv1.3");
    feed(o, &r, 1000);
}

static void feed_head(struct capture_overview *o, uint32_t connection,
                      enum capture_type type, const char *head)
{
    struct capture_record r = { .type = type, .connection = connection };

    r.u.head.exchange = 1;
    r.u.head.bytes = bytes_of(head);
    feed(o, &r, 2000);
}

static void feed_frame(struct capture_overview *o, enum side from, uint8_t first,
                       uint64_t len, struct bytes payload)
{
    struct capture_record r = { .type = CAPTURE_FRAME, .connection = 1 };

    r.u.frame.from = from;
    r.u.frame.frame.first = first;
    r.u.frame.frame.payload_len = len;
    r.u.frame.frame.payload = payload;
    feed(o, &r, 3000);
}

static void feed_more(struct capture_overview *o, enum side from, struct bytes payload)
{
    struct capture_record r = { .type = CAPTURE_MORE, .connection = 1 };

    r.u.more.from = from;
    r.u.more.payload = payload;
    feed(o, &r, 4000);
}

static void feed_end(struct capture_overview *o, enum side side, enum capture_end kind,
                     uint8_t by_wstape, const char *text)
{
    struct capture_record r = { .type = CAPTURE_END, .connection = 1 };

    r.u.end.side = side;
    r.u.end.kind = kind;
    r.u.end.by_wstape = by_wstape;
    r.u.end.text = bytes_of(text);
    feed(o, &r, 5000);
}

static void assert_text(struct bytes have, const char *want)
{
    assert_true(bytes_equal(have, bytes_of(want)));
}

static void knows_a_websocket(void **state)
{
    struct capture_overview o = { 0 };
    const struct capture_connection *c;

    (void)state;
    feed_open(&o, 1, "127.0.0.1:50000");
    feed_head(&o, 1, CAPTURE_REQUEST, "GET /ws?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    feed_head(&o, 1, CAPTURE_RESPONSE,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
              "Connection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
              "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    feed_frame(&o, CLIENT, WIRE_FIN | WIRE_OP_TEXT, 5, bytes_of("ab"));
    feed_more(&o, CLIENT, bytes_of("cde"));
    feed_frame(&o, CLIENT, WIRE_FIN | WIRE_OP_PING, 3, bytes_of("p"));
    feed_more(&o, CLIENT, bytes_of("ng"));
    feed_frame(&o, SERVER, WIRE_OP_BINARY, 1, bytes_of("x"));
    feed_frame(&o, SERVER, WIRE_FIN | WIRE_OP_CONTINUATION, 1, bytes_of("y"));
    c = capture_overview_find(&o, 1);
    assert_non_null(c);
    assert_int_equal(c->kind, CAPTURE_KIND_WEBSOCKET);
    assert_int_equal(c->status, 101);
    assert_text(c->client, "127.0.0.1:50000");
    assert_text(c->method, "GET");
    assert_text(c->path, "/ws?x=1");
    assert_text(c->subprotocol, "chat");
    assert_text(c->extensions, "permessage-deflate");
    assert_true(c->tls.on);
    assert_text(c->tls.tls.version, "TLSv1.3");
    assert_false(c->upstream_tls.on);
    assert_int_equal(c->side[CLIENT].messages, 1);
    assert_int_equal(c->side[CLIENT].frames, 2);
    assert_int_equal(c->side[CLIENT].bytes, 5);
    assert_int_equal(c->side[SERVER].messages, 1);
    assert_int_equal(c->side[SERVER].frames, 2);
    assert_int_equal(c->side[SERVER].bytes, 2);
    assert_int_equal(c->opened_ns, 1000);
    assert_int_equal(c->last_ns, 3000);
    capture_overview_deinit(&o);
}

static void knows_how_each_side_ended(void **state)
{
    struct capture_overview o = { 0 };
    const struct capture_connection *c;

    (void)state;
    feed_open(&o, 1, "c");
    c = capture_overview_find(&o, 1);
    assert_int_equal(c->side[CLIENT].end, 0);
    feed_frame(&o, CLIENT, WIRE_FIN | WIRE_OP_CLOSE, 2, bytes_of("\x03"));
    assert_int_equal(c->side[CLIENT].close_code, 1005);
    feed_more(&o, CLIENT, bytes_of("\xe9"));
    assert_int_equal(c->side[CLIENT].close_code, 1001);
    feed_frame(&o, CLIENT, WIRE_FIN | WIRE_OP_CLOSE, 2, bytes_of("\x03\xe8"));
    assert_int_equal(c->side[CLIENT].close_code, 1001);
    feed_frame(&o, SERVER, WIRE_FIN | WIRE_OP_CLOSE, 0, bytes_of(""));
    assert_int_equal(c->side[SERVER].close_code, 1005);
    feed_end(&o, SERVER, CAPTURE_END_STOP, 1, "");
    assert_int_equal(c->side[SERVER].end, CAPTURE_END_STOP);
    assert_true(c->side[SERVER].end_by_wstape);
    feed_end(&o, SERVER, CAPTURE_END_RESET, 0, "connection reset");
    assert_int_equal(c->side[SERVER].end, CAPTURE_END_RESET);
    assert_false(c->side[SERVER].end_by_wstape);
    feed_end(&o, SERVER, CAPTURE_END_FIN, 1, "");
    assert_int_equal(c->side[SERVER].end, CAPTURE_END_RESET);
    assert_int_equal(c->error_count, 1);
    assert_text(c->errors[0], "connection reset");
    capture_overview_deinit(&o);
}

/* A connection keeps its first errors, and the beginning of a long text. */
static void what_is_kept_is_bounded(void **state)
{
    static char target[3000];
    struct capture_overview o = { 0 };
    struct buf head = { 0 };
    const struct capture_connection *c;

    (void)state;
    memset(target, 't', sizeof(target) - 1);
    assert_int_equal(buf_put_format(&head, "GET /%s HTTP/1.1\r\n\r\n", target), 0);
    assert_int_equal(buf_put_byte(&head, 0), 0);
    feed_open(&o, 1, "c");
    feed_head(&o, 1, CAPTURE_REQUEST, (const char *)head.at);
    for (int i = 0; i < CAPTURE_OVERVIEW_ERRORS_MAX + 2; i++) {
        char words[8];

        snprintf(words, sizeof(words), "no. %d", i);
        feed_end(&o, SERVER, CAPTURE_END_ERROR, 0, words);
    }
    c = capture_overview_find(&o, 1);
    assert_int_equal(c->path.len, 2048);
    assert_int_equal(c->error_count, 4);
    assert_text(c->errors[0], "no. 0");
    assert_text(c->errors[3], "no. 3");
    capture_overview_deinit(&o);
    buf_deinit(&head);
}

static void tells_kinds_apart(void **state)
{
    struct capture_overview o = { 0 };

    (void)state;
    feed_open(&o, 1, "none");
    feed_head(&o, 2, CAPTURE_REQUEST, "GET / HTTP/1.1\r\n\r\n");
    feed_head(&o, 2, CAPTURE_RESPONSE, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(capture_overview_find(&o, 2)->status, 0);
    feed_head(&o, 2, CAPTURE_RESPONSE, "HTTP/1.1 404 Not Found\r\n\r\n");
    feed_head(&o, 3, CAPTURE_REQUEST, "CONNECT h:1 HTTP/1.1\r\n\r\n");
    feed_head(&o, 3, CAPTURE_RESPONSE, "HTTP/1.1 200 OK\r\n\r\n");
    feed_head(&o, 4, CAPTURE_REQUEST, "GET / HTTP/1.1\r\n\r\n");
    feed_head(&o, 4, CAPTURE_RESPONSE,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n");
    assert_int_equal(capture_overview_find(&o, 1)->kind, CAPTURE_KIND_NONE);
    assert_int_equal(capture_overview_find(&o, 2)->kind, CAPTURE_KIND_HTTP);
    assert_int_equal(capture_overview_find(&o, 2)->status, 404);
    assert_int_equal(capture_overview_find(&o, 3)->kind, CAPTURE_KIND_TUNNEL);
    assert_int_equal(capture_overview_find(&o, 4)->kind, CAPTURE_KIND_TUNNEL);
    assert_null(capture_overview_find(&o, 5));
    assert_string_equal(capture_kind_name(CAPTURE_KIND_TUNNEL), "tunnel");
    capture_overview_deinit(&o);
}

static void wstapes_own_answer_counts(void **state)
{
    struct capture_overview o = { 0 };
    struct capture_record r = { .type = CAPTURE_UPSTREAM, .connection = 1 };

    (void)state;
    feed_open(&o, 1, "c");
    feed_head(&o, 1, CAPTURE_REQUEST, "GET / HTTP/1.1\r\n\r\n");
    r.u.upstream.error = bytes_of("connection refused");
    feed(&o, &r, 3000);
    r = (struct capture_record){ .type = CAPTURE_SENT, .connection = 1 };
    r.u.sent.to = CLIENT;
    r.u.sent.bytes = bytes_of("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    feed(&o, &r, 3000);
    assert_int_equal(capture_overview_find(&o, 1)->status, 502);
    assert_true(capture_overview_find(&o, 1)->by_wstape);
    assert_text(capture_overview_find(&o, 1)->errors[0], "connection refused");
    capture_overview_deinit(&o);
}

static void feed_fault(struct capture_overview *o, uint32_t connection,
                       const char *rule, const char *action, bool applied)
{
    struct capture_record r = { .type = CAPTURE_FAULT, .connection = connection };

    r.u.fault.rule = bytes_of(rule);
    r.u.fault.action = bytes_of(action);
    r.u.fault.applied = applied;
    feed(o, &r, 3000);
}

static void counts_what_rules_did(void **state)
{
    struct capture_overview o = { 0 };

    (void)state;
    feed_fault(&o, 0, "down", "refuse", true);
    feed_fault(&o, 1, "less", "drop_field", true);
    feed_fault(&o, 1, "less", "drop_field", false);
    feed_fault(&o, 2, "less", "drop_field", true);
    feed_fault(&o, 2, "less", "drop", true);
    assert_int_equal(o.count, 2);
    assert_int_equal(o.connections[0]->faults, 1);
    assert_int_equal(o.connections[0]->faults_failed, 1);
    assert_int_equal(o.connections[1]->faults, 2);
    assert_int_equal(o.connections[1]->faults_failed, 0);
    assert_int_equal(o.rule_count, 3);
    assert_text(o.rules[0].name, "down");
    assert_text(o.rules[0].action, "refuse");
    assert_int_equal(o.rules[1].applied, 2);
    assert_int_equal(o.rules[1].failed, 1);
    assert_text(o.rules[2].action, "drop");
    assert_int_equal(o.rules[2].applied, 1);
    capture_overview_deinit(&o);
    assert_int_equal(alloc_live(), 0);
}

static void too_many_rules_are_counted_together(void **state)
{
    struct capture_overview o = { 0 };
    char name[16];

    (void)state;
    for (int i = 0; i < CAPTURE_OVERVIEW_RULES_MAX + 5; i++) {
        snprintf(name, sizeof(name), "%d", i);
        feed_fault(&o, 0, name, "drop", true);
    }
    assert_int_equal(o.rule_count, CAPTURE_OVERVIEW_RULES_MAX);
    assert_int_equal(o.rules_left_out, 5);
    capture_overview_deinit(&o);
}

/* Messages that look like HTTP are no answers of wstape's. */
static void frames_are_no_answers(void **state)
{
    struct capture_overview o = { 0 };
    struct capture_record r = { .type = CAPTURE_SENT, .connection = 1 };

    (void)state;
    feed_frame(&o, CLIENT, WIRE_FIN | WIRE_OP_TEXT, 1, bytes_of("x"));
    r.u.sent.to = CLIENT;
    r.u.sent.bytes = bytes_of("HTTP/1.1 503 No\r\n\r\n");
    feed(&o, &r, 4000);
    assert_int_equal(o.connections[0]->status, 0);
    assert_false(o.connections[0]->by_wstape);
    capture_overview_deinit(&o);
}

static void knows_the_condition_of_a_tape(void **state)
{
    struct capture_overview o = { 0 };
    struct capture_item item = { .event = CAPTURE_EVENT_DAMAGE,
                                 .offset = 10,
                                 .len = 5 };
    struct capture_record gap = { .type = CAPTURE_GAP };
    struct capture_record summary = { .type = CAPTURE_SUMMARY };

    (void)state;
    assert_int_equal(capture_overview_feed(&o, &item), 0);
    for (uint64_t i = 0; i < CAPTURE_OVERVIEW_MISSING_MAX + 10; i++) {
        item = (struct capture_item){ .event = CAPTURE_EVENT_MISSING,
                                      .offset = 1000 + 100 * i,
                                      .len = 50 };
        assert_int_equal(capture_overview_feed(&o, &item), 0);
    }
    item = (struct capture_item){ .event = CAPTURE_EVENT_END, .offset = 99, .len = 3 };
    assert_int_equal(capture_overview_feed(&o, &item), 0);
    assert_int_equal(o.damaged, 1);
    assert_int_equal(o.damaged_bytes, 5);
    assert_int_equal(o.missing_count, CAPTURE_OVERVIEW_MISSING_MAX + 10);
    assert_int_equal(o.torn, 3);
    assert_false(capture_overview_doubts(&o, 999));
    assert_true(capture_overview_doubts(&o, 1000));
    assert_true(capture_overview_doubts(&o, 1149));
    assert_false(capture_overview_doubts(&o, 1150));
    assert_false(o.complete);
    summary.u.summary.text = bytes_of("SIGINT");
    feed(&o, &gap, 1);
    feed(&o, &summary, 2);
    assert_int_equal(o.gaps, 1);
    assert_true(o.complete);
    assert_text(o.reason, "SIGINT");
    capture_overview_deinit(&o);
}

static void strange_numbers_cost_no_more(void **state)
{
    struct capture_overview o = { 0 };

    (void)state;
    feed_open(&o, UINT32_MAX, "a");
    feed_open(&o, 7, "b");
    feed_open(&o, UINT32_C(1) << 31, "c");
    assert_int_equal(o.count, 3);
    assert_int_equal(o.highest, UINT32_MAX);
    assert_text(capture_overview_find(&o, UINT32_MAX)->client, "a");
    assert_int_equal(o.connections[1]->number, 7);
    capture_overview_deinit(&o);
}

static void map_finds_what_was_put(void **state)
{
    struct capture_map m = { 0 };
    static int values[3000];

    (void)state;
    assert_null(capture_map_get(&m, 1));
    for (uint32_t i = 0; i < 3000; i++) {
        assert_int_equal(capture_map_put(&m, i * 3, &values[i]), 0);
    }
    for (uint32_t i = 0; i < 3000; i += 2) {
        capture_map_remove(&m, i * 3);
    }
    capture_map_remove(&m, 1);
    assert_int_equal(m.count, 1500);
    for (uint32_t i = 0; i < 3000; i++) {
        assert_ptr_equal(capture_map_get(&m, i * 3), i % 2 == 0 ? NULL : &values[i]);
        assert_null(capture_map_get(&m, i * 3 + 1));
    }
    assert_int_equal(capture_map_put(&m, 3, &values[0]), 0);
    assert_ptr_equal(capture_map_get(&m, 3), &values[0]);
    assert_int_equal(m.count, 1500);
    capture_map_deinit(&m);
    capture_map_deinit(NULL);
}

static void equal_texts_are_kept_once(void **state)
{
    struct capture_intern t = { 0 };
    struct bytes first, again, other;
    char text[16];

    (void)state;
    assert_int_equal(capture_intern_put(&t, bytes_of("/ws"), 100, &first), 0);
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "text %d", i);
        assert_int_equal(capture_intern_put(&t, bytes_of(text), 100, &other), 0);
        assert_text(other, text);
    }
    assert_int_equal(capture_intern_put(&t, bytes_of("/ws"), 100, &again), 0);
    assert_ptr_equal(first.at, again.at);
    assert_int_equal(t.count, 501);
    assert_int_equal(capture_intern_put(&t, bytes_of("/ws/longer"), 3, &again), 0);
    assert_ptr_equal(first.at, again.at);
    assert_int_equal(capture_intern_put(&t, bytes_of(""), 3, &other), 0);
    assert_int_equal(other.len, 0);
    capture_intern_deinit(&t);
    capture_intern_deinit(NULL);
}

static int story(struct capture_overview *o)
{
    struct capture_item item = { .event = CAPTURE_EVENT_RECORD };
    int r = 0;

    for (uint32_t i = 1; r == 0 && i < 40; i++) {
        item.record =
            (struct capture_record){ .type = CAPTURE_REQUEST, .connection = i };
        item.record.u.head.bytes = bytes_of("GET / HTTP/1.1\r\n\r\n");
        r = capture_overview_feed(o, &item);
    }
    return r;
}

static void every_allocation_may_fail(void **state)
{
    bool hit = true;

    (void)state;
    for (unsigned long nth = 0; hit; nth++) {
        struct capture_overview o = { 0 };
        int r;

        alloc_fail_at(nth);
        r = story(&o);
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        capture_overview_deinit(&o);
        assert_int_equal(alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_websocket),
        cmocka_unit_test(knows_how_each_side_ended),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(tells_kinds_apart),
        cmocka_unit_test(wstapes_own_answer_counts),
        cmocka_unit_test(counts_what_rules_did),
        cmocka_unit_test(too_many_rules_are_counted_together),
        cmocka_unit_test(frames_are_no_answers),
        cmocka_unit_test(knows_the_condition_of_a_tape),
        cmocka_unit_test(strange_numbers_cost_no_more),
        cmocka_unit_test(map_finds_what_was_put),
        cmocka_unit_test(equal_texts_are_kept_once),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
