#include "wire/utf8.h"

#define ASCII_HIGH_BITS UINT64_C(0x8080808080808080)

enum { WIDE = 64 };

static uint64_t load(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

/* Without a branch in it, so that the compiler takes vectors. */
static bool is_wide_ascii(const uint8_t *at)
{
    uint64_t seen = 0;

    for (unsigned i = 0; i < WIDE; i += 8) {
        seen |= load(at + i);
    }
    return (seen & ASCII_HIGH_BITS) == 0;
}

/* The first byte that is not ASCII, or the end. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= WIDE && is_wide_ascii(at)) {
        at += WIDE;
    }
    while (end - at >= 8 && (load(at) & ASCII_HIGH_BITS) == 0) {
        at += 8;
    }
    while (at < end && *at < 0x80) {
        at++;
    }
    return at;
}

/* What may follow a lead byte (RFC 3629, section 4): no overlong forms, no surrogates,
 * nothing past U+10FFFF. */
static bool start(struct wire_utf8 *u, uint8_t lead)
{
    u->low = 0x80;
    u->high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        u->need = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        u->need = 2;
        u->low = lead == 0xe0 ? 0xa0 : 0x80;
        u->high = lead == 0xed ? 0x9f : 0xbf;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        u->need = 3;
        u->low = lead == 0xf0 ? 0x90 : 0x80;
        u->high = lead == 0xf4 ? 0x8f : 0xbf;
    } else {
        return false;
    }
    return true;
}

static bool go_on(struct wire_utf8 *u, uint8_t byte)
{
    if (byte < u->low || byte > u->high) {
        return false;
    }
    u->need--;
    u->low = 0x80;
    u->high = 0xbf;
    return true;
}

static bool take(struct wire_utf8 *u, uint8_t byte)
{
    return u->need == 0 ? start(u, byte) : go_on(u, byte);
}

bool wire_utf8_check(struct wire_utf8 *u, struct bytes in)
{
    const uint8_t *at = in.at;
    const uint8_t *end = in.len == 0 ? at : at + in.len;

    while (at != end) {
        if (u->need == 0) {
            at = skip_ascii(at, end);
        }
        if (at != end && !take(u, *at++)) {
            return false;
        }
    }
    return true;
}
