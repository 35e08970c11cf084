/* Frames to messages: fragments, control frames, compression, loss. */
#include "tests/unit/timeline/transcript.h"

#include "base/alloc.h"
#include "wire/frame.h"
#include "wire/lint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    TEXT = WIRE_FIN | WIRE_OP_TEXT,
    BINARY = WIRE_FIN | WIRE_OP_BINARY,
    TEXT_START = WIRE_OP_TEXT,
    GOES_ON = WIRE_OP_CONTINUATION,
    LAST = WIRE_FIN | WIRE_OP_CONTINUATION,
    PING = WIRE_FIN | WIRE_OP_PING,
    CLOSE = WIRE_FIN | WIRE_OP_CLOSE,
    DEFLATED = WIRE_RSV1,
};

static int setup(void **state)
{
    struct transcript *t = malloc(sizeof(*t));

    if (t == NULL) {
        return -1;
    }
    transcript_init(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    transcript_deinit(*state);
    free(*state);
    assert_int_equal(alloc_live(), 0);
    return 0;
}

static void counts_in_each_direction(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    frame(t, SERVER, TEXT, bytes_of("hi"));
    frame(t, CLIENT, TEXT, bytes_of("hello"));
    frame(t, CLIENT, BINARY, bytes_of("\x01\x02"));
    frame(t, SERVER, TEXT, bytes_of(""));
    expect(t, "s>c op 1 #1 2 \"hi\"\n"
              "c>s op 1 #1 5 \"hello\"\n"
              "c>s op 2 #2 2 \"\\x01\\x02\"\n"
              "s>c op 1 #2 0 \"\"\n");
}

static void joins_fragments_around_control_frames(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    frame(t, CLIENT, TEXT_START, bytes_of("one "));
    frame(t, CLIENT, PING, bytes_of("p"));
    frame(t, SERVER, TEXT, bytes_of("meanwhile"));
    frame(t, CLIENT, GOES_ON, bytes_of("two "));
    expect(t, "c>s op 9 1 \"p\"\n"
              "s>c op 1 #1 9 \"meanwhile\"\n");
    frame(t, CLIENT, LAST, bytes_of("three"));
    frame(t, CLIENT, CLOSE, bytes_of("\x03\xe8"));
    expect(t, "c>s op 1 #1 13 \"one two three\" in 3\n"
              "c>s op 8 2 \"\\x03\\xe8\"\n");
}

static void joins_pieces_wherever_they_are_cut(void **state)
{
    static const char payload[] = "the quick brown fox";
    size_t len = sizeof(payload) - 1;

    (void)state;
    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) {
            struct transcript t;

            transcript_init(&t);
            shake(&t, NULL);
            frame_start(&t, SERVER, TEXT, len, bytes_make(payload, a));
            if (a < len) {
                more(&t, SERVER, bytes_make(payload + a, b - a));
            }
            if (a < len && b < len) {
                more(&t, SERVER, bytes_make(payload + b, len - b));
            }
            expect(&t, "s>c op 1 #1 19 \"the quick brown fox\"\n");
            transcript_deinit(&t);
        }
    }
}

static int check_times(void *owner, const struct capture_moment *m)
{
    int *seen = owner;

    if (m->kind == CAPTURE_MOMENT_MESSAGE) {
        assert_int_equal(m->time_ns, 5000);
        assert_int_equal(m->u.message->time_ns, 5000);
        assert_int_equal(m->u.message->end_ns, 9000);
        (*seen)++;
    }
    return 0;
}

static void keeps_first_and_last_time(void **state)
{
    struct transcript *t = *state;
    int seen = 0;

    t->config.moment = check_times;
    t->config.owner = &seen;
    shake(t, NULL);
    t->now_ns = 5000;
    frame(t, CLIENT, TEXT_START, bytes_of("a"));
    t->now_ns = 9000;
    frame(t, CLIENT, LAST, bytes_of("b"));
    assert_int_equal(seen, 1);
}

