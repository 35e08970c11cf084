/*
 * tests/failures/faulty - the n-th of something fails in this process.
 *
 * Memory goes by base/alloc. System calls are those below, by their names: a program's
 * own connect() comes before the C library's, for libuv and OpenSSL as well. Calls on
 * anything but TCP sockets, and for the tape on anything but regular files, pass.
 */
#ifndef WSTAPE_TESTS_FAILURES_FAULTY_H
#define WSTAPE_TESTS_FAILURES_FAULTY_H

#include <stdbool.h>
#include <stdint.h>

enum faulty_what {
    FAULTY_NOTHING,
    FAULTY_MEMORY,
    FAULTY_SOCKET,
    FAULTY_CONNECT,
    FAULTY_ACCEPT,
    FAULTY_READ,
    FAULTY_SEND,
    FAULTY_SHUTDOWN,
    FAULTY_TAPE_WRITE,
    FAULTY_TAPE_SYNC,
};

enum faulty_how {
    FAULTY_ERROR,     /* -1 and `error` */
    FAULTY_SHORT,     /* half of it, and the call after it fails with `error`, if any */
    FAULTY_ELSEWHERE, /* connect: to `port` */
    FAULTY_FLIP,      /* send: with one bit changed */
    FAULTY_FIN,       /* send: `error`, and the connection is gone */
    FAULTY_RESET,     /* the same, by RST */
};

struct faulty {
    enum faulty_what what;
    enum faulty_how how;
    int error;
    bool lasts;        /* calls: all later ones fail as well */
    bool no_cut;       /* the tape cannot be cut back */
    uint16_t port;     /* ELSEWHERE */
    int fd;            /* calls: on this one only; 0: on any */
    unsigned long nth; /* from now on, 0: the next */
};

void faulty_arm(const struct faulty *f);

/* Nothing fails from now on. True when something has. */
bool faulty_disarm(void);

#endif
