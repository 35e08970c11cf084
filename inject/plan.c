#include "base/alloc.h"
#include "inject/plan_state.h"

#include <errno.h>
#include <string.h>

struct inject_plan *inject_plan_new(struct inject_rules *rules, uint64_t seed,
                                    uint64_t max_message)
{
    struct inject_plan *p = alloc_zero(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }
    p->fired = alloc_zero(rules->count, sizeof(*p->fired));
    if (p->fired == NULL) {
        alloc_free(p);
        return NULL;
    }
    p->rules = rules;
    p->seed = seed;
    p->max_message = max_message;
    return p;
}

void inject_plan_free(struct inject_plan *p)
{
    if (p != NULL) {
        inject_rules_free(p->rules);
        alloc_free(p->fired);
        alloc_free(p);
    }
}

uint64_t inject_plan_seed(const struct inject_plan *p)
{
    return p->seed;
}

unsigned inject_plan_generation(const struct inject_plan *p)
{
    return p->generation;
}

size_t inject_plan_count(const struct inject_plan *p)
{
    return p->rules->count;
}

const struct inject_rule *inject_plan_rule(const struct inject_plan *p, size_t i,
                                           uint64_t *fired)
{
    *fired = p->fired[i];
    return &p->rules->at[i];
}

/* The index of the rule called `name`; the count when there is none. */
static size_t find(const struct inject_rules *rules, const char *name)
{
    size_t i = 0;

    while (i < rules->count && strcmp(rules->at[i].name, name) != 0) {
        i++;
    }
    return i;
}

int inject_plan_reload(struct inject_plan *p, struct inject_rules *rules)
{
    uint64_t *fired = alloc_zero(rules->count, sizeof(*fired));

    if (fired == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < rules->count; i++) {
        size_t old = find(p->rules, rules->at[i].name);

        fired[i] = old < p->rules->count ? p->fired[old] : 0;
    }
    alloc_free(p->fired);
    rules->older = p->rules;
    p->fired = fired;
    p->rules = rules;
    p->generation++;
    return 0;
}

bool inject_plan_refuses(struct inject_plan *p, int64_t since_start_ns,
                         int64_t *until_ns, int *rule)
{
    *until_ns = INT64_MAX;
    *rule = -1;
    for (size_t i = 0; i < p->rules->count; i++) {
        const struct inject_when *w = &p->rules->at[i].when;
        bool now = since_start_ns >= w->time_from_ns && since_start_ns < w->time_to_ns;
        int64_t change = since_start_ns < w->time_from_ns ? w->time_from_ns
                         : now                            ? w->time_to_ns
                                                          : INT64_MAX;

        if (p->rules->at[i].act.action != INJECT_REFUSE) {
            continue;
        }
        if (now && *rule < 0) {
            *rule = (int)i;
            p->fired[i] += p->fired[i] == 0;
        }
        if (change < *until_ns) {
            *until_ns = change;
        }
    }
    return *rule >= 0;
}

/* ---- connections ---- */

struct inject_connection *inject_connection_new(struct inject_plan *p, uint32_t number,
                                                int64_t since_start_ns)
{
    struct inject_connection *c = alloc_zero(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->memory = alloc_zero(p->rules->count, sizeof(*c->memory));
    if (c->memory == NULL) {
        alloc_free(c);
        return NULL;
    }
    c->plan = p;
    c->rules = p->rules;
    c->number = number;
    c->opened_at = since_start_ns;
    return c;
}

void inject_connection_free(struct inject_connection *c)
{
    if (c != NULL) {
        alloc_free(c->memory);
        alloc_free(c->head);
        alloc_free(c);
    }
}

int inject_connection_fit(struct inject_connection *c)
{
    const struct inject_rules *rules = c->plan->rules;
    struct inject_memory *memory;

    if (c->rules == rules) {
        return 0;
    }
    memory = alloc_zero(rules->count, sizeof(*memory));
    if (memory == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < rules->count; i++) {
        size_t old = find(c->rules, rules->at[i].name);

        memory[i].fired = old < c->rules->count ? c->memory[old].fired : 0;
    }
    alloc_free(c->memory);
    c->memory = memory;
    c->rules = rules;
    inject_match_head(c);
    return 0;
}

void inject_connection_count(struct inject_connection *c, size_t i)
{
    c->memory[i].fired++;
    c->plan->fired[i]++;
}

unsigned inject_kind_index(enum inject_opcode kind)
{
    switch (kind) {
    case INJECT_PING:
        return 1;
    case INJECT_PONG:
        return 2;
    case INJECT_CLOSE:
        return 3;
    case INJECT_TEXT:
    case INJECT_BINARY:
        break;
    }
    return 0;
}
