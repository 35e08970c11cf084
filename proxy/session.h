/*
 * proxy/session - one client's connection and the backend's, as a function.
 *
 * Inputs are the calls below, each with the time; what must happen comes out as records
 * (struct proxy_tap) and outputs (struct proxy_outputs). No sockets, no clock, no
 * chance inside. The caller performs the outputs in order after the tape was flushed,
 * and frees the session after it performed its CLOSE.
 *
 * Every input returns 0, or -ENOMEM: the session is then broken, the caller resets both
 * sides and frees it.
 */
#ifndef WSTAPE_PROXY_SESSION_H
#define WSTAPE_PROXY_SESSION_H

#include "proxy/config.h"
#include "proxy/output.h"
#include "proxy/tap.h"

struct inject_plan;
struct proxy_session;

/* What a session shares with all others; borrowed, outlives it. */
struct proxy_shared {
    const struct proxy_config *config;
    struct proxy_tap *tap;
    struct proxy_outputs *outputs;
    struct inject_plan *plan; /* NULL: no rules */
    uint64_t turn; /* counts flushes; moved on by whoever performs the outputs */
};

/* One leg's facts; texts are borrowed for the call. */
struct proxy_leg_facts {
    const char *address;           /* the peer's: "127.0.0.1:51234" */
    const char *local;             /* ours; client leg only */
    const struct capture_tls *tls; /* NULL: plain */
};

/* `number` counts from 1; `owner` goes into every output. NULL when memory is out. */
struct proxy_session *proxy_session_new(const struct proxy_shared *shared,
                                        uint32_t number, void *owner, int64_t now_ns);
void proxy_session_free(struct proxy_session *s); /* takes NULL */

/* The client was accepted; nothing of it was read yet. An ACCEPT follows, at once or,
 * when a rule says so, later or never. `client` may lack what TLS will tell. */
int proxy_session_accepted(struct proxy_session *s,
                           const struct proxy_leg_facts *client, int64_t now_ns);

/* The client is there (TLS done, if any): reading starts. */
int proxy_session_opened(struct proxy_session *s, const struct proxy_leg_facts *client,
                         int64_t now_ns);

/* Turn the client away instead of opening: an HTTP answer with `status` and a JSON body
 * saying `why`. For limits and plain HTTP on a TLS port. */
int proxy_session_refuse(struct proxy_session *s, const struct proxy_leg_facts *client,
                         unsigned status, const char *why, int64_t now_ns);

/* Bytes came from a side. The slice is borrowed. */
int proxy_session_bytes(struct proxy_session *s, enum side from, struct slice in,
                        int64_t now_ns);

/* A side is over. `text` says more, or is NULL. No bytes may follow from that side.
 * After a FIN it may come once more, for a reset that a write met. */
int proxy_session_ended(struct proxy_session *s, enum side side, enum capture_end kind,
                        const char *text, int64_t now_ns);

/* CONNECT succeeded (`error` NULL) or failed (`error` in words). */
int proxy_session_connected(struct proxy_session *s,
                            const struct proxy_leg_facts *server, const char *error,
                            int64_t now_ns);

/* How many bytes wait to be sent to a side: told whenever that crosses
 * PROXY_HIGH_WATER upwards or has drained again. */
int proxy_session_queued(struct proxy_session *s, enum side side, size_t len);

/* The caller ends both sides at once, for reasons of its own: ends are recorded, as far
 * as there is memory, and the session is done. */
void proxy_session_abandon(struct proxy_session *s, enum capture_end kind,
                           int64_t now_ns);

/* The time of the last WAKE has come. */
int proxy_session_wake(struct proxy_session *s, int64_t now_ns);

/* The tape failed: from now on not a byte of either side passes. A stop comes next. */
void proxy_session_silence(struct proxy_session *s);

/* A SEND to this side was dropped unperformed, since the tape failed: a stop may come
 * next, nothing else. */
void proxy_session_lost(struct proxy_session *s, enum side to);

/* Why the backend could not be reached, NULL: it was, or was not asked. What the client
 * is told then is wstape's. */
const char *proxy_session_unreachable(const struct proxy_session *s);

/* True when it ends, or has ended, by wstape's own doing: a rule, a limit, a stop. */
bool proxy_session_ends_itself(const struct proxy_session *s);

/* End in an orderly way: close frames with `code` and `reason` (at most 123 bytes) to
 * both sides of a WebSocket, FIN to others, HTTP exchanges under way may finish; all
 * within linger_ns. `mask` is the masking key of the frame to the backend. */
int proxy_session_stop(struct proxy_session *s, unsigned code, const char *reason,
                       const uint8_t mask[4], int64_t now_ns);

#endif
