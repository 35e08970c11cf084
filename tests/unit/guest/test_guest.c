#include "tests/unit/guest/rig.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

#define REQUEST "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define ANSWER  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define UPGRADE                                                                        \
    "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n"
#define SWITCH                                                                         \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n"

enum { FLOOD = 24 * 1024 * 1024, AHEAD_MAX = 8 * 1024 * 1024 };

static bool client_has_hello(struct rig *r)
{
    return rig_got(&r->client.got, "hello");
}

static bool client_has_switched(struct rig *r)
{
    return rig_got(&r->client.got, "101 Switching");
}

static bool client_has_echo(struct rig *r)
{
    return rig_got(&r->client.got, "ping pong");
}

static bool client_ended(struct rig *r)
{
    return r->client.ends > 0;
}

static bool backend_gone(struct rig *r)
{
    return r->backend.gones > 0;
}

static bool backend_ended(struct rig *r)
{
    return r->backend.ends > 0;
}

static bool caller_has_hello(struct rig *r)
{
    return rig_got(&r->caller.got, "hello");
}

static bool caller_gone(struct rig *r)
{
    return r->caller.gones > 0;
}

static bool caller_ended(struct rig *r)
{
    return r->caller.ends > 0;
}

static bool flood_stops(struct rig *r)
{
    return r->backend.stops > 0;
}

static bool flood_came(struct rig *r)
{
    return r->client.got_len >= FLOOD;
}

static bool client_refused(struct rig *r)
{
    return rig_got(&r->client.got, "503");
}

static bool server_peer_ended(struct rig *r)
{
    return r->server_peer.ends > 0;
}

static bool client_came(struct rig *r)
{
    return r->client.came;
}

/* ---- a guest as the backend ---- */

static void connect_client(struct rig *r, unsigned kind)
{
    assert_int_equal(rig_init(r, kind), 0);
    assert_int_equal(rig_connect(r), 0);
    assert_true(rig_until(r, client_came));
}

/* The client talks with the backend in a tunnel. */
static void open_tunnel(struct rig *r, unsigned kind)
{
    connect_client(r, kind);
    r->backend.answer = SWITCH;
    rig_say(&r->client, UPGRADE);
    assert_true(rig_until(r, client_has_switched));
}

static void backend_answers(void **state)
{
    struct rig r;

    (void)state;
    connect_client(&r, RIG_BACKEND | RIG_TAPE);
    r.backend.answer = ANSWER;
    assert_int_equal(r.backend.opens, 0);
    rig_say(&r.client, REQUEST);
    assert_true(rig_until(&r, client_has_hello));
    assert_int_equal(r.backend.number, 1);
    assert_true(rig_got(&r.backend.got, REQUEST)); /* Host as it came */
    assert_true(rig_got(&r.tape, "the tape"));
    rig_deinit(&r);
}

static void backend_echoes(void **state)
{
    struct rig r;

    (void)state;
    open_tunnel(&r, RIG_BACKEND | RIG_TAPE);
    r.backend.echo = true;
    rig_say(&r.client, "ping pong");
    assert_true(rig_until(&r, client_has_echo));
    rig_deinit(&r);
}

/* A client that does not read stops a backend that never tires. */
static void backend_is_held_back(void **state)
{
    struct rig r;

    (void)state;
    connect_client(&r, RIG_BACKEND);
    r.client.forget = true;
    r.backend.flood = FLOOD;
    r.backend.answer = SWITCH;
    net_stream_read(r.client.s, false);
    rig_say(&r.client, UPGRADE);
    assert_true(rig_until(&r, flood_stops));
    net_stream_read(r.client.s, true);
    assert_true(rig_until(&r, flood_came));
    assert_true(r.backend.goes > 0);
    assert_true(r.backend.ahead < AHEAD_MAX);
    rig_deinit(&r);
}

