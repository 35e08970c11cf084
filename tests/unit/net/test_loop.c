#include "base/alloc.h"
#include "base/clock.h"
#include "tests/unit/net/fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- timers ---- */

enum { TIMERS = 500 };

struct alarm {
    struct net_timer *timer;
    struct net_loop *loop;
    int64_t at;
    unsigned fired;
    struct alarm *frees; /* another one, when this fires */
};

static int64_t last_at;

static void alarm_came(void *owner)
{
    struct alarm *a = owner;

    a->fired++;
    assert_true(clock_monotonic_ns() >= a->at); /* never early */
    assert_true(a->at / CLOCK_NS_PER_MS >= last_at / CLOCK_NS_PER_MS);
    last_at = a->at;
    if (a->frees != NULL) {
        net_timer_free(a->frees->timer);
        a->frees->timer = NULL;
    }
}

static void set(struct alarm *a, int64_t at)
{
    a->at = at;
    net_timer_at(a->timer, at);
}

static void make(struct alarm *a, struct net_loop *l)
{
    *a = (struct alarm){ .loop = l, .timer = net_timer_new(l, alarm_came, a) };
    assert_non_null(a->timer);
}

static struct net_loop *loop_new(void)
{
    struct net_loop *l = NULL;

    assert_int_equal(net_loop_new(&l), 0);
    return l;
}

/* Random times, moved earlier and later and stopped, fire in order and once each. */
static void timers_fire_in_order(void **state)
{
    struct net_loop *l = loop_new();
    struct alarm *all = alloc_zero(TIMERS, sizeof(*all));
    int64_t now = clock_monotonic_ns();
    unsigned random = 1;

    (void)state;
    assert_non_null(all);
    last_at = 0;
    for (int i = 0; i < TIMERS; i++) {
        make(&all[i], l);
        for (int moves = 0; moves < 4; moves++) {
            random = random * 1103515245U + 12345U;
            set(&all[i], now + (int64_t)(random >> 8) % (50 * CLOCK_NS_PER_MS));
        }
    }
    for (int i = 0; i < TIMERS; i += 7) {
        net_timer_at(all[i].timer, -1);
    }
    assert_int_equal(net_loop_run(l), 0);
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(all[i].fired, i % 7 == 0 ? 0 : 1);
        net_timer_free(all[i].timer);
    }
    alloc_free(all);
    net_loop_free(l);
}

static void timer_is_punctual(void **state)
{
    struct net_loop *l = loop_new();
    struct alarm a;
    int64_t late = INT64_MAX;

    (void)state;
    for (int i = 0; i < 20; i++) { /* the best of some: the machine may be busy */
        int64_t after;

        last_at = 0;
        make(&a, l);
        set(&a, clock_monotonic_ns() + 3 * CLOCK_NS_PER_MS + i * 77777);
        assert_int_equal(net_loop_run(l), 0);
        after = clock_monotonic_ns() - a.at;
        late = after < late ? after : late;
        assert_int_equal(a.fired, 1);
        net_timer_free(a.timer);
    }
    assert_true(late < 2 * CLOCK_NS_PER_MS);
    net_loop_free(l);
}

static void timer_in_the_past_fires_at_once(void **state)
{
    struct net_loop *l = loop_new();
    struct alarm a;

    (void)state;
    last_at = 0;
    make(&a, l);
    set(&a, 0);
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(a.fired, 1);
    net_timer_free(a.timer);
    net_loop_free(l);
}

struct again {
    struct net_timer *timer;
    struct net_loop *loop;
    unsigned left;
    unsigned turns;
};

static void again_came(void *owner)
{
    struct again *a = owner;

    if (--a->left > 0) {
        net_timer_at(a->timer, 0);
    }
}

static void again_turned(void *owner)
{
    struct again *a = owner;

    a->turns++;
}

/* A timer set into the past from its own callback does not shut the others out. */
static void timer_that_always_fires_leaves_turns(void **state)
{
    struct net_loop *l = loop_new();
    struct again a = { .loop = l, .left = 5 };

    (void)state;
    a.timer = net_timer_new(l, again_came, &a);
    net_loop_on_turn(l, again_turned, &a);
    net_timer_at(a.timer, 0);
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(a.left, 0);
    assert_true(a.turns >= 5);
    net_timer_free(a.timer);
    net_loop_free(l);
}

