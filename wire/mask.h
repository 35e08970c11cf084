/*
 * wire/mask - masking of client payload (RFC 6455, section 5.3). Its own inverse.
 */
#ifndef WSTAPE_WIRE_MASK_H
#define WSTAPE_WIRE_MASK_H

#include <stddef.h>
#include <stdint.h>

/* XOR `len` bytes of `in` into `out` (which may be `in` itself, else must not overlap).
 * `at` is the offset of in[0] within the frame's payload. */
void wire_mask(const uint8_t key[4], uint64_t at, const uint8_t *in, uint8_t *out,
               size_t len);

#endif
