/* The tape as client: messages, gates, pace, compression, live values, limits. */
#include "tests/unit/replay/caller_rig.h"

#include "base/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HELLO   "{\"type\":\"hello\",\"session\":\"sess-4711-abcd\"}"
#define ASK     "{\"type\":\"ask\",\"session\":\"sess-4711-abcd\",\"text\":\"weather?\"}"
#define STARTED "{\"type\":\"started\",\"n\":1}"
#define ANSWER  "{\"type\":\"answer\",\"score\":0.91,\"unit\":\"C\"}"

static void put_close(struct rig *r, enum side from, const char *payload)
{
    put_frame(&r->tape, from, WIRE_FIN | WIRE_OP_CLOSE, bytes_make(payload, 2));
}

/* A greeting, a question with two answers, and a goodbye of the client's. */
static void put_session(struct rig *r)
{
    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, SERVER, HELLO);
    put_text(&r->tape, CLIENT, ASK);
    put_text(&r->tape, SERVER, STARTED);
    put_text(&r->tape, SERVER, ANSWER);
    put_close(r, CLIENT, "\x03\xe8");
    put_close(r, SERVER, "\x03\xe8");
    put_end(&r->tape, SERVER, CAPTURE_END_FIN, false);
    put_end(&r->tape, CLIENT, CAPTURE_END_FIN, false);
    put_summary(&r->tape);
}

static void start_session(struct rig *r)
{
    rig_init(r);
    put_session(r);
    rig_start(r);
    rig_agree(r, "");
}

static void end_session(struct rig *r)
{
    rig_close(r, 1000, "");
    rig_end(r, CAPTURE_END_FIN);
    rig_run(r);
    expect_done(r, CAPTURE_END_FIN);
}

/* ---- nothing differs ---- */

