#include "tests/unit/replay/align_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void put_numbered(struct align_rig *r, unsigned n)
{
    char text[64];

    snprintf(text, sizeof(text), "{\"type\":\"t\",\"number\":%u}", n);
    rig_put_text(r, text);
}

/* A tape of numbered messages; the texts lie in `texts`. */
static void tape_numbered(struct align_rig *r, unsigned count, char (*texts)[40])
{
    for (unsigned n = 0; n < count; n++) {
        snprintf(texts[n], sizeof(texts[n]), "{\"type\":\"t\",\"number\":%u}", n + 1);
        rig_tape(r, texts[n]);
    }
}

static void in_step_nothing_is_held(void **state)
{
    enum { COUNT = 1000000 };
    char(*texts)[40] = calloc(COUNT, sizeof(*texts));
    struct align_rig r;

    (void)state;
    assert_non_null(texts);
    rig_init(&r);
    tape_numbered(&r, COUNT, texts);
    for (unsigned n = 1; n <= COUNT; n++) {
        put_numbered(&r, n);
        assert_true(rig_reached(&r, n));
    }
    assert_null(r.align->block);
    rig_finish(&r);
    rig_said(&r, "");
    rig_deinit(&r);
    free(texts);
}

/* All of them changed: only a few are held at any time. */
static void all_changed(void **state)
{
    enum { COUNT = 3000 };
    char(*texts)[40] = calloc(COUNT, sizeof(*texts));
    struct align_rig r;

    (void)state;
    assert_non_null(texts);
    rig_init(&r);
    tape_numbered(&r, COUNT, texts);
    for (unsigned n = 1; n <= COUNT; n++) {
        put_numbered(&r, n + COUNT);
        assert_true(rig_reached(&r, n));
    }
    assert_int_equal(r.most_held, 2 * ALIGN_CHANGED_RUN - 1);
    rig_finish(&r);
    assert_int_equal(r.events, COUNT);
    rig_deinit(&r);
    free(texts);
}

/* One that never comes is given up when the tape's next AHEAD have. */
static void nobody_gives_up(void **state)
{
    enum { COUNT = 2000 };
    char(*texts)[40] = calloc(COUNT, sizeof(*texts));
    struct align_rig r;

    (void)state;
    assert_non_null(texts);
    rig_init(&r);
    tape_numbered(&r, COUNT, texts);
    for (unsigned n = 1; n <= COUNT; n++) {
        if (n % 400 != 10) {
            put_numbered(&r, n);
        }
        if (n == 10 + REPLAY_ALIGN_AHEAD - 2) {
            rig_said(&r, "");
        } else if (n == 10 + REPLAY_ALIGN_AHEAD - 1) {
            rig_said(&r, "10 missing\n");
        }
    }
    rig_finish(&r);
    rig_said(&r, "410 missing\n810 missing\n1210 missing\n1610 missing\n");
    assert_true(r.most_held <= REPLAY_ALIGN_AHEAD);
    rig_deinit(&r);
    free(texts);
}

static void a_stretch_is_missing(void **state)
{
    enum { COUNT = 1000 };
    char(*texts)[40] = calloc(COUNT, sizeof(*texts));
    struct align_rig r;

    (void)state;
    assert_non_null(texts);
    rig_init(&r);
    tape_numbered(&r, COUNT, texts);
    for (unsigned n = 1; n <= COUNT; n++) {
        if (n <= 100 || n > 300) {
            put_numbered(&r, n);
        }
    }
    rig_finish(&r);
    assert_int_equal(r.events, 200);
    rig_deinit(&r);
    free(texts);
}

/* A stream of messages that the tape knows nothing of. */
static void a_flood_of_others(void **state)
{
    enum { COUNT = 2000 };
    struct align_rig r;
    char text[64];

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b c");
    rig_put_words(&r, "a");
    for (unsigned n = 0; n < COUNT; n++) {
        snprintf(text, sizeof(text), "{\"type\":\"x\",\"n\":%u}", n);
        rig_put_text(&r, text);
    }
    assert_true(r.events >= COUNT - REPLAY_ALIGN_AHEAD);
    assert_int_equal(r.most_held, REPLAY_ALIGN_AHEAD - 1);
    rig_put_words(&r, "b c");
    rig_finish(&r);
    assert_int_equal(r.events, COUNT);
    rig_deinit(&r);
}

