/*
 * proxy/guest - a side of a connection that lives in this process: no socket, no TLS.
 *
 * A tape that plays the backend, or the client, is a guest of the proxy: it stands
 * where the stream to a real peer would, so that rules, limits, TLS on the other leg,
 * recording and ends work on it exactly as on a real one. What a guest does counts as
 * what a peer did: it reaches the session in the turn of the loop, and the other side
 * only once the tape is flushed.
 */
#ifndef WSTAPE_PROXY_GUEST_H
#define WSTAPE_PROXY_GUEST_H

#include "captures/record.h"

#include <stdbool.h>

/* A guest's end of one connection. Valid until its `gone` has returned. */
struct proxy_seat;

/* What a guest is told; `object` is its own. All are called from the turn hook. */
struct proxy_guest {
    /* Connection `number` (as everywhere: counted from 1) wants this guest as its
     * backend. Returns the guest's object, NULL when memory is out. Not asked of a
     * guest that calls by itself (proxy_server_call). */
    void *(*open)(void *owner, struct proxy_seat *seat, uint32_t number);
    /* The connection is there: the guest may speak. */
    void (*ready)(void *object, struct proxy_seat *seat);
    /* Bytes of the other side. Borrowed. */
    void (*bytes)(void *object, struct bytes in);
    /* The other side will say no more: FIN, TRUNCATED (a FIN as well) or RESET. Comes
     * once, at the latest just before `gone`, if the guest was ready. `why` is NULL but
     * for a guest that called and whose backend cannot be reached: then `kind` is
     * ERROR, and `why` says it in words. */
    void (*ended)(void *object, enum capture_end kind, const char *why);
    /* Stop speaking, or go on: back-pressure. It is on at first. Speaking on is
     * allowed, but grows queues. */
    void (*flow)(void *object, bool on);
    /* What proxy_guest_again asked for. May be NULL if nobody asks. */
    void (*again)(void *object);
    /* The connection is over; `object` is the guest's to free, `seat` is dead. Comes
     * once, last, after every successful open or call. */
    void (*gone)(void *object);
    void *owner;
};

/* ---- what a guest does; from ready to gone, from within its calls or outside ---- */

/* Copies. -ENOMEM: the connection is cut off, `gone` follows. After `ended` of a RESET,
 * and after proxy_guest_end, it goes nowhere. */
int proxy_guest_send(struct proxy_seat *seat, struct bytes bytes);

/* No more bytes follow: FIN, TRUNCATED or RESET. A RESET is the end of everything: only
 * `ended` and `gone` follow. -ENOMEM as above. */
int proxy_guest_end(struct proxy_seat *seat, enum capture_end kind);

/* Have `again` called when the loop has come round once, without sleeping. */
void proxy_guest_again(struct proxy_seat *seat);

/* True when the connection ends because of the proxy: a rule, a limit, a stop, want of
 * memory. Then what the other side seems to have left out says nothing about it. */
bool proxy_guest_is_cut_short(const struct proxy_seat *seat);

#endif
