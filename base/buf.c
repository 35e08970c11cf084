#include "base/buf.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { FORMAT_ROOM = 32 }; /* most formatted texts are shorter */

void buf_deinit(struct buf *b)
{
    if (b != NULL) {
        alloc_free(b->at);
        *b = (struct buf){ 0 };
    }
}

int buf_reserve(struct buf *b, size_t more)
{
    size_t cap = b->cap == 0 ? 64 : b->cap;
    uint8_t *at;

    if (more <= b->cap - b->len) {
        return 0;
    }
    if (more > SIZE_MAX / 2 - b->len) {
        return -ENOMEM;
    }
    while (cap < b->len + more) {
        cap *= 2;
    }
    at = alloc_resize(b->at, cap);
    if (at == NULL) {
        return -ENOMEM;
    }
    b->at = at;
    b->cap = cap;
    return 0;
}

int buf_put(struct buf *b, struct bytes in)
{
    int r = buf_reserve(b, in.len);

    if (r == 0 && in.len > 0) {
        memcpy(b->at + b->len, in.at, in.len);
        b->len += in.len;
    }
    return r;
}

int buf_put_byte(struct buf *b, uint8_t byte)
{
    return buf_put(b, bytes_make(&byte, 1));
}

int buf_put_text(struct buf *b, const char *text)
{
    return buf_put(b, bytes_of(text));
}

int buf_put_format(struct buf *b, const char *format, ...)
{
    va_list args, again;
    int len = 0, r;

    va_start(args, format);
    va_copy(again, args);
    r = buf_reserve(b, FORMAT_ROOM);
    if (r == 0) {
        len = vsnprintf((char *)b->at + b->len, b->cap - b->len, format, args);
        r = len < 0 ? -EINVAL : 0;
    }
    if (r == 0 && (size_t)len >= b->cap - b->len) {
        r = buf_reserve(b, (size_t)len + 1);
        if (r == 0) {
            vsnprintf((char *)b->at + b->len, (size_t)len + 1, format, again);
        }
    }
    b->len += r == 0 ? (size_t)len : 0;
    va_end(again);
    va_end(args);
    return r;
}

void buf_drop(struct buf *b, size_t len)
{
    b->len -= len;
    if (len > 0 && b->len > 0) {
        memmove(b->at, b->at + len, b->len);
    }
}
