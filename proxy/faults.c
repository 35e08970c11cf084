#include "proxy/faults.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

enum { GOING_AWAY = 1001 };

/* ---- life ---- */

int64_t proxy_faults_time(const struct proxy_session *s, int64_t now_ns)
{
    return now_ns - s->shared->tap->origin_ns;
}

int proxy_faults_init(struct proxy_session *s, int64_t now_ns)
{
    if (s->shared->plan == NULL) {
        return 0;
    }
    s->faults = alloc_zero(1, sizeof(*s->faults));
    if (s->faults == NULL) {
        return -ENOMEM;
    }
    s->faults->accept_at = s->faults->request_at = PROXY_NEVER;
    s->faults->connection =
        inject_connection_new(s->shared->plan, s->number, proxy_faults_time(s, now_ns));
    return s->faults->connection == NULL ? -ENOMEM : 0;
}

static void held_deinit(struct proxy_held *h)
{
    buf_deinit(&h->message.raw);
    buf_deinit(&h->message.payload);
    buf_deinit(&h->control.raw);
    buf_deinit(&h->control.payload);
    buf_deinit(&h->behind);
    wire_inflate_free(h->inflate);
    wire_deflate_free(h->deflate);
    proxy_line_deinit(&h->line);
    for (size_t i = 0; i < h->overtaken_count; i++) {
        chunk_unref(h->overtaken[i].bytes.chunk);
    }
    alloc_free(h->overtaken);
}

void proxy_faults_deinit(struct proxy_session *s)
{
    struct proxy_faults *f = s->faults;

    if (f == NULL) {
        return;
    }
    held_deinit(&f->held[CLIENT]);
    held_deinit(&f->held[SERVER]);
    proxy_line_deinit(&f->shapes[CLIENT].line);
    proxy_line_deinit(&f->shapes[SERVER].line);
    inject_verdict_deinit(&f->verdict);
    inject_connection_free(f->connection);
    alloc_free(f);
    s->faults = NULL;
}

/* ---- records ---- */

int proxy_faults_record(struct proxy_session *s, const struct inject_fired *f,
                        enum side from, enum inject_opcode kind, int64_t now_ns)
{
    struct capture_record r = { .type = CAPTURE_FAULT };

    r.u.fault.from = from;
    if (kind != 0) {
        r.u.fault.opcode = proxy_resend_opcode(kind);
        r.u.fault.message = inject_message_number(s->faults->connection, from, kind);
    }
    r.u.fault.rule = bytes_of(f->rule->name);
    r.u.fault.action = bytes_of(inject_action_name(f->rule->act.action));
    r.u.fault.drawn = f->drawn;
    r.u.fault.draw = (uint64_t)(f->draw * 0x1p53);
    r.u.fault.applied = !f->failed;
    if (f->why != NULL) {
        r.u.fault.text = bytes_of(f->why);
    }
    return proxy_tap_put(s->shared->tap, s->number, now_ns, &r);
}

int proxy_faults_record_ruling(struct proxy_session *s,
                               const struct proxy_ruling *ruling, enum side from,
                               int64_t now_ns)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ruling->count; i++) {
        r = proxy_faults_record(s, &ruling->fired[i], from, (enum inject_opcode)0,
                                now_ns);
    }
    return r;
}

/* ---- accepting ---- */

static int64_t later(int64_t now_ns, int64_t for_ns)
{
    return for_ns < 0 || now_ns == PROXY_LINE_NEVER ? PROXY_LINE_NEVER
                                                    : now_ns + for_ns;
}

static enum proxy_tls_fault tls_fault(enum inject_tls tls)
{
    switch (tls) {
    case INJECT_TLS_EXPIRED:
        return PROXY_TLS_EXPIRED;
    case INJECT_TLS_SELF_SIGNED:
        return PROXY_TLS_SELF_SIGNED;
    case INJECT_TLS_WRONG_HOST:
        return PROXY_TLS_WRONG_HOST;
    case INJECT_TLS_ABORT:
        return PROXY_TLS_ABORT;
    }
    return PROXY_TLS_SOUND;
}

