#include "tests/sim/replay_world.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/sim/talk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- shared ---- */

void sim_replay_wrong(struct sim_replay *w, const char *format, ...)
{
    char text[512];
    va_list args;

    if (w->wrong.len > 0) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (w->verbose) {
        printf("WRONG: %s\n", text);
    }
    sim_must(buf_put_text(&w->wrong, text));
}

/* FNV-1a. */
void sim_replay_digest(struct sim_replay *w, const void *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        w->digest = (w->digest ^ ((const uint8_t *)at)[i]) * UINT64_C(0x100000001b3);
    }
}

/* ---- events ---- */

/* Those that tell how long something took come or not as bytes are late or not. */
static bool tells_of_time(const struct replay_event *e)
{
    return e->kind == REPLAY_EVENT_RESPONSE_TIME || e->kind == REPLAY_EVENT_WAITS;
}

static void tell(void *owner, const struct replay_event *e)
{
    struct sim_replay *w = owner;
    struct buf *events = &w->events[e->copy == 0 ? SERVER : CLIENT];
    size_t before = events->len;

    sim_replay_digest(w, &w->now_ns, sizeof(w->now_ns));
    sim_replay_digest(w, &e->kind, sizeof(e->kind));
    sim_replay_digest(w, &e->time_ns, sizeof(e->time_ns));
    w->mismatches += replay_event_is_mismatch(e);
    if (tells_of_time(e)) {
        return;
    }
    sim_must(buf_put_format(
        events,
        "%s c%" PRIu32 ".%" PRIu32 " r%" PRIu32 " m%" PRIu64 " o%" PRIu64 " n%" PRIu64
        "/%" PRIu64 " at %.*s: %.*s -> %.*s (%.*s %.*s)\n",
        replay_event_name(e->kind), e->connection, e->copy, e->recorded, e->message,
        e->other, e->count, e->expected, (int)e->path.len, (const char *)e->path.at,
        (int)e->before.len, (const char *)e->before.at, (int)e->after.len,
        (const char *)e->after.at, (int)e->target.len, (const char *)e->target.at,
        (int)e->text.len, (const char *)e->text.at));
    sim_replay_digest(w, events->at + before, events->len - before);
    if (w->verbose) {
        printf("%12.6f ms  ! %.*s", (double)(w->now_ns - w->began_ns) / 1e6,
               (int)(events->len - before), (const char *)events->at + before);
    }
    if (replay_event_is_mismatch(e) && w->plan->odd < 0 && w->plan->tape->clean) {
        sim_replay_wrong(w, "the tape differs from itself: %.*s",
                         (int)(events->len - before),
                         (const char *)events->at + before);
    }
}

/* ---- beginning ---- */

static void make_stage(struct sim_replay *w, enum side plays)
{
    struct replay_listener listener = { .tell = tell, .owner = w, .verbose = true };

    sim_must(replay_stage_new(w->plan->tape->script, &w->plan->options, &w->plan->rules,
                              &listener, side_other(plays), &w->stages[plays]));
}

static void begin(struct sim_replay *w, const struct sim_replay_plan *plan,
                  uint64_t split)
{
    const struct replay_script *s = plan->tape->script;

    *w = (struct sim_replay){ .plan = plan,
                              .luck = sim_chance_new(plan->seed, 200 + split),
                              .began_ns = CLOCK_NS_PER_S,
                              .now_ns = CLOCK_NS_PER_S,
                              .digest = UINT64_C(0xcbf29ce484222325) };
    make_stage(w, CLIENT);
    make_stage(w, SERVER);
    sim_must(replay_schedule_new(s, plan->options.pace, w->now_ns, &w->schedule));
    w->calls = alloc_zero(s->count + 1, sizeof(*w->calls));
    sim_must(w->calls == NULL ? -1 : 0);
}

static void open_call(struct sim_replay *w, uint32_t index)
{
    struct sim_call *call = &w->calls[index];
    /* What an odd end says is the same, however it is split. */
    struct sim_chance c = sim_chance_new(w->plan->seed, 1000 + index);

    *call = (struct sim_call){ .world = w,
                               .recorded = &w->plan->tape->script->connections[index],
                               .index = index,
                               .open = true };
    if (w->plan->odd >= 0) {
        sim_odd_make(&call->odd, call->recorded, (enum side)w->plan->odd, &c);
    }
    sim_end_init(&call->ends[CLIENT], call, CLIENT);
    sim_end_init(&call->ends[SERVER], call, SERVER);
    sim_end_begin(&call->ends[CLIENT]);
}

/* ---- ending ---- */

static bool is_over(const struct sim_call *call)
{
    const struct sim_replay_end *client = &call->ends[CLIENT];
    const struct sim_replay_end *server = &call->ends[SERVER];

    if (client->caller != NULL && !replay_caller_done(client->caller)) {
        return false;
    }
    /* A reset is the end of everything, once it was told. */
    if ((client->end == CAPTURE_END_RESET && client->end_given) ||
        (server->end == CAPTURE_END_RESET && server->end_given)) {
        return true;
    }
    return client->end_given && server->end_given;
}

