#include "base/alloc.h"
#include "replay/script.h"
#include "replay/volatility.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- shapes ---- */

static void shape_is(enum replay_shape expected, const char *json)
{
    enum replay_shape shape = replay_shape_of(bytes_of(json));

    if (shape != expected) {
        fail_msg("%s: %s, not %s", json, replay_shape_name(shape),
                 replay_shape_name(expected));
    }
}

static void uuids(void **state)
{
    (void)state;
    shape_is(REPLAY_SHAPE_UUID, "\"0b6e3c4e-7f1a-4f8e-9a55-0123456789ab\"");
    shape_is(REPLAY_SHAPE_UUID, "\"0B6E3C4E-7F1A-4F8E-9A55-0123456789AB\"");
    shape_is(REPLAY_SHAPE_UUID, "\"0b6e3c4e7f1a4f8e9a550123456789ab\"");
    shape_is(REPLAY_SHAPE_UUID, "\"{0b6e3c4e-7f1a-4f8e-9a55-0123456789ab}\"");
    shape_is(REPLAY_SHAPE_UUID, "\"urn:uuid:0b6e3c4e-7f1a-4f8e-9a55-0123456789ab\"");
    shape_is(REPLAY_SHAPE_UUID, "\"0b6e3c4e\\u002d7f1a-4f8e-9a55-0123456789ab\"");
    shape_is(REPLAY_SHAPE_NONE, "\"0b6e3c4e-7f1a-4f8e-9a55-0123456789a\"");
    shape_is(REPLAY_SHAPE_NONE, "\"0b6e3c4e-7f1a-4f8e-9a55-0123456789abc\"");
    shape_is(REPLAY_SHAPE_NONE, "\"0b6e3c4e-7f1a-4f8e-9a550-123456789ab\"");
    shape_is(REPLAY_SHAPE_NONE, "\"{0b6e3c4e-7f1a-4f8e-9a55-0123456789ab\"");
    shape_is(REPLAY_SHAPE_NONE, "\"0b6e3c4e-7f1a-4f8e-9a55-0123456789ab}\"");
    shape_is(REPLAY_SHAPE_NONE, "\"0b6e3c4e-7f1a-4f8e-9a55-0123456789ag\"");
    shape_is(REPLAY_SHAPE_NONE, "\"urn:uuid:\"");
}

static void iso_times(void **state)
{
    static const char *const good[] = {
        "\"2026-11-21\"",
        "\"2026-11-21T02:14\"",
        "\"2026-11-21T02:14:59\"",
        "\"2026-11-21T02:14:59Z\"",
        "\"2026-11-21t02:14:59z\"",
        "\"2026-11-21 02:14:59.123456\"",
        "\"2026-11-21T02:14:59,5Z\"",
        "\"2026-11-21T02:14:59.123+01:00\"",
        "\"2026-11-21T02:14:59-0530\"",
        "\"2026-11-21T02:14:59+01\"",
        "\"2026-11-21T02:14:59\\u002B01:00\"",
    };
    static const char *const bad[] = {
        "\"2026-11\"",
        "\"2026-13-21\"",
        "\"2026-11-32\"",
        "\"26-11-21\"",
        "\"2026-11-21T\"",
        "\"2026-11-21T02\"",
        "\"2026-11-21T25:00\"",
        "\"2026-11-21T02:60\"",
        "\"2026-11-21T02:14:59.\"",
        "\"2026-11-21Z\"",
        "\"2026-11-21T02:14:59X\"",
        "\"2026-11-21T02:14:59+1\"",
        "\"2026-11-21T02:14:59+01:0\"",
        "\"2026/11/21\"",
        "\"\"",
        "\"2026-11-21T02:14:59Z \"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        shape_is(REPLAY_SHAPE_ISO_TIME, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        shape_is(REPLAY_SHAPE_NONE, bad[i]);
    }
}

