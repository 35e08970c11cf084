/*
 * tests/failures/peer - a client or a backend with blocking sockets, plain or with TLS.
 *
 * A step returns false when it could not be done since the other end is gone; `hung`
 * says that nothing came for 10 s instead.
 */
#ifndef WSTAPE_TESTS_FAILURES_PEER_H
#define WSTAPE_TESTS_FAILURES_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {
    int fd; /* 0: none */
    SSL *ssl;
    bool hung;
};

/* A listening socket on loopback, any free port. */
int peer_listen(int backlog, uint16_t *port);

/* Connect to a port of loopback; `tls` NULL: plain. */
bool peer_connect(struct peer *p, uint16_t port, SSL_CTX *tls);

/* A socket connected to that port, not spoken on; negative when that fails. */
int peer_dial(uint16_t port);

/* Accept who comes on `listener`, unless `client` is over before. */
bool peer_accept(struct peer *p, int listener, struct peer *client, SSL_CTX *tls);

bool peer_say(struct peer *p, const void *at, size_t len);
bool peer_hear(struct peer *p, void *out, size_t len); /* so many bytes */
bool peer_hear_end(struct peer *p);                    /* and nothing before it */
void peer_fin(struct peer *p);
void peer_close(struct peer *p);

#endif
