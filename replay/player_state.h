/*
 * replay/player_state - what the parts of replay/player share; nobody else includes it.
 *
 * player.c: inputs, the lifecycle, events. player_http.c: requests, and when their
 * answers go; player_choose.c: who answers; player_answer.c: what goes;
 * player_handshake.c: the 101. player_frames.c: the walk along a connection's steps;
 * player_control.c: live closes, pings and ends; player_match.c: live messages against
 * the tape's.
 */
#ifndef WSTAPE_REPLAY_PLAYER_STATE_H
#define WSTAPE_REPLAY_PLAYER_STATE_H

#include "base/list.h"
#include "replay/hear.h"
#include "replay/pace.h"
#include "replay/player.h"
#include "replay/speak.h"
#include "wire/handshake.h"

enum player_state {
    PLAYER_ANSWERING, /* HTTP */
    PLAYER_FRAMES,    /* a WebSocket is open */
    PLAYER_TUNNEL,    /* another upgrade, or CONNECT */
    PLAYER_CLOSING,   /* of FRAMES: the client has closed; the rest of the tape is said
                       */
    PLAYER_DONE,      /* nothing more is said */
};

enum { PLAYER_CLOSE_MAX = 125 }; /* RFC 6455, 5.5 */
enum { PLAYER_ASKED_MAX = 64 };  /* requests read ahead; the bytes of others wait */
enum { PLAYER_UNSOUND = REPLAY_CHOICE_EXHAUSTED + 1 }; /* a handshake to be refused */
enum { PLAYER_PINGS_MAX = 16 }; /* recorded pings remembered, for their pongs */

/* A request that is not answered in full yet. */
struct player_asked {
    struct list link; /* oldest first */
    struct buf head;
    struct bytes method, target; /* in `head` */
    uint64_t number;             /* on this connection, from 1 */
    int verdict; /* 0, or why `chosen` is nothing: enum of replay/choice, or UNSOUND */
    enum wire_handshake_flaw flaw; /* of UNSOUND */
    struct replay_chosen chosen;
    struct replay_pace pace;
    uint32_t at;        /* the answer's next step, NONE: past its last */
    uint32_t said;      /* its latest one, or the request */
    uint32_t asked_end; /* step of the recorded request's last body bytes before the
                           answer, or NONE */
    bool early;         /* the tape's answer came before the request was whole */
    bool asks;          /* for a WebSocket */
    bool whole;         /* its body has come */
    bool last;          /* the client wants the connection closed behind the answer */
};

/* What follows when no request is left to answer. */
enum player_tail {
    PLAYER_GOES_ON, /* the next request */
    PLAYER_IDLE,    /* the end at `tail_due`, unless a request comes */
    PLAYER_ENDS,    /* the end at `tail_due` */
    PLAYER_HANGS,   /* nothing, until the client ends */
};

struct replay_player {
    struct replay_stage *stage; /* borrowed */
    struct replay_output out;
    int64_t now_ns;
    size_t said; /* bytes in `out.send` when this input came */
    uint32_t number;
    uint32_t recorded; /* number of the connection that answers; 0: none so far */
    uint8_t state;     /* enum player_state */
    bool flowing;
    bool told_over;
    bool early;        /* the client ended although `expected` was to come */
    bool client_ended; /* its side is over */
    bool cut_short;    /* not by itself */
    bool client_closed, server_closed; /* a close frame has gone, live */
    bool halved; /* a frame was begun that has no end: nothing can be said after it */
    bool linted; /* `tape_faults` is known */
    bool waits_told;
    bool other_extensions; /* were agreed */
    bool switching;        /* the latest request may end HTTP: what follows waits */
    uint8_t tail;          /* enum player_tail */
    uint8_t tail_end;
    struct wire_deflate_params deflate; /* as the live handshake agreed */

    /* ANSWERING */
    uint32_t asked_count;
    struct list asked;
    struct wire_http *http;
    struct buf held; /* bytes of the client that are not read yet */
    uint64_t requests, answers;
    int64_t tail_due;

    /* The others */
    const struct replay_connection *connection;
    struct replay_pace pace;
    struct replay_hear hear;
    struct replay_speak speak;
    struct replay_compare compare;
    struct replay_live *live; /* NULL: nothing is substituted */
    struct buf filled;
    uint32_t at;                 /* the next step */
    uint32_t expected;           /* the client's next message, NONE: all were had */
    uint64_t had;                /* number of the last one that came */
    uint64_t got;                /* live messages, all of them */
    struct buf came;             /* int64_t each: when messages came that are ahead */
    size_t came_at;              /* of the walk */
    uint32_t tape_faults;        /* WIRE_FAULT_ bits of the recorded client */
    uint32_t skip_from, skip_to; /* steps that were left out, for the client closed */
    unsigned ping_count;
    uint32_t pings[PLAYER_PINGS_MAX]; /* steps of recorded pings without a pong */
    int64_t over_ns;                  /* when the client closed or ended */
    uint32_t close_step;              /* the recorded client's close, of which the live
                                         one has the place; 0: none */
    uint8_t close[PLAYER_CLOSE_MAX];  /* the live one */
    uint8_t close_len;
    uint64_t raw_got; /* TUNNEL: bytes that came, in all */
    uint64_t raw_had; /* and those the walk has passed */
    int64_t raw_ns;   /* when the latest came */
    int64_t waits_until;
    uint32_t waits_at; /* step of the client that is awaited, NONE */
};

