/*
 * replay/pace - when a step is due.
 *
 * A step's delay is what passed on the tape since the later of its gate (the last thing
 * of the other side before it) and its predecessor (the last step of its own side);
 * divided by the pace, it counts from the later of the two as they happened live. The
 * predecessor's due time counts, not when it really went, so that small lateness does
 * not add up.
 */
#ifndef WSTAPE_REPLAY_PACE_H
#define WSTAPE_REPLAY_PACE_H

#include <stdint.h>

struct replay_pace {
    double factor;                           /* 0: max, nothing waits */
    int64_t gate_recorded, gate_live;        /* the last thing of the other side */
    int64_t previous_recorded, previous_due; /* the last step of this side */
};

void replay_pace_init(struct replay_pace *p, double factor, int64_t recorded_ns,
                      int64_t now_ns);

/* The other side did what the tape has at `recorded_ns`. */
void replay_pace_gate(struct replay_pace *p, int64_t recorded_ns, int64_t now_ns);

/* When the step that the tape has at `recorded_ns` is due. */
int64_t replay_pace_due(const struct replay_pace *p, int64_t recorded_ns);

/* It was played. */
void replay_pace_played(struct replay_pace *p, int64_t recorded_ns, int64_t due_ns);

#endif
