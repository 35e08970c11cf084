/*
 * replay/volatility_state - a small sorted set of paths, each with why it is in; and
 * what may differ. Only replay/volatility*.c use it.
 */
#ifndef WSTAPE_REPLAY_VOLATILITY_STATE_H
#define WSTAPE_REPLAY_VOLATILITY_STATE_H

#include "replay/volatility.h"

struct replay_path {
    size_t from, len; /* in `text` */
    const char *why;  /* NULL: known, but not volatile */
};

/* Zeroed: empty. */
struct replay_paths {
    struct buf text;
    struct replay_path *at; /* in the order of their bytes */
    size_t count, cap;
};

struct replay_volatility {
    struct replay_paths sides[2];
};

void replay_paths_deinit(struct replay_paths *p);

static inline struct bytes replay_paths_text(const struct replay_paths *p, size_t n)
{
    return bytes_make(p->text.at + p->at[n].from, p->at[n].len);
}

/* The entry of a path, NULL when there is none. Holds until the next put. */
struct replay_path *replay_paths_find(const struct replay_paths *p, struct bytes path);

/* Put it in unless it is there, or REPLAY_VOLATILE_MAX others are. -ENOMEM. */
int replay_paths_put(struct replay_paths *p, struct bytes path, const char *why);

/* ---- volatility_guess.c: what may be another one in each session ---- */

/* Whether a string or number may be an id: a string without white space of 4 characters
 * with a digit, or of 16 in both cases and nothing but letters, digits, _, = and -; an
 * integer of 5 digits. Not status words, names, scores and counts. */
bool replay_guess_id(struct bytes json);

/* Whether a key (a string token) says that its number is a time: has a word that begins
 * or ends in "time" (not "times"), "date", "duration", "elapsed", "latency", "took",
 * "age", "seconds", or ends in the word ms, s, ns, us or at. Words are parted by _, by
 * other characters that are no letters, and as in tookMs. */
bool replay_guess_time(struct bytes key_token);

#endif
