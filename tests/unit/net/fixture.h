/*
 * tests/unit/net/fixture - a loop, a listener and streams that write down what happens.
 *
 * A test says what it waits for; fixture_until runs the loop until that is true and
 * fails when 10 s were not enough. Nothing sleeps.
 */
#ifndef WSTAPE_TESTS_NET_FIXTURE_H
#define WSTAPE_TESTS_NET_FIXTURE_H

#include "base/buf.h"
#include "net/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* One stream and its log. */
struct end {
    struct net_stream *s; /* NULL once closed */
    struct buf got;
    size_t got_len; /* counts on when `forget` leaves `got` empty */
    bool forget;
    int ends[4]; /* statuses in order */
    unsigned end_count;
    unsigned drained;
    unsigned closed;
    bool echo;    /* send back what comes */
    bool in_call; /* a net_stream_ function is running: no callback may come */
};

struct fixture {
    struct net_loop *loop;
    struct net_listener *listener;
    uint16_t port;
    struct end a; /* the accepted one */
    struct end b; /* the connecting one, when it is ours */
    unsigned accepted;
    unsigned troubled;
    int trouble;
    struct net_timer *watchdog;
    bool (*wanted)(struct fixture *f);
    unsigned turns;
    long live; /* allocations before it all began */
};

void fixture_init(struct fixture *f); /* listens on 127.0.0.1 */
void fixture_init_on(struct fixture *f, const char *host);

/* Closes what is open, and checks that every allocation came back. */
void fixture_deinit(struct fixture *f);

void fixture_until(struct fixture *f, bool (*wanted)(struct fixture *f));

/* Both ends as streams of the loop. */
void fixture_pair(struct fixture *f);

/* The accepted end as a stream, the other one as a blocking descriptor. */
int fixture_peer(struct fixture *f);

/* Through net_stream_ with `in_call` set. */
void end_read(struct end *e, bool on);
int end_write(struct end *e, const void *at, size_t len);
int end_write_fill(struct end *e, size_t len); /* one slice of a repeating pattern */
void end_fin(struct end *e);
void end_close(struct end *e);
void end_reset(struct end *e);
void end_own(struct end *e, struct net_stream *s);

/* The pattern of end_write_fill at `at`. */
uint8_t fill_byte(size_t at);

#endif
