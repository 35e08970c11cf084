/*
 * inject/json - conditions on JSON texts: `json: {PATH: value|glob}`.
 *
 * What is expected is a word:
 *
 *     *              any value of any kind: the field only has to be there
 *     true false     that; also True, TRUE and the like, as in YAML
 *     null ~         null; also Null and NULL, and no word at all
 *     a number       one of the same value, however it is written: 1 equals 1.0
 *     "word"         a string that the glob inside the quotes fits
 *     other words    a string that the word as a glob fits
 *
 * Globs are those of inject/glob. Numbers are compared exactly, with any number of
 * digits; only exponents beyond 10^15 count as that.
 *
 * Objects and arrays equal nothing but *.
 */
#ifndef WSTAPE_INJECT_JSON_H
#define WSTAPE_INJECT_JSON_H

#include "base/buf.h"
#include "inject/path.h"

enum { INJECT_JSON_CONDITIONS_MAX = 64 };
enum { INJECT_JSON_BAD = 1 }; /* the text is not JSON */

struct inject_json_condition {
    struct inject_path *path;
    char *expected; /* a word as above */
};

/* Append what is expected when a rule file says `text`: itself, but in quotes when the
 * file had it in quotes, and it would be a literal or a number without. -ENOMEM. */
int inject_json_put_expected(struct bytes text, bool quoted, struct buf *out);

/* NULL when the word is well formed; else what is wrong with its glob, in words, and
 * `*column` (from 1, in bytes), the place. */
const char *inject_json_check_expected(struct bytes expected, size_t *column);

/* Whether a JSON value is what is expected. `value` is what wire/json has accepted,
 * without white space around it; of an object or array the first byte is enough. */
bool inject_json_equals(struct bytes value, struct bytes expected);

/* Set `*holds`: whether each of the conditions' paths leads to a value (one at least,
 * if it leads to several) that is what is expected. At most INJECT_JSON_CONDITIONS_MAX.
 * One scan serves them all. INJECT_JSON_BAD when the text as a whole is not JSON;
 * -ENOMEM. */
int inject_json_holds(struct bytes text, const struct inject_json_condition *conditions,
                      size_t count, bool *holds);

#endif
