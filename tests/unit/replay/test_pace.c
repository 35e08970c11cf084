#include "replay/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The tape begins at 1000, the play at 50000. */
static struct replay_pace paced(double factor)
{
    struct replay_pace p;

    replay_pace_init(&p, factor, 1000, 50000);
    return p;
}

static void counts_from_the_start(void **state)
{
    struct replay_pace p = paced(1);

    (void)state;
    assert_int_equal(replay_pace_due(&p, 1000), 50000);
    assert_int_equal(replay_pace_due(&p, 1700), 50700);
}

static void counts_from_the_gate_when_it_is_later(void **state)
{
    struct replay_pace p = paced(1);

    (void)state;
    replay_pace_played(&p, 1100, 50100);
    replay_pace_gate(&p, 1500, 90000);
    assert_int_equal(replay_pace_due(&p, 1530), 90030);
}

static void counts_from_the_predecessor_when_it_is_later(void **state)
{
    struct replay_pace p = paced(1);

    (void)state;
    replay_pace_gate(&p, 1500, 90000);
    replay_pace_played(&p, 1600, 90100);
    assert_int_equal(replay_pace_due(&p, 1650), 90150);
}

/* The gate is earlier on the tape, but its live twin came late: the recorded distance
 * is the one to the predecessor, the live one begins at the gate. */
static void counts_from_whichever_happened_later_live(void **state)
{
    struct replay_pace p = paced(1);

    (void)state;
    replay_pace_played(&p, 1600, 50600);
    replay_pace_gate(&p, 1500, 99000);
    assert_int_equal(replay_pace_due(&p, 1620), 99020);
}

static void divides_by_the_pace(void **state)
{
    struct replay_pace fast = paced(10), slow = paced(0.5);

    (void)state;
    assert_int_equal(replay_pace_due(&fast, 2000), 50100);
    assert_int_equal(replay_pace_due(&slow, 2000), 52000);
}

static void max_waits_for_the_gate_alone(void **state)
{
    struct replay_pace p = paced(0);

    (void)state;
    assert_int_equal(replay_pace_due(&p, 1000000), 50000);
    replay_pace_gate(&p, 2000000, 70000);
    assert_int_equal(replay_pace_due(&p, 9000000), 70000);
}

static void lateness_does_not_add_up(void **state)
{
    struct replay_pace p = paced(1);

    (void)state;
    for (int64_t i = 1; i <= 1000; i++) {
        int64_t due = replay_pace_due(&p, 1000 + i * 10);

        assert_int_equal(due, 50000 + i * 10);
        replay_pace_played(&p, 1000 + i * 10, due); /* whenever it really went */
    }
}

static void time_that_goes_back_on_the_tape_waits_for_nothing(void **state)
{
    struct replay_pace p = paced(1);

    (void)state;
    replay_pace_played(&p, 3000, 52000);
    assert_int_equal(replay_pace_due(&p, 2500), 52000);
}

static void the_slowest_pace_overflows_nothing(void **state)
{
    struct replay_pace p = paced(1e-300);

    (void)state;
    assert_true(replay_pace_due(&p, 2000) > INT64_MAX / 5);
    assert_true(replay_pace_due(&p, 2000) < INT64_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_from_the_start),
        cmocka_unit_test(counts_from_the_gate_when_it_is_later),
        cmocka_unit_test(counts_from_the_predecessor_when_it_is_later),
        cmocka_unit_test(counts_from_whichever_happened_later_live),
        cmocka_unit_test(divides_by_the_pace),
        cmocka_unit_test(max_waits_for_the_gate_alone),
        cmocka_unit_test(lateness_does_not_add_up),
        cmocka_unit_test(time_that_goes_back_on_the_tape_waits_for_nothing),
        cmocka_unit_test(the_slowest_pace_overflows_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
