#include "tests/unit/replay/script_tape.h"
#include "wire/lint.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HANDSHAKE                                                                      \
    "0 c>s request x0 \"GET /ws HTTP\"\n"                                              \
    "1 s>c response x0 \"HTTP/1.1 101\"\n"
#define SHAKEN "x0 GET /ws 101 at 0 first 1 final 1 asks agrees\n"

static void fragments_are_one_message_and_a_ping_keeps_its_place(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_frame(&t, CLIENT, WIRE_OP_TEXT, bytes_of("one "));
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_PING, bytes_of("p"));
    put_text(&t, SERVER, "push");
    put_frame(&t, CLIENT, WIRE_OP_CONTINUATION, bytes_of("two "));
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("three"));
    put_frame(&t, SERVER, WIRE_FIN | WIRE_OP_BINARY, bytes_make("\0\1", 2));
    put_text(&t, SERVER, "");
    put_end(&t, CLIENT, CAPTURE_END_FIN, false);
    put_end(&t, SERVER, CAPTURE_END_FIN, true);
    put_summary(&t);
    expect_script(&t, "connection 1 0..11ms handshake x0\n" HANDSHAKE
                      "2 c>s frame 01 4 m1\n"
                      "3 c>s frame 89 1 \"p\"\n"
                      "4 s>c frame 81 4 m0\n"
                      "5 c>s frame 00 4 m1\n"
                      "6 c>s frame 80 5 m1\n"
                      "7 s>c frame 82 2 m2\n"
                      "8 s>c frame 81 0 m3\n"
                      "9 c>s end 1\n"
                      "m0 s>c text #1 4..4 next m2 \"push\"\n"
                      "m1 c>s text #1 2..6 in 3 \"one two three\"\n"
                      "m2 s>c binary #2 7..7 next m3 \"\\x00\\x01\"\n"
                      "m3 s>c text #3 8..8 \"\"\n" SHAKEN);
    script_tape_deinit(&t);
}

/* ---- compression ---- */

/* "said once, said" and "said once, said twice" from one compressor. */
#define SAID_ONCE  "\x2a\x4e\xcc\x4c\x51\xc8\xcf\x4b\x4e\xd5\x51\x28\x06\x32\x01\x00"
#define SAID_TWICE "\x2a\x46\xe5\x2a\x94\x94\x67\x26\xa7\x02\x00"

static void compressed_messages_are_inflated_across_messages(void **state)
{
    struct bytes once = bytes_make(SAID_ONCE, sizeof(SAID_ONCE) - 1);
    struct bytes twice = bytes_make(SAID_TWICE, sizeof(SAID_TWICE) - 1);
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, "permessage-deflate");
    put_frame(&t, SERVER, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, once);
    put_frame(&t, SERVER, WIRE_RSV1 | WIRE_OP_TEXT, bytes_first(twice, 3));
    put_frame(&t, SERVER, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_from(twice, 3));
    put_frame(&t, SERVER, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, bytes_of("\x07\x07"));
    put_summary(&t);
    expect_script(&t, "connection 1 0..6ms handshake x0 deflate\n" HANDSHAKE
                      "2 s>c frame c1 16 m0\n"
                      "3 s>c frame 41 3 m1\n"
                      "4 s>c frame 80 8 m1\n"
                      "5 s>c frame c1 2 m2 \"\\x07\\x07\"\n"
                      "m0 s>c text #1 2..2 next m1 compressed \"said once, said\"\n"
                      "m1 s>c text #2 3..4 in 2 next m2 compressed "
                      "\"said once, said twice\"\n"
                      "m2 s>c text #3 5..5 compressed not whole\n" SHAKEN);
    script_tape_deinit(&t);
}

/* ---- what is not whole ---- */

static void half_a_frame_before_a_reset_keeps_its_bytes(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_frame(&t, SERVER, WIRE_OP_TEXT, bytes_of("first "));
    put_piece(&t, SERVER, WIRE_OP_CONTINUATION, 10, bytes_of("se"));
    put_text(&t, CLIENT, "meanwhile");
    put_more(&t, SERVER, bytes_of("con"));
    put_end(&t, SERVER, CAPTURE_END_RESET, false);
    put_end(&t, CLIENT, CAPTURE_END_RESET, true);
    put_summary(&t);
    expect_script(&t, "connection 1 0..8ms handshake x0\n" HANDSHAKE
                      "2 s>c frame 01 6 \"first \"\n"
                      "3 s>c frame 00 10 \"secon\"\n"
                      "4 c>s frame 81 9 m0\n"
                      "5 s>c end 3\n"
                      "m0 c>s text #1 4..4 \"meanwhile\"\n" SHAKEN);
    script_tape_deinit(&t);
}