static void timer_frees_timers(void **state)
{
    struct net_loop *l = loop_new();
    struct alarm a, b;
    int64_t now = clock_monotonic_ns();

    (void)state;
    last_at = 0;
    make(&a, l);
    make(&b, l);
    a.frees = &b;
    set(&a, now);
    set(&b, now);
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    make(&b, l);
    b.frees = &b; /* itself */
    set(&b, now);
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(b.fired, 1);
    assert_null(b.timer);
    net_timer_free(a.timer);
    net_timer_free(NULL);
    net_loop_free(l);
}

/* ---- the turn hook ---- */

struct effects {
    struct net_loop *loop;
    struct net_timer *timer;
    unsigned collected; /* by callbacks */
    unsigned performed; /* by the turn hook */
    unsigned closed;
};

static void perform(void *owner)
{
    struct effects *x = owner;

    x->performed = x->collected;
}

static void collect(void *owner)
{
    struct effects *x = owner;

    assert_int_equal(x->performed, x->collected); /* performed before the loop slept */
    x->collected++;
    if (x->collected < 5) {
        net_timer_at(x->timer, clock_monotonic_ns() + CLOCK_NS_PER_MS);
    }
}

static void effects_are_performed_before_sleeping(void **state)
{
    struct effects x = { .loop = loop_new() };

    (void)state;
    x.timer = net_timer_new(x.loop, collect, &x);
    net_loop_on_turn(x.loop, perform, &x);
    net_timer_at(x.timer, 0);
    assert_int_equal(net_loop_run(x.loop), 0);
    assert_int_equal(x.collected, 5);
    assert_int_equal(x.performed, 5);
    net_timer_free(x.timer);
    net_loop_free(x.loop);
}

/* What the very last close callback collects is performed too. */
static void last_close_is_performed(void **state)
{
    struct fixture f;
    unsigned turns;

    (void)state;
    fixture_init(&f);
    fixture_pair(&f);
    net_listener_free(f.listener);
    f.listener = NULL;
    end_close(&f.a);
    end_close(&f.b);
    turns = f.turns;
    assert_int_equal(net_loop_run(f.loop), 0);
    assert_null(f.b.s);
    assert_true(f.turns > turns);
    fixture_deinit(&f);
}

/* Two streams whose bytes come in one batch. */
struct batch {
    struct fixture f;
    bool asks;   /* for the turn, when bytes come */
    bool closes; /* both streams, in the turn after that */
    unsigned turns, heard;
    unsigned turns_before[2]; /* what was heard */
};

static void batch_heard(void *owner, struct net_stream *s, struct slice in)
{
    struct batch *b = owner;

    (void)s;
    assert_int_equal(in.len, 1);
    assert_true(b->heard < 2);
    b->turns_before[b->heard++] = b->turns;
    if (b->asks) {
        net_loop_turn_now(b->f.loop);
    }
}

static void batch_ended(void *owner, struct net_stream *s, int status)
{
    (void)owner;
    (void)s;
    fail_msg("a stream ended: %d", status);
}

static void batch_closed(void *owner, struct net_stream *s)
{
    struct batch *b = owner;
    struct end *e = s == b->f.a.s ? &b->f.a : &b->f.b;

    assert_ptr_equal(e->s, s);
    e->s = NULL;
}

static const struct net_stream_events batch_events = { batch_heard, batch_ended, NULL,
                                                       batch_closed };

static void batch_turned(void *owner)
{
    struct batch *b = owner;

    b->turns++;
    if (b->closes && b->heard == 1) {
        b->closes = false;
        net_stream_close(b->f.a.s);
        net_stream_close(b->f.b.s);
        net_listener_free(b->f.listener);
        b->f.listener = NULL;
    }
    if (b->heard == 2) {
        net_loop_stop(b->f.loop);
    }
}

