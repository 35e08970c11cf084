#include "base/alloc.h"
#include "proxy/faults.h"
#include "wire/mask.h"

#include <assert.h>
#include <errno.h>

enum { SMALL = 4096 }; /* payload unmasked on the stack; more goes to a chunk */

void proxy_frames_init(struct proxy_session *s, uint8_t rsv_allowed)
{
    for (int side = CLIENT; side <= SERVER; side++) {
        s->lanes[side] = (struct proxy_frames){ 0 };
        wire_lint_init(&s->lanes[side].lint, (enum side)side, rsv_allowed);
    }
    s->mode = PROXY_FRAMES;
    s->head_at = -1;
}

/* A piece of a frame's payload, or a whole one, on its way to the tape. */
struct piece {
    enum side from;
    bool starts; /* with its frame's header */
    struct slice wire;
    int64_t now_ns;
};

static void fill_frame(struct capture_frame *out, const struct wire_frame *f,
                       uint32_t faults, struct bytes payload)
{
    out->first = f->first;
    out->form = f->form;
    out->masked = f->masked;
    memcpy(out->mask, f->mask, sizeof(out->mask));
    out->payload_len = f->payload_len;
    out->faults = faults;
    out->payload = payload;
}

static uint32_t lint(struct proxy_frames *lane, const struct piece *p,
                     struct bytes plain)
{
    uint32_t faults = 0;

    if (p->starts && plain.len == lane->frame.payload_len) {
        return wire_lint_whole(&lane->lint, &lane->frame, plain);
    }
    if (p->starts) {
        faults = wire_lint_frame(&lane->lint, &lane->frame);
    }
    return faults | wire_lint_payload(&lane->lint, plain);
}

/* `plain` is the unmasked payload; `backing` holds it too, or is NULL. */
static int record_plain(struct proxy_session *s, const struct piece *p,
                        struct bytes plain, const struct slice *backing)
{
    struct proxy_frames *lane = &s->lanes[p->from];
    struct capture_record r = { .type = p->starts ? CAPTURE_FRAME : CAPTURE_MORE,
                                .connection = s->number };
    uint32_t faults = lint(lane, p, plain);

    lane->sound = p->starts && faults == 0 && plain.len == lane->frame.payload_len &&
                  wire_lint_is_plain(&lane->frame);
    if (s->shared->tap->block == NULL) {
        return 0;
    }
    r.time_ns = p->now_ns - s->shared->tap->origin_ns;
    if (p->starts) {
        r.u.frame.from = p->from;
        fill_frame(&r.u.frame.frame, &lane->frame, faults, plain);
    } else {
        r.u.more.from = p->from;
        r.u.more.faults = faults;
        r.u.more.payload = plain;
    }
    return capture_encode(s->shared->tap->block, &r, backing);
}

static int record_piece(struct proxy_session *s, const struct piece *p)
{
    struct proxy_frames *lane = &s->lanes[p->from];
    struct bytes wire = slice_bytes(p->wire);
    uint8_t small[SMALL];
    struct slice large = { NULL, 0, wire.len };
    int r;

    if (!lane->frame.masked) {
        return record_plain(s, p, wire, &p->wire);
    }
    if (wire.len <= sizeof(small)) {
        wire_mask(lane->frame.mask, lane->payload_at, wire.at, small, wire.len);
        return record_plain(s, p, bytes_make(small, wire.len), NULL);
    }
    large.chunk = chunk_new(wire.len);
    if (large.chunk == NULL) {
        return -ENOMEM;
    }
    wire_mask(lane->frame.mask, lane->payload_at, wire.at, large.chunk->data, wire.len);
    r = record_plain(s, p, slice_bytes(large), &large);
    chunk_unref(large.chunk);
    return r;
}

/* Header bytes that were held back since the last read go out before their frame. */
static int send_held_header(struct proxy_session *s, enum side from, size_t held,
                            int64_t now_ns)
{
    uint8_t raw[WIRE_FRAME_HEADER_MAX];
    struct slice copy;
    int r;

    wire_frame_encode(&s->lanes[from].frame, raw);
    r = slice_copy(bytes_make(raw, held), &copy);
    if (r == 0) {
        r = proxy_session_send(s, side_other(from), copy, now_ns);
        chunk_unref(copy.chunk);
    }
    return r;
}

