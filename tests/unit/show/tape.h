/*
 * tests/unit/show/tape - tapes for tests, written with the real writer.
 *
 * Every step asserts. Times are milliseconds since the tape's start and are set once
 * for all records that follow.
 */
#ifndef WSTAPE_TESTS_UNIT_SHOW_TAPE_H
#define WSTAPE_TESTS_UNIT_SHOW_TAPE_H

#include "captures/file.h"

struct tape {
    struct capture_sink sink;
    struct capture_writer *writer;
    int64_t now_ns;
    uint32_t connections;
};

/* A new tape with a header whose every field is known. */
void tape_new(struct tape *t, const char *path);
void tape_at(struct tape *t, double ms);

/* The summary, or without it, and the end of the file. */
void tape_finish(struct tape *t, const char *reason);
void tape_abandon(struct tape *t);

/* Any record; the time is filled in. */
void tape_put(struct tape *t, struct capture_record *r);

/* A client connected, and the backend was reached; gives the connection's number. */
uint32_t tape_open(struct tape *t, const char *client);

void tape_request(struct tape *t, uint32_t connection, uint32_t exchange,
                  const char *text);
void tape_response(struct tape *t, uint32_t connection, uint32_t exchange,
                   const char *text);
void tape_body(struct tape *t, uint32_t connection, uint32_t exchange, enum side from,
               const char *text);

/* Open, ask, agree: `extensions` as in a Sec-WebSocket-Extensions field, or NULL. */
uint32_t tape_websocket(struct tape *t, const char *client, const char *target,
                        const char *extensions);

/* A whole frame, masked when it comes from the client. */
void tape_frame(struct tape *t, uint32_t connection, enum side from, uint8_t first,
                struct bytes payload, uint32_t faults);
void tape_text(struct tape *t, uint32_t connection, enum side from, const char *text);
void tape_close_frame(struct tape *t, uint32_t connection, enum side from,
                      unsigned code, const char *reason);
void tape_end(struct tape *t, uint32_t connection, enum side side,
              enum capture_end kind, bool by_wstape, const char *text);

/* A rule hit the message (`opcode` 0: none) of that number. `why`: it could not be
 * done; NULL: it was. `draw` is below 0 where chance decided nothing. */
struct tape_fault {
    enum side from;
    uint8_t opcode;
    uint64_t message;
    const char *rule, *action, *why;
    double draw;
};
void tape_fault(struct tape *t, uint32_t connection, const struct tape_fault *f);

/* What wstape sent instead: bytes as they are, or one frame, masked for the server. */
void tape_sent(struct tape *t, uint32_t connection, enum side to, const char *cause,
               struct bytes bytes);
void tape_sent_frame(struct tape *t, uint32_t connection, enum side to,
                     const char *cause, uint8_t first, struct bytes payload);

/* Whole tapes, from header to summary: something of everything, and rules of many kinds
 * at work. */
void tape_session(const char *path);
void tape_faulty(const char *path);

#endif
