#include "inject/chance.h"
#include "inject/glob.h"
#include "inject/plan_state.h"
#include "inject/regex.h"
#include "wire/http.h"

#include <string.h>

bool inject_ranges_hold(const struct inject_ranges *r, uint64_t n)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct inject_range *g = &r->at[i];

        if (n >= g->from && n <= g->to && (g->every == 0 || n % g->every == 0)) {
            return true;
        }
    }
    return r->count == 0;
}

/* ---- path and headers ---- */

static bool header_holds(struct bytes head, const struct wire_head *h,
                         const struct inject_header_condition *c)
{
    struct wire_field f;
    size_t at = h->fields_at;

    while (wire_head_next(head, &at, &f)) {
        if (bytes_equal_nocase(f.name, bytes_of(c->name)) &&
            inject_glob_match(bytes_of(c->glob), f.value)) {
            return true;
        }
    }
    return false;
}

static bool head_holds(struct bytes head, const struct wire_head *h,
                       const struct inject_when *w)
{
    struct bytes path = bytes_first(h->target, bytes_find(h->target, bytes_of("?")));

    if (w->path != NULL && !inject_glob_match(bytes_of(w->path), path) &&
        !inject_glob_match(bytes_of(w->path), h->target)) {
        return false;
    }
    for (size_t i = 0; i < w->header_count; i++) {
        if (!header_holds(head, h, &w->headers[i])) {
            return false;
        }
    }
    return true;
}

void inject_match_head(struct inject_connection *c)
{
    const struct inject_rules *rules = c->plan->rules;
    struct bytes head = { c->head, c->head_len };
    struct wire_head h;

    if (c->head == NULL || wire_head_parse(head, true, &h) < 0) {
        return;
    }
    for (size_t i = 0; i < rules->count; i++) {
        c->memory[i].impossible = !head_holds(head, &h, &rules->at[i].when);
    }
}

static bool needs_head(const struct inject_when *w)
{
    return w->path != NULL || w->header_count > 0;
}

/* ---- one rule ---- */

static bool opcode_holds(const struct inject_when *w, enum inject_opcode kind)
{
    unsigned wanted = w->opcodes == 0 ? INJECT_TEXT | INJECT_BINARY : w->opcodes;

    return (wanted & kind) != 0;
}

/* While a message is still arriving, a rule may come into its time before it is whole.
 */
static bool times_hold(const struct inject_connection *c, const struct inject_when *w,
                       const struct inject_event *e)
{
    int64_t age = e->now_ns - c->opened_at;
    bool early = e->stage == INJECT_STAGE_MESSAGE && !e->whole;

    return e->now_ns < w->time_to_ns && age < w->age_to_ns &&
           (early || (e->now_ns >= w->time_from_ns && age >= w->age_from_ns));
}

static bool after_holds(const struct inject_connection *c, const struct inject_when *w,
                        const struct inject_event *e)
{
    return w->after < 0 || c->memory[w->after].fired > 0 ||
           (e->stage == INJECT_STAGE_MESSAGE && !e->whole);
}

/* The text or JSON that is asked for: 1, 0, -ENOMEM. */
static int text_holds(const struct inject_when *w, const struct inject_event *e)
{
    bool holds = false;
    int r = w->text == NULL ? 1 : inject_regex_match(w->text, e->payload);

    if (r <= 0 || w->json_count == 0) {
        return r;
    }
    r = inject_json_holds(e->payload, w->json, w->json_count, &holds);
    return r < 0 ? r : holds;
}

static int content_holds(const struct inject_when *w, const struct inject_event *e)
{
    if (w->text != NULL && e->kind == INJECT_BINARY) {
        return false;
    }
    if (!e->whole) {
        return true;
    }
    return inject_ranges_hold(&w->size, e->payload.len) ? text_holds(w, e) : 0;
}

static bool budget_left(const struct inject_connection *c, size_t i)
{
    const struct inject_rule *r = &c->plan->rules->at[i];

    return c->plan->fired[i] < r->times && c->memory[i].fired < r->per_connection;
}

static bool drawn(const struct inject_connection *c, const struct inject_rule *r,
                  const struct inject_event *e, struct inject_fired *out)
{
    struct inject_place place = { .seed = c->plan->seed,
                                  .rule = r->name,
                                  .connection = c->number,
                                  .from = e->from,
                                  .message = e->number };

    *out = (struct inject_fired){ .rule = r };
    if (r->probability >= 1) {
        return true;
    }
    if (e->stage == INJECT_STAGE_MESSAGE) {
        place.kind = 1U << inject_kind_index(e->kind);
    }
    out->drawn = true;
    out->draw = inject_chance_draw(&place);
    return out->draw < r->probability;
}

int inject_rule_holds(const struct inject_connection *c, size_t i,
                      const struct inject_event *e, struct inject_fired *out)
{
    const struct inject_rule *r = &c->plan->rules->at[i];
    const struct inject_when *w = &r->when;

    if (inject_action_stage(r->act.action) != e->stage || c->memory[i].impossible ||
        (needs_head(w) && c->head == NULL) ||
        !inject_ranges_hold(&w->connection, c->number) ||
        (w->has_from && e->has_from && w->from != e->from) || !times_hold(c, w, e) ||
        !after_holds(c, w, e) || !budget_left(c, i)) {
        return 0;
    }
    if (e->stage == INJECT_STAGE_MESSAGE) {
        int content =
            opcode_holds(w, e->kind) && inject_ranges_hold(&w->message, e->number)
                ? content_holds(w, e)
                : 0;

        if (content <= 0) {
            return content;
        }
    }
    return drawn(c, r, e, out);
}
