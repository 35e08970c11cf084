/*
 * captures/timeline - the records of a tape, told as what happened.
 *
 * Feed it the items of a reader in order; it calls back for every moment in the order
 * in which they were complete: records as they are, frames joined to messages, bodies
 * and exchanges joined. Prints nothing and reads nothing. Memory is held for
 * connections that are open, and for what is in progress on them (see the limits
 * below).
 */
#ifndef WSTAPE_CAPTURES_TIMELINE_H
#define WSTAPE_CAPTURES_TIMELINE_H

#include "captures/exchanges.h"
#include "captures/messages.h"
#include "captures/reader.h"

enum capture_moment_kind {
    CAPTURE_MOMENT_RECORD,  /* `record` is all there is: every type but FRAME, BODY and
                               CHECKPOINT; MORE only where its frame is missing; SENT
                               where it has no frames,  but HTTP */
    CAPTURE_MOMENT_MESSAGE, /* a message or control frame that arrived; a frame when
                               `frames` is set */
    CAPTURE_MOMENT_DELIVERED, /* as MESSAGE, from wstape itself: SENT records joined */
    CAPTURE_MOMENT_BODY,      /* the body of a request or response, at its end */
    CAPTURE_MOMENT_EXCHANGE,  /* a request was answered in full, or never will be */
    CAPTURE_MOMENT_DAMAGE,  /* unreadable bytes; what was in progress came before it */
    CAPTURE_MOMENT_MISSING, /* whole records are missing within these bytes */
    CAPTURE_MOMENT_TORN,    /* the last record of the tape is not whole */
};

struct capture_moment {
    enum capture_moment_kind kind;
    uint32_t connection; /* 0: the whole tape */
    int64_t
        time_ns; /* since the tape's start; of DAMAGE and the like: the last known */
    union {
        const struct capture_record *record;
        const struct capture_message *message;
        struct {
            const struct capture_message *message; /* `from` is whom it seems to be
                                                      from; it has no number */
            struct bytes cause;                    /* of its last SENT record */
        } delivered;
        const struct capture_body *body;
        const struct capture_exchange *exchange;
        struct {
            uint64_t offset, len;
        } stretch; /* DAMAGE, MISSING, TORN */
    } u;
};

struct capture_timeline_config {
    size_t message_keep; /* payload bytes wanted of a message */
    size_t body_keep;    /* content bytes wanted of a body */
    size_t
        limit; /* --max-message: payload held of one compressed message, inflated too */
    bool frames; /* frames instead of messages */
    /* Leave out connections for which this is false; NULL: none. */
    bool (*wants)(void *owner, uint32_t connection);
    /* A negative value ends the run: capture_timeline_feed returns it. */
    int (*moment)(void *owner, const struct capture_moment *m);
    void *owner;
};

struct capture_timeline;

/* `c` is copied. -ENOMEM. */
int capture_timeline_new(const struct capture_timeline_config *c,
                         struct capture_timeline **out);
void capture_timeline_free(struct capture_timeline *t); /* takes NULL */

/* One item; END does nothing here. 0, a negative value of `moment`, or -ENOMEM. */
int capture_timeline_feed(struct capture_timeline *t, const struct capture_item *item);

/* The end of what is to be told: what is in progress is given as incomplete. `end` is
 * the reader's END item. */
int capture_timeline_finish(struct capture_timeline *t, const struct capture_item *end);

/* Records are known (from an earlier pass) to be missing somewhere from here on, until
 * it is called with false: nothing is taken for whole that may not be. */
int capture_timeline_doubt(struct capture_timeline *t, bool on);

#endif
