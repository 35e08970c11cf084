/*
 * cli/replay_show - where the events of a play are printed, and how far it has come.
 *
 * The tape as backend talks on stderr, as client it says its results on stdout; JSON
 * goes to stdout in both roles.
 */
#ifndef WSTAPE_CLI_REPLAY_SHOW_H
#define WSTAPE_CLI_REPLAY_SHOW_H

#include "net/loop.h"
#include "replay/report.h"
#include "replay/volatility.h"

struct cli_replay_client;

struct cli_replay_show {
    struct replay_stage *stage;
    struct replay_report *report;
    bool calls, json, verbose;
    struct buf line; /* scratch */
    struct net_loop *loop;
    struct net_timer *timer; /* of the progress line; NULL: there is none */
    const struct cli_replay_client *client;
    bool shown; /* a progress line is on the terminal */
};

/* Count an event, and print what it has to say. */
void cli_replay_show_event(struct cli_replay_show *s, const struct replay_event *e);

/* -v: what is volatile, and what is linked. -ENOMEM. */
int cli_replay_show_tape(struct cli_replay_show *s, const struct replay_volatility *v);

/* A line on the terminal, if stderr is one, while several copies play. */
void cli_replay_show_progress(struct cli_replay_show *s, struct net_loop *loop,
                              const struct cli_replay_client *client);
/* No more of it, from now on; the loop may end. */
void cli_replay_show_no_progress(struct cli_replay_show *s);

/* The summary. */
void cli_replay_show_end(struct cli_replay_show *s);

void cli_replay_show_deinit(struct cli_replay_show *s);

#endif
