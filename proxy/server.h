/*
 * proxy/server - listens, pairs clients with the backend, and keeps the promise of the
 * tape: once a loop turn it writes all records, then performs all outputs.
 */
#ifndef WSTAPE_PROXY_SERVER_H
#define WSTAPE_PROXY_SERVER_H

#include "base/err.h"
#include "captures/writer.h"
#include "inject/plan.h"
#include "net/loop.h"
#include "proxy/config.h"
#include "proxy/guest.h"
#include "proxy/output.h"
#include "wire/tls.h"

struct proxy_server;

struct proxy_server_config {
    struct proxy_config proxy; /* listen.port 0: any free one */
    /* By enum proxy_tls_fault; all NULL: plain. Those that no rule asks for may be NULL
     * too. */
    struct wire_tls_context *listen_tls[PROXY_TLS_FAULTS];
    struct wire_tls_context *upstream_tls; /* NULL: plain */
    /* Takes the place of the backend; proxy.upstream is not looked at then, and
     * proxy.keep_host should be set. NULL: the upstream is connected. Borrowed. */
    const struct proxy_guest *backend;
    bool no_listener;  /* clients are guests only; proxy.listen names what an Origin is
                          mapped from */
    int64_t origin_ns; /* monotonic time that is 0 on the tape */
    unsigned max_connections; /* at once; more get 503 */
    /* Something the user should know, in words, while it runs. */
    void (*say)(void *owner, const char *text);
    /* Stopped by proxy_server_stop or a failed tape, and the last connection is gone.
     */
    void (*stopped)(void *owner);
    void *owner;
};

/* `config` is copied; what it points to is borrowed and outlives the server. A negative
 * errno with words when it cannot listen. Takes the loop's turn hook. */
int proxy_server_new(struct net_loop *loop, const struct proxy_server_config *config,
                     struct proxy_server **out, struct err *e);

/* Apply rules from now on; before the loop runs, or again to replace them (then `plan`
 * is the same and only looked at again). Borrowed. */
void proxy_server_inject(struct proxy_server *s, struct inject_plan *plan);

/* Put records on a tape from now on; before the loop runs. `writer` outlives the
 * server. */
void proxy_server_record(struct proxy_server *s, struct capture_writer *writer);

/* Before any connection was accepted, or after `stopped`. The loop has to run on for
 * what it closes. Takes NULL. */
void proxy_server_free(struct proxy_server *s);

/* The URL it listens on, port included; its lifetime is the server's. */
const struct wire_url *proxy_server_url(const struct proxy_server *s);

/* `guest` is a client: a connection with the next number. It is told as in
 * proxy/guest.h, later in the loop; `number` (may be NULL) is written at once. -ENOMEM;
 * -ECANCELED when the server stops: nothing follows then. Both are borrowed. */
int proxy_server_call(struct proxy_server *s, const struct proxy_guest *guest,
                      void *object, uint32_t *number);

/* The tape cannot be relied on (a sync failed): as if writing it had failed. */
void proxy_server_tape_failed(struct proxy_server *s, int error);

/* Stop accepting, close WebSockets with 1001, let HTTP exchanges finish, within the
 * linger time. A second call does it now. */
void proxy_server_stop(struct proxy_server *s, const char *reason);

struct proxy_server_totals {
    uint32_t connections; /* accepted, calls included */
    uint32_t open;
    int tape_error; /* negative errno that stopped it, or 0 */
};
struct proxy_server_totals proxy_server_totals(const struct proxy_server *s);

#endif
