/*
 * proxy/faults - performs what the rules decide, private to the session's parts:
 *
 *   faults.c   one connection's rules: accept, requests, ends, wakes, records
 *   forge.c    heads of requests and answers, changed
 *   held.c     messages that rules may touch: gathered, delayed, passed on
 *   judge.c    what the rules decide on one message, and its way out
 *   resend.c   the frames of a message that is not sent as it came
 *   shape.c    rules on the bytes of a direction
 *
 * A session without rules has none of this.
 */
#ifndef WSTAPE_PROXY_FAULTS_H
#define WSTAPE_PROXY_FAULTS_H

#include "inject/plan.h"
#include "proxy/line.h"
#include "proxy/session_state.h"
#include "wire/deflate.h"
#include "wire/handshake.h"

/* A message, or a control frame, on its way in. */
struct proxy_gather {
    struct buf raw;     /* its frames as they came, headers included */
    struct buf payload; /* unmasked, still compressed */
    uint8_t first;      /* of its first frame */
    bool on;
    bool passes; /* no rule judges it, and it waits for nothing but its own end */
};

/* A message that waits until others have overtaken it. */
struct proxy_overtaken {
    struct slice bytes; /* frames; or a payload to be compressed when it goes, so that
                           contexts follow the order on the wire. One reference. */
    uint64_t left;      /* messages that still go first */
    bool is_payload;
    struct inject_out out; /* of the payload */
    const char *cause;     /* the rule's name */
};

/* One direction's messages, by the side that speaks. */
struct proxy_held {
    bool cares;        /* some rule may touch them */
    bool inflates;     /* compressed ones are inflated from the first on */
    bool recodes;      /* compressed ones are compressed by us from now on */
    bool failed;       /* cannot be inflated any more: they pass as they came */
    bool late;         /* since rules came when messages had passed already */
    bool gathers;      /* all messages, since some may be inserted at control frames */
    struct buf behind; /* frames that go behind the message being gathered */
    const char *behind_cause; /* the name of the rule that made the first of them */
    struct proxy_gather message, control;
    struct wire_inflate *inflate;
    struct wire_deflate *deflate;
    struct proxy_line line;           /* delayed, on the way to the other side */
    const struct inject_rule *ending; /* close, abort: once the line is empty */
    int64_t ending_at;
    struct proxy_overtaken *overtaken;
    size_t overtaken_count, overtaken_cap;
    uint64_t sent; /* frames made by us: their number, for masking keys */
};

/* Rules on the bytes of one direction. */
struct proxy_shape {
    bool on;
    const char *rule; /* of latency, for its jitter */
    int64_t latency_ns, jitter_ns;
    uint64_t bytes_per_s; /* 0: no limit */
    uint64_t piece;       /* bytes; 0: as they come */
    int64_t gap_ns;       /* between pieces */
    uint64_t left;        /* bytes until the connection is aborted */
    int64_t close_delay_ns;
    int64_t end_at;  /* slow_close: when the held end goes; negative: none */
    int64_t free_at; /* when the bandwidth is free again */
    uint64_t puts;
    bool limited; /* `left` counts */
    struct proxy_line line;
};

/* What rules decided on one head. */
struct proxy_ruling {
    struct inject_fired fired[INJECT_FIRED_MAX];
    size_t count;
};

/* When and how a client is let in. */
struct proxy_admission {
    int64_t at; /* now, later, or PROXY_LINE_NEVER */
    enum proxy_tls_fault tls;
};

struct proxy_faults {
    struct inject_connection *connection;
    struct proxy_held held[2];
    struct proxy_shape shapes[2];
    struct inject_verdict verdict;
    struct wire_deflate_params deflate;
    unsigned generation; /* of the plan that the lanes were opened for */
    int64_t accept_at;   /* hang, accept_delay: when the client is let in */
    enum proxy_tls_fault accept_tls;
    bool accept_resets; /* reset instead, behind an accept_delay */
    int64_t request_at; /* hang, handshake_delay: when the request goes on */
    const struct inject_rule *request_rule; /* status, reset: what then happens to it */
    bool shaped;
};

/* ---- faults.c ---- */

/* NULL in s->faults when the run has no rules. -ENOMEM. */
int proxy_faults_init(struct proxy_session *s, int64_t now_ns);
void proxy_faults_deinit(struct proxy_session *s);

int64_t proxy_faults_time(const struct proxy_session *s, int64_t now_ns);

/* One record an act. `from` and `kind` say what it hit; kind 0: no message. */
int proxy_faults_record(struct proxy_session *s, const struct inject_fired *f,
                        enum side from, enum inject_opcode kind, int64_t now_ns);
int proxy_faults_record_ruling(struct proxy_session *s, const struct proxy_ruling *r,
                               enum side from, int64_t now_ns);

/* May the client in, and when? Ends the session when a rule resets it. */
int proxy_faults_accept(struct proxy_session *s, const struct proxy_leg_facts *client,
                        struct proxy_admission *out, int64_t now_ns);

/* The request is on the tape: record what hit it. It waits until request_due is asked,
 * which lets it go on, wait longer, or end: by then what came behind it must be held.
 */
