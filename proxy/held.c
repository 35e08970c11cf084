#include "proxy/faults.h"

#include "base/alloc.h"
#include "wire/mask.h"

#include <errno.h>
#include <string.h>

enum {
    NO_KIND = 0,
    NO_STATUS_RECEIVED = 1005, /* must not be on the wire (RFC 6455, 7.4.1) */
    MESSAGE_TOO_BIG = 1009,
    RECODE_MAX = 64 * 1024 * 1024, /* bytes of a message that is only compressed anew */
};

static struct proxy_held *held_of(const struct proxy_session *s, enum side from)
{
    return &s->faults->held[from];
}

static unsigned kind_of(uint8_t first)
{
    switch (first & 0x0fU) {
    case WIRE_OP_TEXT:
        return INJECT_TEXT;
    case WIRE_OP_BINARY:
        return INJECT_BINARY;
    case WIRE_OP_PING:
        return INJECT_PING;
    case WIRE_OP_PONG:
        return INJECT_PONG;
    case WIRE_OP_CLOSE:
        return INJECT_CLOSE;
    default:
        return NO_KIND; /* continuation, reserved: not the beginning of a message */
    }
}

/* ---- passing on ---- */

/* Bytes that end at a frame border, behind whatever is delayed. */
static int queue(struct proxy_session *s, enum side from, struct bytes wire,
                 int64_t go_at, bool whole, int64_t now_ns)
{
    struct proxy_held *h = held_of(s, from);
    struct slice copy;
    int r;

    if (wire.len == 0) {
        return 0;
    }
    r = slice_copy(wire, &copy);
    if (r < 0) {
        return r;
    }
    if (proxy_line_empty(&h->line) && go_at <= now_ns) {
        r = proxy_session_send(s, side_other(from), copy, now_ns);
    } else {
        r = proxy_line_put(&h->line, copy, go_at, whole);
    }
    chunk_unref(copy.chunk);
    return r == 0 ? proxy_session_pause(s, from, PROXY_PAUSE_HELD,
                                        h->line.len > PROXY_HIGH_WATER)
                  : r;
}

static int end_now(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct proxy_held *h = held_of(s, from);
    const struct inject_rule *rule = h->ending;
    const struct inject_act *a = &rule->act;

    h->ending = NULL;
    if (s->state != PROXY_OPEN) {
        return 0;
    }
    if (a->action == INJECT_ABORT) {
        return proxy_faults_abort(s, a->rst, now_ns);
    }
    s->stop_cause = rule->name;
    return proxy_faults_close(
        s, from, a->action == INJECT_VIOLATE ? NO_STATUS_RECEIVED : a->code,
        a->text == NULL ? "" : a->text, now_ns);
}

int proxy_held_release(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct proxy_held *h = held_of(s, from);
    enum side to = side_other(from);
    struct slice bytes;
    int r = 0;

    while (r == 0 && proxy_line_take(&h->line, now_ns, &bytes)) {
        r = proxy_session_send(s, to, bytes, now_ns);
        chunk_unref(bytes.chunk);
    }
    if (r < 0 || !proxy_line_empty(&h->line)) {
        return r;
    }
    if (h->ending != NULL && now_ns >= h->ending_at) {
        return end_now(s, from, now_ns);
    }
    if (h->line.ended && h->ending == NULL) {
        h->line.ended = false;
        r = proxy_session_end_out(s, to, (enum capture_end)h->line.end_kind, now_ns);
        return r == 0 ? proxy_session_settle(s, now_ns) : r;
    }
    return proxy_session_pause(s, from, PROXY_PAUSE_HELD,
                               h->line.len > PROXY_HIGH_WATER);
}

/* ---- overtaken messages ---- */

static int overtake(struct proxy_held *h, struct bytes wire, uint64_t others)
{
    struct proxy_overtaken *o;
    size_t cap = h->overtaken_cap == 0 ? 4 : h->overtaken_cap * 2;
    int r;

    if (h->overtaken_count == h->overtaken_cap) {
        o = alloc_resize(h->overtaken, cap * sizeof(*o));
        if (o == NULL) {
            return -ENOMEM;
        }
        h->overtaken = o;
        h->overtaken_cap = cap;
    }
    o = &h->overtaken[h->overtaken_count];
    r = slice_copy(wire, &o->bytes);
    if (r == 0) {
        o->left = others;
        h->overtaken_count++;
    }
    return r;
}

/* A message has gone by: those it overtook last follow it now. All: `everything`. */
static int let_follow(struct proxy_session *s, enum side from, bool everything,
                      int64_t now_ns)
{
    struct proxy_held *h = held_of(s, from);
    size_t kept = 0;
    int r = 0;

    for (size_t i = 0; i < h->overtaken_count; i++) {
        struct proxy_overtaken o = h->overtaken[i];

        if (!everything && --o.left > 0) {
            h->overtaken[kept++] = o;
            continue;
        }
        if (r == 0) {
            r = queue(s, from, slice_bytes(o.bytes), now_ns, true, now_ns);
        }
        chunk_unref(o.bytes.chunk);
    }
    h->overtaken_count = kept;
    return r;
}

