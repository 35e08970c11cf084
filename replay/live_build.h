/*
 * replay/live_build - sources and links of one message after the other.
 */
#ifndef WSTAPE_REPLAY_LIVE_BUILD_H
#define WSTAPE_REPLAY_LIVE_BUILD_H

#include "replay/live_state.h"

/* While links are worked out. `value` of a source is an index of `values` then. */
struct replay_live_builder {
    struct replay_links *l;
    struct replay_live_values values;
    struct replay_tree tree;         /* of the message at hand */
    struct buf decoded, key, places; /* scratch */
    uint32_t source_cap, link_cap, carrier_cap;
};

/* Adds the message as one of the live side, or of the other. The tree holds it, unless
 * it `is_plain`: no JSON. -ENOMEM. */
int replay_live_build_sources(struct replay_live_builder *b, uint32_t message,
                              bool is_plain);
int replay_live_build_links(struct replay_live_builder *b, uint32_t message,
                            bool is_plain);

#endif
