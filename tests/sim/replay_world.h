/*
 * tests/sim/replay_world - a tape that plays, against itself or somebody odd, in
 * memory.
 *
 * Each recorded connection is called as replay/schedule says. Its two ends speak
 * through two pipes under one virtual clock; how bytes are split, how long they take,
 * how late wakes come and when back-pressure is on follows from the seed.
 *
 *   replay.c        what is played for a seed, and what several runs must have alike
 *   replay_tape.c   the tape: what the record world leaves, sometimes damaged
 *   replay_world.c  the clock and the connections
 *   replay_end.c    one end: its inputs, its outputs, the pipe to the other
 *   replay_ear.c    what an end said, as messages, against the tape
 *   replay_odd.c    an end that says the tape with changes
 */
#ifndef WSTAPE_TESTS_SIM_REPLAY_WORLD_H
#define WSTAPE_TESTS_SIM_REPLAY_WORLD_H

#include "replay/caller.h"
#include "replay/hear.h"
#include "replay/player.h"
#include "replay/schedule.h"
#include "tests/sim/chance.h"
#include "wire/frame.h"

enum { SIM_REPLAY_NEVER = -1 };

/* ---- replay_tape.c ---- */

struct sim_replay_tape {
    struct replay_script *script; /* NULL: it was damaged too much */
    bool clean; /* sessions in order, read whole: it can be played without a mismatch */
    size_t largest; /* bytes that one step may become on the wire */
};

/* False: `wrong` says why. */
bool sim_replay_tape_make(struct sim_replay_tape *t, uint64_t seed, struct buf *wrong);
void sim_replay_tape_deinit(struct sim_replay_tape *t);

/* ---- replay_odd.c: who says a tape's side with changes, and waits for nothing ---- */

struct sim_odd {
    struct buf bytes;
    size_t *units; /* where each thing to be said ends */
    size_t count, next;
    enum capture_end end;
    int64_t next_at, pause_ns;
};

void sim_odd_make(struct sim_odd *o, const struct replay_connection *c, enum side side,
                  struct sim_chance *luck);
void sim_odd_deinit(struct sim_odd *o);

/* ---- what is played ---- */

/* Follows from the seed; the splits do not. */
struct sim_replay_plan {
    uint64_t seed;
    const struct sim_replay_tape *tape;
    int odd; /* enum side that is odd; -1: neither */
    struct replay_options options;
    struct replay_rules rules;
    bool punctual; /* wakes are not late, and nothing is held back */
};

/* What an end said so far, as messages. */
struct sim_said {
    int64_t began_ns, time_ns;
    size_t end_at; /* offset behind it in what the end said */
};

struct sim_ear {
    const struct replay_connection *recorded;
    enum side from;
    struct buf all;   /* everything */
    size_t at;        /* of `all`: looked at */
    size_t frames_at; /* where frames begin; SIZE_MAX: not yet known */
    struct replay_hear hear;
    bool hears;
    bool lost;             /* not to be followed: half of a frame, or garbage */
    bool within;           /* a message has begun, and not ended */
    int64_t began_ns;      /* that message */
    struct sim_said *said; /* data messages */
    size_t count, cap;
    struct buf texts;     /* what they say, a line each */
    size_t frame_end;     /* scratch */
    int64_t now_ns;       /* scratch */
    uint64_t data_frames; /* that began */
};

struct sim_replay;
struct sim_call;

struct sim_replay_end {
    struct sim_call *call;
    enum side side;
    struct replay_caller *caller; /* one of the three */
    struct replay_player *player;
    struct sim_odd *odd;
    struct sim_ear ear;      /* what it says */
    size_t given;            /* of ear.all: the other has it */
    enum capture_end end;    /* what it ended with; 0: it did not */
    bool end_given;          /* the other knows */
    bool deaf;               /* it has reset */
    int64_t give_at;         /* the next bytes reach the other */
    int64_t wished, wake_at; /* what it asked for, and when it comes */
    int64_t flow_at;         /* changes */
    bool flow;
    unsigned idle; /* wakes at one moment that brought nothing */
    uint64_t wakes, inputs;
};

struct sim_call {
    struct sim_replay *world;
    const struct replay_connection *recorded;
    uint32_t index; /* of the script */
    struct sim_replay_end ends[2];
    struct sim_odd odd;
    bool open, over;
};

struct sim_replay {
    const struct sim_replay_plan *plan;
    struct sim_chance luck;
    bool verbose;
    int64_t began_ns, now_ns;
    struct replay_stage *stages[2]; /* by the side that plays */
    struct replay_schedule *schedule;
    struct sim_call *calls; /* by index of the script */
    uint32_t players;
    uint64_t turns;
    uint64_t mismatches;
    uint64_t digest;
    struct buf events[2]; /* by the side that the tape plays: a line each, without
                             times. Which of the two is first is a matter of time. */
    struct buf wrong;
};

void sim_replay_world_run(struct sim_replay *w, const struct sim_replay_plan *plan,
                          uint64_t split, bool verbose);
void sim_replay_world_deinit(struct sim_replay *w);

/* ---- shared by the parts ---- */

void sim_replay_wrong(struct sim_replay *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_replay_digest(struct sim_replay *w, const void *at, size_t len);

/* ---- replay_end.c ---- */

void sim_end_init(struct sim_replay_end *e, struct sim_call *call, enum side side);
void sim_end_deinit(struct sim_replay_end *e);
void sim_end_begin(struct sim_replay_end *e);
/* The next moment something happens; SIM_REPLAY_NEVER. */
int64_t sim_end_next(const struct sim_replay_end *e);
void sim_end_run(struct sim_replay_end *e);

/* ---- replay_ear.c ---- */

void sim_ear_init(struct sim_ear *ear, const struct replay_connection *c,
                  enum side from);
void sim_ear_deinit(struct sim_ear *ear);
void sim_ear_take(struct sim_ear *ear, struct bytes b, int64_t now_ns);
/* Messages that were said whole by offset `upto`. */
uint64_t sim_ear_count(const struct sim_ear *ear, size_t upto);
/* New messages of an end whose other end keeps to the tape too: not before what they
 * answer, nor too early. From message `from` on. */
void sim_ear_check_gates(struct sim_replay_end *e, size_t from);
/* A clean connection is over: all of the tape was said. */
void sim_ear_check_whole(struct sim_replay_end *e);

#endif
