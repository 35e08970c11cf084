#include "captures/file.h"
#include "cli/show.h"
#include "cli/show_stats.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct cli_command command = {
    .name = "show",
    .usage = "TAPE [options]",
    .summary = "Print a tape: its connections, then what happened, in order.",
    .more =
        "TAPE is a file, or - for standard input. A tape that is still being written, "
        "or that\nwas cut off, shows as far as it goes.\n"
        "\n"
        "  wstape show session.wstape\n"
        "  wstape show session.wstape --connection 1,4..6 --frames\n"
        "  wstape show session.wstape --json | jq 'select(.kind == \"text\") | .text'\n"
        "  wstape show session.wstape --follow\n",
    .operands_min = 1,
    .operands_max = 1,
};

static int parse(int argc, char **argv, struct show_options *o, struct err *e)
{
    struct cli_list connections = { .count = 0 };
    const struct cli_option table[] = {
        { .name = "connection",
          .letter = 'c',
          .kind = CLI_LIST,
          .value = "LIST",
          .help = "only these connections: 3, 1..3, 5.., 1,4..6 (repeatable)",
          .to = &connections },
        { .name = "frames",
          .kind = CLI_FLAG,
          .to = &o->frames,
          .help = "frames with their headers instead of messages" },
        { .name = "http",
          .kind = CLI_FLAG,
          .to = &o->http,
          .help = "HTTP heads and bodies in full" },
        { .name = "stats",
          .kind = CLI_FLAG,
          .to = &o->stats,
          .help = "message sizes, gaps and response times instead of the timeline" },
        { .name = "json",
          .kind = CLI_FLAG,
          .to = &o->json,
          .help = "one JSON object a line" },
        { .name = "follow",
          .letter = 'f',
          .kind = CLI_FLAG,
          .to = &o->follow,
          .help = "go on printing while the tape grows" },
        { .name = "max-message",
          .kind = CLI_SIZE,
          .value = "SIZE",
          .to = &o->max_message,
          .help = "payload shown of one message, decoded (default 16M)" },
        { .name = NULL },
    };
    struct cli_parsed parsed;
    int r;

    o->max_message = UINT64_C(16) << 20;
    r = cli_parse(&command, table, argc, argv, &parsed, e);
    for (size_t i = 0; r == 0 && i < connections.count; i++) {
        r = show_ranges_add(&o->connections, connections.at[i], e);
    }
    if (r != 0) {
        return r;
    }
    o->path = parsed.operands[0];
    if (o->follow && strcmp(o->path, "-") == 0) {
        return err_set(e, -EINVAL, "show: --follow needs a file that grows, not -");
    }
    return 0;
}

static unsigned terminal_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO)) {
        return 0;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

static struct show_style style(void)
{
    setlocale(LC_CTYPE, "");
    return (struct show_style){ .colour = cli_wants_colour(stdout),
                                .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                                .width = terminal_width() };
}

static const struct show_view *view_of(const struct show_options *o)
{
    if (o->json) {
        return &show_json_view;
    }
    return o->http ? &show_text_http_view : &show_text_view;
}

static int show(struct show *s, struct err *e)
{
    struct capture_source source;
    int status;

    if (capture_file_open(s->options.path, &source, e) < 0) {
        return CLI_FAILED;
    }
    if (s->options.stats) {
        s->stats = show_stats_new();
        if (s->stats == NULL) {
            err_set(e, -ENOMEM, "show: out of memory");
            capture_file_release(&source);
            return CLI_FAILED;
        }
    }
    signal(SIGPIPE, SIG_IGN); /* `| head` is no reason to die: EPIPE ends it quietly */
    status = show_run(s, view_of(&s->options), &source, e);
    capture_file_release(&source);
    return status;
}

int cmd_show(int argc, char **argv)
{
    struct show s = { .out.fd = STDOUT_FILENO };
    struct err e = { .text = "" };
    int r = parse(argc, argv, &s.options, &e);

    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    s.style = style();
    show_line_init(&s.line, &s.out, &s.style);
    r = show(&s, &e);
    show_line_deinit(&s.line);
    show_out_deinit(&s.out);
    capture_overview_deinit(&s.overview);
    show_stats_free(s.stats);
    return r == CLI_OK ? r : cli_fail(r, &e);
}
