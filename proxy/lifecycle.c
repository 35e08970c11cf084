#include "base/alloc.h"
#include "base/sm.h"
#include "proxy/faults.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct sm_state states[] = {
    [PROXY_WAITING] = { "waiting", SM_TO(PROXY_CONNECTING) | SM_TO(PROXY_DRAINING) |
                                       SM_TO(PROXY_DONE) },
    [PROXY_CONNECTING] = { "connecting", SM_TO(PROXY_OPEN) | SM_TO(PROXY_DRAINING) |
                                             SM_TO(PROXY_DONE) },
    [PROXY_OPEN] = { "open", SM_TO(PROXY_DRAINING) | SM_TO(PROXY_DONE) },
    [PROXY_DRAINING] = { "draining", SM_TO(PROXY_DONE) },
    [PROXY_DONE] = { "done", 0 },
};

void proxy_session_move(struct proxy_session *s, enum proxy_state to)
{
    sm_move(states, &s->state, to);
}

/* ---- deadlines ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

static int64_t after(int64_t from_ns, int64_t for_ns)
{
    return from_ns < 0 || for_ns <= 0 ? PROXY_NEVER : from_ns + for_ns;
}

static int64_t next_deadline(const struct proxy_session *s)
{
    const struct proxy_config *c = s->shared->config;
    int64_t at = s->deadline_at;

    if (s->state == PROXY_DONE) {
        return PROXY_NEVER;
    }
    at = earlier(at, proxy_faults_next_at(s));
    if (s->state == PROXY_WAITING || s->state == PROXY_OPEN) {
        at = earlier(at, after(s->head_at, c->head_timeout_ns));
        at = earlier(at, after(s->active_at, c->idle_timeout_ns));
    }
    return at;
}

/* A wake that comes too early is harmless and cheaper than moving it at every byte. */
int proxy_session_arm(struct proxy_session *s)
{
    struct proxy_output out = { .owner = s->owner, .kind = PROXY_WAKE };
    int64_t at = next_deadline(s);

    if (at == s->wake_at || (at >= 0 && s->wake_at >= 0 && s->wake_at < at)) {
        return 0;
    }
    s->wake_at = at;
    out.u.wake_at = at;
    return proxy_outputs_put(s->shared->outputs, &out);
}

static int record_end(struct proxy_session *s, enum side side, int64_t now_ns)
{
    if (s->legs[side].ended_in || (side == SERVER && !s->connected)) {
        return 0;
    }
    s->legs[side].ended_in = true;
    return proxy_tap_end(s->shared->tap, s->number, now_ns,
                         &(struct proxy_tap_end){
                             .side = side, .kind = s->ended_by, .by_wstape = true });
}

/* What came of a frame's header, or of an answer's head, and was not passed on. */
static int keep_halves(struct proxy_session *s, int64_t now_ns)
{
    int r = s->http == NULL ? 0 : proxy_http_keep_half_answer(s, now_ns);

    for (int side = CLIENT; r == 0 && side <= SERVER; side++) {
        r = proxy_frames_keep_half(s, (enum side)side, now_ns);
    }
    return r;
}

static int finish(struct proxy_session *s, int64_t now_ns)
{
    char text[96];
    int r = 0;

    if (s->state == PROXY_DONE) {
        return 0;
    }
    if (s->late_dropped > 0) {
        snprintf(text, sizeof(text),
                 "%llu bytes that came after wstape's last word were "
                 "not kept",
                 (unsigned long long)s->late_dropped);
        r = proxy_tap_note(s->shared->tap, s->number, now_ns, text);
    }
    if (r == 0 && s->http != NULL) {
        r = proxy_http_keep_rest(s, now_ns);
    }
    if (r == 0) {
        r = keep_halves(s, now_ns);
    }
    if (r == 0 && s->opened) {
        r = record_end(s, CLIENT, now_ns);
    }
    if (r == 0) {
        r = record_end(s, SERVER, now_ns);
    }
    if (r == 0) {
        r = proxy_session_output(s, PROXY_CLOSE, CLIENT);
    }
    proxy_session_move(s, PROXY_DONE);
    return r;
}

