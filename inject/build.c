#include "inject/build.h"

#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"
#include "inject/read.h"
#include "wire/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RULES_MAX = 1000, NAME_MAX_LEN = 200 };

static const char *const rule_keys[] = { "name", "when", "probability", "times",
                                         "per_connection" };

/* ---- keys ---- */

static void unknown_key(struct inject_builder *b, const struct inject_tree_node *key,
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
    size_t count = 0;

    for (int i = 0; i < INJECT_IF_COUNT; i++) {
        names[count++] = inject_condition_row((enum inject_condition)i)->name;
    }
    for (const struct inject_tree_node *v = rule->first; v != NULL; v = v->next) {
        int action = inject_action_find(v->key->text);

        if (action >= 0) {
            const struct inject_action_row *row =
                inject_action_row((enum inject_action)action);

            for (size_t i = 0; i < INJECT_PARAMS_MAX && row->params[i].name; i++) {
                names[count++] = row->params[i].name;
            }
            break;
        }
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
    unknown_key(b, key, names);
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

static int by_text(const void *a, const void *b)
{
    const struct inject_tree_node *x = *(const struct inject_tree_node *const *)a;
    const struct inject_tree_node *y = *(const struct inject_tree_node *const *)b;
    size_t len = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = memcmp(x->text.at, y->text.at, len);

    if (order == 0 && x->text.len != y->text.len) {
        order = x->text.len < y->text.len ? -1 : 1;
    }
    if (order == 0) {
        order = x->at < y->at ? -1 : x->at > y->at;
    }
    return order;
}

/* Complain about keys that a map has twice. */
static void check_twice(struct inject_builder *b, const struct inject_tree_node *map)
{
    const struct inject_tree_node **keys = inject_room(b, map->count, sizeof(*keys));
    size_t count = 0;
    unsigned line, column;

    if (keys == NULL) {
        return;
    }
    for (const struct inject_tree_node *v = map->first; v != NULL; v = v->next) {
        keys[count++] = v->key;
    }
    qsort(keys, count, sizeof(*keys), by_text);
    for (size_t i = 1; i < count; i++) {
        if (bytes_equal(keys[i - 1]->text, keys[i]->text)) {
            inject_place_of(b->source->text, keys[i - 1]->at, &line, &column);
            inject_wrong(b, keys[i], "\"%s\" is here twice (before at %u:%u)",
                         inject_quote(keys[i]->text).text, line, column);
        }
    }
    alloc_free(keys);
}

static void check_all_twice(struct inject_builder *b, const struct inject_tree_node *n)
{
    if (n->kind == INJECT_TREE_MAP && n->count > 1) {
        check_twice(b, n);
    }
    for (const struct inject_tree_node *c = n->first; c != NULL; c = c->next) {
        check_all_twice(b, c);
    }
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
    if (n->text.len == 0 || n->text.len > NAME_MAX_LEN) {
        inject_wrong(b, n, "name: 1 to %d bytes are needed", NAME_MAX_LEN);
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

static void build_rule(struct inject_builder *b, const struct inject_tree_node *rule)
{
    const struct inject_tree_node *action;
    struct inject_rule *r;
    struct inject_draft *draft;
    unsigned line, column;

    if (rule->kind != INJECT_TREE_MAP) {
        inject_unfit(b, rule, "faults", "a rule (a map like {drop: true})");
        return;
    }
    if (b->rules->count == RULES_MAX) {
        inject_wrong(b, rule, "more than %d rules", RULES_MAX);
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

/* ---- a source ---- */

static void build_seed(struct inject_builder *b, const struct inject_tree_node *n)
{
    static const uint64_t range[2] = { 0, UINT64_MAX };

    if (inject_value_number(b, n, "seed", range, &b->rules->seed)) {
        b->rules->has_seed = true;
    }
}

static void build_file(struct inject_builder *b, const struct inject_tree_node *root)
{
    static const char *const keys[] = { "seed", "faults", NULL };
    const struct inject_tree_node *faults = inject_tree_find(root, "faults");
    const struct inject_tree_node *seed = inject_tree_find(root, "seed");
    bool unknown = false;

    for (const struct inject_tree_node *v = root->first; v != NULL; v = v->next) {
        if (!bytes_equal(v->key->text, bytes_of(keys[0])) &&
            !bytes_equal(v->key->text, bytes_of(keys[1]))) {
            unknown_key(b, v->key, keys);
            unknown = true;
        }
    }
    if (seed != NULL) {
        build_seed(b, seed);
    }
    if (faults == NULL) {
        if (!unknown) {
            inject_wrong(b, root, "\"faults\" is missing: a list of rules");
        }
    } else if (faults->kind != INJECT_TREE_LIST) {
        inject_unfit(b, faults, "faults", "a list of rules");
    } else {
        for (const struct inject_tree_node *v = faults->first; v != NULL; v = v->next) {
            build_rule(b, v);
        }
    }
}

static void build_tree(struct inject_builder *b, const struct inject_tree_node *root)
{
    if (root == NULL) {
        return;
    }
    check_all_twice(b, root);
    if (b->source->is_line) {
        build_rule(b, root);
    } else if (root->kind == INJECT_TREE_MAP) {
        build_file(b, root);
    } else {
        inject_wrong(b, root, "a rule file is a map with \"faults\", a list of rules");
    }
}

/* Where the text stops being UTF-8 without NUL; its length: nowhere. */
static size_t first_bad(struct bytes text)
{
    struct wire_utf8 u = { 0 };
    size_t at = 0;

    while (at < text.len && text.at[at] != '\0' &&
           wire_utf8_check(&u, bytes_first(bytes_from(text, at), 1))) {
        at++;
    }
    return at == text.len && !wire_utf8_complete(&u) ? at - 1 : at;
}

static void build_source(struct inject_builder *b)
{
    const struct inject_source *s = b->source;
    struct inject_tree tree = { 0 };
    unsigned before = b->complaints.total;
    size_t bad = first_bad(s->text);
    int r = 0;

    if (s->text.len > INJECT_SOURCE_MAX) {
        inject_complain(&b->complaints, s, 0, "rules are at most 4M long");
    } else if (bad < s->text.len) {
        inject_complain(&b->complaints, s, bad,
                        "here is a byte that is no text (UTF-8)");
    } else if (s->is_line) {
        r = inject_read_line(s, &tree, &b->complaints);
    } else {
        r = inject_read_yaml(s, &tree, &b->complaints);
    }
    if (r < 0) {
        b->failed = r;
    } else if (tree.root == NULL && b->complaints.total == before) {
        inject_complain(&b->complaints, s, 0,
                        "there is nothing in it: a rule file is a map with \"faults\", "
                        "a list of rules");
    } else if (b->failed == 0) {
        build_tree(b, tree.root);
    }
    inject_tree_deinit(&tree);
}

/* ---- what refers to other rules ---- */

/* The rule before `end` that has this name; `end`: none has. */
static size_t find_name(const struct inject_builder *b, size_t end, const char *name)
{
    size_t i = 0;

    while (i < end &&
           (b->rules->at[i].name == NULL || strcmp(b->rules->at[i].name, name) != 0)) {
        i++;
    }
    return i;
}

static void check_names(struct inject_builder *b)
{
    for (size_t i = 0; i < b->rules->count; i++) {
        const struct inject_rule *r = &b->rules->at[i];
        size_t first = r->name == NULL ? i : find_name(b, i, r->name);
        unsigned line, column;

        if (first == i) {
            continue;
        }
        inject_place_of(b->drafts[first].source->text, b->drafts[first].at, &line,
                        &column);
        inject_complain(&b->complaints, b->drafts[i].source, b->drafts[i].at,
                        "name: \"%s\" is taken by the rule at %s:%u:%u",
                        inject_quote(bytes_of(r->name)).text,
                        inject_quote(bytes_of(b->drafts[first].source->name)).text,
                        line, column);
    }
}

/* A rule is named by what it says, so that others do not change its draws. */
static void invent_name(struct inject_builder *b, size_t i)
{
    struct inject_rule *r = &b->rules->at[i];
    uint64_t h = b->drafts[i].hash;
    unsigned digits = (unsigned)((h ^ h >> 16 ^ h >> 32 ^ h >> 48) & 0xffff);
    char name[64];
    int len = snprintf(name, sizeof(name), "%s-%04x", inject_action_name(r->act.action),
                       digits);

    for (unsigned n = 2; find_name(b, b->rules->count, name) < b->rules->count; n++) {
        snprintf(name + len, sizeof(name) - (size_t)len, "-%u", n);
    }
    r->name = inject_copy(b, bytes_of(name));
}

static void unknown_rule(struct inject_builder *b, const struct inject_draft *d)
{
    const char *names[RULES_MAX + 1];
    const char *near;
    size_t count = 0;

    for (size_t i = 0; i < b->rules->count; i++) {
        if (b->rules->at[i].name != NULL) {
            names[count++] = b->rules->at[i].name;
        }
    }
    names[count] = NULL;
    near = text_nearest(d->after, names);
    inject_complain(
        &b->complaints, d->source, d->after_at, "after: no rule is called \"%s\"%s%s%s",
        inject_quote(bytes_of(d->after)).text, near == NULL ? "" : " (did you mean \"",
        near == NULL ? "" : near, near == NULL ? "" : "\"?)");
}

static void resolve(struct inject_builder *b)
{
    for (size_t i = 0; i < b->rules->count && b->failed == 0; i++) {
        if (b->rules->at[i].name == NULL) {
            invent_name(b, i);
        }
    }
    for (size_t i = 0; i < b->rules->count && b->failed == 0; i++) {
        const struct inject_draft *d = &b->drafts[i];
        size_t of = d->after == NULL ? i : find_name(b, b->rules->count, d->after);

        if (d->after == NULL) {
            continue;
        }
        if (of == b->rules->count) {
            unknown_rule(b, d);
        } else if (of == i) {
            inject_complain(&b->complaints, d->source, d->after_at,
                            "after: this is the rule itself: it would wait forever");
        } else {
            b->rules->at[i].when.after = (int)of;
        }
    }
}

/* ---- all ---- */

static void deinit(struct inject_builder *b)
{
    for (size_t i = 0; b->rules != NULL && i < b->rules->count; i++) {
        alloc_free(b->drafts[i].after);
    }
    alloc_free(b->drafts);
    inject_complaints_deinit(&b->complaints);
}

static int finish(struct inject_builder *b, struct buf *errors, unsigned *error_count)
{
    if (b->failed == 0) {
        b->failed = b->complaints.failed;
    }
    if (b->failed < 0 || b->complaints.total == 0) {
        return b->failed;
    }
    *error_count = b->complaints.total;
    return inject_complaints_put(&b->complaints, errors) < 0 ? -ENOMEM : -EINVAL;
}

int inject_build(const struct inject_source *sources, size_t count,
                 struct inject_rules **out, struct buf *errors, unsigned *error_count)
{
    struct inject_builder b = { .rules = alloc_zero(1, sizeof(*b.rules)) };
    int r;

    if (b.rules == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count && b.failed == 0; i++) {
        b.source = &sources[i];
        build_source(&b);
    }
    if (b.failed == 0) {
        check_names(&b);
        resolve(&b);
    }
    r = finish(&b, errors, error_count);
    deinit(&b);
    if (r < 0) {
        inject_rules_free(b.rules);
        return r;
    }
    *out = b.rules;
    return 0;
}
