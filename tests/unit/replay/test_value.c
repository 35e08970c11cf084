#include "base/alloc.h"
#include "replay/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct replay_tree read_text(const char *text)
{
    struct replay_tree t = { 0 };

    assert_int_equal(replay_tree_read(&t, bytes_of(text)), 0);
    return t;
}

/* Every value of the text as "path=text", in order. */
static void places_are(const char *text, bool any_index, const char *expected)
{
    struct replay_tree t = read_text(text);
    struct buf said = { 0 };

    for (uint32_t n = 0; n < t.count; n++) {
        assert_int_equal(replay_tree_put_path(&t, n, any_index, &said), 0);
        assert_int_equal(buf_put_byte(&said, '='), 0);
        assert_int_equal(buf_put(&said, replay_value_text(&t, n)), 0);
        assert_int_equal(buf_put_byte(&said, '\n'), 0);
    }
    assert_int_equal(buf_put_byte(&said, '\0'), 0);
    assert_string_equal((const char *)said.at, expected);
    buf_deinit(&said);
    replay_tree_deinit(&t);
}

static void every_value_has_a_path(void **state)
{
    (void)state;
    places_are("7", false, "$=7\n");
    places_are(" [ ] ", false, "$=[ ]\n");
    places_are("{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":true}", false,
               "$={\"a\":{\"b\":[1,{\"c\":null}]},\"d\":true}\n"
               "$.a={\"b\":[1,{\"c\":null}]}\n"
               "$.a.b=[1,{\"c\":null}]\n"
               "$.a.b[0]=1\n"
               "$.a.b[1]={\"c\":null}\n"
               "$.a.b[1].c=null\n"
               "$.d=true\n");
    places_are("[[1],[2]]", true,
               "$=[[1],[2]]\n$[*]=[1]\n$[*][*]=1\n$[*]=[2]\n$[*][*]=2\n");
}

static void names_that_need_quotes_get_them(void **state)
{
    (void)state;
    places_are("{\"a b\":1,\"\":2,\"0\":3,\"\\u0061\":4,\"it's\":5,\"\\n\":6}", false,
               "$={\"a b\":1,\"\":2,\"0\":3,\"\\u0061\":4,\"it's\":5,\"\\n\":6}\n"
               "$['a b']=1\n$['']=2\n$['0']=3\n$.a=4\n$['it\\'s']=5\n$['\\n']=6\n");
}

static void links_hold_together(void **state)
{
    struct replay_tree t = read_text("{\"a\":[1,[],{}],\"b\":\"x\"}");

    (void)state;
    assert_int_equal(t.count, 6);
    assert_int_equal(t.at[0].count, 2);
    assert_int_equal(t.at[0].parent, REPLAY_NO_VALUE);
    assert_int_equal(t.at[0].next, REPLAY_NO_VALUE);
    assert_int_equal(t.at[1].next, 5);
    assert_int_equal(t.at[1].count, 3);
    assert_int_equal(t.at[3].kind, WIRE_JSON_ARRAY);
    assert_int_equal(t.at[3].first, REPLAY_NO_VALUE);
    assert_int_equal(t.at[4].index, 2);
    assert_int_equal(t.at[4].next, REPLAY_NO_VALUE);
    assert_int_equal(t.at[5].parent, 0);
    assert_int_equal(t.at[5].index, 1);
    assert_true(bytes_equal(replay_value_key(&t, 5), bytes_of("\"b\"")));
    assert_int_equal(replay_value_key(&t, 3).len, 0);
    replay_tree_deinit(&t);
}

static void strings_are_their_characters(void **state)
{
    (void)state;
    assert_true(replay_value_same_string(bytes_of("\"\""), bytes_of("\"\"")));
    assert_true(
        replay_value_same_string(bytes_of("\"a/\""), bytes_of("\"\\u0061\\/\"")));
    assert_true(replay_value_same_string(bytes_of("\"\xf0\x9f\x98\x80\""),
                                         bytes_of("\"\\ud83d\\ude00\"")));
    assert_true(
        replay_value_same_string(bytes_of("\"\\ud83d\""), bytes_of("\"\\uD83D\"")));
    assert_false(replay_value_same_string(bytes_of("\"\\ud83d\""),
                                          bytes_of("\"\xef\xbf\xbd\"")));
    assert_false(replay_value_same_string(bytes_of("\"a\""), bytes_of("\"\\u0061b\"")));
    assert_false(replay_value_same_string(bytes_of("\"\\u0061b\""), bytes_of("\"a\"")));
    assert_false(replay_value_same_string(bytes_of("\"a\""), bytes_of("\"b\"")));
}

