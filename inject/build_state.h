/*
 * inject/build_state - the inside of the checker, shared by its parts:
 *
 *   build.c          sources to rules
 *   build_rule.c     a rule: its keys and what every rule may have
 *   build_names.c    names of rules, and what refers to them
 *   build_value.c    scalars: durations, sizes, numbers, texts
 *   build_range.c    sets of numbers and sizes, spans of time
 *   build_when.c     conditions
 *   build_act.c      an action and its parameters
 *   build_fields.c   headers and fields
 *   build_payload.c  messages of replace and insert
 *   build_json.c     values as JSON; a rule's own text, to name it by
 *   build_clash.c    what contradicts itself
 *
 * Nobody stops at an error: it becomes a complaint, and the rule goes on without the
 * value. When memory is out, `failed` is set, and nothing built is used.
 */
#ifndef WSTAPE_INJECT_BUILD_STATE_H
#define WSTAPE_INJECT_BUILD_STATE_H

#include "inject/complain.h"
#include "inject/table.h"
#include "inject/tree.h"

enum { INJECT_RULES_MAX = 1000 };

/* What is remembered of a rule until all are known. */
struct inject_draft {
    const struct inject_source *source;
    size_t at;   /* of its name, or of the rule */
    char *after; /* owned; NULL: none */
    size_t after_at;
    uint64_t hash; /* of its text, when it has no name */
};

struct inject_builder {
    const struct inject_source *source; /* the one being read */
    struct inject_complaints complaints;
    struct inject_rules *rules;
    struct inject_draft *drafts; /* one a rule */
    size_t cap;                  /* of rules and drafts */
    int failed;                  /* 0 or -ENOMEM */
};

/* ---- build_value.c: false after a complaint, or when memory is out ---- */

void inject_wrong(struct inject_builder *b, const struct inject_tree_node *n,
                  const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "LABEL: "x" is not WHAT", "LABEL needs WHAT". Always false. */
bool inject_unfit(struct inject_builder *b, const struct inject_tree_node *n,
                  const char *label, const char *what);

/* Where the byte at `column` (from 1) of a scalar's text is in the source. */
size_t inject_place_in(const struct inject_builder *b, const struct inject_tree_node *n,
                       size_t column);

/* Zeroed memory for `count` things. NULL: `failed` is set. */
void *inject_room(struct inject_builder *b, size_t count, size_t len);

/* A copy. NULL: `failed` is set. */
char *inject_copy(struct inject_builder *b, struct bytes text);

bool inject_value_text(struct inject_builder *b, const struct inject_tree_node *n,
                       const char *label, char **out);
bool inject_value_duration(struct inject_builder *b, const struct inject_tree_node *n,
                           const char *label, int64_t *out);
bool inject_value_size(struct inject_builder *b, const struct inject_tree_node *n,
                       const char *label, uint64_t min, uint64_t *out);
bool inject_value_number(struct inject_builder *b, const struct inject_tree_node *n,
                         const char *label, const uint64_t range[2], uint64_t *out);
bool inject_value_choice(struct inject_builder *b, const struct inject_tree_node *n,
                         const char *label, const char *const *names, unsigned *out);

/* build_range.c. Numbers count from 1; sizes from 0, with units. */
void inject_value_ranges(struct inject_builder *b, const struct inject_tree_node *n,
                         const char *label, bool sizes, struct inject_ranges *out);
void inject_value_span(struct inject_builder *b, const struct inject_tree_node *n,
                       const char *label, int64_t *from_ns, int64_t *to_ns);

/* ---- build_rule.c ---- */

void inject_build_rule(struct inject_builder *b, const struct inject_tree_node *rule);

/* "unknown key "x" (did you mean y?)". */
void inject_unknown_key(struct inject_builder *b, const struct inject_tree_node *key,
                        const char *const *names);

/* ---- build_names.c, once all rules are there ---- */

void inject_build_check_names(struct inject_builder *b);
void inject_build_resolve(struct inject_builder *b);

/* ---- the others ---- */

void inject_build_when(struct inject_builder *b, const struct inject_tree_node *when,
                       struct inject_when *out, struct inject_draft *draft);
void inject_build_act(struct inject_builder *b, const struct inject_tree_node *value,
                      struct inject_act *out);

void inject_build_headers(struct inject_builder *b, const struct inject_tree_node *n,
                          const char *label, struct inject_act *out);
void inject_build_header_names(struct inject_builder *b,
                               const struct inject_tree_node *n, const char *label,
                               struct inject_act *out);
void inject_build_fields(struct inject_builder *b, const struct inject_tree_node *n,
                         enum inject_param_kind kind, struct inject_act *out);
bool inject_build_header_name(struct inject_builder *b,
                              const struct inject_tree_node *n, char **out);
bool inject_build_header_value(struct inject_builder *b,
                               const struct inject_tree_node *n, const char *label,
                               char **out);
bool inject_build_path(struct inject_builder *b, const struct inject_tree_node *n,
                       struct inject_path **out);

void inject_build_payload(struct inject_builder *b, const struct inject_tree_node *n,
                          enum inject_param_kind kind, struct inject_act *out);

/* Append a value as JSON. False after a complaint, or when memory is out. */
bool inject_build_json(struct inject_builder *b, const struct inject_tree_node *n,
                       struct buf *out);

/* A hash of what a rule says: of its keys and values without order and style. */
uint64_t inject_build_hash(struct inject_builder *b,
                           const struct inject_tree_node *rule);

void inject_build_clashes(struct inject_builder *b, const struct inject_tree_node *rule,
                          const struct inject_rule *r);

#endif
