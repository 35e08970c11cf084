/*
 * bench/serve - the server that the load tool measures against.
 *
 * Echoes every message. The text message "STREAM count size" makes it send `count` text
 * messages of `size` bytes as fast as the connection takes them. A request that asks
 * for no upgrade gets a short 200. One thread, loopback only, no TLS.
 */
#ifndef WSTAPE_BENCH_SERVE_H
#define WSTAPE_BENCH_SERVE_H

#include <stdint.h>

/* Listen on 127.0.0.1:`port` (0: any free one), print {"port":N}, serve for ever; over
 * TLS when `pem` names a file with a key and its certificate (NULL: plain).
 * Returns only when it cannot: a negative errno. */
int bench_serve(uint16_t port, const char *pem);

#endif
