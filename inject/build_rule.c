#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"

#include <errno.h>

enum { NAME_LEN_MAX = 200 };

static const char *const rule_keys[] = { "name", "when", "probability", "times",
                                         "per_connection" };

/* ---- keys ---- */

void inject_unknown_key(struct inject_builder *b, const struct inject_tree_node *key,
                        const char *const *names)
{
    const char *near = text_nearest((const char *)key->text.at, names);

    inject_wrong(b, key, "unknown key \"%s\"%s%s%s", inject_quote(key->text).text,
                 near == NULL ? " (see: wstape faults)" : " (did you mean ",
                 near == NULL ? "" : near, near == NULL ? "" : "?)");
}

/* What a line may have besides: conditions, and parameters of its action. */
static size_t add_line_keys(const struct inject_tree_node *rule, const char **names)
{
    const struct inject_tree_node *v = rule->first;
    const struct inject_action_row *row;
    size_t count = 0;

    for (int i = 0; i < INJECT_IF_COUNT; i++) {
        names[count++] = inject_condition_row((enum inject_condition)i)->name;
    }
    while (v != NULL && inject_action_find(v->key->text) < 0) {
        v = v->next;
    }
    if (v == NULL) {
        return count;
    }
    row = inject_action_row((enum inject_action)inject_action_find(v->key->text));
    for (size_t i = 0; i < INJECT_PARAMS_MAX && row->params[i].name != NULL; i++) {
        names[count++] = row->params[i].name;
    }
    return count;
}

static void unknown_rule_key(struct inject_builder *b,
                             const struct inject_tree_node *rule,
                             const struct inject_tree_node *key)
{
    const char *names[INJECT_ACTION_COUNT + INJECT_IF_COUNT + INJECT_PARAMS_MAX +
                      sizeof(rule_keys) / sizeof(rule_keys[0]) + 1];
    size_t count = 0;

    for (int i = 0; i < INJECT_ACTION_COUNT; i++) {
        names[count++] = inject_action_name((enum inject_action)i);
    }
    for (size_t i = 0; i < sizeof(rule_keys) / sizeof(rule_keys[0]); i++) {
        names[count++] = rule_keys[i];
    }
    count += b->source->is_line ? add_line_keys(rule, names + count) : 0;
    names[count] = NULL;
    if (!b->source->is_line && inject_condition_find(key->text) >= 0) {
        inject_wrong(b, key, "\"%s\" is a condition: it belongs in when",
                     inject_quote(key->text).text);
        return;
    }
    inject_unknown_key(b, key, names);
}

static bool is_rule_key(struct bytes key)
{
    for (size_t i = 0; i < sizeof(rule_keys) / sizeof(rule_keys[0]); i++) {
        if (bytes_equal(key, bytes_of(rule_keys[i]))) {
            return true;
        }
    }
    return false;
}

/* ---- one rule ---- */

static bool grow(struct inject_builder *b)
{
    size_t cap = b->cap == 0 ? 8 : b->cap * 2;
    struct inject_rule *rules;
    struct inject_draft *drafts;

    if (b->rules->count < b->cap) {
        return true;
    }
    rules = alloc_resize(b->rules->at, cap * sizeof(*rules));
    b->rules->at = rules == NULL ? b->rules->at : rules;
    drafts = alloc_resize(b->drafts, cap * sizeof(*drafts));
    b->drafts = drafts == NULL ? b->drafts : drafts;
    if (rules == NULL || drafts == NULL) {
        b->failed = -ENOMEM;
        return false;
    }
    b->cap = cap;
    return true;
}

static void read_name(struct inject_builder *b, const struct inject_tree_node *n,
                      char **out)
{
    struct buf shown = { 0 };

    if (!inject_value_text(b, n, "name", out)) {
        return;
    }
    if (n->text.len == 0 || n->text.len > NAME_LEN_MAX) {
        inject_wrong(b, n, "name: 1 to %d bytes are needed", NAME_LEN_MAX);
    }
    if (text_put_escaped(&shown, n->text, SIZE_MAX) < 0) {
        b->failed = -ENOMEM;
    } else if (!bytes_equal(buf_bytes(&shown), n->text)) {
        inject_wrong(b, n, "name: there are characters in it that cannot be shown");
    }
    buf_deinit(&shown);
}

/* Digits with a point among them, as people write a probability. */
static bool is_decimal(struct bytes text)
{
    size_t points = 0;

    for (size_t i = 0; i < text.len; i++) {
        points += text.at[i] == '.';
        if (text.at[i] != '.' && (text.at[i] < '0' || text.at[i] > '9')) {
            return false;
        }
    }
    return text.len > points && points <= 1;
}

