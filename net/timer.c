#include "base/alloc.h"
#include "base/clock.h"
#include "net/net_internal.h"

#include <assert.h>
#include <errno.h>

/*
 * A binary heap over one uv timer. `key` is the time a timer's place in the heap stands
 * for, `at` the time it is set to: a timer moved to a later time keeps its place until
 * that comes up, so that pushing a deadline away with every message costs one store.
 */
struct net_timer {
    struct net_loop *loop;
    void (*fire)(void *owner);
    void *owner;
    int64_t at; /* -1: stopped */
    int64_t key;
    size_t place; /* in the heap; NOWHERE when stopped */
};

#define NOWHERE SIZE_MAX

static void put(struct net_timers *ts, size_t place, struct net_timer *t)
{
    ts->heap[place] = t;
    t->place = place;
}

static void sift_up(struct net_timers *ts, size_t place, struct net_timer *t)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;

        if (ts->heap[parent]->key <= t->key) {
            break;
        }
        put(ts, place, ts->heap[parent]);
        place = parent;
    }
    put(ts, place, t);
}

static void sift_down(struct net_timers *ts, size_t place, struct net_timer *t)
{
    for (;;) {
        size_t child = place * 2 + 1;

        if (child >= ts->count) {
            break;
        }
        if (child + 1 < ts->count && ts->heap[child + 1]->key < ts->heap[child]->key) {
            child++;
        }
        if (ts->heap[child]->key >= t->key) {
            break;
        }
        put(ts, place, ts->heap[child]);
        place = child;
    }
    put(ts, place, t);
}

static void heap_add(struct net_timers *ts, struct net_timer *t)
{
    assert(ts->count < ts->cap);
    t->key = t->at;
    ts->count++;
    sift_up(ts, ts->count - 1, t);
}

static void heap_remove(struct net_timers *ts, struct net_timer *t)
{
    size_t place = t->place;
    struct net_timer *last = ts->heap[--ts->count];

    t->place = NOWHERE;
    if (last == t) {
        return;
    }
    if (place > 0 && ts->heap[(place - 1) / 2]->key > last->key) {
        sift_up(ts, place, last);
    } else {
        sift_down(ts, place, last);
    }
}

static void timer_came(uv_timer_t *h);

/* Make the uv timer fire no later than the earliest key. Firing for nothing is cheaper
 * than moving it at every change. */
static void set_alarm(struct net_loop *l, int64_t soonest_ms)
{
    struct net_timers *ts = &l->timers;
    int64_t now = (int64_t)uv_now(&l->uv);
    int64_t ms;

    if (ts->count == 0) {
        uv_timer_stop(&ts->uv); /* or it would keep the loop running */
        ts->set_ms = -1;
        return;
    }
    ms = (ts->heap[0]->key + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
    if (ms < now + soonest_ms) {
        ms = now + soonest_ms;
    }
    if (ts->set_ms >= 0 && ts->set_ms <= ms) {
        return;
    }
    /* uv_now is this very clock in whole milliseconds, rounded down: never early. */
    uv_timer_start(&ts->uv, timer_came, (uint64_t)(ms - now), 0);
    ts->set_ms = ms;
}

static void fire_due(struct net_loop *l, int64_t now)
{
    struct net_timers *ts = &l->timers;
    size_t most =
        ts->count; /* one that is set into the past again waits for its turn */

    while (most-- > 0 && ts->count > 0 && ts->heap[0]->key <= now) {
        struct net_timer *t = ts->heap[0];

        if (t->at > t->key) {
            t->key = t->at;
            sift_down(ts, 0, t);
            continue;
        }
        heap_remove(ts, t);
        t->at = -1;
        net_loop_event(l);
        t->fire(t->owner);
    }
}

static void timer_came(uv_timer_t *h)
{
    struct net_loop *l = h->data;

    l->timers.set_ms = -1;
    l->timers.firing = true;
    fire_due(l, clock_monotonic_ns());
    l->timers.firing = false;
    set_alarm(l, 1); /* at 0, libuv would come back here before anything else */
}

int net_timers_init(struct net_loop *l)
{
    l->timers.set_ms = -1;
    l->timers.uv.data = l;
    return uv_timer_init(&l->uv, &l->timers.uv);
}

void net_timers_close(struct net_loop *l)
{
    uv_close((uv_handle_t *)&l->timers.uv, NULL);
}

void net_timers_deinit(struct net_loop *l)
{
    assert(l->timers.made == 0);
    alloc_free(l->timers.heap);
}

/* Room for one more timer, so that arming it never needs memory. */
static int make_room(struct net_timers *ts)
{
    size_t cap = ts->cap == 0 ? 16 : ts->cap * 2;
    struct net_timer **heap;

    if (ts->made < ts->cap) {
        return 0;
    }
    heap = alloc_resize(ts->heap, cap * sizeof(struct net_timer *));
    if (heap == NULL) {
        return -ENOMEM;
    }
    ts->heap = heap;
    ts->cap = cap;
    return 0;
}

struct net_timer *net_timer_new(struct net_loop *l, void (*fire)(void *owner),
                                void *owner)
{
    struct net_timer *t;

    if (make_room(&l->timers) < 0) {
        return NULL;
    }
    t = alloc_get(sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    *t = (struct net_timer){
        .loop = l, .fire = fire, .owner = owner, .at = -1, .place = NOWHERE
    };
    l->timers.made++;
    return t;
}

void net_timer_at(struct net_timer *t, int64_t at_ns)
{
    struct net_timers *ts = &t->loop->timers;

    t->at = at_ns < 0 ? -1 : at_ns;
    if (t->place != NOWHERE && t->at >= t->key) {
        return; /* comes up early, and goes back to its place then */
    }
    if (t->place != NOWHERE) {
        heap_remove(ts, t);
    }
    if (t->at >= 0) {
        heap_add(ts, t);
    }
    if (!ts->firing) {
        set_alarm(t->loop, 0);
    }
}

void net_timer_free(struct net_timer *t)
{
    if (t == NULL) {
        return;
    }
    net_timer_at(t, -1);
    t->loop->timers.made--;
    alloc_free(t);
}
