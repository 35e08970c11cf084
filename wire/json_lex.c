#include "wire/json_lex.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of each byte of `w` that is 0. Those above the lowest may be wrong. */
static uint64_t zeros(uint64_t w)
{
    return (w - EACH(1)) & ~w & EACH(0x80);
}

/* The first byte that is a quote, a backslash, a control character or not ASCII. */
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 8) {
        uint64_t w, hit;

        memcpy(&w, at, sizeof(w));
        w = le64toh(w);
        hit = zeros(w ^ EACH('"')) | zeros(w ^ EACH('\\')) |
              ((w | ((w - EACH(0x20)) & ~w)) & EACH(0x80));
        if (hit != 0) {
            return at + ((unsigned)__builtin_ctzll(hit) >> 3);
        }
        at += 8;
    }
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Length of the character of several bytes at `at`, 0 when it is none (RFC 3629). */
static size_t wide_len(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];

    if (lead < 0xc2 || lead > 0xf4 || left < 2 || !is_tail(at[1])) {
        return 0;
    }
    if (lead < 0xe0) {
        return 2;
    }
    if (left < 3 || !is_tail(at[2])) {
        return 0;
    }
    if (lead < 0xf0) {
        bool overlong = lead == 0xe0 && at[1] < 0xa0;
        bool surrogate = lead == 0xed && at[1] > 0x9f;

        return overlong || surrogate ? 0 : 3;
    }
    if (left < 4 || !is_tail(at[3]) || (lead == 0xf0 && at[1] < 0x90) ||
        (lead == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return 4;
}

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') ||
           ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

/* Length of the escape at `at`, 0 when it is none or cut short. */
static size_t escape_len(const uint8_t *at, size_t left)
{
    if (left < 2) {
        return 0;
    }
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 2;
    case 'u':
        return left >= 6 && is_hex(at[2]) && is_hex(at[3]) && is_hex(at[4]) &&
                       is_hex(at[5])
                   ? 6
                   : 0;
    default:
        return 0;
    }
}

const uint8_t *wire_json_skip_string(const uint8_t *at, const uint8_t *end,
                                     const char **reason)
{
    at++;
    for (;;) {
        size_t len;

        at = skip_plain(at, end);
        if (at == end) {
            *reason = "the text ends inside a string";
            return at;
        }
        if (*at == '"') {
            return at + 1;
        }
        if (*at < 0x20) {
            *reason = "a control character in a string has to be escaped";
            return at;
        }
        len = *at == '\\' ? escape_len(at, (size_t)(end - at))
                          : wide_len(at, (size_t)(end - at));
        if (len == 0) {
            *reason = *at == '\\' ? "not an escape" : "not UTF-8";
            return at;
        }
        at += len;
    }
}

static bool is_digit(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end,
                                  const char **reason)
{
    if (!is_digit(at, end)) {
        *reason = "a digit has to follow";
    }
    while (is_digit(at, end)) {
        at++;
    }
    return at;
}

const uint8_t *wire_json_skip_number(const uint8_t *at, const uint8_t *end,
                                     const char **reason)
{
    if (*at == '-') {
        at++;
    }
    if (at < end && *at == '0' && is_digit(at + 1, end)) {
        *reason = "a number may not begin with 0";
        return at;
    }
    at = skip_digits(at, end, reason);
    if (*reason == NULL && at < end && *at == '.') {
        at = skip_digits(at + 1, end, reason);
    }
    if (*reason == NULL && at < end && (*at | 0x20) == 'e') {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        at = skip_digits(at, end, reason);
    }
    return at;
}
