#include "base/alloc.h"
#include "replay/choice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { EXCHANGES = 8, CONNECTIONS = 8 };

/* A tape: a line a connection, its exchanges with blanks between; "ws:" asks. */
struct rig {
    struct replay_script script;
    struct replay_connection connections[CONNECTIONS];
    struct replay_exchange exchanges[CONNECTIONS][EXCHANGES];
    char words[512];
    struct replay_choice *choice;
};

static struct replay_exchange exchange(char *word)
{
    struct replay_exchange e = { .method = bytes_of("GET") };

    if (strncmp(word, "ws:", 3) == 0) {
        e.asks = true;
        word += 3;
    } else if (strncmp(word, "post:", 5) == 0) {
        e.method = bytes_of("POST");
        word += 5;
    }
    e.target = bytes_of(word);
    return e;
}

static void lay_out(struct rig *r, const char *tape)
{
    char *lines = r->words;

    *r = (struct rig){ 0 };
    snprintf(r->words, sizeof(r->words), "%s", tape);
    r->script.connections = r->connections;
    for (char *line; (line = strsep(&lines, "\n")) != NULL;) {
        struct replay_connection *c = &r->connections[r->script.count];

        c->exchanges = r->exchanges[r->script.count++];
        for (char *word; (word = strsep(&line, " ")) != NULL;) {
            c->exchanges[c->exchange_count++] = exchange(word);
        }
    }
}

static void start(struct rig *r, const char *tape, enum replay_when_exhausted when)
{
    lay_out(r, tape);
    assert_int_equal(replay_choice_new(&r->script, when, &r->choice), 0);
}

static void stop(struct rig *r)
{
    replay_choice_free(r->choice);
    assert_int_equal(alloc_live(), 0);
}

/* Which exchange answers, as connection.exchange, both from 0. */
static const char *answer(struct rig *r, char *word, char said[16])
{
    struct replay_exchange e = exchange(word);
    struct replay_chosen chosen;

    switch (replay_choice_next(r->choice, e.method, e.target, e.asks, &chosen)) {
    case 0:
        assert_ptr_equal(chosen.connection, &r->connections[chosen.connection_index]);
        snprintf(said, 16, "%u.%u", chosen.connection_index, chosen.exchange);
        return said;
    case REPLAY_CHOICE_UNKNOWN:
        return "unknown";
    case REPLAY_CHOICE_EXHAUSTED:
        return "exhausted";
    default:
        fail();
        return "";
    }
}

static void expect(struct rig *r, const char *request, const char *expected)
{
    char word[64], said[16];

    snprintf(word, sizeof(word), "%s", request);
    assert_string_equal(answer(r, word, said), expected);
}

static void answers_in_the_order_of_the_tape(void **state)
{
    struct rig r;

    (void)state;
    start(&r, "/health ws:/ws\n/health\nws:/ws", REPLAY_LOOP);
    expect(&r, "ws:/ws", "0.1");
    expect(&r, "/health", "0.0");
    expect(&r, "/health", "1.0");
    expect(&r, "ws:/ws", "2.0");
    expect(&r, "/health", "0.0"); /* from the first again */
    expect(&r, "ws:/ws", "0.1");
    stop(&r);
}

/* What was taken back is the next one, whatever comes when all were played. */
static void takes_a_turn_back(void **state)
{
    static const enum replay_when_exhausted all[] = { REPLAY_LOOP, REPLAY_LAST,
                                                      REPLAY_REFUSE };
    struct replay_choice_entry entry;
    struct replay_chosen chosen;
    struct rig r;

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        start(&r, "ws:/ws?a\nws:/ws?a", all[i]);
        for (int turn = 0; turn < 5; turn++) {
            const char *target = turn % 2 == 0 ? "/ws?a" : "/ws?b";

            assert_int_equal(replay_choice_next(r.choice, bytes_of("GET"),
                                                bytes_of(target), true, &chosen),
                             0);
            assert_int_equal(chosen.connection_index, 0);
            replay_choice_undo(r.choice, &chosen);
        }
        replay_choice_entry(r.choice, 0, &entry);
        assert_int_equal(entry.played, 0);
        expect(&r, "ws:/ws?b", "0.0");
        expect(&r, "ws:/ws?a", "1.0");
        stop(&r);
    }
}

