#include "base/clock.h"
#include "proxy/session_state.h"
#include "tests/sim/world.h"

enum { CHUNK_MAX = 64 * 1024, LOW_WATER = 64 * 1024 };

void sim_leg_init(struct sim_leg *l, struct sim_pair *p, enum side side)
{
    *l = (struct sim_leg){ .script = &p->cast->talk.by[side],
                           .pair = p,
                           .side = side,
                           .slow = p->cast->slow[side],
                           .act_at = SIM_NEVER,
                           .gives_up = SIM_NEVER,
                           .read_at = SIM_NEVER,
                           .take_at = SIM_NEVER };
}

static struct sim_world *world_of(const struct sim_leg *l)
{
    return l->pair->world;
}

static bool is_break(enum capture_end end)
{
    return end == CAPTURE_END_RESET || end == CAPTURE_END_ERROR;
}

/* Is there something for wstape to read? */
static bool has_news(const struct sim_leg *l)
{
    bool open = l->side == SERVER || l->pair->opened;

    if (!l->there || l->gone || l->end_told || l->pair->closed) {
        return false;
    }
    if (!open) { /* kept waiting: only an end is noticed */
        return l->end != 0;
    }
    if (is_break(l->end) && l->pushed) {
        return true;
    }
    return l->reading && (l->given < l->said || l->end != 0);
}

/* ---- its script ---- */

/* Is the step over? Else it looks again at `act_at`. */
static bool waits(struct sim_leg *l, bool over, int64_t for_ns)
{
    struct sim_world *w = world_of(l);

    if (l->gives_up < 0) {
        l->gives_up = w->now_ns + for_ns;
    }
    if (!over && w->now_ns < l->gives_up) {
        l->act_at = l->gives_up;
        return true;
    }
    l->gives_up = SIM_NEVER;
    return false;
}

static bool has_heard(const struct sim_leg *l, const struct sim_step *s)
{
    bool calm = l->pair->cast->talk.calm;

    if (l->fin_sent && l->queued == 0) {
        return true;
    }
    return calm ? l->queued == 0 && l->pair->facts.taped[side_other(l->side)] >= s->said
                : l->heard >= s->upto;
}

static bool step(struct sim_leg *l, const struct sim_step *s)
{
    struct sim_world *w = world_of(l);
    bool ended = l->fin_sent && l->queued == 0;

    switch (s->kind) {
    case SIM_SAY:
        l->said = s->upto;
        return true;
    case SIM_HEAR:
        return !waits(l, has_heard(l, s), s->for_ns);
    case SIM_HEAR_END:
        return !waits(l, ended, s->for_ns);
    case SIM_WAIT:
        return !waits(l, false, s->for_ns);
    case SIM_END:
        SIM_TELL(w, "%u %s ends (%d)", l->pair->number, side_name(l->side),
                 (int)s->end);
        l->end = s->end;
        l->step = l->script->count;
        return false;
    }
    return false;
}

static void act(struct sim_leg *l)
{
    l->act_at = SIM_NEVER;
    while (l->step < l->script->count && step(l, &l->script->steps[l->step])) {
        l->step++;
    }
}

void sim_leg_begin(struct sim_leg *l)
{
    l->there = true;
    l->act_at = world_of(l)->now_ns;
}

/* ---- to wstape ---- */

static void tell_end(struct sim_leg *l)
{
    struct sim_pair *p = l->pair;
    static const struct proxy_leg_facts facts = { .address = "127.0.0.1:50000",
                                                  .local = "127.0.0.1:8001" };

    l->end_told = true;
    SIM_TELL(p->world, "%u %s's end is read", p->number, side_name(l->side));
    if (l->side == CLIENT && !p->opened) {
        p->opened = true;
        sim_input(p, proxy_session_opened(p->session, &facts, p->world->now_ns));
    }
    p->facts.broken = p->facts.broken || is_break(l->end);
    sim_input(p, proxy_session_ended(p->session, l->side, l->end,
                                     l->end == CAPTURE_END_ERROR ? "broke" : NULL,
                                     p->world->now_ns));
}

