/*
 * proxy/server_state - the inside of the shell, shared by server.c and pair.c.
 */
#ifndef WSTAPE_PROXY_SERVER_STATE_H
#define WSTAPE_PROXY_SERVER_STATE_H

#include "base/list.h"
#include "net/stream.h"
#include "proxy/server.h"
#include "proxy/session.h"

struct proxy_server {
    struct proxy_server_config config;
    struct net_loop *loop;
    struct capture_writer *writer; /* NULL: no tape */
    struct net_listener *listener;
    struct net_target *target;
    struct proxy_tap tap;
    struct proxy_outputs outputs;
    struct proxy_shared shared;
    struct list pairs;
    struct buf plain, cipher; /* scratch for TLS */
    uint32_t accepted;
    uint32_t open;
    int tape_error;
    bool stopping;
    bool stopped_told;
    bool gap; /* the tape is missing records right now */
};

/*
 * One client's connection and the backend's: performs what the session decides, and
 * takes TLS off and puts it on. Lives until both streams are closed.
 */
struct proxy_pair {
    struct list node; /* in the server's pairs */
    struct proxy_server *server;
    struct proxy_session *session;
    struct net_stream *streams[2];
    struct wire_tls *tls[2];
    struct net_connect *connect;
    struct net_timer *timer;
    char address[64]; /* of the backend */
    bool ready[2];    /* the leg is open: TLS done, the session told */
    bool ended[2];    /* the session was told that the leg's input is over */
    bool closing;
};

/* Take over an accepted stream. When memory is out the stream is reset. */
void proxy_pair_accept(struct proxy_server *s, struct net_stream *stream);

/* Perform one output of its session. */
void proxy_pair_perform(struct proxy_pair *p, const struct proxy_output *out);

/* A SEND of its session was dropped. */
void proxy_pair_lost(struct proxy_pair *p, enum side to);

void proxy_pair_stop(struct proxy_pair *p, unsigned code, const char *reason);

/* Reset both sides, whatever is queued. */
void proxy_pair_abort(struct proxy_pair *p);

/* server.c: a pair is gone. */
void proxy_server_pair_gone(struct proxy_server *s);

#endif
