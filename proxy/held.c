#include "proxy/faults.h"

#include "base/alloc.h"
#include "wire/mask.h"

#include <errno.h>
#include <string.h>

enum {
    NO_KIND = 0,
    NO_STATUS_RECEIVED = 1005 /* must not be on the wire (RFC 6455, 7.4.1) */
};

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
int proxy_held_queue(struct proxy_session *s, enum side from, struct bytes wire,
                     int64_t go_at, bool whole, int64_t now_ns)
{
    struct proxy_held *h = proxy_held_of(s, from);
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
    struct proxy_held *h = proxy_held_of(s, from);
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
    struct proxy_held *h = proxy_held_of(s, from);
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

int proxy_held_overtake(struct proxy_held *h, struct bytes what,
                        const struct proxy_overtaken *how)
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
    *o = *how;
    r = slice_copy(what, &o->bytes);
    if (r == 0) {
        h->overtaken_count++;
    }
    return r;
}

static int send_overtaken(struct proxy_session *s, enum side from,
                          const struct proxy_overtaken *o, int64_t now_ns)
{
    struct buf wire = { 0 };
    int r;

    if (!o->is_payload) {
        return proxy_held_queue(s, from, slice_bytes(o->bytes), now_ns, true, now_ns);
    }
    r = proxy_resend(s, from, &o->out, slice_bytes(o->bytes), true, &wire);
    if (r == 0) {
        r = proxy_tap_sent(s->shared->tap, s->number, now_ns, side_other(from),
                           o->cause, buf_bytes(&wire));
    }
    if (r == 0) {
        r = proxy_held_queue(s, from, buf_bytes(&wire), now_ns, true, now_ns);
    }
    buf_deinit(&wire);
    return r;
}

/* A message has gone by: those it overtook last follow it now. All: `everything`. */
int proxy_held_follow(struct proxy_session *s, enum side from, bool everything,
                      int64_t now_ns)
{
    struct proxy_held *h = proxy_held_of(s, from);
    size_t kept = 0;
    int r = 0;

    for (size_t i = 0; i < h->overtaken_count; i++) {
        struct proxy_overtaken o = h->overtaken[i];

        if (!everything && --o.left > 0) {
            h->overtaken[kept++] = o;
            continue;
        }
        if (r == 0) {
            r = send_overtaken(s, from, &o, now_ns);
        }
        chunk_unref(o.bytes.chunk);
    }
    h->overtaken_count = kept;
    return r;
}

/* ---- gathering ---- */

static void gather_reset(struct proxy_gather *g)
{
    g->on = g->passes = false;
    buf_deinit(&g->raw);
    buf_deinit(&g->payload);
}

static bool is_control(const struct proxy_session *s, enum side from)
{
    return wire_frame_is_control(&s->lanes[from].frame) != 0;
}

/* Of the message that is being gathered. */
static bool continues(const struct proxy_session *s, enum side from)
{
    return proxy_held_of(s, from)->message.on &&
           wire_frame_opcode(&s->lanes[from].frame) == WIRE_OP_CONTINUATION;
}

/* A control frame, or one that begins no message and continues none. */
static bool stands_alone(const struct proxy_session *s, enum side from)
{
    return is_control(s, from) ||
           (kind_of(s->lanes[from].frame.first) == NO_KIND && !continues(s, from));
}

static struct proxy_gather *gather_of(const struct proxy_session *s, enum side from)
{
    struct proxy_held *h = proxy_held_of(s, from);

    return stands_alone(s, from) ? &h->control : &h->message;
}

static bool waits_behind(const struct proxy_held *h, unsigned kind)
{
    return !proxy_line_empty(&h->line) && (h->line.torn || kind == INJECT_CLOSE);
}

/* What no rule judges does not go between the halves of a frame either; only control
 * frames go before what is delayed. */
static bool must_hold_odd(const struct proxy_session *s, enum side from)
{
    const struct proxy_held *h = proxy_held_of(s, from);

    return !proxy_line_empty(&h->line) && (h->line.torn || !is_control(s, from));
}