/* ---- player.c ---- */

void replay_player_move(struct replay_player *p, enum player_state to);

/* Asks to be woken by then, if not earlier. */
void replay_player_wake_by(struct replay_player *p, int64_t at_ns);

/* Nothing more is said behind what was said. */
void replay_player_end(struct replay_player *p, enum capture_end kind);

/* Whether this input has put out as much as it may; it asks to be woken then. */
bool replay_player_is_full(struct replay_player *p);

/* Fills in who says so. */
void replay_player_tell(struct replay_player *p, struct replay_event *e);
void replay_player_note(struct replay_player *p, const char *text);

/* ---- player_http.c ---- */

/* Read `in`, and answer as far as it is time; once the client has ended, what it left
 * unfinished is dropped. -ENOMEM. */
int replay_player_ask(struct replay_player *p, struct bytes in);

void replay_player_asked_free(struct player_asked *a);

/* ---- player_choose.c ---- */

/* Who answers the request is settled when its head comes; tells of it. -ENOMEM. */
int replay_player_choose(struct replay_player *p, struct player_asked *a);

/* ---- player_answer.c ---- */

/* The first step of the recorded answer, or NONE; and the one after step `at`. */
uint32_t replay_player_answer_first(const struct player_asked *a);
uint32_t replay_player_answer_next(const struct player_asked *a, uint32_t at);

/* What the answer is gated by, into `a`. */
void replay_player_answer_gate(struct player_asked *a);

/* Append step a->at of the answer. -ENOMEM. */
int replay_player_answer_step(struct replay_player *p, struct player_asked *a);

/* Append, in words, what is wrong with a handshake that is UNSOUND. -ENOMEM. */
int replay_player_answer_flaw(const struct player_asked *a, struct buf *out);

/* The status of an answer of our own. */
unsigned replay_player_answer_status(const struct player_asked *a);

/* Append an answer of our own: the tape has none that fits. -ENOMEM. */
int replay_player_answer_none(struct replay_player *p, const struct player_asked *a);

/* Whether the client is to read until the end behind it. */
bool replay_player_answer_closes(const struct player_asked *a);

/* ---- player_handshake.c ---- */

/* What the live handshake lacks that the tape's, which got a 101, did not. */
enum wire_handshake_flaw replay_player_shake_flaw(const struct player_asked *a);

/* Append the 101 at step a->at, made to fit the live request; sets what was agreed.
 * -ENOMEM. */
int replay_player_shake(struct replay_player *p, const struct player_asked *a);

/* ---- player_frames.c ---- */

/* Go on from HTTP behind step a->said. -ENOMEM. */
int replay_player_open(struct replay_player *p, const struct player_asked *a);

/* Bytes of the client. -ENOMEM. */
int replay_player_frames(struct replay_player *p, struct bytes in);

/* Play what is due. -ENOMEM. */
int replay_player_walk(struct replay_player *p);

/* Tell what is awaited, unless it was told. */
void replay_player_tell_wait(struct replay_player *p);

/* ---- player_control.c ---- */

/* The live client's close frame, ping, or pong. -ENOMEM. */
int replay_player_control(struct replay_player *p, const struct capture_message *m);

/* The live client has ended a WebSocket or a tunnel. -ENOMEM. */
int replay_player_client_over(struct replay_player *p, enum capture_end kind);

/* Close with `code`, and end. -ENOMEM. */
int replay_player_close(struct replay_player *p, unsigned code, const char *reason);

/* The next step from `from` on that `side` ended with, or closed with; NONE. */
uint32_t replay_player_find_end(const struct replay_player *p, uint32_t from,
                                enum side side);
uint32_t replay_player_find_close(const struct replay_player *p, uint32_t from,
                                  enum side side);

static inline bool replay_player_is_close(const struct replay_step *step)
{
    return step->kind == REPLAY_FRAME && (step->first & 0x0fU) == 8;
}

/* ---- player_match.c ---- */

/* As capture_messages_rules.message; `owner` is the player. */
int replay_player_heard(void *owner, uint32_t connection,
                        const struct capture_message *m);

/* `expected` is message `index`, or the next one after it that can come. */
void replay_player_expect(struct replay_player *p, uint32_t index);

/* Whether message `index` of the tape was said whole, so that it can come. */
bool replay_player_can_come(const struct replay_player *p, uint32_t index);

/* ---- player_close.c: how the client closes ---- */

/* Its close frame came, before one was said to it. */
void replay_player_note_close(struct replay_player *p, struct bytes payload);

/* At the end: whether its code is the recorded one. */
void replay_player_tell_close(struct replay_player *p);

#endif
