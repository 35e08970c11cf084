/*
 * wire/http - HTTP/1.1 messages on one direction of a connection (RFC 9112).
 *
 * Finds where heads and bodies begin and end and what a head says; the bytes themselves
 * are the caller's to record and pass on unchanged. Heads are held until complete (up
 * to a limit), bodies are not held at all. Framing is judged twice: a strict scan here,
 * and llhttp; both must agree. Requests with ambiguous framing are errors (RFC
 * 9112, 6.3 and 11.2); responses are read leniently, since a recorder passes on what
 * the backend says.
 */
#ifndef WSTAPE_WIRE_HTTP_H
#define WSTAPE_WIRE_HTTP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { WIRE_HTTP_HEAD_MAX = 64 * 1024 };

/* ---- the fields of a complete head ---- */

struct wire_field {
    struct bytes name;  /* as spelled */
    struct bytes value; /* without surrounding white space; folded lines stay in it */
};

/* A view of a head: all bytes are borrowed from it. */
struct wire_head {
    struct bytes start_line;
    struct bytes method, target; /* requests */
    struct bytes reason;         /* responses */
    unsigned status;             /* responses, else 0 */
    unsigned minor;              /* HTTP/1.x */
    size_t fields_at;            /* offset of the first field line in the head */
};

/* Parse the start line of a complete head (leading empty lines are skipped).
 * -EINVAL: not HTTP/1.x. Allocates nothing. */
int wire_head_parse(struct bytes head, bool is_request, struct wire_head *out);

/* The next field of `head`: start with *at = out->fields_at; false at the end. */
bool wire_head_next(struct bytes head, size_t *at, struct wire_field *out);

/* The first field called `name` (any case); false when there is none. */
bool wire_head_find(struct bytes head, const struct wire_head *h, const char *name,
                    struct wire_field *out);

/* True when a field `name`, read as a comma-separated list over all its lines, holds
 * `token` (any case): `Connection: keep-alive, Upgrade`. */
bool wire_head_has_token(struct bytes head, const struct wire_head *h, const char *name,
                         const char *token);

/* ---- messages as they arrive ---- */

struct wire_http; /* one direction */

enum wire_http_kind {
    WIRE_HTTP_MORE = 1, /* all input used, nothing to report */
    WIRE_HTTP_HEAD,     /* a head is complete: wire_http_head() */
    WIRE_HTTP_BODY,     /* `bytes`: part of a body as on the wire (chunk framing and
                           trailers included) */
    WIRE_HTTP_DONE,     /* the message is complete */
    WIRE_HTTP_SWITCH, /* as DONE; what follows is HTTP only if the upgrade or CONNECT is
                         refused: wire_http_resume() then goes on */
    WIRE_HTTP_BAD,    /* not valid HTTP, or over the limit: `status` and `why` */
};

struct wire_http_event {
    enum wire_http_kind kind;
    struct bytes bytes; /* BODY */
    unsigned status;    /* BAD: what a server would answer: 400, 431, 501, 505 */
    const char *why;    /* BAD: static text */
};

/* NULL when memory is out. */
struct wire_http *wire_http_new(bool is_request);
void wire_http_free(struct wire_http *h);

/* The next event in `in`. `*used` bytes of `in` belong to it; call again with the rest,
 * even when none is left, until MORE, SWITCH or BAD. After BAD the reader is dead:
 * wire_http_head() then gives what was held, which together with the unused input is
 * all the caller has to keep (BODY gave what came before a fault in a body). Any split
 * of the same input gives the same events (BODY may come in more pieces). -ENOMEM
 * leaves the reader as it was. */
int wire_http_next(struct wire_http *h, struct bytes in, size_t *used,
                   struct wire_http_event *out);

/* The input has ended. DONE when that completes a response that runs to the end; MORE
 * when nothing was in progress; BAD when a message was cut off. */
void wire_http_finish(struct wire_http *h, struct wire_http_event *out);

/* The head held so far (whole after HEAD), valid until the next call of wire_http_next.
 */
struct bytes wire_http_head(const struct wire_http *h);

/* Responses: what the next final head answers. Must be called before wire_http_next
 * sees a byte of that response: HEAD has no body, CONNECT 2xx and 101 switch (RFC
 * 9112, 6.3). */
void wire_http_answers(struct wire_http *h, bool to_head, bool to_connect);

/* After SWITCH: the upgrade was refused, go on reading HTTP. */
void wire_http_resume(struct wire_http *h);

/* True in the middle of a head. */
bool wire_http_in_head(const struct wire_http *h);

/* ---- chunked bodies, for readers of tapes ---- */

/* Append to `out` the content of a chunked body that came as `wire` (RFC 9112, 7.1).
 * -EINVAL when it is malformed or incomplete (what was decoded so far is in `out`), or
 * -ENOMEM. */
int wire_http_dechunk(struct bytes wire, struct buf *out);

#endif
