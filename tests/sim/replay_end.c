#include "tests/sim/replay_world.h"

#include "base/clock.h"
#include "tests/sim/talk.h"

#include <stdio.h>

enum { IDLE_MAX = 3, WORDS_MAX = 64 * 1024 };

static struct sim_replay *world_of(const struct sim_replay_end *e)
{
    return e->call->world;
}

static int64_t soon(struct sim_replay *w, int64_t most_ns)
{
    return w->now_ns + (int64_t)sim_below(&w->luck, (uint64_t)most_ns);
}

/* ---- life ---- */

void sim_end_init(struct sim_replay_end *e, struct sim_call *call, enum side side)
{
    struct sim_replay *w = call->world;

    *e = (struct sim_replay_end){ .call = call,
                                  .side = side,
                                  .give_at = SIM_REPLAY_NEVER,
                                  .wished = SIM_REPLAY_NEVER,
                                  .wake_at = SIM_REPLAY_NEVER,
                                  .flow_at = SIM_REPLAY_NEVER,
                                  .flow = true };
    sim_ear_init(&e->ear, call->recorded, side);
    if (!w->plan->punctual && sim_odds(&w->luck, 40)) {
        e->flow_at = soon(w, 50 * CLOCK_NS_PER_MS);
    }
    if (w->plan->odd == (int)side) {
        e->odd = &call->odd;
        e->odd->next_at = w->now_ns;
    } else if (side == CLIENT) {
        e->caller = replay_caller_new(w->stages[CLIENT], call->index, 1, w->now_ns);
    } else {
        e->player = replay_player_new(w->stages[SERVER], ++w->players, w->now_ns);
    }
}

void sim_end_deinit(struct sim_replay_end *e)
{
    replay_caller_free(e->caller);
    replay_player_free(e->player);
    sim_ear_deinit(&e->ear);
}

/* ---- outputs ---- */

static struct replay_output *output_of(struct sim_replay_end *e)
{
    return e->caller != NULL ? replay_caller_output(e->caller)
                             : replay_player_output(e->player);
}

static void check_size(struct sim_replay_end *e, size_t said, size_t in)
{
    size_t most = REPLAY_BURST + world_of(e)->plan->tape->largest + 4 * in + WORDS_MAX;

    if (said > most) {
        sim_replay_wrong(world_of(e), "%s puts out %zu bytes for %zu",
                         side_name(e->side), said, in);
    }
    if (said > 0 && e->end != 0) {
        sim_replay_wrong(world_of(e), "%s speaks behind its end", side_name(e->side));
    }
}

/* Both ends say the tape: what was said has its time. */
static void check_said(struct sim_replay_end *e, size_t from, uint64_t frames)
{
    const struct sim_replay_plan *plan = world_of(e)->plan;

    if (!e->flow && e->odd == NULL && e->ear.data_frames > frames &&
        plan->tape->clean) {
        sim_replay_wrong(world_of(e), "%s speaks although nobody listens",
                         side_name(e->side));
    }
    if (plan->odd < 0 && plan->tape->clean && plan->options.gate) {
        sim_ear_check_gates(e, from);
    }
}

static void say(struct sim_replay_end *e, struct bytes b)
{
    struct sim_replay *w = world_of(e);
    size_t from = e->ear.count;
    uint64_t frames = e->ear.data_frames;

    if (b.len == 0) {
        return;
    }
    sim_replay_digest(w, &w->now_ns, sizeof(w->now_ns));
    sim_replay_digest(w, b.at, b.len);
    sim_ear_take(&e->ear, b, w->now_ns);
    if (w->verbose) {
        printf("%12.6f ms  %u %s says %zu bytes, %zu messages\n",
               (double)(w->now_ns - w->began_ns) / 1e6, e->call->recorded->number,
               side_name(e->side), b.len, e->ear.count);
    }
    check_said(e, from, frames);
}

static void end(struct sim_replay_end *e, enum capture_end kind)
{
    struct sim_replay *w = world_of(e);

    if (kind == 0 || e->end != 0) {
        return;
    }
    e->end = kind;
    e->deaf = kind == CAPTURE_END_RESET;
    sim_replay_digest(w, &kind, sizeof(kind));
    if (w->verbose) {
        printf("%12.6f ms  %u %s ends (%d)\n", (double)(w->now_ns - w->began_ns) / 1e6,
               e->call->recorded->number, side_name(e->side), (int)kind);
    }
}

static void plan_wake(struct sim_replay_end *e, int64_t wish)
{
    struct sim_replay *w = world_of(e);

    if (wish == e->wished && e->wake_at >= 0) {
        return;
    }
    e->wished = wish;
    e->wake_at = wish < 0 ? SIM_REPLAY_NEVER : wish > w->now_ns ? wish : w->now_ns;
    if (wish >= 0 && !w->plan->punctual && sim_odds(&w->luck, 40)) {
        e->wake_at += (int64_t)sim_below(&w->luck, 20 * CLOCK_NS_PER_MS);
    }
}

static void plan_give(struct sim_replay_end *e)
{
    bool more = e->given < e->ear.all.len || (e->end != 0 && !e->end_given);

    if (!more) {
        e->give_at = SIM_REPLAY_NEVER;
    } else if (e->give_at < 0) {
        e->give_at =
            soon(world_of(e),
                 sim_odds(&world_of(e)->luck, 50) ? 1000 : 20 * CLOCK_NS_PER_MS);
    }
}