int proxy_faults_accept(struct proxy_session *s, const struct proxy_leg_facts *client,
                        struct proxy_admission *out, int64_t now_ns)
{
    struct proxy_ruling ruling;
    bool reset = false;
    int r;

    ruling.count = inject_on_accept(s->faults->connection, proxy_faults_time(s, now_ns),
                                    ruling.fired);
    if (ruling.count == 0) {
        return 0;
    }
    for (size_t i = 0; i < ruling.count; i++) {
        const struct inject_act *a = &ruling.fired[i].rule->act;

        if (a->action == INJECT_TLS) {
            out->tls = tls_fault(a->tls);
        } else if (a->action == INJECT_RESET) {
            reset = true;
        } else {
            out->at = later(out->at, a->for_ns);
        }
    }
    s->faults->accept_at = out->at;
    s->faults->accept_tls = out->tls;
    s->faults->accept_resets = reset;
    r = proxy_session_record_open(s, client, now_ns);
    if (r == 0) {
        r = proxy_faults_record_ruling(s, &ruling, CLIENT, now_ns);
    }
    return r == 0 && reset && out->at == now_ns
               ? proxy_session_cut(s, CAPTURE_END_FAULT, now_ns)
               : r;
}

/* ---- requests that wait ---- */

int proxy_faults_rule_request(struct proxy_session *s,
                              const struct proxy_ruling *ruling, int64_t now_ns)
{
    int r = proxy_faults_record_ruling(s, ruling, CLIENT, now_ns);

    s->faults->request_at = now_ns;
    s->faults->request_rule = NULL;
    for (size_t i = 0; i < ruling->count; i++) {
        const struct inject_act *a = &ruling->fired[i].rule->act;

        if (a->action == INJECT_HANG || a->action == INJECT_HANDSHAKE_DELAY) {
            s->faults->request_at = later(s->faults->request_at, a->for_ns);
        } else if (a->action == INJECT_STATUS || a->action == INJECT_RESET) {
            s->faults->request_rule = ruling->fired[i].rule;
        }
    }
    s->http->wait = PROXY_WAIT_RULE;
    return r;
}

int proxy_faults_request_due(struct proxy_session *s, int64_t now_ns)
{
    const struct inject_rule *rule = s->faults->request_rule;
    int r;

    if (s->faults->request_at > now_ns || s->state == PROXY_DRAINING) {
        return 0;
    }
    if (rule != NULL && rule->act.action == INJECT_RESET) {
        return proxy_session_cut(s, CAPTURE_END_FAULT, now_ns);
    }
    if (rule != NULL && s->http->exchange_count > 1) {
        s->faults->request_at = PROXY_NEVER;
        return 0; /* asked again when the answers to those before it are through */
    }
    s->faults->request_at = PROXY_NEVER;
    if (rule != NULL) {
        return proxy_answer_rule(s, &rule->act, rule->name, now_ns);
    }
    s->http->wait = PROXY_WAIT_NONE;
    r = proxy_http_proceed(s, now_ns);
    return r == 0 && s->http->wait == PROXY_WAIT_NONE ? proxy_http_release(s, now_ns)
                                                      : r;
}

/* ---- the open WebSocket ---- */

/* `late`: messages have passed that an inflater with context takeover would need. */
static int open_lane(struct proxy_session *s, enum side from, bool late)
{
    struct proxy_held *h = &s->faults->held[from];
    const struct wire_deflate_params *d = &s->faults->deflate;
    unsigned bits =
        from == CLIENT ? d->client_max_window_bits : d->server_max_window_bits;
    bool fresh =
        from == CLIENT ? d->client_no_context_takeover : d->server_no_context_takeover;

    /* Once true, for good: what is delayed, half gathered or compressed anew has to be
     * looked after, whatever rules come later. */
    h->cares = h->cares || inject_cares(s->faults->connection, from);
    h->gathers = inject_inserts_at_control(s->faults->connection, from);
    if (!h->cares || !d->agreed || h->inflates) {
        return 0;
    }
    h->inflates = true;
    h->late = h->failed = late && !fresh;
    h->inflate = wire_inflate_new(fresh);
    h->deflate = wire_deflate_new(bits, fresh);
    return h->inflate == NULL || h->deflate == NULL ? -ENOMEM : 0;
}

