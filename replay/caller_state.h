/*
 * replay/caller_state - what the files of replay/caller share.
 *
 * caller.c takes the inputs and walks the steps, caller_gate.c says whether the walk
 * may go on; caller_http.c does exchanges, with caller_head.c for what heads say and
 * caller_answer.c for what answers say; caller_frames.c does messages, caller_raw.c
 * tunnels; caller_end.c says how it ended.
 */
#ifndef WSTAPE_REPLAY_CALLER_STATE_H
#define WSTAPE_REPLAY_CALLER_STATE_H

#include "replay/align.h"
#include "replay/caller.h"
#include "replay/hear.h"
#include "replay/pace.h"
#include "replay/speak.h"
#include "replay/swaps.h"
#include "wire/http.h"

/*
 * IDLE --> ASKING --> FRAMES --> CLOSING --> DONE
 *             +-----> TUNNEL ------------------^     (over early: any --> DONE)
 */
enum replay_caller_state {
    CALLER_IDLE = 0,
    CALLER_ASKING, /* HTTP */
    CALLER_FRAMES,
    CALLER_TUNNEL,
    CALLER_CLOSING, /* our close frame is out, and nothing is compared any more */
    CALLER_DONE,
};

enum {
    CALLER_PINGS = 16,         /* recorded pings that may still be answered */
    CALLER_PATIENCE_MOST = 10, /* times the patience that one wait lasts at most */
    CALLER_CONTROL_MAX = 125,  /* payload of a control frame (RFC 6455, 5.5) */
    CALLER_SHOWN_MAX = 256,    /* bytes of a tunnel, or of an answer, in an event */
};

/* When what awaited messages depend on shows that they are late. */
#define CALLER_GRACE_NS INT64_C(1000000000)

/* What the server did on the tape before the next thing that the client did. */
struct caller_gate {
    int64_t recorded_ns; /* of the last of it */
    int64_t began_at;    /* it is waited for since then; negative: it is not */
    uint64_t messages;   /* in all, from the connection's start; so are the others */
    uint64_t raw;        /* bytes of a tunnel */
    uint64_t got;        /* messages that had come when the wait began */
    uint32_t answers;    /* HTTP answers, whole ones */
    uint32_t interim;    /* the exchange that had a 1xx, or REPLAY_NONE */
    bool any;            /* there is something since the last thing of the client */
    bool close, end;     /* a close frame; the end */
};

/* How a side says goodbye. */
struct caller_goodbye {
    bool closed; /* by a close frame, with this payload: */
    uint8_t len;
    uint8_t payload[CALLER_CONTROL_MAX];
    enum capture_end end; /* 0: it did not end */
};

struct replay_caller {
    struct replay_output output;
    struct replay_stage *stage;
    const struct replay_connection *connection;
    uint32_t index, copy;

    /* The walk. */
    struct replay_pace pace;
    struct caller_gate gate;
    int64_t due_at, limit_at; /* when it is due; when a wait is over */
    int64_t arrived_at;       /* when the server last got further */
    int64_t flow_at;          /* when back-pressure last changed */
    uint32_t cursor;          /* the next step */
    uint8_t state;            /* enum replay_caller_state */
    bool flow;
    bool silent;     /* nothing came in a whole patience: less is waited for */
    bool must_close; /* --on-mismatch close */

    /* HTTP. */
    struct wire_http *reader;
    struct buf body;   /* of the answer in progress, as on the wire */
    struct buf accept; /* what the handshake's answer must say */
    struct buf target; /* "GET /health", of the exchange that is told of */
    uint32_t asked, answered;
    uint32_t given_up; /* of `answered`: nothing came */
    unsigned status;   /* of the answer in progress */
    bool in_answer;    /* its final head is there */
    bool heard;        /* a head, be it interim, of the answer in progress */
    bool chunked;      /* its body is */
    bool large;        /* its body is over the limit */
    bool unasked;      /* nobody asked for it */
    int64_t asked_at;
    struct replay_compare compare;
    struct buf recorded; /* scratch: a body of the tape */
    struct buf plain[2]; /* scratch: bodies without chunk framing */

