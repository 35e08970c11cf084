#include "base/alloc.h"
#include "replay/player_state.h"

#include <errno.h>

void replay_player_asked_free(struct player_asked *a)
{
    list_remove(&a->link);
    buf_deinit(&a->head);
    alloc_free(a);
}

static struct player_asked *oldest(const struct replay_player *p)
{
    return list_empty(&p->asked) ? NULL
                                 : LIST_ENTRY(p->asked.next, struct player_asked, link);
}

static struct player_asked *latest(const struct replay_player *p)
{
    return list_empty(&p->asked) ? NULL
                                 : LIST_ENTRY(p->asked.prev, struct player_asked, link);
}

/* ---- requests ---- */

static bool wants_the_end(struct bytes head, const struct wire_head *h)
{
    return wire_head_has_token(head, h, "Connection", "close") ||
           (h->minor == 0 && !wire_head_has_token(head, h, "Connection", "keep-alive"));
}

/* A request's head is whole. */
static int take_head(struct replay_player *p)
{
    struct player_asked *a = alloc_zero(1, sizeof(*a));
    struct wire_head h;
    int r;

    if (a == NULL) {
        return -ENOMEM;
    }
    list_init(&a->link);
    r = buf_put(&a->head, wire_http_head(p->http));
    if (r < 0) {
        replay_player_asked_free(a);
        return r;
    }
    if (wire_head_parse(buf_bytes(&a->head), true, &h) == 0) {
        a->method = h.method;
        a->target = h.target;
        a->asks = wire_handshake_asks(buf_bytes(&a->head), &h);
        a->last = wants_the_end(buf_bytes(&a->head), &h);
    }
    a->number = ++p->requests;
    list_append(&p->asked, &a->link);
    p->asked_count++;
    p->tail = PLAYER_GOES_ON;
    p->tail_end = 0;
    return replay_player_choose(p, a);
}

static void take_end(struct replay_player *p, struct player_asked *a)
{
    if (a == NULL || a->whole) {
        return; /* it was answered before it was whole */
    }
    a->whole = true;
    if (a->asked_end != REPLAY_NONE && !a->early) {
        replay_pace_gate(&a->pace, a->chosen.connection->steps[a->asked_end].time_ns,
                         p->now_ns);
    }
}

/* The proxy's session lets none of this through. */
static void take_bad(struct replay_player *p, const char *why)
{
    struct replay_event e = { .kind = REPLAY_EVENT_BROKEN,
                              .from = CLIENT,
                              .is_http = true,
                              .message = p->requests + 1,
                              .text = bytes_of(why) };

    replay_player_tell(p, &e);
    replay_player_end(p, CAPTURE_END_FIN);
}

static int take_event(struct replay_player *p, const struct wire_http_event *e)
{
    switch (e->kind) {
    case WIRE_HTTP_HEAD:
        return take_head(p);
    case WIRE_HTTP_DONE:
        take_end(p, latest(p));
        break;
    case WIRE_HTTP_SWITCH:
        take_end(p, latest(p));
        p->switching = !list_empty(&p->asked);
        if (!p->switching) {
            wire_http_resume(p->http); /* refused before it was whole */
        }
        break;
    case WIRE_HTTP_BAD:
        take_bad(p, e->why);
        break;
    case WIRE_HTTP_MORE:
    case WIRE_HTTP_BODY:
        break;
    }
    return 0;
}

/* The answer breaks off on the tape, or there is none: it is the last one. */
static bool is_cut(const struct player_asked *a)
{
    const struct replay_exchange *x;

    if (a == NULL || a->verdict != 0) {
        return false;
    }
    x = &a->chosen.connection->exchanges[a->chosen.exchange];
    return x->response == REPLAY_NONE || (x->incomplete && !x->cut);
}

static bool reads_on(const struct replay_player *p)
{
    const struct player_asked *a = latest(p);

    if (a != NULL && a->whole && is_cut(a)) {
        return false;
    }
    return p->state == PLAYER_ANSWERING && !p->switching &&
           p->asked_count < PLAYER_ASKED_MAX && p->tail != PLAYER_ENDS &&
           p->tail != PLAYER_HANGS;
}

/* The client has ended within a request: it gets no answer. */
static void drop_cut_off(struct replay_player *p)
{
    struct player_asked *a = latest(p);

    if (a != NULL && !a->whole) {
        p->asked_count--;
        replay_player_asked_free(a);
    }
}

/* What was held back when the client ended is all there is: how much of a request came
 * is known only when it is read. */
