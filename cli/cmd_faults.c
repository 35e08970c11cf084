#include "base/buf.h"
#include "base/text.h"
#include "cli/options.h"
#include "inject/build.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 5 * 1024 * 1024 }; /* a byte more than inject/build takes is enough */

static const char more[] =
    "  wstape faults                     list the actions and conditions, with "
    "examples\n"
    "  wstape faults check FILE...       report every error, with line and column\n"
    "  wstape faults schema              print the JSON Schema of a rule file\n"
    "\n"
    "`check` ends with 2 when a file has errors. The language is described in\n"
    "docs/faults.md; editors take the schema from docs/faults.schema.json.\n";

static int no_memory(void)
{
    struct err e = { "out of memory" };

    return cli_fail(CLI_FAILED, &e);
}

/* Print what was built, when building it went well. */
static int print(struct buf *out, int r)
{
    if (r == 0) {
        fwrite(out->at, 1, out->len, stdout);
    }
    buf_deinit(out);
    return r < 0 ? no_memory() : CLI_OK;
}

/* ---- the list ---- */

/* Indented as an entry of `faults`. */
static int put_yaml(struct buf *out, const char *yaml)
{
    const char *lead = "      - ";
    int r = 0;

    while (r == 0 && *yaml != '\0') {
        size_t len = strcspn(yaml, "\n");

        r = buf_put_format(out, "%s%.*s\n", lead, (int)len, yaml);
        lead = "        ";
        yaml += len + (yaml[len] == '\n');
    }
    return r;
}

static int put_action(struct buf *out, const struct inject_help *h)
{
    int r = buf_put_format(out, "  %-17s%s\n", h->name, h->what);

    r = r < 0 ? r : put_yaml(out, h->yaml);
    return r < 0 ? r : buf_put_format(out, "      --fault '%s'\n", h->line);
}

static int put_actions(struct buf *out)
{
    const char *stage = "";
    struct inject_help h;
    int r = 0;

    for (size_t i = 0; r == 0 && inject_help_action(i, &h); i++) {
        if (strcmp(stage, h.stage) != 0) {
            r = buf_put_format(out, "\n%s actions\n", h.stage);
            stage = h.stage;
        }
        r = r < 0 ? r : put_action(out, &h);
    }
    return r;
}

static int put_conditions(struct buf *out)
{
    struct inject_help h;
    int r = buf_put_text(out, "\nconditions (all that are given have to hold)\n");

    for (size_t i = 0; r == 0 && inject_help_condition(i, &h); i++) {
        r = buf_put_format(out,
                           "  %-17s%s\n        when: %s\n      --fault 'drop,%s'\n",
                           h.name, h.what, h.yaml, h.line);
    }
    return r;
}

static int list(void)
{
    struct buf out = { 0 };
    int r = buf_put_text(
        &out, "A rule is one action, and when it acts: in a file (--faults FILE) an "
              "entry of\n\"faults\", or one line (--fault RULE).\n");

    r = r < 0 ? r : put_actions(&out);
    r = r < 0 ? r : put_conditions(&out);
    r = r < 0
            ? r
            : buf_put_text(&out,
                           "\nalso in every rule\n"
                           "  name            how it is called in tapes and summaries\n"
                           "  probability     how often it acts where it could: 0.25\n"
                           "  times           how often it acts in all\n"
                           "  per_connection  how often it acts on one connection\n");
    return print(&out, r);
}

static int put_member(struct buf *out, const char *name, const char *value)
{
    int r = buf_put_format(out, ",\"%s\":", name);

    return r < 0 ? r : text_put_json(out, bytes_of(value));
}

static int put_json(struct buf *out, const char *record, const struct inject_help *h)
{
    int r = buf_put_format(out, "{\"record\":\"%s\"", record);

    r = r < 0 ? r : put_member(out, "name", h->name);
    if (r == 0 && h->stage[0] != '\0') {
        r = put_member(out, "stage", h->stage);
    }
    r = r < 0 ? r : put_member(out, "what", h->what);
    r = r < 0 ? r : put_member(out, "yaml", h->yaml);
    r = r < 0 ? r : put_member(out, "line", h->line);
    return r < 0 ? r : buf_put_text(out, "}\n");
}

static int list_json(void)
{
    struct buf out = { 0 };
    struct inject_help h;
    int r = 0;

    for (size_t i = 0; r == 0 && inject_help_action(i, &h); i++) {
        r = put_json(&out, "action", &h);
    }
    for (size_t i = 0; r == 0 && inject_help_condition(i, &h); i++) {
        r = put_json(&out, "condition", &h);
    }
    return print(&out, r);
}

