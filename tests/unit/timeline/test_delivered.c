/* What wstape itself sent: SENT records joined to messages, beside those that arrived.
 */
#include "tests/unit/timeline/transcript.h"

#include "base/alloc.h"
#include "wire/deflate.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    TEXT = WIRE_FIN | WIRE_OP_TEXT,
    TEXT_START = WIRE_OP_TEXT,
    LAST = WIRE_FIN | WIRE_OP_CONTINUATION,
    CODED = WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT,
};

static int setup(void **state)
{
    struct transcript *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    transcript_init(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct transcript *t = *state;

    transcript_deinit(t);
    free(t);
    assert_int_equal(alloc_live(), 0);
    return 0;
}

/* A rule hit a message. */
static void hit(struct transcript *t, enum side from, const char *rule)
{
    struct capture_record r = { .type = CAPTURE_FAULT, .connection = t->connection };

    r.u.fault.from = from;
    r.u.fault.opcode = WIRE_OP_TEXT;
    r.u.fault.message = 1;
    r.u.fault.rule = bytes_of(rule);
    r.u.fault.applied = 1;
    feed(t, &r);
}

/* One frame that wstape sent. */
static void said(struct transcript *t, enum side from, const char *cause, uint8_t first,
                 struct bytes payload)
{
    uint8_t wire[1024];

    assert_true(payload.len + WIRE_FRAME_HEADER_MAX <= sizeof(wire));
    sent_frames(t, side_other(from), cause,
                bytes_make(wire, put_wire(wire, from, first, payload)));
}

static void stands_behind_what_arrived(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    frame(t, SERVER, TEXT, bytes_of("{\"a\":1,\"b\":2}"));
    hit(t, SERVER, "no a");
    said(t, SERVER, "no a", TEXT, bytes_of("{\"b\":2}"));
    frame(t, CLIENT, TEXT, bytes_of("long"));
    hit(t, CLIENT, "short");
    said(t, CLIENT, "short", TEXT, bytes_of("lo"));
    expect(t, "s>c op 1 #1 13 \"{\"a\":1,\"b\":2}\"\n"
              "record 10 of 1\n"
              "[no a] s>c op 1 7 \"{\"b\":2}\"\n"
              "c>s op 1 #1 4 \"long\"\n"
              "record 10 of 1\n"
              "[short] c>s op 1 2 \"lo\"\n");
}

static void every_frame_of_one_record_comes(void **state)
{
    struct transcript *t = *state;
    uint8_t wire[256];
    size_t len;

    shake(t, NULL);
    len = put_wire(wire, CLIENT, WIRE_OP_TEXT, bytes_of("in "));
    len += put_wire(wire + len, CLIENT, WIRE_FIN | WIRE_OP_PING, bytes_of(""));
    len += put_wire(wire + len, CLIENT, LAST, bytes_of("two"));
    len += put_wire(wire + len, CLIENT, WIRE_FIN | WIRE_OP_CLOSE,
                    bytes_make("\x03\xf3why", 5));
    sent_frames(t, SERVER, "many", bytes_make(wire, len));
    expect(t, "[many] c>s op 9 0 \"\"\n"
              "[many] c>s op 1 6 \"in two\" in 2\n"
              "[many] c>s op 8 5 \"\\x03\\xf3why\"\n");
}

/* However it is split over records: masks go on, headers are joined. */
static void frames_may_be_split_anywhere(void **state)
{
    struct transcript *t = *state;
    uint8_t wire[512], text[300];
    size_t len;

    memset(text, 'x', sizeof(text));
    memcpy(text + 200, "middle", 6);
    len = put_wire(wire, CLIENT, WIRE_OP_TEXT, bytes_make(text, sizeof(text)));
    len += put_wire(wire + len, CLIENT, LAST, bytes_of("end"));
    t->config.message_keep = 0;
    shake(t, NULL);
    for (size_t piece = 1; piece < len; piece++) {
        for (size_t at = 0; at < len; at += piece) {
            struct bytes in = bytes_make(wire + at, len - at);

            sent_frames(t, SERVER, "cut",
                        bytes_first(in, piece < in.len ? piece : in.len));
        }
        expect(t, "[cut] c>s op 1 303 \"\" in 2 cut\n");
    }
}

static void what_is_split_keeps_its_bytes(void **state)
{
    struct transcript *t = *state;
    uint8_t wire[64];
    size_t len = put_wire(wire, CLIENT, TEXT, bytes_of("masked in pieces"));

    shake(t, NULL);
    for (size_t at = 0; at < len; at += 3) {
        sent_frames(t, SERVER, "cut",
                    bytes_make(wire + at, len - at < 3 ? len - at : 3));
    }
    expect(t, "[cut] c>s op 1 16 \"masked in pieces\"\n");
}

static void names_violations(void **state)
{
    struct transcript *t = *state;
    uint8_t wire[64];
    size_t len;

    shake(t, NULL);
    said(t, SERVER, "bad", TEXT | WIRE_RSV2, bytes_of("rsv"));
    said(t, SERVER, "bad", TEXT, bytes_of("\xff"));
    said(t, SERVER, "bad", LAST, bytes_of(""));
    len = put_wire(wire, CLIENT, TEXT, bytes_of("masked"));
    sent_frames(t, CLIENT, "bad", bytes_make(wire, len));
    said(t, SERVER, "bad", WIRE_FIN | WIRE_OP_CLOSE, bytes_make("\x03\xed", 2));
    expect(t, "[bad] s>c op 1 3 \"rsv\" !rsv\n"
              "[bad] s>c op 1 1 \"\\xff\" !utf8\n"
              "[bad] s>c op 0 0 \"\" !orphan\n"
              "[bad] s>c op 1 6 \"masked\" !mask\n"
              "[bad] s>c op 8 2 \"\\x03\\xed\" !close_code\n");
}

/* ---- permessage-deflate ---- */

/* As the proxy does it: after a drop, all that is compressed is compressed anew. */
static void a_context_of_its_own_after_a_drop(void **state)
{
    struct deflater *backend = deflater_new(), *ours = deflater_new();
    struct transcript *t = *state;

    shake(t, "permessage-deflate");
    frame(t, SERVER, CODED, deflate_text(backend, "first of a kind", false));
    frame(t, SERVER, CODED, deflate_text(backend, "second of a kind", false));
    hit(t, SERVER, "drop");
    frame(t, SERVER, CODED, deflate_text(backend, "third of a kind", false));
    said(t, SERVER, "recompressed", CODED,
         deflate_text(ours, "third of a kind", false));
    frame(t, SERVER, TEXT, bytes_of("plain"));
    frame(t, SERVER, CODED, deflate_text(backend, "fourth of a kind", false));
    hit(t, SERVER, "edit");
    said(t, SERVER, "edit", CODED, deflate_text(ours, "edited of a kind", false));
    expect(t, "s>c op 1 #1 15 \"first of a kind\" inflated\n"
              "s>c op 1 #2 16 \"second of a kind\" inflated\n"
              "record 10 of 1\n"
              "s>c op 1 #3 15 \"third of a kind\" inflated\n"
              "[recompressed] s>c op 1 15 \"third of a kind\" inflated\n"
              "s>c op 1 #4 5 \"plain\"\n"
              "s>c op 1 #5 16 \"fourth of a kind\" inflated\n"
              "record 10 of 1\n"
              "[edit] s>c op 1 16 \"edited of a kind\" inflated\n");
    deflater_free(backend);
    deflater_free(ours);
}

/* The proxy's own compressor, a window of 512 bytes, and what two hundred messages made
 * of it, some of them in two frames. */
static void many_drops_in_a_small_window(void **state)
{
    struct deflater *backend = deflater_new();
    struct wire_deflate *ours = wire_deflate_new(9, false);
    struct transcript *t = *state;
    struct buf coded = { 0 };
    char text[128], want[256];

    shake(t, "permessage-deflate; client_max_window_bits=9");
    for (int i = 0; i < 200; i++) {
        bool dropped = i % 3 == 1;
        size_t half;

        snprintf(text, sizeof(text), "{\"n\":%d,\"square\":%d,\"again\":%d}", i, i * i,
                 i);
        frame(t, CLIENT, CODED, deflate_text(backend, text, true));
        if (dropped) {
            hit(t, CLIENT, "drop");
            buf_clear(&t->lines);
            continue;
        }
        buf_clear(&t->lines);
        buf_clear(&coded);
        assert_int_equal(wire_deflate_message(ours, bytes_of(text), &coded), 0);
        half = i % 2 == 0 ? 0 : coded.len / 2;
        if (half > 0) {
            said(t, CLIENT, "recompressed", WIRE_RSV1 | WIRE_OP_TEXT,
                 bytes_first(buf_bytes(&coded), half));
        }
        said(t, CLIENT, "recompressed", half > 0 ? LAST : CODED,
             bytes_from(buf_bytes(&coded), half));
        snprintf(want, sizeof(want), "[recompressed] c>s op 1 %zu \"%s\"%s inflated\n",
                 strlen(text), text, half > 0 ? " in 2" : "");
        expect(t, want);
    }
    buf_deinit(&coded);
    wire_deflate_free(ours);
    deflater_free(backend);
}

static void without_takeover_every_message_stands_alone(void **state)
{
    struct deflater *ours = deflater_new();
    struct transcript *t = *state;

    shake(t, "permessage-deflate; server_no_context_takeover");
    said(t, SERVER, "a", CODED, deflate_text(ours, "the same text", true));
    stretch(t, CAPTURE_EVENT_DAMAGE, 1, 2);
    said(t, SERVER, "b", CODED, deflate_text(ours, "the same text", true));
    expect(t, "[a] s>c op 1 13 \"the same text\" inflated\n"
              "damage 1+2\n"
              "[b] s>c op 1 13 \"the same text\" inflated\n");
    deflater_free(ours);
}

/* ---- from when on nothing passes ---- */

/* A rule hit a message of `opcode`. */
static void act(struct transcript *t, enum side from, uint8_t opcode,
                const char *action, bool applied)
{
    struct capture_record r = { .type = CAPTURE_FAULT, .connection = t->connection };

    r.u.fault.from = from;
    r.u.fault.opcode = opcode;
    r.u.fault.message = 1;
    r.u.fault.rule = bytes_of("rule");
    r.u.fault.action = bytes_of(action);
    r.u.fault.applied = applied;
    feed(t, &r);
    buf_clear(&t->lines);
}

/* A message each way: which of them passes? */
static void expect_passage(struct transcript *t, bool to_client, bool to_server)
{
    char want[128];

    buf_clear(&t->lines);
    frame(t, SERVER, WIRE_FIN | WIRE_OP_PING, bytes_of(""));
    frame(t, CLIENT, WIRE_FIN | WIRE_OP_PING, bytes_of(""));
    snprintf(want, sizeof(want), "s>c op 9 0 \"\"%s\nc>s op 9 0 \"\"%s\n",
             to_client ? "" : " withheld", to_server ? "" : " withheld");
    expect(t, want);
}

static void nothing_follows_a_close_of_wstapes_own(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    expect_passage(t, true, true);
    said(t, SERVER, "wstape stops", WIRE_FIN | WIRE_OP_CLOSE, bytes_of("\x03\xe9"));
    expect_passage(t, false, true);
    said(t, CLIENT, "wstape stops", WIRE_FIN | WIRE_OP_CLOSE, bytes_of("\x03\xe9"));
    expect_passage(t, false, false);
}

static void nothing_follows_a_rule_that_ends(void **state)
{
    static const char *const actions[] = { "close", "abort" };
    struct transcript *t = *state;

    for (unsigned i = 0; i < 2; i++) {
        t->connection = i + 1;
        shake(t, NULL);
        act(t, CLIENT, WIRE_OP_TEXT, actions[i], false);
        frame(t, CLIENT, TEXT, bytes_of("x"));
        act(t, CLIENT, WIRE_OP_TEXT, "delay", true);
        act(t, CLIENT, WIRE_OP_TEXT, actions[i], true);
        buf_clear(&t->lines);
        frame(t, CLIENT, TEXT, bytes_of("y"));
        expect(t, i == 0 ? "c>s op 1 #2 1 \"y\" withheld\n"
                         : "2 c>s op 1 #2 1 \"y\" withheld\n");
    }
}

static void nothing_follows_a_close_that_violates(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    frame(t, SERVER, TEXT, bytes_of("x"));
    act(t, SERVER, WIRE_OP_TEXT, "violate", true);
    said(t, SERVER, "rule", WIRE_FIN | WIRE_OP_CLOSE, bytes_of("\x03\xed"));
    expect_passage(t, false, true);
}

static void a_message_that_was_changed_ends_nothing(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    frame(t, SERVER, WIRE_FIN | WIRE_OP_CLOSE, bytes_of("\x03\xe8"));
    act(t, SERVER, WIRE_OP_CLOSE, "replace", true);
    said(t, SERVER, "rule", WIRE_FIN | WIRE_OP_CLOSE, bytes_of("\x03\xe9"));
    expect_passage(t, true, true);
    frame(t, SERVER, TEXT, bytes_of("x"));
    act(t, SERVER, WIRE_OP_TEXT, "violate", true);
    said(t, SERVER, "rule", TEXT, bytes_of("\xff"));
    said(t, SERVER, "recompressed", WIRE_FIN | WIRE_OP_CLOSE, bytes_of(""));
    expect_passage(t, true, true);
}

static void nothing_follows_the_end_of_a_leg(void **state)
{
    struct transcript *t = *state;

    shake(t, NULL);
    end(t, CLIENT, CAPTURE_END_FIN, false);
    expect_passage(t, true, true);
    end(t, CLIENT, CAPTURE_END_FIN, true);
    expect_passage(t, false, true);
}

/* ---- damage ---- */

static void damage_loses_what_wstape_said(void **state)
{
    struct deflater *ours = deflater_new();
    struct transcript *t = *state;
    uint8_t wire[64];
    size_t len = put_wire(wire, SERVER, TEXT, bytes_of("a message in two records"));

    shake(t, "permessage-deflate");
    said(t, SERVER, "a", CODED, deflate_text(ours, "context", false));
    sent_frames(t, CLIENT, "a", bytes_make(wire, 10));
    stretch(t, CAPTURE_EVENT_DAMAGE, 1, 2);
    sent_frames(t, CLIENT, "a", bytes_make(wire + 10, len - 10));
    said(t, SERVER, "a", CODED, deflate_text(ours, "context", false));
    said(t, SERVER, "a", TEXT, bytes_of("plain"));
    expect(t, "[a] s>c op 1 7 \"context\" inflated\n"
              "[] s>c op 1 8 \"a messag\" incomplete\n"
              "damage 1+2\n"
              "record 9 of 1\n"
              "[a] s>c op 1 5 coded-lost\n"
              "[a] s>c op 1 5 \"plain\"\n");
    deflater_free(ours);
}

/* The first SENT may have been in what is missing. */
static void damage_before_the_first_word_counts(void **state)
{
    struct deflater *ours = deflater_new();
    struct transcript *t = *state;

    shake(t, "permessage-deflate");
    stretch(t, CAPTURE_EVENT_MISSING, 1, 2);
    said(t, SERVER, "a", CODED, deflate_text(ours, "context", false));
    expect(t, "missing 1+2\n"
              "[a] s>c op 1 9 coded-lost\n");
    deflater_free(ours);
}

static void what_does_not_end_is_incomplete(void **state)
{
    struct transcript *t = *state;
    uint8_t wire[64];

    shake(t, NULL);
    put_wire(wire, SERVER, TEXT, bytes_of("never finished"));
    sent_frames(t, CLIENT, "stop", bytes_make(wire, 7));
    end(t, SERVER, CAPTURE_END_RESET, false);
    end(t, CLIENT, CAPTURE_END_RESET, false);
    expect(t, "end server 3\n"
              "[] s>c op 1 5 \"never\" incomplete\n"
              "end client 3\n");
}

static void http_is_no_frame(void **state)
{
    struct transcript *t = *state;

    request(t, 1, "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n");
    sent(t, CLIENT, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nhm");
    expect(t, "record 9 of 1\n"
              "GET /ws = 503 up 0 down 2 by-wstape\n");
}

static void frames_come_one_by_one(void **state)
{
    struct transcript *t = *state;

    t->config.frames = true;
    shake(t, NULL);
    frame(t, SERVER, TEXT, bytes_of("whole"));
    said(t, SERVER, "fragment", TEXT_START, bytes_of("wh"));
    said(t, SERVER, "fragment", LAST, bytes_of("ole"));
    expect(t, "s>c op 1 5 \"whole\"\n"
              "[fragment] s>c op 1 2 \"wh\"\n"
              "[fragment] s>c op 0 3 \"ole\"\n");
}

/* ---- out of memory ---- */

static int no_moment(void *owner, const struct capture_moment *m)
{
    (void)owner;
    (void)m;
    return 0;
}

static int story(struct transcript *t, struct deflater *d)
{
    struct bytes coded = deflate_text(d, "hello hello hello hello", true);
    uint8_t wire[64];
    size_t len = put_wire(wire, CLIENT, CODED, coded);

    shake(t, "permessage-deflate");
    sent_frames(t, SERVER, "a", bytes_make(wire, 8));
    sent_frames(t, SERVER, "a", bytes_make(wire + 8, len - 8));
    finish(t, 0);
    return t->result;
}

static void every_allocation_may_fail(void **state)
{
    struct deflater *d = deflater_new();
    bool failed = true;

    (void)state;
    for (unsigned long nth = 0; failed; nth++) {
        struct transcript t;
        int r;

        transcript_init(&t);
        t.config.moment = no_moment;
        alloc_fail_at(nth);
        r = story(&t, d);
        failed = alloc_fail_clear();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        transcript_deinit(&t);
        assert_int_equal(alloc_live(), 0);
    }
    deflater_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(stands_behind_what_arrived),
        CASE(every_frame_of_one_record_comes),
        CASE(frames_may_be_split_anywhere),
        CASE(what_is_split_keeps_its_bytes),
        CASE(names_violations),
        CASE(a_context_of_its_own_after_a_drop),
        CASE(many_drops_in_a_small_window),
        CASE(without_takeover_every_message_stands_alone),
        CASE(nothing_follows_a_close_of_wstapes_own),
        CASE(nothing_follows_a_rule_that_ends),
        CASE(nothing_follows_a_close_that_violates),
        CASE(a_message_that_was_changed_ends_nothing),
        CASE(nothing_follows_the_end_of_a_leg),
        CASE(damage_loses_what_wstape_said),
        CASE(damage_before_the_first_word_counts),
        CASE(what_does_not_end_is_incomplete),
        CASE(http_is_no_frame),
        CASE(frames_come_one_by_one),
        CASE(every_allocation_may_fail),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