static int read_held(struct replay_player *p)
{
    struct wire_http_event e = { 0 };
    size_t at = 0, used;
    int r = 0;

    while (r == 0 && e.kind != WIRE_HTTP_MORE && reads_on(p)) {
        r = wire_http_next(p->http, bytes_from(buf_bytes(&p->held), at), &used, &e);
        if (r == 0) {
            at += used;
            r = take_event(p, &e);
        }
    }
    if (r == 0 && e.kind == WIRE_HTTP_MORE && p->client_ended) {
        drop_cut_off(p);
    }
    buf_drop(&p->held, at);
    if (p->held.len == 0 && p->held.cap > WIRE_HTTP_HEAD_MAX) {
        buf_deinit(&p->held);
    }
    return r;
}

/* ---- ends ---- */

/* The recorded end behind step `from`: its step, or NONE; `*gated`: only after the
 * client's. `lone`: none when there was another request, or answer, before it. */
static uint32_t find_tail(const struct replay_connection *c, uint32_t from, bool lone,
                          bool *gated)
{
    *gated = false;
    for (uint32_t i = from; i < c->step_count; i++) {
        const struct replay_step *step = &c->steps[i];

        if (step->kind == REPLAY_END && step->from == SERVER) {
            return i;
        }
        if (step->kind == REPLAY_END) {
            *gated = true;
        } else if (lone && i > from &&
                   (step->kind == REPLAY_REQUEST || step->kind == REPLAY_RESPONSE)) {
            return REPLAY_NONE;
        }
    }
    return REPLAY_NONE;
}

static void set_tail(struct replay_player *p, enum player_tail tail,
                     enum capture_end end, int64_t due_ns)
{
    p->tail = (uint8_t)tail;
    p->tail_end = (uint8_t)end;
    p->tail_due = due_ns;
}

static void end_at(struct replay_player *p, const struct player_asked *a, uint32_t end,
                   enum player_tail tail)
{
    const struct replay_step *step = &a->chosen.connection->steps[end];

    set_tail(p, tail, step->end, replay_pace_due(&a->pace, step->time_ns));
}

/* The answer is all there is on the tape, but it is not whole, or there is none. */
static void end_as_cut(struct replay_player *p, const struct player_asked *a)
{
    const struct replay_connection *c = a->chosen.connection;
    bool begun = a->said != c->exchanges[a->chosen.exchange].request, gated;
    uint32_t end = find_tail(c, a->said, false, &gated);

    if (end != REPLAY_NONE) {
        end_at(p, a, end, gated ? PLAYER_HANGS : PLAYER_ENDS);
    } else if (begun && !gated) {
        set_tail(p, PLAYER_ENDS, CAPTURE_END_RESET, p->now_ns); /* the tape is torn */
    } else {
        set_tail(p, PLAYER_HANGS, CAPTURE_END_FIN, p->now_ns);
    }
    replay_player_note(p, begun ? "the tape's answer is not whole: it ends as there"
                                : "the tape has no answer to this request: the "
                                  "connection goes on, or ends, as there");
}

/* Behind a whole answer. */
static void end_as_whole(struct replay_player *p, const struct player_asked *a)
{
    bool closes = a->last || replay_player_answer_closes(a), gated;
    uint32_t end = find_tail(a->chosen.connection, a->said, true, &gated);

    if (end != REPLAY_NONE && !gated) {
        end_at(p, a, end, closes ? PLAYER_ENDS : PLAYER_IDLE);
    } else if (closes) {
        set_tail(p, PLAYER_ENDS, CAPTURE_END_FIN, p->now_ns);
    } else if (end != REPLAY_NONE) {
        end_at(p, a, end, PLAYER_GOES_ON);
    }
}

/* ---- answers ---- */

enum { WAITS, ANSWERED };

/* Whether the recorded answer's next step waits for the request's body. */
static bool awaits_body(const struct player_asked *a)
{
    const struct replay_exchange *x =
        &a->chosen.connection->exchanges[a->chosen.exchange];

    return !a->whole && !a->early &&
           (x->response == REPLAY_NONE ? a->at == REPLAY_NONE : a->at >= x->response);
}

static bool may_say(struct replay_player *p, const struct player_asked *a,
                    int64_t *due_ns)
{
    const struct replay_connection *c = a->chosen.connection;

    if (awaits_body(a) || !p->flowing || replay_player_is_full(p)) {
        return false;
    }
    *due_ns = replay_pace_due(&a->pace, c->steps[a->at].time_ns);
    if (*due_ns > p->now_ns) {
        replay_player_wake_by(p, *due_ns);
        return false;
    }
    return true;
}