    /* Frames. */
    struct wire_deflate_params params; /* as agreed live */
    struct replay_hear hear;
    struct replay_speak speak;
    struct replay_align *align;
    struct replay_live *live; /* NULL: nothing is substituted */
    struct replay_swaps swaps;
    struct buf filled; /* scratch: a message with live values */
    uint64_t got;      /* data messages */
    uint64_t stood;    /* the last message of the tape that came, by number */
    uint64_t named;    /* it was told that this one is awaited */
    uint32_t pings[CALLER_PINGS]; /* steps: recorded, and not answered yet */
    uint32_t ping_count;
    uint32_t faults, tape_faults; /* WIRE_FAULT_* bits that were told; on the tape */
    bool linted;                  /* tape_faults is known */
    bool pong_due;                /* a ping came while nothing was to be sent */
    uint8_t pong_len, pong[CALLER_CONTROL_MAX];
    uint32_t key; /* of the masks that are not on the tape */
    struct {      /* the answer to our last message */
        bool due;
        uint64_t number;
        int64_t said_at, recorded_ns;
    } response;

    /* A tunnel's bytes. */
    uint64_t raw;      /* that came */
    uint32_t raw_step; /* where on the tape they are compared */
    size_t raw_at;
    bool raw_differs;

    /* Ends. */
    struct caller_goodbye server; /* live */
    struct caller_goodbye tape;   /* the recorded server's, as far as it was walked */
    bool closed_out, ended_out;   /* by us */
    bool early;                   /* server.closed or .end is to be looked at */
    bool end_told;
};

/* ---- caller.c ---- */

void replay_caller_move(struct replay_caller *c, enum replay_caller_state to);

/* Tell it, with who it is about filled in. */
void replay_caller_tell(struct replay_caller *c, struct replay_event *e);

/* No more is said: the connection ends that way, if we have not ended it yet. */
void replay_caller_hang_up(struct replay_caller *c, enum capture_end kind);

/* What every input ends with, and a close frame before what comes behind it: act on
 * what has come, and go on. `r`: what came of the input. */
int replay_caller_settle(struct replay_caller *c, int r, int64_t now_ns);

int64_t replay_caller_earlier(int64_t a, int64_t b); /* negative: never */

/* ---- caller_head.c ---- */

/* Append the recorded request head with the options' fields, and of a handshake path
 * and query, in place of its own. */
int replay_caller_put_request(const struct replay_options *o, struct bytes head,
                              struct buf *out);

/* Append "GET /health". */
int replay_caller_put_target(const struct replay_exchange *x, struct buf *out);

/* Append the Sec-WebSocket-Accept that answers a request; nothing if it has no key. */
int replay_caller_put_accept(const struct replay_options *o, struct bytes request,
                             struct buf *out);

/* The 101 that came (`after`), against the tape's (`before`, which answered `asked`):
 * tells fields that differ, and a Sec-WebSocket-Accept that is wrong. */
int replay_caller_compare_heads(struct replay_caller *c, struct bytes asked,
                                struct bytes before, struct bytes after);

/* ---- caller_answer.c ---- */

/* NULL when the tape has no such exchange. */
const struct replay_exchange *replay_caller_exchange(const struct replay_caller *c,
                                                     uint32_t x);

/* An event about exchange `x`. */
int replay_caller_tell_of(struct replay_caller *c, uint32_t x, struct replay_event *e);

/* Exchange `x` has no answer: MISSING, or a TIMEOUT after `time_ns`. */
int replay_caller_tell_unanswered(struct replay_caller *c, uint32_t x,
                                  enum replay_event_kind kind, int64_t time_ns);

/* The whole answer in c->body and c->status against the tape's of exchange `x`. */
int replay_caller_compare_answer(struct replay_caller *c, uint32_t x);

