/*
 * cli/demo_client - the demo's client: GET /health, then a WebSocket on /ws/test with
 * two chat messages, a ping and a close.
 *
 * Goes on only when the backend has said what it should, as a test would. Two things it
 * survives, and says that it saw them: a tool_executing without tool_name, and a close
 * before its time.
 */
#ifndef WSTAPE_CLI_DEMO_CLIENT_H
#define WSTAPE_CLI_DEMO_CLIENT_H

#include "base/err.h"
#include "net/loop.h"

struct demo_client;

struct demo_client_events {
    void (*saw)(void *owner, const char *what);
    /* Once, when the last socket is closed: NULL, or what it could not go on with. */
    void (*done)(void *owner, const struct err *e);
};

/* `events` is borrowed. -ENOMEM. */
int demo_client_start(struct net_loop *loop, uint16_t port,
                      const struct demo_client_events *events, void *owner,
                      struct demo_client **out);

/* Stop, with `done` saying `why`; nothing when it is done already. */
void demo_client_give_up(struct demo_client *c, const char *why);

/* After `done` and after the loop has run out. Takes NULL. */
void demo_client_free(struct demo_client *c);

#endif
