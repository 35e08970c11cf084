/*
 * wire/handshake - what a WebSocket opening handshake says (RFC 6455, section 4;
 * RFC 7692, section 7). Reads complete HTTP heads.
 */
#ifndef WSTAPE_WIRE_HANDSHAKE_H
#define WSTAPE_WIRE_HANDSHAKE_H

#include "base/bytes.h"
#include "wire/http.h"

#include <stdbool.h>
#include <stdint.h>

/* True for a GET that asks to upgrade to websocket. */
bool wire_handshake_asks(struct bytes request, const struct wire_head *h);

/* What makes a request that asks one that a server has to refuse (RFC 6455, 4.2.1):
 * with 400, OTHER_VERSION with 426 and the version it knows (4.4). The first one found.
 */
enum wire_handshake_flaw {
    WIRE_HANDSHAKE_SOUND,
    WIRE_HANDSHAKE_NO_KEY,
    WIRE_HANDSHAKE_BAD_KEY, /* not 16 bytes in base64 */
    WIRE_HANDSHAKE_TWO_KEYS,
    WIRE_HANDSHAKE_NO_VERSION,
    WIRE_HANDSHAKE_OTHER_VERSION, /* than 13 */
};
enum wire_handshake_flaw wire_handshake_flaw(struct bytes request,
                                             const struct wire_head *h);

/* True for a 101 that upgrades to websocket. */
bool wire_handshake_agrees(struct bytes response, const struct wire_head *h);

/* permessage-deflate as the response agreed it (RFC 7692, 7.1). */
struct wire_deflate_params {
    bool agreed;
    bool server_no_context_takeover;
    bool client_no_context_takeover;
    uint8_t server_max_window_bits; /* 8..15, 15 when not given */
    uint8_t client_max_window_bits;
};

/* Read the Sec-WebSocket-Extensions fields of a response. Unknown extensions are passed
 * over; `*others` tells that there were some (so RSV bits have a meaning unknown here).
 */
void wire_handshake_extensions(struct bytes response, const struct wire_head *h,
                               struct wire_deflate_params *out, bool *others);

/* One list element of a field value such as Sec-WebSocket-Extensions:
 * `a; x=1, b` gives "a; x=1" and "b". Quoted strings are respected. Start with *at = 0;
 * false at the end. */
bool wire_list_next(struct bytes value, size_t *at, struct bytes *element);

#endif
