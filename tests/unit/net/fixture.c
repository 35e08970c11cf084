#include "tests/unit/net/fixture.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

uint8_t fill_byte(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

/* ---- one end ---- */

static void bytes_came(void *owner, struct net_stream *s, struct slice in)
{
    struct end *e = owner;

    assert_false(e->in_call);
    assert_ptr_equal(s, e->s);
    assert_int_equal(e->end_count, 0);
    e->got_len += in.len;
    if (!e->forget) {
        assert_int_equal(buf_put(&e->got, slice_bytes(in)), 0);
    }
    if (e->echo) {
        assert_int_equal(net_stream_write(s, in), 0);
    }
}

static void end_came(void *owner, struct net_stream *s, int status)
{
    struct end *e = owner;

    (void)s;
    assert_false(e->in_call);
    assert_int_equal(e->closed, 0);
    assert_true(e->end_count < 4);
    e->ends[e->end_count++] = status;
}

static void drained_came(void *owner, struct net_stream *s)
{
    struct end *e = owner;

    assert_false(e->in_call);
    assert_true(net_stream_queued(s) <= NET_LOW_WATER);
    e->drained++;
}

static void closed_came(void *owner, struct net_stream *s)
{
    struct end *e = owner;

    (void)s;
    assert_false(e->in_call);
    e->closed++;
    e->s = NULL;
}

static const struct net_stream_events end_events = { bytes_came, end_came, drained_came,
                                                     closed_came };

void end_own(struct end *e, struct net_stream *s)
{
    e->s = s;
    net_stream_own(s, &end_events, e);
}

void end_read(struct end *e, bool on)
{
    e->in_call = true;
    net_stream_read(e->s, on);
    e->in_call = false;
}

static int write_slice(struct end *e, struct slice s)
{
    int r;

    e->in_call = true;
    r = net_stream_write(e->s, s);
    e->in_call = false;
    chunk_unref(s.chunk);
    return r;
}

int end_write(struct end *e, const void *at, size_t len)
{
    struct slice s = { 0 };

    assert_int_equal(slice_copy(bytes_make(at, len), &s), 0);
    return write_slice(e, s);
}

int end_write_fill(struct end *e, size_t len)
{
    struct chunk *c = chunk_new(len);

    assert_non_null(c);
    for (size_t i = 0; i < len; i++) {
        c->data[i] = fill_byte(i);
    }
    return write_slice(e, (struct slice){ c, 0, len });
}

void end_fin(struct end *e)
{
    e->in_call = true;
    net_stream_end(e->s);
    e->in_call = false;
}

void end_close(struct end *e)
{
    e->in_call = true;
    net_stream_close(e->s);
    e->in_call = false;
}

void end_reset(struct end *e)
{
    e->in_call = true;
    net_stream_reset(e->s);
    e->in_call = false;
}

/* ---- the fixture ---- */

static void accepted_came(void *owner, struct net_stream *s)
{
    struct fixture *f = owner;

    f->accepted++;
    if (f->a.s == NULL && f->a.closed == 0) {
        end_own(&f->a, s);
    } else {
        net_stream_close(s);
    }
}

static void trouble_came(void *owner, int error)
{
    struct fixture *f = owner;

    f->troubled++;
    f->trouble = error;
}

static const struct net_listener_events listener_events = { accepted_came,
                                                            trouble_came };

static void turn_came(void *owner)
{
    struct fixture *f = owner;

    f->turns++;
    if (f->wanted != NULL && f->wanted(f)) {
        net_loop_stop(f->loop);
    }
}

static void watchdog_came(void *owner)
{
    (void)owner;
    fail_msg("what the test waits for did not come within 10 s");
}

void fixture_init_on(struct fixture *f, const char *host)
{
    struct err e = { "" };

    *f = (struct fixture){ .live = alloc_live() };
    assert_int_equal(net_loop_new(&f->loop), 0);
    f->watchdog = net_timer_new(f->loop, watchdog_came, f);
    assert_non_null(f->watchdog);
    net_loop_on_turn(f->loop, turn_came, f);
    assert_int_equal(
        net_listener_new(f->loop, host, 0, &listener_events, f, &f->listener, &e), 0);
    f->port = net_listener_port(f->listener);
}

void fixture_init(struct fixture *f)
{
    fixture_init_on(f, "127.0.0.1");
}

void fixture_until(struct fixture *f, bool (*wanted)(struct fixture *f))
{
    f->wanted = wanted;
    net_timer_at(f->watchdog, clock_monotonic_ns() + 10 * CLOCK_NS_PER_S);
    if (!wanted(f)) {
        assert_int_equal(net_loop_run(f->loop), 0);
    }
    assert_true(wanted(f));
    net_timer_at(f->watchdog, -1);
    f->wanted = NULL;
}

void fixture_deinit(struct fixture *f)
{
    net_listener_free(f->listener);
    if (f->a.s != NULL) {
        end_close(&f->a);
    }
    if (f->b.s != NULL) {
        end_close(&f->b);
    }
    net_timer_free(f->watchdog);
    assert_int_equal(net_loop_run(f->loop), 0);
    assert_null(f->a.s);
    assert_null(f->b.s);
    net_loop_free(f->loop);
    buf_deinit(&f->a.got);
    buf_deinit(&f->b.got);
    assert_int_equal(alloc_live(), f->live);
}

static bool has_both(struct fixture *f)
{
    return f->a.s != NULL && f->b.s != NULL;
}

static bool has_accepted(struct fixture *f)
{
    return f->a.s != NULL;
}

static void connected_came(void *owner, struct net_stream *s, int status,
                           const char *address)
{
    struct fixture *f = owner;

    (void)address;
    assert_int_equal(status, 0);
    end_own(&f->b, s);
}

void fixture_pair(struct fixture *f)
{
    struct net_target *t = net_target_new(f->loop, "127.0.0.1", f->port);

    assert_non_null(t);
    assert_non_null(net_connect_start(t, connected_came, f));
    fixture_until(f, has_both);
    net_target_free(t);
}

int fixture_peer(struct fixture *f)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(f->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    fixture_until(f, has_accepted);
    return fd;
}
