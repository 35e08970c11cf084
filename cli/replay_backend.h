/*
 * cli/replay_backend - a tape as the guest that is the backend: one player a
 * connection.
 */
#ifndef WSTAPE_CLI_REPLAY_BACKEND_H
#define WSTAPE_CLI_REPLAY_BACKEND_H

#include "base/list.h"
#include "net/loop.h"
#include "proxy/guest.h"
#include "replay/stage.h"

struct cli_replay_backend {
    struct proxy_guest guest; /* for the server */
    struct replay_stage *stage;
    struct net_loop *loop; /* known before anybody connects */
    struct list seats;
    bool stopped;
};

/* `stage` is borrowed. Nothing is to be freed: all seats are gone with the server. */
void cli_replay_backend_init(struct cli_replay_backend *b, struct replay_stage *stage);

/* The run ends: every player tells what it waits for. */
void cli_replay_backend_stop(struct cli_replay_backend *b);

#endif