static void epoch_times(void **state)
{
    (void)state;
    shape_is(REPLAY_SHAPE_EPOCH, "978307200");
    shape_is(REPLAY_SHAPE_NONE, "978307199");
    shape_is(REPLAY_SHAPE_EPOCH, "4102444799.9");
    shape_is(REPLAY_SHAPE_NONE, "4102444800");
    shape_is(REPLAY_SHAPE_EPOCH, "1763691299.123");
    shape_is(REPLAY_SHAPE_EPOCH, "1.763691299123E9");
    shape_is(REPLAY_SHAPE_EPOCH, "1763691299123");
    shape_is(REPLAY_SHAPE_EPOCH, "1763691299123456");
    shape_is(REPLAY_SHAPE_EPOCH, "1763691299123456789");
    shape_is(REPLAY_SHAPE_NONE, "17636912991234567890");
    shape_is(REPLAY_SHAPE_EPOCH, "\"1763691299\"");
    shape_is(REPLAY_SHAPE_NONE, "\"1763691299 \"");
    shape_is(REPLAY_SHAPE_NONE, "\"1.7e9\"");
    shape_is(REPLAY_SHAPE_NONE, "-1763691299");
    shape_is(REPLAY_SHAPE_NONE, "1e400");
    shape_is(REPLAY_SHAPE_NONE, "0");
    shape_is(REPLAY_SHAPE_NONE, "42");
}

static void no_shapes(void **state)
{
    char text[256];

    (void)state;
    shape_is(REPLAY_SHAPE_NONE, "null");
    shape_is(REPLAY_SHAPE_NONE, "true");
    shape_is(REPLAY_SHAPE_NONE, "{}");
    shape_is(REPLAY_SHAPE_NONE, "\"hello\"");
    shape_is(REPLAY_SHAPE_NONE, "\"2026-11-21\\u0000\"");
    shape_is(REPLAY_SHAPE_NONE, "\"2026-11-21\xc3\xa9\"");
    memset(text, '1', sizeof(text));
    assert_int_equal(replay_shape_of(bytes_make(text, sizeof(text))),
                     REPLAY_SHAPE_NONE);
    text[0] = text[255] = '"';
    assert_int_equal(replay_shape_of(bytes_make(text, sizeof(text))),
                     REPLAY_SHAPE_NONE);
    assert_string_equal(replay_shape_name(REPLAY_SHAPE_UUID), "UUID");
    assert_string_equal(replay_shape_name(REPLAY_SHAPE_ISO_TIME), "ISO time");
    assert_string_equal(replay_shape_name(REPLAY_SHAPE_EPOCH), "epoch time");
}

/* ---- tapes ---- */

enum { SESSIONS_MAX = 80, MESSAGES_MAX = 8 };

/* Sessions as a script has them, only as far as volatility looks. */
struct tape {
    struct replay_script script;
    struct replay_connection connections[SESSIONS_MAX];
    struct replay_message messages[SESSIONS_MAX][MESSAGES_MAX];
    struct replay_exchange exchanges[SESSIONS_MAX];
};

static void clear(struct tape *t)
{
    *t = (struct tape){ .script = { .connections = t->connections } };
}

static struct replay_connection *add_session(struct tape *t, const char *target)
{
    size_t n = t->script.count++;
    struct replay_connection *c = &t->connections[n];

    assert_true(n < SESSIONS_MAX);
    t->exchanges[n] = (struct replay_exchange){ .target = bytes_of(target) };
    *c = (struct replay_connection){
        .number = (uint32_t)n + 1,
        .messages = t->messages[n],
        .exchanges = &t->exchanges[n],
        .exchange_count = 1,
        .first = { REPLAY_NONE, REPLAY_NONE },
    };
    return c;
}

/* Returns the message, to change it. */
static struct replay_message *say(struct replay_connection *c, enum side from,
                                  const char *text)
{
    uint32_t n = c->message_count++, *link = &c->first[from];

    assert_true(n < MESSAGES_MAX);
    while (*link != REPLAY_NONE) {
        link = &c->messages[*link].next;
    }
    *link = n;
    c->messages[n] = (struct replay_message){
        .payload = bytes_of(text),
        .number = ++c->count[from],
        .next = REPLAY_NONE,
        .from = (uint8_t)from,
        .opcode = WIRE_OP_TEXT,
        .whole = true,
    };
    return &c->messages[n];
}