static void run_batch(struct batch *b)
{
    fixture_init(&b->f);
    fixture_pair(&b->f);
    assert_int_equal(end_write(&b->f.a, "x", 1), 0);
    assert_int_equal(end_write(&b->f.b, "y", 1), 0);
    net_stream_own(b->f.a.s, &batch_events, b);
    net_stream_own(b->f.b.s, &batch_events, b);
    net_stream_read(b->f.a.s, true);
    net_stream_read(b->f.b.s, true);
    net_loop_on_turn(b->f.loop, batch_turned, b);
    assert_int_equal(net_loop_run(b->f.loop), 0);
    if (b->f.a.s != NULL) {
        end_own(&b->f.a, b->f.a.s);
        end_own(&b->f.b, b->f.b.s);
    }
    net_loop_on_turn(b->f.loop, NULL, NULL);
    fixture_deinit(&b->f);
}

static void a_batch_has_one_turn(void **state)
{
    struct batch b = { .asks = false };

    (void)state;
    run_batch(&b);
    assert_int_equal(b.heard, 2);
    assert_int_equal(b.turns_before[1], b.turns_before[0]);
}

static void the_turn_comes_between_events_when_asked_for(void **state)
{
    struct batch b = { .asks = true };

    (void)state;
    run_batch(&b);
    assert_int_equal(b.heard, 2);
    assert_int_equal(b.turns_before[1], b.turns_before[0] + 1);
}

/* Neither stream says anything after it was closed. */
static void a_turn_between_events_may_close_streams(void **state)
{
    struct batch b = { .asks = true, .closes = true };

    (void)state;
    run_batch(&b);
    assert_int_equal(b.heard, 1);
    assert_null(b.f.a.s);
    assert_null(b.f.b.s);
}

/* A stream that is neither read nor written keeps the loop going. */
static void stop_it(void *owner)
{
    struct fixture *f = owner;

    f->trouble = 7;
    net_loop_stop(f->loop);
}

static void open_streams_keep_the_loop_running(void **state)
{
    struct fixture f;
    struct net_signal *s;

    (void)state;
    fixture_init(&f);
    fixture_pair(&f);
    net_listener_free(f.listener);
    f.listener = NULL;
    s = net_signal_new(f.loop, SIGUSR1, NULL, NULL);
    assert_non_null(s);
    {
        struct net_timer *t = net_timer_new(f.loop, stop_it, &f);

        net_timer_at(t, clock_monotonic_ns() + 5 * CLOCK_NS_PER_MS);
        assert_int_equal(net_loop_run(f.loop), 0);
        assert_int_equal(f.trouble, 7);
        net_timer_free(t);
    }
    net_signal_free(s);
    fixture_deinit(&f);
}

static void time_goes_on_with_events(void **state)
{
    struct net_loop *l = loop_new();
    int64_t before = clock_monotonic_ns();
    struct alarm a;

    (void)state;
    last_at = 0;
    make(&a, l);
    set(&a, before + 2 * CLOCK_NS_PER_MS);
    assert_int_equal(net_loop_run(l), 0);
    assert_true(net_loop_now_ns(l) >= a.at);
    assert_true(net_loop_now_ns(l) <= clock_monotonic_ns());
    net_timer_free(a.timer);
    net_loop_free(l);
}

/* ---- signals ---- */

static int signal_seen;

static void signal_came(void *owner, int number)
{
    signal_seen = number;
    net_loop_stop(owner);
}

static void raise_it(void *owner)
{
    (void)owner;
    raise(SIGUSR1);
}

static void signals_arrive(void **state)
{
    struct net_loop *l = loop_new();
    struct net_signal *s = net_signal_new(l, SIGUSR1, signal_came, l);
    struct net_timer *t = net_timer_new(l, raise_it, l);
    struct net_timer *hold = net_timer_new(l, raise_it, l);

    (void)state;
    signal_seen = 0;
    net_timer_at(t, 0);
    net_timer_at(hold, clock_monotonic_ns() + 10 * CLOCK_NS_PER_S);
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(signal_seen, SIGUSR1);
    net_timer_free(t);
    net_timer_free(hold);
    net_signal_free(s);
    net_signal_free(NULL);
    assert_null(net_signal_new(l, SIGKILL, signal_came, l));
    net_loop_free(l);
}

static void writing_to_nobody_does_not_kill(void **state)
{
    struct net_loop *l = loop_new();
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(raise(SIGXFSZ), 0);
    close(fds[1]);
    net_loop_free(l);
}

/* ---- children ---- */

struct ending {
    unsigned count;
    int status;
    int signal;
};

