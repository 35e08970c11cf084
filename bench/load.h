/*
 * bench/load - the load client: many WebSocket connections from one thread.
 */
#ifndef WSTAPE_BENCH_LOAD_H
#define WSTAPE_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bench_mode {
    BENCH_PINGPONG, /* one message in flight a connection; round trips are timed */
    BENCH_STREAM,   /* the server sends as fast as it can */
    BENCH_UPLOAD,   /* 64 messages in flight a connection, each echoed */
    BENCH_CONNECT,  /* connect, upgrade, one echo, reset; again; the whole is timed */
    BENCH_IDLE,     /* open the connections, say so, hold them */
};

struct bench_order {
    enum bench_mode mode;
    const char *mode_name;
    uint16_t port; /* on 127.0.0.1 */
    unsigned conns;
    size_t size; /* bytes a message */
    double secs; /* IDLE: to hold the connections once all are open */
    bool tls;    /* certificates are not looked at */
    bool json;   /* messages are {"n":1,"pad":"xx..."} where that fits */
};

/*
 * Run one load and print its result as one JSON line:
 *
 *   mode, conns, size, secs    what was run, and how long it took
 *   opened, failed             upgrades that came through; connections that ended early
 *   msgs_s, MB_s, conn_s       rates over `secs`; MB is 10^6 bytes of payload
 *   p50_us, p99_us             latencies (PINGPONG, CONNECT), else 0
 *   sent, received             messages in all, those of the drain after `secs`
 * included
 *
 * But for STREAM, no connection ends with a message on its way: after `secs` nothing
 * new is sent and echoes are awaited, 2 s at most. So `sent` and `received` are what a
 * proxy between has passed. IDLE prints when all connections are open. A negative errno
 * when the load could not be run.
 */
int bench_load(const struct bench_order *order);

#endif
