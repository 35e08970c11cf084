#include "base/alloc.h"
#include "inject/walk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct inject_path *compiled(const char *text)
{
    struct inject_path *p = NULL;
    struct err e;
    size_t column;

    assert_int_equal(inject_path_new(bytes_of(text), &p, &e, &column), 0);
    return p;
}

struct rig {
    struct inject_walk walk;
    struct inject_path *paths[8];
    unsigned count;
    char said[2048];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct rig *r, const char *format,
                                                      ...)
{
    va_list args;

    va_start(args, format);
    r->len +=
        (size_t)vsnprintf(r->said + r->len, sizeof(r->said) - r->len, format, args);
    va_end(args);
    assert_true(r->len < sizeof(r->said));
}

/* `paths` are separated by spaces. */
static void start(struct rig *r, const char *paths, const char *text)
{
    char words[256];
    char *rest = words;

    *r = (struct rig){ 0 };
    inject_walk_init(&r->walk);
    snprintf(words, sizeof(words), "%s", paths);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        r->paths[r->count] = compiled(word);
        assert_int_equal(inject_walk_add(&r->walk, r->paths[r->count]), r->count);
        r->count++;
    }
    inject_walk_start(&r->walk, bytes_of(text));
}

static void stop(struct rig *r)
{
    inject_walk_deinit(&r->walk);
    for (unsigned i = 0; i < r->count; i++) {
        inject_path_free(r->paths[i]);
    }
    assert_int_equal(alloc_live(), 0);
}

static void say_hits(struct rig *r, const char *what, uint64_t hits)
{
    for (unsigned n = 0; n < r->count; n++) {
        if ((hits >> n & 1) != 0) {
            say(r, "%s%u", what, n);
        }
    }
}

/* depth.index key value, and which paths lead here. */
static void say_node(struct rig *r, const struct inject_node *n, const char *text)
{
    say(r, "%u.%u ", n->depth, (unsigned)n->index);
    if (n->is_member) {
        say(r, "%.*s ", (int)(n->key_to - n->key_from), text + n->key_from);
    }
    switch (n->kind) {
    case INJECT_NODE_VALUE:
        say(r, "%.*s", (int)(n->to - n->from), text + n->from);
        break;
    case INJECT_NODE_OPEN:
        assert_int_equal(n->to, 0);
        say(r, "%c", text[n->from]);
        break;
    case INJECT_NODE_CLOSE:
        say(r, "%c%u", text[n->to - 1], (unsigned)n->count);
        break;
    }
    say_hits(r, " hit", n->hits);
    say_hits(r, " missing", n->missing);
    say(r, "\n");
}

static void walk_is(const char *paths, const char *text, const char *expected)
{
    struct inject_node n;
    struct rig r;
    int code;

    start(&r, paths, text);
    while ((code = inject_walk_next(&r.walk, &n)) == 0) {
        say_node(&r, &n, text);
    }
    assert_int_equal(code, WIRE_JSON_OVER);
    assert_string_equal(r.said, expected);
    stop(&r);
}

/* Only the values that are hit, one a line. */
static void hits_are(const char *paths, const char *text, const char *expected)
{
    struct inject_node n;
    struct rig r;
    int code;

    start(&r, paths, text);
    while ((code = inject_walk_next(&r.walk, &n)) == 0) {
        if (n.kind == INJECT_NODE_VALUE && n.hits != 0) {
            say(&r, "%.*s|", (int)(n.to - n.from), text + n.from);
        }
        if (n.kind == INJECT_NODE_CLOSE && n.hits != 0) {
            say(&r, "(%.*s)|", (int)(n.to - n.from), text + n.from);
        }
    }
    assert_int_equal(code, WIRE_JSON_OVER);
    if (strcmp(r.said, expected) != 0) {
        fail_msg("%s in %s: %s", paths, text, r.said);
    }
    stop(&r);
}

static void gives_nodes(void **state)
{
    (void)state;
    walk_is("a.b", "{\"x\": [1, {}], \"a\": {\"b\": [2], \"c\": 3}, \"d\": 4}",
            "0.0 {\n"
            "1.0 \"x\" [1, {}]\n"
            "1.1 \"a\" {\n"
            "2.0 \"b\" [2] hit0\n"
            "2.1 \"c\" 3\n"
            "1.1 \"a\" }2\n"
            "1.2 \"d\" 4\n"
            "0.0 }3\n");
    walk_is("[1] [*].x", "[1, {\"x\": 5, \"y\": 6}]",
            "0.0 [\n"
            "1.0 1\n"
            "1.1 { hit0\n"
            "2.0 \"x\" 5 hit1\n"
            "2.1 \"y\" 6\n"
            "1.1 }2 hit0\n"
            "0.0 ]2\n");
}