int proxy_faults_rule_request(struct proxy_session *s,
                              const struct proxy_ruling *ruling, int64_t now_ns);
/* Look again whether the request that waits may go on. */
int proxy_faults_request_due(struct proxy_session *s, int64_t now_ns);

/* The WebSocket is open: which messages are looked at. */
int proxy_faults_open(struct proxy_session *s, struct bytes response);

/* The plan has changed while the connection is open: look again. */
int proxy_faults_reopen(struct proxy_session *s);

/* End the connection as a rule wants it: a close frame to the side that would have got
 * the message, or no close frame at all. */
int proxy_faults_close(struct proxy_session *s, enum side from, unsigned code,
                       const char *reason, int64_t now_ns);
int proxy_faults_abort(struct proxy_session *s, bool rst, int64_t now_ns);

/* When something waits for its time; negative: nothing. */
int64_t proxy_faults_next_at(const struct proxy_session *s);
int proxy_faults_wake(struct proxy_session *s, int64_t now_ns);

/* An end may not overtake what waits: true when it stands behind it now. */
bool proxy_faults_hold_end(struct proxy_session *s, enum side to, enum capture_end kind,
                           int64_t now_ns);

/* The tape failed: nothing of what waits will go. */
void proxy_faults_silence(struct proxy_session *s);

/* Everything that waits goes now, and nothing waits any more. */
int proxy_faults_flush(struct proxy_session *s, int64_t now_ns);

/* ---- forge.c ---- */

/* What a request's and a response's head become: `changed` stays empty when no rule
 * changes it. Nothing is recorded yet. */
int proxy_faults_request(struct proxy_session *s, struct bytes head,
                         struct buf *changed, struct proxy_ruling *ruling,
                         int64_t now_ns);
int proxy_faults_response(struct proxy_session *s, struct bytes head, unsigned status,
                          struct buf *changed, struct proxy_ruling *ruling,
                          int64_t now_ns);

/* ---- held.c ---- */

/* A header came: is its frame held back? */
int proxy_held_begin(struct proxy_session *s, enum side from, bool *held,
                     int64_t now_ns);
/* Bytes of the held frame, as on the wire: its header, then payload. */
int proxy_held_header(struct proxy_session *s, enum side from);
/* May give a message up that grows too large: the frame is then no longer held. */
int proxy_held_payload(struct proxy_session *s, enum side from, struct bytes wire,
                       int64_t now_ns);
/* The held frame is whole. */
int proxy_held_end(struct proxy_session *s, enum side from, int64_t now_ns);
/* The direction ends: what is half gathered goes as it came. */
int proxy_held_finish(struct proxy_session *s, enum side from, int64_t now_ns);
int proxy_held_release(struct proxy_session *s, enum side from, int64_t now_ns);

static inline struct proxy_held *proxy_held_of(const struct proxy_session *s,
                                               enum side from)
{
    return &s->faults->held[from];
}

/* Bytes for the other side, behind whatever is delayed. `whole`: they end at a frame
 * border. */
int proxy_held_queue(struct proxy_session *s, enum side from, struct bytes wire,
                     int64_t go_at, bool whole, int64_t now_ns);
/* Let `how->left` messages go first; `how->bytes` is filled in here. */
int proxy_held_overtake(struct proxy_held *h, struct bytes what,
                        const struct proxy_overtaken *how);
/* A message has gone by: those that waited for the last one follow it; or all. */
int proxy_held_follow(struct proxy_session *s, enum side from, bool everything,
                      int64_t now_ns);

/* ---- judge.c ---- */

enum {
    PROXY_RECODE_MAX = 64 * 1024 * 1024, /* bytes of a message only compressed anew */
};

/* A message to be judged, and what it was when it came. */
struct proxy_judged {
    enum side from;
    enum inject_opcode kind;
    struct proxy_gather *gather;
    struct bytes payload; /* decoded */
    bool compressed;
    bool opaque;   /* could not be decoded */
    bool oversize; /* too large for the rules */
    int64_t now_ns;
};

/* Ask the rules, record what they did, and send what they left. */
int proxy_judge(struct proxy_session *s, struct proxy_judged *j);
/* It cannot be judged: it passes, and the rules that might have held are named. */
int proxy_judge_escape(struct proxy_session *s, const struct proxy_judged *j);

/* ---- resend.c ---- */

/* The opcode of RFC 6455 for a kind. */
uint8_t proxy_resend_opcode(enum inject_opcode kind);

/* Append the frames of one message of a verdict, as `to` must get them. */
int proxy_resend(struct proxy_session *s, enum side from, const struct inject_out *out,
                 struct bytes payload, bool compressed, struct buf *wire);

/* ---- shape.c ---- */

/* Ask for the rules of both directions, once. */
int proxy_shape_open(struct proxy_session *s, int64_t now_ns);
/* Put bytes on the way to `to`. */
int proxy_shape_send(struct proxy_session *s, enum side to, struct slice bytes,
                     int64_t now_ns);
int proxy_shape_release(struct proxy_session *s, enum side from, int64_t now_ns);

#endif
