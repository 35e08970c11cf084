#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/options.h"
#include "cli/recorder.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One `wstape record`, from its options to its exit status. */
struct run {
    struct cli_recorder_config config;
    const char *sync;
    const char *port_file;
    char output[64]; /* the default name */
    char **command;
    struct net_loop *loop;
    struct cli_recorder *recorder;
    struct net_signal *signals[2];
    struct net_child *child;
    char reason[64]; /* why it ends */
    int signals_seen;
    int child_status; /* as a shell would say it */
    bool stopped;     /* the recorder has no connection left */
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

/* ---- options ---- */

static int parse_sync(struct run *run, struct err *e)
{
    if (run->sync == NULL || strcmp(run->sync, "none") == 0) {
        return 0;
    }
    if (strcmp(run->sync, "always") == 0) {
        run->config.sync_always = true;
        return 0;
    }
    if (text_parse_duration(run->sync, &run->config.sync_every_ns) == 0 &&
        run->config.sync_every_ns > 0) {
        return 0;
    }
    return err_set(e, -EINVAL,
                   "--sync takes none, always or a time such as 5s, not \"%s\"",
                   run->sync);
}

enum { OPTIONS_MAX = 32 };

#define OPTION_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Append `count` options; returns where the next go. */
static struct cli_option *put_options(struct cli_option *to,
                                      const struct cli_option *from, size_t count)
{
    memcpy(to, from, count * sizeof(*from));
    return to + count;
}

static struct cli_option *put_address_options(struct run *run, struct cli_option *to)
{
    struct cli_recorder_config *c = &run->config;
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
        { .name = "port-file",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "write the bound port there once ready",
          .to = &run->port_file },
        { .name = "keep-host",
          .kind = CLI_FLAG,
          .help = "pass the client's Host and Origin on",
          .to = &c->keep_host },
    };

    return put_options(to, table, OPTION_COUNT(table));
}

static struct cli_option *put_tls_options(struct run *run, struct cli_option *to)
{
    struct cli_recorder_config *c = &run->config;
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

    return put_options(to, table, OPTION_COUNT(table));
}

static struct cli_option *put_limit_options(struct run *run, struct cli_option *to)
{
    static const char *const policies[] = { "stop", "pass", NULL };
    struct cli_recorder_config *c = &run->config;
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
          .help = "fdatasync: none, always, or every TIME (none)",
          .to = &run->sync },
        { .name = "on-write-error",
          .kind = CLI_CHOICE,
          .value = "stop|pass",
          .help = "close all with 1011, or go on unrecorded (stop)",
          .to = &c->policy,
          .names = policies },
    };

    return put_options(to, table, OPTION_COUNT(table));
}