/* Behind every input of a player or caller. */
static void perform(struct sim_replay_end *e, int r, size_t in)
{
    struct replay_output *out = output_of(e);
    size_t said = out->send.len;

    e->inputs++;
    if (r < 0) {
        sim_replay_wrong(world_of(e), "an input of %s failed: %d", side_name(e->side),
                         r);
    }
    check_size(e, said, in);
    say(e, buf_bytes(&out->send));
    buf_clear(&out->send);
    end(e, out->end);
    plan_wake(e, out->wake_at);
    plan_give(e);
}

/* ---- inputs ---- */

void sim_end_begin(struct sim_replay_end *e)
{
    if (e->caller != NULL) {
        perform(e, replay_caller_start(e->caller, world_of(e)->now_ns), 0);
    }
}

static void hear(struct sim_replay_end *e, struct bytes b)
{
    int64_t now = world_of(e)->now_ns;

    if (e->deaf || e->odd != NULL) {
        return;
    }
    perform(e,
            e->caller != NULL ? replay_caller_bytes(e->caller, b, now)
                              : replay_player_bytes(e->player, b, now),
            b.len);
}

static void hear_end(struct sim_replay_end *e, enum capture_end kind)
{
    int64_t now = world_of(e)->now_ns;

    if (e->odd != NULL) {
        if (e->end == 0 && kind == CAPTURE_END_RESET) {
            end(e, CAPTURE_END_RESET);
            e->end_given = true;
        }
        return;
    }
    perform(e,
            e->caller != NULL ? replay_caller_ended(e->caller, kind, now)
                              : replay_player_ended(e->player, kind, false, now),
            0);
}

static void give(struct sim_replay_end *e)
{
    struct sim_replay *w = world_of(e);
    struct sim_replay_end *other = &e->call->ends[side_other(e->side)];
    size_t left = e->ear.all.len - e->given, len = left;
    struct buf copy = { 0 };

    e->give_at = SIM_REPLAY_NEVER;
    if (left > 0) {
        if (sim_odds(&w->luck, 60)) {
            len = (size_t)sim_between(&w->luck, 1,
                                      sim_odds(&w->luck, 30) && left > 8 ? 8 : left);
        }
        sim_must(buf_put(&copy, bytes_make(e->ear.all.at + e->given, len)));
        e->given += len;
        hear(other, buf_bytes(&copy));
        buf_deinit(&copy);
    }
    if (e->given == e->ear.all.len && e->end != 0 && !e->end_given) {
        e->end_given = true;
        hear_end(other, e->end);
    }
    plan_give(e);
}

static void wake(struct sim_replay_end *e)
{
    struct sim_replay *w = world_of(e);
    size_t before = e->ear.all.len;
    enum capture_end ended = e->end;
    int r;

    e->wake_at = SIM_REPLAY_NEVER;
    e->wakes++;
    r = e->caller != NULL ? replay_caller_wake(e->caller, w->now_ns)
                          : replay_player_wake(e->player, w->now_ns);
    perform(e, r, 0);
    if (e->ear.all.len > before || e->end != ended || e->wished < 0 ||
        e->wished > w->now_ns) {
        e->idle = 0;
    } else if (++e->idle > IDLE_MAX) {
        sim_replay_wrong(w, "%s is woken again and again, and does nothing",
                         side_name(e->side));
    }
}

static void turn_flow(struct sim_replay_end *e)
{
    struct sim_replay *w = world_of(e);

    e->flow = !e->flow;
    e->flow_at = e->flow && sim_odds(&w->luck, 40) ? SIM_REPLAY_NEVER
                                                   : soon(w, 100 * CLOCK_NS_PER_MS);
    if (e->odd == NULL) {
        perform(e,
                e->caller != NULL ? replay_caller_flow(e->caller, e->flow, w->now_ns)
                                  : replay_player_flow(e->player, e->flow, w->now_ns),
                0);
    }
}

static void speak_oddly(struct sim_replay_end *e)
{
    struct sim_odd *o = e->odd;
    struct sim_replay *w = world_of(e);

    if (o->next < o->count) {
        size_t from = o->next == 0 ? 0 : o->units[o->next - 1];

        say(e, bytes_make(o->bytes.at + from, o->units[o->next] - from));
        o->next++;
        o->next_at = soon(w, o->pause_ns);
    } else {
        end(e, o->end);
        o->next_at = SIM_REPLAY_NEVER;
    }
    plan_give(e);
}

/* ---- when ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

int64_t sim_end_next(const struct sim_replay_end *e)
{
    int64_t at = earlier(e->give_at, e->wake_at);

    if (e->odd != NULL) {
        return e->end == 0 ? earlier(at, e->odd->next_at) : at;
    }
    return e->end != 0 ? at : earlier(at, e->flow_at);
}

static bool is_due(const struct sim_replay_end *e, int64_t at)
{
    return at >= 0 && at <= world_of(e)->now_ns;
}

void sim_end_run(struct sim_replay_end *e)
{
    if (e->odd != NULL && e->end == 0 && is_due(e, e->odd->next_at)) {
        speak_oddly(e);
    }
    if (is_due(e, e->flow_at) && e->end == 0) {
        turn_flow(e);
    }
    if (is_due(e, e->give_at)) {
        give(e);
    }
    if (is_due(e, e->wake_at)) {
        wake(e);
    }
}
