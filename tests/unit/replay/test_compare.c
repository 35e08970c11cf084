#include "base/alloc.h"
#include "replay/compare.h"
#include "wire/frame.h"

#include <errno.h>
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

/* ---- differences as text: "path: before -> after", one a line ---- */

static int put_side(struct buf *out, bool present, struct bytes text)
{
    return present ? buf_put(out, text) : buf_put_text(out, "nothing");
}

static int put_difference(void *owner, const struct replay_difference *d)
{
    struct buf *out = owner;
    int r = buf_put(out, d->path);

    r = r < 0 ? r : buf_put_text(out, ": ");
    r = r < 0 ? r : put_side(out, d->before_present, d->before);
    r = r < 0 ? r : buf_put_text(out, " -> ");
    r = r < 0 ? r : put_side(out, d->after_present, d->after);
    return r < 0 ? r : buf_put_byte(out, '\n');
}

static struct replay_traits traits_of(struct replay_compare *c, struct replay_text text)
{
    struct replay_traits t;

    assert_int_equal(replay_compare_traits(c, SERVER, text, &t), 0);
    return t;
}

static void differ_with(const struct replay_rules *rules, struct replay_text before,
                        struct replay_text after, const char *expected)
{
    struct replay_compare c;
    struct buf said = { 0 };
    int differs = expected[0] == '\0' ? 0 : REPLAY_DIFFERS;

    replay_compare_init(&c, rules);
    assert_int_equal(replay_compare(&c, SERVER, before, after, NULL, NULL), differs);
    assert_int_equal(replay_compare(&c, SERVER, before, after, put_difference, &said),
                     differs);
    assert_int_equal(buf_put_byte(&said, '\0'), 0);
    assert_string_equal((const char *)said.at, expected);
    if (differs == 0) {
        assert_true(traits_of(&c, before).equal == traits_of(&c, after).equal);
    }
    buf_deinit(&said);
    replay_compare_deinit(&c);
}

static void differ(const char *before, const char *after, const char *expected)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };

    differ_with(&rules, text_of(before), text_of(after), expected);
}

static void equal(const char *before, const char *after)
{
    differ(before, after, "");
    differ(after, before, "");
}

/* ---- tests ---- */

static void equal_as_json(void **state)
{
    (void)state;
    equal("{\"a\":1,\"b\":[1,2]}", " { \"b\" : [ 1.0, 20e-1 ] , \"a\" : 1 } ");
    equal("\"a\\u00e9/\"", "\"\\u0061\xc3\xa9\\/\"");
    equal("{\"\\u0061\":null}", "{\"a\":null}");
    equal("123456789012345678901234567890", "1.23456789012345678901234567890e29");
    equal("[true,false,null,\"\",{},[]]", "[ true,false,null,\"\",{},[] ]");
    equal("{\"a\":1,\"a\":2}", "{\"\\u0061\":1,\"a\":2}");
    equal("{\"b\":0,\"a\":1,\"a\":2}", "{\"a\":1,\"b\":0,\"a\":2}");
    equal("-0", "0");
}

static void differences_have_paths(void **state)
{
    (void)state;
    differ("{\"results\":[{\"score\":0.91}]}", "{\"results\":[{\"score\":0.87}]}",
           "$.results[0].score: 0.91 -> 0.87\n");
    differ("123456789012345678901234567890", "123456789012345678901234567891",
           "$: 123456789012345678901234567890 -> 123456789012345678901234567891\n");
    differ("[1,2,3]", "[1,5]", "$[1]: 2 -> 5\n$[2]: 3 -> nothing\n");
    differ("[1]", "[1,{\"a\":2}]", "$[1]: nothing -> {\"a\":2}\n");
    differ("{\"a\":{\"b\":1},\"c\":2}", "{\"d\":[],\"c\":3}",
           "$.a: {\"b\":1} -> nothing\n$.c: 2 -> 3\n$.d: nothing -> []\n");
    differ("{\"a\":1}", "{\"a\":\"1\"}", "$.a: 1 -> \"1\"\n");
    differ("{\"a\":[]}", "{\"a\":{}}", "$.a: [] -> {}\n");
    differ("{\"a\":true}", "{\"a\":false}", "$.a: true -> false\n");
    differ("{\"a\":null}", "{}", "$.a: null -> nothing\n");
    differ("{\"a\":1,\"a\":2}", "{\"a\":1}", "$.a: 2 -> nothing\n");
    differ("{\"x y\":\"a\"}", "{\"x y\":\"b\"}", "$['x y']: \"a\" -> \"b\"\n");
}

