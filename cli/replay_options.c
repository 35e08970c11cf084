#include "cli/replay_options.h"

#include "base/clock.h"
#include "base/text.h"
#include "wire/accept.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    OPTIONS_MAX = 48,
    COPIES_MAX = 10000,
    NOT_GIVEN = -1,
};

static const double PACE_MAX = 1e6;

#define OPTION_COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char more[] =
    "\n"
    "The tape plays the backend: what the recorded server said is said to whoever\n"
    "connects, gated by what the client says. With --to, the tape plays the client:\n"
    "what the backend says is compared with the tape, and the exit status is 1 when "
    "it\n"
    "differs. Ids and times may differ (-v lists them), other things do with "
    "--ignore.\n"
    "A query in --to takes the place of the recorded WebSockets' (a new token, say), "
    "and\n"
    "so does a path when the tape has but one; HTTP requests keep theirs.\n"
    "\n"
    "  wstape replay session.wstape -- pytest tests/\n"
    "  wstape replay session.wstape --fault close=1011,from=server,message=5\n"
    "  wstape replay session.wstape --to wss://staging.example.com --junit out.xml\n"
    "  wstape replay session.wstape --to ws://localhost:8000 --copies 50 --pace max\n";

static struct cli_option *put_address_options(struct cli_replay_options *o,
                                              struct cli_option *to)
{
    struct cli_recorder_config *c = &o->record.config;
    const struct cli_option table[] = {
        { .name = "listen",
          .letter = 'l',
          .kind = CLI_TEXT,
          .value = "URL",
          .help = "where clients connect (ws://127.0.0.1:8001; port 0: any)",
          .to = &c->listen },
        { .name = "to",
          .kind = CLI_TEXT,
          .value = "URL",
          .help = "play the client, to this backend",
          .to = &c->upstream },
        { .name = "output",
          .letter = 'o',
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "record the replay (none; -: stdout)",
          .to = &c->output },
        { .name = "port-file",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "write the bound port there once ready",
          .to = &o->record.port_file },
        { .name = "faults",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "rules in YAML; SIGHUP reads them again",
          .to = &c->faults_file },
        { .name = "fault",
          .kind = CLI_LIST,
          .value = "RULE",
          .help = "one rule, as `wstape faults` shows (repeatable)",
          .to = &o->record.faults },
        { .name = "seed",
          .kind = CLI_TEXT,
          .value = "N",
          .help = "of all chance (drawn and printed)",
          .to = &o->record.seed },
    };

    return cli_record_put_options(to, table, OPTION_COUNT(table));
}

static struct cli_option *put_play_options(struct cli_replay_options *o,
                                           struct cli_option *to)
{
    static const char *const gates[] = { "messages", "none", NULL };
    static const char *const whens[] = { "loop", "last", "refuse", NULL };
    static const char *const substitutes[] = { "auto", "none", NULL };
    const struct cli_option table[] = {
        { .name = "pace",
          .kind = CLI_TEXT,
          .value = "N|max",
          .help = "times faster than recorded; max: at once (1)",
          .to = &o->pace },
        { .name = "gate",
          .kind = CLI_CHOICE,
          .value = "messages|none",
          .help = "wait for the other side's messages, or not (messages)",
          .to = &o->gate,
          .names = gates },
        { .name = "when-exhausted",
          .kind = CLI_CHOICE,
          .value = "loop|last|refuse",
          .help = "once all that is on the tape was played (loop)",
          .to = &o->when_exhausted,
          .names = whens },
        { .name = "substitute",
          .kind = CLI_CHOICE,
          .value = "auto|none",
          .help = "put live ids where the tape repeats recorded ones (auto)",
          .to = &o->substitute,
          .names = substitutes },
        { .name = "header",
          .kind = CLI_LIST,
          .value = "LINE",
          .help = "--to: 'Name: value' in place of the recorded (repeatable)",
          .to = &o->header },
        { .name = "keep-host",
          .kind = CLI_FLAG,
          .help = "--to: send the recorded Host and Origin",
          .to = &o->record.config.keep_host },
        { .name = "copies",
          .kind = CLI_NUMBER,
          .value = "N",
          .help = "--to: play so many at once (1)",
          .to = &o->copies,
          .min = 1,
          .max = COPIES_MAX },
        { .name = "timeout",
          .kind = CLI_DURATION,
          .value = "TIME",
          .help = "--to: for an answer, on top of what it took then (10s)",
          .to = &o->timeout_ns },
    };

