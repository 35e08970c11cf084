/*
 * tests/sim/talk - what a client and a backend say to each other, and when.
 *
 * Two scripts, made from a seed before anything runs: the bytes of each side, what the
 * other side must get of them when nobody interferes, and the steps in which they are
 * said. Nobody parses what arrives: a side that waits for an answer waits until so many
 * bytes are there, or until it has waited long enough.
 *
 *   talk.c       scripts, and how a conversation begins and ends
 *   talk_http.c  requests and answers
 *   talk_ws.c    frames
 */
#ifndef WSTAPE_TESTS_SIM_TALK_H
#define WSTAPE_TESTS_SIM_TALK_H

#include "base/buf.h"
#include "captures/record.h"
#include "tests/sim/chance.h"
#include "wire/handshake.h"

enum sim_step_kind {
    SIM_SAY,      /* everything up to an offset */
    SIM_HEAR,     /* wait until so many bytes came, or for a time */
    SIM_HEAR_END, /* until the other side ended, or for a time */
    SIM_WAIT,     /* for a time */
    SIM_END,      /* FIN, RST, ... */
};

struct sim_step {
    enum sim_step_kind kind;
    size_t upto;
    size_t said; /* HEAR: the same in bytes that the other side said */
    int64_t for_ns;
    enum capture_end end;
};

struct sim_script {
    struct buf bytes;    /* as said */
    struct buf expected; /* as the other side must get them */
    struct sim_step *steps;
    size_t count, cap;
};

struct sim_talk {
    struct sim_script by[2]; /* by the side that says it */
    bool calm;               /* nothing depends on when things happen */
    bool keep_host;
    int64_t patience_ns; /* how long a side waits for the other */
    bool complete;       /* it ends in an orderly way, and all of it is fit to pass */
    bool frames;         /* it becomes a WebSocket, ... */
    size_t frames_at[2]; /* ... from these offsets of what is expected on */
    struct wire_deflate_params deflate; /* as agreed */
    bool spoiled; /* frames that break the protocol, or what cannot be decompressed */
    bool parts;   /* messages come in fragments, other frames between them */
    bool halves;  /* its last word may be half a frame's header */
};

/* `big`: some messages fill every queue. */
void sim_talk_make(struct sim_talk *t, struct sim_chance *c, bool big);
void sim_talk_deinit(struct sim_talk *t);

/* Our own words must not fail: stop the program when memory is out. */
_Noreturn void sim_failed(int r);

static inline void sim_must(int r)
{
    if (r < 0) {
        sim_failed(r);
    }
}

/* ---- for talk_http.c and talk_ws.c ---- */

struct buf *sim_talk_bytes(struct sim_talk *t, enum side from);
/* Append the same to what is said and what is expected. */
void sim_talk_put(struct sim_talk *t, enum side from, struct bytes b);
void sim_talk_text(struct sim_talk *t, enum side from, const char *text);
void sim_talk_say(struct sim_talk *t, enum side from); /* what was put so far */
/* Wait for what the other side has put so far. */
void sim_talk_hear(struct sim_talk *t, enum side by);
void sim_talk_wait(struct sim_talk *t, enum side by, int64_t for_ns);
void sim_talk_hear_end(struct sim_talk *t, enum side by);
void sim_talk_end(struct sim_talk *t, enum side by, enum capture_end kind);

/* Exchanges over keep-alive. False: the connection cannot go on behind them. */
bool sim_talk_http(struct sim_talk *t, struct sim_chance *c, unsigned count);

enum sim_opened { SIM_REFUSED, SIM_WEBSOCKET, SIM_DEFLATE, SIM_TUNNEL };
enum sim_opened sim_talk_upgrade(struct sim_talk *t, struct sim_chance *c,
                                 struct wire_deflate_params *deflate);

/* Frames to and fro. `deflate` NULL: nothing is compressed. */
void sim_talk_ws(struct sim_talk *t, struct sim_chance *c,
                 const struct wire_deflate_params *deflate, bool big);

#endif