static void an_equal_run_tells_nothing(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    expect_said(&r, "");
    rig_text(&r, HELLO);
    expect_said(&r, "text {\"type\":\"ask\",\"session\":\"sess-4711-abcd\",\"text\":"
                    "\"weather?\"}\n");
    rig_text(&r, STARTED);
    expect_said(&r, "");
    rig_text(&r, ANSWER);
    expect_said(&r, "close 1000\n");
    expect_busy(&r);
    end_session(&r);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void frames_go_out_as_they_were(void **unused)
{
    static const uint8_t wire[] = { 0x01, 0x82, 1, 2, 3, 4,      'h' ^ 1, 'e' ^ 2,
                                    0x89, 0x81, 1, 2, 3, 4,      '?' ^ 1, 0x80,
                                    0x81, 1,    2, 3, 4, 'y' ^ 1 };
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_frame(&r.tape, CLIENT, WIRE_OP_TEXT, bytes_of("he"));
    put_frame(&r.tape, CLIENT, WIRE_FIN | WIRE_OP_PING, bytes_of("?"));
    put_frame(&r.tape, CLIENT, WIRE_FIN, bytes_of("y"));
    put_summary(&r.tape);
    rig_start(&r);
    rig_agree(&r, "");
    assert_true(r.sent.len >= r.frames_from + sizeof(wire));
    assert_memory_equal(r.sent.at + r.frames_from, wire, sizeof(wire));
    expect_said(&r, "ping ?\ntext in 2 hey\nclose 1000\n");
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void what_comes_with_the_answer_is_heard(void **unused)
{
    static const char wire[] = "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Accept: "
                               "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                               "\x81\x02hi\x81\x02ho";

    (void)unused;
    for (size_t split = 0; split < sizeof(wire); split++) {
        struct rig r;

        rig_init(&r);
        put_shake(&r.tape, 1, NULL);
        put_text(&r.tape, SERVER, "hi");
        put_text(&r.tape, CLIENT, "yes");
        put_text(&r.tape, SERVER, "ho");
        put_summary(&r.tape);
        rig_start(&r);
        r.frames_from = r.sent.len;
        r.split = split;
        rig_say(&r, wire);
        expect_told(&r, "");
        expect_said(&r, "text yes\nclose 1000\n");
        rig_deinit(&r);
    }
}

static void run_session(struct rig *r)
{
    rig_agree(r, "");
    rig_text(r, HELLO);
    rig_frame(r, WIRE_FIN | WIRE_OP_PING, bytes_of("are you there"));
    rig_text(r, "{\"type\":\"started\",\"n\":2}");
    rig_frame(r, WIRE_OP_TEXT, bytes_of("{\"type\":\"answer\",\"sco"));
    rig_frame(r, WIRE_FIN, bytes_of("re\":0.91,\"unit\":\"F\"}"));
    rig_close(r, 1000, "");
    rig_end(r, CAPTURE_END_FIN);
    if (r->error == 0) {
        rig_run(r);
    }
}

static void every_split_is_the_same(void **unused)
{
    (void)unused;
    for (size_t split = 0; split < 200; split++) {
        struct rig r;

        rig_init(&r);
        put_session(&r);
        r.split = split;
        rig_start(&r);
        run_session(&r);
        expect_done(&r, CAPTURE_END_FIN);
        expect_said(&r,
                    "text {\"type\":\"ask\",\"session\":\"sess-4711-abcd\",\"text\":"
                    "\"weather?\"}\npong are you there\nclose 1000\n");
        expect_told(&r, "difference 2 $.n: 1 -> 2\n"
                        "difference 3 $.unit: \"C\" -> \"F\"\n");
        rig_deinit(&r);
    }
}

static void no_failed_allocation_leaks(void **unused)
{
    bool hit = true;

    (void)unused;
    for (unsigned long nth = 0; hit; nth++) {
        struct rig r;

        rig_init(&r);
        put_session(&r);
        r.tight = true;
        rig_load(&r);
        alloc_fail_at(nth);
        rig_start(&r);
        if (r.error == 0) {
            run_session(&r);
        }
        hit = alloc_fail_clear();
        assert_int_equal(r.error, hit ? -ENOMEM : 0);
        rig_deinit(&r);
    }
}

/* ---- what differs ---- */

static void each_difference_is_told_once(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_text(&r, HELLO);
    rig_text(&r, STARTED);
    rig_text(&r, "{\"type\":\"answer\",\"score\":0.87,\"unit\":\"C\"}");
    end_session(&r);
    expect_told(&r, "difference 3 $.score: 0.91 -> 0.87\n");
    rig_deinit(&r);
}

static void a_message_too_many_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_text(&r, HELLO);
    rig_text(&r, STARTED);
    rig_text(&r, "{\"type\":\"heartbeat\",\"load\":0.5}");
    rig_text(&r, ANSWER);
    end_session(&r);
    expect_told(&r, "extra 2: none -> {\"type\":\"heartbeat\",\"load\":0.5}\n");
    rig_deinit(&r);
}

static void one_that_is_left_out_costs_a_second(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_text(&r, HELLO);
    rig_text(&r, ANSWER);
    rig_wait(&r, 900 * MS);
    expect_said(&r, "text {\"type\":\"ask\",\"session\":\"sess-4711-abcd\",\"text\":"
                    "\"weather?\"}\n");
    rig_wait(&r, 200 * MS);
    expect_said(&r, "close 1000\n");
    end_session(&r);
    expect_told(&r, "missing 2: {\"type\":\"started\",\"n\":1} -> none\n");
    rig_deinit(&r);
}

static void the_last_one_left_out_costs_the_patience(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_text(&r, HELLO);
    rig_wait(&r, 4000 * MS);
    rig_text(&r, STARTED);
    rig_wait(&r, 9900 * MS);
    expect_told(&r, "");
    rig_wait(&r, 200 * MS);
    expect_told(
        &r, "missing 3: {\"type\":\"answer\",\"score\":0.91,\"unit\":\"C\"} -> none\n");
    end_session(&r);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void another_order_is_one_thing(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_text(&r, HELLO);
    rig_text(&r, ANSWER);
    rig_text(&r, STARTED);
    end_session(&r);
    expect_told(&r, "order 3 before 2\n");
    rig_deinit(&r);
}

/* ---- silence ---- */

static void silence_is_told_by_name_and_ends(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "timeout 1 after 10001ms: {\"type\":\"hello\",\"session\":"
                    "\"sess-4711-abcd\"} -> none\n"
                    "missing 2: {\"type\":\"started\",\"n\":1} -> none\n"
                    "missing 3: {\"type\":\"answer\",\"score\":0.91,\"unit\":\"C\"} -> "
                    "none\n"
                    "end: close 1000 -> still open\n");
    assert_true(r.now_ns < 5000 * MS + 15000 * MS);
    rig_deinit(&r);
}

static void what_it_took_on_the_tape_is_waited_for(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_text(&r.tape, CLIENT, "1");
    r.tape.now_ns += 60000 * MS;
    put_text(&r.tape, SERVER, "2");
    put_text(&r.tape, CLIENT, "3");
    put_summary(&r.tape);
    rig_start(&r);
    rig_agree(&r, "");
    rig_wait(&r, 69000 * MS);
    expect_told(&r, "");
    rig_text(&r, "2");
    expect_said(&r, "text 1\ntext 3\nclose 1000\n");
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void a_server_that_only_pings_comes_to_an_end(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    for (int i = 0; i < 12; i++) {
        rig_frame(&r, WIRE_FIN | WIRE_OP_PING, bytes_of(""));
        rig_wait(&r, 1000 * MS);
    }
    expect_told(&r, "timeout 1 after 10001ms: {\"type\":\"hello\",\"session\":"
                    "\"sess-4711-abcd\"} -> none\n"
                    "missing 2: {\"type\":\"started\",\"n\":1} -> none\n"
                    "missing 3: {\"type\":\"answer\",\"score\":0.91,\"unit\":\"C\"} -> "
                    "none\n");
    rig_deinit(&r);
}

static void a_message_without_end_comes_to_an_end(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_say(&r, "\x81\x7d");
    for (int i = 0; i < 110; i++) {
        rig_say(&r, "x");
        rig_wait(&r, 1000 * MS);
    }
    expect_told(&r, "missing 1: {\"type\":\"hello\",\"session\":\"sess-4711-abcd\"} -> "
                    "none\n");
    rig_deinit(&r);
}

static void a_stop_tells_what_was_awaited(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_text(&r, HELLO);
    expect_told(&r, "");
    replay_caller_stop(r.caller, r.now_ns);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "waits 2: {\"type\":\"started\",\"n\":1} -> none\n");
    rig_deinit(&r);
}

static void a_connection_that_never_is_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_session(&r);
    rig_load(&r);
    r.caller = replay_caller_new(r.stage, 0, 1, 0);
    assert_non_null(r.caller);
    replay_caller_give_up(r.caller, 11 * 1000 * MS);
    replay_caller_give_up(r.caller, 11 * 1000 * MS);
    assert_true(replay_caller_done(r.caller));
    assert_int_equal(replay_caller_output(r.caller)->send.len, 0);
    expect_told(&r, "timeout after 11000ms (there was no connection)\n");
    rig_deinit(&r);
}

