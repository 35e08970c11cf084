/*
 * cli/replay_perform - what a player or caller wishes, done at its seat.
 */
#ifndef WSTAPE_CLI_REPLAY_PERFORM_H
#define WSTAPE_CLI_REPLAY_PERFORM_H

#include "net/loop.h"
#include "proxy/guest.h"
#include "replay/output.h"

/* After every input, which returned `r`: send and empty `out->send`, then end, then set
 * `timer`, or ask for `again` when the wake is due. Want of memory resets the
 * connection. */
void cli_replay_perform(struct proxy_seat *seat, struct net_timer *timer,
                        struct replay_output *out, int r, int64_t now_ns);

#endif
