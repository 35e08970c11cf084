#include "cli/record_options.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SYNC_SECONDS_MAX = 24 * 60 * 60,
    MOST_NAMES = 100, /* default names tried within one second */
};

static const char more[] =
    "\n"
    "Every byte is on the tape before it is passed on. Requests and frames pass as "
    "they\n"
    "came; only Host is set to the upstream's, and an Origin that names the listener.\n"
    "With -- COMMAND, the command runs with WSTAPE_URL and WSTAPE_HTTP_URL set, and "
    "its\n"
    "exit status is passed on. A path in --upstream is not sent: it only ends up in\n"
    "WSTAPE_URL.\n"
    "\n"
    "  wstape record -u wss://staging.example.com -o s.wstape -- pytest tests/\n"
    "  wstape record -u ws://localhost:8000 -l wss://localhost:8443\n";

static const char more_inject[] =
    "\n"
    "As `wstape record`, with rules; a tape is only written with --output.\n"
    "\n"
    "  wstape inject -u ws://localhost:8000 --fault close=1011,from=server,message=5\n"
    "  wstape inject -u ws://localhost:8000 --faults faults.yaml --seed 42 -- pytest\n";

static int parse_sync(struct cli_record_options *o, struct err *e)
{
    uint64_t seconds;

    if (o->sync == NULL || strcmp(o->sync, "none") == 0) {
        return 0;
    }
    if (strcmp(o->sync, "always") == 0) {
        o->config.sync_always = true;
        return 0;
    }
    if (text_parse_number(o->sync, 1, SYNC_SECONDS_MAX, &seconds) == 0) {
        o->config.sync_every_ns = (int64_t)seconds * CLOCK_NS_PER_S;
        return 0;
    }
    if (text_parse_duration(o->sync, &o->config.sync_every_ns) == 0 &&
        o->config.sync_every_ns > 0) {
        return 0;
    }
    return err_set(e, -EINVAL,
                   "--sync takes none, always or seconds such as 5 (up to a day), not "
                   "\"%s\"",
                   o->sync);
}

enum { OPTIONS_MAX = 32 };

#define OPTION_COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct cli_option *cli_record_put_options(struct cli_option *to,
                                          const struct cli_option *from, size_t count)
{
    memcpy(to, from, count * sizeof(*from));
    return to + count;
}

static struct cli_option *put_address_options(struct cli_record_options *o,
                                              struct cli_option *to)
{
    struct cli_recorder_config *c = &o->config;
    const struct cli_option table[] = {
        { .name = "upstream",
          .letter = 'u',
          .kind = CLI_TEXT,
          .value = "URL",
          .help = "the backend: ws://, wss:// (required)",
          .to = &c->upstream },
        { .name = "listen",
          .letter = 'l',
          .kind = CLI_TEXT,
          .value = "URL",
          .help = "where clients connect (ws://127.0.0.1:8001; port 0: any)",
          .to = &c->listen },
        { .name = "output",
          .letter = 'o',
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "the tape (session-<UTC>.wstape; -: stdout)",
          .to = &c->output },
        { .name = "faults",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "rules in YAML; SIGHUP reads them again",
          .to = &c->faults_file },
        { .name = "fault",
          .kind = CLI_LIST,
          .value = "RULE",
          .help = "one rule, as `wstape faults` shows (repeatable)",
          .to = &o->faults },
        { .name = "seed",
          .kind = CLI_TEXT,
          .value = "N",
          .help = "of all chance (drawn and printed)",
          .to = &o->seed },
        { .name = "max-message",
          .kind = CLI_SIZE,
          .value = "SIZE",
          .help = "larger messages pass the rules (16M)",
          .to = &c->max_message },
        { .name = "port-file",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "write the bound port there once ready",
          .to = &o->port_file },
        { .name = "keep-host",
          .kind = CLI_FLAG,
          .help = "pass the client's Host and Origin on",
          .to = &c->keep_host },
    };

    return cli_record_put_options(to, table, OPTION_COUNT(table));
}

struct cli_option *cli_record_put_tls(struct cli_record_options *o,
                                      struct cli_option *to)
{
    struct cli_recorder_config *c = &o->config;
    const struct cli_option table[] = {
        { .name = "tls-cert",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "PEM chain for wss:// listening (default: made by `wstape ca`)",
          .to = &c->tls_cert },
        { .name = "tls-key",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "its key (default: in --tls-cert)",
          .to = &c->tls_key },
        { .name = "upstream-ca",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "PEM authorities to trust (default: the system's)",
          .to = &c->upstream_ca },
        { .name = "upstream-cert",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "PEM client certificate for the backend",
          .to = &c->upstream_cert },
        { .name = "upstream-key",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "its key (default: in --upstream-cert)",
          .to = &c->upstream_key },
        { .name = "upstream-insecure",
          .kind = CLI_FLAG,
          .help = "do not verify the backend's certificate",
          .to = &c->upstream_insecure },
    };

    return cli_record_put_options(to, table, OPTION_COUNT(table));
}

