#include "replay/player.h"

#include "base/alloc.h"
#include "base/sm.h"
#include "replay/player_state.h"
#include "wire/http.h"

#include <errno.h>

static const struct sm_state states[] = {
    [PLAYER_ANSWERING] = { "answering", SM_TO(PLAYER_FRAMES) | SM_TO(PLAYER_TUNNEL) |
                                            SM_TO(PLAYER_DONE) },
    [PLAYER_FRAMES] = { "frames", SM_TO(PLAYER_CLOSING) | SM_TO(PLAYER_DONE) },
    [PLAYER_TUNNEL] = { "tunnel", SM_TO(PLAYER_CLOSING) | SM_TO(PLAYER_DONE) },
    [PLAYER_CLOSING] = { "closing", SM_TO(PLAYER_DONE) },
    [PLAYER_DONE] = { "done", 0 },
};

void replay_player_move(struct replay_player *p, enum player_state to)
{
    sm_move(states, &p->state, to);
}

void replay_player_wake_by(struct replay_player *p, int64_t at_ns)
{
    if (p->out.wake_at < 0 || at_ns < p->out.wake_at) {
        p->out.wake_at = at_ns;
    }
}

void replay_player_end(struct replay_player *p, enum capture_end kind)
{
    p->out.end = kind;
    p->out.wake_at = REPLAY_NEVER;
    replay_player_move(p, PLAYER_DONE);
}

bool replay_player_is_full(struct replay_player *p)
{
    if (p->out.send.len - p->said < REPLAY_BURST) {
        return false;
    }
    replay_player_wake_by(p, p->now_ns);
    return true;
}

/* ---- events ---- */

void replay_player_tell(struct replay_player *p, struct replay_event *e)
{
    const struct replay_listener *l = &p->stage->listener;

    e->connection = p->number;
    e->recorded = p->recorded;
    l->tell(l->owner, e);
}

void replay_player_note(struct replay_player *p, const char *text)
{
    struct replay_event e = { .kind = REPLAY_EVENT_NOTE, .text = bytes_of(text) };

    replay_player_tell(p, &e);
}

static void tell_early(struct replay_player *p)
{
    const struct replay_connection *c = p->connection;
    const struct replay_message *m = &c->messages[p->expected];
    struct replay_event e = { .kind = REPLAY_EVENT_EARLY,
                              .from = CLIENT,
                              .message = m->number,
                              .count = c->count[CLIENT] - p->had,
                              .before = m->payload,
                              .before_present = true,
                              .before_binary = m->opcode == WIRE_OP_BINARY,
                              .after_binary = m->opcode == WIRE_OP_BINARY };

    replay_player_tell(p, &e);
}

static void tell_over(struct replay_player *p)
{
    bool is_http = p->connection == NULL;
    struct replay_event e = { .kind = REPLAY_EVENT_OVER,
                              .from = CLIENT,
                              .is_http = is_http,
                              .count = is_http ? p->requests : p->got,
                              .expected =
                                  is_http ? p->answers : p->connection->count[CLIENT] };

    if (!p->told_over) {
        p->told_over = true;
        replay_player_tell(p, &e);
    }
}

/* When both sides are over, what there is to tell about it is known. */
static void settle(struct replay_player *p)
{
    if (p->state != PLAYER_DONE || !p->client_ended) {
        return;
    }
    if (!p->cut_short && !p->told_over) {
        replay_player_tell_close(p);
        if (p->early) {
            tell_early(p);
        }
    }
    tell_over(p);
}

/* ---- life ---- */

enum { FILLED_MAX = 64 * 1024 }; /* scratch that is kept */

struct replay_player *replay_player_new(struct replay_stage *stage, uint32_t number,
                                        int64_t now_ns)
{
    struct replay_player *p = alloc_zero(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }
    p->http = wire_http_new(true);
    if (p->http == NULL) {
        alloc_free(p);
        return NULL;
    }
    p->stage = stage;
    p->number = number;
    p->now_ns = now_ns;
    p->flowing = true;
    p->out.wake_at = REPLAY_NEVER;
    p->expected = REPLAY_NONE;
    p->waits_at = REPLAY_NONE;
    list_init(&p->asked);
    replay_compare_init(&p->compare, &stage->rules);
    p->compare.most = REPLAY_DIFFERENCES_MAX;
    return p;
}

