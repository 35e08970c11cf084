#include "cli/options.h"

#include "base/buf.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TABLE_MAX = 64,
    HELP_COLUMN = 28,
    ECHO_MAX = 80,          /* bytes of what was typed */
    ECHO_LEN = 4 * ECHO_MAX /* the same, escaped */
};

struct parse {
    const struct cli_command *command;
    const struct cli_option *table;
    struct cli_parsed out;
    struct err *e;
    int argc;
    char **argv;
    int at; /* the next argument */
    bool wants_help;
};

static int fail(const struct parse *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(const struct parse *p, const char *format, ...)
{
    char words[400];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    return err_set(p->e, -EINVAL, "%s: %s", p->command->name, words);
}

/* What the user typed, safe to print back. */
static const char *echo(const char *text, char out[ECHO_LEN])
{
    struct buf b = { 0 };
    size_t len;

    out[0] = '\0';
    if (text_put_escaped(&b, bytes_of(text), ECHO_MAX) == 0) {
        len = b.len < ECHO_LEN ? b.len : ECHO_LEN - 1;
        memcpy(out, b.at, len);
        out[len] = '\0';
    }
    buf_deinit(&b);
    return out;
}

static const struct cli_option *find_name(const struct cli_option *table,
                                          const char *name, size_t len)
{
    for (; table->name != NULL; table++) {
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0) {
            return table;
        }
    }
    return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *table, char letter)
{
    for (; table->name != NULL; table++) {
        if (table->letter == letter) {
            return table;
        }
    }
    return NULL;
}

static int fail_unknown(const struct parse *p, const char *name, size_t len)
{
    const char *names[TABLE_MAX + 2];
    const char *near;
    char typed[ECHO_MAX + 1];
    char shown[ECHO_LEN];
    size_t count = 0;

    snprintf(typed, sizeof(typed), "%.*s", (int)(len < ECHO_MAX ? len : ECHO_MAX),
             name);
    for (; p->table[count].name != NULL; count++) {
        assert(count < TABLE_MAX);
        names[count] = p->table[count].name;
    }
    names[count++] = "help";
    names[count] = NULL;
    near = text_nearest(typed, names);
    if (near == NULL) {
        return fail(p, "unknown option --%s (try: wstape %s --help)",
                    echo(typed, shown), p->command->name);
    }
    return fail(p, "unknown option --%s (did you mean --%s?)", echo(typed, shown),
                near);
}

static int store_list(const struct parse *p, const struct cli_option *o,
                      const char *value)
{
    struct cli_list *list = o->to;

    if (list->count == sizeof(list->at) / sizeof(list->at[0])) {
        return fail(p, "--%s is given more than %zu times", o->name, list->count);
    }
    list->at[list->count++] = value;
    return 0;
}

static int store_duration(const struct parse *p, const struct cli_option *o,
                          const char *value)
{
    char shown[ECHO_LEN];

    if (text_parse_duration(value, o->to) < 0) {
        return fail(p, "--%s: \"%s\" is no duration (like 250ms, 3s, 2m)", o->name,
                    echo(value, shown));
    }
    return 0;
}

static int store_size(const struct parse *p, const struct cli_option *o,
                      const char *value)
{
    char shown[ECHO_LEN];

    if (text_parse_size(value, o->to) < 0) {
        return fail(p, "--%s: \"%s\" is no size (like 512, 64k, 16M)", o->name,
                    echo(value, shown));
    }
    return 0;
}

static int store_number(const struct parse *p, const struct cli_option *o,
                        const char *value)
{
    char shown[ECHO_LEN];

    if (text_parse_number(value, o->min, o->max, o->to) == 0) {
        return 0;
    }
    if (o->max == UINT64_MAX) {
        return fail(p, "--%s: \"%s\" is no number from %llu on", o->name,
                    echo(value, shown), (unsigned long long)o->min);
    }
    return fail(p, "--%s: \"%s\" is no number from %llu to %llu", o->name,
                echo(value, shown), (unsigned long long)o->min,
                (unsigned long long)o->max);
}

static int store_choice(const struct parse *p, const struct cli_option *o,
                        const char *value)
{
    char shown[ECHO_LEN];
    char all[200] = "";
    size_t len = 0;

    for (int i = 0; o->names[i] != NULL; i++) {
        if (strcmp(o->names[i], value) == 0) {
            *(int *)o->to = i;
            return 0;
        }
        if (len < sizeof(all)) {
            len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
                                    i == 0 ? "" : ", ", o->names[i]);
        }
    }
    return fail(p, "--%s: \"%s\" is not one of %s", o->name, echo(value, shown), all);
}

/* `value` is NULL for a flag only. */
static int store(const struct parse *p, const struct cli_option *o, const char *value)
{
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->to = true;
        return 0;
    case CLI_TEXT:
        *(const char **)o->to = value;
        return 0;
    case CLI_LIST:
        return store_list(p, o, value);
    case CLI_DURATION:
        return store_duration(p, o, value);
    case CLI_SIZE:
        return store_size(p, o, value);
    case CLI_NUMBER:
        return store_number(p, o, value);
    case CLI_CHOICE:
        return store_choice(p, o, value);
    }
    abort();
}

