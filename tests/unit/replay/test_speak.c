/* Frames of a script on the wire: what is unchanged is as it was, bit by bit. */
#include "replay/speak.h"

#include "base/alloc.h"
#include "base/text.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STEPS_MAX = 16 };

static const struct wire_deflate_params plain = { .server_max_window_bits = 15,
                                                  .client_max_window_bits = 15 };
static const struct wire_deflate_params coded = { .agreed = true,
                                                  .server_max_window_bits = 15,
                                                  .client_max_window_bits = 15 };

/* A connection made by hand. */
struct play {
    struct replay_connection c;
    struct replay_step steps[STEPS_MAX];
    struct replay_message messages[STEPS_MAX];
    struct replay_speak speak;
    struct buf out;
};

static void play_init(struct play *p, enum side from,
                      const struct wire_deflate_params *live)
{
    memset(p, 0, sizeof(*p));
    p->c.steps = p->steps;
    p->c.messages = p->messages;
    replay_speak_init(&p->speak, &p->c, from, live);
}

static void play_deinit(struct play *p)
{
    replay_speak_deinit(&p->speak);
    buf_deinit(&p->out);
    assert_int_equal(alloc_live(), 0);
}

/* A frame with `len` declared, of which `bytes` are its own. */
static uint32_t add_frame(struct play *p, uint8_t first, uint64_t len,
                          struct bytes bytes)
{
    uint32_t at = p->c.step_count++;

    p->steps[at] = (struct replay_step){ .bytes = bytes,
                                         .payload_len = len,
                                         .message = REPLAY_NONE,
                                         .kind = REPLAY_FRAME,
                                         .from = (uint8_t)p->speak.from,
                                         .first = first,
                                         .form = wire_frame_form(len),
                                         .masked = p->speak.from == CLIENT,
                                         .mask = { 0xaa, 0xbb, 0xcc, 0xdd } };
    return at;
}

/* The last `frames` frames are a message. */
static struct replay_message *add_message(struct play *p, uint32_t frames,
                                          const char *text)
{
    struct replay_message *m = &p->messages[p->c.message_count];
    uint32_t last = p->c.step_count - 1;

    *m = (struct replay_message){ .payload = bytes_of(text),
                                  .number = p->c.message_count + 1,
                                  .step = last + 1 - frames,
                                  .last_step = last,
                                  .fragments = frames,
                                  .next = REPLAY_NONE,
                                  .from = (uint8_t)p->speak.from,
                                  .opcode = WIRE_OP_TEXT,
                                  .whole = true };
    for (uint32_t i = m->step; i <= last; i++) {
        p->steps[i].message = p->c.message_count;
    }
    p->c.message_count++;
    return m;
}

static void say(struct play *p, uint32_t step, const char *text)
{
    assert_int_equal(replay_speak_step(&p->speak, step, bytes_of(text), &p->out), 0);
}

/* What was written since the last time, in hex. */
static void expect(struct play *p, const char *hex)
{
    struct buf text = { 0 };

    assert_int_equal(text_put_hex(&text, buf_bytes(&p->out)), 0);
    assert_int_equal(buf_put_byte(&text, 0), 0);
    assert_string_equal((const char *)text.at, hex);
    buf_deinit(&text);
    buf_clear(&p->out);
}

static void says_what_was_said(void **state)
{
    struct play p;

    (void)state;
    play_init(&p, SERVER, &plain);
    add_frame(&p, WIRE_FIN | WIRE_OP_TEXT, 5, bytes_of(""));
    add_message(&p, 1, "hello");
    say(&p, 0, "hello");
    expect(&p, "810568656c6c6f");
    play_deinit(&p);
}

static void masks_with_the_recorded_key(void **state)
{
    struct play p;

    (void)state;
    play_init(&p, CLIENT, &plain);
    add_frame(&p, WIRE_FIN | WIRE_OP_TEXT, 5, bytes_of(""));
    add_message(&p, 1, "hello");
    say(&p, 0, "hello");
    expect(&p, "8185aabbccddc2dea0b1c5");
    play_deinit(&p);
}

