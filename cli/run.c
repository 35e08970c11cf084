#include "cli/run.h"

#include "base/buf.h"
#include "base/text.h"
#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIGNALS = 5 };

struct cli_run {
    const struct cli_run_config *config;
    struct net_loop *loop;
    struct cli_recorder *recorder;
    struct net_signal *signals[SIGNALS];
    struct net_child *child;
    struct net_timer *end_timer; /* cli_run_end */
    char end_reason[64];
    char reason[64]; /* why it ends */
    int signals_seen;
    int child_status; /* as a shell would say it */
    bool stopped;     /* the recorder has no connection left */
    bool told_stopping;
};

struct net_loop *cli_run_loop(const struct cli_run *run)
{
    return run->loop;
}

struct cli_recorder *cli_run_recorder(const struct cli_run *run)
{
    return run->recorder;
}

const char *cli_run_tape_name(const struct cli_recorder_config *c)
{
    if (c->output == NULL) {
        return "no tape";
    }
    return strcmp(c->output, "-") == 0 ? "stdout" : c->output;
}

void cli_run_tell_tape(const struct cli_recorder_config *c,
                       const struct cli_recorder_result *t, const char *reason)
{
    struct buf size = { 0 };

    if (text_put_size(&size, t->bytes) == 0) {
        fprintf(stderr, "wstape: %s: %u connection%s, %llu records, %.*s (%s)\n",
                cli_run_tape_name(c), t->connections, t->connections == 1 ? "" : "s",
                (unsigned long long)t->records, (int)size.len, (const char *)size.at,
                t->tape_error != 0 ? "the tape failed" : reason);
    }
    if (t->lost_records > 0) {
        fprintf(stderr,
                "wstape: %llu records are MISSING: the tape could not be written\n",
                (unsigned long long)t->lost_records);
    }
    buf_deinit(&size);
}

/* ---- ready ---- */

/* Whole or not at all: a reader must never see half a number. */
static int write_port_file(const struct cli_run *run, struct err *e)
{
    char path[4096];
    FILE *f;
    int r;

    if (run->config->port_file == NULL) {
        return 0;
    }
    snprintf(path, sizeof(path), "%s.%ld", run->config->port_file, (long)getpid());
    f = fopen(path, "we");
    if (f == NULL) {
        return err_set(e, -errno, "--port-file %s: %s", run->config->port_file,
                       strerror(errno));
    }
    r = fprintf(f, "%u\n", (unsigned)cli_recorder_port(run->recorder)) < 0 ? -EIO : 0;
    if (fclose(f) != 0 || r < 0 || rename(path, run->config->port_file) != 0) {
        r = errno == 0 ? -EIO : -errno;
        unlink(path);
        return err_set(e, r, "--port-file %s: %s", run->config->port_file,
                       strerror(-r));
    }
    return 0;
}

/* ---- ending ---- */

static void tell_stopping(struct cli_run *run)
{
    if (!run->told_stopping && run->config->stopping != NULL) {
        run->told_stopping = true;
        run->config->stopping(run->config->owner);
    }
}

static void stop(struct cli_run *run, const char *reason)
{
    if (run->reason[0] == '\0') {
        snprintf(run->reason, sizeof(run->reason), "%s", reason);
    }
    tell_stopping(run);
    for (int i = 0; i < SIGNALS && run->child == NULL && run->stopped; i++) {
        net_signal_free(run->signals[i]);
        run->signals[i] = NULL;
    }
    if (!run->stopped) {
        cli_recorder_stop(run->recorder, reason);
    }
}

static void end_due(void *owner)
{
    struct cli_run *run = owner;

    stop(run, run->end_reason);
}

void cli_run_end(struct cli_run *run, const char *reason)
{
    if (run->end_reason[0] == '\0') {
        snprintf(run->end_reason, sizeof(run->end_reason), "%s", reason);
        net_timer_at(run->end_timer, 0);
    }
}

/* Both the recorder and the command are gone: nothing keeps the loop alive. */
static void end_if_over(struct cli_run *run)
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
    struct cli_run *run = owner;

    tell_stopping(run);
    run->stopped = true;
    end_if_over(run);
}

