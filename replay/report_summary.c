#include "replay/report_state.h"

#include "base/alloc.h"
#include "replay/volatility.h"

#include <inttypes.h>

/* ---- totals ---- */

struct totals {
    uint64_t connections, got, expected, differing, substituted;
    uint64_t answers; /* of HTTP; they count in `got` too */
};

static void add_up(struct totals *t, const struct report_case *c)
{
    t->got += c->got;
    t->answers += c->is_http ? c->got : 0;
    t->expected += c->expected;
    t->differing += c->differing;
    t->substituted += c->substituted;
}

static struct totals total(const struct replay_report *r)
{
    struct totals t = { .connections = r->others_over };

    for (uint32_t i = 0; i < r->case_count; i++) {
        add_up(&t, &r->cases[i]);
        t.connections += r->cases[i].connection > 0;
    }
    add_up(&t, &r->others);
    return t;
}

/* Of the response times, in nanoseconds. */
struct times {
    int64_t p50, p95, p99, max;
};

static int measure(const struct replay_report *r, bool recorded, struct times *out)
{
    size_t count = r->time_count;
    int64_t *sorted;
    int done = replay_report_times(r, recorded, &sorted);

    if (done == 0) {
        *out = (struct times){ replay_report_percentile(sorted, count, 50),
                               replay_report_percentile(sorted, count, 95),
                               replay_report_percentile(sorted, count, 99),
                               replay_report_percentile(sorted, count, 100) };
        alloc_free(sorted);
    }
    return done;
}

/* ---- lines ---- */

static void put_more(struct report_words *w, uint64_t count, const char *what)
{
    if (count > 0) {
        replay_words_format(w, "and %" PRIu64 " more%s\n", count, what);
    }
}

static void put_entry(const struct replay_choice_entry *e, struct report_words *w)
{
    replay_words_escaped(w, e->method, REPLAY_REPORT_TEXT);
    replay_words_text(w, " ");
    replay_words_escaped(w, e->target, REPLAY_REPORT_TEXT);
    replay_words_text(w, e->asks ? " (WebSocket): " : ": ");
    if (e->played == 0) {
        replay_words_text(w, "not played");
    } else {
        replay_words_text(w, "played ");
        replay_words_count(w, e->played, "time", "times");
    }
    replay_words_format(w, ", %" PRIu64 " on the tape\n", e->recorded);
}

static void put_choice(const struct replay_choice *choice, struct report_words *w)
{
    size_t count = replay_choice_count(choice);
    struct replay_choice_entry e;

    for (size_t i = 0; i < count && i < REPLAY_REPORT_LISTED; i++) {
        replay_choice_entry(choice, i, &e);
        put_entry(&e, w);
    }
    if (count > REPLAY_REPORT_LISTED) {
        put_more(w, count - REPLAY_REPORT_LISTED, " that can be asked for");
    }
}

static void put_as_on_tape(uint64_t got, uint64_t differing, struct report_words *w)
{
    if (got == 0) {
        return;
    }
    if (differing == 0) {
        replay_words_text(w, got == 1 ? ", as on the tape" : ", all as on the tape");
    } else {
        replay_words_format(w, ", %" PRIu64 " as on the tape",
                            got > differing ? got - differing : 0);
    }
}

/* Of a live client, which may ask for what the tape does not have. */
static void put_requests(const struct report_case *c, struct report_words *w)
{
    replay_words_text(w, ": ");
    replay_words_count(w, c->got, "request", "requests");
    replay_words_format(w, ", %" PRIu64 " answered from the tape", c->expected);
}

static void put_came(const struct replay_report *r, const struct report_case *c,
                     struct report_words *w)
{
    if (r->live == CLIENT && c->recorded > 0) {
        replay_words_format(w, ", answered from connection %" PRIu32 " of the tape",
                            c->recorded);
    }
    replay_words_format(w, ": %" PRIu64 " of ", c->got);
    if (c->is_http) {
        replay_words_count(w, c->expected, "answer", "answers");
    } else {
        replay_words_count(w, c->expected, "message", "messages");
    }
    replay_words_text(w, " came");
    put_as_on_tape(c->got, c->differing, w);
}

