#include "bench/peer.h"

#include "base/alloc.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_ROOM = 4096,        /* never read with less room than this */
    TLS_WRITE_MAX = 65536,   /* one SSL_write */
    BURST_BYTES = 65536,     /* one pass of a burst, at least */
    BURST_PASSES_A_TURN = 8, /* then the other connections have their turn */
};

static int watch(struct bench_peer *p, int operation, bool for_write)
{
    struct epoll_event event = { .data.ptr = p, .events = EPOLLIN };

    if (for_write) {
        event.events |= EPOLLOUT;
    }
    p->wants_write = for_write;
    return epoll_ctl(p->poll_fd, operation, p->fd, &event) < 0 ? -errno : 0;
}

struct bench_peer *bench_peer_new(int poll_fd, int fd, bool connecting,
                                  size_t first_room)
{
    struct bench_peer *p = alloc_zero(1, sizeof *p);

    if (p == NULL) {
        close(fd);
        return NULL;
    }
    list_init(&p->node);
    p->poll_fd = poll_fd;
    p->fd = fd;
    if (buf_reserve(&p->in, first_room) < 0 ||
        watch(p, EPOLL_CTL_ADD, connecting) < 0) {
        bench_peer_free(p);
        return NULL;
    }
    return p;
}

void bench_peer_free(struct bench_peer *p)
{
    if (p == NULL) {
        return;
    }
    list_remove(&p->node);
    SSL_free(p->ssl);
    close(p->fd);
    buf_deinit(&p->in);
    buf_deinit(&p->out);
    buf_deinit(&p->burst.frames);
    alloc_free(p);
}

int bench_peer_start_tls(struct bench_peer *p, SSL_CTX *context, bool as_server)
{
    p->ssl = SSL_new(context);
    if (p->ssl == NULL || SSL_set_fd(p->ssl, p->fd) != 1) {
        return -ENOMEM;
    }
    if (as_server) {
        SSL_set_accept_state(p->ssl);
    } else {
        SSL_set_connect_state(p->ssl);
    }
    SSL_set_mode(p->ssl,
                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return 0;
}

/* ---- frames ---- */

/* Four bytes of key repeated over the payload, eight bytes at a time. */
static void mask(uint8_t *at, size_t len, const uint8_t key[4])
{
    uint8_t twice[8];
    uint64_t wide;
    size_t i = 0;

    memcpy(twice, key, 4);
    memcpy(twice + 4, key, 4);
    memcpy(&wide, twice, sizeof wide);
    for (; i + sizeof wide <= len; i += sizeof wide) {
        uint64_t v;

        memcpy(&v, at + i, sizeof v);
        v ^= wide;
        memcpy(at + i, &v, sizeof v);
    }
    for (; i < len; i++) {
        at[i] ^= key[i % 4];
    }
}

/* The big-endian length in `count` bytes. */
static void put_length(uint8_t *at, size_t len, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        at[i] = (uint8_t)(len >> (8 * (count - 1 - i)));
    }
}

static uint64_t get_length(const uint8_t *at, size_t count)
{
    uint64_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len = len << 8 | at[i];
    }
    return len;
}

static size_t make_header(uint8_t head[10], uint8_t opcode, size_t len, bool masked)
{
    size_t extra = len < 126 ? 0 : len < 65536 ? 2 : 8;
    unsigned short_len = extra == 0 ? (unsigned)len : extra == 2 ? 126 : 127;

    head[0] = (uint8_t)(0x80U | opcode);
    head[1] = (uint8_t)((masked ? 0x80U : 0U) | short_len);
    put_length(head + 2, len, extra);
    return 2 + extra;
}

int bench_frame_put(struct buf *out, uint8_t opcode, struct bytes payload, bool masked)
{
    static const uint8_t key[4] = { 0x12, 0x34, 0x56, 0x78 };
    uint8_t head[10];
    size_t head_len = make_header(head, opcode, payload.len, masked);

    if (buf_reserve(out, head_len + sizeof key + payload.len) < 0) {
        return -ENOMEM;
    }
    buf_put(out, bytes_make(head, head_len));
    if (masked) {
        buf_put(out, bytes_make(key, sizeof key));
    }
    buf_put(out, payload);
    if (masked) {
        mask(out->at + out->len - payload.len, payload.len, key);
    }
    return 0;
}

bool bench_peer_next(struct bench_peer *p, size_t *at, struct bench_frame *out)
{
    uint8_t *head = p->in.at + *at;
    size_t left = p->in.len - *at;
    size_t head_len = 2;
    uint64_t len;
    bool masked;

    if (left < head_len) {
        return false;
    }
    masked = (head[1] & 0x80U) != 0;
    len = head[1] & 0x7fU;
    if (len >= 126) {
        size_t extra = len == 126 ? 2 : 8;

        head_len += extra;
        if (left < head_len) {
            return false;
        }
        len = get_length(head + 2, extra);
    }
    head_len += masked ? 4 : 0;
    if (left < head_len || left - head_len < len) {
        return false;
    }
    if (masked) {
        mask(head + head_len, (size_t)len, head + head_len - 4);
    }
    out->opcode = head[0] & 0x0fU;
    out->payload = bytes_make(head + head_len, (size_t)len);
    *at += head_len + (size_t)len;
    return true;
}

