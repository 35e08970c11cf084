#include "wire/mask.h"

#include <string.h>

void wire_mask(const uint8_t key[4], uint64_t at, const uint8_t *in, uint8_t *out,
               size_t len)
{
    uint8_t turned[8];
    uint64_t wide;
    size_t i = 0;

    for (unsigned k = 0; k < 8; k++) {
        turned[k] = key[(at + k) & 3];
    }
    memcpy(&wide, turned, sizeof(wide));
    for (; len - i >= sizeof(wide); i += sizeof(wide)) {
        uint64_t v;

        memcpy(&v, in + i, sizeof(v));
        v ^= wide;
        memcpy(out + i, &v, sizeof(v));
    }
    for (; i < len; i++) {
        out[i] = (uint8_t)(in[i] ^ turned[i & 7]);
    }
}
