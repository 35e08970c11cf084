#include "captures/intern.h"

#include "base/alloc.h"

#include <errno.h>

static uint32_t hash_of(struct bytes text)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ text.at[i]) * 16777619U;
    }
    return hash;
}

/* The entry of `text`, or the free place where it belongs. The table is never full. */
static struct capture_text *find(const struct capture_intern *t, struct bytes text,
                                 uint32_t hash)
{
    size_t at = hash & (t->cap - 1);

    while (t->texts[at].text.at != NULL &&
           !(t->texts[at].hash == hash && bytes_equal(t->texts[at].text, text))) {
        at = (at + 1) & (t->cap - 1);
    }
    return &t->texts[at];
}

static int grow(struct capture_intern *t)
{
    struct capture_intern wider = { .cap = t->cap == 0 ? 16 : t->cap * 2,
                                    .count = t->count };

    wider.texts = alloc_zero(wider.cap, sizeof(*wider.texts));
    if (wider.texts == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < t->cap; i++) {
        if (t->texts[i].text.at != NULL) {
            *find(&wider, t->texts[i].text, t->texts[i].hash) = t->texts[i];
        }
    }
    alloc_free(t->texts);
    *t = wider;
    return 0;
}

void capture_intern_deinit(struct capture_intern *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->cap; i++) {
        alloc_free((void *)(uintptr_t)t->texts[i].text.at);
    }
    alloc_free(t->texts);
    *t = (struct capture_intern){ 0 };
}

int capture_intern_put(struct capture_intern *t, struct bytes text, size_t limit,
                       struct bytes *out)
{
    struct bytes cut = bytes_first(text, text.len < limit ? text.len : limit);
    uint32_t hash = hash_of(cut);
    struct capture_text *e;

    if (t->count >= t->cap / 2) {
        int r = grow(t);

        if (r < 0) {
            return r;
        }
    }
    e = find(t, cut, hash);
    if (e->text.at == NULL) {
        char *copy = alloc_text(cut.at, cut.len);

        if (copy == NULL) {
            return -ENOMEM;
        }
        *e = (struct capture_text){ { (const uint8_t *)copy, cut.len }, hash };
        t->count++;
    }
    *out = e->text;
    return 0;
}
