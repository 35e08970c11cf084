#include "net/loop.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "net/net_internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

enum { SPARE_CHUNKS = 64 };

/* libuv aborts when it cannot grow its table of descriptors. A failure that a test
 * injects is over at the second try; real want of memory is not. */
static void *resize_for_uv(void *at, size_t len)
{
    void *moved = alloc_resize(at, len);

    return moved != NULL ? moved : alloc_resize(at, len);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* as it was, if it may not be raised */
    }
}

static void run_turn(struct net_loop *l)
{
    net_loop_event(l);
    l->turn_now = false;
    if (l->turn != NULL) {
        l->turn(l->turn_owner);
    }
    net_loop_event(l);
}

void net_loop_turn_now(struct net_loop *l)
{
    l->turn_now = true;
}

void net_loop_event_done(struct net_loop *l)
{
    if (l->turn_now) {
        run_turn(l);
    }
}

static void end_batch(struct net_loop *l)
{
    l->reading = NULL;
    run_turn(l);
}

static void check_came(uv_check_t *h)
{
    end_batch(h->data);
}

static void prepare_came(uv_prepare_t *h)
{
    end_batch(h->data);
}

static void idle_came(uv_idle_t *h)
{
    struct net_loop *l = h->data;
    struct list batch;

    /* Only what waits now: a callback may defer again, for the next time round. */
    list_init(&batch);
    while (!list_empty(&l->deferred)) {
        struct list *node = l->deferred.next;

        list_remove(node);
        list_append(&batch, node);
    }
    uv_idle_stop(h);
    while (!list_empty(&batch)) {
        struct net_deferred *d = LIST_ENTRY(batch.next, struct net_deferred, node);

        list_remove(&d->node);
        net_loop_event(l);
        d->run(d);
    }
}

void net_deferred_init(struct net_deferred *d, void (*run)(struct net_deferred *d))
{
    list_init(&d->node);
    d->run = run;
}

void net_defer(struct net_loop *l, struct net_deferred *d)
{
    if (!list_empty(&d->node)) {
        return;
    }
    list_append(&l->deferred, &d->node);
    uv_idle_start(&l->idle, idle_came);
}

void net_deferred_cancel(struct net_deferred *d)
{
    list_remove(&d->node); /* an idle turn too many does no harm */
}

/* libuv does not count a stream that is neither read nor written; the prepare handle
 * stands in for all of them. */
void net_loop_hold(struct net_loop *l)
{
    if (l->held++ == 0) {
        uv_ref((uv_handle_t *)&l->prepare);
    }
}

void net_loop_release(struct net_loop *l)
{
    if (--l->held == 0) {
        uv_unref((uv_handle_t *)&l->prepare);
    }
}

static int start_hooks(struct net_loop *l)
{
    int r = net_timers_init(l);

    if (r < 0) {
        return r;
    }
    uv_check_init(&l->uv, &l->check);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_idle_init(&l->uv, &l->idle);
    l->check.data = l->prepare.data = l->idle.data = l;
    uv_check_start(&l->check, check_came);
    uv_prepare_start(&l->prepare, prepare_came);
    uv_unref((uv_handle_t *)&l->check);
    uv_unref((uv_handle_t *)&l->prepare);
    return 0;
}

int net_loop_new(struct net_loop **out)
{
    struct net_loop *l;
    int r;

    r = uv_replace_allocator(alloc_get, resize_for_uv, alloc_zero, alloc_free);
    if (r < 0) {
        return r;
    }
    l = alloc_zero(1, sizeof(*l));
    if (l == NULL) {
        return -ENOMEM;
    }
    r = uv_loop_init(&l->uv);
    if (r < 0) {
        goto fail_loop;
    }
    l->uv.data = l;
    list_init(&l->deferred);
    l->now_ns = -1;
    r = start_hooks(l);
    if (r < 0) {
        goto fail_uv;
    }
    chunk_pool_init(&l->pool, NET_READ_CHUNK, SPARE_CHUNKS);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    raise_descriptor_limit();
    *out = l;
    return 0;

fail_uv:
    uv_loop_close(&l->uv);
fail_loop:
    alloc_free(l);
    return r;
}

void net_loop_free(struct net_loop *l)
{
    int r;

    if (l == NULL) {
        return;
    }
    l->turn = NULL;
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    net_timers_close(l);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* the close callbacks, of signals too */
    r = uv_loop_close(&l->uv);
    assert(r == 0);
    (void)r;
    net_timers_deinit(l);
    chunk_unref(l->chunk);
    chunk_pool_deinit(&l->pool);
    alloc_free(l);
}

void net_loop_on_turn(struct net_loop *l, void (*turn)(void *owner), void *owner)
{
    l->turn = turn;
    l->turn_owner = owner;
}

int net_loop_run(struct net_loop *l)
{
    l->stopped = false;
    do {
        uv_run(&l->uv, UV_RUN_DEFAULT);
        end_batch(l); /* the last close callbacks come after the last prepare */
    } while (!l->stopped && uv_loop_alive(&l->uv) != 0);
    return 0;
}

void net_loop_stop(struct net_loop *l)
{
    l->stopped = true;
    uv_stop(&l->uv);
}

int64_t net_loop_now_ns(struct net_loop *l)
{
    if (l->now_ns < 0) {
        l->now_ns = clock_monotonic_ns();
    }
    return l->now_ns;
}

/* ---- work in the background ---- */

struct sync {
    uv_fs_t req;
    void (*done)(void *owner, int r);
    void *owner;
};

static void sync_came(uv_fs_t *req)
{
    struct sync *s = req->data;
    struct net_loop *l = req->loop->data;
    int r = (int)req->result;

    uv_fs_req_cleanup(req);
    net_loop_event(l);
    s->done(s->owner, r);
    alloc_free(s);
}

int net_sync(struct net_loop *l, int fd, void (*done)(void *owner, int r), void *owner)
{
    struct sync *s = alloc_zero(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return -ENOMEM;
    }
    s->req.data = s;
    s->done = done;
    s->owner = owner;
    r = uv_fs_fdatasync(&l->uv, &s->req, fd, sync_came);
    if (r < 0) {
        alloc_free(s);
    }
    return r;
}
