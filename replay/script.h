/*
 * replay/script - a tape as what is to be played: connections, steps and messages.
 *
 * Built once from a whole tape and then only read: every connection that plays it
 * shares it. What each end point itself said is the script (the bytes that arrived at
 * the recorder), not what rules made of it; an HTTP answer of the recorder's own (a
 * 502) is taken where the backend gave none. Lies wholly in memory: about the tape's
 * size, and 100 bytes a frame.
 */
#ifndef WSTAPE_REPLAY_SCRIPT_H
#define WSTAPE_REPLAY_SCRIPT_H

#include "base/err.h"
#include "captures/messages.h"
#include "captures/reader.h"
#include "wire/handshake.h"

#include <stdbool.h>

/* Times are at most this far from 0 (36 years), so that sums and differences of a few
 * of them fit: what the tape has beyond it counts as this. */
#define REPLAY_TIME_MAX (INT64_MAX / 8)

#define REPLAY_NONE UINT32_MAX /* as an index: there is none */

/* Content bytes of a tape that a script holds at most (inflated): -EFBIG past it. */
#define REPLAY_SCRIPT_MAX (UINT64_C(4) << 30)

/* Bytes of one message, as it came and inflated: a larger one is not `whole`. */
enum { REPLAY_SCRIPT_MESSAGE_MAX = 256 << 20 };

enum replay_step_kind {
    REPLAY_REQUEST,  /* an HTTP request head; `exchange` */
    REPLAY_RESPONSE, /* an HTTP response head, interim ones too; `exchange` */
    REPLAY_BODY, /* bytes of a body as on the wire; `exchange` (0 NONE: nobody asked) */
    REPLAY_FRAME, /* a WebSocket frame */
    REPLAY_RAW,   /* bytes that are neither: a tunnel's, or the start of a header */
    REPLAY_END,   /* the side ended by itself: FIN, TRUNCATED or RESET (other kinds, and
                     ends by the recorder, are no steps) */
};

/* One thing that a side did, in the tape's order. */
struct replay_step {
    int64_t time_ns; /* on the tape */
    struct bytes
        bytes; /* REQUEST, RESPONSE: the head. BODY, RAW: as on the wire. FRAME:
                  payload unmasked, as on the wire, of a frame that belongs to no
                  message with a text (control frames, and what could not be
                  decoded); shorter than `payload_len` when the rest is missing */
    uint64_t payload_len; /* FRAME: as declared, on the wire. BODY: bytes that passed */
    uint32_t exchange;    /* index; REQUEST, RESPONSE, BODY */
    uint32_t message;     /* index of the message it is a part of, else REPLAY_NONE */
    uint8_t kind;         /* enum replay_step_kind */
    uint8_t from;         /* enum side */
    uint8_t end;          /* END: enum capture_end */
    uint8_t first, form, masked, mask[4]; /* FRAME: as in struct capture_frame */
};

/* A text or binary message that came to its end; frames of others are of none. */
struct replay_message {
    struct bytes payload; /* joined and inflated; empty unless `whole` */
    uint64_t number;      /* from 1, among these of its direction */
    uint32_t step;        /* its first frame */
    uint32_t last_step;   /* its last frame */
    uint32_t fragments;
    uint32_t next;   /* index of the next one of the same side, or NONE */
    uint8_t from;    /* enum side */
    uint8_t opcode;  /* WIRE_OP_TEXT or WIRE_OP_BINARY */
    bool compressed; /* came through permessage-deflate */
    bool whole; /* all of it is there and could be decoded: it can be compared; else
                   its frames carry their own bytes and it only counts */
};

/* A request and its answer. */
struct replay_exchange {
    struct bytes method, target; /* "?" when unreadable */
    uint32_t number;             /* on the tape: counts the connection's requests */
    uint32_t request;            /* step */
    uint32_t response; /* step of the final answer; NONE: there is none on the tape */
    uint32_t first_response; /* step of the first, which may be interim (1xx) */
    unsigned status;         /* of the final one; 0: none */
    bool asks;               /* a WebSocket handshake */
    bool agrees;             /* and its answer was a 101 to it: frames follow */
    bool tunnel;             /* another upgrade, or CONNECT, that was granted */
    bool by_wstape;          /* answered by the recorder itself */
    bool incomplete;         /* the answer's body was cut off */
    bool cut;       /* a limit of the recording left bytes of the answer's body out */
    bool asked_cut; /* or of the request's */
};

struct replay_connection {
    uint32_t number;             /* on the tape */
    int64_t opened_ns, ended_ns; /* on the tape: first and last record */
    struct replay_step *steps;
    struct replay_message *messages; /* in the order in which they were complete */
    struct replay_exchange *exchanges;
    uint32_t step_count, message_count, exchange_count;
    uint32_t handshake; /* exchange that opened the WebSocket, or NONE */
    uint32_t first[2];  /* by side: index of its first message, or NONE */
    uint32_t last[2];   /* by side: of its last */
    uint64_t count[2];  /* by side: messages */
    struct wire_deflate_params deflate;
};

struct replay_script {
    struct replay_connection *connections; /* in the order in which they opened */
    size_t count;
    uint64_t bytes;   /* content held */
    int64_t last_ns;  /* of the tape */
    uint64_t damaged; /* stretches of the tape that could not be read, gaps included */
    bool torn;        /* the tape has no end: it was not finished, or is cut off */
    struct replay_store *store; /* owns all bytes */
};

/*
 * Read a whole tape from its start. `progress` (may be NULL) is told how far it has
 * come, in bytes. A damaged tape gives what can be read. 0; -EFBIG with words that name
 * the limit and the remedy, -ENOMEM, or what the source said.
 */
int replay_script_new(struct capture_reader *reader,
                      void (*progress)(void *owner, uint64_t offset), void *owner,
                      struct replay_script **out, struct err *e);
void replay_script_free(struct replay_script *s); /* takes NULL */

/* The WIRE_FAULT_ bits (wire/lint.h) of all frames of a side: what was broken on the
 * tape may be broken again. */
uint32_t replay_connection_faults(const struct replay_connection *c, enum side from);

#endif
