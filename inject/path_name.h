/*
 * inject/path_name - names inside a path: bare ones and quoted ones (RFC 9535, section
 * 2.3.1.1 and 2.5.1.1). Only inject/path and replay/value use it.
 */
#ifndef WSTAPE_INJECT_PATH_NAME_H
#define WSTAPE_INJECT_PATH_NAME_H

#include "base/buf.h"

/* How many bytes at the start of `in` are a name without quotes; 0 for none. */
size_t inject_path_name_len(struct bytes in);

/*
 * Read the quoted name that begins at in.at[*at], quotes included, and append its
 * characters to `out`, which has room for in.len bytes. NULL, and `*at` is after it;
 * else what is wrong, and `*at` is where. `in` is UTF-8.
 */
const char *inject_path_name_read(struct bytes in, size_t *at, struct buf *out);

/* Append ['name']. -ENOMEM. */
int inject_path_name_put(struct bytes name, struct buf *out);

#endif
