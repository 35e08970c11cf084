#include "net/stream.h"

#include "base/alloc.h"
#include "net/net_internal.h"
#include "net/queue.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A stream has two ends that finish on their own:
 *
 *   in:   open --FIN--> IN_OVER         (end 0)
 *   out:  open --net_stream_end--> OUT_ENDING --queue out--> OUT_OVER   (FIN sent)
 *   both: any --RST, failed write--> `failed` is set, what is written goes nowhere;
 *         TOLD once the owner knows     (end -errno)
 *
 * A failed write does not end the in side at once: what the peer sent before is still
 * in the kernel and is read first.
 */
enum {
    READ_ON = 1 << 0,
    IN_OVER = 1 << 1,
    OUT_ENDING = 1 << 2,
    OUT_OVER = 1 << 3,
    ABOVE_WATER = 1 << 4,
    TOLD = 1 << 5,
    CLOSING = 1 << 6,
    FINISHING = 1 << 7,
};

/* Bytes taken from one stream before others get their turn, in reads of a whole chunk.
 */
enum { READS_IN_A_ROW = 4 };

struct net_stream {
    uv_tcp_t uv;
    const struct net_stream_events *events;
    void *owner;
    struct net_queue *queue; /* NULL while the kernel takes everything */
    struct net_deferred tell;
    int failed; /* negative errno */
    unsigned flags;
};

static struct net_loop *loop_of(const struct net_stream *s)
{
    return s->uv.loop->data;
}

static int descriptor(const struct net_stream *s)
{
    int fd = -1;

    uv_fileno((const uv_handle_t *)&s->uv, &fd);
    return fd;
}

/* ---- ends ---- */

static void tell_end(struct net_stream *s, int status)
{
    if ((s->flags & (TOLD | CLOSING)) != 0) {
        return;
    }
    if (status < 0) {
        s->flags |= TOLD;
    }
    net_loop_event(loop_of(s));
    s->events->end(s->owner, s, status == -EPIPE ? -ECONNRESET : status);
}

static void tell_came(struct net_deferred *d)
{
    struct net_stream *s = LIST_ENTRY(d, struct net_stream, tell);

    tell_end(s, s->failed);
}

/* Will reading bring the failure up by itself, after the bytes before it? */
static bool reading_ends(int error)
{
    return error == -ECONNRESET || error == -EPIPE || error == -ETIMEDOUT;
}

static void fail_out(struct net_stream *s, int error)
{
    if (s->failed == 0) {
        s->failed = error;
    }
    if ((s->flags & IN_OVER) != 0 || !reading_ends(error)) {
        net_defer(loop_of(s), &s->tell);
    }
}

static void end_in(struct net_stream *s, int status)
{
    uv_read_stop((uv_stream_t *)&s->uv);
    s->flags |= IN_OVER;
    if (s->failed == 0) {
        s->failed = status;
    } else if (s->failed == -EPIPE && status == 0) {
        net_defer(loop_of(s), &s->tell); /* the FIN came first, then the reset */
        tell_end(s, 0);
        return;
    }
    tell_end(s, s->failed);
}

/* libuv says end of file also for a reset that comes together with the last bytes. */
static int kind_of_end(const struct net_stream *s)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(descriptor(s), SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        return -errno;
    }
    return error == EPIPE ? 0 : -error; /* EPIPE: reset, but after a FIN */
}

/* ---- reading ---- */

static void give_memory(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
    struct net_stream *s = h->data;
    struct net_loop *l = loop_of(s);

    (void)hint;
    *out = (uv_buf_t){ 0 };
    if (l->reading != s) {
        l->reading = s;
        l->reads = 0;
    }
    if (l->reads++ == READS_IN_A_ROW) {
        return;
    }
    if (l->chunk != NULL && l->chunk->refs == 1) {
        l->chunk_off = 0;
    } else if (l->chunk != NULL && l->chunk_off > l->chunk->cap / 2) {
        chunk_unref(l->chunk);
        l->chunk = NULL;
    }
    if (l->chunk == NULL) {
        l->chunk = chunk_pool_get(&l->pool);
        l->chunk_off = 0;
    }
    if (l->chunk != NULL) {
        out->base = (char *)l->chunk->data + l->chunk_off;
        out->len = l->chunk->cap - l->chunk_off;
    }
}