static void child_done(void *owner, int status, int number)
{
    struct ending *x = owner;

    x->count++;
    x->status = status;
    x->signal = number;
}

static struct ending run_child(const char *script, char *const *env, int kill_with)
{
    char sh[] = "sh";
    char c[] = "-c";
    char *text = alloc_text(script, strlen(script));
    char *argv[] = { sh, c, text, NULL };
    struct net_loop *l = loop_new();
    struct ending x = { 0 };
    struct net_child *child;

    assert_int_equal(net_child_start(l, argv, env, child_done, &x, &child), 0);
    if (kill_with != 0) {
        net_child_kill(child, kill_with);
    }
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(x.count, 1);
    net_loop_free(l);
    alloc_free(text);
    return x;
}

static void children_say_how_they_ended(void **state)
{
    (void)state;
    assert_int_equal(run_child("exit 0", NULL, 0).status, 0);
    assert_int_equal(run_child("exit 255", NULL, 0).status, 255);
    assert_int_equal(run_child("kill -TERM $$", NULL, 0).signal, SIGTERM);
    assert_int_equal(run_child("exec sleep 60", NULL, SIGKILL).signal, SIGKILL);
    /* SIGPIPE is ignored here, and must not be there. */
    assert_int_equal(run_child("kill -PIPE $$", NULL, 0).signal, SIGPIPE);
}

static void children_get_variables(void **state)
{
    char url[] = "WSTAPE_URL=ws://127.0.0.1:1";
    char home[] = "HOME=/elsewhere";
    char *env[] = { url, home, NULL };

    (void)state;
    setenv("WSTAPE_URL", "old", 1);
    setenv("WSTAPE_URL_MORE", "kept", 1);
    assert_int_equal(run_child("test \"$WSTAPE_URL $WSTAPE_URL_MORE $HOME\" = "
                               "'ws://127.0.0.1:1 kept /elsewhere' && "
                               "test $(env | grep -c ^WSTAPE_URL=) = 1",
                               env, 0)
                         .status,
                     0);
    unsetenv("WSTAPE_URL");
    unsetenv("WSTAPE_URL_MORE");
}

static void child_that_is_not_there(void **state)
{
    char name[] = "no-such-command-anywhere";
    char *argv[] = { name, NULL };
    struct net_loop *l = loop_new();
    struct ending x = { 0 };
    struct net_child *child = NULL;

    (void)state;
    assert_int_equal(net_child_start(l, argv, NULL, child_done, &x, &child), -ENOENT);
    assert_null(child);
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(x.count, 0);
    net_loop_free(l);
}

/* ---- sync ---- */

static void sync_done(void *owner, int r)
{
    *(int *)owner = r;
}

static void syncs_in_the_background(void **state)
{
    struct net_loop *l = loop_new();
    char name[] = "/tmp/wstape-sync-XXXXXX";
    int fd = mkstemp(name);
    int r = 1;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(net_sync(l, fd, sync_done, &r), 0);
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(r, 0);
    close(fd);
    unlink(name);
    assert_int_equal(net_sync(l, fd, sync_done, &r), 0);
    assert_int_equal(net_loop_run(l), 0);
    assert_int_equal(r, -EBADF);
    net_loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order),
        cmocka_unit_test(timer_is_punctual),
        cmocka_unit_test(timer_in_the_past_fires_at_once),
        cmocka_unit_test(timer_that_always_fires_leaves_turns),
        cmocka_unit_test(timer_frees_timers),
        cmocka_unit_test(effects_are_performed_before_sleeping),
        cmocka_unit_test(last_close_is_performed),
        cmocka_unit_test(a_batch_has_one_turn),
        cmocka_unit_test(the_turn_comes_between_events_when_asked_for),
        cmocka_unit_test(a_turn_between_events_may_close_streams),
        cmocka_unit_test(open_streams_keep_the_loop_running),
        cmocka_unit_test(time_goes_on_with_events),
        cmocka_unit_test(signals_arrive),
        cmocka_unit_test(writing_to_nobody_does_not_kill),
        cmocka_unit_test(children_say_how_they_ended),
        cmocka_unit_test(children_get_variables),
        cmocka_unit_test(child_that_is_not_there),
        cmocka_unit_test(syncs_in_the_background),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