    return cli_record_put_options(to, table, OPTION_COUNT(table));
}

static struct cli_option *put_match_options(struct cli_replay_options *o,
                                            struct cli_option *to)
{
    static const char *const matches[] = { "json", "exact", "any", NULL };
    static const char *const actions[] = { "report", "close", "fail", NULL };
    const struct cli_option table[] = {
        { .name = "match",
          .kind = CLI_CHOICE,
          .value = "json|exact|any",
          .help = "when a message is the recorded one (json)",
          .to = &o->match,
          .names = matches },
        { .name = "ignore",
          .kind = CLI_LIST,
          .value = "PATH",
          .help = "what may differ: $.a.b, ..id, items[*].at (repeatable)",
          .to = &o->ignore },
        { .name = "on-mismatch",
          .kind = CLI_CHOICE,
          .value = "report|close|fail",
          .help = "tell; close with 1008; tell and exit with 1 (report)",
          .to = &o->on_mismatch,
          .names = actions },
        { .name = "max-message",
          .kind = CLI_SIZE,
          .value = "SIZE",
          .help = "larger ones are not compared, and pass the rules (64M)",
          .to = &o->play.max_message },
        { .name = "verbose",
          .letter = 'v',
          .kind = CLI_FLAG,
          .help = "tell what may differ, what is substituted, who answers",
          .to = &o->verbose },
        { .name = "json",
          .kind = CLI_FLAG,
          .help = "one JSON object a line, to stdout",
          .to = &o->json },
        { .name = "junit",
          .kind = CLI_TEXT,
          .value = "FILE",
          .help = "write a JUnit report there at the end",
          .to = &o->junit },
    };

    return cli_record_put_options(to, table, OPTION_COUNT(table));
}

/* ---- what makes no sense in a role ---- */

static bool is_text_given(const void *to)
{
    const char *const *text = to;

    return *text != NULL;
}

/* One option, and whether it was given. */
struct given {
    const char *name;
    bool given;
};

static int refuse(const struct given *table, size_t count, const char *why,
                  struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].given) {
            return err_set(e, -EINVAL, "replay: --%s %s", table[i].name, why);
        }
    }
    return 0;
}

static int check_backend(const struct cli_replay_options *o, struct err *e)
{
    const struct cli_recorder_config *c = &o->record.config;
    const struct given table[] = {
        { "header", o->header.count > 0 },
        { "keep-host", c->keep_host },
        { "copies", o->copies != 0 },
        { "timeout", o->timeout_ns != NOT_GIVEN },
        { "connect-timeout", c->connect_timeout_ns != NOT_GIVEN },
        { "upstream-ca", is_text_given(&c->upstream_ca) },
        { "upstream-cert", is_text_given(&c->upstream_cert) },
        { "upstream-key", is_text_given(&c->upstream_key) },
        { "upstream-insecure", c->upstream_insecure },
    };

    return refuse(table, OPTION_COUNT(table),
                  "is for the tape as client: it needs --to URL", e);
}

static int check_client(const struct cli_replay_options *o, struct err *e)
{
    const struct cli_recorder_config *c = &o->record.config;
    const struct given table[] = {
        { "listen", is_text_given(&c->listen) },
        { "port-file", is_text_given(&o->record.port_file) },
        { "when-exhausted", o->when_exhausted != NOT_GIVEN },
        { "head-timeout", c->head_timeout_ns != NOT_GIVEN },
        { "max-connections", c->max_connections != 0 },
        { "tls-cert", is_text_given(&c->tls_cert) },
        { "tls-key", is_text_given(&c->tls_key) },
    };

    if (o->record.command != NULL) {
        return err_set(e, -EINVAL,
                       "replay: with --to the tape is the client: no COMMAND is run "
                       "(start the backend before it)");
    }
    if (o->on_mismatch == REPLAY_FAIL) {
        return err_set(e, -EINVAL,
                       "replay: with --to every mismatch gives status 1: leave out "
                       "--on-mismatch fail");
    }
    return refuse(table, OPTION_COUNT(table),
                  "is for the tape as backend: with --to nobody connects", e);
}

