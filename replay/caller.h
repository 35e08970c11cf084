/*
 * replay/caller - the tape as client, for one recorded connection.
 *
 * Sends what the recorded client sent, gated by what the backend says and paced, and
 * compares what comes back with the tape (replay/align). Function over bytes and time,
 * as replay/player: every input returns 0 or -ENOMEM (then the connection is to be
 * reset), and leaves its wishes in replay_caller_output().
 *
 * It always comes to an end: what is awaited has options.patience_ns since something
 * last came, on top of what it took on the tape; one second once something later is
 * there, or once a whole patience has passed without a word; and ten times the patience
 * in all. Then it is told, and the play goes on. What differs is told once: of a
 * backend that said nothing, a TIMEOUT names the first message that was awaited, and
 * MISSING the others; of one that spoke, MISSING names them all.
 *
 * With --on-mismatch close the first mismatch ends the connection with 1008.
 */
#ifndef WSTAPE_REPLAY_CALLER_H
#define WSTAPE_REPLAY_CALLER_H

#include "replay/output.h"
#include "replay/stage.h"

struct replay_caller;

/* Whether there is anything to say at all: not when the client said nothing, nor when
 * the tape lacks the handshake that its frames need. */
bool replay_caller_can_play(const struct replay_connection *t);

/* Plays recorded connection `index` as copy `copy` (from 1). NULL when memory is out.
 * `stage` is borrowed and outlives it. */
struct replay_caller *replay_caller_new(struct replay_stage *stage, uint32_t index,
                                        uint32_t copy, int64_t now_ns);
void replay_caller_free(struct replay_caller *c); /* takes NULL */

struct replay_output *replay_caller_output(struct replay_caller *c);

/* Connected: begin. */
int replay_caller_start(struct replay_caller *c, int64_t now_ns);

/* The backend said this. Borrowed. */
int replay_caller_bytes(struct replay_caller *c, struct bytes in, int64_t now_ns);

/* The backend is over: FIN, TRUNCATED, RESET, or ERROR (it could not be reached). */
int replay_caller_ended(struct replay_caller *c, enum capture_end kind, int64_t now_ns);

/* As an end by ERROR, with the reason in words. */
void replay_caller_unreachable(struct replay_caller *c, const char *why);

/* There was no connection in this time, and none is waited for. */
void replay_caller_give_up(struct replay_caller *c, int64_t waited_ns);

/* `wake_at` has come. */
int replay_caller_wake(struct replay_caller *c, int64_t now_ns);

/* Back-pressure: while off, nothing more is put out. */
int replay_caller_flow(struct replay_caller *c, bool on, int64_t now_ns);

/* The run ends before it is done: tell what was awaited. */
void replay_caller_stop(struct replay_caller *c, int64_t now_ns);

/* Everything was played and compared: the last differences have been told. */
bool replay_caller_done(const struct replay_caller *c);

#endif
