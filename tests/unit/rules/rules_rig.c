#include "rules_rig.h"

#include <stdio.h>
#include <string.h>

#define MUST(call) assert_int_equal(call, 0)

static struct inject_rules *build(const struct inject_source *sources, size_t count)
{
    struct inject_rules *rules = NULL;
    struct buf errors = { 0 };
    unsigned error_count = 0;
    int r = inject_build(sources, count, &rules, &errors, &error_count);

    if (r != 0) {
        fail_msg("%d: %.*s", r, (int)errors.len, (const char *)errors.at);
    }
    assert_int_equal(error_count, 0);
    assert_int_equal(errors.len, 0);
    return rules;
}

struct inject_rules *rules_of_file(const char *text)
{
    struct inject_source s = { .name = "faults.yaml", .text = bytes_of(text) };

    return build(&s, 1);
}

struct inject_rules *rules_of_lines(const char *const *lines)
{
    struct inject_source s[8];
    size_t count = 0;

    for (; lines[count] != NULL; count++) {
        assert_true(count < sizeof(s) / sizeof(s[0]));
        s[count] = (struct inject_source){ .name = "--fault",
                                           .text = bytes_of(lines[count]),
                                           .is_line = true };
    }
    return build(s, count);
}

const struct inject_rule *rule_of_line(const char *line, struct inject_rules **owner)
{
    const char *lines[2] = { line, NULL };

    *owner = rules_of_lines(lines);
    assert_int_equal((*owner)->count, 1);
    return &(*owner)->at[0];
}

/* ---- a rule as text ---- */

static void put_ranges(const char *name, const struct inject_ranges *r, struct buf *out)
{
    for (size_t i = 0; i < r->count; i++) {
        MUST(buf_put_format(
            out, "%s %llu..%llu/%llu\n", name, (unsigned long long)r->at[i].from,
            (unsigned long long)r->at[i].to, (unsigned long long)r->at[i].every));
    }
}

static const char *word(const char *text)
{
    return text == NULL ? "-" : text;
}

static void put_when(const struct inject_when *w, struct buf *out)
{
    put_ranges("connection", &w->connection, out);
    put_ranges("message", &w->message, out);
    put_ranges("size", &w->size, out);
    for (size_t i = 0; i < w->header_count; i++) {
        MUST(buf_put_format(out, "header %s %s\n", w->headers[i].name,
                            w->headers[i].glob));
    }
    for (size_t i = 0; i < w->json_count; i++) {
        MUST(buf_put_text(out, "json "));
        MUST(inject_path_put(w->json[i].path, out));
        MUST(buf_put_format(out, " %s\n", w->json[i].expected));
    }
    MUST(buf_put_format(out,
                        "path %s from %d %d opcodes %u text %d time %lld..%lld age "
                        "%lld..%lld after %d\n",
                        word(w->path), w->has_from, (int)w->from, w->opcodes,
                        w->text != NULL, (long long)w->time_from_ns,
                        (long long)w->time_to_ns, (long long)w->age_from_ns,
                        (long long)w->age_to_ns, w->after));
}

static void put_act(const struct inject_act *a, struct buf *out)
{
    for (size_t i = 0; i < a->header_count; i++) {
        MUST(buf_put_format(out, "set %s %s\n", a->headers[i].name,
                            word(a->headers[i].value)));
    }
    for (size_t i = 0; i < a->field_count; i++) {
        MUST(buf_put_text(out, "field "));
        MUST(inject_path_put(a->fields[i].path, out));
        MUST(buf_put_format(out, " %s\n", word(a->fields[i].text)));
    }
    MUST(buf_put_format(out, "%s for %lld jitter %lld count %llu gap %lld code %u ",
                        inject_action_name(a->action), (long long)a->for_ns,
                        (long long)a->jitter_ns, (unsigned long long)a->count,
                        (long long)a->gap_ns, a->code));
    MUST(buf_put_format(out,
                        "text %s binary %d set %d after %d rst %d tls %d %d payload ",
                        word(a->text), a->payload_binary, a->payload_set, a->after,
                        a->rst, (int)a->tls, (int)a->violation));
    MUST(buf_put(out, bytes_make(a->payload, a->payload_len)));
}

void put_rule(const struct inject_rule *r, struct buf *out)
{
    put_when(&r->when, out);
    put_act(&r->act, out);
    MUST(buf_put_format(out, "\nprobability %g times %llu per_connection %llu\n",
                        r->probability, (unsigned long long)r->times,
                        (unsigned long long)r->per_connection));
}

void same_rule(const char *line, const char *yaml)
{
    struct inject_rules *lines, *file;
    const struct inject_rule *rule = rule_of_line(line, &lines);
    struct buf a = { 0 }, b = { 0 };

    file = rules_of_file(yaml);
    assert_int_equal(file->count, 1);
    put_rule(rule, &a);
    put_rule(&file->at[0], &b);
    MUST(buf_put_byte(&a, '\0'));
    MUST(buf_put_byte(&b, '\0'));
    assert_string_equal((const char *)a.at, (const char *)b.at);
    assert_string_equal(rule->name, file->at[0].name);
    buf_deinit(&a);
    buf_deinit(&b);
    inject_rules_free(lines);
    inject_rules_free(file);
}
