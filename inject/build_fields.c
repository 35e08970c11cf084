#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"

#include <errno.h>

/* ---- headers ---- */

/* A token of RFC 9110, section 5.6.2. */
static bool is_token(struct bytes text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i], lower = c | 0x20;

        if (c == '\0' || ((lower < 'a' || lower > 'z') && (c < '0' || c > '9') &&
                          strchr(others, c) == NULL)) {
            return false;
        }
    }
    return text.len > 0;
}

bool inject_build_header_name(struct inject_builder *b,
                              const struct inject_tree_node *n, char **out)
{
    if (n->kind != INJECT_TREE_SCALAR || !is_token(n->text)) {
        return inject_unfit(b, n, "header", "a header's name");
    }
    *out = inject_copy(b, n->text);
    return *out != NULL;
}

static bool is_value(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.at[i] < 0x20 && text.at[i] != '\t') || text.at[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

bool inject_build_header_value(struct inject_builder *b,
                               const struct inject_tree_node *n, const char *label,
                               char **out)
{
    if (n->kind == INJECT_TREE_SCALAR && !is_value(n->text)) {
        inject_wrong(b, n, "%s: a header's value has no control characters", label);
        return false;
    }
    return inject_value_text(b, n, label, out);
}

void inject_build_headers(struct inject_builder *b, const struct inject_tree_node *n,
                          const char *label, struct inject_act *out)
{
    if (n->kind != INJECT_TREE_MAP || n->count == 0) {
        inject_wrong(b, n, "%s needs a map of names and values (%s%s)", label,
                     b->source->is_line ? "in one line: " : "like {Retry-After: 1}",
                     !b->source->is_line             ? ""
                     : strcmp(label, "headers") == 0 ? "headers.NAME=VALUE"
                                                     : "set_header.NAME=VALUE");
        return;
    }
    out->headers = inject_room(b, n->count, sizeof(*out->headers));
    if (out->headers == NULL) {
        return;
    }
    for (const struct inject_tree_node *v = n->first; v != NULL; v = v->next) {
        struct inject_header *h = &out->headers[out->header_count++];

        inject_build_header_name(b, v->key, &h->name);
        inject_build_header_value(b, v, label, &h->value);
    }
}

/* One, or a list that is not empty. */
static const struct inject_tree_node *items(struct inject_builder *b,
                                            const struct inject_tree_node *n,
                                            const char *label, size_t *count)
{
    *count = n->kind == INJECT_TREE_LIST ? n->count : 1;
    if (*count == 0) {
        inject_wrong(b, n, "%s: the list is empty", label);
    }
    return n->kind == INJECT_TREE_LIST ? n->first : n;
}

void inject_build_header_names(struct inject_builder *b,
                               const struct inject_tree_node *n, const char *label,
                               struct inject_act *out)
{
    size_t count;
    const struct inject_tree_node *v = items(b, n, label, &count);

    out->headers = inject_room(b, count, sizeof(*out->headers));
    for (; out->headers != NULL && out->header_count < count; v = v->next) {
        inject_build_header_name(b, v, &out->headers[out->header_count++].name);
    }
}

/* ---- fields ---- */

bool inject_build_path(struct inject_builder *b, const struct inject_tree_node *n,
                       struct inject_path **out)
{
    size_t column = 1;
    struct err e;
    int r;

    if (n->kind != INJECT_TREE_SCALAR) {
        return inject_unfit(b, n, "path", "a path (like $.results[0].id)");
    }
    r = inject_path_new(n->text, out, &e, &column);
    if (r < 0) {
        b->failed = r;
    } else if (r > 0) {
        inject_complain(&b->complaints, b->source, inject_place_in(b, n, column),
                        "\"%s\" is no path: %s", inject_quote(n->text).text, e.text);
    }
    return r == 0;
}

static void set_json(struct inject_builder *b, const struct inject_tree_node *v,
                     struct inject_field_edit *f)
{
    struct buf json = { 0 };

    if (inject_build_json(b, v, &json)) {
        f->text = inject_copy(b, buf_bytes(&json));
    }
    buf_deinit(&json);
}

static void set_name(struct inject_builder *b, const struct inject_tree_node *path,
                     const struct inject_tree_node *v, struct inject_field_edit *f)
{
    inject_value_text(b, v, "rename_field", &f->text);
    if (f->path != NULL && !inject_path_takes_members(f->path)) {
        inject_wrong(b, path, "rename_field: \"%s\" leads to no field with a name",
                     inject_quote(path->text).text);
    }
}

static void read_map(struct inject_builder *b, const struct inject_tree_node *n,
                     bool rename, struct inject_act *out)
{
    for (const struct inject_tree_node *v = n->first; v != NULL; v = v->next) {
        struct inject_field_edit *f = &out->fields[out->field_count++];

        inject_build_path(b, v->key, &f->path);
        if (rename) {
            set_name(b, v->key, v, f);
        } else {
            set_json(b, v, f);
        }
    }
}

static void read_paths(struct inject_builder *b, const struct inject_tree_node *v,
                       size_t count, struct inject_act *out)
{
    for (; out->field_count < count; v = v->next) {
        struct inject_field_edit *f = &out->fields[out->field_count++];

        if (inject_tree_is_null(v)) {
            inject_unfit(b, v, "drop_field", "a path (like $.results[0].id)");
        } else if (inject_build_path(b, v, &f->path) && f->path->count == 0) {
            inject_wrong(b, v,
                         "drop_field: $ is the whole message (drop takes it out)");
        }
    }
}

static void needs_map(struct inject_builder *b, const struct inject_tree_node *n,
                      bool rename)
{
    if (b->source->is_line) {
        inject_wrong(b, n, "%s is written %s", rename ? "rename_field" : "set_field",
                     rename ? "rename_field.PATH=NAME" : "set_field.PATH=VALUE");
    } else {
        inject_wrong(b, n, "%s",
                     rename ? "rename_field needs a map of paths and names"
                            : "set_field needs a map of paths and values");
    }
}

void inject_build_fields(struct inject_builder *b, const struct inject_tree_node *n,
                         enum inject_param_kind kind, struct inject_act *out)
{
    const char *label = inject_action_name(out->action);
    const struct inject_tree_node *first = n->first;
    size_t count = n->count;

    if (kind == INJECT_PARAM_PATHS) {
        first = items(b, n, label, &count);
    } else if (n->kind != INJECT_TREE_MAP || count == 0) {
        needs_map(b, n, kind == INJECT_PARAM_RENAMES);
        return;
    }
    if (count > INJECT_EDIT_FIELDS_MAX) {
        inject_wrong(b, n, "%s: more than %d fields", label, INJECT_EDIT_FIELDS_MAX);
        return;
    }
    out->fields = inject_room(b, count, sizeof(*out->fields));
    if (out->fields == NULL) {
        return;
    }
    if (kind == INJECT_PARAM_PATHS) {
        read_paths(b, first, count, out);
    } else {
        read_map(b, n, kind == INJECT_PARAM_RENAMES, out);
    }
}
