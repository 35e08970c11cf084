/*
 * cli/options - a command's options as a table, read from argv.
 *
 * Long options take "--name value" and "--name=value", short ones "-o value" and
 * "-ofile". Options and operands may be mixed; "--" ends the options: what follows is
 * the COMMAND (record) or more operands. Unknown options are errors with a suggestion.
 * -h and --help are understood by every command and print the table.
 */
#ifndef WSTAPE_CLI_OPTIONS_H
#define WSTAPE_CLI_OPTIONS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum cli_kind {
    CLI_FLAG,     /* bool *: set to true */
    CLI_TEXT,     /* const char **: points into argv */
    CLI_LIST,     /* struct cli_list *: repeatable */
    CLI_DURATION, /* int64_t *, nanoseconds */
    CLI_SIZE,     /* uint64_t *, bytes */
    CLI_NUMBER,   /* uint64_t *, within min..max */
    CLI_CHOICE,   /* int *: index in `names` */
};

struct cli_list {
    const char *at[64];
    size_t count;
};

struct cli_option {
    const char *name; /* without "--"; NULL ends the table */
    char letter;      /* 0: none */
    enum cli_kind kind;
    const char *value; /* what --help calls the value: "URL", "FILE" */
    const char *help;  /* one line, the default included */
    void *to;
    const char *const *names; /* CHOICE: NULL-terminated */
    uint64_t min, max;        /* NUMBER */
};

struct cli_command {
    const char *name;    /* "record" */
    const char *usage;   /* "--upstream URL [options] [-- COMMAND...]" */
    const char *summary; /* one line */
    const char *more;    /* help after the table: examples; may be NULL */
    bool takes_command;  /* "--" starts a COMMAND instead of more operands */
    size_t operands_min, operands_max;
};

struct cli_parsed {
    const char *operands[16];
    size_t operand_count;
    char **command; /* NULL-terminated, NULL when there was no "--" */
};

enum { CLI_HELP = 1 }; /* --help was printed to stdout; exit 0 */

/* argv[0] is the command's name. 0, CLI_HELP, or -EINVAL with words in `e` ("record:
 * unknown option --upstrem (did you mean --upstream?)"). */
int cli_parse(const struct cli_command *c, const struct cli_option *table, int argc,
              char **argv, struct cli_parsed *out, struct err *e);

/* Exit statuses of interface "Everywhere". */
enum { CLI_OK = 0, CLI_FOUND = 1, CLI_USAGE = 2, CLI_FAILED = 3 };

/* "wstape: " and the words, to stderr; returns `status`. */
int cli_fail(int status, const struct err *e);

/* True when `f` is a terminal and NO_COLOR is not set (https://no-color.org). */
bool cli_wants_colour(FILE *f);

/* One file a command: argv[0] is the command's name; returns the exit status. */
int cmd_record(int argc, char **argv);
int cmd_inject(int argc, char **argv);
int cmd_faults(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_ca(int argc, char **argv);
int cmd_demo(int argc, char **argv);

#endif