/* Most reads take all there is; some a byte. */
static size_t how_much(struct sim_world *w, size_t left)
{
    size_t few = left / 64 + 1;
    size_t most = left < CHUNK_MAX ? left : CHUNK_MAX;

    switch (sim_below(&w->luck, 4)) {
    case 0:
        return (size_t)sim_between(&w->luck, 1, few < most ? few : most);
    case 1:
        return (size_t)sim_between(&w->luck, 1, most);
    default:
        return most;
    }
}

static void read_some(struct sim_leg *l)
{
    struct sim_pair *p = l->pair;
    size_t len = how_much(p->world, l->said - l->given);
    struct slice in;

    sim_must(slice_copy(bytes_make(l->script->bytes.at + l->given, len), &in));
    l->given += len;
    /* It was over when they came. */
    p->facts.trimmed = p->facts.trimmed || p->session->state == PROXY_DONE;
    SIM_TELL(p->world, "%u reads %zu from %s", p->number, len, side_name(l->side));
    sim_tell_bytes(p->world, slice_bytes(in));
    sim_input(p, proxy_session_bytes(p->session, l->side, in, p->world->now_ns));
    chunk_unref(in.chunk);
    p->facts.cut_short = p->facts.cut_short || p->session->state == PROXY_DONE;
}

static void read_now(struct sim_leg *l)
{
    bool open = l->side == SERVER || l->pair->opened;

    l->read_at = SIM_NEVER;
    if (!has_news(l)) {
        return;
    }
    if (!open || l->given == l->said || l->pushed ||
        (is_break(l->end) && sim_odds(&world_of(l)->luck, 50))) {
        tell_end(l);
        return;
    }
    read_some(l);
}

/* ---- from wstape ---- */

void sim_leg_take(struct sim_leg *l, struct bytes b)
{
    if (is_break(l->end)) {
        l->pushed = true;
        return;
    }
    l->queued += b.len;
}

void sim_leg_fin(struct sim_leg *l)
{
    l->fin_sent = true;
    if (l->queued == 0) {
        l->act_at = world_of(l)->now_ns;
    }
}

static void take(struct sim_leg *l)
{
    struct sim_world *w = world_of(l);
    size_t len = l->queued;

    l->take_at = SIM_NEVER;
    if (l->slow) {
        len = (size_t)sim_between(&w->luck, 1, len < 20000 ? len : 20000);
    } else if (sim_odds(&w->luck, 30)) {
        len = (size_t)sim_between(&w->luck, len / 8 + 1, len);
    }
    l->queued -= len;
    l->heard += len;
    if (l->above && l->queued <= LOW_WATER && !l->pair->closed) {
        l->above = false;
        SIM_TELL(w, "%u the queue to %s has drained", l->pair->number,
                 side_name(l->side));
        sim_input(l->pair, proxy_session_queued(l->pair->session, l->side, l->queued));
    }
    l->act_at = w->now_ns;
}

/* ---- time ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

int64_t sim_leg_next(const struct sim_leg *l)
{
    return l->there ? earlier(l->act_at, earlier(l->read_at, l->take_at)) : SIM_NEVER;
}

static bool is_due(const struct sim_leg *l, int64_t at_ns)
{
    return at_ns >= 0 && at_ns <= world_of(l)->now_ns;
}

void sim_leg_run(struct sim_leg *l)
{
    if (!l->there) {
        return;
    }
    if (is_due(l, l->take_at) && l->queued > 0) {
        take(l);
    }
    if (is_due(l, l->act_at) && l->end == 0) {
        act(l);
    }
    if (is_due(l, l->act_at)) {
        l->act_at = SIM_NEVER;
    }
    if (is_due(l, l->read_at)) {
        read_now(l);
    }
}

void sim_leg_plan(struct sim_leg *l)
{
    struct sim_world *w = world_of(l);

    const struct sim_step *s =
        l->step < l->script->count ? &l->script->steps[l->step] : NULL;

    if (s != NULL && s->kind == SIM_HEAR && l->act_at > w->now_ns && has_heard(l, s)) {
        l->act_at = sim_soon(w, 100 * 1000);
        l->gives_up = l->act_at;
    }
    if (l->read_at < 0 && has_news(l)) {
        l->read_at = sim_soon(w, 100 * 1000);
    }
    if (l->take_at < 0 && l->queued > 0) {
        l->take_at = sim_soon(w, l->slow ? 50 * CLOCK_NS_PER_MS : 200 * 1000);
    }
}
