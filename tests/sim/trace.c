#include "base/alloc.h"
#include "tests/sim/world.h"

/*
 * Record by record: what a side got must be made of what the tape has for it, each of
 * it once. Streams and messages keep their order, wstape's own words theirs, and
 * control frames theirs, which may go before others that a rule delays. A rule may
 * leave some of it out, and reorder puts messages behind others.
 */

enum { STEPS_MAX = 1000 * 1000 };

struct walk {
    struct sim_trace *t;
    bool ordered[SIM_TRACE_KINDS];
    unsigned steps; /* that are left */
};

void sim_trace_put(struct sim_pair *p, enum side to, enum sim_trace_kind kind,
                   struct bytes b)
{
    struct sim_trace *t = &p->facts.trace[to];

    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 32 : t->cap * 2;
        t->units = alloc_resize(t->units, t->cap * sizeof(*t->units));
        sim_must(t->units == NULL ? -1 : 0);
    }
    t->units[t->count++] = (struct sim_unit){ .at = t->bytes.len, .kind = kind };
    sim_trace_more(p, to, b);
}

void sim_trace_more(struct sim_pair *p, enum side to, struct bytes b)
{
    struct sim_trace *t = &p->facts.trace[to];

    sim_must(buf_put(&t->bytes, b));
    t->units[t->count - 1].len += b.len;
}

void sim_trace_last(struct sim_pair *p, enum side to)
{
    struct sim_trace *t = &p->facts.trace[to];

    t->units[t->count - 1].last = true;
}

void sim_trace_deinit(struct sim_trace *t)
{
    buf_deinit(&t->bytes);
    alloc_free(t->units);
}

/* `rest` begins with the unit, or is over within it. */
static bool begins(const struct walk *w, const struct sim_unit *u, struct bytes rest)
{
    struct bytes unit = bytes_first(bytes_from(buf_bytes(&w->t->bytes), u->at), u->len);
    size_t len = rest.len < unit.len ? rest.len : unit.len;

    return bytes_equal(bytes_first(rest, len), bytes_first(unit, len));
}

/* The first unit of a kind that may be next; the count when there is none. */
static size_t find(const struct walk *w, unsigned kind, struct bytes rest)
{
    const struct sim_trace *t = w->t;
    size_t i = w->ordered[kind] ? t->next[kind] : 0;

    while (i < t->count && (t->units[i].kind != kind || t->units[i].used ||
                            t->units[i].len == 0 || !begins(w, &t->units[i], rest))) {
        i++;
    }
    return i;
}

/* Where bytes could be of several kinds, one after the other is tried. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static bool follows(struct walk *w, struct bytes rest)
{
    struct sim_trace *t = w->t;

    if (rest.len == 0 || w->steps == 0) {
        return true;
    }
    w->steps--;
    for (unsigned kind = 0; kind < SIM_TRACE_KINDS; kind++) {
        size_t next = t->next[kind], i = find(w, kind, rest);

        if (i == t->count) {
            continue;
        }
        if (rest.len <= t->units[i].len) {
            return true;
        }
        if (t->units[i].last) {
            continue;
        }
        t->units[i].used = true;
        t->next[kind] = i + 1;
        if (follows(w, bytes_from(rest, t->units[i].len))) {
            return true;
        }
        t->units[i].used = false;
        t->next[kind] = next;
    }
    if (rest.len < t->shortest) {
        t->shortest = rest.len;
    }
    return false;
}

static bool is_among(const struct sim_rules *r, const char *action)
{
    bool is = false;

    for (unsigned i = 0; i < r->count; i++) {
        is = is || bytes_find(buf_bytes(&r->lines[i]), bytes_of(action)) == 0;
    }
    return is;
}

static bool has_rule(const struct sim_scene *s, const char *action)
{
    return is_among(&s->rules, action) || is_among(&s->later, action);
}

void sim_check_trace(struct sim_pair *p, enum side to)
{
    const struct sim_scene *s = p->world->scene;
    struct bytes got = buf_bytes(&p->facts.got[to]);
    bool keeps = !p->cast->talk.spoiled && !has_rule(s, "reorder");
    struct walk w = { .t = &p->facts.trace[to],
                      .ordered = { keeps, keeps && !has_rule(s, "delay"), keeps },
                      .steps = STEPS_MAX };

    w.t->shortest = got.len;
    if (!follows(&w, got)) {
        sim_wrong(p->world,
                  "connection %u: what %s gets at %zu is not on the tape, or not in "
                  "this order",
                  p->number, side_name(to), got.len - w.t->shortest);
    }
}
