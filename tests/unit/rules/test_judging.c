/* Which messages a rule acts on: numbers, counts, times, heads and chance. */
#include "base/clock.h"
#include "inject/plan.h"
#include "rules_rig.h"

#include <stdio.h>

static const int64_t ms = CLOCK_NS_PER_MS;

static struct inject_plan *plan_of(uint64_t seed, const char *const *lines)
{
    struct inject_plan *p = inject_plan_new(rules_of_lines(lines), seed, 1 << 16);

    assert_non_null(p);
    return p;
}

#define PLAN(...) plan_of(1, (const char *const[]){ __VA_ARGS__, NULL })

/* How many acts on a message were done. */
static size_t judge(struct inject_connection *c, enum side from,
                    enum inject_opcode kind, const char *text, int64_t now_ns)
{
    struct inject_verdict v = { 0 };
    size_t acts = 0;

    assert_int_equal(inject_on_message(c, from, kind, bytes_of(text), now_ns, &v), 0);
    for (size_t i = 0; i < v.fired_count; i++) {
        acts += !v.fired[i].failed;
    }
    inject_verdict_deinit(&v);
    return acts;
}

static size_t text(struct inject_connection *c, const char *said)
{
    return judge(c, CLIENT, INJECT_TEXT, said, 0);
}

/* Each side counts for itself; text and binary together, pings and pongs apart; what
 * passed unasked counts too. */
static void messages_are_numbered(void **state)
{
    struct inject_plan *p = PLAN("drop,message=3,opcode=[text,binary,ping,pong]");
    struct inject_connection *c = inject_connection_new(p, 1, 0);

    (void)state;
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 0), 0);
    assert_int_equal(judge(c, CLIENT, INJECT_BINARY, "", 0), 0);
    assert_int_equal(judge(c, SERVER, INJECT_TEXT, "", 0), 0);
    assert_int_equal(judge(c, CLIENT, INJECT_PING, "", 0), 0);
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 0), 1);
    assert_int_equal(inject_message_number(c, CLIENT, INJECT_TEXT), 3);
    assert_int_equal(inject_message_number(c, SERVER, INJECT_TEXT), 1);
    inject_skip(c, SERVER, INJECT_BINARY);
    assert_int_equal(judge(c, SERVER, INJECT_TEXT, "", 0), 1);
    for (int i = 0; i < 2; i++) {
        inject_skip(c, CLIENT, INJECT_PONG);
        inject_skip(c, SERVER, INJECT_PING);
    }
    assert_int_equal(judge(c, CLIENT, INJECT_PONG, "", 0), 1);
    assert_int_equal(judge(c, SERVER, INJECT_PING, "", 0), 1);
    assert_int_equal(judge(c, CLIENT, INJECT_PING, "", 0), 0);
    assert_int_equal(judge(c, CLIENT, INJECT_PING, "", 0), 1);
    inject_connection_free(c);
    inject_plan_free(p);
}

/* A row of messages, a letter each: which of them were acted on. */
static void assert_row(const char *line, const char *want)
{
    struct inject_plan *p = PLAN(line);
    struct inject_connection *c = inject_connection_new(p, 1, 0);
    char got[32] = { 0 };

    for (size_t i = 0; i < strlen(want); i++) {
        got[i] = text(c, "") > 0 ? 'x' : '.';
    }
    assert_string_equal(got, want);
    inject_connection_free(c);
    inject_plan_free(p);
}

static void ranges_include_both_borders(void **state)
{
    (void)state;
    assert_row("drop,message=1", "x....");
    assert_row("drop,message=[2,4..5]", ".x.xx..");
    assert_row("drop,message=3..", "..xxxx");
    assert_row("drop,message=every 3", "..x..x..x.");
    assert_row("drop,times=2", "xx...");
    assert_row("drop,per_connection=2,message=2..", ".xx..");
}

/* `times` is for all connections, `per_connection` and `after` for each. */
static void counts_are_of_the_plan_or_of_the_connection(void **state)
{
    struct inject_plan *p =
        PLAN("duplicate,times=3,name=all", "duplicate,per_connection=1,name=each",
             "duplicate,text=go,name=first", "duplicate,after=first,name=then");
    struct inject_connection *a = inject_connection_new(p, 1, 0);
    struct inject_connection *b = inject_connection_new(p, 2, 0);

    (void)state;
    assert_int_equal(text(a, "x"), 2);
    assert_int_equal(text(a, "x"), 1);
    assert_int_equal(text(b, "x"), 2);
    assert_int_equal(text(b, "x"), 0);
    assert_int_equal(text(a, "go"), 2); /* `then` comes behind it in the list */
    assert_int_equal(text(a, "x"), 1);
    assert_int_equal(text(b, "x"), 0);
    inject_connection_free(a);
    inject_connection_free(b);
    inject_plan_free(p);
}