static void no_memory_came(struct net_stream *s)
{
    struct net_loop *l = loop_of(s);

    if (l->reads > READS_IN_A_ROW) {
        l->reading = NULL; /* enough for this time: libuv asks again in the next turn */
    } else {
        end_in(s, -ENOMEM);
    }
}

static void read_came(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct net_stream *s = h->data;
    struct net_loop *l = loop_of(s);
    struct slice in = { l->chunk, l->chunk_off, (size_t)n };

    (void)buf;
    if (n > 0) {
        l->chunk_off += (size_t)n;
        net_loop_event(l);
        s->events->bytes(s->owner, s, in);
        net_loop_event_done(l); /* may close this stream; it is freed later */
    } else if (n == UV_ENOBUFS) {
        no_memory_came(s);
    } else if (n == UV_EOF) {
        end_in(s, kind_of_end(s));
    } else if (n < 0) {
        end_in(s, (int)n);
    }
}

void net_stream_read(struct net_stream *s, bool on)
{
    if ((s->flags & (IN_OVER | CLOSING)) != 0 || on == ((s->flags & READ_ON) != 0)) {
        return;
    }
    s->flags ^= READ_ON;
    if (on) {
        assert(s->events != NULL);
        uv_read_start((uv_stream_t *)&s->uv, give_memory, read_came);
    } else {
        uv_read_stop((uv_stream_t *)&s->uv);
    }
}

/* ---- writing ---- */

static void send_fin(struct net_stream *s)
{
    s->flags |= OUT_OVER;
    shutdown(descriptor(s), SHUT_WR); /* when it fails, reading tells why */
}

/* The queue's flight came down: nothing of it is waiting, unless `status` is negative.
 */
static void flight_came(void *owner, int status)
{
    struct net_stream *s = owner;

    if ((s->flags & CLOSING) != 0) {
        net_queue_free(s->queue);
        s->queue = NULL;
        return;
    }
    if (status == 0) {
        status = net_queue_fly(s->queue, (uv_stream_t *)&s->uv, descriptor(s));
    }
    if (status < 0) {
        fail_out(s, status);
    }
    if (!net_queue_flying(s->queue)) {
        net_queue_free(s->queue);
        s->queue = NULL;
        if ((s->flags & OUT_ENDING) != 0) {
            send_fin(s);
        }
        if ((s->flags & FINISHING) != 0) {
            net_stream_close(s);
            return;
        }
    }
    if ((s->flags & ABOVE_WATER) != 0 && net_stream_queued(s) <= NET_LOW_WATER) {
        s->flags &= ~(unsigned)ABOVE_WATER;
        net_loop_event(loop_of(s));
        s->events->drained(s->owner, s);
    }
}

static int queue_rest(struct net_stream *s, struct slice rest)
{
    int r = 0;

    if (s->queue == NULL) {
        s->queue = net_queue_new(flight_came, s);
    }
    if (s->queue == NULL) {
        fail_out(s, -ENOMEM);
        return -ENOMEM;
    }
    r = net_queue_put(s->queue, rest);
    if (r == 0 && !net_queue_flying(s->queue)) {
        r = net_queue_fly(s->queue, (uv_stream_t *)&s->uv, -1);
    }
    if (r < 0) {
        fail_out(s, r); /* a part may be out already: nothing may follow */
    }
    if (!net_queue_flying(s->queue)) {
        net_queue_free(s->queue);
        s->queue = NULL;
    } else if (net_stream_queued(s) > NET_LOW_WATER) {
        s->flags |= ABOVE_WATER;
    }
    return r;
}

int net_stream_write(struct net_stream *s, struct slice out)
{
    struct bytes b = slice_bytes(out);
    ssize_t n = 0;

    if ((s->flags & (OUT_ENDING | CLOSING)) != 0) {
        return -EPIPE;
    }
    if (s->failed < 0 || b.len == 0) {
        return 0;
    }
    if (s->queue == NULL) {
        n = net_queue_try(descriptor(s), b);
        if (n == (ssize_t)b.len) {
            return 0;
        }
        if (n < 0) {
            fail_out(s, (int)n);
            return 0;
        }
    }
    out.off += (size_t)n;
    out.len -= (size_t)n;
    return queue_rest(s, out);
}

