#include "inject/build.h"

#include "base/alloc.h"
#include "inject/build_state.h"
#include "inject/read.h"
#include "wire/utf8.h"

#include <errno.h>
#include <stdlib.h>

/* ---- keys ---- */

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
            inject_unknown_key(b, v->key, keys);
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
            inject_build_rule(b, v);
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
        inject_build_rule(b, root);
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
        inject_build_check_names(&b);
        inject_build_resolve(&b);
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
