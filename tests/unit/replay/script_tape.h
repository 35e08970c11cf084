/*
 * tests/unit/replay/script_tape - tapes in memory for tests of replay, and scripts as
 * lines of text.
 *
 * Every step asserts. A record comes a millisecond after the one before.
 */
#ifndef WSTAPE_TESTS_UNIT_REPLAY_SCRIPT_TAPE_H
#define WSTAPE_TESTS_UNIT_REPLAY_SCRIPT_TAPE_H

#include "replay/script.h"
#include "tests/unit/captures/fixture.h"
#include "wire/frame.h"

struct script_tape {
    struct tape tape;
    struct buf bytes;    /* when not empty: the tape after it was damaged */
    uint32_t connection; /* of the records that follow */
    int64_t now_ns;
    struct buf lines;
};

void script_tape_init(struct script_tape *t);
void script_tape_deinit(struct script_tape *t);

/* ---- records ---- */

void put(struct script_tape *t, struct capture_record *r);
void put_open(struct script_tape *t, uint32_t connection);
void put_request(struct script_tape *t, uint32_t exchange, const char *text);
void put_response(struct script_tape *t, uint32_t exchange, const char *text);
void put_body(struct script_tape *t, uint32_t exchange, enum side from,
              const char *wire, uint64_t unseen);
void put_raw(struct script_tape *t, enum side from, const char *text);
void put_sent(struct script_tape *t, enum side to, const char *text);
void put_end(struct script_tape *t, enum side side, enum capture_end kind,
             bool by_wstape);
void put_summary(struct script_tape *t);

/* Open, ask, agree; `extensions` NULL: none. */
void put_shake(struct script_tape *t, uint32_t connection, const char *extensions);

/* A whole frame, or its first piece, of `len` bytes declared; masked from the client.
 */
void put_piece(struct script_tape *t, enum side from, unsigned first, uint64_t len,
               struct bytes payload);
void put_frame(struct script_tape *t, enum side from, unsigned first,
               struct bytes payload);
void put_text(struct script_tape *t, enum side from, const char *text);
void put_more(struct script_tape *t, enum side from, struct bytes payload);

/* Leave record `index` out, or change a byte of it. Both end the building. */
void cut_record(struct script_tape *t, size_t index);
void damage_record(struct script_tape *t, size_t index);

/* ---- the script ---- */

/* As replay_script_read; the caller frees. */
int load(const struct script_tape *t, uint64_t limit, struct replay_script **out,
         struct err *e);

/* The whole tape's script, described, is exactly `lines`. */
void expect_script(struct script_tape *t, const char *lines);

#endif
