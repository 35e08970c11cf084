/*
 * rules_rig - rules from texts, and what came of them.
 */
#ifndef WSTAPE_TESTS_UNIT_RULES_RULES_RIG_H
#define WSTAPE_TESTS_UNIT_RULES_RULES_RIG_H

#include "inject/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The rules of a file, or of lines (up to 8, NULL ends them); they have to be right. */
struct inject_rules *rules_of_file(const char *text);
struct inject_rules *rules_of_lines(const char *const *lines);

/* The only rule of a line; free it with `inject_rules_free(*owner)`. */
const struct inject_rule *rule_of_line(const char *line, struct inject_rules **owner);

/* Whether the line and the rule in YAML (lines of a file under "faults:") are the same
 * rule; asserts. */
void same_rule(const char *line, const char *yaml);

/* Everything of a rule but its name and line, as text. */
void put_rule(const struct inject_rule *r, struct buf *out);

#endif
