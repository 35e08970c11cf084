#include "replay/align_state.h"

#include "wire/frame.h"

/* ---- telling ---- */

static void tell(struct replay_align *a, struct replay_event *e)
{
    e->from = a->config.from;
    a->config.tell(a->config.owner, e);
}

int replay_align_tell_extra(struct replay_align *a, struct replay_text live,
                            uint64_t after)
{
    struct replay_event e = { .kind = REPLAY_EVENT_EXTRA,
                              .message = after,
                              .after = live.payload,
                              .after_present = true,
                              .before_binary = live.opcode == WIRE_OP_BINARY,
                              .after_binary = live.opcode == WIRE_OP_BINARY };

    tell(a, &e);
    return 0;
}

void replay_align_tell_missing(struct replay_align *a, uint32_t message)
{
    const struct replay_message *m = align_message(a, message);
    struct replay_event e = { .kind = REPLAY_EVENT_MISSING,
                              .message = m->number,
                              .before = m->payload,
                              .before_present = true,
                              .before_binary = m->opcode == WIRE_OP_BINARY,
                              .after_binary = m->opcode == WIRE_OP_BINARY };

    tell(a, &e);
}

struct telling {
    struct replay_align *a;
    uint64_t number;
    bool is_binary;
};

static int tell_difference(void *owner, const struct replay_difference *d)
{
    const struct telling *t = owner;
    struct replay_event e = { .kind = REPLAY_EVENT_DIFFERENCE,
                              .message = t->number,
                              .path = d->path,
                              .before = d->before,
                              .after = d->after,
                              .before_present = d->before_present,
                              .after_present = d->after_present,
                              .before_binary = t->is_binary,
                              .after_binary = t->is_binary };

    tell(t->a, &e);
    return 0;
}

static void tell_rest(struct replay_align *a, uint64_t number)
{
    char text[64];
    struct replay_event e = { .kind = REPLAY_EVENT_NOTE, .message = number };

    replay_compare_say_rest(&a->compare, text);
    e.text = bytes_of(text);
    tell(a, &e);
}

static int tell_differences(struct replay_align *a, const struct align_slot *s,
                            const struct align_live *l)
{
    const struct replay_message *m = align_message(a, s->message);
    struct telling t = { a, m->number, l->opcode == WIRE_OP_BINARY };
    struct replay_text after = { l->opcode, buf_bytes(&l->payload) };
    int r;

    if (align_is_wild(s, l)) {
        return 0;
    }
    r = replay_compare_recorded(&a->compare, a->config.connection, s->message, after,
                                tell_difference, &t);
    if (r >= 0 && a->compare.rest > 0) {
        tell_rest(a, m->number);
    }
    return r < 0 ? r : 0;
}

/* ---- order ---- */

static uint64_t number_at(const struct replay_align *a, uint32_t n)
{
    return align_message(a, align_slot_at(a->block, n)->message)->number;
}

static bool is_in_order(const struct align_pair *p)
{
    return p->how == ALIGN_SAME || p->how == ALIGN_CHANGED;
}

/* The first message of the tape that `n` came before, though it is after it; or `n`. */
static uint32_t overtaken_by(struct align_block *b, uint32_t n, bool in_order)
{
    uint32_t mine = align_slot_at(b, n)->plan.other, found = n;

    for (uint32_t i = n; i-- > 0;) {
        const struct align_pair *p = &align_slot_at(b, i)->plan;

        if (p->how != ALIGN_ALONE && p->other > mine && is_in_order(p) == in_order) {
            found = i;
        }
    }
    return found;
}

/* The last one that came before `n`, though it is after it; or `n`. */
static uint32_t overtaking(struct align_block *b, uint32_t n, bool in_order)
{
    uint32_t mine = align_slot_at(b, n)->plan.other, found = n;

    for (uint32_t i = n + 1; i < b->slot_count; i++) {
        const struct align_pair *p = &align_slot_at(b, i)->plan;

        if (p->how != ALIGN_ALONE && p->other < mine && is_in_order(p) == in_order) {
            found = i;
        }
    }
    return found;
}

/* Which came before which, of message `n` and one that kept its place, if there is one.
 * Nothing, when it came alone in its place. */
