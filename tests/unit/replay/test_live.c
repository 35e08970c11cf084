#include "base/alloc.h"
#include "base/text.h"
#include "replay/live_state.h"
#include "replay/stage.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 16 };

/* A tape whose client's values are taken, and one connection that plays it. */
struct rig {
    struct replay_message messages[MANY];
    struct replay_connection connection;
    struct replay_links *links;
    struct replay_live *live;
    struct buf scratch;
};

static void add(struct rig *r, enum side from, struct bytes payload)
{
    struct replay_connection *c = &r->connection;

    assert_true(c->message_count < MANY);
    r->messages[c->message_count++] = (struct replay_message){
        .payload = payload,
        .number = ++c->count[from],
        .from = (uint8_t)from,
        .opcode = WIRE_OP_TEXT,
        .whole = true,
    };
}

/* Lines: "c" or "s", a blank, and what the client or the server says. */
static void lay_out(struct rig *r, const char *const *lines, size_t count)
{
    *r = (struct rig){ 0 };
    r->connection.messages = r->messages;
    for (size_t i = 0; i < count; i++) {
        add(r, lines[i][0] == 'c' ? CLIENT : SERVER, bytes_of(lines[i] + 2));
    }
}

static void start(struct rig *r)
{
    assert_int_equal(replay_links_new(&r->connection, CLIENT, &r->links), 0);
    r->live = replay_live_new(r->links);
    assert_non_null(r->live);
}

#define TAPE(r, ...) tape(r, (const char *const[]){ __VA_ARGS__, NULL })

static void tape(struct rig *r, const char *const *lines)
{
    size_t count = 0;

    while (lines[count] != NULL) {
        count++;
    }
    lay_out(r, lines, count);
    start(r);
}

static void stop(struct rig *r)
{
    replay_live_free(r->live);
    replay_links_free(r->links);
    buf_deinit(&r->scratch);
    assert_int_equal(alloc_live(), 0);
}

/* The live client says this where the tape has line `index`. */
static void hears(struct rig *r, uint32_t index, const char *text)
{
    assert_int_equal(replay_live_learn(r->live, index, bytes_of(text)), 0);
}

/* Line `index` is said as `expected`, `places` of it live. */
static void says(struct rig *r, uint32_t index, const char *expected, size_t places)
{
    struct bytes out;
    size_t replaced;

    assert_int_equal(replay_live_fill(r->live, index, &r->scratch, &out, &replaced), 0);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.at, expected, out.len);
    assert_int_equal(replaced, places);
    if (places == 0) {
        assert_ptr_equal(out.at, r->messages[index].payload.at);
    }
}

/* One question and one answer: what the tape has, then what the play has. */
static void answers(const char *asked, const char *answered, const char *asks,
                    const char *expected, size_t places)
{
    struct rig r;

    lay_out(&r, NULL, 0);
    add(&r, CLIENT, bytes_of(asked));
    add(&r, SERVER, bytes_of(answered));
    start(&r);
    hears(&r, 0, asks);
    says(&r, 1, expected, places);
    stop(&r);
}

/* Nothing of the answer follows the question. */
static void keeps(const char *asked, const char *answered, const char *asks)
{
    answers(asked, answered, asks, answered, 0);
}

#define OLD_ID "6f1c2f0e-2f7e-4f6c-9a58-1f0f5a0c9b11"
#define NEW_ID "00000000-aaaa-4bbb-8ccc-dddddddddddd"

/* ---- whole values ---- */

static void fills_ids_in_nested_fields(void **state)
{
    (void)state;
    answers("{\"thread\":{\"id\":\"" OLD_ID "\"}}",
            "{\"a\": [ {\"b\":\"" OLD_ID "\" } , 1],\"c\":\"" OLD_ID "\"}",
            "{\"thread\":{\"id\":\"" NEW_ID "\"}}",
            "{\"a\": [ {\"b\":\"" NEW_ID "\" } , 1],\"c\":\"" NEW_ID "\"}", 2);
}

static void fills_ids_behind_a_prefix(void **state)
{
    (void)state;
    answers("421[\"msg\",{\"id\":\"bbbb2222\"}]",
            "431[{\"ok\":true,\"id\":\"bbbb2222\"}]", "421[\"msg\",{\"id\":\"d4\"}]",
            "431[{\"ok\":true,\"id\":\"d4\"}]", 1);
}

static void fills_ids_inside_strings(void **state)
{
    (void)state;
    answers(
        "{\"id\":\"" OLD_ID "\"}",
        "{\"m\":\"run " OLD_ID ", again (" OLD_ID ")\",\"u\":\"/runs/" OLD_ID "?x=1\"}",
        "{\"id\":\"" NEW_ID "\"}",
        "{\"m\":\"run " NEW_ID ", again (" NEW_ID ")\",\"u\":\"/runs/" NEW_ID "?x=1\"}",
        3);
}

static void fills_ids_that_are_keys(void **state)
{
    (void)state;
    answers("{\"id\":\"" OLD_ID "\",\"w\":\"results\"}",
            "{\"" OLD_ID "\" : {\"results\":1}}",
            "{\"id\":\"" NEW_ID "\",\"w\":\"answers\"}",
            "{\"" NEW_ID "\" : {\"results\":1}}", 1);
}

