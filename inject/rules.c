#include "inject/rule.h"

#include "base/alloc.h"
#include "inject/regex.h"

static void free_when(struct inject_when *w)
{
    for (size_t i = 0; i < w->header_count; i++) {
        alloc_free(w->headers[i].name);
        alloc_free(w->headers[i].glob);
    }
    for (size_t i = 0; i < w->json_count; i++) {
        inject_path_free(w->json[i].path);
        alloc_free(w->json[i].expected);
    }
    alloc_free(w->headers);
    alloc_free(w->json);
    alloc_free(w->path);
    alloc_free(w->connection.at);
    alloc_free(w->message.at);
    alloc_free(w->size.at);
    inject_regex_free(w->text);
}

static void free_act(struct inject_act *a)
{
    for (size_t i = 0; i < a->header_count; i++) {
        alloc_free(a->headers[i].name);
        alloc_free(a->headers[i].value);
    }
    for (size_t i = 0; i < a->field_count; i++) {
        inject_path_free(a->fields[i].path);
        alloc_free(a->fields[i].text);
    }
    alloc_free(a->headers);
    alloc_free(a->fields);
    alloc_free(a->text);
    alloc_free(a->payload);
}

void inject_rules_free(struct inject_rules *r)
{
    struct inject_rules *older;

    for (; r != NULL; r = older) {
        older = r->older;
        for (size_t i = 0; i < r->count; i++) {
            alloc_free(r->at[i].name);
            free_when(&r->at[i].when);
            free_act(&r->at[i].act);
        }
        alloc_free(r->at);
        alloc_free(r);
    }
}