static void held_bytes_are_bounded(void **state)
{
    enum { LEN = 24 * 1024 * 1024 };
    struct align_rig r;
    char *text = malloc(LEN + 1);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', LEN);
    text[LEN] = '\0';
    rig_init(&r);
    rig_tape_words(&r, "a b c");
    for (int i = 0; i < 6; i++) {
        rig_put_text(&r, text);
        assert_true(r.align->block->held <= REPLAY_ALIGN_HELD_MAX);
    }
    rig_put_words(&r, "a b c");
    rig_finish(&r);
    assert_int_equal(r.events, 6);
    rig_deinit(&r);
    free(text);
}

/* The tape is looked at ahead as far as its bytes allow, but always some messages. */
/* Nothing names them, and they have a key in common by its hash only, or none: each
 * pair is looked at but once, or never. */
static void each_pair_is_looked_at_once(void **state)
{
    enum { COUNT = 200 };
    static char texts[2 * COUNT][40];
    struct align_rig r;

    (void)state;
    for (unsigned shared = 0; shared < 2; shared++) {
        rig_init(&r);
        for (unsigned i = 0; i < COUNT; i++) {
            snprintf(texts[i], sizeof(*texts), "{\"k%u\":%u,\"on\":1}", i, i);
            snprintf(texts[COUNT + i], sizeof(*texts), "{\"%s\":%u}",
                     shared == 1 ? "h7" : "off", i);
            rig_tape(&r, texts[i]);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            rig_put_text(&r, texts[COUNT + i]);
        }
        rig_finish(&r);
        assert_int_equal(r.events, 2 * COUNT);
        assert_true(r.align->compared <= (uint64_t)COUNT * COUNT);
        rig_deinit(&r);
    }
}

/* 150 places differ: 100 are told, then how many more. */
static void one_message_does_not_flood(void **state)
{
    struct buf before = { 0 }, after = { 0 }, said = { 0 };
    struct align_rig r;

    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        assert_int_equal(buf_put_format(&before, "%c%u", i == 0 ? '[' : ',', i), 0);
        assert_int_equal(buf_put_format(&after, "%c%u", i == 0 ? '[' : ',', i + 1), 0);
        if (i < REPLAY_DIFFERENCES_MAX) {
            assert_int_equal(buf_put_format(&said, "1 $[%u]: %u -> %u\n", i, i, i + 1),
                             0);
        }
    }
    assert_int_equal(buf_put(&before, bytes_make("]", 2)), 0);
    assert_int_equal(buf_put(&after, bytes_make("]", 2)), 0);
    assert_int_equal(buf_put(&said, bytes_make("1 note 50 more places of it differ\n",
                                               sizeof("1 note 50 more places of it "
                                                      "differ\n"))),
                     0);
    rig_init(&r);
    rig_tape(&r, (const char *)before.at);
    rig_put_text(&r, (const char *)after.at);
    rig_finish(&r);
    rig_said(&r, (const char *)said.at);
    rig_deinit(&r);
    buf_deinit(&before);
    buf_deinit(&after);
    buf_deinit(&said);
}

static void long_messages_are_not_looked_at_far_ahead(void **state)
{
    enum { LEN = 6 * 1024 * 1024, COUNT = 12 };
    struct align_rig r;
    char *text = malloc(LEN + 1);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', LEN);
    text[LEN] = '\0';
    rig_init(&r);
    rig_tape_words(&r, "a");
    for (int i = 0; i < COUNT; i++) {
        rig_tape(&r, text);
    }
    rig_tape_words(&r, "b");
    for (int i = 0; i < COUNT; i++) {
        rig_put_text(&r, text);
    }
    assert_true(r.align->block->slot_count < COUNT + 2 + ALIGN_LOOK_LEAST);
    rig_put_words(&r, "b");
    rig_finish(&r);
    rig_said(&r, "1 missing\n");
    rig_deinit(&r);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_step_nothing_is_held),
        cmocka_unit_test(all_changed),
        cmocka_unit_test(nobody_gives_up),
        cmocka_unit_test(a_stretch_is_missing),
        cmocka_unit_test(a_flood_of_others),
        cmocka_unit_test(held_bytes_are_bounded),
        cmocka_unit_test(one_message_does_not_flood),
        cmocka_unit_test(each_pair_is_looked_at_once),
        cmocka_unit_test(long_messages_are_not_looked_at_far_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
