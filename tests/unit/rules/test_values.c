#include "base/alloc.h"
#include "rules_rig.h"

#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

/* ---- JSON ---- */

static const struct {
    const char *yaml, *json;
} values[] = {
    { "null", "null" },
    { "~", "null" },
    { "", "null" },
    { "true", "true" },
    { "False", "false" },
    { "'true'", "\"true\"" },
    { "yes", "\"yes\"" },
    { "5", "5" },
    { "-0", "-0" },
    { "007", "7" },
    { "+12", "12" },
    { ".5", "0.5" },
    { "5.", "5" },
    { "1.50", "1.50" },
    { "-1.5E+10", "-1.5e+10" },
    { "1e400", "1e400" },
    { "123456789012345678901234567890", "123456789012345678901234567890" },
    { "0x1F", "31" },
    { "0o17", "15" },
    { "0xffffffffffffffff", "18446744073709551615" },
    { "0x10000000000000000", "\"0x10000000000000000\"" },
    { "0o8", "\"0o8\"" },
    { "1.2.3", "\"1.2.3\"" },
    { "1e", "\"1e\"" },
    { "-.", "\"-.\"" },
    { "12:30", "\"12:30\"" },
    { "\"5\"", "\"5\"" },
    { "!!str 5", "\"5\"" },
    { "a b", "\"a b\"" },
    { "\"a\\tb\\0\\u00e9\"", "\"a\\tb\\u0000\xc3\xa9\"" },
    { "[]", "[]" },
    { "{}", "{}" },
    { "[1, x, [true, ~]]", "[1,\"x\",[true,null]]" },
    { "{a: 1, 2: {b: []}, 'c d': ''}", "{\"a\":1,\"2\":{\"b\":[]},\"c d\":\"\"}" },
};

static void yaml_becomes_json(void **state)
{
    char text[400];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct inject_rules *r;

        snprintf(text, sizeof(text), "faults:\n- set_field: {a: %s}\n", values[i].yaml);
        r = rules_of_file(text);
        assert_string_equal(r->at[0].act.fields[0].text, values[i].json);
        inject_rules_free(r);
    }
}

static void blocks_and_anchors(void **state)
{
    struct inject_rules *r = rules_of_file("faults:\n"
                                           "  - replace:\n"
                                           "      json:\n"
                                           "        - &a {x: [1, 2]}\n"
                                           "        - |\n"
                                           "          two\n"
                                           "          lines\n"
                                           "        - *a\n");

    (void)state;
    assert_int_equal(r->at[0].act.payload_len, 40);
    assert_memory_equal(r->at[0].act.payload,
                        "[{\"x\":[1,2]},\"two\\nlines\\n\",{\"x\":[1,2]}]", 40);
    inject_rules_free(r);
}

/* ---- ranges ---- */

static const struct {
    const char *text;
    struct inject_range range;
} ranges[] = {
    { "message=3", { 3, 3, 0 } },
    { "message=1..3", { 1, 3, 0 } },
    { "message=5..", { 5, UINT64_MAX, 0 } },
    { "message=every 4", { 1, UINT64_MAX, 4 } },
    { "message=7..7", { 7, 7, 0 } },
    { "message=18446744073709551615", { UINT64_MAX, UINT64_MAX, 0 } },
};

static void numbers(void **state)
{
    char line[100];

    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        struct inject_rules *owner;
        const struct inject_ranges *r;

        snprintf(line, sizeof(line), "drop,%s", ranges[i].text);
        r = &rule_of_line(line, &owner)->when.message;
        assert_int_equal(r->count, 1);
        assert_memory_equal(&r->at[0], &ranges[i].range, sizeof(r->at[0]));
        inject_rules_free(owner);
    }
}

static void lists_and_sizes(void **state)
{
    struct inject_rules *owner;
    const struct inject_when *w =
        &rule_of_line("drop,size=[0,1k..2M,3G..],connection=[1,4..6,every 10]", &owner)
             ->when;

    (void)state;
    assert_int_equal(w->size.count, 3);
    assert_int_equal(w->size.at[0].to, 0);
    assert_int_equal(w->size.at[1].from, 1024);
    assert_int_equal(w->size.at[1].to, 2 * 1024 * 1024);
    assert_int_equal(w->size.at[2].from, UINT64_C(3) << 30);
    assert_int_equal(w->size.at[2].to, UINT64_MAX);
    assert_int_equal(w->connection.count, 3);
    assert_true(inject_ranges_hold(&w->connection, 5));
    assert_true(inject_ranges_hold(&w->connection, 20));
    assert_false(inject_ranges_hold(&w->connection, 7));
    inject_rules_free(owner);
}

static void spans_of_time(void **state)
{
    struct inject_rules *owner;
    const struct inject_when *w =
        &rule_of_line("drop,time=0..1.5s,age=3s", &owner)->when;

    (void)state;
    assert_int_equal(w->time_from_ns, 0);
    assert_int_equal(w->time_to_ns, 1500 * MS);
    assert_int_equal(w->age_from_ns, 3 * S);
    assert_int_equal(w->age_to_ns, INT64_MAX);
    inject_rules_free(owner);
    w = &rule_of_line("drop,age=250ms..", &owner)->when;
    assert_int_equal(w->time_from_ns, 0);
    assert_int_equal(w->time_to_ns, INT64_MAX);
    assert_int_equal(w->age_from_ns, 250 * MS);
    assert_int_equal(w->age_to_ns, INT64_MAX);
    inject_rules_free(owner);
}

static void chance_and_budgets(void **state)
{
    struct inject_rules *owner;
    const struct inject_rule *r = rule_of_line("drop", &owner);

    (void)state;
    assert_true(r->probability == 1);
    assert_int_equal(r->times, UINT64_MAX);
    assert_int_equal(r->per_connection, UINT64_MAX);
    inject_rules_free(owner);
    r = rule_of_line("drop,probability=.25,times=3,per_connection=2", &owner);
    assert_true(r->probability == 0.25);
    assert_int_equal(r->times, 3);
    assert_int_equal(r->per_connection, 2);
    inject_rules_free(owner);
    r = rule_of_line("drop,probability=0.3", &owner);
    assert_true(r->probability > 0.2999999 && r->probability < 0.3000001);
    inject_rules_free(owner);
    assert_int_equal(alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_becomes_json), cmocka_unit_test(blocks_and_anchors),
        cmocka_unit_test(numbers),           cmocka_unit_test(lists_and_sizes),
        cmocka_unit_test(spans_of_time),     cmocka_unit_test(chance_and_budgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