/* ---- live values ---- */

static void live_values_flow_back(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_text(&r.tape, SERVER, "{\"type\":\"hello\",\"session\":\"sess-4711-abcd\"}");
    put_text(&r.tape, CLIENT,
             "{\"url\":\"https://h/s/sess-4711-abcd/x\",\"id\":\"sess-4711-abcd\"}");
    put_frame(&r.tape, CLIENT, WIRE_FIN | WIRE_OP_TEXT, bytes_of("SUB sess-4711-abcd"));
    put_summary(&r.tape);
    r.all = true;
    rig_start(&r);
    rig_agree(&r, "");
    rig_text(&r, "{\"type\":\"hello\",\"session\":\"live-9\"}");
    expect_said(&r, "text {\"url\":\"https://h/s/live-9/x\",\"id\":\"live-9\"}\n"
                    "text SUB live-9\nclose 1000\n");
    rig_run(&r);
    expect_told(&r, "response_time http 1 GET /ws 0ms then 1ms\n"
                    "substituted 1 2x\nsubstituted 2 1x\n"
                    "over 1 of 1\n");
    rig_deinit(&r);
}

/* What the server made up is told where it says so first, and not where it repeats what
 * we said. */
static void play_echoes(struct rig *r)
{
    rig_init(r);
    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, SERVER, "{\"room\":\"s42\",\"name\":\"ann lee\",\"n\":7}");
    put_text(&r->tape, CLIENT, "{\"room\":\"s42\",\"say\":\"I am ann lee!\"}");
    put_text(&r->tape, SERVER, "{\"got\":[\"s42\",\"I am ann lee!\",\"s42\"],\"n\":7}");
    put_frame(&r->tape, CLIENT, WIRE_FIN | WIRE_OP_TEXT, bytes_of("BYE ann lee"));
    put_frame(&r->tape, SERVER, WIRE_FIN | WIRE_OP_TEXT, bytes_of("BYE ann lee"));
    put_summary(&r->tape);
    rig_start(r);
    rig_agree(r, "");
    rig_text(r, "{\"room\":\"s9\",\"name\":\"bo ray\",\"n\":7}");
    rig_text(r, "{\"got\":[\"\\u00739\",\"I am bo ray!\",\"s8\"],\"n\":8}");
    rig_text(r, "BYE bo ray");
    rig_run(r);
}