int proxy_faults_open(struct proxy_session *s, struct bytes response)
{
    struct wire_head h;
    bool others;
    int r;

    if (wire_head_parse(response, false, &h) == 0) {
        wire_handshake_extensions(response, &h, &s->faults->deflate, &others);
    }
    s->faults->generation = inject_plan_generation(s->shared->plan);
    r = open_lane(s, CLIENT, false);
    return r == 0 ? open_lane(s, SERVER, false) : r;
}

int proxy_faults_reopen(struct proxy_session *s)
{
    int r;

    if (s->faults->generation == inject_plan_generation(s->shared->plan)) {
        return 0;
    }
    s->faults->generation = inject_plan_generation(s->shared->plan);
    r = open_lane(s, CLIENT, true);
    return r == 0 ? open_lane(s, SERVER, true) : r;
}

/* ---- ends ---- */

/* Delayed and stalled messages, and those that wait for others to overtake them. */
static int flush_held(struct proxy_session *s, enum side from, int64_t now_ns)
{
    int r;

    proxy_line_flush(&s->faults->held[from].line);
    r = proxy_held_release(s, from, now_ns);
    return r == 0 && s->state != PROXY_DONE ? proxy_held_follow(s, from, true, now_ns)
                                            : r;
}

int proxy_faults_close(struct proxy_session *s, enum side from, unsigned code,
                       const char *reason, int64_t now_ns)
{
    enum side to = side_other(from);
    uint64_t mask = inject_connection_bits(s->faults->connection, from,
                                           s->faults->held[from].sent++);
    /* What the other direction holds goes before the close frame to its side. */
    int r = flush_held(s, to, now_ns);

    if (r < 0 || s->state != PROXY_OPEN) {
        return r;
    }
    alloc_free(s->stop_reason);
    s->stop_reason = alloc_text(reason, strnlen(reason, PROXY_REASON_MAX));
    if (s->stop_reason == NULL) {
        return -ENOMEM;
    }
    memcpy(s->mask, &mask, sizeof(s->mask));
    s->legs[to].close_code = (uint16_t)code;
    s->legs[to].says_reason = true;
    s->legs[from].close_code = GOING_AWAY;
    s->legs[from].says_reason = false;
    s->legs[to].close_wanted = s->legs[from].close_wanted = true;
    r = proxy_answer_close(s, to, now_ns);
    if (r == 0) {
        r = proxy_answer_close(s, from, now_ns);
    }
    return r == 0 ? proxy_session_drain(s, CAPTURE_END_FAULT, now_ns) : r;
}

int proxy_faults_abort(struct proxy_session *s, bool rst, int64_t now_ns)
{
    int r;

    if (rst) {
        return proxy_session_cut(s, CAPTURE_END_FAULT, now_ns);
    }
    r = proxy_session_end_out_now(s, CLIENT, CAPTURE_END_TRUNCATED);
    if (r == 0) {
        r = proxy_session_end_out_now(s, SERVER, CAPTURE_END_TRUNCATED);
    }
    return r == 0 ? proxy_session_drain(s, CAPTURE_END_FAULT, now_ns) : r;
}

