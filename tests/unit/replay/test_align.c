#include "base/alloc.h"
#include "tests/unit/replay/align_rig.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The whole story, told at the latest at the end. */
static void story(const char *tape, const char *live, const char *expected)
{
    struct align_rig r;

    rig_init(&r);
    rig_tape_words(&r, tape);
    if (live[0] != '\0') {
        rig_put_words(&r, live);
    }
    rig_finish(&r);
    rig_said(&r, expected);
    rig_deinit(&r);
    assert_int_equal(alloc_live(), 0);
}

static void the_same_says_nothing(void **state)
{
    (void)state;
    story("a b c", "a b c", "");
    story("a1 a1 a1", "a1 a1 a1", "");
    story("Hello [1] true", "Hello [1.0] true", "");
}

static void one_change_is_one_line(void **state)
{
    (void)state;
    story("a b1 c d", "a b2 c d", "2 $.n: 1 -> 2\n");
    story("a1 b c", "a2 b c", "1 $.n: 1 -> 2\n");
    story("a b c1", "a b c2", "3 $.n: 1 -> 2\n");
    story("a1", "a2", "1 $.n: 1 -> 2\n");
    story("Hi You", "Hi Me", "2 : You -> Me\n");
    story("a1 a2 a3", "a4 a2 a3", "1 $.n: 1 -> 4\n");
    story("a1 a2 a3 b", "a1 a4 a3 b", "2 $.n: 2 -> 4\n");
    story("a1 a2 a3 b", "a4 a5 a6 b", "1 $.n: 1 -> 4\n2 $.n: 2 -> 5\n3 $.n: 3 -> 6\n");
    story("a1 a2 a3 b", "a3 a2 a3 b", "1 $.n: 1 -> 3\n"); /* looks like the third */
}

static void one_missing_is_one_line(void **state)
{
    (void)state;
    story("a b c d", "a c d", "2 missing\n");
    story("a b c d", "b c d", "1 missing\n");
    story("a b c d", "a b c", "4 missing\n");
    story("a1 a2 a3 a4", "a1 a3 a4", "2 missing\n");
    story("a b a c", "b a c", "1 missing\n"); /* and not the other a */
    story("a b c d e", "a e", "2 missing\n3 missing\n4 missing\n");
    story("a b", "", "1 missing\n2 missing\n");
}

static void one_extra_is_one_line(void **state)
{
    (void)state;
    story("a b c", "x a b c", "extra after 0: {\"type\":\"x\"}\n");
    story("a b c", "a x b c", "extra after 1: {\"type\":\"x\"}\n");
    story("a b c", "a b c x", "extra after 3: {\"type\":\"x\"}\n");
    story("a1 a2 a3", "a1 a9 a2 a3", "extra after 1: {\"type\":\"a\",\"n\":9}\n");
    story("a b c", "a a b c", "extra after 1: {\"type\":\"a\"}\n");
    story("a b a c", "a a b a c", "extra after 1: {\"type\":\"a\"}\n");
}

static void one_moved_is_one_line(void **state)
{
    (void)state;
    story("a b c d", "a c b d", "3 before 2\n");
    story("a b c d", "b a c d", "2 before 1\n");
    story("a b c d", "a b d c", "4 before 3\n");
    story("a b c d e f", "a e b c d f", "5 before 2\n");
    story("a b c d e f", "a c d e b f", "5 before 2\n");
    story("a1 a2 a3 a4 a5 b", "a5 a1 a2 a3 a4 b", "5 before 1\n");
    story("a1 b a2 c", "a2 b a1 c", "2 before 1\n3 before 1\n");
}

static void the_four_of_the_issue(void **state)
{
    (void)state;
    story("a b c1 d e f g h i j k l m n o", "a b c2 d f g x h i k j l m n o",
          "3 $.n: 1 -> 2\n5 missing\nextra after 7: {\"type\":\"x\"}\n11 before 10\n");
}