static void a_message_in_pieces_is_one_message(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_piece(&t, CLIENT, WIRE_FIN | WIRE_OP_TEXT, 9, bytes_of("abc"));
    put_piece(&t, SERVER, WIRE_FIN | WIRE_OP_PING, 4, bytes_of("pi"));
    put_more(&t, CLIENT, bytes_of("def"));
    put_more(&t, SERVER, bytes_of("ng"));
    put_more(&t, CLIENT, bytes_of("ghi"));
    put_more(&t, CLIENT, bytes_of("of nothing"));
    put_summary(&t);
    expect_script(&t,
                  "connection 1 0..8ms handshake x0\n" HANDSHAKE "2 c>s frame 81 9 m0\n"
                  "3 s>c frame 89 4 \"ping\"\n"
                  "m0 c>s text #1 2..2 \"abcdefghi\"\n" SHAKEN);
    script_tape_deinit(&t);
}

static void frames_out_of_order_belong_to_no_message(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("orphan"));
    put_frame(&t, CLIENT, WIRE_OP_TEXT, bytes_of("never "));
    put_frame(&t, CLIENT, WIRE_FIN | 3, bytes_of("reserved"));
    put_text(&t, CLIENT, "whole");
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_CLOSE,
              bytes_of("\x03\xe8"
                       "bye"));
    put_raw(&t, CLIENT, "\x81");
    put_summary(&t);
    expect_script(&t, "connection 1 0..8ms handshake x0\n" HANDSHAKE
                      "2 c>s frame 80 6 \"orphan\"\n"
                      "3 c>s frame 01 6 \"never \"\n"
                      "4 c>s frame 83 8 \"reserved\"\n"
                      "5 c>s frame 81 5 m0\n"
                      "6 c>s frame 88 5 \"\\x03\\xe8bye\"\n"
                      "7 c>s raw \"\\x81\"\n"
                      "m0 c>s text #1 5..5 \"whole\"\n" SHAKEN);
    script_tape_deinit(&t);
}

/* The recorder tells that a header was begun when its side is over. */
static void half_a_header_comes_before_the_end(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_end(&t, SERVER, CAPTURE_END_RESET, false);
    put_end(&t, CLIENT, CAPTURE_END_FIN, false);
    put_raw(&t, SERVER, "\x82");
    put_summary(&t);
    expect_script(&t,
                  "connection 1 0..5ms handshake x0\n" HANDSHAKE "2 s>c raw \"\\x82\"\n"
                  "3 s>c end 3\n"
                  "4 c>s end 1\n" SHAKEN);
    script_tape_deinit(&t);
}

static uint32_t faults_of(struct script_tape *t, enum side from)
{
    struct replay_script *script;
    struct err e;
    uint32_t faults;

    put_summary(t);
    assert_int_equal(load(t, REPLAY_SCRIPT_MAX, &script, &e), 0);
    faults = replay_connection_faults(&script->connections[0], from);
    replay_script_free(script);
    script_tape_deinit(t);
    return faults;
}

static void faults_are_those_of_the_frames(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_text(&t, CLIENT, "good");
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("orphan"));
    put_frame(&t, CLIENT, WIRE_OP_TEXT, bytes_of("\xe2\x82"));
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("\xac"));
    put_frame(&t, SERVER, WIRE_FIN | 3, bytes_of("other"));
    assert_int_equal(faults_of(&t, CLIENT), WIRE_FAULT_ORPHAN);
    script_tape_init(&t);
    put_shake(&t, 1, "permessage-deflate");
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT,
              bytes_of("\xca\x48\xcd\xc9\xc9\x07\x00"));
    put_text(&t, CLIENT, "\xff");
    assert_int_equal(faults_of(&t, CLIENT), WIRE_FAULT_UTF8);
}

/* ---- HTTP ---- */

