#include "cli/recorder.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "captures/file.h"
#include "cli/ca_folder.h"
#include "cli/rules.h"
#include "wire/authority.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct cli_recorder {
    struct cli_recorder_config config;
    struct net_loop *loop;
    struct wire_url listen, upstream;
    struct wire_tls_context *listen_tls[PROXY_TLS_FAULTS], *upstream_tls;
    struct inject_plan *plan; /* NULL: no rules */
    struct capture_sink sink;
    struct capture_writer *writer;
    struct proxy_server *server;
    struct net_timer *sync_timer;
    bool syncing;
    int64_t origin_ns;
};

void cli_recorder_defaults(struct cli_recorder_config *c)
{
    *c = (struct cli_recorder_config){
        .listen = "ws://127.0.0.1:8001",
        .upstream_option = "--upstream",
        .policy = CAPTURE_STOP,
        .head_timeout_ns = 30 * CLOCK_NS_PER_S,
        .connect_timeout_ns = 10 * CLOCK_NS_PER_S,
        .http_body_limit = 1024 * 1024,
        .max_connections = 10000,
        .max_message = 16 * 1024 * 1024,
    };
}

static void say(void *owner, const char *text)
{
    (void)owner;
    fprintf(stderr, "wstape: %s\n", text);
}

static int read_upstream(struct cli_recorder *r, struct err *e)
{
    const char *option = r->config.upstream_option;
    int err;

    if (r->config.backend != NULL) {
        snprintf(r->upstream.path, sizeof(r->upstream.path), "%s",
                 r->config.path == NULL ? "" : r->config.path);
        return 0;
    }
    err = wire_url_parse(r->config.upstream, option, &r->upstream, e);
    if (err == 0 && r->upstream.port == 0) {
        err = err_set(e, -EINVAL, "%s needs a port other than 0", option);
    }
    return err;
}

static int read_urls(struct cli_recorder *r, struct err *e)
{
    int err = read_upstream(r, e);

    if (err == 0) {
        err = wire_url_parse(r->config.listen, "--listen", &r->listen, e);
    }
    if (err == 0 && r->listen.path[0] != '\0' && strcmp(r->listen.path, "/") != 0) {
        err = err_set(e, -EINVAL,
                      "--listen takes no path: every path is passed on; use %s://%s:%u",
                      r->listen.is_tls ? "wss" : "ws", r->listen.host,
                      (unsigned)r->listen.port);
    }
    return err;
}

static int put_leaf(struct cli_recorder *r, enum proxy_tls_fault fault,
                    const char *folder, struct buf *chain, struct buf *key,
                    struct err *e)
{
    int64_t now = clock_wall_ns();

    switch (fault) {
    case PROXY_TLS_EXPIRED:
        return wire_authority_faulty_leaf(folder, WIRE_LEAF_EXPIRED, now, chain, key,
                                          e);
    case PROXY_TLS_SELF_SIGNED:
        return wire_authority_faulty_leaf(folder, WIRE_LEAF_SELF_SIGNED, now, chain,
                                          key, e);
    case PROXY_TLS_WRONG_HOST:
        return wire_authority_faulty_leaf(folder, WIRE_LEAF_WRONG_HOST, now, chain, key,
                                          e);
    case PROXY_TLS_SOUND:
    case PROXY_TLS_ABORT:
    case PROXY_TLS_FAULTS:
        break;
    }
    return wire_authority_leaf(folder, r->listen.host, now, chain, key, e);
}

static int make_leaf(struct cli_recorder *r, enum proxy_tls_fault fault, struct err *e)
{
    struct buf chain = { 0 }, key = { 0 };
    char folder[1024];
    int err = cli_ca_folder(folder, sizeof(folder), e);

    if (err == 0) {
        err = put_leaf(r, fault, folder, &chain, &key, e);
    }
    if (err == 0) {
        err = wire_tls_server_context_pem(buf_bytes(&chain), buf_bytes(&key),
                                          &r->listen_tls[fault], e);
    }
    buf_deinit(&chain);
    buf_deinit(&key);
    return err;
}

static int check_upstream_tls(const struct cli_recorder *r, struct err *e)
{
    const struct cli_recorder_config *c = &r->config;

    if (!r->upstream.is_tls && (c->upstream_ca != NULL || c->upstream_cert != NULL ||
                                c->upstream_key != NULL || c->upstream_insecure)) {
        return err_set(e, -EINVAL,
                       "--upstream-ca, -cert, -key and -insecure need %s "
                       "wss://...: it is ws://",
                       c->upstream_option);
    }
    if (c->upstream_key != NULL && c->upstream_cert == NULL) {
        return err_set(e, -EINVAL, "--upstream-key needs --upstream-cert");
    }
    if (c->upstream_insecure && c->upstream_ca != NULL) {
        return err_set(
            e, -EINVAL,
            "--upstream-insecure verifies nothing: leave out --upstream-ca, or "
            "the other");
    }
    return 0;
}

