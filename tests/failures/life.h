/*
 * tests/failures/life - what a client and its backend do through the proxy.
 *
 * Both ends are played by one blocking script, which knows at each step what must
 * arrive. A connection that ends early, or gets wstape's answer instead, is harmed; one
 * that gets anything else, or waits for ever, is wrong. What arrives must be on the
 * tape already.
 */
#ifndef WSTAPE_TESTS_FAILURES_LIFE_H
#define WSTAPE_TESTS_FAILURES_LIFE_H

#include "tests/failures/peer.h"

#include <stdint.h>

struct wire_inflate;

struct life {
    struct peer client, backend;
    const char *name; /* in the request's path */
    int listener;     /* of the backend */
    int tape;         /* descriptor; -1: what arrives need not be on it */
    SSL_CTX *client_tls, *backend_tls; /* NULL: plain */
    void (*met)(struct life *l);       /* both ends are connected; may be NULL */
    struct wire_inflate *inflate;      /* its own */
    bool harmed;
    char wrong[160]; /* "": nothing is */
};

/* To the proxy's port, as a WebSocket. */
bool life_open(struct life *l, uint16_t port);

/* A message there and back. */
bool life_echo(struct life *l, const char *text);

/* Close frames, then both ends. */
bool life_close(struct life *l);

/* Everything: HTTP first, then a WebSocket with messages that rules change, compressed
 * ones among them, and a large one; closed in the end. */
bool life_whole(struct life *l, uint16_t port);

/* The rules for that; a connection with another name is not touched. */
extern const char *const life_rules[];

/* Give both ends back, however far they came. */
void life_drop(struct life *l);

#endif
