#include "base/alloc.h"
#include "base/clock.h"
#include "tests/failures/pass.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of OpenSSL's allocations, when not all are asked for. A prime. */
enum { STRIDE = 17 };

static struct place place;

/* Every pass is a fork: what was freed long ago need not be kept for it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) /* NOLINT: its name is ASan's */
{
    return "quarantine_size_mb=4";
}

struct tally {
    unsigned long passes, hits, victims, bystanders, refusals;
};

/* What is allowed to come of it; NULL when all is well. */
typedef const char *judge_fn(const struct pass *p);

static const char *at_most_one(const struct pass *p)
{
    if (p->victim_harmed && p->bystander_harmed) {
        return "both connections were harmed";
    }
    return !p->hit && (p->victim_harmed || p->bystander_harmed || !p->started)
               ? "harmed although nothing failed"
               : NULL;
}

static const char *not_the_bystander(const struct pass *p)
{
    return p->bystander_harmed ? "the bystander was harmed" : at_most_one(p);
}

static void complain(const struct pass_config *c, const struct pass *p, const char *why)
{
    fail_msg("fault %d, how %d, error %s, number %lu: %s (started %d: %s; victim %d, "
             "bystander %d; tape: error %s, %llu records, %llu torn)",
             (int)c->fault.what, (int)c->fault.how, strerror(c->fault.error),
             c->fault.nth, why, p->started, strerror(-p->report.start_error),
             p->victim_harmed, p->bystander_harmed, strerror(-p->report.tape_error),
             (unsigned long long)p->tape.records, (unsigned long long)p->tape.torn);
}

/* From the first on, until none is left to fail. */
static struct tally fail_each(struct pass_config c, unsigned long stride,
                              judge_fn *judge)
{
    struct tally t = { 0 };
    bool hit = true;

    for (c.fault.nth = 0; hit; c.fault.nth += stride) {
        struct pass p;
        const char *why;

        pass_run(&place, &c, &p);
        why = p.wrong[0] != '\0' ? p.wrong : judge(&p);
        if (why != NULL) {
            complain(&c, &p, why);
        }
        hit = p.hit;
        t.passes++;
        t.hits += hit;
        t.victims += p.victim_harmed;
        t.bystanders += p.bystander_harmed;
        t.refusals += !p.started;
    }
    return t;
}

static void tell(const char *what, struct tally t, int64_t began)
{
    assert_true(t.hits > 0);
    printf(
        "%s: %lu failed, one a pass: %lu ended the victim, %lu the bystander, %lu the "
        "start; %.1f s\n",
        what, t.hits, t.victims, t.bystanders, t.refusals,
        (double)(clock_monotonic_ns() - began) / (double)CLOCK_NS_PER_S);
}

static void fail_calls(const char *name, enum faulty_what what, const int *errors)
{
    for (; *errors != 0; errors++) {
        struct pass_config c = { .from_start = true,
                                 .fault = { .what = what,
                                            .how = *errors == ENOBUFS ? FAULTY_ERROR
                                                                      : FAULTY_FIN,
                                            .error = *errors } };
        int64_t began = clock_monotonic_ns();
        char text[96];

        snprintf(text, sizeof(text), "%s, %s", name, strerror(*errors));
        tell(text, fail_each(c, 1, at_most_one), began);
    }
}

/* ---- memory ---- */

static void memory(void **state)
{
    struct pass_config c = { .from_start = true, .fault = { .what = FAULTY_MEMORY } };
    int64_t began = clock_monotonic_ns();

    (void)state;
    tell("allocations, all of them", fail_each(c, 1, at_most_one), began);
}

static void memory_of_a_connection(void **state)
{
    struct pass_config c = { .fault = { .what = FAULTY_MEMORY } };
    int64_t began = clock_monotonic_ns();

    (void)state;
    tell("allocations of a connection", fail_each(c, 1, not_the_bystander), began);
}

static void memory_with_tls(void **state)
{
    const bool *all = *state;
    unsigned long stride = *all ? 1 : STRIDE;
    struct pass_config c = { .tls = true, .fault = { .what = FAULTY_MEMORY } };
    int64_t began = clock_monotonic_ns();
    char text[96];

    snprintf(text, sizeof(text), "allocations of a connection with TLS, 1 in %lu%s",
             stride, *all ? "" : " (--all takes all)");
    tell(text, fail_each(c, stride, not_the_bystander), began);
}

/* ---- connections ---- */

static void connects(void **state)
{
    static const int errors[] = { ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EADDRNOTAVAIL,
                                  0 };
    struct pass_config c = { .from_start = true,
                             .fault = { .what = FAULTY_CONNECT,
                                        .how = FAULTY_ELSEWHERE,
                                        .port = place.silent_port } };
    int64_t began = clock_monotonic_ns();

    (void)state;
    fail_calls("connects", FAULTY_CONNECT, errors);
    tell("connects, no answer", fail_each(c, 1, at_most_one), began);
}

static void sockets(void **state)
{
    static const int errors[] = { EMFILE, ENOBUFS, 0 };

    (void)state;
    fail_calls("sockets", FAULTY_SOCKET, errors);
}

static void accepts(void **state)
{
    static const int errors[] = { EMFILE, ENOMEM, ECONNABORTED, 0 };

    (void)state;
    fail_calls("accepts", FAULTY_ACCEPT, errors);
}

static void reads(void **state)
{
    static const int errors[] = { ECONNRESET, ETIMEDOUT, EIO, 0 };

    (void)state;
    fail_calls("reads", FAULTY_READ, errors);
}

