#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"
#include "inject/glob.h"
#include "inject/regex.h"

#include <errno.h>

/* ---- texts with a grammar ---- */

static void read_glob(struct inject_builder *b, const struct inject_tree_node *n,
                      const char *label, char **out)
{
    const char *wrong;
    size_t column;

    if (!inject_value_text(b, n, label, out)) {
        return;
    }
    wrong = inject_glob_check(n->text, &column);
    if (wrong != NULL) {
        inject_complain(&b->complaints, b->source, inject_place_in(b, n, column),
                        "%s: %s", label, wrong);
    }
}

static void read_regex(struct inject_builder *b, const struct inject_tree_node *n,
                       struct inject_regex **out)
{
    char *text = NULL;
    size_t column = 1;
    struct err e;
    int r;

    if (!inject_value_text(b, n, "text", &text)) {
        return;
    }
    alloc_free(text);
    r = inject_regex_new(n->text, out, &e, &column);
    if (r < 0) {
        b->failed = r;
    } else if (r > 0) {
        inject_complain(&b->complaints, b->source, inject_place_in(b, n, column),
                        "text: no regular expression: %s", e.text);
    }
}

/* ---- maps ---- */

static bool is_map(struct inject_builder *b, const struct inject_tree_node *n,
                   const char *label, const char *like)
{
    if (n->kind == INJECT_TREE_MAP && n->count > 0) {
        return true;
    }
    inject_wrong(b, n, "%s needs a map (%s)", label, like);
    return false;
}

static void read_headers(struct inject_builder *b, const struct inject_tree_node *n,
                         struct inject_when *out)
{
    if (!is_map(b, n, "header",
                b->source->is_line ? "in one line: header.NAME=GLOB"
                                   : "like {User-Agent: Python*}")) {
        return;
    }
    out->headers = inject_room(b, n->count, sizeof(*out->headers));
    if (out->headers == NULL) {
        return;
    }
    for (const struct inject_tree_node *v = n->first; v != NULL; v = v->next) {
        struct inject_header_condition *h = &out->headers[out->header_count++];

        inject_build_header_name(b, v->key, &h->name);
        read_glob(b, v, "header", &h->glob);
    }
}

static void read_expected(struct inject_builder *b, const struct inject_tree_node *n,
                          char **out)
{
    struct buf word = { 0 };
    const char *wrong;
    size_t column;

    if (n->kind != INJECT_TREE_SCALAR) {
        inject_wrong(b, n,
                     "json: %s cannot be compared with, only texts, numbers, "
                     "true, false, null and *",
                     inject_tree_kind_name(n));
        return;
    }
    if (memchr(n->text.at, '\0', n->text.len) != NULL) {
        inject_wrong(b, n, "json: the text must not contain a NUL");
        return;
    }
    if (inject_json_put_expected(n->text, n->quoted, &word) < 0) {
        b->failed = -ENOMEM;
        return;
    }
    wrong = inject_json_check_expected(buf_bytes(&word), &column);
    if (wrong != NULL) {
        inject_complain(&b->complaints, b->source, inject_place_in(b, n, column),
                        "json: %s", wrong);
    }
    *out = inject_copy(b, buf_bytes(&word));
    buf_deinit(&word);
}

static void read_json(struct inject_builder *b, const struct inject_tree_node *n,
                      struct inject_when *out)
{
    if (!is_map(b, n, "json",
                b->source->is_line ? "in one line: json.PATH=VALUE"
                                   : "like {type: tool_*}")) {
        return;
    }
    if (n->count > INJECT_JSON_CONDITIONS_MAX) {
        inject_wrong(b, n, "json: more than %d paths", INJECT_JSON_CONDITIONS_MAX);
        return;
    }
    out->json = inject_room(b, n->count, sizeof(*out->json));
    if (out->json == NULL) {
        return;
    }
    for (const struct inject_tree_node *v = n->first; v != NULL; v = v->next) {
        struct inject_json_condition *c = &out->json[out->json_count++];

        inject_build_path(b, v->key, &c->path);
        read_expected(b, v, &c->expected);
    }
}

/* ---- names ---- */

static void read_from(struct inject_builder *b, const struct inject_tree_node *n,
                      struct inject_when *out)
{
    unsigned index;