/* What could not be done counts nowhere. */
static void failures_do_not_count(void **state)
{
    struct inject_plan *p = PLAN("drop_field=gone,times=1,name=a", "drop,after=a");
    struct inject_connection *c = inject_connection_new(p, 1, 0);
    uint64_t fired;

    (void)state;
    assert_int_equal(text(c, "{\"here\":1}"), 0);
    assert_int_equal(text(c, "no JSON"), 0);
    inject_plan_rule(p, 0, &fired);
    assert_int_equal(fired, 0);
    assert_int_equal(text(c, "{\"gone\":1}"), 2);
    inject_plan_rule(p, 0, &fired);
    assert_int_equal(fired, 1);
    inject_connection_free(c);
    inject_plan_free(p);
}

/* Counts go by the rule's name, wherever it stands then. */
static void counts_outlive_a_reload(void **state)
{
    struct inject_plan *p =
        PLAN("drop,times=3,name=all", "drop,per_connection=1,name=each");
    struct inject_connection *c = inject_connection_new(p, 1, 0);
    static const char *const later[] = { "duplicate,per_connection=1,name=new",
                                         "duplicate,per_connection=1,name=each",
                                         "duplicate,times=3,name=all",
                                         "duplicate,after=each,name=last", NULL };
    uint64_t fired;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(text(c, ""), 1);
    }
    assert_int_equal(text(c, ""), 1); /* each */
    assert_int_equal(inject_plan_reload(p, rules_of_lines(later)), 0);
    inject_plan_rule(p, 2, &fired);
    assert_int_equal(fired, 3);
    assert_int_equal(text(c, ""), 2); /* new and last */
    assert_int_equal(text(c, ""), 1);
    inject_connection_free(c);
    inject_plan_free(p);
}

/* From the first moment on, and no more at the last. */
static void times_begin_and_end(void **state)
{
    struct inject_plan *p =
        PLAN("duplicate,time=10ms..30ms", "duplicate,age=10ms..15ms");
    struct inject_connection *c = inject_connection_new(p, 1, 5 * ms);

    (void)state;
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 10 * ms - 1), 0);
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 10 * ms), 1);
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 15 * ms), 2);
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 20 * ms - 1), 2);
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 20 * ms), 1);
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 30 * ms - 1), 1);
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "", 30 * ms), 0);
    inject_connection_free(c);
    inject_plan_free(p);
}

static void delays_add_up(void **state)
{
    struct inject_plan *p =
        PLAN("delay=100ms", "delay=30ms", "duplicate=4", "duplicate=7");
    struct inject_connection *c = inject_connection_new(p, 1, 0);
    struct inject_verdict v = { 0 };

    (void)state;
    assert_int_equal(inject_on_message(c, SERVER, INJECT_TEXT, bytes_of("a"), 0, &v),
                     0);
    assert_int_equal(v.delay_ns, 130 * ms);
    assert_int_equal(v.out_count, 12);
    inject_verdict_deinit(&v);
    inject_connection_free(c);
    inject_plan_free(p);
}

/* One event has room for so many acts; further rules do not act on it, and have not. */
static void acts_on_one_message_are_bounded(void **state)
{
    struct buf file = { 0 };
    struct inject_plan *p;
    struct inject_connection *c;

    (void)state;
    assert_int_equal(buf_put_text(&file, "faults:\n"), 0);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(buf_put_text(&file, "- {delay: 1ms, times: 1}\n"), 0);
    }
    assert_int_equal(buf_put_byte(&file, 0), 0);
    p = inject_plan_new(rules_of_file((const char *)file.at), 1, 1 << 16);
    c = inject_connection_new(p, 1, 0);
    assert_int_equal(text(c, ""), 32);
    assert_int_equal(text(c, ""), 8);
    assert_int_equal(text(c, ""), 0);
    inject_connection_free(c);
    inject_plan_free(p);
    buf_deinit(&file);
}

/* How many rules act on a message behind a request for `target` with these fields. */
static size_t behind(struct inject_plan *p, const char *target, const char *fields)
{
    struct inject_connection *c = inject_connection_new(p, 1, 0);
    struct inject_fired fired[INJECT_FIRED_MAX];
    char head[256];
    size_t acts;

    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target,
             fields);
    assert_int_equal(inject_on_request(c, bytes_of(head), 0, fired), 0);
    acts = text(c, "");
    inject_connection_free(c);
    return acts;
}

