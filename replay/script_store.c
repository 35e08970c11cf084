#include "replay/script_state.h"

#include "base/alloc.h"

#include <errno.h>

enum {
    SHEET_MIN = 16 * 1024,
    SHEET_MAX = 1 << 20, /* sheets double up to this */
};

struct sheet {
    struct sheet *next;
    uint8_t bytes[];
};

struct replay_store {
    struct sheet *sheets; /* the first is written on */
    size_t used, cap;     /* of the first */
};

struct replay_store *replay_store_new(void)
{
    return alloc_zero(1, sizeof(struct replay_store));
}

void replay_store_free(struct replay_store *s)
{
    while (s != NULL && s->sheets != NULL) {
        struct sheet *next = s->sheets->next;

        alloc_free(s->sheets);
        s->sheets = next;
    }
    alloc_free(s);
}

static struct sheet *sheet_new(size_t len)
{
    struct sheet *made = NULL;

    if (len <= SIZE_MAX - sizeof(*made)) {
        made = alloc_get(sizeof(*made) + len);
    }
    return made;
}

/* What would waste much of a sheet gets one of its own, behind the first. */
static uint8_t *put_apart(struct replay_store *s, size_t len)
{
    struct sheet *own = sheet_new(len);

    if (own == NULL) {
        return NULL;
    }
    own->next = s->sheets->next;
    s->sheets->next = own;
    return own->bytes;
}

static uint8_t *place(struct replay_store *s, size_t len)
{
    size_t cap = s->cap == 0 ? SHEET_MIN : s->cap * 2;
    struct sheet *fresh;

    if (s->sheets != NULL && len <= s->cap - s->used) {
        s->used += len;
        return s->sheets->bytes + s->used - len;
    }
    if (s->sheets != NULL && len > s->cap / 4) {
        return put_apart(s, len);
    }
    cap = cap > SHEET_MAX ? SHEET_MAX : cap;
    cap = cap < len ? len : cap;
    fresh = sheet_new(cap);
    if (fresh == NULL) {
        return NULL;
    }
    fresh->next = s->sheets;
    s->sheets = fresh;
    s->cap = cap;
    s->used = len;
    return fresh->bytes;
}

int replay_store_put(struct replay_store *s, struct bytes in, struct bytes *out)
{
    uint8_t *at;

    if (in.len == 0) {
        *out = (struct bytes){ NULL, 0 };
        return 0;
    }
    at = place(s, in.len);
    if (at == NULL) {
        return -ENOMEM;
    }
    memcpy(at, in.at, in.len);
    *out = bytes_make(at, in.len);
    return 0;
}
