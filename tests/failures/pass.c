#include "tests/failures/pass.h"

#include "base/alloc.h"
#include "tests/unit/tls/certs.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the place ---- */

static SSL_CTX *backend_context(const struct cert *leaf)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());

    assert_non_null(c);
    assert_int_equal(SSL_CTX_use_certificate(c, leaf->x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(c, leaf->key), 1);
    return c;
}

static void make_contexts(struct place *p, const struct cert *authority,
                          const struct cert *leaf)
{
    struct buf chain = { 0 }, key = { 0 }, ca = { 0 };
    struct wire_tls_client_config client = { 0 };
    struct err e;

    cert_put(&chain, leaf);
    cert_put_key(&key, leaf, NULL);
    cert_put(&ca, authority);
    p->authority = temporary_file(buf_bytes(&ca));
    client.ca_file = p->authority;
    assert_int_equal(wire_tls_server_context_pem(buf_bytes(&chain), buf_bytes(&key),
                                                 &p->listen_tls, &e),
                     0);
    assert_int_equal(wire_tls_client_context(&client, &p->upstream_tls, &e), 0);
    p->client_tls = SSL_CTX_new(TLS_client_method());
    p->backend_tls = backend_context(leaf);
    buf_deinit(&chain);
    buf_deinit(&key);
    buf_deinit(&ca);
}

static void feed(struct wire_tls *t, struct buf *in, struct buf *out)
{
    struct buf plain = { 0 };

    assert_int_equal(wire_tls_feed(t, buf_bytes(in), &plain, out), 0);
    buf_clear(in);
    buf_deinit(&plain);
}

/* Each end in turn, until both have had their say. */
static void talk(struct wire_tls *client, struct wire_tls *server)
{
    struct buf up = { 0 }, down = { 0 };

    for (int i = 0; i < 4; i++) {
        feed(client, &down, &up);
        feed(server, &up, &down);
    }
    feed(client, &down, &up);
    assert_int_equal(wire_tls_state(client), WIRE_TLS_OPEN);
    buf_put_text(&up, "no record at all");
    buf_put_text(&down, "no record at all");
    feed(server, &up, &down);
    feed(client, &down, &up);
    assert_int_equal(wire_tls_state(client), WIRE_TLS_FAILED);
    buf_deinit(&up);
    buf_deinit(&down);
}

/* What OpenSSL makes for good when something is first done, and when it first fails;
 * and the memory of error texts, which it keeps for the next ones. */
static void warm_up(const struct place *p)
{
    struct wire_tls *server = wire_tls_new(p->listen_tls, NULL);
    struct wire_tls *client = wire_tls_new(p->upstream_tls, "127.0.0.1");

    talk(client, server);
    wire_tls_free(server);
    wire_tls_free(client);
    for (int i = 0; i < 2 * ERR_NUM_ERRORS; i++) {
        ERR_raise_data(ERR_LIB_USER, 1, "a text");
    }
    ERR_clear_error();
}

void place_init(struct place *p)
{
    const struct cert_wants root = { .name = "root", .authority = true };
    const struct cert_wants host = { .name = "host", .names = "IP:127.0.0.1" };
    struct cert authority, leaf;

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(wire_tls_setup(), 0);
    authority = cert_make(&root, NULL);
    leaf = cert_make(&host, &authority);
    make_contexts(p, &authority, &leaf);
    cert_free(&authority);
    cert_free(&leaf);
    warm_up(p);
    p->folder = temporary_folder();
    p->silent = peer_listen(0, &p->silent_port);
    p->filling[0] = peer_dial(p->silent_port);
    p->filling[1] = -1;
}

void place_deinit(struct place *p)
{
    wire_tls_context_free(p->listen_tls);
    wire_tls_context_free(p->upstream_tls);
    SSL_CTX_free(p->client_tls);
    SSL_CTX_free(p->backend_tls);
    temporary_free(p->folder);
    temporary_free(p->authority);
    close(p->filling[0]);
    close(p->silent);
}

/* ---- a pass ---- */

/* The victim whose client or backend is to fail, and how. */
static const struct faulty *victims_fault;
static enum pass_who victims_part;

