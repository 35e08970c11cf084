/*
 * base/err - one error in words, for the person who typed the command.
 *
 * A message names the thing, the place and the remedy. It is plain text, already safe
 * to print (base/text escapes what came from outside before it goes in).
 */
#ifndef WSTAPE_BASE_ERR_H
#define WSTAPE_BASE_ERR_H

struct err {
    char text[512];
};

/* Set the message; cut at the size of `text`. Returns `code`, so that a caller can end
 * with `return err_set(e, -EINVAL, ...)`. `e` may be NULL. */
int err_set(struct err *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
