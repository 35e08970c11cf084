/*
 * tests/unit/replay/caller_rig - a tape that plays the client against a server that the
 * test plays, with a clock that the test moves.
 *
 * The tape is put together with script_tape. What the caller tells and says is kept as
 * lines. Every step asserts.
 */
#ifndef WSTAPE_TESTS_UNIT_REPLAY_CALLER_RIG_H
#define WSTAPE_TESTS_UNIT_REPLAY_CALLER_RIG_H

#include "replay/caller.h"
#include "tests/unit/replay/script_tape.h"

#define MS INT64_C(1000000)

enum { RIG_FIELDS_MAX = 8, RIG_ROOM = 1 << 20 };

struct rig {
    struct script_tape tape;
    struct replay_script *script;
    struct replay_options options;
    struct replay_stage *stage;
    struct replay_caller *caller;
    struct wire_deflate_params params; /* of the frames that are read here */
    struct buf told;
    struct buf sent;    /* all that the caller put out */
    size_t frames_from; /* in `sent`: before it is HTTP */
    size_t split;       /* bytes that come at once; 0: all */
    int64_t now_ns;
    bool all;   /* response times and the like are kept too */
    bool tight; /* memory is out at some point: what the caller returns is `error` */
    int error;
    long live_before; /* allocations of others */
};

void rig_init(struct rig *r); /* the tape is empty, all is at its default */
void rig_deinit(struct rig *r);

/* The tape is complete: make the stage. */
void rig_load(struct rig *r);

/* Connect (after a load, if there was none): the caller begins. */
void rig_start(struct rig *r);

/* ---- the server ---- */

void rig_bytes(struct rig *r, struct bytes in);
void rig_say(struct rig *r, const char *bytes);
void rig_agree(struct rig *r, const char *more_fields); /* a 101; more: "A: b\r\n" */
void rig_frame(struct rig *r, unsigned first, struct bytes payload);
void rig_text(struct rig *r, const char *text);
void rig_close(struct rig *r, unsigned code, const char *reason);
void rig_end(struct rig *r, enum capture_end kind);

/* ---- time ---- */

void rig_wait(struct rig *r, int64_t for_ns); /* wakes the caller whenever it asked */
void rig_run(struct rig *r); /* until it asks for nothing more, for an hour at most */

/* ---- what came of it ---- */

/* Told since the last time, a line each: `difference 2 $.a: 1 -> 2`. */
void expect_told(struct rig *r, const char *lines);

/* Frames said since the last time, a line each: `text hello`, `close 1000 bye`, `pong`.
 */
void expect_said(struct rig *r, const char *lines);

/* HTTP said so far. */
void expect_asked(struct rig *r, const char *text);

/* It is done, and ended in this way. */
void expect_done(struct rig *r, enum capture_end kind);
void expect_busy(struct rig *r);

#endif
