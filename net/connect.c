#include "base/alloc.h"
#include "base/clock.h"
#include "net/net_internal.h"
#include "net/target.h"

#include <errno.h>
#include <string.h>

enum { ADDRESS_FOR_MS = 2000 }; /* patience with one address while there are others */

/* One connect(2) under way; outlives a cancelled net_connect until libuv is done with
 * it. */
struct attempt {
    uv_connect_t req;
    struct net_connect *connect; /* NULL: nobody waits any more */
    struct net_stream *stream;
};

struct net_connect {
    struct net_target *target;
    struct net_target_waiter waiter;
    struct net_addresses *addresses; /* NULL until they are known */
    size_t next;                     /* address to try after this one */
    struct attempt *attempt;
    struct net_timer *patience; /* NULL while there is one address only */
    struct net_deferred finish; /* a failure that came up inside net_connect_start */
    int error;                  /* of the last address */
    char address[64];
    void (*done)(void *owner, struct net_stream *s, int status, const char *address);
    void *owner;
};

static void abandon_attempt(struct net_connect *c)
{
    if (c->attempt != NULL) {
        c->attempt->connect = NULL;
        net_stream_close(c->attempt->stream); /* its callback frees the attempt */
        c->attempt = NULL;
    }
}

static void release(struct net_connect *c)
{
    abandon_attempt(c);
    net_target_forget(&c->waiter);
    net_deferred_cancel(&c->finish);
    net_timer_free(c->patience);
    net_addresses_unref(c->addresses);
    alloc_free(c);
}

static void finish(struct net_connect *c, struct net_stream *s, int status)
{
    struct net_connect last = *c; /* `done` may free what is around it */

    net_loop_event(net_target_loop(c->target));
    release(c);
    last.done(last.owner, s, status, last.address);
}

static void finish_came(struct net_deferred *d)
{
    struct net_connect *c = LIST_ENTRY(d, struct net_connect, finish);

    finish(c, NULL, c->error);
}

static void try_next(struct net_connect *c);

static void connected(uv_connect_t *req, int status)
{
    struct attempt *a = req->data;
    struct net_connect *c = a->connect;
    struct net_stream *s = a->stream;

    alloc_free(a);
    if (c == NULL) {
        return; /* cancelled: the stream is closing */
    }
    c->attempt = NULL;
    if (status < 0) {
        net_stream_close(s);
        c->error = status;
        try_next(c);
        return;
    }
    net_target_works(c->target, c->addresses, c->next - 1);
    finish(c, s, 0);
}

static int start_attempt(struct net_connect *c, const struct sockaddr *to)
{
    struct attempt *a = alloc_zero(1, sizeof(*a));
    int r;

    if (a == NULL) {
        return -ENOMEM;
    }
    r = net_stream_new(net_target_loop(c->target), to->sa_family, &a->stream);
    if (r < 0) {
        alloc_free(a);
        return r;
    }
    a->req.data = a;
    a->connect = c;
    uv_tcp_nodelay(net_stream_uv(a->stream), 1);
    net_stream_speaks_first(a->stream);
    r = uv_tcp_connect(&a->req, net_stream_uv(a->stream), to, connected);
    if (r < 0) {
        net_stream_close(a->stream);
        alloc_free(a);
        return r;
    }
    c->attempt = a;
    return 0;
}

static void patience_over(void *owner)
{
    struct net_connect *c = owner;

    abandon_attempt(c);
    c->error = -ETIMEDOUT;
    try_next(c);
}

/* The last address has as long as the caller likes. */
static void set_patience(struct net_connect *c)
{
    bool more = c->next < c->addresses->count;

    if (c->patience != NULL) {
        net_timer_at(c->patience,
                     more ? clock_monotonic_ns() + ADDRESS_FOR_MS * CLOCK_NS_PER_MS
                          : -1);
    }
}

/* Go on with the next address that can be tried; out of them, tell the owner later. */
static void try_next(struct net_connect *c)
{
    struct net_loop *l = net_target_loop(c->target);

    while (c->next < c->addresses->count) {
        const struct sockaddr *to = (const void *)&c->addresses->at[c->next++];
        int r;

        net_address_text(to, c->address, sizeof(c->address));
        r = start_attempt(c, to);
        if (r == 0) {
            set_patience(c);
            return;
        }
        c->error = r;
    }
    net_target_fails(c->target, c->addresses);
    net_defer(l, &c->finish);
}

static void resolved(struct net_target_waiter *w, int status,
                     struct net_addresses *addresses)
{
    struct net_connect *c = LIST_ENTRY(w, struct net_connect, waiter);
    struct net_loop *l = net_target_loop(c->target);

    if (status == 0) {
        addresses->refs++;
        c->addresses = addresses;
        if (addresses->count > 1) {
            c->patience = net_timer_new(l, patience_over, c);
            status = c->patience == NULL ? -ENOMEM : 0;
        }
    }
    if (status < 0) {
        c->error = status;
        net_defer(l, &c->finish);
        return;
    }
    try_next(c);
}

struct net_connect *net_connect_start(struct net_target *t,
                                      void (*done)(void *owner, struct net_stream *s,
                                                   int status, const char *address),
                                      void *owner)
{
    struct net_connect *c = alloc_zero(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->target = t;
    c->done = done;
    c->owner = owner;
    net_deferred_init(&c->finish, finish_came);
    net_target_ask(t, &c->waiter, resolved);
    return c;
}

void net_connect_cancel(struct net_connect *c)
{
    release(c);
}
