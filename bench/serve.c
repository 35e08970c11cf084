#include "bench/serve.h"

#include "bench/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, FIRST_ROOM = 16384, BACKLOG = 4096 };

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* The value of the first field `name` in an HTTP head; empty when there is none. */
static struct bytes field(struct bytes head, const char *name)
{
    size_t name_len = strlen(name);

    while (head.len > 0) {
        size_t end = bytes_find(head, bytes_of("\r\n"));
        struct bytes line = bytes_first(head, end);

        if (line.len > name_len && line.at[name_len] == ':' &&
            bytes_equal_nocase(bytes_first(line, name_len), bytes_of(name))) {
            return bytes_trim(bytes_from(line, name_len + 1));
        }
        head = bytes_from(head, end + 2 > head.len ? head.len : end + 2);
    }
    return head;
}

/* RFC 6455, section 4.2.2: SHA-1 of key and GUID, in base64. */
static int put_accept(struct buf *out, struct bytes key)
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    uint8_t text[4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1];
    struct buf joined = { 0 };
    int r = buf_put(&joined, key);

    r = r < 0 ? r : buf_put_text(&joined, guid);
    if (r == 0) {
        SHA1(joined.at, joined.len, digest);
        EVP_EncodeBlock(text, digest, SHA_DIGEST_LENGTH);
        r = buf_put_format(out,
                           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                           (const char *)text);
    }
    buf_deinit(&joined);
    return r;
}

static int answer_head(struct bench_peer *p)
{
    struct bytes head = bench_peer_head(p);
    struct bytes key;
    int r;

    if (head.len == 0) {
        return 0;
    }
    key = field(head, "Sec-WebSocket-Key");
    if (key.len == 0) {
        r = buf_put_text(&p->out, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
    } else {
        r = put_accept(&p->out, key);
        p->upgraded = true;
    }
    buf_drop(&p->in, head.len);
    return r;
}

/* True when `text` is "STREAM count size". */
static bool is_order(struct bytes text, uint64_t *count, size_t *size)
{
    static const char word[] = "STREAM ";
    const size_t word_len = sizeof word - 1;
    char copy[64];
    char *end;

    if (text.len >= sizeof copy || text.len < word_len ||
        memcmp(text.at, word, word_len) != 0) {
        return false;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *count = strtoull(copy + word_len, &end, 10);
    if (*end != ' ') {
        return false;
    }
    *size = strtoul(end + 1, &end, 10);
    return *end == '\0' && *count > 0 && *size > 0;
}

static int answer_frame(struct bench_peer *p, const struct bench_frame *f)
{
    uint64_t count;
    size_t size;

    if (f->opcode == BENCH_CLOSE) {
        p->leaving = true;
    }
    if (f->opcode == BENCH_PING) {
        return bench_frame_put(&p->out, BENCH_PONG, f->payload, false);
    }
    if (f->opcode == BENCH_TEXT && is_order(f->payload, &count, &size)) {
        return bench_peer_start_burst(p, count, size);
    }
    return bench_frame_put(&p->out, f->opcode, f->payload, false);
}

static int answer(void *owner, struct bench_peer *p)
{
    struct bench_frame frame;
    size_t used = 0;
    int r = 0;

    (void)owner;
    if (!p->upgraded) {
        r = answer_head(p);
    }
    if (!p->upgraded || r < 0) {
        return r;
    }
    while (r == 0 && bench_peer_next(p, &used, &frame)) {
        r = answer_frame(p, &frame);
    }
    buf_drop(&p->in, used);
    if (r == 0 && p->leaving) {
        r = bench_peer_flush(p);
        return r < 0 ? r : -ESHUTDOWN;
    }
    return r;
}

static void accept_all(int poll_fd, int listener, SSL_CTX *tls)
{
    struct bench_peer *p;
    int on = 1;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        p = bench_peer_new(poll_fd, fd, false, FIRST_ROOM); /* epoll has it from here */
        if (p != NULL && tls != NULL && bench_peer_start_tls(p, tls, true) < 0) {
            bench_peer_free(p);
        }
    }
}

/* The listening socket, registered with `poll_fd`, or a negative errno. */
static int start_listening(int poll_fd, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    socklen_t len = sizeof a;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0 ||
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        return -errno;
    }
    printf("{\"port\":%u}\n", ntohs(a.sin_port));
    return fflush(stdout) == 0 ? fd : -EIO;
}

static void handle(int poll_fd, int listener, SSL_CTX *tls,
                   const struct epoll_event *event)
{
    struct bench_peer *p = event->data.ptr;

    if (p == NULL) {
        accept_all(poll_fd, listener, tls);
    } else if (bench_peer_handle(p, event->events, answer, NULL) < 0) {
        bench_peer_free(p);
    }
}

/* `pem` has a key and its certificate. NULL when it cannot be used. */
static SSL_CTX *make_tls(const char *pem)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());

    if (c != NULL && SSL_CTX_use_certificate_chain_file(c, pem) == 1 &&
        SSL_CTX_use_PrivateKey_file(c, pem, SSL_FILETYPE_PEM) == 1) {
        return c;
    }
    SSL_CTX_free(c);
    return NULL;
}

int bench_serve(uint16_t port, const char *pem)
{
    SSL_CTX *tls = pem == NULL ? NULL : make_tls(pem);
    struct epoll_event events[EVENTS_MAX];
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = poll_fd < 0 ? -errno : start_listening(poll_fd, port);

    if (listener < 0 || (pem != NULL && tls == NULL)) {
        return listener < 0 ? listener : -EINVAL;
    }
    for (;;) {
        int count = epoll_wait(poll_fd, events, EVENTS_MAX, -1);

        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        for (int i = 0; i < count; i++) {
            handle(poll_fd, listener, tls, &events[i]);
        }
    }
}
