/*
 * tests/failures/child - a recording proxy in a process of its own, where one thing
 * fails.
 *
 * Each starts from the same state, so that the n-th allocation is the same one every
 * time, and one that crashes is only a bad result.
 */
#ifndef WSTAPE_TESTS_FAILURES_CHILD_H
#define WSTAPE_TESTS_FAILURES_CHILD_H

#include "captures/writer.h"
#include "tests/failures/faulty.h"
#include "wire/tls.h"

#include <sys/types.h>

struct child_config {
    struct faulty fault;
    bool from_start;                                    /* else from child_arm on */
    struct wire_tls_context *listen_tls, *upstream_tls; /* NULL: plain */
    uint16_t upstream;                                  /* port */
    const char *const *rules;                           /* lines, NULL at the end */
    const char *tape; /* a file that is not there yet */
    enum capture_policy policy;
    bool sync_always;
};

/* What it has to say of itself in the end. */
struct child_report {
    bool hit;         /* what was to fail has */
    bool hit_armed;   /* before child_disarm */
    int start_error;  /* negative errno: it could not start */
    int tape_error;   /* negative errno: that stopped it */
    int finish_error; /* of the tape */
    uint64_t lost_records;
    long leaked; /* allocations that are left */
    bool whole;  /* it came to its end: the above holds */
};

struct child {
    pid_t pid;
    int said;                    /* pipe from it */
    uint16_t port;               /* it listens on; 0: it could not start */
    struct child_report *report; /* shared with it */
};

void child_start(struct child *c, const struct child_config *config);

/* From now on, until then: what is to fail. */
void child_arm(struct child *c);
void child_disarm(struct child *c);

/* Stop it and see it off. False when it crashed, or did not end within 20 s. */
bool child_end(struct child *c, struct child_report *out);

#endif
