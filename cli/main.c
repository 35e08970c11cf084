#include "cli/options.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    { "record", "stand between client and backend and write what passes to a tape",
      cmd_record },
    { "inject", "stand between client and backend and break what passes", cmd_inject },
    { "replay", "let a tape play the backend, or the client", cmd_replay },
    { "faults", "list what can be broken, check files of rules", cmd_faults },
    { "show", "print a tape: connections, messages, times, ends", cmd_show },
    { "verify", "check every record of a tape, repair what can be repaired",
      cmd_verify },
    { "ca", "make and show the local authority for listening with TLS", cmd_ca },
    { "demo", "record a session with an embedded backend, break it, show both",
      cmd_demo },
    { NULL, NULL, NULL }
};

static const struct command *find(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static void print_help(FILE *to)
{
    fputs("wstape " WSTAPE_VERSION ", a WebSocket proxy that records and breaks\n\n"
          "Usage: wstape COMMAND [options]\n\nCommands:\n",
          to);
    for (const struct command *c = commands; c->name != NULL; c++) {
        fprintf(to, "  %-8s%s\n", c->name, c->summary);
    }
    fputs(
        "  help    print what a command takes: wstape help COMMAND\n\n"
        "Exit status: 0 done, 1 the run found what it looks for, 2 usage, 3 could not "
        "do it.\n",
        to);
}

static int unknown(const char *what, const char *typed)
{
    const char *names[sizeof(commands) / sizeof(commands[0]) + 1];
    const char *near;
    struct buf shown = { 0 };
    struct err e;
    size_t count = 0;

    for (const struct command *c = commands; c->name != NULL; c++) {
        names[count++] = c->name;
    }
    names[count++] = "help";
    names[count] = NULL;
    near = text_nearest(typed, names);
    (void)text_put_escaped(&shown, bytes_of(typed), 80);
    err_set(&e, 0, "unknown %s \"%.*s\" (%s%s%s)", what, (int)shown.len,
            shown.at == NULL ? "" : (const char *)shown.at,
            near == NULL ? "try: wstape --help" : "did you mean ",
            near == NULL ? "" : near, near == NULL ? "" : "?");
    buf_deinit(&shown);
    return cli_fail(CLI_USAGE, &e);
}

static int help(int argc, char **argv)
{
    char flag[] = "--help";
    char *args[3] = { NULL, flag, NULL };
    const struct command *c;

    if (argc < 2) {
        print_help(stdout);
        return CLI_OK;
    }
    c = find(argv[1]);
    if (c == NULL) {
        return unknown("command", argv[1]);
    }
    args[0] = argv[1];
    return c->run(2, args);
}

static int dispatch(int argc, char **argv)
{
    const struct command *c;

    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    c = find(argv[1]);
    if (c != NULL) {
        return c->run(argc - 1, argv + 1);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("wstape " WSTAPE_VERSION);
        return CLI_OK;
    }
    if (strcmp(argv[1], "help") == 0) {
        return help(argc - 1, argv + 1);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    return unknown(argv[1][0] == '-' ? "option" : "command", argv[1]);
}

int main(int argc, char **argv)
{
    int status = dispatch(argc, argv);
    struct err e;

    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    if (errno != EPIPE) {
        err_set(&e, 0, "cannot write to standard output: %s", strerror(errno));
        cli_fail(CLI_FAILED, &e);
    }
    return status == CLI_OK ? CLI_FAILED : status;
}