static void order_is_that_of_the_tape(void **state)
{
    (void)state;
    differ("{\"a\":1,\"b\":{\"x\":1,\"y\":2},\"c\":3}",
           "{\"new\":0,\"c\":4,\"b\":{\"z\":0,\"y\":3,\"x\":2},\"a\":2}",
           "$.a: 1 -> 2\n$.b.x: 1 -> 2\n$.b.y: 2 -> 3\n$.b.z: nothing -> 0\n"
           "$.c: 3 -> 4\n$.new: nothing -> 0\n");
}

static void what_is_no_json_compares_by_bytes(void **state)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct replay_text binary = { WIRE_OP_BINARY, bytes_of("{\"a\":1}") };
    struct replay_text other = { WIRE_OP_BINARY, bytes_of("{ \"a\":1}") };

    (void)state;
    equal("ping", "ping");
    equal("", "");
    differ("ping", "pong", ": ping -> pong\n");
    differ("{\"a\":1}", "{\"a\":1", ": {\"a\":1} -> {\"a\":1\n");
    differ("", "1", ":  -> 1\n");
    differ_with(&rules, binary, binary, "");
    differ_with(&rules, binary, other, ": {\"a\":1} -> { \"a\":1}\n");
    differ_with(&rules, text_of("{\"a\":1}"), binary, ": {\"a\":1} -> {\"a\":1}\n");
}

static void shapes_are_volatile(void **state)
{
    (void)state;
    equal("{\"id\":\"0b6e3c4e-7f1a-4f8e-9a55-111111111111\"}",
          "{\"id\":\"AAAAAAAA-7f1a-4f8e-9a55-222222222222\"}");
    equal("{\"timestamp\":1763691299.5}", "{\"timestamp\":1763700000}");
    equal("[\"2026-11-21T02:14:59Z\"]", "[\"2027-01-01T00:00:00.123+01:00\"]");
    differ("[\"2026-11-21T02:14:59Z\"]", "[\"soon\"]",
           "$[0]: \"2026-11-21T02:14:59Z\" -> \"soon\"\n");
    differ("[1763691299]", "[\"1763691299\"]", "$[0]: 1763691299 -> \"1763691299\"\n");
    differ("{\"id\":1}", "{\"id\":2}", "$.id: 1 -> 2\n");
}

static void ignored_places_do_not_count(void **state)
{
    struct replay_rules rules = { .match = REPLAY_MATCH_JSON };

    (void)state;
    add_ignore(&rules, "$.a");
    add_ignore(&rules, "$.list[*].n");
    add_ignore(&rules, "$..deep");
    differ_with(&rules, text_of("{\"a\":1,\"b\":2}"),
                text_of("{\"a\":{\"x\":0},\"b\":2}"), "");
    differ_with(&rules, text_of("{\"a\":1,\"b\":2}"), text_of("{\"b\":2}"), "");
    differ_with(&rules, text_of("{\"b\":2}"), text_of("{\"b\":2,\"a\":[1]}"), "");
    differ_with(&rules, text_of("{\"list\":[{\"n\":1,\"m\":1},{\"n\":2}]}"),
                text_of("{\"list\":[{\"m\":2,\"n\":3},{}]}"), "$.list[0].m: 1 -> 2\n");
    differ_with(&rules, text_of("[[{\"x\":{\"deep\":1}}],{\"deep\":2}]"),
                text_of("[[{\"x\":{\"deep\":[2]}}],{}]"), "");
    differ_with(&rules, text_of("{\"x\":{\"a\":1}}"), text_of("{\"x\":{\"a\":2}}"),
                "$.x.a: 1 -> 2\n");
    differ_with(&rules, text_of("a"), text_of("b"), ": a -> b\n");
    drop_ignores(&rules);
}

