/*
 * cli/show_hit - which moments tell of one message that rules hit.
 *
 * On a tape a message is followed by what rules did to it, and that by what went out
 * instead. Keeps one message: the last.
 */
#ifndef WSTAPE_CLI_SHOW_HIT_H
#define WSTAPE_CLI_SHOW_HIT_H

#include "captures/timeline.h"

struct show_hit {
    uint32_t connection; /* of the last message; 0: none */
    enum side from;
    bool acted;       /* a rule did something to it, or tried */
    bool dropped;     /* by a rule: it went nowhere */
    uint64_t message; /* its number, as the rule counted */
    struct buf rule;  /* the first that did */
};

enum show_hit_part {
    SHOW_HIT_NONE,    /* something else */
    SHOW_HIT_ACT,     /* a rule hit the message that came last */
    SHOW_HIT_OUTCOME, /* what went out in its place: a message, or none (SENT) */
};

void show_hit_deinit(struct show_hit *h);

/* Take the next moment; what it is goes to `*out`. -ENOMEM. */
int show_hit_take(struct show_hit *h, const struct capture_moment *m,
                  enum show_hit_part *out);

/* A message whose bytes are others than those that came, but whose content is not. */
bool show_hit_is_recompressed(const struct capture_moment *m, enum show_hit_part part);

#endif