static void whole_values(void **state)
{
    (void)state;
    walk_is("$", " [1, 2] ", "0.0 [1, 2] hit0\n");
    walk_is("$", "\"x\"", "0.0 \"x\" hit0\n");
    walk_is("a", "17", "0.0 17\n");
    walk_is("$ a", "{\"a\":1}", "0.0 { hit0\n1.0 \"a\" 1 hit1\n0.0 }1 hit0\n");
}

static void selectors(void **state)
{
    const char *text = "{\"a\":[10,20,{\"b\":30,\"b\":31}],\"b\":{\"0\":40,\"a\":50}}";

    (void)state;
    hits_are("a[0]", text, "10|");
    hits_are("a[2].b", text, "30|31|");
    hits_are("a[3]", text, "");
    hits_are("a[*]", text, "10|20|{\"b\":30,\"b\":31}|");
    hits_are("[0]", text, ""); /* an object has no elements */
    hits_are("b[0]", text, "");
    hits_are("b['0']", text, "40|");
    hits_are("$[*][*]", text, "10|20|{\"b\":30,\"b\":31}|40|50|");
    hits_are("a.b", text, "");
    hits_are("b.a", text, "50|");
}

static void descending(void **state)
{
    const char *text = "{\"a\":[10,{\"a\":{\"a\":1}}],\"c\":{\"a\":{\"b\":[2,3]}}}";

    (void)state;
    hits_are("$..a", text, "1|({\"a\":1})|([10,{\"a\":{\"a\":1}}])|({\"b\":[2,3]})|");
    hits_are("$..a.a", text, "1|");
    hits_are("$..a..a", text, "1|({\"a\":1})|");
    hits_are("$..[1]", text, "({\"a\":{\"a\":1}})|3|");
    hits_are("$.c..b[0]", text, "2|");
    hits_are("$..b[*]", text, "2|3|");
    hits_are("$..*", "[[1],2]", "1|([1])|2|");
    hits_are("$..*..*", "[[[1]],2]", "1|([1])|");
}

static void escaped_keys(void **state)
{
    (void)state;
    hits_are("tool", "{\"t\\u006fol\":1,\"tool \":2,\"too\":3,\"\":4}", "1|");
    hits_are("$['']", "{\"a\":1,\"\":4}", "4|");
    hits_are("$['\\ud83d\\ude00']",
             "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2,\"\\ud83d\":3}", "1|2|");
}

static void names_that_miss(void **state)
{
    (void)state;
    walk_is("x", "{}", "0.0 {\n0.0 }0 missing0\n");
    walk_is("x y", "{\"y\":1}", "0.0 {\n1.0 \"y\" 1 hit1\n0.0 }1 missing0\n");
    walk_is("x", "[1]", "0.0 [\n1.0 1\n0.0 ]1\n");
    walk_is("$..x", "{}", "0.0 {\n0.0 }0\n"); /* no plain name */
    walk_is("$[*].x $.*", "[{},1]",
            "0.0 [\n1.0 { hit1\n1.0 }0 hit1 missing0\n1.1 1 hit1\n0.0 ]2\n");
    walk_is("a.x", "{\"a\":1}", "0.0 {\n1.0 \"a\" 1\n0.0 }1\n");
    walk_is("$..a.x", "{\"a\":{\"a\":{\"x\":1}}}",
            "0.0 {\n1.0 \"a\" {\n2.0 \"a\" {\n3.0 \"x\" 1 hit0\n2.0 \"a\" }1\n"
            "1.0 \"a\" }1 missing0\n0.0 }1\n");
}

static void tails(void **state)
{
    static const struct {
        const char *text;
        size_t tail;
    } cases[] = {
        { " { } ", 2 },
        { "{\"a\": 1 }", 7 },
        { "{\"a\": [1 , 2] , \"b\": {\"c\": 3} }", 29 },
    };
    struct inject_node n = { 0 };
    struct rig r;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start(&r, "$.x.y $.b.y", cases[i].text);
        while (inject_walk_next(&r.walk, &n) == 0) {
        }
        assert_int_equal(n.kind, INJECT_NODE_CLOSE);
        assert_int_equal(n.depth, 0);
        assert_int_equal(n.tail, cases[i].tail);
        stop(&r);
    }
}