static void orphan(struct transcript *t, uint8_t first, const char *payload)
{
    struct capture_record r = { .type = CAPTURE_FRAME, .connection = 1 };

    r.u.frame.from = CLIENT;
    r.u.frame.frame = (struct capture_frame){ .first = first,
                                              .payload_len = strlen(payload),
                                              .faults = WIRE_FAULT_ORPHAN,
                                              .payload = bytes_of(payload) };
    feed(t, &r);
}

static void names_what_does_not_belong(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    orphan(t, LAST, "orphan");
    orphan(t, GOES_ON, "another");
    expect(t, "c>s op 0 6 \"orphan\" !orphan\n"
              "c>s op 0 7 \"another\" !orphan\n");
    frame(t, CLIENT, TEXT_START, bytes_of("cut off"));
    frame(t, CLIENT, TEXT, bytes_of("by this"));
    orphan(t, LAST, "late");
    expect(t, "c>s op 1 #1 7 \"cut off\" incomplete\n"
              "c>s op 1 #2 7 \"by this\"\n"
              "c>s op 0 4 \"late\" !orphan\n");
    frame(t, CLIENT, WIRE_FIN | 11, bytes_of("reserved"));
    frame(t, CLIENT, WIRE_FIN | 3, bytes_of("too"));
    frame(t, CLIENT, WIRE_OP_PING, bytes_of("no FIN"));
    frame(t, CLIENT, TEXT, bytes_of("goes on"));
    expect(t, "c>s op 11 8 \"reserved\"\n"
              "c>s op 3 3 \"too\"\n"
              "c>s op 9 6 \"no FIN\"\n"
              "c>s op 1 #3 7 \"goes on\"\n");
}

static void passes_faults_on(void **state)
{
    struct transcript *t = *state;
    struct capture_record r = { .type = CAPTURE_FRAME, .connection = 1 };

    shake(t, NULL);
    r.u.frame.from = CLIENT;
    r.u.frame.frame = (struct capture_frame){ .first = TEXT,
                                              .payload_len = 4,
                                              .faults = WIRE_FAULT_MASK,
                                              .payload = bytes_of("ab") };
    feed(t, &r);
    r = (struct capture_record){ .type = CAPTURE_MORE, .connection = 1 };
    r.u.more.from = CLIENT;
    r.u.more.faults = WIRE_FAULT_UTF8;
    r.u.more.payload = bytes_of("\xff!");
    feed(t, &r);
    expect(t, "c>s op 1 #1 4 \"ab\\xff!\" !mask !utf8\n");
}

static void ends_what_is_in_progress(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    frame(t, CLIENT, TEXT_START, bytes_of("never "));
    frame_start(t, CLIENT, PING, 9, bytes_of("cut"));
    frame_start(t, SERVER, TEXT, UINT64_C(1) << 63, bytes_of("endless"));
    expect(t, "");
    end(t, CLIENT, CAPTURE_END_RESET, false);
    expect(t, "c>s op 9 3 \"cut\" incomplete\n"
              "c>s op 1 #1 6 \"never \" incomplete\n"
              "end client 3\n");
    more(t, SERVER, bytes_of("!"));
    finish(t, 7);
    expect(t, "s>c op 1 #1 8 \"endless!\" incomplete\n"
              "torn 9+7\n");
}

static void half_closed_sides_go_on(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    end(t, CLIENT, CAPTURE_END_FIN, false);
    end(t, SERVER, CAPTURE_END_FIN, true);
    frame(t, SERVER, TEXT, bytes_of("still talking"));
    end(t, SERVER, CAPTURE_END_FIN, false);
    end(t, CLIENT, CAPTURE_END_FIN, true);
    expect(t, "end client 1\n"
              "end server 1 by wstape\n"
              "s>c op 1 #1 13 \"still talking\"\n"
              "end server 1\n"
              "end client 1 by wstape\n");
}

/* ---- compression ---- */

