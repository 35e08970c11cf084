#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"
#include "wire/utf8.h"

#include <stdio.h>

enum { REASON_MAX = 123 }; /* RFC 6455, section 5.5: 125 with the code */

/* ---- one parameter ---- */

static void *member(struct inject_act *a, const struct inject_param *p)
{
    return (char *)a + p->to;
}

static void read_forever(struct inject_builder *b, const struct inject_tree_node *n,
                         const char *label, int64_t *out)
{
    if (n->kind == INJECT_TREE_SCALAR && bytes_equal(n->text, bytes_of("forever"))) {
        *out = INJECT_FOREVER;
        return;
    }
    if (n->kind != INJECT_TREE_SCALAR ||
        text_parse_duration((const char *)n->text.at, out) < 0) {
        inject_unfit(b, n, label, "a duration (like 250ms, 3s, 2m) or forever");
    }
}

static void read_close_code(struct inject_builder *b, const struct inject_tree_node *n,
                            unsigned *out)
{
    static const uint64_t range[2] = { 0, 65535 };
    uint64_t code;

    if (!inject_value_number(b, n, "code", range, &code)) {
        return;
    }
    if (!inject_is_close_code(code)) {
        inject_wrong(b, n,
                     "code %llu must not be in a close frame: 1000 to 1003, 1007 "
                     "to 1014 and 3000 to 4999 may (violate: close_code sends "
                     "1005)",
                     (unsigned long long)code);
        return;
    }
    *out = (unsigned)code;
}

static void read_status(struct inject_builder *b, const struct inject_tree_node *n,
                        const struct inject_param *p, unsigned *out)
{
    const uint64_t range[2] = { p->min, p->max };
    uint64_t code;

    if (inject_value_number(b, n, p->name, range, &code)) {
        *out = (unsigned)code;
    }
}

static void read_reason(struct inject_builder *b, const struct inject_tree_node *n,
                        char **out)
{
    if (n->kind == INJECT_TREE_SCALAR && n->text.len > REASON_MAX) {
        inject_wrong(b, n, "reason: %zu bytes are too long, a close frame takes %d",
                     n->text.len, REASON_MAX);
        return;
    }
    inject_value_text(b, n, "reason", out);
}

static void read_choice(struct inject_builder *b, const struct inject_tree_node *n,
                        const char *label, const struct inject_param *p,
                        struct inject_act *out)
{
    unsigned index;

    if (inject_value_choice(b, n, label, p->names, &index)) {
        p->choose(out, index);
    }
}

static void read_param(struct inject_builder *b, const struct inject_tree_node *n,
                       const struct inject_param *p, struct inject_act *out)
{
    const char *label = p->name == NULL ? inject_action_name(out->action) : p->name;
    const uint64_t range[2] = { p->min, p->max };

    switch (p->kind) {
    case INJECT_PARAM_NONE:
        inject_wrong(b, n, "%s takes no value (write %s: true)", label, label);
        return;
    case INJECT_PARAM_DURATION:
        inject_value_duration(b, n, label, member(out, p));
        return;
    case INJECT_PARAM_FOREVER:
        read_forever(b, n, label, member(out, p));
        return;
    case INJECT_PARAM_NUMBER:
        inject_value_number(b, n, label, range, member(out, p));
        return;
    case INJECT_PARAM_SIZE:
        inject_value_size(b, n, label, p->min, member(out, p));
        return;
    case INJECT_PARAM_STATUS:
        read_status(b, n, p, &out->code);
        return;
    case INJECT_PARAM_CLOSE:
        read_close_code(b, n, &out->code);
        return;
    case INJECT_PARAM_REASON:
        read_reason(b, n, &out->text);
        return;
    case INJECT_PARAM_VALUE:
        inject_build_header_value(b, n, label, &out->text);
        return;
    case INJECT_PARAM_CHOICE:
        read_choice(b, n, label, p, out);
        return;
    case INJECT_PARAM_HEADERS:
        inject_build_headers(b, n, label, out);
        return;
    case INJECT_PARAM_NAMES:
        inject_build_header_names(b, n, label, out);
        return;
    case INJECT_PARAM_PATHS:
    case INJECT_PARAM_SETS:
    case INJECT_PARAM_RENAMES:
        inject_build_fields(b, n, p->kind, out);
        return;
    case INJECT_PARAM_TEXT:
    case INJECT_PARAM_JSON:
    case INJECT_PARAM_FILE:
    case INJECT_PARAM_BASE64:
        inject_build_payload(b, n, p->kind, out);
        return;
    }
}

/* ---- the map form ---- */

static void unknown_param(struct inject_builder *b, const struct inject_tree_node *key,
                          const struct inject_action_row *row)
{
    const char *names[INJECT_PARAMS_MAX + 1] = { NULL };
    const char *near;

    for (size_t i = 0; i < INJECT_PARAMS_MAX; i++) {
        names[i] = row->params[i].name;
    }
    near = text_nearest((const char *)key->text.at, names);
    inject_wrong(b, key, "%s has no \"%s\"%s%s%s", row->name,
                 inject_quote(key->text).text, near == NULL ? "" : " (did you mean ",
                 near == NULL ? "" : near, near == NULL ? "" : "?)");
}

/* The first parameter, or one of those that make a message. */
static void check_needed(struct inject_builder *b, const struct inject_tree_node *n,
                         const struct inject_action_row *row)
{
    unsigned payloads = 0;

    for (size_t i = 0; row->one_payload && i < INJECT_PARAMS_MAX; i++) {
        payloads += row->params[i].name != NULL &&
                    inject_param_is_payload(row->params[i].kind) &&
                    inject_tree_find(n, row->params[i].name) != NULL;
    }
    if (row->one_payload && payloads != 1) {
        inject_wrong(b, n, "%s needs %s of text, json, file and binary", row->name,
                     payloads == 0 ? "one" : "only one");
    } else if (!row->one_payload && inject_tree_find(n, row->params[0].name) == NULL) {
        inject_wrong(b, n, "%s needs \"%s\"", row->name, row->params[0].name);
    }
}

static void read_map(struct inject_builder *b, const struct inject_tree_node *n,
                     const struct inject_action_row *row, struct inject_act *out)
{
    check_needed(b, n, row);
    for (const struct inject_tree_node *v = n->first; v != NULL; v = v->next) {
        const struct inject_param *p = inject_param_find(row, v->key->text);

        if (p == NULL) {
            unknown_param(b, v->key, row);
        } else if (inject_tree_find(n, p->name) == v) { /* else it is there twice */
            read_param(b, v, p, out);
        }
    }
}

static bool is_true(const struct inject_tree_node *n)
{
    return n->kind == INJECT_TREE_SCALAR && !n->quoted &&
           (bytes_equal(n->text, bytes_of("true")) ||
            bytes_equal(n->text, bytes_of("True")) ||
            bytes_equal(n->text, bytes_of("TRUE")));
}

void inject_build_act(struct inject_builder *b, const struct inject_tree_node *value,
                      struct inject_act *out)
{
    const struct inject_action_row *row = inject_action_row(out->action);

    out->count = row->count;
    if (row->params[0].kind == INJECT_PARAM_FOREVER) {
        out->for_ns = INJECT_FOREVER;
    }
    if (row->bare && (inject_tree_is_null(value) || is_true(value))) {
        return;
    }
    if (inject_has_map_form(row) && value->kind == INJECT_TREE_MAP) {
        read_map(b, value, row, out);
    } else {
        read_param(b, value, &row->params[0], out);
    }
}
