#include "captures/delivered.h"

#include "base/alloc.h"
#include "wire/mask.h"

#include <string.h>

static void lint_anew(struct capture_delivered *d)
{
    bool may_compress = d->messages.agreed || !d->messages.shaken;

    wire_lint_init(&d->lint, d->messages.from, may_compress ? WIRE_RSV1 : 0);
}

struct capture_delivered *capture_delivered_new(struct capture_messages_rules *rules,
                                                const struct capture_messages *arrived,
                                                bool lost)
{
    struct capture_delivered *d = alloc_zero(1, sizeof(*d));

    if (d == NULL) {
        return NULL;
    }
    capture_messages_init(&d->messages, rules, arrived->connection, arrived->from);
    d->messages.shaken = arrived->shaken;
    d->messages.agreed = arrived->agreed;
    d->messages.others = arrived->others;
    d->messages.fresh = arrived->fresh;
    d->messages.lost = lost;
    d->unsure = lost;
    lint_anew(d);
    return d;
}

void capture_delivered_free(struct capture_delivered *d)
{
    if (d != NULL) {
        capture_messages_deinit(&d->messages);
        buf_deinit(&d->plain);
        alloc_free(d);
    }
}

/* ---- frames ---- */

/* The next payload bytes of the frame in progress, without their mask. */
static int unmasked(struct capture_delivered *d, struct bytes in, struct bytes *out)
{
    const struct wire_frame *f = &d->lint.frame;
    int r;

    *out = in;
    if (!f->masked || in.len == 0) {
        return 0;
    }
    buf_clear(&d->plain);
    r = buf_put(&d->plain, in);
    if (r == 0) {
        wire_mask(f->mask, d->at, d->plain.at, d->plain.at, in.len);
        *out = buf_bytes(&d->plain);
    }
    return r;
}

/* Bytes of `in` that belong to the frame in progress are taken off it. */
static int take_payload(struct capture_delivered *d, struct bytes *in,
                        struct bytes *payload, uint32_t *faults)
{
    size_t len = in->len < d->left ? in->len : (size_t)d->left;
    int r = unmasked(d, bytes_first(*in, len), payload);

    if (r == 0) {
        *in = bytes_from(*in, len);
        d->at += len;
        d->left -= len;
        *faults |= wire_lint_payload(&d->lint, *payload);
    }
    return r;
}

static int go_on(struct capture_delivered *d, struct bytes *in, int64_t time_ns)
{
    struct bytes payload;
    uint32_t faults = 0;
    int r = take_payload(d, in, &payload, &faults);

    return r == 0 ? capture_messages_more(&d->messages, payload, faults, time_ns) : r;
}

/* A header, if it is whole, and the payload behind it. */
static int start(struct capture_delivered *d, struct bytes *in, int64_t time_ns)
{
    struct capture_frame frame;
    struct wire_frame f;
    size_t used;
    int r = wire_frame_decode(&d->decoder, *in, &used, &f);

    *in = bytes_from(*in, used);
    if (r == WIRE_FRAME_PARTIAL) {
        return 0;
    }
    frame = (struct capture_frame){ .first = f.first,
                                    .form = f.form,
                                    .masked = f.masked,
                                    .payload_len = f.payload_len,
                                    .faults = wire_lint_frame(&d->lint, &f) };
    memcpy(frame.mask, f.mask, sizeof(frame.mask));
    d->at = 0;
    d->left = f.payload_len;
    r = take_payload(d, in, &frame.payload, &frame.faults);
    return r == 0 ? capture_messages_frame(&d->messages, &frame, time_ns) : r;
}

/* Frames, the last of which ends with the record: so it began with one too. */
static bool is_whole(struct bytes in)
{
    while (in.len > 0) {
        struct wire_frame_decoder decoder = { 0 };
        struct wire_frame f;
        size_t used;

        if (wire_frame_decode(&decoder, in, &used, &f) != 0 ||
            f.payload_len > in.len - used) {
            return false;
        }
        in = bytes_from(in, used + (size_t)f.payload_len);
    }
    return true;
}

int capture_delivered_feed(struct capture_delivered *d, struct bytes wire,
                           int64_t time_ns)
{
    int r = 0;

    if (d->unsure && !is_whole(wire)) {
        return CAPTURE_DELIVERED_STRAY;
    }
    d->unsure = false;
    while (r == 0 && wire.len > 0) {
        r = d->left > 0 ? go_on(d, &wire, time_ns) : start(d, &wire, time_ns);
    }
    return r;
}

int capture_delivered_lose(struct capture_delivered *d)
{
    if (d == NULL) {
        return 0;
    }
    d->unsure = true;
    d->left = 0;
    d->decoder = (struct wire_frame_decoder){ 0 };
    lint_anew(d);
    return capture_messages_lose(&d->messages);
}

int capture_delivered_end(struct capture_delivered *d)
{
    if (d == NULL) {
        return 0;
    }
    buf_deinit(&d->plain);
    return capture_messages_end(&d->messages);
}