static bool forwards(const struct proxy_session *s, enum side from)
{
    return !s->silent && !s->legs[side_other(from)].ended_out &&
           !(s->legs[side_other(from)].close_wanted &&
             s->legs[side_other(from)].close_passed);
}

/* A whole frame has passed: what it means for the way the connection ends. */
static int frame_done(struct proxy_session *s, enum side from, int64_t now_ns)
{
    enum side to = side_other(from);
    bool is_close = wire_frame_opcode(&s->lanes[from].frame) == WIRE_OP_CLOSE;
    int r;

    if (is_close && !s->legs[to].close_wanted) {
        s->legs[to].close_passed = true;
    }
    r = proxy_answer_close(s, to, now_ns);
    if (r == 0 && is_close && s->state == PROXY_DRAINING) {
        r = proxy_session_end_out(s, from, CAPTURE_END_FIN, now_ns);
    }
    return r;
}

/* Where in a slice the bytes lie that are judged and may go on. */
struct span {
    struct slice in;
    size_t sent; /* offset up to which bytes were passed on or must not be */
    size_t at;   /* offset of the next byte to look at */
};

static int pass_on(struct proxy_session *s, enum side from, struct span *p,
                   int64_t now_ns)
{
    struct slice part = { p->in.chunk, p->in.off + p->sent, p->at - p->sent };

    p->sent = p->at;
    return forwards(s, from) ? proxy_session_send(s, side_other(from), part, now_ns)
                             : 0;
}

/* Do rules want this frame kept back? Then what came before it goes on now. */
static int hold_frame(struct proxy_session *s, enum side from, struct span *p,
                      int64_t now_ns)
{
    struct proxy_frames *lane = &s->lanes[from];
    int r = 0;

    if (proxy_held_of(s, from)->cares) { /* it may let go what was held until now */
        r = pass_on(s, from, p, now_ns);
    }
    if (r == 0) {
        r = proxy_held_begin(s, from, &lane->held, now_ns);
    }
    if (r < 0 || !lane->held) {
        return r;
    }
    r = pass_on(s, from, p, now_ns);
    return r == 0 ? proxy_held_header(s, from) : r;
}

/* Read a header. 1: it is not complete, the input is used up and nothing goes on. */
static int take_header(struct proxy_session *s, enum side from, struct span *p,
                       int64_t now_ns)
{
    struct proxy_frames *lane = &s->lanes[from];
    size_t held = lane->decoder.have, used;
    struct bytes rest = bytes_from(slice_bytes(p->in), p->at);
    int r = wire_frame_decode(&lane->decoder, rest, &used, &lane->frame);

    if (r == WIRE_FRAME_PARTIAL) {
        r = pass_on(s, from, p, now_ns);
        p->at += used;
        p->sent = p->at;
        return r < 0 ? r : 1;
    }
    lane->payload_left = lane->frame.payload_len;
    lane->payload_at = 0;
    if (s->faults != NULL) {
        r = hold_frame(s, from, p, now_ns);
    }
    p->at += used;
    if (r < 0 || lane->held) {
        p->sent = p->at;
        return r;
    }
    return held > 0 && forwards(s, from) ? send_held_header(s, from, held, now_ns) : 0;
}

/* Without a mask a header has 2, 4 or 10 bytes; two of these compare without a call. */
static bool is_same_header(const uint8_t *a, const uint8_t *b, size_t len)
{
    switch (len) {
    case 2:
        return memcmp(a, b, 2) == 0;
    case 4:
        return memcmp(a, b, 4) == 0;
    default:
        return memcmp(a, b, len) == 0;
    }
}

/* A burst of small messages is mostly frames with the very header of the one before,
 * whole in what was read. While nothing is wrong with their text, their records too
 * differ in the payload only. */
