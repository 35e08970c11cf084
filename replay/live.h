/*
 * replay/live - values of the tape that live ones take the place of.
 *
 * A string or number that one side said and that the other says again later (a request
 * id, a token, an echoed text) is a link: from its source, a place in the first side's
 * message, to places in messages of the second. Links are worked out from the tape
 * once; a connection that plays it fills in what its live peer said at the source.
 *
 * What is a link: the value as a whole JSON scalar, of either type (12345 and "12345"),
 * anywhere when it is distinctive (a string of 4 bytes or more, a number of 5 digits or
 * more), else only as the same type, under the same key (or at the same place of an
 * array) and as deep in its message; a distinctive one also inside longer strings, from
 * the border of a word to the border of a word (letters, digits, _ and -, but for ->;
 * scripts without blanks have none, and it may stand anywhere), from left to right, the
 * longest first; and as a whole key, when that has a digit and 8 bytes. For an id (8
 * bytes or more of printable ASCII without blanks, with a digit or all of them hex: a
 * UUID, a token) _ and - are borders too: "run_<id>". Texts that are not JSON are one
 * string; JSON too large for a tree has no links.
 *
 * Never a source: naming members (replay_compare_names at the top, `type` and `kind`
 * deeper), the first element of a message that is an array, literals, empty strings,
 * values over REPLAY_LIVE_VALUE_MAX. The latest source before the carrier wins, in one
 * message the one under the carrier's key; while the live peer has not said it, an
 * earlier one of the same value. Binary messages have no links.
 *
 * A live value takes the type that it has in the live message, but where a string was
 * repeated as a number or a number as a string: there the carrier's, if it can be.
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
    REPLAY_LIVE_PHRASES = 64, /* latest texts that begin alike, looked for in strings */
    REPLAY_LIVE_BACK = 256,   /* sources of a value that are asked for what was said */
    REPLAY_LIVE_GROWTH_MAX = 64 * 1024 * 1024, /* bytes that a message may grow by; then
                                                  the rest stays as recorded */
};

/* Links of one recorded connection, from one side to the other. */
struct replay_links;

/* `from` is the side whose live values are taken. `c` outlives it. -ENOMEM. */
int replay_links_new(const struct replay_connection *c, enum side from,
                     struct replay_links **out);
void replay_links_free(struct replay_links *l); /* takes NULL */

/* Whether there is a link at all. */
bool replay_links_any(const struct replay_links *l);

/*
 * Ids by evidence: a value that the other side repeated as a whole (or as a key) is an
 * id, and may be another one in each run, wherever the live side says it. Not every
 * link makes one: the value is distinctive, has no blank, and has a digit; words that
 * are repeated (the name of a channel) are what the session is about.
 */

/* Whether value `node` of the tree of recorded message `message` is one. */
bool replay_links_is_id(const struct replay_links *l, uint32_t message, uint32_t node);

/* The side whose live values are taken. */
enum side replay_links_side(const struct replay_links *l);

/* Whether the links know any id. */
bool replay_links_any_id(const struct replay_links *l);

/* Where a value is, as a number by value of the tree: the same for the same keys,
 * whatever the indexes. Into `out`, as uint32_t. -ENOMEM. */
int replay_live_places(const struct replay_tree *t, struct buf *out);

/* Whether some message has an id at such a place. */
bool replay_links_has_place(const struct replay_links *l, uint32_t place);

/* For -v: the path of every id, with [*] for indexes, more than once maybe. A negative
 * value of `tell` ends it. -ENOMEM. */
int replay_links_list_ids(const struct replay_links *l,
                          int (*tell)(void *owner, struct bytes path), void *owner);

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
 * that it lacks, or that hold a container, a literal, a value over
 * REPLAY_LIVE_VALUE_MAX or what is no UTF-8, teach nothing. -ENOMEM. */
int replay_live_learn(struct replay_live *v, uint32_t index, struct bytes payload);

/* The payload of recorded message `index` with the live values in place: `*out` points
 * to the recorded payload itself when nothing changes, else into `scratch`, which is
 * cleared first. `*replaced` counts places. Every byte outside the places stays.
 * -ENOMEM. */
int replay_live_fill(const struct replay_live *v, uint32_t index, struct buf *scratch,
                     struct bytes *out, size_t *replaced);

#endif