static void inflates_with_context(void **state)
{
    struct transcript *t = *state;
    struct deflater *d = deflater_new();
    struct bytes whole;

    shake(t, "permessage-deflate");
    frame(t, SERVER, TEXT | DEFLATED, deflate_text(d, "hello hello hello", false));
    frame(t, SERVER, TEXT | DEFLATED, deflate_text(d, "hello hello hello", false));
    frame(t, SERVER, TEXT, bytes_of("not coded"));
    whole = deflate_text(d, "hello again", false);
    frame(t, SERVER, TEXT_START | DEFLATED, bytes_first(whole, 2));
    frame(t, SERVER, PING, bytes_of("p"));
    frame(t, SERVER, LAST, bytes_from(whole, 2));
    expect(t, "s>c op 1 #1 17 \"hello hello hello\" inflated\n"
              "s>c op 1 #2 17 \"hello hello hello\" inflated\n"
              "s>c op 1 #3 9 \"not coded\"\n"
              "s>c op 9 1 \"p\"\n"
              "s>c op 1 #4 11 \"hello again\" in 2 inflated\n");
    deflater_free(d);
}

static void inflates_without_context(void **state)
{
    struct transcript *t = *state;
    struct deflater *d = deflater_new();

    shake(t, "permessage-deflate; client_no_context_takeover");
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "hello hello", true));
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "hello hello", true));
    expect(t, "c>s op 1 #1 11 \"hello hello\" inflated\n"
              "c>s op 1 #2 11 \"hello hello\" inflated\n");
    deflater_free(d);
}

static void judges_text_it_has_inflated(void **state)
{
    struct transcript *t = *state;
    struct deflater *d = deflater_new();

    shake(t, "permessage-deflate");
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "bad \xff", false));
    frame(t, CLIENT, BINARY | DEFLATED, deflate_text(d, "fine \xff", false));
    expect(t, "c>s op 1 #1 5 \"bad \\xff\" inflated !utf8\n"
              "c>s op 2 #2 6 \"fine \\xff\" inflated\n");
    deflater_free(d);
}

static void loses_the_context_with_a_corrupt_message(void **state)
{
    struct transcript *t = *state;
    struct deflater *d = deflater_new();

    shake(t, "permessage-deflate; server_no_context_takeover");
    frame(t, CLIENT, TEXT | DEFLATED, bytes_of("\xff\xff\xff\xff"));
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "hello", false));
    frame(t, CLIENT, TEXT, bytes_of("readable"));
    frame(t, SERVER, TEXT | DEFLATED, bytes_of("\xff\xff\xff\xff"));
    frame(t, SERVER, TEXT | DEFLATED, deflate_text(d, "hello", true));
    expect(t, "c>s op 1 #1 4 coded-corrupt\n"
              "c>s op 1 #2 7 coded-lost\n"
              "c>s op 1 #3 8 \"readable\"\n"
              "s>c op 1 #1 4 coded-corrupt\n"
              "s>c op 1 #2 5 \"hello\" inflated\n");
    deflater_free(d);
}

static void does_not_guess_at_extensions(void **state)
{
    struct transcript *t = *state;

    shake(t, "permessage-deflate, x-mine");
    frame(t, CLIENT, TEXT | WIRE_RSV2, bytes_of("abc"));
    frame(t, CLIENT, TEXT | WIRE_RSV1 | WIRE_RSV2, bytes_of("abc"));
    frame(t, CLIENT, TEXT, bytes_of("plain"));
    expect(t, "c>s op 1 #1 3 coded-unknown\n"
              "c>s op 1 #2 3 coded-unknown\n"
              "c>s op 1 #3 5 \"plain\"\n");
    t->connection = 2;
    frame(t, CLIENT, TEXT | WIRE_RSV1, bytes_of("abc"));
    expect(t, "2 c>s op 1 #1 3 coded-no-handshake\n");
}

/* ---- loss ---- */

