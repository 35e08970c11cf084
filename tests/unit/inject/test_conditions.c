#include "base/alloc.h"
#include "inject/decimal.h"
#include "inject/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- numbers ---- */

static void same_number(const char *a, const char *b, bool expected)
{
    if (inject_decimal_equal(bytes_of(a), bytes_of(b)) != expected ||
        inject_decimal_equal(bytes_of(b), bytes_of(a)) != expected) {
        fail_msg("%s and %s", a, b);
    }
}

static void numbers_by_value(void **state)
{
    static const char *const alike[][8] = {
        { "1", "1.0", "1e0", "10e-1", "0.1E+1", "1.000", "100e-2", "0.001e3" },
        { "0", "-0", "0.0", "0e5", "-0.00E-9", "0e99999999999999999999", "0.0e1",
          "-0.0" },
        { "120", "1.2e2", "12e1", "120.0", "1200e-1", "0.12e3", "0.0012e5", "120e0" },
        { "-0.05", "-5e-2", "-0.5e-1", "-0.0500", "-50e-3", "-0.005e+1", "-0.05e0",
          "-0.00000005e6" },
        { "123456789012345678901234567890", "123456789012345678901234567890.0",
          "1.2345678901234567890123456789e29", "12345678901234567890123456789e1",
          "123456789012345678901234567890e0", "1234567890123456789012345678900e-1",
          "0.12345678901234567890123456789e30", "12345678901234567.8901234567890e13" },
        { "1e400", "10e399", "0.1e401", "1.0e400", "1E400", "1e+400", "100e398",
          "0.00001e405" },
    };
    const size_t count = sizeof(alike) / sizeof(alike[0]);

    (void)state;
    for (size_t i = 0; i < 8 * count; i++) {
        for (size_t k = 0; k < 8 * count; k++) {
            same_number(alike[i / 8][i % 8], alike[k / 8][k % 8], i / 8 == k / 8);
        }
    }
}

static void numbers_exactly(void **state)
{
    (void)state;
    same_number("123456789012345678901234567890", "123456789012345678901234567891",
                false);
    same_number("9007199254740993", "9007199254740992", false);
    same_number("0.1", "0.1000000000000000055511151231257827", false);
    same_number("1", "-1", false);
    same_number("1", "10", false);
    same_number("12", "1.2", false);
    same_number("12", "123", false);
    same_number("1e5", "1e-5", false);
    same_number("101", "11", false);
    same_number("1.01", "1.1", false);
    same_number("1e99999999999999999999", "1e-99999999999999999999", false);
    same_number("1e99999999999999999999", "1", false);
}

/* ---- values ---- */

static bool equals(const char *value, const char *expected)
{
    return inject_json_equals(bytes_of(value), bytes_of(expected));
}

static void literals(void **state)
{
    static const char *const values[] = { "null",     "true", "false", "0",
                                          "\"true\"", "\"\"", "[]",    "{}" };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_int_equal(equals(values[i], "null"), i == 0);
        assert_int_equal(equals(values[i], "~"), i == 0);
        assert_int_equal(equals(values[i], ""), i == 0);
        assert_int_equal(equals(values[i], "NULL"), i == 0);
        assert_int_equal(equals(values[i], "true"), i == 1);
        assert_int_equal(equals(values[i], "True"), i == 1);
        assert_int_equal(equals(values[i], "FALSE"), i == 2);
        assert_int_equal(equals(values[i], "0"), i == 3);
        assert_int_equal(equals(values[i], "-0.0"), i == 3);
        assert_int_equal(equals(values[i], "\"true\""), i == 4);
        assert_int_equal(equals(values[i], "\"\""), i == 5);
        assert_true(equals(values[i], "*"));
        assert_int_equal(equals(values[i], "\"*\""), i == 4 || i == 5);
        assert_int_equal(equals(values[i], "**"), i == 4 || i == 5);
    }
}

