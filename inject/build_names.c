#include "base/text.h"
#include "inject/build_state.h"

#include <assert.h>
#include <stdio.h>

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

void inject_build_check_names(struct inject_builder *b)
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
    const char *names[INJECT_RULES_MAX + 1];
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
        near == NULL ? "" : inject_quote(bytes_of(near)).text,
        near == NULL ? "" : "\"?)");
}

void inject_build_resolve(struct inject_builder *b)
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
