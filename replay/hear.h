/*
 * replay/hear - what the live peer says on a WebSocket, as messages.
 *
 * Bytes in, whole messages and control frames out: unmasked, joined, inflated, in
 * order. Lenient: what breaks the protocol is named in the message's faults.
 */
#ifndef WSTAPE_REPLAY_HEAR_H
#define WSTAPE_REPLAY_HEAR_H

#include "captures/delivered.h"

struct replay_hear {
    struct capture_messages_rules rules;
    struct capture_messages arrived; /* says what the handshake agreed on */
    struct capture_delivered *delivered;
};

/* `message` is called for every message and control frame (see captures/messages);
 * messages over `limit` come with `over` or CAPTURE_CODED_LARGE, or `cut`. -ENOMEM. */
int replay_hear_init(struct replay_hear *h, enum side from,
                     const struct wire_deflate_params *deflate, uint64_t limit,
                     int (*message)(void *owner, uint32_t connection,
                                    const struct capture_message *m),
                     void *owner);
void replay_hear_deinit(struct replay_hear *h); /* zeroed is fine */

/* 0, -ENOMEM, or a negative value of `message`. */
int replay_hear_feed(struct replay_hear *h, struct bytes in, int64_t now_ns);

#endif
