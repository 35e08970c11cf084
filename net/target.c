#include "net/target.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { KEEP_S = 10 };

/* A question to the resolver; outlives its target until the answer is there. */
struct question {
    uv_getaddrinfo_t req;
    struct net_target *target; /* NULL: nobody wants to know any more */
};

struct net_target {
    struct net_loop *loop;
    struct list waiters;
    struct net_addresses *known; /* NULL: ask */
    int64_t known_until;
    struct question *question; /* under way */
    uint16_t port;
    char host[];
};

struct net_loop *net_target_loop(const struct net_target *t)
{
    return t->loop;
}

struct net_target *net_target_new(struct net_loop *l, const char *host, uint16_t port)
{
    size_t len = strlen(host) + 1;
    struct net_target *t = alloc_zero(1, sizeof(*t) + len);

    if (t != NULL) {
        t->loop = l;
        t->port = port;
        list_init(&t->waiters);
        memcpy(t->host, host, len);
    }
    return t;
}

static void keep(struct net_target *t, struct net_addresses *a)
{
    net_addresses_unref(t->known);
    t->known = a;
    t->known_until = clock_monotonic_ns() + KEEP_S * CLOCK_NS_PER_S;
}

static void answer_all(struct net_target *t, int status, struct net_addresses *a)
{
    struct list batch; /* who asks while we answer waits for the next answer */

    list_init(&batch);
    while (!list_empty(&t->waiters)) {
        struct list *node = t->waiters.next;

        list_remove(node);
        list_append(&batch, node);
    }
    while (!list_empty(&batch)) {
        struct net_target_waiter *w =
            LIST_ENTRY(batch.next, struct net_target_waiter, node);

        list_remove(&w->node);
        w->resolved(w, status, a);
    }
}

static void answer_came(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct question *q = req->data;
    struct net_target *t = q->target;
    struct net_addresses *a = NULL;
    int r = status < 0 ? net_address_error(status) : 0;

    alloc_free(q);
    if (t == NULL) {
        uv_freeaddrinfo(list);
        return;
    }
    t->question = NULL;
    if (r == 0) {
        r = net_addresses_from(list, t->port, &a);
    }
    uv_freeaddrinfo(list);
    if (r == 0) {
        keep(t, a);
    }
    answer_all(t, r, a);
}

static int ask(struct net_target *t)
{
    struct addrinfo hints = net_address_hints();
    struct question *q = alloc_zero(1, sizeof(*q));
    int r;

    if (q == NULL) {
        return -ENOMEM;
    }
    q->req.data = q;
    q->target = t;
    r = uv_getaddrinfo(&t->loop->uv, &q->req, answer_came, t->host, NULL, &hints);
    if (r < 0) {
        alloc_free(q);
        return net_address_error(r);
    }
    t->question = q;
    return 0;
}

/* 0 when `known` is good; NET_ADDRESS_MUST_ASK, or a negative errno. */
static int look_up(struct net_target *t)
{
    struct net_addresses *a;
    int r;

    if (t->known != NULL && clock_monotonic_ns() < t->known_until) {
        return 0;
    }
    r = net_addresses_known(t->host, t->port, &a);
    if (r == 0) {
        keep(t, a);
    }
    return r;
}

void net_target_ask(struct net_target *t, struct net_target_waiter *w,
                    void (*resolved)(struct net_target_waiter *w, int status,
                                     struct net_addresses *addresses))
{
    int r = look_up(t);

    list_init(&w->node);
    w->resolved = resolved;
    if (r == NET_ADDRESS_MUST_ASK) {
        r = t->question == NULL ? ask(t) : 0;
        if (r == 0) {
            list_append(&t->waiters, &w->node);
            return;
        }
    }
    resolved(w, r, t->known);
}

void net_target_forget(struct net_target_waiter *w)
{
    list_remove(&w->node);
}

void net_target_works(struct net_target *t, const struct net_addresses *a, size_t which)
{
    struct sockaddr_storage first;

    /* Held by us and by the connect that asks: another one may be half through it. */
    if (a != t->known || which == 0 || a->refs > 2) {
        return;
    }
    first = t->known->at[which];
    memmove(&t->known->at[1], &t->known->at[0], which * sizeof(first));
    t->known->at[0] = first;
}

void net_target_fails(struct net_target *t, const struct net_addresses *a)
{
    if (a == t->known) {
        net_addresses_unref(t->known);
        t->known = NULL;
    }
}

void net_target_free(struct net_target *t)
{
    if (t == NULL) {
        return;
    }
    assert(list_empty(&t->waiters));
    if (t->question != NULL) {
        t->question->target = NULL;
        uv_cancel((uv_req_t *)&t->question->req);
    }
    net_addresses_unref(t->known);
    alloc_free(t);
}