    if (inject_value_choice(b, n, "from", inject_side_names, &index)) {
        out->has_from = true;
        out->from = index == 0 ? CLIENT : SERVER;
    }
}

static void read_opcodes(struct inject_builder *b, const struct inject_tree_node *n,
                         struct inject_when *out)
{
    unsigned index;

    if (n->kind == INJECT_TREE_LIST && n->count == 0) {
        inject_wrong(b, n, "opcode: the list is empty");
    }
    for (const struct inject_tree_node *v = n->kind == INJECT_TREE_LIST ? n->first : n;
         v != NULL; v = n->kind == INJECT_TREE_LIST ? v->next : NULL) {
        if (inject_value_choice(b, v, "opcode", inject_opcode_names, &index)) {
            out->opcodes |= 1U << index;
        }
    }
}

static void read_after(struct inject_builder *b, const struct inject_tree_node *n,
                       struct inject_draft *draft)
{
    alloc_free(draft->after);
    draft->after = NULL;
    draft->after_at = n->at;
    inject_value_text(b, n, "after", &draft->after);
}

/* ---- all ---- */

static void read_condition(struct inject_builder *b, enum inject_condition c,
                           const struct inject_tree_node *n, struct inject_when *out)
{
    const char *name = inject_condition_row(c)->name;

    switch (c) {
    case INJECT_IF_CONNECTION:
        inject_value_ranges(b, n, name, false, &out->connection);
        return;
    case INJECT_IF_PATH:
        read_glob(b, n, name, &out->path);
        return;
    case INJECT_IF_HEADER:
        read_headers(b, n, out);
        return;
    case INJECT_IF_FROM:
        read_from(b, n, out);
        return;
    case INJECT_IF_MESSAGE:
        inject_value_ranges(b, n, name, false, &out->message);
        return;
    case INJECT_IF_OPCODE:
        read_opcodes(b, n, out);
        return;
    case INJECT_IF_JSON:
        read_json(b, n, out);
        return;
    case INJECT_IF_TEXT:
        read_regex(b, n, &out->text);
        return;
    case INJECT_IF_SIZE:
        inject_value_ranges(b, n, name, true, &out->size);
        return;
    case INJECT_IF_TIME:
        inject_value_span(b, n, name, &out->time_from_ns, &out->time_to_ns);
        return;
    case INJECT_IF_AGE:
        inject_value_span(b, n, name, &out->age_from_ns, &out->age_to_ns);
        return;
    case INJECT_IF_AFTER:
    case INJECT_IF_COUNT:
        return;
    }
}

static void unknown_condition(struct inject_builder *b,
                              const struct inject_tree_node *key)
{
    const char *names[INJECT_IF_COUNT + 1];
    const char *near;

    for (int i = 0; i < INJECT_IF_COUNT; i++) {
        names[i] = inject_condition_row((enum inject_condition)i)->name;
    }
    names[INJECT_IF_COUNT] = NULL;
    near = text_nearest((const char *)key->text.at, names);
    inject_wrong(b, key, "unknown condition \"%s\"%s%s%s", inject_quote(key->text).text,
                 near == NULL ? " (see: wstape faults)" : " (did you mean ",
                 near == NULL ? "" : near, near == NULL ? "" : "?)");
}

/* A key that is there twice has been complained about; the first one counts. */
static bool is_first(const struct inject_tree_node *map,
                     const struct inject_tree_node *v)
{
    return inject_tree_find(map, (const char *)v->key->text.at) == v;
}

void inject_build_when(struct inject_builder *b, const struct inject_tree_node *when,
                       struct inject_when *out, struct inject_draft *draft)
{
    if (when->kind != INJECT_TREE_MAP) {
        inject_unfit(b, when, "when", "a map of conditions (like {from: server})");
        return;
    }
    for (const struct inject_tree_node *v = when->first; v != NULL; v = v->next) {
        int condition = inject_condition_find(v->key->text);

        if (condition < 0) {
            unknown_condition(b, v->key);
        } else if (condition == INJECT_IF_AFTER) {
            read_after(b, v, draft);
        } else if (is_first(when, v)) {
            read_condition(b, (enum inject_condition)condition, v, out);
        }
    }
}
