#include "base/alloc.h"
#include "inject/table.h"
#include "rules_rig.h"

#include <string.h>

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

/* An action as a line, and the members of struct inject_act that it sets. */
static const struct {
    const char *line;
    struct inject_act act;
} acts[] = {
    { "refuse,time=1s", { .action = INJECT_REFUSE } },
    { "reset", { .action = INJECT_RESET } },
    { "hang", { .action = INJECT_HANG, .for_ns = INJECT_FOREVER } },
    { "hang=true", { .action = INJECT_HANG, .for_ns = INJECT_FOREVER } },
    { "hang=forever", { .action = INJECT_HANG, .for_ns = INJECT_FOREVER } },
    { "hang=30s", { .action = INJECT_HANG, .for_ns = 30 * S } },
    { "accept_delay=2s", { .action = INJECT_ACCEPT_DELAY, .for_ns = 2 * S } },
    { "tls=expired", { .action = INJECT_TLS, .tls = INJECT_TLS_EXPIRED } },
    { "tls=self_signed", { .action = INJECT_TLS, .tls = INJECT_TLS_SELF_SIGNED } },
    { "tls=wrong_host", { .action = INJECT_TLS, .tls = INJECT_TLS_WRONG_HOST } },
    { "tls=abort", { .action = INJECT_TLS, .tls = INJECT_TLS_ABORT } },
    { "status=503", { .action = INJECT_STATUS, .code = 503 } },
    { "handshake_delay=5s", { .action = INJECT_HANDSHAKE_DELAY, .for_ns = 5 * S } },
    { "bad_accept", { .action = INJECT_BAD_ACCEPT } },
    { "drop", { .action = INJECT_DROP } },
    { "delay=250ms", { .action = INJECT_DELAY, .for_ns = 250 * MS } },
    { "duplicate", { .action = INJECT_DUPLICATE, .count = 1 } },
    { "duplicate=1000", { .action = INJECT_DUPLICATE, .count = 1000 } },
    { "reorder", { .action = INJECT_REORDER, .count = 1 } },
    { "reorder=3", { .action = INJECT_REORDER, .count = 3 } },
    { "truncate=1k", { .action = INJECT_TRUNCATE, .count = 1024 } },
    { "truncate=0", { .action = INJECT_TRUNCATE } },
    { "corrupt", { .action = INJECT_CORRUPT, .count = 1 } },
    { "corrupt=7", { .action = INJECT_CORRUPT, .count = 7 } },
    { "fragment=16", { .action = INJECT_FRAGMENT, .count = 16 } },
    { "close=1011", { .action = INJECT_CLOSE_WITH, .code = 1011 } },
    { "abort=fin", { .action = INJECT_ABORT } },
    { "abort=rst", { .action = INJECT_ABORT, .rst = true } },
    { "stall", { .action = INJECT_STALL, .for_ns = INJECT_FOREVER } },
    { "stall=3s", { .action = INJECT_STALL, .for_ns = 3 * S } },
    { "violate=rsv", { .action = INJECT_VIOLATE, .violation = INJECT_VIOLATE_RSV } },
    { "violate=mask", { .action = INJECT_VIOLATE, .violation = INJECT_VIOLATE_MASK } },
    { "violate=opcode",
      { .action = INJECT_VIOLATE, .violation = INJECT_VIOLATE_OPCODE } },
    { "violate=length",
      { .action = INJECT_VIOLATE, .violation = INJECT_VIOLATE_LENGTH } },
    { "violate=control_fragment",
      { .action = INJECT_VIOLATE, .violation = INJECT_VIOLATE_CONTROL_FRAGMENT } },
    { "violate=utf8", { .action = INJECT_VIOLATE, .violation = INJECT_VIOLATE_UTF8 } },
    { "violate=close_code",
      { .action = INJECT_VIOLATE, .violation = INJECT_VIOLATE_CLOSE_CODE } },
    { "violate=orphan_continuation",
      { .action = INJECT_VIOLATE, .violation = INJECT_VIOLATE_ORPHAN_CONTINUATION } },
    { "latency=200ms", { .action = INJECT_LATENCY, .for_ns = 200 * MS } },
    { "latency=200ms,jitter=50ms",
      { .action = INJECT_LATENCY, .for_ns = 200 * MS, .jitter_ns = 50 * MS } },
    { "bandwidth=64k", { .action = INJECT_BANDWIDTH, .count = 65536 } },
    { "slice=64,delay=10ms",
      { .action = INJECT_SLICE, .count = 64, .gap_ns = 10 * MS } },
    { "limit=10k", { .action = INJECT_LIMIT, .count = 10240 } },
    { "slow_close=3s", { .action = INJECT_SLOW_CLOSE, .for_ns = 3 * S } },
};

static void plain_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        struct inject_rules *owner;
        const struct inject_act *a = &rule_of_line(acts[i].line, &owner)->act;
        const struct inject_act *e = &acts[i].act;

        assert_int_equal(a->action, e->action);
        assert_true(a->for_ns == e->for_ns && a->jitter_ns == e->jitter_ns);
        assert_true(a->count == e->count && a->gap_ns == e->gap_ns);
        assert_true(a->code == e->code && a->rst == e->rst && a->tls == e->tls);
        assert_int_equal(a->violation, e->violation);
        assert_null(a->text);
        assert_null(a->payload);
        assert_false(a->payload_set);
        assert_int_equal(a->header_count + a->field_count, 0);
        inject_rules_free(owner);
    }
}

