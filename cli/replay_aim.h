/*
 * cli/replay_aim - where `wstape replay --to` calls: what its URL has of path and
 * query.
 */
#ifndef WSTAPE_CLI_REPLAY_AIM_H
#define WSTAPE_CLI_REPLAY_AIM_H

#include "cli/replay_options.h"

/* A query in --to is that of every handshake. A path, but for "/", is that of the
 * tape's handshakes if they have but one; what becomes of it is said on stderr. Sets
 * o->play.path and o->play.query, which point into --to. Nothing to do without --to, or
 * when it is no URL (cli_run says so). */
void cli_replay_aim(struct cli_replay_options *o, const struct replay_script *s);

#endif
