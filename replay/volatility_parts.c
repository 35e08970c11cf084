#include "replay/volatility.h"

/* A 9 in a pattern is a digit, an f a hexadecimal one; others stand for themselves. */
static const char uuid[] = "ffffffff-ffff-ffff-ffff-ffffffffffff";
static const char date[] = "9999-99-99";
static const char time_of_day[] = "99:99:99";

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool fits(uint8_t c, char pattern)
{
    switch (pattern) {
    case '9':
        return is_digit(c);
    case 'f':
        return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
    default:
        return c == (uint8_t)pattern;
    }
}

/* Moves `*at` behind what fits the pattern, if it does. */
static bool take(struct bytes text, size_t *at, const char *pattern)
{
    size_t len = strlen(pattern);

    if (text.len - *at < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!fits(text.at[*at + i], pattern[i])) {
            return false;
        }
    }
    *at += len;
    return true;
}

static void take_fraction(struct bytes text, size_t *at)
{
    size_t end = *at + 1;

    if (*at == text.len || (text.at[*at] != '.' && text.at[*at] != ',')) {
        return;
    }
    while (end < text.len && is_digit(text.at[end])) {
        end++;
    }
    *at = end > *at + 1 ? end : *at;
}

static void take_zone(struct bytes text, size_t *at)
{
    if (!take(text, at, "Z") && !take(text, at, "+99:99")) {
        (void)take(text, at, "-99:99");
    }
}

static bool take_time(struct bytes text, size_t *at)
{
    size_t end = *at;

    if (!take(text, &end, date) || (!take(text, &end, "T") && !take(text, &end, " ")) ||
        !take(text, &end, time_of_day)) {
        return false;
    }
    take_fraction(text, &end);
    take_zone(text, &end);
    *at = end;
    return true;
}

size_t replay_shape_part(struct bytes text, size_t at, enum replay_shape *shape)
{
    size_t end = at;

    if (at > 0 && (is_digit(text.at[at - 1]) || is_letter(text.at[at - 1]))) {
        return 0;
    }
    if (take(text, &end, uuid)) {
        *shape = REPLAY_SHAPE_UUID;
    } else if (take_time(text, &end)) {
        *shape = REPLAY_SHAPE_ISO_TIME;
    } else {
        return 0;
    }
    return end < text.len && (is_digit(text.at[end]) || is_letter(text.at[end]))
               ? 0
               : end - at;
}

bool replay_shape_same_but_parts(struct bytes a, struct bytes b)
{
    size_t i = 0, k = 0;
    bool found = false;

    while (i < a.len && k < b.len) {
        enum replay_shape x = REPLAY_SHAPE_NONE, y = REPLAY_SHAPE_NONE;
        size_t n = replay_shape_part(a, i, &x), m = replay_shape_part(b, k, &y);

        if (n > 0 && m > 0 && x == y) {
            found = true;
        } else if (a.at[i] == b.at[k]) {
            n = m = 1;
        } else {
            return false;
        }
        i += n;
        k += m;
    }
    return found && i == a.len && k == b.len;
}