static void fills_short_values_under_the_same_key_only(void **state)
{
    (void)state;
    answers("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\"}",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}",
            "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"add\"}",
            "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":1}", 1);
    answers("{\"ref\":\"a\"}", "{\"ref\":\"a\",\"x\":\"a\",\"s\":\"a b\"}",
            "{\"ref\":\"b\"}", "{\"ref\":\"b\",\"x\":\"a\",\"s\":\"a b\"}", 1);
    answers("{\"p\":{\"id\":5}}", "{\"r\":{\"id\":5},\"id\":5}", "{\"p\":{\"id\":6}}",
            "{\"r\":{\"id\":6},\"id\":5}", 1);
    answers(
        "{\"id\":\"1\",\"type\":\"subscribe\"}",
        "{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"tick\":{\"id\":1,\"n\":1}}}",
        "{\"id\":\"" NEW_ID "\",\"type\":\"subscribe\"}",
        "{\"id\":\"" NEW_ID
        "\",\"type\":\"next\",\"payload\":{\"tick\":{\"id\":1,\"n\":1}}}",
        1);
    answers("{\"r\\u0065f\":7}", "{\"ref\":7}", "{\"ref\":8}", "{\"ref\":8}", 1);
}

static void fills_short_values_at_the_same_place_of_arrays(void **state)
{
    (void)state;
    answers("[\"call\",3,{}]", "[\"done\",3,[3]]", "[\"call\",4,{}]",
            "[\"done\",4,[3]]", 1);
    answers("{\"ids\":[5,6]}", "{\"ids\":[5,5]}", "{\"ids\":[8,9]}", "{\"ids\":[8,5]}",
            1);
}

static void fills_numbers_by_their_spelling(void **state)
{
    (void)state;
    answers("{\"seq\":123456789012345678901}", "{\"ack\":123456789012345678901}",
            "{\"seq\":987654321098765432109}", "{\"ack\":987654321098765432109}", 1);
    answers("{\"seq\":12345}", "{\"m\":\"got 12345.\",\"n\":123456}", "{\"seq\":5e9}",
            "{\"m\":\"got 5e9.\",\"n\":123456}", 1);
    keeps("{\"a\":1234}", "{\"b\":1234,\"m\":\"got 1234\"}", "{\"a\":4321}");
}

static void crosses_types_as_the_tape_did(void **state)
{
    (void)state;
    answers("{\"id\":\"12345\"}", "{\"n\":12345}", "{\"id\":\"777\"}", "{\"n\":777}",
            1);
    answers("{\"id\":\"12345\"}", "{\"n\":12345}", "{\"id\":\"abc\"}",
            "{\"n\":\"abc\"}", 1);
    answers("{\"id\":\"12345\"}", "{\"n\":12345}", "{\"id\":\"1 \"}", "{\"n\":\"1 \"}",
            1);
    answers("{\"id\":12345}", "{\"n\":\"12345\"}", "{\"id\":777}", "{\"n\":\"777\"}",
            1);
    keeps("{\"id\":7}", "{\"id\":\"7\"}", "{\"id\":8}"); /* not short ones */
    keeps("{\"id\":\"7\"}", "{\"id\":7}", "{\"id\":\"8\"}");
}

static void follows_the_live_type_when_the_types_were_equal(void **state)
{
    (void)state;
    answers("{\"id\":\"abcd\"}", "{\"n\":\"abcd\"}", "{\"id\":42}", "{\"n\":42}", 1);
    answers("{\"id\":12345}", "{\"n\":12345}", "{\"id\":\"x\"}", "{\"n\":\"x\"}", 1);
    answers("{\"id\":12345}", "{\"n\":12345}", "{\"id\":\"12345\"}",
            "{\"n\":\"12345\"}", 1);
}

/* ---- inside strings ---- */

static void never_inside_words(void **state)
{
    (void)state;
    keeps("{\"m\":\"art\"}", "{\"x\":\"start art party\"}", "{\"m\":\"zzz\"}");
    answers("{\"m\":\"tart\"}", "{\"x\":\"start tarts tart-x x_tart tart tart.\"}",
            "{\"m\":\"pie\"}", "{\"x\":\"start tarts tart-x x_tart pie pie.\"}", 2);
    keeps("{\"m\":\"caf\\u00e9\"}", "{\"x\":\"caf\xc3\xa9s\"}", "{\"m\":\"bar\"}");
    keeps("{\"m\":\"tr\xc3\xa9s\"}", "{\"x\":\"\xc3\xa9tr\xc3\xa9s\"}",
          "{\"m\":\"bar\"}");
    keeps("{\"m\":\"hello world\"}", "{\"x\":\"hello worlds, Othello world\"}",
          "{\"m\":\"bar\"}");
}

