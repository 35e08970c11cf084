/*
 * replay/schedule - when each recorded connection of one copy is to be called.
 *
 * A connection is called once all those that had ended on the tape before it opened are
 * over, and its recorded distance (divided by the pace) from the later of the last such
 * end and the opening before it has passed. Connections on which the client said
 * nothing are left out.
 */
#ifndef WSTAPE_REPLAY_SCHEDULE_H
#define WSTAPE_REPLAY_SCHEDULE_H

#include "replay/script.h"

struct replay_schedule;

/* -ENOMEM. `s` is borrowed. */
int replay_schedule_new(const struct replay_script *s, double pace, int64_t now_ns,
                        struct replay_schedule **out);
void replay_schedule_free(struct replay_schedule *s); /* takes NULL */

/* The next connection that may be called now: its index (it counts as called then), or
 * REPLAY_NONE with `*wake_at` (negative: only after one is over). */
uint32_t replay_schedule_next(struct replay_schedule *s, int64_t now_ns,
                              int64_t *wake_at);

/* Once for each that was called; one that is not on the schedule is not looked at. */
void replay_schedule_over(struct replay_schedule *s, uint32_t index, int64_t now_ns);

/* All were called and are over. */
bool replay_schedule_done(const struct replay_schedule *s);

#endif
