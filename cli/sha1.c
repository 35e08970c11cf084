#include "cli/sha1.h"

enum { ROUNDS = 80, LEN_AT = SHA1_BLOCK - 8 };

static uint32_t turn(uint32_t word, unsigned by)
{
    return word << by | word >> (32 - by);
}

static uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* f and K of section 5, added. */
static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5a827999U;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1U;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcU;
    default:
        return (b ^ c ^ d) + 0xca62c1d6U;
    }
}

static void digest_block(struct sha1 *s)
{
    uint32_t w[ROUNDS];
    uint32_t v[5];
    uint32_t next;

    memcpy(v, s->state, sizeof(v));
    for (unsigned i = 0; i < ROUNDS; i++) {
        w[i] = i < 16 ? word_at(s->block + (size_t)i * 4)
                      : turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        next = turn(v[0], 5) + mix(i, v[1], v[2], v[3]) + v[4] + w[i];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = turn(v[1], 30);
        v[1] = v[0];
        v[0] = next;
    }
    for (unsigned i = 0; i < 5; i++) {
        s->state[i] += v[i];
    }
}

void sha1_init(struct sha1 *s)
{
    *s = (struct sha1){ .state = { 0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U,
                                   0xc3d2e1f0U } };
}

void sha1_put(struct sha1 *s, struct bytes in)
{
    for (size_t i = 0; i < in.len; i++) {
        s->block[s->len++ % SHA1_BLOCK] = in.at[i];
        if (s->len % SHA1_BLOCK == 0) {
            digest_block(s);
        }
    }
}

void sha1_finish(struct sha1 *s, uint8_t out[SHA1_LEN])
{
    static const uint8_t one = 0x80, zero = 0;
    uint64_t bits = s->len * 8;
    uint8_t tail[8];

    for (unsigned i = 0; i < sizeof(tail); i++) {
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    sha1_put(s, bytes_make(&one, 1));
    while (s->len % SHA1_BLOCK != LEN_AT) {
        sha1_put(s, bytes_make(&zero, 1));
    }
    sha1_put(s, bytes_make(tail, sizeof(tail)));
    for (unsigned i = 0; i < SHA1_LEN; i++) {
        out[i] = (uint8_t)(s->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}