static void ids_are_found_behind_and_before_joints(void **state)
{
    (void)state;
    answers("{\"id\":\"" OLD_ID "\"}",
            "[\"run_" OLD_ID "\",\"conv-" OLD_ID "\",\"" OLD_ID "_1\",\"" OLD_ID
            "-step2\",\"urn:x:" OLD_ID "\",\"a_" OLD_ID "__" OLD_ID "-b\"]",
            "{\"id\":\"" NEW_ID "\"}",
            "[\"run_" NEW_ID "\",\"conv-" NEW_ID "\",\"" NEW_ID "_1\",\"" NEW_ID
            "-step2\",\"urn:x:" NEW_ID "\",\"a_" NEW_ID "__" NEW_ID "-b\"]",
            7);
    keeps("{\"id\":\"" OLD_ID "\"}", "[\"x" OLD_ID "\",\"" OLD_ID "0\"]",
          "{\"id\":\"" NEW_ID "\"}");
    answers("{\"h\":\"deadbeef\",\"n\":10000001}", "room-deadbeef_10000001_deadbeefs",
            "{\"h\":\"cafe\",\"n\":7}", "room-cafe_7_deadbeefs", 2);
    keeps("{\"h\":\"dead1234 x\",\"n\":\"abc1234\"}", /* a text; 7 bytes */
          "room_dead1234 x_abc1234", "{\"h\":\"y\",\"n\":\"z\"}");
    answers("{\"a\":\"conv-" OLD_ID "\",\"b\":\"" OLD_ID "\"}", /* the longest */
            "my-conv-" OLD_ID "-1 my-" OLD_ID "-1",
            "{\"a\":\"x1\",\"b\":\"" NEW_ID "\"}", "my-x1-1 my-" NEW_ID "-1", 2);
}

static void arrows_are_borders(void **state)
{
    (void)state;
    answers("{\"from\":\"alice\",\"to\":\"bobby\"}",
            "alice->bobby <-alice<-bobby alice - bobby",
            "{\"from\":\"bobby\",\"to\":\"alice\"}",
            "bobby->alice <-bobby<-alice bobby - alice", 6);
    keeps("{\"from\":\"alice\",\"to\":\"bobby\"}",
          "alice-bobby alice_bobby -alice- _bobby_ alice-",
          "{\"from\":\"bobby\",\"to\":\"alice\"}");
    keeps("{\"a\":\"-bob-\"}", "x-bob-y x-bob- -bob-y --bob--", "{\"a\":\"z\"}");
}

static void finds_tokens_in_urls(void **state)
{
    (void)state;
    answers("{\"t\":\"eyJh.eyJz.sig-_1\",\"host\":\"192.0.2.17\"}",
            "{\"u\":\"wss://192.0.2.17:80/ws?token=eyJh.eyJz.sig-_1&x=192.0.2.170\"}",
            "{\"t\":\"aa.bb.cc\",\"host\":\"::1\"}",
            "{\"u\":\"wss://::1:80/ws?token=aa.bb.cc&x=192.0.2.170\"}", 2);
}

static void finds_echoed_texts(void **state)
{
    (void)state;
    answers("{\"message\":\"What is the weather in Paris?\"}",
            "{\"m\":\"You said: What is the weather in Paris?!\"}",
            "{\"message\":\"Why?\"}", "{\"m\":\"You said: Why?!\"}", 1);
    /* more words than a core has */
    answers("{\"m\":\"a b c d e f g h i j k l m n\"}",
            "{\"m\":\"<a b c d e f g h i j k l m n>\",\"x\":\"a b c d e f g h i j k l "
            "m no\"}",
            "{\"m\":\"z\"}", "{\"m\":\"<z>\",\"x\":\"a b c d e f g h i j k l m no\"}",
            1);
}

static void the_longest_value_wins(void **state)
{
    (void)state;
    answers("{\"a\":\"alice\",\"b\":\"alice smith\",\"c\":\"smith jones\"}",
            "{\"m\":\"alice smith jones, alice\"}",
            "{\"a\":\"bob\",\"b\":\"carol\",\"c\":\"dave\"}",
            "{\"m\":\"carol jones, bob\"}", 2);
}

static void resolves_escapes_and_writes_them(void **state)
{
    (void)state;
    answers("{\"m\":\"say \\\"hi\\\"\\nnow\"}",
            "{\"m\":\"say \\u0022hi\\\"\\u000anow\",\"x\":\"\\t[say \\\"hi\\\"\\nnow]"
            "\\u00e9\"}",
            "{\"m\":\"a\\\\b \\\"c\\\"\\n\\u00fc\\ud83d\\ude00\"}",
            "{\"m\":\"a\\\\b \\\"c\\\"\\n\xc3\xbc\xf0\x9f\x98\x80\",\"x\":\"\\t[a\\\\b "
            "\\\"c\\\"\\n\xc3\xbc\xf0\x9f\x98\x80]\\u00e9\"}",
            2);
}

