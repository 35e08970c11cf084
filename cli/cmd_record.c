#include "base/buf.h"
#include "cli/options.h"
#include "cli/record_options.h"
#include "cli/run.h"

#include <stdio.h>

static void announce(void *owner, const struct cli_recorder *recorder)
{
    const struct cli_record_options *o = owner;
    struct buf url = { 0 };

    if (cli_recorder_put_url(recorder, false, &url) == 0) {
        fprintf(stderr, "wstape: %s %.*s -> %s to %s\n",
                o->config.output == NULL ? "passing" : "recording", (int)url.len,
                (const char *)url.at, o->config.upstream,
                cli_run_tape_name(&o->config));
    }
    buf_deinit(&url);
}

static int summarize(void *owner, const struct cli_recorder_result *t,
                     const char *reason)
{
    const struct cli_record_options *o = owner;

    cli_run_tell_tape(&o->config, t, reason);
    return CLI_OK;
}

static int record_or_inject(bool injects, int argc, char **argv)
{
    struct cli_record_options o = { .injects = injects };
    struct cli_run_config run = {
        .recorder = &o.config, .announce = announce, .finish = summarize, .owner = &o
    };
    struct err e;
    int r = cli_record_parse(&o, argc, argv, &e);

    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    run.port_file = o.port_file;
    run.command = o.command;
    return cli_run(&run);
}

int cmd_record(int argc, char **argv)
{
    return record_or_inject(false, argc, argv);
}

int cmd_inject(int argc, char **argv)
{
    return record_or_inject(true, argc, argv);
}
