/* What was put in the place of recorded values. */
#include "base/alloc.h"
#include "replay/swaps.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void note(struct replay_swaps *s, const char *recorded, const char *live)
{
    assert_int_equal(replay_swaps_note(s, 4, bytes_of(recorded), bytes_of(live)), 0);
}

static bool ask(struct replay_swaps *s, struct replay_swaps_question q)
{
    bool found;

    assert_int_equal(replay_swaps_has(s, &q, &found), 0);
    return found;
}

static bool has(struct replay_swaps *s, const char *recorded, const char *live)
{
    return ask(s, (struct replay_swaps_question){ 5, bytes_of(recorded), bytes_of(live),
                                                  true });
}

static bool has_text(struct replay_swaps *s, const char *recorded, const char *live)
{
    return ask(s, (struct replay_swaps_question){ 5, bytes_of(recorded), bytes_of(live),
                                                  false });
}

static void values_and_keys_are_known_by_their_characters(void **unused)
{
    struct replay_swaps s = { 0 };

    (void)unused;
    assert_false(has(&s, "\"a\"", "\"b\""));
    note(&s, "{\"id\":\"a\\u00e9\",\"same\":1,\"n\":12345,\"deep\":[{\"key-0001\":2}]}",
         "{\"id\":\"b\\n\",\"same\":1,\"n\":678,\"deep\":[{\"key-0002\":2}]}");
    assert_true(has(&s, "\"a\xc3\xa9\"", "\"b\\u000a\""));
    assert_true(has(&s, "12345", "678"));
    assert_true(has(&s, "\"12345\"", "678"));
    assert_true(has(&s, "\"key-0001\"", "\"key-0002\""));
    assert_false(has(&s, "1", "1"));
    assert_false(has(&s, "678", "12345"));
    assert_false(has(&s, "12345", "6789"));
    assert_false(has(&s, "1234", "5678"));
    assert_int_equal(s.count, 3);
    note(&s, "{\"n\":12345}", "{\"n\":678}");
    assert_int_equal(s.count, 3);
    replay_swaps_deinit(&s);
}

static void texts_that_are_no_json_are_one_value(void **unused)
{
    struct replay_swaps s = { 0 };

    (void)unused;
    note(&s, "SUB a", "SUB b");
    assert_true(has_text(&s, "SUB a", "SUB b"));
    assert_false(has_text(&s, "SUB b", "SUB a"));
    replay_swaps_deinit(&s);
}

/* What the other side said before us is no echo. */
static void a_swap_holds_for_what_comes_after_it(void **unused)
{
    struct replay_swaps_question q = { 3, bytes_of("\"a\""), bytes_of("\"b\""), true };
    struct replay_swaps s = { 0 };

    (void)unused;
    note(&s, "[\"a\"]", "[\"b\"]");
    assert_int_equal(replay_swaps_note(&s, 6, bytes_of("[\"a\"]"), bytes_of("[\"b\"]")),
                     0);
    assert_false(ask(&s, q));
    q.index = 4;
    assert_false(ask(&s, q));
    q.index = 5;
    assert_true(ask(&s, q));
    replay_swaps_deinit(&s);
}

static void what_is_too_much_is_not_remembered(void **unused)
{
    struct replay_swaps s = { 0 };
    char recorded[64], live[64];

    (void)unused;
    for (unsigned i = 0; i < REPLAY_SWAPS_MAX + 2; i++) {
        snprintf(recorded, sizeof(recorded), "[%u]", i);
        snprintf(live, sizeof(live), "[%u]", i + 1);
        note(&s, recorded, live);
    }
    assert_int_equal(s.count, REPLAY_SWAPS_MAX);
    assert_true(has(&s, "0", "1"));
    snprintf(recorded, sizeof(recorded), "%d", REPLAY_SWAPS_MAX - 1);
    snprintf(live, sizeof(live), "%d", REPLAY_SWAPS_MAX);
    assert_true(has(&s, recorded, live));
    snprintf(recorded, sizeof(recorded), "%d", REPLAY_SWAPS_MAX + 1);
    assert_false(has(&s, live, recorded));
    replay_swaps_deinit(&s);
}

/* The nth allocation fails: nothing is left behind, and what was known stays. */
static void no_memory_leaves_what_was_there(void **unused)
{
    bool out = true;

    (void)unused;
    for (unsigned long nth = 1; out; nth++) {
        struct replay_swaps s = { 0 };
        long before = alloc_live();
        int r;

        note(&s, "[\"old\"]", "[\"new\"]");
        alloc_fail_at(nth);
        r = replay_swaps_note(&s, 4, bytes_of("{\"a\":\"one\",\"b\":[1,2,3,4,5,6]}"),
                              bytes_of("{\"a\":\"two\",\"b\":[2,3,4,5,6,7]}"));
        out = r < 0;
        alloc_fail_at(0);
        assert_true(r == 0 || r == -ENOMEM);
        assert_true(has(&s, "\"old\"", "\"new\""));
        replay_swaps_deinit(&s);
        assert_int_equal(alloc_live(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_keys_are_known_by_their_characters),
        cmocka_unit_test(texts_that_are_no_json_are_one_value),
        cmocka_unit_test(a_swap_holds_for_what_comes_after_it),
        cmocka_unit_test(what_is_too_much_is_not_remembered),
        cmocka_unit_test(no_memory_leaves_what_was_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