static void nothing_alike(void **state)
{
    (void)state;
    story("a b", "x y",
          "1 missing\n2 missing\nextra after 2: {\"type\":\"x\"}\n"
          "extra after 2: {\"type\":\"y\"}\n");
    story("a", "b a", "extra after 0: {\"type\":\"b\"}\n");
}

static void what_differs_least_is_meant(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape(&r, "{\"type\":\"a\",\"x\":1,\"y\":1,\"z\":1}");
    rig_tape(&r, "{\"type\":\"b\"}");
    rig_put_text(&r, "{\"type\":\"a\",\"x\":2,\"y\":2,\"z\":2}");
    rig_put_text(&r, "{\"type\":\"a\",\"x\":2,\"y\":1,\"z\":1}");
    rig_said(&r, "");
    rig_put_text(&r, "{\"type\":\"b\"}");
    rig_said(&r, "extra after 0: {\"type\":\"a\",\"x\":2,\"y\":2,\"z\":2}\n"
                 "1 $.x: 1 -> 2\n");
    rig_deinit(&r);
}

/* ---- when it is told ---- */

static void told_when_sure(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b1 c d e f g h");
    rig_put_words(&r, "a b2");
    rig_said(&r, "");
    rig_put_words(&r, "c");
    rig_said(&r, "2 $.n: 1 -> 2\n");
    rig_put_words(&r, "x");
    rig_said(&r, "");
    rig_put_words(&r, "d");
    rig_said(&r, "extra after 3: {\"type\":\"x\"}\n");
    rig_put_words(&r, "f e");
    rig_said(&r, "");
    rig_put_words(&r, "g");
    rig_said(&r, "6 before 5\n");
    rig_finish(&r);
    rig_said(&r, "8 missing\n");
    rig_deinit(&r);
}

static void repetition_is_waited_out(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a1 a1 a1 a1 b");
    rig_put_words(&r, "a2 a1 a1");
    rig_said(&r, ""); /* changed, or one too many? */
    rig_put_words(&r, "a1 b");
    rig_said(&r, "1 $.n: 1 -> 2\n");
    rig_deinit(&r);

    rig_init(&r);
    rig_tape_words(&r, "a1 a1 a1 a1 b");
    rig_put_words(&r, "a2 a1 a1 a1 a1 b");
    rig_said(&r, "extra after 0: {\"type\":\"a\",\"n\":2}\n");
    rig_deinit(&r);
}

static void gates_open_for_what_is_alike(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b1 c d");
    assert_true(rig_reached(&r, 0));
    assert_false(rig_reached(&r, 1));
    assert_int_equal(replay_align_awaits(r.align), 0);
    rig_put_words(&r, "a b2");
    assert_int_equal(replay_align_awaits(r.align), 2); /* it has come, be it changed */
    rig_stands(&r, 2, "");
    assert_true(rig_reached(&r, 2));
    rig_stands(&r, 2, "b2");
    assert_false(rig_reached(&r, 3));
    rig_put_words(&r, "d");
    assert_int_equal(replay_align_awaits(r.align), 2);
    assert_false(rig_reached(&r, 4));
    rig_put_words(&r, "c");
    assert_true(rig_reached(&r, 4));
    assert_true(rig_reached(&r, 400)); /* there are no more */
    assert_int_equal(replay_align_awaits(r.align), REPLAY_NONE);
    rig_finish(&r);
    rig_said(&r, "2 $.n: 1 -> 2\n4 before 3\n");
    rig_deinit(&r);
}

/* An extra message opens a gate because it looks like the awaited one; when that comes,
 * it is it. */
static void what_opened_a_gate_may_be_extra(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b1 c");
    rig_put_words(&r, "a b9");
    assert_true(rig_reached(&r, 2));
    rig_stands(&r, 2, "b9");
    rig_put_words(&r, "b1 c");
    assert_true(rig_reached(&r, 2));
    rig_stands(&r, 2, "b1");
    rig_said(&r, "extra after 1: {\"type\":\"b\",\"n\":9}\n");
    rig_deinit(&r);
}

