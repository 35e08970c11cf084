#include "captures/decode.h"
#include "captures/encode.h"
#include "tests/play/play.h"
#include "wire/lint.h"

#include <errno.h>
#include <stdlib.h>

/* Bytes of one record that came in pieces. */
struct joined {
    enum capture_type type; /* FRAME, BODY or RAW; 0: none */
    enum side from;
    uint32_t exchange;
    uint64_t wire_len;
    uint32_t faults;
    struct capture_frame frame;
    struct buf bytes;
};

struct teller {
    struct buf *out;
    struct joined last[2]; /* a direction each */
};

static const char *arrow(enum side from)
{
    return from == CLIENT ? "c>s" : "s>c";
}

static int put_faults(struct buf *out, uint32_t faults)
{
    int r = 0;

    for (unsigned bit = 0; r == 0 && wire_fault_name(bit) != NULL; bit++) {
        if ((faults & (1U << bit)) != 0) {
            r = buf_put_format(out, " !%s", wire_fault_name(bit));
        }
    }
    return r;
}

static int put_bytes(struct buf *out, struct bytes b)
{
    int r = buf_put_text(out, " : ");

    if (r == 0) {
        r = play_put_literal(out, b);
    }
    return r == 0 ? buf_put_text(out, "\n") : r;
}

static int put_frame(struct buf *out, const struct joined *j)
{
    const struct capture_frame *f = &j->frame;
    int r = buf_put_format(out, "+ frame %s %02x len=%llu", arrow(j->from), f->first,
                           (unsigned long long)f->payload_len);

    if (r == 0 && f->form != 7) {
        r = buf_put_format(out, " form=%u", f->form);
    }
    if (r == 0 && f->masked) {
        r = buf_put_format(out, " mask=%02x%02x%02x%02x", f->mask[0], f->mask[1],
                           f->mask[2], f->mask[3]);
    }
    if (r == 0 && j->bytes.len < f->payload_len) {
        r = buf_put_text(out, " partial");
    }
    return r == 0 ? put_faults(out, j->faults) : r;
}

static int flush_one(struct teller *t, enum side from)
{
    struct joined *j = &t->last[from];
    int r = 0;

    switch ((int)j->type) {
    case CAPTURE_FRAME:
        r = put_frame(t->out, j);
        break;
    case CAPTURE_MORE:
        r = buf_put_format(t->out, "+ more %s", arrow(from));
        r = r == 0 ? put_faults(t->out, j->faults) : r;
        break;
    case CAPTURE_BODY:
        r = buf_put_format(t->out, "+ body %s %u%s", arrow(from), j->exchange,
                           j->bytes.len < j->wire_len ? " cut" : "");
        break;
    case CAPTURE_RAW:
        r = buf_put_format(t->out, "+ raw %s", arrow(from));
        break;
    default:
        return 0;
    }
    if (r == 0) {
        r = put_bytes(t->out, buf_bytes(&j->bytes));
    }
    j->type = (enum capture_type)0;
    buf_clear(&j->bytes);
    return r;
}

static int flush_both(struct teller *t)
{
    int r = flush_one(t, CLIENT);

    return r == 0 ? flush_one(t, SERVER) : r;
}

static int start(struct teller *t, enum capture_type type, enum side from)
{
    int r = flush_one(t, from);
    struct buf keep = t->last[from].bytes;

    t->last[from] = (struct joined){ .type = type, .from = from, .bytes = keep };
    return r;
}

static int tell_piece(struct teller *t, const struct capture_record *r)
{
    struct joined *j;
    int err = 0;

    if (r->type == CAPTURE_FRAME) {
        j = &t->last[r->u.frame.from];
        err = start(t, CAPTURE_FRAME, r->u.frame.from);
        j->frame = r->u.frame.frame;
        j->faults = j->frame.faults;
        return err == 0 ? buf_put(&j->bytes, j->frame.payload) : err;
    }
    if (r->type == CAPTURE_MORE) {
        j = &t->last[r->u.more.from];
        if (j->type != CAPTURE_FRAME && j->type != CAPTURE_MORE) {
            err = start(t, CAPTURE_MORE, r->u.more.from);
        }
        j->faults |= r->u.more.faults;
        return err == 0 ? buf_put(&j->bytes, r->u.more.payload) : err;
    }
    if (r->type == CAPTURE_RAW) {
        j = &t->last[r->u.raw.from];
        if (j->type != CAPTURE_RAW) {
            err = start(t, CAPTURE_RAW, r->u.raw.from);
        }
        return err == 0 ? buf_put(&j->bytes, r->u.raw.bytes) : err;
    }
    j = &t->last[r->u.body.from];
    if (j->type != CAPTURE_BODY || j->exchange != r->u.body.exchange) {
        err = start(t, CAPTURE_BODY, r->u.body.from);
    }
    j->exchange = r->u.body.exchange;
    j->wire_len += r->u.body.wire_len;
    return err == 0 ? buf_put(&j->bytes, r->u.body.bytes) : err;
}

