#include "base/alloc.h"
#include "net/net_internal.h"

struct net_signal {
    uv_signal_t uv;
    void (*fire)(void *owner, int number);
    void *owner;
};

static void signal_came(uv_signal_t *h, int number)
{
    struct net_signal *s = h->data;

    net_loop_event(h->loop->data);
    s->fire(s->owner, number);
}

static void signal_closed(uv_handle_t *h)
{
    alloc_free(h->data);
}

struct net_signal *net_signal_new(struct net_loop *l, int number,
                                  void (*fire)(void *owner, int number), void *owner)
{
    struct net_signal *s = alloc_zero(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->fire = fire;
    s->owner = owner;
    if (uv_signal_init(&l->uv, &s->uv) < 0) {
        alloc_free(s);
        return NULL;
    }
    s->uv.data = s;
    if (uv_signal_start(&s->uv, signal_came, number) < 0) {
        uv_close((uv_handle_t *)&s->uv, signal_closed);
        return NULL;
    }
    uv_unref((uv_handle_t *)&s->uv);
    return s;
}

void net_signal_free(struct net_signal *s)
{
    if (s != NULL) {
        uv_close((uv_handle_t *)&s->uv, signal_closed);
    }
}
