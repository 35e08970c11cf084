/*
 * inject/glob - patterns for whole texts: * any run, ? one character, [a-z] a set.
 *
 *     *          any characters, none included, "/" included
 *     ?          one character
 *     [abc0-9]   one character of the set; a ] that comes first belongs to it
 *     [!abc]     one character that is not in the set; also [^abc]
 *     \x         the character x itself
 *
 * The pattern is UTF-8. A text may be any bytes: one that is not part of a UTF-8
 * character counts as a character, and only itself, ? and * match it. Case counts. Time
 * is at most proportional to the length of the pattern times that of the text.
 */
#ifndef WSTAPE_INJECT_GLOB_H
#define WSTAPE_INJECT_GLOB_H

#include "base/bytes.h"

/* NULL when the pattern is well formed; else what is wrong with it, in words, and
 * `*column` (from 1, in bytes), the place. */
const char *inject_glob_check(struct bytes pattern, size_t *column);

/* Whether the whole of `text` fits. In a pattern that is not well formed, a [ without
 * its ] and a last \ stand for themselves. */
bool inject_glob_match(struct bytes pattern, struct bytes text);

/* As above for a JSON string token, quotes included, that wire/json has accepted: its
 * escapes count as the characters they stand for. */
bool inject_glob_match_json(struct bytes pattern, struct bytes token);

#endif
