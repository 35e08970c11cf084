/* The tape as client: how a conversation ends, and is said to have ended. */
#include "tests/unit/replay/caller_rig.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void put_close(struct rig *r, enum side from, const char *payload, size_t len)
{
    put_frame(&r->tape, from, WIRE_FIN | WIRE_OP_CLOSE, bytes_make(payload, len));
}

static void start(struct rig *r)
{
    put_summary(&r->tape);
    rig_start(r);
    rig_agree(r, "");
}

/* One message, then the server closes. */
static void start_closed_by_server(struct rig *r)
{
    rig_init(r);
    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, CLIENT, "ask");
    put_text(&r->tape, SERVER, "answer");
    put_close(r, SERVER, "\x03\xf3Internal error", 16);
    put_close(r, CLIENT, "\x03\xf3", 2);
    put_end(&r->tape, SERVER, CAPTURE_END_FIN, false);
    put_end(&r->tape, CLIENT, CAPTURE_END_FIN, false);
    start(r);
}

static void a_close_of_the_server_is_awaited_and_answered(void **unused)
{
    struct rig r;

    (void)unused;
    start_closed_by_server(&r);
    rig_text(&r, "answer");
    expect_said(&r, "text ask\n");
    rig_wait(&r, 5000 * MS);
    rig_close(&r, 1011, "Internal error");
    expect_said(&r, "close 1011\n");
    rig_end(&r, CAPTURE_END_FIN);
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void another_code_is_one_difference(void **unused)
{
    struct rig r;

    (void)unused;
    start_closed_by_server(&r);
    rig_text(&r, "answer");
    rig_close(&r, 1000, "");
    expect_said(&r, "text ask\nclose 1011\n");
    rig_end(&r, CAPTURE_END_FIN);
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "end: close 1011 (Internal error) -> close 1000\n");
    rig_deinit(&r);
}

static void an_end_without_close_is_one_difference(void **unused)
{
    static const struct {
        enum capture_end kind;
        const char *told;
    } cases[] = {
        { CAPTURE_END_FIN, "end: close 1011 (Internal error) -> FIN without close\n" },
        { CAPTURE_END_TRUNCATED,
          "end: close 1011 (Internal error) -> FIN without close\n" },
        { CAPTURE_END_RESET, "end: close 1011 (Internal error) -> RST\n" },
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;

        start_closed_by_server(&r);
        rig_text(&r, "answer");
        rig_end(&r, cases[i].kind);
        rig_run(&r);
        expect_done(&r, CAPTURE_END_FIN);
        expect_told(&r, cases[i].told);
        rig_deinit(&r);
    }
}

static void a_server_that_stays_is_one_difference(void **unused)
{
    struct rig r;

    (void)unused;
    start_closed_by_server(&r);
    rig_text(&r, "answer");
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_said(&r, "text ask\nclose 1011\n");
    expect_told(&r, "end: close 1011 (Internal error) -> still open\n");
    rig_deinit(&r);
}

static void a_close_without_code_has_words(void **unused)
{
    struct rig r;

    (void)unused;
    start_closed_by_server(&r);
    rig_text(&r, "answer");
    rig_frame(&r, WIRE_FIN | WIRE_OP_CLOSE, bytes_of(""));
    rig_end(&r, CAPTURE_END_FIN);
    rig_run(&r);
    expect_told(&r, "end: close 1011 (Internal error) -> close without code\n");
    rig_deinit(&r);
}

static void a_message_missing_before_the_close_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    start_closed_by_server(&r);
    rig_close(&r, 1011, "Internal error");
    rig_end(&r, CAPTURE_END_FIN);
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "missing 1: answer -> none\n");
    rig_deinit(&r);
}

/* ---- too early ---- */

static void start_two_turns(struct rig *r)
{
    rig_init(r);
    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, CLIENT, "ask");
    put_text(&r->tape, SERVER, "answer");
    put_text(&r->tape, CLIENT, "ask again");
    put_text(&r->tape, SERVER, "answer again");
    put_close(r, CLIENT, "\x03\xe8", 2);
    put_close(r, SERVER, "\x03\xe8", 2);
    put_end(&r->tape, SERVER, CAPTURE_END_FIN, false);
    put_end(&r->tape, CLIENT, CAPTURE_END_FIN, false);
    start(r);
}

static void a_server_that_closes_early_is_answered_and_told(void **unused)
{
    struct rig r;

    (void)unused;
    start_two_turns(&r);
    rig_close(&r, 1011, "Internal error");
    expect_said(&r, "text ask\nclose 1011\n");
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "missing 1: answer -> none\nmissing 2: answer again -> none\n"
                    "end: close 1000 -> close 1011 (Internal error)\n");
    rig_deinit(&r);
}

static void a_server_that_leaves_early_is_told(void **unused)
{
    static const enum capture_end kinds[] = { CAPTURE_END_FIN, CAPTURE_END_RESET };
    static const char *const told[] = {
        "missing 1: answer -> none\nmissing 2: answer again -> none\n"
        "end: close 1000 -> FIN without close\n",
        "missing 1: answer -> none\nmissing 2: answer again -> none\n"
        "end: close 1000 -> RST\n",
    };

    (void)unused;
    for (int i = 0; i < 2; i++) {
        struct rig r;

        start_two_turns(&r);
        rig_end(&r, kinds[i]);
        expect_said(&r, "text ask\n");
        expect_done(&r, CAPTURE_END_FIN);
        expect_told(&r, told[i]);
        rig_deinit(&r);
    }
}