static void met(struct life *l)
{
    struct faulty f = *victims_fault;

    if (victims_part == PASS_BACKEND) {
        f.fd = l->backend.fd;
        faulty_arm(&f);
    }
}

static void note(struct pass *out, const char *what)
{
    if (out->wrong[0] == '\0') {
        snprintf(out->wrong, sizeof(out->wrong), "%s", what);
    }
}

static void live_as_victim(const struct pass_config *c, struct child *child,
                           struct life *victim, struct pass *out)
{
    victims_fault = &c->fault;
    victims_part = c->who;
    if (c->who == PASS_BACKEND) {
        victim->met = met;
    } else if (c->who == PASS_CLIENT) {
        faulty_arm(&c->fault);
    } else if (!c->from_start) {
        child_arm(child);
    }
    life_whole(victim, child->port);
    life_drop(victim);
    out->hit = c->who != PASS_PROXY && faulty_disarm();
    if (c->who == PASS_PROXY && !c->from_start) {
        child_disarm(child);
    }
}

static void live_both(const struct pass_config *c, struct child *child,
                      struct life *bystander, struct life *victim, struct pass *out)
{
    bool open = life_open(bystander, child->port);

    live_as_victim(c, child, victim, out);
    if (open && life_echo(bystander, "still here")) {
        life_close(bystander);
    }
    life_drop(bystander);
    out->victim_harmed = victim->harmed;
    out->bystander_harmed = bystander->harmed;
    note(out, victim->wrong);
    note(out, bystander->wrong);
}

static void judge(const char *tape, const struct pass_config *c, struct pass *out)
{
    bool tape_fails =
        c->fault.what == FAULTY_TAPE_WRITE || c->fault.what == FAULTY_TAPE_SYNC;

    if (out->report.leaked != 0) {
        snprintf(out->wrong, sizeof(out->wrong), "%ld allocations leaked",
                 out->report.leaked);
    }
    out->hit = out->hit || out->report.hit;
    out->has_tape = tape_look(tape, &out->tape);
    if (out->has_tape && out->tape.damaged > 0) {
        note(out, "the tape is damaged");
    }
    if (out->started && !out->has_tape) {
        note(out, "there is no tape");
    }
    if (out->started && !tape_fails && (!out->tape.finished || out->tape.torn > 0)) {
        note(out, "the tape was not finished");
    }
}

static void play(const struct place *p, const struct pass_config *c,
                 struct child *child, int listener, struct pass *out)
{
    const struct life life = { .listener = listener,
                               .tape = -1,
                               .client_tls = c->tls ? p->client_tls : NULL,
                               .backend_tls = c->tls ? p->backend_tls : NULL };
    struct life bystander = life, victim = life;
    char path[512];

    snprintf(path, sizeof(path), "%s/tape", p->folder);
    if (c->policy == CAPTURE_STOP) {
        bystander.tape = victim.tape = open(path, O_RDONLY | O_CLOEXEC);
    }
    bystander.name = "bystander";
    victim.name = "victim";
    live_both(c, child, &bystander, &victim, out);
    if (victim.tape >= 0) {
        close(victim.tape);
    }
}

void pass_run(const struct place *p, const struct pass_config *c, struct pass *out)
{
    struct child_config config = { .fault = c->fault,
                                   .from_start = c->from_start,
                                   .rules = life_rules,
                                   .policy = c->policy,
                                   .sync_always = c->sync_always };
    struct child child;
    char path[512];
    int listener = peer_listen(8, &config.upstream);

    *out = (struct pass){ 0 };
    snprintf(path, sizeof(path), "%s/tape", p->folder);
    config.tape = path;
    if (c->tls) {
        config.listen_tls = p->listen_tls;
        config.upstream_tls = p->upstream_tls;
    }
    if (c->who != PASS_PROXY) {
        config.fault.what = FAULTY_NOTHING;
    }
    child_start(&child, &config);
    out->started = child.port != 0;
    if (out->started) {
        play(p, c, &child, listener, out);
    }
    if (!child_end(&child, &out->report)) {
        snprintf(out->wrong, sizeof(out->wrong), "the proxy crashed");
    }
    judge(path, c, out);
    unlink(path);
    close(listener);
}
