#include "cli/replay_backend.h"

#include "base/alloc.h"
#include "cli/replay_perform.h"
#include "replay/player.h"

struct seat {
    struct list node; /* in the backend's seats */
    struct cli_replay_backend *backend;
    struct proxy_seat *seat;
    struct replay_player *player;
    struct net_timer *timer;
};

static int64_t now(const struct seat *s)
{
    return net_loop_now_ns(s->backend->loop);
}

static void settle(struct seat *s, int r)
{
    cli_replay_perform(s->seat, s->timer, replay_player_output(s->player), r, now(s));
}

static void wake(void *object)
{
    struct seat *s = object;

    settle(s, replay_player_wake(s->player, now(s)));
}

static void free_seat(struct seat *s)
{
    list_remove(&s->node);
    replay_player_free(s->player);
    net_timer_free(s->timer);
    alloc_free(s);
}

static void *open(void *owner, struct proxy_seat *seat, uint32_t number)
{
    struct cli_replay_backend *b = owner;
    struct seat *s = alloc_zero(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    list_init(&s->node);
    s->backend = b;
    s->seat = seat;
    s->player = replay_player_new(b->stage, number, now(s));
    s->timer = net_timer_new(b->loop, wake, s);
    if (s->player == NULL || s->timer == NULL) {
        free_seat(s);
        return NULL;
    }
    list_append(&b->seats, &s->node);
    return s;
}

static void ready(void *object, struct proxy_seat *seat)
{
    (void)object; /* the client speaks first */
    (void)seat;
}

/* Once stopped the player says nothing, and nobody is to wait for it. */
static bool has_stopped(struct seat *s)
{
    if (s->backend->stopped) {
        proxy_guest_end(s->seat, CAPTURE_END_FIN);
    }
    return s->backend->stopped;
}

static void bytes_came(void *object, struct bytes in)
{
    struct seat *s = object;

    if (has_stopped(s)) {
        return;
    }
    settle(s, replay_player_bytes(s->player, in, now(s)));
}

static void ended(void *object, enum capture_end kind, const char *why)
{
    struct seat *s = object;
    bool by_rule = proxy_guest_is_cut_short(s->seat);

    (void)why;
    settle(s, replay_player_ended(s->player, kind, by_rule, now(s)));
    has_stopped(s);
}

static void flow(void *object, bool on)
{
    struct seat *s = object;

    settle(s, replay_player_flow(s->player, on, now(s)));
}

static void gone(void *object)
{
    free_seat(object);
}

void cli_replay_backend_init(struct cli_replay_backend *b, struct replay_stage *stage)
{
    b->stage = stage;
    b->stopped = false;
    list_init(&b->seats);
    b->guest = (struct proxy_guest){ .open = open,
                                     .ready = ready,
                                     .bytes = bytes_came,
                                     .ended = ended,
                                     .flow = flow,
                                     .again = wake,
                                     .gone = gone,
                                     .owner = b };
}

void cli_replay_backend_stop(struct cli_replay_backend *b)
{
    b->stopped = true;
    for (struct list *n = b->seats.next; n != &b->seats; n = n->next) {
        struct seat *s = LIST_ENTRY(n, struct seat, node);

        replay_player_stop(s->player, now(s));
    }
}