static int put_line(void *owner, enum side from, struct bytes path, const char *why)
{
    return buf_put_format(owner, "%s %.*s: %s\n", side_name(from), (int)path.len,
                          (const char *)path.at, why);
}

static void list_is(const struct tape *t, const char *expected)
{
    struct replay_volatility *v = NULL;
    struct buf said = { 0 };

    assert_int_equal(replay_volatility_new(&t->script, &v), 0);
    assert_int_equal(replay_volatility_list(v, &t->script, NULL, put_line, &said), 0);
    assert_int_equal(buf_put_byte(&said, '\0'), 0);
    assert_string_equal((const char *)said.at, expected);
    buf_deinit(&said);
    replay_volatility_free(v);
}

static bool has(const struct replay_volatility *v, enum side from, const char *text,
                uint32_t value)
{
    struct replay_tree t = { 0 };
    struct buf scratch = { 0 };
    bool is;

    assert_int_equal(replay_tree_read(&t, bytes_of(text)), 0);
    assert_int_equal(replay_volatility_has(v, from, &t, value, &scratch, &is), 0);
    replay_tree_deinit(&t);
    buf_deinit(&scratch);
    return is;
}

static struct tape tape; /* too large for the stack of a test */

static void ids_differ_between_sessions(void **state)
{
    struct replay_volatility *v = NULL;
    struct replay_connection *c;

    (void)state;
    clear(&tape);
    c = add_session(&tape, "/ws?token=1");
    say(c, CLIENT, "{\"type\":\"ask\",\"id\":10017}");
    say(c, SERVER,
        "{\"type\":\"a\",\"run\":{\"id\":\"xx-1\"},\"list\":[{\"n\":-12345}],\"k\":1}");
    c = add_session(&tape, "/ws?token=2");
    say(c, CLIENT, "{\"id\":10018,\"type\":\"ask\"}");
    say(c, SERVER,
        "{\"type\":\"a\",\"run\":{\"id\":\"xx-2\"},\"list\":[{\"n\":23456}],\"k\":1}");
    list_is(&tape, "client $.id: differs between sessions\n"
                   "server $.list[*].n: differs between sessions\n"
                   "server $.run.id: differs between sessions\n");
    assert_int_equal(replay_volatility_new(&tape.script, &v), 0);
    assert_true(has(v, CLIENT, "{\"id\":5}", 1));
    assert_false(has(v, SERVER, "{\"id\":5}", 1));
    assert_false(has(v, CLIENT, "{\"id\":5}", 0));
    assert_false(has(v, CLIENT, "{\"idx\":5}", 1));
    assert_true(has(v, SERVER, "{\"list\":[{},{\"n\":5}]}", 4));
    assert_false(has(v, SERVER, "{\"k\":5}", 1));
    assert_false(has(NULL, SERVER, "{\"k\":5}", 1));
    assert_int_equal(replay_volatility_count(v, CLIENT), 1);
    assert_int_equal(replay_volatility_count(v, SERVER), 2);
    assert_int_equal(replay_volatility_count(NULL, SERVER), 0);
    replay_volatility_free(v);
}

