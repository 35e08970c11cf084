#include "replay/align_state.h"

/* ---- kinds ---- */

static int compare_kind(struct replay_align *a, const struct align_slot *s,
                        const struct align_live *l, bool *same)
{
    const struct replay_message *m = align_message(a, s->message);
    struct replay_text before = { m->opcode, m->payload };
    struct replay_text after = { l->opcode, buf_bytes(&l->payload) };

    return replay_compare_kind(&a->compare, before, after, same);
}

/* Each pair is looked at but once. */
static int verify(struct replay_align *a, uint32_t n, struct align_live *l, bool *same)
{
    uint32_t place = align_place(a->block, n), word = place / 64;
    uint64_t bit = UINT64_C(1) << (place % 64);
    int r = 0;

    if ((l->known[word] & bit) == 0) {
        r = compare_kind(a, align_slot_at(a->block, n), l, same);
        if (r < 0) {
            return r;
        }
        a->compared++;
        l->known[word] |= bit;
        l->kindred[word] |= *same ? bit : 0;
    }
    *same = (l->kindred[word] & bit) != 0;
    return 0;
}

int replay_align_same_kind(struct replay_align *a, uint32_t n, uint32_t l, bool *same)
{
    const struct align_slot *s = align_slot_at(a->block, n);
    struct align_live *live = &a->block->lives[l];

    if (align_is_wild(s, live)) {
        *same = s->opcode == live->opcode;
        return 0;
    }
    if (!align_may_be_kindred(s, live)) {
        *same = false;
        return 0;
    }
    return verify(a, n, live, same);
}

static void join(struct align_block *b, uint32_t n, uint32_t l, enum align_how how)
{
    struct align_slot *s = align_slot_at(b, n);
    struct align_live *live = &b->lives[l];

    s->plan.how = live->plan.how = (uint8_t)how;
    s->plan.other = (uint16_t)l;
    live->plan.other = (uint16_t)n;
}

/* The table goes by traits; pairs that are not of one kind after all are parted. */
static int verify_changed(struct replay_align *a)
{
    struct align_block *b = a->block;

    for (uint32_t l = 0; l < b->live_count; l++) {
        struct align_pair *p = &b->lives[l].plan;
        bool same;
        int r;

        if (p->how != ALIGN_CHANGED) {
            continue;
        }
        r = replay_align_same_kind(a, p->other, l, &same);
        if (r < 0) {
            return r;
        }
        if (!same) {
            struct align_pair *other = &align_slot_at(b, p->other)->plan;

            other->how = p->how = ALIGN_ALONE;
            other->other = p->other = ALIGN_NOBODY;
        }
    }
    return 0;
}

/* ---- what moved ---- */

/* The first message of the tape from `from` on that a live one equals, or the count. */
static uint32_t find_equal(struct align_block *b, uint32_t from,
                           const struct align_live *l)
{
    while (from < b->slot_count && !align_is_equal(align_slot_at(b, from), l)) {
        from++;
    }
    return from;
}

/* The last of those after message `n` of the tape, without a gap, that a live one
 * equals. */
static uint32_t last_equal(struct align_block *b, uint32_t n,
                           const struct align_live *l)
{
    while (n + 1 < b->slot_count && align_is_equal(align_slot_at(b, n + 1), l)) {
        n++;
    }
    return n;
}

static uint32_t find_open(struct align_block *b, uint32_t from, uint32_t to,
                          const struct align_live *l)
{
    uint32_t n = find_equal(b, from, l);

    while (n < to && align_slot_at(b, n)->plan.how != ALIGN_ALONE) {
        n = find_equal(b, n + 1, l);
    }
    return n < to ? n : b->slot_count;
}

/* The message of the tape that a live one is, late or early; or the count. Of later
 * ones only the next that it equals can be meant, or others right behind that. */
static uint32_t find_moved(struct align_block *b, const struct align_live *l)
{
    uint32_t n = find_open(b, 0, l->plan.column, l);

    if (n < b->slot_count) {
        return n;
    }
    n = find_equal(b, l->plan.column, l);
    return n < b->slot_count ? find_open(b, n, last_equal(b, n, l) + 1, l) : n;
}

static void find_all_moved(struct align_block *b)
{
    for (uint32_t l = 0; l < b->live_count; l++) {
        struct align_live *live = &b->lives[l];
        uint32_t n;

        if (live->plan.how != ALIGN_ALONE || !live->matchable) {
            continue;
        }
        n = find_moved(b, live);
        if (n < b->slot_count) {
            join(b, n, l, ALIGN_MOVED);
        }
    }
}

/* ---- what changed so that it looks like another ---- */

/* Where the stretch of the tape ends that has no partner, from `n` on. */
static uint32_t gap_end(struct align_block *b, uint32_t n)
{
    while (n < b->end && (align_slot_at(b, n)->plan.how == ALIGN_ALONE ||
                          align_slot_at(b, n)->plan.how == ALIGN_MOVED)) {
        n++;
    }
    return n;
}

