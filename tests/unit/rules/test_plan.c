#include "base/alloc.h"
#include "inject/plan.h"
#include "rules_rig.h"

#include <errno.h>

#define MESSAGE "{\"type\":\"call\",\"tool\":[[[[[[[[[[1]]]]]]]]]]}"
#define EDITED  "{\"type\":\"call\"}"

static const char *const lines[] = {
    "drop_field=tool,json.type=call",
    "duplicate,text=\"(?i)CALL|x+\"",
    "insert=more,where=after,message=1",
    "fragment=4,size=1..",
    NULL,
};

static void check(const struct inject_verdict *v)
{
    assert_int_equal(v->fired_count, 4);
    assert_int_equal(v->out_count, 3);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(v->out[i].len, strlen(EDITED));
        assert_memory_equal(v->bytes.at + v->out[i].at, EDITED, strlen(EDITED));
        assert_int_equal(v->out[i].fragment, 4);
    }
    assert_memory_equal(v->bytes.at + v->out[2].at, "more", 4);
}

/* A message is judged whole or not at all: no rule is left out for want of memory. */
static void judges_whole_or_not_at_all(void **state)
{
    bool hit = true;

    (void)state;
    for (unsigned nth = 0; hit; nth++) {
        struct inject_plan *plan = inject_plan_new(rules_of_lines(lines), 1, 1024);
        struct inject_connection *c;
        struct inject_verdict v = { 0 };
        int r = -ENOMEM;

        assert_non_null(plan);
        alloc_fail_at(nth);
        c = inject_connection_new(plan, 1, 0);
        if (c != NULL) {
            r = inject_on_message(c, SERVER, INJECT_TEXT, bytes_of(MESSAGE), 0, &v);
        }
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (r == 0) {
            check(&v);
        }
        inject_verdict_deinit(&v);
        inject_connection_free(c);
        inject_plan_free(plan);
        assert_int_equal(alloc_live(), 0);
    }
}

/* New rules come whole or not at all, to the plan and to each connection. */
static void reloads_whole_or_not_at_all(void **state)
{
    bool hit = true;

    (void)state;
    for (unsigned nth = 0; hit; nth++) {
        struct inject_rules *first = rules_of_lines(lines);
        struct inject_rules *second = rules_of_lines(lines);
        struct inject_connection *c = NULL;
        struct inject_verdict v = { 0 };
        struct inject_plan *plan;
        int r = -ENOMEM;

        alloc_fail_at(nth);
        plan = inject_plan_new(first, 1, 1024);
        if (plan != NULL) {
            c = inject_connection_new(plan, 1, 0);
            r = inject_plan_reload(plan, second);
        }
        if (r == 0) {
            second = NULL;
            r = c == NULL ? -ENOMEM
                          : inject_on_message(c, SERVER, INJECT_TEXT, bytes_of(MESSAGE),
                                              0, &v);
        }
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (r == 0) {
            check(&v);
        }
        inject_verdict_deinit(&v);
        inject_connection_free(c);
        inject_plan_free(plan);
        inject_rules_free(plan == NULL ? first : NULL);
        inject_rules_free(second);
        assert_int_equal(alloc_live(), 0);
    }
}

/* A connection that is open when more rules come knows them all, whatever is asked
 * first. */
static void asks_about_new_rules(void **state)
{
    static const char *const one[] = { "drop,message=9", NULL };
    static const char *const more[] = {
        "drop,message=9", "drop,path=/x",
        "drop,path=/y",   "insert=x,opcode=ping,path=/z",
        "drop,path=/v",   NULL
    };
    struct inject_plan *plan = inject_plan_new(rules_of_lines(one), 1, 1024);
    struct inject_connection *c = inject_connection_new(plan, 1, 0);
    struct inject_fired fired[INJECT_FIRED_MAX];

    (void)state;
    inject_on_request(c, bytes_of("GET /z HTTP/1.1\r\n\r\n"), 0, fired);
    assert_false(inject_inserts_at_control(c, SERVER));
    assert_int_equal(inject_plan_reload(plan, rules_of_lines(more)), 0);
    assert_true(inject_inserts_at_control(c, SERVER));
    inject_connection_free(c);
    inject_plan_free(plan);
    assert_int_equal(alloc_live(), 0);
}

/* What a rule would make of a message is bounded; the act is told as failed. */
static void copies_are_bounded(void **state)
{
    static const char *const many[] = { "duplicate=1000", NULL };
    struct inject_plan *plan = inject_plan_new(rules_of_lines(many), 1, 1024);
    struct inject_connection *c = inject_connection_new(plan, 1, 0);
    struct inject_verdict v = { 0 };
    static uint8_t large[128 * 1024];

    (void)state;
    assert_int_equal(inject_on_message(c, SERVER, INJECT_BINARY,
                                       bytes_make(large, sizeof(large)), 0, &v),
                     0);
    assert_int_equal(v.fired_count, 1);
    assert_true(v.fired[0].failed);
    assert_string_equal(v.fired[0].why, "the copies would be more than 64 MiB");
    assert_int_equal(v.out_count, 1);
    assert_true(v.out[0].original);
    inject_verdict_deinit(&v);
    inject_connection_free(c);
    inject_plan_free(plan);
    assert_int_equal(alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_whole_or_not_at_all),
        cmocka_unit_test(reloads_whole_or_not_at_all),
        cmocka_unit_test(asks_about_new_rules),
        cmocka_unit_test(copies_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
