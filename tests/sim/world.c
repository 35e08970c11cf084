#include "tests/sim/world.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "captures/decode.h"

#include <stdarg.h>
#include <stdio.h>

enum { TURNS_MAX = 1000 * 1000 };

static const int64_t after_stop_ns = 120 * CLOCK_NS_PER_S;

static const struct proxy_leg_facts client_facts = { .address = "127.0.0.1:50000",
                                                     .local = "127.0.0.1:8001" };
static const struct proxy_leg_facts server_facts = { .address = "127.0.0.1:9000" };

/* ---- shared ---- */

void sim_tell(const struct sim_world *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("%12.6f ms  ", (double)(w->now_ns - w->origin_ns) / 1e6);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static void print_bytes(struct bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.at[i];

        printf(c >= 0x20 && c < 0x7f && c != '\\' ? "%c" : "\\x%02x", c);
    }
}

void sim_tell_bytes(const struct sim_world *w, struct bytes b)
{
    enum { SHOWN = 48 };

    if (!w->verbose) {
        return;
    }
    printf("                     ");
    if (b.len <= 2 * SHOWN) {
        print_bytes(b);
    } else {
        print_bytes(bytes_first(b, SHOWN));
        printf(" ... ");
        print_bytes(bytes_from(b, b.len - SHOWN));
    }
    printf("\n");
}

void sim_wrong(struct sim_world *w, const char *format, ...)
{
    char text[512];
    va_list args;

    if (w->wrong.len > 0) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    SIM_TELL(w, "WRONG: %s", text);
    sim_must(buf_put_text(&w->wrong, text));
}

/* FNV-1a. */
void sim_digest(struct sim_world *w, struct bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        w->digest = (w->digest ^ b.at[i]) * UINT64_C(0x100000001b3);
    }
}

void sim_input(struct sim_pair *p, int r)
{
    if (r < 0) {
        sim_wrong(p->world, "connection %u: an input failed: %d", p->number, r);
    }
}

int64_t sim_soon(struct sim_world *w, int64_t most_ns)
{
    return w->now_ns + (int64_t)sim_below(&w->luck, (uint64_t)most_ns);
}

/* ---- beginning ---- */

static void begin_tape(struct sim_world *w)
{
    struct capture_writer_config c = { .header = { .version = CAPTURE_VERSION,
                                                   .id = 7,
                                                   .origin_ns = w->origin_ns,
                                                   .program = bytes_of("sim"),
                                                   .seed = w->scene->seed },
                                       .sink = sim_tape_sink(&w->tape),
                                       .policy = w->scene->trouble.policy };

    w->tape.trouble = w->scene->trouble;
    sim_must(capture_writer_new(&c, w->now_ns, &w->writer));
    w->decoder = capture_decoder_new();
    w->tap.block = capture_writer_block(w->writer);
    w->tap.origin_ns = w->origin_ns;
}

static struct inject_rules *build(struct sim_world *w, const struct sim_rules *r)
{
    struct buf errors = { 0 };
    struct inject_rules *rules = sim_rules_build(r, &errors);

    if (rules == NULL) {
        sim_wrong(w, "a rule is not valid: %.*s", (int)errors.len,
                  (const char *)errors.at);
    }
    buf_deinit(&errors);
    return rules;
}

static void begin_rules(struct sim_world *w)
{
    struct inject_rules *rules;

    if (!w->scene->has_rules) {
        return;
    }
    rules = build(w, &w->scene->rules);
    if (rules != NULL) {
        w->plan = inject_plan_new(rules, w->scene->seed, w->scene->max_message);
    }
}

static void begin_pair(struct sim_world *w, unsigned i)
{
    struct sim_pair *p = &w->pairs[i];

    *p = (struct sim_pair){ .world = w,
                            .cast = &w->scene->cast[i],
                            .index = i,
                            .starts_at = w->now_ns + w->scene->cast[i].starts_at,
                            .open_at = SIM_NEVER,
                            .connect_at = SIM_NEVER,
                            .wake_at = SIM_NEVER };
    sim_leg_init(&p->legs[CLIENT], p, CLIENT);
    sim_leg_init(&p->legs[SERVER], p, SERVER);
}

