#include "tests/failures/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_S = 10 };

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

int peer_listen(int backlog, uint16_t *port)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        listen(fd, backlog) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
        abort();
    }
    *port = ntohs(a.sin_port);
    return fd;
}

static bool begin(struct peer *p, int fd, SSL_CTX *tls, bool accepts)
{
    struct timeval patience = { .tv_sec = PATIENCE_S };
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *p = (struct peer){ .fd = fd };
    if (tls == NULL) {
        return true;
    }
    p->ssl = SSL_new(tls);
    if (p->ssl == NULL || SSL_set_fd(p->ssl, fd) != 1) {
        abort();
    }
    errno = 0;
    if ((accepts ? SSL_accept(p->ssl) : SSL_connect(p->ssl)) == 1) {
        return true;
    }
    p->hung = errno == EAGAIN;
    return false;
}

int peer_dial(uint16_t port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool peer_connect(struct peer *p, uint16_t port, SSL_CTX *tls)
{
    int fd = peer_dial(port);

    return fd >= 0 && begin(p, fd, tls, false);
}

/* Something came that is not just TLS's own affair. */
static bool is_over(struct peer *p)
{
    int flags = fcntl(p->fd, F_GETFL), n;
    bool waits;
    char one;

    if (p->ssl == NULL) {
        return recv(p->fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
    }
    fcntl(p->fd, F_SETFL, flags | O_NONBLOCK);
    n = SSL_peek(p->ssl, &one, 1);
    waits = n <= 0 && SSL_get_error(p->ssl, n) == SSL_ERROR_WANT_READ;
    fcntl(p->fd, F_SETFL, flags);
    return !waits;
}

bool peer_accept(struct peer *p, int listener, struct peer *client, SSL_CTX *tls)
{
    struct pollfd fds[2] = { { listener, POLLIN, 0 }, { client->fd, POLLIN, 0 } };

    for (;;) {
        if (poll(fds, 2, PATIENCE_S * 1000) <= 0) {
            p->hung = true;
            return false;
        }
        if (fds[0].revents != 0) {
            int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

            return fd >= 0 && begin(p, fd, tls, true);
        }
        if (is_over(client)) {
            return false;
        }
    }
}

bool peer_say(struct peer *p, const void *at, size_t len)
{
    const uint8_t *next = at;
    ssize_t n = 1;

    while (len > 0) {
        n = p->ssl != NULL ? SSL_write(p->ssl, next, (int)len)
                           : send(p->fd, next, len, MSG_NOSIGNAL);
        if (n <= 0) {
            p->hung = p->hung || errno == EAGAIN;
            return false;
        }
        next += n;
        len -= (size_t)n;
    }
    return true;
}

static ssize_t hear_some(struct peer *p, void *out, size_t len)
{
    ssize_t n;

    errno = 0;
    n = p->ssl != NULL ? SSL_read(p->ssl, out, (int)len) : recv(p->fd, out, len, 0);
    p->hung = p->hung || (n < 0 && errno == EAGAIN);
    return n;
}

bool peer_hear(struct peer *p, void *out, size_t len)
{
    uint8_t *next = out;

    while (len > 0) {
        ssize_t n = hear_some(p, next, len);

        if (n <= 0) {
            return false;
        }
        next += n;
        len -= (size_t)n;
    }
    return true;
}

bool peer_hear_end(struct peer *p)
{
    char one;

    return hear_some(p, &one, 1) <= 0 && !p->hung;
}

void peer_fin(struct peer *p)
{
    if (p->ssl != NULL) {
        SSL_shutdown(p->ssl);
    }
    shutdown(p->fd, SHUT_WR);
}

void peer_close(struct peer *p)
{
    SSL_free(p->ssl);
    if (p->fd > 0) {
        close(p->fd);
    }
    ERR_clear_error();
    *p = (struct peer){ 0 };
}