static void close_call(struct sim_replay *w, struct sim_call *call)
{
    call->over = true;
    if (w->wrong.len == 0 && w->plan->odd < 0 && w->plan->tape->clean) {
        sim_ear_check_whole(&call->ends[CLIENT]);
        sim_ear_check_whole(&call->ends[SERVER]);
    }
    replay_schedule_over(w->schedule, call->index, w->now_ns);
}

/* ---- time ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

static int64_t call_due(struct sim_replay *w)
{
    int64_t wake_at = SIM_REPLAY_NEVER;
    uint32_t index;
    bool any = false;

    while ((index = replay_schedule_next(w->schedule, w->now_ns, &wake_at)) !=
           REPLAY_NONE) {
        open_call(w, index);
        any = true;
    }
    return any ? w->now_ns : wake_at;
}

static int64_t run_calls(struct sim_replay *w)
{
    int64_t next = SIM_REPLAY_NEVER;

    for (size_t i = 0; i < w->plan->tape->script->count; i++) {
        struct sim_call *call = &w->calls[i];

        if (!call->open || call->over) {
            continue;
        }
        sim_end_run(&call->ends[CLIENT]);
        sim_end_run(&call->ends[SERVER]);
        if (is_over(call)) {
            close_call(w, call);
        } else {
            next = earlier(next, earlier(sim_end_next(&call->ends[CLIENT]),
                                         sim_end_next(&call->ends[SERVER])));
        }
    }
    return next;
}

/* What no play may take longer than: a wait has ten patiences, and each step one wait.
 */
static int64_t last_moment(const struct sim_replay *w)
{
    const struct replay_script *s = w->plan->tape->script;
    int64_t waits = 10, paced = 0;

    for (size_t i = 0; i < s->count; i++) {
        waits += 2 + s->connections[i].step_count;
    }
    if (w->plan->options.pace > 0) {
        paced = (int64_t)((double)s->last_ns / w->plan->options.pace);
    }
    return w->began_ns + 3 * paced + waits * 10 * w->plan->options.patience_ns +
           600 * CLOCK_NS_PER_S;
}

static void check_ends(struct sim_replay *w)
{
    for (size_t i = 0; i < w->plan->tape->script->count && w->wrong.len == 0; i++) {
        const struct sim_call *call = &w->calls[i];

        if (call->open && !call->over) {
            sim_replay_wrong(w, "connection %u does not end: client %d%s, server %d%s",
                             call->recorded->number, (int)call->ends[CLIENT].end,
                             call->ends[CLIENT].caller != NULL &&
                                     !replay_caller_done(call->ends[CLIENT].caller)
                                 ? " (not done)"
                                 : "",
                             (int)call->ends[SERVER].end,
                             call->ends[SERVER].end_given ? " (told)" : "");
        }
    }
    if (w->wrong.len == 0 && !replay_schedule_done(w->schedule)) {
        sim_replay_wrong(w, "connections are left that nobody calls");
    }
}

static void check_wakes(struct sim_replay *w)
{
    for (size_t i = 0; i < w->plan->tape->script->count; i++) {
        for (int side = CLIENT; side <= SERVER; side++) {
            const struct sim_replay_end *e = &w->calls[i].ends[side];
            uint64_t most = 50 + e->inputs - e->wakes;

            if (w->calls[i].open) {
                most += 3 * w->calls[i].recorded->step_count + e->ear.all.len / 1024;
            }
            if (e->wakes > most) {
                sim_replay_wrong(w, "%s was woken %llu times", side_name(e->side),
                                 (unsigned long long)e->wakes);
            }
        }
    }
}

void sim_replay_world_run(struct sim_replay *w, const struct sim_replay_plan *plan,
                          uint64_t split, bool verbose)
{
    int64_t next = 0, last;

    begin(w, plan, split);
    w->verbose = verbose;
    last = last_moment(w);
    while (next >= 0 && w->now_ns < last && w->wrong.len == 0) {
        next = run_calls(w);
        next = earlier(next, call_due(w)); /* some may have ended just now */
        w->now_ns = next > w->now_ns ? next : w->now_ns;
    }
    if (w->now_ns >= last) {
        sim_replay_wrong(w, "it goes on and on");
    }
    check_ends(w);
    check_wakes(w);
}

void sim_replay_world_deinit(struct sim_replay *w)
{
    for (size_t i = 0; i < w->plan->tape->script->count; i++) {
        sim_end_deinit(&w->calls[i].ends[CLIENT]);
        sim_end_deinit(&w->calls[i].ends[SERVER]);
        sim_odd_deinit(&w->calls[i].odd);
    }
    alloc_free(w->calls);
    replay_schedule_free(w->schedule);
    replay_stage_free(w->stages[CLIENT]);
    replay_stage_free(w->stages[SERVER]);
    buf_deinit(&w->events[CLIENT]);
    buf_deinit(&w->events[SERVER]);
    buf_deinit(&w->wrong);
}