static void keeps_the_last_one_or_refuses_when_exhausted(void **state)
{
    struct rig r;

    (void)state;
    start(&r, "/a\n/a", REPLAY_LAST);
    expect(&r, "/a", "0.0");
    expect(&r, "/a", "1.0");
    expect(&r, "/a", "1.0");
    stop(&r);

    start(&r, "/a\n/a", REPLAY_REFUSE);
    expect(&r, "/a", "0.0");
    expect(&r, "/a", "1.0");
    expect(&r, "/a", "exhausted");
    expect(&r, "/b", "unknown");
    stop(&r);
}

static void tells_methods_and_handshakes_apart(void **state)
{
    struct rig r;
    struct replay_chosen chosen;

    (void)state;
    start(&r, "/a ws:/ws", REPLAY_LOOP);
    expect(&r, "post:/a", "unknown");
    expect(&r, "ws:/a", "unknown");
    expect(&r, "/ws", "unknown");
    expect(&r, "ws:/ws", "0.1");
    assert_int_equal(
        replay_choice_next(r.choice, bytes_of("get"), bytes_of("/a"), false, &chosen),
        REPLAY_CHOICE_UNKNOWN);
    stop(&r);
}

static void takes_the_target_as_a_whole_first_then_its_path(void **state)
{
    struct rig r;

    (void)state;
    start(&r, "ws:/ws?token=a\nws:/ws?token=b\nws:/ws", REPLAY_LOOP);
    expect(&r, "ws:/ws?token=b", "1.0");
    expect(&r, "ws:/ws", "2.0");
    expect(&r, "ws:/ws?token=live", "0.0"); /* the others had their turn */
    expect(&r, "ws:/ws?token=live", "0.0"); /* the second round, in order */
    expect(&r, "ws:/ws?token=live", "1.0");
    expect(&r, "ws:/ws?", "2.0");
    expect(&r, "ws:/wsx?token=a", "unknown");
    stop(&r);
}

static void plays_nothing_twice_while_another_was_not(void **state)
{
    struct rig r;

    (void)state;
    start(&r, "/a?1\n/a?2\n/a?1", REPLAY_REFUSE);
    expect(&r, "/a?9", "0.0");
    expect(&r, "/a?1", "2.0");
    expect(&r, "/a?1", "exhausted");
    expect(&r, "/a?9", "1.0");
    expect(&r, "/a?9", "exhausted");
    expect(&r, "/a?2", "exhausted");
    stop(&r);
}

static void counts_what_was_played(void **state)
{
    struct rig r;
    struct replay_choice_entry e;

    (void)state;
    start(&r, "/b /a\n/b", REPLAY_LOOP);
    for (int i = 0; i < 3; i++) {
        expect(&r, "/b?query", i == 1 ? "1.0" : "0.0");
    }
    assert_int_equal(replay_choice_count(r.choice), 2);
    replay_choice_entry(r.choice, 0, &e);
    assert_memory_equal(e.method.at, "GET", 3);
    assert_memory_equal(e.target.at, "/b", 2);
    assert_false(e.asks);
    assert_int_equal(e.recorded, 2);
    assert_int_equal(e.played, 3);
    replay_choice_entry(r.choice, 1, &e);
    assert_int_equal(e.recorded, 1);
    assert_int_equal(e.played, 0);
    stop(&r);
}

static void lists_what_is_there(void **state)
{
    struct rig r;
    struct buf said = { 0 };

    (void)state;
    start(&r, "/b\"q ws:/ws\npost:/b\"q", REPLAY_LOOP);
    assert_int_equal(replay_choice_put(r.choice, &said), 0);
    assert_int_equal(buf_put_byte(&said, 0), 0);
    assert_string_equal(
        (const char *)said.at,
        "[{\"method\":\"GET\",\"target\":\"/b\\\"q\",\"count\":1,\"websocket\":false},"
        "{\"method\":\"GET\",\"target\":\"/ws\",\"count\":1,\"websocket\":true},"
        "{\"method\":\"POST\",\"target\":\"/"
        "b\\\"q\",\"count\":1,\"websocket\":false}]");
    buf_deinit(&said);
    stop(&r);
}