static void splits_as_it_was_split(void **state)
{
    struct play p;

    (void)state;
    play_init(&p, SERVER, &plain);
    add_frame(&p, WIRE_OP_TEXT, 2, bytes_of(""));
    add_frame(&p, WIRE_OP_CONTINUATION, 0, bytes_of(""));
    add_frame(&p, WIRE_FIN | WIRE_OP_CONTINUATION, 2, bytes_of(""));
    add_message(&p, 3, "abcd");
    say(&p, 0, "abcd");
    expect(&p, "01026162");
    say(&p, 1, "");
    expect(&p, "0000");
    say(&p, 2, "");
    expect(&p, "80026364");

    say(&p, 0, "abcdefg"); /* longer: the last one has the rest */
    say(&p, 1, "");
    say(&p, 2, "");
    expect(&p, "01026162"
               "0000"
               "80056364656667");

    say(&p, 0, "a"); /* shorter: later ones are empty */
    say(&p, 1, "");
    say(&p, 2, "");
    expect(&p, "010161"
               "0000"
               "8000");
    play_deinit(&p);
}

/* Its first frame came before the handshake, say. */
static void says_no_rest_without_a_beginning(void **state)
{
    struct play p;

    (void)state;
    play_init(&p, SERVER, &plain);
    add_frame(&p, WIRE_OP_TEXT, 2, bytes_of(""));
    add_frame(&p, WIRE_FIN | WIRE_OP_CONTINUATION, 2, bytes_of(""));
    add_message(&p, 2, "abcd");
    add_frame(&p, WIRE_FIN | WIRE_OP_TEXT, 2, bytes_of(""));
    add_message(&p, 1, "ef");
    say(&p, 1, "");
    expect(&p, "");
    say(&p, 2, "ef");
    say(&p, 1, "");
    expect(&p, "81026566");
    play_deinit(&p);
}

/* A control frame in the middle leaves the message alone. */
static void lets_control_frames_in_between(void **state)
{
    struct play p;

    (void)state;
    play_init(&p, SERVER, &plain);
    add_frame(&p, WIRE_OP_TEXT, 1, bytes_of(""));
    add_frame(&p, WIRE_FIN | WIRE_OP_PING, 2, bytes_of("hi"));
    add_frame(&p, WIRE_FIN | WIRE_OP_CONTINUATION, 1, bytes_of(""));
    add_message(&p, 3, "ab");
    p.steps[1].message = REPLAY_NONE;
    say(&p, 0, "ab");
    say(&p, 1, "");
    say(&p, 2, "");
    expect(&p, "010161"
               "89026869"
               "800162");
    play_deinit(&p);
}

static void keeps_violations(void **state)
{
    struct play p;

    (void)state;
    play_init(&p, SERVER, &plain);
    add_frame(&p, WIRE_FIN | WIRE_RSV2 | WIRE_OP_TEXT, 1, bytes_of(""));
    add_message(&p, 1, "x");
    p.steps[0].form = 64; /* not the shortest */
    p.steps[0].masked = 1;
    say(&p, 0, "x");
    expect(&p, "a1ff0000000000000001aabbccddd2");

    add_frame(&p, WIRE_FIN | 0x0b, 3, bytes_of("odd")); /* reserved opcode */
    say(&p, 1, "");
    expect(&p, "8b036f6464");

    add_frame(&p, 0, 1, bytes_of("z")); /* continuation of nothing */
    say(&p, 2, "");
    expect(&p, "00017a");

    add_frame(&p, WIRE_FIN | WIRE_OP_BINARY, 1000, bytes_of("half"));
    say(&p, 3, ""); /* its rest is not on the tape */
    expect(&p, "827e03e868616c66");

    add_frame(&p, WIRE_FIN | WIRE_OP_TEXT, 4, bytes_of("half"));
    add_message(&p, 1, "")->whole = false; /* a message without a text */
    say(&p, 4, "");
    expect(&p, "810468616c66");
    play_deinit(&p);
}

/* The length's form is the shortest, unless it was not on the tape; a form that cannot
 * hold the length gives way. */
