#include "cli/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct values {
    bool loud;
    bool quick;
    const char *upstream;
    struct cli_list rules;
    int64_t timeout_ns;
    uint64_t limit;
    uint64_t count;
    int policy;
};

struct run {
    struct values v;
    struct cli_parsed out;
    struct err e;
    int r;
};

static const char *const policies[] = { "stop", "pass", NULL };

static const struct cli_command record = { .name = "record",
                                           .usage = "--upstream URL [-- COMMAND...]",
                                           .summary = "Write what passes to a tape.",
                                           .more = "\nExample: ...\n",
                                           .takes_command = true };
static const struct cli_command show = { .name = "show",
                                         .usage = "TAPE",
                                         .summary = "Print.",
                                         .operands_min = 1,
                                         .operands_max = 2 };

static struct run last; /* what the table points into */

static const struct cli_option table[] = {
    { .name = "upstream",
      .letter = 'u',
      .kind = CLI_TEXT,
      .value = "URL",
      .help = "the backend",
      .to = &last.v.upstream },
    { .name = "loud",
      .letter = 'l',
      .kind = CLI_FLAG,
      .help = "say more",
      .to = &last.v.loud },
    { .name = "quick",
      .letter = 'q',
      .kind = CLI_FLAG,
      .help = "wait less",
      .to = &last.v.quick },
    { .name = "fault",
      .kind = CLI_LIST,
      .value = "RULE",
      .help = "break something",
      .to = &last.v.rules },
    { .name = "timeout",
      .kind = CLI_DURATION,
      .value = "TIME",
      .help = "wait",
      .to = &last.v.timeout_ns },
    { .name = "limit",
      .kind = CLI_SIZE,
      .value = "SIZE",
      .help = "keep",
      .to = &last.v.limit },
    { .name = "count",
      .letter = 'n',
      .kind = CLI_NUMBER,
      .value = "N",
      .help = "how many",
      .to = &last.v.count,
      .min = 1,
      .max = 10 },
    { .name = "policy",
      .kind = CLI_CHOICE,
      .value = "stop|pass",
      .help = "what then",
      .to = &last.v.policy,
      .names = policies },
    { 0 },
};

/* Parse a line of words separated by single spaces. The words live in `line`. */
static struct run parse_as(const struct cli_command *c, char *line)
{
    static char *words[100];
    int count = 0;

    memset(&last, 0, sizeof(last));
    last.v.policy = -1;
    for (char *at = strtok(line, " "); at != NULL; at = strtok(NULL, " ")) {
        words[count++] = at;
    }
    words[count] = NULL;
    last.out.operand_count = 99; /* must stay on failure */
    last.r = cli_parse(c, table, count, words, &last.out, &last.e);
    return last;
}

static void refuse(const struct cli_command *c, const char *text, const char *words)
{
    char line[200];
    struct run run;

    snprintf(line, sizeof(line), "%s", text);
    run = parse_as(c, line);
    assert_int_equal(run.r, -EINVAL);
    assert_string_equal(run.e.text, words);
    assert_int_equal(run.out.operand_count, 99);
}

static void takes_every_kind_of_value(void **state)
{
    char line[] =
        "record --upstream ws://a --loud --fault a=1 --fault b=2 --timeout 250ms "
        "--limit 64k --count 3 --policy pass";
    struct run run = parse_as(&record, line);

    (void)state;
    assert_int_equal(run.r, 0);
    assert_string_equal(run.v.upstream, "ws://a");
    assert_true(run.v.loud);
    assert_false(run.v.quick);
    assert_int_equal(run.v.rules.count, 2);
    assert_string_equal(run.v.rules.at[0], "a=1");
    assert_string_equal(run.v.rules.at[1], "b=2");
    assert_int_equal(run.v.timeout_ns, 250000000);
    assert_int_equal(run.v.limit, 65536);
    assert_int_equal(run.v.count, 3);
    assert_int_equal(run.v.policy, 1);
    assert_int_equal(run.out.operand_count, 0);
    assert_null(run.out.command);
}

static void takes_attached_values(void **state)
{
    char line[] = "record --upstream=ws://a?x=1 -n7 -lq --fault=";
    struct run run = parse_as(&record, line);

    (void)state;
    assert_int_equal(run.r, 0);
    assert_string_equal(run.v.upstream, "ws://a?x=1");
    assert_int_equal(run.v.count, 7);
    assert_true(run.v.loud);
    assert_true(run.v.quick);
    assert_string_equal(run.v.rules.at[0], "");
}

static void takes_letters_that_share_a_dash(void **state)
{
    char apart[] = "record -lqu ws://b";
    char joined[] = "record -lqn4";
    struct run run = parse_as(&record, apart);

    (void)state;
    assert_int_equal(run.r, 0);
    assert_true(run.v.loud && run.v.quick);
    assert_string_equal(run.v.upstream, "ws://b");
    run = parse_as(&record, joined);
    assert_int_equal(run.r, 0);
    assert_int_equal(run.v.count, 4);
}

static void the_last_of_two_values_counts(void **state)
{
    char line[] = "record -u ws://a --upstream ws://b";

    (void)state;
    assert_string_equal(parse_as(&record, line).v.upstream, "ws://b");
}

static void mixes_options_and_operands(void **state)
{
    char line[] = "show a.wstape --loud -";
    struct run run = parse_as(&show, line);

    (void)state;
    assert_int_equal(run.r, 0);
    assert_true(run.v.loud);
    assert_int_equal(run.out.operand_count, 2);
    assert_string_equal(run.out.operands[0], "a.wstape");
    assert_string_equal(run.out.operands[1], "-");
}

