#include "net/queue.h"

#include "base/alloc.h"
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

enum {
    COPY_BELOW = NET_READ_CHUNK / 4,
    COPY_CHUNK = 16 * 1024, /* copies share chunks of at most this */
    TRY_BUFS = 64,
};

struct slices {
    struct slice *at;
    size_t count;
    size_t cap;
};

struct net_queue {
    uv_write_t req;
    struct slices flight;
    struct slices waiting;
    size_t waiting_len;
    bool flying;
    bool tail_is_ours; /* the last waiting slice is a copy and may grow in its chunk */
    void (*landed)(void *owner, int status);
    void *owner;
};

static int slices_add(struct slices *s, struct slice one)
{
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 4 : s->cap * 2;
        struct slice *at = alloc_resize(s->at, cap * sizeof(*at));

        if (at == NULL) {
            return -ENOMEM;
        }
        s->at = at;
        s->cap = cap;
    }
    s->at[s->count++] = one;
    return 0;
}

static void slices_clear(struct slices *s)
{
    for (size_t i = 0; i < s->count; i++) {
        chunk_unref(s->at[i].chunk);
    }
    s->count = 0;
}

struct net_queue *net_queue_new(void (*landed)(void *owner, int status), void *owner)
{
    struct net_queue *q = alloc_zero(1, sizeof(*q));

    if (q != NULL) {
        q->req.data = q;
        q->landed = landed;
        q->owner = owner;
    }
    return q;
}

void net_queue_free(struct net_queue *q)
{
    if (q == NULL) {
        return;
    }
    assert(!q->flying);
    slices_clear(&q->flight);
    slices_clear(&q->waiting);
    alloc_free(q->flight.at);
    alloc_free(q->waiting.at);
    alloc_free(q);
}

static bool fits_tail(const struct net_queue *q, size_t len)
{
    const struct slice *tail;

    if (!q->tail_is_ours) {
        return false;
    }
    tail = &q->waiting.at[q->waiting.count - 1];
    return tail->chunk->cap - tail->len >= len;
}

static int put_copy(struct net_queue *q, struct bytes in)
{
    /* One of exact size when little waits, more room the more there is. */
    size_t cap = q->waiting_len < COPY_CHUNK ? q->waiting_len : COPY_CHUNK;
    struct slice *tail;
    struct chunk *c;
    int r;

    if (!fits_tail(q, in.len)) {
        c = chunk_new(cap > in.len ? cap : in.len);
        if (c == NULL) {
            return -ENOMEM;
        }
        r = slices_add(&q->waiting, (struct slice){ .chunk = c });
        if (r < 0) {
            chunk_unref(c);
            return r;
        }
        q->tail_is_ours = true;
    }
    tail = &q->waiting.at[q->waiting.count - 1];
    memcpy(tail->chunk->data + tail->len, in.at, in.len);
    tail->len += in.len;
    return 0;
}

static int put_reference(struct net_queue *q, struct slice s)
{
    int r = slices_add(&q->waiting, s);

    if (r < 0) {
        return r;
    }
    chunk_ref(s.chunk);
    q->tail_is_ours = false;
    return 0;
}

int net_queue_put(struct net_queue *q, struct slice s)
{
    int r = s.len < COPY_BELOW ? put_copy(q, slice_bytes(s)) : put_reference(q, s);

    if (r == 0) {
        q->waiting_len += s.len;
    }
    return r;
}

size_t net_queue_waiting(const struct net_queue *q)
{
    return q->waiting_len;
}

bool net_queue_flying(const struct net_queue *q)
{
    return q->flying;
}

static ssize_t try_bufs(int fd, struct iovec *bufs, size_t count)
{
    struct msghdr m = { .msg_iov = bufs, .msg_iovlen = count };
    ssize_t n;

    do {
        n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return n;
    }
    return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
}

ssize_t net_queue_try(int fd, struct bytes b)
{
    ssize_t n;

    do {
        n = send(fd, b.at, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return n;
    }
    return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
}

/* Take `sent` bytes off the front of the flight. */
static void drop_sent(struct slices *s, size_t sent)
{
    size_t gone = 0;

    while (gone < s->count && s->at[gone].len <= sent) {
        sent -= s->at[gone].len;
        chunk_unref(s->at[gone].chunk);
        gone++;
    }
    s->count -= gone;
    memmove(s->at, s->at + gone, s->count * sizeof(*s->at));
    if (sent > 0) {
        s->at[0].off += sent;
        s->at[0].len -= sent;
    }
}

static int try_flight(struct slices *s, int fd)
{
    struct iovec bufs[TRY_BUFS];

    while (s->count > 0) {
        size_t n = s->count < TRY_BUFS ? s->count : TRY_BUFS;
        size_t all = 0;
        ssize_t sent;

        for (size_t i = 0; i < n; i++) {
            bufs[i].iov_base = s->at[i].chunk->data + s->at[i].off;
            bufs[i].iov_len = s->at[i].len;
            all += s->at[i].len;
        }
        sent = try_bufs(fd, bufs, n);
        if (sent < 0) {
            return (int)sent;
        }
        drop_sent(s, (size_t)sent);
        if ((size_t)sent < all) {
            return 0;
        }
    }
    return 0;
}

static void flight_landed(uv_write_t *req, int status)
{
    struct net_queue *q = req->data;

    slices_clear(&q->flight);
    q->flying = false;
    q->landed(q->owner, status);
}

static int start_flight(struct net_queue *q, uv_stream_t *stream)
{
    uv_buf_t few[4];
    uv_buf_t *bufs = few;
    size_t count = q->flight.count;
    int r;

    if (count > sizeof(few) / sizeof(few[0])) {
        bufs = alloc_get(count * sizeof(*bufs));
        if (bufs == NULL) {
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct slice *s = &q->flight.at[i];

        bufs[i] = uv_buf_init((char *)s->chunk->data + s->off, (unsigned)s->len);
    }
    r = uv_write(&q->req, stream, bufs, (unsigned)count, flight_landed);
    if (bufs != few) {
        alloc_free(bufs);
    }
    q->flying = r == 0;
    return r;
}

int net_queue_fly(struct net_queue *q, uv_stream_t *stream, int fd)
{
    struct slices empty = q->flight;
    int r;

    assert(!q->flying && empty.count == 0);
    q->flight = q->waiting;
    q->waiting = empty;
    q->waiting_len = 0;
    q->tail_is_ours = false;
    if (fd >= 0) {
        r = try_flight(&q->flight, fd);
        if (r < 0) {
            return r;
        }
    }
    return q->flight.count == 0 ? 0 : start_flight(q, stream);
}