int proxy_session_end_out(struct proxy_session *s, enum side to, enum capture_end kind,
                          int64_t now_ns)
{
    if (!s->legs[to].ended_out && s->faults != NULL &&
        proxy_faults_hold_end(s, to, kind, now_ns)) {
        return 0;
    }
    return proxy_session_end_out_now(s, to, kind);
}

int proxy_session_end_out_now(struct proxy_session *s, enum side to,
                              enum capture_end kind)
{
    if (s->legs[to].ended_out) {
        return 0;
    }
    s->legs[to].ended_out = true;
    return proxy_session_output(
        s, kind == CAPTURE_END_TRUNCATED ? PROXY_CUT : PROXY_FIN, to);
}

int proxy_session_cut(struct proxy_session *s, enum capture_end kind, int64_t now_ns)
{
    int r = proxy_session_output(s, PROXY_RESET, CLIENT);

    if (r == 0) {
        r = proxy_session_output(s, PROXY_RESET, SERVER);
    }
    s->legs[CLIENT].ended_out = s->legs[SERVER].ended_out = true;
    s->ended_by = (uint8_t)kind;
    return r == 0 ? finish(s, now_ns) : r;
}

static bool leg_over(const struct proxy_session *s, enum side side)
{
    return (side == SERVER && !s->connected) ||
           (s->legs[side].ended_in && s->legs[side].ended_out);
}

int proxy_session_settle(struct proxy_session *s, int64_t now_ns)
{
    if (s->state == PROXY_DONE || s->state == PROXY_CONNECTING ||
        !leg_over(s, CLIENT) || !leg_over(s, SERVER)) {
        return 0;
    }
    return finish(s, now_ns);
}

/* A side that has ended will not answer our last word: nothing is waited for. */
static int end_answered(struct proxy_session *s, enum side side)
{
    const struct proxy_leg *leg = &s->legs[side];

    if (!leg->ended_in || (leg->close_wanted && !leg->close_passed)) {
        return 0;
    }
    return proxy_session_end_out_now(s, side, CAPTURE_END_FIN);
}

int proxy_session_drain(struct proxy_session *s, enum capture_end kind, int64_t now_ns)
{
    int r = 0;

    if (s->state == PROXY_DRAINING || s->state == PROXY_DONE) {
        return 0; /* the last word itself reached a rule's limit */
    }
    s->ended_by = (uint8_t)kind;
    s->head_at = PROXY_NEVER;
    s->deadline_at = after(now_ns, s->shared->config->linger_ns);
    if (s->faults != NULL) { /* nobody is let in or passed on any more */
        s->faults->accept_at = s->faults->request_at = PROXY_NEVER;
    }
    for (int side = CLIENT; side <= SERVER && r == 0; side++) {
        r = proxy_session_pause(s, (enum side)side, PROXY_PAUSE_ALL, false);
    }
    for (int side = CLIENT; side <= SERVER && r == 0; side++) {
        r = end_answered(s, (enum side)side);
    }
    if (r == 0 && s->state == PROXY_CONNECTING) {
        r = proxy_session_output(s, PROXY_RESET, SERVER);
    }
    if (r == 0 && s->http != NULL) {
        r = proxy_http_keep_rest(s, now_ns);
    }
    if (r == 0 && s->http != NULL) {
        r = proxy_http_keep_half_answer(s, now_ns);
    }
    proxy_session_move(s, PROXY_DRAINING);
    return r == 0 ? proxy_session_settle(s, now_ns) : r;
}

static int head_too_slow(struct proxy_session *s, int64_t now_ns)
{
    if (wire_http_head(s->http->reader[CLIENT]).len == 0) {
        int r = proxy_session_end_out(s, CLIENT, CAPTURE_END_FIN, now_ns);

        return r == 0 ? proxy_session_drain(s, CAPTURE_END_TIMEOUT, now_ns) : r;
    }
    s->head_at = PROXY_NEVER;
    return proxy_http_refuse(
        s, 408, "the request head did not arrive in time (--head-timeout)", now_ns);
}