static void requests_and_their_answers_are_exchanges(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_open(&t, 1);
    put_request(&t, 1, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n");
    put_body(&t, 1, CLIENT, "body", 0);
    put_response(&t, 1, "HTTP/1.1 100 Continue\r\n\r\n");
    put_response(&t, 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_body(&t, 1, SERVER, "2\r\nok\r\n", 0);
    put_body(&t, 1, SERVER, "0\r\n\r\n", 0);
    put_request(&t, 2, "GET /b?c=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    put_response(&t, 2, "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n");
    put_body(&t, 2, SERVER, "no", 3);
    put_end(&t, SERVER, CAPTURE_END_FIN, false);
    put_end(&t, CLIENT, CAPTURE_END_TIMEOUT, false);
    put_summary(&t);
    expect_script(&t, "connection 1 0..11ms\n"
                      "0 c>s request x0 \"POST /a HTTP\"\n"
                      "1 c>s body x0 \"body\"\n"
                      "2 s>c response x0 \"HTTP/1.1 100\"\n"
                      "3 s>c response x0 \"HTTP/1.1 200\"\n"
                      "4 s>c body x0 \"2\\r\\nok\\r\\n\"\n"
                      "5 s>c body x0 \"0\\r\\n\\r\\n\"\n"
                      "6 c>s request x1 \"GET /b?c=1 H\"\n"
                      "7 s>c response x1 \"HTTP/1.1 403\"\n"
                      "8 s>c body of 5 x1 \"no\"\n"
                      "9 s>c end 1\n"
                      "x0 POST /a 200 at 0 first 2 final 3\n"
                      "x1 GET /b?c=1 403 at 6 first 7 final 7 incomplete cut\n");
    script_tape_deinit(&t);
}

static void the_recorders_answer_stands_in_where_there_is_none(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_open(&t, 1);
    put_request(&t, 1, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    put_sent(&t, CLIENT,
             "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 10\r\n\r\n{\"a\":");
    put_sent(&t, CLIENT, "true}");
    put_end(&t, CLIENT, CAPTURE_END_FIN, true);
    put_open(&t, 2);
    put_request(&t, 1, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    put_response(&t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    put_sent(&t, CLIENT, "HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n");
    put_sent(&t, SERVER, "to the server");
    put_open(&t, 3);
    put_response(&t, 9, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    put_body(&t, 9, SERVER, "nobody asked", 0);
    put_summary(&t);
    expect_script(&t, "connection 1 0..4ms\n"
                      "0 c>s request x0 \"GET / HTTP/1\"\n"
                      "1 s>c response x0 \"HTTP/1.1 502\"\n"
                      "2 s>c body x0 \"{\"a\":\"\n"
                      "3 s>c body x0 \"true}\"\n"
                      "x0 GET / 502 at 0 first 1 final 1 by-wstape\n"
                      "connection 2 5..9ms\n"
                      "0 c>s request x0 \"GET / HTTP/1\"\n"
                      "1 s>c response x0 \"HTTP/1.1 200\"\n"
                      "x0 GET / 200 at 0 first 1 final 1\n"
                      "connection 3 10..12ms\n"
                      "0 s>c response \"HTTP/1.1 408\"\n"
                      "1 s>c body \"nobody asked\"\n");
    script_tape_deinit(&t);
}

static void upgrades_to_something_else_are_tunnels(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_open(&t, 1);
    put_request(&t, 1, "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n");
    put_response(&t, 1, "HTTP/1.1 200 OK\r\n\r\n");
    put_raw(&t, CLIENT, "ping?");
    put_raw(&t, SERVER, "pong!");
    put_end(&t, CLIENT, CAPTURE_END_TRUNCATED, false);
    put_open(&t, 2);
    put_request(&t, 1, "GET / HTTP/1.1\r\nUpgrade: other\r\n\r\n");
    put_response(&t, 1, "HTTP/1.1 101 Fine\r\nUpgrade: other\r\n\r\n");
    put_open(&t, 3);
    put_request(&t, 1, "no HTTP at all");
    put_summary(&t);
    expect_script(&t, "connection 1 0..5ms\n"
                      "0 c>s request x0 \"CONNECT h:1 \"\n"
                      "1 s>c response x0 \"HTTP/1.1 200\"\n"
                      "2 c>s raw \"ping?\"\n"
                      "3 s>c raw \"pong!\"\n"
                      "4 c>s end 2\n"
                      "x0 CONNECT h:1 200 at 0 first 1 final 1 tunnel\n"
                      "connection 2 6..8ms\n"
                      "0 c>s request x0 \"GET / HTTP/1\"\n"
                      "1 s>c response x0 \"HTTP/1.1 101\"\n"
                      "x0 GET / 101 at 0 first 1 final 1 tunnel\n"
                      "connection 3 9..10ms\n"
                      "0 c>s request x0 \"no HTTP at a\"\n"
                      "x0 ? ? 0 at 0\n");
    script_tape_deinit(&t);
}

/* ---- connections ---- */

static void connections_lie_in_the_order_in_which_they_opened(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_open(&t, 7);
    put_shake(&t, 3, NULL);
    put_shake(&t, 5, NULL);
    put_text(&t, SERVER, "five");
    t.connection = 3;
    put_text(&t, SERVER, "three");
    put_end(&t, CLIENT, CAPTURE_END_FIN, false);
    put_end(&t, SERVER, CAPTURE_END_FIN, false);
    t.connection = 5;
    put_text(&t, CLIENT, "five more");
    t.connection = 3;
    put_text(&t, SERVER, "after the end");
    put_summary(&t);
    expect_script(
        &t, "connection 7 0..0ms\n"
            "connection 3 1..12ms handshake x0\n" HANDSHAKE "2 s>c frame 81 5 m0\n"
            "3 c>s end 1\n"
            "4 s>c end 1\n"
            "5 s>c frame 81 13 m1\n"
            "m0 s>c text #1 2..2 next m1 \"three\"\n"
            "m1 s>c text #2 5..5 \"after the end\"\n" SHAKEN
            "connection 5 4..11ms handshake x0\n" HANDSHAKE "2 s>c frame 81 4 m0\n"
            "3 c>s frame 81 9 m1\n"
            "m0 s>c text #1 2..2 \"five\"\n"
            "m1 c>s text #1 3..3 \"five more\"\n" SHAKEN);
    script_tape_deinit(&t);
}

static void what_rules_and_wstape_did_is_no_step(void **state)
{
    struct capture_record fault = { .type = CAPTURE_FAULT };
    struct capture_record note = { .type = CAPTURE_NOTE };
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_text(&t, SERVER, "as it arrived");
    fault.u.fault.from = SERVER;
    fault.u.fault.opcode = WIRE_OP_TEXT;
    fault.u.fault.message = 1;
    fault.u.fault.rule = bytes_of("r");
    fault.u.fault.action = bytes_of("replace");
    fault.u.fault.applied = 1;
    put(&t, &fault);
    put_sent(&t, CLIENT, "\x81\x02ok");
    note.u.note.text = bytes_of("note");
    put(&t, &note);
    put_end(&t, SERVER, CAPTURE_END_STOP, true);
    put_end(&t, CLIENT, CAPTURE_END_FIN, true);
    put_summary(&t);
    expect_script(&t, "connection 1 0..8ms handshake x0\n" HANDSHAKE
                      "2 s>c frame 81 13 m0\n"
                      "m0 s>c text #1 2..2 \"as it arrived\"\n" SHAKEN);
    script_tape_deinit(&t);
}

/* Larger than what the store takes memory in; each byte stays where it is. */
static void large_payloads_are_kept_whole(void **state)
{
    enum { PIECE = 400 * 1024, PIECES = 5, SMALL = 3000 };
    struct buf piece = { 0 };
    struct replay_script *s;
    struct script_tape t;
    struct err e;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    assert_int_equal(buf_reserve(&piece, PIECE), 0);
    piece.len = PIECE;
    memset(piece.at, 'a', PIECE);
    put_piece(&t, CLIENT, WIRE_FIN | WIRE_OP_TEXT, PIECE * PIECES, buf_bytes(&piece));
    for (int i = 1; i < PIECES; i++) {
        memset(piece.at, 'a' + i, PIECE);
        put_more(&t, CLIENT, buf_bytes(&piece));
    }
    for (int i = 0; i < SMALL; i++) {
        put_text(&t, SERVER, i % 2 == 0 ? "even" : "odd");
    }
    put_frame(&t, SERVER, WIRE_FIN | WIRE_OP_BINARY, buf_bytes(&piece));
    put_text(&t, SERVER, "last");
    put_summary(&t);
    assert_int_equal(load(&t, REPLAY_SCRIPT_MAX, &s, &e), 0);
    assert_int_equal(s->connections[0].count[SERVER], SMALL + 2);
    for (int i = 0; i < PIECES; i++) {
        struct bytes all = s->connections[0].messages[0].payload;

        assert_int_equal(all.len, PIECE * PIECES);
        assert_int_equal(all.at[i * PIECE], 'a' + i);
        assert_int_equal(all.at[(i + 1) * PIECE - 1], 'a' + i);
    }
    for (uint32_t i = 0; i < SMALL; i++) {
        assert_true(bytes_equal(s->connections[0].messages[i + 1].payload,
                                bytes_of(i % 2 == 0 ? "even" : "odd")));
    }
    assert_true(
        bytes_equal(s->connections[0].messages[SMALL + 1].payload, buf_bytes(&piece)));
    assert_true(
        bytes_equal(s->connections[0].messages[SMALL + 2].payload, bytes_of("last")));
    replay_script_free(s);
    buf_deinit(&piece);
    script_tape_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_are_one_message_and_a_ping_keeps_its_place),
        cmocka_unit_test(compressed_messages_are_inflated_across_messages),
        cmocka_unit_test(half_a_frame_before_a_reset_keeps_its_bytes),
        cmocka_unit_test(a_message_in_pieces_is_one_message),
        cmocka_unit_test(frames_out_of_order_belong_to_no_message),
        cmocka_unit_test(half_a_header_comes_before_the_end),
        cmocka_unit_test(faults_are_those_of_the_frames),
        cmocka_unit_test(requests_and_their_answers_are_exchanges),
        cmocka_unit_test(the_recorders_answer_stands_in_where_there_is_none),
        cmocka_unit_test(upgrades_to_something_else_are_tunnels),
        cmocka_unit_test(connections_lie_in_the_order_in_which_they_opened),
        cmocka_unit_test(what_rules_and_wstape_did_is_no_step),
        cmocka_unit_test(large_payloads_are_kept_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
