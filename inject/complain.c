#include "inject/complain.h"

#include "base/alloc.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXCERPT_BEFORE = 60, /* bytes of a long line that are shown before the place */
    EXCERPT_LEN = 100,
    QUOTE_LEN = 40,
};

void inject_complaints_deinit(struct inject_complaints *c)
{
    alloc_free(c->at);
    *c = (struct inject_complaints){ 0 };
}

struct inject_quoted inject_quote(struct bytes text)
{
    struct inject_quoted q = { "" };
    struct buf b = { 0 };

    for (size_t limit = QUOTE_LEN; limit > 0; limit /= 2) {
        buf_clear(&b);
        if (text_put_escaped(&b, text, limit) == 0 && b.len < sizeof(q.text)) {
            memcpy(q.text, b.len > 0 ? b.at : (const uint8_t *)"", b.len);
            break;
        }
    }
    buf_deinit(&b);
    return q;
}

/* ---- places ---- */

static size_t line_start(struct bytes text, size_t at)
{
    while (at > 0 && text.at[at - 1] != '\n') {
        at--;
    }
    return at;
}

static size_t line_end(struct bytes text, size_t at)
{
    while (at < text.len && text.at[at] != '\n' && text.at[at] != '\r') {
        at++;
    }
    return at;
}

static unsigned characters(struct bytes text)
{
    unsigned count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += (text.at[i] & 0xc0U) != 0x80;
    }
    return count;
}

void inject_place_of(struct bytes text, size_t at, unsigned *line, unsigned *column)
{
    static const struct bytes mark = { (const uint8_t *)"\xef\xbb\xbf", 3 };
    size_t start = line_start(text, at);

    *line = 1;
    for (size_t i = 0; i < start; i++) {
        *line += text.at[i] == '\n';
    }
    if (start == 0 && at >= mark.len &&
        bytes_equal(bytes_first(text, mark.len), mark)) {
        start = mark.len;
    }
    *column = 1 + characters(bytes_make(text.at + start, at - start));
}

/* ---- collecting ---- */

static bool is_known(const struct inject_complaints *c,
                     const struct inject_complaint *n)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->at[i].source == n->source && c->at[i].at == n->at &&
            strcmp(c->at[i].text, n->text) == 0) {
            return true;
        }
    }
    return false;
}

void inject_complain(struct inject_complaints *c, const struct inject_source *s,
                     size_t at, const char *format, ...)
{
    struct inject_complaint n = { .source = s,
                                  .at = at < s->text.len ? at : s->text.len };
    va_list args;

    va_start(args, format);
    vsnprintf(n.text, sizeof(n.text), format, args);
    va_end(args);
    if (c->at == NULL) {
        c->at = alloc_zero(INJECT_COMPLAINTS_SHOWN, sizeof(*c->at));
    }
    if (c->at == NULL) {
        c->failed = -ENOMEM;
        return;
    }
    if (is_known(c, &n)) {
        return;
    }
    c->total++;
    if (c->count < INJECT_COMPLAINTS_SHOWN) {
        c->at[c->count++] = n;
    }
}

/* ---- printing ---- */

static int by_place(const void *a, const void *b)
{
    const struct inject_complaint *x = a, *y = b;

    if (x->source != y->source) {
        return x->source < y->source ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

static size_t excerpt_start(struct bytes text, size_t at)
{
    size_t start = line_start(text, at);

    while (start < at && (text.at[start] == ' ' || text.at[start] == '\t')) {
        start++;
    }
    if (at - start <= EXCERPT_BEFORE) {
        return start;
    }
    start = at - EXCERPT_BEFORE;
    while (start < at && (text.at[start] & 0xc0U) == 0x80) {
        start++;
    }
    return start;
}

static int put_excerpt(const struct inject_complaint *n, struct buf *out)
{
    struct bytes text = n->source->text;
    size_t start = excerpt_start(text, n->at), end = line_end(text, n->at), from;
    int width, r;

    if (start >= end) {
        return 0;
    }
    r = buf_put_text(out, "    ");
    from = out->len;
    r = r < 0 ? r
              : text_put_escaped(out, bytes_make(text.at + start, n->at - start),
                                 SIZE_MAX);
    width = (int)characters(bytes_make(out->at + from, out->len - from));
    r = r < 0 ? r
              : text_put_escaped(out, bytes_make(text.at + n->at, end - n->at),
                                 EXCERPT_LEN - (n->at - start));
    return r < 0 ? r : buf_put_format(out, "\n    %*s^\n", width, "");
}

static int put(const struct inject_complaint *n, struct buf *out)
{
    unsigned line, column;
    int r;

    inject_place_of(n->source->text, n->at, &line, &column);
    r = text_put_escaped(out, bytes_of(n->source->name), SIZE_MAX);
    r = r < 0 ? r : buf_put_format(out, ":%u:%u: %s\n", line, column, n->text);
    return r < 0 ? r : put_excerpt(n, out);
}

int inject_complaints_put(struct inject_complaints *c, struct buf *out)
{
    int r = c->failed;

    if (r == 0 && c->count > 0) {
        qsort(c->at, c->count, sizeof(*c->at), by_place);
    }
    for (size_t i = 0; r == 0 && i < c->count; i++) {
        r = put(&c->at[i], out);
    }
    if (r == 0 && c->total > c->count) {
        r = buf_put_format(out, "and %zu more\n", c->total - c->count);
    }
    return r;
}
