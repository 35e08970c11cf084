#include "base/buf.h"
#include "base/text.h"
#include "cli/options.h"
#include "cli/record_options.h"
#include "cli/run.h"

#include <stdio.h>
#include <string.h>

static const char *tape_name(const struct cli_record_options *o)
{
    if (o->config.output == NULL) {
        return "no tape";
    }
    return strcmp(o->config.output, "-") == 0 ? "stdout" : o->config.output;
}

static void announce(void *owner, const struct cli_recorder *recorder)
{
    const struct cli_record_options *o = owner;
    struct buf url = { 0 };

    if (cli_recorder_put_url(recorder, false, &url) == 0) {
        fprintf(stderr, "wstape: %s %.*s -> %s to %s\n",
                o->config.output == NULL ? "passing" : "recording", (int)url.len,
                (const char *)url.at, o->config.upstream, tape_name(o));
    }
    buf_deinit(&url);
}

static int summarize(void *owner, const struct cli_recorder_result *t,
                     const char *reason)
{
    const struct cli_record_options *o = owner;
    struct buf size = { 0 };

    if (text_put_size(&size, t->bytes) == 0) {
        fprintf(stderr, "wstape: %s: %u connection%s, %llu records, %.*s (%s)\n",
                tape_name(o), t->connections, t->connections == 1 ? "" : "s",
                (unsigned long long)t->records, (int)size.len, (const char *)size.at,
                reason[0] == '\0' ? "the tape failed" : reason);
    }
    if (t->lost_records > 0) {
        fprintf(stderr,
                "wstape: %llu records are MISSING: the tape could not be written\n",
                (unsigned long long)t->lost_records);
    }
    buf_deinit(&size);
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
