/*
 * tests/sim/rules - rules in their one-line form, from all actions and conditions.
 */
#ifndef WSTAPE_TESTS_SIM_RULES_H
#define WSTAPE_TESTS_SIM_RULES_H

#include "base/buf.h"
#include "tests/sim/chance.h"

struct inject_rules;

enum { SIM_RULES_MAX = 5 };

/* A set of rules as a person would write them. */
struct sim_rules {
    struct buf lines[SIM_RULES_MAX];
    unsigned count;
};

/* `calm`: only such as do not depend on when things happen. `single`: there is one
 * connection. All lines are valid. */
void sim_rules_make(struct sim_rules *r, struct sim_chance *c, bool calm, bool single);
void sim_rules_deinit(struct sim_rules *r);

/* NULL when one is not valid after all: `errors` says why. */
struct inject_rules *sim_rules_build(const struct sim_rules *r, struct buf *errors);

#endif