static void exact_means_bytes(void **state)
{
    struct replay_rules rules = { .match = REPLAY_MATCH_EXACT };

    (void)state;
    differ_with(&rules, text_of("[1, 2]"), text_of("[1, 2]"), "");
    differ_with(&rules, text_of("[1, 2]"), text_of("[1,2]"), ": [1, 2] -> [1,2]\n");
    differ_with(&rules, text_of("[1.0,2]"), text_of("[1,2]"), "$[0]: 1.0 -> 1\n");
    differ_with(&rules, text_of("{\"t\":1763691299}"), text_of("{\"t\":1763691300}"),
                "$.t: 1763691299 -> 1763691300\n");
    add_ignore(&rules, "$.t");
    add_ignore(&rules, "$.t.x");
    differ_with(&rules, text_of("{\"t\":1763691299,\"u\":1}"),
                text_of("{\"t\":{\"x\":1},\"u\":1}"), "");
    differ_with(&rules, text_of("{\"t\":1763691299,\"u\":1}"),
                text_of("{\"t\":{\"x\":1},\"u\":2}"), "$.u: 1 -> 2\n");
    differ_with(&rules, text_of("{\"t\":1,\"u\":1}"), text_of("{\"u\":1,\"t\":1}"),
                ": {\"t\":1,\"u\":1} -> {\"u\":1,\"t\":1}\n");
    differ_with(&rules, text_of("{\"t\":1}"), text_of("{\"t\":2} "),
                ": {\"t\":1} -> {\"t\":2} \n");
    differ_with(&rules, text_of("{\"t\":1}"), text_of("{}"), ": {\"t\":1} -> {}\n");
    drop_ignores(&rules);
}

static void any_means_any(void **state)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_ANY };

    (void)state;
    differ_with(&rules, text_of("[1]"),
                (struct replay_text){ WIRE_OP_BINARY, bytes_of("x") }, "");
}

/* An object of `count` members, from the first to the last or the other way round. */
static void put_object(struct buf *out, int count, bool backwards, int last_value)
{
    buf_clear(out);
    assert_int_equal(buf_put_byte(out, '{'), 0);
    for (int i = 0; i < count; i++) {
        int n = backwards ? count - 1 - i : i;

        assert_int_equal(buf_put_format(out, "%s\"%sey%d\":%d", i > 0 ? "," : "",
                                        backwards && n % 3 == 0 ? "\\u006b" : "k", n,
                                        n == count - 1 ? last_value : n),
                         0);
    }
    assert_int_equal(buf_put_byte(out, '}'), 0);
}

static void many_members_in_another_order(void **state)
{
    static const int counts[] = { 1, 2, 32, 33, 34, 200, 100000 };
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct buf x = { 0 }, y = { 0 };
    char expected[64];

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        int last = counts[i] - 1;

        put_object(&x, counts[i], false, 7);
        put_object(&y, counts[i], true, 7);
        differ_with(&rules, (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&x) },
                    (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&y) }, "");
        put_object(&y, counts[i], true, 8);
        snprintf(expected, sizeof(expected), "$.key%d: 7 -> 8\n", last);
        differ_with(&rules, (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&x) },
                    (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&y) }, expected);
    }
    put_object(&x, 100, false, 99);
    put_object(&y, 99, true, 98);
    differ_with(&rules, (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&x) },
                (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&y) },
                "$.key99: 99 -> nothing\n");
    differ_with(&rules, (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&y) },
                (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&x) },
                "$.key99: nothing -> 99\n");
    buf_deinit(&x);
    buf_deinit(&y);
}

/* {"b":{"b": ... leaf ...,"a":1},"a":1}, so that every level pairs its members. */
static void put_deep(struct buf *out, const char *leaf, bool swapped)
{
    buf_clear(out);
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX; i++) {
        assert_int_equal(buf_put_text(out, swapped ? "{\"a\":1,\"b\":" : "{\"b\":"), 0);
    }
    assert_int_equal(buf_put_text(out, leaf), 0);
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX; i++) {
        assert_int_equal(buf_put_text(out, swapped ? "}" : ",\"a\":1}"), 0);
    }
}