static void backend_ends(enum capture_end kind, int status)
{
    struct rig r;

    open_tunnel(&r, RIG_BACKEND | RIG_TAPE);
    proxy_guest_send(r.backend.seat, bytes_of("hello"));
    proxy_guest_end(r.backend.seat, kind);
    proxy_guest_send(r.backend.seat, bytes_of("too late"));
    assert_true(rig_until(&r, client_ended));
    assert_int_equal(r.client.end, status);
    if (status == 0) {
        assert_true(client_has_hello(&r));
        assert_int_equal(r.backend.gones, 0);
        net_stream_end(r.client.s);
        assert_true(rig_until(&r, backend_gone));
        assert_int_equal(r.backend.kind, CAPTURE_END_FIN);
    } else {
        assert_true(rig_until(&r, backend_gone));
    }
    assert_false(rig_got(&r.client.got, "too late"));
    assert_false(r.backend.cut_short);
    rig_deinit(&r);
}

static void backend_ends_any_way(void **state)
{
    (void)state;
    backend_ends(CAPTURE_END_FIN, 0);
    backend_ends(CAPTURE_END_TRUNCATED, 0);
    backend_ends(CAPTURE_END_RESET, -ECONNRESET);
}

static void backend_learns_how_the_client_ended(void **state)
{
    struct rig r;

    (void)state;
    open_tunnel(&r, RIG_BACKEND);
    net_stream_end(r.client.s);
    assert_true(rig_until(&r, backend_ended));
    assert_int_equal(r.backend.kind, CAPTURE_END_FIN);
    assert_false(r.backend.cut_short);
    proxy_guest_end(r.backend.seat, CAPTURE_END_FIN);
    assert_true(rig_until(&r, backend_gone));
    rig_deinit(&r);

    open_tunnel(&r, RIG_BACKEND);
    net_stream_reset(r.client.s);
    assert_true(rig_until(&r, backend_gone));
    assert_int_equal(r.backend.kind, CAPTURE_END_RESET);
    assert_false(r.backend.cut_short);
    rig_deinit(&r);
}

static void a_stop_cuts_it_short(void **state)
{
    struct rig r;

    (void)state;
    open_tunnel(&r, RIG_BACKEND);
    proxy_server_stop(r.server, "over");
    assert_true(rig_until(&r, backend_ended));
    assert_true(r.backend.cut_short);
    rig_deinit(&r);

    open_tunnel(&r, RIG_BACKEND);
    proxy_server_stop(r.server, "over");
    proxy_server_stop(r.server, "now");
    assert_true(rig_until(&r, backend_gone));
    assert_true(r.backend.cut_short);
    rig_deinit(&r);
}

static void a_failed_tape_cuts_it_short(void **state)
{
    struct rig r;

    (void)state;
    open_tunnel(&r, RIG_BACKEND | RIG_TAPE);
    proxy_guest_send(r.backend.seat, bytes_of("hello"));
    proxy_server_tape_failed(r.server, -ENOSPC);
    assert_true(rig_until(&r, backend_gone));
    assert_false(client_has_hello(&r));
    assert_true(r.backend.cut_short);
    rig_deinit(&r);
}

/* ---- a guest as the client ---- */

static void caller_is_answered(void **state)
{
    struct rig r;

    (void)state;
    assert_int_equal(rig_init(&r, RIG_CALLS | RIG_TAPE), 0);
    r.server_peer.answer = ANSWER;
    assert_int_equal(rig_call(&r), 0);
    assert_int_equal(r.caller.number, 1);
    assert_true(rig_until(&r, caller_has_hello));
    assert_true(rig_got(&r.server_peer.got, "GET /a HTTP/1.1\r\n"));
    proxy_guest_end(r.caller.seat, CAPTURE_END_FIN);
    assert_true(rig_until(&r, server_peer_ended));
    assert_int_equal(r.server_peer.end, 0);
    net_stream_end(r.server_peer.s);
    assert_true(rig_until(&r, caller_gone));
    assert_int_equal(r.caller.kind, CAPTURE_END_FIN);
    assert_false(r.caller.cut_short);
    rig_deinit(&r);
}