static void put_case(const struct replay_report *r, const struct report_case *c,
                     struct report_words *w)
{
    replay_words_format(w, "connection %" PRIu32, c->connection);
    if (c->copy > 0 && r->copies > 1) {
        replay_words_format(w, " copy %" PRIu32, c->copy);
    }
    if (r->live == CLIENT && c->is_http) {
        put_requests(c, w);
    } else {
        put_came(r, c, w);
    }
    if (c->mismatches > 0) {
        replay_words_text(w, ", ");
        replay_words_count(w, c->mismatches, "mismatch", "mismatches");
    }
    replay_words_text(w, c->over ? "\n" : ", not over\n");
}

static bool is_listed(const struct report_case *c)
{
    return c->connection > 0 && (c->over || c->mismatches > 0);
}

static bool is_failed(const struct report_case *c)
{
    return c->mismatches > 0 || !c->over;
}

/* At most `room` of those that failed, and of those that did not; how many. */
static uint64_t put_some_cases(const struct replay_report *r, bool failed, bool others,
                               uint64_t room, struct report_words *w)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < r->case_count && count < room; i++) {
        const struct report_case *c = &r->cases[i];

        if (is_listed(c) && (is_failed(c) ? failed : others)) {
            put_case(r, c, w);
            count++;
        }
    }
    return count;
}

/* Where not all have room, those that failed come first. */
static void put_cases(const struct replay_report *r, struct report_words *w)
{
    uint64_t room = REPLAY_REPORT_LISTED, more = r->others_over, all = 0;

    for (uint32_t i = 0; i < r->case_count; i++) {
        all += is_listed(&r->cases[i]);
    }
    if (all <= room) {
        room -= put_some_cases(r, true, true, room, w);
    } else {
        room -= put_some_cases(r, true, false, room, w);
        room -= put_some_cases(r, false, true, room, w);
    }
    more += all - (REPLAY_REPORT_LISTED - room);
    put_more(w, more, more == 1 ? " connection" : " connections");
}

static void put_substituted(const struct totals *t, struct report_words *w)
{
    if (t->substituted > 0) {
        replay_words_count(w, t->substituted, "live value filled in\n",
                           "live values filled in\n");
    }
}

static void put_times(const struct replay_report *r, struct report_words *w)
{
    struct times now, then;

    if (r->time_count == 0 || w->error < 0) {
        return;
    }
    w->error = measure(r, false, &now);
    w->error = w->error == 0 ? measure(r, true, &then) : w->error;
    if (w->error < 0) {
        return;
    }
    replay_words_text(w, "response times");
    if (r->copies > 1) {
        replay_words_format(w, " of %" PRIu32 " copies", r->copies);
    }
    replay_words_text(w, ": median ");
    replay_words_time(w, now.p50);
    replay_words_text(w, " (recorded ");
    replay_words_time(w, then.p50);
    replay_words_text(w, "), p95 ");
    replay_words_time(w, now.p95);
    replay_words_text(w, " (recorded ");
    replay_words_time(w, then.p95);
    replay_words_text(w, ")");
    if (r->copies > 1) {
        replay_words_text(w, ", p99 ");
        replay_words_time(w, now.p99);
        replay_words_text(w, ", max ");
        replay_words_time(w, now.max);
    }
    replay_words_text(w, "\n");
}

static void put_compared(const struct totals *t, struct report_words *w)
{
    uint64_t messages = t->got - t->answers;

    if (messages > 0 || t->answers == 0) {
        replay_words_count(w, messages, "message", "messages");
    }
    replay_words_text(w, messages > 0 && t->answers > 0 ? " and " : "");
    if (t->answers > 0) {
        replay_words_count(w, t->answers, "answer", "answers");
    }
    replay_words_text(w, " compared, ");
    if (t->differing == 0) {
        replay_words_text(w, "none differs\n");
    } else {
        replay_words_count(w, t->differing, "differs\n", "differ\n");
    }
}

static void put_mismatches(const struct replay_report *r, struct report_words *w)
{
    if (!replay_report_played(r)) {
        replay_words_text(w, "nothing was played\n");
        return;
    }
    if (r->unfinished) {
        replay_words_text(w, "NOT FINISHED: it was stopped before all was played\n");
    }
    if (r->mismatches == 0) {
        replay_words_text(w, r->live == CLIENT ? "no mismatch" : "no difference");
        replay_words_text(w, r->unfinished ? " so far\n" : "\n");
        return;
    }
    if (r->live == SERVER) { /* the lines stand above, with nothing in between */
        replay_words_count(w, r->mismatches, "difference\n", "differences\n");
        return;
    }
    replay_words_count(w, r->mismatches, "mismatch:\n", "mismatches:\n");
    for (size_t i = 0; i < r->kept_count; i++) {
        replay_words_text(w, "  ");
        replay_words_text(w, r->kept[i].line);
        replay_words_text(w, "\n");
    }
    if (r->mismatches > r->kept_count) {
        replay_words_text(w, "  ");
        put_more(w, r->mismatches - r->kept_count, "");
    }
}

