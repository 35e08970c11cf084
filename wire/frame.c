#include "wire/frame.h"

static unsigned length_bytes(uint8_t form)
{
    return form == 7 ? 0 : form / 8U;
}

static uint8_t form_of(uint8_t second)
{
    switch (second & 0x7fU) {
    case 126:
        return 16;
    case 127:
        return 64;
    default:
        return 7;
    }
}

static unsigned size_of(uint8_t second)
{
    return 2 + length_bytes(form_of(second)) + ((second & 0x80U) != 0 ? 4 : 0);
}

/* 2 until the length byte is in, then exact. */
static unsigned header_size(const struct wire_frame_decoder *d)
{
    return d->have < 2 ? 2 : size_of(d->raw[1]);
}

static void parse(const uint8_t *raw, uint8_t len, struct wire_frame *out)
{
    uint8_t form = form_of(raw[1]);
    const uint8_t *at = raw + 2;

    *out = (struct wire_frame){ .first = raw[0], .form = form, .header_len = len };
    if (form == 7) {
        out->payload_len = raw[1] & 0x7fU;
    }
    for (unsigned i = 0; i < length_bytes(form); i++) {
        out->payload_len = out->payload_len << 8 | *at++;
    }
    out->masked = raw[1] >> 7;
    if (out->masked) {
        memcpy(out->mask, at, sizeof(out->mask));
    }
}

int wire_frame_decode(struct wire_frame_decoder *d, struct bytes in, size_t *used,
                      struct wire_frame *out)
{
    /* Nearly every header lies whole in the input. */
    if (d->have == 0 && in.len >= WIRE_FRAME_HEADER_MAX) {
        uint8_t len = (uint8_t)size_of(in.at[1]);

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
        out[1] |= wide == 2 ? 126 : 127;
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
