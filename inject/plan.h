/*
 * inject/plan - the engine: an event, the time and the rules in, a verdict out.
 *
 * Pure but for its own counters: no clock, no chance but the seed, no sockets, nothing
 * of the proxy, so that replay uses it unchanged. Whoever asks performs the verdict.
 */
#ifndef WSTAPE_INJECT_PLAN_H
#define WSTAPE_INJECT_PLAN_H

#include "base/buf.h"
#include "inject/rule.h"

struct inject_plan;       /* rules, seed, budgets and counts of a whole run */
struct inject_connection; /* what one connection has seen of them */

/* Takes `rules` over. NULL when memory is out (then it does not). */
struct inject_plan *inject_plan_new(struct inject_rules *rules, uint64_t seed,
                                    uint64_t max_message);
void inject_plan_free(struct inject_plan *p); /* takes NULL */
uint64_t inject_plan_seed(const struct inject_plan *p);

/* Moves on with every reload. */
unsigned inject_plan_generation(const struct inject_plan *p);

/* Put other rules in place of the plan's (SIGHUP). Counts of rules that keep their name
 * go on; connections that are open see the new rules from their next event on. Takes
 * `rules` over. -ENOMEM. */
int inject_plan_reload(struct inject_plan *p, struct inject_rules *rules);

/* Rules and how often each has fired, for the summary. */
size_t inject_plan_count(const struct inject_plan *p);
const struct inject_rule *inject_plan_rule(const struct inject_plan *p, size_t i,
                                           uint64_t *fired);

/* Is the port closed at `since_start_ns` (refuse)? `*until_ns`: when that changes next,
 * INT64_MAX: never. `*rule` is the one that says so, or -1. */
bool inject_plan_refuses(struct inject_plan *p, int64_t since_start_ns,
                         int64_t *until_ns, int *rule);

/* ---- connections ---- */

struct inject_connection *inject_connection_new(struct inject_plan *p, uint32_t number,
                                                int64_t since_start_ns);
void inject_connection_free(struct inject_connection *c); /* takes NULL */

/* One act that fired: for the tape and for the caller to perform. */
struct inject_fired {
    const struct inject_rule *rule;
    const char *why; /* static text, or NULL */
    double draw;     /* 0 <= draw < probability */
    bool drawn;      /* probability was below 1 */
    bool failed;     /* could not be applied: the event passes, `why` says so */
};

enum { INJECT_FIRED_MAX = 32 }; /* acts on one event; more rules do not act */

/* Acts on a connection as such: RESET, HANG, ACCEPT_DELAY, TLS at accept (rules without
 * path and header conditions), stage LISTEN never. In order, at most INJECT_FIRED_MAX.
 * Returns how many. */
size_t inject_on_accept(struct inject_connection *c, int64_t since_start_ns,
                        struct inject_fired out[INJECT_FIRED_MAX]);

/* The connection's first request (or a further one over keep-alive) came: RESET and
 * HANG with path or header conditions, and STATUS, HANDSHAKE_DELAY, SET_HEADER and
 * DROP_HEADER from the client. Remembers path and headers for all later conditions. */
size_t inject_on_request(struct inject_connection *c, struct bytes head,
                         int64_t since_start_ns,
                         struct inject_fired out[INJECT_FIRED_MAX]);

/* What comes now answers the request with this head, which is not the last one: with
 * pipelining there are several. -ENOMEM. */
int inject_answers(struct inject_connection *c, struct bytes head);

/* Its answer came (`switches`: it is a 101): BAD_ACCEPT, SUBPROTOCOL, EXTENSION, and
 * SET_HEADER, DROP_HEADER from the server. */
size_t inject_on_response(struct inject_connection *c, bool switches,
                          int64_t since_start_ns,
                          struct inject_fired out[INJECT_FIRED_MAX]);

/* Rules of stage STREAM that hold for a direction, asked once, when the connection's
 * first request is known. */
size_t inject_on_stream(struct inject_connection *c, enum side from,
                        int64_t since_start_ns,
                        struct inject_fired out[INJECT_FIRED_MAX]);

/* ---- messages ---- */

/* Might any rule ever touch messages from this side of this connection? Asked once the
 * request is known. */
bool inject_cares(struct inject_connection *c, enum side from);

/* Might a rule insert messages at control frames of this side? */
bool inject_inserts_at_control(struct inject_connection *c, enum side from);

/* A message or control frame begins. False: no rule can hold, whatever it turns out to
 * contain: let it pass while it arrives and call inject_skip. */
bool inject_may_hold(struct inject_connection *c, enum side from,
                     enum inject_opcode kind, int64_t since_start_ns);

/* It passed unasked: only counted. */
void inject_skip(struct inject_connection *c, enum side from, enum inject_opcode kind);

/* A message of the verdict, to be sent in this order. */
struct inject_out {
    size_t at, len; /* payload within inject_verdict.bytes */
    enum inject_opcode kind;
    bool original;     /* the message as it came: send its very bytes */
    uint64_t fragment; /* bytes a frame, 0: one frame */
    bool violates;
    enum inject_violation violation;
};

/* What to do with one message. */
struct inject_verdict {
    struct inject_fired fired[INJECT_FIRED_MAX];
    size_t fired_count;
    struct inject_out *out; /* what is sent for it, none: dropped */
    size_t out_count, out_cap;
    struct buf bytes;
    int64_t delay_ns; /* before any of it, and all that follows, is sent */
    uint64_t reorder; /* so many messages overtake it first */
    const struct inject_fired *stall; /* half of the (first) message goes, then none */
    const struct inject_fired *close; /* instead of the message: code and reason, or the
                                         code that must not be on the wire (violate) */
    const struct inject_fired *abort; /* instead of the message */
};

/* A whole message (decoded). The verdict is the caller's, zeroed before the first use
 * and reused; inject_verdict_deinit frees it. -ENOMEM. */
int inject_on_message(struct inject_connection *c, enum side from,
                      enum inject_opcode kind, struct bytes payload,
                      int64_t since_start_ns, struct inject_verdict *out);

void inject_verdict_deinit(struct inject_verdict *v);

/* A message too large to be judged (max_message): the rules that might have held are
 * told as failed, and it passes. Returns how many. */
size_t inject_on_oversize(struct inject_connection *c, enum side from,
                          enum inject_opcode kind, int64_t since_start_ns,
                          struct inject_fired out[INJECT_FIRED_MAX]);

uint64_t inject_max_message(const struct inject_connection *c);

/* The number of the last message of this kind from this side. */
uint64_t inject_message_number(const struct inject_connection *c, enum side from,
                               enum inject_opcode kind);

/* 64 bits of chance for the n-th thing of this connection's direction (masking keys).
 */
uint64_t inject_connection_bits(const struct inject_connection *c, enum side from,
                                uint64_t nth);

#endif