static void two_dashes_end_the_options(void **state)
{
    char operands[] = "show -- --loud";
    char command[] = "record -u ws://a -- pytest --loud -x --";
    struct run run = parse_as(&show, operands);

    (void)state;
    assert_int_equal(run.r, 0);
    assert_false(run.v.loud);
    assert_string_equal(run.out.operands[0], "--loud");
    assert_null(run.out.command);

    run = parse_as(&record, command);
    assert_int_equal(run.r, 0);
    assert_false(run.v.loud);
    assert_string_equal(run.out.command[0], "pytest");
    assert_string_equal(run.out.command[1], "--loud");
    assert_string_equal(run.out.command[3], "--");
    assert_null(run.out.command[4]);
}

static void names_what_is_unknown(void **state)
{
    (void)state;
    refuse(&record, "record --upstrem ws://a",
           "record: unknown option --upstrem (did you mean --upstream?)");
    refuse(&record, "record --upstrem=ws://a",
           "record: unknown option --upstrem (did you mean --upstream?)");
    refuse(&record, "record --hlep",
           "record: unknown option --hlep (did you mean --help?)");
    refuse(&record, "record --zebra-crossing",
           "record: unknown option --zebra-crossing (try: wstape record --help)");
    refuse(&record, "record -lz",
           "record: unknown option -z (try: wstape record --help)");
    refuse(&record, "record --\x1b[2Jzebra",
           "record: unknown option --\\x1b[2Jzebra (try: wstape record --help)");
}

static void names_bad_values(void **state)
{
    (void)state;
    refuse(&record, "record --upstream",
           "record: --upstream needs a value: --upstream URL");
    refuse(&record, "record -u", "record: --upstream needs a value: --upstream URL");
    refuse(&record, "record --loud=yes", "record: --loud takes no value");
    refuse(&record, "record --timeout 5",
           "record: --timeout: \"5\" is no duration (like 250ms, 3s, 2m)");
    refuse(&record, "record --limit 5x",
           "record: --limit: \"5x\" is no size (like 512, 64k, 16M)");
    refuse(&record, "record -n 11",
           "record: --count: \"11\" is no number from 1 to 10");
    refuse(&record, "record --policy go",
           "record: --policy: \"go\" is not one of stop, pass");
}

static void counts_operands(void **state)
{
    (void)state;
    refuse(&show, "show", "show: something is missing (usage: wstape show TAPE)");
    refuse(&show, "show a b c",
           "show: \"c\" is one argument too many (usage: wstape show TAPE)");
    refuse(
        &record, "record a",
        "record: \"a\" is one argument too many (usage: wstape record --upstream URL "
        "[-- COMMAND...])");
    refuse(&record, "record --", "record: no command after --");
}

static void limits_a_list(void **state)
{
    struct cli_list list = { .count = 64 };
    const struct cli_option one[] = {
        { .name = "fault", .kind = CLI_LIST, .value = "RULE", .to = &list }, { 0 }
    };
    char name[] = "record", option[] = "--fault=x";
    char *argv[] = { name, option, NULL };
    struct cli_parsed out;
    struct err e;

    (void)state;
    assert_int_equal(cli_parse(&record, one, 2, argv, &out, &e), -EINVAL);
    assert_string_equal(e.text, "record: --fault is given more than 64 times");
    assert_int_equal(list.count, 64);
}

/* What parsing `text` prints to stdout. The caller frees it. */
static char *printed(const char *text)
{
    char line[200];
    FILE *kept = tmpfile();
    int saved = dup(STDOUT_FILENO);
    char *out;
    long len;

    assert_non_null(kept);
    fflush(stdout);
    dup2(fileno(kept), STDOUT_FILENO);
    snprintf(line, sizeof(line), "%s", text);
    assert_int_equal(parse_as(&record, line).r, CLI_HELP);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);

    len = lseek(fileno(kept), 0, SEEK_CUR);
    out = calloc(1, (size_t)len + 1);
    assert_non_null(out);
    assert_int_equal(pread(fileno(kept), out, (size_t)len, 0), len);
    fclose(kept);
    return out;
}

static void help_prints_the_table(void **state)
{
    static const char *const asked[] = { "record --help", "record -h", "record -lh x" };
    char *text;

    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        text = printed(asked[i]);
        assert_string_equal(text,
                            "Usage: wstape record --upstream URL [-- COMMAND...]\n"
                            "\n"
                            "Write what passes to a tape.\n"
                            "\n"
                            "Options:\n"
                            "  -u, --upstream URL        the backend\n"
                            "  -l, --loud                say more\n"
                            "  -q, --quick               wait less\n"
                            "      --fault RULE          break something\n"
                            "      --timeout TIME        wait\n"
                            "      --limit SIZE          keep\n"
                            "  -n, --count N             how many\n"
                            "      --policy stop|pass    what then\n"
                            "  -h, --help                print this\n"
                            "\n"
                            "Example: ...\n");
        free(text);
    }
}

static void colour_needs_a_terminal(void **state)
{
    FILE *f = tmpfile();

    (void)state;
    assert_non_null(f);
    assert_false(cli_wants_colour(f));
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_kind_of_value),
        cmocka_unit_test(takes_attached_values),
        cmocka_unit_test(takes_letters_that_share_a_dash),
        cmocka_unit_test(the_last_of_two_values_counts),
        cmocka_unit_test(mixes_options_and_operands),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(names_what_is_unknown),
        cmocka_unit_test(names_bad_values),
        cmocka_unit_test(counts_operands),
        cmocka_unit_test(limits_a_list),
        cmocka_unit_test(help_prints_the_table),
        cmocka_unit_test(colour_needs_a_terminal),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
