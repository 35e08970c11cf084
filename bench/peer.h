/*
 * bench/peer - one WebSocket connection of the load tool, seen from either end.
 *
 * Non-blocking, driven by epoll events, plain or TLS. It knows enough
 * of RFC 6455 to count messages fast: whole frames, no fragments, no extensions. It
 * shares no code with wire/, so that the tool does not measure wstape with wstape.
 */
#ifndef WSTAPE_BENCH_PEER_H
#define WSTAPE_BENCH_PEER_H

#include "base/buf.h"
#include "base/list.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

enum { BENCH_TEXT = 1, BENCH_CLOSE = 8, BENCH_PING = 9, BENCH_PONG = 10 };

/* The same bytes over and over, for a source that must cost less than what it feeds. */
struct bench_burst {
    struct buf frames;
    size_t done;       /* bytes of `frames` already sent in this pass */
    uint64_t passes;   /* still to do, the current one included */
    uint64_t per_pass; /* messages in `frames` */
};

struct bench_peer {
    struct list node; /* the owner's, who puts it into a list or not */
    int poll_fd;
    int fd;
    SSL *ssl; /* NULL: plain */
    bool upgraded;
    bool wants_write; /* epoll waits for room too */
    bool leaving;     /* answered or sent what it had: the end is no failure */
    struct buf in;
    struct buf out;
    size_t out_done;
    struct bench_burst burst;
    unsigned in_flight; /* client: messages not yet echoed */
    int64_t sent_at_ns; /* client: the last message, or the connect */
};

struct bench_frame {
    uint8_t opcode;
    struct bytes payload; /* unmasked; into the peer's buffer */
};

/* Takes over `fd` and registers it with `poll_fd`, for writing too while `connecting`;
 * `first_room` is the size of the first read buffer. NULL (fd closed) when memory is
 * out. */
struct bench_peer *bench_peer_new(int poll_fd, int fd, bool connecting,
                                  size_t first_room);
void bench_peer_free(struct bench_peer *p);

/* Speak TLS from now on, as the end that the context is made for. -ENOMEM. */
int bench_peer_start_tls(struct bench_peer *p, SSL_CTX *context, bool as_server);

/* Append one whole frame to `out`, with a fixed mask key when `masked`. -ENOMEM. */
int bench_frame_put(struct buf *out, uint8_t opcode, struct bytes payload, bool masked);

/* Queue `count` text messages of `size` bytes, unmasked, rounded up to whole passes. */
int bench_peer_start_burst(struct bench_peer *p, uint64_t count, size_t size);

/* Send what can be sent now; the rest waits for the next event. Negative: it is gone.
 */
int bench_peer_flush(struct bench_peer *p);

/* Handle one epoll event: flush, read, and call `data` for what is in `p->in`, which
 * takes what it can use. Negative when the connection is over (at its end, too, or when
 * `data` said so): the caller frees the peer. */
int bench_peer_handle(struct bench_peer *p, uint32_t events,
                      int (*data)(void *owner, struct bench_peer *p), void *owner);

/* The HTTP head at the start of `p->in`, its empty line included; empty when
 * incomplete. */
struct bytes bench_peer_head(const struct bench_peer *p);

/* The frame at `*at` in `p->in`; moves `*at` behind it. False when it is incomplete. */
bool bench_peer_next(struct bench_peer *p, size_t *at, struct bench_frame *out);

#endif
