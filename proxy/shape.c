#include "proxy/faults.h"

#include "base/clock.h"

#include <errno.h>

static void take_action(struct proxy_shape *p, const struct inject_rule *rule)
{
    const struct inject_act *a = &rule->act;

    p->on = true;
    switch ((int)a->action) {
    case INJECT_LATENCY:
        p->latency_ns = a->for_ns;
        p->jitter_ns = a->jitter_ns;
        break;
    case INJECT_BANDWIDTH:
        p->bytes_per_s = a->count;
        break;
    case INJECT_SLICE:
        p->piece = a->count;
        p->gap_ns = a->gap_ns;
        break;
    case INJECT_LIMIT:
        p->limited = true;
        p->left = a->count;
        break;
    default:
        p->close_delay_ns = a->for_ns;
    }
}

static int open_direction(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct proxy_shape *p = &s->faults->shapes[from];
    struct inject_fired fired[INJECT_FIRED_MAX];
    size_t count = inject_on_stream(s->faults->connection, from,
                                    proxy_faults_time(s, now_ns), fired);
    int r = 0;

    p->end_at = PROXY_NEVER;
    for (size_t i = 0; r == 0 && i < count; i++) {
        take_action(p, fired[i].rule);
        r = proxy_faults_record(s, &fired[i], from, (enum inject_opcode)0, now_ns);
    }
    return r;
}

int proxy_shape_open(struct proxy_session *s, int64_t now_ns)
{
    int r = 0;

    if (s->faults->shaped) {
        return 0;
    }
    s->faults->shaped = true;
    r = open_direction(s, CLIENT, now_ns);
    return r == 0 ? open_direction(s, SERVER, now_ns) : r;
}

/* latency, give or take up to jitter, the same at every run. */
static int64_t lag(const struct proxy_session *s, enum side from, struct proxy_shape *p)
{
    uint64_t bits;

    if (p->jitter_ns == 0) {
        return p->latency_ns;
    }
    bits = inject_connection_bits(s->faults->connection, from, UINT64_MAX - p->puts++);
    return p->latency_ns - p->jitter_ns +
           (int64_t)(bits % (uint64_t)(2 * p->jitter_ns + 1));
}

static int64_t transmission_ns(const struct proxy_shape *p, size_t len)
{
    return p->bytes_per_s == 0 ? 0
                               : (int64_t)((double)len / (double)p->bytes_per_s *
                                           (double)CLOCK_NS_PER_S);
}

/* When a piece may go: after the latency, behind what is being transmitted. */
static int64_t piece_at(struct proxy_shape *p, int64_t earliest_ns, size_t len)
{
    int64_t at = p->free_at > earliest_ns ? p->free_at : earliest_ns;

    at += transmission_ns(p, len);
    p->free_at = at + p->gap_ns;
    return at;
}

static int put_pieces(struct proxy_shape *p, struct slice bytes, int64_t earliest_ns)
{
    int r = 0;

    while (r == 0 && bytes.len > 0) {
        struct slice part = bytes;

        if (p->piece > 0 && part.len > p->piece) {
            part.len = (size_t)p->piece;
        }
        r = proxy_line_put(&p->line, part, piece_at(p, earliest_ns, part.len), true);
        bytes.off += part.len;
        bytes.len -= part.len;
    }
    return r;
}

static int pause_source(struct proxy_session *s, enum side from)
{
    return proxy_session_pause(s, from, PROXY_PAUSE_SHAPE,
                               s->faults->shapes[from].line.len > PROXY_HIGH_WATER);
}

int proxy_shape_send(struct proxy_session *s, enum side to, struct slice bytes,
                     int64_t now_ns)
{
    enum side from = side_other(to);
    struct proxy_shape *p = &s->faults->shapes[from];
    int64_t lag_ns = lag(s, from, p);
    int r;

    if (p->limited) {
        bytes.len = bytes.len < p->left ? bytes.len : (size_t)p->left;
        p->left -= bytes.len;
    }
    r = put_pieces(p, bytes, now_ns + (lag_ns > 0 ? lag_ns : 0));
    if (r == 0) {
        r = proxy_shape_release(s, from, now_ns);
    }
    return r == 0 ? pause_source(s, from) : r;
}

/* The limit is reached and everything up to it has gone: the connection is cut. */
static int cut_at_limit(struct proxy_session *s, int64_t now_ns)
{
    int r = proxy_session_end_out_now(s, CLIENT, CAPTURE_END_TRUNCATED);

    if (r == 0 && s->connected) {
        r = proxy_session_end_out_now(s, SERVER, CAPTURE_END_TRUNCATED);
    }
    return r == 0 && s->state != PROXY_DRAINING && s->state != PROXY_DONE
               ? proxy_session_drain(s, CAPTURE_END_FAULT, now_ns)
               : r;
}

int proxy_shape_release(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct proxy_shape *p = &s->faults->shapes[from];
    enum side to = side_other(from);
    struct slice bytes;
    int r = 0;

    while (r == 0 && proxy_line_take(&p->line, now_ns, &bytes)) {
        if (!s->legs[to].ended_out) { /* the other direction may have cut both */
            r = proxy_outputs_send(s->shared->outputs, s->owner, to, bytes);
        }
        chunk_unref(bytes.chunk);
    }
    if (r < 0 || !proxy_line_empty(&p->line)) {
        return r;
    }
    if (p->limited && p->left == 0) {
        p->limited = false;
        return cut_at_limit(s, now_ns);
    }
    if (p->line.ended && now_ns >= p->end_at) {
        p->line.ended = false;
        p->end_at = PROXY_NEVER;
        r = proxy_session_end_out_now(s, to, (enum capture_end)p->line.end_kind);
        return r == 0 ? proxy_session_settle(s, now_ns) : r;
    }
    return pause_source(s, from);
}
