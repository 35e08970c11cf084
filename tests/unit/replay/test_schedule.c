#include "base/alloc.h"
#include "replay/schedule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MANY = 8 };

/* A tape of connections that open and end at the times given. */
struct rig {
    struct replay_script script;
    struct replay_connection connections[MANY];
    struct replay_step said;
    struct replay_schedule *schedule;
};

static void lay_out(struct rig *r, size_t count, const int64_t times[][2])
{
    *r = (struct rig){ 0 };
    r->said = (struct replay_step){ .kind = REPLAY_REQUEST, .from = CLIENT };
    r->script.connections = r->connections;
    r->script.count = count;
    for (size_t i = 0; i < count; i++) {
        r->connections[i] = (struct replay_connection){
            .opened_ns = times[i][0],
            .ended_ns = times[i][1],
            .steps = &r->said,
            .step_count = 1,
        };
    }
}

static void start(struct rig *r, double pace, int64_t now)
{
    assert_int_equal(replay_schedule_new(&r->script, pace, now, &r->schedule), 0);
}

static void stop(struct rig *r)
{
    replay_schedule_free(r->schedule);
    assert_int_equal(alloc_live(), 0);
}

static void calls(struct rig *r, int64_t now, uint32_t index)
{
    int64_t wake = 0;

    assert_int_equal(replay_schedule_next(r->schedule, now, &wake), index);
}

static void waits(struct rig *r, int64_t now, int64_t until)
{
    int64_t wake = 0;

    assert_int_equal(replay_schedule_next(r->schedule, now, &wake), REPLAY_NONE);
    assert_int_equal(wake, until);
}

static void over(struct rig *r, int64_t now, uint32_t index)
{
    replay_schedule_over(r->schedule, index, now);
}

static void calls_as_far_apart_as_recorded(void **state)
{
    struct rig r;

    (void)state;
    lay_out(&r, 3, (const int64_t[][2]){ { 100, 900 }, { 150, 900 }, { 400, 900 } });
    start(&r, 1, 5000);
    calls(&r, 5000, 0);
    waits(&r, 5001, 5050);
    calls(&r, 5060, 1); /* late, but the next is not */
    waits(&r, 5060, 5300);
    calls(&r, 5300, 2);
    waits(&r, 5300, -1);
    assert_false(replay_schedule_done(r.schedule));
    over(&r, 6000, 0);
    over(&r, 6000, 1);
    assert_false(replay_schedule_done(r.schedule));
    over(&r, 6000, 2);
    assert_true(replay_schedule_done(r.schedule));
    stop(&r);
}

static void waits_for_those_that_had_ended(void **state)
{
    struct rig r;

    (void)state;
    lay_out(&r, 3, (const int64_t[][2]){ { 100, 200 }, { 110, 900 }, { 250, 900 } });
    start(&r, 1, 5000);
    calls(&r, 5000, 0);
    calls(&r, 5010, 1);
    waits(&r, 5500, -1); /* the first has not ended yet */
    over(&r, 7000, 0);
    waits(&r, 7000, 7050); /* 50 after its end, as on the tape */
    calls(&r, 7050, 2);
    stop(&r);
}

static void a_late_end_of_an_early_one_counts(void **state)
{
    struct rig r;

    (void)state;
    lay_out(&r, 3, (const int64_t[][2]){ { 100, 200 }, { 110, 210 }, { 250, 900 } });
    start(&r, 1, 5000);
    calls(&r, 5000, 0);
    calls(&r, 5010, 1);
    over(&r, 6000, 1);
    waits(&r, 6100, -1);
    over(&r, 8000, 0); /* ended first on the tape, last in the play */
    waits(&r, 8000, 8040);
    calls(&r, 8040, 2);
    stop(&r);
}