void replay_player_free(struct replay_player *p)
{
    if (p == NULL) {
        return;
    }
    while (!list_empty(&p->asked)) {
        replay_player_asked_free(LIST_ENTRY(p->asked.next, struct player_asked, link));
    }
    wire_http_free(p->http);
    replay_hear_deinit(&p->hear);
    replay_speak_deinit(&p->speak);
    replay_compare_deinit(&p->compare);
    replay_live_free(p->live);
    buf_deinit(&p->held);
    buf_deinit(&p->filled);
    buf_deinit(&p->came);
    buf_deinit(&p->out.send);
    alloc_free(p);
}

struct replay_output *replay_player_output(struct replay_player *p)
{
    return &p->out;
}

/* ---- inputs ---- */

static void begin(struct replay_player *p, int64_t now_ns)
{
    p->now_ns = now_ns;
    p->said = p->out.send.len;
    p->out.wake_at = REPLAY_NEVER;
    p->out.end = 0; /* it was told */
}

/* Without memory it is over, in whatever state. */
static int finish(struct replay_player *p, int r)
{
    if (r < 0 && p->state != PLAYER_DONE) {
        p->cut_short = true;
        p->out.wake_at = REPLAY_NEVER;
        replay_player_move(p, PLAYER_DONE);
    }
    settle(p);
    if (p->filled.cap > FILLED_MAX) {
        buf_deinit(&p->filled);
    }
    return r;
}

/* What is due, in whatever state. */
static int go_on(struct replay_player *p)
{
    static const struct bytes nothing = { NULL, 0 };
    int r = 0;

    switch ((enum player_state)p->state) {
    case PLAYER_ANSWERING:
        r = replay_player_ask(p, nothing);
        break;
    case PLAYER_FRAMES:
    case PLAYER_TUNNEL:
    case PLAYER_CLOSING:
        r = replay_player_walk(p);
        break;
    case PLAYER_DONE:
        break;
    }
    return finish(p, r);
}

int replay_player_bytes(struct replay_player *p, struct bytes in, int64_t now_ns)
{
    int r = 0;

    begin(p, now_ns);
    switch ((enum player_state)p->state) {
    case PLAYER_ANSWERING:
        r = replay_player_ask(p, in);
        break;
    case PLAYER_FRAMES:
    case PLAYER_TUNNEL:
    case PLAYER_CLOSING:
        r = replay_player_frames(p, in);
        break;
    case PLAYER_DONE:
        break;
    }
    return finish(p, r);
}

int replay_player_ended(struct replay_player *p, enum capture_end kind, bool by_rule,
                        int64_t now_ns)
{
    int r = 0;

    begin(p, now_ns);
    if (p->client_ended) {
        return 0;
    }
    p->client_ended = true;
    p->cut_short = p->cut_short || by_rule;
    switch ((enum player_state)p->state) {
    case PLAYER_ANSWERING:
        if (kind == CAPTURE_END_RESET) {
            replay_player_move(p, PLAYER_DONE);
        }
        break;
    case PLAYER_FRAMES:
    case PLAYER_TUNNEL:
    case PLAYER_CLOSING:
        r = replay_player_client_over(p, kind);
        break;
    case PLAYER_DONE:
        break;
    }
    return r < 0 ? finish(p, r) : go_on(p);
}

int replay_player_wake(struct replay_player *p, int64_t now_ns)
{
    begin(p, now_ns);
    return go_on(p);
}

int replay_player_flow(struct replay_player *p, bool on, int64_t now_ns)
{
    begin(p, now_ns);
    p->flowing = on;
    return go_on(p);
}

/* Messages of the client were still to come. */
static bool is_owed_messages(const struct replay_player *p)
{
    return p->state == PLAYER_FRAMES && p->expected != REPLAY_NONE;
}

void replay_player_stop(struct replay_player *p, int64_t now_ns)
{
    begin(p, now_ns);
    if (p->told_over) {
        return;
    }
    if (!p->cut_short && (p->early || is_owed_messages(p))) {
        tell_early(p);
    } else if (p->state == PLAYER_FRAMES || p->state == PLAYER_TUNNEL) {
        replay_player_tell_wait(p);
    }
    tell_over(p);
    if (p->state != PLAYER_DONE) {
        replay_player_move(p, PLAYER_DONE);
    }
}