/* ---- the verdict ---- */

/* A message to be judged, and what it was when it came. */
struct judged {
    enum side from;
    enum inject_opcode kind;
    struct proxy_gather *gather;
    struct bytes payload; /* decoded */
    bool compressed;
    bool opaque;   /* could not be decoded */
    bool oversize; /* too large for the rules */
    int64_t now_ns;
};

static int build(struct proxy_session *s, const struct judged *j, struct buf *wire)
{
    struct proxy_held *h = held_of(s, j->from);
    const struct inject_verdict *v = &s->faults->verdict;
    bool same = v->out_count == 1 && v->out[0].original;
    int r = 0;

    if (same && (!h->recodes || !j->compressed)) {
        return buf_put(wire, buf_bytes(&j->gather->raw));
    }
    h->recodes = h->recodes || j->compressed;
    for (size_t i = 0; r == 0 && i < v->out_count; i++) {
        const struct inject_out *out = &v->out[i];
        struct bytes payload =
            out->original ? j->payload : bytes_make(v->bytes.at + out->at, out->len);

        if (out->original && !j->compressed) {
            r = buf_put(wire, buf_bytes(&j->gather->raw));
        } else {
            r = proxy_resend(s, j->from, out, payload, j->compressed, wire);
        }
    }
    return r;
}

static int record(struct proxy_session *s, const struct judged *j, struct bytes wire)
{
    const struct inject_verdict *v = &s->faults->verdict;
    int r = 0;

    for (size_t i = 0; r == 0 && i < v->fired_count; i++) {
        r = proxy_faults_record(s, &v->fired[i], j->from, j->kind, j->now_ns);
    }
    if (r == 0 && wire.len > 0 &&
        ((held_of(s, j->from)->recodes && j->compressed) ||
         !bytes_equal(wire, buf_bytes(&j->gather->raw)))) {
        r = proxy_tap_sent(s->shared->tap, s->number, j->now_ns, side_other(j->from),
                           v->fired_count > 0 ? v->fired[0].rule->name : "recompressed",
                           wire);
    }
    return r;
}

static int stall(struct proxy_session *s, const struct judged *j, struct bytes wire)
{
    int64_t for_ns = s->faults->verdict.stall->rule->act.for_ns;
    int64_t until = for_ns < 0 ? PROXY_LINE_NEVER : j->now_ns + for_ns;
    size_t half = (wire.len + 1) / 2;
    int r = queue(s, j->from, bytes_first(wire, half), j->now_ns, false, j->now_ns);

    held_of(s, j->from)->line.torn = true;
    return r == 0 ? queue(s, j->from, bytes_from(wire, half), until, true, j->now_ns)
                  : r;
}

/* The connection ends where the message would have gone: behind those that are delayed.
 */
static int end_behind(struct proxy_session *s, const struct judged *j,
                      const struct inject_rule *rule)
{
    struct proxy_held *h = held_of(s, j->from);

    h->ending = rule;
    h->ending_at = j->now_ns + s->faults->verdict.delay_ns;
    return proxy_held_release(s, j->from, j->now_ns);
}

static int send_judged(struct proxy_session *s, const struct judged *j,
                       struct bytes wire)
{
    int64_t go_at = j->now_ns + s->faults->verdict.delay_ns;
    bool is_data = (j->kind & (INJECT_TEXT | INJECT_BINARY)) != 0;
    int r = 0;

    if (j->kind == INJECT_CLOSE) {
        r = let_follow(s, j->from, true, j->now_ns);
        s->legs[side_other(j->from)].close_passed |= wire.len > 0;
    }
    if (r == 0) {
        r = queue(s, j->from, wire, go_at, true, j->now_ns);
    }
    return r == 0 && is_data && wire.len > 0 ? let_follow(s, j->from, false, j->now_ns)
                                             : r;
}

static int perform(struct proxy_session *s, const struct judged *j, struct bytes wire)
{
    const struct inject_verdict *v = &s->faults->verdict;
    int r;

    if (v->stall != NULL) {
        return stall(s, j, wire);
    }
    if (v->reorder > 0 && wire.len > 0) {
        return overtake(held_of(s, j->from), wire, v->reorder);
    }
    r = send_judged(s, j, wire);
    if (r == 0 && v->close != NULL) {
        return end_behind(s, j, v->close->rule);
    }
    if (r == 0 && v->abort != NULL) {
        return end_behind(s, j, v->abort->rule);
    }
    return r;
}

