/*
 * wire/accept - the Sec-WebSocket-Accept that answers a key (RFC 6455, section 4.2.2).
 */
#ifndef WSTAPE_WIRE_ACCEPT_H
#define WSTAPE_WIRE_ACCEPT_H

#include "base/buf.h"

/* Append the 28 characters for `key`, a Sec-WebSocket-Key as received. -ENOMEM. */
int wire_accept_put(struct buf *out, struct bytes key);

#endif