/* ---- check ---- */

static int read_file(const char *path, struct buf *out)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    size_t n = 1;
    int r = f == NULL ? -errno : 0;

    while (r == 0 && n > 0 && out->len < FILE_MAX) {
        r = buf_reserve(out, 65536);
        n = r == 0 ? fread(out->at + out->len, 1, 65536, f) : 0;
        out->len += n;
    }
    if (r == 0 && ferror(f) != 0) {
        r = errno == EISDIR ? -EISDIR : -EIO;
    }
    if (f != NULL && f != stdin) {
        fclose(f);
    }
    return r;
}

static const char *folder_of(const char *path, char *out, size_t cap)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return ".";
    }
    snprintf(out, cap, "%.*s", (int)(slash - path + 1), path);
    return out;
}

/* The exit status for one file. */
static int check_text(const char *path, struct bytes text)
{
    char folder[4096];
    struct inject_source source = { .name = path,
                                    .text = text,
                                    .folder = folder_of(path, folder, sizeof(folder)) };
    struct inject_rules *rules = NULL;
    struct buf errors = { 0 };
    unsigned count = 0;
    int r = inject_build(&source, 1, &rules, &errors, &count);

    if (r == 0) {
        printf("%s: %zu rule%s\n", path, rules->count, rules->count == 1 ? "" : "s");
    } else if (r == -EINVAL) {
        fwrite(errors.at, 1, errors.len, stdout);
        printf("%s: %u error%s\n", path, count, count == 1 ? "" : "s");
    }
    inject_rules_free(rules);
    buf_deinit(&errors);
    return r == -EINVAL ? CLI_USAGE : r < 0 ? no_memory() : CLI_OK;
}

static int check(const char *path)
{
    struct buf text = { 0 };
    struct err e;
    int r = read_file(path, &text), status;

    if (r < 0) {
        err_set(&e, r, "faults: cannot read %s: %s", path, strerror(-r));
        status = cli_fail(CLI_FAILED, &e);
    } else {
        status = check_text(path, buf_bytes(&text));
    }
    buf_deinit(&text);
    return status;
}

static int check_all(const struct cli_parsed *p)
{
    struct err e = { "faults: check needs a file: wstape faults check FILE..." };
    int worst = CLI_OK;

    if (p->operand_count < 2) {
        return cli_fail(CLI_USAGE, &e);
    }
    for (size_t i = 1; i < p->operand_count; i++) {
        int status = check(p->operands[i]);

        worst = status > worst ? status : worst;
    }
    return worst;
}

/* ---- the command ---- */

static int schema(void)
{
    struct buf out = { 0 };

    return print(&out, inject_put_schema(&out));
}

static int unknown(const char *word)
{
    static const char *const words[] = { "check", "schema", NULL };
    const char *near = text_nearest(word, words);
    struct buf shown = { 0 };
    struct err e;

    (void)text_put_escaped(&shown, bytes_of(word), 80);
    err_set(&e, 0, "faults: \"%.*s\" is not check or schema%s%s%s", (int)shown.len,
            shown.at == NULL ? "" : (const char *)shown.at,
            near == NULL ? "" : " (did you mean ", near == NULL ? "" : near,
            near == NULL ? "" : "?)");
    buf_deinit(&shown);
    return cli_fail(CLI_USAGE, &e);
}

static int too_many(void)
{
    struct err e = { "faults: schema takes nothing more: wstape faults schema" };

    return cli_fail(CLI_USAGE, &e);
}

int cmd_faults(int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "faults",
        .usage = "[check FILE... | schema] [--json]",
        .summary = "List what can be broken; check files of rules.",
        .more = more,
        .operands_max = 16,
    };
    bool json = false;
    const struct cli_option table[] = {
        { .name = "json",
          .kind = CLI_FLAG,
          .help = "list as one JSON object a line",
          .to = &json },
        { .name = NULL },
    };
    struct cli_parsed parsed;
    struct err e = { "" };
    int r = cli_parse(&command, table, argc, argv, &parsed, &e);

    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    if (parsed.operand_count == 0) {
        return json ? list_json() : list();
    }
    if (strcmp(parsed.operands[0], "check") == 0) {
        return check_all(&parsed);
    }
    if (strcmp(parsed.operands[0], "schema") == 0) {
        return parsed.operand_count == 1 ? schema() : too_many();
    }
    return unknown(parsed.operands[0]);
}
