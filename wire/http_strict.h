/*
 * wire/http_strict - refuses requests that two readers could understand differently
 * (RFC 9112, sections 2.2, 3, 5, 6.3 and 11.2).
 *
 * The half of wire/http's double judgement that is our own. It looks at heads only and
 * knows no methods: the other half does.
 */
#ifndef WSTAPE_WIRE_HTTP_STRICT_H
#define WSTAPE_WIRE_HTTP_STRICT_H

#include "wire/http.h"

/* What to answer, and why, in words for a developer. `why` is static text. */
struct wire_refusal {
    unsigned status; /* 0: not refused */
    const char *why;
};

enum wire_http_body {
    WIRE_HTTP_NO_BODY = 0,
    WIRE_HTTP_LENGTH, /* Content-Length */
    WIRE_HTTP_CHUNKED,
};

struct wire_http_framing {
    uint64_t length;
    enum wire_http_body body;
    bool switches; /* asks to upgrade, or CONNECT: what follows may be no HTTP */
};

/* Where in a head the scan is; zeroed at its start. */
struct wire_http_scan {
    uint8_t prev;
    uint8_t lines; /* 1 when the start line has ended */
    bool in_line;  /* the current line holds a byte */
};

enum wire_http_scanned {
    WIRE_HTTP_SCAN_MORE = 0,
    WIRE_HTTP_SCAN_LINE, /* the start line has just ended */
    WIRE_HTTP_SCAN_END,  /* the head has just ended */
};

/*
 * Look at head bytes one after the other, up to a line that matters or a fault. `*used`
 * bytes were looked at, the faulty one included. Strict: only CRLF ends a line, no
 * control bytes. Not strict (responses): a bare LF ends a line as well, the rest is not
 * looked at.
 */
enum wire_http_scanned wire_http_scan(struct wire_http_scan *s, struct bytes in,
                                      bool is_strict, size_t *used,
                                      struct wire_refusal *no);

/* Judge a request line, without its CRLF. */
void wire_http_judge_line(struct bytes line, struct wire_refusal *no);

/* Judge the fields of a request and say how its body is framed. `*out` is set when `no`
 * stays clear. */
void wire_http_judge_fields(struct bytes head, const struct wire_head *h,
                            struct wire_http_framing *out, struct wire_refusal *no);

/* A byte of a token (RFC 9110, 5.6.2). */
bool wire_http_is_token_byte(uint8_t c);

#endif