static void words(void **state)
{
    (void)state;
    assert_true(equals("\"tool_executing\"", "tool_executing"));
    assert_true(equals("\"tool_executing\"", "tool_*"));
    assert_true(equals("\"tool_executing\"", "\"tool_*\""));
    assert_true(equals("\"tool\\u005fexecuting\"", "tool_[a-f]*"));
    assert_false(equals("\"tool_executing\"", "Tool_executing"));
    assert_false(equals("\"tool_executing\"", "tool_"));
    assert_true(equals("\"5\"", "\"5\""));
    assert_false(equals("\"5\"", "5"));
    assert_false(equals("5", "\"5\""));
    assert_true(equals("5.0", "5"));
    assert_true(equals("503", "503"));
    assert_false(equals("503", "5*"));
    assert_true(equals("\"5x\"", "5x"));
    assert_true(equals("\"05\"", "05")); /* no JSON number, so a string */
    assert_true(equals("\"-\"", "-"));
    assert_true(equals("\"1 \"", "1 "));
    assert_true(equals("\"nothing\"", "nothing"));
    assert_true(equals("\"nullx\"", "null?"));
    assert_true(equals("\"~x\"", "~x"));
    assert_true(equals("\"\\\"\"", "\""));
    assert_true(equals("\"\\\"a\\\"\"", "\\\"a\\\""));
    assert_false(equals("[", "x")); /* the first byte of an array is enough */
    assert_false(equals("{", "1"));
    assert_true(equals("{", "*"));
}

static void expected_is(const char *text, bool quoted, const char *word)
{
    struct buf out = { 0 };

    assert_int_equal(inject_json_put_expected(bytes_of(text), quoted, &out), 0);
    assert_int_equal(out.len, strlen(word));
    assert_true(out.len == 0 || memcmp(out.at, word, out.len) == 0);
    buf_deinit(&out);
}

static void quotes_of_the_rule_file(void **state)
{
    struct buf out = { 0 };

    (void)state;
    expected_is("5", false, "5");
    expected_is("5", true, "\"5\"");
    expected_is("true", true, "\"true\"");
    expected_is("", false, "");
    expected_is("", true, "\"\"");
    expected_is("~", true, "\"~\"");
    expected_is("tool_*", true, "tool_*");
    expected_is("*", true, "*");
    expected_is("abc", false, "abc");
    alloc_fail_at(0);
    assert_int_equal(inject_json_put_expected(bytes_of("5"), true, &out), -ENOMEM);
    assert_true(alloc_fail_clear());
    assert_int_equal(out.len, 0);
}

static void checks_globs(void **state)
{
    size_t column = 0;

    (void)state;
    assert_null(inject_json_check_expected(bytes_of("tool_[a-z]*"), &column));
    assert_null(inject_json_check_expected(bytes_of("-1.5"), &column));
    assert_null(inject_json_check_expected(bytes_of(""), &column));
    assert_non_null(inject_json_check_expected(bytes_of("ab[c"), &column));
    assert_int_equal(column, 3);
    assert_non_null(inject_json_check_expected(bytes_of("\"ab[c\""), &column));
    assert_int_equal(column, 4);
}

/* ---- conditions ---- */

struct rig {
    struct inject_json_condition conditions[INJECT_JSON_CONDITIONS_MAX];
    char words[256];
    size_t count;
};

/* `conditions` are path=expected, separated by spaces. */
static void set_up(struct rig *r, const char *conditions)
{
    char *rest = r->words;

    *r = (struct rig){ 0 };
    snprintf(r->words, sizeof(r->words), "%s", conditions);
    for (char *word; (word = strsep(&rest, " ")) != NULL; r->count++) {
        char *path = strsep(&word, "=");
        struct err e;
        size_t column;

        r->conditions[r->count].expected = word;
        assert_int_equal(
            inject_path_new(bytes_of(path), &r->conditions[r->count].path, &e, &column),
            0);
    }
}