static void what_does_not_count(void **state)
{
    struct replay_connection *c, *d, *e;

    (void)state;
    clear(&tape);
    c = add_session(&tape, "/ws");
    d = add_session(&tape, "/ws");
    say(c, SERVER, "{\"type\":\"a\",\"id\":10001}"); /* names and kinds */
    say(d, SERVER, "{\"type\":\"b\",\"id\":10002}");
    say(c, SERVER,
        "{\"text\":\"two words 1\",\"on\":true,\"n\":null}"); /* texts, others */
    say(d, SERVER, "{\"text\":\"word1\",\"on\":false,\"n\":1}");
    say(c, SERVER,
        "{\"a\":10001,\"t\":70007}"); /* places that are not in both, types */
    say(d, SERVER, "{\"b\":10002,\"t\":\"70008\"}");
    say(c, SERVER, "one"); /* no JSON */
    say(d, SERVER, "two");
    say(c, SERVER, "{\"id\":10001}")->whole = false;
    say(d, SERVER, "{\"id\":10002}");
    say(c, SERVER, "{\"id\":10001}")->opcode = WIRE_OP_BINARY;
    say(d, SERVER, "{\"id\":10002}")->opcode = WIRE_OP_BINARY;
    e = add_session(&tape, "/other"); /* another path */
    say(e, SERVER, "{\"type\":\"a\",\"id\":10003}");
    e = add_session(&tape, "/ws"); /* no WebSocket */
    say(e, SERVER, "{\"type\":\"a\",\"id\":10003}");
    e->handshake = REPLAY_NONE;
    list_is(&tape, "");
}

static void a_text_is_never_an_id(void **state)
{
    struct replay_connection *c, *d;

    (void)state;
    clear(&tape);
    c = add_session(&tape, "/ws");
    d = add_session(&tape, "/ws");
    say(c, CLIENT, "{\"text\":\"hello\"}");
    say(d, CLIENT, "{\"text\":\"hi\"}");
    say(c, CLIENT, "{\"text\":\"how are you\"}");
    say(d, CLIENT, "{\"text\":\"fine\"}");
    say(c, CLIENT, "{\"text\":\"bye\"}");
    say(d, CLIENT, "{\"text\":\"ciao\"}");
    list_is(&tape, "");
}

/* Two sessions of one message each: the values of a place. */
static void differs(bool may, const char *key, const char *x, const char *y)
{
    struct buf texts[2] = { { 0 }, { 0 } };
    struct replay_volatility *v = NULL;

    clear(&tape);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(buf_put_format(&texts[i], "{\"type\":\"a\",\"%s\":%s}", key,
                                        i == 0 ? x : y),
                         0);
        assert_int_equal(buf_put_byte(&texts[i], '\0'), 0);
        say(add_session(&tape, "/ws"), SERVER, (const char *)texts[i].at);
    }
    assert_int_equal(replay_volatility_new(&tape.script, &v), 0);
    if ((replay_volatility_count(v, SERVER) == 1) != may) {
        fail_msg("%s: %s and %s", key, x, y);
    }
    replay_volatility_free(v);
    buf_deinit(&texts[0]);
    buf_deinit(&texts[1]);
}

static void only_ids_differ(void **state)
{
    (void)state;
    differs(true, "k", "\"abc1\"", "\"2xyz\"");
    differs(true, "k", "\"a\\u0062c1\"", "\"run_12\"");
    differs(true, "k", "\"abcdefghIJKLmnop\"", "\"abcdefgh_-=Lmnop\"");
    differs(true, "k", "12345", "-99999");
    differs(true, "k", "[12345]", "[99999]");
    differs(false, "k", "\"ab1\"", "\"2yz\"");
    differs(false, "k", "\"abc1\"", "\"failed\"");
    differs(false, "k", "\"abc 1\"", "\"2xyz\"");
    differs(false, "k", "\"pass\"", "\"failed\"");
    differs(false, "k", "\"abcdefghijklmnop\"", "\"qrstuvwxyzabcdef\"");
    differs(false, "k", "\"ABCDEFGHIJKLMNOP\"", "\"QRSTUVWXYZABCDEF\"");
    differs(false, "k", "\"abcdefghIJKLmno\"", "\"qrstuvwxYZABcde\"");
    differs(false, "k", "\"Some.Dotted.Names\"", "\"Other.DottedNames\"");
    differs(false, "k", "1234", "9999");
    differs(false, "k", "12345", "17");
    differs(false, "k", "0.87123", "0.51234");
    differs(false, "k", "12345.5", "99999.5");
    differs(false, "k", "1e10001", "2e10001");
}

