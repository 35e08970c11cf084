#include "base/alloc.h"
#include "tests/unit/net/fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BIG = 24 * 1024 * 1024 }; /* more than any kernel buffer holds */

static void send_all(int fd, const void *at, size_t len)
{
    assert_int_equal(send(fd, at, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Close so that the kernel sends RST. */
static void reset_fd(int fd)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(fd);
}

static void wait_readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&p, 1, 10000), 1);
}

/* The descriptor of the accepted stream: the one that is bound to the listener's port.
 */
static int accepted_fd(const struct fixture *f)
{
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_in local;
        struct sockaddr_in peer;
        socklen_t local_len = sizeof(local);
        socklen_t peer_len = sizeof(peer);

        if (getsockname(fd, (struct sockaddr *)&local, &local_len) == 0 &&
            getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            ntohs(local.sin_port) == f->port) {
            return fd;
        }
    }
    fail_msg("no accepted socket");
    return -1;
}

/* Until the kernel has seen the reset on our side. */
static void wait_reset(int fd)
{
    struct pollfd p = { .fd = fd };

    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_true((p.revents & POLLHUP) != 0);
}

/* ---- what tests wait for ---- */

static bool a_got_5(struct fixture *f)
{
    return f->a.got.len == 5;
}

static bool b_got_5(struct fixture *f)
{
    return f->b.got.len == 5;
}

static bool a_ended(struct fixture *f)
{
    return f->a.end_count > 0;
}

static bool a_ended_twice(struct fixture *f)
{
    return f->a.end_count > 1;
}

static bool b_ended(struct fixture *f)
{
    return f->b.end_count > 0;
}

static bool both_ended(struct fixture *f)
{
    return f->a.end_count > 0 && f->b.end_count > 0;
}

static bool a_closed(struct fixture *f)
{
    return f->a.closed > 0;
}

static bool b_got_big(struct fixture *f)
{
    return f->b.got_len == BIG;
}

static bool a_drained(struct fixture *f)
{
    return f->a.drained > 0;
}

/* ---- tests ---- */

static void echoes(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_pair(&f);
    f.a.echo = true;
    end_read(&f.a, true);
    end_read(&f.b, true);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(end_write(&f.b, "hello", 5), 0);
        fixture_until(&f, b_got_5);
        assert_memory_equal(f.b.got.at, "hello", 5);
        buf_clear(&f.b.got);
    }
    assert_int_equal(f.a.got_len, 500);
    fixture_deinit(&f);
}

static void says_addresses(void **state)
{
    struct fixture f;
    char want[64];
    char got[64];

    (void)state;
    fixture_init(&f);
    fixture_pair(&f);
    snprintf(want, sizeof(want), "127.0.0.1:%u", f.port);
    net_stream_peer(f.b.s, got, sizeof(got));
    assert_string_equal(got, want);
    net_stream_local(f.a.s, got, sizeof(got));
    assert_string_equal(got, want);
    net_stream_local(f.b.s, want, sizeof(want));
    net_stream_peer(f.a.s, got, sizeof(got));
    assert_string_equal(got, want);
    fixture_deinit(&f);
}

static void sends_without_delay(void **state)
{
    struct fixture f;
    int fd;
    int on = 0;
    socklen_t len = sizeof(on);

    (void)state;
    fixture_init(&f);
    fixture_pair(&f);
    for (fd = 3; fd < 64; fd++) { /* every connected socket of this process */
        struct sockaddr_storage peer;
        socklen_t peer_len = sizeof(peer);

        if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            peer.ss_family == AF_INET) {
            assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
            assert_int_equal(on, 1);
        }
    }
    fixture_deinit(&f);
}

