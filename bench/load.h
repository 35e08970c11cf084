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

/* The lines printed when what is measured begins and when it ends, so that another
 * program can look at a proxy's processor time at these moments. */
#define BENCH_SAYS_BEGIN "measuring"
#define BENCH_SAYS_END   "measured"

/*
 * Run one load. But for CONNECT all connections are opened first (60 s at most); then
 * the load runs for 0.2 s unmeasured, then for `secs` between the two lines above.
 * Prints, but for IDLE, those lines, and at last its result as one JSON line:
 *
 *   mode, conns, size, secs    what was run, and how long the measured part took
 *   opened, failed             upgrades that came through; connections that ended early
 *   opened_in_time, received_in_time   upgrades and messages of the measured part
 *   msgs_s, MB_s, conn_s       their rates; MB is 10^6 bytes of payload
 *   p50_us, p99_us             its latencies (PINGPONG, CONNECT), else 0
 *   sent, received             messages from the first to the last, warm-up and drain
 *                              included
 *
 * But for STREAM, no connection ends with a message on its way: after `secs` nothing
 * new is sent and echoes are awaited, 2 s at most. So `sent` and `received` are what a
 * proxy between has passed. IDLE prints when all connections are open, and holds them
 * for `secs`. A negative errno when the load could not be run.
 */
int bench_load(const struct bench_order *order);

#endif
