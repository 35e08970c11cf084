/*
 * tests/sim/scene - everything about a world that is settled before it runs.
 *
 * Follows from the seed alone. How bytes are split and how long they take is not part
 * of it: a scene can be run several times with other splits.
 */
#ifndef WSTAPE_TESTS_SIM_SCENE_H
#define WSTAPE_TESTS_SIM_SCENE_H

#include "proxy/config.h"
#include "tests/sim/rules.h"
#include "tests/sim/talk.h"
#include "tests/sim/tape.h"

enum { SIM_PAIRS_MAX = 3 };

enum sim_backend { SIM_REACHED, SIM_UNREACHABLE, SIM_NO_ANSWER };

/* A client, and the backend as it meets it. */
struct sim_cast {
    struct sim_talk talk;
    int64_t starts_at;
    enum sim_backend backend;
    bool refused; /* too many connections */
    bool slow[2]; /* reads little, and late */
};

struct sim_scene {
    uint64_t seed;
    bool halves;
    bool calm; /* nothing depends on when things happen: every split gives the same */
    unsigned count;
    struct sim_cast cast[SIM_PAIRS_MAX];
    struct proxy_config config;
    uint64_t max_message;
    bool has_rules;
    struct sim_rules rules;
    struct sim_rules later; /* put in their place at `reload_at` */
    int64_t reload_at;      /* negative: never */
    struct sim_trouble trouble;
    int64_t stop_at;
};

void sim_scene_make(struct sim_scene *s, uint64_t seed);
/* The same, but for some WebSockets that end inside a frame's header. */
void sim_scene_make_with_halves(struct sim_scene *s, uint64_t seed);
void sim_scene_deinit(struct sim_scene *s);

/* In words, for -v. */
void sim_scene_describe(const struct sim_scene *s);

#endif