static void fits_the_length(void **state)
{
    struct play p;
    char text[200];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    play_init(&p, SERVER, &plain);
    add_frame(&p, WIRE_FIN | WIRE_OP_TEXT, 3, bytes_of(""));
    add_message(&p, 1, "abc");
    say(&p, 0, text);
    assert_memory_equal(p.out.at, "\x81\x7e\x00\xc7", 4);
    assert_int_equal(p.out.len, 4 + 199);
    buf_clear(&p.out);

    p.steps[0].form = 16; /* odd on the tape */
    say(&p, 0, "ab");
    expect(&p, "817e00026162");
    say(&p, 0, "abc");
    expect(&p, "817e0003616263");

    p.steps[0].payload_len = 199; /* 16 was right then, 7 is now */
    say(&p, 0, "ab");
    expect(&p, "81026162");
    play_deinit(&p);
}

/* ---- compression ---- */

static void inflates_to(struct wire_inflate *i, struct bytes payload, const char *text)
{
    struct buf out = { 0 };

    assert_int_equal(wire_inflate_message(i, payload, 1 << 20, &out), 0);
    assert_int_equal(out.len, strlen(text));
    assert_memory_equal(out.at, text, out.len);
    buf_deinit(&out);
}

/* Takes one frame off what was written. */
static struct bytes take(struct play *p, size_t *at, struct wire_frame *f)
{
    struct wire_frame_decoder d = { 0 };
    struct bytes rest = bytes_from(buf_bytes(&p->out), *at);
    size_t used;

    assert_int_equal(wire_frame_decode(&d, rest, &used, f), 0);
    *at += used + (size_t)f->payload_len;
    assert_true(*at <= p->out.len);
    return bytes_first(bytes_from(rest, used), (size_t)f->payload_len);
}

static void compresses_what_was_compressed(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);
    struct wire_frame f;
    struct play p;
    size_t at = 0;

    (void)state;
    play_init(&p, SERVER, &coded);
    add_frame(&p, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, 50, bytes_of(""));
    add_message(&p, 1, "the same words")->compressed = true;
    add_frame(&p, WIRE_FIN | WIRE_OP_TEXT, 5, bytes_of(""));
    add_message(&p, 1, "plain");
    say(&p, 0, "the same words");
    say(&p, 1, "plain");
    say(&p, 0, "the same words");
    inflates_to(i, take(&p, &at, &f), "the same words");
    assert_int_equal(f.first, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT);
    assert_memory_equal(take(&p, &at, &f).at, "plain", 5);
    assert_int_equal(f.first, WIRE_FIN | WIRE_OP_TEXT);
    inflates_to(i, take(&p, &at, &f), "the same words");
    assert_true(f.payload_len < 10); /* it refers to the first */
    wire_inflate_free(i);
    play_deinit(&p);
}

static void splits_what_is_compressed(void **state)
{
    struct wire_inflate *i = wire_inflate_new(true);
    struct buf joined = { 0 };
    struct wire_frame f;
    struct play p;
    size_t at = 0;

    (void)state;
    play_init(&p, CLIENT, &coded);
    add_frame(&p, WIRE_RSV1 | WIRE_OP_TEXT, 3, bytes_of(""));
    add_frame(&p, WIRE_FIN | WIRE_OP_CONTINUATION, 3, bytes_of(""));
    add_message(&p, 2, "some words")->compressed = true;
    p.steps[0].masked = p.steps[1].masked = 0; /* easier to read back */
    say(&p, 0, "some words");
    say(&p, 1, "");
    assert_int_equal(buf_put(&joined, take(&p, &at, &f)), 0);
    assert_int_equal(f.first, WIRE_RSV1 | WIRE_OP_TEXT);
    assert_int_equal(f.payload_len, 3);
    assert_int_equal(buf_put(&joined, take(&p, &at, &f)), 0);
    assert_int_equal(f.first, WIRE_FIN | WIRE_OP_CONTINUATION);
    inflates_to(i, buf_bytes(&joined), "some words");
    buf_deinit(&joined);
    wire_inflate_free(i);
    play_deinit(&p);
}