bool proxy_faults_hold_end(struct proxy_session *s, enum side to, enum capture_end kind,
                           int64_t now_ns)
{
    enum side from = side_other(to);
    struct proxy_held *h = &s->faults->held[from];
    struct proxy_shape *p = &s->faults->shapes[from];
    struct proxy_line *line;

    if (s->state == PROXY_DONE) {
        return false;
    }
    if (!proxy_line_empty(&h->line)) {
        line = &h->line;
    } else if (p->on && (!proxy_line_empty(&p->line) || p->close_delay_ns > 0)) {
        line = &p->line;
        if (!line->ended) {
            p->end_at = now_ns + p->close_delay_ns;
        }
    } else {
        return false;
    }
    line->ended = true;
    line->end_kind = (int)kind;
    return true;
}

/* ---- what waits ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

/* PROXY_LINE_NEVER is no time to wake at. */
static int64_t due(int64_t at_ns)
{
    return at_ns == PROXY_LINE_NEVER ? PROXY_NEVER : at_ns;
}

int64_t proxy_faults_next_at(const struct proxy_session *s)
{
    const struct proxy_faults *f = s->faults;
    int64_t at;

    if (f == NULL) {
        return PROXY_NEVER;
    }
    at = earlier(due(f->accept_at), due(f->request_at));
    for (int side = CLIENT; side <= SERVER; side++) {
        const struct proxy_held *h = &f->held[side];

        at = earlier(at, proxy_line_next_at(&h->line));
        at = earlier(at, proxy_line_next_at(&f->shapes[side].line));
        if (f->shapes[side].line.ended && proxy_line_empty(&f->shapes[side].line)) {
            at = earlier(at, f->shapes[side].end_at);
        }
        if (h->ending != NULL && proxy_line_empty(&h->line)) {
            at = earlier(at, h->ending_at);
        }
    }
    return at;
}

int proxy_faults_wake(struct proxy_session *s, int64_t now_ns)
{
    struct proxy_faults *f = s->faults;
    int r = 0;

    if (due(f->accept_at) >= 0 && now_ns >= f->accept_at) {
        r = proxy_session_let_in(s, now_ns);
    }
    if (r == 0 && s->http != NULL && s->http->wait == PROXY_WAIT_RULE) {
        r = proxy_faults_request_due(s, now_ns);
    }
    for (int side = CLIENT; r == 0 && s->state != PROXY_DONE && side <= SERVER;
         side++) {
        r = proxy_held_release(s, (enum side)side, now_ns);
        if (r == 0 && s->state != PROXY_DONE) {
            r = proxy_shape_release(s, (enum side)side, now_ns);
        }
    }
    return r;
}

void proxy_faults_silence(struct proxy_session *s)
{
    for (int side = CLIENT; s->faults != NULL && side <= SERVER; side++) {
        struct proxy_held *h = &s->faults->held[side];
        struct proxy_shape *p = &s->faults->shapes[side];

        /* Where bytes wait in a shape, those before them may end anywhere. */
        if (h->line.torn || !proxy_line_empty(&p->line)) {
            s->legs[side_other((enum side)side)].lost = PROXY_LOST_IN_FRAME;
        }
        proxy_line_clear(&h->line);
        proxy_line_clear(&p->line);
        for (size_t i = 0; i < h->overtaken_count; i++) {
            chunk_unref(h->overtaken[i].bytes.chunk);
        }
        h->overtaken_count = 0;
        h->ending = NULL;
    }
}

int proxy_faults_flush(struct proxy_session *s, int64_t now_ns)
{
    int r = 0;

    if (s->faults == NULL) {
        return 0;
    }
    for (int side = CLIENT; r == 0 && side <= SERVER; side++) {
        struct proxy_shape *p = &s->faults->shapes[side];

        p->end_at = p->free_at = now_ns;
        p->latency_ns = p->jitter_ns = p->gap_ns = p->close_delay_ns = 0;
        p->bytes_per_s = 0;
        proxy_line_flush(&p->line);
        r = flush_held(s, (enum side)side, now_ns);
        if (r == 0 && s->state != PROXY_DONE) {
            r = proxy_shape_release(s, (enum side)side, now_ns);
        }
    }
    return r;
}