int bench_peer_start_burst(struct bench_peer *p, uint64_t count, size_t size)
{
    struct bench_burst *b = &p->burst;
    uint8_t *text = alloc_get(size);
    int r = text == NULL ? -ENOMEM : 0;

    buf_clear(&b->frames);
    b->per_pass = 0;
    if (r == 0) {
        memset(text, 'x', size);
    }
    while (r == 0 && b->frames.len < BURST_BYTES) {
        r = bench_frame_put(&b->frames, BENCH_TEXT, bytes_make(text, size), false);
        b->per_pass++;
    }
    alloc_free(text);
    b->done = 0;
    b->passes = r == 0 ? (count + b->per_pass - 1) / b->per_pass : 0;
    return r;
}

struct bytes bench_peer_head(const struct bench_peer *p)
{
    struct bytes in = buf_bytes(&p->in);
    size_t at = bytes_find(in, bytes_of("\r\n\r\n"));

    return bytes_first(in, at == in.len ? 0 : at + 4);
}

/* ---- input and output ---- */

/* Bytes moved, -EAGAIN, or another negative errno. */
static ssize_t tls_result(struct bench_peer *p, int r)
{
    if (r > 0) {
        return r;
    }
    switch (SSL_get_error(p->ssl, r)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    default:
        return -ECONNRESET;
    }
}

static ssize_t send_some(struct bench_peer *p, struct bytes b)
{
    ssize_t r;

    if (p->ssl != NULL) {
        int len = (int)(b.len > TLS_WRITE_MAX ? TLS_WRITE_MAX : b.len);

        return tls_result(p, SSL_write(p->ssl, b.at, len));
    }
    r = send(p->fd, b.at, b.len, MSG_NOSIGNAL);
    return r < 0 ? -errno : r;
}

static ssize_t receive_some(struct bench_peer *p, uint8_t *at, size_t room)
{
    ssize_t r;

    if (p->ssl != NULL) {
        return tls_result(p, SSL_read(p->ssl, at, (int)room));
    }
    r = recv(p->fd, at, room, 0);
    if (r == 0) {
        return -ECONNRESET;
    }
    return r < 0 ? -errno : r;
}

/* What goes out next: replies between two passes of a burst, else the burst. */
static struct bytes next_out(const struct bench_peer *p)
{
    if (p->out_done < p->out.len && p->burst.done == 0) {
        return bytes_from(buf_bytes(&p->out), p->out_done);
    }
    if (p->burst.passes > 0) {
        return bytes_from(buf_bytes(&p->burst.frames), p->burst.done);
    }
    return (struct bytes){ NULL, 0 };
}

static void count_out(struct bench_peer *p, size_t len)
{
    if (p->out_done < p->out.len && p->burst.done == 0) {
        p->out_done += len;
        if (p->out_done == p->out.len) {
            p->out_done = 0;
            buf_clear(&p->out);
        }
        return;
    }
    p->burst.done += len;
    if (p->burst.done == p->burst.frames.len) {
        p->burst.done = 0;
        p->burst.passes--;
    }
}

int bench_peer_flush(struct bench_peer *p)
{
    struct bytes next = next_out(p);
    int passes = 0;

    while (next.len > 0 && passes++ < BURST_PASSES_A_TURN) {
        ssize_t r = send_some(p, next);

        if (r == -EAGAIN) {
            break;
        }
        if (r < 0) {
            return (int)r;
        }
        count_out(p, (size_t)r);
        next = next_out(p);
    }
    if ((next.len > 0) != p->wants_write) {
        return watch(p, EPOLL_CTL_MOD, next.len > 0);
    }
    return 0;
}

static int fill(struct bench_peer *p)
{
    ssize_t r;

    if (buf_reserve(&p->in, READ_ROOM) < 0) {
        return -ENOMEM;
    }
    r = receive_some(p, p->in.at + p->in.len, p->in.cap - p->in.len);
    if (r == -EAGAIN) {
        return 0;
    }
    if (r < 0) {
        return (int)r;
    }
    p->in.len += (size_t)r;
    return 0;
}

int bench_peer_handle(struct bench_peer *p, uint32_t events,
                      int (*data)(void *owner, struct bench_peer *p), void *owner)
{
    int r = 0;

    if ((events & EPOLLOUT) != 0) {
        r = bench_peer_flush(p);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
        return r;
    }
    do { /* TLS may have read more from the socket than it gave */
        r = r < 0 ? r : fill(p);
        r = r < 0 ? r : data(owner, p);
        r = r < 0 ? r : bench_peer_flush(p);
    } while (r == 0 && p->ssl != NULL && SSL_pending(p->ssl) > 0);
    return r;
}
