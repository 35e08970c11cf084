/*
 * replay/align_state - the stretch in which tape and live messages are out of step.
 * Only replay/align*.c use it.
 *
 * In step there is no such stretch: a live message that equals the tape's next one is
 * done with. The first that does not opens a block. In it stand the live messages since
 * then, and the next messages of the tape. Each live message adds a row to a table of
 * costs (the least that has to be missing, extra or changed, see replay_align_rows);
 * the cheapest way through it is the plan. What the plan says is told, and taken out of
 * the block, as soon as nothing that may still come would change it.
 *
 * Positions ("tape 3") count from the block's first message.
 */
#ifndef WSTAPE_REPLAY_ALIGN_STATE_H
#define WSTAPE_REPLAY_ALIGN_STATE_H

#include "replay/align.h"

enum {
    ALIGN_ROOM = REPLAY_ALIGN_AHEAD,
    ALIGN_COLUMNS = ALIGN_ROOM + 1,
    ALIGN_LOOK_MAX = 16 * 1024 * 1024, /* bytes of the tape that are looked at ahead */
    ALIGN_LOOK_LEAST = 8,              /* messages looked at ahead all the same */
    ALIGN_CHANGED_RUN = 16,            /* changed in a row: another is no surprise */
    ALIGN_SHIFT_MAX = 8,
};

enum { ALIGN_NOBODY = UINT16_MAX };

enum align_how {
    ALIGN_ALONE,
    ALIGN_SAME,
    ALIGN_CHANGED, /* the same in kind */
    ALIGN_MOVED,   /* the same, but out of order */
};

/* What the plan says of one message, of the tape or live. */
struct align_pair {
    uint8_t how;     /* enum align_how */
    bool goes;       /* live: it is taken out when this is settled */
    uint16_t other;  /* position of the other, ALIGN_NOBODY: ALONE */
    uint16_t column; /* live: messages of the tape that the plan has before it */
};

struct align_slot {
    uint32_t message; /* index in the connection */
    bool wild;        /* it cannot be compared: any live one will do */
    uint8_t opcode;
    size_t len;
    uint64_t stood; /* arrival that was last told to stand for it; 0: none */
    struct replay_traits traits;
    struct align_pair plan;
};

struct align_live {
    struct buf payload;
    uint64_t arrival; /* from 1 */
    struct replay_traits traits;
    uint8_t opcode;
    bool wild;      /* it cannot be compared: it is any of the tape */
    bool matchable; /* it equals some message of the tape in the block */
    /* Bits by place of a slot: whether it is of one kind with this, if that is known.
     */
    uint64_t known[ALIGN_ROOM / 64], kindred[ALIGN_ROOM / 64];
    struct align_pair plan;
};

struct align_block {
    struct align_slot slots[ALIGN_ROOM]; /* a ring */
    uint32_t start, slot_count;
    size_t slot_bytes;
    struct align_live lives[ALIGN_ROOM];
    uint32_t live_count, rows; /* rows of `costs` that hold */
    size_t held;               /* bytes of live messages */
    uint32_t end;              /* messages of the tape that the plan has used */
    uint16_t costs[ALIGN_COLUMNS][ALIGN_COLUMNS]; /* by live, then tape messages */
};

struct replay_align {
    struct replay_align_config config;
    struct replay_compare compare;
    struct align_block *block; /* NULL until it is needed */
    uint32_t next;             /* first message after the block's, or NONE */
    uint64_t passed;           /* messages of the tape that are settled */
    uint64_t reached;          /* what was once reached stays so */
    uint64_t arrivals;
    uint64_t compared; /* pairs, in kind; for tests */
};

static inline struct align_slot *align_slot_at(struct align_block *b, uint32_t n)
{
    return &b->slots[(b->start + n) % ALIGN_ROOM];
}

/* Place of message `n` of the tape: it is the same until the message is taken out. */
static inline uint32_t align_place(const struct align_block *b, uint32_t n)
{
    return (b->start + n) % ALIGN_ROOM;
}

/* They cannot be compared: a pair if their opcodes are the same. */
static inline bool align_is_wild(const struct align_slot *s, const struct align_live *l)
{
    return s->wild || l->wild;
}

static inline bool align_is_equal(const struct align_slot *s,
                                  const struct align_live *l)
{
    return !align_is_wild(s, l) && s->traits.equal == l->traits.equal;
}

static inline bool align_may_be_kindred(const struct align_slot *s,
                                        const struct align_live *l)
{
    return s->traits.kind == l->traits.kind && (s->traits.keys & l->traits.keys) != 0;
}

static inline const struct replay_message *align_message(const struct replay_align *a,
                                                         uint32_t index)
{
    return &a->config.connection->messages[index];
}

/* ---- align_rows: the table ---- */

/* Fill the block with messages of the tape, and the table up to the last live one.
 * -ENOMEM. */
int replay_align_fill(struct replay_align *a);

/* Make the plan from the table: it uses `least` messages of the tape or more. Changed
 * ones are not verified. */
void replay_align_trace(struct align_block *b, uint32_t least);

/* ---- align_plan: what the table does not know ---- */

/* The plan, with pairs that moved, and with changed ones verified. -ENOMEM. */
int replay_align_plan(struct replay_align *a, uint32_t least);

/* How many messages of the tape are sure to be what the plan says; those live messages
 * that go with them are marked. */
uint32_t replay_align_sure(struct align_block *b);

/* Whether tape `n` and live `l` are of one kind. -ENOMEM. */
int replay_align_same_kind(struct replay_align *a, uint32_t n, uint32_t l, bool *same);

/* ---- align_settle ---- */

/* Tell what the plan says of the first `count` messages of the tape, and of the live
 * ones marked to go, and take them out. Both tables are stale then. */
int replay_align_settle(struct replay_align *a, uint32_t count);

/* Settle the first `count` of the tape now, whatever may come. `all`: all live ones
 * go. A plan is made for it. */
int replay_align_force(struct replay_align *a, uint32_t count, bool all);

int replay_align_tell_extra(struct replay_align *a, struct replay_text live,
                            uint64_t after);
void replay_align_tell_missing(struct replay_align *a, uint32_t message);
int replay_align_stand(struct replay_align *a, struct align_slot *s,
                       const struct align_live *l);

#endif