static void says_it_plain_when_nothing_is_agreed(void **state)
{
    struct play p;

    (void)state;
    play_init(&p, SERVER, &plain);
    add_frame(&p, WIRE_RSV1 | WIRE_OP_TEXT, 1, bytes_of(""));
    add_frame(&p, WIRE_FIN | WIRE_OP_CONTINUATION, 1, bytes_of(""));
    add_message(&p, 2, "words")->compressed = true;
    say(&p, 0, "words");
    say(&p, 1, "");
    expect(&p, "010177"
               "80046f726473");
    play_deinit(&p);
}

/* After compressed bytes of the tape itself, ours begin with an empty window. */
static void refers_to_nothing_of_others(void **state)
{
    struct wire_inflate *i = wire_inflate_new(false);
    struct wire_frame f;
    struct play p;
    size_t at = 0;

    (void)state;
    play_init(&p, SERVER, &coded);
    add_frame(&p, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, 20, bytes_of(""));
    add_message(&p, 1, "the same words")->compressed = true;
    add_frame(&p, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, 4, bytes_of("\xff\xff\xff\xff"));
    add_message(&p, 1, "")->compressed = true;
    p.messages[1].whole = false;
    say(&p, 0, "the same words");
    say(&p, 1, "");
    say(&p, 0, "the same words");
    (void)take(&p, &at, &f);
    assert_memory_equal(take(&p, &at, &f).at, "\xff\xff\xff\xff", 4);
    inflates_to(i, take(&p, &at, &f), "the same words"); /* with a fresh one */
    wire_inflate_free(i);
    play_deinit(&p);
}

/* ---- control frames ---- */

static void says_control_frames(void **state)
{
    static const uint8_t key[4] = { 1, 2, 3, 4 };
    struct play p;

    (void)state;
    play_init(&p, SERVER, &plain);
    assert_int_equal(
        replay_speak_control(&p.speak, WIRE_OP_PONG, bytes_of("hi"), NULL, &p.out), 0);
    expect(&p, "8a026869");
    play_deinit(&p);
    play_init(&p, CLIENT, &plain);
    assert_int_equal(
        replay_speak_control(&p.speak, WIRE_OP_CLOSE, bytes_of(""), key, &p.out), 0);
    expect(&p, "888001020304");
    play_deinit(&p);
}

static int say_all(void)
{
    struct play p;
    int r;

    play_init(&p, SERVER, &coded);
    add_frame(&p, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, 20, bytes_of(""));
    add_message(&p, 1, "words")->compressed = true;
    add_frame(&p, WIRE_OP_TEXT, 2, bytes_of(""));
    add_frame(&p, WIRE_FIN | WIRE_OP_CONTINUATION, 2, bytes_of(""));
    add_message(&p, 2, "abcd");
    r = replay_speak_step(&p.speak, 0, bytes_of("words"), &p.out);
    r = r == 0 ? replay_speak_step(&p.speak, 1, bytes_of("abcd"), &p.out) : r;
    r = r == 0 ? replay_speak_step(&p.speak, 2, bytes_of(""), &p.out) : r;
    replay_speak_deinit(&p.speak);
    buf_deinit(&p.out);
    return r;
}

static void survives_every_failed_allocation(void **state)
{
    (void)state;
    for (unsigned nth = 0;; nth++) {
        bool hit;
        int r;

        alloc_fail_at(nth);
        r = say_all();
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (!hit) {
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_was_said),
        cmocka_unit_test(masks_with_the_recorded_key),
        cmocka_unit_test(splits_as_it_was_split),
        cmocka_unit_test(says_no_rest_without_a_beginning),
        cmocka_unit_test(lets_control_frames_in_between),
        cmocka_unit_test(keeps_violations),
        cmocka_unit_test(fits_the_length),
        cmocka_unit_test(compresses_what_was_compressed),
        cmocka_unit_test(splits_what_is_compressed),
        cmocka_unit_test(says_it_plain_when_nothing_is_agreed),
        cmocka_unit_test(refers_to_nothing_of_others),
        cmocka_unit_test(says_control_frames),
        cmocka_unit_test(survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
