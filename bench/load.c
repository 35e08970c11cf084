#include "bench/load.h"

#include "base/clock.h"
#include "bench/peer.h"
#include "bench/samples.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    WINDOW = 64,           /* UPLOAD: messages in flight a connection */
    OPENING_MAX = 200,     /* but for CONNECT: connections not yet upgraded at a time */
    FAILED_MAX = 5000,     /* then the run makes no sense */
    SAMPLES_MAX = 4000000, /* latencies kept */
    WAIT_MS = 10,
};

#define DRAIN_NS (2 * CLOCK_NS_PER_S)
#define OPEN_NS  (60 * CLOCK_NS_PER_S) /* for all connections to open */
#define WARM_NS  (CLOCK_NS_PER_S / 5)  /* then, before anything is measured */

struct load {
    const struct bench_order *order;
    int poll_fd;
    SSL_CTX *tls;
    struct list peers;
    struct buf message; /* the frame that is sent, over and over */
    struct bench_samples latencies;
    bool waiting; /* nothing is said before all connections are open */
    bool draining;
    unsigned live;      /* connections open or opening */
    unsigned opening;   /* those of them that are not yet upgraded */
    unsigned in_flight; /* messages on their way, all connections */
    uint64_t opened, failed;
    uint64_t sent, received, received_bytes;
};

/* ---- messages ---- */

static int send_message(struct load *l, struct bench_peer *p)
{
    if (l->draining) {
        return 0;
    }
    if (l->order->mode == BENCH_PINGPONG) {
        p->sent_at_ns = clock_monotonic_ns();
    }
    p->in_flight++;
    l->in_flight++;
    l->sent++;
    return buf_put(&p->out, buf_bytes(&l->message));
}

static int order_stream(struct load *l, struct bench_peer *p)
{
    char text[64];
    int len = snprintf(text, sizeof text, "STREAM 4000000000 %zu", l->order->size);

    l->sent++;
    return bench_frame_put(&p->out, BENCH_TEXT, bytes_make(text, (size_t)len), true);
}

static int send_first(struct load *l, struct bench_peer *p)
{
    int r = 0;

    switch (l->order->mode) {
    case BENCH_STREAM:
        return order_stream(l, p);
    case BENCH_UPLOAD:
        for (unsigned i = 0; r == 0 && i < WINDOW; i++) {
            r = send_message(l, p);
        }
        return r;
    case BENCH_PINGPONG:
    case BENCH_CONNECT:
        return send_message(l, p);
    case BENCH_IDLE:
        return 0;
    }
    return -EINVAL;
}

static int take_echo(struct load *l, struct bench_peer *p)
{
    p->in_flight--;
    l->in_flight--;
    if (l->order->mode != BENCH_UPLOAD) {
        bench_samples_put(&l->latencies, clock_monotonic_ns() - p->sent_at_ns);
    }
    if (l->order->mode == BENCH_CONNECT) {
        p->leaving = true;
        return -ESHUTDOWN;
    }
    return send_message(l, p);
}

static int take_head(struct load *l, struct bench_peer *p)
{
    static const char status[] = "HTTP/1.1 101 ";
    struct bytes head = bench_peer_head(p);

    if (head.len == 0) {
        return 0;
    }
    if (memcmp(head.at, status, sizeof status - 1) != 0) {
        return -EPROTO;
    }
    buf_drop(&p->in, head.len);
    p->upgraded = true;
    l->opening--;
    l->opened++;
    return l->waiting ? 0 : send_first(l, p);
}

static int take_frames(struct load *l, struct bench_peer *p)
{
    struct bench_frame frame;
    size_t used = 0;
    int r = 0;

    while (r == 0 && bench_peer_next(p, &used, &frame)) {
        if (frame.opcode != BENCH_TEXT || frame.payload.len != l->order->size) {
            r = -EPROTO;
            break;
        }
        l->received++;
        l->received_bytes += frame.payload.len;
        if (l->order->mode != BENCH_STREAM) {
            r = take_echo(l, p);
        }
    }
    buf_drop(&p->in, used);
    return r;
}

static int take(void *owner, struct bench_peer *p)
{
    struct load *l = owner;
    int r = p->upgraded ? 0 : take_head(l, p);

    return r == 0 && p->upgraded ? take_frames(l, p) : r;
}

/* ---- connections ---- */