/* The terminal sends ^C to the command as well: once is enough. */
static bool command_has_it(int number)
{
    return number == SIGINT && isatty(STDIN_FILENO) &&
           tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* SIGHUP with a rule file reads it again, SIGUSR1 and 2 are the command's alone. */
static bool means_no_end(struct cli_run *run, int number)
{
    if (number == SIGHUP && run->config->recorder->faults_file != NULL) {
        cli_recorder_reload(run->recorder);
        return true;
    }
    if (number != SIGUSR1 && number != SIGUSR2) {
        return false;
    }
    if (run->child != NULL) {
        net_child_kill(run->child, number);
    }
    return true;
}

static void on_signal(void *owner, int number)
{
    struct cli_run *run = owner;

    if (means_no_end(run, number)) {
        return;
    }
    run->signals_seen++;
    if (run->child != NULL && run->signals_seen == 1) {
        if (!command_has_it(number)) {
            net_child_kill(run->child, number);
        }
        fprintf(stderr, "wstape: the command was told (SIG%s); once more kills it\n",
                sigabbrev_np(number));
        return; /* the command's end stops the recording */
    }
    if (run->child != NULL) {
        net_child_kill(run->child, SIGKILL);
    }
    stop(run, number == SIGINT ? "SIGINT" : number == SIGTERM ? "SIGTERM" : "SIGHUP");
}

static void command_done(void *owner, int status, int signal)
{
    struct cli_run *run = owner;
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

static int start_command(struct cli_run *run, struct err *e)
{
    struct buf ws = { 0 }, http = { 0 };
    char *env[3] = { NULL, NULL, NULL };
    int r;

    if (run->config->command == NULL) {
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
        r = net_child_start(run->loop, run->config->command, env, command_done, run,
                            &run->child);
    }
    buf_deinit(&ws);
    buf_deinit(&http);
    return r < 0 ? err_set(e, r, "cannot start %s: %s", run->config->command[0],
                           strerror(-r))
                 : r;
}

static int start(struct cli_run *run, struct err *e)
{
    static const int numbers[SIGNALS] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
    const struct cli_run_config *c = run->config;
    int r = cli_recorder_new(run->loop, c->recorder, &run->recorder, e);

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
        c->announce(c->owner, run->recorder);
        r = c->start == NULL ? 0 : c->start(c->owner, run, e);
    }
    if (r == 0) {
        r = write_port_file(run, e);
    }
    return r == 0 ? start_command(run, e) : r;
}

static int finish(struct cli_run *run)
{
    const struct cli_run_config *c = run->config;
    struct cli_recorder_result result;
    int r = cli_recorder_finish(run->recorder, run->reason, &result);
    int status = c->finish(c->owner, &result, run->reason);
    struct err e;

    if (r == 0) {
        r = result.tape_error;
    }
    if (run->child_status != 0) {
        return run->child_status;
    }
    if (r < 0) {
        err_set(&e, r, "%s: the tape is not complete: %s", c->recorder->output,
                strerror(-r));
        return cli_fail(CLI_FAILED, &e);
    }
    return status;
}

/* Usage errors are the user's (2); everything else could not be done (3). */
static int failed(int r, const struct err *e)
{
    return cli_fail(r == -EINVAL ? CLI_USAGE : CLI_FAILED, e);
}

/* Nothing was recorded: the next try may use the name. */
static void forget_tape(const struct cli_run *run)
{
    const char *path = run->config->recorder->output;
    struct stat s;

    if (path != NULL && stat(path, &s) == 0 && S_ISREG(s.st_mode)) {
        unlink(path);
    }
}

static int run_loop(struct cli_run *run)
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
    if (r < 0) {
        forget_tape(run);
        return cli_fail(CLI_FAILED, &e);
    }
    return status;
}

int cli_run(const struct cli_run_config *c)
{
    struct cli_run run = { .config = c };
    struct err e;
    int r = net_loop_new(&run.loop);
    int status;

    if (r < 0) {
        err_set(&e, r, "cannot make an event loop: %s", strerror(-r));
        return cli_fail(CLI_FAILED, &e);
    }
    c->recorder->stopped = recorder_stopped;
    c->recorder->owner = &run;
    run.end_timer = net_timer_new(run.loop, end_due, &run);
    if (run.end_timer == NULL) {
        err_set(&e, -ENOMEM, "out of memory");
        status = cli_fail(CLI_FAILED, &e);
    } else {
        status = run_loop(&run);
    }
    net_timer_free(run.end_timer);
    net_loop_free(run.loop);
    return status;
}