static void only_times_differ(void **state)
{
    static const char *const times[] = {
        "time",        "runtime",     "timeTaken", "start_time", "date",
        "dateOfBirth", "duration",    "durations", "elapsed",    "elapsedTotal",
        "latency",     "latencies",   "took",      "tookMs",     "uptime",
        "age",         "cache-age",   "seconds",   "p95_ms",     "wait_s",
        "cpu_ns",      "gc_us",       "seen_at",   "seenAt",     "millisecondsLeft",
        "TIME",        "TotalTIMEMs", "a.b.ms",
    };
    static const char *const others[] = {
        "n",         "page",       "message",    "usage",     "language",
        "sentiment", "multimedia", "update",     "times",     "candidates",
        "ms",        "at",         "percentage", "status",    "boss",
        "",          "mistook",    "ages",       "kilograms", "_",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        differs(true, times[i], "0.5", "2");
        differs(true, times[i], "[7]", "[8]");
        differs(false, times[i], "\"soon\"", "\"later\"");
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        differs(false, others[i], "0.5", "2");
    }
}

static void shapes_are_listed(void **state)
{
    struct replay_connection *c;

    (void)state;
    clear(&tape);
    c = add_session(&tape, "/ws");
    say(c, SERVER,
        "{\"at\":\"2026-11-21T02:14:59Z\",\"n\":[1763691299,1763691299],"
        "\"id\":\"0b6e3c4e-7f1a-4f8e-9a55-0123456789ab\",\"x\":1}");
    say(c, CLIENT, "\"1763691299123\"");
    say(c, CLIENT, "{\"at\":\"2026-11-21\"}")->whole = false;
    list_is(&tape, "client $: epoch time\n"
                   "server $.at: ISO time\n"
                   "server $.id: UUID\n"
                   "server $.n[*]: epoch time\n");
}

static void later_sessions_count(void **state)
{
    static const char *const texts[] = { "{\"type\":\"a\",\"id\":10001}",
                                         "{\"type\":\"b\",\"id\":10001}",
                                         "{\"type\":\"b\",\"id\":10002}" };

    (void)state;
    clear(&tape);
    for (size_t i = 0; i < 3; i++) { /* the third differs from the one before it */
        say(add_session(&tape, "/ws"), SERVER, texts[i]);
        say(add_session(&tape, i == 1 ? "/a" : "/z"), SERVER, "{\"n\":1}");
    }
    list_is(&tape, "server $.id: differs between sessions\n");

    clear(&tape);
    for (int i = 0; i < SESSIONS_MAX; i++) { /* past those that are looked at */
        say(add_session(&tape, "/ws"), SERVER,
            i < REPLAY_VOLATILE_SESSIONS ? "{\"id\":10001}" : "{\"id\":10002}");
    }
    list_is(&tape, "");
}

static void paths_are_bounded(void **state)
{
    struct buf x = { 0 }, y = { 0 };
    struct replay_volatility *v = NULL;
    struct buf said = { 0 };
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 2 * REPLAY_VOLATILE_MAX; i++) {
        assert_int_equal(buf_put_format(&x, "%c\"k%d\":10001", i == 0 ? '{' : ',', i),
                         0);
        assert_int_equal(buf_put_format(&y, "%c\"k%d\":10002", i == 0 ? '{' : ',', i),
                         0);
    }
    assert_int_equal(buf_put(&x, bytes_make("}", 2)), 0);
    assert_int_equal(buf_put(&y, bytes_make("}", 2)), 0);
    clear(&tape);
    say(add_session(&tape, "/ws"), SERVER, (const char *)x.at);
    say(add_session(&tape, "/ws"), SERVER, (const char *)y.at);
    assert_int_equal(replay_volatility_new(&tape.script, &v), 0);
    assert_int_equal(replay_volatility_list(v, &tape.script, NULL, put_line, &said), 0);
    for (size_t i = 0; i < said.len; i++) {
        lines += said.at[i] == '\n';
    }
    assert_int_equal(lines, REPLAY_VOLATILE_MAX);
    assert_true(has(v, SERVER, "{\"k7\":3}", 1));
    replay_volatility_free(v);
    buf_deinit(&said);
    buf_deinit(&x);
    buf_deinit(&y);
}

