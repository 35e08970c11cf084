/*
 * inject/plan_state - the inside of the engine, shared by its parts:
 *
 *   plan.c      the rules of a run, their counts, reload
 *   match.c     does a rule hold for an event
 *   phases.c    accept, request, response, stream
 *   message.c   the verdict on a message
 */
#ifndef WSTAPE_INJECT_PLAN_STATE_H
#define WSTAPE_INJECT_PLAN_STATE_H

#include "inject/plan.h"

#include <stddef.h>

enum { INJECT_KINDS = 4 }; /* message numbers: data, ping, pong, close */

struct inject_plan {
    struct inject_rules *rules;
    uint64_t *fired; /* by rule */
    uint64_t seed;
    uint64_t max_message;
    unsigned generation; /* moves on when the rules are replaced */
};

/* What one connection knows of one rule. */
struct inject_memory {
    uint32_t fired;
    bool impossible; /* its path or headers are not this connection's */
};

struct inject_connection {
    struct inject_plan *plan;
    const struct inject_rules *rules; /* that `memory` fits; older ones live on */
    struct inject_memory *memory;     /* by rule */
    uint8_t *head;                    /* of the last request; NULL before the first */
    size_t head_len;
    uint64_t messages[2][INJECT_KINDS]; /* seen so far */
    int64_t opened_at;
    uint64_t requests, responses; /* seen so far: message numbers of the handshake */
    uint32_t number;
};

/* What a rule is held against. */
struct inject_event {
    enum inject_stage stage;
    enum side from;
    bool has_from; /* connection events have no direction */
    enum inject_opcode kind;
    uint64_t number; /* of the message, itself included */
    bool whole;      /* payload is there: size and content can be judged */
    struct bytes payload;
    int64_t now_ns; /* since the start */
};

/* ---- plan.c ---- */

/* Fit the connection to the plan's rules, which may have been replaced. -ENOMEM. */
int inject_connection_fit(struct inject_connection *c);

/* Note that rule `i` acted. */
void inject_connection_count(struct inject_connection *c, size_t i);

unsigned inject_kind_index(enum inject_opcode kind);

/* ---- match.c ---- */

/* Do all conditions of rule `i` hold, is there budget left, and did the draw hit? What
 * the event does not tell yet (a message that is not whole) counts as holding. 1 or 0;
 * -ENOMEM, when the message is whole. `*out` gets the draw. */
int inject_rule_holds(const struct inject_connection *c, size_t i,
                      const struct inject_event *e, struct inject_fired *out);

/* Judge path and header conditions once a head is known. */
void inject_match_head(struct inject_connection *c);

#endif
