/*
 * base/buf - a growing buffer of bytes.
 *
 * A zeroed struct is an empty buffer. Growing may move the bytes: pointers into `at`
 * hold until the next put or reserve.
 */
#ifndef WSTAPE_BASE_BUF_H
#define WSTAPE_BASE_BUF_H

#include "base/bytes.h"

struct buf {
    uint8_t *at;
    size_t len;
    size_t cap;
};

/* Give the memory back; the buffer is empty and usable again. */
void buf_deinit(struct buf *b);

/* Make room for `more` bytes after `len`. -ENOMEM leaves the buffer as it was. */
int buf_reserve(struct buf *b, size_t more);

/* Append. -ENOMEM leaves the buffer as it was. */
int buf_put(struct buf *b, struct bytes in);
int buf_put_byte(struct buf *b, uint8_t byte);
int buf_put_text(struct buf *b, const char *text);
int buf_put_format(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Remove the first `len` bytes, at most b->len. */
void buf_drop(struct buf *b, size_t len);

static inline void buf_clear(struct buf *b)
{
    b->len = 0;
}

static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){ b->at, b->len };
}

#endif
