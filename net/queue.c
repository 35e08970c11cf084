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
    /* For more, libuv needs memory, and counts a write that it did not start. The
     * flight is only there to wait until the kernel takes more; then the rest is tried
     * again. */
    FLIGHT_BUFS = 4,
};

struct slices {
    struct slice *at;
    size_t count;
    size_t cap;
};

struct net_queue {
    uv_write_t req;
    struct slices slices;
    size_t flying; /* of `slices`, the first ones: under way */
    size_t waiting_len;
    bool tail_is_ours; /* the last slice waits, and is a copy that may grow in its chunk
                        */
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

static void slices_drop(struct slices *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        chunk_unref(s->at[i].chunk);
    }
    s->count -= count;
    if (s->count > 0) {
        memmove(s->at, s->at + count, s->count * sizeof(*s->at));
    }
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
    assert(q->flying == 0);
    slices_drop(&q->slices, q->slices.count);
    alloc_free(q->slices.at);
    alloc_free(q);
}

static bool fits_tail(const struct net_queue *q, size_t len)
{
    const struct slice *tail;

    if (!q->tail_is_ours) {
        return false;
    }
    tail = &q->slices.at[q->slices.count - 1];
    return tail->chunk->cap - tail->off - tail->len >= len;
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
        r = slices_add(&q->slices, (struct slice){ .chunk = c });
        if (r < 0) {
            chunk_unref(c);
            return r;
        }
        q->tail_is_ours = true;
    }
    tail = &q->slices.at[q->slices.count - 1];
    memcpy(tail->chunk->data + tail->off + tail->len, in.at, in.len);
    tail->len += in.len;
    return 0;
}

static int put_reference(struct net_queue *q, struct slice s)
{
    int r = slices_add(&q->slices, s);

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
    return q->flying > 0;
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

/* Take `sent` bytes off the front. */
static void drop_sent(struct net_queue *q, size_t sent)
{
    struct slices *s = &q->slices;
    size_t gone = 0;

    q->waiting_len -= sent;
    while (gone < s->count && s->at[gone].len <= sent) {
        sent -= s->at[gone].len;
        gone++;
    }
    slices_drop(s, gone);
    if (sent > 0) {
        s->at[0].off += sent;
        s->at[0].len -= sent;
    }
}

static int try_waiting(struct net_queue *q, int fd)
{
    struct iovec bufs[TRY_BUFS];
    const struct slices *s = &q->slices;

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
        drop_sent(q, (size_t)sent);
        if ((size_t)sent < all) {
            return 0;
        }
    }
    return 0;
}

static void flight_landed(uv_write_t *req, int status)
{
    struct net_queue *q = req->data;

    slices_drop(&q->slices, q->flying);
    q->flying = 0;
    q->landed(q->owner, status);
}

static int start_flight(struct net_queue *q, uv_stream_t *stream)
{
    uv_buf_t bufs[FLIGHT_BUFS];
    size_t count = q->slices.count < FLIGHT_BUFS ? q->slices.count : FLIGHT_BUFS;
    size_t len = 0;
    int r;

    for (size_t i = 0; i < count; i++) {
        const struct slice *s = &q->slices.at[i];

        bufs[i] = uv_buf_init((char *)s->chunk->data + s->off, (unsigned)s->len);
        len += s->len;
    }
    r = uv_write(&q->req, stream, bufs, (unsigned)count, flight_landed);
    if (r < 0) {
        return r;
    }
    q->flying = count;
    q->waiting_len -= len;
    if (count == q->slices.count) {
        q->tail_is_ours = false;
    }
    return 0;
}

int net_queue_fly(struct net_queue *q, uv_stream_t *stream, int fd)
{
    int r = 0;

    assert(q->flying == 0);
    if (fd >= 0) {
        r = try_waiting(q, fd);
    }
    if (q->slices.count == 0) {
        q->tail_is_ours = false;
    }
    return r < 0 || q->slices.count == 0 ? r : start_flight(q, stream);
}
