/*
 * replay/live - values of the tape that live ones take the place of.
 *
 * A string or number that one side said and that the other says again later (a request
 * id, a token, an echoed text) is a link: from its source, a place in the first side's
 * message, to places in messages of the second. Links are worked out from the tape
 * once; a connection that plays it fills in what its live peer said at the source.
 *
 * What is a link: the value as a whole JSON scalar, of either type (7 and "7"),
 * anywhere when it is distinctive (a string of 4 bytes or more, a number of 5 digits or
 * more), else only under the same key; and inside longer strings at word borders when
 * it is distinctive, or, for a text of several words, wherever it stands. Texts that
 * are not JSON are one string. Never a source: naming members (replay_compare_kind),
 * literals, empty strings, numbers under 10 inside strings, values over
 * REPLAY_LIVE_VALUE_MAX. The latest source before the carrier wins. Binary messages
 * have no links.
 */
#ifndef WSTAPE_REPLAY_LIVE_H
#define WSTAPE_REPLAY_LIVE_H

#include "replay/script.h"
#include "replay/value.h"

#include <stdbool.h>

enum {
    REPLAY_LIVE_VALUE_MAX = 64 * 1024, /* bytes of one value */
    REPLAY_LIVE_SOURCES_MAX = 1
                              << 20, /* of one connection; later ones are not linked */
    REPLAY_LIVE_PHRASES = 64, /* latest texts of several words looked for in strings */
};

/* Links of one recorded connection, from one side to the other. */
struct replay_links;

/* `from` is the side whose live values are taken. `c` outlives it. -ENOMEM. */
int replay_links_new(const struct replay_connection *c, enum side from,
                     struct replay_links **out);
void replay_links_free(struct replay_links *l); /* takes NULL */

/* Whether there is a link at all. */
bool replay_links_any(const struct replay_links *l);

/* For -v: every link, as the source's message number and path and the carrier's. A
 * negative value of `tell` ends it. -ENOMEM. */
struct replay_link_text {
    uint64_t source_message, carrier_message;
    struct bytes source_path, carrier_path; /* empty: the whole text */
    struct bytes value;                     /* as recorded, decoded */
    bool inside;                            /* of a longer string */
};
int replay_links_list(const struct replay_links *l,
                      int (*tell)(void *owner, const struct replay_link_text *t),
                      void *owner);

/* What one live connection has learned. */
struct replay_live;

/* NULL when memory is out; `l` is borrowed and outlives it. */
struct replay_live *replay_live_new(const struct replay_links *l);
void replay_live_free(struct replay_live *v); /* takes NULL */

/* The live message that stands for message `index` of the recorded connection. Places
 * that it lacks, or that hold a container, teach nothing. -ENOMEM. */
int replay_live_learn(struct replay_live *v, uint32_t index, struct bytes payload);

/* The payload of recorded message `index` with the live values in place: `*out` points
 * to the recorded payload itself when nothing changes, else into `scratch`, which is
 * cleared first. `*replaced` counts places. Every byte outside the places stays.
 * -ENOMEM. */
int replay_live_fill(const struct replay_live *v, uint32_t index, struct buf *scratch,
                     struct bytes *out, size_t *replaced);

#endif
