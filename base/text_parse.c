#include "base/text.h"

#include <errno.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)
#define NS_MAX    (INT64_C(10) * 366 * 24 * 3600 * NS_PER_S) /* 10 years */

/* ---- text as numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *at, which moves past them. -EINVAL: none, or beyond `max`. */
static int read_digits(const char **at, uint64_t max, uint64_t *out)
{
    const char *c = *at;
    uint64_t value = 0;

    if (!is_digit(*c)) {
        return -EINVAL;
    }
    for (; is_digit(*c); c++) {
        unsigned digit = (unsigned)(*c - '0');

        if (digit > max || value > (max - digit) / 10) {
            return -EINVAL;
        }
        value = value * 10 + digit;
    }
    *at = c;
    *out = value;
    return 0;
}

static int64_t duration_unit(const char *text)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        { "ms", NS_PER_MS },
        { "s", NS_PER_S },
        { "m", 60 * NS_PER_S },
        { "h", 3600 * NS_PER_S },
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].name) == 0) {
            return units[i].ns;
        }
    }
    return 0;
}

/* ".5" of a unit; *at moves past it. Digits past what a unit can hold do not count. */
static int read_fraction(const char **at, int64_t *millionths)
{
    int64_t scale = 100000, value = 0;

    if (**at != '.') {
        *millionths = 0;
        return 0;
    }
    if (!is_digit(*++*at)) {
        return -EINVAL;
    }
    for (; is_digit(**at); (*at)++) {
        value += (**at - '0') * scale;
        scale /= 10;
    }
    *millionths = value;
    return 0;
}

int text_parse_duration(const char *text, int64_t *out_ns)
{
    uint64_t whole;
    int64_t millionths, unit, ns;

    if (read_digits(&text, (uint64_t)NS_MAX, &whole) < 0 ||
        read_fraction(&text, &millionths) < 0) {
        return -EINVAL;
    }
    unit = duration_unit(text);
    if (*text == '\0' && whole == 0 && millionths == 0) {
        unit = 1;
    }
    if (unit == 0 || whole > (uint64_t)(NS_MAX / unit)) {
        return -EINVAL;
    }
    ns = (int64_t)whole * unit + millionths * unit / 1000000;
    if (ns > NS_MAX) {
        return -EINVAL;
    }
    *out_ns = ns;
    return 0;
}

static unsigned size_shift(char suffix)
{
    switch (suffix) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

int text_parse_size(const char *text, uint64_t *out)
{
    unsigned shift;
    uint64_t value;

    if (read_digits(&text, UINT64_MAX, &value) < 0) {
        return -EINVAL;
    }
    shift = size_shift(*text);
    if (shift > 0) {
        text++;
    }
    if (*text != '\0' || value > UINT64_MAX >> shift) {
        return -EINVAL;
    }
    *out = value << shift;
    return 0;
}

int text_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value;

    if (read_digits(&text, max, &value) < 0 || *text != '\0' || value < min) {
        return -EINVAL;
    }
    *out = value;
    return 0;
}

/* ---- likeness ---- */

enum { NEAREST_MAX = 64 }; /* longer texts are no misspelled names */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's: letters to insert, remove or change. Both at most NEAREST_MAX long. */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[NEAREST_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    for (unsigned j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned changed = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);

            diagonal = row[j];
            row[j] = min3(row[j] + 1, row[j - 1] + 1, changed);
        }
    }
    return row[b_len];
}

const char *text_nearest(const char *text, const char *const *names)
{
    size_t len = strlen(text);
    unsigned best = len / 3 > 2 ? (unsigned)(len / 3) + 1 : 3; /* one too far */
    const char *nearest = NULL;

    if (len > NEAREST_MAX) {
        return NULL;
    }
    for (; *names != NULL; names++) {
        size_t name_len = strlen(*names);
        unsigned distance;

        if (name_len > NEAREST_MAX) {
            continue;
        }
        distance = edit_distance(text, *names);
        if (distance < best && distance < (len > name_len ? len : name_len)) {
            best = distance;
            nearest = *names;
        }
    }
    return nearest;
}