/* What differs from one session of the tape to the next. */
static void put_not_compared(const struct replay_report *r,
                             const struct replay_stage *stage, struct report_words *w)
{
    size_t places = stage->rules.match == REPLAY_MATCH_JSON && replay_report_played(r)
                        ? replay_volatility_count(stage->rules.volatility, r->live)
                        : 0;

    if (places > 0) {
        replay_words_count(w, places, "place that differs", "places that differ");
        replay_words_text(w, places == 1
                                 ? " between sessions was not compared (-v lists it)\n"
                                 : " between sessions were not compared (-v lists "
                                   "them)\n");
    }
}

static void put_lines(const struct replay_report *r, const struct replay_stage *stage,
                      struct report_words *w)
{
    struct totals t = total(r);

    if (r->live == CLIENT) {
        put_choice(stage->choice, w);
    }
    if (r->live == CLIENT || r->several || r->copies > 1) {
        put_cases(r, w);
    }
    put_substituted(&t, w);
    if (r->live == SERVER) {
        put_compared(&t, w);
        put_times(r, w);
    }
    put_not_compared(r, stage, w);
    put_mismatches(r, w);
}

/* ---- JSON ---- */

static void put_entry_json(const struct replay_choice_entry *e, struct report_words *w)
{
    replay_words_record(w, "played");
    replay_words_string(w, "method", e->method);
    replay_words_string(w, "target", e->target);
    replay_words_text(w, e->asks ? ",\"websocket\":true" : ",\"websocket\":false");
    replay_words_number(w, "recorded", e->recorded);
    replay_words_number(w, "played", e->played);
    replay_words_text(w, "}\n");
}

static void put_times_json(const struct replay_report *r, struct report_words *w)
{
    struct times now, then;

    if (r->time_count == 0 || w->error < 0) {
        return;
    }
    w->error = measure(r, false, &now);
    w->error = w->error == 0 ? measure(r, true, &then) : w->error;
    if (w->error < 0) {
        return;
    }
    replay_words_format(w, ",\"response_times\":{\"count\":%" PRIu64, r->time_seen);
    replay_words_seconds(w, "p50", now.p50);
    replay_words_seconds(w, "p95", now.p95);
    replay_words_seconds(w, "p99", now.p99);
    replay_words_seconds(w, "max", now.max);
    replay_words_seconds(w, "recorded_p50", then.p50);
    replay_words_seconds(w, "recorded_p95", then.p95);
    replay_words_text(w, "}");
}

static void put_objects(const struct replay_report *r, const struct replay_stage *stage,
                        struct report_words *w)
{
    struct totals t = total(r);
    struct replay_choice_entry e;

    if (r->live == CLIENT) {
        for (size_t i = 0; i < replay_choice_count(stage->choice); i++) {
            replay_choice_entry(stage->choice, i, &e);
            put_entry_json(&e, w);
        }
    }
    replay_words_record(w, "summary");
    replay_words_string(w, "role", bytes_of(r->live == CLIENT ? "backend" : "client"));
    replay_words_number(w, "connections", t.connections);
    replay_words_number(w, "copies", r->live == CLIENT ? 1 : r->copies);
    replay_words_number(w, "messages", t.got);
    replay_words_number(w, "expected", t.expected);
    replay_words_number(w, "differing", t.differing);
    replay_words_number(w, "substituted", t.substituted);
    replay_words_number(w, "mismatches", r->mismatches);
    if (r->unfinished) {
        replay_words_text(w, ",\"unfinished\":true");
    }
    put_times_json(r, w);
    replay_words_text(w, "}\n");
}

int replay_report_put_summary(const struct replay_report *r,
                              const struct replay_stage *stage, bool json,
                              struct buf *out)
{
    struct report_words w = { .out = out };

    if (json) {
        put_objects(r, stage, &w);
    } else {
        put_lines(r, stage, &w);
    }
    return w.error;
}
