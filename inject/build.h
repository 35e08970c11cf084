/*
 * inject/build - rules from what people write: a YAML file, or one line of --fault.
 *
 * Everything is checked as a whole before anything is used: all errors are collected,
 * each with its place, the excerpt and a suggestion.
 */
#ifndef WSTAPE_INJECT_BUILD_H
#define WSTAPE_INJECT_BUILD_H

#include "base/buf.h"
#include "inject/rule.h"

struct inject_source {
    const char *name; /* "faults.yaml", "--fault" */
    struct bytes text;
    bool is_line;       /* the one-line form */
    const char *folder; /* where `file:` of replace and insert is looked up */
};

/* Build all rules of `sources`, in order. 0: `*out` is owned by the caller. -EINVAL:
 * `errors` has every error as text, one or more lines each:
 *   faults.yaml:7:11: unknown key "drop_feild" (did you mean drop_field?)
 *       drop_feild: tool_name
 *       ^
 * -ENOMEM. */
int inject_build(const struct inject_source *sources, size_t count,
                 struct inject_rules **out, struct buf *errors, unsigned *error_count);

/* The table of actions for `wstape faults`: for each, name, what it does, an example in
 * YAML and as one line. */
struct inject_help {
    enum inject_action action;
    const char *what;
    const char *yaml;
    const char *line;
};
const struct inject_help *inject_help_at(size_t index); /* NULL past the last */

/* The JSON Schema (2020-12) of a rule file, generated from the same table. -ENOMEM. */
int inject_put_schema(struct buf *out);

#endif
