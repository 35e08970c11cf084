/*
 * captures/passage - from when on wstape passed nothing on to a side.
 *
 * Once a rule closed or aborted a connection, after a close frame of wstape's own, and
 * after it ended a leg, what arrives for that side is still recorded, but nobody gets
 * it. A close frame that is what a rule made of another one is no such end.
 */
#ifndef WSTAPE_CAPTURES_PASSAGE_H
#define WSTAPE_CAPTURES_PASSAGE_H

#include "base/buf.h"
#include "captures/record.h"

#include <stdbool.h>

/* Of one connection; zeroed: everything passes. */
struct capture_passage {
    bool over[2];    /* by the side that gets nothing any more */
    bool acted;      /* the last records were acts on a message */
    bool may_close;  /* one of them may put a close frame in its place */
    enum side from;  /* its direction */
    struct buf rule; /* that acted first: the cause of what went out instead */
};

void capture_passage_deinit(struct capture_passage *p);

/* The next record of the connection. -ENOMEM. */
int capture_passage_take(struct capture_passage *p, const struct capture_record *r);

/* The act that a FAULT tells of: the message that was hit does not go out. */
bool capture_passage_drops(const struct capture_record *fault);

#endif
