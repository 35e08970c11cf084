#include "proxy/output.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

static int grow(struct proxy_outputs *o)
{
    size_t cap = o->cap == 0 ? 64 : o->cap * 2;
    struct proxy_output *at;

    if (o->count < o->cap) {
        return 0;
    }
    at = alloc_resize(o->at, cap * sizeof(*at));
    if (at == NULL) {
        return -ENOMEM;
    }
    o->at = at;
    o->cap = cap;
    return 0;
}

int proxy_outputs_put(struct proxy_outputs *o, const struct proxy_output *out)
{
    int r = grow(o);

    if (r == 0) {
        o->at[o->count++] = *out;
    }
    return r;
}

static bool continues(const struct proxy_output *last, const void *owner, enum side to,
                      struct slice bytes)
{
    return last->kind == PROXY_SEND && last->owner == owner && last->side == to &&
           last->u.send.chunk == bytes.chunk &&
           last->u.send.off + last->u.send.len == bytes.off;
}

int proxy_outputs_send(struct proxy_outputs *o, void *owner, enum side to,
                       struct slice bytes)
{
    struct proxy_output out = { .owner = owner,
                                .kind = PROXY_SEND,
                                .side = (uint8_t)to };
    int r;

    if (bytes.len == 0) {
        return 0;
    }
    if (o->count > 0 && continues(&o->at[o->count - 1], owner, to, bytes)) {
        o->at[o->count - 1].u.send.len += bytes.len;
        return 0;
    }
    out.u.send = bytes;
    r = proxy_outputs_put(o, &out);
    if (r == 0) {
        chunk_ref(bytes.chunk);
    }
    return r;
}

void proxy_outputs_drop(struct proxy_outputs *o, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (o->at[i].kind == PROXY_SEND) {
            chunk_unref(o->at[i].u.send.chunk);
        }
    }
    o->count -= count;
    if (o->count > 0) {
        memmove(o->at, o->at + count, o->count * sizeof(*o->at));
    }
}

void proxy_outputs_clear(struct proxy_outputs *o)
{
    proxy_outputs_drop(o, o->count);
}

void proxy_outputs_deinit(struct proxy_outputs *o)
{
    proxy_outputs_clear(o);
    alloc_free(o->at);
    *o = (struct proxy_outputs){ 0 };
}
