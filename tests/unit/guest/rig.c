#include "tests/unit/guest/rig.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BURST = 128 * 1024 };

bool rig_got(const struct buf *b, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= b->len; i++) {
        if (memcmp(b->at + i, text, len) == 0) {
            return true;
        }
    }
    return false;
}

static void look(struct rig *r)
{
    if (r->wanted != NULL && r->wanted(r)) {
        net_loop_stop(r->loop);
    }
}

/* ---- guests ---- */

static void *opened(void *owner, struct proxy_seat *seat, uint32_t number)
{
    struct rig *r = owner;

    (void)seat;
    r->backend.opens++;
    r->backend.number = number;
    return &r->backend;
}

static void ready(void *object, struct proxy_seat *seat)
{
    struct guest *g = object;

    g->seat = seat;
    g->readies++;
    if (g == &g->rig->caller) {
        proxy_guest_send(seat, bytes_of("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    look(g->rig);
}

static void flood(struct guest *g)
{
    static uint8_t burst[BURST];
    size_t len = g->flood < BURST ? g->flood : BURST;

    memset(burst, 'f', len);
    g->flood -= len;
    g->said += len;
    proxy_guest_send(g->seat, bytes_make(burst, len));
    if (g->said - g->rig->client.got_len > g->ahead) {
        g->ahead = g->said - g->rig->client.got_len;
    }
    if (g->flood > 0) {
        proxy_guest_again(g->seat);
    }
}

/* The guarantee: what a side gets is on the tape. Heads and bodies are records of their
 * own: the beginning is looked for. */
static void check_tape(struct rig *r, struct bytes in)
{
    char text[12];
    size_t len = in.len < sizeof(text) - 1 ? in.len : sizeof(text) - 1;

    if (r->writer == NULL) {
        return;
    }
    memcpy(text, in.at, len);
    text[len] = '\0';
    assert_true(rig_got(&r->tape, text));
}

static void bytes_came(void *object, struct bytes in)
{
    struct guest *g = object;

    assert_int_equal(g->readies, 1);
    assert_int_equal(g->gones + g->ends, 0);
    check_tape(g->rig, in);
    if (buf_put(&g->got, in) < 0) {
        g->got.len = 0;
    }
    if (g->answer != NULL) {
        const char *answer = g->answer;

        g->answer = NULL;
        proxy_guest_send(g->seat, bytes_of(answer));
        if (g->flood > 0) {
            proxy_guest_again(g->seat);
        }
    } else if (g->echo) {
        proxy_guest_send(g->seat, in);
    }
    look(g->rig);
}

static void ended(void *object, enum capture_end kind, const char *why)
{
    struct guest *g = object;

    assert_int_equal(g->gones, 0);
    g->ends++;
    g->kind = kind;
    g->cut_short = proxy_guest_is_cut_short(g->seat);
    snprintf(g->why, sizeof(g->why), "%s", why == NULL ? "" : why);
    look(g->rig);
}

static void flow(void *object, bool on)
{
    struct guest *g = object;

    g->stops += !on;
    g->goes += on;
    if (on && g->flood > 0) {
        proxy_guest_again(g->seat);
    }
    look(g->rig);
}

static void again(void *object)
{
    struct guest *g = object;

    if (g->stops == g->goes && g->flood > 0) {
        flood(g);
    }
}

static void gone(void *object)
{
    struct guest *g = object;

    g->gones++;
    g->seat = NULL;
    assert_int_equal(g->gones, 1);
    assert_int_equal(g->ends, g->readies);
    look(g->rig);
}

/* ---- peers ---- */

static void say_text(struct net_stream *s, const char *text)
{
    struct slice copy;

    if (slice_copy(bytes_of(text), &copy) == 0) {
        net_stream_write(s, copy);
        chunk_unref(copy.chunk);
    }
}

static void stream_bytes(void *owner, struct net_stream *s, struct slice in)
{
    struct peer *p = owner;

    check_tape(p->rig, slice_bytes(in));
    p->got_len += in.len;
    if (!p->forget && buf_put(&p->got, slice_bytes(in)) < 0) {
        p->got.len = 0;
    }
    if (p->answer != NULL) {
        say_text(s, p->answer);
        p->answer = NULL;
    }
    look(p->rig);
}

static void stream_end(void *owner, struct net_stream *s, int status)
{
    struct peer *p = owner;

    (void)s;
    p->ends++;
    p->end = status;
    look(p->rig);
}

static void stream_drained(void *owner, struct net_stream *s)
{
    (void)owner;
    (void)s;
}

static void stream_closed(void *owner, struct net_stream *s)
{
    struct peer *p = owner;

    (void)s;
    p->s = NULL;
    look(p->rig);
}

static const struct net_stream_events stream_events = { stream_bytes, stream_end,
                                                        stream_drained, stream_closed };

static void own(struct peer *p, struct net_stream *s)
{
    p->s = s;
    p->came = true;
    net_stream_own(s, &stream_events, p);
    net_stream_read(s, true);
    look(p->rig);
}

static void accepted(void *owner, struct net_stream *s)
{
    struct rig *r = owner;

    own(&r->server_peer, s);
}

static void trouble(void *owner, int error)
{
    (void)owner;
    (void)error;
}

static const struct net_listener_events listener_events = { accepted, trouble };

static void connected(void *owner, struct net_stream *s, int status,
                      const char *address)
{
    struct rig *r = owner;

    (void)address;
    if (s != NULL) {
        own(&r->client, s);
        return;
    }
    r->client.refusal = status;
    look(r);
}

int rig_connect(struct rig *r)
{
    r->target = net_target_new(r->loop, "127.0.0.1", proxy_server_url(r->server)->port);
    if (r->target == NULL) {
        return -ENOMEM;
    }
    return net_connect_start(r->target, connected, r) == NULL ? -ENOMEM : 0;
}

void rig_say(struct peer *p, const char *text)
{
    if (p->s != NULL) {
        say_text(p->s, text);
    }
}

/* ---- the rig ---- */

static const struct proxy_guest guests = { opened, ready, bytes_came, ended,
                                           flow,   again, gone,       NULL };

int rig_call(struct rig *r)
{
    return proxy_server_call(r->server, &guests, &r->caller, &r->caller.number);
}

static int sink_write(void *object, struct iovec *iov, int count, size_t *done)
{
    struct rig *r = object;

    *done = 0;
    for (int i = 0; i < count; i++) {
        if (buf_put(&r->tape, bytes_make(iov[i].iov_base, iov[i].iov_len)) < 0) {
            return -EIO;
        }
        *done += iov[i].iov_len;
    }
    return 0;
}

static int sink_sync(void *object)
{
    (void)object;
    return 0;
}

static int sink_cut(void *object, uint64_t to_len)
{
    struct rig *r = object;

    r->tape.len = (size_t)to_len;
    return 0;
}

static int open_tape(struct rig *r)
{
    struct capture_writer_config c = { .sink = { r, sink_write, sink_sync, sink_cut } };
    int err;

    c.header.version = CAPTURE_VERSION;
    err = capture_writer_new(&c, 0, &r->writer);
    if (err == 0) {
        proxy_server_record(r->server, r->writer);
    }
    return err;
}

static void stopped(void *owner)
{
    struct rig *r = owner;

    r->stopped = true;
    look(r);
}

static void too_long(void *owner)
{
    (void)owner;
    fail_msg("what the test waits for did not come within 10 s");
}

static int listen_upstream(struct rig *r, unsigned kind, struct proxy_config *c)
{
    struct err e;
    int err = net_listener_new(r->loop, "127.0.0.1", 0, &listener_events, r,
                               &r->listener, &e);

    if (err == 0) {
        c->upstream.port = net_listener_port(r->listener);
    }
    if (err == 0 && (kind & RIG_UNREACHABLE) != 0) {
        net_listener_free(r->listener);
        r->listener = NULL;
    }
    return err;
}

static int start(struct rig *r, unsigned kind)
{
    static struct proxy_guest backend;
    struct proxy_server_config c = { .max_connections = 1,
                                     .no_listener = (kind & RIG_CALLS) != 0,
                                     .stopped = stopped,
                                     .owner = r };
    struct err e;
    int err = 0;

    backend = guests;
    backend.owner = r;
    c.proxy.linger_ns = 100 * CLOCK_NS_PER_MS;
    c.proxy.keep_host = true;
    c.proxy.http_body_limit = 1024;
    snprintf(c.proxy.listen.host, sizeof(c.proxy.listen.host), "127.0.0.1");
    snprintf(c.proxy.upstream.host, sizeof(c.proxy.upstream.host), "127.0.0.1");
    if ((kind & RIG_BACKEND) != 0) {
        c.backend = &backend;
    } else {
        err = listen_upstream(r, kind, &c.proxy);
    }
    if (err == 0) {
        err = proxy_server_new(r->loop, &c, &r->server, &e);
    }
    return err == 0 && (kind & RIG_TAPE) != 0 ? open_tape(r) : err;
}

int rig_init(struct rig *r, unsigned kind)
{
    int err;

    *r = (struct rig){ .live = alloc_live() };
    r->tape = (struct buf){ r->space, 0, sizeof(r->space) };
    r->backend.rig = r->caller.rig = r->client.rig = r->server_peer.rig = r;
    err = net_loop_new(&r->loop);
    if (err < 0) {
        return err;
    }
    r->watchdog = net_timer_new(r->loop, too_long, r);
    return r->watchdog == NULL ? -ENOMEM : start(r, kind);
}

bool rig_until(struct rig *r, bool (*wanted)(struct rig *r))
{
    r->wanted = wanted;
    net_timer_at(r->watchdog, clock_monotonic_ns() + 10 * CLOCK_NS_PER_S);
    if (!wanted(r)) {
        net_loop_run(r->loop);
    }
    net_timer_at(r->watchdog, -1);
    r->wanted = NULL;
    return wanted(r);
}

static void close_peer(struct peer *p)
{
    if (p->s != NULL) {
        net_stream_close(p->s);
    }
}

static void check_guest(struct guest *g)
{
    assert_int_equal(g->gones, g->opens + (g->number > 0 && g->opens == 0));
    buf_deinit(&g->got);
}

void rig_deinit(struct rig *r)
{
    if (r->loop == NULL) {
        return;
    }
    net_listener_free(r->listener);
    if (r->server != NULL && !r->stopped) {
        proxy_server_stop(r->server, "over");
    }
    net_timer_free(r->watchdog);
    close_peer(&r->client);
    close_peer(&r->server_peer);
    net_loop_run(r->loop);
    assert_true(r->stopped || r->server == NULL);
    check_guest(&r->backend);
    check_guest(&r->caller);
    proxy_server_free(r->server);
    net_target_free(r->target);
    capture_writer_free(r->writer);
    net_loop_run(r->loop);
    net_loop_free(r->loop);
    buf_deinit(&r->client.got);
    buf_deinit(&r->server_peer.got);
    assert_int_equal(alloc_live(), r->live);
}
