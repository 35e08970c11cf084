/*
 * inject/indent - a JSON text with line breaks, for people. Only inject/schema uses it.
 */
#ifndef WSTAPE_INJECT_INDENT_H
#define WSTAPE_INJECT_INDENT_H

#include "base/buf.h"

/* Append `json`, which is JSON without white space between its tokens: an object or
 * array that fits stays on its line, else each child has one of its own. -ENOMEM. */
int inject_indent_put(struct bytes json, struct buf *out);

#endif