static int check_tls_options(const struct cli_recorder *r, struct err *e)
{
    const struct cli_recorder_config *c = &r->config;

    if (!r->listen.is_tls && (c->tls_cert != NULL || c->tls_key != NULL)) {
        return err_set(e, -EINVAL,
                       "--tls-cert and --tls-key need --listen wss://...: it is ws://");
    }
    if (c->tls_key != NULL && c->tls_cert == NULL) {
        return err_set(e, -EINVAL, "--tls-key needs --tls-cert");
    }
    return check_upstream_tls(r, e);
}

static bool listens_with_tls(const struct cli_recorder *r)
{
    return r->listen.is_tls && !r->config.no_listener;
}

static int make_tls(struct cli_recorder *r, struct err *e)
{
    const struct cli_recorder_config *c = &r->config;
    struct wire_tls_client_config client = { c->upstream_ca, c->upstream_cert,
                                             c->upstream_key, c->upstream_insecure };
    int err = check_tls_options(r, e);

    if (err == 0 && listens_with_tls(r)) {
        err = c->tls_cert != NULL
                  ? wire_tls_server_context(c->tls_cert, c->tls_key,
                                            &r->listen_tls[PROXY_TLS_SOUND], e)
                  : make_leaf(r, PROXY_TLS_SOUND, e);
    }
    if (err == 0 && r->upstream.is_tls) {
        err = wire_tls_client_context(&client, &r->upstream_tls, e);
    }
    if (err == 0 && c->upstream_insecure) {
        say(NULL, "WARNING: --upstream-insecure: the backend's certificate is not "
                  "verified, anyone can be it");
    }
    return err;
}

/* Certificates that are wrong on purpose. A reload may bring rules that ask for them:
 * all are made once there are rules. */
static int make_faulty_leaves(struct cli_recorder *r, struct err *e)
{
    int err = 0;

    if (r->plan == NULL || !listens_with_tls(r)) {
        return 0;
    }
    for (int i = PROXY_TLS_EXPIRED; err == 0 && i <= PROXY_TLS_WRONG_HOST; i++) {
        err = make_leaf(r, (enum proxy_tls_fault)i, e);
    }
    r->listen_tls[PROXY_TLS_ABORT] = r->listen_tls[PROXY_TLS_SOUND];
    return err;
}

static void server_stopped(void *owner)
{
    struct cli_recorder *r = owner;

    net_timer_free(r->sync_timer);
    r->sync_timer = NULL;
    if (r->config.stopped != NULL) {
        r->config.stopped(r->config.owner);
    }
}

static int open_server(struct cli_recorder *r, struct err *e)
{
    const struct cli_recorder_config *c = &r->config;
    struct proxy_server_config server = {
        .upstream_tls = r->upstream_tls,
        .backend = c->backend,
        .no_listener = c->no_listener,
        .origin_ns = r->origin_ns,
        .max_connections = (unsigned)c->max_connections,
        .say = say,
        .stopped = server_stopped,
        .owner = r,
    };

    server.proxy = (struct proxy_config){
        .listen = r->listen,
        .upstream = r->upstream,
        .keep_host = c->keep_host || c->backend != NULL,
        .http_body_limit = c->http_body_limit,
        .head_timeout_ns = c->head_timeout_ns,
        .connect_timeout_ns = c->connect_timeout_ns,
        .idle_timeout_ns = c->idle_timeout_ns,
        .linger_ns = 2 * CLOCK_NS_PER_S,
    };
    memcpy(server.listen_tls, r->listen_tls, sizeof(server.listen_tls));
    return proxy_server_new(r->loop, &server, &r->server, e);
}

static int put_header(struct cli_recorder *r, struct buf *listen, struct buf *upstream,
                      struct capture_header *h)
{
    int err = wire_url_put(listen, &r->listen);

    if (err == 0 && r->config.backend != NULL) {
        err = buf_put_text(upstream, r->config.backend_name);
    } else if (err == 0) {
        err = wire_url_put(upstream, &r->upstream);
    }
    if (err == 0) {
        err = random_fill(&h->id, sizeof(h->id));
    }
    h->version = CAPTURE_VERSION;
    h->wall_ns = clock_wall_ns();
    h->origin_ns = r->origin_ns;
    h->program = bytes_of("wstape " WSTAPE_VERSION);
    h->listen = buf_bytes(listen);
    h->upstream = buf_bytes(upstream);
    h->seed = r->plan == NULL ? 0 : inject_plan_seed(r->plan);
    return err;
}

static int open_tape(struct cli_recorder *r, struct err *e)
{
    struct capture_writer_config w = { .policy = (enum capture_policy)r->config.policy,
                                       .sync_always = r->config.sync_always };
    struct buf listen = { 0 }, upstream = { 0 };
    int err = capture_file_create(r->config.output, &r->sink, e);

    if (err < 0) {
        return err;
    }
    w.sink = r->sink;
    err = put_header(r, &listen, &upstream, &w.header);
    if (err == 0) {
        err = capture_writer_new(&w, r->origin_ns, &r->writer);
    }
    if (err < 0) {
        err_set(e, err, "%s: cannot write the tape: %s", r->config.output,
                strerror(-err));
        capture_file_close(&r->sink);
    }
    buf_deinit(&listen);
    buf_deinit(&upstream);
    return err;
}

