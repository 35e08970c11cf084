#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"
#include "tests/unit/net/fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* One connect and what came of it. */
struct result {
    unsigned count;
    int status;
    char address[64];
    struct net_stream *stream;
};

static struct result got;

static void done(void *owner, struct net_stream *s, int status, const char *address)
{
    struct result *r = owner;

    r->count++;
    r->status = status;
    r->stream = s;
    snprintf(r->address, sizeof(r->address), "%s", address);
}

static bool is_done(struct fixture *f)
{
    (void)f;
    return got.count > 0;
}

static bool is_done_at_both_ends(struct fixture *f)
{
    return got.count > 0 && (f->accepted > 0 || f->troubled > 0);
}

static bool accepted_three(struct fixture *f)
{
    return f->accepted == 3;
}

static bool b_closed(struct fixture *f)
{
    return f->b.closed > 0;
}

static void connect_to(struct fixture *f, const char *host, uint16_t port)
{
    struct net_target *t = net_target_new(f->loop, host, port);

    assert_non_null(t);
    got = (struct result){ 0 };
    assert_non_null(net_connect_start(t, done, &got));
    assert_int_equal(got.count, 0); /* never from inside */
    fixture_until(f, is_done);
    assert_int_equal(got.count, 1);
    net_target_free(t);
}

/* A port that nobody listens on. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void refused(void **state)
{
    struct fixture f;
    char want[64];
    uint16_t port = free_port();

    (void)state;
    fixture_init(&f);
    connect_to(&f, "127.0.0.1", port);
    assert_int_equal(got.status, -ECONNREFUSED);
    assert_null(got.stream);
    snprintf(want, sizeof(want), "127.0.0.1:%u", port);
    assert_string_equal(got.address, want);
    assert_string_equal(net_error_text(got.status), "connection refused");
    fixture_deinit(&f);
}

/* localhost is ::1 and 127.0.0.1: the listener is on the second. */
static void goes_on_to_the_next_address(void **state)
{
    struct fixture f;
    char want[64];

    (void)state;
    fixture_init(&f);
    connect_to(&f, "localhost", f.port);
    assert_int_equal(got.status, 0);
    snprintf(want, sizeof(want), "127.0.0.1:%u", f.port);
    assert_string_equal(got.address, want);
    end_own(&f.b, got.stream);
    fixture_deinit(&f);
}

static void all_addresses_fail(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    connect_to(&f, "api.localhost.", free_port());
    assert_int_equal(got.status, -ECONNREFUSED);
    assert_int_equal(strncmp(got.address, "127.0.0.1:", 10), 0);
    fixture_deinit(&f);
}

/* RFC 6761, section 6.4: nobody is asked, so that it is quick without a network. */
static void unknown_name(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    connect_to(&f, "backend.invalid", 80);
    assert_int_equal(got.status, -ENOENT);
    assert_string_equal(got.address, "");
    assert_string_equal(net_error_text(got.status), "no such host");
    fixture_deinit(&f);
}

static void impossible_address(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    connect_to(&f, "255.255.255.255", 80); /* connect(2) itself says no */
    assert_true(got.status < 0);
    assert_null(got.stream);
    fixture_deinit(&f);
}

/* A name that the resolver's worker thread looks up. */
static void name_in_the_background(void **state)
{
    struct fixture f;
    char machine[256] = "";
    struct net_target *t;

    (void)state;
    assert_int_equal(gethostname(machine, sizeof(machine) - 1), 0);
    fixture_init(&f);
    t = net_target_new(f.loop, machine, f.port);
    assert_non_null(t);
    for (int i = 0; i < 2; i++) { /* the second one from what is known */
        got = (struct result){ 0 };
        assert_non_null(net_connect_start(t, done, &got));
        fixture_until(&f, is_done);
        if (got.status == 0) {
            net_stream_close(got.stream);
        }
    }
    net_target_free(t);
    fixture_deinit(&f);
}

static void cancel_before_the_name_is_known(void **state)
{
    struct fixture f;
    struct net_target *t;
    struct net_connect *c;

    (void)state;
    fixture_init(&f);
    t = net_target_new(f.loop, "a-name-to-ask-for.example", 80);
    assert_non_null(t);
    got = (struct result){ 0 };
    c = net_connect_start(t, done, &got);
    assert_non_null(c);
    assert_non_null(net_connect_start(t, done, &got)); /* shares the question */
    net_connect_cancel(c);
    fixture_until(&f, is_done);
    assert_int_equal(got.count, 1);
    assert_true(got.status < 0);
    net_target_free(t);
    fixture_deinit(&f);
}

static void free_target_while_asking(void **state)
{
    struct fixture f;
    struct net_target *t;
    struct net_connect *c;

    (void)state;
    fixture_init(&f);
    t = net_target_new(f.loop, "another-name.example", 80);
    assert_non_null(t);
    got = (struct result){ 0 };
    c = net_connect_start(t, done, &got);
    assert_non_null(c);
    net_connect_cancel(c);
    net_target_free(t);
    fixture_deinit(&f); /* runs until the answer is in, and thrown away */
    assert_int_equal(got.count, 0);
}

