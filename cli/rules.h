/*
 * cli/rules - the rules that --faults, --fault and --seed name, as a plan.
 */
#ifndef WSTAPE_CLI_RULES_H
#define WSTAPE_CLI_RULES_H

#include "base/err.h"
#include "cli/recorder.h"
#include "inject/plan.h"

#include <stdbool.h>

/* `*out` stays NULL when no rules are named. Without a seed in options or file one is
 * drawn, and said on stderr. All errors of the rules go to stderr, `e` gets how many
 * there are; -EINVAL. */
int cli_rules_plan(const struct cli_recorder_config *c, struct inject_plan **out,
                   struct err *e);

/* Read them again into `plan`. False, after words on stderr, when they are bad: the
 * plan is as it was. */
bool cli_rules_reload(const struct cli_recorder_config *c, struct inject_plan *plan);

/* How often each rule acted, and which never did, to stderr. */
void cli_rules_summarize(const struct inject_plan *plan);

#endif