static void tear_down(struct rig *r)
{
    for (size_t i = 0; i < r->count; i++) {
        inject_path_free(r->conditions[i].path);
    }
    assert_int_equal(alloc_live(), 0);
}

static bool holds(const char *conditions, const char *text)
{
    struct rig rig;
    bool said = false;

    set_up(&rig, conditions);
    assert_int_equal(
        inject_json_holds(bytes_of(text), rig.conditions, rig.count, &said), 0);
    tear_down(&rig);
    return said;
}

static void conditions_hold(void **state)
{
    const char *text =
        "{\"type\":\"tool_executing\",\"data\":{\"n\":[1,2.0,3],\"o\":{}},"
        "\"ok\":true,\"twice\":1,\"twice\":\"x\"}";

    (void)state;
    assert_true(holds("type=tool_executing", text));
    assert_false(holds("type=tool_completed", text));
    assert_false(holds("kind=tool_executing", text));
    assert_true(holds("type=tool_* ok=true data.n[0]=1", text));
    assert_false(holds("type=tool_* ok=false data.n[0]=1", text));
    assert_true(holds("data.n[*]=2", text));
    assert_false(holds("data.n[*]=4", text));
    assert_true(holds("$..n[2]=3", text));
    assert_true(holds("data=*", text));
    assert_true(holds("data=* data.n=* data.n[1]=2", text));
    assert_false(holds("data=x", text));
    assert_true(holds("data.o=*", text));
    assert_false(holds("data.o=", text));
    assert_true(holds("twice=1 twice=x", text));
    assert_true(holds("$=*", text));
    assert_true(holds("$=17", "17.0"));
    assert_false(holds("$.a=17", "17.0"));
}

static void no_condition_holds_without_json(void **state)
{
    static const char *const texts[] = { "", "hello", "{\"a\":1", "{\"a\":1} x",
                                         "{\"b\":[1,],\"a\":1}" };
    struct rig rig;

    (void)state;
    set_up(&rig, "a=1");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        bool said = true;

        assert_int_equal(
            inject_json_holds(bytes_of(texts[i]), rig.conditions, rig.count, &said),
            INJECT_JSON_BAD);
        assert_true(said); /* not written */
    }
    tear_down(&rig);
}

static void as_many_as_there_may_be(void **state)
{
    struct rig rig;
    bool said = false;

    (void)state;
    set_up(&rig, "a=1");
    for (rig.count = 1; rig.count < INJECT_JSON_CONDITIONS_MAX; rig.count++) {
        rig.conditions[rig.count] = rig.conditions[0];
    }
    assert_int_equal(
        inject_json_holds(bytes_of("{\"a\":1}"), rig.conditions, rig.count, &said), 0);
    assert_true(said);
    assert_int_equal(inject_json_holds(bytes_of("{\"a\":2}"), rig.conditions, 0, &said),
                     0);
    assert_true(said); /* nothing asked for */
    rig.count = 1;
    tear_down(&rig);
}

static void every_allocation_fails_once(void **state)
{
    struct rig rig;

    (void)state;
    set_up(&rig, "$..a=2");
    for (unsigned nth = 0;; nth++) {
        long live = alloc_live();
        bool said = false, hit;
        int r;

        alloc_fail_at(nth);
        r = inject_json_holds(bytes_of("[[[[[[[[[[[[{\"a\":2}]]]]]]]]]]]]"),
                              rig.conditions, rig.count, &said);
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), live);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        assert_int_equal(said, !hit);
        if (!hit) {
            assert_true(nth > 2);
            break;
        }
    }
    tear_down(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_by_value),
        cmocka_unit_test(numbers_exactly),
        cmocka_unit_test(literals),
        cmocka_unit_test(words),
        cmocka_unit_test(quotes_of_the_rule_file),
        cmocka_unit_test(checks_globs),
        cmocka_unit_test(conditions_hold),
        cmocka_unit_test(no_condition_holds_without_json),
        cmocka_unit_test(as_many_as_there_may_be),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
