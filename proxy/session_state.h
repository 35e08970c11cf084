/*
 * proxy/session_state - the inside of a session, shared by its parts:
 *
 *   session.c      inputs and outputs
 *   lifecycle.c    states, ends, deadlines, stopping
 *   lane_http.c    both directions while they speak HTTP: holding, bodies, leaving
 *   lane_request.c the client's requests
 *   lane_response.c the backend's answers
 *   lane_frames.c  both directions once they speak WebSocket
 *   answer.c       what wstape itself says: HTTP answers, close frames
 */
#ifndef WSTAPE_PROXY_SESSION_STATE_H
#define WSTAPE_PROXY_SESSION_STATE_H

#include "proxy/session.h"
#include "wire/frame.h"
#include "wire/http.h"

enum { PROXY_NEVER = -1 }; /* as a time: no deadline */

enum { PROXY_REASON_MAX = 123 }; /* bytes of a close reason (RFC 6455, 5.5) */

/*
 *   WAITING ---> CONNECTING ---> OPEN ---> DRAINING ---> DONE
 *      |             |             |                      ^
 *      +-------------+-------------+----------------------+
 *
 * WAITING     for the first whole request head; the backend is not asked yet
 * CONNECTING  to the backend; the client is not read
 * OPEN        bytes pass
 * DRAINING    wstape has said its last word and waits for the peers to finish
 * DONE        nothing comes or goes
 */
enum proxy_state {
    PROXY_WAITING,
    PROXY_CONNECTING,
    PROXY_OPEN,
    PROXY_DRAINING,
    PROXY_DONE
};

enum proxy_mode { PROXY_HTTP, PROXY_FRAMES, PROXY_TUNNEL };

/* Why the client's input is held instead of processed. */
enum proxy_wait {
    PROXY_WAIT_NONE,
    PROXY_WAIT_CONNECT,  /* the backend is not there yet */
    PROXY_WAIT_SWITCH,   /* an upgrade was asked: the answer says what comes next */
    PROXY_WAIT_PIPELINE, /* PROXY_PIPELINE_MAX requests are under way */
    PROXY_WAIT_RULE,     /* a rule delays its request */
    PROXY_WAIT_REFUSE,   /* a bad request is answered once those before it are */
};

/* Reasons not to read from a side; it is read when there is none. */
enum {
    PROXY_PAUSE_QUEUE = 1,
    PROXY_PAUSE_WAIT = 2,
    PROXY_PAUSE_HELD = 4,  /* too much is delayed by rules */
    PROXY_PAUSE_SHAPE = 8, /* too much waits for its bandwidth */
    PROXY_PAUSE_ALL = 15,
};

/* What a dropped SEND left on the wire to a side. */
enum proxy_lost { PROXY_LOST_NOTHING, PROXY_LOST_AT_BORDER, PROXY_LOST_IN_FRAME };

struct proxy_leg {
    uint8_t pauses;
    uint8_t lost;      /* enum proxy_lost */
    bool ended_in;     /* the peer will say no more */
    bool ended_out;    /* we will say no more */
    bool close_passed; /* a close frame went to this side */
    bool close_wanted; /* one of ours must, at the next frame border */
    bool says_reason;  /* with stop_reason */
    uint16_t close_code;
};

/* One request from its head to the end of its answer. */
struct proxy_exchange {
    uint32_t number;
    bool is_head;
    bool is_connect;
    bool is_websocket; /* asks to upgrade to websocket */
    bool is_switch;    /* asks for any upgrade, or CONNECT */
    struct slice head; /* for the rules on its answer; empty without rules. Ours. */
};

/* Only while HTTP is spoken; gone once frames pass. */
struct proxy_http {
    struct wire_http *reader[2]; /* by the side that speaks */
    struct proxy_exchange exchanges[PROXY_PIPELINE_MAX];
    unsigned exchange_count;
    uint32_t last_number;
    uint64_t body_kept[2]; /* bytes of the current body on the tape */
    unsigned status;       /* of the answer in progress */
    bool in_answer;        /* the head of a final answer has passed, its end has not */
    bool in_request;       /* its head has passed, its end has not */
    bool opens_websocket;  /* the answer in progress does */
    bool rest_kept;        /* the client's half head is on the tape */
    bool half_answer_kept; /* and the backend's */
    enum proxy_wait wait;
    bool fin_held; /* the client ended while its input was held */
    enum capture_end fin_kind;
    unsigned refuse_status; /* WAIT_REFUSE */
    const char *refuse_why;
    struct slice first; /* WAIT_CONNECT, WAIT_RULE: the request head to send */
    struct slice *held; /* client input not yet processed, references ours */
    size_t held_count, held_cap;
    size_t held_len; /* bytes of all */
};