static void finds_texts_without_blanks(void **state)
{
    (void)state;
    answers("{\"m\":\"\xe4\xbd\xa0\xe5\xa5\xbd\"}", /* two characters */
            "{\"m\":\"\xe8\xaf\xb4\xe4\xbd\xa0\xe5\xa5\xbd\xe5\x90\x97\"}",
            "{\"m\":\"\xe5\x86\x8d\xe8\xa7\x81\"}",
            "{\"m\":\"\xe8\xaf\xb4\xe5\x86\x8d\xe8\xa7\x81\xe5\x90\x97\"}", 1);
    answers("{\"id\":\"A1234\"}",
            "{\"m\":\"\xe8\xaf\x9d\x41\x31\x32\x33\x34\xe8\xaf"
            "\x9d\"}",
            "{\"id\":\"B1\"}", "{\"m\":\"\xe8\xaf\x9d\x42\x31\xe8\xaf\x9d\"}", 1);
    answers("{\"id\":\"A1234\"}",
            "{\"m\":\"\xe2\x80\x9c\x41\x31\x32\x33\x34\xe2\x80"
            "\x9d\"}", /* in quotation marks */
            "{\"id\":\"B1\"}", "{\"m\":\"\xe2\x80\x9c\x42\x31\xe2\x80\x9d\"}", 1);
}

static void texts_that_are_not_json_are_one_string(void **state)
{
    (void)state;
    answers("hello there", "hello there", "good \"bye\"\n", "good \"bye\"\n", 1);
    answers("SUB room-1234", "OK SUB room-1234 <", "SUB room-9", "OK SUB room-9 <", 1);
    answers("room-1234", "{\"room\":\"room-1234\"}", "a\"b", "{\"room\":\"a\\\"b\"}",
            1);
    answers("{\"id\":\"room-1234\"}", "+room-1234\r\n", "{\"id\":\"a\\\"b\"}",
            "+a\"b\r\n", 1);
}

/* ---- which source ---- */

static void naming_members_are_no_sources(void **state)
{
    (void)state;
    keeps("{\"type\":\"chat_message\",\"part\":{\"type\":\"text\"}}",
          "{\"x\":\"chat_message\",\"y\":\"text\"}",
          "{\"type\":\"other\",\"part\":{\"type\":\"image\"}}");
    keeps("[\"event\",true,null]", "{\"x\":\"event\"}", "[\"other\",true,null]");
}

static void the_latest_source_wins(void **state)
{
    struct rig r;

    (void)state;
    TAPE(&r, "c {\"id\":\"abcd\"}", "s {\"id\":\"abcd\"}", "c {\"id\":\"abcd\"}",
         "s {\"id\":\"abcd\"}");
    hears(&r, 0, "{\"id\":\"first\"}");
    says(&r, 1, "{\"id\":\"first\"}", 1);
    hears(&r, 2, "{\"id\":\"second\"}");
    says(&r, 3, "{\"id\":\"second\"}", 1);
    says(&r, 1, "{\"id\":\"first\"}", 1);
    stop(&r);
}

static void in_one_message_the_same_key_wins(void **state)
{
    (void)state;
    answers("{\"a\":\"same\",\"b\":\"same\"}", "{\"a\":\"same\",\"b\":\"same\"}",
            "{\"a\":\"one\",\"b\":\"two\"}", "{\"a\":\"one\",\"b\":\"two\"}", 2);
}

static void what_was_not_said_falls_back(void **state)
{
    struct rig r;

    (void)state;
    TAPE(&r, "c {\"id\":\"abcd\"}", "c {\"id\":\"abcd\"}", "s {\"id\":\"abcd\"}");
    says(&r, 2, "{\"id\":\"abcd\"}", 0);
    hears(&r, 0, "{\"id\":\"first\"}");
    says(&r, 2, "{\"id\":\"first\"}", 1);
    hears(&r, 1, "{\"other\":1}"); /* lacks the place */
    says(&r, 2, "{\"id\":\"first\"}", 1);
    hears(&r, 1, "{\"id\":\"abcd\"}"); /* says what the tape has */
    says(&r, 2, "{\"id\":\"abcd\"}", 0);
    stop(&r);
}

static void containers_and_literals_teach_nothing(void **state)
{
    static const char *const live[] = {
        "{\"id\":null}",
        "{\"id\":{\"a\":1}}",
        "{\"id\":[\"x\"]}",
        "{\"id\":true}",
        "[1]",
        "no JSON",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(live) / sizeof(*live); i++) {
        keeps("{\"id\":\"abcd\"}", "{\"id\":\"abcd\"}", live[i]);
    }
    answers("{\"id\":\"abcd\"}", "{\"id\":\"abcd\"}", "{\"id\":\"\"}", "{\"id\":\"\"}",
            1);
}

static void says_nothing_before_it_was_said(void **state)
{
    struct rig r;

    (void)state;
    TAPE(&r, "s {\"id\":\"abcd\"}", "c {\"id\":\"abcd\"}");
    assert_false(replay_links_any(r.links));
    hears(&r, 1, "{\"id\":\"wxyz\"}");
    says(&r, 0, "{\"id\":\"abcd\"}", 0);
    stop(&r);
}

