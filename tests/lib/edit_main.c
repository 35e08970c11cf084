/*
 * Edits JSON texts for tests/integration/test_edits.py: a request a line, an answer a
 * line.
 *
 *     drop PATH,...            TEXT      ok PLACES NEWTEXT
 *     set PATH=VALUE,...       TEXT      not-json
 *     rename PATH=NAME,...     TEXT      no-such-field
 *     holds PATH=EXPECTED,...  TEXT      yes, no or not-json
 *     path PATH                          ok CANONICAL, or bad COLUMN
 *
 * Everything in capitals but numbers is in hex.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "inject/edit.h"
#include "inject/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIELDS_MAX = INJECT_EDIT_FIELDS_MAX };

struct request {
    struct inject_field_edit fields[FIELDS_MAX];
    size_t count;
    uint8_t *text;
    size_t len;
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "edit: %s\n", what);
        exit(2);
    }
}

static unsigned digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    must(at != NULL, "not hex");
    return (unsigned)(at - digits);
}

/* Owned by the caller; NUL-terminated besides. */
static uint8_t *from_hex(const char *hex, size_t *len)
{
    uint8_t *out;

    *len = strlen(hex) / 2;
    out = alloc_get(*len + 1);
    must(out != NULL, "out of memory");
    for (size_t i = 0; i < *len; i++) {
        out[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    }
    out[*len] = 0;
    return out;
}

static int compile(const char *hex, struct inject_path **out, size_t *column)
{
    struct err e;
    size_t len;
    uint8_t *text = from_hex(hex, &len);
    int r = inject_path_new(bytes_make(text, len), out, &e, column);

    alloc_free(text);
    return r;
}

static void read_fields(struct request *q, char *words)
{
    for (char *word; (word = strsep(&words, ",")) != NULL; q->count++) {
        struct inject_field_edit *f = &q->fields[q->count];
        char *path = strsep(&word, "=");
        size_t ignored;

        must(q->count < FIELDS_MAX, "too many fields");
        must(compile(path, &f->path, &ignored) == 0, "bad path");
        if (word != NULL) {
            f->text = (char *)from_hex(word, &ignored);
        }
    }
}

static void forget(struct request *q)
{
    for (size_t i = 0; i < q->count; i++) {
        inject_path_free(q->fields[i].path);
        alloc_free(q->fields[i].text);
    }
    alloc_free(q->text);
}

static void answer_bytes(struct bytes b)
{
    struct buf hex = { 0 };

    must(text_put_hex(&hex, b) == 0, "out of memory");
    printf("%.*s\n", (int)hex.len, hex.len == 0 ? "" : (char *)hex.at);
    buf_deinit(&hex);
}

static void edit(const char *verb, const struct request *q)
{
    struct bytes text = bytes_make(q->text, q->len);
    struct buf out = { 0 };
    size_t places = 0;
    int r;

    if (strcmp(verb, "drop") == 0) {
        r = inject_edit_drop(text, q->fields, q->count, &out, &places);
    } else if (strcmp(verb, "set") == 0) {
        r = inject_edit_set(text, q->fields, q->count, &out, &places);
    } else {
        must(strcmp(verb, "rename") == 0, "unknown verb");
        r = inject_edit_rename(text, q->fields, q->count, &out, &places);
    }
    must(r >= 0, "out of memory");
    if (r == 0) {
        printf("ok %zu ", places);
        answer_bytes(buf_bytes(&out));
    } else {
        puts(r == INJECT_EDIT_NOT_JSON ? "not-json" : "no-such-field");
    }
    buf_deinit(&out);
}

static void holds(const struct request *q)
{
    struct inject_json_condition conditions[FIELDS_MAX];
    bool said = false;
    int r;

    for (size_t i = 0; i < q->count; i++) {
        conditions[i].path = q->fields[i].path;
        conditions[i].expected = q->fields[i].text;
    }
    r = inject_json_holds(bytes_make(q->text, q->len), conditions, q->count, &said);
    must(r >= 0, "out of memory");
    puts(r == INJECT_JSON_BAD ? "not-json" : said ? "yes" : "no");
}

static void path(const char *hex)
{
    struct inject_path *p;
    struct buf out = { 0 };
    size_t column;
    int r = compile(hex, &p, &column);

    must(r >= 0, "out of memory");
    if (r == INJECT_PATH_BAD) {
        printf("bad %zu\n", column);
        return;
    }
    must(inject_path_put(p, &out) == 0, "out of memory");
    printf("ok ");
    answer_bytes(buf_bytes(&out));
    buf_deinit(&out);
    inject_path_free(p);
}

static void answer(char *line)
{
    struct request q = { 0 };
    char *verb, *what;

    line[strcspn(line, "\n")] = '\0';
    verb = strsep(&line, " ");
    what = strsep(&line, " ");
    must(what != NULL, "a request has two words at least");
    if (strcmp(verb, "path") == 0) {
        path(what);
        return;
    }
    must(line != NULL, "no text");
    read_fields(&q, what);
    q.text = from_hex(line, &q.len);
    if (strcmp(verb, "holds") == 0) {
        holds(&q);
    } else {
        edit(verb, &q);
    }
    forget(&q);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, stdin) > 0) {
        answer(line);
    }
    free(line);
    return alloc_live() == 0 ? 0 : 2;
}
