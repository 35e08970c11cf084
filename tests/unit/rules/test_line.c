#include "base/alloc.h"
#include "rules_rig.h"

#include <string.h>

/* The line, and the one rule of a file that means the same and gets the same name. */
static const struct {
    const char *line, *yaml;
} pairs[] = {
    { "close=1011,reason=Internal error,from=server,message=5",
      "faults: [{close: {code: 1011, reason: Internal error}, when: {from: server, "
      "message: 5}}]" },
    { "drop_field=tool_name,json.type=tool_executing",
      "faults: [{drop_field: tool_name, when: {json: {type: tool_executing}}}]" },
    { "refuse,time=0s..3s", "faults: [{refuse: , when: {time: 0s..3s}}]" },
    { "status=503,connection=1..2",
      "faults: [{status: 503, when: {connection: 1..2}}]" },
    { "latency=200ms,jitter=50ms", "faults: [{latency: {time: 200ms, jitter: 50ms}}]" },
    { "slice=64,delay=10ms", "faults: [{slice: {size: 64, delay: 10ms}}]" },
    { " close = 1000 , from = client ",
      "faults: [{close: 1000, when: {from: client}}]" },
    { "connection=2,drop", "faults: [{drop: , when: {connection: 2}}]" },
    { "jitter=1ms,latency=2ms", "faults: [{latency: {jitter: 1ms, time: 2ms}}]" },
    { "latency.jitter=1ms,latency.time=2ms",
      "faults: [{latency: {jitter: 1ms, time: 2ms}}]" },
    { "status=403,headers.Retry-After=1,headers.X-A=b",
      "faults: [{status: {code: 403, headers: {Retry-After: 1, X-A: b}}}]" },
    { "status=403,status.headers.X-A=b,body={\"a\": [1, 2]}",
      "faults: [{status: {code: 403, headers: {X-A: b}, body: '{\"a\": [1, 2]}'}}]" },
    { "set_header.X-A=b,set_header.X-B=c,from=client",
      "faults: [{set_header: {X-A: b, X-B: c}, when: {from: client}}]" },
    { "drop_header=[ Cookie , \"Host\" ]", "faults: [{drop_header: [Cookie, Host]}]" },
    { "drop_header=Cookie", "faults: [{drop_header: Cookie}]" },
    { "drop,header.User-Agent=Py*,header.Cookie=*",
      "faults: [{drop: , when: {header: {User-Agent: Py*, Cookie: \"*\"}}}]" },
    { "drop_field=[a,$.b[0].c]", "faults: [{drop_field: [a, '$.b[0].c']}]" },
    { "drop_field=['a,b'].c", "faults: [{drop_field: \"['a,b'].c\"}]" },
    { "drop_field=[0].c", "faults: [{drop_field: '[0].c'}]" },
    { "drop_field=[*]", "faults: [{drop_field: '[*]'}]" },
    { "set_field.a=1,set_field.b.c=x y,set_field.['d=e']=null",
      "faults: [{set_field: {a: 1, b.c: x y, \"['d=e']\": null}}]" },
    { "set_field.a=\"1\"", "faults: [{set_field: {a: '1'}}]" },
    { "rename_field.a=b,rename_field.c..d=e",
      "faults: [{rename_field: {a: b, c..d: e}}]" },
    { "replace=hello", "faults: [{replace: hello}]" },
    { "replace.text=hello", "faults: [{replace: {text: hello}}]" },
    { "insert=a,where=after,text=b",
      "faults: [{insert: {text: a, where: after}, when: {text: b}}]" },
    { "insert,insert.binary=AAE=,where=before,size=1k..,message=[1,4..6]",
      "faults: [{insert: {binary: AAE=, where: before}, when: {size: 1k.., message: "
      "[1, "
      "4..6]}}]" },
    { "drop,opcode=[ping,pong]", "faults: [{drop: , when: {opcode: [ping, pong]}}]" },
    { "drop,opcode=ping", "faults: [{drop: , when: {opcode: ping}}]" },
    { "drop,json.$.a[0]..b=\"5\",json.c=*,json.d=5",
      "faults: [{drop: , when: {json: {'$.a[0]..b': '5', c: '*', d: 5}}}]" },
    { "drop,name=my rule,probability=0.25,times=3,per_connection=2",
      "faults: [{drop: , name: my rule, probability: 0.25, times: 3, per_connection: "
      "2}]" },
    { "drop,time=3s,age=1s..", "faults: [{drop: , when: {time: 3s, age: 1s..}}]" },
    { "hang", "faults: [{hang: }]" },
    { "hang=3s,path=/a", "faults: [{hang: 3s, when: {path: /a}}]" },
};

static void means_the_same_as_yaml(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        same_rule(pairs[i].line, pairs[i].yaml);
    }
}

/* What a value becomes: quotes, escapes and brackets. */
static const struct {
    const char *line, *payload;
} values[] = {
    { "replace=a b", "a b" },
    { "replace= a b \t", "a b" },
    { "replace=\" a, b \"", " a, b " },
    { "replace=\"a\" ,from=server", "a" },
    { "replace=\"a\\\"b\\\\c\\n\"", "a\"b\\c\\n" },
    { "replace=a\\,b", "a,b" },
    { "replace=a\\\\,from=server", "a\\" },
    { "replace=\\d+\\.\\\"", "\\d+\\.\"" },
    { "replace=\\", "\\" },
    { "replace=a=b", "a=b" },
    { "replace=\"a\"b", "\"a\"b" },
    { "replace=say \"a\"", "say \"a\"" },
    { "replace={\"a\":[1,{\"b\":\"},\"}],\"c\":2},from=server",
      "{\"a\":[1,{\"b\":\"},\"}],\"c\":2}" },
    { "replace=\\d{2,3},from=server", "\\d{2,3}" },
    { "replace=[a,from=server", "[a" },
    { "replace={a],from=server", "{a]" },
    { "replace=a],from=server", "a]" },
    { "replace=[^\\\\,]", "[^\\\\,]" },
    { "replace={\"\xc3\xa9\\\"},\"}", "{\"\xc3\xa9\\\"},\"}" },
};

static void quotes_and_brackets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct inject_rules *owner;
        const struct inject_rule *r = rule_of_line(values[i].line, &owner);

        assert_int_equal(r->act.payload_len, strlen(values[i].payload));
        assert_memory_equal(r->act.payload, values[i].payload, r->act.payload_len);
        assert_int_equal(r->line, 0);
        inject_rules_free(owner);
    }
    assert_int_equal(alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_the_same_as_yaml),
        cmocka_unit_test(quotes_and_brackets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
