/*
 * base/crc32c - CRC-32C (Castagnoli; RFC 3720, appendix B.4).
 *
 * Uses the processor's instruction where there is one, a table elsewhere; both give the
 * same result.
 */
#ifndef WSTAPE_BASE_CRC32C_H
#define WSTAPE_BASE_CRC32C_H

#include "base/bytes.h"

/* Continue `crc` (0 to start, or an earlier result) over `in`: the CRC of a whole is
 * the same however it is split. */
uint32_t crc32c(uint32_t crc, struct bytes in);

/* The table version, for tests to compare with. */
uint32_t crc32c_portable(uint32_t crc, struct bytes in);

#endif
