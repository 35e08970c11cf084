/*
 * captures/delivered - what wstape itself put on the wire, as messages.
 *
 * Takes the SENT records of one direction of a WebSocket in tape order: wire bytes,
 * headers and masks included, a frame split over records as it may come. Names what is
 * wrong with the frames (wire/lint), takes the mask off and gives them to a reader of
 * messages of its own: what wstape compresses refers to nothing that arrived.
 */
#ifndef WSTAPE_CAPTURES_DELIVERED_H
#define WSTAPE_CAPTURES_DELIVERED_H

#include "captures/messages.h"
#include "wire/frame.h"
#include "wire/lint.h"

struct capture_delivered {
    struct capture_messages messages; /* `from` is the side the bytes come from */
    struct wire_frame_decoder decoder;
    struct wire_lint lint;
    struct buf plain;  /* a masked frame's payload of one record, unmasked */
    uint64_t at, left; /* payload bytes of the frame in progress, had and to come */
    bool unsure;       /* records are missing: may begin inside a frame */
};

/* With what the handshake agreed on for `arrived`, the reader of the same direction.
 * `rules` is borrowed. `lost`: SENT records may have been lost before. NULL when memory
 * is out. */
struct capture_delivered *capture_delivered_new(struct capture_messages_rules *rules,
                                                const struct capture_messages *arrived,
                                                bool lost);

/* Gives nothing out. */
void capture_delivered_free(struct capture_delivered *d); /* takes NULL */

enum { CAPTURE_DELIVERED_STRAY = 1 }; /* part of a frame whose start is missing */

/* The bytes of one SENT record. 0, STRAY, a negative value of the callback, or -ENOMEM.
 */
int capture_delivered_feed(struct capture_delivered *d, struct bytes wire,
                           int64_t time_ns);

/* As capture_messages_lose and capture_messages_end; both take NULL. */
int capture_delivered_lose(struct capture_delivered *d);
int capture_delivered_end(struct capture_delivered *d);

#endif