static int parse(struct run *run, int argc, char **argv, struct err *e)
{
    const struct cli_command command = {
        .name = "record",
        .usage = "--upstream URL [options] [-- COMMAND...]",
        .summary =
            "Stand between a client and its backend; write what passes to a tape.",
        .more = more,
        .takes_command = true,
    };
    struct cli_option table[OPTIONS_MAX] = { { .name = NULL } };
    struct cli_parsed parsed;
    int r;

    put_limit_options(run, put_tls_options(run, put_address_options(run, table)));
    r = cli_parse(&command, table, argc, argv, &parsed, e);
    if (r != 0) {
        return r;
    }
    run->command = parsed.command;
    if (run->config.upstream == NULL) {
        return err_set(e, -EINVAL,
                       "record: --upstream URL is missing: where is the backend? (for "
                       "example --upstream ws://localhost:8000)");
    }
    return parse_sync(run, e);
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

static void name_output(struct run *run)
{
    struct buf utc = { 0 };
    char time[32] = "";

    if (run->config.output != NULL) {
        return;
    }
    if (text_put_utc(&utc, clock_wall_ns()) == 0) {
        squeeze_time(buf_bytes(&utc), time, sizeof(time));
    }
    snprintf(run->output, sizeof(run->output), "session-%sZ.wstape", time);
    run->config.output = run->output;
    buf_deinit(&utc);
}

/* ---- ready ---- */

/* Whole or not at all: a reader must never see half a number. */
static int write_port_file(const struct run *run, struct err *e)
{
    char path[4096];
    FILE *f;
    int r;

    if (run->port_file == NULL) {
        return 0;
    }
    snprintf(path, sizeof(path), "%s.%ld", run->port_file, (long)getpid());
    f = fopen(path, "we");
    if (f == NULL) {
        return err_set(e, -errno, "--port-file %s: %s", run->port_file,
                       strerror(errno));
    }
    r = fprintf(f, "%u\n", (unsigned)cli_recorder_port(run->recorder)) < 0 ? -EIO : 0;
    if (fclose(f) != 0 || r < 0 || rename(path, run->port_file) != 0) {
        r = errno == 0 ? -EIO : -errno;
        unlink(path);
        return err_set(e, r, "--port-file %s: %s", run->port_file, strerror(-r));
    }
    return 0;
}

static void announce(const struct run *run)
{
    struct buf url = { 0 };

    if (cli_recorder_put_url(run->recorder, false, &url) == 0) {
        fprintf(stderr, "wstape: recording %.*s -> %s to %s\n", (int)url.len,
                (const char *)url.at, run->config.upstream,
                strcmp(run->config.output, "-") == 0 ? "stdout" : run->config.output);
    }
    buf_deinit(&url);
}

/* ---- ending ---- */

static void stop(struct run *run, const char *reason)
{
    if (run->reason[0] == '\0') {
        snprintf(run->reason, sizeof(run->reason), "%s", reason);
    }
    for (int i = 0; i < 2 && run->child == NULL && run->stopped; i++) {
        net_signal_free(run->signals[i]);
        run->signals[i] = NULL;
    }
    if (!run->stopped) {
        cli_recorder_stop(run->recorder, reason);
    }
}

/* Both the recorder and the command are gone: nothing keeps the loop alive. */
static void end_if_over(struct run *run)
{
    if (!run->stopped || run->child != NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        net_signal_free(run->signals[i]);
        run->signals[i] = NULL;
    }
}

static void recorder_stopped(void *owner)
{
    struct run *run = owner;

    run->stopped = true;
    end_if_over(run);
}

/* The terminal sends ^C to the command as well: once is enough. */
static bool command_has_it(int number)
{
    return number == SIGINT && isatty(STDIN_FILENO) &&
           tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void on_signal(void *owner, int number)
{
    struct run *run = owner;
    const char *name = number == SIGINT ? "SIGINT" : "SIGTERM";

    run->signals_seen++;
    if (run->child != NULL && run->signals_seen == 1) {
        if (!command_has_it(number)) {
            net_child_kill(run->child, number);
        }
        return; /* the command's end stops the recording */
    }
    if (run->child != NULL) {
        net_child_kill(run->child, SIGKILL);
    }
    stop(run, name);
}

static void command_done(void *owner, int status, int signal)
{
    struct run *run = owner;
    char reason[64];

    run->child = NULL;
    run->child_status = signal != 0 ? 128 + signal : status;
    if (signal != 0) {
        snprintf(reason, sizeof(reason), "command ended by signal %d", signal);
    } else {
        snprintf(reason, sizeof(reason), "command exited with status %d", status);
    }
    if (!run->stopped) {
        stop(run, reason);
    }
    end_if_over(run);
}

static int start_command(struct run *run, struct err *e)
{
    struct buf ws = { 0 }, http = { 0 };
    char *env[3] = { NULL, NULL, NULL };
    int r;

    if (run->command == NULL) {
        return 0;
    }
    r = buf_put_text(&ws, "WSTAPE_URL=");
    if (r == 0) {
        r = cli_recorder_put_url(run->recorder, false, &ws);
    }
    if (r == 0) {
        r = buf_put_text(&http, "WSTAPE_HTTP_URL=");
    }
    if (r == 0) {
        r = cli_recorder_put_url(run->recorder, true, &http);
    }
    if (r == 0 && buf_put_byte(&ws, 0) == 0 && buf_put_byte(&http, 0) == 0) {
        env[0] = (char *)ws.at;
        env[1] = (char *)http.at;
        r = net_child_start(run->loop, run->command, env, command_done, run,
                            &run->child);
    }
    buf_deinit(&ws);
    buf_deinit(&http);
    return r < 0 ? err_set(e, r, "cannot start %s: %s", run->command[0], strerror(-r))
                 : r;
}

static int start(struct run *run, struct err *e)
{
    static const int numbers[2] = { SIGINT, SIGTERM };
    int r = cli_recorder_new(run->loop, &run->config, &run->recorder, e);

    if (r < 0) {
        return r;
    }
    for (int i = 0; i < 2 && r == 0; i++) {
        run->signals[i] = net_signal_new(run->loop, numbers[i], on_signal, run);
        if (run->signals[i] == NULL) {
            r = err_set(e, -ENOMEM, "out of memory");
        }
    }
    if (r == 0) {
        announce(run);
        r = write_port_file(run, e);
    }
    return r == 0 ? start_command(run, e) : r;
}

static void summarize(const struct run *run, const struct cli_recorder_result *t)
{
    struct buf size = { 0 };

    if (text_put_size(&size, t->bytes) == 0) {
        fprintf(stderr, "wstape: %s: %u connection%s, %llu records, %.*s (%s)\n",
                strcmp(run->config.output, "-") == 0 ? "stdout" : run->config.output,
                t->connections, t->connections == 1 ? "" : "s",
                (unsigned long long)t->records, (int)size.len, (const char *)size.at,
                run->reason[0] == '\0' ? "the tape failed" : run->reason);
    }
    if (t->lost_records > 0) {
        fprintf(stderr,
                "wstape: %llu records are MISSING: the tape could not be written\n",
                (unsigned long long)t->lost_records);
    }
    buf_deinit(&size);
}

static int finish(struct run *run)
{
    struct cli_recorder_result result;
    int r = cli_recorder_finish(run->recorder, run->reason, &result);
    struct err e;

    summarize(run, &result);
    if (r == 0) {
        r = result.tape_error;
    }
    if (run->child_status != 0) {
        return run->child_status;
    }
    if (r < 0) {
        err_set(&e, r, "%s: the tape is not complete: %s", run->config.output,
                strerror(-r));
        return cli_fail(CLI_FAILED, &e);
    }
    return CLI_OK;
}

/* Usage errors are the user's (2); everything else could not be done (3). */
static int failed(int r, const struct err *e)
{
    return cli_fail(r == -EINVAL ? CLI_USAGE : CLI_FAILED, e);
}

static int run_loop(struct run *run)
{
    struct err e;
    int r = start(run, &e);
    int status;

    if (r < 0 && run->recorder == NULL) {
        net_loop_run(run->loop); /* for what it closes */
        return failed(r, &e);
    }
    if (r < 0) {
        stop(run, "could not start");
    }
    net_loop_run(run->loop);
    status = finish(run);
    return r < 0 ? cli_fail(CLI_FAILED, &e) : status;
}

int cmd_record(int argc, char **argv)
{
    struct run run = { 0 };
    struct err e;
    int r, status;

    cli_recorder_defaults(&run.config);
    r = parse(&run, argc, argv, &e);
    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    name_output(&run);
    run.config.stopped = recorder_stopped;
    run.config.owner = &run;
    r = net_loop_new(&run.loop);
    if (r < 0) {
        err_set(&e, r, "cannot make an event loop: %s", strerror(-r));
        return cli_fail(CLI_FAILED, &e);
    }
    status = run_loop(&run);
    net_loop_free(run.loop);
    return status;
}
