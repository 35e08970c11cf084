#include "wire/frame.h"

enum { LENGTH_16 = 126, LENGTH_64 = 127 }; /* in place of the length itself */

static unsigned length_bytes(uint8_t form)
{
    return form == 7 ? 0 : form / 8U;
}

static unsigned size_of(uint8_t second)
{
    static const uint8_t wide[2] = { 2, 8 };
    unsigned len = second & 0x7fU;
    unsigned more = len < LENGTH_16 ? 0 : wide[len - LENGTH_16];

    return 2 + more + (second >> 7U) * 4U;
}

/* 2 until the length byte is in, then exact. */
static unsigned header_size(const struct wire_frame_decoder *d)
{
    return d->have < 2 ? 2 : size_of(d->raw[1]);
}

static uint64_t big_endian(const uint8_t *at, unsigned count)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < count; i++) {
        v = v << 8 | at[i];
    }
    return v;
}

static void parse(const uint8_t *raw, unsigned len, struct wire_frame *out)
{
    unsigned length = raw[1] & 0x7fU;

    *out = (struct wire_frame){ .first = raw[0], .header_len = (uint8_t)len };
    out->masked = raw[1] >> 7;
    if (length < LENGTH_16) {
        out->form = 7;
        out->payload_len = length;
    } else if (length == LENGTH_16) {
        out->form = 16;
        out->payload_len = big_endian(raw + 2, 2);
    } else {
        out->form = 64;
        out->payload_len = big_endian(raw + 2, 8);
    }
    if (out->masked) {
        memcpy(out->mask, raw + len - sizeof(out->mask), sizeof(out->mask));
    }
}

int wire_frame_decode(struct wire_frame_decoder *d, struct bytes in, size_t *used,
                      struct wire_frame *out)
{
    /* Nearly every header lies whole in the input. */
    if (d->have == 0 && in.len >= WIRE_FRAME_HEADER_MAX) {
        unsigned len = size_of(in.at[1]);

        parse(in.at, len, out);
        *used = len;
        return 0;
    }
    *used = 0;
    while (d->have < header_size(d)) {
        if (*used == in.len) {
            return WIRE_FRAME_PARTIAL;
        }
        d->raw[d->have++] = in.at[(*used)++];
    }
    parse(d->raw, d->have, out);
    d->have = 0;
    return 0;
}

size_t wire_frame_encode(const struct wire_frame *f, uint8_t out[WIRE_FRAME_HEADER_MAX])
{
    unsigned wide = length_bytes(f->form);
    size_t len = 2;

    out[0] = f->first;
    out[1] = (uint8_t)(f->masked ? 0x80U : 0U);
    if (wide == 0) {
        out[1] |= (uint8_t)(f->payload_len & 0x7fU);
    } else {
        out[1] |= wide == 2 ? LENGTH_16 : LENGTH_64;
    }
    for (unsigned i = wide; i > 0; i--) {
        out[len++] = (uint8_t)(f->payload_len >> (8 * (i - 1)));
    }
    if (f->masked) {
        memcpy(out + len, f->mask, sizeof(f->mask));
        len += sizeof(f->mask);
    }
    return len;
}

uint8_t wire_frame_form(uint64_t len)
{
    if (len < 126) {
        return 7;
    }
    return len < 65536 ? 16 : 64;
}
