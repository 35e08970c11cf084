/*
 * cli/demo_ws - one end of a WebSocket for the demo's client and backend (RFC 6455).
 *
 * Whole messages in one frame each, which is what the demo's ends send. Knows nothing
 * of sockets and time.
 */
#ifndef WSTAPE_CLI_DEMO_WS_H
#define WSTAPE_CLI_DEMO_WS_H

#include "base/buf.h"
#include "wire/frame.h"
#include "wire/side.h"

#include <stdbool.h>

enum { DEMO_MESSAGE_MAX = 65536 }; /* bytes of one message */

struct demo_ws {
    struct wire_frame_decoder decoder;
    struct wire_frame frame;
    bool in_payload;
    struct buf payload;
};

void demo_ws_deinit(struct demo_ws *w);

enum { DEMO_WS_MORE = 1 }; /* all input used, no message complete yet */

/* The next message in `in`: 0 when `w->frame` and `w->payload` (unmasked) hold one,
 * until the next call; DEMO_WS_MORE; -EPROTO for what the demo's ends never send;
 * -ENOMEM.
 * `*used` is set on every return. */
int demo_ws_next(struct demo_ws *w, struct bytes in, size_t *used);

/* Append a message from `from`, masked with a fresh key when that is the client.
 * -ENOMEM and errors of base/random leave `out` as it was. */
int demo_ws_put(struct buf *out, enum side from, unsigned opcode, struct bytes payload);

#endif