/* HTTP may end with the step just said. */
static int after_step(struct replay_player *p, const struct player_asked *a)
{
    const struct replay_exchange *x =
        &a->chosen.connection->exchanges[a->chosen.exchange];

    return a->said == x->response && (x->agrees || x->tunnel) ? replay_player_open(p, a)
                                                              : 0;
}

static int answer_from_tape(struct replay_player *p, struct player_asked *a)
{
    const struct replay_connection *c = a->chosen.connection;
    const struct replay_exchange *x = &c->exchanges[a->chosen.exchange];
    int64_t due_ns;

    while (a->at != REPLAY_NONE) {
        int r;

        if (!may_say(p, a, &due_ns)) {
            return WAITS;
        }
        a->said = a->at;
        r = replay_player_answer_step(p, a);
        replay_pace_played(&a->pace, c->steps[a->said].time_ns, due_ns);
        if (r == 0) {
            r = after_step(p, a);
        }
        if (r < 0 || p->state != PLAYER_ANSWERING) {
            return r < 0 ? r : ANSWERED;
        }
    }
    if (x->response == REPLAY_NONE && awaits_body(a)) {
        return WAITS;
    }
    if (is_cut(a)) {
        end_as_cut(p, a);
    } else {
        end_as_whole(p, a);
    }
    return ANSWERED;
}

static int answer_one(struct replay_player *p, struct player_asked *a)
{
    int r;

    if (a->verdict == 0) {
        return answer_from_tape(p, a);
    }
    if (!a->whole || !p->flowing || replay_player_is_full(p)) {
        return WAITS;
    }
    r = replay_player_answer_none(p, a);
    if (r == 0 && a->last) {
        set_tail(p, PLAYER_ENDS, CAPTURE_END_FIN, p->now_ns);
    }
    return r < 0 ? r : ANSWERED;
}

/* Takes the request that was answered off; what waited behind it is read. */
static void drop_oldest(struct replay_player *p, struct player_asked *a)
{
    bool refused = p->switching && a == latest(p) && p->state == PLAYER_ANSWERING;

    p->answers += a->verdict == 0;
    p->asked_count--;
    replay_player_asked_free(a);
    if (refused) {
        p->switching = false;
        wire_http_resume(p->http);
    }
}

static int answer_all(struct replay_player *p)
{
    int r = 0;

    while (p->state == PLAYER_ANSWERING) {
        struct player_asked *a;

        r = read_held(p);
        a = oldest(p);
        if (r < 0 || a == NULL || p->state != PLAYER_ANSWERING ||
            p->tail == PLAYER_ENDS || p->tail == PLAYER_HANGS) {
            return r;
        }
        r = answer_one(p, a);
        if (r != ANSWERED) {
            return r == WAITS ? 0 : r;
        }
        drop_oldest(p, a);
    }
    return 0;
}

/* No request is open: it may be time to end. */
static void end_when_due(struct replay_player *p)
{
    enum player_tail tail = p->tail;

    if (p->client_ended) {
        replay_player_end(p, p->tail_end == 0 ? CAPTURE_END_FIN : p->tail_end);
    } else if (tail == PLAYER_GOES_ON || tail == PLAYER_HANGS) {
        return;
    } else if (p->tail_due <= p->now_ns) {
        replay_player_end(p, p->tail_end);
    } else {
        replay_player_wake_by(p, p->tail_due);
    }
}

/* What was held back is the first of the frames. */
static int hand_over(struct replay_player *p)
{
    struct buf held = p->held;
    int r;

    p->held = (struct buf){ 0 };
    r = replay_player_frames(p, buf_bytes(&held));
    buf_deinit(&held);
    return r;
}

int replay_player_ask(struct replay_player *p, struct bytes in)
{
    bool heeds = p->tail != PLAYER_ENDS && p->tail != PLAYER_HANGS;
    int r = heeds ? buf_put(&p->held, in) : 0;

    r = r == 0 ? answer_all(p) : r;
    if (r < 0 || p->state == PLAYER_DONE) {
        return r;
    }
    if (p->state != PLAYER_ANSWERING) {
        return hand_over(p);
    }
    heeds = p->tail != PLAYER_ENDS && p->tail != PLAYER_HANGS;
    if (!heeds || list_empty(&p->asked)) {
        end_when_due(p);
    }
    return 0;
}
