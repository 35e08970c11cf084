/*
 * tests/sim/world - clients, sessions and backends under one virtual clock.
 *
 * Takes the place of proxy/server, proxy/pair and the sockets: every turn the tape is
 * written, then outputs are performed into pipes in memory, in that order and with the
 * same answer to a tape that fails.
 *
 *   world.c   the clock, and what happens next
 *   peer.c    a client or a backend: its script, its reading, its end
 *   turn.c    the turn: tape, then outputs
 *   taped.c   what the tape has of it
 *   check.c   what must hold at every step
 *   trace.c   what a side got against the tape's records
 */
#ifndef WSTAPE_TESTS_SIM_WORLD_H
#define WSTAPE_TESTS_SIM_WORLD_H

#include "inject/plan.h"
#include "proxy/session.h"
#include "tests/sim/scene.h"
#include "wire/frame.h"

#define SIM_NEVER (-1) /* as a time */

/* One peer, and the two pipes between it and its session. */
struct sim_leg {
    const struct sim_script *script;
    struct sim_pair *pair;
    enum side side;
    bool slow;

    size_t step;
    int64_t act_at;   /* when it looks at its script again */
    int64_t gives_up; /* stops waiting */
    bool there;       /* connected */
    bool gone;        /* reset by wstape, or closed */

    /* to wstape */
    size_t said, given;   /* bytes in the pipe, and read from it */
    enum capture_end end; /* behind the last byte; 0: not yet */
    bool end_told;
    bool reading; /* READ is on */
    bool pushed;  /* a write has met its reset */
    int64_t read_at;

    /* from wstape */
    size_t queued, heard; /* bytes in the pipe, and taken from it */
    bool above;           /* the session was told of a long queue */
    bool fin_sent;        /* FIN or CUT was performed */
    int64_t take_at;
};

enum sim_trace_kind {
    SIM_TRACE_STREAM, /* heads, bodies, raw bytes and data frames */
    SIM_TRACE_CONTROL,
    SIM_TRACE_SENT,
    SIM_TRACE_KINDS
};

/* What the tape has for a side: a record's bytes on the wire, or a whole frame's. */
struct sim_unit {
    size_t at, len; /* of `bytes` */
    enum sim_trace_kind kind;
    bool last; /* wstape's close frame: nothing may follow it */
    bool used; /* scratch */
};

struct sim_trace {
    struct buf bytes;
    struct sim_unit *units;
    size_t count, cap;
    size_t next[SIM_TRACE_KINDS], shortest; /* scratch */
};

/* What the checks know of a connection. */
struct sim_facts {
    size_t taped[2];           /* bytes of a side that are on the tape */
    uint64_t may_pass[2];      /* bytes that the tape has for a side, ... */
    uint64_t this_turn[2];     /* ... and those not written yet */
    uint64_t passed[2];        /* bytes performed to a side */
    size_t matched[2];         /* of these: of what is expected */
    struct buf own[2];         /* wstape's own words to a side, not performed yet */
    struct buf got[2];         /* everything performed to a side */
    struct buf faults[2];      /* acts on a direction, a line each */
    struct buf after[2];       /* performed after the tape failed */
    struct sim_trace trace[2]; /* by the side that gets it */
    unsigned ends[2];          /* END records of a side's own end, and ... */
    unsigned ends_by_us[2];    /* ... of those that wstape made */
    bool opened, upstream;     /* the tape has OPEN, and that the backend was reached */
    struct wire_frame frame[2]; /* the one in progress on the tape */
    uint64_t frame_at[2];
    bool cuts;      /* one that may end the connection */
    bool violates;  /* one broke the protocol */
    bool acted;     /* a rule changed something */
    bool spoke;     /* wstape said something of its own */
    bool by_us;     /* wstape ended a leg */
    bool unparsed;  /* the backend speaks no HTTP: Host is not looked for any more */
    bool cut_short; /* it was over in the middle of a read */
    bool trimmed;   /* bytes came after the last word */
    bool fin[2];    /* no SEND may follow */
    bool broken;    /* a side broke off: half of something may be lost */
};