static int refuse(void *owner, enum side from, struct bytes path, const char *why)
{
    (void)owner;
    (void)from;
    (void)path;
    (void)why;
    return -ECANCELED;
}

static int look(void)
{
    struct replay_volatility *v = NULL;
    struct buf said = { 0 };
    int r = replay_volatility_new(&tape.script, &v);

    if (r == 0) {
        r = replay_volatility_list(v, &tape.script, NULL, put_line, &said);
    }
    if (r == 0) {
        r = replay_volatility_list(v, &tape.script, NULL, refuse, NULL);
        assert_int_not_equal(r, 0);
        r = r == -ECANCELED ? 0 : r;
    }
    replay_volatility_free(v);
    buf_deinit(&said);
    return r;
}

static void no_allocation_leaks(void **state)
{
    bool hit;

    (void)state;
    clear(&tape);
    say(add_session(&tape, "/ws"), SERVER, "{\"id\":10001,\"t\":1763691299}");
    say(add_session(&tape, "/ws"), SERVER, "{\"t\":1763691299,\"id\":10002}");
    for (unsigned nth = 0;; nth++) {
        int r;

        alloc_fail_at(nth);
        r = look();
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (!hit) {
            assert_true(nth >= 8);
            return;
        }
    }
}

#define ID_A "6f1c2f0e-2f7e-4f6c-9a58-1f0f5a0c9b11"
#define ID_B "00000000-AAAA-4bbb-8ccc-dddddddddddd"

static bool same_but(const char *a, const char *b)
{
    bool same = replay_shape_same_but_parts(bytes_of(a), bytes_of(b));

    assert_int_equal(replay_shape_same_but_parts(bytes_of(b), bytes_of(a)), same);
    return same;
}

static void texts_are_the_same_but_for_ids_and_times(void **state)
{
    (void)state;
    assert_true(same_but("about " ID_A, "about " ID_B));
    assert_true(same_but("/s/" ID_A "/x", "/s/" ID_B "/x"));
    assert_true(same_but("run_" ID_A "-1", "run_" ID_B "-1"));
    assert_true(
        same_but("at 2026-11-21T02:14:59.123Z.", "at 2027-01-01T00:00:00+01:00."));
    assert_true(
        same_but("2026-11-21 02:14:59 to " ID_A, "2026-11-21 02:15:00 to " ID_B));
    assert_false(same_but("about " ID_A, "of " ID_B));
    assert_false(same_but("about " ID_A, "about"));
    assert_false(same_but("about " ID_A " a", "about " ID_B " b"));
    assert_false(same_but("x" ID_A, "x" ID_B));
    assert_false(same_but(ID_A "0", ID_B "0"));
    assert_false(same_but(ID_A, "2026-11-21T02:14:59"));
    assert_false(same_but("on 2026-11-21", "on 2026-11-22"));
    assert_false(same_but("plain", "plain"));
    assert_false(same_but("", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_the_same_but_for_ids_and_times),
        cmocka_unit_test(uuids),
        cmocka_unit_test(iso_times),
        cmocka_unit_test(epoch_times),
        cmocka_unit_test(no_shapes),
        cmocka_unit_test(ids_differ_between_sessions),
        cmocka_unit_test(what_does_not_count),
        cmocka_unit_test(a_text_is_never_an_id),
        cmocka_unit_test(only_ids_differ),
        cmocka_unit_test(only_times_differ),
        cmocka_unit_test(shapes_are_listed),
        cmocka_unit_test(later_sessions_count),
        cmocka_unit_test(paths_are_bounded),
        cmocka_unit_test(no_allocation_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