/* The message itself, in whatever way its direction goes by now. */
static int pass_as_it_is(struct proxy_session *s, const struct judged *j)
{
    struct inject_out out = { .kind = j->kind, .original = true };
    struct buf wire = { 0 };
    int r;

    if (!held_of(s, j->from)->recodes || !j->compressed || j->opaque) {
        return queue(s, j->from, buf_bytes(&j->gather->raw), j->now_ns, true,
                     j->now_ns);
    }
    r = proxy_resend(s, j->from, &out, j->payload, true, &wire);
    if (r == 0) {
        r = proxy_tap_sent(s->shared->tap, s->number, j->now_ns, side_other(j->from),
                           "recompressed", buf_bytes(&wire));
    }
    if (r == 0) {
        r = queue(s, j->from, buf_bytes(&wire), j->now_ns, true, j->now_ns);
    }
    buf_deinit(&wire);
    return r;
}

/* What cannot be decoded is passed as it came; the rules that might have held are
 * named. */
static int pass_unjudged(struct proxy_session *s, const struct judged *j)
{
    struct inject_fired fired[INJECT_FIRED_MAX];
    size_t count = inject_on_oversize(s->faults->connection, j->from, j->kind,
                                      proxy_faults_time(s, j->now_ns), fired);
    int r = 0;

    if (j->opaque && held_of(s, j->from)->recodes &&
        (j->gather->first & WIRE_RSV1) != 0) {
        return proxy_faults_close(s, j->from, MESSAGE_TOO_BIG,
                                  "a message too large for the rules (--max-message)",
                                  j->now_ns);
    }
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (j->opaque && !j->oversize) {
            fired[i].why = "the message cannot be decompressed";
        }
        r = proxy_faults_record(s, &fired[i], j->from, j->kind, j->now_ns);
    }
    return r == 0 ? pass_as_it_is(s, j) : r;
}

/* Decode a compressed payload onto `plain`. */
static int decode(struct proxy_session *s, struct judged *j, struct buf *plain)
{
    struct proxy_held *h = held_of(s, j->from);
    uint64_t limit =
        h->recodes ? RECODE_MAX : inject_max_message(s->faults->connection);
    int r;

    if (!j->compressed) {
        return 0;
    }
    if (h->failed || h->inflate == NULL) {
        j->opaque = true;
        return 0;
    }
    r = wire_inflate_message(h->inflate, j->payload, (size_t)limit, plain);
    if (r == WIRE_INFLATE_CORRUPT) {
        h->failed = true;
    }
    j->opaque = r > 0;
    j->oversize = r == WIRE_INFLATE_LIMIT ||
                  plain->len > inject_max_message(s->faults->connection);
    j->payload = buf_bytes(plain);
    return r < 0 ? r : 0;
}

static int judge(struct proxy_session *s, struct judged *j)
{
    struct buf plain = { 0 }, wire = { 0 };
    int r;

    j->payload = buf_bytes(&j->gather->payload);
    j->compressed = s->faults->deflate.agreed && (j->gather->first & WIRE_RSV1) != 0 &&
                    (j->kind & (INJECT_TEXT | INJECT_BINARY)) != 0;
    r = decode(s, j, &plain);
    if (r == 0 && (j->opaque || j->oversize)) {
        r = pass_unjudged(s, j);
    } else if (r == 0) {
        r = inject_on_message(s->faults->connection, j->from, j->kind, j->payload,
                              proxy_faults_time(s, j->now_ns), &s->faults->verdict);
        r = r == 0 ? build(s, j, &wire) : r;
        r = r == 0 ? record(s, j, buf_bytes(&wire)) : r;
        r = r == 0 ? perform(s, j, buf_bytes(&wire)) : r;
    }
    buf_deinit(&plain);
    buf_deinit(&wire);
    return r;
}

/* ---- gathering ---- */

static void gather_reset(struct proxy_gather *g)
{
    g->on = false;
    buf_deinit(&g->raw);
    buf_deinit(&g->payload);
}

static bool is_control(const struct proxy_session *s, enum side from)
{
    return wire_frame_is_control(&s->lanes[from].frame) != 0;
}

static struct proxy_gather *gather_of(const struct proxy_session *s, enum side from)
{
    struct proxy_held *h = held_of(s, from);

    return is_control(s, from) ? &h->control : &h->message;
}

static bool waits_behind(const struct proxy_held *h, unsigned kind)
{
    return !proxy_line_empty(&h->line) && (h->line.torn || kind == INJECT_CLOSE);
}

