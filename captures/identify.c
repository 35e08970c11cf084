#include "captures/window.h"

enum {
    IDS_MAX = 8,
    LOOK_LEN = 4 << 20, /* behind the first checkpoint: several more must come in it */
};

static int orphan_at(struct capture_window *w, uint64_t at, uint32_t *id)
{
    struct capture_scan scan;
    int r = capture_window_scan(w, at, &scan);

    if (r == 0) {
        r = capture_decode_orphan(w->decoder, capture_window_bytes(w, at), id);
    }
    return r;
}

static size_t add_id(uint32_t *ids, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return count;
        }
    }
    if (count < IDS_MAX) {
        ids[count++] = id;
    }
    return count;
}

/* The ids of all checkpoints, up to a while behind the first. `*until`: where it ended.
 */
static int collect(struct capture_window *w, uint32_t ids[IDS_MAX], size_t *count,
                   uint64_t *until)
{
    uint64_t at = 0;
    int r;

    *count = 0;
    *until = UINT64_MAX;
    while ((r = capture_window_find(w, at, &at)) == 0 && at < *until) {
        uint32_t id;

        r = orphan_at(w, at, &id);
        if (r < 0) {
            return r;
        }
        if (r == 0) {
            *until = *count == 0 ? at + LOOK_LEN : *until;
            *count = add_id(ids, *count, id);
        }
        at++;
    }
    return r < 0 ? r : 0;
}

/* Bytes up to `until` that are records of the tape `id`. */
static int measure(struct capture_window *w, uint32_t id, uint64_t until, uint64_t *out)
{
    uint64_t at = 0, sum = 0;
    int r;

    while ((r = capture_window_find(w, at, &at)) == 0 && at < until) {
        struct capture_record record;
        size_t used = 0;

        r = capture_window_decode(w, id, at, &used, &record);
        if (r < 0) {
            return r;
        }
        sum += r == 0 ? used : 0;
        at += r == 0 ? used : 1;
    }
    *out = sum;
    return r < 0 ? r : 0;
}

/* Payload may hold other tapes with checkpoints of their own; but the tape that they
 * are in covers more bytes than they do. */
int capture_window_identify(struct capture_window *w, uint32_t *out)
{
    uint32_t ids[IDS_MAX], best = 0;
    uint64_t until, most = 0;
    size_t count;
    int r = collect(w, ids, &count, &until);

    for (size_t i = 0; r == 0 && i < count; i++) {
        uint64_t sum = 0;

        r = measure(w, ids[i], until, &sum);
        if (sum > most) {
            most = sum;
            best = ids[i];
        }
    }
    if (r < 0 || most == 0) {
        return r < 0 ? r : CAPTURE_WINDOW_END;
    }
    *out = best;
    return 0;
}