static void sends(void **state)
{
    static const int errors[] = { EPIPE, ECONNRESET, ENOBUFS, 0 };

    (void)state;
    fail_calls("sends", FAULTY_SEND, errors);
}

static void shutdowns(void **state)
{
    static const int errors[] = { ENOTCONN, 0 };

    (void)state;
    fail_calls("shutdowns", FAULTY_SHUTDOWN, errors);
}

/* ---- TLS ---- */

/* Each flight of the victim's client and of its backend, from the first hello to the
 * close_notify. */
static void tls_steps(void **state)
{
    static const struct {
        enum faulty_how how;
        const char *name;
    } ways[] = { { FAULTY_FLIP, "one bit changed" },
                 { FAULTY_FIN, "FIN" },
                 { FAULTY_RESET, "RST" } };

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        for (int who = PASS_CLIENT; who <= PASS_BACKEND; who++) {
            struct pass_config c = {
                .who = (enum pass_who)who,
                .tls = true,
                .fault = { .what = FAULTY_SEND, .how = ways[i].how, .error = EPIPE }
            };
            int64_t began = clock_monotonic_ns();
            char text[96];

            snprintf(text, sizeof(text), "TLS flights of the %s, %s",
                     who == PASS_CLIENT ? "client" : "backend", ways[i].name);
            tell(text, fail_each(c, 1, not_the_bystander), began);
        }
    }
}

/* ---- the tape ---- */

/* STOP: nobody is told what is not on the tape, and the tape ends with a whole record
 * (unless it could not be cut back). */
static const char *stops(const struct pass *p)
{
    int error =
        p->report.tape_error < 0 ? p->report.tape_error : p->report.finish_error;

    if (!p->started || error == 0) {
        return p->hit && p->started ? "the failure was not noticed" : at_most_one(p);
    }
    return p->tape.torn > 0 ? "the tape ends in a torn record" : NULL;
}

static const char *stops_torn(const struct pass *p)
{
    struct pass uncut = *p;

    uncut.tape.torn = 0;
    return stops(&uncut);
}

/* A short write that goes on is none that fails. */
static const char *does_not_matter(const struct pass *p)
{
    return p->victim_harmed || p->bystander_harmed || !p->started || !p->tape.finished
               ? "a short write did harm"
               : NULL;
}

/* PASS: nobody is harmed, and the tape says what it lacks. */
static const char *passes(const struct pass *p)
{
    if (!p->started) {
        return NULL;
    }
    if (p->victim_harmed || p->bystander_harmed) {
        return "harmed although the tape may fail";
    }
    if (p->tape.torn > 0) {
        return "the tape ends in a torn record";
    }
    return p->report.lost_records != p->tape.gap_records && p->tape.finished
               ? "the tape does not say what it lacks"
               : NULL;
}

static void fail_tape(const char *name, struct pass_config c, judge_fn *judge)
{
    int64_t began = clock_monotonic_ns();

    c.from_start = true;
    tell(name, fail_each(c, 1, judge), began);
}

static void tape_stops(void **state)
{
    struct pass_config c = { .policy = CAPTURE_STOP,
                             .fault = { .what = FAULTY_TAPE_WRITE, .error = ENOSPC } };

    (void)state;
    fail_tape("tape writes, stop, one ENOSPC", c, stops);
    c.fault.lasts = true;
    fail_tape("tape writes, stop, ENOSPC", c, stops);
    c.fault.error = EIO;
    fail_tape("tape writes, stop, EIO", c, stops);
    c.fault.how = FAULTY_SHORT;
    fail_tape("tape writes, stop, half and EIO", c, stops);
    c.fault.no_cut = true;
    fail_tape("tape writes, stop, half and EIO, no cut", c, stops_torn);
    c.fault = (struct faulty){ .what = FAULTY_TAPE_WRITE, .how = FAULTY_SHORT };
    fail_tape("tape writes, half first", c, does_not_matter);
}

static void tape_passes(void **state)
{
    struct pass_config c = { .policy = CAPTURE_PASS,
                             .fault = { .what = FAULTY_TAPE_WRITE, .error = ENOSPC } };

    (void)state;
    fail_tape("tape writes, pass, one ENOSPC", c, passes);
    c.fault.how = FAULTY_SHORT;
    fail_tape("tape writes, pass, half and one ENOSPC", c, passes);
    c.fault.lasts = true;
    fail_tape("tape writes, pass, half and ENOSPC", c, passes);
    c.fault.how = FAULTY_ERROR;
    fail_tape("tape writes, pass, ENOSPC", c, passes);
}

static void tape_syncs(void **state)
{
    struct pass_config c = { .policy = CAPTURE_STOP,
                             .sync_always = true,
                             .fault = { .what = FAULTY_TAPE_SYNC, .error = EIO } };

    (void)state;
    fail_tape("tape syncs, stop, EIO", c, stops);
    c.policy = CAPTURE_PASS;
    fail_tape("tape syncs, pass, EIO", c, passes);
}

int main(int argc, char **argv)
{
    static bool all;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory),
        cmocka_unit_test(memory_of_a_connection),
        cmocka_unit_test_prestate(memory_with_tls, &all),
        cmocka_unit_test(connects),
        cmocka_unit_test(sockets),
        cmocka_unit_test(accepts),
        cmocka_unit_test(reads),
        cmocka_unit_test(sends),
        cmocka_unit_test(shutdowns),
        cmocka_unit_test(tls_steps),
        cmocka_unit_test(tape_stops),
        cmocka_unit_test(tape_passes),
        cmocka_unit_test(tape_syncs),
    };
    int failed;

    all = argc > 1 && strcmp(argv[1], "--all") == 0;
    place_init(&place);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    place_deinit(&place);
    return failed;
}
