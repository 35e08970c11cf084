#include "base/alloc.h"
#include "replay/align.h"
#include "replay/compare.h"
#include "replay/live.h"
#include "replay/volatility.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MANY = 16 };

/* A tape whose side `from` makes ids. */
struct tape {
    struct replay_message messages[MANY];
    struct replay_connection connection;
    struct replay_links *links;
    struct replay_rules rules;
    struct replay_compare compare;
};

/* "c" or "s", a blank, and what the client or the server says. */
static void say(struct tape *t, const char *line)
{
    struct replay_connection *c = &t->connection;
    enum side from = line[0] == 'c' ? CLIENT : SERVER;
    uint32_t n = c->message_count++;

    assert_true(n < MANY);
    for (uint32_t i = n; i-- > 0;) {
        if (t->messages[i].from == from) {
            t->messages[i].next = n;
            break;
        }
    }
    c->first[from] = c->first[from] == REPLAY_NONE ? n : c->first[from];
    t->messages[n] = (struct replay_message){ .payload = bytes_of(line + 2),
                                              .number = ++c->count[from],
                                              .next = REPLAY_NONE,
                                              .from = (uint8_t)from,
                                              .opcode = WIRE_OP_TEXT,
                                              .whole = true };
}

#define TAPE(t, from, ...) tape(t, from, (const char *const[]){ __VA_ARGS__, NULL })

static void tape(struct tape *t, enum side from, const char *const *lines)
{
    *t = (struct tape){ .connection = { .messages = t->messages,
                                        .first = { REPLAY_NONE, REPLAY_NONE } } };
    for (; *lines != NULL; lines++) {
        say(t, *lines);
    }
    assert_int_equal(replay_links_new(&t->connection, from, &t->links), 0);
    replay_compare_init(&t->compare, &t->rules);
    t->compare.links = t->links;
}

static void stop(struct tape *t)
{
    replay_compare_deinit(&t->compare);
    replay_links_free(t->links);
    assert_int_equal(alloc_live(), 0);
}

static struct replay_text text_of(const char *text)
{
    return (struct replay_text){ WIRE_OP_TEXT, bytes_of(text) };
}

static int put_path(void *owner, const struct replay_difference *d)
{
    int r = buf_put(owner, d->path);

    return r < 0 ? r : buf_put_byte(owner, '\n');
}

/* Message `index` of the tape, and a live one, differ at these paths. */
static void differ(struct tape *t, uint32_t index, const char *live, const char *paths)
{
    struct buf said = { 0 };
    int differs = paths[0] == '\0' ? 0 : REPLAY_DIFFERS;

    assert_int_equal(replay_compare_recorded(&t->compare, &t->connection, index,
                                             text_of(live), NULL, NULL),
                     differs);
    assert_int_equal(replay_compare_recorded(&t->compare, &t->connection, index,
                                             text_of(live), put_path, &said),
                     differs);
    assert_int_equal(buf_put_byte(&said, '\0'), 0);
    assert_string_equal((const char *)said.at, paths);
    buf_deinit(&said);
}

static bool same_traits(struct tape *t, const char *x, const char *y)
{
    struct replay_traits a, b;

    assert_int_equal(replay_compare_traits(&t->compare, t->connection.messages[0].from,
                                           text_of(x), &a),
                     0);
    assert_int_equal(replay_compare_traits(&t->compare, t->connection.messages[0].from,
                                           text_of(y), &b),
                     0);
    return a.equal == b.equal;
}

/* ---- what is an id ---- */

