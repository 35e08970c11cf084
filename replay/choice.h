/*
 * replay/choice - which exchange of the tape answers a request.
 *
 * By method and target, in the order in which they were recorded. The target as a whole
 * first; when the tape has none like it, its path without the query. Handshakes and
 * plain requests are told apart. However an exchange was found, it had its turn:
 * nothing is played twice while there is one like it that was not.
 */
#ifndef WSTAPE_REPLAY_CHOICE_H
#define WSTAPE_REPLAY_CHOICE_H

#include "replay/script.h"

enum replay_when_exhausted {
    REPLAY_LOOP,   /* from the first again */
    REPLAY_LAST,   /* the last one again */
    REPLAY_REFUSE, /* none */
};

struct replay_choice;

/* -ENOMEM. */
int replay_choice_new(const struct replay_script *s, enum replay_when_exhausted when,
                      struct replay_choice **out);
void replay_choice_free(struct replay_choice *c); /* takes NULL */

struct replay_chosen {
    const struct replay_connection *connection;
    uint32_t connection_index;
    uint32_t exchange; /* index */
    uint32_t item;     /* of replay_choice */
};

enum {
    REPLAY_CHOICE_UNKNOWN = 1,   /* nothing like it is on the tape */
    REPLAY_CHOICE_EXHAUSTED = 2, /* REFUSE: all were played */
};

/* The next one; counts it as played. 0 and `*out`, or an enum of the above. */
int replay_choice_next(struct replay_choice *c, struct bytes method,
                       struct bytes target, bool asks, struct replay_chosen *out);

/* The latest one was not played after all: it is the next one again. */
void replay_choice_undo(struct replay_choice *c, const struct replay_chosen *chosen);

/* Append what is there as a JSON array: [{"method":"GET","target":"/health","count":2,
 * "websocket":false}], 100 entries at most. -ENOMEM. */
int replay_choice_put(const struct replay_choice *c, struct buf *out);

/* For the summary, one entry (method, target, asks): how many there are, how often
 * played. */
struct replay_choice_entry {
    struct bytes method, target;
    bool asks;
    uint64_t recorded, played;
};
size_t replay_choice_count(const struct replay_choice *c);
void replay_choice_entry(const struct replay_choice *c, size_t i,
                         struct replay_choice_entry *out);

#endif