/* strtod would read the point as the locale says. */
static double decimal(struct bytes text)
{
    double value = 0, place = 1;

    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '.') {
            place = 0.1;
        } else if (place == 1) {
            value = value * 10 + (text.at[i] - '0');
        } else {
            value += (text.at[i] - '0') * place;
            place /= 10;
        }
    }
    return value;
}

static void read_probability(struct inject_builder *b, const struct inject_tree_node *n,
                             double *out)
{
    double value;

    if (n->kind != INJECT_TREE_SCALAR || n->quoted || !is_decimal(n->text)) {
        inject_unfit(b, n, "probability", "a number from 0 to 1 (like 0.25)");
        return;
    }
    value = decimal(n->text);
    if (value <= 0) {
        inject_wrong(b, n, "probability: with 0 the rule never acts");
    } else if (value > 1) {
        inject_unfit(b, n, "probability", "a number from 0 to 1 (like 0.25)");
    } else {
        *out = value;
    }
}

static void read_budget(struct inject_builder *b, const struct inject_tree_node *n,
                        const char *label, uint64_t *out)
{
    static const uint64_t range[2] = { 1, UINT64_MAX };

    inject_value_number(b, n, label, range, out);
}

/* What may stand in any rule, whatever its action. */
static void read_common(struct inject_builder *b, const struct inject_tree_node *rule,
                        struct inject_rule *r, struct inject_draft *draft)
{
    const struct inject_tree_node *n;

    n = inject_tree_find(rule, "name");
    if (n != NULL) {
        read_name(b, n, &r->name);
        draft->at = n->at;
    }
    n = inject_tree_find(rule, "when");
    if (n != NULL) {
        inject_build_when(b, n, &r->when, draft);
    }
    n = inject_tree_find(rule, "probability");
    if (n != NULL) {
        read_probability(b, n, &r->probability);
    }
    n = inject_tree_find(rule, "times");
    if (n != NULL) {
        read_budget(b, n, "times", &r->times);
    }
    n = inject_tree_find(rule, "per_connection");
    if (n != NULL) {
        read_budget(b, n, "per_connection", &r->per_connection);
    }
}

/* The entry of the one action the rule has; NULL after a complaint. */
static const struct inject_tree_node *find_action(struct inject_builder *b,
                                                  const struct inject_tree_node *rule)
{
    const struct inject_tree_node *found = NULL;
    bool unknown = false;

    for (const struct inject_tree_node *v = rule->first; v != NULL; v = v->next) {
        if (is_rule_key(v->key->text)) {
            continue;
        }
        if (inject_action_find(v->key->text) < 0) {
            unknown_rule_key(b, rule, v->key);
            unknown = true;
        } else if (found == NULL) {
            found = v;
        } else if (!bytes_equal(found->key->text, v->key->text)) {
            inject_wrong(b, v->key, "a second action: this rule does %s already",
                         inject_quote(found->key->text).text);
        }
    }
    if (found == NULL && !unknown) {
        inject_wrong(b, rule, "this rule has no action (see: wstape faults)");
    }
    return found;
}

void inject_build_rule(struct inject_builder *b, const struct inject_tree_node *rule)
{
    const struct inject_tree_node *action;
    struct inject_rule *r;
    struct inject_draft *draft;
    unsigned line, column;

    if (rule->kind != INJECT_TREE_MAP) {
        inject_unfit(b, rule, "faults", "a rule (a map like {drop: true})");
        return;
    }
    if (b->rules->count == INJECT_RULES_MAX) {
        inject_wrong(b, rule, "more than %d rules", INJECT_RULES_MAX);
        return;
    }
    if (!grow(b)) {
        return;
    }
    inject_place_of(b->source->text, rule->at, &line, &column);
    r = &b->rules->at[b->rules->count];
    *r = (struct inject_rule){ .line = b->source->is_line ? 0 : line,
                               .probability = 1,
                               .times = UINT64_MAX,
                               .per_connection = UINT64_MAX };
    r->when.time_to_ns = r->when.age_to_ns = INT64_MAX;
    r->when.after = -1;
    draft = &b->drafts[b->rules->count++];
    *draft = (struct inject_draft){ .source = b->source, .at = rule->at };
    draft->hash = inject_build_hash(b, rule);
    read_common(b, rule, r, draft);
    action = find_action(b, rule);
    if (action != NULL) {
        r->act.action = (enum inject_action)inject_action_find(action->key->text);
        inject_build_act(b, action, &r->act);
        inject_build_clashes(b, rule, r);
    }
}
