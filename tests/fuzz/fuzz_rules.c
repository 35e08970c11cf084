/*
 * Rules, as a file or as a line (the first byte says which): read twice they are the
 * same, errors included; errors are safe to print and point into the text; rules that
 * are taken are taken beside others too, and keep their names and what they say.
 */
#include "inject/build.h"
#include "tests/fuzz/target.h"

#include <errno.h>

struct outcome {
    struct inject_rules *rules;
    struct buf errors;
    unsigned count;
    int result;
};

static void build(const struct inject_source *sources, size_t count, struct outcome *o)
{
    *o = (struct outcome){ .result = 0 };
    o->result = inject_build(sources, count, &o->rules, &o->errors, &o->count);
    must(o->result == 0 || o->result == -EINVAL);
    must((o->result == 0) == (o->rules != NULL));
    must((o->result == 0) == (o->count == 0 && o->errors.len == 0));
}

static void drop(struct outcome *o)
{
    inject_rules_free(o->rules);
    buf_deinit(&o->errors);
}

/* ---- what a rule says ---- */

static void put_number(struct buf *out, uint64_t n)
{
    must(buf_put_format(out, " %llu", (unsigned long long)n) == 0);
}

static void put_text(struct buf *out, const char *text)
{
    must(buf_put_format(out, " <%s>", text == NULL ? "-" : text) == 0);
}

static void put_ranges(struct buf *out, const struct inject_ranges *r)
{
    for (size_t i = 0; i < r->count; i++) {
        must(r->at[i].from <= r->at[i].to);
        put_number(out, r->at[i].from);
        put_number(out, r->at[i].to);
        put_number(out, r->at[i].every);
    }
}

static void put_when(struct buf *out, const struct inject_when *w)
{
    must(w->time_from_ns < w->time_to_ns && w->age_from_ns < w->age_to_ns);
    put_ranges(out, &w->connection);
    put_ranges(out, &w->message);
    put_ranges(out, &w->size);
    put_text(out, w->path);
    put_number(out, w->opcodes);
    put_number(out, (uint64_t)w->time_from_ns);
    for (size_t i = 0; i < w->header_count; i++) {
        put_text(out, w->headers[i].name);
        put_text(out, w->headers[i].glob);
    }
    for (size_t i = 0; i < w->json_count; i++) {
        must(w->json[i].path != NULL);
        put_text(out, w->json[i].expected);
    }
}

static void put_act(struct buf *out, const struct inject_act *a)
{
    put_text(out, inject_action_name(a->action));
    put_number(out, (uint64_t)a->for_ns);
    put_number(out, a->count);
    put_number(out, a->code);
    put_text(out, a->text);
    put(out, bytes_make(a->payload, a->payload_len));
    for (size_t i = 0; i < a->header_count; i++) {
        put_text(out, a->headers[i].name);
        put_text(out, a->headers[i].value);
    }
    for (size_t i = 0; i < a->field_count; i++) {
        must(a->fields[i].path != NULL);
        put_text(out, a->fields[i].text);
    }
}

static void put_rules(struct buf *out, const struct inject_rules *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct inject_rule *rule = &r->at[i];

        must(rule->name != NULL && rule->probability > 0 && rule->probability <= 1);
        must(rule->times > 0 && rule->per_connection > 0);
        must(rule->when.after < (int)r->count && rule->when.after != (int)i);
        put_text(out, rule->name);
        put_when(out, &rule->when);
        put_act(out, &rule->act);
    }
}

static void same_rules(const struct inject_rules *a, const struct inject_rules *b,
                       size_t count)
{
    struct buf x = { 0 }, y = { 0 };

    put_rules(&x, a, count);
    put_rules(&y, b, count);
    same(&x, &y);
    buf_deinit(&x);
    buf_deinit(&y);
}

/* ---- errors ---- */

/* Lines of text, nothing that a terminal obeys. */
static void is_printable(struct bytes text)
{
    must(text.len > 0 && text.at[text.len - 1] == '\n');
    for (size_t i = 0; i < text.len; i++) {
        must((text.at[i] >= 0x20 && text.at[i] != 0x7f) || text.at[i] == '\n');
    }
}

static void beside_another(const struct inject_source *s, const struct outcome *alone)
{
    const struct inject_source both[2] = {
        *s, { .name = "other", .text = bytes_of("limit=77777777"), .is_line = true }
    };
    struct outcome o;

    if (alone->rules->count == 1000) {
        return; /* there is no room */
    }
    build(both, 2, &o);
    must(o.result == 0 && o.rules->count == alone->rules->count + 1);
    same_rules(o.rules, alone->rules, alone->rules->count);
    drop(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct inject_source s = { .name = "rules" };
    struct outcome first, second;

    if (len < 1) {
        return 0;
    }
    s.is_line = (data[0] & 1) != 0;
    s.text = bytes_make(data + 1, len - 1);
    build(&s, 1, &first);
    build(&s, 1, &second);
    must(first.result == second.result && first.count == second.count);
    same(&first.errors, &second.errors);
    if (first.result == 0) {
        same_rules(first.rules, second.rules, first.rules->count);
        beside_another(&s, &first);
    } else {
        is_printable(buf_bytes(&first.errors));
    }
    drop(&first);
    drop(&second);
    return 0;
}
