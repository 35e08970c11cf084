#include "base/err.h"
#include "net/net_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    PORT_TRIES = 16, /* port 0: until one is free on all addresses */
};

/* A listening descriptor, or a negative errno. */
static int listen_on(const struct sockaddr_storage *a)
{
    const int on = 1;
    const int off = 0;
    socklen_t len = a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                             : sizeof(struct sockaddr_in);
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
               sizeof(on)); /* accepted ones inherit */
    if (a->ss_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, (const struct sockaddr *)a, len) < 0 || listen(fd, BACKLOG) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage a = { 0 };
    socklen_t len = sizeof(a);

    getsockname(fd, (struct sockaddr *)&a, &len);
    return net_address_port(&a);
}

static void close_all(int *fds, size_t *count)
{
    while (*count > 0) {
        close(fds[--*count]);
    }
}

/* Listen on all addresses that this machine has, on the same port. `*bad` is the
 * address that failed when a negative errno is returned. */
static int listen_on_all(const struct net_addresses *a, int *fds, size_t *count,
                         struct sockaddr_storage *bad)
{
    uint16_t port = 0;
    int error = -EADDRNOTAVAIL;

    *count = 0;
    *bad = a->at[0];
    for (size_t i = 0; i < a->count && *count < NET_MOST_DOORS; i++) {
        struct sockaddr_storage one = a->at[i];
        int fd;

        if (port != 0) {
            net_address_set_port(&one, port);
        }
        fd = listen_on(&one);
        if (fd >= 0) {
            fds[(*count)++] = fd;
            port = port_of(fd);
        } else if (fd == -EADDRINUSE || fd == -EACCES) {
            close_all(fds, count);
            *bad = one;
            return fd;
        } else {
            error = fd; /* no such address here, or no IPv6 at all */
        }
    }
    return *count > 0 ? 0 : error;
}

static int listen_any_port(const struct net_addresses *a, bool any_port, int *fds,
                           size_t *count, struct sockaddr_storage *bad)
{
    int tries = any_port ? PORT_TRIES : 1;
    int r;

    do {
        r = listen_on_all(a, fds, count, bad);
    } while (r == -EADDRINUSE && --tries > 0);
    return r;
}

static int say_why_not(struct err *e, int error, const struct sockaddr_storage *a)
{
    char where[64];

    net_address_text((const struct sockaddr *)a, where, sizeof(where));
    if (error == -EADDRINUSE) {
        return err_set(e, error,
                       "%s is in use: stop what listens there, or choose another port "
                       "with --listen (port 0: any free one)",
                       where);
    }
    if (error == -EACCES) {
        return err_set(e, error,
                       "no permission to listen on %s: ports below 1024 are for root; "
                       "choose a higher one with --listen (port 0: any free one)",
                       where);
    }
    if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT) {
        return err_set(e, error,
                       "cannot listen on %s: this machine does not have that address; "
                       "choose another with --listen",
                       where);
    }
    return err_set(e, error, "cannot listen on %s: %s", where, net_error_text(error));
}

static int ask(struct net_loop *l, const char *host, uint16_t port,
               struct net_addresses **out)
{
    struct addrinfo hints = net_address_hints();
    uv_getaddrinfo_t req;
    int r = uv_getaddrinfo(&l->uv, &req, NULL, host, NULL, &hints);

    if (r < 0) {
        return net_address_error(r);
    }
    r = net_addresses_from(req.addrinfo, port, out);
    uv_freeaddrinfo(req.addrinfo);
    return r;
}

static int find(struct net_loop *l, const char *host, uint16_t port,
                struct net_addresses **out, struct err *e)
{
    int r = net_addresses_known(host, port, out);

    if (r == NET_ADDRESS_MUST_ASK) {
        r = ask(l, host, port, out);
    }
    if (r < 0) {
        return err_set(e, r,
                       "cannot listen on \"%s\": %s; give an address of this machine, "
                       "such as 127.0.0.1 or 0.0.0.0",
                       host, net_error_text(r));
    }
    return 0;
}

int net_bind(struct net_loop *l, const char *host, uint16_t port, int *fds,
             size_t *count, struct err *e)
{
    struct net_addresses *a;
    struct sockaddr_storage bad;
    int r = find(l, host, port, &a, e);

    if (r < 0) {
        return r;
    }
    r = listen_any_port(a, port == 0, fds, count, &bad);
    net_addresses_unref(a);
    return r < 0 ? say_why_not(e, r, &bad) : 0;
}