static void what_we_put_in_may_come_back(void **unused)
{
    struct rig r;

    (void)unused;
    play_echoes(&r);
    expect_said(&r, "text {\"room\":\"s9\",\"say\":\"I am bo ray!\"}\n"
                    "text BYE bo ray\nclose 1000\n");
    expect_told(&r, "difference 1 $.room: \"s42\" -> \"s9\"\n"
                    "difference 1 $.name: \"ann lee\" -> \"bo ray\"\n"
                    "difference 2 $.got[2]: \"s42\" -> \"s8\"\n"
                    "difference 2 $.n: 7 -> 8\n");
    rig_deinit(&r);
}

/* Without links nothing says that it is an id. */
static void an_id_that_is_not_filled_in_differs(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_text(&r.tape, SERVER, "{\"session\":\"sess-83921\",\"seq\":48213}");
    put_text(&r.tape, CLIENT, "{\"id\":\"sess-83921\",\"ack\":48213}");
    put_summary(&r.tape);
    r.options.substitute = false;
    rig_start(&r);
    rig_agree(&r, "");
    rig_text(&r, "{\"session\":\"sess-10007\",\"seq\":70000}");
    expect_said(&r, "text {\"id\":\"sess-83921\",\"ack\":48213}\nclose 1000\n");
    rig_run(&r);
    expect_told(&r, "difference 1 $.session: \"sess-83921\" -> \"sess-10007\"\n"
                    "difference 1 $.seq: 48213 -> 70000\n");
    rig_deinit(&r);
}

/* ---- pings ---- */

static void recorded_pongs_are_left_out_and_live_pings_answered(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_frame(&r.tape, SERVER, WIRE_FIN | WIRE_OP_PING, bytes_of("a"));
    put_frame(&r.tape, SERVER, WIRE_FIN | WIRE_OP_PING, bytes_of("b"));
    put_frame(&r.tape, CLIENT, WIRE_FIN | WIRE_OP_PONG, bytes_of("b"));
    put_frame(&r.tape, CLIENT, WIRE_FIN | WIRE_OP_PONG, bytes_of("a"));
    put_frame(&r.tape, CLIENT, WIRE_FIN | WIRE_OP_PONG, bytes_of("by itself"));
    put_text(&r.tape, CLIENT, "x");
    put_text(&r.tape, SERVER, "y");
    put_summary(&r.tape);
    rig_start(&r);
    rig_agree(&r, "");
    expect_said(&r, "pong a\npong by itself\ntext x\n");
    rig_frame(&r, WIRE_FIN | WIRE_OP_PING, bytes_of("live"));
    expect_said(&r, "pong live\n");
    rig_text(&r, "y");
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "");
    rig_deinit(&r);
}