static void begin(struct sim_world *w, const struct sim_scene *scene, uint64_t split)
{
    *w = (struct sim_world){ .scene = scene,
                             .luck = sim_chance_new(scene->seed, 100 + split),
                             .now_ns = CLOCK_NS_PER_S,
                             .origin_ns = CLOCK_NS_PER_S,
                             .digest = UINT64_C(0xcbf29ce484222325) };
    begin_tape(w);
    begin_rules(w);
    w->shared = (struct proxy_shared){ .config = &scene->config,
                                       .tap = &w->tap,
                                       .outputs = &w->outputs,
                                       .plan = w->plan };
    for (unsigned i = 0; i < scene->count; i++) {
        begin_pair(w, i);
    }
}

/* ---- what happens ---- */

static bool is_refusing(struct sim_world *w)
{
    int64_t until;
    int rule;

    return w->plan != NULL &&
           inject_plan_refuses(w->plan, w->now_ns - w->origin_ns, &until, &rule);
}

static void accept(struct sim_pair *p)
{
    struct sim_world *w = p->world;

    p->starts_at = SIM_NEVER;
    if (w->stopped || is_refusing(w)) {
        p->closed = true;
        return;
    }
    p->number = ++w->accepted;
    p->session = proxy_session_new(&w->shared, p->number, p, w->now_ns);
    SIM_TELL(w, "%u accepted", p->number);
    sim_leg_begin(&p->legs[CLIENT]);
    sim_must(p->session == NULL ? -1 : 0);
    sim_input(p, proxy_session_accepted(p->session, &client_facts, w->now_ns));
}

static void open(struct sim_pair *p)
{
    struct sim_world *w = p->world;

    p->open_at = SIM_NEVER;
    if (p->opened) {
        return;
    }
    p->opened = true;
    if (p->cast->refused) {
        sim_input(p, proxy_session_refuse(p->session, &client_facts, 503, "too many",
                                          w->now_ns));
        return;
    }
    sim_input(p, proxy_session_opened(p->session, &client_facts, w->now_ns));
    if (p->tls_aborts) {
        p->legs[CLIENT].end_told = true;
        p->facts.broken = true;
        sim_input(p, proxy_session_ended(p->session, CLIENT, CAPTURE_END_FAULT,
                                         "a rule", w->now_ns));
    }
}

static void connected(struct sim_pair *p)
{
    bool reached = p->cast->backend == SIM_REACHED;

    p->connect_at = SIM_NEVER;
    if (reached) {
        sim_leg_begin(&p->legs[SERVER]);
    }
    sim_input(p, proxy_session_connected(p->session, &server_facts,
                                         reached ? NULL : "connection refused",
                                         p->world->now_ns));
}

static void wake(struct sim_pair *p)
{
    p->wake_at = SIM_NEVER;
    sim_input(p, proxy_session_wake(p->session, p->world->now_ns));
}

static void run_pair(struct sim_pair *p)
{
    const struct {
        int64_t at;
        void (*happens)(struct sim_pair *p);
    } events[] = { { p->starts_at, accept },
                   { p->open_at, open },
                   { p->connect_at, connected },
                   { p->wake_at, wake } };

    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        if (!p->closed && events[i].at >= 0 && events[i].at <= p->world->now_ns) {
            events[i].happens(p);
        }
    }
    sim_leg_run(&p->legs[CLIENT]);
    sim_leg_run(&p->legs[SERVER]);
}

static void reload(struct sim_world *w)
{
    struct inject_rules *rules;

    if (w->reloaded || w->plan == NULL || w->scene->reload_at < 0 ||
        w->now_ns < w->origin_ns + w->scene->reload_at) {
        return;
    }
    w->reloaded = true;
    rules = build(w, &w->scene->later);
    if (rules != NULL) {
        sim_must(inject_plan_reload(w->plan, rules));
    }
}