/* One direction of a WebSocket. */
struct proxy_frames {
    struct wire_lint lint;
    struct wire_frame_decoder decoder;
    struct wire_frame frame; /* in progress while payload_left > 0 */
    uint64_t payload_left;
    uint64_t payload_at;
    bool border; /* the last flush left the wire between two frames */
    bool held;   /* the frame in progress is gathered for the rules, not passed on */
    bool sound;  /* the frame recorded last is a whole message, without a fault */
};

struct proxy_session {
    const struct proxy_shared *shared;
    void *owner;
    struct proxy_http *http;
    struct proxy_faults *faults;  /* NULL: the run has no rules */
    struct proxy_frames lanes[2]; /* by the side that speaks */
    struct proxy_leg legs[2];
    int64_t active_at;     /* a byte last came */
    int64_t head_at;       /* a request head began; negative: none is in progress */
    int64_t deadline_at;   /* connect or linger; negative: none */
    int64_t wake_at;       /* of the last WAKE; negative: none */
    uint64_t turn;         /* in which bytes last came */
    uint64_t late_dropped; /* bytes after the last word, beyond those kept */
    uint32_t late_kept;
    uint32_t number;
    uint8_t state;    /* enum proxy_state */
    uint8_t mode;     /* enum proxy_mode */
    uint8_t ended_by; /* enum capture_end: how wstape ends a leg that has not ended */
    bool opened;
    bool connected; /* the backend's leg exists */
    bool stop_wanted;
    bool silent; /* the tape failed: not a byte of either side may pass any more */
    uint8_t mask[4];
    char *stop_reason;
    char *unreachable;      /* why; NULL: it was reached, or not yet asked */
    const char *stop_cause; /* the rule that ends it; NULL: the reason says it all */
};

/* ---- session.c ---- */

int proxy_session_output(struct proxy_session *s, enum proxy_output_kind kind,
                         enum side side);
/* Bytes of the peers, or what rules made of them: dropped once the tape has failed. */
int proxy_session_send(struct proxy_session *s, enum side to, struct slice bytes,
                       int64_t now_ns);
/* wstape's own words. */
int proxy_session_say(struct proxy_session *s, enum side to, struct slice bytes,
                      int64_t now_ns);
int proxy_session_pause(struct proxy_session *s, enum side side, uint8_t reason,
                        bool paused);
/* Let a client in that a rule kept waiting. */
int proxy_session_let_in(struct proxy_session *s, int64_t now_ns);
/* The OPEN record, once. */
int proxy_session_record_open(struct proxy_session *s,
                              const struct proxy_leg_facts *client, int64_t now_ns);
/* What comes after wstape's last word goes nowhere; the tape keeps the beginning. */
int proxy_session_too_late(struct proxy_session *s, enum side from, struct slice in,
                           int64_t now_ns);
/* Process bytes in the current mode. */
int proxy_session_pass(struct proxy_session *s, enum side from, struct slice in,
                       int64_t now_ns);

/* ---- lifecycle.c ---- */

void proxy_session_move(struct proxy_session *s, enum proxy_state to);
/* Ask for a wake at the next deadline. */
int proxy_session_arm(struct proxy_session *s);
/* End the direction to `to` as the other side ended its own; once. Behind what rules
 * delay, or now. */
int proxy_session_end_out(struct proxy_session *s, enum side to, enum capture_end kind,
                          int64_t now_ns);
int proxy_session_end_out_now(struct proxy_session *s, enum side to,
                              enum capture_end kind);
