/*
 * cli/recorder - a proxy put together from what the user asked for: tape, TLS, rules,
 * server. Shared by record, inject, replay and demo.
 */
#ifndef WSTAPE_CLI_RECORDER_H
#define WSTAPE_CLI_RECORDER_H

#include "base/err.h"
#include "net/loop.h"
#include "proxy/server.h"

#include <stdbool.h>
#include <stdint.h>

struct cli_recorder_config {
    const char *listen;             /* URL */
    const char *upstream;           /* URL; NULL with a guest as the backend */
    const char *upstream_option;    /* its name in messages: "--upstream" */
    const char *output;             /* FILE, "-" for stdout, NULL: no tape */
    const char *tls_cert, *tls_key; /* NULL: a leaf of the local authority for wss */
    const char *upstream_ca, *upstream_cert, *upstream_key;
    bool upstream_insecure;
    const char *faults_file;        /* NULL: none */
    const char *const *fault_lines; /* --fault */
    size_t fault_count;
    bool has_seed;
    uint64_t seed;
    uint64_t max_message; /* bytes that rules look at */
    bool keep_host;
    int policy; /* enum capture_policy */
    bool sync_always;
    int64_t sync_every_ns; /* 0: never */
    int64_t head_timeout_ns, connect_timeout_ns, idle_timeout_ns;
    uint64_t http_body_limit;
    uint64_t max_connections;
    /* replay. A guest is the backend: `backend_name` takes the upstream's place in the
     * header of a tape, `path` in the URL for clients. */
    const struct proxy_guest *backend;
    const char *backend_name;
    const char *path;
    bool no_listener;             /* guests call; `listen` is what the recorded client
                                     called: an Origin that names it is mapped */
    void (*stopped)(void *owner); /* the last connection is gone */
    void *owner;
};

/* The defaults of `wstape record --help`. */
void cli_recorder_defaults(struct cli_recorder_config *c);

struct cli_recorder;

/* Listening once it returns 0; when it fails, the loop has to run on for what it
 * closes. -EINVAL: usage (URLs, certificates); other negative errnos: could not do it.
 * Words in `e`. */
int cli_recorder_new(struct net_loop *loop, const struct cli_recorder_config *c,
                     struct cli_recorder **out, struct err *e);

/* Orderly; again: now. `stopped` follows. */
void cli_recorder_stop(struct cli_recorder *r, const char *reason);

/* "ws://127.0.0.1:8001" and the path of --upstream, or "http://127.0.0.1:8001". */
int cli_recorder_put_url(const struct cli_recorder *r, bool as_http, struct buf *out);

/* For guests that call. */
struct proxy_server *cli_recorder_server(const struct cli_recorder *r);

uint16_t cli_recorder_port(const struct cli_recorder *r);

/* Read the rule file again. A bad one changes nothing; what is wrong goes to stderr. */
void cli_recorder_reload(struct cli_recorder *r);

struct cli_recorder_result {
    uint32_t connections;
    uint64_t records, bytes; /* of the tape */
    uint64_t lost_records;   /* under --on-write-error pass */
    int tape_error;          /* negative errno that stopped it, or 0 */
};

/* After `stopped` and the loop's end: finish the tape (`reason` says why it ends), free
 * everything. A negative errno when the tape could not be finished. */
int cli_recorder_finish(struct cli_recorder *r, const char *reason,
                        struct cli_recorder_result *out);

#endif