static void stop(struct sim_world *w)
{
    if (w->stopped || w->now_ns < w->origin_ns + w->scene->stop_at) {
        return;
    }
    SIM_TELL(w, "stop");
    w->stopped = true;
    for (unsigned i = 0; i < w->scene->count; i++) {
        sim_pair_stop(&w->pairs[i], 1001, "wstape stops now");
    }
}

/* ---- time ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

static int64_t next_of_pair(const struct sim_pair *p)
{
    int64_t at = earlier(p->starts_at, earlier(p->open_at, p->connect_at));

    if (p->closed) {
        return SIM_NEVER;
    }
    at = earlier(at, p->wake_at);
    at = earlier(at, sim_leg_next(&p->legs[CLIENT]));
    return earlier(at, sim_leg_next(&p->legs[SERVER]));
}

/* False: all is over. */
static bool next_moment(const struct sim_world *w, int64_t *at)
{
    int64_t next = SIM_NEVER;
    bool all_closed = true;

    for (unsigned i = 0; i < w->scene->count; i++) {
        next = earlier(next, next_of_pair(&w->pairs[i]));
        all_closed = all_closed && w->pairs[i].closed;
    }
    if (!w->stopped) {
        next = earlier(next, w->origin_ns + w->scene->stop_at);
    }
    *at = next > w->now_ns ? next : w->now_ns;
    return !all_closed && next >= 0;
}

static void live(struct sim_world *w)
{
    int64_t end = w->origin_ns + w->scene->stop_at + after_stop_ns;
    int64_t at;

    while (w->wrong.len == 0 && w->turns < TURNS_MAX && next_moment(w, &at) &&
           at < end) {
        w->now_ns = at;
        /* What happens within a moment is one turn. */
        if (sim_odds(&w->luck, 20)) {
            w->now_ns = sim_soon(w, 50 * 1000);
        }
        reload(w);
        stop(w);
        for (unsigned i = 0; i < w->scene->count; i++) {
            run_pair(&w->pairs[i]);
        }
        sim_turn(w);
        for (unsigned i = 0; i < w->scene->count; i++) {
            sim_leg_plan(&w->pairs[i].legs[CLIENT]);
            sim_leg_plan(&w->pairs[i].legs[SERVER]);
        }
    }
    for (unsigned i = 0; i < w->scene->count; i++) {
        if (!w->pairs[i].closed) {
            sim_wrong(w, "connection %u is not closed at the end", w->pairs[i].number);
        }
    }
}

static void finish_tape(struct sim_world *w)
{
    struct capture_writer_totals totals;
    struct buf why = { 0 };

    capture_writer_finish(w->writer, w->now_ns, w->accepted, "the end");
    totals = capture_writer_totals(w->writer);
    if (!sim_tape_verify(&w->tape, &w->sum, &totals, &why)) {
        sim_wrong(w, "%.*s", (int)why.len, (const char *)why.at);
    }
    buf_deinit(&why);
    sim_digest(w, buf_bytes(&w->tape.bytes));
}

void sim_world_run(struct sim_world *w, const struct sim_scene *scene, uint64_t split,
                   bool verbose)
{
    begin(w, scene, split);
    w->verbose = verbose;
    if (w->wrong.len == 0) {
        live(w);
    }
    if (w->wrong.len == 0) {
        finish_tape(w);
    }
}

void sim_world_deinit(struct sim_world *w)
{
    for (unsigned i = 0; i < w->scene->count; i++) {
        proxy_session_free(w->pairs[i].session);
        sim_facts_deinit(&w->pairs[i].facts);
    }
    inject_plan_free(w->plan);
    proxy_outputs_deinit(&w->outputs);
    capture_writer_free(w->writer);
    capture_decoder_free(w->decoder);
    buf_deinit(&w->tape.bytes);
    buf_deinit(&w->wrong);
}