static void damage_breaks_what_is_in_progress(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    frame(t, CLIENT, TEXT_START, bytes_of("half a message"));
    frame_start(t, SERVER, TEXT, 10, bytes_of("half"));
    stretch(t, CAPTURE_EVENT_DAMAGE, 100, 50);
    expect(t, "c>s op 1 #1 14 \"half a message\" incomplete\n"
              "s>c op 1 #1 4 \"half\" incomplete\n"
              "damage 100+50\n");
    more(t, SERVER, bytes_of("a frame"));
    frame(t, CLIENT, LAST, bytes_of("its end"));
    frame(t, SERVER, TEXT, bytes_of("whole again"));
    expect(t, "s>c stray \"a frame\"\n"
              "c>s op 0 7 \"its end\" incomplete\n"
              "s>c op 1 #2 11 \"whole again\"\n");
}

static void damage_loses_the_inflate_context(void **state)
{
    struct transcript *t = *state;
    struct deflater *with = deflater_new(), *without = deflater_new();

    shake(t, "permessage-deflate; server_no_context_takeover");
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(with, "hello", false));
    frame(t, SERVER, TEXT | DEFLATED, deflate_text(without, "hello", true));
    stretch(t, CAPTURE_EVENT_DAMAGE, 100, 50);
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(with, "hello", false));
    frame(t, SERVER, TEXT | DEFLATED, deflate_text(without, "hello", true));
    expect(t, "c>s op 1 #1 5 \"hello\" inflated\n"
              "s>c op 1 #1 5 \"hello\" inflated\n"
              "damage 100+50\n"
              "c>s op 1 #2 5 coded-lost\n"
              "s>c op 1 #2 5 \"hello\" inflated\n");
    deflater_free(with);
    deflater_free(without);
}

static void a_gap_is_damage_too(void **state)
{
    struct transcript *t = *state;
    struct capture_record gap = { .type = CAPTURE_GAP };

    shake(t, NULL);
    frame(t, CLIENT, TEXT_START, bytes_of("half"));
    feed(t, &gap);
    expect(t, "c>s op 1 #1 4 \"half\" incomplete\n"
              "record 13 of 0\n");
}

static void doubt_takes_nothing_for_whole(void **state)
{
    struct transcript *t = *state;
    struct deflater *d = deflater_new();

    shake(t, "permessage-deflate");
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "hello", false));
    assert_int_equal(capture_timeline_doubt(t->timeline, true), 0);
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "hello", false));
    frame(t, SERVER, TEXT_START, bytes_of("one"));
    frame(t, SERVER, LAST, bytes_of("three"));
    frame(t, SERVER, TEXT, bytes_of("single"));
    stretch(t, CAPTURE_EVENT_MISSING, 10, 20);
    assert_int_equal(capture_timeline_doubt(t->timeline, false), 0);
    frame(t, SERVER, TEXT_START, bytes_of("a"));
    frame(t, SERVER, LAST, bytes_of("b"));
    expect(t, "c>s op 1 #1 5 \"hello\" inflated\n"
              "c>s op 1 #2 5 coded-lost\n"
              "s>c op 1 #1 8 \"onethree\" in 2 incomplete\n"
              "s>c op 1 #2 6 \"single\"\n"
              "missing 10+20\n"
              "s>c op 1 #3 2 \"ab\" in 2\n");
    deflater_free(d);
}

/* ---- limits ---- */

static void keeps_no_more_than_wanted(void **state)
{
    struct transcript *t = *state;

    t->config.message_keep = 4;
    shake(t, NULL);
    frame(t, CLIENT, TEXT, bytes_of("123456"));
    frame(t, CLIENT, TEXT_START, bytes_of("123"));
    frame(t, CLIENT, GOES_ON, bytes_of("456"));
    frame(t, CLIENT, LAST, bytes_of("789"));
    frame(t, CLIENT, TEXT, bytes_of("1234"));
    expect(t, "c>s op 1 #1 6 \"1234\" cut\n"
              "c>s op 1 #2 9 \"1234\" in 3 cut\n"
              "c>s op 1 #3 4 \"1234\"\n");
}