static void back_pressure_keeps_every_byte(void **state)
{
    struct fixture f;
    size_t queued;

    (void)state;
    fixture_init(&f);
    fixture_pair(&f);
    assert_int_equal(net_stream_queued(f.a.s), 0);
    assert_int_equal(end_write_fill(&f.a, BIG), 0);
    queued = net_stream_queued(f.a.s);
    assert_true(queued > NET_LOW_WATER && queued < BIG);
    assert_int_equal(f.a.drained, 0);
    end_fin(&f.a); /* after the queue */
    assert_int_equal(end_write(&f.a, "x", 1), -EPIPE);
    end_read(&f.b, true);
    fixture_until(&f, b_ended);
    assert_int_equal(f.b.ends[0], 0);
    assert_int_equal(f.b.got.len, BIG);
    for (size_t i = 0; i < BIG; i++) {
        if (f.b.got.at[i] != fill_byte(i)) {
            fail_msg("byte %zu differs", i);
        }
    }
    assert_int_equal(f.a.drained, 1);
    assert_int_equal(net_stream_queued(f.a.s), 0);
    fixture_deinit(&f);
}

/* Slices of all sizes behind one another, sent one by one while the peer does not read.
 */
static void queue_counts_and_keeps_order(void **state)
{
    static const size_t sizes[] = { 1, 100, 16383, 16384, 65536, 7, 4096, 50000, 3 };
    struct fixture f;
    size_t sent = 0;
    size_t before;
    uint8_t *all = alloc_get(BIG);

    (void)state;
    assert_non_null(all);
    fixture_init(&f);
    fixture_pair(&f);
    for (size_t i = 0; net_stream_queued(f.a.s) < 3 * 1024 * 1024; i++) {
        size_t n = sizes[i % (sizeof(sizes) / sizeof(sizes[0]))];

        assert_true(sent + n <= BIG);
        for (size_t k = 0; k < n; k++) {
            all[sent + k] = (uint8_t)((sent + k) / 3 + i);
        }
        before = net_stream_queued(f.a.s);
        assert_int_equal(end_write(&f.a, all + sent, n), 0);
        if (before > 0) {
            assert_int_equal(net_stream_queued(f.a.s), before + n);
        }
        sent += n;
    }
    end_fin(&f.a);
    end_read(&f.b, true);
    fixture_until(&f, b_ended);
    assert_int_equal(f.b.got.len, sent);
    assert_memory_equal(f.b.got.at, all, sent);
    fixture_deinit(&f);
    alloc_free(all);
}

static void reading_stops_and_goes_on(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_pair(&f);
    f.b.forget = true;
    assert_int_equal(end_write_fill(&f.a, BIG), 0);
    end_read(&f.b, true);
    end_read(&f.b, false);
    end_read(&f.b, false);
    assert_int_equal(end_write(&f.b, "hello", 5), 0);
    end_read(&f.a, true);
    fixture_until(&f, a_got_5); /* the loop turned, and b read nothing */
    assert_int_equal(f.b.got_len, 0);
    end_read(&f.b, true);
    fixture_until(&f, b_got_big);
    fixture_until(&f, a_drained);
    fixture_deinit(&f);
}

static void fin_leaves_the_other_direction_open(void **state)
{
    struct fixture f;
    char in[8] = "";
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    end_read(&f.a, true);
    send_all(fd, "hello", 5);
    shutdown(fd, SHUT_WR);
    fixture_until(&f, a_ended);
    assert_int_equal(f.a.ends[0], 0);
    assert_memory_equal(f.a.got.at, "hello", 5);
    assert_int_equal(end_write(&f.a, "still", 5), 0);
    assert_int_equal(recv(fd, in, sizeof(in), 0), 5);
    assert_memory_equal(in, "still", 5);
    end_fin(&f.a);
    assert_int_equal(recv(fd, in, sizeof(in), 0), 0);
    end_read(&f.a, true); /* nothing more to read: no second end */
    close(fd);
    end_close(&f.a);
    fixture_until(&f, a_closed);
    assert_int_equal(f.a.end_count, 1);
    fixture_deinit(&f);
}

static void reading_goes_on_after_our_fin(void **state)
{
    struct fixture f;
    char in[8];
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    end_read(&f.a, true);
    end_fin(&f.a);
    end_fin(&f.a);
    assert_int_equal(recv(fd, in, sizeof(in), 0), 0);
    send_all(fd, "hello", 5);
    fixture_until(&f, a_got_5);
    close(fd);
    fixture_until(&f, a_ended);
    assert_int_equal(f.a.ends[0], 0);
    fixture_deinit(&f);
}

