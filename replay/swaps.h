/*
 * replay/swaps - what was put in the place of recorded values, on one connection.
 *
 * A live value that we said ourselves, where the tape had another one, may come back:
 * then it is no difference. Knows no places: a swap holds wherever its recorded value
 * stands, in messages that come after it on the tape. Values are strings, numbers and
 * keys by their characters, of either type, and texts that are not JSON as a whole.
 */
#ifndef WSTAPE_REPLAY_SWAPS_H
#define WSTAPE_REPLAY_SWAPS_H

#include "captures/map.h"
#include "replay/value.h"

#include <stdbool.h>

enum {
    REPLAY_SWAPS_MAX = 1 << 14,            /* what is more is not remembered */
    REPLAY_SWAPS_BYTES = 16 * 1024 * 1024, /* of all values; likewise */
    REPLAY_SWAPS_VALUE_MAX = 64 * 1024,    /* of one value */
};

struct replay_swap;

/* A zeroed struct is empty. */
struct replay_swaps {
    struct replay_swap *at;
    uint32_t count, cap;
    struct buf texts;              /* of all, as characters */
    struct capture_map by_hash;    /* index of the latest swap, and 1 */
    struct replay_tree tape, live; /* scratch */
    struct buf scratch;
};

void replay_swaps_deinit(struct replay_swaps *s);

/* `live` was said where the tape has `recorded`, its message `index`: values of the
 * same shape, of which some may differ. In the order of the tape. -ENOMEM. */
int replay_swaps_note(struct replay_swaps *s, uint32_t index, struct bytes recorded,
                      struct bytes live);

/* Whether the one was said in the place of the other before message `index`: both JSON
 * scalars, or (not `is_json`) both texts. -ENOMEM. */
struct replay_swaps_question {
    uint32_t index;
    struct bytes recorded, live;
    bool is_json;
};
int replay_swaps_has(struct replay_swaps *s, const struct replay_swaps_question *q,
                     bool *has);

#endif
