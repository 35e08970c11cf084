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

enum { SIGNALS = 3 };

/* One `wstape record` or `wstape inject`, from its options to its exit status. */
struct run {
    struct cli_recorder_config config;
    const char *sync;
    const char *port_file;
    struct cli_list faults;
    const char *seed;
    bool injects;    /* `wstape inject`: rules are needed, a tape is not */
    char output[64]; /* the default name */
    char **command;
    struct net_loop *loop;
    struct cli_recorder *recorder;
    struct net_signal *signals[SIGNALS];
    struct net_child *child;
    char reason[64]; /* why it ends */
    int signals_seen;
    int child_status; /* as a shell would say it */
    bool stopped;     /* the recorder has no connection left */
};

static const char *const policies[] = { "stop", "pass", NULL };

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

static int parse_seed(struct run *run, struct err *e)
{
    struct cli_recorder_config *c = &run->config;

    c->fault_lines = run->faults.at;
    c->fault_count = run->faults.count;
    if (run->seed == NULL) {
        return 0;
    }
    if (text_parse_number(run->seed, 0, UINT64_MAX, &c->seed) < 0) {
        return err_set(e, -EINVAL, "--seed takes a number, not \"%s\"", run->seed);
    }
    c->has_seed = true;
    return 0;
}

static int parse(struct run *run, int argc, char **argv, struct err *e)
{
    struct cli_recorder_config *c = &run->config;
    const struct cli_option table[] = {
        { "upstream", 'u', CLI_TEXT, "URL", "the backend: ws://, wss:// (required)",
          &c->upstream, NULL, 0, 0 },
        { "listen", 'l', CLI_TEXT, "URL",
          "where clients connect (ws://127.0.0.1:8001; port 0: any)", &c->listen, NULL,
          0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "the tape (session-<UTC>.wstape; -: stdout)",
          &c->output, NULL, 0, 0 },
        { "faults", 0, CLI_TEXT, "FILE", "rules in YAML; SIGHUP reads them again",
          &c->faults_file, NULL, 0, 0 },
        { "fault", 0, CLI_LIST, "RULE",
          "one rule, as `wstape faults` shows (repeatable)", &run->faults, NULL, 0, 0 },
        { "seed", 0, CLI_TEXT, "N", "of all chance (drawn and printed)", &run->seed,
          NULL, 0, 0 },
        { "max-message", 0, CLI_SIZE, "SIZE", "larger messages pass the rules (16M)",
          &c->max_message, NULL, 0, 0 },
        { "tls-cert", 0, CLI_TEXT, "FILE",
          "PEM chain for wss:// listening (default: made by `wstape ca`)", &c->tls_cert,
          NULL, 0, 0 },
        { "tls-key", 0, CLI_TEXT, "FILE", "its key (default: in --tls-cert)",
          &c->tls_key, NULL, 0, 0 },
        { "upstream-ca", 0, CLI_TEXT, "FILE",
          "PEM authorities to trust (default: the system's)", &c->upstream_ca, NULL, 0,
          0 },
        { "upstream-cert", 0, CLI_TEXT, "FILE",
          "PEM client certificate for the backend", &c->upstream_cert, NULL, 0, 0 },
        { "upstream-key", 0, CLI_TEXT, "FILE", "its key (default: in --upstream-cert)",
          &c->upstream_key, NULL, 0, 0 },
        { "upstream-insecure", 0, CLI_FLAG, NULL,
          "do not verify the backend's certificate", &c->upstream_insecure, NULL, 0,
          0 },
        { "keep-host", 0, CLI_FLAG, NULL, "pass the client's Host and Origin on",
          &c->keep_host, NULL, 0, 0 },
        { "connect-timeout", 0, CLI_DURATION, "TIME",
          "for the backend to be reached, 0: none (10s)", &c->connect_timeout_ns, NULL,
          0, 0 },
        { "head-timeout", 0, CLI_DURATION, "TIME",
          "for a request head to arrive, 0: none (30s)", &c->head_timeout_ns, NULL, 0,
          0 },
        { "idle-timeout", 0, CLI_DURATION, "TIME",
          "end a connection without traffic, 0: never (0)", &c->idle_timeout_ns, NULL,
          0, 0 },
        { "max-connections", 0, CLI_NUMBER, "N", "at once; more get 503 (10000)",
          &c->max_connections, NULL, 1, 1000000 },
        { "http-body-limit", 0, CLI_SIZE, "SIZE",
          "of one HTTP body kept on the tape (1M)", &c->http_body_limit, NULL, 0, 0 },
        { "sync", 0, CLI_TEXT, "WHEN", "fdatasync: none, always, or every TIME (none)",
          &run->sync, NULL, 0, 0 },
        { "on-write-error", 0, CLI_CHOICE, "stop|pass",
          "close all with 1011, or go on unrecorded (stop)", &c->policy, policies, 0,
          0 },
        { "port-file", 0, CLI_TEXT, "FILE", "write the bound port there once ready",
          &run->port_file, NULL, 0, 0 },
        { NULL, 0, CLI_FLAG, NULL, NULL, NULL, NULL, 0, 0 },
    };
    const struct cli_command command = {
        .name = run->injects ? "inject" : "record",
        .usage =
            run->injects
                ? "--upstream URL --faults FILE|--fault RULE [options] [-- COMMAND...]"
                : "--upstream URL [options] [-- COMMAND...]",
        .summary =
            run->injects
                ? "Stand between a client and its backend; break what passes."
                : "Stand between a client and its backend; write what passes to a "
                  "tape.",
        .more = run->injects ? more_inject : more,
        .takes_command = true,
    };
    struct cli_parsed parsed;
    int r = cli_parse(&command, table, argc, argv, &parsed, e);

    if (r != 0) {
        return r;
    }
    run->command = parsed.command;
    if (c->upstream == NULL) {
        return err_set(e, -EINVAL,
                       "%s: --upstream URL is missing: where is the backend? (for "
                       "example --upstream ws://localhost:8000)",
                       command.name);
    }
    if (run->injects && c->faults_file == NULL && run->faults.count == 0) {
        return err_set(e, -EINVAL,
                       "inject: no rules: give --faults FILE or --fault RULE (`wstape "
                       "faults` lists what there is)");
    }
    r = parse_seed(run, e);
    return r == 0 ? parse_sync(run, e) : r;
}

