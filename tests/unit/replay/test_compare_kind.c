#include "replay/compare.h"
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct replay_text text_of(const char *text)
{
    return (struct replay_text){ WIRE_OP_TEXT, bytes_of(text) };
}

/* ---- rules ---- */

static void add_ignore(struct replay_rules *rules, const char *path)
{
    struct inject_path *p = NULL;
    struct err e = { "" };
    size_t column;

    assert_int_equal(inject_path_new(bytes_of(path), &p, &e, &column), 0);
    rules->ignore[rules->ignore_count++] = p;
}

static void drop_ignores(struct replay_rules *rules)
{
    for (size_t i = 0; i < rules->ignore_count; i++) {
        union {
            const struct inject_path *borrowed;
            struct inject_path *own;
        } p = { rules->ignore[i] };

        inject_path_free(p.own);
    }
    rules->ignore_count = 0;
}

static struct replay_traits traits_of(struct replay_compare *c, struct replay_text text)
{
    struct replay_traits t;

    assert_int_equal(replay_compare_traits(c, SERVER, text, &t), 0);
    return t;
}

static bool kind_with(const struct replay_rules *rules, struct replay_text x,
                      struct replay_text y)
{
    struct replay_compare c;
    bool same, back;

    replay_compare_init(&c, rules);
    assert_int_equal(replay_compare_kind(&c, x, y, &same), 0);
    assert_int_equal(replay_compare_kind(&c, y, x, &back), 0);
    if (same && x.payload.len > 2 && y.payload.len > 2) {
        assert_true(traits_of(&c, x).kind == traits_of(&c, y).kind);
    }
    replay_compare_deinit(&c);
    assert_int_equal(same, back);
    return same;
}

static bool kind(const char *before, const char *after)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };

    return kind_with(&rules, text_of(before), text_of(after));
}

static void kinds_go_by_name(void **state)
{
    (void)state;
    assert_true(kind("{\"type\":\"chat_message\",\"message\":\"a\"}",
                     "{\"message\":\"b\",\"type\":\"chat_message\",\"x\":1}"));
    assert_false(kind("{\"type\":\"chat_message\"}", "{\"type\":\"agent_started\"}"));
    assert_false(kind("{\"type\":\"a\",\"x\":1}", "{\"x\":1}"));
    assert_false(kind("{\"type\":\"a\",\"op\":1}", "{\"type\":\"a\",\"op\":2}"));
    assert_true(kind("{\"op\":1,\"d\":1}", "{\"op\":1.0,\"d\":2}"));
    assert_false(kind("{\"op\":1}", "{\"op\":\"1\"}"));
    assert_true(
        kind("{\"type\":{\"a\":1}}", "{\"type\":{\"a\":2}}")); /* names nothing */
    assert_false(kind("{\"type\":[]}", "{\"type\":\"a\"}"));
    assert_true(kind("{\"x\":{\"type\":\"a\"}}", "{\"x\":{\"type\":\"b\"}}"));
    assert_true(kind("{\"a\":1,\"b\":2}", "{\"c\":3,\"b\":4}"));
    assert_false(kind("{\"a\":1}", "{\"b\":1}"));
    assert_true(kind("{\"a\":1}", "{}"));
    assert_false(kind("{\"msg\":\"connect\"}", "{\"msg\":\"ping\"}"));
    assert_true(kind("{\"type\":\"a\",\"type\":\"b\"}",
                     "{\"type\":\"a\",\"x\":1,\"type\":\"b\"}"));
    assert_false(
        kind("{\"type\":\"a\",\"type\":\"b\"}", "{\"type\":\"b\",\"type\":\"a\"}"));
    assert_true(kind("{\"type\":\"chat\",\"msg\":\"hi\"}",
                     "{\"type\":\"chat\",\"msg\":\"ho\"}"));
}

static void other_kinds(void **state)
{
    struct replay_rules rules = { .match = REPLAY_MATCH_ANY };
    struct replay_text binary = { WIRE_OP_BINARY, bytes_of("{}") };
    struct replay_text other = { WIRE_OP_BINARY, bytes_of("x") };

    (void)state;
    assert_true(kind("[\"join\",1]", "[\"join\",2,3]"));
    assert_false(kind("[\"join\",1]", "[\"leave\",1]"));
    assert_false(kind("[\"join\"]", "[1]"));
    assert_true(kind("[1]", "[{}]"));
    assert_true(kind("[]", "[\"join\"]"));
    assert_true(kind("1", "2.5"));
    assert_true(kind("true", "false"));
    assert_false(kind("true", "null"));
    assert_false(kind("{}", "[]"));
    assert_true(kind("hello", "by{e"));
    assert_false(kind("hello", "{}"));
    assert_true(kind_with(&rules, binary, text_of("{}")));
    rules.match = REPLAY_MATCH_JSON;
    assert_true(kind_with(&rules, binary, other));
    assert_false(kind_with(&rules, binary, text_of("{}")));
    add_ignore(&rules, "$.type");
    assert_true(kind_with(&rules, text_of("{\"type\":\"a\",\"b\":1}"),
                          text_of("{\"type\":\"b\",\"b\":1}")));
    assert_true(
        kind_with(&rules, text_of("{\"type\":\"a\",\"b\":1}"), text_of("{\"b\":1}")));
    add_ignore(&rules, "$[0]");
    assert_true(kind_with(&rules, text_of("[\"a\",1]"), text_of("[\"b\",1]")));
    add_ignore(&rules, "$");
    assert_true(kind_with(&rules, text_of("{}"), text_of("[]")));
    drop_ignores(&rules);
}

