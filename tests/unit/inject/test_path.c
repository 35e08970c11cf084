#include "base/alloc.h"
#include "inject/path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct inject_path *compiled(struct bytes text)
{
    struct inject_path *p = NULL;
    struct err e = { "" };
    size_t column = 0;

    if (inject_path_new(text, &p, &e, &column) != 0) {
        fail_msg("%.*s: column %zu: %s", (int)text.len, (const char *)text.at, column,
                 e.text);
    }
    return p;
}

/* Compiles, and is spelled like that; so is the spelling itself. */
static void is(const char *text, const char *canonical)
{
    struct buf once = { 0 }, twice = { 0 };
    struct inject_path *p = compiled(bytes_of(text));

    assert_int_equal(inject_path_put(p, &once), 0);
    inject_path_free(p);
    assert_int_equal(once.len, strlen(canonical));
    assert_memory_equal(once.at, canonical, once.len);

    p = compiled(buf_bytes(&once));
    assert_int_equal(inject_path_put(p, &twice), 0);
    inject_path_free(p);
    assert_true(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void wrong_bytes(struct bytes text, size_t column, const char *words)
{
    struct inject_path *p = NULL;
    struct err e = { "" };
    size_t at = 0;

    assert_int_equal(inject_path_new(text, &p, &e, &at), INJECT_PATH_BAD);
    assert_null(p);
    if (at != column || strstr(e.text, words) == NULL) {
        fail_msg("%.*s: column %zu: %s", (int)text.len, (const char *)text.at, at,
                 e.text);
    }
}

static void wrong(const char *text, size_t column, const char *words)
{
    wrong_bytes(bytes_of(text), column, words);
}

static void spellings(void **state)
{
    (void)state;
    is("$", "$");
    is("type", "$.type");
    is("a.b", "$.a.b");
    is("$.a.b", "$.a.b");
    is("$['a'][\"b\"]", "$.a.b");
    is("['a b'].c", "$['a b'].c");
    is("[0]", "$[0]");
    is("results[10].score", "$.results[10].score");
    is("$[ 2 ][ 'x' ][\t*\t]", "$[2].x[*]");
    is("$.*", "$[*]");
    is("$[*].a", "$[*].a");
    is("$..name", "$..name");
    is("a..b", "$.a..b");
    is("..a", "$..a");
    is("..a[2].b", "$..a[2].b");
    is("..*", "$..[*]");
    is("..[3]", "$..[3]");
    is("..['a b']", "$..['a b']");
    is("$..*", "$..[*]");
    is("$..[*]", "$..[*]");
    is("$..[3]", "$..[3]");
    is("$..['a b']", "$..['a b']");
    is("$..['ab']", "$..ab");
    is("_x1.y_2", "$._x1.y_2");
    is("x-request-id", "$.x-request-id");
    is("gr\xc3\xbc\xc3\x9f", "$.gr\xc3\xbc\xc3\x9f");
    is("$['']", "$['']");
    is("$['-a']", "$['-a']");
    is("$['0']", "$['0']");
    is("$['$ref']", "$['$ref']");
    is("$[9007199254740991]", "$[9007199254740991]");
    is("$[0]", "$[0]");
    is("a.length.b", "$.a.length.b");
}

static void quoted_names(void **state)
{
    (void)state;
    is("$['it\\'s']", "$['it\\'s']");
    is("$[\"it's\"]", "$['it\\'s']");
    is("$['\"']", "$['\"']");
    is("$[\"\\\"\"]", "$['\"']");
    is("$['a\\\\b']", "$['a\\\\b']");
    is("$['\\b\\f\\n\\r\\t\\/']", "$['\\b\\f\\n\\r\\t/']");
    is("$['\\u0041b']", "$.Ab");
    is("$['\\u00e9\\u20ac']", "$.\xc3\xa9\xe2\x82\xac");
    is("$['\\ud83d\\ude00']", "$.\xf0\x9f\x98\x80");
    is("$['\\u0001']", "$['\\u0001']");
    is("$['\\u0041\\u0042']", "$.AB");
    is("$['a]b.c[*]']", "$['a]b.c[*]']");
    is("$['a\\u0041xu1234']", "$.aAxu1234");
}

static void errors(void **state)
{
    (void)state;
    wrong("", 1, "empty");
    wrong("$.", 3, "expected a name");
    wrong("$..", 4, "expected a name");
    wrong("$...a", 4, "expected a name");
    wrong(".a", 1, "begins with $");
    wrong(".", 1, "begins with $");
    wrong("..", 3, "expected a name");
    wrong("...a", 3, "expected a name");
    wrong("a.", 3, "expected a name");
    wrong("$a", 2, "expected . or [");
    wrong("$ref", 2, "expected . or [");
    wrong("@type", 1, "needs quotes");
    wrong("a b", 2, "expected . or [");
    wrong("a ", 2, "expected . or [");
    wrong(" a", 1, "needs quotes");
    wrong("tool_*", 6, "expected . or [");
    wrong("*", 1, "expected a name");
    wrong("a.0", 3, "begins with a digit");
    wrong("0", 1, "begins with a digit");
    wrong("-a", 1, "expected a name");
    wrong("$[", 3, "expected an index");
    wrong("$[]", 3, "expected an index");
    wrong("$[a]", 3, "expected an index");
    wrong("$[0", 2, "no ]");
    wrong("$['a'", 2, "no ]");
    wrong("$[0x]", 4, "expected ]");
    wrong("$[-1]", 3, "from the end");
    wrong("$[01]", 3, "begin with 0");
    wrong("$[9007199254740992]", 3, "too large");
    wrong("$[99999999999999999999999]", 3, "too large");
    wrong("$[1:2]", 4, "slices");
    wrong("$[:2]", 3, "slices");
    wrong("$[::2]", 3, "slices");
    wrong("$[?@.a]", 3, "filters");
    wrong("$['a','b']", 6, "only one");
    wrong("$[0,1]", 4, "only one");
    wrong("$['a", 3, "not closed");
    wrong("$[\"a']", 3, "not closed");
    wrong("$['a\\']", 3, "not closed");
    wrong("$['\\x']", 4, "not an escape");
    wrong("$['\\u12']", 4, "not an escape");
    wrong("$['\\", 4, "not an escape");
    wrong("$['\\ud800']", 4, "half of a surrogate");
    wrong("$['\\udc00\\ud800']", 4, "half of a surrogate");
    wrong("$['a\nb']", 5, "control character");
    wrong("a.b\xff", 1, "not UTF-8");
    wrong_bytes(bytes_make("a\0b", 3), 2, "expected . or [");
}

static void length_is_bounded(void **state)
{
    struct buf text = { 0 };

    (void)state;
    for (int i = 0; i < INJECT_PATH_SEGMENTS_MAX; i++) {
        assert_int_equal(buf_put_text(&text, "[0]"), 0);
    }
    inject_path_free(compiled(buf_bytes(&text)));
    assert_int_equal(buf_put_text(&text, ".a"), 0);
    wrong_bytes(buf_bytes(&text), 3 * INJECT_PATH_SEGMENTS_MAX + 2, "too long");
    buf_deinit(&text);
}

static void ends_in(const char *text, const char *name, bool takes_members)
{
    struct inject_path *p = compiled(bytes_of(text));
    const struct bytes *said = inject_path_name(p);

    assert_int_equal(said == NULL, name == NULL);
    assert_true(said == NULL || bytes_equal(*said, bytes_of(name)));
    assert_int_equal(inject_path_takes_members(p), takes_members);
    inject_path_free(p);
}

static void last_names(void **state)
{
    (void)state;
    ends_in("$", NULL, false);
    ends_in("a", "a", true);
    ends_in("a[0]['b c']", "b c", true);
    ends_in("$..a", NULL, true);
    ends_in("$.a[*]", NULL, true);
    ends_in("$.a[0]", NULL, false);
    ends_in("$..a.b", "b", true);
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    inject_path_free(NULL);
    for (unsigned nth = 0;; nth++) {
        struct inject_path *p = NULL;
        struct buf out = { 0 };
        struct err e;
        size_t column = 7;
        bool hit;
        int r;

        alloc_fail_at(nth);
        r = inject_path_new(
            bytes_of("$.results[*]['a name that is so long that the canonical text "
                     "needs more than one allocation']..score"),
            &p, &e, &column);
        if (r == 0) {
            r = inject_path_put(p, &out);
        }
        hit = alloc_fail_clear();
        assert_true(r == 0 || out.len == 0);
        inject_path_free(p);
        buf_deinit(&out);
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        assert_int_equal(column, 7);
        if (!hit) {
            assert_true(nth > 2);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),  cmocka_unit_test(quoted_names),
        cmocka_unit_test(errors),     cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(last_names), cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
