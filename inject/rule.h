/*
 * inject/rule - what to break, and when: rules as data.
 *
 * Built and checked by inject/build from a rule file or one-line forms; never changed
 * afterwards. All texts and arrays belong to the struct inject_rules they came with.
 */
#ifndef WSTAPE_INJECT_RULE_H
#define WSTAPE_INJECT_RULE_H

#include "base/bytes.h"
#include "inject/edit.h"
#include "inject/json.h"
#include "wire/side.h"

#include <stdbool.h>
#include <stdint.h>

/* A set of whole numbers: `3`, `1..3`, `5..`, `every 4`, `[1, 4..6]`. Counting from 1.
 */
struct inject_range {
    uint64_t from, to; /* inclusive; to UINT64_MAX: open */
    uint64_t every;    /* 0, or only multiples of it */
};

struct inject_ranges {
    struct inject_range *at;
    size_t count; /* 0: any number */
};

bool inject_ranges_hold(const struct inject_ranges *r, uint64_t n);

/* When a rule applies, what a person may say of an event. */
enum inject_opcode { /* bits of inject_when.opcodes */
                     INJECT_TEXT = 1 << 0,
                     INJECT_BINARY = 1 << 1,
                     INJECT_PING = 1 << 2,
                     INJECT_PONG = 1 << 3,
                     INJECT_CLOSE = 1 << 4,
};

struct inject_header_condition {
    char *name; /* a field name, any case */
    char *glob; /* for its value */
};

struct inject_regex; /* inject/regex.h: PCRE2 inside */

struct inject_when {
    struct inject_ranges connection;
    char *path; /* glob for the request's path; NULL: any */
    struct inject_header_condition *headers;
    size_t header_count;
    bool has_from;
    enum side from;
    struct inject_ranges message; /* number in its direction, of the rule's kind */
    unsigned opcodes;             /* INJECT_ bits; 0: text and binary */
    struct inject_json_condition *json;
    size_t json_count;
    struct inject_regex *text;        /* for a text message's text; NULL: any */
    struct inject_ranges size;        /* decoded bytes */
    int64_t time_from_ns, time_to_ns; /* since the start; to INT64_MAX: open */
    int64_t age_from_ns, age_to_ns;   /* since the connection opened */
    int after;                        /* index of the rule that has fired; -1: none */
};

enum inject_action {
    INJECT_REFUSE,
    INJECT_RESET,
    INJECT_HANG,
    INJECT_ACCEPT_DELAY,
    INJECT_TLS,
    INJECT_STATUS,
    INJECT_HANDSHAKE_DELAY,
    INJECT_BAD_ACCEPT,
    INJECT_SUBPROTOCOL,
    INJECT_EXTENSION,
    INJECT_SET_HEADER,
    INJECT_DROP_HEADER,
    INJECT_DROP,
    INJECT_DELAY,
    INJECT_DUPLICATE,
    INJECT_REORDER,
    INJECT_DROP_FIELD,
    INJECT_SET_FIELD,
    INJECT_RENAME_FIELD,
    INJECT_REPLACE,
    INJECT_INSERT,
    INJECT_TRUNCATE,
    INJECT_CORRUPT,
    INJECT_FRAGMENT,
    INJECT_CLOSE_WITH,
    INJECT_ABORT,
    INJECT_STALL,
    INJECT_VIOLATE,
    INJECT_LATENCY,
    INJECT_BANDWIDTH,
    INJECT_SLICE,
    INJECT_LIMIT,
    INJECT_SLOW_CLOSE,
    INJECT_ACTION_COUNT,
};

/* What an action works on. */
enum inject_stage {
    INJECT_STAGE_LISTEN,     /* refuse */
    INJECT_STAGE_CONNECTION, /* reset hang accept_delay tls */
    INJECT_STAGE_HANDSHAKE,  /* status ... drop_header */
    INJECT_STAGE_MESSAGE,    /* drop ... violate */
    INJECT_STAGE_STREAM,     /* latency ... slow_close */
};

enum inject_tls {
    INJECT_TLS_EXPIRED,
    INJECT_TLS_SELF_SIGNED,
    INJECT_TLS_WRONG_HOST,
    INJECT_TLS_ABORT
};

enum inject_violation {
    INJECT_VIOLATE_RSV,              /* RSV bits no extension explains */
    INJECT_VIOLATE_MASK,             /* masked by the server, unmasked by the client */
    INJECT_VIOLATE_OPCODE,           /* reserved opcode 3 */
    INJECT_VIOLATE_LENGTH,           /* longer length form than needed */
    INJECT_VIOLATE_CONTROL_FRAGMENT, /* a ping without FIN before the message */
    INJECT_VIOLATE_UTF8,             /* text that is not UTF-8 */
    INJECT_VIOLATE_CLOSE_CODE,       /* a close frame with code 1005 */
    INJECT_VIOLATE_ORPHAN_CONTINUATION, /* a continuation of nothing before the message
                                         */
};

enum { INJECT_FOREVER = -1 }; /* as a duration */

struct inject_header {
    char *name;
    char *value; /* drop_header: NULL */
};

/* An action with what it needs; only the members of its kind are set. */
struct inject_act {
    enum inject_action action;
    int64_t for_ns;    /* hang accept_delay handshake_delay delay latency stall
                          slow_close; INJECT_FOREVER: hang, stall */
    int64_t jitter_ns; /* latency */
    uint64_t count;    /* duplicate: copies more; reorder: messages that overtake;
                          truncate: bytes left; corrupt: bytes changed; fragment and
                          slice: bytes a piece; limit: bytes; bandwidth: bytes/s */
    int64_t gap_ns;    /* slice: between pieces */
    unsigned code;     /* status, close */
    char *text;        /* close: reason; subprotocol, extension: value to say */
    struct inject_header *headers; /* status, set_header, drop_header */
    size_t header_count;
    uint8_t *payload; /* replace, insert: message; status: body */
    size_t payload_len;
    bool payload_binary; /* replace, insert: a binary message (default: as the one hit)
                          */
    bool payload_set;    /* payload was given, be it empty */
    bool after;          /* insert: behind the message hit, else before */
    bool rst;            /* abort: RST, else FIN without a close frame */
    enum inject_tls tls;
    enum inject_violation violation;
    struct inject_field_edit *fields;
    size_t field_count;
};

struct inject_rule {
    char *name;    /* given, or made of what the rule says: drop-93e1 */
    unsigned line; /* in the file, 0: from --fault */
    struct inject_when when;
    struct inject_act act;
    double probability;      /* 0..1 */
    uint64_t times;          /* budget in all, UINT64_MAX: none */
    uint64_t per_connection; /* budget of each connection */
};

struct inject_rules {
    struct inject_rule *at;
    size_t count;
    bool has_seed;
    uint64_t seed;
    struct inject_rules
        *older; /* replaced by these; acts under way still refer to them */
};

/* The older ones too. Takes NULL. */
void inject_rules_free(struct inject_rules *r);

/* "drop_field", ...; never NULL. */
const char *inject_action_name(enum inject_action a);
enum inject_stage inject_action_stage(enum inject_action a);

#endif
