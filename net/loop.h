/*
 * net/loop - the event loop, and the one moment in a turn when effects happen.
 *
 * uv.h stays inside net/: other folders see only these types. One thread. The turn hook
 * runs after every batch of events and before the loop sleeps (libuv's check and
 * prepare phases), so that whatever callbacks and timers collected is written to the
 * tape once and then performed. A batch can be a thousand events: its owner may have
 * the turn come in between.
 */
#ifndef WSTAPE_NET_LOOP_H
#define WSTAPE_NET_LOOP_H

#include "base/chunk.h"

#include <stdbool.h>
#include <stdint.h>

struct net_loop;

/* From then on SIGPIPE and SIGXFSZ are ignored, libuv allocates through base/alloc, and
 * as many descriptors may be open as the hard limit allows. A negative errno. */
int net_loop_new(struct net_loop **out);

/* All handles must be closed: net_loop_run has returned 0. Takes NULL. */
void net_loop_free(struct net_loop *l);

/* `turn` may call anything of net/. */
void net_loop_on_turn(struct net_loop *l, void (*turn)(void *owner), void *owner);

/* While a stream's bytes are handled: the turn comes right after, not after the batch.
 * What many connections said is then still in the processor's cache. */
void net_loop_turn_now(struct net_loop *l);

/* Run until no handle is left (signals do not count), or net_loop_stop. The last thing
 * done is a call of `turn`. 0, or a negative errno. */
int net_loop_run(struct net_loop *l);

/* Have net_loop_run return before that; it may be called again. wstape ends by closing
 * what is open: this is for tests, which look at what there is between two events. */
void net_loop_stop(struct net_loop *l);

/* Monotonic, read at most once an event: good for records, cheap. */
int64_t net_loop_now_ns(struct net_loop *l);

/* ---- timers ---- */

struct net_timer;

struct net_timer *net_timer_new(struct net_loop *l, void (*fire)(void *owner),
                                void *owner); /* NULL when memory is out */
/* Fire once at monotonic `at_ns` (never early; up to 1 ms late), replacing an earlier
 * time. A negative `at_ns` stops it. Moving a timer to a later time costs next to
 * nothing. */
void net_timer_at(struct net_timer *t, int64_t at_ns);
void net_timer_free(struct net_timer *t); /* also from inside `fire`; takes NULL */

/* ---- signals ---- */

struct net_signal;

/* Does not keep the loop running. NULL when it cannot be watched. */
struct net_signal *net_signal_new(struct net_loop *l, int number,
                                  void (*fire)(void *owner, int number), void *owner);
void net_signal_free(struct net_signal *s); /* takes NULL */

/* ---- a child process ---- */

struct net_child;

/* Start argv[0] (looked up in PATH) with this process's stdio and environment plus
 * `env_more` ("NAME=value", NULL-terminated; a name given there replaces the inherited
 * one), in the same process group. `done` gets the exit status (0..255) or the number
 * of the signal that ended it (status then 0); the child is freed after it. -ENOENT and
 * the like when it cannot start. */
int net_child_start(struct net_loop *l, char *const *argv, char *const *env_more,
                    void (*done)(void *owner, int status, int signal), void *owner,
                    struct net_child **out);
void net_child_kill(struct net_child *c, int signal);

/* ---- work in the background ---- */

/* fdatasync `fd` on a worker thread; `done` (on the loop's thread) gets 0 or a negative
 * errno. -ENOMEM when it could not be started. */
int net_sync(struct net_loop *l, int fd, void (*done)(void *owner, int r), void *owner);

#endif
