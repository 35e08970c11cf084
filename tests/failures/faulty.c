#include "tests/failures/faulty.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What the C library's own are called. */
int faulty_socket(int domain, int type, int protocol) __asm__("socket");
int faulty_connect(int fd, const struct sockaddr *to, socklen_t len) __asm__("connect");
int faulty_accept4(int fd, struct sockaddr *from, socklen_t *len,
                   int flags) __asm__("accept4");
int faulty_shutdown(int fd, int how) __asm__("shutdown");
ssize_t faulty_read(int fd, void *out, size_t len) __asm__("read");
ssize_t faulty_writev(int fd, const struct iovec *iov, int count) __asm__("writev");
ssize_t faulty_write(int fd, const void *at, size_t len) __asm__("write");
ssize_t faulty_sendmsg(int fd, const struct msghdr *m, int flags) __asm__("sendmsg");
ssize_t faulty_send(int fd, const void *at, size_t len, int flags) __asm__("send");
int faulty_ftruncate(int fd, off_t len) __asm__("ftruncate");
int faulty_fdatasync(int fd) __asm__("fdatasync");

enum { PARTS_MAX = 64 };

static struct faulty now;
static unsigned long left;
static bool hit;

void faulty_arm(const struct faulty *f)
{
    now = *f;
    left = f->nth;
    hit = false;
    if (f->what == FAULTY_MEMORY) {
        alloc_fail_at(f->nth);
    }
}

bool faulty_disarm(void)
{
    bool memory = alloc_fail_clear();

    now.what = FAULTY_NOTHING;
    now.no_cut = false;
    return memory || hit;
}

static bool is_tcp(int fd)
{
    int domain = 0, error = errno;
    socklen_t len = sizeof(domain);
    bool is = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
              (domain == AF_INET || domain == AF_INET6);

    errno = error;
    return is;
}

static bool is_file(int fd)
{
    struct stat s;

    return fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
}

/* Is this the call that fails? */
static bool is_due(enum faulty_what what, int fd)
{
    if (now.what != what || (now.fd != 0 && now.fd != fd)) {
        return false;
    }
    if (left > 0) {
        left--;
        return false;
    }
    hit = true;
    if (!now.lasts) {
        now.what = FAULTY_NOTHING;
    }
    return true;
}

static int fail_with(int error)
{
    errno = error;
    return -1;
}

/* ---- calls that have no bytes ---- */

int faulty_socket(int domain, int type, int protocol)
{
    if ((domain == AF_INET || domain == AF_INET6) && is_due(FAULTY_SOCKET, -1)) {
        return fail_with(now.error);
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}

int faulty_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    if (is_tcp(fd) && is_due(FAULTY_CONNECT, fd)) {
        struct sockaddr_in other = { .sin_family = AF_INET };

        if (now.how != FAULTY_ELSEWHERE) {
            return fail_with(now.error);
        }
        other.sin_port = htons(now.port);
        other.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return (int)syscall(SYS_connect, fd, &other, sizeof(other));
    }
    return (int)syscall(SYS_connect, fd, to, len);
}

int faulty_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    if (is_due(FAULTY_ACCEPT, fd)) {
        return fail_with(now.error);
    }
    return (int)syscall(SYS_accept4, fd, from, len, flags);
}

/* The connection is gone, as far as this end is concerned. */
static int lose(int fd)
{
    syscall(SYS_shutdown, fd, SHUT_RDWR);
    return fail_with(now.error);
}

int faulty_shutdown(int fd, int how)
{
    if (is_due(FAULTY_SHUTDOWN, fd)) {
        return lose(fd);
    }
    return (int)syscall(SYS_shutdown, fd, how);
}

ssize_t faulty_read(int fd, void *out, size_t len)
{
    if (now.what == FAULTY_READ && is_tcp(fd) && is_due(FAULTY_READ, fd)) {
        return fail_with(now.error);
    }
    return syscall(SYS_read, fd, out, len);
}

/* ---- sending ---- */

static void reset_peer(int fd)
{
    struct linger hard = { .l_onoff = 1 };
    int none = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    /* Closes the connection, and keeps the number for who holds it. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    dup2(none, fd);
    close(none);
}

static ssize_t send_flipped(int fd, const struct iovec *iov, int count)
{
    uint8_t *bytes = iov[count - 1].iov_base;
    size_t at = iov[count - 1].iov_len / 2;
    ssize_t n;

    bytes[at] ^= 1;
    n = syscall(SYS_writev, fd, iov, count);
    bytes[at] ^= 1;
    return n;
}

/* At most half of the bytes. */
static ssize_t send_half(int fd, const struct iovec *iov, int count)
{
    struct iovec parts[PARTS_MAX];
    size_t all = 0, kept = 0;
    int n = 0;

    for (int i = 0; i < count; i++) {
        all += iov[i].iov_len;
    }
    while (n < PARTS_MAX && n < count && kept < all / 2) {
        parts[n] = iov[n];
        if (kept + parts[n].iov_len > all / 2) {
            parts[n].iov_len = all / 2 - kept;
        }
        kept += parts[n++].iov_len;
    }
    if (now.error != 0) { /* the next one fails */
        now.what = FAULTY_TAPE_WRITE;
        now.how = FAULTY_ERROR;
        left = 0;
    }
    return syscall(SYS_writev, fd, parts, n);
}

static ssize_t send_badly(int fd, const struct iovec *iov, int count)
{
    switch (now.how) {
    case FAULTY_SHORT:
        return send_half(fd, iov, count);
    case FAULTY_FLIP:
        return send_flipped(fd, iov, count);
    case FAULTY_FIN:
        return lose(fd);
    case FAULTY_RESET:
        reset_peer(fd);
        return fail_with(now.error);
    case FAULTY_ERROR:
    case FAULTY_ELSEWHERE:
        break;
    }
    return fail_with(now.error);
}

static bool fails(int fd)
{
    return now.what == FAULTY_SEND ? is_tcp(fd) && is_due(FAULTY_SEND, fd)
           : now.what == FAULTY_TAPE_WRITE
               ? is_file(fd) && is_due(FAULTY_TAPE_WRITE, fd)
               : false;
}

ssize_t faulty_writev(int fd, const struct iovec *iov, int count)
{
    return fails(fd) ? send_badly(fd, iov, count) : syscall(SYS_writev, fd, iov, count);
}

ssize_t faulty_write(int fd, const void *at, size_t len)
{
    struct iovec one = { .iov_len = len };

    memcpy(&one.iov_base, &at, sizeof(at));
    return fails(fd) ? send_badly(fd, &one, 1) : syscall(SYS_write, fd, at, len);
}

ssize_t faulty_sendmsg(int fd, const struct msghdr *m, int flags)
{
    return fails(fd) ? send_badly(fd, m->msg_iov, (int)m->msg_iovlen)
                     : syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t faulty_send(int fd, const void *at, size_t len, int flags)
{
    struct iovec one = { .iov_len = len };

    memcpy(&one.iov_base, &at, sizeof(at));
    return fails(fd) ? send_badly(fd, &one, 1)
                     : syscall(SYS_sendto, fd, at, len, flags, NULL, 0);
}

/* ---- the tape ---- */

int faulty_ftruncate(int fd, off_t len)
{
    if (now.no_cut && is_file(fd)) {
        return fail_with(EIO);
    }
    return (int)syscall(SYS_ftruncate, fd, len);
}

int faulty_fdatasync(int fd)
{
    if (is_due(FAULTY_TAPE_SYNC, fd)) {
        return fail_with(now.error);
    }
    return (int)syscall(SYS_fdatasync, fd);
}
