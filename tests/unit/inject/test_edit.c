#include "base/alloc.h"
#include "inject/edit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

typedef int edit(struct bytes text, const struct inject_field_edit *fields,
                 size_t count, struct buf *out, size_t *changed);

struct rig {
    struct inject_field_edit fields[INJECT_EDIT_FIELDS_MAX];
    char words[4096];
    size_t count;
};

/* `edits` are path or path=text, separated by spaces. */
static void set_up(struct rig *r, const char *edits)
{
    char *rest = r->words;

    *r = (struct rig){ 0 };
    snprintf(r->words, sizeof(r->words), "%s", edits);
    for (char *word; (word = strsep(&rest, " ")) != NULL; r->count++) {
        char *path = strsep(&word, "=");
        struct err e;
        size_t column;

        r->fields[r->count].text = word;
        assert_int_equal(
            inject_path_new(bytes_of(path), &r->fields[r->count].path, &e, &column), 0);
    }
}

static void tear_down(struct rig *r)
{
    for (size_t i = 0; i < r->count; i++) {
        inject_path_free(r->fields[i].path);
    }
}

static void gives(edit *run, const char *edits, const char *text, const char *expected,
                  size_t places)
{
    struct buf out = { 0 };
    long live = alloc_live();
    size_t changed = 0;
    struct rig rig;
    int r;

    set_up(&rig, edits);
    assert_int_equal(buf_put_text(&out, "kept"), 0);
    r = run(bytes_of(text), rig.fields, rig.count, &out, &changed);
    assert_int_equal(buf_put_byte(&out, 0), 0);
    if (r != 0 || strcmp((char *)out.at + 4, expected) != 0) {
        fail_msg("%s of %s: %d: %s", edits, text, r, (char *)out.at);
    }
    assert_memory_equal(out.at, "kept", 4);
    assert_int_equal(changed, places);
    buf_deinit(&out);
    tear_down(&rig);
    assert_int_equal(alloc_live(), live);
}

static void says(edit *run, const char *edits, const char *text, int expected)
{
    struct buf out = { 0 };
    size_t changed = 99;
    struct rig rig;

    set_up(&rig, edits);
    assert_int_equal(buf_put_text(&out, "kept"), 0);
    assert_int_equal(run(bytes_of(text), rig.fields, rig.count, &out, &changed),
                     expected);
    assert_int_equal(changed, 99);
    assert_int_equal(out.len, 4);
    buf_deinit(&out);
    tear_down(&rig);
    assert_int_equal(alloc_live(), 0);
}

static void drops(const char *paths, const char *text, const char *expected,
                  size_t places)
{
    gives(inject_edit_drop, paths, text, expected, places);
}

static void sets(const char *edits, const char *text, const char *expected,
                 size_t places)
{
    gives(inject_edit_set, edits, text, expected, places);
}

static void renames(const char *edits, const char *text, const char *expected,
                    size_t places)
{
    gives(inject_edit_rename, edits, text, expected, places);
}

/* ---- drop ---- */

static void drops_members(void **state)
{
    const char *text = " {\"a\" : 1 , \"b\" :2,\n\t\"c\":\t3 } ";

    (void)state;
    drops("a", text, " {\"b\" :2,\n\t\"c\":\t3 } ", 1);
    drops("b", text, " {\"a\" : 1 , \"c\":\t3 } ", 1);
    drops("c", text, " {\"a\" : 1 , \"b\" :2 } ", 1);
    drops("a b", text, " {\"c\":\t3 } ", 2);
    drops("b c", text, " {\"a\" : 1 } ", 2);
    drops("c b", text, " {\"a\" : 1 } ", 2);
    drops("a c", text, " {\"b\" :2 } ", 2);
    drops("a b c", text, " { } ", 3);
    drops("$.*", text, " { } ", 3);
    drops("a x", text, " {\"b\" :2,\n\t\"c\":\t3 } ", 1);
    drops("a", "{ \"a\" : [1, {\"a\":2}] }", "{  }", 1);
}

static void drops_elements(void **state)
{
    const char *text = "[ 10 , 20,[ 30 ] ,40 ]";

    (void)state;
    drops("[0]", text, "[ 20,[ 30 ] ,40 ]", 1);
    drops("[1]", text, "[ 10 , [ 30 ] ,40 ]", 1);
    drops("[2]", text, "[ 10 , 20,40 ]", 1);
    drops("[3]", text, "[ 10 , 20,[ 30 ] ]", 1);
    drops("[0] [1]", text, "[ [ 30 ] ,40 ]", 2); /* places in the text as it came */
    drops("[1] [3]", text, "[ 10 , [ 30 ] ]", 2);
    drops("[2] [3]", text, "[ 10 , 20 ]", 2);
    drops("[*]", text, "[  ]", 4);
    drops("[2][0]", text, "[ 10 , 20,[  ] ,40 ]", 1);
}

