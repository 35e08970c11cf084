#include "proxy/faults.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATE_MAX = 64 * 1024, /* bytes after the last word that the tape keeps */
};

struct proxy_session *proxy_session_new(const struct proxy_shared *shared,
                                        uint32_t number, void *owner, int64_t now_ns)
{
    struct proxy_session *s = alloc_zero(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->shared = shared;
    s->owner = owner;
    s->number = number;
    s->active_at = s->head_at = now_ns;
    s->deadline_at = s->wake_at = PROXY_NEVER;
    s->ended_by = CAPTURE_END_ERROR;
    if (proxy_http_init(s) < 0 || proxy_faults_init(s, now_ns) < 0) {
        proxy_session_free(s);
        return NULL;
    }
    return s;
}

void proxy_session_free(struct proxy_session *s)
{
    if (s != NULL) {
        proxy_http_deinit(s);
        proxy_faults_deinit(s);
        alloc_free(s->stop_reason);
        alloc_free(s->unreachable);
        alloc_free(s);
    }
}

/* ---- outputs ---- */

int proxy_session_output(struct proxy_session *s, enum proxy_output_kind kind,
                         enum side side)
{
    struct proxy_output out = { .owner = s->owner,
                                .kind = (uint8_t)kind,
                                .side = (uint8_t)side };

    return proxy_outputs_put(s->shared->outputs, &out);
}

int proxy_session_send(struct proxy_session *s, enum side to, struct slice bytes,
                       int64_t now_ns)
{
    const struct proxy_leg *leg = &s->legs[to];
    bool closed = leg->close_wanted && leg->close_passed; /* by a frame of ours */

    return s->silent || closed ? 0 : proxy_session_say(s, to, bytes, now_ns);
}

int proxy_session_say(struct proxy_session *s, enum side to, struct slice bytes,
                      int64_t now_ns)
{
    if (s->legs[to].ended_out) {
        return 0; /* nothing goes behind an end, a rule's in the middle of a message */
    }
    if (s->faults != NULL && s->faults->shapes[side_other(to)].on) {
        return proxy_shape_send(s, to, bytes, now_ns);
    }
    return proxy_outputs_send(s->shared->outputs, s->owner, to, bytes);
}

int proxy_session_pause(struct proxy_session *s, enum side side, uint8_t reason,
                        bool paused)
{
    struct proxy_leg *leg = &s->legs[side];
    struct proxy_output out = { .owner = s->owner,
                                .kind = PROXY_READ,
                                .side = (uint8_t)side };
    uint8_t pauses =
        (uint8_t)(paused ? leg->pauses | reason : leg->pauses & ~(unsigned)reason);
    bool changes = (pauses == 0) != (leg->pauses == 0);

    leg->pauses = pauses;
    if (!changes || leg->ended_in) {
        return 0;
    }
    out.on = pauses == 0;
    return proxy_outputs_put(s->shared->outputs, &out);
}

/* ---- inputs ---- */

int proxy_session_record_open(struct proxy_session *s,
                              const struct proxy_leg_facts *client, int64_t now_ns)
{
    struct capture_record r = { .type = CAPTURE_OPEN };

    if (s->opened) {
        return 0; /* a rule acted before TLS was done */
    }
    s->opened = true;
    r.u.open.client = bytes_of(client->address);
    r.u.open.listen = bytes_of(client->local);
    if (client->tls != NULL) {
        r.u.open.is_tls = 1;
        r.u.open.tls = *client->tls;
    }
    return proxy_tap_put(s->shared->tap, s->number, now_ns, &r);
}

static int let_in(struct proxy_session *s, enum proxy_tls_fault tls)
{
    struct proxy_output out = { .owner = s->owner,
                                .kind = PROXY_ACCEPT,
                                .tls = (uint8_t)tls };

    return proxy_outputs_put(s->shared->outputs, &out);
}

int proxy_session_accepted(struct proxy_session *s,
                           const struct proxy_leg_facts *client, int64_t now_ns)
{
    struct proxy_admission admission = { .at = now_ns };
    int r = 0;

    if (s->faults != NULL) {
        r = proxy_faults_accept(s, client, &admission, now_ns);
    }
    if (r < 0 || s->state == PROXY_DONE) {
        return r;
    }
    if (admission.at == now_ns) {
        if (s->faults != NULL) {
            s->faults->accept_at = PROXY_NEVER;
        }
        r = let_in(s, admission.tls);
    } else {
        s->head_at = PROXY_NEVER;
    }
    return r == 0 ? proxy_session_arm(s) : r;
}

int proxy_session_let_in(struct proxy_session *s, int64_t now_ns)
{
    s->head_at = now_ns;
    s->faults->accept_at = PROXY_NEVER;
    if (s->faults->accept_resets) {
        return proxy_session_cut(s, CAPTURE_END_FAULT, now_ns);
    }
    return let_in(s, s->faults->accept_tls);
}

int proxy_session_opened(struct proxy_session *s, const struct proxy_leg_facts *client,
                         int64_t now_ns)
{
    struct proxy_output read = {
        .owner = s->owner, .kind = PROXY_READ, .side = CLIENT, .on = true
    };
    int r = proxy_session_record_open(s, client, now_ns);

    if (r == 0) {
        r = proxy_outputs_put(s->shared->outputs, &read);
    }
    return r == 0 ? proxy_session_arm(s) : r;
}

int proxy_session_refuse(struct proxy_session *s, const struct proxy_leg_facts *client,
                         unsigned status, const char *why, int64_t now_ns)
{
    int r = proxy_session_opened(s, client, now_ns);

    if (r == 0) {
        r = proxy_answer(s, status, why, now_ns);
    }
    return r == 0 ? proxy_session_arm(s) : r;
}

int proxy_session_pass(struct proxy_session *s, enum side from, struct slice in,
                       int64_t now_ns)
{
    int r;

    switch ((enum proxy_mode)s->mode) {
    case PROXY_HTTP:
        return proxy_http_pass(s, from, in, now_ns);
    case PROXY_FRAMES:
        return proxy_frames_pass(s, from, in, now_ns);
    case PROXY_TUNNEL:
        r = proxy_tap_raw(s->shared->tap, s->number, now_ns, from, in);
        return r == 0 ? proxy_session_send(s, side_other(from), in, now_ns) : r;
    }
    abort();
}

int proxy_session_too_late(struct proxy_session *s, enum side from, struct slice in,
                           int64_t now_ns)
{
    size_t keep = LATE_MAX - s->late_kept;

    if (s->state == PROXY_DONE) {
        return 0;
    }
    if (keep > in.len) {
        keep = in.len;
    }
    s->late_kept += (uint32_t)keep;
    s->late_dropped += in.len - keep;
    in.len = keep;
    return proxy_tap_raw(s->shared->tap, s->number, now_ns, from, in);
}

static void note_borders(struct proxy_session *s)
{
    if (s->turn == s->shared->turn) {
        return;
    }
    s->turn = s->shared->turn;
    s->lanes[CLIENT].border = s->lanes[CLIENT].payload_left == 0;
    s->lanes[SERVER].border = s->lanes[SERVER].payload_left == 0;
}

void proxy_session_silence(struct proxy_session *s)
{
    s->silent = true;
    proxy_faults_silence(s);
}

void proxy_session_lost(struct proxy_session *s, enum side to)
{
    bool border = s->lanes[side_other(to)].border;

    s->legs[to].lost = border ? PROXY_LOST_AT_BORDER : PROXY_LOST_IN_FRAME;
}

int proxy_session_bytes(struct proxy_session *s, enum side from, struct slice in,
                        int64_t now_ns)
{
    int r;

    s->active_at = now_ns;
    note_borders(s);
    if (s->state == PROXY_DONE ||
        (s->state == PROXY_DRAINING && s->mode != PROXY_FRAMES)) {
        return proxy_session_too_late(s, from, in, now_ns);
    }
    r = proxy_session_pass(s, from, in, now_ns);
    return r == 0 ? proxy_session_arm(s) : r;
}

static int record_upstream(struct proxy_session *s,
                           const struct proxy_leg_facts *server, const char *error,
                           int64_t now_ns)
{
    struct capture_record r = { .type = CAPTURE_UPSTREAM };

    r.u.upstream.address = bytes_of(server->address);
    if (error != NULL) {
        r.u.upstream.error = bytes_of(error);
    }
    if (server->tls != NULL) {
        r.u.upstream.is_tls = 1;
        r.u.upstream.tls = *server->tls;
    }
    return proxy_tap_put(s->shared->tap, s->number, now_ns, &r);
}

static int begin(struct proxy_session *s, int64_t now_ns)
{
    struct proxy_output read = {
        .owner = s->owner, .kind = PROXY_READ, .side = SERVER, .on = true
    };
    struct slice first = s->http->first;
    int r = proxy_outputs_put(s->shared->outputs, &read);

    s->connected = true;
    s->deadline_at = PROXY_NEVER;
    s->http->first = (struct slice){ 0 };
    proxy_session_move(s, PROXY_OPEN);
    if (r == 0) {
        r = proxy_session_send(s, SERVER, first, now_ns);
    }
    chunk_unref(first.chunk);
    return r == 0 ? proxy_http_release(s, now_ns) : r;
}

static int unreachable(struct proxy_session *s, const char *why, int64_t now_ns)
{
    s->unreachable = alloc_text(why, strlen(why));
    return s->unreachable == NULL ? -ENOMEM : proxy_answer(s, 502, why, now_ns);
}

const char *proxy_session_unreachable(const struct proxy_session *s)
{
    return s->unreachable;
}

int proxy_session_connected(struct proxy_session *s,
                            const struct proxy_leg_facts *server, const char *error,
                            int64_t now_ns)
{
    int r;

    if (s->state != PROXY_CONNECTING) {
        return 0;
    }
    r = record_upstream(s, server, error, now_ns);
    if (r == 0) {
        r = error == NULL ? begin(s, now_ns) : unreachable(s, error, now_ns);
    }
    return r == 0 ? proxy_session_arm(s) : r;
}

int proxy_session_queued(struct proxy_session *s, enum side side, size_t len)
{
    if (s->state == PROXY_DONE) {
        return 0;
    }
    return proxy_session_pause(s, side_other(side), PROXY_PAUSE_QUEUE,
                               len > PROXY_HIGH_WATER);
}