static int expired(struct proxy_session *s, int64_t now_ns)
{
    const struct proxy_config *c = s->shared->config;
    bool listening = s->state == PROXY_WAITING || s->state == PROXY_OPEN;
    int64_t head_at = after(s->head_at, c->head_timeout_ns);
    int64_t idle_at = after(s->active_at, c->idle_timeout_ns);

    if (s->deadline_at >= 0 && now_ns >= s->deadline_at) {
        if (s->state == PROXY_CONNECTING) {
            return proxy_session_connected(
                s, &(struct proxy_leg_facts){ .address = "" },
                "the backend did not answer in time (--connect-timeout)", now_ns);
        }
        if (s->state == PROXY_OPEN) {
            s->ended_by = CAPTURE_END_STOP;
        }
        if (s->state == PROXY_DRAINING && proxy_faults_next_at(s) >= 0) {
            s->deadline_at =
                after(proxy_faults_next_at(s), s->shared->config->linger_ns);
            return 0; /* our last word itself is delayed by a rule */
        }
        return finish(s, now_ns);
    }
    if (listening && head_at >= 0 && now_ns >= head_at) {
        return head_too_slow(s, now_ns);
    }
    if (listening && idle_at >= 0 && now_ns >= idle_at) {
        s->ended_by = CAPTURE_END_TIMEOUT;
        return finish(s, now_ns);
    }
    return 0;
}

int proxy_session_wake(struct proxy_session *s, int64_t now_ns)
{
    int r = 0;

    s->wake_at = PROXY_NEVER;
    if (s->faults != NULL && s->state != PROXY_DONE) {
        r = proxy_faults_wake(s, now_ns);
    }
    if (r == 0 && s->state != PROXY_DONE) {
        r = expired(s, now_ns);
    }
    return r == 0 ? proxy_session_arm(s) : r;
}

int proxy_session_stop_now(struct proxy_session *s, int64_t now_ns)
{
    int r = proxy_faults_flush(s, now_ns);

    if (s->state == PROXY_DONE || s->state == PROXY_DRAINING) {
        return r;
    }
    for (int side = CLIENT; side <= SERVER && r == 0; side++) {
        if (s->mode == PROXY_FRAMES) {
            s->legs[side].close_wanted = true;
            r = proxy_answer_close(s, (enum side)side, now_ns);
        } else if (side == CLIENT || s->connected) {
            r = proxy_session_end_out(s, (enum side)side, CAPTURE_END_FIN, now_ns);
        }
    }
    return r == 0 ? proxy_session_drain(s, CAPTURE_END_STOP, now_ns) : r;
}

int proxy_session_stop(struct proxy_session *s, unsigned code, const char *reason,
                       const uint8_t mask[4], int64_t now_ns)
{
    int r;

    if (s->state == PROXY_DONE || s->state == PROXY_DRAINING) {
        return 0;
    }
    alloc_free(s->stop_reason);
    s->stop_reason = alloc_text(reason, strnlen(reason, PROXY_REASON_MAX));
    if (s->stop_reason == NULL) {
        return -ENOMEM;
    }
    for (int side = CLIENT; side <= SERVER; side++) {
        s->legs[side].close_code = (uint16_t)code;
        s->legs[side].says_reason = true;
    }
    memcpy(s->mask, mask, sizeof(s->mask));
    s->stop_wanted = true;
    if (s->state == PROXY_OPEN && s->mode == PROXY_HTTP && !s->silent &&
        s->http->exchange_count > 0) {
        s->deadline_at = after(now_ns, s->shared->config->linger_ns);
        return proxy_session_arm(s);
    }
    if (s->state == PROXY_CONNECTING) {
        r = proxy_answer(s, 503, "wstape is stopping", now_ns);
    } else {
        r = proxy_session_stop_now(s, now_ns);
    }
    return r == 0 ? proxy_session_arm(s) : r;
}
void proxy_session_abandon(struct proxy_session *s, enum capture_end kind,
                           int64_t now_ns)
{
    if (s->state == PROXY_DONE) {
        return;
    }
    s->ended_by = (uint8_t)kind;
    if (s->opened && record_end(s, CLIENT, now_ns) == 0) {
        record_end(s, SERVER, now_ns);
    }
    s->state = PROXY_DONE;
}

