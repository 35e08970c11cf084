#include "replay/align_state.h"

#include "base/alloc.h"

#include <errno.h>

int replay_align_new(const struct replay_align_config *c, struct replay_align **out)
{
    struct replay_align *a = alloc_zero(1, sizeof(*a));

    if (a == NULL) {
        return -ENOMEM;
    }
    a->config = *c;
    a->next = c->connection->first[c->from];
    replay_compare_init(&a->compare, &c->stage->rules);
    a->compare.links = c->links;
    a->compare.swaps = c->swaps;
    a->compare.most = REPLAY_DIFFERENCES_MAX;
    *out = a;
    return 0;
}

void replay_align_free(struct replay_align *a)
{
    if (a == NULL) {
        return;
    }
    for (uint32_t l = 0; a->block != NULL && l < a->block->live_count; l++) {
        buf_deinit(&a->block->lives[l].payload);
    }
    alloc_free(a->block);
    replay_compare_deinit(&a->compare);
    alloc_free(a);
}

static bool is_in_step(const struct replay_align *a)
{
    return a->block == NULL || a->block->live_count == 0;
}

static uint32_t first_open(const struct replay_align *a)
{
    return a->block == NULL || a->block->slot_count == 0
               ? a->next
               : a->block->slots[a->block->start].message;
}

/* ---- in step ---- */

/* The tape's next message is done with. */
static void pass_first(struct replay_align *a)
{
    struct align_block *b = a->block;

    if (b != NULL && b->slot_count > 0) {
        b->slot_bytes -= b->slots[b->start].len;
        b->start = (b->start + 1) % ALIGN_ROOM;
        b->slot_count--;
        b->rows = 0;
    } else {
        a->next = align_message(a, a->next)->next;
    }
    a->passed++;
}

static int is_next(struct replay_align *a, uint32_t first, struct replay_text live,
                   bool readable, bool *is)
{
    const struct replay_message *m = align_message(a, first);
    int r;

    if (!m->whole || !readable) {
        *is = m->opcode == live.opcode;
        return 0;
    }
    r = replay_compare_recorded(&a->compare, a->config.connection, first, live, NULL,
                                NULL);
    *is = r == 0;
    return r < 0 ? r : 0;
}

static int put_in_step(struct replay_align *a, struct replay_text live, bool readable,
                       bool *done)
{
    uint32_t first = first_open(a);
    int r;

    if (first == REPLAY_NONE) {
        *done = true;
        return replay_align_tell_extra(a, live, a->passed);
    }
    r = is_next(a, first, live, readable, done);
    if (r < 0 || !*done) {
        return r;
    }
    pass_first(a);
    r = a->config.stands(
        a->config.owner, first, live.payload,
        a->config.connection->steps[align_message(a, first)->last_step].time_ns);
    return r < 0 ? r : 0;
}

/* ---- out of step ---- */

static int put_live(struct replay_align *a, struct replay_text text, bool readable)
{
    struct align_live *l;
    int r;

    if (a->block == NULL) {
        a->block = alloc_zero(1, sizeof(*a->block));
        if (a->block == NULL) {
            return -ENOMEM;
        }
    }
    l = &a->block->lives[a->block->live_count];
    *l = (struct align_live){ .arrival = a->arrivals,
                              .opcode = text.opcode,
                              .wild = !readable };
    r = readable ? replay_compare_traits(&a->compare, a->config.from, text, &l->traits)
                 : 0;
    if (r == 0) {
        r = buf_put(&l->payload, text.payload);
    }
    if (r == 0) {
        a->block->live_count++;
        a->block->held += text.payload.len;
    }
    return r;
}

/* Fill the block and make the plan, if there is anything to plan. */
static int plan(struct replay_align *a)
{
    int r;

    if (is_in_step(a)) {
        return 0;
    }
    r = replay_align_fill(a);
    return r < 0 ? r : replay_align_plan(a, 0);
}

/* Many that changed, one after the other: that the others are missing and these extra
 * is no better explanation. */
static bool are_all_changed(const struct align_block *b)
{
    if (b->live_count < 2 * ALIGN_CHANGED_RUN) {
        return false;
    }
    for (uint32_t l = 0; l < 2 * ALIGN_CHANGED_RUN; l++) {
        const struct align_pair *p = &b->lives[l].plan;

        if (p->how != ALIGN_CHANGED || p->other != l) {
            return false;
        }
    }
    return true;
}

static int settle_changed(struct replay_align *a)
{
    for (uint32_t l = 0; l < a->block->live_count; l++) {
        a->block->lives[l].plan.goes = l < ALIGN_CHANGED_RUN;
    }
    return replay_align_settle(a, ALIGN_CHANGED_RUN);
}

static int settle_sure(struct replay_align *a)
{
    uint32_t count = replay_align_sure(a->block);
    int r = 0;

    if (count > 0) {
        r = replay_align_settle(a, count);
    } else if (are_all_changed(a->block)) {
        r = settle_changed(a);
    } else {
        return 0;
    }
    return r < 0 ? r : plan(a);
}

/* ---- past the limits ---- */

static bool is_over(const struct align_block *b)
{
    if (b->live_count == 0) {
        return false;
    }
    return b->live_count == ALIGN_ROOM || b->held > REPLAY_ALIGN_HELD_MAX ||
           b->slot_count == 0 ||
           (b->slot_count == ALIGN_ROOM &&
            b->slots[(b->start + ALIGN_ROOM - 1) % ALIGN_ROOM].plan.how == ALIGN_SAME);
}

