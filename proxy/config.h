/*
 * proxy/config - what a recording proxy is told once, shared by all its sessions.
 */
#ifndef WSTAPE_PROXY_CONFIG_H
#define WSTAPE_PROXY_CONFIG_H

#include "wire/url.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PROXY_HIGH_WATER =
        256 * 1024,          /* bytes queued to a side that stop the other's reads */
    PROXY_PIPELINE_MAX = 16, /* HTTP requests under way on one connection */
};

/* Times in nanoseconds, 0: no limit. */
struct proxy_config {
    struct wire_url listen; /* port: the one bound */
    struct wire_url upstream;
    bool keep_host;             /* pass Host and Origin on as they are */
    uint64_t http_body_limit;   /* bytes of one HTTP body kept on the tape */
    int64_t head_timeout_ns;    /* for a whole request head to arrive */
    int64_t connect_timeout_ns; /* for the backend to be reached, TLS included */
    int64_t idle_timeout_ns;    /* without a byte in either direction */
    int64_t linger_ns; /* for a peer to finish once wstape has said its last word */
};

#endif
