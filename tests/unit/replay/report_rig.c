#include "tests/unit/replay/report_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void rig_init(struct rig *g, enum side live, uint32_t copies, bool two)
{
    static const struct replay_options options = { .pace = 1 };
    static const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    static const struct replay_listener nobody = { .tell = NULL };
    struct err e;

    memset(g, 0, sizeof(*g));
    script_tape_init(&g->tape);
    put_shake(&g->tape, 1, NULL);
    if (two) {
        put_open(&g->tape, 2);
        put_request(&g->tape, 1, "GET /a?b=1&c=\"<x>\" HTTP/1.1\r\nHost: h\r\n\r\n");
        put_response(&g->tape, 1, "HTTP/1.1 204 None\r\n\r\n");
    }
    put_summary(&g->tape);
    assert_int_equal(load(&g->tape, REPLAY_SCRIPT_MAX, &g->script, &e), 0);
    assert_int_equal(
        replay_stage_new(g->script, &options, &rules, &nobody, live, &g->stage), 0);
    g->report = replay_report_new(g->script, live, copies);
    assert_non_null(g->report);
}

void rig_deinit(struct rig *g)
{
    replay_report_free(g->report);
    replay_stage_free(g->stage);
    replay_script_free(g->script);
    script_tape_deinit(&g->tape);
    buf_deinit(&g->out);
}

void take(struct rig *g, struct replay_event e)
{
    assert_int_equal(replay_report_take(g->report, &e), 0);
}

void expect(struct rig *g, const char *text)
{
    assert_int_equal(buf_put_byte(&g->out, '\0'), 0);
    assert_string_equal((const char *)g->out.at, text);
    buf_clear(&g->out);
}

void expect_line(struct rig *g, struct replay_event e, const char *line)
{
    assert_int_equal(replay_report_put_line(g->report, &e, &g->out), 0);
    expect(g, line);
}

void expect_json(struct rig *g, struct replay_event e, const char *line)
{
    assert_int_equal(replay_report_put_json(g->report, &e, &g->out), 0);
    expect(g, line);
}

struct replay_event event(enum replay_event_kind kind, uint64_t message)
{
    return (struct replay_event){
        .kind = kind, .connection = 1, .from = SERVER, .message = message
    };
}

struct replay_event change(struct replay_event e, const char *before, const char *after)
{
    e.before_present = before != NULL;
    e.after_present = after != NULL;
    e.before = before == NULL ? e.before : bytes_of(before);
    e.after = after == NULL ? e.after : bytes_of(after);
    return e;
}

struct replay_event at(struct replay_event e, const char *path)
{
    e.path = bytes_of(path);
    return e;
}

struct replay_event says(struct replay_event e, const char *text)
{
    e.text = bytes_of(text);
    return e;
}

struct replay_event of_http(struct replay_event e, const char *target)
{
    e.is_http = true;
    e.target = bytes_of(target);
    return e;
}

struct replay_event counts(struct replay_event e, uint64_t count, uint64_t expected)
{
    e.count = count;
    e.expected = expected;
    return e;
}
