/*
 * bench/relay - the yardstick: a bare TCP relay, with or without a log.
 *
 *   relay LISTEN-PORT UPSTREAM-PORT [--log FILE]
 *
 * Every connection to 127.0.0.1:LISTEN-PORT (0: any free one; {"port":N} is printed) is
 * tunnelled to UPSTREAM-PORT. It looks at nothing. Without a log it forwards at once.
 * With a log it does what a recorder at least must do: all that was read in one turn of
 * the loop is appended to FILE with one writev, and only then sent on. What wstape
 * costs more than this is the price of parsing, encoding and records.
 *
 * Reading pauses while more than QUEUE_HIGH bytes wait for the other side. Buffers are
 * pooled. An end of file passes as one, an error ends both connections.
 */
#include "base/alloc.h"
#include "base/chunk.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

enum {
    READ_LEN = 64 * 1024,
    QUEUE_HIGH = 256 * 1024,
    READS_IN_A_ROW = 4, /* of one end, before others have their turn */
    SPARE_CHUNKS = 256,
    BACKLOG = 1024,
};

struct end {
    uv_tcp_t tcp; /* first: a handle is its end */
    struct pair *pair;
    struct end *peer;
    size_t queued; /* bytes on their way to this end, this turn's included */
    bool paused;   /* reading */
};

struct pair {
    struct relay *relay;
    struct end client;
    struct end server;
    uv_connect_t connect;
    uv_shutdown_t shutdowns[2];
    unsigned shutdown_count;
    unsigned open_handles;
    bool closing;
};

/* Something read in this turn, kept until the log has it. */
struct piece {
    struct end *to;
    struct chunk *chunk; /* NULL: the end of file */
    size_t len;
};

struct relay {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_prepare_t before_sleep;
    uv_check_t after_events;
    struct sockaddr_in upstream;
    struct chunk_pool pool;
    struct end *reading; /* the end being read from, so many times in a row */
    unsigned reads;
    int log_fd; /* -1: none */
    struct piece *pieces;
    size_t piece_count, piece_cap;
};

struct pending_write {
    uv_write_t request; /* first: a request is its write */
    struct end *to;
    struct chunk *chunk;
    size_t len;
};

static void die(const char *what, int error)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(error));
    exit(3);
}

static void *must(void *at)
{
    if (at == NULL) {
        die("memory", ENOMEM);
    }
    return at;
}

/* ---- ends ---- */

static void handle_closed(uv_handle_t *handle)
{
    struct pair *pair = ((struct end *)(void *)handle)->pair;

    if (--pair->open_handles == 0) {
        alloc_free(pair);
    }
}

static void close_pair(struct pair *pair)
{
    if (!pair->closing) {
        pair->closing = true;
        uv_close((uv_handle_t *)&pair->client.tcp, handle_closed);
        uv_close((uv_handle_t *)&pair->server.tcp, handle_closed);
    }
}

/* Offers nothing when the end had its turn: libuv then goes on to the next one and
 * comes back after the loop has slept, which costs less than to stop reading and start
 * again. */
static void offer_chunk(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct end *from = (struct end *)(void *)handle;
    struct relay *r = from->pair->relay;
    struct chunk *c;

    (void)suggested;
    if (r->reading != from) {
        r->reading = from;
        r->reads = 0;
    }
    if (r->reads++ == READS_IN_A_ROW) {
        *out = uv_buf_init(NULL, 0);
        return;
    }
    c = must(chunk_pool_get(&r->pool));
    *out = uv_buf_init((char *)c->data, READ_LEN);
}

static void handle_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf);

static void resume(struct end *from)
{
    if (from->paused && from->peer->queued <= QUEUE_HIGH && !from->pair->closing) {
        from->paused = false;
        uv_read_start((uv_stream_t *)&from->tcp, offer_chunk, handle_read);
    }
}

static void pause_when_full(struct end *from)
{
    if (!from->paused && from->peer->queued > QUEUE_HIGH) {
        from->paused = true;
        uv_read_stop((uv_stream_t *)&from->tcp);
    }
}

/* ---- sending ---- */

static void handle_written(uv_write_t *request, int status)
{
    struct pending_write *w = (struct pending_write *)(void *)request;
    struct end *to = w->to;

    to->queued -= w->len;
    chunk_unref(w->chunk);
    alloc_free(w);
    if (status < 0) {
        close_pair(to->pair);
    } else {
        resume(to->peer);
    }
}