/* ---- pace, gates, flow ---- */

static void put_paced(struct rig *r)
{
    put_shake(&r->tape, 1, NULL);
    r->tape.now_ns = 1000 * MS;
    put_text(&r->tape, SERVER, "s1");
    r->tape.now_ns = 3000 * MS;
    put_text(&r->tape, CLIENT, "c1");
    r->tape.now_ns = 4000 * MS;
    put_text(&r->tape, CLIENT, "c2");
    put_summary(&r->tape);
}

static void delays_count_from_the_gate(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_paced(&r);
    r.options.pace = 2;
    rig_start(&r);
    rig_wait(&r, 1 * MS);
    rig_agree(&r, "");
    rig_wait(&r, 5000 * MS);
    rig_text(&r, "s1");
    rig_wait(&r, 999 * MS);
    expect_said(&r, "");
    rig_wait(&r, 1 * MS);
    expect_said(&r, "text c1\n");
    rig_wait(&r, 499 * MS);
    expect_said(&r, "");
    rig_wait(&r, 1 * MS);
    expect_said(&r, "text c2\nclose 1000\n");
    rig_deinit(&r);
}

static void without_gates_time_alone_counts(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_paced(&r);
    r.options.pace = 1;
    r.options.gate = false;
    rig_start(&r);
    rig_wait(&r, 1 * MS);
    rig_agree(&r, "");
    rig_wait(&r, 2990 * MS);
    expect_said(&r, "");
    rig_wait(&r, 1010 * MS);
    expect_said(&r, "text c1\ntext c2\n");
    rig_text(&r, "s1");
    expect_said(&r, "close 1000\n");
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void put_many(struct rig *r, size_t count)
{
    static uint8_t large[1000];

    memset(large, 'x', sizeof(large));
    put_shake(&r->tape, 1, NULL);
    for (size_t i = 0; i < count; i++) {
        put_frame(&r->tape, CLIENT, WIRE_FIN | WIRE_OP_TEXT,
                  bytes_make(large, sizeof(large)));
    }
    put_summary(&r->tape);
}

static void much_goes_out_in_bursts(void **unused)
{
    struct rig r;
    size_t before;

    (void)unused;
    rig_init(&r);
    put_many(&r, 300);
    rig_start(&r);
    rig_agree(&r, "");
    before = r.sent.len - r.frames_from;
    assert_in_range(before, REPLAY_BURST, REPLAY_BURST + 1100);
    assert_int_equal(replay_caller_output(r.caller)->wake_at, r.now_ns);
    rig_run(&r);
    assert_int_equal(r.sent.len - r.frames_from, 300 * 1008 + 8);
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

static void back_pressure_holds_it(void **unused)
{
    struct rig r;
    size_t before;

    (void)unused;
    rig_init(&r);
    put_many(&r, 300);
    rig_start(&r);
    rig_agree(&r, "");
    before = r.sent.len;
    assert_int_equal(replay_caller_flow(r.caller, false, r.now_ns), 0);
    rig_frame(&r, WIRE_FIN | WIRE_OP_PING, bytes_of("1"));
    rig_frame(&r, WIRE_FIN | WIRE_OP_PING, bytes_of("2"));
    rig_wait(&r, 99000 * MS);
    assert_int_equal(r.sent.len, before);
    r.frames_from = r.sent.len;
    assert_int_equal(replay_caller_flow(r.caller, true, r.now_ns), 0);
    rig_wait(&r, 0);
    assert_memory_equal(r.sent.at + before, "\x8a\x81", 2);
    assert_int_equal(r.sent.len > before + 100000, 1);
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void a_server_that_reads_nothing_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_many(&r, 300);
    rig_start(&r);
    rig_agree(&r, "");
    assert_int_equal(replay_caller_flow(r.caller, false, r.now_ns), 0);
    rig_run(&r);
    expect_done(&r, CAPTURE_END_RESET);
    expect_told(&r, "timeout after 100000ms (the backend reads nothing more)\n");
    rig_deinit(&r);
}

static void a_server_that_leaves_without_reading_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_many(&r, 300);
    rig_start(&r);
    rig_agree(&r, "");
    assert_int_equal(replay_caller_flow(r.caller, false, r.now_ns), 0);
    rig_end(&r, CAPTURE_END_FIN);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "end: still open -> FIN without close\n");
    rig_deinit(&r);
}

