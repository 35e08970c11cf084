/*
 * tests/unit/replay/align_rig - a tape of server messages, and live ones put beside it.
 *
 * What is told is kept as lines: "7 $.a: 1 -> 2", "3 missing", "extra after 5: text",
 * "6 before 3". Every step asserts.
 */
#ifndef WSTAPE_TESTS_UNIT_REPLAY_ALIGN_RIG_H
#define WSTAPE_TESTS_UNIT_REPLAY_ALIGN_RIG_H

#include "replay/align_state.h"

struct align_rig {
    struct replay_stage stage; /* only its rules matter */
    struct replay_connection connection;
    struct replay_align *align;
    struct buf said;
    struct buf *stood; /* by message: what stands for it */
    uint64_t events;
    uint32_t most_held; /* live messages at a time */
    uint32_t cap;
};

void rig_init(struct align_rig *r);
void rig_deinit(struct align_rig *r);

/* A message of the tape; `text` is borrowed. Returned to be changed. */
struct replay_message *rig_tape(struct align_rig *r, const char *text);
/* Words with blanks between: word "a7" is {"type":"a","n":7}, "a" is {"type":"a"}, and
 * those that begin otherwise are texts. */
void rig_tape_words(struct align_rig *r, const char *words);

void rig_put(struct align_rig *r, struct replay_text live);
void rig_put_text(struct align_rig *r, const char *text);
void rig_put_unread(struct align_rig *r, const char *text); /* it could not be read */
void rig_put_words(struct align_rig *r, const char *words);
void rig_finish(struct align_rig *r);
bool rig_reached(struct align_rig *r, uint64_t count);

/* What was told since the last call. */
void rig_said(struct align_rig *r, const char *expected);

/* Which message (its word) stands for number `number`. */
void rig_stands(struct align_rig *r, uint64_t number, const char *word);

#endif