static void name_output(struct run *run)
{
    struct buf utc = { 0 };
    size_t n = 0;

    if (run->config.output != NULL || run->injects) {
        return;
    }
    if (text_put_utc(&utc, clock_wall_ns()) == 0) {
        for (size_t i = 0; i < utc.len && utc.at[i] != '.'; i++) {
            if (utc.at[i] != '-' && utc.at[i] != ':') {
                run->reason[n++] = (char)utc.at[i];
            }
        }
    }
    run->reason[n] = '\0';
    snprintf(run->output, sizeof(run->output), "session-%.40sZ.wstape", run->reason);
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

static const char *tape_name(const struct run *run)
{
    if (run->config.output == NULL) {
        return "no tape";
    }
    return strcmp(run->config.output, "-") == 0 ? "stdout" : run->config.output;
}

static void announce(const struct run *run)
{
    struct buf url = { 0 };

    if (cli_recorder_put_url(run->recorder, false, &url) == 0) {
        fprintf(stderr, "wstape: %s %.*s -> %s to %s\n",
                run->config.output == NULL ? "passing" : "recording", (int)url.len,
                (const char *)url.at, run->config.upstream, tape_name(run));
    }
    buf_deinit(&url);
}

/* ---- ending ---- */

static void stop(struct run *run, const char *reason)
{
    if (run->reason[0] == '\0') {
        snprintf(run->reason, sizeof(run->reason), "%s", reason);
    }
    for (int i = 0; i < SIGNALS && run->child == NULL && run->stopped; i++) {
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
    for (int i = 0; i < SIGNALS; i++) {
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

    if (number == SIGHUP && run->config.faults_file != NULL) {
        cli_recorder_reload(run->recorder);
        return;
    }
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
    static const int numbers[SIGNALS] = { SIGINT, SIGTERM, SIGHUP };
    int r = cli_recorder_new(run->loop, &run->config, &run->recorder, e);

    if (r < 0) {
        return r;
    }
    for (int i = 0; i < SIGNALS && r == 0; i++) {
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
                tape_name(run), t->connections, t->connections == 1 ? "" : "s",
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
        return failed(r, &e);
    }
    if (r < 0) {
        stop(run, "could not start");
    }
    net_loop_run(run->loop);
    status = finish(run);
    return r < 0 ? cli_fail(CLI_FAILED, &e) : status;
}

static int record_or_inject(bool injects, int argc, char **argv)
{
    struct run run = { .injects = injects };
    struct err e;
    int r, status;

    cli_recorder_defaults(&run.config);
    r = parse(&run, argc, argv, &e);
    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    name_output(&run);
    run.reason[0] = '\0';
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

int cmd_record(int argc, char **argv)
{
    return record_or_inject(false, argc, argv);
}

int cmd_inject(int argc, char **argv)
{
    return record_or_inject(true, argc, argv);
}
