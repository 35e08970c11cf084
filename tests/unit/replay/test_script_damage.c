#include "base/alloc.h"
#include "tests/unit/replay/script_tape.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HANDSHAKE                                                                      \
    "0 c>s request x0 \"GET /ws HTTP\"\n"                                              \
    "1 s>c response x0 \"HTTP/1.1 101\"\n"
#define SHAKEN "x0 GET /ws 101 at 0 first 1 final 1 asks agrees\n"

/* ---- damage ---- */

/* Records: 0 checkpoint, 1 open, 2 request, 3 response, 4 to 7 frames, 8 checkpoint. */
static void put_fragments(struct script_tape *t)
{
    script_tape_init(t);
    put_shake(t, 1, NULL);
    put_frame(t, CLIENT, WIRE_OP_TEXT, bytes_of("a"));
    put_frame(t, CLIENT, WIRE_OP_CONTINUATION, bytes_of("b"));
    put_frame(t, CLIENT, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("c"));
    put_text(t, CLIENT, "after it");
    put_summary(t);
}

#define NOT_JOINED                                                                     \
    "connection 1 0..6ms handshake x0\n" HANDSHAKE "2 c>s frame 01 1 \"a\"\n"          \
    "3 c>s frame 80 1 \"c\"\n"                                                         \
    "4 c>s frame 81 8 m0\n"                                                            \
    "m0 c>s text #1 4..4 \"after it\"\n" SHAKEN "damaged 1\n"

static void a_message_whose_end_is_damaged_is_none(void **state)
{
    struct script_tape t;

    (void)state;
    put_fragments(&t);
    damage_record(&t, 5);
    expect_script(&t, NOT_JOINED);
    script_tape_deinit(&t);
}

/* Nothing shows it before the next checkpoint. */
static void a_message_of_which_a_frame_is_missing_is_not_whole(void **state)
{
    struct script_tape t;

    (void)state;
    put_fragments(&t);
    cut_record(&t, 5);
    expect_script(&t, "connection 1 0..6ms handshake x0\n" HANDSHAKE
                      "2 c>s frame 01 1 m0 \"a\"\n"
                      "3 c>s frame 80 1 m0 \"c\"\n"
                      "4 c>s frame 81 8 m1\n"
                      "m0 c>s text #1 2..3 in 2 next m1 not whole\n"
                      "m1 c>s text #2 4..4 \"after it\"\n" SHAKEN "damaged 1\n");
    script_tape_deinit(&t);
}

static void a_gap_ends_what_is_in_progress(void **state)
{
    struct capture_record gap = { .type = CAPTURE_GAP };
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_frame(&t, CLIENT, WIRE_OP_TEXT, bytes_of("a"));
    t.connection = 0;
    put(&t, &gap);
    t.connection = 1;
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("c"));
    put_text(&t, CLIENT, "after it");
    put_summary(&t);
    expect_script(&t, NOT_JOINED);
    script_tape_deinit(&t);
}

/* Also of connections that speak only later, or never again. */
static void a_gap_ends_it_on_all_connections(void **state)
{
    struct capture_record gap = { .type = CAPTURE_GAP };
    struct replay_script *script;
    struct script_tape t;
    struct err e;

    (void)state;
    script_tape_init(&t);
    for (uint32_t i = 1; i <= 3; i++) {
        put_shake(&t, i, NULL);
        put_frame(&t, CLIENT, WIRE_OP_TEXT, bytes_of("a"));
    }
    t.connection = 0;
    put(&t, &gap);
    put(&t, &gap);
    t.connection = 2;
    put_text(&t, SERVER, "of another side");
    t.connection = 1;
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("c"));
    put_text(&t, CLIENT, "after it");
    put_summary(&t);
    assert_int_equal(load(&t, REPLAY_SCRIPT_MAX, &script, &e), 0);
    assert_int_equal(script->damaged, 2);
    assert_int_equal(script->connections[0].message_count, 1);
    assert_int_equal(script->connections[1].message_count, 1);
    assert_int_equal(script->connections[2].message_count, 0);
    assert_true(
        bytes_equal(script->connections[0].messages[0].payload, bytes_of("after it")));
    replay_script_free(script);
    script_tape_deinit(&t);
}

static void a_torn_tape_plays_up_to_where_it_is_torn(void **state)
{
    struct script_tape t;

    (void)state;
    put_fragments(&t);
    assert_int_equal(
        buf_put(&t.bytes, bytes_first(tape_bytes(&t.tape), t.tape.starts[7] - 3)), 0);
    expect_script(&t, "connection 1 0..4ms handshake x0\n" HANDSHAKE
                      "2 c>s frame 01 1 \"a\"\n"
                      "3 c>s frame 00 1 \"b\"\n" SHAKEN "torn\n");
    script_tape_deinit(&t);
}

/* ---- memory ---- */