static void given_up_is_missing(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b c d e f");
    rig_put_words(&r, "a c");
    assert_false(rig_reached(&r, 3));
    assert_int_equal(replay_align_give_up(r.align, 3), 0);
    rig_said(&r, "2 missing\n");
    assert_true(rig_reached(&r, 3));
    assert_int_equal(replay_align_give_up(r.align, 3), 0);
    rig_said(&r, "");
    assert_int_equal(replay_align_give_up(r.align, 5), 0);
    rig_said(&r, "4 missing\n5 missing\n");
    rig_put_words(&r, "f");
    rig_finish(&r);
    rig_said(&r, "");
    rig_deinit(&r);

    rig_init(&r); /* what came early stays what it is */
    rig_tape_words(&r, "a b1 c d");
    rig_put_words(&r, "d b2");
    assert_int_equal(replay_align_give_up(r.align, 2), 0);
    rig_said(&r, "1 missing\n2 $.n: 1 -> 2\n");
    rig_put_words(&r, "c");
    assert_true(rig_reached(&r, 4));
    rig_finish(&r);
    rig_said(&r, "4 before 3\n");
    rig_deinit(&r);
}

static void the_values_that_stand_are_those_of_the_pair(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b1763691299 c");
    rig_put_words(&r, "c a b1763691300");
    rig_finish(&r);
    rig_stands(&r, 1, "a");
    rig_stands(&r, 2, "b1763691300");
    rig_stands(&r, 3, "c");
    rig_said(&r, "3 before 1\n");
    rig_deinit(&r);
}

/* ---- kinds of messages ---- */

static void binary_by_bytes(void **state)
{
    struct align_rig r;
    struct replay_text live = { WIRE_OP_BINARY, bytes_make("x\0y", 3) };

    (void)state;
    rig_init(&r);
    for (int i = 0; i < 3; i++) {
        struct replay_message *m = rig_tape(&r, "");

        m->opcode = WIRE_OP_BINARY;
        m->payload = i == 1 ? bytes_of("{}") : bytes_make("x\0y", 3);
    }
    rig_put(&r, live);
    live.payload = bytes_of("{ }");
    rig_put(&r, live);
    live.payload = bytes_make("x\0y", 3);
    rig_put(&r, live);
    rig_finish(&r);
    rig_said(&r, "2 : {} -> { }\n");
    rig_deinit(&r);

    rig_init(&r);
    rig_tape_words(&r, "a b");
    rig_put(&r, (struct replay_text){ WIRE_OP_BINARY, bytes_of("{\"type\":\"a\"}") });
    rig_put_words(&r, "b");
    rig_finish(&r);
    rig_said(&r, "1 missing\nextra after 1: {\"type\":\"a\"}\n");
    rig_deinit(&r);
}

static void what_the_tape_lacks_is_any(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a Cut b Cut c d");
    r.connection.messages[1].whole = r.connection.messages[3].whole = false;
    rig_put_words(&r, "a x");
    assert_true(rig_reached(&r, 2));
    rig_put_words(&r, "y"); /* b is yet to come */
    rig_put_words(&r, "b z c d");
    rig_finish(&r);
    rig_said(&r, "extra after 2: {\"type\":\"y\"}\n");
    rig_stands(&r, 4, "z");
    rig_deinit(&r);
}

static void what_could_not_be_read_is_any(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b c d e f");
    rig_put_words(&r, "a");
    rig_put_unread(&r, "b");
    rig_put_words(&r, "c x");
    rig_put_unread(&r, "{\"type\":\"d\",");
    rig_put_words(&r, "e");
    rig_put_unread(&r, "?");
    rig_put_unread(&r, "more");
    rig_finish(&r);
    rig_said(&r, "extra after 3: {\"type\":\"x\"}\nextra after 6: more\n");
    rig_deinit(&r);
}

static void what_could_not_be_read_has_its_opcode(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b");
    rig_tape(&r, "bytes")->opcode = WIRE_OP_BINARY;
    rig_put_words(&r, "a");
    rig_put_unread(&r, "b");
    rig_put_unread(&r, "text");
    rig_finish(&r);
    rig_said(&r, "3 missing\nextra after 3: text\n");
    rig_deinit(&r);
}

