#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"
#include "wire/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void inject_wrong(struct inject_builder *b, const struct inject_tree_node *n,
                  const char *format, ...)
{
    char words[400];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    inject_complain(&b->complaints, b->source, n->at, "%s", words);
}

bool inject_unfit(struct inject_builder *b, const struct inject_tree_node *n,
                  const char *label, const char *what)
{
    if (n->kind != INJECT_TREE_SCALAR) {
        inject_wrong(b, n, "%s: %s is not %s", label, inject_tree_kind_name(n), what);
    } else if (inject_tree_is_null(n)) {
        inject_wrong(b, n, "%s needs %s", label, what);
    } else {
        inject_wrong(b, n, "%s: \"%s\"%s is not %s", label, inject_quote(n->text).text,
                     n->quoted ? " in quotes" : "", what);
    }
    return false;
}

size_t inject_place_in(const struct inject_builder *b, const struct inject_tree_node *n,
                       size_t column)
{
    struct bytes source = b->source->text;
    size_t from = n->at, before = column - 1;

    if (n->quoted && from < source.len &&
        (source.at[from] == '"' || source.at[from] == '\'')) {
        from++;
    }
    if (before > n->text.len || from + before > source.len ||
        !bytes_equal(bytes_make(source.at + from, before),
                     bytes_first(n->text, before))) {
        return n->at; /* escapes, or lines that were folded */
    }
    return from + before;
}

void *inject_room(struct inject_builder *b, size_t count, size_t len)
{
    void *at = alloc_zero(count, len);

    if (at == NULL) {
        b->failed = -ENOMEM;
    }
    return at;
}

char *inject_copy(struct inject_builder *b, struct bytes text)
{
    char *copy = alloc_text(text.at, text.len);

    if (copy == NULL) {
        b->failed = -ENOMEM;
    }
    return copy;
}

static bool is_scalar(const struct inject_tree_node *n)
{
    return n->kind == INJECT_TREE_SCALAR && !inject_tree_is_null(n);
}

static bool has_nul(struct bytes text)
{
    return text.len > 0 && memchr(text.at, '\0', text.len) != NULL;
}

bool inject_value_text(struct inject_builder *b, const struct inject_tree_node *n,
                       const char *label, char **out)
{
    if (!is_scalar(n)) {
        return inject_unfit(b, n, label, "a text (an empty one is \"\")");
    }
    if (has_nul(n->text)) {
        inject_wrong(b, n, "%s: the text must not contain a NUL", label);
        return false;
    }
    *out = inject_copy(b, n->text);
    return *out != NULL;
}

/* As a C string, for functions that take one; NULL: it is none. */
static const char *word(const struct inject_tree_node *n)
{
    return is_scalar(n) && !has_nul(n->text) ? (const char *)n->text.at : NULL;
}

bool inject_value_duration(struct inject_builder *b, const struct inject_tree_node *n,
                           const char *label, int64_t *out)
{
    const char *text = word(n);

    return (text != NULL && text_parse_duration(text, out) == 0) ||
           inject_unfit(b, n, label, "a duration (like 250ms, 3s, 2m)");
}

bool inject_value_size(struct inject_builder *b, const struct inject_tree_node *n,
                       const char *label, uint64_t min, uint64_t *out)
{
    const char *text = word(n);
    uint64_t size;

    if (text == NULL || text_parse_size(text, &size) < 0) {
        return inject_unfit(b, n, label, "a size (like 512, 64k, 16M)");
    }
    if (size < min) {
        inject_wrong(b, n, "%s: at least %llu is needed", label,
                     (unsigned long long)min);
        return false;
    }
    *out = size;
    return true;
}

bool inject_value_number(struct inject_builder *b, const struct inject_tree_node *n,
                         const char *label, const uint64_t range[2], uint64_t *out)
{
    const char *text = n->quoted ? NULL : word(n);
    char what[100];

    if (text != NULL && text_parse_number(text, range[0], range[1], out) == 0) {
        return true;
    }
    if (range[1] == UINT64_MAX) {
        snprintf(what, sizeof(what), "a number from %llu on",
                 (unsigned long long)range[0]);
    } else {
        snprintf(what, sizeof(what), "a number from %llu to %llu",
                 (unsigned long long)range[0], (unsigned long long)range[1]);
    }
    return inject_unfit(b, n, label, what);
}

static void put_names(const char *const *names, char *out, size_t cap)
{
    size_t len = 0;

    for (size_t i = 0; names[i] != NULL && len < cap; i++) {
        const char *glue = i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ";

        len += (size_t)snprintf(out + len, cap - len, "%s%s", glue, names[i]);
    }
}

bool inject_value_choice(struct inject_builder *b, const struct inject_tree_node *n,
                         const char *label, const char *const *names, unsigned *out)
{
    const char *text = word(n);
    const char *near = NULL;
    char all[200];

    for (unsigned i = 0; text != NULL && names[i] != NULL; i++) {
        if (bytes_equal(n->text, bytes_of(names[i]))) {
            *out = i;
            return true;
        }
    }
    put_names(names, all, sizeof(all));
    near = text == NULL ? NULL : text_nearest(text, names);
    if (near == NULL) {
        return inject_unfit(b, n, label, all);
    }
    inject_wrong(b, n, "%s: \"%s\" is not %s (did you mean %s?)", label,
                 inject_quote(n->text).text, all, near);
    return false;
}
