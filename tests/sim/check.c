#include "proxy/faults.h"
#include "tests/sim/world.h"

enum { HELD_MAX = 64 * 1024 }; /* as in proxy/lane_http.c */

static const struct sim_script *script_of(const struct sim_pair *p, enum side from)
{
    return &p->cast->talk.by[from];
}

/* ---- what is delivered ---- */

/* Once the tape has failed, wstape says goodbye and nothing else. */
static void check_goodbye(struct sim_pair *p, enum side to, struct bytes b)
{
    struct buf *after = &p->facts.after[to];
    static const uint8_t close[] = { 0x88 };
    struct bytes all;
    size_t len;

    sim_must(buf_put(after, b));
    all = buf_bytes(after);
    len = all.len < 10 ? all.len : 10;
    if (all.at[0] == close[0] && all.len <= 2 + 4 + 125) {
        return;
    }
    if (!bytes_equal(bytes_first(all, len), bytes_first(bytes_of("HTTP/1.1 5"), len))) {
        sim_wrong(p->world, "connection %u: %zu bytes to %s although the tape failed",
                  p->number, b.len, side_name(to));
    }
}

/* Both ways allowed: the next of what is expected, or the next own word. */
static void match(struct sim_pair *p, enum side to, struct bytes b)
{
    struct sim_facts *f = &p->facts;
    const struct sim_talk *t = &p->cast->talk;
    enum side from = side_other(to);
    struct bytes rest =
        bytes_from(buf_bytes(&script_of(p, from)->expected), f->matched[from]);
    struct bytes own = buf_bytes(&f->own[to]);
    bool mixed = p->world->scene->has_rules && t->frames && t->parts &&
                 f->matched[from] >= t->frames_at[from];

    if (own.len >= b.len && bytes_equal(bytes_first(own, b.len), b)) {
        buf_drop(&f->own[to], b.len);
        return;
    }
    if (f->unparsed && from == CLIENT) {
        return;
    }
    if (rest.len < b.len || (!mixed && !bytes_equal(bytes_first(rest, b.len), b))) {
        sim_wrong(p->world,
                  "connection %u: what goes to %s at %zu (%zu bytes) is not what was "
                  "said, and no rule acted",
                  p->number, side_name(to), f->matched[from], b.len);
        return;
    }
    f->matched[from] += b.len;
}

void sim_check_send(struct sim_pair *p, enum side to, struct bytes b)
{
    struct sim_facts *f = &p->facts;

    if (f->fin[to]) {
        sim_wrong(p->world, "connection %u: bytes to %s behind its end", p->number,
                  side_name(to));
    }
    if (!p->legs[to].there) {
        sim_wrong(p->world, "connection %u: bytes to nobody", p->number);
    }
    f->passed[to] += b.len;
    sim_must(buf_put(&f->got[to], b));
    if (p->world->failed) {
        check_goodbye(p, to, b);
        return;
    }
    if (f->passed[to] > f->may_pass[to]) {
        sim_wrong(p->world,
                  "connection %u: %s gets %llu bytes where the tape has %llu for it",
                  p->number, side_name(to), (unsigned long long)f->passed[to],
                  (unsigned long long)f->may_pass[to]);
    }
    if (!f->acted) {
        match(p, to, b);
    }
}

void sim_check_output(struct sim_pair *p, const struct proxy_output *out)
{
    struct sim_facts *f = &p->facts;
    bool ends = out->kind == PROXY_FIN || out->kind == PROXY_CUT;

    if (p->closed && out->kind != PROXY_WAKE) {
        sim_wrong(p->world, "connection %u: output %u behind CLOSE", p->number,
                  out->kind);
    }
    if (ends && f->fin[out->side]) {
        sim_wrong(p->world, "connection %u: %s is ended twice", p->number,
                  side_name((enum side)out->side));
    }
    if (ends || out->kind == PROXY_RESET) {
        f->fin[out->side] = true;
        f->by_us = f->by_us || !p->legs[side_other((enum side)out->side)].end_told;
    }
    if (out->kind == PROXY_CONNECT && p->legs[SERVER].there) {
        sim_wrong(p->world, "connection %u connects twice", p->number);
    }
}

/* ---- budgets ---- */

static void check_reading(struct sim_pair *p, enum side from, const char *what)
{
    const struct sim_leg *l = &p->legs[from];

    if (l->reading && !l->end_told && !l->gone) {
        sim_wrong(p->world, "connection %u: %s is read although %s", p->number,
                  side_name(from), what);
    }
}