static void synced(void *owner, int r)
{
    struct cli_recorder *rec = owner;

    rec->syncing = false;
    if (r == 0 || rec->sync_timer == NULL) {
        return;
    }
    fprintf(stderr, "wstape: fdatasync of the tape failed: %s\n", strerror(-r));
    if (rec->config.policy == CAPTURE_STOP) {
        proxy_server_tape_failed(rec->server, r);
    }
}

static void sync_due(void *owner)
{
    struct cli_recorder *r = owner;

    if (!r->syncing) {
        r->syncing =
            net_sync(r->loop, capture_file_descriptor(&r->sink), synced, r) == 0;
    }
    net_timer_at(r->sync_timer, net_loop_now_ns(r->loop) + r->config.sync_every_ns);
}

static int start_syncing(struct cli_recorder *r, struct err *e)
{
    if (r->config.sync_every_ns <= 0) {
        return 0;
    }
    r->sync_timer = net_timer_new(r->loop, sync_due, r);
    if (r->sync_timer == NULL) {
        return err_set(e, -ENOMEM, "out of memory");
    }
    net_timer_at(r->sync_timer, net_loop_now_ns(r->loop) + r->config.sync_every_ns);
    return 0;
}

static void free_contexts(struct cli_recorder *r)
{
    for (int i = 0; i < PROXY_TLS_FAULTS; i++) {
        if (i != PROXY_TLS_ABORT) { /* the same as the sound one */
            wire_tls_context_free(r->listen_tls[i]);
        }
    }
    inject_plan_free(r->plan);
    wire_tls_context_free(r->upstream_tls);
    alloc_free(r);
}

static int begin(struct cli_recorder *r, struct err *e)
{
    int err = open_server(r, e);

    if (err < 0) {
        return err;
    }
    r->listen = *proxy_server_url(r->server);
    if (r->config.output != NULL) {
        err = open_tape(r, e);
    }
    if (err == 0 && r->writer != NULL) {
        proxy_server_record(r->server, r->writer);
        err = start_syncing(r, e);
    }
    if (err == 0 && r->plan != NULL) {
        proxy_server_inject(r->server, r->plan);
    }
    if (err < 0) {
        proxy_server_free(r->server);
        capture_writer_free(r->writer);
    }
    return err;
}

int cli_recorder_new(struct net_loop *loop, const struct cli_recorder_config *c,
                     struct cli_recorder **out, struct err *e)
{
    struct cli_recorder *r = alloc_zero(1, sizeof(*r));
    int err;

    if (r == NULL) {
        return err_set(e, -ENOMEM, "out of memory");
    }
    r->config = *c;
    r->loop = loop;
    r->origin_ns = clock_monotonic_ns();
    err = read_urls(r, e);
    if (err == 0) {
        err = cli_rules_plan(&r->config, &r->plan, e);
    }
    if (err == 0) {
        err = make_tls(r, e);
    }
    if (err == 0) {
        err = make_faulty_leaves(r, e);
    }
    if (err == 0) {
        err = begin(r, e);
    }
    if (err < 0) {
        free_contexts(r);
        return err;
    }
    *out = r;
    return 0;
}

void cli_recorder_reload(struct cli_recorder *r)
{
    if (r->plan != NULL && cli_rules_reload(&r->config, r->plan)) {
        proxy_server_inject(r->server, r->plan);
    }
}

void cli_recorder_stop(struct cli_recorder *r, const char *reason)
{
    net_timer_free(r->sync_timer);
    r->sync_timer = NULL;
    proxy_server_stop(r->server, reason);
}

int cli_recorder_put_url(const struct cli_recorder *r, bool as_http, struct buf *out)
{
    struct wire_url u = r->listen;

    u.is_http = as_http;
    if (!as_http) {
        snprintf(u.path, sizeof(u.path), "%s", r->upstream.path);
    }
    return wire_url_put(out, &u);
}

struct proxy_server *cli_recorder_server(const struct cli_recorder *r)
{
    return r->server;
}

uint16_t cli_recorder_port(const struct cli_recorder *r)
{
    return r->listen.port;
}

int cli_recorder_finish(struct cli_recorder *r, const char *reason,
                        struct cli_recorder_result *out)
{
    struct proxy_server_totals t = proxy_server_totals(r->server);
    struct capture_writer_totals w = { 0 };
    int err = 0, closed = 0;

    if (r->writer != NULL && t.tape_error == 0) {
        err = capture_writer_finish(r->writer, clock_monotonic_ns(), t.connections,
                                    reason);
    }
    if (r->writer != NULL) {
        w = capture_writer_totals(r->writer);
    }
    *out = (struct cli_recorder_result){ t.connections, w.records, w.bytes,
                                         w.lost_records, t.tape_error };
    proxy_server_free(r->server);
    if (r->plan != NULL) {
        cli_rules_summarize(r->plan);
    }
    if (r->writer != NULL) {
        capture_writer_free(r->writer);
        closed = capture_file_close(&r->sink);
    }
    free_contexts(r);
    return err < 0 ? err : closed;
}
