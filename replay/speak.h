/*
 * replay/speak - frames of the script onto the wire.
 *
 * Writes header and payload of the script's FRAME steps: the same opcodes, bits,
 * masking keys, length forms and number of frames a message. A message is compressed
 * when it was recorded so and the live handshake allows it; each frame then gets as
 * many bytes as it had on the tape while they last, the last one the rest. A payload
 * that changed is split likewise. Frames that break the protocol are written as they
 * came, as far as their bytes are on the tape.
 */
#ifndef WSTAPE_REPLAY_SPEAK_H
#define WSTAPE_REPLAY_SPEAK_H

#include "replay/script.h"
#include "wire/deflate.h"

struct replay_speak {
    const struct replay_connection *connection; /* borrowed */
    struct wire_deflate *deflate;               /* made when first needed */
    struct wire_deflate_params params;
    bool compresses; /* the live handshake agreed on permessage-deflate */
    enum side from;
    struct buf payload; /* of the message in progress, as it goes on the wire */
    size_t at;          /* bytes of it that are written */
    uint32_t message;   /* index in progress, or REPLAY_NONE */
    bool coded;         /* it is compressed now */
};

void replay_speak_init(struct replay_speak *s, const struct replay_connection *c,
                       enum side from, const struct wire_deflate_params *live);
void replay_speak_deinit(struct replay_speak *s); /* zeroed is fine */

/* Append the frame of step `index` to `out`; nothing, for the rest of a whole message
 * whose first frame was not said (it came before the handshake). At the first frame of
 * a message, `payload` is the text to say (see replay_live_fill), else it is not looked
 * at. -ENOMEM. */
int replay_speak_step(struct replay_speak *s, uint32_t index, struct bytes payload,
                      struct buf *out);

/* Append a control frame that the script does not have (an answer to a ping, a close).
 * `key`: masking key, for the client's side. `payload` at most 125 bytes. -ENOMEM. */
int replay_speak_control(struct replay_speak *s, uint8_t opcode, struct bytes payload,
                         const uint8_t key[4], struct buf *out);

#endif
