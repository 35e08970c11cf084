/*
 * captures/record - what a tape holds, as structs.
 *
 * One struct capture_record for every record type of FORMAT.md. Writers fill it and
 * hand it to captures/encode; captures/decode fills it from a tape. All bytes are
 * borrowed: a decoded record points into the reader's window and holds until the next
 * record.
 */
#ifndef WSTAPE_CAPTURES_RECORD_H
#define WSTAPE_CAPTURES_RECORD_H

#include "base/bytes.h"
#include "wire/side.h"

#include <stdint.h>

enum {
    CAPTURE_VERSION = 1,
    CAPTURE_RECORD_MAX = 1 << 20, /* bytes of one record, its CRC included */
    CAPTURE_PIECE_MAX = 1 << 19, /* payload or body bytes a writer puts in one record */
};

/* The first element of every record. Numbers are never re-used. */
enum capture_type {
    CAPTURE_OPEN = 1,     /* a client connected */
    CAPTURE_UPSTREAM = 2, /* the backend was reached, or why not */
    CAPTURE_REQUEST = 3,  /* an HTTP request head */
    CAPTURE_RESPONSE = 4, /* an HTTP response head */
    CAPTURE_BODY = 5,     /* HTTP body bytes as on the wire, chunk framing included */
    CAPTURE_FRAME = 6,    /* a WebSocket frame, or its first piece */
    CAPTURE_MORE = 7,     /* the next payload bytes of that direction's last frame */
    CAPTURE_RAW = 8,      /* bytes that are neither HTTP nor frames */
    CAPTURE_SENT = 9,     /* bytes that wstape itself put on the wire */
    CAPTURE_FAULT = 10,   /* a rule acted, or could not */
    CAPTURE_END = 11,     /* one side ended, or wstape ended it */
    CAPTURE_NOTE = 12,    /* something worth knowing, in words */
    CAPTURE_GAP = 13,     /* records are missing here */
    CAPTURE_CHECKPOINT = 14, /* a count and a check of all since the last one */
    CAPTURE_SUMMARY = 15,    /* the last record of a tape that was finished cleanly */
};

/* How a side ended. */
enum capture_end {
    CAPTURE_END_FIN = 1,       /* TCP FIN; with TLS, after a close_notify */
    CAPTURE_END_TRUNCATED = 2, /* TLS only: FIN without close_notify */
    CAPTURE_END_RESET = 3,     /* TCP RST */
    CAPTURE_END_TIMEOUT = 4,   /* wstape gave up waiting */
    CAPTURE_END_REFUSED = 5,   /* wstape turned the client away: bad request, limits */
    CAPTURE_END_ERROR = 6,     /* another transport or TLS error; `text` says which */
    CAPTURE_END_STOP = 7,      /* wstape was told to stop */
    CAPTURE_END_FAULT = 8,     /* a rule ended it */
};

/* Facts of one TLS leg; every text empty when not negotiated. */
struct capture_tls {
    struct bytes version;     /* "TLSv1.3" */
    struct bytes cipher;      /* OpenSSL's name */
    struct bytes alpn;        /* "http/1.1" */
    struct bytes server_name; /* SNI sent or received */
};

/* The header map. Texts may be empty. All but version and id are 0 or empty when a tape
 * was repaired whose header was lost. */
struct capture_header {
    uint64_t version;
    uint32_t id;           /* seeds every CRC of this tape */
    int64_t wall_ns;       /* since 1970, at the start */
    int64_t origin_ns;     /* the monotonic clock at the same moment */
    struct bytes program;  /* "wstape 0.1.0" */
    struct bytes listen;   /* URL */
    struct bytes upstream; /* URL */
    uint64_t seed;         /* of all chance */
};

/* WebSocket frame (RFC 6455, section 5.2). Header bytes are exactly these:
 * `first`; MASK bit and length in `form`; the masking key when `masked`. */
struct capture_frame {
    uint8_t first;        /* FIN, RSV1-3, opcode: the first byte as received */
    uint8_t form;         /* bits of the length field used: 7, 16 or 64 */
    uint8_t masked;       /* 0 or 1 */
    uint8_t mask[4];      /* masking key as received */
    uint64_t payload_len; /* as declared */
    uint32_t faults;      /* WIRE_FAULT_* bits (wire/lint.h) */
    struct bytes
        payload; /* unmasked; shorter than payload_len when more pieces follow */
};

/* The fields of each type; `connection` and `time_ns` stand beside the union. */
struct capture_record {
    enum capture_type type;
    uint32_t connection; /* counts from 1; 0: the whole tape */
    int64_t time_ns;     /* since the tape's start */
    union {
        struct {
            struct bytes client; /* "127.0.0.1:51234", "[::1]:51234" */
            struct bytes listen; /* the address it came in on */
            uint8_t is_tls;
            struct capture_tls tls;
        } open;
        struct {
            struct bytes address; /* the one tried last; empty when none was found */
            struct bytes error;   /* empty: connected */
            uint8_t is_tls;
            struct capture_tls tls;
        } upstream;
        struct {
            uint32_t exchange;  /* request number on this connection, from 1; a response
                                   has its request's, 0 when nobody asked */
            struct bytes bytes; /* as received */
            struct bytes sent;  /* as passed on, empty when unchanged */
        } head;                 /* REQUEST and RESPONSE */
        struct {
            enum side from;
            uint32_t exchange;
            uint64_t
                wire_len; /* bytes that passed; more than bytes.len: cut by limit */
            struct bytes bytes; /* as on the wire */
        } body;
        struct {
            enum side from;
            struct capture_frame frame;
        } frame;
        struct {
            enum side from;
            uint32_t faults;      /* found in these bytes, as in a frame */
            struct bytes payload; /* unmasked */
        } more;
        struct {
            enum side from;
            struct bytes bytes;
        } raw;
        struct {
            enum side to;
            struct bytes cause; /* why wstape spoke, in words */
            struct bytes bytes; /* as sent, frames with their mask */
        } sent;
        struct {
            enum side from;    /* direction that was hit */
            uint8_t opcode;    /* of the message or control frame; 0: none was */
            uint64_t message;  /* its number among its kind, from 1; 0: none was hit */
            struct bytes rule; /* name */
            struct bytes action; /* "drop_field" */
            uint8_t applied;     /* 0: it could not be, `text` says why */
            uint8_t drawn;       /* chance decided */
            uint64_t draw;       /* times 2^53; below the rule's probability */
            struct bytes text;
        } fault;
        struct {
            enum side side; /* the leg that ended */
            enum capture_end kind;
            uint8_t by_wstape; /* 1: ended by wstape, 0: by the peer */
            struct bytes text; /* details in words, may be empty */
        } end;
        struct {
            struct bytes text;
        } note;
        struct {
            uint64_t records;  /* lost here, 0 unknown */
            uint64_t bytes;    /* lost here, 0 unknown */
            struct bytes text; /* why */
        } gap;
        struct {
            uint32_t id;     /* of the tape, so that a damaged header can be replaced */
            uint64_t number; /* of checkpoints on the tape, from 1: a lost one shows */
            uint64_t records; /* since the last checkpoint, this one not counted */
            uint64_t bytes;   /* of those records */
            uint32_t crc;     /* CRC-32C over their CRC fields, big endian each */
        } checkpoint;
        struct {
            uint64_t connections;
            uint64_t records; /* of the whole tape, this one not counted */
            struct bytes
                text; /* why it ended: "SIGINT", "command exited with status 0" */
        } summary;
    } u;
};

#endif
