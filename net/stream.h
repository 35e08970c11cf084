/*
 * net/stream - a TCP connection as a pipe of slices with exact ends.
 *
 * TCP_NODELAY is on. Reads go to pooled chunks (NET_READ_CHUNK bytes); writes are tried
 * at once and what the kernel does not take is queued (small slices are copied, so that
 * a waiting byte does not pin a whole chunk). There is no limit on the queue here: look
 * at net_stream_queued() and turn the other side's reading off.
 */
#ifndef WSTAPE_NET_STREAM_H
#define WSTAPE_NET_STREAM_H

#include "net/loop.h"

enum {
    NET_READ_CHUNK = 64 * 1024,
    NET_LOW_WATER = 64 * 1024, /* `drained` is called when the queue falls to this */
};

struct net_stream;

/* All are called from the loop, never from inside another net_stream_ function. */
struct net_stream_events {
    /* Bytes came. The slice is borrowed: take a reference to keep it. */
    void (*bytes)(void *owner, struct net_stream *s, struct slice in);
    /* The peer's direction is over, no more bytes will come: 0 for FIN, -ECONNRESET for
     * RST, another negative errno for other failures. A write that fails is told here
     * too, after what the peer had sent is read; until then what is written goes
     * nowhere. So 0 may be followed by one negative status; a negative one is the last.
     */
    void (*end)(void *owner, struct net_stream *s, int status);
    /* The queue was above NET_LOW_WATER and no longer is. */
    void (*drained)(void *owner, struct net_stream *s);
    /* Last touch: the stream is gone after it returns. */
    void (*closed)(void *owner, struct net_stream *s);
};

/* Reading is off at first. `events` and `owner` may be set later than the stream is
 * made: listeners and net_connect hand over streams without an owner. */
void net_stream_own(struct net_stream *s, const struct net_stream_events *events,
                    void *owner);

void net_stream_read(struct net_stream *s, bool on);

/* Send; takes its own reference. Errors arrive through `end`. -ENOMEM: nothing more can
 * be sent (`end` will say so, too); -EPIPE after net_stream_end. */
int net_stream_write(struct net_stream *s, struct slice out);

/* Bytes accepted by net_stream_write and not yet by the kernel. */
size_t net_stream_queued(const struct net_stream *s);

/* FIN once the queue is out. Reading goes on. */
void net_stream_end(struct net_stream *s);

/* RST now, the queue dropped; closes the stream. */
void net_stream_reset(struct net_stream *s);

/* Close now (FIN if nothing is unread or queued; the kernel may choose RST otherwise).
 */
void net_stream_close(struct net_stream *s);

/* Close once the queue is out. net_stream_reset may still cut that short. */
void net_stream_finish(struct net_stream *s);

/* "127.0.0.1:51234", "[::1]:80"; "" when unknown. */
void net_stream_peer(const struct net_stream *s, char *out, size_t cap);
void net_stream_local(const struct net_stream *s, char *out, size_t cap);

/* ---- listening ---- */

struct net_listener;

/* Listen on host (a name or an address) and port (0: any free one). A name with several
 * addresses (localhost) listens on all of them that this machine has, on one port.
 * Words in `e` name the address and the remedy. `accepted` owns the stream it gets.
 * When descriptors run out (EMFILE), accepting pauses for 100 ms at a time and
 * `trouble` is told, once until accepting works again; who connects meanwhile waits. */
struct net_listener_events {
    void (*accepted)(void *owner, struct net_stream *s);
    void (*trouble)(void *owner, int error);
};
struct err;
int net_listener_new(struct net_loop *l, const char *host, uint16_t port,
                     const struct net_listener_events *events, void *owner,
                     struct net_listener **out, struct err *e);
uint16_t net_listener_port(const struct net_listener *n);
void net_listener_free(struct net_listener *n); /* stops listening; takes NULL */

/* ---- connecting ---- */

struct net_connect;

/* One target (host and port), resolved in the background and tried address by address:
 * 2 s each while there are others, the last one as long as the caller likes. Names are
 * kept for 10 s after they were resolved and asked again after a failure; names under
 * localhost are ::1 and 127.0.0.1, names under invalid do not exist (RFC 6761). */
struct net_target;
struct net_target *net_target_new(struct net_loop *l, const char *host, uint16_t port);
void net_target_free(
    struct net_target *t); /* no connect may be under way; takes NULL */

/* `done` is called once, never from inside this call: a stream and status 0, or NULL
 * and a negative errno (-ENOENT: the name is not known). `address` is the one used or
 * tried last, "" when there was none. NULL when memory is out. */
struct net_connect *net_connect_start(struct net_target *t,
                                      void (*done)(void *owner, struct net_stream *s,
                                                   int status, const char *address),
                                      void *owner);
/* `done` will not be called; the attempt is freed in the background. */
void net_connect_cancel(struct net_connect *c);

/* "connection refused", "no such host": words for a negative errno from net/. */
const char *net_error_text(int error);

#endif