static void members_are_found(void **state)
{
    struct replay_tree t =
        read_text("{\"a\":1,\"\\u0062\":[{\"a\":9}],\"a\":2,\"c\":3}");

    (void)state;
    assert_int_equal(replay_tree_member(&t, 0, bytes_of("\"a\"")), 5); /* the last */
    assert_int_equal(replay_tree_member(&t, 0, bytes_of("\"b\"")), 2);
    assert_int_equal(replay_tree_member(&t, 0, bytes_of("\"d\"")), REPLAY_NO_VALUE);
    assert_int_equal(replay_tree_member(&t, 2, bytes_of("\"a\"")), REPLAY_NO_VALUE);
    assert_int_equal(replay_tree_member(&t, 1, bytes_of("\"a\"")), REPLAY_NO_VALUE);
    replay_tree_deinit(&t);
}

static void elements_are_found(void **state)
{
    struct replay_tree t =
        read_text("{\"x\":[[1,2,3,4,5,6],{},3,[[[7]]],[]],\"y\":[0]}");
    uint32_t array = 1, n = t.at[1].first;

    (void)state;
    for (uint32_t i = 0; i < 5; i++, n = t.at[n].next) {
        assert_int_equal(replay_tree_element(&t, array, i), n);
    }
    assert_int_equal(n, REPLAY_NO_VALUE);
    assert_int_equal(replay_tree_element(&t, array, 5), REPLAY_NO_VALUE);
    assert_int_equal(replay_tree_element(&t, 0, 0), REPLAY_NO_VALUE); /* an object */
    assert_int_equal(replay_tree_element(&t, t.count - 2, 0), t.count - 1);
    assert_int_equal(replay_tree_element(&t, t.count - 1, 0), REPLAY_NO_VALUE);
    replay_tree_deinit(&t);
}

static void same_place_is(const char *from, const char *path, const char *in,
                          const char *expected)
{
    struct replay_tree other = read_text(from), t = read_text(in);
    struct buf spelled = { 0 };

    for (uint32_t n = 0; n < other.count; n++) {
        uint32_t found;

        buf_clear(&spelled);
        assert_int_equal(replay_tree_put_path(&other, n, false, &spelled), 0);
        if (!bytes_equal(buf_bytes(&spelled), bytes_of(path))) {
            continue;
        }
        found = replay_tree_same_place(&t, &other, n);
        if (expected == NULL) {
            assert_int_equal(found, REPLAY_NO_VALUE);
        } else {
            assert_int_not_equal(found, REPLAY_NO_VALUE);
            assert_true(bytes_equal(replay_value_text(&t, found), bytes_of(expected)));
        }
        path = NULL;
        break;
    }
    assert_null(path); /* there was such a place */
    buf_deinit(&spelled);
    replay_tree_deinit(&other);
    replay_tree_deinit(&t);
}

static void the_same_place_is_found(void **state)
{
    (void)state;
    same_place_is("1", "$", "[2]", "[2]");
    same_place_is("{\"a\":[1,{\"b\":2}]}", "$.a[1].b",
                  "{\"x\":0,\"\\u0061\":[[],{\"c\":1,\"b\":5}]}", "5");
    same_place_is("{\"a\":[1,{\"b\":2}]}", "$.a[1].b", "{\"a\":[1]}", NULL);
    same_place_is("{\"a\":[1,{\"b\":2}]}", "$.a[1].b", "{\"a\":{\"1\":{\"b\":2}}}",
                  NULL);
    same_place_is("{\"a\":1}", "$.a", "[1]", NULL);
    same_place_is("[1]", "$[0]", "{\"0\":1}", NULL);
    same_place_is("{\"a\":1,\"a\":2}", "$.a", "{\"a\":3,\"a\":4}", "3");
    same_place_is("{\"b\":0,\"a\":1}", "$.a", "{\"a\":3,\"b\":7,\"a\":4}", "4");
}

static void what_is_no_json_is_told(void **state)
{
    static const char *const texts[] = { "", "{", "[1,]", "{\"a\":1}}", "nul", "\"a" };
    struct replay_tree t = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_int_equal(replay_tree_read(&t, bytes_of(texts[i])),
                         REPLAY_VALUE_NOT_JSON);
        assert_int_equal(t.count, 0);
        assert_int_equal(replay_tree_read(&t, bytes_of("[1]")), 0);
        assert_int_equal(t.count, 2);
    }
    replay_tree_deinit(&t);
}

static void too_many_values_are_told(void **state)
{
    struct replay_tree t = { 0 };
    struct buf text = { 0 };

    (void)state;
    assert_int_equal(buf_put_byte(&text, '['), 0);
    for (uint32_t i = 0; i < REPLAY_VALUES_MAX - 1; i++) {
        assert_int_equal(buf_put_text(&text, "1,"), 0);
    }
    text.at[text.len - 1] = ']';
    assert_int_equal(replay_tree_read(&t, buf_bytes(&text)), 0);
    assert_int_equal(t.count, REPLAY_VALUES_MAX);
    for (uint32_t i = 0; i < REPLAY_VALUES_MAX - 1; i += 4099) {
        assert_int_equal(replay_tree_element(&t, 0, i), i + 1);
    }
    text.at[text.len - 1] = ',';
    assert_int_equal(buf_put_text(&text, "1]"), 0);
    assert_int_equal(replay_tree_read(&t, buf_bytes(&text)), REPLAY_VALUE_LARGE);
    assert_int_equal(t.count, 0);
    assert_int_equal(replay_tree_read(&t, bytes_make(text.at, (size_t)UINT32_MAX + 1)),
                     REPLAY_VALUE_LARGE);
    replay_tree_deinit(&t);
    buf_deinit(&text);
}