size_t net_stream_queued(const struct net_stream *s)
{
    if (s->queue == NULL || s->failed < 0) {
        return 0;
    }
    return net_queue_waiting(s->queue) +
           uv_stream_get_write_queue_size((const uv_stream_t *)&s->uv);
}

void net_stream_end(struct net_stream *s)
{
    if ((s->flags & (OUT_ENDING | CLOSING)) != 0) {
        return;
    }
    s->flags |= OUT_ENDING;
    if (s->queue == NULL) {
        send_fin(s);
    }
}

/* ---- life ---- */

static void stream_closed(uv_handle_t *h)
{
    struct net_stream *s = h->data;

    assert(s->queue == NULL);
    net_loop_release(loop_of(s));
    if (s->events != NULL) {
        net_loop_event(loop_of(s));
        s->events->closed(s->owner, s);
    }
    alloc_free(s);
}

static bool begin_close(struct net_stream *s)
{
    if ((s->flags & CLOSING) != 0) {
        return false;
    }
    s->flags |= CLOSING;
    net_deferred_cancel(&s->tell);
    return true;
}

void net_stream_reset(struct net_stream *s)
{
    if (begin_close(s) && uv_tcp_close_reset(&s->uv, stream_closed) < 0) {
        uv_close((uv_handle_t *)&s->uv, stream_closed);
    }
}

void net_stream_close(struct net_stream *s)
{
    if (begin_close(s)) {
        uv_close((uv_handle_t *)&s->uv, stream_closed);
    }
}

void net_stream_finish(struct net_stream *s)
{
    if (s->queue == NULL || s->failed < 0) {
        net_stream_close(s);
    } else {
        s->flags |= FINISHING;
    }
}

int net_stream_new(struct net_loop *l, int family, struct net_stream **out)
{
    struct net_stream *s = alloc_zero(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return -ENOMEM;
    }
    r = uv_tcp_init_ex(&l->uv, &s->uv, (unsigned)family);
    if (r < 0) {
        alloc_free(s);
        return r;
    }
    s->uv.data = s;
    net_loop_hold(l);
    net_deferred_init(&s->tell, tell_came);
    *out = s;
    return 0;
}

int net_stream_open(struct net_loop *l, int fd, struct net_stream **out)
{
    struct net_stream *s;
    int r = net_stream_new(l, AF_UNSPEC, &s);

    if (r < 0) {
        close(fd);
        return r;
    }
    r = uv_tcp_open(&s->uv, fd);
    if (r < 0) {
        close(fd);
        net_stream_close(s);
        return r;
    }
    *out = s;
    return 0;
}

void net_stream_speaks_first(struct net_stream *s)
{
    const int off = 0;

    setsockopt(descriptor(s), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
}

uv_tcp_t *net_stream_uv(struct net_stream *s)
{
    return &s->uv;
}

void net_stream_own(struct net_stream *s, const struct net_stream_events *events,
                    void *owner)
{
    s->events = events;
    s->owner = owner;
}

/* ---- addresses ---- */

void net_stream_peer(const struct net_stream *s, char *out, size_t cap)
{
    const struct net_ends *known = &loop_of(s)->accepted;
    struct sockaddr_storage a = { 0 };
    int len = sizeof(a);

    if (known->stream == s) {
        a = known->peer;
    } else if (uv_tcp_getpeername(&s->uv, (struct sockaddr *)&a, &len) < 0) {
        a.ss_family = AF_UNSPEC;
    }
    net_address_text((const struct sockaddr *)&a, out, cap);
}

void net_stream_local(const struct net_stream *s, char *out, size_t cap)
{
    const struct net_ends *known = &loop_of(s)->accepted;
    struct sockaddr_storage a = { 0 };
    int len = sizeof(a);

    if (known->stream == s && known->local.ss_family != AF_UNSPEC) {
        a = known->local;
    } else if (uv_tcp_getsockname(&s->uv, (struct sockaddr *)&a, &len) < 0) {
        a.ss_family = AF_UNSPEC;
    }
    net_address_text((const struct sockaddr *)&a, out, cap);
}