void sim_check_budget(struct sim_pair *p)
{
    const struct proxy_session *s = p->session;

    if (s->state == PROXY_DRAINING || s->state == PROXY_DONE) {
        return;
    }
    if (s->http != NULL && s->http->held_len > HELD_MAX) {
        check_reading(p, CLIENT, "too much of it is held");
    }
    for (int side = CLIENT; side <= SERVER; side++) {
        const struct sim_leg *to = &p->legs[side_other((enum side)side)];

        if (to->above && !to->gone) {
            check_reading(p, (enum side)side, "the queue is long");
        }
        if (s->faults != NULL && s->faults->held[side].line.len > PROXY_HIGH_WATER) {
            check_reading(p, (enum side)side, "too much is delayed");
        }
        if (s->faults != NULL && s->faults->shapes[side].line.len > PROXY_HIGH_WATER) {
            check_reading(p, (enum side)side, "too much waits for its bandwidth");
        }
    }
}

/* ---- the end ---- */

/* Data and other frames, each by themselves. */
static void sort_frames(struct bytes in, struct buf out[2])
{
    struct wire_frame_decoder d = { .have = 0 };
    struct wire_frame f;
    size_t used;

    while (in.len > 0 && wire_frame_decode(&d, in, &used, &f) == 0) {
        uint64_t left = in.len - used;
        size_t len = used + (size_t)(left < f.payload_len ? left : f.payload_len);
        bool data = wire_frame_opcode(&f) <= WIRE_OP_BINARY;

        sim_must(buf_put(&out[data], bytes_first(in, len)));
        in = bytes_from(in, len);
    }
}

/* Rules that may hold for a message let control frames between its fragments go first:
 * each kind comes in its own order. */
static void check_sorted(struct sim_pair *p, enum side from)
{
    const struct sim_talk *t = &p->cast->talk;
    struct buf said[2] = { { 0 } }, got[2] = { { 0 } };
    struct bytes passed = buf_bytes(&p->facts.got[side_other(from)]);

    if (passed.len <= t->frames_at[from]) {
        return;
    }
    sort_frames(bytes_from(buf_bytes(&t->by[from].expected), t->frames_at[from]), said);
    sort_frames(bytes_from(passed, t->frames_at[from]), got);
    for (int i = 0; i < 2; i++) {
        if (said[i].len < got[i].len ||
            !bytes_equal(bytes_first(buf_bytes(&said[i]), got[i].len),
                         buf_bytes(&got[i]))) {
            sim_wrong(p->world,
                      "connection %u: frames from %s are not those said, and no rule "
                      "acted",
                      p->number, side_name(from));
        }
        buf_deinit(&said[i]);
        buf_deinit(&got[i]);
    }
}

static void check_taped(struct sim_pair *p, enum side from)
{
    const struct sim_facts *f = &p->facts;
    /* Half a header behind the end is nothing. */
    size_t slack = f->cut_short ? WIRE_FRAME_HEADER_MAX - 1 : 0;

    if (!f->trimmed && f->taped[from] + slack < p->legs[from].given) {
        sim_wrong(p->world, "connection %u: %zu bytes of %s are on the tape, of %zu",
                  p->number, f->taped[from], side_name(from), p->legs[from].given);
    }
}

static void check_complete(struct sim_pair *p, enum side from)
{
    const struct sim_facts *f = &p->facts;
    size_t said = script_of(p, from)->expected.len;

    if (f->matched[from] < said) {
        sim_wrong(p->world, "connection %u: only %zu of %zu bytes of %s got through",
                  p->number, f->matched[from], said, side_name(from));
    }
}

/* A leg that was there has one end on the tape, the peer's or wstape's; a peer that had
 * said goodbye may still break off. */
static void check_ends(struct sim_pair *p, enum side side)
{
    const struct sim_facts *f = &p->facts;
    bool there = side == CLIENT ? f->opened : f->upstream;
    unsigned peer = f->ends[side], own = f->ends_by_us[side];

    if (there ? peer + own == 0 || own > 1 || peer > 2 : peer + own > 0) {
        sim_wrong(p->world, "connection %u: %u ends of %s and %u by wstape on the tape",
                  p->number, peer, side_name(side), own);
    }
}

void sim_check_end(struct sim_pair *p)
{
    const struct sim_talk *t = &p->cast->talk;
    const struct sim_facts *f = &p->facts;

    if (p->world->failed) {
        return;
    }
    for (int side = CLIENT; side <= SERVER; side++) {
        check_taped(p, (enum side)side);
        check_ends(p, (enum side)side);
        sim_check_decodes(p, (enum side)side);
        sim_check_trace(p, (enum side)side);
        if (f->acted || f->spoke) {
            continue;
        }
        if (t->frames && t->parts && !f->unparsed) {
            check_sorted(p, (enum side)side);
        }
        if (t->complete && !p->stopped && !f->by_us && !f->broken) {
            check_complete(p, (enum side)side);
        }
    }
}

void sim_facts_deinit(struct sim_facts *f)
{
    for (int side = CLIENT; side <= SERVER; side++) {
        buf_deinit(&f->own[side]);
        buf_deinit(&f->got[side]);
        buf_deinit(&f->faults[side]);
        buf_deinit(&f->after[side]);
        sim_trace_deinit(&f->trace[side]);
    }
}