static int pair_in_gap(struct replay_align *a, uint32_t l, uint32_t *from, uint32_t to)
{
    struct align_block *b = a->block;

    for (uint32_t n = *from; n < to; n++) {
        bool same = false;
        int r = align_slot_at(b, n)->plan.how == ALIGN_ALONE
                    ? replay_align_same_kind(a, n, l, &same)
                    : 0;

        if (r < 0) {
            return r;
        }
        if (same) {
            join(b, n, l, ALIGN_CHANGED);
            *from = n + 1;
            return 0;
        }
    }
    return 0;
}

/* Between two pairs, those left over on both sides that are the same in kind. */
static int pair_in_gaps(struct replay_align *a)
{
    struct align_block *b = a->block;
    uint32_t from = 0, to = gap_end(b, 0);
    int r = 0;

    for (uint32_t l = 0; l < b->live_count && r == 0; l++) {
        const struct align_pair *p = &b->lives[l].plan;

        if (p->how == ALIGN_SAME || p->how == ALIGN_CHANGED) {
            from = p->other + 1U;
            to = gap_end(b, from);
        } else if (p->how == ALIGN_ALONE) {
            r = pair_in_gap(a, l, &from, to);
        }
    }
    return r;
}

int replay_align_plan(struct replay_align *a, uint32_t least)
{
    int r;

    replay_align_trace(a->block, least);
    r = verify_changed(a);
    if (r < 0) {
        return r;
    }
    find_all_moved(a->block);
    return pair_in_gaps(a);
}

/* ---- what is sure ---- */

/* What has to be settled together, of the messages up to some pair. */
struct need {
    uint32_t tape, live; /* positions that have to be among them */
    uint32_t odd;        /* messages that are not simply the same */
};

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* A live message that is not the same as its own may still turn out to be the next one
 * of the tape that it equals, until that has passed. */
static void need_live(struct align_block *b, uint32_t l, struct need *need)
{
    const struct align_live *live = &b->lives[l];

    if (live->plan.how == ALIGN_SAME) {
        return;
    }
    need->odd++;
    if (live->plan.how == ALIGN_MOVED) {
        need->tape = larger(need->tape, live->plan.other);
    } else if (live->matchable) {
        uint32_t n = find_equal(b, live->plan.column, live);

        need->tape = larger(need->tape, n < b->slot_count ? last_equal(b, n, live) : 0);
    }
}

/* One of the tape that has not come may come yet: false. */
static bool need_tape(struct align_block *b, uint32_t n, struct need *need)
{
    const struct align_pair *p = &align_slot_at(b, n)->plan;

    if (p->how == ALIGN_MOVED) {
        need->live = larger(need->live, p->other);
    }
    return p->how != ALIGN_ALONE;
}

/* Whether the pairs in a row that end with live `l` could as well be those of the tape
 * `shift` places away. */
static bool fits_shifted(struct align_block *b, uint32_t l, uint32_t run, int shift)
{
    for (uint32_t i = 0; i < run; i++) {
        const struct align_live *live = &b->lives[l - i];
        int64_t n = (int64_t)live->plan.other + shift;

        if (n < 0 || n >= b->slot_count ||
            !align_is_equal(align_slot_at(b, (uint32_t)n), live)) {
            return false;
        }
    }
    return true;
}

/* Where messages repeat, one too many looks like one too few, until the repetition is
 * over. `run`: pairs in a row. */
static bool is_ambiguous(struct align_block *b, uint32_t l, uint32_t run, uint32_t odd)
{
    int most = (int)(odd < ALIGN_SHIFT_MAX ? odd : ALIGN_SHIFT_MAX);

    for (int shift = 1; shift <= most; shift++) {
        if (fits_shifted(b, l, run, shift) || fits_shifted(b, l, run, -shift)) {
            return true;
        }
    }
    return false;
}

static uint32_t run_before(struct align_block *b, uint32_t l, uint32_t run)
{
    bool goes_on = run > 0 && b->lives[l - 1].plan.how == ALIGN_SAME &&
                   b->lives[l - 1].plan.other + 1 == b->lives[l].plan.other;

    return goes_on ? run + 1 : 1;
}

static void mark_going(struct align_block *b, uint32_t count)
{
    for (uint32_t l = 0; l < b->live_count; l++) {
        b->lives[l].plan.goes = l < count;
    }
}

uint32_t replay_align_sure(struct align_block *b)
{
    struct need need = { 0, 0, 0 };
    uint32_t n = 0, run = 0, tape = 0, live = 0;

    for (uint32_t l = 0; l < b->live_count; l++) {
        const struct align_pair *p = &b->lives[l].plan;
        bool has_come = true;

        need_live(b, l, &need);
        if (p->how != ALIGN_SAME) {
            run = 0;
            continue;
        }
        for (; n < p->other && has_come; n++) {
            has_come = need_tape(b, n, &need);
        }
        if (!has_come) {
            break;
        }
        n = p->other + 1U;
        run = run_before(b, l, run);
        if (need.tape < n && need.live <= l && !is_ambiguous(b, l, run, need.odd)) {
            tape = n;
            live = l + 1;
        }
    }
    mark_going(b, live);
    return tape;
}