static bool must_hold(struct proxy_session *s, enum side from, unsigned kind,
                      int64_t now_ns)
{
    struct proxy_held *h = proxy_held_of(s, from);
    bool is_data = (kind & (INJECT_TEXT | INJECT_BINARY)) != 0;

    return (is_data && (h->inflates || h->gathers || !proxy_line_empty(&h->line) ||
                        h->overtaken_count > 0)) ||
           waits_behind(h, kind) || (kind == INJECT_CLOSE && h->overtaken_count > 0) ||
           inject_may_hold(s->faults->connection, from, (enum inject_opcode)kind,
                           proxy_faults_time(s, now_ns));
}

/* What goes before others must be whole when it goes: they may be let go at any time,
 * and not into the middle of it. */
static bool must_be_whole(const struct proxy_held *h)
{
    return !proxy_line_empty(&h->line) || h->overtaken_count > 0;
}

/* A frame that no rule judges. */
static bool hold_odd(const struct proxy_session *s, enum side from, uint8_t first)
{
    struct proxy_gather *g = gather_of(s, from);
    bool waits = must_hold_odd(s, from);

    if (continues(s, from)) {
        return true;
    }
    if (!waits && !must_be_whole(proxy_held_of(s, from))) {
        return false;
    }
    g->on = true;
    g->first = first;
    g->passes = !waits;
    return true;
}

int proxy_held_begin(struct proxy_session *s, enum side from, bool *held,
                     int64_t now_ns)
{
    struct proxy_held *h = proxy_held_of(s, from);
    uint8_t first = s->lanes[from].frame.first;
    struct proxy_gather *g = gather_of(s, from);
    unsigned kind = kind_of(first);
    int r = proxy_faults_reopen(s);

    *held = false;
    if (r < 0) {
        return r;
    }
    if (s->state != PROXY_OPEN) {
        return 0;
    }
    if (!h->cares) {
        if (kind != NO_KIND) {
            inject_skip(s->faults->connection, from, (enum inject_opcode)kind);
        }
        return 0;
    }
    if (h->ending != NULL) { /* nothing follows the end that waits */
        *held = true;
        return 0;
    }
    if (kind == NO_KIND) {
        *held = hold_odd(s, from, first);
        return 0;
    }
    /* A new message inside a fragmented one, or a close: it can never be whole. */
    if (g->on || (kind == INJECT_CLOSE && h->message.on && !h->recodes)) {
        r = proxy_held_finish(s, from, now_ns);
        if (r < 0) {
            return r;
        }
    }
    *held = must_hold(s, from, kind, now_ns);
    if (!*held) {
        inject_skip(s->faults->connection, from, (enum inject_opcode)kind);
        *held = g->passes = must_be_whole(h);
    }
    g->on = *held;
    g->first = first;
    return 0;
}

int proxy_held_header(struct proxy_session *s, enum side from)
{
    uint8_t raw[WIRE_FRAME_HEADER_MAX];
    size_t len = wire_frame_encode(&s->lanes[from].frame, raw);

    return buf_put(&gather_of(s, from)->raw, bytes_make(raw, len));
}

enum { FRAMING_MAX = 1024 * 1024 }; /* bytes of headers that a message may come with */

/* A compressed message has to be inflated whole, if only for those after it. `rest`:
 * what its frame still owes. */
static bool too_large(const struct proxy_session *s, enum side from,
                      const struct proxy_gather *g, uint64_t rest)
{
    uint64_t limit = proxy_held_of(s, from)->inflates
                         ? PROXY_RECODE_MAX
                         : inject_max_message(s->faults->connection);

    return rest > limit || g->payload.len + rest > limit ||
           g->raw.len > limit + FRAMING_MAX;
}

/* A frame that no rule judges, or what there is of it. */
static int pass_odd(struct proxy_session *s, enum side from,
                    const struct proxy_gather *g, int64_t now_ns)
{
    struct slice copy;
    int r;

    if (!g->passes) {
        return proxy_held_queue(s, from, buf_bytes(&g->raw), now_ns, true, now_ns);
    }
    r = slice_copy(buf_bytes(&g->raw), &copy);
    if (r == 0) {
        r = proxy_session_send(s, side_other(from), copy, now_ns);
        chunk_unref(copy.chunk);
    }
    return r;
}