/* `attached` is what stood in the same argument ("=value", "-ovalue"), or NULL. */
static int take_value(struct parse *p, const struct cli_option *o, const char *attached)
{
    if (attached == NULL) {
        if (p->at == p->argc) {
            return fail(p, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        }
        attached = p->argv[p->at++];
    }
    return store(p, o, attached);
}

static int take_long(struct parse *p, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t len = equals == NULL ? strlen(text) : (size_t)(equals - text);
    const struct cli_option *o = find_name(p->table, text, len);

    if (o == NULL) {
        if (strcmp(text, "help") == 0) {
            p->wants_help = true;
            return 0;
        }
        return fail_unknown(p, text, len);
    }
    if (o->kind != CLI_FLAG) {
        return take_value(p, o, equals == NULL ? NULL : equals + 1);
    }
    if (equals != NULL) {
        return fail(p, "--%s takes no value", o->name);
    }
    return store(p, o, NULL);
}

/* One or more letters: flags may share a dash, and the last may take a value. */
static int take_short(struct parse *p, const char *text)
{
    const struct cli_option *o;
    char letter[2] = { 0 };
    char shown[ECHO_LEN];
    int r;

    for (; *text != '\0'; text++) {
        o = find_letter(p->table, *text);
        if (o == NULL && *text == 'h') {
            p->wants_help = true;
            continue;
        }
        if (o == NULL) {
            letter[0] = *text;
            return fail(p, "unknown option -%s (try: wstape %s --help)",
                        echo(letter, shown), p->command->name);
        }
        if (o->kind != CLI_FLAG) {
            return take_value(p, o, text[1] == '\0' ? NULL : text + 1);
        }
        r = store(p, o, NULL);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int take_operand(struct parse *p, const char *text)
{
    size_t most = sizeof(p->out.operands) / sizeof(p->out.operands[0]);
    char shown[ECHO_LEN];

    if (p->command->operands_max < most) {
        most = p->command->operands_max;
    }
    if (p->out.operand_count == most) {
        return fail(p, "\"%s\" is one argument too many (usage: wstape %s %s)",
                    echo(text, shown), p->command->name, p->command->usage);
    }
    p->out.operands[p->out.operand_count++] = text;
    return 0;
}

static int take_rest(struct parse *p)
{
    int r;

    if (p->command->takes_command) {
        if (p->at == p->argc) {
            return fail(p, "no command after --");
        }
        p->out.command = p->argv + p->at;
        p->at = p->argc;
    }
    while (p->at < p->argc) {
        r = take_operand(p, p->argv[p->at++]);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int take_next(struct parse *p)
{
    const char *text = p->argv[p->at++];

    if (text[0] != '-' || text[1] == '\0') {
        return take_operand(p, text);
    }
    if (text[1] != '-') {
        return take_short(p, text + 1);
    }
    if (text[2] == '\0') {
        return take_rest(p);
    }
    return take_long(p, text + 2);
}

static void print_option(const struct cli_option *o)
{
    char left[80];
    int len;

    len =
        snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", o->letter == 0 ? ' ' : '-',
                 o->letter == 0 ? ' ' : o->letter, o->letter == 0 ? " " : ",", o->name,
                 o->value == NULL ? "" : " ", o->value == NULL ? "" : o->value);
    if (len >= HELP_COLUMN) {
        printf("%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
        return;
    }
    printf("%-*s%s\n", HELP_COLUMN, left, o->help);
}

/* Apart from what is above by one empty line, whatever newlines stand at its ends. */
static void print_paragraph(const char *text)
{
    int len;

    text += strspn(text, "\n");
    len = (int)strlen(text);
    while (len > 0 && text[len - 1] == '\n') {
        len--;
    }
    printf("\n%.*s\n", len, text);
}

static void print_help(const struct cli_command *c, const struct cli_option *table)
{
    static const struct cli_option help = { .name = "help",
                                            .letter = 'h',
                                            .help = "print this" };

    printf("Usage: wstape %s%s%s\n\n%s\n\nOptions:\n", c->name,
           c->usage[0] == '\0' ? "" : " ", c->usage, c->summary);
    for (; table->name != NULL; table++) {
        print_option(table);
    }
    print_option(&help);
    if (c->more != NULL) {
        print_paragraph(c->more);
    }
}

int cli_parse(const struct cli_command *c, const struct cli_option *table, int argc,
              char **argv, struct cli_parsed *out, struct err *e)
{
    struct parse p = {
        .command = c, .table = table, .e = e, .argc = argc, .argv = argv, .at = 1
    };
    int r;

    while (p.at < argc) {
        r = take_next(&p);
        if (r < 0) {
            return r;
        }
        if (p.wants_help) {
            print_help(c, table);
            return CLI_HELP;
        }
    }
    if (p.out.operand_count < c->operands_min) {
        return fail(&p, "something is missing (usage: wstape %s %s)", c->name,
                    c->usage);
    }
    *out = p.out;
    return 0;
}

int cli_fail(int status, const struct err *e)
{
    fflush(stdout);
    fprintf(stderr, "wstape: %s\n", e->text);
    return status;
}

bool cli_wants_colour(FILE *f)
{
    const char *off = getenv("NO_COLOR");

    return (off == NULL || off[0] == '\0') && isatty(fileno(f)) == 1;
}
