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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
