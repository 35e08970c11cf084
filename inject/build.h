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
    const char *folder; /* where `file:` of replace and insert is looked up; NULL:
                           there is no such place */
};

/* Build all rules of `sources`, in order. 0: `*out` is owned by the caller. -EINVAL:
 * `errors` has the first 50 errors as text, one or more lines each, and how many more
 * there are:
 *   faults.yaml:7:11: unknown key "drop_feild" (did you mean drop_field?)
 *       drop_feild: tool_name
 *       ^
 * -ENOMEM. */
int inject_build(const struct inject_source *sources, size_t count,
                 struct inject_rules **out, struct buf *errors, unsigned *error_count);

/* An action or a condition, for `wstape faults`. */
struct inject_help {
    const char *name;
    const char *stage; /* "connection", "handshake", "message", "stream"; "" for a
                          condition */
    const char *what;
    const char *yaml; /* lines of a rule; the value of `when` for a condition */
    const char *line; /* the same in one line */
};

/* The index-th action, in the order of its stages. False: there are no more. */
bool inject_help_action(size_t index, struct inject_help *out);
bool inject_help_condition(size_t index, struct inject_help *out);

/* The JSON Schema (2020-12) of a rule file, generated from the same table. -ENOMEM. */
int inject_put_schema(struct buf *out);

#endif