static int put_request(struct load *l, struct bench_peer *p)
{
    return buf_put_format(&p->out,
                          "GET /ws/test HTTP/1.1\r\nHost: localhost:%u\r\n"
                          "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          "Sec-WebSocket-Version: 13\r\n\r\n",
                          l->order->port);
}

/* A connecting socket, or a negative errno. */
static int start_connect(const struct bench_order *order)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(order->port) };
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0) {
        return -errno;
    }
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (order->mode == BENCH_CONNECT) { /* or the ports run out */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

static int open_connection(struct load *l)
{
    size_t first_room = l->order->mode == BENCH_IDLE ? 4096 : 262144;
    int fd = start_connect(l->order);
    struct bench_peer *p;

    if (fd < 0) {
        l->failed++;
        return 0;
    }
    p = bench_peer_new(l->poll_fd, fd, true, first_room);
    if (p == NULL) {
        return -ENOMEM;
    }
    list_append(&l->peers, &p->node);
    p->sent_at_ns = clock_monotonic_ns();
    if ((l->tls != NULL && bench_peer_start_tls(p, l->tls, false) < 0) ||
        put_request(l, p) < 0) {
        bench_peer_free(p);
        return -ENOMEM;
    }
    l->live++;
    l->opening++;
    return 0;
}

static void end_connection(struct load *l, struct bench_peer *p)
{
    if (!p->leaving) {
        l->failed++;
    }
    l->in_flight -= p->in_flight;
    l->live--;
    l->opening -= p->upgraded ? 0 : 1;
    bench_peer_free(p);
}

/* Another connection is due: up to `conns` at once, but for CONNECT no more than
 * OPENING_MAX of them before their upgrade. */
static bool wants_connection(const struct load *l)
{
    if (l->draining || l->live >= l->order->conns || l->failed > FAILED_MAX) {
        return false;
    }
    return l->order->mode == BENCH_CONNECT || l->opening < OPENING_MAX;
}

static int turn(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];
    int count;
    int r = 0;

    for (unsigned i = 0; r == 0 && i < EVENTS_MAX && wants_connection(l); i++) {
        r = open_connection(l);
    }
    count = epoll_wait(l->poll_fd, events, EVENTS_MAX, WAIT_MS);
    for (int i = 0; i < count; i++) {
        struct bench_peer *p = events[i].data.ptr;

        if (bench_peer_handle(p, events[i].events, take, l) < 0) {
            end_connection(l, p);
        }
    }
    return r;
}

/* ---- the run ---- */

static bool settled(const struct load *l)
{
    return l->in_flight == 0 && (l->order->mode != BENCH_CONNECT || l->live == 0);
}

/* What happened between two moments, or since the start. */
struct span {
    int64_t ns;
    uint64_t opened, received;
};

static struct span look(const struct load *l)
{
    return (struct span){ clock_monotonic_ns(), l->opened, l->received };
}

static struct span between(struct span from, struct span to)
{
    return (struct span){ to.ns - from.ns, to.opened - from.opened,
                          to.received - from.received };
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void print_result(struct load *l, struct span in_time)
{
    const struct bench_order *o = l->order;
    double secs = (double)in_time.ns / (double)CLOCK_NS_PER_S;
    double rate = (double)in_time.received / secs;

    bench_samples_sort(&l->latencies);
    printf("{\"mode\":\"%s\",\"conns\":%u,\"size\":%zu,\"secs\":%.3f,", o->mode_name,
           o->conns, o->size, secs);
    printf("\"opened\":%llu,\"failed\":%llu,", (unsigned long long)l->opened,
           (unsigned long long)l->failed);
    printf("\"opened_in_time\":%llu,\"received_in_time\":%llu,",
           (unsigned long long)in_time.opened, (unsigned long long)in_time.received);
    printf("\"msgs_s\":%.0f,\"MB_s\":%.1f,\"conn_s\":%.0f,", rate,
           rate * (double)o->size / 1e6, (double)in_time.opened / secs);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f,",
           bench_samples_percentile(&l->latencies, 50),
           bench_samples_percentile(&l->latencies, 99));
    printf("\"sent\":%llu,\"received\":%llu}\n", (unsigned long long)l->sent,
           (unsigned long long)l->received);
    fflush(stdout);
}