/* ---- values ---- */

static int parse_pace(struct cli_replay_options *o, struct err *e)
{
    char *end = NULL;

    o->play.pace = 1;
    if (o->pace == NULL) {
        return 0;
    }
    if (strcmp(o->pace, "max") == 0) {
        o->play.pace = 0;
        return 0;
    }
    if (o->pace[0] >= '0' && o->pace[0] <= '9' && strpbrk(o->pace, "xXeEpP") == NULL) {
        o->play.pace = strtod(o->pace, &end);
    }
    if (end == NULL || *end != '\0' || !(o->play.pace > 0) || o->play.pace > PACE_MAX) {
        return err_set(e, -EINVAL,
                       "replay: --pace takes a number such as 1, 0.5 or 10 (times "
                       "faster; 1000000 at most), or max, not \"%.80s\"",
                       o->pace);
    }
    return 0;
}

static int parse_path(struct cli_replay_options *o, const char *text, struct err *e)
{
    struct inject_path *path;
    struct err why;
    size_t column;
    int r = inject_path_new(bytes_of(text), &path, &why, &column);

    if (r == INJECT_PATH_BAD) {
        return err_set(e, -EINVAL, "replay: --ignore %.80s: column %zu: %s", text,
                       column, why.text);
    }
    if (r < 0) {
        return err_set(e, r, "out of memory");
    }
    o->paths[o->rules.ignore_count] = path;
    o->rules.ignore[o->rules.ignore_count++] = path;
    return 0;
}

static int parse_paths(struct cli_replay_options *o, struct err *e)
{
    int r = 0;

    if (o->ignore.count > 0 && o->match > REPLAY_MATCH_JSON) {
        return err_set(e, -EINVAL,
                       "replay: --ignore names places in JSON: it needs --match json");
    }
    for (size_t i = 0; i < o->ignore.count && r == 0; i++) {
        r = parse_path(o, o->ignore.at[i], e);
    }
    return r;
}

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)at[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL) {
            return false;
        }
    }
    return len > 0;
}

static bool is_named(const char *line, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(line, name, len) == 0;
}

static int check_header(const struct cli_replay_options *o, const char *line,
                        struct err *e)
{
    const char *colon = strchr(line, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - line);

    if (colon == NULL || !is_token(line, len)) {
        return err_set(e, -EINVAL,
                       "replay: --header takes a line such as 'Authorization: Bearer "
                       "abc', not \"%.80s\"",
                       line);
    }
    if (strpbrk(colon, "\r\n") != NULL) {
        return err_set(e, -EINVAL, "replay: --header %.*s: a line break in the value",
                       (int)len, line);
    }
    if (is_named(line, len, "Content-Length") ||
        is_named(line, len, "Transfer-Encoding")) {
        return err_set(e, -EINVAL,
                       "replay: --header %.*s: bodies are sent as recorded, and so is "
                       "what says how long they are",
                       (int)len, line);
    }
    if (is_named(line, len, "Host") && !o->record.config.keep_host) {
        return err_set(e, -EINVAL,
                       "replay: --header Host needs --keep-host: else Host is that of "
                       "--to");
    }
    return 0;
}

static int check_headers(struct cli_replay_options *o, struct err *e)
{
    int r = 0;

    for (size_t i = 0; i < o->header.count && r == 0; i++) {
        r = check_header(o, o->header.at[i], e);
    }
    o->play.fields = o->header.at;
    o->play.field_count = o->header.count;
    return r;
}

/* One stdout, one thing on it. */
static int check_stdout(const struct cli_replay_options *o, struct err *e)
{
    const char *output = o->record.config.output;

    if (output == NULL || strcmp(output, "-") != 0 || (!o->json && !o->calls)) {
        return 0;
    }
    return err_set(e, -EINVAL,
                   "replay: --output - and %s both want stdout: give --output a FILE",
                   o->json ? "--json" : "what --to finds");
}