static void the_server_can_be_the_source(void **state)
{
    struct rig r;
    struct bytes out;
    size_t replaced;

    (void)state;
    lay_out(&r,
            (const char *const[]){ "s {\"session\":\"s-1\"}", "c {\"in\":\"s-1\"}",
                                   "c {\"session\":\"s-1\"}" },
            3);
    assert_int_equal(replay_links_new(&r.connection, SERVER, &r.links), 0);
    r.live = replay_live_new(r.links);
    assert_int_equal(replay_live_learn(r.live, 0, bytes_of("{\"session\":\"s-2\"}")),
                     0);
    says(&r, 1, "{\"in\":\"s-1\"}", 0); /* three bytes: too short for another key */
    assert_int_equal(replay_live_fill(r.live, 2, &r.scratch, &out, &replaced), 0);
    assert_memory_equal(out.at, "{\"session\":\"s-2\"}", out.len);
    stop(&r);
}

static void binary_and_broken_messages_have_no_links(void **state)
{
    struct rig r;

    (void)state;
    lay_out(&r, (const char *const[]){ "c abcdef", "s abcdef", "c ghijkl", "s ghijkl" },
            4);
    r.messages[1].opcode = WIRE_OP_BINARY;
    r.messages[2].whole = false;
    start(&r);
    assert_false(replay_links_any(r.links));
    stop(&r);
}

static char *repeated(const char *unit, size_t times)
{
    size_t len = strlen(unit);
    char *text = alloc_get(len * times + 1);

    for (size_t i = 0; i < times; i++) {
        memcpy(text + i * len, unit, len);
    }
    text[len * times] = '\0';
    return text;
}

static void what_is_no_text_teaches_nothing(void **state)
{
    (void)state;
    keeps("hello world one", "you said: hello world one",
          "\xff\xfe"
          "bin");
    keeps("hello world one", "you said: hello world one", "bin\xc3");
}

/* A value of 64 KiB is a source, a longer one is none; nor does one teach. */
static void long_values_are_no_sources(void **state)
{
    char *most = repeated("x", REPLAY_LIVE_VALUE_MAX), *more = repeated("x", 65537);
    struct rig r;

    (void)state;
    lay_out(&r, NULL, 0);
    add(&r, CLIENT, bytes_of(most));
    add(&r, SERVER, bytes_of(most));
    add(&r, CLIENT, bytes_of(more));
    add(&r, SERVER, bytes_of(more));
    start(&r);
    assert_int_equal(r.links->link_count, 1);
    hears(&r, 0, more);
    says(&r, 1, most, 0);
    hears(&r, 0, "y");
    says(&r, 1, "y", 1);
    replay_live_free(r.live);
    replay_links_free(r.links);
    buf_deinit(&r.scratch);
    alloc_free(most);
    alloc_free(more);
    assert_int_equal(alloc_live(), 0);
}

/* 2000 places, each to grow by 64 KiB: it ends at a bound, with the rest as recorded.
 */
static void a_message_grows_to_a_bound(void **state)
{
    char *answer = repeated("word ", 2000);
    char *live = repeated("x", REPLAY_LIVE_VALUE_MAX);
    struct bytes out;
    size_t replaced;
    struct rig r;

    (void)state;
    lay_out(&r, NULL, 0);
    add(&r, CLIENT, bytes_of("word"));
    add(&r, SERVER, bytes_of(answer));
    start(&r);
    hears(&r, 0, live);
    assert_int_equal(replay_live_fill(r.live, 1, &r.scratch, &out, &replaced), 0);
    assert_true(replaced > 1000 && replaced < 1100);
    assert_int_equal(out.len, 2000 * 5 + replaced * (REPLAY_LIVE_VALUE_MAX - 4));
    assert_memory_equal(out.at + out.len - 10, "word word ", 10);
    replay_live_free(r.live);
    replay_links_free(r.links);
    buf_deinit(&r.scratch);
    alloc_free(answer);
    alloc_free(live);
    assert_int_equal(alloc_live(), 0);
}

/* ---- listing ---- */

static int tell(void *owner, const struct replay_link_text *t)
{
    return buf_put_format(owner, "%u %.*s > %u %.*s%s %.*s\n",
                          (unsigned)t->source_message, (int)t->source_path.len,
                          (const char *)t->source_path.at, (unsigned)t->carrier_message,
                          (int)t->carrier_path.len, (const char *)t->carrier_path.at,
                          t->inside ? " inside" : "", (int)t->value.len,
                          (const char *)t->value.at);
}

static int tell_once(void *owner, const struct replay_link_text *t)
{
    int r = tell(owner, t);

    return r < 0 ? r : -ECANCELED;
}

