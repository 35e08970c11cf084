#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/net_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Accepts with its own accept4 under uv_poll: libuv's listener, when descriptors run
 * out, accepts and drops whoever waits, where we want them to wait.
 */
enum {
    ACCEPTS_AT_ONCE = 256,
    PAUSE_MS = 100,
};

struct door {
    uv_poll_t uv;
    int fd;
    struct net_listener *listener;
    struct sockaddr_storage local; /* of all who come in; AF_UNSPEC: of any address */
};

struct net_listener {
    struct net_loop *loop;
    const struct net_listener_events *events;
    void *owner;
    struct net_timer *pause;
    bool troubled; /* the owner was told, and nothing was accepted since */
    bool freed;
    size_t count;
    size_t closing;
    struct door doors[NET_MOST_DOORS];
};

/* ---- accepting ---- */

static void door_came(uv_poll_t *h, int status, int events);

static void open_doors(struct net_listener *n)
{
    for (size_t i = 0; i < n->count; i++) {
        uv_poll_start(&n->doors[i].uv, UV_READABLE, door_came);
    }
}

static void pause_over(void *owner)
{
    open_doors(owner);
}

static void pause_accepting(struct net_listener *n, int error)
{
    bool tell = !n->troubled;

    for (size_t i = 0; i < n->count; i++) {
        uv_poll_stop(&n->doors[i].uv);
    }
    net_timer_at(n->pause, clock_monotonic_ns() + PAUSE_MS * CLOCK_NS_PER_MS);
    n->troubled = true;
    if (tell) {
        n->events->trouble(n->owner, error);
    }
}

static bool is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS ||
           error == -ENOMEM;
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct net_listener *n, const struct door *d)
{
    struct net_ends ends = { .local = d->local };
    socklen_t len = sizeof(ends.peer);
    struct net_stream *s;
    int fd = accept4(d->fd, (struct sockaddr *)&ends.peer, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    int r = fd < 0 ? -errno : net_stream_open(n->loop, fd, &s);

    if (r == 0) {
        struct net_loop *l = n->loop;

        n->troubled = false;
        net_loop_event(l);
        ends.stream = s;
        l->accepted = ends;
        n->events->accepted(n->owner, s);
        l->accepted.stream = NULL;
        return true;
    }
    if (is_shortage(r)) {
        pause_accepting(n, r);
        return false;
    }
    return r != -EAGAIN; /* the others are about the connection that did not come */
}

static void door_came(uv_poll_t *h, int status, int events)
{
    struct door *d = h->data;
    struct net_listener *n = d->listener;
    int left = ACCEPTS_AT_ONCE;

    (void)status;
    (void)events;
    net_loop_event(n->loop);
    while (left-- > 0 && !n->freed && accept_one(n, d)) {
    }
}

/* ---- life ---- */

static void door_closed(uv_handle_t *h)
{
    struct door *d = h->data;

    if (--d->listener->closing == 0) {
        alloc_free(d->listener);
    }
}

/* The listener goes with its last door. */
static void close_doors(struct net_listener *n)
{
    n->freed = true;
    n->closing = n->count;
    for (size_t i = 0; i < n->count; i++) {
        uv_close((uv_handle_t *)&n->doors[i].uv, door_closed);
        close(n->doors[i].fd);
    }
    if (n->count == 0) {
        alloc_free(n);
    }
}

static struct sockaddr_storage address_of(int fd)
{
    struct sockaddr_storage a = { 0 };
    socklen_t len = sizeof(a);

    getsockname(fd, (struct sockaddr *)&a, &len);
    return a;
}

/* Takes the descriptors over, whatever it returns. */
static int add_doors(struct net_listener *n, const int *fds, size_t count)
{
    int r = 0;

    for (size_t i = 0; i < count; i++) {
        struct door *d = &n->doors[n->count];

        if (r == 0) {
            r = uv_poll_init_socket(&n->loop->uv, &d->uv, fds[i]);
        }
        if (r < 0) {
            close(fds[i]);
            continue;
        }
        d->uv.data = d;
        d->fd = fds[i];
        d->local = address_of(fds[i]);
        if (net_address_is_any(&d->local)) {
            d->local.ss_family = AF_UNSPEC;
        }
        d->listener = n;
        n->count++;
    }
    return r;
}

static struct net_listener *make(struct net_loop *l,
                                 const struct net_listener_events *events, void *owner)
{
    struct net_listener *n = alloc_zero(1, sizeof(*n));

    if (n == NULL) {
        return NULL;
    }
    n->loop = l;
    n->events = events;
    n->owner = owner;
    n->pause = net_timer_new(l, pause_over, n);
    if (n->pause == NULL) {
        alloc_free(n);
        return NULL;
    }
    return n;
}

/* Host and port are one thing, as are *out and *e. */
/* NOLINTNEXTLINE(readability-function-size) */
int net_listener_new(struct net_loop *l, const char *host, uint16_t port,
                     const struct net_listener_events *events, void *owner,
                     struct net_listener **out, struct err *e)
{
    struct net_listener *n = make(l, events, owner);
    int fds[NET_MOST_DOORS];
    size_t count;
    int r;

    if (n == NULL) {
        return err_set(e, -ENOMEM, "out of memory");
    }
    r = net_bind(l, host, port, fds, &count, e);
    if (r < 0) {
        goto fail;
    }
    r = add_doors(n, fds, count);
    if (r < 0) {
        err_set(e, r, "cannot listen on \"%s\": %s", host, net_error_text(r));
        goto fail;
    }
    open_doors(n);
    *out = n;
    return 0;

fail:
    net_listener_free(n);
    return r;
}

uint16_t net_listener_port(const struct net_listener *n)
{
    struct sockaddr_storage a = address_of(n->doors[0].fd);

    return net_address_port(&a);
}

void net_listener_free(struct net_listener *n)
{
    if (n != NULL) {
        net_timer_free(n->pause);
        close_doors(n);
    }
}