static int go_on(struct load *l, int64_t for_ns)
{
    int64_t end = clock_monotonic_ns() + for_ns;
    int r = 0;

    while (r == 0 && clock_monotonic_ns() < end && l->failed <= FAILED_MAX) {
        r = turn(l);
    }
    return r;
}

/* The first messages of all; those whose connection is over are found by its events. */
static int start_talking(struct load *l)
{
    int r = 0;

    l->waiting = false;
    for (struct list *n = l->peers.next; r == 0 && n != &l->peers; n = n->next) {
        struct bench_peer *p = LIST_ENTRY(n, struct bench_peer, node);

        if (p->upgraded) {
            r = send_first(l, p);
            bench_peer_flush(p);
        }
    }
    return r;
}

/* All connections, but for CONNECT, whose connections come and go. */
static int open_all(struct load *l)
{
    const struct bench_order *o = l->order;
    int64_t end = clock_monotonic_ns() + OPEN_NS;
    int r = 0;

    l->waiting = o->mode != BENCH_CONNECT;
    while (r == 0 && l->waiting && l->opened + l->failed < o->conns &&
           clock_monotonic_ns() < end) {
        r = turn(l);
    }
    return r < 0 || !l->waiting ? r : start_talking(l);
}

static int run_idle(struct load *l)
{
    struct span start = look(l);
    int r = open_all(l);

    print_result(l, between(start, look(l)));
    l->draining = true; /* those that end are not replaced */
    return r < 0 ? r : go_on(l, (int64_t)(l->order->secs * (double)CLOCK_NS_PER_S));
}

static int drain(struct load *l)
{
    int64_t end = clock_monotonic_ns() + DRAIN_NS;
    int r = 0;

    l->draining = true;
    while (r == 0 && !settled(l) && clock_monotonic_ns() < end) {
        r = turn(l);
    }
    return r;
}

static int run_timed(struct load *l)
{
    struct span start, in_time;
    int r = open_all(l);

    r = r < 0 ? r : go_on(l, WARM_NS);
    if (r < 0) {
        return r;
    }
    bench_samples_clear(&l->latencies);
    say(BENCH_SAYS_BEGIN);
    start = look(l);
    r = go_on(l, (int64_t)(l->order->secs * (double)CLOCK_NS_PER_S));
    in_time = between(start, look(l));
    say(BENCH_SAYS_END);
    r = r < 0 ? r : drain(l);
    if (r == 0) {
        print_result(l, in_time);
    }
    return r;
}

/* The payload of every message. */
static int put_text(const struct bench_order *order, struct buf *out)
{
    static const char head[] = "{\"n\":1,\"pad\":\"", tail[] = "\"}";
    size_t head_len = sizeof head - 1, tail_len = sizeof tail - 1;
    int r = buf_reserve(out, order->size);

    if (r < 0) {
        return r;
    }
    memset(out->at, 'x', order->size);
    out->len = order->size;
    if (order->json && order->size >= head_len + tail_len) {
        memcpy(out->at, head, head_len);
        memcpy(out->at + out->len - tail_len, tail, tail_len);
    }
    return 0;
}

static int prepare(struct load *l)
{
    struct buf text = { 0 };
    int r = bench_samples_init(&l->latencies, SAMPLES_MAX);

    r = r < 0 ? r : put_text(l->order, &text);
    if (r == 0) {
        r = bench_frame_put(&l->message, BENCH_TEXT, buf_bytes(&text), true);
    }
    buf_deinit(&text);
    if (r == 0 && l->order->tls) {
        l->tls = SSL_CTX_new(TLS_client_method());
        r = l->tls == NULL ? -ENOMEM : 0;
    }
    return r;
}

static void free_peers(struct load *l)
{
    while (!list_empty(&l->peers)) {
        bench_peer_free(LIST_ENTRY(l->peers.next, struct bench_peer, node));
    }
}

int bench_load(const struct bench_order *order)
{
    struct load l = { .order = order, .poll_fd = epoll_create1(EPOLL_CLOEXEC) };
    int r = l.poll_fd < 0 ? -errno : prepare(&l);

    list_init(&l.peers);
    if (r == 0) {
        r = order->mode == BENCH_IDLE ? run_idle(&l) : run_timed(&l);
    }
    free_peers(&l);
    SSL_CTX_free(l.tls);
    close(l.poll_fd);
    buf_deinit(&l.message);
    bench_samples_deinit(&l.latencies);
    return r;
}