static void texts(void **state)
{
    struct inject_rules *owner;

    (void)state;
    assert_string_equal(rule_of_line("close=1000,reason=\"\"", &owner)->act.text, "");
    inject_rules_free(owner);
    assert_string_equal(rule_of_line("close=1000,reason=so long", &owner)->act.text,
                        "so long");
    inject_rules_free(owner);
    assert_string_equal(rule_of_line("subprotocol=a.b", &owner)->act.text, "a.b");
    inject_rules_free(owner);
    assert_string_equal(rule_of_line("extension=x; y=1", &owner)->act.text, "x; y=1");
    inject_rules_free(owner);
}

static void headers(void **state)
{
    struct inject_rules *owner;
    const struct inject_act *a =
        &rule_of_line("status=503,headers.A=1,headers.B=\"\",body=x", &owner)->act;

    (void)state;
    assert_int_equal(a->header_count, 2);
    assert_string_equal(a->headers[0].name, "A");
    assert_string_equal(a->headers[0].value, "1");
    assert_string_equal(a->headers[1].value, "");
    assert_true(a->payload_set);
    assert_int_equal(a->payload_len, 1);
    inject_rules_free(owner);
    a = &rule_of_line("drop_header=[A,B]", &owner)->act;
    assert_int_equal(a->header_count, 2);
    assert_string_equal(a->headers[1].name, "B");
    assert_null(a->headers[1].value);
    inject_rules_free(owner);
    a = &rule_of_line("set_header.A=b c", &owner)->act;
    assert_string_equal(a->headers[0].value, "b c");
    inject_rules_free(owner);
}

static void payloads(void **state)
{
    static const struct {
        const char *line, *payload;
        size_t len;
        bool binary, after;
    } cases[] = {
        { "replace=a", "a", 1, false, false },
        { "replace=\"\"", "", 0, false, false },
        { "replace.text=a", "a", 1, false, false },
        { "replace.json=a", "\"a\"", 3, false, false },
        { "replace.json={\"a\": 1e5}", "{\"a\": 1e5}", 10, false, false },
        { "replace.json=\"{\"", "\"{\"", 3, false, false },
        { "replace.binary=AAH/", "\x00\x01\xff", 3, true, false },
        { "insert.binary=AAE=,where=before", "\x00\x01", 2, true, false },
        { "insert.binary=AA ==,where=after", "\x00", 1, true, true },
        { "insert.binary=\"\"", "", 0, true, false },
        { "insert=a,where=after", "a", 1, false, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct inject_rules *owner;
        const struct inject_act *a = &rule_of_line(cases[i].line, &owner)->act;

        assert_true(a->payload_set);
        assert_int_equal(a->payload_len, cases[i].len);
        assert_memory_equal(a->payload, cases[i].payload, cases[i].len);
        assert_int_equal(a->payload_binary, cases[i].binary);
        assert_int_equal(a->after, cases[i].after);
        inject_rules_free(owner);
    }
    assert_int_equal(alloc_live(), 0);
}

/* ---- the table ---- */

static void names_are_found(void **state)
{
    (void)state;
    for (int i = 0; i < INJECT_ACTION_COUNT; i++) {
        const char *name = inject_action_name((enum inject_action)i);

        assert_int_equal(inject_action_find(bytes_of(name)), i);
        assert_int_equal(inject_condition_find(bytes_of(name)), -1);
    }
    for (int i = 0; i < INJECT_IF_COUNT; i++) {
        const char *name = inject_condition_row((enum inject_condition)i)->name;

        assert_int_equal(inject_condition_find(bytes_of(name)), i);
        assert_int_equal(inject_action_find(bytes_of(name)), -1);
    }
    assert_int_equal(inject_action_find(bytes_of("")), -1);
}

static void stages_are_in_order(void **state)
{
    (void)state;
    assert_int_equal(inject_action_stage(INJECT_REFUSE), INJECT_STAGE_LISTEN);
    assert_int_equal(inject_action_stage(INJECT_TLS), INJECT_STAGE_CONNECTION);
    assert_int_equal(inject_action_stage(INJECT_STATUS), INJECT_STAGE_HANDSHAKE);
    assert_int_equal(inject_action_stage(INJECT_DROP_HEADER), INJECT_STAGE_HANDSHAKE);
    assert_int_equal(inject_action_stage(INJECT_DROP), INJECT_STAGE_MESSAGE);
    assert_int_equal(inject_action_stage(INJECT_VIOLATE), INJECT_STAGE_MESSAGE);
    assert_int_equal(inject_action_stage(INJECT_SLOW_CLOSE), INJECT_STAGE_STREAM);
    for (int i = 1; i < INJECT_ACTION_COUNT; i++) {
        assert_true(inject_action_stage((enum inject_action)i) >=
                    inject_action_stage((enum inject_action)(i - 1)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values),    cmocka_unit_test(texts),
        cmocka_unit_test(headers),         cmocka_unit_test(payloads),
        cmocka_unit_test(names_are_found), cmocka_unit_test(stages_are_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