static void the_deepest_compare(void **state)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct buf x = { 0 }, y = { 0 }, expected = { 0 };

    (void)state;
    put_deep(&x, "1", false);
    put_deep(&y, "1", true);
    differ_with(&rules, (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&x) },
                (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&y) }, "");
    put_deep(&y, "2", true);
    assert_int_equal(buf_put_byte(&expected, '$'), 0);
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX; i++) {
        assert_int_equal(buf_put_text(&expected, ".b"), 0);
    }
    assert_int_equal(buf_put(&expected, bytes_make(": 1 -> 2\n", 10)), 0);
    differ_with(&rules, (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&x) },
                (struct replay_text){ WIRE_OP_TEXT, buf_bytes(&y) },
                (const char *)expected.at);
    buf_deinit(&x);
    buf_deinit(&y);
    buf_deinit(&expected);
}

static void too_many_values_compare_by_bytes(void **state)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct buf x = { 0 }, y = { 0 };
    struct replay_compare c;

    (void)state;
    assert_int_equal(buf_put_byte(&x, '['), 0);
    for (int i = 0; i < REPLAY_VALUES_MAX; i++) {
        assert_int_equal(buf_put_text(&x, "1,"), 0);
    }
    assert_int_equal(buf_put_text(&x, "1]"), 0);
    assert_int_equal(buf_put_byte(&y, ' '), 0);
    assert_int_equal(buf_put(&y, buf_bytes(&x)), 0);
    replay_compare_init(&c, &rules);
    for (int i = 0; i < 2; i++) {
        struct replay_text before = { WIRE_OP_TEXT, buf_bytes(&x) };
        struct replay_text after = { WIRE_OP_TEXT, buf_bytes(i == 0 ? &x : &y) };

        assert_int_equal(replay_compare(&c, SERVER, before, after, NULL, NULL),
                         i == 0 ? 0 : REPLAY_DIFFERS);
        assert_int_equal(c.before.cap, 0); /* given back */
    }
    replay_compare_deinit(&c);
    buf_deinit(&x);
    buf_deinit(&y);
}

static int refuse(void *owner, const struct replay_difference *d)
{
    int *calls = owner;

    (void)d;
    return ++*calls == 2 ? -ECANCELED : 0;
}

static void the_listener_can_end_it(void **state)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct replay_compare c;
    int calls = 0;

    (void)state;
    replay_compare_init(&c, &rules);
    assert_int_equal(replay_compare(&c, SERVER, text_of("[1,2,3]"), text_of("[4,5,6]"),
                                    refuse, &calls),
                     -ECANCELED);
    assert_int_equal(calls, 2);
    replay_compare_deinit(&c);
}

/* ---- memory ---- */

static int compare_once(void)
{
    static struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct replay_compare c;
    struct replay_traits t;
    struct buf said = { 0 };
    bool same;
    int r;

    replay_compare_init(&c, &rules);
    r = replay_compare(&c, SERVER, text_of("{\"a\":1,\"b\":[\"x\"],\"\\u0020\":0}"),
                       text_of("{\"b\":[\"y\"],\"a\":2}"), put_difference, &said);
    assert_true(r < 0 || r == REPLAY_DIFFERS);
    if (r == REPLAY_DIFFERS) {
        r = replay_compare_kind(&c, text_of("{\"b\":0,\"a\":1}"), text_of("{\"a\":1}"),
                                &same);
    }
    if (r == 0) {
        r = replay_compare_traits(&c, SERVER, text_of("{\"\\u0041\":[1,\"\\n\"]}"), &t);
    }
    replay_compare_deinit(&c);
    buf_deinit(&said);
    return r;
}

static void no_allocation_leaks(void **state)
{
    bool hit;

    (void)state;
    for (unsigned nth = 0;; nth++) {
        int r;

        alloc_fail_at(nth);
        r = compare_once();
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (!hit) {
            assert_true(nth >= 5);
            return;
        }
    }
}

