#include "inject/build_state.h"

#include <stdio.h>

enum {
    CONTROL = INJECT_PING | INJECT_PONG | INJECT_CLOSE,
    MESSAGE_ONLY = 1U << INJECT_IF_MESSAGE | 1U << INJECT_IF_OPCODE |
                   1U << INJECT_IF_JSON | 1U << INJECT_IF_TEXT | 1U << INJECT_IF_SIZE,
};

static const char *field_of_action(enum inject_stage stage)
{
    switch (stage) {
    case INJECT_STAGE_LISTEN:
    case INJECT_STAGE_CONNECTION:
        return "a connection as such";
    case INJECT_STAGE_HANDSHAKE:
        return "the handshake";
    case INJECT_STAGE_STREAM:
        return "the bytes of a stream";
    case INJECT_STAGE_MESSAGE:
        break;
    }
    return "messages";
}

/* A condition that this action cannot have. */
static void misplaced(struct inject_builder *b, const struct inject_tree_node *key,
                      enum inject_condition c, const struct inject_action_row *row)
{
    const char *name = inject_condition_row(c)->name;

    if (row->stage == INJECT_STAGE_LISTEN) {
        inject_wrong(b, key,
                     "%s: %s closes the port to everyone: time is its only "
                     "condition",
                     name, row->name);
    } else if ((1U << c & MESSAGE_ONLY) != 0) {
        inject_wrong(b, key, "%s: %s acts on %s, not on messages", name, row->name,
                     field_of_action(row->stage));
    } else if (c == INJECT_IF_FROM) {
        inject_wrong(b, key, "%s: %s acts on %s, which has no direction", name,
                     row->name, field_of_action(row->stage));
    } else {
        inject_wrong(b, key, "%s: %s acts before the request is there", name,
                     row->name);
    }
}

static void check_conditions(struct inject_builder *b,
                             const struct inject_tree_node *when,
                             const struct inject_action_row *row)
{
    const struct inject_tree_node *v = NULL;

    if (when != NULL && when->kind == INJECT_TREE_MAP) {
        v = when->first;
    }
    for (; v != NULL; v = v->next) {
        int c = inject_condition_find(v->key->text);

        if (c >= 0 && (row->conditions & 1U << c) == 0) {
            misplaced(b, v->key, (enum inject_condition)c, row);
        }
    }
}

static void check_direction(struct inject_builder *b,
                            const struct inject_tree_node *when,
                            const struct inject_action_row *row,
                            const struct inject_rule *r)
{
    const struct inject_tree_node *from = inject_tree_find(when, "from");

    if (from == NULL || !r->when.has_from) {
        return;
    }
    if (row->direction == INJECT_REQUEST_ONLY && r->when.from == SERVER) {
        inject_wrong(b, from, "from: %s acts on the request, which is the client's",
                     row->name);
    } else if (row->direction == INJECT_ANSWER_ONLY && r->when.from == CLIENT) {
        inject_wrong(b, from, "from: %s acts on the answer, which is the server's",
                     row->name);
    }
}

/* ---- opcodes ---- */

static bool is_control(const struct inject_tree_node *n)
{
    return n->kind == INJECT_TREE_SCALAR && (bytes_equal(n->text, bytes_of("ping")) ||
                                             bytes_equal(n->text, bytes_of("pong")) ||
                                             bytes_equal(n->text, bytes_of("close")));
}

static const struct inject_tree_node *first_control(const struct inject_tree_node *n)
{
    if (n->kind != INJECT_TREE_LIST) {
        return n;
    }
    for (const struct inject_tree_node *v = n->first; v != NULL; v = v->next) {
        if (is_control(v)) {
            return v;
        }
    }
    return n;
}

static void check_opcodes(struct inject_builder *b, const struct inject_tree_node *when,
                          const struct inject_action_row *row,
                          const struct inject_rule *r)
{
    const struct inject_tree_node *opcode = inject_tree_find(when, "opcode");
    const struct inject_tree_node *text = inject_tree_find(when, "text");
    const struct inject_tree_node *json = inject_tree_find(when, "json");
    unsigned opcodes = r->when.opcodes;

    if (opcode == NULL || opcodes == 0) {
        return;
    }
    if (row->data_only && (opcodes & CONTROL) != 0) {
        inject_wrong(b, first_control(opcode),
                     "opcode: %s works on text and binary messages only", row->name);
    }
    if (text != NULL && (opcodes & INJECT_TEXT) == 0) {
        inject_wrong(b, text->key, "text: the opcodes leave no text message");
    }
    if (json != NULL && (opcodes & (INJECT_TEXT | INJECT_BINARY)) == 0) {
        inject_wrong(b, json->key, "json: control frames carry no JSON");
    }
    if (r->act.action == INJECT_VIOLATE && r->act.violation == INJECT_VIOLATE_UTF8 &&
        (opcodes & INJECT_TEXT) == 0) {
        inject_wrong(b, opcode, "opcode: only a text message can be invalid UTF-8");
    }
}

/* ---- refuse ---- */

static void check_refuse(struct inject_builder *b, const struct inject_tree_node *rule,
                         const struct inject_tree_node *when)
{
    static const char *const keys[] = { "probability", "times", "per_connection" };
    const struct inject_tree_node *refuse = inject_tree_find(rule, "refuse");

    if (inject_tree_find(when, "time") == NULL) {
        inject_wrong(b, refuse->key, "refuse needs a time: when: {time: 0s..3s}");
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct inject_tree_node *n = inject_tree_find(rule, keys[i]);

        if (n != NULL) {
            inject_wrong(b, n->key, "%s: refuse closes the port for its whole time",
                         keys[i]);
        }
    }
}

void inject_build_clashes(struct inject_builder *b, const struct inject_tree_node *rule,
                          const struct inject_rule *r)
{
    const struct inject_action_row *row = inject_action_row(r->act.action);
    const struct inject_tree_node *when = inject_tree_find(rule, "when");

    check_conditions(b, when, row);
    check_direction(b, when, row, r);
    if (row->stage == INJECT_STAGE_MESSAGE) {
        check_opcodes(b, when, row, r);
    }
    if (r->act.action == INJECT_REFUSE) {
        check_refuse(b, rule, when);
    }
}
