#include "base/alloc.h"
#include "rules_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void from_what_a_rule_says(void **state)
{
    const char *const some[] = { "drop,message=3", "delay=1s", NULL };
    const char *const more[] = { "abort=rst", "delay=1s", "drop,message=4",
                                 "drop,message=3", NULL };
    struct inject_rules *a = rules_of_lines(some), *b = rules_of_lines(more);

    (void)state;
    assert_string_equal(a->at[0].name, b->at[3].name);
    assert_string_equal(a->at[1].name, b->at[1].name);
    assert_string_not_equal(b->at[2].name, b->at[3].name);
    assert_memory_equal(a->at[0].name, "drop-", 5);
    assert_int_equal(strlen(a->at[0].name), 9);
    assert_int_equal(strspn(a->at[0].name + 5, "0123456789abcdef"), 4);
    inject_rules_free(a);
    inject_rules_free(b);
}

static void not_from_its_order_or_style(void **state)
{
    struct inject_rules *r = rules_of_file(
        "faults:\n"
        "  - when: {from: server, message: 5}\n"
        "    close: {code: 1011, reason: bye}\n"
        "    times: 2\n"
        "  - {\"times\": 2, close: {reason: 'bye', code: 1011}, when: {message: 5,\n"
        "     from: \"server\"}}\n");
    char second[64];

    (void)state;
    snprintf(second, sizeof(second), "%s-2", r->at[0].name);
    assert_string_equal(r->at[1].name, second);
    assert_int_equal(r->at[0].line, 2);
    assert_int_equal(r->at[1].line, 5);
    inject_rules_free(r);
}

/* Everything a rule says counts. */
static void from_all_it_says(void **state)
{
    static const char *const lines[] = {
        "set_field.a=1",
        "set_field.a=2",
        "set_field.b=1",
        "set_field.a=\"1\"",
        "set_field.a=[1]",
        "set_field.a=1,times=1",
        "set_field.a=1,probability=0.5",
        "set_field.a=1,from=client",
    };
    enum { COUNT = sizeof(lines) / sizeof(lines[0]) };
    struct inject_rules *owners[COUNT];
    const char *names[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        names[i] = rule_of_line(lines[i], &owners[i])->name;
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(names[i], names[k]);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        inject_rules_free(owners[i]);
    }
}

/* A name that is given keeps an invented one away. */
static void given_names_come_first(void **state)
{
    const char *const one[] = { "drop", NULL };
    struct inject_rules *a = rules_of_lines(one), *b;
    char line[100], second[64];
    const char *const two[] = { "drop", line, NULL };

    (void)state;
    snprintf(line, sizeof(line), "delay=1s,name=%s", a->at[0].name);
    snprintf(second, sizeof(second), "%s-2", a->at[0].name);
    b = rules_of_lines(two);
    assert_string_equal(b->at[0].name, second);
    assert_string_equal(b->at[1].name, a->at[0].name);
    inject_rules_free(a);
    inject_rules_free(b);
}

static void after_finds_earlier_and_later_rules(void **state)
{
    struct inject_rules *r =
        rules_of_file("faults:\n"
                      "  - {drop: , when: {after: two}}\n"
                      "  - {name: two, delay: 1s}\n"
                      "  - {drop: , when: {after: two}, times: 3}\n"
                      "  - {abort: fin}\n");

    (void)state;
    assert_int_equal(r->at[0].when.after, 1);
    assert_int_equal(r->at[1].when.after, -1);
    assert_int_equal(r->at[2].when.after, 1);
    assert_int_equal(r->at[3].when.after, -1);
    inject_rules_free(r);
}

/* ---- across sources ---- */

static void errors_of(const struct inject_source *sources, size_t count,
                      const char *expected)
{
    struct inject_rules *rules = NULL;
    struct buf errors = { 0 };
    unsigned error_count = 0;

    assert_int_equal(inject_build(sources, count, &rules, &errors, &error_count),
                     -EINVAL);
    assert_null(rules);
    assert_int_equal(buf_put_byte(&errors, '\0'), 0);
    assert_string_equal((const char *)errors.at, expected);
    buf_deinit(&errors);
    assert_int_equal(alloc_live(), 0);
}

static void names_differ_across_sources(void **state)
{
    const struct inject_source s[] = {
        { .name = "a.yaml", .text = bytes_of("faults:\n  - {name: x, drop: }\n") },
        { .name = "--fault", .text = bytes_of("drop,name=x"), .is_line = true },
        { .name = "--fault", .text = bytes_of("drop,after=y"), .is_line = true },
    };

    (void)state;
    errors_of(s, 3,
              "--fault:1:11: name: \"x\" is taken by the rule at a.yaml:2:12\n"
              "    drop,name=x\n"
              "              ^\n"
              "--fault:1:12: after: no rule is called \"y\"\n"
              "    drop,after=y\n"
              "               ^\n");
}

static void rules_of_all_sources_are_in_order(void **state)
{
    const struct inject_source s[] = {
        { .name = "a.yaml", .text = bytes_of("seed: 7\nfaults: [{drop: }]\n") },
        { .name = "--fault", .text = bytes_of("delay=1s,after=z"), .is_line = true },
        { .name = "--fault", .text = bytes_of("abort=fin,name=z"), .is_line = true },
    };
    struct inject_rules *rules = NULL;
    struct buf errors = { 0 };
    unsigned error_count = 0;

    (void)state;
    assert_int_equal(inject_build(s, 3, &rules, &errors, &error_count), 0);
    assert_int_equal(rules->count, 3);
    assert_true(rules->has_seed);
    assert_int_equal(rules->seed, 7);
    assert_int_equal(rules->at[0].act.action, INJECT_DROP);
    assert_int_equal(rules->at[1].when.after, 2);
    assert_int_equal(rules->at[2].act.action, INJECT_ABORT);
    inject_rules_free(rules);
}

static void older_rules_go_too(void **state)
{
    const char *const lines[] = { "drop,text=a,json.b=c", NULL };
    struct inject_rules *a = rules_of_lines(lines), *b = rules_of_lines(lines);

    (void)state;
    b->older = a;
    inject_rules_free(b);
    inject_rules_free(NULL);
    assert_int_equal(alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_what_a_rule_says),
        cmocka_unit_test(not_from_its_order_or_style),
        cmocka_unit_test(from_all_it_says),
        cmocka_unit_test(given_names_come_first),
        cmocka_unit_test(after_finds_earlier_and_later_rules),
        cmocka_unit_test(names_differ_across_sources),
        cmocka_unit_test(rules_of_all_sources_are_in_order),
        cmocka_unit_test(older_rules_go_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