static void cancel_at_once(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "x.invalid" };
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct net_target *t;
        struct net_connect *c;

        fixture_init(&f);
        t = net_target_new(f.loop, hosts[i], f.port);
        assert_non_null(t);
        got = (struct result){ 0 };
        c = net_connect_start(t, done, &got);
        assert_non_null(c);
        net_connect_cancel(c);
        net_target_free(t);
        fixture_deinit(&f);
        assert_int_equal(got.count, 0);
    }
}

static bool two_turns(struct fixture *f)
{
    return f->turns >= 2;
}

static void cancel_between_two_addresses(void **state)
{
    struct fixture f;
    struct net_target *t;
    struct net_connect *c;

    (void)state;
    fixture_init(&f);
    t = net_target_new(f.loop, "localhost", free_port());
    assert_non_null(t);
    got = (struct result){ 0 };
    c = net_connect_start(t, done, &got);
    assert_non_null(c);
    fixture_until(&f, two_turns); /* ::1 has refused, or is about to */
    if (got.count == 0) {
        net_connect_cancel(c);
    }
    net_target_free(t);
    fixture_deinit(&f);
    assert_true(got.count <= 1);
}

/* The backlog of a listener that never accepts is full: connects hang until cancelled.
 */
static void cancel_while_connecting(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int filler[4];
    struct fixture f;
    struct net_target *t;
    struct net_connect *c;
    struct result hung = { 0 };

    (void)state;
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    for (int i = 0; i < 4; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(filler[i], (const struct sockaddr *)&a, sizeof(a));
    }
    fixture_init(&f);
    t = net_target_new(f.loop, "127.0.0.1", ntohs(a.sin_port));
    assert_non_null(t);
    c = net_connect_start(t, done, &hung);
    assert_non_null(c);
    connect_to(&f, "127.0.0.1", f.port); /* meanwhile others get through */
    assert_int_equal(got.status, 0);
    end_own(&f.b, got.stream);
    net_connect_cancel(c);
    net_target_free(t);
    fixture_deinit(&f);
    assert_int_equal(hung.count, 0);
    for (int i = 0; i < 4; i++) {
        close(filler[i]);
    }
    close(fd);
}

/* ---- listening ---- */

static void accepts_unused(void *owner, struct net_stream *s)
{
    (void)owner;
    net_stream_close(s);
}

static void trouble_unused(void *owner, int error)
{
    (void)owner;
    (void)error;
}

static const struct net_listener_events unused = { accepts_unused, trouble_unused };

static void port_in_use(void **state)
{
    struct net_listener *n = NULL;
    struct fixture f;
    struct err e = { "" };
    char want[200];

    (void)state;
    fixture_init(&f);
    assert_int_equal(
        net_listener_new(f.loop, "127.0.0.1", f.port, &unused, NULL, &n, &e),
        -EADDRINUSE);
    snprintf(want, sizeof(want),
             "127.0.0.1:%u is in use: stop what listens there, or choose another port "
             "with --listen (port 0: any free one)",
             f.port);
    assert_string_equal(e.text, want);
    assert_null(n);
    fixture_deinit(&f);
}

static void address_of_another_machine(void **state)
{
    struct net_listener *n = NULL;
    struct fixture f;
    struct err e = { "" };

    (void)state;
    fixture_init(&f);
    assert_int_equal(net_listener_new(f.loop, "203.0.113.7", 0, &unused, NULL, &n, &e),
                     -EADDRNOTAVAIL);
    assert_non_null(strstr(e.text, "203.0.113.7:0: this machine does not have"));
    assert_int_equal(net_listener_new(f.loop, "no.invalid", 0, &unused, NULL, &n, &e),
                     -ENOENT);
    assert_non_null(strstr(e.text, "cannot listen on \"no.invalid\": no such host"));
    fixture_deinit(&f);
}

static void listens_on_all_of_localhost(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "::1", "localhost" };
    struct fixture f;

    (void)state;
    fixture_init_on(&f, "localhost");
    for (size_t i = 0; i < 3; i++) {
        connect_to(&f, hosts[i], f.port);
        assert_int_equal(got.status, 0);
        net_stream_close(got.stream);
    }
    fixture_deinit(&f);
}

static void ipv6_addresses_have_brackets(void **state)
{
    struct fixture f;
    char want[64];
    char text[64];

    (void)state;
    fixture_init_on(&f, "::1");
    snprintf(want, sizeof(want), "[::1]:%u", f.port);
    connect_to(&f, "::1", f.port);
    assert_int_equal(got.status, 0);
    assert_string_equal(got.address, want);
    net_stream_peer(got.stream, text, sizeof(text));
    assert_string_equal(text, want);
    net_stream_close(got.stream);
    fixture_deinit(&f);
}