static int take_run(struct proxy_session *s, enum side from, struct span *p)
{
    const struct proxy_frames *lane = &s->lanes[from];
    struct capture_block *block = s->shared->tap->block;
    struct bytes rest = bytes_from(slice_bytes(p->in), p->at);
    size_t header = lane->frame.header_len, len = (size_t)lane->frame.payload_len;
    uint8_t raw[WIRE_FRAME_HEADER_MAX];
    int r = 0;

    if (!lane->sound || rest.len < header + len || block == NULL ||
        !capture_can_repeat(block) || s->faults != NULL) {
        return 0;
    }
    wire_frame_encode(&lane->frame, raw);
    while (r == 0 && rest.len >= header + len && is_same_header(rest.at, raw, header)) {
        struct bytes payload = bytes_make(rest.at + header, len);

        if (!wire_lint_plain(&lane->frame, payload)) {
            break;
        }
        r = capture_encode_again(block, payload);
        rest = bytes_from(rest, header + len);
    }
    p->at = p->in.len - rest.len;
    return r;
}

static int take_payload(struct proxy_session *s, enum side from, struct span *p,
                        bool starts, int64_t now_ns)
{
    struct proxy_frames *lane = &s->lanes[from];
    uint64_t len = p->in.len - p->at;
    struct piece piece = { .from = from, .starts = starts, .now_ns = now_ns };
    bool held = lane->held;
    int r;

    len = len < lane->payload_left ? len : lane->payload_left;
    len = len < CAPTURE_PIECE_MAX ? len : CAPTURE_PIECE_MAX;
    piece.wire = (struct slice){ p->in.chunk, p->in.off + p->at, (size_t)len };
    r = record_piece(s, &piece);
    if (r == 0 && held) {
        r = proxy_held_payload(s, from, slice_bytes(piece.wire), now_ns);
    }
    lane->payload_at += len;
    lane->payload_left -= len;
    p->at += (size_t)len;
    if (held) {
        p->sent = p->at;
    }
    if (r < 0 || lane->payload_left > 0) {
        return r;
    }
    if (lane->held) {
        lane->held = false;
        return proxy_held_end(s, from, now_ns);
    }
    if (wire_frame_opcode(&lane->frame) == WIRE_OP_CLOSE ||
        s->legs[side_other(from)].close_wanted) {
        r = pass_on(s, from, p, now_ns);
        return r == 0 ? frame_done(s, from, now_ns) : r;
    }
    return lane->frame.masked ? 0 : take_run(s, from, p);
}

int proxy_frames_pass(struct proxy_session *s, enum side from, struct slice in,
                      int64_t now_ns)
{
    struct proxy_frames *lane = &s->lanes[from];
    struct span p = { .in = in };
    int r = 0;

    while (p.at < in.len && r == 0) {
        bool starts = lane->payload_left == 0;

        if (starts) {
            r = take_header(s, from, &p, now_ns);
        }
        if (r == 0) {
            r = take_payload(s, from, &p, starts, now_ns);
        }
    }
    if (r < 0) {
        return r;
    }
    r = pass_on(s, from, &p, now_ns);
    return r == 0 ? proxy_session_settle(s, now_ns) : r;
}

int proxy_frames_finish(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct wire_frame_decoder *d = &s->lanes[from].decoder;
    struct slice copy;
    int r;

    if (s->faults != NULL) {
        r = proxy_held_finish(s, from, now_ns);
        if (r < 0) {
            return r;
        }
    }
    if (d->have == 0) {
        return 0;
    }
    r = slice_copy(bytes_make(d->raw, d->have), &copy);
    d->have = 0;
    if (r < 0) {
        return r;
    }
    r = proxy_tap_raw(s->shared->tap, s->number, now_ns, from, copy);
    if (r == 0 && forwards(s, from)) {
        r = proxy_session_send(s, side_other(from), copy, now_ns);
    }
    chunk_unref(copy.chunk);
    return r;
}

int proxy_frames_keep_half(struct proxy_session *s, enum side from, int64_t now_ns)
{
    struct wire_frame_decoder *d = &s->lanes[from].decoder;
    struct slice copy;
    int r;

    if (s->mode != PROXY_FRAMES || d->have == 0) {
        return 0;
    }
    r = slice_copy(bytes_make(d->raw, d->have), &copy);
    d->have = 0;
    if (r == 0) {
        r = proxy_tap_raw(s->shared->tap, s->number, now_ns, from, copy);
        chunk_unref(copy.chunk);
    }
    return r;
}