static void times_are_within_bounds(void **state)
{
    struct replay_script *s;
    struct script_tape t;
    struct err e;

    (void)state;
    script_tape_init(&t);
    t.now_ns = INT64_MIN;
    put_shake(&t, 1, NULL);
    put_text(&t, SERVER, "a");
    t.now_ns = INT64_MAX - 1000000000;
    put_text(&t, SERVER, "b");
    put_summary(&t);
    assert_int_equal(load(&t, REPLAY_SCRIPT_MAX, &s, &e), 0);
    assert_int_equal(s->connections[0].opened_ns, -REPLAY_TIME_MAX);
    assert_int_equal(s->connections[0].steps[2].time_ns, -REPLAY_TIME_MAX);
    assert_int_equal(s->connections[0].steps[3].time_ns, REPLAY_TIME_MAX);
    assert_int_equal(s->connections[0].ended_ns, REPLAY_TIME_MAX);
    assert_int_equal(s->last_ns, REPLAY_TIME_MAX);
    replay_script_free(s);
    script_tape_deinit(&t);
}

static void put_everything(struct script_tape *t)
{
    script_tape_init(t);
    put_shake(t, 1, "permessage-deflate");
    put_frame(t, CLIENT, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT,
              bytes_of("\xca\x48\xcd\xc9\xc9\x07\x00"));
    put_frame(t, SERVER, WIRE_OP_TEXT, bytes_of("one"));
    put_frame(t, SERVER, WIRE_FIN | WIRE_OP_PING, bytes_of("ping"));
    put_frame(t, SERVER, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("two"));
    put_piece(t, SERVER, WIRE_FIN | WIRE_OP_TEXT, 9, bytes_of("half"));
    put_end(t, SERVER, CAPTURE_END_RESET, false);
    put_end(t, CLIENT, CAPTURE_END_RESET, true);
    put_open(t, 2);
    put_request(t, 1, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    put_sent(t, CLIENT, "HTTP/1.1 502 No\r\nContent-Length: 2\r\n\r\nno");
    put_summary(t);
}

static void every_allocation_may_fail(void **state)
{
    struct script_tape t;
    long before;
    bool hit = true;

    (void)state;
    put_everything(&t);
    before = alloc_live();
    for (unsigned nth = 0; hit; nth++) {
        struct replay_script *s = NULL;
        struct err e;
        int r;

        alloc_fail_at(nth);
        r = load(&t, REPLAY_SCRIPT_MAX, &s, &e);
        hit = alloc_fail_clear();
        /* Memory that cannot be given back is no failure. */
        assert_true(r == 0 || (hit && r == -ENOMEM));
        if (r == 0) {
            assert_int_equal(s->count, 2);
            assert_int_equal(s->connections[0].message_count, 2);
            replay_script_free(s);
        }
        assert_int_equal(alloc_live(), before);
    }
    script_tape_deinit(&t);
}

/* As many bytes as there are fit; of one less the words say what to do. */
static void content_has_a_limit(void **state)
{
    struct replay_script *s = NULL;
    struct script_tape t;
    struct err e;
    uint64_t bytes;

    (void)state;
    put_everything(&t);
    assert_int_equal(load(&t, REPLAY_SCRIPT_MAX, &s, &e), 0);
    bytes = s->bytes;
    replay_script_free(s);
    assert_int_equal(load(&t, bytes, &s, &e), 0);
    assert_int_equal(s->bytes, bytes);
    replay_script_free(s);
    for (uint64_t limit = 0; limit < bytes; limit++) {
        assert_int_equal(load(&t, limit, &s, &e), -EFBIG);
        assert_non_null(strstr(e.text, "record it in parts"));
    }
    script_tape_deinit(&t);
}

static void a_tape_that_cannot_be_read_says_so(void **state)
{
    struct memory_source memory = { 0 };
    struct capture_source source = memory_source(&memory);
    struct capture_reader *reader;
    struct replay_script *s;
    struct script_tape t;
    struct err e;

    (void)state;
    put_everything(&t);
    memory.bytes = tape_bytes(&t.tape);
    memory.chunk = 300;
    assert_int_equal(capture_reader_new(&source, &reader, &e), 0);
    memory.error = -EIO;
    assert_int_equal(replay_script_new(reader, NULL, NULL, &s, &e), -EIO);
    assert_string_equal(e.text, "cannot read the tape: Input/output error");
    capture_reader_free(reader);
    script_tape_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_whose_end_is_damaged_is_none),
        cmocka_unit_test(a_message_of_which_a_frame_is_missing_is_not_whole),
        cmocka_unit_test(a_gap_ends_what_is_in_progress),
        cmocka_unit_test(a_gap_ends_it_on_all_connections),
        cmocka_unit_test(a_torn_tape_plays_up_to_where_it_is_torn),
        cmocka_unit_test(times_are_within_bounds),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(content_has_a_limit),
        cmocka_unit_test(a_tape_that_cannot_be_read_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
