/*
 * cli/replay_options - what `wstape replay` is told, in both roles.
 */
#ifndef WSTAPE_CLI_REPLAY_OPTIONS_H
#define WSTAPE_CLI_REPLAY_OPTIONS_H

#include "cli/record_options.h"
#include "replay/stage.h"

struct cli_replay_options {
    struct cli_record_options record; /* addresses, TLS, rules, limits, a new tape */
    const char *tape;                 /* what is played; "-": stdin */
    bool calls;                       /* --to: the tape is the client */
    struct replay_options play;
    struct replay_rules rules; /* `volatility` is filled in by who has the tape */
    uint64_t copies;
    bool verbose, json;
    const char *junit; /* FILE, NULL: none */

    /* As typed. */
    const char *pace;
    int gate, substitute, match, on_mismatch, when_exhausted; /* negative: not given */
    int64_t timeout_ns;                                       /* likewise */
    struct cli_list ignore, header;
    struct inject_path *paths[REPLAY_IGNORE_MAX]; /* owned; rules.ignore are these */
};

/* 0, CLI_HELP, -EINVAL with words, -ENOMEM. To be deinitialized in any case. */
int cli_replay_parse(struct cli_replay_options *o, int argc, char **argv,
                     struct err *e);
void cli_replay_options_deinit(struct cli_replay_options *o);

#endif
