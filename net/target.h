/*
 * net/target - the addresses of one host, asked for once for all who wait; private to
 * net/connect.
 *
 * A name's addresses are kept for 10 s. The one that worked last comes first. Literals
 * and names under localhost need no asking (RFC 6761, section 6.3).
 */
#ifndef WSTAPE_NET_TARGET_H
#define WSTAPE_NET_TARGET_H

#include "net/net_internal.h"

struct net_target_waiter {
    struct list node;
    void (*resolved)(struct net_target_waiter *w, int status,
                     struct net_addresses *addresses);
};

struct net_loop *net_target_loop(const struct net_target *t);

/* `resolved` is called once, perhaps before this returns. The addresses are lent. */
void net_target_ask(struct net_target *t, struct net_target_waiter *w,
                    void (*resolved)(struct net_target_waiter *w, int status,
                                     struct net_addresses *addresses));

/* `resolved` will not be called. */
void net_target_forget(struct net_target_waiter *w);

/* What came of the addresses given: the one at `which` took a connection; none did. */
void net_target_works(struct net_target *t, const struct net_addresses *a,
                      size_t which);
void net_target_fails(struct net_target *t, const struct net_addresses *a);

#endif