/* Socket.IO. */
static void behind_a_prefix_it_is_json(void **state)
{
    struct tape t;
    bool same;

    (void)state;
    TAPE(&t, CLIENT, "c 421[\"msg\",{\"id\":\"bbbb2222\",\"n\":1}]",
         "s 431[{\"ok\":true,\"id\":\"bbbb2222\"}]");
    differ(&t, 0, "421[\"msg\",{\"id\":\"dddd4444\",\"n\":1}]", "");
    differ(&t, 0, "421[\"msg\",{\"id\":\"dddd4444\",\"n\":2}]", "$[1].n\n");
    differ(&t, 0, "427[\"msg\",{\"id\":\"dddd4444\",\"n\":2}]", "\n$[1].n\n");
    assert_int_equal(replay_compare_kind(&t.compare, text_of("421[\"msg\",{}]"),
                                         text_of("422[\"msg\",{}]"), &same),
                     0);
    assert_true(same);
    assert_int_equal(replay_compare_kind(&t.compare, text_of("421[\"msg\",{}]"),
                                         text_of("421[\"other\",{}]"), &same),
                     0);
    assert_false(same);
    assert_int_equal(replay_compare_kind(&t.compare, text_of("421[\"msg\",{}]"),
                                         text_of("[\"msg\",{}]"), &same),
                     0);
    assert_false(same);
    assert_true(same_traits(&t, "421[\"msg\",{\"id\":\"x1\"}]",
                            "421[\"msg\",{\"id\":\"x2\"}]"));
    assert_false(same_traits(&t, "421[\"msg\"]", "422[\"msg\"]"));
    stop(&t);
}

static void what_the_other_side_repeats_is_an_id(void **state)
{
    struct tape t;

    (void)state;
    TAPE(&t, SERVER,
         "s {\"session\":\"sess-83921\",\"n\":{\"seq\":48213},\"v\":\"1.25\"}",
         "c {\"id\":\"sess-83921\",\"ack\":48213}",
         "s {\"session\":\"sess-83921\",\"prev\":\"48213\"}");
    assert_true(replay_links_any_id(t.links));
    differ(&t, 0, "{\"session\":\"x7\",\"n\":{\"seq\":5},\"v\":\"1.25\"}", "");
    differ(&t, 0, "{\"v\":\"1.26\",\"n\":{\"seq\":5},\"session\":\"x7\"}", "$.v\n");
    /* said again, before or after it was repeated, as the other type even */
    differ(&t, 2, "{\"session\":\"x7\",\"prev\":\"5\"}", "");
    stop(&t);
}

static void it_stays_a_value_of_its_type(void **state)
{
    struct tape t;

    (void)state;
    TAPE(&t, SERVER, "s {\"id\":\"sess-83921\",\"n\":48213}",
         "c {\"id\":\"sess-83921\",\"n\":48213}");
    differ(&t, 0, "{\"id\":7,\"n\":\"7\"}", "$.id\n$.n\n");
    differ(&t, 0, "{\"id\":\"\",\"n\":null}", "$.id\n$.n\n");
    differ(&t, 0, "{\"id\":\"no more\"}", "$.id\n$.n\n");
    differ(&t, 0, "{\"id\":\"no\\tmore\",\"n\":0}", "$.id\n");
    stop(&t);
}

static void not_all_that_is_repeated_is_an_id(void **state)
{
    struct tape t;

    (void)state;
    /* words, texts, short ones, parts, what is not repeated */
    TAPE(
        &t, CLIENT,
        "c {\"channel\":\"trades\",\"text\":\"1 or 2\",\"n\":7,\"s\":\"a1\",\"p\":"
        "\"part-1\",\"q\":\"req-99\"}",
        "s {\"channel\":\"trades\",\"text\":\"1 or 2\",\"n\":7,\"s\":\"a1\",\"p\":\"of "
        "part-1\"}");
    assert_true(replay_links_any(t.links));
    assert_false(replay_links_any_id(t.links));
    differ(
        &t, 0,
        "{\"channel\":\"orders\",\"text\":\"3\",\"n\":8,\"s\":\"b1\",\"p\":\"part-2\","
        "\"q\":\"req-98\"}",
        "$.channel\n$.text\n$.n\n$.s\n$.p\n$.q\n");
    stop(&t);
}

static void a_key_repeats_it_too(void **state)
{
    struct tape t;

    (void)state;
    TAPE(&t, CLIENT, "c {\"run\":\"run-2026-7\"}", "s {\"runs\":{\"run-2026-7\":1}}");
    differ(&t, 0, "{\"run\":\"run-2026-8\"}", "");
    stop(&t);
}

static void only_its_own_place_counts(void **state)
{
    struct tape t;

    (void)state;
    TAPE(&t, CLIENT, "c {\"a\":[{\"id\":\"req-1\"},{\"id\":\"req-2\"}]}",
         "s {\"re\":\"req-2\"}", "c {\"a\":[{\"id\":\"req-3\"}]}");
    differ(&t, 0, "{\"a\":[{\"id\":\"new-1\"},{\"id\":\"new-2\"}]}", "$.a[0].id\n");
    differ(&t, 2, "{\"a\":[{\"id\":\"new-3\"}]}", "$.a[0].id\n");
    stop(&t);
}