static void names_are_told(void **state)
{
    struct replay_tree t = { 0 };

    (void)state;
    assert_true(replay_compare_names(bytes_of("\"type\"")));
    assert_true(replay_compare_names(bytes_of("\"msgTyp\\u0065\"")));
    assert_false(replay_compare_names(bytes_of("\"msg\"")));
    assert_false(replay_compare_names(bytes_of("\"typ\"")));
    assert_int_equal(
        replay_tree_read(&t, bytes_of("{\"type\":1,\"x\":{\"type\":2},\"msg\":3}")), 0);
    assert_false(replay_compare_is_name(&t, 0));
    assert_true(replay_compare_is_name(&t, 1));
    assert_false(replay_compare_is_name(&t, 2));
    assert_false(replay_compare_is_name(&t, 3));
    assert_false(replay_compare_is_name(&t, 4));
    assert_int_equal(replay_tree_read(&t, bytes_of("{\"type\":null,\"msg\":3}")), 0);
    assert_false(replay_compare_is_name(&t, 1));
    assert_true(replay_compare_is_name(&t, 2));
    replay_tree_deinit(&t);
}

static void names_are_among_the_first_members(void **state)
{
    struct replay_tree t = { 0 };
    struct buf text = { 0 };

    (void)state;
    assert_int_equal(buf_put_byte(&text, '{'), 0);
    for (unsigned i = 0; i <= REPLAY_NAMES_LOOK; i++) {
        assert_int_equal(buf_put_format(&text, "\"msg\":%u,", i), 0);
    }
    assert_int_equal(buf_put_text(&text, "\"type\":\"a\"}"), 0);
    assert_int_equal(replay_tree_read(&t, buf_bytes(&text)), 0);
    assert_true(replay_compare_is_name(&t, 1)); /* `type` comes too late */
    assert_true(replay_compare_is_name(&t, REPLAY_NAMES_LOOK));
    assert_false(replay_compare_is_name(&t, REPLAY_NAMES_LOOK + 1));
    assert_false(replay_compare_is_name(&t, t.count - 1));
    replay_tree_deinit(&t);
    buf_deinit(&text);
}

/* What is of one kind has a key's bit in common. */
static void traits_know_keys(void **state)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct replay_compare c;

    (void)state;
    replay_compare_init(&c, &rules);
    assert_int_equal(traits_of(&c, text_of("{\"a\":1}")).keys,
                     traits_of(&c, text_of("{\"\\u0061\":2,\"a\":3}")).keys);
    assert_int_equal(traits_of(&c, text_of("{\"a\":1}")).keys &
                         traits_of(&c, text_of("{\"b\":1}")).keys,
                     0);
    assert_int_equal(traits_of(&c, text_of("{}")).keys, UINT64_MAX);
    assert_int_equal(traits_of(&c, text_of("[1]")).keys, UINT64_MAX);
    assert_int_equal(traits_of(&c, text_of("no json")).keys, UINT64_MAX);
    replay_compare_deinit(&c);
}

static void traits_tell_apart(void **state)
{
    static const char *const texts[] = {
        "{\"type\":\"a\",\"n\":1}",
        "{\"type\":\"a\",\"n\":2}",
        "{\"type\":\"b\",\"n\":1}",
        "{\"type\":\"a\",\"m\":1}",
        "{\"type\":\"a\"}",
        "{\"type\":\"a\",\"n\":[1,2]}",
        "{\"type\":\"a\",\"n\":[2,1]}",
        "[1,2]",
        "[2,1]",
        "[[1],2]",
        "1",
        "\"1\"",
        "true",
        "false",
        "{}",
        "[]",
        "text",
        "texts",
    };
    enum { COUNT = sizeof(texts) / sizeof(*texts) };
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct replay_compare c;

    (void)state;
    replay_compare_init(&c, &rules);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_true(traits_of(&c, text_of(texts[i])).equal !=
                        traits_of(&c, text_of(texts[k])).equal);
        }
    }
    assert_true(traits_of(&c, text_of(texts[0])).kind !=
                traits_of(&c, text_of(texts[2])).kind);
    assert_true(traits_of(&c, text_of("[\"join\"]")).kind !=
                traits_of(&c, text_of("[\"leave\"]")).kind);
    replay_compare_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_go_by_name),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(names_are_told),
        cmocka_unit_test(names_are_among_the_first_members),
        cmocka_unit_test(traits_know_keys),
        cmocka_unit_test(traits_tell_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
