/*
 * replay/report - events in words: lines as they happen, the list at the end, JSON,
 * JUnit.
 *
 * Everything that came from the network or a tape is escaped and cut to
 * REPLAY_REPORT_TEXT bytes. Keeps the first REPLAY_REPORT_KEPT mismatches for the end,
 * and counts all.
 */
#ifndef WSTAPE_REPLAY_REPORT_H
#define WSTAPE_REPLAY_REPORT_H

#include "replay/event.h"
#include "replay/stage.h"

enum {
    REPLAY_REPORT_TEXT = 200,      /* bytes of one value in a line */
    REPLAY_REPORT_WORDS = 1000,    /* bytes of a note, or of why something broke */
    REPLAY_REPORT_JSON = 64 << 10, /* bytes of one value in a JSON object; a longer one
                                      is a string of so many bytes, and "cut": true */
    REPLAY_REPORT_KEPT = 1000,     /* mismatches listed at the end */
    REPLAY_REPORT_TIMES = 1 << 20, /* response times kept for percentiles; then every
                                      second one, and so on */
    REPLAY_REPORT_CASES = 1 << 16, /* connections (and copies) told apart; the events
                                      of further ones are counted as one */
    REPLAY_REPORT_LISTED = 20,     /* connections, and requests, in the summary */
};

struct replay_report;

/* NULL when memory is out. `live` as in replay_stage. `script` is borrowed: as client,
 * lines name the connection when it has several that say anything. */
struct replay_report *replay_report_new(const struct replay_script *script,
                                        enum side live, uint32_t copies);
void replay_report_free(struct replay_report *r); /* takes NULL */

/* Count it, keep it. -ENOMEM. */
int replay_report_take(struct replay_report *r, const struct replay_event *e);

/* Append the event's line, without a newline: `message 7 $.results[0].score: 0.91 →
 * 0.87`, behind `connection 2 ` (always in the backend role; as client when the tape
 * has several) and `copy 3 ` (when there are several). CHOSEN, SUBSTITUTED and OVER are
 * for -v; RESPONSE_TIME has no line. -ENOMEM leaves part of it. */
int replay_report_put_line(const struct replay_report *r, const struct replay_event *e,
                           struct buf *out);

/* Append it as one JSON object without a newline: {"record":"difference",
 * "connection":1,"message":7,"path":"$.results[0].score","before":0.91,"after":0.87}.
 * What is JSON is given as JSON (white space taken out), other text as a string,
 * binary as "before_base64"; what was not there has no member. -ENOMEM leaves part of
 * it. */
int replay_report_put_json(const struct replay_report *r, const struct replay_event *e,
                           struct buf *out);

/* Append the summary, lines with newlines, or JSON objects. As backend it lists the
 * mismatches again, which a client's output may have torn apart. -ENOMEM. */
int replay_report_put_summary(const struct replay_report *r,
                              const struct replay_stage *stage, bool json,
                              struct buf *out);

/* Append a JUnit XML document: a testcase a connection (and copy), its mismatches as
 * failures. -ENOMEM. */
int replay_report_put_junit(const struct replay_report *r, const char *tape,
                            struct buf *out);

uint64_t replay_report_mismatches(const struct replay_report *r);

/* The run was stopped before everything was played: the summary says so. */
void replay_report_unfinished(struct replay_report *r);

/* False: nothing was played at all. */
bool replay_report_played(const struct replay_report *r);

#endif
