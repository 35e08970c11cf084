#include "tests/sim/world.h"
#include "wire/deflate.h"
#include "wire/mask.h"

enum { MESSAGE_MAX = 1 << 24 };

/* The frames that a side got, behind the handshake; empty when there was none, or rules
 * made it unrecognisable. */
static struct bytes frames_of(const struct sim_pair *p, enum side to)
{
    const char *field = to == CLIENT ? "Sec-WebSocket-Accept:" : "Sec-WebSocket-Key:";
    struct bytes rest = buf_bytes(&p->facts.got[to]);
    size_t at = bytes_find(rest, bytes_of(field));

    rest = bytes_from(rest, at);
    at = bytes_find(rest, bytes_of("\r\n\r\n"));
    return bytes_from(rest, at < rest.len ? at + 4 : at);
}

/* A whole frame at the front of `in`; its payload is appended to `out`. */
static bool take_frame(struct bytes *in, struct wire_frame *f, struct buf *out)
{
    struct wire_frame_decoder d = { .have = 0 };
    size_t used, at = out->len;

    if (in->len == 0 || wire_frame_decode(&d, *in, &used, f) != 0 ||
        f->payload_len > in->len - used) {
        return false;
    }
    sim_must(buf_put(out, bytes_first(bytes_from(*in, used), (size_t)f->payload_len)));
    if (f->masked && f->payload_len > 0) {
        wire_mask(f->mask, 0, out->at + at, out->at + at, (size_t)f->payload_len);
    }
    *in = bytes_from(*in, used + (size_t)f->payload_len);
    return true;
}

static bool decodes(struct wire_inflate *inflate, struct bytes in)
{
    struct buf message = { 0 }, plain = { 0 };
    struct wire_frame f;
    bool compressed = false;
    int r = 0;

    while (r == 0) {
        size_t before = message.len;

        if (!take_frame(&in, &f, &message)) {
            break;
        }
        if (wire_frame_is_control(&f)) {
            message.len = before;
            continue;
        }
        if (wire_frame_opcode(&f) != WIRE_OP_CONTINUATION) {
            compressed = (f.first & WIRE_RSV1) != 0;
        }
        if ((f.first & WIRE_FIN) == 0) {
            continue;
        }
        if (compressed) {
            r = wire_inflate_message(inflate, buf_bytes(&message), MESSAGE_MAX, &plain);
        }
        buf_clear(&message);
        buf_clear(&plain);
    }
    buf_deinit(&message);
    buf_deinit(&plain);
    return r == 0;
}

void sim_check_decodes(struct sim_pair *p, enum side to)
{
    const struct sim_talk *t = &p->cast->talk;
    bool fresh = to == CLIENT ? t->deflate.server_no_context_takeover
                              : t->deflate.client_no_context_takeover;
    struct wire_inflate *inflate;

    if (!t->deflate.agreed || t->spoiled || p->facts.violates) {
        return;
    }
    inflate = wire_inflate_new(fresh);
    if (!decodes(inflate, frames_of(p, to))) {
        sim_wrong(p->world, "connection %u: %s gets what cannot be decompressed",
                  p->number, side_name(to));
    }
    wire_inflate_free(inflate);
}
