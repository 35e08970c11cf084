#include "inject/decimal.h"

#define EXPONENT_MAX INT64_C(1000000000000000)

/* 0.d1d2d3… * 10^exponent, the first digit and the last one not 0; zero has no digits.
 */
struct decimal {
    bool negative;
    struct bytes digits; /* a point may be among them */
    int64_t exponent;
};

static int64_t read_exponent(struct bytes in)
{
    bool negative = in.len > 0 && in.at[0] == '-';
    int64_t value = 0;

    for (size_t i = 0; i < in.len; i++) {
        if (in.at[i] >= '0' && value < EXPONENT_MAX) {
            value = value * 10 + (in.at[i] - '0');
        }
    }
    value = value > EXPONENT_MAX ? EXPONENT_MAX : value;
    return negative ? -value : value;
}

/* How many bytes are before the first of "eE", or before the point. */
static size_t find(struct bytes in, uint8_t lower)
{
    size_t at = 0;

    while (at < in.len && (in.at[at] | 0x20) != (lower | 0x20)) {
        at++;
    }
    return at;
}

static bool is_mute(uint8_t c)
{
    return c == '0' || c == '.';
}

static struct decimal read(struct bytes in)
{
    struct decimal d = { .negative = in.at[0] == '-' };
    size_t end, point, first = d.negative ? 1 : 0;

    end = find(in, 'e');
    d.exponent = end < in.len ? read_exponent(bytes_from(in, end + 1)) : 0;
    point = find(bytes_first(in, end), '.');
    while (first < end && is_mute(in.at[first])) {
        first++;
    }
    while (end > first && is_mute(in.at[end - 1])) {
        end--;
    }
    if (first == end) {
        return (struct decimal){ 0 };
    }
    d.digits = bytes_make(in.at + first, end - first);
    d.exponent +=
        first < point ? (int64_t)(point - first) : -(int64_t)(first - point - 1);
    return d;
}

/* The next digit, -1 after the last. */
static int next_digit(struct bytes *digits)
{
    if (digits->len > 0 && digits->at[0] == '.') {
        *digits = bytes_from(*digits, 1);
    }
    if (digits->len == 0) {
        return -1;
    }
    *digits = bytes_from(*digits, 1);
    return digits->at[-1];
}

bool inject_decimal_equal(struct bytes a, struct bytes b)
{
    struct decimal x = read(a), y = read(b);
    int digit;

    if (x.negative != y.negative || x.exponent != y.exponent) {
        return false;
    }
    do {
        digit = next_digit(&x.digits);
        if (digit != next_digit(&y.digits)) {
            return false;
        }
    } while (digit >= 0);
    return true;
}
