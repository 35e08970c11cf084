/*
 * cli/record_options - what `wstape record` and `wstape inject` are told.
 */
#ifndef WSTAPE_CLI_RECORD_OPTIONS_H
#define WSTAPE_CLI_RECORD_OPTIONS_H

#include "cli/options.h"
#include "cli/recorder.h"

struct cli_record_options {
    struct cli_recorder_config config;
    const char *sync;
    const char *port_file; /* NULL: none */
    struct cli_list faults;
    const char *seed;
    bool injects;    /* `wstape inject`: rules are needed, a tape is not */
    char output[64]; /* the default name */
    char **command;  /* NULL-terminated; NULL: none */
};

/* argv[0] is the command's name; `injects` is set by the caller. `config` gets defaults
 * and points into `o` and argv. 0, CLI_HELP, or -EINVAL with words. */
int cli_record_parse(struct cli_record_options *o, int argc, char **argv,
                     struct err *e);

/* ---- shared with replay: append options to a table, return where the next go ---- */

struct cli_option *cli_record_put_options(struct cli_option *to,
                                          const struct cli_option *from, size_t count);
struct cli_option *cli_record_put_tls(struct cli_record_options *o,
                                      struct cli_option *to);
struct cli_option *cli_record_put_limits(struct cli_record_options *o,
                                         struct cli_option *to);

/* After parsing: rules, seed and sync into `config`. -EINVAL with words. */
int cli_record_settle(struct cli_record_options *o, struct err *e);

#endif
