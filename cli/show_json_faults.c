#include "cli/show_json.h"

void show_json_fault(struct show_object *j, const struct capture_record *r)
{
    if (r->connection != 0) {
        show_object_words(j, "from", side_name(r->u.fault.from));
    }
    if (r->u.fault.opcode != 0) {
        show_object_words(j, "kind", show_json_kind(r->u.fault.opcode & 0x0fU));
        show_object_number(j, "message", r->u.fault.message);
    }
    show_object_text(j, "rule", r->u.fault.rule);
    show_object_text(j, "action", r->u.fault.action);
    show_object_bool(j, "applied", r->u.fault.applied != 0);
    if (r->u.fault.drawn != 0) {
        show_object_fraction(j, "draw", (double)r->u.fault.draw / 0x1p53);
    }
    if (r->u.fault.text.len > 0) {
        show_object_text(j, "text", r->u.fault.text);
    }
}

static int put_left_out(struct show *s)
{
    struct show_object j = show_object_begin(&s->out, "rule");

    show_object_null(&j, "rule");
    show_object_number(&j, "left_out", s->overview.rules_left_out);
    return show_object_end(&j);
}

int show_json_rules(struct show *s)
{
    const struct capture_overview *o = &s->overview;
    int r = 0;

    for (size_t i = 0; r == 0 && i < o->rule_count; i++) {
        struct show_object j = show_object_begin(&s->out, "rule");

        show_object_text(&j, "rule", o->rules[i].name);
        show_object_text(&j, "action", o->rules[i].action);
        show_object_number(&j, "applied", o->rules[i].applied);
        show_object_number(&j, "failed", o->rules[i].failed);
        r = show_object_end(&j);
    }
    return r == 0 && o->rules_left_out > 0 ? put_left_out(s) : r;
}
