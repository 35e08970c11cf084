#include "captures/decode.h"
#include "tests/sim/world.h"
#include "wire/mask.h"

/* Bytes of a side are on the tape: they are what it said, in order. */
static void taped(struct sim_pair *p, enum side from, struct bytes b)
{
    struct sim_facts *f = &p->facts;
    const struct buf *said = &p->cast->talk.by[from].bytes;
    size_t at = f->taped[from];

    if (at + b.len > p->legs[from].given ||
        (b.len > 0 && memcmp(said->at + at, b.at, b.len) != 0)) {
        sim_wrong(p->world,
                  "connection %u: the tape has %zu bytes of %s at %zu that were not "
                  "said",
                  p->number, b.len, side_name(from), at);
        return;
    }
    f->taped[from] += b.len;
}

/* They may go on, once the tape is written. */
static void may_pass(struct sim_pair *p, enum side to, uint64_t len)
{
    p->facts.this_turn[to] += len;
}

static void taped_payload(struct sim_pair *p, enum side from, struct bytes plain)
{
    struct sim_facts *f = &p->facts;
    struct buf wire = { 0 };

    sim_must(buf_put(&wire, plain));
    if (f->frame[from].masked && wire.len > 0) {
        wire_mask(f->frame[from].mask, f->frame_at[from], wire.at, wire.at, wire.len);
    }
    f->frame_at[from] += plain.len;
    taped(p, from, buf_bytes(&wire));
    sim_trace_more(p, side_other(from), buf_bytes(&wire));
    may_pass(p, side_other(from), plain.len);
    buf_deinit(&wire);
}

static void taped_frame(struct sim_pair *p, enum side from,
                        const struct capture_frame *c)
{
    struct wire_frame *f = &p->facts.frame[from];
    uint8_t header[WIRE_FRAME_HEADER_MAX];
    size_t len;

    *f = (struct wire_frame){ .payload_len = c->payload_len,
                              .first = c->first,
                              .form = c->form,
                              .masked = c->masked };
    memcpy(f->mask, c->mask, sizeof(f->mask));
    len = wire_frame_encode(f, header);
    p->facts.frame_at[from] = 0;
    taped(p, from, bytes_make(header, len));
    sim_trace_put(p, side_other(from),
                  wire_frame_is_control(f) ? SIM_TRACE_CONTROL : SIM_TRACE_STREAM,
                  bytes_make(header, len));
    may_pass(p, side_other(from), len);
    taped_payload(p, from, c->payload);
}

/* The tape may leave the end of a body out. */
static void taped_body(struct sim_pair *p, const struct capture_record *r)
{
    enum side from = r->u.body.from;
    struct bytes said =
        bytes_from(buf_bytes(&p->cast->talk.by[from].bytes), p->facts.taped[from]);

    if (r->u.body.wire_len > said.len) {
        sim_wrong(p->world, "connection %u: the tape has a body that was not said",
                  p->number);
        return;
    }
    sim_trace_put(p, side_other(from), SIM_TRACE_STREAM,
                  bytes_first(said, (size_t)r->u.body.wire_len));
    taped(p, from, r->u.body.bytes);
    p->facts.taped[from] += (size_t)r->u.body.wire_len - r->u.body.bytes.len;
    may_pass(p, side_other(from), r->u.body.wire_len);
}

static void taped_head(struct sim_pair *p, enum side from,
                       const struct capture_record *r)
{
    struct bytes sent = r->u.head.sent.len > 0 ? r->u.head.sent : r->u.head.bytes;

    taped(p, from, r->u.head.bytes);
    sim_trace_put(p, side_other(from), SIM_TRACE_STREAM, sent);
    may_pass(p, side_other(from), sent.len);
}

static bool has(struct bytes text, const char *part)
{
    return bytes_find(text, bytes_of(part)) < text.len;
}

/* May the act end the connection, whatever the other side is saying just then? */
static bool may_cut(struct bytes action)
{
    static const char *const actions[] = { "abort",  "close", "hang", "limit",  "reset",
                                           "status", "stall", "tls",  "violate" };

    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        if (bytes_equal(action, bytes_of(actions[i]))) {
            return true;
        }
    }
    return false;
}

static void taped_fault(struct sim_pair *p, const struct capture_record *r)
{
    struct sim_facts *f = &p->facts;

    f->acted = f->acted || r->u.fault.applied;
    f->violates = f->violates || bytes_equal(r->u.fault.action, bytes_of("violate"));
    f->cuts = f->cuts || may_cut(r->u.fault.action);
    sim_must(buf_put_format(
        &f->faults[r->u.fault.from], "%.*s %.*s op=%u n=%llu draw=%llu%s\n",
        (int)r->u.fault.rule.len, (const char *)r->u.fault.rule.at,
        (int)r->u.fault.action.len, (const char *)r->u.fault.action.at,
        r->u.fault.opcode, (unsigned long long)r->u.fault.message,
        (unsigned long long)r->u.fault.draw, r->u.fault.applied ? "" : " failed"));
}

/* A close frame that no rule's name stands for. */
static bool is_goodbye(const struct capture_record *r)
{
    struct bytes b = r->u.sent.bytes;

    return b.len > 0 && b.at[0] == (WIRE_FIN | WIRE_OP_CLOSE) &&
           (has(r->u.sent.cause, "wstape stops now") ||
            has(r->u.sent.cause, "a message too large"));
}

