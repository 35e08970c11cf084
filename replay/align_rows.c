#include "replay/align_state.h"

#include <assert.h>
#include <errno.h>

/*
 * What a step costs. Two gaps (one missing, one extra) are dearer than one change, but
 * a match between them outweighs two changes, since the gaps may turn out to be one
 * message that moved.
 */
enum { GAP = 2, CHANGE = 3, WILD = 1, NEVER = UINT16_MAX / 2 };

/* ---- messages of the tape ---- */

/* A new message stands in its place now. */
static void forget_kinds(struct align_block *b, uint32_t place)
{
    uint64_t others = ~(UINT64_C(1) << (place % 64));

    for (uint32_t i = 0; i < b->live_count; i++) {
        b->lives[i].known[place / 64] &= others;
        b->lives[i].kindred[place / 64] &= others;
    }
}

static int put_slot(struct replay_align *a)
{
    struct align_block *b = a->block;
    const struct replay_message *m = align_message(a, a->next);
    struct replay_text text = { m->opcode, m->payload };
    struct align_slot *s = align_slot_at(b, b->slot_count);
    int r = 0;

    *s = (struct align_slot){ .message = a->next,
                              .wild = !m->whole,
                              .opcode = m->opcode,
                              .len = text.payload.len };
    if (m->whole) {
        r = replay_compare_traits(&a->compare, a->config.from, text, &s->traits);
    }
    if (r == 0) {
        forget_kinds(b, align_place(b, b->slot_count));
        b->slot_count++;
        b->slot_bytes += s->len;
        a->next = m->next;
        b->rows = 0;
    }
    return r;
}

static bool wants_more(const struct replay_align *a)
{
    const struct align_block *b = a->block;

    if (a->next == REPLAY_NONE || b->slot_count == ALIGN_ROOM) {
        return false;
    }
    return b->slot_count < b->live_count + ALIGN_LOOK_LEAST ||
           b->slot_bytes + align_message(a, a->next)->payload.len <= ALIGN_LOOK_MAX;
}

/* ---- costs ---- */

static uint16_t cost_of(const struct align_slot *s, const struct align_live *l)
{
    if (align_is_wild(s, l)) {
        return s->opcode == l->opcode ? WILD : NEVER;
    }
    if (s->traits.equal == l->traits.equal) {
        return 0;
    }
    return align_may_be_kindred(s, l) && !l->matchable ? CHANGE : NEVER;
}

static uint16_t least_of(unsigned a, unsigned b)
{
    return (uint16_t)(a < b ? a : b);
}

static void compute_first(struct align_block *b)
{
    for (uint32_t i = 0; i <= b->slot_count; i++) {
        b->costs[0][i] = (uint16_t)(i * GAP);
    }
    b->rows = 1;
}

/* The row of the first `row` live messages. */
static void compute_row(struct align_block *b, uint32_t row)
{
    struct align_live *l = &b->lives[row - 1];
    const uint16_t *above = b->costs[row - 1];
    uint16_t *here = b->costs[row];

    l->matchable = false;
    for (uint32_t i = 0; i < b->slot_count && !l->matchable; i++) {
        l->matchable = align_is_equal(align_slot_at(b, i), l);
    }
    here[0] = (uint16_t)(row * GAP);
    for (uint32_t i = 1; i <= b->slot_count; i++) {
        unsigned pair = above[i - 1] + cost_of(align_slot_at(b, i - 1), l);

        here[i] = least_of(pair, least_of(above[i], here[i - 1]) + GAP);
    }
}

int replay_align_fill(struct replay_align *a)
{
    struct align_block *b = a->block;

    while (wants_more(a)) {
        int r = put_slot(a);

        if (r < 0) {
            return r;
        }
    }
    if (b->rows == 0) {
        compute_first(b);
    }
    for (; b->rows <= b->live_count; b->rows++) {
        compute_row(b, b->rows);
    }
    return 0;
}

/* ---- the cheapest way ---- */

/* How many messages of the tape it uses: that there are fewer than live ones costs as
 * if they were missing, since the others have to come yet. */
static uint32_t cheapest_end(const struct align_block *b, uint32_t least)
{
    const uint16_t *last = b->costs[b->live_count];
    unsigned best = UINT32_MAX;
    uint32_t end = least;

    for (uint32_t i = least; i <= b->slot_count; i++) {
        unsigned cost = last[i] + (i < b->live_count ? (b->live_count - i) * GAP : 0);

        if (cost <= best) {
            best = cost;
            end = i;
        }
    }
    return end;
}

static void clear_plan(struct align_block *b)
{
    const struct align_pair alone = { .how = ALIGN_ALONE, .other = ALIGN_NOBODY };

    for (uint32_t i = 0; i < b->slot_count; i++) {
        align_slot_at(b, i)->plan = alone;
    }
    for (uint32_t i = 0; i < b->live_count; i++) {
        b->lives[i].plan = alone;
    }
}

static void join(struct align_block *b, uint32_t n, uint32_t l)
{
    struct align_slot *s = align_slot_at(b, n);
    struct align_live *live = &b->lives[l];

    s->plan.how = live->plan.how = align_is_equal(s, live) ? ALIGN_SAME : ALIGN_CHANGED;
    s->plan.other = (uint16_t)l;
    live->plan.other = (uint16_t)n;
}

/* Whether one of the tape is missing in the cell at `row` and `column`; or else,
 * whether a live one is extra. */
static bool is_missing(const struct align_block *b, uint32_t row, uint32_t column)
{
    return column > 0 && b->costs[row][column - 1] + GAP == b->costs[row][column];
}

static bool is_extra(const struct align_block *b, uint32_t row, uint32_t column)
{
    return row > 0 && b->costs[row - 1][column] + GAP == b->costs[row][column];
}

void replay_align_trace(struct align_block *b, uint32_t least)
{
    uint32_t row = b->live_count, column = cheapest_end(b, least);

    assert(b->rows == row + 1 && least <= b->slot_count);
    clear_plan(b);
    b->end = column;
    while (row > 0 || column > 0) {
        if (is_missing(b, row, column)) {
            column--;
        } else if (is_extra(b, row, column)) {
            b->lives[--row].plan.column = (uint16_t)column;
        } else {
            b->lives[--row].plan.column = (uint16_t)--column;
            join(b, column, row);
        }
    }
}
