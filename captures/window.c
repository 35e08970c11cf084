#include "captures/window.h"

#include <errno.h>

enum { READ_LEN = 1 << 16 };

int capture_window_init(struct capture_window *w, const struct capture_source *source)
{
    *w = (struct capture_window){ .source = source };
    w->decoder = capture_decoder_new();
    if (w->decoder == NULL) {
        return -ENOMEM;
    }
    return buf_reserve(&w->bytes, (size_t)READ_LEN * 2);
}

void capture_window_deinit(struct capture_window *w)
{
    capture_decoder_free(w->decoder);
    buf_deinit(&w->bytes);
}

struct bytes capture_window_bytes(const struct capture_window *w, uint64_t at)
{
    if (at < w->base || at - w->base > w->bytes.len) {
        return (struct bytes){ 0 };
    }
    return bytes_from(buf_bytes(&w->bytes), (size_t)(at - w->base));
}

/* Let go of what is before `at`, or of everything when `at` is elsewhere, until there
 * is room to read. A record that is longer than the room makes the window grow. */
static int make_room(struct capture_window *w, uint64_t at)
{
    if (at < w->base || at - w->base > w->bytes.len) {
        buf_clear(&w->bytes);
        w->base = at;
    } else if (w->bytes.cap - w->bytes.len < READ_LEN) {
        buf_drop(&w->bytes, (size_t)(at - w->base));
        w->base = at;
    }
    return buf_reserve(&w->bytes, READ_LEN);
}

int capture_window_fill(struct capture_window *w, uint64_t at)
{
    int r = make_room(w, at);
    long n;

    if (r < 0) {
        return r;
    }
    n = w->source->read(w->source->object, w->base + w->bytes.len,
                        w->bytes.at + w->bytes.len, READ_LEN);
    if (n < 0) {
        return (int)n;
    }
    w->bytes.len += (size_t)n;
    return n > 0;
}

int capture_window_decode(struct capture_window *w, uint32_t id, uint64_t at,
                          size_t *used, struct capture_record *out)
{
    for (;;) {
        int r = capture_decode(w->decoder, id, capture_window_bytes(w, at), used, out);

        if (r != CAPTURE_DECODE_MORE) {
            return r;
        }
        r = capture_window_fill(w, at);
        if (r <= 0) {
            return r < 0 ? r : CAPTURE_DECODE_MORE;
        }
    }
}

int capture_window_scan(struct capture_window *w, uint64_t at, struct capture_scan *out)
{
    for (;;) {
        int r = capture_scan_record(capture_window_bytes(w, at), out);

        if (r != CAPTURE_DECODE_MORE) {
            return r;
        }
        r = capture_window_fill(w, at);
        if (r <= 0) {
            return r < 0 ? r : CAPTURE_DECODE_MORE;
        }
    }
}

int capture_window_find(struct capture_window *w, uint64_t from, uint64_t *out)
{
    for (;;) {
        struct bytes in = capture_window_bytes(w, from);
        size_t at = capture_scan_find(in, 0);
        int r;

        from += at;
        if (at < in.len) {
            *out = from;
            return 0;
        }
        r = capture_window_fill(w, from);
        if (r <= 0) {
            *out = from;
            return r < 0 ? r : CAPTURE_WINDOW_END;
        }
    }
}