static void large_compressed_messages_stay_coded(void **state)
{
    struct transcript *t = *state;
    struct deflater *d = deflater_new();
    struct bytes coded;

    t->config.limit = 8;
    shake(t, "permessage-deflate");
    coded = deflate_text(d, "0123456789abcdef", false);
    frame(t, CLIENT, TEXT_START | DEFLATED, bytes_first(coded, 6));
    frame(t, CLIENT, LAST, bytes_from(coded, 6));
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "next", false));
    expect(t, "c>s op 1 #1 18 in 2 coded-large cut\n"
              "c>s op 1 #2 6 coded-lost\n");
    deflater_free(d);
}

static void inflating_stops_at_the_limit(void **state)
{
    struct transcript *t = *state;
    struct deflater *d = deflater_new();

    t->config.limit = 8;
    shake(t, "permessage-deflate");
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "aaaaaaaaaaaaaaaaaaaa", false));
    frame(t, CLIENT, TEXT | DEFLATED, deflate_text(d, "aaaaaaa", false));
    expect(t, "c>s op 1 #1 8 \"aaaaaaaa\" inflated cut over\n"
              "c>s op 1 #2 7 \"aaaaaaa\" inflated\n");
    deflater_free(d);
}

static void all_that_is_held_is_bounded(void **state)
{
    struct transcript *t = *state;
    char lines[64];

    t->config.limit = 10; /* four times that for all */
    for (uint32_t i = 1; i <= 5; i++) {
        t->connection = i;
        frame(t, CLIENT, TEXT_START, bytes_of("0123456789"));
    }
    expect(t, "");
    for (uint32_t i = 1; i <= 5; i++) {
        t->connection = i;
        frame(t, CLIENT, LAST, bytes_of(""));
        snprintf(lines, sizeof(lines), "%.*u%sc>s op 1 #1 10 \"%s\" in 2%s\n",
                 i > 1 ? 1 : 0, i > 1 ? (unsigned)i : 0U, i > 1 ? " " : "",
                 i < 5 ? "0123456789" : "", i < 5 ? "" : " cut");
        expect(t, lines);
    }
}

static void frames_come_one_by_one(void **state)
{
    struct transcript *t = *state;

    t->config.frames = true;
    shake(t, "permessage-deflate");
    frame(t, CLIENT, TEXT_START | DEFLATED, bytes_of("abc"));
    frame_start(t, CLIENT, PING, 2, bytes_of("p"));
    more(t, CLIENT, bytes_of("q"));
    frame(t, CLIENT, LAST, bytes_of(""));
    frame_start(t, CLIENT, TEXT, 5, bytes_of("cut"));
    frame(t, CLIENT, TEXT, bytes_of("off"));
    expect(t, "c>s op 1 3 \"abc\"\n"
              "c>s op 9 2 \"pq\"\n"
              "c>s op 0 0 \"\"\n"
              "c>s op 1 3 \"cut\" incomplete\n"
              "c>s op 1 3 \"off\"\n");
}

static bool only_second(void *owner, uint32_t connection)
{
    (void)owner;
    return connection == 2;
}

static void leaves_out_what_nobody_wants(void **state)
{
    struct transcript *t = *state;
    struct capture_record note = { .type = CAPTURE_NOTE };

    t->config.wants = only_second;
    frame(t, CLIENT, TEXT, bytes_of("one"));
    t->connection = 2;
    frame(t, CLIENT, TEXT, bytes_of("two"));
    feed(t, &note);
    expect(t, "2 c>s op 1 #1 3 \"two\"\n"
              "record 12 of 0\n");
}

/* ---- out of memory ---- */