/* Takes over the chunk's reference. */
static void write_rest(struct end *to, struct chunk *chunk, size_t off, size_t len)
{
    struct pending_write *w = must(alloc_get(sizeof *w));
    uv_buf_t buf = uv_buf_init((char *)chunk->data + off, (unsigned)(len - off));

    w->to = to;
    w->chunk = chunk;
    w->len = len - off;
    to->queued -= off;
    if (uv_write(&w->request, (uv_stream_t *)&to->tcp, &buf, 1, handle_written) < 0) {
        close_pair(to->pair);
        chunk_unref(chunk);
        alloc_free(w);
    }
}

static void handle_shut(uv_shutdown_t *request, int status)
{
    struct pair *pair = request->data;

    if (status < 0 || ++pair->shutdown_count == 2) {
        close_pair(pair);
    }
}

static void send_end(struct end *to)
{
    uv_shutdown_t *request = &to->pair->shutdowns[to == &to->pair->client];

    request->data = to->pair;
    if (uv_shutdown(request, (uv_stream_t *)&to->tcp, handle_shut) < 0) {
        close_pair(to->pair);
    }
}

/* Takes over the piece's chunk. */
static void send_piece(struct piece p)
{
    struct end *to = p.to;
    uv_buf_t buf;
    int sent;

    if (p.chunk == NULL) {
        if (!to->pair->closing) {
            send_end(to);
        }
        return;
    }
    if (to->pair->closing) {
        chunk_unref(p.chunk);
        return;
    }
    buf = uv_buf_init((char *)p.chunk->data, (unsigned)p.len);
    sent = uv_try_write((uv_stream_t *)&to->tcp, &buf, 1);
    if (sent == UV_EAGAIN) {
        sent = 0;
    }
    if (sent >= 0 && (size_t)sent < p.len) {
        write_rest(to, p.chunk, (size_t)sent, p.len);
        return;
    }
    to->queued -= p.len;
    chunk_unref(p.chunk);
    if (sent < 0) {
        close_pair(to->pair);
    }
}

/* ---- the log ---- */

static void write_all(int fd, struct iovec *v, int count)
{
    while (count > 0) {
        ssize_t r = writev(fd, v, count);

        if (r < 0) {
            die("log", errno);
        }
        while (count > 0 && (size_t)r >= v->iov_len) {
            r -= (ssize_t)v->iov_len;
            v++;
            count--;
        }
        if (count > 0) {
            v->iov_base = (char *)v->iov_base + r;
            v->iov_len -= (size_t)r;
        }
    }
}

static void write_log(struct relay *r)
{
    struct iovec v[IOV_MAX];
    int count = 0;

    for (size_t i = 0; i < r->piece_count; i++) {
        if (r->pieces[i].chunk == NULL) {
            continue;
        }
        v[count].iov_base = r->pieces[i].chunk->data;
        v[count++].iov_len = r->pieces[i].len;
        if (count == IOV_MAX) {
            write_all(r->log_fd, v, count);
            count = 0;
        }
    }
    write_all(r->log_fd, v, count);
}

static void end_turn(struct relay *r)
{
    r->reading = NULL;
    if (r->piece_count == 0) {
        return;
    }
    write_log(r);
    for (size_t i = 0; i < r->piece_count; i++) {
        send_piece(r->pieces[i]);
    }
    for (size_t i = 0; i < r->piece_count; i++) {
        resume(r->pieces[i].to->peer);
    }
    r->piece_count = 0;
}

static void handle_prepare(uv_prepare_t *handle)
{
    end_turn(handle->data);
}

static void handle_check(uv_check_t *handle)
{
    end_turn(handle->data);
}

static void keep_piece(struct relay *r, struct piece p)
{
    if (r->piece_count == r->piece_cap) {
        r->piece_cap = r->piece_cap == 0 ? 256 : 2 * r->piece_cap;
        r->pieces = must(alloc_resize(r->pieces, r->piece_cap * sizeof *r->pieces));
    }
    r->pieces[r->piece_count++] = p;
}

/* ---- reading ---- */

static struct chunk *chunk_of(const uv_buf_t *buf)
{
    return (struct chunk *)(void *)(buf->base - offsetof(struct chunk, data));
}