/* No message is the same as one of the tape: the older half of them are what they
 * look like. */
static int settle_older(struct replay_align *a)
{
    struct align_block *b = a->block;
    uint32_t older = b->live_count / 2 + 1, count = 0;

    for (uint32_t l = 0; l < older; l++) {
        const struct align_pair *p = &b->lives[l].plan;

        count = p->how == ALIGN_CHANGED ? p->other + 1U : count;
    }
    for (uint32_t l = 0; l < b->live_count; l++) {
        struct align_pair *p = &b->lives[l].plan;

        p->goes = l < older || (p->how != ALIGN_ALONE && p->other < count);
        if (p->goes && p->how == ALIGN_MOVED && p->other >= count) {
            align_slot_at(b, p->other)->plan.how = p->how = ALIGN_ALONE;
        }
    }
    return replay_align_settle(a, count);
}

static int settle_over(struct replay_align *a)
{
    struct align_block *b = a->block;
    int r = 0;

    while (r == 0 && is_over(b)) {
        uint32_t n = b->slot_count;

        while (n > 0 && align_slot_at(b, n - 1)->plan.how != ALIGN_SAME) {
            n--;
        }
        r = n > 0 ? replay_align_force(a, n, false) : settle_older(a);
        if (r == 0) {
            r = plan(a);
        }
    }
    return r;
}

/* ---- a message ---- */

/* The newest one is already known to stand for a message of the tape. */
static int stand_newest(struct replay_align *a)
{
    struct align_block *b = a->block;
    const struct align_live *l = &b->lives[b->live_count - 1];
    struct align_slot *s;

    if (l->plan.how != ALIGN_SAME && l->plan.how != ALIGN_MOVED) {
        return 0;
    }
    s = align_slot_at(b, l->plan.other);
    return s->stood == 0 ? replay_align_stand(a, s, l) : 0;
}

static int put_aside(struct replay_align *a, struct replay_text live, bool readable)
{
    int r = put_live(a, live, readable);

    if (r == 0) {
        r = plan(a);
    }
    if (r == 0) {
        r = stand_newest(a);
    }
    if (r == 0) {
        r = settle_sure(a);
    }
    return r < 0 ? r : settle_over(a);
}

int replay_align_put(struct replay_align *a, struct replay_text live, bool readable)
{
    bool done = false;
    int r = 0;

    a->arrivals++;
    if (is_in_step(a)) {
        r = put_in_step(a, live, readable, &done);
    }
    return r < 0 || done ? r : put_aside(a, live, readable);
}

/* ---- how far it is ---- */

/* Whether the first `count` of the block have come; those that are only alike stand for
 * the tape's from now on. */
static int have_come(struct replay_align *a, uint64_t count, bool *come)
{
    struct align_block *b = a->block;
    int r = 0;

    *come = false;
    for (uint32_t n = 0; n < count; n++) {
        if (n >= b->slot_count || align_slot_at(b, n)->plan.how == ALIGN_ALONE) {
            return 0;
        }
    }
    *come = true;
    for (uint32_t n = 0; n < count && r == 0; n++) {
        struct align_slot *s = align_slot_at(b, n);

        if (s->stood == 0) {
            r = replay_align_stand(a, s, &b->lives[s->plan.other]);
        }
    }
    return r;
}

int replay_align_reached(struct replay_align *a, uint64_t count, bool *reached)
{
    uint64_t all = a->config.connection->count[a->config.from];
    int r = 0;

    count = count < all ? count : all;
    *reached = count <= a->passed || count <= a->reached;
    if (!*reached && !is_in_step(a)) {
        r = have_come(a, count - a->passed, reached);
    }
    if (r == 0 && *reached && count > a->reached) {
        a->reached = count;
    }
    return r;
}

uint32_t replay_align_awaits(const struct replay_align *a)
{
    struct align_block *b = a->block;

    for (uint32_t n = 0; b != NULL && n < b->slot_count; n++) {
        const struct align_slot *s = align_slot_at(b, n);

        if (b->live_count == 0 || s->plan.how == ALIGN_ALONE) {
            return s->message;
        }
    }
    return a->next;
}

/* ---- no more is waited for ---- */

static int give_up_first(struct replay_align *a, uint64_t count)
{
    struct align_block *b = a->block;
    uint32_t n;

    if (is_in_step(a)) {
        replay_align_tell_missing(a, first_open(a));
        pass_first(a);
        return 0;
    }
    n = count - a->passed < b->slot_count ? (uint32_t)(count - a->passed)
                                          : b->slot_count;
    return replay_align_force(a, n, false);
}

int replay_align_give_up(struct replay_align *a, uint64_t count)
{
    int r = 0;

    while (r == 0 && a->passed < count && first_open(a) != REPLAY_NONE) {
        r = give_up_first(a, count);
        if (r == 0) {
            r = plan(a);
        }
        if (r == 0 && !is_in_step(a)) {
            r = settle_over(a);
        }
    }
    return r;
}

int replay_align_finish(struct replay_align *a)
{
    int r = 0;

    while (r == 0 && !is_in_step(a)) {
        r = replay_align_force(a, a->block->slot_count, a->next == REPLAY_NONE);
        if (r == 0) {
            r = plan(a);
        }
    }
    return r < 0 ? r : replay_align_give_up(a, UINT64_MAX);
}
