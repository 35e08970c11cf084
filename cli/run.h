/*
 * cli/run - a proxy from its start to the exit status: signals, the port file, the
 * COMMAND, the end. Shared by record, inject and replay.
 */
#ifndef WSTAPE_CLI_RUN_H
#define WSTAPE_CLI_RUN_H

#include "cli/recorder.h"

struct cli_run;

struct cli_run_config {
    struct cli_recorder_config *recorder; /* borrowed; `stopped` and `owner` are set */
    const char *port_file;                /* NULL: none */
    char **command;                       /* NULL-terminated; NULL: none */
    /* It listens: say so. */
    void (*announce)(void *owner, const struct cli_recorder *r);
    /* Before the port file and the command; NULL: nothing to do. A negative errno with
     * words. */
    int (*start)(void *owner, struct cli_run *run, struct err *e);
    /* Once: it is about to stop, with all connections still there, or it has stopped
     * because the tape failed. NULL: nothing to do. */
    void (*stopping)(void *owner);
    /* All is over. Prints the summary, returns the exit status that the run itself
     * found (CLI_OK, or CLI_FOUND). `reason` is empty when the tape failed. */
    int (*finish)(void *owner, const struct cli_recorder_result *result,
                  const char *reason);
    void *owner;
};

/*
 * The exit status: the command's own if it is not 0; CLI_USAGE or CLI_FAILED, with
 * words to stderr, when it could not start; CLI_FAILED when the tape is not complete;
 * else what `finish` says.
 */
int cli_run(const struct cli_run_config *c);

/* For `start` and later. */
struct net_loop *cli_run_loop(const struct cli_run *run);
struct cli_recorder *cli_run_recorder(const struct cli_run *run);

/* The line about the tape that was written, "no tape" if there was none, to stderr. */
void cli_run_tell_tape(const struct cli_recorder_config *c,
                       const struct cli_recorder_result *t, const char *reason);

/* "no tape", "stdout", or the file. */
const char *cli_run_tape_name(const struct cli_recorder_config *c);

/* End it as a signal would, soon: not from within this call. `reason` is copied; the
 * first one counts. */
void cli_run_end(struct cli_run *run, const char *reason);

#endif
