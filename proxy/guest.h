/*
 * proxy/guest - a side of a connection that lives in this process: no socket, no TLS.
 *
 * A tape that plays the backend, or the client, is a guest of the proxy: it stands
 * where the stream to a real peer would, so that rules, limits, TLS on the other leg,
 * recording and ends work on it exactly as on a real one. What a guest does counts as
 * what a peer did: it reaches the session in the next turn of the loop, and the other
 * side only once the tape is flushed.
 */
#ifndef WSTAPE_PROXY_GUEST_H
#define WSTAPE_PROXY_GUEST_H

#include "captures/record.h"

#include <stdbool.h>

/* A guest's end of one connection. Valid until its `gone`. */
struct proxy_seat;

/* What a guest is told; `object` is its own. */
struct proxy_guest {
    /* Connection `number` (as everywhere: counted from 1) wants this guest as its
     * backend. Returns the guest's object, NULL when memory is out. Not asked of a
     * guest that calls by itself (proxy_server_call). */
    void *(*open)(void *owner, struct proxy_seat *seat, uint32_t number);
    /* The connection is there: the guest may speak. */
    void (*ready)(void *object);
    /* Bytes of the other side. Borrowed. */
    void (*bytes)(void *object, struct bytes in);
    /* The other side will say no more: FIN, TRUNCATED (a FIN as well) or RESET. */
    void (*ended)(void *object, enum capture_end kind);
    /* Stop speaking, or go on: back-pressure. Speaking on is allowed, but grows queues.
     */
    void (*flow)(void *object, bool on);
    /* The connection is over; `object` is the guest's to free, `seat` is dead. Comes
     * once, last, after every successful open or call. */
    void (*gone)(void *object);
    void *owner;
};

/* ---- what a guest does; any time between ready and gone, also from within its calls
 * ----
 */

/* Copies. -ENOMEM: the connection is cut off, `gone` follows. */
int proxy_guest_send(struct proxy_seat *seat, struct bytes bytes);

/* No more bytes follow: FIN or RESET. After that only `gone` matters. */
void proxy_guest_end(struct proxy_seat *seat, enum capture_end kind);

#endif