static bool is_odd(const struct proxy_gather *g)
{
    return g->passes || kind_of(g->first) == NO_KIND;
}

/* It is given up while it still arrives: the rest passes unheld. */
static int give_up(struct proxy_session *s, enum side from, struct proxy_gather *g,
                   int64_t now_ns)
{
    struct proxy_judged j = { .from = from,
                              .kind = (enum inject_opcode)kind_of(g->first),
                              .gather = g,
                              .oversize = true,
                              .now_ns = now_ns };
    struct proxy_held *h = proxy_held_of(s, from);
    int r;

    proxy_line_flush(&h->line);
    r = proxy_held_release(s, from, now_ns);
    if (r == 0 && is_odd(g)) {
        r = pass_odd(s, from, g, now_ns);
    } else if (r == 0) {
        h->failed = h->inflates;
        j.opaque = h->recodes;
        r = proxy_judge_escape(s, &j);
    }
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
    if (r == 0 && lane->frame.masked && wire.len > 0) {
        uint8_t *at = g->payload.at + g->payload.len - wire.len;

        wire_mask(lane->frame.mask, lane->payload_at, at, at, wire.len);
    }
    return r == 0 && too_large(s, from, g, lane->payload_left - wire.len)
               ? give_up(s, from, g, now_ns)
               : r;
}

static int release_behind(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct proxy_held *h = proxy_held_of(s, from);
    int r;

    if (h->behind.len == 0) {
        return 0;
    }
    r = proxy_tap_sent(s->shared->tap, s->number, now_ns, side_other(from),
                       h->behind_cause, buf_bytes(&h->behind));
    if (r == 0) {
        r = proxy_held_queue(s, from, buf_bytes(&h->behind), now_ns, true, now_ns);
    }
    buf_clear(&h->behind);
    return r;
}

int proxy_held_end(struct proxy_session *s, enum side from, int64_t now_ns)
{
    const struct wire_frame *f = &s->lanes[from].frame;
    struct proxy_gather *g = gather_of(s, from);
    struct proxy_judged j = { .from = from,
                              .kind = (enum inject_opcode)kind_of(g->first),
                              .gather = g,
                              .now_ns = now_ns };
    int r;

    if (proxy_held_of(s, from)->ending != NULL || s->state != PROXY_OPEN) {
        gather_reset(g); /* nobody gets it any more */
        return 0;
    }
    if (!stands_alone(s, from) && (f->first & WIRE_FIN) == 0) {
        return 0;
    }
    g->on = false;
    r = is_odd(g) ? pass_odd(s, from, g, now_ns) : proxy_judge(s, &j);
    gather_reset(g);
    if (r == 0 && g == &proxy_held_of(s, from)->message) {
        r = release_behind(s, from, now_ns);
    }
    return r;
}

/* Half a header, at the end, waits as whatever is delayed; nothing follows an end that
 * waits itself. */
static int finish_header(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct wire_frame_decoder *d = &s->lanes[from].decoder;
    const struct proxy_held *h = proxy_held_of(s, from);
    struct slice copy;
    int r;

    if (d->have == 0 || (proxy_line_empty(&h->line) && h->ending == NULL)) {
        return 0;
    }
    r = slice_copy(bytes_make(d->raw, d->have), &copy);
    if (r < 0) {
        return r;
    }
    d->have = 0;
    r = proxy_tap_raw(s->shared->tap, s->number, now_ns, from, copy);
    if (r == 0 && h->ending == NULL) {
        r = proxy_held_queue(s, from, slice_bytes(copy), now_ns, false, now_ns);
    }
    chunk_unref(copy.chunk);
    return r;
}

int proxy_held_finish(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct proxy_held *h = proxy_held_of(s, from);
    int r = proxy_held_follow(s, from, true, now_ns);

    if (r == 0 && h->message.on) {
        r = proxy_held_queue(s, from, buf_bytes(&h->message.raw), now_ns, false,
                             now_ns);
    }
    if (r == 0 && h->control.on) {
        r = proxy_held_queue(s, from, buf_bytes(&h->control.raw), now_ns, false,
                             now_ns);
    }
    gather_reset(&h->message);
    gather_reset(&h->control);
    return r == 0 ? finish_header(s, from, now_ns) : r;
}
