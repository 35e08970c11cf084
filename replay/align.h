/*
 * replay/align - messages of the tape and those that came, side by side, as they come.
 *
 * Tells what differs, what is missing, what is extra and what came in another order,
 * with as few events as possible, and nothing twice: a message that came early is one
 * change of order, not one missing and one extra. What is in step is done with at once.
 * Live messages that are not are held until it is sure what they are: mostly until the
 * next one that is the same as on the tape, and longer where messages repeat. At most
 * REPLAY_ALIGN_AHEAD of them are held, and as many of the tape are looked at ahead (but
 * no more than 16 MiB of it); past these limits it is decided with what there is.
 * The first message out of step takes 176 KiB, a connection in step next to nothing.
 * A message that moved past others that are the same may be told as extra and missing.
 *
 * What is told at a time is in the order of the tape. A message that the tape has only
 * in part (`whole` is false) is any live one of its opcode, and a live one that could
 * not be read is any of the tape of its opcode.
 */
#ifndef WSTAPE_REPLAY_ALIGN_H
#define WSTAPE_REPLAY_ALIGN_H

#include "replay/stage.h"

enum {
    REPLAY_ALIGN_AHEAD = 256,
    REPLAY_ALIGN_HELD_MAX = 64 * 1024 * 1024, /* bytes of live messages held */
};

struct replay_align;

struct replay_align_config {
    struct replay_stage *stage; /* borrowed */
    const struct replay_connection *connection;
    const struct replay_links *links; /* borrowed; of this connection, or NULL */
    struct replay_swaps *swaps;       /* borrowed; of this connection, or NULL */
    enum side from;                   /* whose messages are compared */
    /* What was found; connection and copy are filled in by the owner. */
    void (*tell)(void *owner, struct replay_event *e);
    /* The live message stands for message `index` of the tape. Again with another one
     * when that turns out to be meant. A negative value ends it. */
    int (*stands)(void *owner, uint32_t index, struct bytes payload,
                  int64_t recorded_ns);
    void *owner;
};

/* -ENOMEM. */
int replay_align_new(const struct replay_align_config *c, struct replay_align **out);
void replay_align_free(struct replay_align *a); /* takes NULL */

/* A live message came; `readable` false: only its opcode can be compared, though its
 * payload is told where it is extra. -ENOMEM. */
int replay_align_put(struct replay_align *a, struct replay_text live, bool readable);

/* Whether the first `count` messages of the tape have all come, be it changed or in
 * another order. Those that are only the same in kind stand for the tape's then; what
 * differs in them is told as soon as it is sure that they are these. True stays true.
 */
int replay_align_reached(struct replay_align *a, uint64_t count, bool *reached);

/* No more is waited for up to `count`: what has not come is missing, and told. */
int replay_align_give_up(struct replay_align *a, uint64_t count);

/* The end: all that is left is told. Nothing may be put afterwards. */
int replay_align_finish(struct replay_align *a);

/* The first message of the tape that has not come, NONE: all have. */
uint32_t replay_align_awaits(const struct replay_align *a);

#endif
