#include "tests/sim/scene.h"

#include "base/clock.h"

#include <stdio.h>

/* Later than every conversation ends by itself. */
static const int64_t last_ns = 600 * CLOCK_NS_PER_S;

static int64_t ms(uint64_t n)
{
    return (int64_t)n * CLOCK_NS_PER_MS;
}

static void configure(struct sim_scene *s, struct sim_chance *c)
{
    struct proxy_config *p = &s->config;

    *p = (struct proxy_config){ .http_body_limit = 1 << 20,
                                .head_timeout_ns = 30 * CLOCK_NS_PER_S,
                                .connect_timeout_ns = 10 * CLOCK_NS_PER_S,
                                .linger_ns = 2 * CLOCK_NS_PER_S };
    sim_must(wire_url_parse("ws://127.0.0.1:8001", "listen", &p->listen, NULL));
    sim_must(wire_url_parse("ws://backend:9000", "upstream", &p->upstream, NULL));
    p->keep_host = sim_odds(c, 20);
    if (sim_odds(c, 20)) {
        p->http_body_limit = sim_below(c, 500);
    }
    s->max_message = sim_odds(c, 20) ? sim_between(c, 1, 2000) : 16 << 20;
    if (s->calm) {
        return;
    }
    if (sim_odds(c, 15)) {
        p->idle_timeout_ns = ms(sim_between(c, 1, 2000));
    }
    if (sim_odds(c, 15)) {
        p->head_timeout_ns = ms(sim_below(c, 30));
    }
    if (sim_odds(c, 15)) {
        p->connect_timeout_ns = ms(sim_below(c, 30));
    }
    if (sim_odds(c, 10)) {
        p->linger_ns = ms(sim_between(c, 1, 10));
    }
}

static void trouble(struct sim_scene *s, struct sim_chance *c)
{
    struct sim_trouble *t = &s->trouble;

    t->policy = sim_odds(c, 50) ? CAPTURE_STOP : CAPTURE_PASS;
    if (s->calm || sim_odds(c, 60)) {
        return;
    }
    t->from = (unsigned)sim_between(c, 2, sim_odds(c, 50) ? 12 : 60);
    t->count = (unsigned)sim_between(c, 1, 10);
    t->part = (unsigned)(sim_odds(c, 50) ? 0 : sim_below(c, 100));
    t->cannot_cut = sim_odds(c, 20);
}

static void make_cast(struct sim_scene *s, struct sim_cast *cast, struct sim_chance *c)
{
    bool big = sim_odds(c, 4);

    cast->starts_at = ms(sim_below(c, 60));
    cast->talk.calm = s->calm;
    cast->talk.keep_host = s->config.keep_host;
    cast->talk.halves = s->halves;
    cast->talk.patience_ns = (s->has_rules ? 1 : 60) * CLOCK_NS_PER_S;
    sim_talk_make(&cast->talk, c, big);
    if (s->calm) {
        return;
    }
    cast->refused = sim_odds(c, 3);
    if (sim_odds(c, 8)) {
        cast->backend = sim_odds(c, 70) ? SIM_UNREACHABLE : SIM_NO_ANSWER;
    }
    cast->slow[CLIENT] = sim_odds(c, big ? 60 : 10);
    cast->slow[SERVER] = sim_odds(c, big ? 60 : 10);
}

static void make_rules(struct sim_scene *s, struct sim_chance *c)
{
    s->has_rules = sim_odds(c, 65);
    s->reload_at = -1;
    if (!s->has_rules) {
        return;
    }
    sim_rules_make(&s->rules, c, s->calm, s->count == 1);
    if (!s->calm && sim_odds(c, 15)) {
        s->reload_at = ms(sim_below(c, 200));
        sim_rules_make(&s->later, c, false, false);
    }
}

static void make(struct sim_scene *s, uint64_t seed, bool halves)
{
    struct sim_chance c = sim_chance_new(seed, 1);

    *s = (struct sim_scene){ .seed = seed, .halves = halves, .stop_at = last_ns };
    s->calm = sim_odds(&c, 45);
    s->count = sim_odds(&c, 70) ? 1 : (unsigned)sim_between(&c, 2, SIM_PAIRS_MAX);
    configure(s, &c);
    make_rules(s, &c);
    trouble(s, &c);
    if (!s->calm && sim_odds(&c, 20)) {
        s->stop_at = ms(sim_below(&c, 300));
    }
    for (unsigned i = 0; i < s->count; i++) {
        make_cast(s, &s->cast[i], &c);
    }
}

void sim_scene_make(struct sim_scene *s, uint64_t seed)
{
    make(s, seed, false);
}

void sim_scene_make_with_halves(struct sim_scene *s, uint64_t seed)
{
    make(s, seed, true);
}

void sim_scene_deinit(struct sim_scene *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        sim_talk_deinit(&s->cast[i].talk);
    }
    sim_rules_deinit(&s->rules);
    sim_rules_deinit(&s->later);
}

static void describe_rules(const char *what, const struct sim_rules *r)
{
    for (unsigned i = 0; i < r->count; i++) {
        printf("  %s %.*s\n", what, (int)r->lines[i].len, (const char *)r->lines[i].at);
    }
}

void sim_scene_describe(const struct sim_scene *s)
{
    printf("seed %llu: %s, %u connections, on a write error %s",
           (unsigned long long)s->seed, s->calm ? "calm" : "wild", s->count,
           s->trouble.policy == CAPTURE_STOP ? "stop" : "pass");
    printf(s->trouble.from > 0 ? ", from write %u on %u fail\n" : "\n", s->trouble.from,
           s->trouble.count);
    describe_rules("rule", &s->rules);
    describe_rules("later", &s->later);
    for (unsigned i = 0; i < s->count; i++) {
        const struct sim_talk *t = &s->cast[i].talk;

        printf("  connection %u: client %zu bytes, backend %zu bytes%s%s\n", i + 1,
               t->by[CLIENT].bytes.len, t->by[SERVER].bytes.len,
               t->frames ? ", frames" : "", t->complete ? ", complete" : "");
    }
}
