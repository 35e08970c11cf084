#include "captures/passage.h"

#include "wire/frame.h"

void capture_passage_deinit(struct capture_passage *p)
{
    buf_deinit(&p->rule);
}

static bool is_applied(const struct capture_record *r, const char *action)
{
    return r->u.fault.applied != 0 && bytes_equal(r->u.fault.action, bytes_of(action));
}

static bool ends_direction(const struct capture_record *r)
{
    return is_applied(r, "close") || is_applied(r, "abort");
}

bool capture_passage_drops(const struct capture_record *fault)
{
    return fault->u.fault.opcode != 0 &&
           (is_applied(fault, "drop") || ends_direction(fault));
}

static int take_act(struct capture_passage *p, const struct capture_record *r)
{
    enum side from = r->u.fault.from;
    bool is_first = !p->acted || p->from != from;
    bool is_close = r->u.fault.opcode == WIRE_OP_CLOSE;
    int put = 0;

    if (is_first) {
        buf_clear(&p->rule);
        put = buf_put(&p->rule, r->u.fault.rule);
        p->may_close = false;
    }
    p->acted = put == 0;
    p->from = from;
    p->may_close =
        p->may_close || (!is_close && (ends_direction(r) || is_applied(r, "violate")));
    p->over[side_other(from)] = p->over[side_other(from)] || ends_direction(r);
    return put;
}

/* A close frame and nothing else, which is no part of a message. */
static bool is_goodbye(const struct capture_record *r)
{
    struct wire_frame_decoder decoder = { 0 };
    struct bytes in = r->u.sent.bytes;
    struct wire_frame f;
    size_t used;

    return wire_frame_decode(&decoder, in, &used, &f) == 0 &&
           f.first == (WIRE_FIN | WIRE_OP_CLOSE) && f.payload_len == in.len - used &&
           !bytes_equal(r->u.sent.cause, bytes_of("recompressed"));
}

static void take_sent(struct capture_passage *p, const struct capture_record *r)
{
    bool is_outcome = p->acted && p->from == side_other(r->u.sent.to) &&
                      bytes_equal(r->u.sent.cause, buf_bytes(&p->rule));

    p->acted = is_outcome;
    if ((!is_outcome || p->may_close) && is_goodbye(r)) {
        p->over[r->u.sent.to] = true;
    }
}

int capture_passage_take(struct capture_passage *p, const struct capture_record *r)
{
    if (r->type == CAPTURE_FAULT && r->u.fault.opcode != 0) {
        return take_act(p, r);
    }
    if (r->type == CAPTURE_SENT) {
        take_sent(p, r);
        return 0;
    }
    p->acted = false;
    if (r->type == CAPTURE_END && r->u.end.by_wstape != 0) {
        p->over[r->u.end.side] = true;
    }
    return 0;
}
