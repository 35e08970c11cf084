/*
 * wire/json_lex - the parts of JSON that are made of many characters (RFC 8259,
 * sections 6 and 7). Only wire/json uses it.
 *
 * Both return where the part ends, or, with `*reason` set, where it goes wrong.
 * `*reason` is NULL before the call.
 */
#ifndef WSTAPE_WIRE_JSON_LEX_H
#define WSTAPE_WIRE_JSON_LEX_H

#include <stdint.h>

/* `at` is on the first quote; the end is after the last. */
const uint8_t *wire_json_skip_string(const uint8_t *at, const uint8_t *end,
                                     const char **reason);

/* `at` is on a digit or a minus. */
const uint8_t *wire_json_skip_number(const uint8_t *at, const uint8_t *end,
                                     const char **reason);

#endif
