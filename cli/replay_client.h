/*
 * cli/replay_client - a tape as the guests that call: every copy of it, as its schedule
 * says, one caller a connection.
 */
#ifndef WSTAPE_CLI_REPLAY_CLIENT_H
#define WSTAPE_CLI_REPLAY_CLIENT_H

#include "base/err.h"
#include "base/list.h"
#include "cli/run.h"
#include "replay/stage.h"

struct cli_replay_client {
    struct replay_stage *stage;
    struct cli_run *run;
    struct replay_copy *copies; /* by number, from 0 */
    int64_t connect_ns; /* the proxy's limit for a backend: what says no more is given
                           up --timeout after that */
    uint32_t copy_count;
    uint32_t copies_done;
    uint64_t calls, calls_done;
    struct list seats;
    char unreachable[512]; /* why; empty: it could be reached */
    bool stopping;
};

/* `stage` is borrowed. */
void cli_replay_client_init(struct cli_replay_client *c, struct replay_stage *stage,
                            uint32_t copies);

/* Begin; ends the run when all are done, or the backend cannot be reached. -ENOMEM with
 * words. */
int cli_replay_client_start(struct cli_replay_client *c, struct cli_run *run,
                            struct err *e);

/* The run ends: every caller tells what it waits for. */
void cli_replay_client_stop(struct cli_replay_client *c);

/* All seats are gone. Zeroed is fine. */
void cli_replay_client_deinit(struct cli_replay_client *c);

#endif