static void exact_stays_exact(void **state)
{
    struct tape t;

    (void)state;
    TAPE(&t, SERVER, "s {\"id\":\"sess-83921\"}", "c {\"id\":\"sess-83921\"}");
    t.rules.match = REPLAY_MATCH_EXACT;
    differ(&t, 0, "{\"id\":\"sess-11111\"}", "$.id\n");
    t.rules.match = REPLAY_MATCH_JSON;
    t.compare.links = NULL;
    differ(&t, 0, "{\"id\":\"sess-11111\"}", "$.id\n");
    stop(&t);
}

/* ---- among many messages ---- */

static void traits_look_through_ids(void **state)
{
    struct tape t;

    (void)state;
    TAPE(&t, SERVER, "s {\"a\":[{\"id\":\"sess-83921\",\"n\":1}],\"k\\u0065y\":1}",
         "c {\"id\":\"sess-83921\"}");
    assert_true(same_traits(&t, "{\"a\":[{\"id\":\"sess-83921\",\"n\":1}]}",
                            "{\"a\":[{\"id\":\"live\",\"n\":1}]}"));
    assert_true(same_traits(&t, "{\"a\":[{\"id\":\"x\"},{\"id\":\"y\"}]}",
                            "{\"a\":[{\"id\":\"y\"},{\"id\":\"x\"}]}"));
    assert_false(same_traits(&t, "{\"a\":[{\"id\":\"x\"}]}", "{\"a\":[{\"id\":1}]}"));
    assert_false(
        same_traits(&t, "{\"a\":[{\"id\":\"x\"}]}", "{\"a\":[{\"id\":\"x y\"}]}"));
    assert_false(same_traits(&t, "{\"a\":[{\"id\":\"x\",\"n\":1}]}",
                             "{\"a\":[{\"id\":\"x\",\"n\":2}]}"));
    assert_false(same_traits(&t, "{\"id\":\"x\"}", "{\"id\":\"y\"}"));
    stop(&t);
}

static void tell(void *owner, struct replay_event *e)
{
    assert_int_equal(buf_put_format(owner, "%s %d %d\n", replay_event_name(e->kind),
                                    (int)e->message, (int)e->other),
                     0);
}

static int stands(void *owner, uint32_t index, struct bytes payload,
                  int64_t recorded_ns)
{
    (void)owner;
    (void)index;
    (void)payload;
    (void)recorded_ns;
    return 0;
}

/* Every message has another id than on the tape; two changed places. */
static void order_is_seen_through_ids(void **state)
{
    struct tape t;
    struct replay_stage stage = { 0 };
    struct replay_step steps[MANY] = { 0 };
    struct replay_align *align;
    struct buf told = { 0 };

    (void)state;
    TAPE(&t, SERVER, "s {\"id\":\"sess-83921\",\"n\":1}",
         "s {\"id\":\"sess-83921\",\"n\":2}", "s {\"id\":\"sess-83921\",\"n\":3}",
         "s {\"id\":\"sess-83921\",\"n\":4}", "c {\"id\":\"sess-83921\"}");
    t.connection.steps = steps;
    assert_int_equal(
        replay_align_new(&(struct replay_align_config){ .stage = &stage,
                                                        .connection = &t.connection,
                                                        .links = t.links,
                                                        .from = SERVER,
                                                        .tell = tell,
                                                        .stands = stands,
                                                        .owner = &told },
                         &align),
        0);
    assert_int_equal(replay_align_put(align, text_of("{\"id\":\"s-1\",\"n\":1}"), true),
                     0);
    assert_int_equal(replay_align_put(align, text_of("{\"id\":\"s-1\",\"n\":3}"), true),
                     0);
    assert_int_equal(replay_align_put(align, text_of("{\"id\":\"s-1\",\"n\":2}"), true),
                     0);
    assert_int_equal(replay_align_put(align, text_of("{\"id\":\"s-1\",\"n\":4}"), true),
                     0);
    assert_int_equal(replay_align_finish(align), 0);
    assert_int_equal(buf_put_byte(&told, '\0'), 0);
    assert_string_equal((const char *)told.at, "order 3 2\n");
    buf_deinit(&told);
    replay_align_free(align);
    stop(&t);
}