static void drops_nested(void **state)
{
    (void)state;
    drops("a.b", "{\"a\":{\"b\":1,\"c\":2},\"b\":3}", "{\"a\":{\"c\":2},\"b\":3}", 1);
    drops("a a.b", "{\"a\":{\"b\":1},\"b\":3}", "{\"b\":3}", 1);
    drops("a.b a", "{\"a\":{\"b\":1},\"b\":3}", "{\"b\":3}", 1);
    drops("$..b", "{\"a\":{\"b\":1,\"c\":[{\"b\":{\"b\":2}}]},\"b\":3}",
          "{\"a\":{\"c\":[{}]}}", 3);
    drops("results[*].score",
          "{\"results\":[{\"id\":1,\"score\":0.910},{\"score\":0.5,\"id\":2},{}]}",
          "{\"results\":[{\"id\":1},{\"id\":2},{}]}", 2);
    /* After a member that stays but loses something, the last one goes. */
    drops("a.x b", "{\"a\": {\"x\": 1}, \"b\": 2}", "{\"a\": {}}", 2);
    drops("b a.x", "{\"b\": 2, \"a\": {\"y\": 0, \"x\": 1}}", "{\"a\": {\"y\": 0}}", 2);
    drops("a.x.y c", "{\"a\":{\"x\":{\"y\":1}},\"c\":2,\"d\":[3]}",
          "{\"a\":{\"x\":{}},\"d\":[3]}", 2);
}

static void drops_duplicates(void **state)
{
    (void)state;
    drops("a", "{\"a\":1,\"b\":2,\"a\":3,\"\\u0061\":4}", "{\"b\":2}", 3);
    drops("a", "{\"a\":1,\"a\":2}", "{}", 2);
    drops("b", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"a\":3}", 1);
}

static void drops_the_missing_key_of_an_event(void **state)
{
    (void)state;
    drops("tool_name",
          "{\"type\":\"tool_executing\",\"tool_name\":\"search\",\"parameters\":{"
          "\"q\":1.50,\"tool_name\":\"kept\"},\"timestamp\":1732143541.0010}",
          "{\"type\":\"tool_executing\",\"parameters\":{"
          "\"q\":1.50,\"tool_name\":\"kept\"},\"timestamp\":1732143541.0010}",
          1);
    drops("x",
          "{\"n\":[1.0,1e5,-0,1E+2,10000000000000000000000001],\"x\":0,\"s\":\"\\u0041"
          "\\/\\ud800\xe2\x82\xac\",\"n\":null}\r\n",
          "{\"n\":[1.0,1e5,-0,1E+2,10000000000000000000000001],\"s\":\"\\u0041"
          "\\/\\ud800\xe2\x82\xac\",\"n\":null}\r\n",
          1);
}

