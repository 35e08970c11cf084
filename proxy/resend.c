#include "proxy/faults.h"
#include "wire/mask.h"

#include <string.h>

/* A message of ours on its way into frames. */
struct making {
    struct proxy_session *s;
    enum side from;
    struct buf *wire;
    bool masked; /* as the direction wants it, or as a violation does not */
};

static void choose_mask(const struct making *m, uint8_t mask[4])
{
    struct proxy_faults *f = m->s->faults;
    uint64_t bits =
        inject_connection_bits(f->connection, m->from, f->held[m->from].sent++);

    memcpy(mask, &bits, 4);
}

static int put_frame(const struct making *m, uint8_t first, uint8_t form,
                     struct bytes payload)
{
    struct wire_frame f = { .first = first, .form = form, .payload_len = payload.len };
    uint8_t header[WIRE_FRAME_HEADER_MAX];
    size_t at;
    int r;

    f.masked = m->masked;
    if (m->masked) {
        choose_mask(m, f.mask);
    }
    r = buf_put(m->wire, bytes_make(header, wire_frame_encode(&f, header)));
    at = m->wire->len;
    if (r == 0) {
        r = buf_put(m->wire, payload);
    }
    if (r == 0 && m->masked) {
        wire_mask(f.mask, 0, m->wire->at + at, m->wire->at + at, payload.len);
    }
    return r;
}

uint8_t proxy_resend_opcode(enum inject_opcode kind)
{
    switch (kind) {
    case INJECT_TEXT:
        return WIRE_OP_TEXT;
    case INJECT_BINARY:
        return WIRE_OP_BINARY;
    case INJECT_PING:
        return WIRE_OP_PING;
    case INJECT_PONG:
        return WIRE_OP_PONG;
    case INJECT_CLOSE:
        return WIRE_OP_CLOSE;
    }
    return WIRE_OP_BINARY;
}

/* The frames of a message whose first byte has opcode and RSV bits, but not FIN. */
static int put_frames(const struct making *m, const struct inject_out *out,
                      uint8_t first, struct bytes payload)
{
    bool long_form = out->violates && out->violation == INJECT_VIOLATE_LENGTH;
    size_t piece = out->fragment == 0 || out->fragment > payload.len
                       ? payload.len
                       : (size_t)out->fragment;
    int r;

    do {
        struct bytes part =
            bytes_first(payload, piece < payload.len ? piece : payload.len);
        uint8_t fin = part.len == payload.len ? WIRE_FIN : 0;
        uint8_t form = wire_frame_form(part.len);

        if (long_form) {
            form = form == 7 ? 16 : 64; /* of 64 bits there is no longer one */
        }
        r = put_frame(m, (uint8_t)(first | fin), form, part);
        payload = bytes_from(payload, part.len);
        first = WIRE_OP_CONTINUATION;
    } while (r == 0 && payload.len > 0);
    return r;
}

/* Frames that a violation adds, and the bits it changes in the message's own. */
static int violate(struct making *m, enum inject_violation violation, uint8_t *first)
{
    switch (violation) {
    case INJECT_VIOLATE_RSV:
        *first |= WIRE_RSV2;
        return 0;
    case INJECT_VIOLATE_MASK:
        m->masked = !m->masked;
        return 0;
    case INJECT_VIOLATE_OPCODE:
        *first = (uint8_t)((*first & 0xf0U) | 3);
        return 0;
    case INJECT_VIOLATE_CONTROL_FRAGMENT:
        return put_frame(m, WIRE_OP_PING, 7, (struct bytes){ 0 });
    case INJECT_VIOLATE_ORPHAN_CONTINUATION:
        return put_frame(m, WIRE_FIN | WIRE_OP_CONTINUATION, 7, (struct bytes){ 0 });
    case INJECT_VIOLATE_LENGTH:     /* put_frames sees to it */
    case INJECT_VIOLATE_UTF8:       /* the payload is so already */
    case INJECT_VIOLATE_CLOSE_CODE: /* ends the connection instead */
        return 0;
    }
    return 0;
}

int proxy_resend(struct proxy_session *s, enum side from, const struct inject_out *out,
                 struct bytes payload, bool compressed, struct buf *wire)
{
    struct making m = { .s = s, .from = from, .wire = wire, .masked = from == CLIENT };
    uint8_t first = proxy_resend_opcode(out->kind);
    struct buf coded = { 0 };
    int r = out->violates ? violate(&m, out->violation, &first) : 0;

    if (r == 0 && compressed &&
        (out->kind == INJECT_TEXT || out->kind == INJECT_BINARY)) {
        first |= WIRE_RSV1;
        r = wire_deflate_message(s->faults->held[from].deflate, payload, &coded);
        payload = buf_bytes(&coded);
    }
    if (r == 0) {
        r = put_frames(&m, out, first, payload);
    }
    buf_deinit(&coded);
    return r;
}