static const char *end_name(enum capture_end kind)
{
    static const char *const names[] = { "?",     "fin",     "truncated",
                                         "reset", "timeout", "refused",
                                         "error", "stop",    "fault" };

    return names[kind];
}

static int tell_head(struct teller *t, const char *what, const struct capture_record *r)
{
    int err = buf_put_format(t->out, "+ %s %u", what, r->u.head.exchange);

    return err == 0 ? put_bytes(t->out, r->u.head.bytes) : err;
}

static int tell_end(struct teller *t, const struct capture_record *r)
{
    return buf_put_format(t->out, "+ end %s %s by %s\n", side_name(r->u.end.side),
                          end_name(r->u.end.kind),
                          r->u.end.by_wstape ? "wstape" : "peer");
}

static int tell_fault(struct teller *t, const struct capture_record *r)
{
    int err =
        buf_put_format(t->out, "+ fault %s %.*s", arrow(r->u.fault.from),
                       (int)r->u.fault.action.len, (const char *)r->u.fault.action.at);

    if (err == 0 && r->u.fault.message > 0) {
        err = buf_put_format(t->out, " op=%u n=%llu", r->u.fault.opcode,
                             (unsigned long long)r->u.fault.message);
    }
    if (err == 0 && !r->u.fault.applied) {
        err = buf_put_format(t->out, " failed (%.*s)", (int)r->u.fault.text.len,
                             (const char *)r->u.fault.text.at);
    }
    return err == 0 ? buf_put_text(t->out, "\n") : err;
}

static int tell_whole(struct teller *t, const struct capture_record *r)
{
    int err = flush_both(t);

    if (err < 0) {
        return err;
    }
    switch ((int)r->type) {
    case CAPTURE_OPEN:
        return buf_put_text(t->out, "+ open\n");
    case CAPTURE_UPSTREAM:
        return buf_put_format(t->out, "+ upstream%s\n",
                              r->u.upstream.error.len > 0 ? " failed" : "");
    case CAPTURE_REQUEST:
        return tell_head(t, "request", r);
    case CAPTURE_RESPONSE:
        return tell_head(t, "response", r);
    case CAPTURE_SENT:
        return buf_put_format(t->out, "+ sent %s\n", side_name(r->u.sent.to));
    case CAPTURE_END:
        return tell_end(t, r);
    case CAPTURE_FAULT:
        return tell_fault(t, r);
    case CAPTURE_NOTE:
        err = buf_put_text(t->out, "+ note");
        return err == 0 ? put_bytes(t->out, r->u.note.text) : err;
    default:
        return buf_put_format(t->out, "+ record %d\n", (int)r->type);
    }
}

static int tell(struct teller *t, const struct capture_record *r)
{
    switch ((int)r->type) {
    case CAPTURE_FRAME:
    case CAPTURE_MORE:
    case CAPTURE_RAW:
    case CAPTURE_BODY:
        return tell_piece(t, r);
    default:
        return tell_whole(t, r);
    }
}

static struct bytes part(const struct capture_block *b, size_t from, size_t to)
{
    return from == to ? (struct bytes){ 0 } : bytes_make(b->bytes.at + from, to - from);
}

static int flatten(const struct capture_block *b, struct buf *out)
{
    size_t from = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < b->insert_count; i++) {
        r = buf_put(out, part(b, from, b->inserts[i].at));
        from = b->inserts[i].at;
        if (r == 0) {
            r = buf_put(out, slice_bytes(b->inserts[i].slice));
        }
    }
    return r == 0 ? buf_put(out, part(b, from, b->bytes.len)) : r;
}

int play_put_records(struct buf *out, const struct capture_block *b)
{
    struct teller t = { .out = out };
    struct capture_decoder *d = capture_decoder_new();
    struct capture_record record;
    struct buf flat = { 0 };
    size_t used;
    int r = d == NULL ? -ENOMEM : flatten(b, &flat);
    struct bytes rest = buf_bytes(&flat);

    while (r == 0 && rest.len > 0) {
        r = capture_decode(d, b->id, rest, &used, &record);
        if (r == 0) {
            rest = bytes_from(rest, used);
            r = tell(&t, &record);
        }
    }
    if (r == 0) {
        r = flush_both(&t);
    }
    buf_deinit(&t.last[CLIENT].bytes);
    buf_deinit(&t.last[SERVER].bytes);
    buf_deinit(&flat);
    capture_decoder_free(d);
    return r;
}
