/*
 * captures/exchanges - the HTTP of one connection: bodies joined, answers with
 * questions.
 *
 * Takes REQUEST, RESPONSE, BODY and SENT records in tape order; gives every message
 * body at its end (chunk framing taken off; content coding left on) and every exchange
 * when its answer is complete. A tape has no record for the end of a body: the head
 * says where it is (RFC 9112, section 6.3), else the next head or the end of the
 * direction.
 */
#ifndef WSTAPE_CAPTURES_EXCHANGES_H
#define WSTAPE_CAPTURES_EXCHANGES_H

#include "base/buf.h"
#include "captures/record.h"
#include "wire/http_chunked.h"

#include <stdbool.h>

enum {
    CAPTURE_EXCHANGES_OPEN_MAX = 64, /* unanswered at once; older ones are given up */
    CAPTURE_EXCHANGE_TARGET_MAX = 2048,
};

struct capture_body {
    enum side from;
    uint32_t exchange;
    int64_t time_ns;    /* of its first record */
    int64_t end_ns;     /* of its last record */
    uint64_t size;      /* content bytes that are known: more than bytes.len when cut */
    uint64_t wire_size; /* as it passed, framing included */
    struct bytes bytes; /* content, borrowed until the callback returns */
    bool cut;           /* a limit (the recording's or the reader's) left bytes out */
    bool incomplete;    /* its end is not there */
    bool malformed;     /* its chunk framing broke; the rest is as on the wire */
};

struct capture_exchange {
    uint32_t number;
    struct bytes method, target; /* "?" when unreadable; the target cut to TARGET_MAX */
    unsigned status;             /* 0: no answer */
    bool by_wstape;              /* answered by wstape itself */
    bool upgraded;               /* 101, or CONNECT: HTTP ended here */
    bool incomplete;             /* the answer's body was cut off */
    int64_t asked_ns;            /* request head */
    int64_t answered_ns;         /* response head */
    int64_t done_ns;             /* last byte of the answer that was seen */
    uint64_t sent; /* bytes of the request's body, as in capture_body.size */
    uint64_t size; /* of the response's body */
};

/* What all connections of a tape share. A negative value of a callback ends the run. */
struct capture_exchanges_rules {
    size_t keep; /* content bytes held of one body */
    int (*body)(void *owner, uint32_t connection, const struct capture_body *b);
    int (*exchange)(void *owner, uint32_t connection, const struct capture_exchange *e);
    void *owner;
};

enum capture_framing {
    CAPTURE_FRAMING_NONE = 0, /* no body, or none begun */
    CAPTURE_FRAMING_LENGTH,
    CAPTURE_FRAMING_CHUNKED,
    CAPTURE_FRAMING_UNTIL_END,
    CAPTURE_FRAMING_UNKNOWN, /* its head is not on the tape */
};

struct capture_body_state {
    struct capture_body body; /* in progress unless framing is NONE */
    struct wire_chunked chunked;
    struct buf held;
    uint64_t length; /* LENGTH: as declared */
    enum capture_framing framing;
    bool begun;      /* a byte of it was on the tape */
    bool chunks_end; /* CHUNKED: the last chunk and the trailers are through */
};

struct capture_exchanges {
    const struct capture_exchanges_rules *rules; /* borrowed */
    struct capture_exchange
        *open; /* oldest first; method and target in one allocation */
    size_t open_count, open_cap;
    struct capture_body_state bodies[2]; /* by side */
    uint32_t connection;
};

/* Allocates nothing. */
void capture_exchanges_init(struct capture_exchanges *x,
                            const struct capture_exchanges_rules *r,
                            uint32_t connection);

/* Gives nothing out. */
void capture_exchanges_deinit(struct capture_exchanges *x);

/* A REQUEST (from CLIENT) or RESPONSE is next: what that side had in progress is over.
 */
int capture_exchanges_break(struct capture_exchanges *x, enum side from);

/* A REQUEST or RESPONSE record, after the break. 0, a callback's value or -ENOMEM. */
int capture_exchanges_head(struct capture_exchanges *x, const struct capture_record *r);

/* A BODY record. */
int capture_exchanges_body(struct capture_exchanges *x, const struct capture_record *r);

enum { CAPTURE_EXCHANGES_ANSWERED = 1 };

/* A SENT record: ANSWERED when it is an answer of wstape's own to an open exchange. */
int capture_exchanges_sent(struct capture_exchanges *x, const struct capture_record *r);

/* That side is over; `clean` when by FIN. */
int capture_exchanges_end(struct capture_exchanges *x, enum side from, bool clean,
                          int64_t time_ns);

/* Records are missing here: bodies in progress are incomplete. */
int capture_exchanges_lose(struct capture_exchanges *x);

/* Nothing more comes, of the connection or of the tape: as lose, and what has no answer
 * will not get one. */
int capture_exchanges_finish(struct capture_exchanges *x);

#endif
