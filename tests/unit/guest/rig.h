/*
 * A server with guests, real sockets beside it, and a tape in memory, in one loop.
 *
 * A test says what it waits for; rig_until runs the loop until that is true and fails
 * when 10 s were not enough.
 */
#ifndef WSTAPE_TESTS_GUEST_RIG_H
#define WSTAPE_TESTS_GUEST_RIG_H

#include "base/buf.h"
#include "net/stream.h"
#include "proxy/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct rig;

/* A guest that writes down what it is told. */
struct guest {
    struct rig *rig;
    struct proxy_seat *seat;
    uint32_t number;
    struct buf got;
    const char *answer; /* said once, at the first bytes */
    bool echo;
    size_t flood; /* bytes to say yet, a burst each time it comes round */
    size_t said;  /* of the flood */
    size_t ahead; /* most of it that was ever beyond what the peer has got */
    enum capture_end kind;
    char why[256];
    unsigned opens, readies, ends, gones;
    unsigned stops, goes; /* flow off, on */
    bool cut_short;       /* at its end */
};

/* A real peer: a client of the server, or its backend. */
struct peer {
    struct rig *rig;
    struct net_stream *s; /* NULL: closed */
    struct buf got;
    size_t got_len; /* counts on when `forget` leaves `got` empty */
    bool forget;
    const char *answer; /* said once, at the first bytes */
    unsigned ends;
    int end;     /* status of the last */
    bool came;   /* connected, or accepted */
    int refusal; /* negative errno: could not connect */
};

struct rig {
    struct net_loop *loop;
    struct proxy_server *server;
    struct capture_writer *writer; /* NULL: no tape */
    struct buf tape;               /* in `space` */
    uint8_t space[64 * 1024];
    struct net_listener *listener; /* of the backend */
    struct net_target *target;     /* the server */
    struct guest backend, caller;
    struct peer client, server_peer;
    struct net_timer *watchdog;
    bool (*wanted)(struct rig *r);
    bool stopped;
    long live;
};

enum rig_kind {
    RIG_BACKEND = 1, /* a guest is the backend */
    RIG_CALLS = 2,   /* guests call, nobody listens */
    RIG_TAPE = 4,
    RIG_UNREACHABLE = 8, /* nobody listens at the upstream */
};

/* 0 or -ENOMEM. */
int rig_init(struct rig *r, unsigned kind);
void rig_deinit(struct rig *r); /* stops the server, checks that nothing is left */

bool rig_until(struct rig *r, bool (*wanted)(struct rig *r));

int rig_connect(struct rig *r); /* the client, to the server */
void rig_say(struct peer *p, const char *text);
int rig_call(struct rig *r); /* the caller */

bool rig_got(const struct buf *b, const char *text); /* it is in there */

#endif