/* Both sides are reset, now. */
int proxy_session_cut(struct proxy_session *s, enum capture_end kind, int64_t now_ns);
/* The last word is said: wait linger_ns for the peers, then close. */
int proxy_session_drain(struct proxy_session *s, enum capture_end kind, int64_t now_ns);
/* What proxy_session_stop asked for: say goodbye to both sides. */
int proxy_session_stop_now(struct proxy_session *s, int64_t now_ns);
/* Close when both directions of every leg are over. */
int proxy_session_settle(struct proxy_session *s, int64_t now_ns);
/* Forward the end of the client's direction that was held with its bytes. */
int proxy_session_fin_from(struct proxy_session *s, enum side from,
                           enum capture_end kind, int64_t now_ns);

/* ---- lane_http.c ---- */

int proxy_http_init(struct proxy_session *s);
void proxy_http_deinit(struct proxy_session *s);
int proxy_http_pass(struct proxy_session *s, enum side from, struct slice in,
                    int64_t now_ns);
int proxy_http_hold(struct proxy_session *s, struct slice in);
/* Answer a bad request once those before it are answered. */
int proxy_http_refuse(struct proxy_session *s, unsigned status, const char *why,
                      int64_t now_ns);
/* The requests before it are answered. */
int proxy_http_refuse_due(struct proxy_session *s, int64_t now_ns);
/* What the client sent and was not passed on will not be: keep it on the tape. */
int proxy_http_keep_rest(struct proxy_session *s, int64_t now_ns);
int proxy_http_keep_half_head(struct proxy_session *s, int64_t now_ns);
int proxy_http_keep_half_answer(struct proxy_session *s, int64_t now_ns);
/* Why the client waited is over: process what was held. */
int proxy_http_release(struct proxy_session *s, int64_t now_ns);
/* The input from a side is over: keep and pass on what the reader still holds. */
int proxy_http_finish(struct proxy_session *s, enum side from, int64_t now_ns);

/* Frames or raw bytes from now on, what was held first. */
int proxy_http_leave(struct proxy_session *s, bool is_websocket, uint8_t rsv_allowed,
                     int64_t now_ns);
/* The number of the request that the backend answers now; 0: none. */
uint32_t proxy_http_answering(const struct proxy_session *s);
int proxy_http_record_head(struct proxy_session *s, enum capture_type type,
                           uint32_t exchange, struct bytes head, struct bytes sent,
                           int64_t now_ns);
/* Record a piece of body, as far as the limit allows, and pass it on. */
int proxy_http_body(struct proxy_session *s, enum side from, struct slice in,
                    int64_t now_ns);

static inline struct slice proxy_slice_rest(struct slice in, size_t at)
{
    return (struct slice){ in.chunk, in.off + at, in.len - at };
}

/* ---- lane_request.c, lane_response.c ---- */

int proxy_http_pass_client(struct proxy_session *s, struct slice in, int64_t now_ns);
int proxy_http_pass_server(struct proxy_session *s, struct slice in, int64_t now_ns);
/* The request whose head is in `first` goes on its way. */
int proxy_http_proceed(struct proxy_session *s, int64_t now_ns);
int proxy_http_response_done(struct proxy_session *s, int64_t now_ns);

/* ---- lane_frames.c ---- */

void proxy_frames_init(struct proxy_session *s, uint8_t rsv_allowed);
int proxy_frames_pass(struct proxy_session *s, enum side from, struct slice in,
                      int64_t now_ns);
int proxy_frames_finish(struct proxy_session *s, enum side from, int64_t now_ns);
/* A half header goes nowhere any more: keep it on the tape. */
int proxy_frames_keep_half(struct proxy_session *s, enum side from, int64_t now_ns);

/* ---- answer.c ---- */

struct inject_act;
/* The answer that a status rule gives, then FIN, then DRAINING. */
int proxy_answer_rule(struct proxy_session *s, const struct inject_act *a,
                      const char *rule, int64_t now_ns);
/* An HTTP answer with a JSON body, then FIN, then DRAINING. */
int proxy_answer(struct proxy_session *s, unsigned status, const char *why,
                 int64_t now_ns);
/* Our close frame to `to`, if one is wanted and may go now. */
int proxy_answer_close(struct proxy_session *s, enum side to, int64_t now_ns);

#endif
