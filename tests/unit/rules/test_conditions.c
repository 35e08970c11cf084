#include "inject/regex.h"
#include "rules_rig.h"

#include <string.h>

static void all_of_them(void **state)
{
    struct inject_rules *rules = rules_of_file(
        "faults:\n"
        "  - drop: true\n"
        "    when:\n"
        "      connection: 2\n"
        "      path: /ws/*\n"
        "      header: {User-Agent: Py*, cookie: '*'}\n"
        "      from: server\n"
        "      message: [1, 3..]\n"
        "      opcode: [text, binary]\n"
        "      json: {type: tool_*, '$.a[0]': 5, b: '5', c: ~, d: '*', e: 'a b'}\n"
        "      text: '\"id\": ?\\d+'\n"
        "      size: 1k..\n"
        "      time: 1s..2s\n"
        "      age: 3s..\n"
        "      after: other\n"
        "  - {name: other, delay: 1s}\n");
    const struct inject_when *w = &rules->at[0].when;

    (void)state;
    assert_int_equal(w->connection.at[0].from, 2);
    assert_string_equal(w->path, "/ws/*");
    assert_int_equal(w->header_count, 2);
    assert_string_equal(w->headers[0].name, "User-Agent");
    assert_string_equal(w->headers[0].glob, "Py*");
    assert_string_equal(w->headers[1].glob, "*");
    assert_true(w->has_from);
    assert_int_equal(w->from, SERVER);
    assert_int_equal(w->message.count, 2);
    assert_int_equal(w->opcodes, INJECT_TEXT | INJECT_BINARY);
    assert_int_equal(w->json_count, 6);
    assert_string_equal(w->json[0].expected, "tool_*");
    assert_string_equal(w->json[1].expected, "5");
    assert_string_equal(w->json[2].expected, "\"5\"");
    assert_string_equal(w->json[3].expected, "~");
    assert_string_equal(w->json[4].expected, "*");
    assert_string_equal(w->json[5].expected, "a b");
    assert_true(inject_regex_match(w->text, bytes_of("{\"id\": 7}")));
    assert_false(inject_regex_match(w->text, bytes_of("{\"id\": x}")));
    assert_int_equal(w->size.at[0].from, 1024);
    assert_int_equal(w->time_from_ns, 1000000000);
    assert_int_equal(w->age_from_ns, 3000000000);
    assert_int_equal(w->after, 1);
    inject_rules_free(rules);
}

static void none_of_them(void **state)
{
    struct inject_rules *rules =
        rules_of_file("faults: [{drop: , when: {}}, {drop: }]");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct inject_when *w = &rules->at[i].when;

        assert_int_equal(w->connection.count + w->message.count + w->size.count, 0);
        assert_null(w->path);
        assert_null(w->text);
        assert_false(w->has_from);
        assert_int_equal(w->opcodes, 0);
        assert_int_equal(w->after, -1);
        assert_int_equal(w->time_to_ns, INT64_MAX);
        assert_int_equal(w->age_to_ns, INT64_MAX);
    }
    inject_rules_free(rules);
}

static void every_opcode(void **state)
{
    static const struct {
        const char *line;
        unsigned bit;
    } opcodes[] = {
        { "drop,opcode=text", INJECT_TEXT },   { "drop,opcode=binary", INJECT_BINARY },
        { "drop,opcode=ping", INJECT_PING },   { "drop,opcode=pong", INJECT_PONG },
        { "drop,opcode=close", INJECT_CLOSE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
        struct inject_rules *owner;

        assert_int_equal(rule_of_line(opcodes[i].line, &owner)->when.opcodes,
                         opcodes[i].bit);
        inject_rules_free(owner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_them),
        cmocka_unit_test(none_of_them),
        cmocka_unit_test(every_opcode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