static void tell_order(struct replay_align *a, uint32_t n)
{
    struct align_block *b = a->block;
    uint32_t first = n, other = overtaken_by(b, n, true);

    if (other == n) {
        first = overtaking(b, n, true);
    }
    if (first == other) {
        other = overtaken_by(b, n, false);
    }
    if (first == other) {
        first = overtaking(b, n, false);
    }
    if (first != other) {
        struct replay_event e = { .kind = REPLAY_EVENT_ORDER,
                                  .message = number_at(a, first),
                                  .other = number_at(a, other) };

        tell(a, &e);
    }
}

/* ---- pairs ---- */

int replay_align_stand(struct replay_align *a, struct align_slot *s,
                       const struct align_live *l)
{
    const struct replay_message *m = align_message(a, s->message);
    int r;

    if (s->stood == l->arrival) {
        return 0;
    }
    s->stood = l->arrival;
    r = a->config.stands(a->config.owner, s->message, buf_bytes(&l->payload),
                         a->config.connection->steps[m->last_step].time_ns);
    return r < 0 ? r : 0;
}

static int settle_pair(struct replay_align *a, uint32_t n)
{
    struct align_slot *s = align_slot_at(a->block, n);
    const struct align_live *l = &a->block->lives[s->plan.other];
    int r = replay_align_stand(a, s, l);

    if (r == 0 && s->plan.how == ALIGN_MOVED) {
        tell_order(a, n);
    }
    return r < 0 ? r : tell_differences(a, s, l);
}

/* ---- of several that could be meant, the one that differs least ---- */

static int count_one(void *owner, const struct replay_difference *d)
{
    size_t *count = owner;

    (void)d;
    (*count)++;
    return 0;
}

static int count_differences(struct replay_align *a, uint32_t n, uint32_t l,
                             size_t *count)
{
    const struct align_live *live = &a->block->lives[l];
    uint32_t message = align_slot_at(a->block, n)->message;
    struct replay_text after = { live->opcode, buf_bytes(&live->payload) };
    int r;

    *count = 0;
    r = replay_compare_recorded(&a->compare, a->config.connection, message, after,
                                count_one, count);
    *count += a->compare.rest;
    return r < 0 ? r : 0;
}

/* A pair that may be replaced, by another of the same neighbours. */
struct choice {
    uint32_t n, l;
    size_t differences;
};

static int consider(struct replay_align *a, struct choice *best, uint32_t n, uint32_t l)
{
    size_t differences;
    bool same = false;
    int r = a->block->lives[l].wild ? 0 : replay_align_same_kind(a, n, l, &same);

    if (r < 0 || !same) {
        return r;
    }
    r = count_differences(a, n, l, &differences);
    if (r == 0 && differences < best->differences) {
        *best = (struct choice){ n, l, differences };
    }
    return r;
}

static void rejoin(struct align_block *b, const struct choice *from,
                   const struct choice *to)
{
    struct align_pair *tape = &align_slot_at(b, from->n)->plan;
    struct align_pair *live = &b->lives[from->l].plan;

    tape->how = live->how = ALIGN_ALONE;
    tape->other = live->other = ALIGN_NOBODY;
    tape = &align_slot_at(b, to->n)->plan;
    live = &b->lives[to->l].plan;
    tape->how = live->how = ALIGN_CHANGED;
    tape->other = (uint16_t)to->l;
    live->other = (uint16_t)to->n;
}

static bool is_free(const struct align_block *b, uint32_t l)
{
    return l < b->live_count && b->lives[l].plan.how == ALIGN_ALONE &&
           b->lives[l].plan.goes;
}

/* With the neighbours of a changed pair that are alone. */
static int choose_for(struct replay_align *a, uint32_t n, uint32_t count)
{
    struct align_block *b = a->block;
    struct choice was = { n, align_slot_at(b, n)->plan.other, 0 }, best;
    int r = count_differences(a, was.n, was.l, &was.differences);

    best = was;
    for (uint32_t l = was.l; r == 0 && l > 0 && is_free(b, l - 1); l--) {
        r = consider(a, &best, n, l - 1);
    }
    for (uint32_t l = was.l + 1; r == 0 && is_free(b, l); l++) {
        r = consider(a, &best, n, l);
    }
    for (uint32_t i = n + 1;
         r == 0 && i < count && align_slot_at(b, i)->plan.how == ALIGN_ALONE; i++) {
        r = consider(a, &best, i, was.l);
    }
    if (r == 0 && (best.n != was.n || best.l != was.l)) {
        rejoin(b, &was, &best);
    }
    return r;
}

