#include "cli/demo_ws.h"

#include "base/random.h"
#include "base/text.h"
#include "wire/mask.h"

#include <errno.h>

void demo_ws_deinit(struct demo_ws *w)
{
    if (w != NULL) {
        buf_deinit(&w->payload);
    }
}

static int take_header(struct demo_ws *w, struct bytes in, size_t *used)
{
    int r = wire_frame_decode(&w->decoder, in, used, &w->frame);

    if (r != 0) {
        return DEMO_WS_MORE;
    }
    if ((w->frame.first & WIRE_FIN) == 0 || w->frame.payload_len > DEMO_MESSAGE_MAX) {
        return -EPROTO;
    }
    buf_clear(&w->payload);
    w->in_payload = true;
    return 0;
}

static int take_payload(struct demo_ws *w, struct bytes in, size_t *used)
{
    size_t lacking = (size_t)w->frame.payload_len - w->payload.len;
    size_t at = w->payload.len;
    size_t len = in.len < lacking ? in.len : lacking;
    int r = buf_put(&w->payload, bytes_first(in, len));

    if (r < 0) {
        return r;
    }
    *used += len;
    if (w->frame.masked && len > 0) {
        wire_mask(w->frame.mask, at, w->payload.at + at, w->payload.at + at, len);
    }
    if (len < lacking) {
        return DEMO_WS_MORE;
    }
    w->in_payload = false;
    return 0;
}

int demo_ws_next(struct demo_ws *w, struct bytes in, size_t *used)
{
    int r;

    *used = 0;
    if (!w->in_payload) {
        r = take_header(w, in, used);
        if (r != 0) {
            return r;
        }
    }
    return take_payload(w, bytes_from(in, *used), used);
}

int demo_ws_put(struct buf *out, enum side from, unsigned opcode, struct bytes payload)
{
    struct wire_frame f = { .payload_len = payload.len,
                            .first = (uint8_t)(WIRE_FIN | opcode),
                            .form = wire_frame_form(payload.len),
                            .masked = from == CLIENT };
    uint8_t header[WIRE_FRAME_HEADER_MAX];
    size_t start;
    int r = from == CLIENT ? random_fill(f.mask, sizeof(f.mask)) : 0;

    if (r == 0) {
        r = buf_reserve(out, sizeof(header) + payload.len);
    }
    if (r < 0) {
        return r;
    }
    r = buf_put(out, bytes_make(header, wire_frame_encode(&f, header)));
    start = out->len;
    if (r == 0) {
        r = buf_put(out, payload);
    }
    if (r == 0 && f.masked && payload.len > 0) {
        wire_mask(f.mask, 0, payload.at, out->at + start, payload.len);
    }
    return r;
}