static int pick(int given, int otherwise)
{
    return given == NOT_GIVEN ? otherwise : given;
}

/* What the user left open. */
static void fill_in(struct cli_replay_options *o)
{
    struct cli_recorder_config *c = &o->record.config, defaults;
    struct replay_options *p = &o->play;

    cli_recorder_defaults(&defaults);
    p->gate = o->gate != 1;
    p->substitute = o->substitute != 1;
    p->on_mismatch = (enum replay_on_mismatch)pick(o->on_mismatch, REPLAY_REPORT);
    p->when_exhausted =
        (enum replay_when_exhausted)pick(o->when_exhausted, REPLAY_LOOP);
    p->put_accept = wire_accept_put;
    o->rules.match = (enum replay_match)pick(o->match, REPLAY_MATCH_JSON);
    o->copies = o->copies == 0 ? 1 : o->copies;
    p->patience_ns = o->calls ? 10 * CLOCK_NS_PER_S : 2 * CLOCK_NS_PER_S;
    if (o->timeout_ns != NOT_GIVEN) {
        p->patience_ns = o->timeout_ns;
    }
    c->max_message = p->max_message;
    c->upstream_option = "--to";
    if (c->listen == NULL) {
        c->listen = defaults.listen;
    }
    if (c->connect_timeout_ns == NOT_GIVEN) {
        c->connect_timeout_ns = defaults.connect_timeout_ns;
    }
    if (c->head_timeout_ns == NOT_GIVEN) {
        c->head_timeout_ns = o->calls ? 0 : defaults.head_timeout_ns;
    }
    if (c->max_connections == 0) {
        c->max_connections = o->calls ? UINT_MAX : defaults.max_connections;
    }
}

static void set_defaults(struct cli_replay_options *o)
{
    struct cli_recorder_config *c = &o->record.config;

    cli_recorder_defaults(c);
    c->listen = NULL;
    c->connect_timeout_ns = c->head_timeout_ns = NOT_GIVEN;
    c->max_connections = 0;
    o->gate = o->substitute = o->match = o->on_mismatch = o->when_exhausted = NOT_GIVEN;
    o->timeout_ns = NOT_GIVEN;
    o->play.max_message = 64 * 1024 * 1024;
}

static int check(struct cli_replay_options *o, struct err *e)
{
    int r = o->calls ? check_client(o, e) : check_backend(o, e);

    if (r == 0 && o->timeout_ns == 0) {
        r = err_set(e, -EINVAL, "replay: --timeout takes a time over 0, such as 10s");
    }
    if (r == 0) {
        r = parse_pace(o, e);
    }
    if (r == 0) {
        r = parse_paths(o, e);
    }
    return r == 0 ? check_headers(o, e) : r;
}

int cli_replay_parse(struct cli_replay_options *o, int argc, char **argv, struct err *e)
{
    static const struct cli_command command = {
        .name = "replay",
        .usage = "TAPE [options] [-- COMMAND...]",
        .summary = "Let a tape play the backend, or, with --to, the client.",
        .more = more,
        .takes_command = true,
        .operands_min = 1,
        .operands_max = 1,
    };
    struct cli_option table[OPTIONS_MAX] = { { .name = NULL } }, *to;
    struct cli_parsed parsed;
    int r;

    *o = (struct cli_replay_options){ 0 };
    set_defaults(o);
    to = put_match_options(o, put_play_options(o, put_address_options(o, table)));
    cli_record_put_limits(&o->record, cli_record_put_tls(&o->record, to));
    r = cli_parse(&command, table, argc, argv, &parsed, e);
    if (r != 0) {
        return r;
    }
    o->tape = parsed.operands[0];
    o->record.command = parsed.command;
    o->calls = o->record.config.upstream != NULL;
    r = check(o, e);
    if (r == 0) {
        r = cli_record_settle(&o->record, e);
    }
    if (r == 0) {
        r = check_stdout(o, e);
    }
    if (r == 0) {
        fill_in(o);
    }
    return r;
}

void cli_replay_options_deinit(struct cli_replay_options *o)
{
    for (size_t i = 0; i < o->rules.ignore_count; i++) {
        inject_path_free(o->paths[i]);
    }
}