struct cli_option *cli_record_put_limits(struct cli_record_options *o,
                                         struct cli_option *to)
{
    static const char *const policies[] = { "stop", "pass", NULL };
    struct cli_recorder_config *c = &o->config;
    const struct cli_option table[] = {
        { .name = "connect-timeout",
          .kind = CLI_DURATION,
          .value = "TIME",
          .help = "for the backend to be reached, 0: none (10s)",
          .to = &c->connect_timeout_ns },
        { .name = "head-timeout",
          .kind = CLI_DURATION,
          .value = "TIME",
          .help = "for a request head to arrive, 0: none (30s)",
          .to = &c->head_timeout_ns },
        { .name = "idle-timeout",
          .kind = CLI_DURATION,
          .value = "TIME",
          .help = "end a connection without traffic, 0: never (0)",
          .to = &c->idle_timeout_ns },
        { .name = "max-connections",
          .kind = CLI_NUMBER,
          .value = "N",
          .help = "at once; more get 503 (10000)",
          .to = &c->max_connections,
          .min = 1,
          .max = 1000000 },
        { .name = "http-body-limit",
          .kind = CLI_SIZE,
          .value = "SIZE",
          .help = "of one HTTP body kept on the tape (1M)",
          .to = &c->http_body_limit },
        { .name = "sync",
          .kind = CLI_TEXT,
          .value = "WHEN",
          .help = "fdatasync: none, always, or every SECONDS (none)",
          .to = &o->sync },
        { .name = "on-write-error",
          .kind = CLI_CHOICE,
          .value = "stop|pass",
          .help = "close all with 1011, or go on unrecorded (stop)",
          .to = &c->policy,
          .names = policies },
    };

    return cli_record_put_options(to, table, OPTION_COUNT(table));
}

static int parse_seed(struct cli_record_options *o, struct err *e)
{
    struct cli_recorder_config *c = &o->config;

    c->fault_lines = o->faults.at;
    c->fault_count = o->faults.count;
    if (o->seed == NULL) {
        return 0;
    }
    if (text_parse_number(o->seed, 0, UINT64_MAX, &c->seed) < 0) {
        return err_set(e, -EINVAL, "--seed takes a number, not \"%s\"", o->seed);
    }
    c->has_seed = true;
    return 0;
}

int cli_record_settle(struct cli_record_options *o, struct err *e)
{
    int r = parse_seed(o, e);

    return r == 0 ? parse_sync(o, e) : r;
}

/* "2026-11-20T23:05:01.123Z" becomes "20261120T230501". */
static void squeeze_time(struct bytes utc, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < utc.len && utc.at[i] != '.' && n + 1 < cap; i++) {
        if (utc.at[i] != '-' && utc.at[i] != ':') {
            out[n++] = (char)utc.at[i];
        }
    }
    out[n] = '\0';
}

static void name_output(struct cli_record_options *o)
{
    struct buf utc = { 0 };
    char time[32] = "";

    if (o->config.output != NULL || o->injects) {
        return;
    }
    if (text_put_utc(&utc, clock_wall_ns()) == 0) {
        squeeze_time(buf_bytes(&utc), time, sizeof(time));
    }
    for (unsigned n = 1; n < MOST_NAMES; n++) {
        snprintf(o->output, sizeof(o->output),
                 n == 1 ? "session-%sZ.wstape" : "session-%sZ-%u.wstape", time, n);
        if (access(o->output, F_OK) != 0) {
            break;
        }
    }
    o->config.output = o->output;
    buf_deinit(&utc);
}

static int check_needed(const struct cli_record_options *o, const char *name,
                        struct err *e)
{
    if (o->config.upstream == NULL) {
        return err_set(e, -EINVAL,
                       "%s: --upstream URL is missing: where is the backend? (for "
                       "example --upstream ws://localhost:8000)",
                       name);
    }
    if (o->injects && o->config.faults_file == NULL && o->faults.count == 0) {
        return err_set(e, -EINVAL,
                       "inject: no rules: give --faults FILE or --fault RULE (`wstape "
                       "faults` lists what there is)");
    }
    return 0;
}

int cli_record_parse(struct cli_record_options *o, int argc, char **argv, struct err *e)
{
    static const struct cli_command commands[2] = {
        { .name = "record",
          .usage = "--upstream URL [options] [-- COMMAND...]",
          .summary =
              "Stand between a client and its backend; write what passes to a tape.",
          .more = more,
          .takes_command = true },
        { .name = "inject",
          .usage =
              "--upstream URL --faults FILE|--fault RULE [options] [-- COMMAND...]",
          .summary = "Stand between a client and its backend; break what passes.",
          .more = more_inject,
          .takes_command = true },
    };
    const struct cli_command *command = &commands[o->injects ? 1 : 0];
    struct cli_option table[OPTIONS_MAX] = { { .name = NULL } };
    struct cli_parsed parsed;
    int r;

    cli_recorder_defaults(&o->config);
    cli_record_put_limits(o, cli_record_put_tls(o, put_address_options(o, table)));
    r = cli_parse(command, table, argc, argv, &parsed, e);
    if (r != 0) {
        return r;
    }
    o->command = parsed.command;
    r = check_needed(o, command->name, e);
    if (r == 0) {
        r = cli_record_settle(o, e);
    }
    if (r == 0) {
        name_output(o);
    }
    return r;
}
