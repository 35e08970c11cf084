/*
 * base/sm - a lifecycle as a table of allowed moves.
 *
 * Each state has a name and the set of states it may move to; sm_move asserts that the
 * move is in the table.
 */
#ifndef WSTAPE_BASE_SM_H
#define WSTAPE_BASE_SM_H

#include <assert.h>
#include <stdint.h>

#define SM_TO(state) (1U << (state))

struct sm_state {
    const char *name;
    unsigned moves; /* SM_TO bits */
};

static inline void sm_move(const struct sm_state *states, uint8_t *state, unsigned to)
{
    assert((states[*state].moves & SM_TO(to)) != 0);
    *state = (uint8_t)to;
    (void)states;
}

#endif