static void any_match_counts_only(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    r.stage.rules.match = REPLAY_MATCH_ANY;
    rig_tape_words(&r, "a b c");
    rig_put_words(&r, "x y");
    rig_finish(&r);
    rig_said(&r, "3 missing\n");
    rig_deinit(&r);
}

/* ---- memory ---- */

static int play(struct align_rig *r)
{
    static const char *const live[] = { "{\"type\":\"a\",\"n\":2}", "{\"type\":\"c\"}",
                                        "{\"type\":\"x\"}", "{\"type\":\"b\"}" };
    struct replay_align_config config = r->align->config;
    int e;

    replay_align_free(r->align);
    r->align = NULL;
    e = replay_align_new(&config, &r->align);
    for (int i = 0; i < 4 && e == 0; i++) {
        e = replay_align_put(
            r->align, (struct replay_text){ WIRE_OP_TEXT, bytes_of(live[i]) }, true);
    }
    return e < 0 ? e : replay_align_finish(r->align);
}

static void ignore_event(void *owner, struct replay_event *e)
{
    (void)owner;
    (void)e;
}

static int ignore_stand(void *owner, uint32_t index, struct bytes payload,
                        int64_t recorded_ns)
{
    (void)owner;
    (void)index;
    (void)payload;
    (void)recorded_ns;
    return 0;
}

static void no_allocation_leaks(void **state)
{
    struct align_rig r;
    bool hit = true;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a1 b c d");
    (void)rig_reached(&r, 0);
    r.align->config.tell = ignore_event;
    r.align->config.stands = ignore_stand;
    for (unsigned nth = 0; hit; nth++) {
        struct replay_align_config config = r.align->config;
        int e;

        alloc_fail_at(nth);
        e = play(&r);
        hit = alloc_fail_clear();
        assert_int_equal(e, hit ? -ENOMEM : 0);
        replay_align_free(r.align);
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(replay_align_new(&config, &r.align), 0);
    }
    rig_deinit(&r);
}

static int refuse_stand(void *owner, uint32_t index, struct bytes payload,
                        int64_t recorded_ns)
{
    (void)owner;
    (void)payload;
    (void)recorded_ns;
    return index == 1 ? -ECANCELED : 0;
}

static void the_owner_can_end_it(void **state)
{
    struct align_rig r;

    (void)state;
    rig_init(&r);
    rig_tape_words(&r, "a b");
    rig_put_words(&r, "a");
    r.align->config.stands = refuse_stand;
    assert_int_equal(
        replay_align_put(
            r.align, (struct replay_text){ WIRE_OP_TEXT, bytes_of("{\"type\":\"b\"}") },
            true),
        -ECANCELED);
    rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_says_nothing),
        cmocka_unit_test(one_change_is_one_line),
        cmocka_unit_test(one_missing_is_one_line),
        cmocka_unit_test(one_extra_is_one_line),
        cmocka_unit_test(one_moved_is_one_line),
        cmocka_unit_test(the_four_of_the_issue),
        cmocka_unit_test(nothing_alike),
        cmocka_unit_test(what_differs_least_is_meant),
        cmocka_unit_test(told_when_sure),
        cmocka_unit_test(repetition_is_waited_out),
        cmocka_unit_test(gates_open_for_what_is_alike),
        cmocka_unit_test(what_opened_a_gate_may_be_extra),
        cmocka_unit_test(given_up_is_missing),
        cmocka_unit_test(the_values_that_stand_are_those_of_the_pair),
        cmocka_unit_test(binary_by_bytes),
        cmocka_unit_test(what_the_tape_lacks_is_any),
        cmocka_unit_test(what_could_not_be_read_is_any),
        cmocka_unit_test(what_could_not_be_read_has_its_opcode),
        cmocka_unit_test(any_match_counts_only),
        cmocka_unit_test(no_allocation_leaks),
        cmocka_unit_test(the_owner_can_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