static void no_allocation_leaks_while_ignoring(void **state)
{
    struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    long before;
    bool hit;

    (void)state;
    add_ignore(&rules, "$.a");
    before = alloc_live();
    for (unsigned nth = 0;; nth++) {
        struct replay_compare c;
        int r;

        replay_compare_init(&c, &rules);
        alloc_fail_at(nth);
        r = replay_compare(&c, SERVER, text_of("{\"a\":1}"), text_of("{\"a\":2}"), NULL,
                           NULL);
        hit = alloc_fail_clear();
        replay_compare_deinit(&c);
        assert_int_equal(alloc_live(), before);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (!hit) {
            break;
        }
    }
    drop_ignores(&rules);
}

static void ids_in_texts_are_volatile(void **state)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    const struct replay_rules exact = { .match = REPLAY_MATCH_EXACT };
    struct replay_text x =
        text_of("{\"t\":\"about 6f1c2f0e-2f7e-4f6c-9a58-1f0f5a0c9b11\"}");
    struct replay_text y =
        text_of("{\"t\":\"about 00000000-aaaa-4bbb-8ccc-dddddddddddd\"}");
    struct replay_text z =
        text_of("{\"t\":\"of 00000000-aaaa-4bbb-8ccc-dddddddddddd\"}");
    struct replay_compare c;

    (void)state;
    replay_compare_init(&c, &rules);
    assert_int_equal(replay_compare(&c, SERVER, x, y, NULL, NULL), 0);
    assert_int_equal(replay_compare(&c, SERVER, x, z, NULL, NULL), REPLAY_DIFFERS);
    assert_true(traits_of(&c, x).equal == traits_of(&c, y).equal);
    assert_true(traits_of(&c, x).equal != traits_of(&c, z).equal);
    replay_compare_deinit(&c);
    replay_compare_init(&c, &exact);
    assert_int_equal(replay_compare(&c, SERVER, x, y, NULL, NULL), REPLAY_DIFFERS);
    assert_true(traits_of(&c, x).equal != traits_of(&c, y).equal);
    replay_compare_deinit(&c);
}

static int count_one(void *owner, const struct replay_difference *d)
{
    assert_true(d->path.len > 0);
    (*(uint32_t *)owner)++;
    return 0;
}

static void tells_a_bounded_number(void **state)
{
    const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    char words[64];
    uint32_t count = 0;
    struct replay_compare c;

    (void)state;
    replay_compare_init(&c, &rules);
    c.most = 2;
    assert_int_equal(replay_compare(&c, SERVER, text_of("[1,2,3,4]"),
                                    text_of("[5,6,7,8,9]"), count_one, &count),
                     REPLAY_DIFFERS);
    assert_int_equal(count, 2);
    assert_int_equal(c.rest, 3);
    replay_compare_say_rest(&c, words);
    assert_string_equal(words, "3 more places of it differ");
    assert_int_equal(replay_compare(&c, SERVER, text_of("[1,2,3,4]"),
                                    text_of("[5,6,3,4]"), count_one, &count),
                     REPLAY_DIFFERS);
    assert_int_equal(count, 4);
    assert_int_equal(c.rest, 0);
    assert_int_equal(replay_compare(&c, SERVER, text_of("[1,2,3]"), text_of("[4,5,6]"),
                                    count_one, &count),
                     REPLAY_DIFFERS);
    assert_int_equal(c.rest, 1);
    replay_compare_say_rest(&c, words);
    assert_string_equal(words, "1 more place of it differs");
    replay_compare_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_in_texts_are_volatile),
        cmocka_unit_test(tells_a_bounded_number),
        cmocka_unit_test(equal_as_json),
        cmocka_unit_test(differences_have_paths),
        cmocka_unit_test(order_is_that_of_the_tape),
        cmocka_unit_test(what_is_no_json_compares_by_bytes),
        cmocka_unit_test(shapes_are_volatile),
        cmocka_unit_test(ignored_places_do_not_count),
        cmocka_unit_test(exact_means_bytes),
        cmocka_unit_test(any_means_any),
        cmocka_unit_test(many_members_in_another_order),
        cmocka_unit_test(the_deepest_compare),
        cmocka_unit_test(too_many_values_compare_by_bytes),
        cmocka_unit_test(the_listener_can_end_it),
        cmocka_unit_test(no_allocation_leaks),
        cmocka_unit_test(no_allocation_leaks_while_ignoring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