static void leaves(void **state)
{
    const char *text = "[{\"a\":{\"b\":[1]},\"c\":2} ,3]";
    struct inject_node n;
    struct rig r;
    size_t to;

    (void)state;
    start(&r, "$[0].a.b $..c", text);
    assert_int_equal(inject_walk_next(&r.walk, &n), 0);
    assert_int_equal(inject_walk_next(&r.walk, &n), 0);
    assert_int_equal(n.kind, INJECT_NODE_OPEN);
    assert_int_equal(inject_walk_leave(&r.walk, &to), 0);
    assert_memory_equal(text + to, " ,3]", 4);
    assert_int_equal(inject_walk_next(&r.walk, &n), 0);
    say_node(&r, &n, text);
    assert_int_equal(inject_walk_next(&r.walk, &n), 0);
    say_node(&r, &n, text);
    assert_string_equal(r.said, "1.1 3\n0.0 ]2\n");
    assert_int_equal(inject_walk_next(&r.walk, &n), WIRE_JSON_OVER);
    stop(&r);
}

static void says_what_is_no_json(void **state)
{
    static const char *const texts[] = { "",          "{\"a\":1",     "{\"a\"}",
                                         "{\"a\":x}", "{\"a\":[1,]}", "{\"b\":[1,]}",
                                         "{} 1",      "[1}",          "{\"a\":1,}" };
    struct inject_node n;
    struct rig r;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int code;

        start(&r, "a", texts[i]);
        while ((code = inject_walk_next(&r.walk, &n)) == 0) {
        }
        assert_int_equal(code, WIRE_JSON_BAD);
        assert_non_null(r.walk.scan.reason);
        stop(&r);
    }
}

static void walks_again(void **state)
{
    static const char *const texts[] = { "[[[[1", "{\"a\":{\"a\":1}}", "[2]" };
    static const unsigned nodes[] = { 4, 5, 3 };
    struct inject_node n;
    struct rig r;

    (void)state;
    start(&r, "$..a", "1");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unsigned count = 0;

        inject_walk_start(&r.walk, bytes_of(texts[i]));
        while (inject_walk_next(&r.walk, &n) == 0) {
            assert_true(count > 0 || n.depth == 0);
            count++;
        }
        assert_int_equal(count, nodes[i] + (i == 0));
    }
    stop(&r);
}

/* As deep as texts go, with as many paths as there may be. */
static void bounds(void **state)
{
    struct inject_path *p = compiled("$..a..a..a[0]");
    struct inject_walk w;
    struct inject_node n;
    struct buf text = { 0 };
    unsigned hits = 0;
    int r;

    (void)state;
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX / 2; i++) {
        assert_int_equal(buf_put_text(&text, "{\"a\":["), 0);
    }
    for (int i = 0; i < WIRE_JSON_DEPTH_MAX / 2; i++) {
        assert_int_equal(buf_put_text(&text, "]}"), 0);
    }
    inject_walk_init(&w);
    for (unsigned i = 0; i < INJECT_WALK_PATHS_MAX; i++) {
        inject_walk_add(&w, p);
    }
    inject_walk_start(&w, buf_bytes(&text));
    while ((r = inject_walk_next(&w, &n)) == 0) {
        assert_true(n.hits == 0 || n.hits == UINT64_MAX);
        hits += n.kind == INJECT_NODE_OPEN && n.hits != 0;
    }
    assert_int_equal(r, WIRE_JSON_OVER);
    assert_int_equal(hits, WIRE_JSON_DEPTH_MAX / 2 - 3);
    inject_walk_deinit(&w);
    inject_path_free(p);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_nodes),
        cmocka_unit_test(whole_values),
        cmocka_unit_test(selectors),
        cmocka_unit_test(descending),
        cmocka_unit_test(escaped_keys),
        cmocka_unit_test(names_that_miss),
        cmocka_unit_test(tails),
        cmocka_unit_test(leaves),
        cmocka_unit_test(says_what_is_no_json),
        cmocka_unit_test(walks_again),
        cmocka_unit_test(bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
