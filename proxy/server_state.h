/*
 * proxy/server_state - the inside of the shell, shared by its parts:
 *
 *   server.c  the turn: write the tape, then perform the outputs
 *   pair.c    one client and the backend: streams and outputs
 *   pair_end.c  its end, and its timer
 *   leg.c     one side of a pair: its readiness, its TLS, its end
 *   guest.c   a side that is no stream
 */
#ifndef WSTAPE_PROXY_SERVER_STATE_H
#define WSTAPE_PROXY_SERVER_STATE_H

#include "base/list.h"
#include "net/stream.h"
#include "proxy/guest.h"
#include "proxy/server.h"
#include "proxy/session.h"

/* A closed connection's queue that has not moved for so long is dropped. */
#define PROXY_STALL_NS (60 * INT64_C(1000000000))

/* As an address, of a guest. */
#define PROXY_GUEST_ADDRESS "the tape"

struct proxy_server {
    struct proxy_server_config config;
    struct net_loop *loop;
    struct capture_writer *writer; /* NULL: no tape */
    struct net_listener *listener; /* NULL: stopped, or a rule refuses */
    struct net_timer *refuse_timer;
    struct inject_plan *plan; /* NULL: no rules */
    struct net_target *target;
    struct proxy_tap tap;
    struct proxy_outputs outputs;
    struct proxy_shared shared;
    struct list pairs;
    struct proxy_outputs said;  /* by guests, not by sessions: `side` is who speaks */
    struct proxy_outputs heard; /* empty: the memory of the last `said` */
    struct list leaving;        /* seats that are over and have not been told */
    struct list eager;          /* seats that want `again` */
    struct net_timer *round;    /* makes the loop come round without sleeping */
    struct buf plain, cipher;   /* scratch for TLS */
    uint32_t accepted;
    uint32_t open;
    uint32_t refused; /* of these: turned away, not gone yet */
    int tape_error;
    bool stopping;
    bool stopped_told;
    bool gap; /* the tape is missing records right now */
    bool in_turn;
};

/* A guest's place in a pair, where a stream would be. */
struct proxy_seat {
    struct list leaving, eager; /* in the server's lists */
    struct proxy_pair *pair;
    const struct proxy_guest *guest;
    void *object;
    enum side side;
    uint8_t last_kind; /* over: enum capture_end it is told if it was told none */
    bool ready;        /* it may speak */
    bool flows;
    bool said_end; /* it will say no more */
    bool told_end; /* it is told no more */
    bool over;     /* nothing comes or goes but its leave */
    bool cut_short;
};

/*
 * One client's connection and the backend's: performs what the session decides, and
 * takes TLS off and puts it on. Lives until both streams are closed, or seats left.
 */
struct proxy_pair {
    struct list node; /* in the server's pairs */
    struct proxy_server *server;
    struct proxy_session *session;
    struct net_stream *streams[2];
    struct proxy_seat *seats[2]; /* a side has a stream or a seat, or neither */
    struct wire_tls *tls[2];
    struct net_connect *connect;
    struct net_timer *timer;
    struct buf early; /* what the client sent before it was let in */
    int64_t accepted_at;
    uint32_t number;
    char address[64]; /* of the backend */
    bool ready[2];    /* the leg is open: TLS done, the session told */
    bool ended[2];    /* the session was told that the leg's input is over */
    bool let_in;
    bool refused;   /* over --max-connections: gets 503, TLS first */
    bool tls_abort; /* a rule ends the client's TLS handshake half-way */
    bool closing;
    size_t last_queued; /* while closing: at the last look */
};

/* Take over an accepted stream. When memory is out the stream is reset. */
void proxy_pair_accept(struct proxy_server *s, struct net_stream *stream);

/* A guest is the client. -ENOMEM. */
int proxy_pair_call(struct proxy_server *s, const struct proxy_guest *guest,
                    void *object);

/* Perform one output of its session. */
void proxy_pair_perform(struct proxy_pair *p, const struct proxy_output *out);

/* A SEND of its session was dropped. */
void proxy_pair_lost(struct proxy_pair *p, enum side to);

void proxy_pair_stop(struct proxy_pair *p, unsigned code, const char *reason);

/* Reset both sides, whatever is queued. */
void proxy_pair_abort(struct proxy_pair *p);

int64_t proxy_pair_now(const struct proxy_pair *p);

/* Every input of the session ends here: what cannot go on is cut off. */
void proxy_pair_check(struct proxy_pair *p, int r);

/* ---- pair_end.c ---- */

/* Once nothing is left of both sides. */
void proxy_pair_free_if_gone(struct proxy_pair *p);
/* Close both sides once what is queued is out. */
void proxy_pair_close(struct proxy_pair *p);
void proxy_pair_wake_at(struct proxy_pair *p, int64_t at_ns);
void proxy_pair_cancel_connect(struct proxy_pair *p);

/* ---- leg.c ---- */

struct proxy_addresses {
    char peer[64], local[64];
};

/* What is known of the client; texts live in `a` and in the pair's TLS. */
void proxy_pair_client_facts(struct proxy_pair *p, struct proxy_addresses *a,
                             struct capture_tls *tls, struct proxy_leg_facts *out);

void proxy_pair_client_ready(struct proxy_pair *p);
void proxy_pair_client_refused(struct proxy_pair *p, unsigned status, const char *why);
/* `error` NULL: the backend is there; else why not. */
void proxy_pair_server_ready(struct proxy_pair *p, const char *error);
/* The leg's input is over, before or after it was ready. */
void proxy_pair_leg_ended(struct proxy_pair *p, enum side side, enum capture_end kind,
                          const char *text);
/* How a leg ended whose stream says `status`. */
enum capture_end proxy_pair_end_kind(const struct proxy_pair *p, enum side side,
                                     int status);
/* Ciphertext came; empty: begin. */
void proxy_pair_feed_tls(struct proxy_pair *p, enum side side, struct bytes in);
/* Send what TLS left in the server's `cipher`. */
int proxy_pair_send_cipher(struct proxy_pair *p, enum side side);

/* ---- guest.c ---- */

/* -ENOMEM. */
int proxy_seat_new(struct proxy_pair *p, enum side side,
                   const struct proxy_guest *guest, void *object);
void proxy_seat_ready(struct proxy_seat *seat);
void proxy_seat_bytes(struct proxy_seat *seat, struct bytes in);
void proxy_seat_end(struct proxy_seat *seat, enum capture_end kind);
void proxy_seat_flow(struct proxy_seat *seat, bool on);
/* It is over: told in the turn, `kind` first if it was told of no end yet. */
void proxy_seat_leave(struct proxy_seat *seat, enum capture_end kind, bool cut_short);

/* Reach the guest that is the backend. */
void proxy_pair_connect_guest(struct proxy_pair *p);

/* Hand to the sessions what guests said, see off those that leave. False: there was
 * nothing. */
bool proxy_server_hear_guests(struct proxy_server *s);

/* Call `again` where it was asked for. */
void proxy_server_rouse_guests(struct proxy_server *s);

/* ---- server.c ---- */

/* A pair is gone. */
void proxy_server_pair_gone(struct proxy_server *s, bool refused);

#endif
