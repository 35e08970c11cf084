/*
 * tests/unit/wire/http_rig - what a wire/http reader says about some input, as text.
 *
 * One line an event: `head GET / HTTP/1.1`, `body 5;x\r\n...` (pieces joined), `done`,
 * `switch`, `bad 400 why | what the caller has to keep`, and after the input `end:
 * more` or what wire_http_finish says.
 */
#ifndef WSTAPE_TESTS_HTTP_RIG_H
#define WSTAPE_TESTS_HTTP_RIG_H

#include "wire/http.h"

struct http_input {
    bool is_request;
    bool resume;         /* go on after SWITCH; else the rest is shown and all ends */
    const char *answers; /* responses: G, H or C for each final one; NULL: all G */
    struct bytes bytes;
};

struct http_said {
    char text[8192];
    size_t len;
};

/* Feed `first` bytes, then `each` bytes at a time. An allocation that fails is tried
 * again, and must leave the reader as it was. */
void http_run(const struct http_input *in, size_t first, size_t each,
              struct http_said *out);

/* The whole input says `expected`, and so does every split of it. */
void http_says(const struct http_input *in, const char *expected);

/* As http_says, for requests (that go on after an upgrade) and for answers to GET. */
void request_says(const char *input, const char *expected);
void response_says(const char *input, const char *expected);

#endif
