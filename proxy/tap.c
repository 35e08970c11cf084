#include "proxy/tap.h"

#include <errno.h>

static size_t piece(size_t left)
{
    return left < CAPTURE_PIECE_MAX ? left : CAPTURE_PIECE_MAX;
}

int proxy_tap_put(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                  struct capture_record *r)
{
    if (t->block == NULL) {
        return 0;
    }
    r->connection = connection;
    r->time_ns = now_ns - t->origin_ns;
    return capture_encode(t->block, r, NULL);
}

int proxy_tap_raw(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                  enum side from, struct slice bytes)
{
    struct capture_record r = { .type = CAPTURE_RAW,
                                .connection = connection,
                                .time_ns = now_ns - t->origin_ns };
    int err = 0;

    r.u.raw.from = from;
    while (t->block != NULL && bytes.len > 0 && err == 0) {
        struct slice part = { bytes.chunk, bytes.off, piece(bytes.len) };

        r.u.raw.bytes = slice_bytes(part);
        err = capture_encode(t->block, &r, &part);
        bytes.off += part.len;
        bytes.len -= part.len;
    }
    return err;
}

int proxy_tap_note(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                   const char *text)
{
    struct capture_record r = { .type = CAPTURE_NOTE };

    r.u.note.text = bytes_of(text);
    return proxy_tap_put(t, connection, now_ns, &r);
}

int proxy_tap_end(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                  const struct proxy_tap_end *end)
{
    struct capture_record r = { .type = CAPTURE_END };

    r.u.end.side = end->side;
    r.u.end.kind = end->kind;
    r.u.end.by_wstape = end->by_wstape;
    r.u.end.text = end->text == NULL ? (struct bytes){ 0 } : bytes_of(end->text);
    return proxy_tap_put(t, connection, now_ns, &r);
}

int proxy_tap_sent(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                   enum side to, const char *cause, struct bytes bytes)
{
    struct capture_record r = { .type = CAPTURE_SENT };
    int err;

    r.u.sent.to = to;
    r.u.sent.cause = bytes_of(cause);
    do {
        r.u.sent.bytes = bytes_first(bytes, piece(bytes.len));
        bytes = bytes_from(bytes, r.u.sent.bytes.len);
        err = proxy_tap_put(t, connection, now_ns, &r);
    } while (err == 0 && bytes.len > 0);
    return err;
}
