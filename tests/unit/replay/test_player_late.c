/* What is late is not late twice, and an end waits for the end before it. */
#include "tests/unit/replay/player_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FIN = WIRE_FIN };

static void tape_close(struct rig *r, enum side from)
{
    put_frame(&r->tape, from, FIN | WIRE_OP_CLOSE, bytes_of("\x03\xe8"));
}

static void start(struct rig *r)
{
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
}

/* Nobody reads until `ns` from now. */
static void hold_up(struct rig *r, int64_t ns)
{
    assert_int_equal(replay_player_flow(r->player, false, r->now_ns), 0);
    rig_pass(r, ns);
    assert_int_equal(replay_player_flow(r->player, true, r->now_ns), 0);
    rig_frame(r, FIN | WIRE_OP_PONG, bytes_of("")); /* what was said is looked at */
}

/* The times of messages are counted from when those before them were due. */
static void catches_up(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 1;
    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "ask");
    put_text(t, SERVER, "1 ms");
    t->now_ns += 49 * MS;
    put_text(t, SERVER, "51 ms");
    t->now_ns += 49 * MS;
    put_text(t, SERVER, "101 ms");
    start(r);
    rig_pass(r, 10 * MS);
    rig_say(r, "ask");
    hold_up(r, 40 * MS);
    rig_expect(r, "text 1 ms\n");
    rig_pass(r, 10 * MS);
    rig_expect(r, "");
    rig_pass(r, 1 * MS);
    rig_expect(r, "text 51 ms\n");
    hold_up(r, 45 * MS);
    rig_pass(r, 4 * MS);
    rig_expect(r, "");
    rig_pass(r, 1 * MS);
    rig_expect(r, "text 101 ms\n");
}

/* A message that came while the one before was held up opens its gate from then. */
static void counts_from_when_it_came_even_then(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 1;
    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "one");
    put_text(t, SERVER, "first");
    put_text(t, CLIENT, "two");
    t->now_ns += 49 * MS;
    put_text(t, SERVER, "second"); /* 50 ms after two */
    start(r);
    rig_pass(r, 10 * MS);
    assert_int_equal(replay_player_flow(r->player, false, r->now_ns), 0);
    rig_say(r, "one");
    rig_pass(r, 5 * MS);
    rig_say(r, "two");
    hold_up(r, 30 * MS);
    rig_expect(r, "text first\n");
    rig_pass(r, 19 * MS);
    rig_expect(r, "");
    rig_pass(r, 1 * MS);
    rig_expect(r, "text second\n");
}

/* The tape's server closed when the client's connection had ended, and not before. */
static void closes_behind_the_clients_end(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    tape_close(r, CLIENT);
    put_end(t, CLIENT, CAPTURE_END_FIN, false);
    tape_close(r, SERVER);
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    start(r);
    rig_close(r, 1000);
    rig_pass(r, 100 * MS);
    rig_expect(r, "");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! over 0 of 0\nclose 1000 \nend fin\n");
}

#define ONCE(test)                                                                     \
    cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown, &whole)

int main(void)
{
    size_t whole = 0;
    const struct CMUnitTest tests[] = {
        ONCE(catches_up),
        ONCE(counts_from_when_it_came_even_then),
        ONCE(closes_behind_the_clients_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