/* The peer is gone in both directions: so is everything said to it. */
static int broken(struct proxy_session *s, enum side side, int64_t now_ns)
{
    enum side other = side_other(side);
    int r = 0;

    s->legs[side].ended_out = true;
    if (!s->legs[other].ended_in || !s->legs[other].ended_out) {
        s->legs[other].ended_out = true;
        r = proxy_session_output(s, PROXY_RESET, other);
    }
    s->ended_by = CAPTURE_END_RESET;
    return r == 0 ? finish(s, now_ns) : r;
}

static int end_of_direction(struct proxy_session *s, enum side side,
                            enum capture_end kind, int64_t now_ns)
{
    int r = 0;

    switch ((enum proxy_state)s->state) {
    case PROXY_WAITING:
        r = proxy_http_finish(s, side, now_ns);
        if (r == 0) {
            r = proxy_session_end_out(s, CLIENT, kind, now_ns);
        }
        break;
    case PROXY_CONNECTING:
        s->http->fin_held = true;
        s->http->fin_kind = kind;
        break;
    case PROXY_OPEN:
        if (side == CLIENT && s->http != NULL && s->http->wait == PROXY_WAIT_SWITCH) {
            r = proxy_http_keep_rest(s, now_ns); /* it did not wait for the answer */
        }
        if (r == 0 && side == CLIENT && s->http != NULL && s->http->held_count > 0 &&
            s->http->wait != PROXY_WAIT_REFUSE) {
            s->http->fin_held = true;
            s->http->fin_kind = kind;
            break;
        }
        r = proxy_session_fin_from(s, side, kind, now_ns);
        break;
    case PROXY_DRAINING:
        r = proxy_session_end_out(s, side, kind, now_ns);
        break;
    case PROXY_DONE:
        break;
    }
    return r == 0 ? proxy_session_settle(s, now_ns) : r;
}

static bool is_ours(enum capture_end kind)
{
    return kind == CAPTURE_END_TIMEOUT || kind == CAPTURE_END_STOP ||
           kind == CAPTURE_END_FAULT;
}

bool proxy_session_ends_itself(const struct proxy_session *s)
{
    return is_ours((enum capture_end)s->ended_by);
}

int proxy_session_ended(struct proxy_session *s, enum side side, enum capture_end kind,
                        const char *text, int64_t now_ns)
{
    bool breaks = kind != CAPTURE_END_FIN && kind != CAPTURE_END_TRUNCATED;
    int r;

    if (s->state == PROXY_DONE || (s->legs[side].ended_in && !breaks)) {
        return 0;
    }
    s->legs[side].ended_in = true;
    r = proxy_tap_end(
        s->shared->tap, s->number, now_ns,
        &(struct proxy_tap_end){
            .side = side, .kind = kind, .by_wstape = is_ours(kind), .text = text });
    if (r < 0) {
        return r;
    }
    if (breaks) {
        r = broken(s, side, now_ns);
    } else {
        r = end_of_direction(s, side, kind, now_ns);
    }
    return r == 0 ? proxy_session_arm(s) : r;
}

int proxy_session_fin_from(struct proxy_session *s, enum side from,
                           enum capture_end kind, int64_t now_ns)
{
    int r = 0;

    switch ((enum proxy_mode)s->mode) {
    case PROXY_HTTP:
        assert(s->http != NULL);
        if (from == SERVER || s->http->wait != PROXY_WAIT_REFUSE) {
            r = proxy_http_finish(s, from, now_ns);
        }
        break;
    case PROXY_FRAMES:
        r = proxy_frames_finish(s, from, now_ns);
        break;
    case PROXY_TUNNEL:
        break;
    }
    return r == 0 ? proxy_session_end_out(s, side_other(from), kind, now_ns) : r;
}
