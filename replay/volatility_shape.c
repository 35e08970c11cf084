#include "replay/volatility.h"

#include <stdlib.h>

/* Longest text with a shape: "urn:uuid:{...}" and times of many digits fit. */
enum { SHAPE_MAX = 64 };

#define EPOCH_2001 978307200.0
#define EPOCH_2100 4102444800.0

/* ---- reading on ---- */

/* What is left of the text, which ends with a NUL. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* `count` digits of a number up to `max`; NULL: it is not that. */
static const char *skip_number(const char *at, unsigned count, unsigned max)
{
    unsigned value = 0;

    for (unsigned i = 0; i < count; i++, at++) {
        if (!is_digit(*at)) {
            return NULL;
        }
        value = value * 10 + (unsigned)(*at - '0');
    }
    return value <= max ? at : NULL;
}

static const char *skip_hex(const char *at, unsigned count)
{
    for (unsigned i = 0; i < count; i++, at++) {
        if (!is_hex(*at)) {
            return NULL;
        }
    }
    return at;
}

static const char *skip_char(const char *at, char c)
{
    return at != NULL && *at == c ? at + 1 : NULL;
}

/* ---- UUID (RFC 9562, section 4) ---- */

static const char *skip_groups(const char *at)
{
    static const unsigned groups[] = { 8, 4, 4, 4, 12 };

    for (unsigned i = 0; i < 5 && at != NULL; i++) {
        at = i > 0 ? skip_char(at, '-') : at;
        at = at != NULL ? skip_hex(at, groups[i]) : NULL;
    }
    return at;
}

static bool is_uuid(const char *at)
{
    bool braces;
    const char *end;

    if (strncmp(at, "urn:uuid:", 9) == 0) {
        at += 9;
    }
    braces = *at == '{';
    at += braces;
    end = skip_groups(at);
    if (end == NULL) {
        end = skip_hex(at, 32);
    }
    if (end != NULL && braces) {
        end = skip_char(end, '}');
    }
    return end != NULL && *end == '\0';
}

/* ---- ISO 8601, RFC 3339 ---- */

static const char *skip_date(const char *at)
{
    at = skip_number(at, 4, 9999);
    at = skip_char(at, '-');
    at = at != NULL ? skip_number(at, 2, 12) : NULL;
    at = skip_char(at, '-');
    return at != NULL ? skip_number(at, 2, 31) : NULL;
}

/* :SS and a fraction, neither of which has to be there. */
static const char *skip_seconds(const char *at)
{
    if (*at != ':') {
        return at;
    }
    at = skip_number(at + 1, 2, 60);
    if (at != NULL && (*at == '.' || *at == ',') && is_digit(at[1])) {
        at++;
        while (is_digit(*at)) {
            at++;
        }
    }
    return at;
}

static const char *skip_clock(const char *at)
{
    at = skip_number(at, 2, 24);
    at = skip_char(at, ':');
    at = at != NULL ? skip_number(at, 2, 59) : NULL;
    return at != NULL ? skip_seconds(at) : NULL;
}

static const char *skip_zone(const char *at)
{
    if (*at == 'Z' || *at == 'z') {
        return at + 1;
    }
    if (*at != '+' && *at != '-') {
        return at;
    }
    at = skip_number(at + 1, 2, 23);
    if (at == NULL || *at == '\0') {
        return at;
    }
    return skip_number(*at == ':' ? at + 1 : at, 2, 59);
}

static bool is_iso_time(const char *at)
{
    at = skip_date(at);
    if (at != NULL && (*at == 'T' || *at == 't' || *at == ' ')) {
        at = skip_clock(at + 1);
        at = at != NULL ? skip_zone(at) : NULL;
    }
    return at != NULL && *at == '\0';
}

/* ---- times as numbers ---- */

static bool is_epoch(const char *text)
{
    double value = strtod(text, NULL);

    for (int thousands = 0; thousands <= 3; thousands++) {
        if (value >= EPOCH_2001 && value < EPOCH_2100) {
            return true;
        }
        value /= 1e3;
    }
    return false;
}

static bool is_digits(const char *text)
{
    while (is_digit(*text)) {
        text++;
    }
    return *text == '\0';
}

/* ---- any ---- */

/* The characters of a string token; false when they are too many, or not all ASCII. */
static bool read_ascii(struct bytes token, char out[SHAPE_MAX + 1])
{
    const uint8_t *at = token.at + 1, *end = token.at + token.len - 1;
    unsigned len = 0;

    while (at < end) {
        uint32_t c = wire_json_character(&at, end);

        if (len == SHAPE_MAX || c == 0 || c > 0x7f) {
            return false;
        }
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return len > 0;
}

static enum replay_shape shape_of_string(struct bytes token)
{
    char text[SHAPE_MAX + 1];

    if (!read_ascii(token, text)) {
        return REPLAY_SHAPE_NONE;
    }
    if (is_uuid(text)) {
        return REPLAY_SHAPE_UUID;
    }
    if (is_iso_time(text)) {
        return REPLAY_SHAPE_ISO_TIME;
    }
    return is_digits(text) && is_epoch(text) ? REPLAY_SHAPE_EPOCH : REPLAY_SHAPE_NONE;
}

static enum replay_shape shape_of_number(struct bytes number)
{
    char text[SHAPE_MAX + 1];

    if (number.len > SHAPE_MAX) {
        return REPLAY_SHAPE_NONE;
    }
    memcpy(text, number.at, number.len);
    text[number.len] = '\0';
    return is_epoch(text) ? REPLAY_SHAPE_EPOCH : REPLAY_SHAPE_NONE;
}

enum replay_shape replay_shape_of(struct bytes json)
{
    if (json.len > 0 && json.at[0] == '"') {
        return shape_of_string(json);
    }
    return json.len > 0 && is_digit((char)json.at[0]) ? shape_of_number(json)
                                                      : REPLAY_SHAPE_NONE;
}

const char *replay_shape_name(enum replay_shape s)
{
    switch (s) {
    case REPLAY_SHAPE_NONE:
        break;
    case REPLAY_SHAPE_UUID:
        return "UUID";
    case REPLAY_SHAPE_ISO_TIME:
        return "ISO time";
    case REPLAY_SHAPE_EPOCH:
        return "epoch time";
    }
    return "none";
}