static void lists_links_with_their_paths(void **state)
{
    struct buf said = { 0 };
    struct rig r;

    (void)state;
    TAPE(&r, "c {\"a\":[{\"id\":\"x\\u002d1234567\"}]}", "c plain text",
         "s {\"b\":[1,\"x-1234567\"],\"x-1234567\":{\"c d\":\"is x-1234567\"}}",
         "s plain text", "s so plain text!");
    assert_int_equal(replay_links_list(r.links, tell, &said), 0);
    assert_int_equal(buf_put_byte(&said, 0), 0);
    assert_string_equal((const char *)said.at,
                        "1 $.a[0].id > 1 $.b[1] x-1234567\n"
                        "1 $.a[0].id > 1 $.x-1234567 x-1234567\n"
                        "1 $.a[0].id > 1 $.x-1234567['c d'] inside x-1234567\n"
                        "2  > 2  plain text\n"
                        "2  > 3  inside plain text\n");
    buf_clear(&said);
    assert_int_equal(replay_links_list(r.links, tell_once, &said), -ECANCELED);
    assert_int_equal(buf_put_byte(&said, 0), 0);
    assert_string_equal((const char *)said.at, "1 $.a[0].id > 1 $.b[1] x-1234567\n");
    buf_deinit(&said);
    stop(&r);
}

/* ---- properties ---- */

enum { VALUES = 6, ROUNDS = 3000 };

struct chance {
    uint64_t state;
};

static uint32_t below(struct chance *c, uint32_t limit)
{
    c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(c->state >> 33) % limit;
}

static const char *one_of(struct chance *c, const char *const *texts, uint32_t count)
{
    return texts[below(c, count)];
}

/* The same text twice: with the tape's values, and with the live ones. */
struct twins {
    struct buf text[2];
    struct buf value[2][VALUES]; /* decoded */
    bool number[VALUES];
};

static void put_both(struct twins *t, const char *text)
{
    assert_int_equal(buf_put_text(&t->text[0], text), 0);
    assert_int_equal(buf_put_text(&t->text[1], text), 0);
}

static void put_value(struct twins *t, uint32_t n)
{
    for (int i = 0; i < 2; i++) {
        struct bytes value = buf_bytes(&t->value[i][n]);

        assert_int_equal(t->number[n] ? buf_put(&t->text[i], value)
                                      : text_put_json(&t->text[i], value),
                         0);
    }
}

static void put_value_inside(struct twins *t, uint32_t n)
{
    for (int i = 0; i < 2; i++) {
        size_t from = t->text[i].len;

        assert_int_equal(text_put_json(&t->text[i], buf_bytes(&t->value[i][n])), 0);
        t->text[i].len -= 2;
        memmove(t->text[i].at + from, t->text[i].at + from + 1, t->text[i].len - from);
    }
}

static void make_values(struct twins *t, struct chance *c)
{
    static const char *const tails[] = { "",           " \"q\" x", "\xc3\xa9",
                                         "\nline two", ".b.c",     "\\ \xe4\xbd\xa0" };

    for (uint32_t n = 0; n < VALUES; n++) {
        t->number[n] = below(c, 4) == 0;
        for (int i = 0; i < 2; i++) {
            const char *tail = t->number[n] ? "" : one_of(c, tails, 6);

            buf_clear(&t->value[i][n]);
            assert_int_equal(buf_put_format(&t->value[i][n], "%s%u%05u%s",
                                            t->number[n] ? "" : "id-", n + 1,
                                            below(c, 100000), tail),
                             0);
        }
    }
}

static void put_scalar(struct twins *t, struct chance *c)
{
    static const char *const others[] = { "null",    "true",           "\"start art\"",
                                          "-1.50e2", "\"\\u00e9\\n\"", "\"\"" };
    static const char *const words[] = {
        "the ", "art, ", "\\\"", "\\u00e9 ", "(", "\\n"
    };

    switch (below(c, 3)) {
    case 0:
        put_both(t, one_of(c, others, 6));
        return;
    case 1:
        put_value(t, below(c, VALUES));
        return;
    default:
        put_both(t, "\"\\t");
        for (uint32_t n = below(c, 4); n > 0; n--) {
            put_both(t, one_of(c, words, 6));
            put_both(t, " ");
            put_value_inside(t, below(c, VALUES));
            put_both(t, " ");
        }
        put_both(t, ".\"");
    }
}

static void put_space(struct twins *t, struct chance *c)
{
    static const char *const spaces[] = { "", "", " ", "\n\t" };

    put_both(t, one_of(c, spaces, 4));
}

static void put_json(struct twins *t, struct chance *c, unsigned depth)
{
    bool object = below(c, 2) == 0;
    uint32_t count = below(c, 4);

    if (depth == 0 || below(c, 3) == 0) {
        put_scalar(t, c);
        return;
    }
    put_both(t, object ? "{" : "[");
    for (uint32_t n = 0; n < count; n++) {
        char key[16];

        snprintf(key, sizeof(key), "\"k%u\"", n);
        put_both(t, n == 0 ? "" : ",");
        put_space(t, c);
        put_both(t, object ? key : "");
        put_space(t, c);
        put_both(t, object ? ":" : "");
        put_json(t, c, depth - 1);
        put_space(t, c);
    }
    put_both(t, object ? "}" : "]");
}

static void ask(struct twins *t)
{
    put_both(t, "{\"in\":[");
    for (uint32_t n = 0; n < VALUES; n++) {
        put_both(t, n == 0 ? "" : ",");
        put_value(t, n);
    }
    put_both(t, "]}");
}

