#include "replay/player_state.h"

static enum replay_event_kind told_as(const struct player_asked *a)
{
    switch (a->verdict) {
    case REPLAY_CHOICE_UNKNOWN:
        return REPLAY_EVENT_UNKNOWN;
    case REPLAY_CHOICE_EXHAUSTED:
        return REPLAY_EVENT_EXHAUSTED;
    case PLAYER_UNSOUND:
        return REPLAY_EVENT_BROKEN;
    default:
        return REPLAY_EVENT_CHOSEN;
    }
}

static int put_words(const struct player_asked *a, struct buf *text, size_t *target)
{
    int r = buf_put(text, a->method);

    r = r == 0 ? buf_put_byte(text, ' ') : r;
    r = r == 0 ? buf_put(text, a->target) : r;
    *target = text->len;
    if (r < 0 || a->verdict != PLAYER_UNSOUND) {
        return r;
    }
    r = buf_put_text(text, ": ");
    r = r == 0 ? replay_player_answer_flaw(a, text) : r;
    return r == 0 ? buf_put_format(text, ": answered with %u",
                                   replay_player_answer_status(a))
                  : r;
}

static int tell_request(struct replay_player *p, const struct player_asked *a)
{
    struct replay_event e = { .kind = told_as(a), .from = CLIENT, .is_http = !a->asks };
    struct buf text = { 0 };
    size_t target;
    int r = put_words(a, &text, &target);

    if (r == 0) {
        e.message = e.kind == REPLAY_EVENT_BROKEN ? 0 : a->number; /* not of frames */
        e.target = bytes_first(buf_bytes(&text), target);
        e.text = e.kind == REPLAY_EVENT_CHOSEN ? a->target : buf_bytes(&text);
        replay_player_tell(p, &e);
    }
    buf_deinit(&text);
    return r;
}

/* A handshake that is refused has no turn: the client may ask again, as it should. */
static void check(struct replay_player *p, struct player_asked *a)
{
    a->flaw = replay_player_shake_flaw(a);
    if (a->flaw != WIRE_HANDSHAKE_SOUND) {
        replay_choice_undo(p->stage->choice, &a->chosen);
        a->verdict = PLAYER_UNSOUND;
    }
}

/* The tape answers, from here on. */
static void prepare(struct replay_player *p, struct player_asked *a)
{
    const struct replay_connection *c = a->chosen.connection;
    uint32_t request = c->exchanges[a->chosen.exchange].request;

    p->recorded = c->number;
    a->said = request;
    a->at = replay_player_answer_first(a);
    replay_pace_init(&a->pace, p->stage->options.pace, c->steps[request].time_ns,
                     p->now_ns);
    replay_player_answer_gate(a);
}

int replay_player_choose(struct replay_player *p, struct player_asked *a)
{
    struct replay_stage *s = p->stage;

    a->at = a->said = a->asked_end = REPLAY_NONE;
    a->verdict =
        replay_choice_next(s->choice, a->method, a->target, a->asks, &a->chosen);
    if (a->verdict == 0) {
        check(p, a);
    }
    if (a->verdict == 0) {
        prepare(p, a);
        return s->listener.verbose ? tell_request(p, a) : 0;
    }
    a->last = a->last || a->asks; /* as servers do that refuse an upgrade */
    return tell_request(p, a);
}
