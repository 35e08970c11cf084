#include "captures/passage.h"
#include "cli/show_text.h"

#include <stdio.h>

enum { RULE_MAX = 60, ACTION_MAX = 24, NUMBER_COLUMNS = 9, NUMBER_MAX = 24 };

/* ---- in the timeline ---- */

/* "text 4" */
static void put_target(struct show *s, const struct capture_record *r)
{
    char kind[16];

    if (r->u.fault.opcode != 0) {
        show_line_format(&s->line, "  %s %llu",
                         show_text_kind(r->u.fault.opcode & 0x0fU, kind),
                         (unsigned long long)r->u.fault.message);
    }
    if (r->u.fault.drawn != 0) {
        show_line_colour(&s->line, SHOW_DIM);
        show_line_format(&s->line, "  (draw %.4f)", (double)r->u.fault.draw / 0x1p53);
    }
}

static void put_words(struct show *s, const struct capture_record *r)
{
    bool failed = r->u.fault.applied == 0;

    show_line_colour(&s->line, failed ? SHOW_BAD : SHOW_PLAIN);
    if (failed) {
        show_line_text(&s->line, "  not done");
    }
    if (r->u.fault.text.len > 0) {
        show_line_text(&s->line, failed ? ": " : "  ");
        show_text_words(s, r->u.fault.text);
    }
}

static int put_dropped(struct show *s, const struct capture_moment *at)
{
    show_text_start(
        s, at, at->u.record->u.fault.from == CLIENT ? SHOW_TO_SERVER : SHOW_TO_CLIENT,
        SHOW_WSTAPE, "dropped");
    return show_line_end(&s->line);
}

int show_text_fault(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;
    struct show_line *l = &s->line;
    int done;

    show_text_start(
        s, at, r->connection == 0 ? SHOW_BY_NOBODY : show_text_actor(r->u.fault.from),
        r->u.fault.applied != 0 ? SHOW_WSTAPE : SHOW_BAD, "! ");
    show_line_safe(l, r->u.fault.action, ACTION_MAX, false);
    show_text_column(s);
    show_line_safe(l, r->u.fault.rule,
                   show_line_room(l) < RULE_MAX ? show_line_room(l) : RULE_MAX, false);
    put_target(s, r);
    put_words(s, r);
    done = show_line_end(l);
    return done == 0 && capture_passage_drops(r) ? put_dropped(s, at) : done;
}

/* ---- what every rule did ---- */

struct widths {
    unsigned rule, action;
};

static unsigned wider(unsigned have, size_t want, unsigned max)
{
    unsigned width = want < max ? (unsigned)want : max;

    return width > have ? width : have;
}

static int put_row(struct show *s, const struct widths *w,
                   const struct capture_rule_facts *f)
{
    unsigned at = w->rule + 2;
    char words[NUMBER_MAX];

    show_line_safe(&s->line, f->name, w->rule, false);
    show_line_to(&s->line, at);
    show_line_safe(&s->line, f->action, w->action, false);
    at += w->action + NUMBER_COLUMNS;
    snprintf(words, sizeof(words), "%llu", (unsigned long long)f->applied);
    show_line_right(&s->line, at, words);
    snprintf(words, sizeof(words), "%llu", (unsigned long long)f->failed);
    show_line_colour(&s->line, f->failed > 0 ? SHOW_BAD : SHOW_PLAIN);
    show_line_right(&s->line, at + NUMBER_COLUMNS, words);
    return show_line_end(&s->line);
}

static int put_titles(struct show *s, const struct widths *w)
{
    unsigned at = w->rule + 2;

    show_line_colour(&s->line, SHOW_DIM);
    show_line_text(&s->line, "rule");
    show_line_to(&s->line, at);
    show_line_text(&s->line, "action");
    at += w->action + NUMBER_COLUMNS;
    show_line_right(&s->line, at, "applied");
    show_line_right(&s->line, at + NUMBER_COLUMNS, "failed");
    return show_line_end(&s->line);
}

int show_head_rules(struct show *s)
{
    const struct capture_overview *o = &s->overview;
    unsigned rule_max = s->style.width == 0 ? RULE_MAX : s->style.width / 3;
    struct widths w = { 4, 6 };
    int r;

    if (o->rule_count == 0) {
        return 0;
    }
    for (size_t i = 0; i < o->rule_count; i++) {
        w.rule = wider(w.rule, o->rules[i].name.len, rule_max);
        w.action = wider(w.action, o->rules[i].action.len, ACTION_MAX);
    }
    r = show_line_end(&s->line);
    if (r == 0) {
        r = put_titles(s, &w);
    }
    for (size_t i = 0; r == 0 && i < o->rule_count; i++) {
        r = put_row(s, &w, &o->rules[i]);
    }
    if (r == 0 && o->rules_left_out > 0) {
        show_line_format(&s->line, "%llu acts of further rules",
                         (unsigned long long)o->rules_left_out);
        r = show_line_end(&s->line);
    }
    return r;
}
