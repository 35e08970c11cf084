#include "replay/schedule.h"

#include "base/alloc.h"
#include "replay/pace.h"

#include <errno.h>
#include <stdlib.h>

/* A connection that is to be called. */
struct entry {
    int64_t opened_ns, ended_ns; /* on the tape; each at least what came before it */
    uint32_t index;              /* of the script */
    bool over;
    int64_t over_at; /* live */
};

struct end {
    int64_t ended_ns;
    uint32_t entry;
};

/* Entries lie in the order in which they opened, and so does what each waits for: the
 * ends before it are a longer and longer part of `ends`. */
struct replay_schedule {
    struct entry *entries;
    struct end *ends;    /* by time, then by entry */
    uint32_t *entry_of;  /* by the script's index; REPLAY_NONE: left out */
    uint32_t count;      /* entries */
    uint32_t called;     /* entries, from the first */
    uint32_t ended;      /* ends that the pace knows of, from the first */
    uint32_t over_count; /* entries */
    int64_t last_over;   /* live, of these ends; the latest */
    struct replay_pace pace;
};

static bool said_something(const struct replay_connection *c)
{
    for (uint32_t i = 0; i < c->step_count; i++) {
        if (c->steps[i].from == CLIENT && c->steps[i].kind != REPLAY_END) {
            return true;
        }
    }
    return false;
}

static int compare_ends(const void *left, const void *right)
{
    const struct end *a = left, *b = right;

    if (a->ended_ns != b->ended_ns) {
        return a->ended_ns < b->ended_ns ? -1 : 1;
    }
    return a->entry < b->entry ? -1 : 1;
}

/* Times that go backwards on the tape (a damaged one) are pushed on, so that no
 * connection waits for a later one. */
static void take(struct replay_schedule *s, const struct replay_script *script)
{
    int64_t last = INT64_MIN;

    for (size_t i = 0; i < script->count; i++) {
        const struct replay_connection *c = &script->connections[i];
        struct entry *e = &s->entries[s->count];

        s->entry_of[i] = REPLAY_NONE;
        if (!said_something(c)) {
            continue;
        }
        last = c->opened_ns > last ? c->opened_ns : last;
        *e = (struct entry){
            .opened_ns = last,
            .ended_ns = c->ended_ns > last ? c->ended_ns : last,
            .index = (uint32_t)i,
        };
        s->ends[s->count] = (struct end){ e->ended_ns, s->count };
        s->entry_of[i] = s->count++;
    }
    if (s->count > 1) {
        qsort(s->ends, s->count, sizeof(*s->ends), compare_ends);
    }
}

int replay_schedule_new(const struct replay_script *s, double pace, int64_t now_ns,
                        struct replay_schedule **out)
{
    struct replay_schedule *made = alloc_zero(1, sizeof(*made));

    if (made == NULL) {
        return -ENOMEM;
    }
    made->entries = alloc_zero(s->count, sizeof(*made->entries));
    made->ends = alloc_zero(s->count, sizeof(*made->ends));
    made->entry_of = alloc_zero(s->count, sizeof(*made->entry_of));
    if (made->entries == NULL || made->ends == NULL || made->entry_of == NULL) {
        replay_schedule_free(made);
        return -ENOMEM;
    }
    take(made, s);
    made->last_over = INT64_MIN;
    replay_pace_init(&made->pace, pace,
                     made->count == 0 ? 0 : made->entries[0].opened_ns, now_ns);
    *out = made;
    return 0;
}

void replay_schedule_free(struct replay_schedule *s)
{
    if (s == NULL) {
        return;
    }
    alloc_free(s->entries);
    alloc_free(s->ends);
    alloc_free(s->entry_of);
    alloc_free(s);
}

/* Whether all that had ended before `entry` opened are over. */
static bool gates_passed(struct replay_schedule *s, uint32_t entry)
{
    while (s->ended < s->count) {
        const struct end *end = &s->ends[s->ended];
        const struct entry *e = &s->entries[end->entry];

        if (end->ended_ns > s->entries[entry].opened_ns || end->entry >= entry) {
            return true;
        }
        if (!e->over) {
            return false;
        }
        s->last_over = e->over_at > s->last_over ? e->over_at : s->last_over;
        replay_pace_gate(&s->pace, end->ended_ns, s->last_over);
        s->ended++;
    }
    return true;
}

uint32_t replay_schedule_next(struct replay_schedule *s, int64_t now_ns,
                              int64_t *wake_at)
{
    const struct entry *e;
    int64_t due;

    if (s->called == s->count || !gates_passed(s, s->called)) {
        *wake_at = -1;
        return REPLAY_NONE;
    }
    e = &s->entries[s->called];
    due = replay_pace_due(&s->pace, e->opened_ns);
    if (due > now_ns) {
        *wake_at = due;
        return REPLAY_NONE;
    }
    replay_pace_played(&s->pace, e->opened_ns, due);
    s->called++;
    return e->index;
}

void replay_schedule_over(struct replay_schedule *s, uint32_t index, int64_t now_ns)
{
    uint32_t entry = s->entry_of[index];

    if (entry == REPLAY_NONE || s->entries[entry].over) {
        return;
    }
    s->entries[entry].over = true;
    s->entries[entry].over_at = now_ns;
    s->over_count++;
}

bool replay_schedule_done(const struct replay_schedule *s)
{
    return s->over_count == s->count;
}
