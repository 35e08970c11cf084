/*
 * replay/event - what a play has to tell, as data. replay/report makes words of it.
 */
#ifndef WSTAPE_REPLAY_EVENT_H
#define WSTAPE_REPLAY_EVENT_H

#include "base/bytes.h"
#include "wire/side.h"

#include <stdbool.h>
#include <stdint.h>

/* Which are mismatches (--on-mismatch, status 1) says replay_event_is_mismatch. */
enum replay_event_kind {
    /* What is played. */
    REPLAY_EVENT_CHOSEN, /* `connection` is answered from `recorded`; text: the target
                          */
    REPLAY_EVENT_SUBSTITUTED,   /* -v: in message `message`, `count` places */
    REPLAY_EVENT_NOTE,          /* text: something worth knowing; of message `message`
                                   unless that is 0 */
    REPLAY_EVENT_OVER,          /* the connection is done; `count`: messages got (of
                                   HTTP: exchanges), `expected`: of these on the tape */
    REPLAY_EVENT_RESPONSE_TIME, /* client role: `time_ns` live, `recorded_ns` then, from
                                   the last thing the client said to the first answer */

    /* What differs. `message`: number in its direction; of HTTP: the exchange's. */
    REPLAY_EVENT_DIFFERENCE, /* at `path`, `before` on the tape, `after` live; without a
                                path, of the message or body as a whole; `message` 0:
                                of what text says, from byte `count` on */
    REPLAY_EVENT_UNEXPECTED, /* another kind of message than the tape has: `before` is
                                the tape's, `after` the live one; nothing answers it */
    REPLAY_EVENT_MISSING, /* `before` did not come; of HTTP: no answer did, text: why */
    REPLAY_EVENT_EXTRA,   /* `after` came: the tape has no such message; `message`: the
                             last one of the tape before it, 0: none. Backend role:
                             `count` is its own number, `expected` how many the tape has
                           */
    REPLAY_EVENT_ORDER,   /* message `message` came before message `other` */
    REPLAY_EVENT_STATUS,  /* an HTTP answer's status, or (not is_http) a handshake's:
                             `before` and `after` are its digits, text: the start of
                             the live answer's body */
    REPLAY_EVENT_FIELD,   /* handshake: a field (`path`: its name) */
    REPLAY_EVENT_END,     /* the end: `before`, `after` in words */
    REPLAY_EVENT_UNKNOWN, /* text: method and target that the tape does not have */
    REPLAY_EVENT_EXHAUSTED, /* text: target; --when-exhausted refuse */
    REPLAY_EVENT_BROKEN,    /* the peer broke the protocol, or cannot be reached: text;
                               with message `message` unless that is 0 */
    REPLAY_EVENT_TIMEOUT,   /* client role: waited `time_ns` in vain; for message
                               `message`, `before`, or, without one, for what text says */

    /* What is awaited. */
    REPLAY_EVENT_WAITS, /* message `message` of the live side is due: `before`; empty:
                           its close frame, or end, which `text` says */
    REPLAY_EVENT_EARLY, /* the live side ended although `before`, message `message`, and
                           `count` in all were to come; 0: what `text` says was */
};

struct replay_event {
    enum replay_event_kind kind;
    uint32_t connection; /* live, from 1; client role: of the tape, and `copy` of it */
    uint32_t copy;       /* client role: from 1 */
    uint32_t recorded;   /* the tape's connection */
    enum side from;      /* of the message */
    bool is_http; /* `message` counts exchanges; `target` is its method and target */
    uint64_t message, other, count, expected;
    int64_t time_ns, recorded_ns;
    struct bytes path;
    /* JSON texts, or texts; binary when `..._binary`. `present` false: no such place.
     */
    struct bytes before, after;
    bool before_present, after_present, before_binary, after_binary;
    struct bytes target, text;
};

/* "difference", "response_time". */
const char *replay_event_name(enum replay_event_kind kind);

/* True for DIFFERENCE to TIMEOUT, and EARLY. */
bool replay_event_is_mismatch(const struct replay_event *e);

/* Who listens. All bytes are borrowed for the call. */
struct replay_listener {
    void (*tell)(void *owner, const struct replay_event *e);
    void *owner;
    bool verbose; /* SUBSTITUTED and CHOSEN are wanted */
};

#endif