static void handle_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct end *from = (struct end *)(void *)stream;
    struct relay *r = from->pair->relay;
    struct piece p = { .to = from->peer };

    if (len > 0) {
        p.chunk = chunk_of(buf);
        p.len = (size_t)len;
    } else if (buf->base != NULL) {
        chunk_unref(chunk_of(buf));
    }
    if (len == 0 || len == UV_ENOBUFS) {
        return;
    }
    if (len < 0 && len != UV_EOF) {
        close_pair(from->pair);
        return;
    }
    from->peer->queued += p.len;
    if (r->log_fd >= 0) {
        keep_piece(r, p);
    } else {
        send_piece(p);
    }
    if (!from->pair->closing) {
        pause_when_full(from);
    }
}

/* ---- connections ---- */

static void start_reading(struct end *from)
{
    uv_tcp_nodelay(&from->tcp, 1);
    uv_read_start((uv_stream_t *)&from->tcp, offer_chunk, handle_read);
}

static void handle_connected(uv_connect_t *request, int status)
{
    struct pair *pair = request->data;

    if (pair->closing) {
        return;
    }
    if (status < 0) {
        close_pair(pair);
        return;
    }
    start_reading(&pair->client);
    start_reading(&pair->server);
}

static void init_end(struct pair *pair, struct end *end, struct end *peer)
{
    end->pair = pair;
    end->peer = peer;
    uv_tcp_init(&pair->relay->loop, &end->tcp);
    pair->open_handles++;
}

static void handle_connection(uv_stream_t *listener, int status)
{
    struct relay *r = listener->data;
    struct pair *pair;

    if (status < 0) {
        return;
    }
    pair = must(alloc_zero(1, sizeof *pair));
    pair->relay = r;
    pair->connect.data = pair;
    init_end(pair, &pair->client, &pair->server);
    init_end(pair, &pair->server, &pair->client);
    if (uv_accept(listener, (uv_stream_t *)&pair->client.tcp) < 0 ||
        uv_tcp_connect(&pair->connect, &pair->server.tcp,
                       (const struct sockaddr *)&r->upstream, handle_connected) < 0) {
        close_pair(pair);
    }
}

static void start_listening(struct relay *r, unsigned port)
{
    struct sockaddr_in a;
    int len = sizeof a;
    int e;

    uv_ip4_addr("127.0.0.1", (int)port, &a);
    uv_tcp_init(&r->loop, &r->listener);
    r->listener.data = r;
    e = uv_tcp_bind(&r->listener, (const struct sockaddr *)&a, 0);
    e = e < 0 ? e : uv_listen((uv_stream_t *)&r->listener, BACKLOG, handle_connection);
    e = e < 0 ? e : uv_tcp_getsockname(&r->listener, (struct sockaddr *)&a, &len);
    if (e < 0) {
        die("listen", -e);
    }
    printf("{\"port\":%u}\n", ntohs(a.sin_port));
    fflush(stdout);
}

static void start_turns(struct relay *r)
{
    uv_prepare_init(&r->loop, &r->before_sleep);
    uv_check_init(&r->loop, &r->after_events);
    r->before_sleep.data = r;
    r->after_events.data = r;
    uv_prepare_start(&r->before_sleep, handle_prepare);
    uv_check_start(&r->after_events, handle_check);
}

static int open_log(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0) {
        die(path, errno);
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct relay r = { .log_fd = -1 };
    uint64_t port, upstream;

    if ((argc != 3 && argc != 5) || (argc == 5 && strcmp(argv[3], "--log") != 0) ||
        text_parse_number(argv[1], 0, 65535, &port) < 0 ||
        text_parse_number(argv[2], 1, 65535, &upstream) < 0) {
        fputs("usage: relay LISTEN-PORT UPSTREAM-PORT [--log FILE]\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    chunk_pool_init(&r.pool, READ_LEN, SPARE_CHUNKS);
    uv_loop_init(&r.loop);
    uv_ip4_addr("127.0.0.1", (int)upstream, &r.upstream);
    if (argc == 5) {
        r.log_fd = open_log(argv[4]);
    }
    start_turns(&r);
    start_listening(&r, (unsigned)port);
    return uv_run(&r.loop, UV_RUN_DEFAULT);
}