static void reset_by_peer(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    reset_fd(fixture_peer(&f));
    end_read(&f.a, true);
    fixture_until(&f, a_ended);
    assert_int_equal(f.a.ends[0], -ECONNRESET);
    assert_int_equal(end_write(&f.a, "x", 1), 0); /* goes nowhere, and is told once */
    end_close(&f.a);
    fixture_until(&f, a_closed);
    assert_int_equal(f.a.end_count, 1);
    fixture_deinit(&f);
}

/* The last bytes and the reset are in the kernel together: libuv takes it for a FIN. */
static void reset_with_last_bytes(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    send_all(fd, "hello", 5);
    reset_fd(fd);
    end_read(&f.a, true);
    fixture_until(&f, a_ended);
    assert_int_equal(f.a.got.len, 5);
    assert_int_equal(f.a.ends[0], -ECONNRESET);
    fixture_deinit(&f);
}

/* The failed write finds out first; what the peer sent before is not lost. */
static void write_after_reset(void **state)
{
    struct fixture f;
    int ours;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    ours = accepted_fd(&f);
    send_all(fd, "hello", 5);
    reset_fd(fd);
    wait_reset(ours);
    assert_int_equal(end_write(&f.a, "x", 1), 0);
    assert_int_equal(end_write(&f.a, "y", 1), 0);
    assert_int_equal(f.a.end_count, 0);
    end_read(&f.a, true);
    fixture_until(&f, a_ended);
    assert_int_equal(f.a.got.len, 5);
    assert_int_equal(f.a.ends[0], -ECONNRESET);
    assert_int_equal(net_stream_queued(f.a.s), 0);
    fixture_deinit(&f);
}

/* A peer that closed without reading: FIN first, then RST for what we send. */
static void write_after_fin_and_reset(void **state)
{
    struct fixture f;
    int ours;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    ours = accepted_fd(&f);
    end_read(&f.a, true);
    close(fd);
    fixture_until(&f, a_ended);
    assert_int_equal(f.a.ends[0], 0);
    assert_int_equal(end_write(&f.a, "x", 1), 0); /* answered by RST */
    wait_reset(ours);
    assert_int_equal(end_write(&f.a, "y", 1), 0);
    assert_int_equal(f.a.end_count, 1); /* never from inside the call */
    fixture_until(&f, a_ended_twice);
    assert_int_equal(f.a.ends[1], -ECONNRESET);
    fixture_deinit(&f);
}

/* The same, found out by the write before the FIN was read: both are told, in order. */
static void write_before_fin_and_reset_are_read(void **state)
{
    struct fixture f;
    int ours;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    ours = accepted_fd(&f);
    send_all(fd, "hello", 5);
    shutdown(fd, SHUT_WR);
    reset_fd(fd);
    wait_reset(ours);
    assert_int_equal(end_write(&f.a, "x", 1), 0);
    end_read(&f.a, true);
    fixture_until(&f, a_ended_twice);
    assert_int_equal(f.a.got.len, 5);
    assert_int_equal(f.a.ends[0], 0);
    assert_int_equal(f.a.ends[1], -ECONNRESET);
    fixture_deinit(&f);
}

static void reset_while_queue_waits(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    end_read(&f.a, true);
    assert_int_equal(end_write_fill(&f.a, BIG), 0);
    assert_true(net_stream_queued(f.a.s) > 0);
    reset_fd(fd);
    fixture_until(&f, a_ended);
    assert_int_equal(f.a.ends[0], -ECONNRESET);
    assert_int_equal(net_stream_queued(f.a.s), 0);
    assert_int_equal(end_write(&f.a, "x", 1), 0);
    end_close(&f.a);
    fixture_until(&f, a_closed);
    assert_int_equal(f.a.end_count, 1);
    fixture_deinit(&f);
}

