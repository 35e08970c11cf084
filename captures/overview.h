/*
 * captures/overview - what a tape holds at a glance: its connections and its condition.
 *
 * Fed with every item of a tape, it keeps a few hundred bytes a connection and nothing
 * of what was said. Texts are cut to CAPTURE_OVERVIEW_TEXT_MAX bytes and kept once.
 */
#ifndef WSTAPE_CAPTURES_OVERVIEW_H
#define WSTAPE_CAPTURES_OVERVIEW_H

#include "captures/intern.h"
#include "captures/map.h"
#include "captures/reader.h"

#include <stdbool.h>

enum {
    CAPTURE_OVERVIEW_TEXT_MAX = 2048,
    CAPTURE_OVERVIEW_ERRORS_MAX = 4,
    CAPTURE_OVERVIEW_MISSING_MAX = 256,
    CAPTURE_OVERVIEW_RULES_MAX = 1024,
};

enum capture_kind {
    CAPTURE_KIND_NONE = 0, /* nothing but the connection */
    CAPTURE_KIND_HTTP,
    CAPTURE_KIND_WEBSOCKET,
    CAPTURE_KIND_TUNNEL, /* upgraded to something else, or CONNECT */
};

/* What one side sent, and how it ended. */
struct capture_side_facts {
    uint64_t messages; /* text and binary */
    uint64_t frames;   /* all of them */
    uint64_t bytes;    /* payload of data frames, HTTP bodies and raw bytes, as on the
                          wire: before any inflating */
    int close_code;    /* of its first close frame: 1005 without one, 0 for no frame */
    enum capture_end end; /* 0: still open */
    bool end_by_wstape;   /* wstape ended the leg, and the peer was not heard to */
};

struct capture_tls_facts {
    bool on;
    struct capture_tls tls;
};

struct capture_connection {
    uint32_t number;
    enum capture_kind kind;
    struct bytes client, listen; /* addresses; `client` is "" when OPEN is not there */
    struct bytes upstream;
    struct bytes method, path;            /* of the first request; the target as sent */
    struct bytes subprotocol, extensions; /* as the backend answered */
    struct capture_tls_facts tls, upstream_tls;
    int64_t opened_ns, last_ns; /* since the tape's start: first and last record */
    uint64_t requests;
    unsigned status; /* of the handshake, else of the last answer; 0: none */
    bool by_wstape;  /* wstape itself gave that status */
    struct capture_side_facts side[2];
    struct bytes errors[CAPTURE_OVERVIEW_ERRORS_MAX];
    unsigned error_count;
    uint64_t faults, faults_failed; /* acts of rules, and those that could not be */
    /* A close frame whose code is not complete yet. */
    struct {
        uint64_t left;
        uint16_t code;
        uint8_t have;
    } closing[2];
};

/* What one rule did; a name with two actions counts as two. */
struct capture_rule_facts {
    struct bytes name, action;
    uint64_t applied, failed;
};

struct capture_stretch {
    uint64_t offset, len;
};

struct capture_overview {
    struct capture_connection **connections; /* in order of appearance */
    size_t count, cap;
    struct capture_map by_number;
    struct capture_intern texts;
    struct capture_rule_facts *rules; /* in the order in which they first acted */
    size_t rule_count, rule_cap;
    uint64_t rules_left_out; /* acts of further rules */
    uint64_t records;
    int64_t last_ns;
    uint32_t highest; /* connection number */
    uint64_t damaged, damaged_bytes, gaps;
    uint64_t missing_count;
    struct capture_stretch missing[CAPTURE_OVERVIEW_MISSING_MAX]; /* the first ones */
    bool complete;                                                /* has its SUMMARY */
    struct bytes reason;                                          /* of the SUMMARY */
    uint64_t end, torn; /* as the reader's END said: offset, len */
};

/* A zeroed struct is empty. */
void capture_overview_deinit(struct capture_overview *o);

/* Take one item of the tape, END included. -ENOMEM. */
int capture_overview_feed(struct capture_overview *o, const struct capture_item *item);

/* NULL when nothing is known of it. */
const struct capture_connection *capture_overview_find(const struct capture_overview *o,
                                                       uint32_t connection);

/* "websocket", "http", "tunnel", "none". */
const char *capture_kind_name(enum capture_kind k);

/* "fin", "truncated", "reset", ...; "open" for 0. */
const char *capture_end_name(enum capture_end e);

/* True when whole records are missing somewhere around `offset` (MISSING stretches). */
bool capture_overview_doubts(const struct capture_overview *o, uint64_t offset);

#endif
