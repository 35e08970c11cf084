/*
 * cli/demo_backend - an agent backend for the demo, on a loopback port.
 *
 * Answers GET /health, and on a WebSocket says connection_established and then, for
 * each chat_message, the five events of an agent's run, spread over a quarter of a
 * second. Never echoes what the client sent.
 */
#ifndef WSTAPE_CLI_DEMO_BACKEND_H
#define WSTAPE_CLI_DEMO_BACKEND_H

#include "base/err.h"
#include "net/loop.h"

struct demo_backend;

/* Listening on 127.0.0.1 once it returns 0; else a negative errno with words. */
int demo_backend_new(struct net_loop *loop, struct demo_backend **out, struct err *e);

uint16_t demo_backend_port(const struct demo_backend *b);

/* Stop listening. Connections end when their peers do. */
void demo_backend_stop(struct demo_backend *b);

/* After the loop has run out. Takes NULL. */
void demo_backend_free(struct demo_backend *b);

#endif
