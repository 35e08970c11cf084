/*
 * net/queue - what the kernel would not take yet, private to net/stream.
 *
 * At most one uv_write is under way (the flight); everything put meanwhile waits and
 * goes together, tried first and then as the next flight. Small slices are copied
 * behind one another, so that a waiting byte does not pin a whole read chunk.
 */
#ifndef WSTAPE_NET_QUEUE_H
#define WSTAPE_NET_QUEUE_H

#include "base/chunk.h"

#include <sys/types.h>
#include <uv.h>

struct net_queue;

/* `landed` is told the status of every flight, from libuv's write callback. */
struct net_queue *net_queue_new(void (*landed)(void *owner, int status), void *owner);
void net_queue_free(struct net_queue *q); /* nothing may be flying; takes NULL */

/* Append; takes its own reference or copies. -ENOMEM leaves the queue as it was. */
int net_queue_put(struct net_queue *q, struct slice s);

/* Bytes put and not yet in a flight. */
size_t net_queue_waiting(const struct net_queue *q);

bool net_queue_flying(const struct net_queue *q);

/* Send what waits: try on `fd` first (-1: do not), then start a flight for the rest.
 * Not while one is under way. A negative errno when sending failed; what waits is
 * undefined then. */
int net_queue_fly(struct net_queue *q, uv_stream_t *stream, int fd);

/* As much of `b` as the kernel takes at once: 0 when it is full. A negative errno. */
ssize_t net_queue_try(int fd, struct bytes b);

#endif