/* ---- caller_http.c ---- */

/* True: the next step is a frame, and the handshake is not answered. */
bool replay_caller_is_ahead(const struct replay_caller *c);

/* And none is awaited: the tape does not have it. */
bool replay_caller_is_headless(const struct replay_caller *c);
int replay_caller_refuse_headless(struct replay_caller *c);

/* A client's step of HTTP, or raw bytes, goes out. */
int replay_caller_ask(struct replay_caller *c, const struct replay_step *s,
                      int64_t now_ns);

/* `*rest` is what follows once HTTP is over. */
int replay_caller_http_bytes(struct replay_caller *c, struct bytes in,
                             struct bytes *rest, int64_t now_ns);
int replay_caller_http_ended(struct replay_caller *c, int64_t now_ns);

/* What the gate waits for has come. */
bool replay_caller_http_reached(const struct replay_caller *c);
int64_t replay_caller_http_limit(const struct replay_caller *c);

/* It has not come in time. */
int replay_caller_http_expired(struct replay_caller *c, int64_t now_ns);

/* What has no answer is told. */
int replay_caller_http_finish(struct replay_caller *c);

/* ---- caller_frames.c ---- */

/* The handshake was answered. */
int replay_caller_frames_start(struct replay_caller *c);
void replay_caller_frames_deinit(struct replay_caller *c);

int replay_caller_frames_bytes(struct replay_caller *c, struct bytes in,
                               int64_t now_ns);

/* A client's frame goes out. */
int replay_caller_say(struct replay_caller *c, uint32_t step, int64_t now_ns);

/* The step is the recorded client's answer to a recorded ping: not to be played. */
bool replay_caller_is_pong(struct replay_caller *c, uint32_t step);

/* A server's frame is passed on the walk. True when what follows waits for it. */
bool replay_caller_pass_frame(struct replay_caller *c, uint32_t step);

/* Answer the ping that is held. */
int replay_caller_put_pong(struct replay_caller *c);
int replay_caller_put_close(struct replay_caller *c, struct bytes payload);

/* ---- caller_raw.c ---- */

/* What a tunnel's server says, byte for byte against the tape's. */
int replay_caller_raw_bytes(struct replay_caller *c, struct bytes in, int64_t now_ns);

/* ---- caller_gate.c ---- */

/* The walk has come past a server's step. */
void replay_caller_gate_add(struct replay_caller *c, uint32_t step);

/* Whether what came before the next step of the tape has come; tells what is missing
 * when its time is over. `must`: also with --gate none. */
int replay_caller_gate_open(struct replay_caller *c, bool must, bool *open,
                            int64_t now_ns);

/* Until when the server may be silent that took `took` longer on the tape. */
int64_t replay_caller_wait_until(const struct replay_caller *c, int64_t patience_ns,
                                 int64_t took);

/* ---- caller_end.c ---- */

/* The server has closed or ended: it may be too early. */
int replay_caller_left(struct replay_caller *c, int64_t now_ns);

/* All that is to be compared is there, or will not come: tell the rest, say goodbye. */
int replay_caller_finish(struct replay_caller *c, int64_t now_ns);

/* --on-mismatch close: say so and close, once there was one. */
int replay_caller_close_for_mismatch(struct replay_caller *c, int64_t now_ns);

/* Close and end, whatever there is. */
int replay_caller_say_goodbye(struct replay_caller *c, unsigned code,
                              const char *reason, int64_t now_ns);

/* The server's end differs from the tape's. */
int replay_caller_tell_end(struct replay_caller *c);

/* A close frame or END: remember the first of each. */
void replay_caller_note_goodbye(struct caller_goodbye *g, const struct replay_step *s);

/* Whether the recorded server said messages behind its close frame. */
bool replay_caller_speaks_on(const struct replay_caller *c);
void replay_caller_note_close(struct caller_goodbye *g, struct bytes payload);

#endif
