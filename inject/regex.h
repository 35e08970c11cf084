/*
 * inject/regex - regular expressions (PCRE2) over texts of messages.
 *
 * Matching is bounded: an expression that backtracks too long counts as not matching.
 */
#ifndef WSTAPE_INJECT_REGEX_H
#define WSTAPE_INJECT_REGEX_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct inject_regex;

enum { INJECT_REGEX_BAD = 1 };

/* Compile, UTF-8. INJECT_REGEX_BAD: `e` says what is wrong and `*column` (from 1, in
 * bytes) where. -ENOMEM. */
int inject_regex_new(struct bytes text, struct inject_regex **out, struct err *e,
                     size_t *column);
void inject_regex_free(struct inject_regex *r); /* takes NULL */

/* Does it match anywhere in `text` (which need not be valid UTF-8: then it does not)?
 * 1 or 0; -ENOMEM. */
int inject_regex_match(const struct inject_regex *r, struct bytes text);

#endif