/* ---- -v ---- */

static int put_line(void *owner, enum side from, struct bytes path, const char *why)
{
    return buf_put_format(owner, "%s %.*s: %s\n", side_name(from), (int)path.len,
                          (const char *)path.at, why);
}

static void lists_where_ids_are(void **state)
{
    struct tape t;
    struct buf said = { 0 };

    (void)state;
    TAPE(&t, SERVER,
         "s "
         "{\"a\":[{\"id\":\"item-1\"},{\"id\":\"item-2\"}],\"u\":\"6f1c2f0e-2f7e-4f6c-"
         "9a58-"
         "1f0f5a0c9b11\"}",
         "c {\"ids\":[\"item-1\",\"item-2\",\"6f1c2f0e-2f7e-4f6c-9a58-1f0f5a0c9b11\"]}",
         "s {\"last\":\"item-2\",\"x\":1}");
    assert_int_equal(
        replay_volatility_list(
            NULL, &(struct replay_script){ .connections = &t.connection, .count = 1 },
            &t.links, put_line, &said),
        0);
    assert_int_equal(buf_put_byte(&said, '\0'), 0);
    assert_string_equal((const char *)said.at,
                        "client $.ids[*]: UUID\n"
                        "server $.a[*].id: repeated by the client\n"
                        "server $.last: repeated by the client\n"
                        "server $.u: UUID\n");
    buf_deinit(&said);
    stop(&t);
}

static int refuse(void *owner, struct bytes path)
{
    (void)owner;
    (void)path;
    return -ECANCELED;
}

static void the_list_ends_when_told_so(void **state)
{
    struct tape t;

    (void)state;
    TAPE(&t, SERVER, "s {\"id\":\"item-1\"}", "c {\"id\":\"item-1\"}");
    assert_int_equal(replay_links_side(t.links), SERVER);
    assert_int_equal(replay_links_list_ids(t.links, refuse, NULL), -ECANCELED);
    stop(&t);
}

/* ---- without memory ---- */

static int use(struct tape *t)
{
    struct replay_traits traits;
    struct buf said = { 0 };
    int r = replay_links_new(&t->connection, SERVER, &t->links);

    replay_compare_init(&t->compare, &t->rules);
    t->compare.links = t->links;
    if (r == 0) {
        r = replay_compare_recorded(&t->compare, &t->connection, 0,
                                    text_of("{\"id\":\"live-2\"}"), NULL, NULL);
    }
    if (r == 0) {
        r = replay_compare_traits(&t->compare, SERVER, text_of("{\"id\":\"live-2\"}"),
                                  &traits);
    }
    if (r == 0) {
        r = replay_volatility_list(
            NULL, &(struct replay_script){ .connections = &t->connection, .count = 1 },
            &t->links, put_line, &said);
    }
    buf_deinit(&said);
    return r;
}

static void survives_failed_allocations(void **state)
{
    bool hit = true;

    (void)state;
    for (size_t nth = 1; hit; nth++) {
        struct tape t = { .connection = { .messages = t.messages,
                                          .first = { REPLAY_NONE, REPLAY_NONE } } };
        int r;

        say(&t, "s {\"id\":\"item-1\"}");
        say(&t, "c {\"id\":\"item-1\"}");
        alloc_fail_at(nth);
        r = use(&t);
        hit = alloc_fail_clear();
        stop(&t);
        assert_int_equal(r, hit ? -ENOMEM : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behind_a_prefix_it_is_json),
        cmocka_unit_test(what_the_other_side_repeats_is_an_id),
        cmocka_unit_test(it_stays_a_value_of_its_type),
        cmocka_unit_test(not_all_that_is_repeated_is_an_id),
        cmocka_unit_test(a_key_repeats_it_too),
        cmocka_unit_test(only_its_own_place_counts),
        cmocka_unit_test(exact_stays_exact),
        cmocka_unit_test(traits_look_through_ids),
        cmocka_unit_test(order_is_seen_through_ids),
        cmocka_unit_test(lists_where_ids_are),
        cmocka_unit_test(the_list_ends_when_told_so),
        cmocka_unit_test(survives_failed_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
