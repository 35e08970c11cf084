/*
 * replay/compare_state - the parts of a comparison. Only replay/compare*.c use it.
 */
#ifndef WSTAPE_REPLAY_COMPARE_STATE_H
#define WSTAPE_REPLAY_COMPARE_STATE_H

#include "replay/compare.h"

/* One call of replay_compare. */
struct replay_comparison {
    struct replay_compare *c;
    enum side from;
    uint32_t message; /* of the links' connection, or REPLAY_NONE */
    uint32_t told;
    bool found;                                                     /* a difference */
    int (*differs)(void *owner, const struct replay_difference *d); /* may be NULL */
    void *owner;
};

/* Read both texts into the trees and mark what is ignored. 0; -ENOMEM; positive: one of
 * them is not JSON, or too large. */
int replay_compare_read(struct replay_compare *c, struct bytes before,
                        struct bytes after);

/* As replay_compare_read, of one text, which is in c->before then. */
int replay_compare_read_one(struct replay_compare *c, struct bytes text);

/* Give scratch memory back after a very large text. */
void replay_compare_trim(struct replay_compare *c);

/* Whether a path to be ignored leads to a value of c->before, or c->after. */
bool replay_compare_ignores_before(const struct replay_compare *c, uint32_t value);
bool replay_compare_ignores_after(const struct replay_compare *c, uint32_t value);

/* Compare the trees. 0, a negative value, or REPLAY_DIFFERS when nobody listens and the
 * rest does not matter. */
int replay_compare_trees(struct replay_comparison *r);

/* Let members of two objects find each other: from `before` on in the one and `after`
 * on in the other (either may be REPLAY_NO_VALUE). The twins hold until the next
 * call for the same objects. -ENOMEM. */
int replay_compare_pair(struct replay_compare *c, uint32_t before, uint32_t after);

/* The twin in the other tree, or REPLAY_NO_VALUE. */
uint32_t replay_compare_twin_of_before(const struct replay_compare *c, uint32_t value);
uint32_t replay_compare_twin_of_after(const struct replay_compare *c, uint32_t value);

/* Whether we said the live value, or text, in the place of the tape's. -ENOMEM. */
int replay_compare_swapped(const struct replay_comparison *r, struct bytes before,
                           struct bytes after, bool is_json, bool *is);

/* Whether two scalars of one kind are equal by RFC 8259's meaning. */
bool replay_compare_same_scalar(const struct replay_tree *x, uint32_t n,
                                const struct replay_tree *y, uint32_t m);

#endif
