#include "base/alloc.h"
#include "rules_rig.h"

#include <errno.h>

static const char good_file[] =
    "seed: 1\n"
    "faults:\n"
    "  - {name: a, drop: , when: {path: /a*, header: {B: c}, message: [1, 2..]}}\n"
    "  - {set_field: {a: [1, {b: c}], d: 0x10}, when: {after: a, text: 'x+'}}\n"
    "  - {status: {code: 503, headers: {A: b}, body: &t text}}\n"
    "  - {insert: {json: {a: *t}, where: after}, when: {json: {a: b, c: '5'}}}\n"
    "  - {insert: {binary: AAECAw==}, times: 3}\n"
    "  - {rename_field: {a: b}}\n"
    "  - {drop_field: [a, b.c]}\n"
    "  - {drop_field: [a, b.c]}\n"
    "  - {close: {code: 1011, reason: bye}}\n"
    "  - {drop_header: [A, B]}\n";

static const char good_line[] =
    "insert={\"a\": 1},where=after,json.a=\"b\",message=[1,2],name=\"l, m\",text=\\d";

static const char bad_file[] = "seed: x\n"
                               "fautls: 1\n"
                               "faults:\n"
                               "  - {drp: 1, when: {from: x, json: {'a[': [1]}}}\n"
                               "  - {drop: , when: {text: 'a(', after: nobody}}\n"
                               "  - {name: a, drop: }\n"
                               "  - {name: a, set_field: {$: .inf}}\n";

/* Whatever allocation fails, nothing leaks and nothing half built comes out. */
static void fail_each(const struct inject_source *s, int otherwise)
{
    for (unsigned nth = 0;; nth++) {
        struct inject_rules *rules = NULL;
        struct buf errors = { 0 };
        unsigned count = 0;
        bool hit;
        int r;

        alloc_fail_at(nth);
        r = inject_build(s, 1, &rules, &errors, &count);
        hit = alloc_fail_clear();
        inject_rules_free(rules);
        buf_deinit(&errors);
        assert_int_equal(alloc_live(), 0);
        assert_true(r == otherwise || (hit && r == -ENOMEM));
        assert_true(!hit || otherwise != 0 || r == -ENOMEM);
        if (!hit) {
            assert_true(nth > 10);
            return;
        }
    }
}

static void building_a_file(void **state)
{
    struct inject_source s = { .name = "f.yaml", .text = bytes_of(good_file) };

    (void)state;
    fail_each(&s, 0);
}

static void building_a_line(void **state)
{
    struct inject_source s = { .name = "--fault",
                               .text = bytes_of(good_line),
                               .is_line = true };

    (void)state;
    fail_each(&s, 0);
}

static void finding_errors(void **state)
{
    struct inject_source s = { .name = "f.yaml", .text = bytes_of(bad_file) };

    (void)state;
    fail_each(&s, -EINVAL);
}

static void the_schema(void **state)
{
    (void)state;
    for (unsigned nth = 0;; nth++) {
        struct buf out = { 0 };
        bool hit;
        int r;

        alloc_fail_at(nth);
        r = inject_put_schema(&out);
        hit = alloc_fail_clear();
        buf_deinit(&out);
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (!hit) {
            assert_true(nth > 2);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(building_a_file),
        cmocka_unit_test(building_a_line),
        cmocka_unit_test(finding_errors),
        cmocka_unit_test(the_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