static bool must_hold(struct proxy_session *s, enum side from, unsigned kind,
                      int64_t now_ns)
{
    struct proxy_held *h = held_of(s, from);
    bool is_data = (kind & (INJECT_TEXT | INJECT_BINARY)) != 0;

    return (is_data &&
            (h->inflates || !proxy_line_empty(&h->line) || h->overtaken_count > 0)) ||
           waits_behind(h, kind) || (kind == INJECT_CLOSE && h->overtaken_count > 0) ||
           inject_may_hold(s->faults->connection, from, (enum inject_opcode)kind,
                           proxy_faults_time(s, now_ns));
}

int proxy_held_begin(struct proxy_session *s, enum side from, bool *held,
                     int64_t now_ns)
{
    struct proxy_held *h = held_of(s, from);
    uint8_t first = s->lanes[from].frame.first;
    struct proxy_gather *g = gather_of(s, from);
    unsigned kind = kind_of(first);
    int r = proxy_faults_reopen(s);

    *held = false;
    if (r < 0) {
        return r;
    }
    if (!h->cares || s->state != PROXY_OPEN) {
        return 0;
    }
    if (h->ending != NULL) { /* nothing follows the end that waits */
        *held = true;
        return 0;
    }
    if (kind == NO_KIND) {
        *held = h->message.on && (first & 0x0fU) == WIRE_OP_CONTINUATION;
        return 0;
    }
    if (g->on) { /* a new message inside a fragmented one: nobody can judge that */
        r = proxy_held_finish(s, from, now_ns);
        if (r < 0) {
            return r;
        }
    }
    *held = must_hold(s, from, kind, now_ns);
    if (!*held) {
        inject_skip(s->faults->connection, from, (enum inject_opcode)kind);
        return 0;
    }
    g->on = true;
    g->first = first;
    return 0;
}

int proxy_held_header(struct proxy_session *s, enum side from)
{
    uint8_t raw[WIRE_FRAME_HEADER_MAX];
    size_t len = wire_frame_encode(&s->lanes[from].frame, raw);

    return buf_put(&gather_of(s, from)->raw, bytes_make(raw, len));
}

/* A compressed message has to be inflated whole, if only for those after it. */
static bool too_large(const struct proxy_session *s, enum side from,
                      const struct proxy_gather *g)
{
    uint64_t limit = held_of(s, from)->inflates
                         ? RECODE_MAX
                         : inject_max_message(s->faults->connection);

    return g->payload.len > limit;
}

/* It is given up while it still arrives: the rest passes unheld. */
static int give_up(struct proxy_session *s, enum side from, struct proxy_gather *g,
                   int64_t now_ns)
{
    struct judged j = { .from = from,
                        .kind = (enum inject_opcode)kind_of(g->first),
                        .gather = g,
                        .now_ns = now_ns };
    struct proxy_held *h = held_of(s, from);
    int r;

    proxy_line_flush(&h->line);
    r = proxy_held_release(s, from, now_ns);
    h->failed = h->inflates;
    j.opaque = h->recodes;
    r = r == 0 ? pass_unjudged(s, &j) : r;
    s->lanes[from].held = false;
    gather_reset(g);
    return r;
}

int proxy_held_payload(struct proxy_session *s, enum side from, struct bytes wire,
                       int64_t now_ns)
{
    const struct proxy_frames *lane = &s->lanes[from];
    struct proxy_gather *g = gather_of(s, from);
    int r = buf_put(&g->raw, wire);

    if (r == 0) {
        r = buf_put(&g->payload, wire);
    }
    if (r == 0 && lane->frame.masked) {
        uint8_t *at = g->payload.at + g->payload.len - wire.len;

        wire_mask(lane->frame.mask, lane->payload_at, at, at, wire.len);
    }
    return r == 0 && too_large(s, from, g) ? give_up(s, from, g, now_ns) : r;
}

int proxy_held_end(struct proxy_session *s, enum side from, int64_t now_ns)
{
    const struct wire_frame *f = &s->lanes[from].frame;
    struct proxy_gather *g = gather_of(s, from);
    struct judged j = { .from = from,
                        .kind = (enum inject_opcode)kind_of(g->first),
                        .gather = g,
                        .now_ns = now_ns };
    int r;

    if (held_of(s, from)->ending != NULL) {
        gather_reset(g);
        return 0;
    }
    if (!is_control(s, from) && (f->first & WIRE_FIN) == 0) {
        return 0;
    }
    g->on = false;
    r = judge(s, &j);
    gather_reset(g);
    return r;
}

int proxy_held_finish(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct proxy_held *h = held_of(s, from);
    int r = let_follow(s, from, true, now_ns);

    if (r == 0 && h->message.on) {
        r = queue(s, from, buf_bytes(&h->message.raw), now_ns, false, now_ns);
    }
    if (r == 0 && h->control.on) {
        r = queue(s, from, buf_bytes(&h->control.raw), now_ns, false, now_ns);
    }
    gather_reset(&h->message);
    gather_reset(&h->control);
    return r;
}