static int choose_best(struct replay_align *a, uint32_t count)
{
    int r = 0;

    for (uint32_t n = 0; n < count && r == 0; n++) {
        const struct align_slot *s = align_slot_at(a->block, n);

        if (s->plan.how == ALIGN_CHANGED && !s->wild) {
            r = choose_for(a, n, count);
        }
    }
    return r;
}

/* ---- the block ---- */

static void drop_live(struct align_block *b, struct align_live *l)
{
    b->held -= l->payload.len;
    buf_deinit(&l->payload);
}

static void take_out(struct replay_align *a, uint32_t count)
{
    struct align_block *b = a->block;
    uint32_t kept = 0;

    for (uint32_t n = 0; n < count; n++) {
        b->slot_bytes -= align_slot_at(b, n)->len;
    }
    b->start = (b->start + count) % ALIGN_ROOM;
    b->slot_count -= count;
    a->passed += count;
    for (uint32_t l = 0; l < b->live_count; l++) {
        if (b->lives[l].plan.goes) {
            drop_live(b, &b->lives[l]);
        } else {
            b->lives[kept++] = b->lives[l];
        }
    }
    b->live_count = kept;
    b->rows = 0;
}

/* Extra ones among the live from `*l` to `to`, which follow the first `n` of the tape.
 */
static int tell_extras(struct replay_align *a, uint32_t *l, uint32_t to, uint32_t n)
{
    int r = 0;

    for (; *l < to && r == 0; (*l)++) {
        const struct align_live *live = &a->block->lives[*l];
        struct replay_text text = { live->opcode, buf_bytes(&live->payload) };

        if (live->plan.how == ALIGN_ALONE && live->plan.goes) {
            r = replay_align_tell_extra(a, text, a->passed + n);
        }
    }
    return r;
}

static int tell_block(struct replay_align *a, uint32_t count)
{
    struct align_block *b = a->block;
    uint32_t l = 0;
    int r = 0;

    for (uint32_t n = 0; n < count && r == 0; n++) {
        const struct align_slot *s = align_slot_at(b, n);

        if (s->plan.how == ALIGN_ALONE) {
            replay_align_tell_missing(a, s->message);
            continue;
        }
        if (s->plan.how != ALIGN_MOVED) {
            r = tell_extras(a, &l, s->plan.other, n);
        }
        if (r == 0) {
            r = settle_pair(a, n);
        }
    }
    return r < 0 ? r : tell_extras(a, &l, b->live_count, count);
}

int replay_align_settle(struct replay_align *a, uint32_t count)
{
    int r = choose_best(a, count);

    if (r == 0) {
        r = tell_block(a, count);
    }
    if (r == 0) {
        take_out(a, count);
    }
    return r;
}

/* ---- whatever may come ---- */

/* The last live message that is paired, in order, with the first `count` of the tape;
 * after it none goes that has no partner. */
static uint32_t paired_until(struct align_block *b, uint32_t count)
{
    uint32_t until = 0;

    for (uint32_t n = 0; n < count; n++) {
        const struct align_pair *p = &align_slot_at(b, n)->plan;

        if ((p->how == ALIGN_SAME || p->how == ALIGN_CHANGED) && p->other >= until) {
            until = p->other + 1U;
        }
    }
    return until;
}

static bool may_come_to_be(struct align_block *b, const struct align_live *l,
                           uint32_t count)
{
    for (uint32_t n = count; n < b->slot_count; n++) {
        if (align_is_equal(align_slot_at(b, n), l)) {
            return true;
        }
    }
    return false;
}

int replay_align_force(struct replay_align *a, uint32_t count, bool all)
{
    struct align_block *b = a->block;
    uint32_t until;
    int r = replay_align_plan(a, count);

    if (r < 0) {
        return r;
    }
    until = paired_until(b, count);
    for (uint32_t i = 0; i < b->live_count; i++) {
        struct align_live *l = &b->lives[i];

        if (l->plan.how == ALIGN_ALONE) {
            l->plan.goes = all || (i < until && !may_come_to_be(b, l, count));
        } else {
            l->plan.goes = all || l->plan.other < count;
        }
    }
    return replay_align_settle(a, count);
}