/* ---- response times ---- */

static void times_run_from_the_last_word_to_the_first_answer(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_text(&r.tape, CLIENT, "1");
    put_text(&r.tape, CLIENT, "2");
    r.tape.now_ns += 40 * MS;
    put_text(&r.tape, SERVER, "a");
    put_text(&r.tape, SERVER, "b");
    put_summary(&r.tape);
    r.all = true;
    rig_start(&r);
    rig_wait(&r, 3 * MS);
    rig_agree(&r, "");
    rig_wait(&r, 25 * MS);
    rig_text(&r, "a");
    rig_wait(&r, 25 * MS);
    rig_text(&r, "b");
    rig_run(&r);
    expect_told(&r, "response_time http 1 GET /ws 3ms then 1ms\n"
                    "response_time 1 25ms then 41ms\nover 2 of 2\n");
    rig_deinit(&r);
}

/* ---- compression ---- */

static void put_compressed(struct rig *r)
{
    struct wire_deflate *d = wire_deflate_new(15, false);
    struct buf wire = { 0 };

    put_shake(&r->tape, 1, "permessage-deflate");
    assert_int_equal(wire_deflate_message(d, bytes_of("squeeze me, squeeze me"), &wire),
                     0);
    put_frame(&r->tape, CLIENT, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, buf_bytes(&wire));
    put_text(&r->tape, SERVER, "squeezed");
    put_summary(&r->tape);
    wire_deflate_free(d);
    buf_deinit(&wire);
}

static void messages_are_compressed_as_agreed(void **unused)
{
    struct wire_deflate *d;
    struct buf wire = { 0 };
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_compressed(&r);
    rig_start(&r);
    d = wire_deflate_new(15, false);
    rig_agree(&r, "Sec-WebSocket-Extensions:  permessage-deflate \r\n");
    assert_int_equal(wire_deflate_message(d, bytes_of("squeezed"), &wire), 0);
    rig_frame(&r, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, buf_bytes(&wire));
    r.params = (struct wire_deflate_params){ .agreed = true,
                                             .server_max_window_bits = 15,
                                             .client_max_window_bits = 15 };
    expect_said(&r, "compressed text squeeze me, squeeze me\nclose 1000\n");
    rig_run(&r);
    expect_told(&r, "");
    wire_deflate_free(d);
    buf_deinit(&wire);
    rig_deinit(&r);
}

static void a_server_without_it_gets_them_plain(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_compressed(&r);
    rig_start(&r);
    rig_agree(&r, "");
    rig_text(&r, "squeezed");
    expect_said(&r, "text squeeze me, squeeze me\nclose 1000\n");
    rig_run(&r);
    expect_told(&r, "field Sec-WebSocket-Extensions: permessage-deflate -> none\n");
    rig_deinit(&r);
}

/* ---- what breaks the protocol, and what is too large ---- */

static void broken_frames_are_told_once(void **unused)
{
    struct rig r;

    (void)unused;
    start_session(&r);
    rig_frame(&r, WIRE_FIN | WIRE_RSV2 | WIRE_OP_TEXT, bytes_of(HELLO));
    rig_frame(&r, WIRE_FIN | WIRE_RSV2 | WIRE_OP_TEXT, bytes_of(STARTED));
    rig_text(&r, ANSWER);
    end_session(&r);
    expect_told(&r, "broken 1 (rsv)\n");
    rig_deinit(&r);
}