struct sim_pair {
    struct sim_world *world;
    const struct sim_cast *cast;
    struct proxy_session *session; /* NULL: not yet, or no more */
    struct sim_leg legs[2];
    struct sim_facts facts;
    unsigned index; /* in the world */
    uint32_t number;
    int64_t starts_at, open_at, connect_at, wake_at;
    bool tls_aborts;
    bool opened, closed, stopped;
};

struct sim_world {
    const struct sim_scene *scene;
    struct sim_chance luck; /* splits and delays */
    bool verbose;
    int64_t now_ns, origin_ns;
    struct sim_pair pairs[SIM_PAIRS_MAX];
    uint32_t accepted;
    struct proxy_tap tap;
    struct proxy_outputs outputs;
    struct proxy_shared shared;
    struct inject_plan *plan;
    struct sim_tape tape;
    struct capture_writer *writer;
    struct capture_decoder *decoder;
    struct sim_tape_sum sum, unwritten;
    bool failed;  /* the tape, under STOP */
    bool stopped; /* nobody is accepted any more */
    bool reloaded;
    uint64_t turns;
    uint64_t digest;  /* of all outputs and of the tape */
    struct buf wrong; /* the first thing that does not hold; empty: all does */
};

/* Run a scene to its end. `split`: how bytes are split and delayed. The world keeps
 * what the runs are compared by until sim_world_deinit. */
void sim_world_run(struct sim_world *w, const struct sim_scene *scene, uint64_t split,
                   bool verbose);
void sim_world_deinit(struct sim_world *w);

/* ---- shared by the parts ---- */

#define SIM_TELL(w, ...)                                                               \
    do {                                                                               \
        if ((w)->verbose) {                                                            \
            sim_tell(w, __VA_ARGS__);                                                  \
        }                                                                              \
    } while (0)

void sim_tell(const struct sim_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The beginning and the end of them. */
void sim_tell_bytes(const struct sim_world *w, struct bytes b);
/* Something does not hold; the first one counts. */
void sim_wrong(struct sim_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_digest(struct sim_world *w, struct bytes b);
/* An input's result. */
void sim_input(struct sim_pair *p, int r);
int64_t sim_soon(struct sim_world *w, int64_t most_ns);

/* ---- peer.c ---- */

void sim_leg_init(struct sim_leg *l, struct sim_pair *p, enum side side);
/* The next moment something happens here; SIM_NEVER. */
int64_t sim_leg_next(const struct sim_leg *l);
/* Do what is due. */
void sim_leg_run(struct sim_leg *l);
/* When to read and to take what there is by now. */
void sim_leg_plan(struct sim_leg *l);
/* It is there, and begins. */
void sim_leg_begin(struct sim_leg *l);
/* Bytes, or an end, from wstape. */
void sim_leg_take(struct sim_leg *l, struct bytes b);
void sim_leg_fin(struct sim_leg *l);

/* ---- turn.c ---- */

void sim_turn(struct sim_world *w);
void sim_pair_stop(struct sim_pair *p, unsigned code, const char *reason);

/* ---- taped.c, check.c ---- */

/* The records of this turn's block, before it is written. */
void sim_check_block(struct sim_world *w);
/* It was written: they count. */
void sim_check_written(struct sim_world *w, bool kept);
void sim_check_send(struct sim_pair *p, enum side to, struct bytes b);
void sim_check_output(struct sim_pair *p, const struct proxy_output *out);
/* Behind every turn: queues and what is held. */
void sim_check_budget(struct sim_pair *p);
/* What a side got of compressed messages: decode.c. */
void sim_check_decodes(struct sim_pair *p, enum side to);
/* The session is over. */
void sim_check_end(struct sim_pair *p);
void sim_facts_deinit(struct sim_facts *f);

/* ---- trace.c ---- */

void sim_trace_put(struct sim_pair *p, enum side to, enum sim_trace_kind kind,
                   struct bytes b);
/* Further bytes of the last one. */
void sim_trace_more(struct sim_pair *p, enum side to, struct bytes b);
/* It is wstape's last word to this side. */
void sim_trace_last(struct sim_pair *p, enum side to);
void sim_trace_deinit(struct sim_trace *t);
/* The session is over. */
void sim_check_trace(struct sim_pair *p, enum side to);

#endif
