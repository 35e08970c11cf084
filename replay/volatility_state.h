/*
 * replay/volatility_state - a small sorted set of paths, each with why it is in. Only
 * replay/volatility*.c use it.
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

#endif
