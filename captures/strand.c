#include "captures/strand.h"

void capture_strand_init(struct capture_strand *c, struct capture_messages_rules *m,
                         const struct capture_exchanges_rules *x, uint32_t number)
{
    c->number = number;
    capture_messages_init(&c->sides[CLIENT], m, number, CLIENT);
    capture_messages_init(&c->sides[SERVER], m, number, SERVER);
    capture_exchanges_init(&c->http, x, number);
}

void capture_strand_deinit(struct capture_strand *c)
{
    for (int side = CLIENT; side <= SERVER; side++) {
        capture_messages_deinit(&c->sides[side]);
        capture_delivered_free(c->delivered[side]);
    }
    capture_passage_deinit(&c->passage);
    capture_exchanges_deinit(&c->http);
}

void capture_strand_agree(struct capture_strand *c, struct bytes head)
{
    struct wire_deflate_params params;
    struct wire_head h;
    bool others;

    if (wire_head_parse(head, false, &h) == 0 && wire_handshake_agrees(head, &h)) {
        c->is_websocket = true;
        wire_handshake_extensions(head, &h, &params, &others);
        capture_messages_agree(&c->sides[CLIENT], &params, others);
        capture_messages_agree(&c->sides[SERVER], &params, others);
    }
}

/* After its FIN by wstape a side may still send; in every other case it is silent. */
static bool silences(const struct capture_record *r)
{
    return r->u.end.by_wstape == 0 || r->u.end.kind != CAPTURE_END_FIN;
}

int capture_strand_end(struct capture_strand *c, const struct capture_record *r)
{
    enum side side = r->u.end.side;
    bool clean = r->u.end.kind == CAPTURE_END_FIN;
    int done;

    if (!silences(r)) {
        return 0;
    }
    c->over[side] = true;
    done = capture_messages_end(&c->sides[side]);
    if (done == 0) {
        done = capture_exchanges_end(&c->http, side, clean, r->time_ns);
    }
    if (done == 0 && c->over[side_other(side)]) {
        done = capture_exchanges_finish(&c->http);
    }
    return done;
}

int capture_strand_flush(struct capture_strand *c)
{
    int r = 0;

    for (int side = CLIENT; r == 0 && side <= SERVER; side++) {
        r = capture_messages_end(&c->sides[side]);
        r = r == 0 ? capture_delivered_end(c->delivered[side]) : r;
    }
    return r;
}

int capture_strand_lose(struct capture_strand *c)
{
    int r = 0;

    c->lost = true;
    for (int side = CLIENT; r == 0 && side <= SERVER; side++) {
        r = capture_messages_lose(&c->sides[side]);
        r = r == 0 ? capture_delivered_lose(c->delivered[side]) : r;
    }
    return r == 0 ? capture_exchanges_lose(&c->http) : r;
}