/* An answer of any form becomes, byte for byte, what it is with the live values. */
static void every_other_byte_stays(void **state)
{
    struct twins asked = { 0 }, answered = { 0 };
    struct chance c = { 20261121 };
    size_t places = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct bytes out;
        size_t replaced;
        struct rig r;

        make_values(&asked, &c);
        memcpy(answered.value, asked.value, sizeof(asked.value));
        memcpy(answered.number, asked.number, sizeof(asked.number));
        for (int i = 0; i < 2; i++) {
            buf_clear(&asked.text[i]);
            buf_clear(&answered.text[i]);
        }
        ask(&asked);
        put_both(&answered, "[0,");
        put_json(&answered, &c, 4);
        put_both(&answered, "]");
        lay_out(&r, NULL, 0);
        add(&r, CLIENT, buf_bytes(&asked.text[0]));
        add(&r, SERVER, buf_bytes(&answered.text[0]));
        start(&r);
        assert_int_equal(replay_live_learn(r.live, 0, buf_bytes(&asked.text[1])), 0);
        assert_int_equal(replay_live_fill(r.live, 1, &r.scratch, &out, &replaced), 0);
        assert_int_equal(out.len, answered.text[1].len);
        assert_memory_equal(out.at, answered.text[1].at, out.len);
        places += replaced;
        replay_live_free(r.live);
        replay_links_free(r.links);
        buf_deinit(&r.scratch);
    }
    assert_true(places > ROUNDS);
    for (uint32_t i = 0; i < 2 * VALUES; i++) {
        buf_deinit(&asked.value[i / VALUES][i % VALUES]);
    }
    for (int i = 0; i < 2; i++) {
        buf_deinit(&asked.text[i]);
        buf_deinit(&answered.text[i]);
    }
    assert_int_equal(alloc_live(), 0);
}

/* Steps for `count` questions and answers that repeat ids and texts. */
static uint64_t work_for(uint32_t count, bool distinct)
{
    struct replay_message *messages = alloc_zero((size_t)count * 2, sizeof(*messages));
    struct replay_connection c = { .messages = messages, .message_count = count * 2 };
    struct replay_links *links;
    struct buf text = { 0 };
    uint64_t work;

    assert_int_equal(buf_reserve(&text, (size_t)count * 240), 0);
    for (uint32_t i = 0; i < count * 2; i++) {
        size_t from = text.len;
        uint32_t id = distinct ? i / 2 : 7;

        assert_int_equal(
            buf_put_format(&text,
                           i % 2 == 0
                               ? "{\"id\":\"req-%06u\",\"m\":\"tell me of thing %u\"}"
                               : "{\"re\":\"req-%06u\",\"m\":\"You said: tell me of "
                                 "thing %u. And that is all there is to say\"}",
                           id, id),
            0);
        messages[i] = (struct replay_message){
            .payload = bytes_make(text.at + from, text.len - from),
            .from = i % 2 == 0 ? CLIENT : SERVER,
            .opcode = WIRE_OP_TEXT,
            .whole = true,
        };
    }
    assert_int_equal(replay_links_new(&c, CLIENT, &links), 0);
    assert_int_equal(links->link_count, count * 2);
    work = links->work;
    replay_links_free(links);
    buf_deinit(&text);
    alloc_free(messages);
    return work;
}

static void work_grows_with_the_tape_alone(void **state)
{
    (void)state;
    for (int distinct = 0; distinct < 2; distinct++) {
        uint64_t few = work_for(1000, distinct != 0);
        uint64_t many = work_for(16000, distinct != 0);

        assert_true(few > 1000);
        assert_true(many < few * 16 * 2);
        assert_true(many < UINT64_C(16000) * 200);
    }
}

/* ---- the stage, which keeps links ---- */

static void the_stage_works_links_out_once(void **state)
{
    struct replay_options options = { .substitute = true };
    struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct replay_listener listener = { .verbose = true };
    struct replay_connection connections[2];
    struct replay_script script = { .connections = connections, .count = 2 };
    const struct replay_links *first = NULL, *again = NULL, *none = NULL;
    struct replay_stage *stage;
    struct rig linked, unlinked;

    (void)state;
    lay_out(&linked, (const char *const[]){ "c abcd", "s abcd" }, 2);
    lay_out(&unlinked, (const char *const[]){ "c abcd", "s efgh" }, 2);
    connections[0] = linked.connection;
    connections[1] = unlinked.connection;
    assert_int_equal(
        replay_stage_new(&script, &options, &rules, &listener, CLIENT, &stage), 0);
    assert_int_equal(replay_stage_links(stage, 0, &first), 0);
    assert_int_equal(replay_stage_links(stage, 0, &again), 0);
    assert_true(replay_links_any(first));
    assert_ptr_equal(first, again);
    none = first;
    assert_int_equal(replay_stage_links(stage, 1, &none), 0);
    assert_null(none);
    replay_stage_free(stage);

    options.substitute = false;
    assert_int_equal(
        replay_stage_new(&script, &options, &rules, &listener, CLIENT, &stage), 0);
    assert_int_equal(replay_stage_links(stage, 0, &again), 0);
    assert_null(again);
    replay_stage_free(stage);
    replay_stage_free(NULL);
    assert_int_equal(alloc_live(), 0);
}