static void closes_that_cross_are_no_difference(void **unused)
{
    struct rig r;

    (void)unused;
    start_two_turns(&r);
    rig_text(&r, "answer");
    rig_text(&r, "answer again");
    expect_said(&r, "text ask\ntext ask again\nclose 1000\n");
    rig_close(&r, 1000, "");
    rig_end(&r, CAPTURE_END_FIN);
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void what_follows_a_close_is_broken_and_not_compared(void **unused)
{
    struct rig r;

    (void)unused;
    start_two_turns(&r);
    rig_text(&r, "answer");
    rig_text(&r, "answer again");
    rig_close(&r, 1000, "");
    rig_text(&r, "one more");
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "broken 3 (after_close)\n");
    rig_deinit(&r);
}

/* The server's close is the last thing there is. */
static void start_last_is_close(struct rig *r)
{
    rig_init(r);
    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, CLIENT, "ask");
    put_close(r, SERVER, "\x03\xf3", 2);
    put_close(r, CLIENT, "\x03\xf3", 2);
    start(r);
}

/* A close frame that comes early, or with which all is there, is the end of it, whether
 * what is behind it came with it or later. */
static void nothing_is_heard_behind_the_end_of_it(void **unused)
{
    static const char words[] = "\x88\x02\x03\xf3\x81\x02hi\xf1\x02ho\x81\x01.";
    static const char *const told[] = {
        "missing 1: answer -> none\nmissing 2: answer again -> none\n"
        "end: close 1000 -> close 1011\n",
        "",
    };

    (void)unused;
    for (unsigned i = 0; i < 8; i++) {
        struct rig r;

        (i % 2 == 0 ? start_two_turns : start_last_is_close)(&r);
        r.stage->options.on_mismatch = i / 2 % 2 == 0 ? REPLAY_REPORT : REPLAY_CLOSE;
        r.split = i / 4;
        rig_bytes(&r, bytes_make(words, sizeof(words) - 1));
        rig_run(&r);
        expect_done(&r, CAPTURE_END_FIN);
        expect_said(&r, "text ask\nclose 1011\n");
        expect_told(&r, told[i % 2]);
        rig_deinit(&r);
    }
}

/* ---- ends of the client's own ---- */

static void start_client_end(struct rig *r, enum capture_end kind, bool server_too)
{
    rig_init(r);
    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, CLIENT, "ask");
    put_end(&r->tape, CLIENT, kind, false);
    if (server_too) {
        put_text(&r->tape, SERVER, "late");
        put_end(&r->tape, SERVER, CAPTURE_END_FIN, false);
    }
    start(r);
}

static void a_reset_of_the_client_is_done_at_once(void **unused)
{
    struct rig r;

    (void)unused;
    start_client_end(&r, CAPTURE_END_RESET, false);
    expect_done(&r, CAPTURE_END_RESET);
    expect_said(&r, "text ask\n");
    expect_told(&r, "");
    rig_deinit(&r);
}

static void a_fin_of_the_client_is_done_and_what_follows_awaited(void **unused)
{
    struct rig r;

    (void)unused;
    start_client_end(&r, CAPTURE_END_FIN, true);
    assert_int_equal(replay_caller_output(r.caller)->end, CAPTURE_END_FIN);
    assert_false(replay_caller_done(r.caller));
    rig_text(&r, "late");
    assert_false(replay_caller_done(r.caller));
    rig_end(&r, CAPTURE_END_FIN);
    expect_done(&r, CAPTURE_END_FIN);
    expect_said(&r, "text ask\n");
    expect_told(&r, "");
    rig_deinit(&r);
}

static void after_a_fin_nothing_is_awaited_for_long(void **unused)
{
    struct rig r;

    (void)unused;
    start_client_end(&r, CAPTURE_END_FIN, true);
    rig_run(&r);
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "timeout 1 after 10002ms: late -> none\n"
                    "end: FIN without close -> still open\n");
    rig_deinit(&r);
}

/* ---- a tape without end ---- */

