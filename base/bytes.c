#include "base/bytes.h"

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.at[i]) != lower(b.at[i])) {
            return false;
        }
    }
    return true;
}

struct bytes bytes_trim(struct bytes b)
{
    while (b.len > 0 && (b.at[0] == ' ' || b.at[0] == '\t')) {
        b = bytes_from(b, 1);
    }
    while (b.len > 0 && (b.at[b.len - 1] == ' ' || b.at[b.len - 1] == '\t')) {
        b.len--;
    }
    return b;
}

size_t bytes_find(struct bytes b, struct bytes needle)
{
    struct bytes rest = b;

    if (needle.len == 0) {
        return 0;
    }
    while (rest.len >= needle.len) {
        const uint8_t *at = memchr(rest.at, needle.at[0], rest.len - needle.len + 1);

        if (at == NULL) {
            break;
        }
        if (memcmp(at, needle.at, needle.len) == 0) {
            return (size_t)(at - b.at);
        }
        rest = bytes_from(rest, (size_t)(at - rest.at) + 1);
    }
    return b.len;
}
