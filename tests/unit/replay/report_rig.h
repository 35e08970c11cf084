/*
 * tests/unit/replay/report_rig - a report on a small tape, and events to feed it with.
 *
 * Every step asserts.
 */
#ifndef WSTAPE_TESTS_UNIT_REPLAY_REPORT_RIG_H
#define WSTAPE_TESTS_UNIT_REPLAY_REPORT_RIG_H

#include "replay/report_state.h"
#include "tests/unit/replay/script_tape.h"

struct rig {
    struct script_tape tape;
    struct replay_script *script;
    struct replay_report *report;
    struct replay_stage *stage;
    struct buf out;
};

/* A tape of one WebSocket or, with `two`, of an HTTP request as well. */
void rig_init(struct rig *g, enum side live, uint32_t copies, bool two);
void rig_deinit(struct rig *g);
void take(struct rig *g, struct replay_event e);

/* What was put out since the last call is exactly this. */
void expect(struct rig *g, const char *text);
void expect_line(struct rig *g, struct replay_event e, const char *line);
void expect_json(struct rig *g, struct replay_event e, const char *line);

/* Of the server of connection 1. */
struct replay_event event(enum replay_event_kind kind, uint64_t message);

/* NULL: not there. */
struct replay_event change(struct replay_event e, const char *before,
                           const char *after);
struct replay_event at(struct replay_event e, const char *path);
struct replay_event says(struct replay_event e, const char *text);
struct replay_event of_http(struct replay_event e, const char *target);
struct replay_event counts(struct replay_event e, uint64_t count, uint64_t expected);

#define E(KIND, message) event(REPLAY_EVENT_##KIND, message)

#endif