static void a_tape_without_end_is_closed_with_1000(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_text(&r.tape, CLIENT, "ask");
    put_text(&r.tape, SERVER, "answer");
    put_end(&r.tape, CLIENT, CAPTURE_END_STOP, true);
    start(&r);
    expect_said(&r, "text ask\n");
    rig_text(&r, "answer");
    expect_said(&r, "close 1000\n");
    expect_busy(&r);
    rig_close(&r, 1000, "");
    expect_done(&r, CAPTURE_END_FIN);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void a_server_that_ends_what_the_tape_leaves_open_is_told(void **unused)
{
    struct rig r;

    (void)unused;
    rig_init(&r);
    put_shake(&r.tape, 1, NULL);
    put_text(&r.tape, CLIENT, "ask");
    put_text(&r.tape, SERVER, "answer");
    start(&r);
    rig_close(&r, 1001, "");
    expect_done(&r, CAPTURE_END_FIN);
    expect_said(&r, "text ask\nclose 1001\n");
    expect_told(&r, "missing 1: answer -> none\nend: still open -> close 1001\n");
    rig_deinit(&r);
}

static void a_stop_says_goodbye(void **unused)
{
    struct rig r;

    (void)unused;
    start_two_turns(&r);
    rig_text(&r, "answer");
    replay_caller_stop(r.caller, r.now_ns);
    expect_done(&r, CAPTURE_END_FIN);
    assert_int_equal(buf_put(&r.sent, buf_bytes(&replay_caller_output(r.caller)->send)),
                     0);
    expect_said(&r, "text ask\ntext ask again\nclose 1001\n");
    expect_told(&r, "waits 2: answer again -> none\n");
    replay_caller_stop(r.caller, r.now_ns);
    expect_told(&r, "");
    rig_deinit(&r);
}

static void nothing_counts_once_it_is_done(void **unused)
{
    struct rig r;

    (void)unused;
    start_two_turns(&r);
    rig_end(&r, CAPTURE_END_RESET);
    buf_clear(&r.told);
    rig_text(&r, "answer");
    rig_end(&r, CAPTURE_END_FIN);
    assert_int_equal(replay_caller_wake(r.caller, r.now_ns), 0);
    assert_int_equal(replay_caller_flow(r.caller, false, r.now_ns), 0);
    replay_caller_unreachable(r.caller, "late");
    expect_told(&r, "");
    expect_done(&r, CAPTURE_END_FIN);
    rig_deinit(&r);
}

/* ---- whatever comes ---- */

static uint32_t next_number(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

/* What a server might say, with some of it wrong, left out or cut off. */
static void say_nonsense(struct rig *r, uint32_t *state)
{
    static const char sane[] = "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Accept: "
                               "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                               "\x81\x06"
                               "answer\x89\x01!\x01\x06"
                               "answer\x80\x06 again\x88\x02\x03\xe8";
    uint8_t wire[sizeof(sane)];
    size_t len = sizeof(sane) - 1 - next_number(state) % 30;
    size_t from = next_number(state) % 2 == 0 ? 0 : 127;

    memcpy(wire, sane, sizeof(sane));
    for (uint32_t n = next_number(state) % 4; n > 0; n--) {
        wire[from + next_number(state) % (sizeof(sane) - from)] =
            (uint8_t)next_number(state);
    }
    r->split = 1 + next_number(state) % 150;
    rig_bytes(r, bytes_make(wire, len));
}

static void whatever_comes_it_ends(void **unused)
{
    static const enum capture_end kinds[] = { CAPTURE_END_FIN, CAPTURE_END_TRUNCATED,
                                              CAPTURE_END_RESET };

    (void)unused;
    for (uint32_t seed = 0; seed < 3000; seed++) {
        uint32_t state = seed;
        struct rig r;

        rig_init(&r);
        put_shake(&r.tape, 1, NULL);
        put_text(&r.tape, CLIENT, "ask");
        put_text(&r.tape, SERVER, "answer");
        put_text(&r.tape, CLIENT, "ask again");
        put_text(&r.tape, SERVER, "answer again");
        put_close(&r, SERVER, "\x03\xe8", 2);
        put_end(&r.tape, SERVER, CAPTURE_END_FIN, false);
        put_summary(&r.tape);
        rig_start(&r);
        say_nonsense(&r, &state);
        if (next_number(&state) % 2 == 0) {
            rig_end(&r, kinds[next_number(&state) % 3]);
        }
        rig_run(&r);
        expect_done(&r, CAPTURE_END_FIN);
        rig_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_close_of_the_server_is_awaited_and_answered),
        cmocka_unit_test(another_code_is_one_difference),
        cmocka_unit_test(an_end_without_close_is_one_difference),
        cmocka_unit_test(a_server_that_stays_is_one_difference),
        cmocka_unit_test(a_close_without_code_has_words),
        cmocka_unit_test(a_message_missing_before_the_close_is_told),
        cmocka_unit_test(a_server_that_closes_early_is_answered_and_told),
        cmocka_unit_test(a_server_that_leaves_early_is_told),
        cmocka_unit_test(closes_that_cross_are_no_difference),
        cmocka_unit_test(what_follows_a_close_is_broken_and_not_compared),
        cmocka_unit_test(nothing_is_heard_behind_the_end_of_it),
        cmocka_unit_test(a_reset_of_the_client_is_done_at_once),
        cmocka_unit_test(a_fin_of_the_client_is_done_and_what_follows_awaited),
        cmocka_unit_test(after_a_fin_nothing_is_awaited_for_long),
        cmocka_unit_test(a_tape_without_end_is_closed_with_1000),
        cmocka_unit_test(a_server_that_ends_what_the_tape_leaves_open_is_told),
        cmocka_unit_test(a_stop_says_goodbye),
        cmocka_unit_test(nothing_counts_once_it_is_done),
        cmocka_unit_test(whatever_comes_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