/* A path with its query or without; all fields that are asked for. */
static void heads_hold_or_not(void **state)
{
    struct inject_plan *p = PLAN("duplicate,path=/ws", "duplicate,path=/ws?a=1",
                                 "duplicate,header.A=x,header.B=y");

    (void)state;
    assert_int_equal(behind(p, "/ws", ""), 1);
    assert_int_equal(behind(p, "/ws?b=2", ""), 1);
    assert_int_equal(behind(p, "/ws?a=1", ""), 2);
    assert_int_equal(behind(p, "/wss", ""), 0);
    assert_int_equal(behind(p, "/", "A: x\r\n"), 0);
    assert_int_equal(behind(p, "/", "B: y\r\n"), 0);
    assert_int_equal(behind(p, "/", "b: y\r\na: x\r\n"), 1);
    assert_int_equal(behind(p, "/", "A: x\r\nB: z\r\n"), 0);
    inject_plan_free(p);
}

static void text_is_looked_for_in_text(void **state)
{
    struct inject_plan *p = PLAN("drop,text=abc");
    struct inject_connection *c = inject_connection_new(p, 1, 0);

    (void)state;
    assert_int_equal(judge(c, CLIENT, INJECT_BINARY, "abc", 0), 0);
    assert_int_equal(judge(c, CLIENT, INJECT_TEXT, "abc", 0), 1);
    inject_connection_free(c);
    inject_plan_free(p);
}

/* ---- chance ---- */

enum { ROW = 1000 };

/* Which of many messages a rule acts on, a byte each. `now_ns` moves meanwhile. */
static size_t draw_row(struct inject_plan *p, uint32_t number, enum side from,
                       int64_t step_ns, char row[ROW])
{
    struct inject_connection *c = inject_connection_new(p, number, 0);
    size_t sum = 0;

    for (int i = 0; i < ROW; i++) {
        row[i] = judge(c, from, INJECT_TEXT, "", i * step_ns) > 0;
        sum += (size_t)row[i];
    }
    inject_connection_free(c);
    return sum;
}

static bool differs_much(const char a[ROW], const char b[ROW])
{
    unsigned same = 0;

    for (int i = 0; i < ROW; i++) {
        same += a[i] == b[i];
    }
    return same > ROW / 4 && same < ROW * 3 / 4;
}

/* Depends on the seed, the rule's name, the connection, the side and the message, and
 * on nothing else. */
static void chance_is_a_function(void **state)
{
    static const char *const half[] = { "drop,probability=0.5,name=a", NULL };
    static const char *const other[] = { "drop,probability=0.5,name=b", NULL };
    struct inject_plan *p = plan_of(7, half), *same = plan_of(7, half);
    struct inject_plan *seed = plan_of(8, half), *name = plan_of(7, other);
    char row[ROW], got[ROW];

    (void)state;
    assert_in_range(draw_row(p, 1, CLIENT, 0, row), ROW * 43 / 100, ROW * 57 / 100);
    draw_row(p, 1, CLIENT, 0, got); /* whatever was drawn before */
    assert_memory_equal(got, row, ROW);
    draw_row(same, 2, CLIENT, 3, got);
    assert_true(differs_much(got, row));
    draw_row(same, 1, SERVER, 3, got);
    assert_true(differs_much(got, row));
    draw_row(same, 1, CLIENT, 3, got);
    assert_memory_equal(got, row, ROW);
    draw_row(seed, 1, CLIENT, 0, got);
    assert_true(differs_much(got, row));
    draw_row(name, 1, CLIENT, 0, got);
    assert_true(differs_much(got, row));
    inject_plan_free(p);
    inject_plan_free(same);
    inject_plan_free(seed);
    inject_plan_free(name);
}

static void chance_is_as_said(void **state)
{
    struct inject_plan *rare = PLAN("drop,probability=0.1");
    struct inject_plan *often = PLAN("drop,probability=0.9");
    char row[ROW];

    (void)state;
    assert_in_range(draw_row(rare, 1, SERVER, 0, row), ROW * 6 / 100, ROW * 14 / 100);
    assert_in_range(draw_row(often, 1, SERVER, 0, row), ROW * 86 / 100, ROW * 94 / 100);
    inject_plan_free(rare);
    inject_plan_free(often);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_numbered),
        cmocka_unit_test(ranges_include_both_borders),
        cmocka_unit_test(counts_are_of_the_plan_or_of_the_connection),
        cmocka_unit_test(failures_do_not_count),
        cmocka_unit_test(counts_outlive_a_reload),
        cmocka_unit_test(times_begin_and_end),
        cmocka_unit_test(delays_add_up),
        cmocka_unit_test(acts_on_one_message_are_bounded),
        cmocka_unit_test(heads_hold_or_not),
        cmocka_unit_test(text_is_looked_for_in_text),
        cmocka_unit_test(chance_is_a_function),
        cmocka_unit_test(chance_is_as_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