/* Clients of [::] that come over IPv4 are shown as what they are. */
static void mapped_addresses_are_shown_as_ipv4(void **state)
{
    struct fixture f;
    char want[64];
    char text[64];

    (void)state;
    fixture_init_on(&f, "::");
    fixture_pair(&f);
    net_stream_local(f.b.s, want, sizeof(want));
    net_stream_peer(f.a.s, text, sizeof(text));
    assert_string_equal(text, want);
    assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
    fixture_deinit(&f);
}

static int connect_raw(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static bool troubled(struct fixture *f)
{
    return f->troubled > 0;
}

/* Out of descriptors: who connects waits, is told to the owner once, and is accepted
 * when there are some again. */
static void descriptors_run_out(void **state)
{
    struct fixture f;
    struct rlimit limit;
    struct rlimit low;
    int fds[3];
    int next;

    (void)state;
    fixture_init(&f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max); /* net_loop_new has seen to it */
    for (int i = 0; i < 3; i++) {
        fds[i] = connect_raw(f.port);
    }
    next = dup(0);
    close(next);
    low = limit;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    fixture_until(&f, troubled);
    assert_int_equal(f.trouble, -EMFILE);
    assert_int_equal(f.accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    fixture_until(&f, accepted_three);
    assert_int_equal(f.troubled, 1);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
    fixture_deinit(&f);
}

static void free_while_paused(void **state)
{
    struct fixture f;
    struct rlimit limit;
    struct rlimit low;
    int fd;
    int next;

    (void)state;
    fixture_init(&f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    fd = connect_raw(f.port);
    next = dup(0);
    close(next);
    low = limit;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    fixture_until(&f, troubled);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    net_listener_free(f.listener);
    f.listener = NULL;
    fixture_deinit(&f);
    close(fd);
}

/* ---- want of memory ---- */

/* Connect, send, receive; every allocation fails once. What is not possible says so or
 * ends the stream; nothing leaks (fixture_deinit looks). */
static void try_all(struct fixture *f, unsigned long nth)
{
    struct net_target *t;
    bool started;

    alloc_fail_at(nth);
    t = net_target_new(f->loop, "127.0.0.1", f->port);
    got = (struct result){ 0 };
    started = t != NULL && net_connect_start(t, done, &got) != NULL;
    if (started) {
        fixture_until(f, is_done);
    }
    net_target_free(t);
    if (!started || got.status < 0) {
        assert_true(!started || got.status == -ENOMEM);
        return;
    }
    end_own(&f->b, got.stream);
    end_read(&f->b, true);
    fixture_until(f, is_done_at_both_ends);
    if (net_stream_write(f->b.s, (struct slice){ 0 }) == 0) {
        end_fin(&f->b);
    }
    end_close(&f->b);
    fixture_until(f, b_closed);
}

static void every_allocation_fails_once(void **state)
{
    bool hit = true;

    (void)state;
    for (unsigned long nth = 0; hit; nth++) {
        struct fixture f;

        fixture_init(&f);
        try_all(&f, nth);
        hit = alloc_fail_clear();
        fixture_deinit(&f);
    }
}

static void every_allocation_of_a_loop_fails_once(void **state)
{
    bool hit = true;
    long live = alloc_live();

    (void)state;
    for (unsigned long nth = 0; hit; nth++) {
        struct net_loop *l = NULL;
        struct net_listener *n = NULL;
        struct net_timer *t;
        struct err e = { "" };
        int r;

        alloc_fail_at(nth);
        r = net_loop_new(&l);
        if (r == 0) {
            r = net_listener_new(l, "localhost", 0, &unused, NULL, &n, &e);
            t = net_timer_new(l, NULL, NULL);
            net_timer_free(t);
            net_listener_free(n);
        }
        hit = alloc_fail_clear();
        assert_true(hit || r == 0);
        assert_true(r == 0 || r == -ENOMEM);
        if (l != NULL) {
            net_loop_run(l);
        }
        net_loop_free(l);
        assert_int_equal(alloc_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(goes_on_to_the_next_address),
        cmocka_unit_test(all_addresses_fail),
        cmocka_unit_test(unknown_name),
        cmocka_unit_test(impossible_address),
        cmocka_unit_test(name_in_the_background),
        cmocka_unit_test(cancel_before_the_name_is_known),
        cmocka_unit_test(free_target_while_asking),
        cmocka_unit_test(cancel_at_once),
        cmocka_unit_test(cancel_between_two_addresses),
        cmocka_unit_test(cancel_while_connecting),
        cmocka_unit_test(port_in_use),
        cmocka_unit_test(address_of_another_machine),
        cmocka_unit_test(listens_on_all_of_localhost),
        cmocka_unit_test(ipv6_addresses_have_brackets),
        cmocka_unit_test(mapped_addresses_are_shown_as_ipv4),
        cmocka_unit_test(descriptors_run_out),
        cmocka_unit_test(free_while_paused),
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(every_allocation_of_a_loop_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
