#include "cli/show_hit.h"

#include "captures/passage.h"

void show_hit_deinit(struct show_hit *h)
{
    buf_deinit(&h->rule);
}

static void forget(struct show_hit *h)
{
    h->connection = 0;
    h->acted = h->dropped = false;
}

static int take_act(struct show_hit *h, const struct capture_record *r,
                    enum show_hit_part *out)
{
    int put;

    if (r->u.fault.opcode == 0 || r->connection != h->connection ||
        r->u.fault.from != h->from) {
        forget(h);
        return 0;
    }
    *out = SHOW_HIT_ACT;
    h->dropped = h->dropped || capture_passage_drops(r);
    if (h->acted) {
        return 0;
    }
    buf_clear(&h->rule);
    put = buf_put(&h->rule, r->u.fault.rule);
    h->acted = put == 0;
    h->message = r->u.fault.message;
    return put;
}

static void take_outcome(struct show_hit *h, uint32_t connection, enum side from,
                         struct bytes cause, enum show_hit_part *out)
{
    if (h->acted && connection == h->connection && from == h->from &&
        bytes_equal(cause, buf_bytes(&h->rule))) {
        *out = SHOW_HIT_OUTCOME;
    } else {
        forget(h);
    }
}

int show_hit_take(struct show_hit *h, const struct capture_moment *m,
                  enum show_hit_part *out)
{
    *out = SHOW_HIT_NONE;
    if (m->kind == CAPTURE_MOMENT_MESSAGE) {
        h->connection = m->connection;
        h->from = m->u.message->from;
        h->acted = h->dropped = false;
    } else if (m->kind == CAPTURE_MOMENT_DELIVERED) {
        take_outcome(h, m->connection, m->u.delivered.message->from,
                     m->u.delivered.cause, out);
    } else if (m->kind == CAPTURE_MOMENT_RECORD && m->u.record->type == CAPTURE_SENT) {
        take_outcome(h, m->connection, side_other(m->u.record->u.sent.to),
                     m->u.record->u.sent.cause, out);
    } else if (m->kind == CAPTURE_MOMENT_RECORD && m->u.record->type == CAPTURE_FAULT) {
        return take_act(h, m->u.record, out);
    } else {
        forget(h);
    }
    return 0;
}

bool show_hit_is_recompressed(const struct capture_moment *m, enum show_hit_part part)
{
    return part == SHOW_HIT_NONE && m->kind == CAPTURE_MOMENT_DELIVERED &&
           bytes_equal(m->u.delivered.cause, bytes_of("recompressed"));
}
