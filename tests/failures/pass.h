/*
 * tests/failures/pass - two connections through a proxy in which one thing fails.
 *
 * The bystander connects first and is quiet while the victim lives its whole life; then
 * it speaks and closes. The proxy is stopped and looked at from all sides.
 */
#ifndef WSTAPE_TESTS_FAILURES_PASS_H
#define WSTAPE_TESTS_FAILURES_PASS_H

#include "tests/failures/child.h"
#include "tests/failures/life.h"
#include "tests/failures/tape.h"

/* What the tests share: certificates, contexts, where nobody answers. */
struct place {
    struct wire_tls_context *listen_tls, *upstream_tls;
    SSL_CTX *client_tls, *backend_tls;
    char *folder;
    char *authority; /* file */
    int silent;      /* a listener that is full */
    int filling[2];
    uint16_t silent_port;
};

void place_init(struct place *p);
void place_deinit(struct place *p);

enum pass_who { PASS_PROXY, PASS_CLIENT, PASS_BACKEND };

struct pass_config {
    struct faulty fault;
    enum pass_who who; /* in the victim's client, or its backend: its sends fail */
    bool from_start;   /* else only while the victim lives */
    bool tls;
    enum capture_policy policy;
    bool sync_always;
};

struct pass {
    struct child_report report;
    struct tape_facts tape;
    bool hit;
    bool started; /* the proxy could be started */
    bool has_tape;
    bool victim_harmed, bystander_harmed;
    char wrong[192]; /* "": nothing is */
};

/* What must hold whatever failed is in `wrong`: no crash, no leak, nothing but the
 * right bytes to anybody, a tape without damage that had them first. */
void pass_run(const struct place *p, const struct pass_config *c, struct pass *out);

#endif