static int stage_links(const struct replay_script *script)
{
    struct replay_options options = { .substitute = true };
    struct replay_rules rules = { 0 };
    struct replay_listener listener = { 0 };
    const struct replay_links *links = NULL;
    struct replay_stage *stage;
    int r = replay_stage_new(script, &options, &rules, &listener, CLIENT, &stage);

    if (r == 0) {
        r = replay_stage_links(stage, 0, &links);
        replay_stage_free(stage);
    }
    return r;
}

static void the_stage_survives_failed_allocations(void **state)
{
    bool hit = true;
    struct rig r;
    struct replay_script script = { .connections = &r.connection, .count = 1 };

    (void)state;
    lay_out(&r, (const char *const[]){ "c abcd", "s abcd" }, 2);
    for (unsigned long nth = 0; hit; nth++) {
        int result;

        alloc_fail_at(nth);
        result = stage_links(&script);
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(result, hit ? -ENOMEM : 0);
    }
}

/* ---- failures ---- */

static int play(struct rig *r, struct buf *said)
{
    struct bytes out;
    size_t replaced;
    int result = replay_links_new(&r->connection, CLIENT, &r->links);

    if (result < 0) {
        return result;
    }
    r->live = replay_live_new(r->links);
    result = r->live == NULL ? -ENOMEM : replay_links_list(r->links, tell, said);
    for (uint32_t i = 0; result == 0 && i < r->connection.message_count; i++) {
        result = r->messages[i].from == CLIENT
                     ? replay_live_learn(r->live, i,
                                         bytes_of("{\"a\":\"\\n1\",\"id\":\"\\\"2\"}"))
                     : replay_live_fill(r->live, i, &r->scratch, &out, &replaced);
    }
    replay_live_free(r->live);
    replay_links_free(r->links);
    return result;
}

static void survives_failed_allocations(void **state)
{
    bool hit = true;

    (void)state;
    for (unsigned long nth = 0; hit; nth++) {
        struct buf said = { 0 };
        struct rig r;
        int result;

        lay_out(
            &r,
            (const char *const[]){
                "c {\"a\":\"x\\ny z\",\"id\":\"req-1\"}", "c plain text here",
                "s {\"req-1\":\"\\t x\\ny z\",\"req-12345\":[\"req-1\",\"\\u0041\"]}",
                "c {\"a\":\"x\\ny z\",\"id\":\"6f1c2f0e-2f7e-4f6c-9a58-1f0f5a0c9b11\"}",
                "s {\"\\u0036f1c2f0e-2f7e-4f6c-9a58-1f0f5a0c9b11\":1}",
                "s a plain text here" },
            6);
        alloc_fail_at(nth);
        result = play(&r, &said);
        hit = alloc_fail_clear();
        buf_deinit(&said);
        buf_deinit(&r.scratch);
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(result, hit ? -ENOMEM : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_ids_in_nested_fields),
        cmocka_unit_test(fills_ids_behind_a_prefix),
        cmocka_unit_test(fills_ids_inside_strings),
        cmocka_unit_test(fills_ids_that_are_keys),
        cmocka_unit_test(fills_short_values_under_the_same_key_only),
        cmocka_unit_test(fills_short_values_at_the_same_place_of_arrays),
        cmocka_unit_test(fills_numbers_by_their_spelling),
        cmocka_unit_test(crosses_types_as_the_tape_did),
        cmocka_unit_test(follows_the_live_type_when_the_types_were_equal),
        cmocka_unit_test(never_inside_words),
        cmocka_unit_test(ids_are_found_behind_and_before_joints),
        cmocka_unit_test(arrows_are_borders),
        cmocka_unit_test(finds_tokens_in_urls),
        cmocka_unit_test(finds_echoed_texts),
        cmocka_unit_test(the_longest_value_wins),
        cmocka_unit_test(resolves_escapes_and_writes_them),
        cmocka_unit_test(finds_texts_without_blanks),
        cmocka_unit_test(texts_that_are_not_json_are_one_string),
        cmocka_unit_test(naming_members_are_no_sources),
        cmocka_unit_test(the_latest_source_wins),
        cmocka_unit_test(in_one_message_the_same_key_wins),
        cmocka_unit_test(what_was_not_said_falls_back),
        cmocka_unit_test(containers_and_literals_teach_nothing),
        cmocka_unit_test(says_nothing_before_it_was_said),
        cmocka_unit_test(the_server_can_be_the_source),
        cmocka_unit_test(binary_and_broken_messages_have_no_links),
        cmocka_unit_test(what_is_no_text_teaches_nothing),
        cmocka_unit_test(long_values_are_no_sources),
        cmocka_unit_test(a_message_grows_to_a_bound),
        cmocka_unit_test(lists_links_with_their_paths),
        cmocka_unit_test(every_other_byte_stays),
        cmocka_unit_test(work_grows_with_the_tape_alone),
        cmocka_unit_test(the_stage_works_links_out_once),
        cmocka_unit_test(the_stage_survives_failed_allocations),
        cmocka_unit_test(survives_failed_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