/* With reading off the write's failure waits until there is nothing left to read. */
static void reset_while_queue_waits_and_reading_is_off(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    send_all(fd, "hello", 5);
    assert_int_equal(end_write_fill(&f.a, BIG), 0);
    reset_fd(fd);
    fixture_until(&f, a_drained); /* the queue is given up: the other side may go on */
    assert_int_equal(net_stream_queued(f.a.s), 0);
    assert_int_equal(f.a.end_count, 0);
    end_read(&f.a, true);
    fixture_until(&f, a_ended);
    assert_int_equal(f.a.got.len, 5);
    assert_int_equal(f.a.ends[0], -ECONNRESET);
    fixture_deinit(&f);
}

static void expect_reset(int fd)
{
    char in[64];
    ssize_t n;

    wait_readable(fd);
    do {
        n = recv(fd, in, sizeof(in), 0);
    } while (n > 0);
    assert_int_equal(n, -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
}

static void our_reset_is_one(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    end_read(&f.a, true);
    assert_int_equal(end_write(&f.a, "hello", 5), 0);
    end_reset(&f.a);
    end_close(&f.a); /* already on its way */
    assert_int_equal(end_write(&f.a, "x", 1), -EPIPE);
    fixture_until(&f, a_closed);
    expect_reset(fd);
    assert_int_equal(f.a.end_count, 0);
    fixture_deinit(&f);
}

static void our_reset_while_fin_waits_behind_the_queue(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    assert_int_equal(end_write_fill(&f.a, BIG), 0);
    end_fin(&f.a);
    end_reset(&f.a);
    fixture_until(&f, a_closed);
    expect_reset(fd);
    fixture_deinit(&f);
}

static void our_reset_after_fin_was_sent(void **state)
{
    struct fixture f;
    char in[8];
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    end_fin(&f.a);
    assert_int_equal(recv(fd, in, sizeof(in), 0), 0);
    end_reset(&f.a);
    fixture_until(&f, a_closed);
    wait_reset(fd);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    close(fd);
    fixture_deinit(&f);
}

static void close_drops_the_queue(void **state)
{
    struct fixture f;
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    assert_int_equal(end_write_fill(&f.a, BIG), 0);
    end_close(&f.a);
    fixture_until(&f, a_closed);
    close(fd);
    assert_int_equal(f.a.end_count, 0);
    assert_int_equal(f.a.drained, 0);
    fixture_deinit(&f);
}

static void close_sends_fin(void **state)
{
    struct fixture f;
    char in[8];
    int fd;

    (void)state;
    fixture_init(&f);
    fd = fixture_peer(&f);
    assert_int_equal(end_write(&f.a, "hello", 5), 0);
    end_close(&f.a);
    fixture_until(&f, a_closed);
    assert_int_equal(recv(fd, in, sizeof(in), 0), 5);
    assert_int_equal(recv(fd, in, sizeof(in), 0), 0);
    close(fd);
    fixture_deinit(&f);
}

static void both_ends_at_once(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_pair(&f);
    end_read(&f.a, true);
    end_read(&f.b, true);
    end_fin(&f.a);
    end_fin(&f.b);
    fixture_until(&f, both_ended);
    assert_int_equal(f.a.ends[0], 0);
    assert_int_equal(f.b.ends[0], 0);
    fixture_deinit(&f);
}

/* A kept slice keeps its bytes while later reads come in. */
static struct slice kept[64];
static size_t kept_count;

static void keep_bytes(void *owner, struct net_stream *s, struct slice in)
{
    (void)owner;
    (void)s;
    assert_true(kept_count < 64);
    chunk_ref(in.chunk);
    kept[kept_count++] = in;
}

static void nothing_ended(void *owner, struct net_stream *s, int status)
{
    (void)owner;
    (void)s;
    (void)status;
}

static void a_is_gone(void *owner, struct net_stream *s)
{
    struct fixture *f = owner;

    (void)s;
    f->a.s = NULL;
    f->a.closed++;
}

static bool kept_more(struct fixture *f)
{
    return kept_count >= (size_t)f->a.got_len;
}

static void kept_slices_stay(void **state)
{
    static const struct net_stream_events events = { keep_bytes, nothing_ended, NULL,
                                                     a_is_gone };
    struct fixture f;
    int fd;

    (void)state;
    kept_count = 0;
    fixture_init(&f);
    fd = fixture_peer(&f);
    net_stream_own(f.a.s, &events, &f);
    net_stream_read(f.a.s, true);
    for (unsigned i = 0; i < 60; i++) {
        char line[1500];

        memset(line, 'A' + (int)(i % 26), sizeof(line));
        send_all(fd, line, sizeof(line));
        f.a.got_len = i + 1; /* wait for one more slice */
        fixture_until(&f, kept_more);
    }
    for (size_t i = 0; i < kept_count; i++) {
        const uint8_t *at = kept[i].chunk->data + kept[i].off;

        assert_int_equal(kept[i].len, 1500);
        assert_int_equal(at[0], 'A' + (int)(i % 26));
        assert_int_equal(at[1499], 'A' + (int)(i % 26));
        chunk_unref(kept[i].chunk);
    }
    end_close(&f.a);
    fixture_until(&f, a_closed);
    close(fd);
    fixture_deinit(&f);
}

/* ---- want of memory ---- */

static bool b_ended_or_a_failed(struct fixture *f)
{
    return f->b.end_count > 0 || f->a.end_count > 0;
}

static int write_part(struct fixture *f, struct chunk *c, size_t off, size_t len)
{
    return net_stream_write(f->a.s, (struct slice){ c, off, len });
}

/* Slices that queue up, by reference and by copy; the flight after the first has many.
 */
static int write_many(struct fixture *f, struct chunk *c)
{
    int r = write_part(f, c, 0, c->cap);

    for (size_t i = 0; i < 40 && r == 0; i++) {
        r = write_part(f, c, i * 1000, i % 2 == 0 ? 100 : 40000);
    }
    return r;
}

static void every_allocation_of_a_queue_fails_once(void **state)
{
    struct chunk *c = chunk_new(BIG);
    bool hit = true;

    (void)state;
    assert_non_null(c);
    memset(c->data, 'x', c->cap);
    for (unsigned long nth = 0; hit; nth++) {
        struct fixture f;
        int r;

        fixture_init(&f);
        fixture_pair(&f);
        f.b.forget = true;
        end_read(&f.b, true);
        end_read(&f.a, true);
        alloc_fail_at(nth);
        r = write_many(&f, c);
        end_fin(&f.a);
        fixture_until(&f, b_ended_or_a_failed);
        hit = alloc_fail_clear();
        if (!hit) {
            assert_int_equal(r, 0);
            assert_int_equal(f.b.got_len, BIG + 20 * 100 + 20 * 40000);
        } else if (f.a.end_count > 0) {
            assert_int_equal(f.a.ends[0], -ENOMEM);
            assert_true(net_stream_write(f.a.s, (struct slice){ 0 }) <= 0);
        }
        assert_true(r == 0 || r == -ENOMEM);
        fixture_deinit(&f);
    }
    assert_int_equal(c->refs, 1);
    chunk_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes),
        cmocka_unit_test(says_addresses),
        cmocka_unit_test(sends_without_delay),
        cmocka_unit_test(back_pressure_keeps_every_byte),
        cmocka_unit_test(queue_counts_and_keeps_order),
        cmocka_unit_test(reading_stops_and_goes_on),
        cmocka_unit_test(fin_leaves_the_other_direction_open),
        cmocka_unit_test(reading_goes_on_after_our_fin),
        cmocka_unit_test(reset_by_peer),
        cmocka_unit_test(reset_with_last_bytes),
        cmocka_unit_test(write_after_reset),
        cmocka_unit_test(write_after_fin_and_reset),
        cmocka_unit_test(write_before_fin_and_reset_are_read),
        cmocka_unit_test(reset_while_queue_waits),
        cmocka_unit_test(reset_while_queue_waits_and_reading_is_off),
        cmocka_unit_test(our_reset_is_one),
        cmocka_unit_test(our_reset_while_fin_waits_behind_the_queue),
        cmocka_unit_test(our_reset_after_fin_was_sent),
        cmocka_unit_test(close_drops_the_queue),
        cmocka_unit_test(close_sends_fin),
        cmocka_unit_test(both_ends_at_once),
        cmocka_unit_test(kept_slices_stay),
        cmocka_unit_test(every_allocation_of_a_queue_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