static int story(struct transcript *t, struct deflater *d)
{
    struct bytes coded = deflate_text(d, "hello hello hello hello", true);

    shake(t, "permessage-deflate");
    frame(t, CLIENT, TEXT_START | DEFLATED, bytes_first(coded, 3));
    frame(t, CLIENT, LAST, bytes_from(coded, 3));
    request(t, 2, "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    body(t, 2, CLIENT, "3\r\nabc\r\n0\r\n\r\n");
    finish(t, 0);
    return t->result;
}

static int no_moment(void *owner, const struct capture_moment *m)
{
    (void)owner;
    (void)m;
    return 0;
}

static void every_allocation_may_fail(void **state)
{
    struct deflater *d = deflater_new();
    bool hit = true;

    (void)state;
    for (unsigned long nth = 0; hit; nth++) {
        struct transcript t;
        int r;

        transcript_init(&t);
        t.config.moment = no_moment;
        alloc_fail_at(nth);
        r = story(&t, d);
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        transcript_deinit(&t);
        assert_int_equal(alloc_live(), 0);
    }
    deflater_free(d);
}

/* ---- anything goes ---- */

static uint32_t chance(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static void random_record(struct transcript *t, uint64_t *seed)
{
    static const char agrees[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: upgrade\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    static const char *const texts[] = {
        "",
        "\xff\xfe",
        "hello",
        "GET / HTTP/1.1\r\nContent-Length: 7\r\n\r\n",
        agrees,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
    };
    const char *text = texts[chance(seed) % 7];
    enum side side = (enum side)(chance(seed) % 2);

    t->connection = chance(seed) % 3;
    switch (chance(seed) % 9) {
    case 0:
        request(t, chance(seed) % 4, text);
        break;
    case 1:
        response(t, chance(seed) % 4, text);
        break;
    case 2:
        body_cut(t, chance(seed) % 4, side, text, chance(seed) % 3);
        break;
    case 3:
        end(t, side, (enum capture_end)(chance(seed) % 9), chance(seed) % 2 != 0);
        break;
    case 4:
        stretch(t, (enum capture_event)(1 + chance(seed) % 3), chance(seed), 5);
        break;
    case 5:
        sent(t, side, text);
        break;
    case 6:
        more(t, side, bytes_of(text));
        break;
    default:
        frame_start(t, side, (uint8_t)chance(seed), chance(seed) % 12, bytes_of(text));
        break;
    }
}

static void survives_any_order_of_records(void **state)
{
    uint64_t seed = 20261120;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct transcript t;

        transcript_init(&t);
        t.config.frames = round % 5 == 0;
        t.config.limit = round % 2 == 0 ? 3 : 1000;
        for (int i = 0; i < 60; i++) {
            random_record(&t, &seed);
            assert_int_equal(t.result, 0);
        }
        finish(&t, 0);
        assert_int_equal(t.result, 0);
        assert_true(t.lines.len > 0);
        transcript_deinit(&t);
        assert_int_equal(alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(counts_in_each_direction),
        CASE(joins_fragments_around_control_frames),
        CASE(joins_pieces_wherever_they_are_cut),
        CASE(keeps_first_and_last_time),
        CASE(names_what_does_not_belong),
        CASE(passes_faults_on),
        CASE(ends_what_is_in_progress),
        CASE(half_closed_sides_go_on),
        CASE(inflates_with_context),
        CASE(inflates_without_context),
        CASE(judges_text_it_has_inflated),
        CASE(loses_the_context_with_a_corrupt_message),
        CASE(does_not_guess_at_extensions),
        CASE(damage_breaks_what_is_in_progress),
        CASE(damage_loses_the_inflate_context),
        CASE(a_gap_is_damage_too),
        CASE(doubt_takes_nothing_for_whole),
        CASE(keeps_no_more_than_wanted),
        CASE(large_compressed_messages_stay_coded),
        CASE(inflating_stops_at_the_limit),
        CASE(all_that_is_held_is_bounded),
        CASE(frames_come_one_by_one),
        CASE(leaves_out_what_nobody_wants),
        CASE(every_allocation_may_fail),
        CASE(survives_any_order_of_records),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
