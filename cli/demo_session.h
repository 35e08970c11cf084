/*
 * cli/demo_session - one session of the demo: its client talks to its backend through a
 * recorder, over real sockets.
 */
#ifndef WSTAPE_CLI_DEMO_SESSION_H
#define WSTAPE_CLI_DEMO_SESSION_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { DEMO_SIGHTS_MAX = 8 };

/* What the client saw and did not expect, in its own words. */
struct demo_sights {
    char at[DEMO_SIGHTS_MAX][256];
    size_t count;
};

struct demo_session_config {
    const char *tape;          /* FILE, not there yet */
    const char *const *faults; /* as of --fault */
    size_t fault_count;
    /* The backend listens; the recorder starts next. */
    void (*introduce)(const struct demo_session_config *c, uint16_t backend_port);
};

/* Just the client, with whoever listens on this port of 127.0.0.1. As below. */
int demo_session_call(uint16_t port, struct demo_sights *out, struct err *e);

/* Runs its own loop; the tape is finished and closed when it returns. 0: `*out` is set;
 * else a negative errno with words. */
int demo_session_record(const struct demo_session_config *c, struct demo_sights *out,
                        struct err *e);

#endif
