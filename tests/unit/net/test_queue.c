/* Writes and reads that come while others are under way. */
#include "tests/unit/net/fixture.h"

#include "base/alloc.h"
#include "net/net_internal.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ALL = 1 << 20, LONGEST = 24000 };

/* What is written in bursts, and read a little at a time. */
static struct {
    int fd;
    size_t sent, got;
    uint32_t number;
    uint8_t bytes[LONGEST];
} flow;

static uint32_t next_number(void)
{
    flow.number = flow.number * 1664525U + 1013904223U;
    return flow.number >> 8;
}

/* The kernel takes as much as it likes: all, or up to a border between two pieces, a
 * byte more or a byte less. */
ssize_t some_sendmsg(int fd, const struct msghdr *m, int flags) __asm__("sendmsg");

ssize_t some_sendmsg(int fd, const struct msghdr *m, int flags)
{
    struct iovec pieces[64];
    struct msghdr part = *m;
    size_t last = next_number() % m->msg_iovlen, less = next_number() % 3;

    if (m->msg_iovlen > sizeof(pieces) / sizeof(*pieces) || next_number() % 2 == 0) {
        return syscall(SYS_sendmsg, fd, m, flags);
    }
    memcpy(pieces, m->msg_iov, m->msg_iovlen * sizeof(*pieces));
    part.msg_iov = pieces;
    part.msg_iovlen = last + 1;
    if (pieces[last].iov_len > 2) {
        pieces[last].iov_len -= less;
    }
    return syscall(SYS_sendmsg, fd, &part, flags);
}

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at ^ at >> 8 ^ at >> 16);
}

/* Mostly small ones, which the queue copies next to one another. */
static void write_one(struct end *to)
{
    size_t len = 1 + next_number() % (next_number() % 16 == 0 ? LONGEST : 300);

    len = len < ALL - flow.sent ? len : ALL - flow.sent;
    for (size_t i = 0; i < len; i++) {
        flow.bytes[i] = byte_at(flow.sent + i);
    }
    assert_int_equal(end_write(to, flow.bytes, len), 0);
    flow.sent += len;
}

static void read_some(void)
{
    size_t most = 1 + next_number() % LONGEST;
    ssize_t n = recv(flow.fd, flow.bytes, most, MSG_DONTWAIT);

    for (ssize_t i = 0; i < n; i++) {
        if (flow.bytes[i] != byte_at(flow.got + (size_t)i)) {
            fail_msg("byte %zu differs", flow.got + (size_t)i);
        }
    }
    flow.got += n > 0 ? (size_t)n : 0;
}

/* Once a turn of the loop. */
static bool all_came(struct fixture *f)
{
    for (uint32_t i = next_number() % 12; i > 0 && flow.sent < ALL; i--) {
        write_one(&f->a);
    }
    read_some();
    return flow.got == ALL;
}

static struct net_timer *turner;

static void keep_turning(void *owner)
{
    (void)owner;
    net_timer_at(turner, 0);
}

/* No turn waits for anything. */
static void turn_on(struct fixture *f)
{
    turner = net_timer_new(f->loop, keep_turning, NULL);
    assert_non_null(turner);
    net_timer_at(turner, 0);
}

static void turn_off(void)
{
    net_timer_free(turner);
}

/* The kernel keeps little of what is written. */
static void start(struct fixture *f)
{
    const int small = 4096;
    int fd = -1;

    fixture_init(f);
    flow.fd = fixture_peer(f);
    flow.sent = flow.got = 0;
    flow.number = 1;
    assert_int_equal(uv_fileno((uv_handle_t *)net_stream_uv(f->a.s), &fd), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
}

static void writes_during_a_flight_keep_their_place(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    turn_on(&f);
    fixture_until(&f, all_came);
    turn_off();
    close(flow.fd);
    fixture_deinit(&f);
}

static bool fin_came(struct fixture *f)
{
    ssize_t n;

    (void)f;
    do {
        n = recv(flow.fd, flow.bytes, sizeof(flow.bytes), MSG_DONTWAIT);
        flow.got += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    return n == 0;
}

/* Even the shortest queue goes before the FIN. */
static void fin_goes_behind_a_byte(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    for (; net_stream_queued(f.a.s) == 0; flow.sent++) {
        assert_int_equal(end_write(&f.a, "x", 1), 0);
    }
    assert_int_equal(net_stream_queued(f.a.s), 1);
    end_fin(&f.a);
    turn_on(&f);
    fixture_until(&f, fin_came);
    assert_int_equal(flow.got, flow.sent);
    turn_off();
    close(flow.fd);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_during_a_flight_keep_their_place),
        cmocka_unit_test(fin_goes_behind_a_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
