#include "rules_rig.h"

#include <errno.h>
#include <string.h>

static void refused(struct bytes text, bool is_line, const char *words)
{
    struct inject_source s = { .name = "rules", .text = text, .is_line = is_line };
    struct inject_rules *rules = NULL;
    struct buf errors = { 0 };
    unsigned count = 0;

    assert_int_equal(inject_build(&s, 1, &rules, &errors, &count), -EINVAL);
    assert_null(rules);
    assert_true(count > 0);
    assert_int_equal(buf_put_byte(&errors, 0), 0);
    if (strstr((const char *)errors.at, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, (const char *)errors.at);
    }
    buf_deinit(&errors);
}

/* `count` times a piece in which %u is the number, between `before` and `after`. */
static void refused_many(const char *before, const char *piece, unsigned count,
                         const char *after, const char *words)
{
    struct buf text = { 0 };

    assert_int_equal(buf_put_text(&text, before), 0);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(buf_put_format(&text, "%s%u: 1", piece, i), 0);
    }
    assert_int_equal(buf_put_text(&text, after), 0);
    refused(buf_bytes(&text), false, words);
    buf_deinit(&text);
}

static void as_many_as_there_may_be(void **state)
{
    (void)state;
    refused_many("faults: [{drop: , when: {json: {a: 1", ", a", 64, "}}}]\n",
                 "json: more than 64 paths");
    refused_many("faults: [{set_field: {a: 1", ", a", 64, "}}]\n",
                 "more than 64 fields");
}

static void steps_of_a_path(void **state)
{
    struct buf line = { 0 };

    (void)state;
    assert_int_equal(buf_put_text(&line, "drop_field=a0"), 0);
    for (unsigned i = 1; i < 33; i++) {
        assert_int_equal(buf_put_format(&line, ".a%u", i), 0);
    }
    refused(buf_bytes(&line), true, "this path is too long: 32 steps at most");
    buf_deinit(&line);
}

static void keys_of_a_line(void **state)
{
    struct buf line = { 0 };

    (void)state;
    assert_int_equal(buf_put_text(&line, "drop"), 0);
    for (unsigned i = 0; i < 2000; i++) {
        assert_int_equal(buf_put_format(&line, ",json.a%u=1", i), 0);
    }
    refused(buf_bytes(&line), true, "keys");
    buf_deinit(&line);
}

static void what_cannot_be_compared(void **state)
{
    (void)state;
    refused(bytes_of("faults: [{drop: , when: {json: {a: \"x\\0\"}}}]\n"), false,
            "json: the text must not contain a NUL");
}

/* A condition that its action cannot have. */
static void conditions_that_are_misplaced(void **state)
{
    (void)state;
    refused(bytes_of("hang,message=1"), true, "hang acts on a connection as such");
    refused(bytes_of("latency=1ms,json.a=1"), true,
            "latency acts on the bytes of a stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_there_may_be),
        cmocka_unit_test(steps_of_a_path),
        cmocka_unit_test(keys_of_a_line),
        cmocka_unit_test(what_cannot_be_compared),
        cmocka_unit_test(conditions_that_are_misplaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