/* 3000 different targets, each twice: tables grow, lists are cut. */
static void stays_right_with_many_targets(void **state)
{
    enum { MANY = 3000 };
    struct replay_exchange *exchanges =
        alloc_zero((size_t)2 * MANY, sizeof(*exchanges));
    char(*targets)[16] = alloc_zero(MANY, sizeof(*targets));
    struct replay_connection c = { .exchanges = exchanges, .exchange_count = 2 * MANY };
    struct replay_script script = { .connections = &c, .count = 1 };
    struct replay_choice *choice;
    struct replay_chosen chosen;
    struct buf said = { 0 };
    size_t commas = 0;

    (void)state;
    for (unsigned i = 0; i < 2 * MANY; i++) {
        snprintf(targets[i % MANY], sizeof(*targets), "/%u", i % MANY);
        exchanges[i].method = bytes_of("GET");
        exchanges[i].target = bytes_of(targets[i % MANY]);
    }
    assert_int_equal(replay_choice_new(&script, REPLAY_REFUSE, &choice), 0);
    assert_int_equal(replay_choice_count(choice), MANY);
    for (unsigned i = 0; i < 2 * MANY; i++) {
        assert_int_equal(replay_choice_next(choice, exchanges[i].method,
                                            exchanges[i].target, false, &chosen),
                         0);
        assert_int_equal(chosen.exchange, i);
    }
    assert_int_equal(replay_choice_put(choice, &said), 0);
    for (size_t i = 0; i < said.len; i++) {
        commas += said.at[i] == '{';
    }
    assert_int_equal(commas, 100);
    buf_deinit(&said);
    replay_choice_free(choice);
    alloc_free(exchanges);
    alloc_free(targets);
    assert_int_equal(alloc_live(), 0);
}

static void an_empty_tape_knows_nothing(void **state)
{
    struct replay_script script = { 0 };
    struct replay_choice *choice;
    struct replay_chosen chosen;
    struct buf said = { 0 };

    (void)state;
    assert_int_equal(replay_choice_new(&script, REPLAY_LOOP, &choice), 0);
    assert_int_equal(
        replay_choice_next(choice, bytes_of("GET"), bytes_of("/"), false, &chosen),
        REPLAY_CHOICE_UNKNOWN);
    assert_int_equal(replay_choice_put(choice, &said), 0);
    assert_int_equal(said.len, 2);
    assert_memory_equal(said.at, "[]", 2);
    buf_deinit(&said);
    replay_choice_free(choice);
}

static int build_and_list(struct rig *r)
{
    struct buf said = { 0 };
    int result = replay_choice_new(&r->script, REPLAY_LOOP, &r->choice);

    if (result < 0) {
        return result;
    }
    result = replay_choice_put(r->choice, &said);
    buf_deinit(&said);
    replay_choice_free(r->choice);
    return result;
}

static void survives_failed_allocations(void **state)
{
    bool hit = true;
    struct rig r;

    (void)state;
    lay_out(&r, "/a /b /c\nws:/a /b /c /d");
    for (unsigned long nth = 0; hit; nth++) {
        int result;

        alloc_fail_at(nth);
        result = build_and_list(&r);
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), 0);
        assert_int_equal(result, hit ? -ENOMEM : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_the_order_of_the_tape),
        cmocka_unit_test(takes_a_turn_back),
        cmocka_unit_test(keeps_the_last_one_or_refuses_when_exhausted),
        cmocka_unit_test(tells_methods_and_handshakes_apart),
        cmocka_unit_test(takes_the_target_as_a_whole_first_then_its_path),
        cmocka_unit_test(plays_nothing_twice_while_another_was_not),
        cmocka_unit_test(counts_what_was_played),
        cmocka_unit_test(lists_what_is_there),
        cmocka_unit_test(stays_right_with_many_targets),
        cmocka_unit_test(an_empty_tape_knows_nothing),
        cmocka_unit_test(survives_failed_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
