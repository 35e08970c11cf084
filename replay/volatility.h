/*
 * replay/volatility - what differs from run to run by its nature: ids and times.
 *
 * Two ways to tell: by shape (a UUID, an ISO 8601 time, an epoch time), value against
 * value; and by the tape: a path whose value differs between sessions of the tape that
 * otherwise say the same.
 */
#ifndef WSTAPE_REPLAY_VOLATILITY_H
#define WSTAPE_REPLAY_VOLATILITY_H

#include "replay/value.h"
#include "wire/side.h"

#include <stdbool.h>

struct replay_links;
struct replay_script;

enum replay_shape {
    REPLAY_SHAPE_NONE = 0,
    REPLAY_SHAPE_UUID,     /* 8-4-4-4-12 hex digits, or 32, braces and urn:uuid: too */
    REPLAY_SHAPE_ISO_TIME, /* 2026-11-21T02:14:59(.123)(Z, +01:00, none), a blank for T;
                              a date alone too */
    REPLAY_SHAPE_EPOCH, /* a number in seconds, ms, us or ns between the years 2001 and
                           2100, also written as a string of digits */
};

/* Of a scalar JSON value, as in the text (strings with their quotes). Two values are
 * volatile together when their shapes are equal, and not NONE. */
enum replay_shape replay_shape_of(struct bytes json);

/* Of a text: the length of the UUID (with its hyphens), or the ISO date and time, that
 * begins at `at` and stands between what is no letter and no digit; 0: there is none.
 */
size_t replay_shape_part(struct bytes text, size_t at, enum replay_shape *shape);

/* Whether two texts are the same but for such parts, which both have in the same
 * places. */
bool replay_shape_same_but_parts(struct bytes a, struct bytes b);

/* "UUID", "ISO time", "epoch time". */
const char *replay_shape_name(enum replay_shape s);

/*
 * Paths found on a tape, by side; an index in them stands for all. Every session is
 * compared with the first one of the same path, and with the one before it: where
 * message n of both has the same kind (replay_compare_kind), strings and numbers that
 * differ at one place make it volatile when both may be ids (strings without white
 * space that have 4 characters and a digit, or 16 of both cases; integers of 5 digits),
 * or are numbers under a key that says time. Never a naming member, and no place where
 * anything else differs: what a session is about, and how it went, is to be compared.
 */
enum {
    REPLAY_VOLATILE_MAX = 1024,    /* paths of a side; later ones are not kept */
    REPLAY_VOLATILE_LOOK = 1000,   /* messages of a session that are looked at */
    REPLAY_VOLATILE_SESSIONS = 64, /* sessions of a path that are looked at */
};

struct replay_volatility;

/* -ENOMEM. Takes nothing over; `s` may go. */
int replay_volatility_new(const struct replay_script *s,
                          struct replay_volatility **out);
void replay_volatility_free(struct replay_volatility *v); /* takes NULL */

/* Whether the place of a value is volatile by the tape. NULL: no. `scratch` is used.
 * -ENOMEM. */
int replay_volatility_has(const struct replay_volatility *v, enum side from,
                          const struct replay_tree *t, uint32_t value,
                          struct buf *scratch, bool *has);

/* How many places of a side are volatile since they differ between sessions. NULL: 0.
 */
size_t replay_volatility_count(const struct replay_volatility *v, enum side from);

/* For -v: every volatile path of the tape, with why: "$.timestamp" and "ISO time", or
 * "differs between sessions", or "repeated by the client" (see live.h). By side, then
 * path; also those found by shape in `s`. `v` may be NULL, and `links` (by connection)
 * and those in it. A negative value of `tell` ends it and is returned. -ENOMEM. */
int replay_volatility_list(const struct replay_volatility *v,
                           const struct replay_script *s,
                           struct replay_links *const *links,
                           int (*tell)(void *owner, enum side from, struct bytes path,
                                       const char *why),
                           void *owner);

#endif
