#include "inject/splice.h"

#include <assert.h>

void inject_splice_start(struct inject_splice *s, struct bytes text, struct buf *out)
{
    *s = (struct inject_splice){ .text = text, .out = out, .start = out->len };
}

int inject_splice_cut(struct inject_splice *s, size_t from, size_t to)
{
    int r;

    assert(s->copied <= from && from <= to && to <= s->text.len);
    r = buf_put(s->out, bytes_make(s->text.at + s->copied, from - s->copied));
    if (r == 0) {
        s->copied = to;
    }
    return r;
}

int inject_splice_finish(struct inject_splice *s)
{
    return inject_splice_cut(s, s->text.len, s->text.len);
}

void inject_splice_undo(struct inject_splice *s)
{
    s->out->len = s->start;
}
