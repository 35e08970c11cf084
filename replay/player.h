/*
 * replay/player - the tape as backend, for one live connection.
 *
 * Takes the client's bytes, HTTP first and frames after a handshake, and says what the
 * recorded backend said, gated and paced. Function over bytes and time: no sockets, no
 * clock. Every input returns 0 or -ENOMEM (then the connection is to be reset), and
 * leaves its wishes in replay_player_output().
 *
 *   ANSWERING --> FRAMES | TUNNEL --> CLOSING --> DONE      (end, mismatch: any -->
 * DONE)
 *
 * Each request is answered by an exchange of its own (replay/choice); a handshake, or
 * another upgrade, makes the connection follow the recorded one from there on. What a
 * request or client message is worth waiting for is in the tape's order of steps:
 * - an answer: its request's head, and for the final one the body, if the tape had it
 *   by then;
 * - a message: the client messages, close frame, end or (in a tunnel) bytes before it.
 * What an early close of the client, or its end, leaves out is told in `ended`, for
 * only then it is known whether a rule did it.
 *
 * Memory: one live message (options.max_message) and one of the tape, twice; bytes of a
 * client that sends on while an upgrade, or 64 requests, wait (the session in front
 * lets 16 through, so that is a second line of defence); 8 bytes for each message that
 * came ahead of the tape. REPLAY_BURST is passed by one frame at most.
 */
#ifndef WSTAPE_REPLAY_PLAYER_H
#define WSTAPE_REPLAY_PLAYER_H

#include "replay/output.h"
#include "replay/stage.h"

struct replay_player;

/* `number` counts live connections from 1. NULL when memory is out. */
struct replay_player *replay_player_new(struct replay_stage *stage, uint32_t number,
                                        int64_t now_ns);
void replay_player_free(struct replay_player *p); /* takes NULL */

struct replay_output *replay_player_output(struct replay_player *p);

/* The client said this. Borrowed. */
int replay_player_bytes(struct replay_player *p, struct bytes in, int64_t now_ns);

/* The client is over: FIN, TRUNCATED or RESET. `by_rule`: not by itself, so it is no
 * mismatch that something is missing. To be called once, or stop, before it is freed:
 * the last events come from there. */
int replay_player_ended(struct replay_player *p, enum capture_end kind, bool by_rule,
                        int64_t now_ns);

/* `wake_at` has come. */
int replay_player_wake(struct replay_player *p, int64_t now_ns);

/* Back-pressure: while off, nothing more of the tape is put out. */
int replay_player_flow(struct replay_player *p, bool on, int64_t now_ns);

/* The run ends: tell what the tape still waits for. Nothing is said after it. */
void replay_player_stop(struct replay_player *p, int64_t now_ns);

#endif
