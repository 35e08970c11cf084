/*
 * inject/decimal - compares JSON numbers by value, without converting them.
 */
#ifndef WSTAPE_INJECT_DECIMAL_H
#define WSTAPE_INJECT_DECIMAL_H

#include "base/bytes.h"

/* Whether two numbers (RFC 8259, section 6) have the same value. -0 equals 0. Exponents
 * beyond 10^15 count as that. */
bool inject_decimal_equal(struct bytes a, struct bytes b);

#endif
