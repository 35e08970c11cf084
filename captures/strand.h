/*
 * captures/strand - one connection of a timeline: what is in progress on it.
 *
 * Joins nothing itself: it holds the readers of its messages, of what wstape sent and
 * of its HTTP, and ends them or tells them of a loss together.
 */
#ifndef WSTAPE_CAPTURES_STRAND_H
#define WSTAPE_CAPTURES_STRAND_H

#include "base/list.h"
#include "captures/delivered.h"
#include "captures/exchanges.h"
#include "captures/messages.h"
#include "captures/passage.h"

struct capture_strand {
    struct list link; /* in order of appearance */
    uint32_t number;
    bool over[2];      /* nothing more comes from that side */
    bool is_websocket; /* what wstape sends on it are frames */
    bool lost;         /* records of it may be missing */
    struct capture_passage passage;
    struct capture_messages sides[2];
    struct capture_delivered *delivered[2]; /* by the side it seems to come from; NULL
                                               until wstape speaks */
    struct capture_exchanges http;
};

/* Into zeroed memory; allocates nothing. The rules are borrowed. */
void capture_strand_init(struct capture_strand *c, struct capture_messages_rules *m,
                         const struct capture_exchanges_rules *x, uint32_t number);

/* Gives nothing out. */
void capture_strand_deinit(struct capture_strand *c);

/* A response's head: its handshake, if it is one that agrees to a WebSocket. */
void capture_strand_agree(struct capture_strand *c, struct bytes head);

/* An END record: what the side had in progress is given out. 0, a callback's value or
 * -ENOMEM. */
int capture_strand_end(struct capture_strand *c, const struct capture_record *r);

/* All frames in progress, of either side and of wstape, are given out. */
int capture_strand_flush(struct capture_strand *c);

/* Records may be missing here. */
int capture_strand_lose(struct capture_strand *c);

#endif