static void the_deepest_has_a_path(void **state)
{
    struct replay_tree t = { 0 };
    struct buf text = { 0 }, path = { 0 };

    (void)state;
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX; i++) {
        assert_int_equal(buf_put_byte(&text, '['), 0);
    }
    assert_int_equal(buf_put_byte(&text, '7'), 0);
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX; i++) {
        assert_int_equal(buf_put_byte(&text, ']'), 0);
    }
    assert_int_equal(replay_tree_read(&t, buf_bytes(&text)), 0);
    assert_int_equal(t.count, WIRE_JSON_DEPTH_MAX + 1);
    assert_int_equal(replay_tree_put_path(&t, t.count - 1, false, &path), 0);
    assert_int_equal(path.len, 1 + 3 * WIRE_JSON_DEPTH_MAX);
    assert_int_equal(replay_tree_same_place(&t, &t, t.count - 1), t.count - 1);
    replay_tree_deinit(&t);
    buf_deinit(&text);
    buf_deinit(&path);
}

static int read_and_spell(void)
{
    static const char text[] =
        "{\"\\u0061 b\":[0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,"
        "4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,"
        "3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9],\"b\":1}";
    struct replay_tree t = { 0 };
    struct buf out = { 0 };
    int r = replay_tree_read(&t, bytes_of(text));

    if (r == 0) {
        assert_int_equal(t.count, 73);
        r = replay_tree_put_path(&t, 40, false, &out);
        assert_int_equal(out.len > 0, r == 0);
    }
    if (r == 0) {
        r = replay_tree_put_path(&t, t.count - 1, false, &out);
    }
    replay_tree_deinit(&t);
    buf_deinit(&out);
    return r;
}

static void no_allocation_leaks(void **state)
{
    bool hit;

    (void)state;
    for (unsigned nth = 0;; nth++) {
        int r;

        alloc_fail_at(nth);
        r = read_and_spell();
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (!hit) {
            assert_true(nth >= 4);
            return;
        }
    }
}

static void prefix_is(const char *text, const char *prefix, const char *kind)
{
    struct bytes found = replay_value_prefix(bytes_of(text));

    assert_true(bytes_equal(found, bytes_of(prefix)));
    assert_true(bytes_equal(replay_value_prefix_kind(found), bytes_of(kind)));
}

static void reads_behind_a_prefix(void **state)
{
    struct replay_tree t = { 0 };
    struct buf path = { 0 };

    (void)state;
    prefix_is("0{\"sid\":1}", "0", "0");
    prefix_is("40", "", "");
    prefix_is("421[\"a\"]", "421", "42");
    prefix_is("42/admin,17[\"a\"]", "42/admin,17", "42/admin,");
    prefix_is("451-12[\"a\"]", "451-12", "451-");
    prefix_is("12 [1]", "", "");
    prefix_is("x[1]", "", "");
    prefix_is("[1]", "", "");
    prefix_is("", "", "");
    assert_int_equal(replay_tree_read(&t, bytes_of("421[\"a\",{\"id\":\"x7\"}]")), 0);
    assert_int_equal(t.prefix, 3);
    assert_int_equal(t.count, 4);
    assert_true(bytes_equal(replay_value_text(&t, 3), bytes_of("\"x7\"")));
    assert_true(bytes_equal(replay_value_key(&t, 3), bytes_of("\"id\"")));
    assert_true(
        bytes_equal(replay_value_text(&t, 0), bytes_of("[\"a\",{\"id\":\"x7\"}]")));
    assert_int_equal(replay_tree_put_path(&t, 3, false, &path), 0);
    assert_true(bytes_equal(buf_bytes(&path), bytes_of("$[1].id")));
    assert_int_equal(replay_tree_read(&t, bytes_of("421[\"a\"")),
                     REPLAY_VALUE_NOT_JSON);
    assert_int_equal(replay_tree_read(&t, bytes_of("421")), 0);
    assert_int_equal(t.prefix, 0);
    buf_deinit(&path);
    replay_tree_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_behind_a_prefix),
        cmocka_unit_test(every_value_has_a_path),
        cmocka_unit_test(names_that_need_quotes_get_them),
        cmocka_unit_test(links_hold_together),
        cmocka_unit_test(strings_are_their_characters),
        cmocka_unit_test(members_are_found),
        cmocka_unit_test(elements_are_found),
        cmocka_unit_test(the_same_place_is_found),
        cmocka_unit_test(what_is_no_json_is_told),
        cmocka_unit_test(too_many_values_are_told),
        cmocka_unit_test(the_deepest_has_a_path),
        cmocka_unit_test(no_allocation_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