static void caller_resets(void **state)
{
    struct rig r;

    (void)state;
    assert_int_equal(rig_init(&r, RIG_CALLS), 0);
    r.server_peer.answer = ANSWER;
    assert_int_equal(rig_call(&r), 0);
    assert_true(rig_until(&r, caller_has_hello));
    proxy_guest_end(r.caller.seat, CAPTURE_END_RESET);
    assert_true(rig_until(&r, server_peer_ended));
    assert_int_equal(r.server_peer.end, -ECONNRESET);
    assert_true(rig_until(&r, caller_gone));
    rig_deinit(&r);
}

static void caller_cannot_reach_it(void **state)
{
    struct rig r;

    (void)state;
    assert_int_equal(rig_init(&r, RIG_CALLS | RIG_UNREACHABLE), 0);
    assert_int_equal(rig_call(&r), 0);
    assert_true(rig_until(&r, caller_ended));
    assert_int_equal(r.caller.kind, CAPTURE_END_ERROR);
    assert_non_null(strstr(r.caller.why, "cannot reach the backend 127.0.0.1"));
    assert_int_equal(r.caller.got.len, 0); /* the 502 is not the backend's */
    rig_deinit(&r);
}

static void nobody_calls_once_it_stops(void **state)
{
    struct rig r;

    (void)state;
    assert_int_equal(rig_init(&r, RIG_CALLS), 0);
    proxy_server_stop(r.server, "over");
    assert_int_equal(rig_call(&r), -ECANCELED);
    assert_int_equal(r.caller.number, 0);
    rig_deinit(&r);
}

/* ---- both, and limits ---- */

static void guests_talk(void **state)
{
    struct rig r;

    (void)state;
    assert_int_equal(rig_init(&r, RIG_BACKEND | RIG_CALLS | RIG_TAPE), 0);
    r.backend.answer = ANSWER;
    assert_int_equal(rig_call(&r), 0);
    assert_true(rig_until(&r, caller_has_hello));
    assert_true(rig_got(&r.backend.got, REQUEST));
    proxy_guest_end(r.backend.seat, CAPTURE_END_RESET);
    assert_true(rig_until(&r, caller_gone));
    assert_int_equal(r.caller.kind, CAPTURE_END_RESET);
    assert_true(rig_until(&r, backend_gone));
    rig_deinit(&r);
}

static void one_too_many_is_refused(void **state)
{
    struct rig r;

    (void)state;
    assert_int_equal(rig_init(&r, RIG_BACKEND), 0);
    r.backend.answer = SWITCH;
    assert_int_equal(rig_call(&r), 0);
    assert_int_equal(rig_connect(&r), 0);
    assert_true(rig_until(&r, client_refused));
    assert_int_equal(r.backend.opens, 1);
    rig_deinit(&r);
}

/* ---- want of memory ---- */

static bool no_hope_or_done(struct rig *r)
{
    return caller_has_hello(r) || r->caller.gones > 0;
}

static void every_allocation_fails_once(void **state)
{
    bool hit = true;

    (void)state;
    for (unsigned long nth = 0; hit; nth++) {
        struct rig r;
        int err;

        alloc_fail_at(nth);
        err = rig_init(&r, RIG_BACKEND | RIG_CALLS | RIG_TAPE);
        r.backend.answer = ANSWER;
        if (err == 0) {
            err = rig_call(&r);
        }
        if (err == 0) {
            assert_true(rig_until(&r, no_hope_or_done));
        }
        hit = alloc_fail_clear();
        assert_true(hit || caller_has_hello(&r));
        rig_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backend_answers),
        cmocka_unit_test(backend_echoes),
        cmocka_unit_test(backend_is_held_back),
        cmocka_unit_test(backend_ends_any_way),
        cmocka_unit_test(backend_learns_how_the_client_ended),
        cmocka_unit_test(a_stop_cuts_it_short),
        cmocka_unit_test(a_failed_tape_cuts_it_short),
        cmocka_unit_test(caller_is_answered),
        cmocka_unit_test(caller_resets),
        cmocka_unit_test(caller_cannot_reach_it),
        cmocka_unit_test(nobody_calls_once_it_stops),
        cmocka_unit_test(guests_talk),
        cmocka_unit_test(one_too_many_is_refused),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