static void cannot_drop(void **state)
{
    (void)state;
    says(inject_edit_drop, "a", "{\"b\":1}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_drop, "a", "{}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_drop, "a", "17", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_drop, "$", "{}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_drop, "$", "17", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_drop, "$.a.b", "{\"a\":[{\"b\":1}]}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_drop, "a", "", INJECT_EDIT_NOT_JSON);
    says(inject_edit_drop, "a", "hello", INJECT_EDIT_NOT_JSON);
    says(inject_edit_drop, "a", "{\"a\":1,\"b\":2", INJECT_EDIT_NOT_JSON);
    says(inject_edit_drop, "a", "{\"a\":1,\"b\":02}", INJECT_EDIT_NOT_JSON);
    says(inject_edit_drop, "a.b", "{\"a\":{\"b\":1,}}", INJECT_EDIT_NOT_JSON);
    says(inject_edit_drop, "a a.b", "{\"a\":{\"b\":1,}}", INJECT_EDIT_NOT_JSON);
    says(inject_edit_drop, "a", "{\"a\":1}{\"a\":1}", INJECT_EDIT_NOT_JSON);
    says(inject_edit_drop, "a", "{\"a\":1,\"b\":\"\xff\"}", INJECT_EDIT_NOT_JSON);
}

/* ---- set ---- */

static void replaces_values(void **state)
{
    const char *text = "{ \"a\" : 1.0 , \"b\" : [ 1, 2 ] , \"c\" : { \"d\" : \"x\" } }";

    (void)state;
    sets("a=2", text, "{ \"a\" : 2 , \"b\" : [ 1, 2 ] , \"c\" : { \"d\" : \"x\" } }",
         1);
    sets("b=null", text, "{ \"a\" : 1.0 , \"b\" : null , \"c\" : { \"d\" : \"x\" } }",
         1);
    sets("b[1]=[]", text,
         "{ \"a\" : 1.0 , \"b\" : [ 1, [] ] , \"c\" : { \"d\" : \"x\" } }", 1);
    sets("c.d={\"e\":1}", text,
         "{ \"a\" : 1.0 , \"b\" : [ 1, 2 ] , \"c\" : { \"d\" : {\"e\":1} } }", 1);
    sets("b[*]=0 a=\"y\"", text,
         "{ \"a\" : \"y\" , \"b\" : [ 0, 0 ] , \"c\" : { \"d\" : \"x\" } }", 3);
    sets("$.*=0", text, "{ \"a\" : 0 , \"b\" : 0 , \"c\" : 0 }", 3);
    sets("$=7", " [1] ", " 7 ", 1);
    sets("$=7", "\"x\"", "7", 1);
    sets("a=2", "{\"a\":1,\"b\":0,\"a\":3}", "{\"a\":2,\"b\":0,\"a\":2}", 2);
    sets("$..a=2", "{\"a\":{\"a\":1},\"b\":[{\"a\":3}]}", "{\"a\":2,\"b\":[{\"a\":2}]}",
         2);
}

static void adds_members(void **state)
{
    (void)state;
    sets("x=1", "{}", "{\"x\":1}", 1);
    sets("x=1", "{ }", "{\"x\":1 }", 1);
    sets("x=1", "{\"a\": 0 }", "{\"a\": 0,\"x\":1 }", 1);
    sets("a.x=1", "{\"a\":{\"b\":[2 ] }}", "{\"a\":{\"b\":[2 ],\"x\":1 }}", 1);
    sets("a[*].x=1", "{\"a\":[{},{\"x\":0},{\"y\":0},5]}",
         "{\"a\":[{\"x\":1},{\"x\":1},{\"y\":0,\"x\":1},5]}", 3);
    sets("x=1 y=2", "{\"a\":0}", "{\"a\":0,\"x\":1,\"y\":2}", 2);
    sets("y=2 x=1", "{}", "{\"y\":2,\"x\":1}", 2);
    sets("x=1 a=2", "{\"a\":0}", "{\"a\":2,\"x\":1}", 2);
    sets("$['a\"b']=1", "{}", "{\"a\\\"b\":1}", 1);
    sets("$['\\u20ac']=1", "{}", "{\"\xe2\x82\xac\":1}", 1);
    sets("$..a.x=1", "{\"a\":{\"a\":{}}}", "{\"a\":{\"a\":{\"x\":1},\"x\":1}}", 2);
    sets("a=1 b.x=2", "{\"b\":{\"c\":{}}}", "{\"b\":{\"c\":{},\"x\":2},\"a\":1}", 2);
}

static void the_last_setting_holds(void **state)
{
    (void)state;
    sets("a=1 $.a=2", "{\"a\":0}", "{\"a\":2}", 1);
    sets("x=1 $.x=2 $['x']=3", "{}", "{\"x\":3}", 1);
    sets("x=1 y=2 $.x=3", "{}", "{\"y\":2,\"x\":3}", 2);
    sets("a.b=1 a=2", "{\"a\":{\"b\":0}}", "{\"a\":2}", 1);
    sets("a=2 a.b=1", "{\"a\":{\"b\":0}}", "{\"a\":2}", 1); /* gone as a whole */
    sets("a=2 a.x=1", "{\"a\":{}}", "{\"a\":2}", 1);
    sets("$.*=2 a=1", "{\"a\":0,\"b\":0}", "{\"a\":1,\"b\":2}", 2);
}

static void cannot_set(void **state)
{
    (void)state;
    says(inject_edit_set, "a.b=1", "{}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_set, "a.b=1", "{\"a\":5}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_set, "a.b=1", "{\"a\":[]}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_set, "a=1", "[]", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_set, "[0]=1", "[]", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_set, "$..a=1", "{\"b\":{}}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_set, "$.*=1", "{}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_set, "a=1", "{\"a\":1", INJECT_EDIT_NOT_JSON);
    says(inject_edit_set, "$=1", "", INJECT_EDIT_NOT_JSON);
    says(inject_edit_set, "$=1", "{}}", INJECT_EDIT_NOT_JSON);
    says(inject_edit_set, "a=1", "{}x", INJECT_EDIT_NOT_JSON);
}

/* ---- rename ---- */

static void renames_keys(void **state)
{
    (void)state;
    renames("a=b", "{ \"a\" : 1.0 , \"c\":{\"a\":2} }",
            "{ \"b\" : 1.0 , \"c\":{\"a\":2} }", 1);
    renames("$..a=b", "{\"a\":{\"a\":[{\"\\u0061\":1}]}}",
            "{\"b\":{\"b\":[{\"b\":1}]}}", 3);
    renames("a=b", "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":1,\"b\":2,\"b\":3}", 2);
    renames("a=b b=a", "{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", 2);
    renames("a=b $.a=c", "{\"a\":1}", "{\"c\":1}", 1);
    renames("a.b=\"\\\n", "{\"a\":{\"b\":1}}", "{\"a\":{\"\\\"\\\\\\n\":1}}", 1);
    renames("a=\xc3\xa9", "{\"a\":1}", "{\"\xc3\xa9\":1}", 1);
    renames("a=", "{\"a\":1}", "{\"\":1}", 1);
    renames("$..*=x", "{\"a\":[1,{\"b\":2}]}", "{\"x\":[1,{\"x\":2}]}", 2);
}

static void cannot_rename(void **state)
{
    (void)state;
    says(inject_edit_rename, "a=b", "{\"b\":1}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_rename, "[0]=b", "[1]", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_rename, "$=b", "{\"a\":1}", INJECT_EDIT_NO_SUCH_FIELD);
    says(inject_edit_rename, "a=b", "{\"a\":1]", INJECT_EDIT_NOT_JSON);
}

/* ---- limits ---- */

static void many_fields_and_depths(void **state)
{
    struct buf edits = { 0 }, text = { 0 };

    (void)state;
    for (int i = 0; i < INJECT_EDIT_FIELDS_MAX; i++) {
        assert_int_equal(buf_put_format(&edits, "%sk%d", i == 0 ? "" : " ", i), 0);
        assert_int_equal(
            buf_put_format(&text, "%c\"k%d\":%d", i == 0 ? '{' : ',', i, i), 0);
    }
    assert_int_equal(buf_put_byte(&edits, 0), 0);
    assert_int_equal(buf_put_text(&text, ",\"last\":1}"), 0);
    assert_int_equal(buf_put_byte(&text, 0), 0);
    drops((char *)edits.at, (char *)text.at, "{\"last\":1}", INJECT_EDIT_FIELDS_MAX);

    buf_clear(&text);
    for (int i = 0; i < 999; i++) {
        assert_int_equal(buf_put_byte(&text, '['), 0);
    }
    assert_int_equal(buf_put_text(&text, "{\"a\":1}"), 0);
    for (int i = 0; i < 999; i++) {
        assert_int_equal(buf_put_byte(&text, ']'), 0);
    }
    assert_int_equal(buf_put_byte(&text, 0), 0);
    buf_clear(&edits);
    assert_int_equal(buf_put(&edits, buf_bytes(&text)), 0);
    memmove(edits.at + 1000, edits.at + 1005, 1001);
    drops("$..a", (char *)text.at, (char *)edits.at, 1);
    buf_deinit(&edits);
    buf_deinit(&text);
}

static void fail_each(edit *run, const char *edits, const char *text)
{
    struct rig rig;

    set_up(&rig, edits);
    for (unsigned nth = 0;; nth++) {
        struct buf out = { 0 };
        size_t changed = 0;
        long live = alloc_live();
        bool hit;
        int r;

        alloc_fail_at(nth);
        r = run(bytes_of(text), rig.fields, rig.count, &out, &changed);
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        assert_int_equal(out.len == 0, hit);
        assert_int_equal(changed == 0, hit);
        buf_deinit(&out);
        assert_int_equal(alloc_live(), live);
        if (!hit) {
            assert_true(nth > 2);
            break;
        }
    }
    tear_down(&rig);
}

static void every_allocation_fails_once(void **state)
{
    const char *text =
        "{\"a\":[[[[[[[[[[[[{\"a\":1,\"b\":\"a text that fills the first buffer, and "
        "more than the first\",\"c\":2}]]]]]]]]]]]],\"d\":3}";

    (void)state;
    fail_each(inject_edit_drop, "$..b $..c d", text);
    fail_each(inject_edit_set, "$..b.c=2 $..c=[1,2,3] x=\"a_long_value_to_add_here\"",
              text);
    fail_each(inject_edit_rename, "$..b=another_name $..c=\xc3\xa9 d=\"e\"", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_members),
        cmocka_unit_test(drops_elements),
        cmocka_unit_test(drops_nested),
        cmocka_unit_test(drops_duplicates),
        cmocka_unit_test(drops_the_missing_key_of_an_event),
        cmocka_unit_test(cannot_drop),
        cmocka_unit_test(replaces_values),
        cmocka_unit_test(adds_members),
        cmocka_unit_test(the_last_setting_holds),
        cmocka_unit_test(cannot_set),
        cmocka_unit_test(renames_keys),
        cmocka_unit_test(cannot_rename),
        cmocka_unit_test(many_fields_and_depths),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
