#include "replay/volatility_state.h"

enum {
    ID_LEAST = 4,     /* characters of a string with a digit */
    TOKEN_LEAST = 16, /* of one without */
    DIGITS_LEAST = 5, /* of an integer */
};

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(uint32_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(uint32_t c)
{
    return c >= 'a' && c <= 'z';
}

/* ---- ids ---- */

static bool may_be_id(struct bytes token)
{
    const uint8_t *at = token.at + 1, *end = token.at + token.len - 1;
    bool digit = false, upper = false, lower = false, plain = true;
    size_t count = 0;

    for (; at < end; count++) {
        uint32_t c = wire_json_character(&at, end);

        digit = digit || is_digit(c);
        upper = upper || is_upper(c);
        lower = lower || is_lower(c);
        plain = plain && (is_digit(c) || is_upper(c) || is_lower(c) || c == '_' ||
                          c == '=' || c == '-');
    }
    return (digit && count >= ID_LEAST) ||
           (plain && upper && lower && count >= TOKEN_LEAST);
}

static bool is_large(struct bytes number)
{
    size_t sign = number.at[0] == '-' ? 1 : 0;

    for (size_t i = sign; i < number.len; i++) {
        if (!is_digit(number.at[i])) {
            return false;
        }
    }
    return number.len - sign >= DIGITS_LEAST;
}

bool replay_guess_id(struct bytes json)
{
    return json.at[0] == '"' ? !replay_value_has_space(json) && may_be_id(json)
                             : is_large(json);
}

/* ---- times ---- */

/* Whether the word has `text` at `from`, in any case. */
static bool has_at(struct bytes word, size_t from, struct bytes text)
{
    if (from > word.len || word.len - from < text.len) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((word.at[from + i] | 0x20) != text.at[i]) {
            return false;
        }
    }
    return true;
}

static bool begins_with(struct bytes word, const char *text)
{
    return has_at(word, 0, bytes_of(text));
}

static bool ends_with(struct bytes word, const char *text)
{
    struct bytes end = bytes_of(text);

    return word.len >= end.len && has_at(word, word.len - end.len, end);
}

static bool is_one_of(struct bytes word, const char *const *texts)
{
    for (; *texts != NULL; texts++) {
        if (word.len == strlen(*texts) && begins_with(word, *texts)) {
            return true;
        }
    }
    return false;
}

static bool is_of_time(struct bytes word)
{
    static const char *const words[] = { "date", "took", "age", NULL };
    static const char *const counts[] = { "times", NULL };

    return is_one_of(word, words) || ends_with(word, "time") ||
           ends_with(word, "seconds") || begins_with(word, "duration") ||
           begins_with(word, "elapsed") || begins_with(word, "latenc") ||
           (begins_with(word, "time") && !is_one_of(word, counts));
}

static bool is_unit(struct bytes word)
{
    static const char *const units[] = { "ms", "s", "ns", "us", "at", NULL };

    return is_one_of(word, units);
}

/* Where the word that begins at `at` ends: tookMs is two, and took_ms. */
static size_t word_end(struct bytes key, size_t at)
{
    for (at++; at < key.len; at++) {
        uint8_t c = key.at[at];

        if ((!is_lower(c) && !is_upper(c)) ||
            (is_upper(c) && is_lower(key.at[at - 1]))) {
            break;
        }
    }
    return at;
}

bool replay_guess_time(struct bytes key_token)
{
    struct bytes key = bytes_first(key_token, key_token.len - 1);
    struct bytes word = { 0 };

    for (size_t at = 1, end; at < key.len; at = end) {
        end = word_end(key, at);
        if (!is_lower(key.at[at]) && !is_upper(key.at[at])) {
            at++;
        }
        word = bytes_make(key.at + at, end - at);
        if (is_of_time(word)) {
            return true;
        }
        if (end == key.len) {
            return word.at > key.at + 1 && is_unit(word);
        }
    }
    return false;
}
