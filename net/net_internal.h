/*
 * net/net_internal - what the files of net/ share. Nobody else includes it: it brings
 * uv.h.
 */
#ifndef WSTAPE_NET_INTERNAL_H
#define WSTAPE_NET_INTERNAL_H

#include "base/list.h"
#include "net/stream.h"

#include <uv.h>

/* A callback that must not run inside the call that caused it. Runs before the next
 * turn hook; the loop does not sleep while one waits. */
struct net_deferred {
    struct list node; /* to itself while nothing is deferred */
    void (*run)(struct net_deferred *d);
};

struct net_timers {
    struct net_timer **heap; /* armed timers, the earliest first */
    size_t count;
    size_t cap;     /* never less than `made`: arming cannot fail */
    size_t made;    /* timers that exist */
    int64_t set_ms; /* when the uv timer fires; -1 while it is stopped */
    bool firing;
    uv_timer_t uv;
};

/* The addresses of one stream, known without a system call. */
struct net_ends {
    const struct net_stream *stream; /* NULL: of none */
    struct sockaddr_storage peer;
    struct sockaddr_storage local; /* AF_UNSPEC: only the kernel knows */
};

struct net_loop {
    uv_loop_t uv;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active while `deferred` has entries */
    struct list deferred;
    struct net_timers timers;
    void (*turn)(void *owner);
    void *turn_owner;
    bool turn_now;  /* net_loop_turn_now was called */
    int64_t now_ns; /* -1: read the clock when asked */
    bool stopped;
    size_t held; /* streams open: the loop runs on, even when it watches none of them */

    /* Where the next read goes: `chunk` from `chunk_off` on (may be NULL). */
    struct chunk_pool pool;
    struct chunk *chunk;
    size_t chunk_off;

    struct net_ends accepted; /* while the owner of its listener is told */

    /* The stream that was read last in this batch, and how often in a row. */
    const struct net_stream *reading;
    unsigned reads;
};

/* ---- loop.c ---- */

void net_deferred_init(struct net_deferred *d, void (*run)(struct net_deferred *d));
void net_defer(struct net_loop *l,
               struct net_deferred *d); /* once, however often called */
void net_deferred_cancel(struct net_deferred *d);

void net_loop_hold(struct net_loop *l);
void net_loop_release(struct net_loop *l);

/* The handler of an event is done: was the turn asked for? */
void net_loop_event_done(struct net_loop *l);

/* An event begins: the time is read anew when somebody asks. */
static inline void net_loop_event(struct net_loop *l)
{
    l->now_ns = -1;
}

/* ---- timer.c ---- */

int net_timers_init(struct net_loop *l);
void net_timers_close(struct net_loop *l);
void net_timers_deinit(struct net_loop *l); /* after the loop ran its close callbacks */

/* ---- stream.c ---- */

/* Around a descriptor that is connected and does not block; the descriptor is closed on
 * failure too. -ENOMEM and others. */
int net_stream_open(struct net_loop *l, int fd, struct net_stream **out);

/* With a socket of that family for connecting; AF_UNSPEC: no descriptor yet. */
int net_stream_new(struct net_loop *l, int family, struct net_stream **out);

/* Before it connects: a request follows at once and can carry the last acknowledgement
 * of the handshake. Saves a packet, and the peer one of two wakings. */
void net_stream_speaks_first(struct net_stream *s);

uv_tcp_t *net_stream_uv(struct net_stream *s);

/* ---- address.c ---- */

/* The addresses of a host: a literal, a name under localhost or invalid (RFC 6761)
 * without asking anyone. Shared by reference. */
struct net_addresses {
    unsigned refs;
    size_t count;
    struct sockaddr_storage at[];
};

enum { NET_ADDRESS_MUST_ASK = 1 }; /* only getaddrinfo can tell */

/* One reference in `*out`. NET_ADDRESS_MUST_ASK, -ENOENT, -ENOMEM. */
int net_addresses_known(const char *host, uint16_t port, struct net_addresses **out);

/* From getaddrinfo's list, with the port. */
int net_addresses_from(const struct addrinfo *list, uint16_t port,
                       struct net_addresses **out);

void net_addresses_unref(struct net_addresses *a); /* takes NULL */

/* The addrinfo hints that both askers use. */
struct addrinfo net_address_hints(void);

/* A negative errno for a UV_EAI_ code or a UV_E one. */
int net_address_error(int uv_code);

void net_address_set_port(struct sockaddr_storage *a, uint16_t port);
bool net_address_is_any(const struct sockaddr_storage *a); /* 0.0.0.0 or [::] */
uint16_t net_address_port(const struct sockaddr_storage *a);

/* "127.0.0.1:80", "[::1]:80"; "" for anything else. */
void net_address_text(const struct sockaddr *a, char *out, size_t cap);

/* ---- bind.c ---- */

enum { NET_MOST_DOORS = 4 };

/* Listen on every address of `host` that this machine has, all on one port. `fds` has
 * room for NET_MOST_DOORS. A negative errno, with words. */
int net_bind(struct net_loop *l, const char *host, uint16_t port, int *fds,
             size_t *count, struct err *e);

#endif