static void what_was_broken_on_the_tape_may_be(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_frame(&r.tape, SERVER, WIRE_FIN | WIRE_OP_TEXT, bytes_of("\xff"));
    put_frame(&r.tape, SERVER, WIRE_FIN | WIRE_RSV3 | WIRE_OP_TEXT, bytes_of("a"));
    put_text(&r.tape, CLIENT, "b");
    put_summary(&r.tape);
    rig_start(&r);
    rig_agree(&r, "");
    rig_text(&r, "\xff");
    rig_frame(&r, WIRE_FIN | WIRE_RSV3 | WIRE_OP_TEXT, bytes_of("a"));
    expect_said(&r, "text b\nclose 1000\n");
    expect_told(&r, "");
    rig_deinit(&r);
}

static void a_message_over_the_limit_is_noted(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_text(&r.tape, SERVER, "0123456789");
    put_text(&r.tape, CLIENT, "b");
    put_summary(&r.tape);
    r.options.max_message = 10;
    rig_start(&r);
    rig_agree(&r, "");
    rig_text(&r, "0123456789abcdef");
    expect_said(&r, "text b\nclose 1000\n");
    rig_run(&r);
    expect_told(&r, "note 1 (over --max-message: what is beyond it is not compared)\n");
    rig_deinit(&r);
}

/* ---- --on-mismatch close ---- */

static void the_first_mismatch_closes_when_told_to(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_session(&r);
    r.options.on_mismatch = REPLAY_CLOSE;
    rig_start(&r);
    rig_agree(&r, "");
    rig_text(&r, HELLO);
    expect_said(&r, "text {\"type\":\"ask\",\"session\":\"sess-4711-abcd\",\"text\":"
                    "\"weather?\"}\n");
    rig_text(&r, "{\"type\":\"started\",\"n\":5}");
    rig_text(&r, ANSWER);
    expect_said(&r, "close 1008 not what was recorded\n");
    expect_busy(&r);
    rig_close(&r, 1008, "");
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "difference 2 $.n: 1 -> 5\n");
    rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_equal_run_tells_nothing),
        cmocka_unit_test(frames_go_out_as_they_were),
        cmocka_unit_test(what_comes_with_the_answer_is_heard),
        cmocka_unit_test(every_split_is_the_same),
        cmocka_unit_test(no_failed_allocation_leaks),
        cmocka_unit_test(each_difference_is_told_once),
        cmocka_unit_test(a_message_too_many_is_told),
        cmocka_unit_test(one_that_is_left_out_costs_a_second),
        cmocka_unit_test(the_last_one_left_out_costs_the_patience),
        cmocka_unit_test(another_order_is_one_thing),
        cmocka_unit_test(silence_is_told_by_name_and_ends),
        cmocka_unit_test(what_it_took_on_the_tape_is_waited_for),
        cmocka_unit_test(a_server_that_only_pings_comes_to_an_end),
        cmocka_unit_test(a_message_without_end_comes_to_an_end),
        cmocka_unit_test(a_stop_tells_what_was_awaited),
        cmocka_unit_test(a_connection_that_never_is_is_told),
        cmocka_unit_test(live_values_flow_back),
        cmocka_unit_test(what_we_put_in_may_come_back),
        cmocka_unit_test(an_id_that_is_not_filled_in_differs),
        cmocka_unit_test(recorded_pongs_are_left_out_and_live_pings_answered),
        cmocka_unit_test(delays_count_from_the_gate),
        cmocka_unit_test(without_gates_time_alone_counts),
        cmocka_unit_test(much_goes_out_in_bursts),
        cmocka_unit_test(back_pressure_holds_it),
        cmocka_unit_test(a_server_that_reads_nothing_is_told),
        cmocka_unit_test(a_server_that_leaves_without_reading_is_told),
        cmocka_unit_test(times_run_from_the_last_word_to_the_first_answer),
        cmocka_unit_test(messages_are_compressed_as_agreed),
        cmocka_unit_test(a_server_without_it_gets_them_plain),
        cmocka_unit_test(broken_frames_are_told_once),
        cmocka_unit_test(what_was_broken_on_the_tape_may_be),
        cmocka_unit_test(a_message_over_the_limit_is_noted),
        cmocka_unit_test(the_first_mismatch_closes_when_told_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