static void divides_by_the_pace_and_max_gates_only(void **state)
{
    struct rig r;

    (void)state;
    lay_out(&r, 3, (const int64_t[][2]){ { 100, 300 }, { 200, 900 }, { 400, 900 } });
    start(&r, 10, 5000);
    calls(&r, 5000, 0);
    waits(&r, 5000, 5010);
    stop(&r);

    start(&r, 0, 5000);
    calls(&r, 5000, 0);
    calls(&r, 5000, 1);
    waits(&r, 5000, -1);
    over(&r, 5100, 0);
    calls(&r, 5100, 2);
    stop(&r);
}

static void leaves_out_those_on_which_the_client_was_silent(void **state)
{
    struct replay_step silent[2] = {
        { .kind = REPLAY_RAW, .from = SERVER },
        { .kind = REPLAY_END, .from = CLIENT, .end = CAPTURE_END_FIN },
    };
    struct rig r;

    (void)state;
    lay_out(&r, 3, (const int64_t[][2]){ { 100, 110 }, { 120, 130 }, { 150, 900 } });
    r.connections[0].steps = r.connections[1].steps = silent;
    r.connections[0].step_count = 2;
    r.connections[1].step_count = 0;
    start(&r, 1, 5000);
    calls(&r, 5000, 2); /* at once: nothing was before it */
    over(&r, 5100, 0);  /* not on the schedule */
    assert_false(replay_schedule_done(r.schedule));
    over(&r, 5100, 2);
    assert_true(replay_schedule_done(r.schedule));
    stop(&r);
}

/* Times that make no sense, or are all the same, hold nothing up for good. */
static void always_comes_to_an_end(void **state)
{
    static const int64_t tapes[][4][2] = {
        { { 100, 100 }, { 100, 100 }, { 100, 100 }, { 100, 100 } },
        { { 400, 100 }, { 300, 50 }, { 200, 25 }, { 100, 10 } },
        { { 0, 1000 }, { 10, 10 }, { 10, 20 }, { 20, 20 } },
    };

    (void)state;
    for (size_t t = 0; t < 3; t++) {
        struct rig r;
        int64_t now = 5000, wake;

        lay_out(&r, 4, tapes[t]);
        start(&r, 1, now);
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t index = replay_schedule_next(r.schedule, now, &wake);

            if (index == REPLAY_NONE) {
                assert_true(wake > now);
                now = wake;
                index = replay_schedule_next(r.schedule, now, &wake);
            }
            assert_int_equal(index, i);
            over(&r, now, index);
        }
        assert_true(replay_schedule_done(r.schedule));
        stop(&r);
    }
}

static void an_empty_tape_is_done(void **state)
{
    struct rig r;

    (void)state;
    lay_out(&r, 0, NULL);
    start(&r, 1, 5000);
    waits(&r, 5000, -1);
    assert_true(replay_schedule_done(r.schedule));
    stop(&r);
}

static void survives_failed_allocations(void **state)
{
    bool hit = true;
    struct rig r;

    (void)state;
    lay_out(&r, 2, (const int64_t[][2]){ { 1, 2 }, { 3, 4 } });
    for (unsigned long nth = 0; hit; nth++) {
        int result;

        alloc_fail_at(nth);
        result = replay_schedule_new(&r.script, 1, 0, &r.schedule);
        hit = alloc_fail_clear();
        assert_int_equal(result, hit ? -ENOMEM : 0);
        if (result == 0) {
            replay_schedule_free(r.schedule);
        }
        assert_int_equal(alloc_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_as_far_apart_as_recorded),
        cmocka_unit_test(waits_for_those_that_had_ended),
        cmocka_unit_test(a_late_end_of_an_early_one_counts),
        cmocka_unit_test(divides_by_the_pace_and_max_gates_only),
        cmocka_unit_test(leaves_out_those_on_which_the_client_was_silent),
        cmocka_unit_test(always_comes_to_an_end),
        cmocka_unit_test(an_empty_tape_is_done),
        cmocka_unit_test(survives_failed_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