static void taped_sent(struct sim_pair *p, const struct capture_record *r)
{
    p->facts.spoke = true;
    p->facts.cuts = p->facts.cuts || has(r->u.sent.cause, "a message too large");
    sim_must(buf_put(&p->facts.own[r->u.sent.to], r->u.sent.bytes));
    sim_trace_put(p, r->u.sent.to, SIM_TRACE_SENT, r->u.sent.bytes);
    if (is_goodbye(r)) {
        sim_trace_last(p, r->u.sent.to);
    }
    may_pass(p, r->u.sent.to, r->u.sent.bytes.len);
}

static void taped_note(struct sim_pair *p, struct bytes text)
{
    struct sim_facts *f = &p->facts;

    f->trimmed = f->trimmed || has(text, "were not kept");
    f->unparsed = f->unparsed || has(text, "bytes pass unparsed");
}

/* A peer's end is what it did; one that wstape made it says so. */
static void taped_end(struct sim_pair *p, const struct capture_record *r)
{
    struct sim_facts *f = &p->facts;
    const struct sim_leg *l = &p->legs[r->u.end.side];

    f->by_us = f->by_us || r->u.end.by_wstape;
    if (r->u.end.by_wstape) {
        f->ends_by_us[r->u.end.side]++;
        return;
    }
    f->ends[r->u.end.side]++;
    if (!l->end_told || r->u.end.kind != l->end) {
        sim_wrong(p->world,
                  "connection %u: the tape has an end of %s (%d) that was not",
                  p->number, side_name(r->u.end.side), (int)r->u.end.kind);
    }
}

static void take(struct sim_pair *p, const struct capture_record *r)
{
    const struct sim_world *w = p->world;

    SIM_TELL(w, "%u   + record %d", p->number, (int)r->type);
    if (r->time_ns != w->now_ns - w->origin_ns) {
        sim_wrong(p->world, "connection %u: a record is of another time", p->number);
    }
    switch ((int)r->type) {
    case CAPTURE_REQUEST:
        taped_head(p, CLIENT, r);
        return;
    case CAPTURE_RESPONSE:
        taped_head(p, SERVER, r);
        return;
    case CAPTURE_BODY:
        taped_body(p, r);
        return;
    case CAPTURE_FRAME:
        taped_frame(p, r->u.frame.from, &r->u.frame.frame);
        return;
    case CAPTURE_MORE:
        taped_payload(p, r->u.more.from, r->u.more.payload);
        return;
    case CAPTURE_RAW:
        taped(p, r->u.raw.from, r->u.raw.bytes);
        sim_trace_put(p, side_other(r->u.raw.from), SIM_TRACE_STREAM, r->u.raw.bytes);
        may_pass(p, side_other(r->u.raw.from), r->u.raw.bytes.len);
        return;
    case CAPTURE_SENT:
        taped_sent(p, r);
        return;
    case CAPTURE_FAULT:
        taped_fault(p, r);
        return;
    case CAPTURE_OPEN:
        p->facts.opened = true;
        return;
    case CAPTURE_UPSTREAM:
        p->facts.upstream = p->facts.upstream || r->u.upstream.error.len == 0;
        return;
    case CAPTURE_END:
        taped_end(p, r);
        return;
    case CAPTURE_NOTE:
        taped_note(p, r->u.note.text);
        return;
    default:
        return;
    }
}

static void take_record(struct sim_world *w, const struct capture_record *r)
{
    for (unsigned i = 0; i < w->scene->count; i++) {
        if (r->connection > 0 && w->pairs[i].number == r->connection) {
            take(&w->pairs[i], r);
        }
    }
}

static struct bytes part(const struct capture_block *b, size_t from, size_t to)
{
    return from == to ? (struct bytes){ 0 } : bytes_make(b->bytes.at + from, to - from);
}

static void flatten(const struct capture_block *b, struct buf *out)
{
    size_t from = 0;

    for (size_t i = 0; i < b->insert_count; i++) {
        sim_must(buf_put(out, part(b, from, b->inserts[i].at)));
        from = b->inserts[i].at;
        sim_must(buf_put(out, slice_bytes(b->inserts[i].slice)));
    }
    sim_must(buf_put(out, part(b, from, b->bytes.len)));
}

void sim_check_block(struct sim_world *w)
{
    const struct capture_block *b = w->tap.block;
    struct capture_record r;
    struct buf flat = { 0 };
    struct bytes rest;
    size_t used;

    flatten(b, &flat);
    rest = buf_bytes(&flat);
    w->unwritten = w->sum;
    while (rest.len > 0 && capture_decode(w->decoder, b->id, rest, &used, &r) == 0) {
        if (r.type != CAPTURE_GAP && r.type != CAPTURE_CHECKPOINT) {
            sim_tape_count(&w->unwritten, bytes_first(rest, used));
        }
        rest = bytes_from(rest, used);
        take_record(w, &r);
    }
    if (rest.len > 0) {
        sim_wrong(w, "a record cannot be read back");
    }
    buf_deinit(&flat);
}

void sim_check_written(struct sim_world *w, bool kept)
{
    if (kept) {
        w->sum = w->unwritten;
    }
    for (unsigned i = 0; i < w->scene->count; i++) {
        struct sim_facts *f = &w->pairs[i].facts;

        for (int side = CLIENT; side <= SERVER; side++) {
            f->may_pass[side] += f->this_turn[side];
            f->this_turn[side] = 0;
        }
    }
}
