/*
 * tests/unit/timeline/transcript - records in, what happened out, as lines of text.
 *
 * Feeds a timeline with records made by hand (no tape, no file) and writes each moment
 * as one line; expect() compares the lines since the last call.
 */
#ifndef WSTAPE_TESTS_UNIT_TIMELINE_TRANSCRIPT_H
#define WSTAPE_TESTS_UNIT_TIMELINE_TRANSCRIPT_H

#include "captures/timeline.h"

struct transcript {
    struct capture_timeline *timeline;
    struct capture_timeline_config config; /* change it before the first record */
    struct buf lines;
    uint32_t connection; /* of the records that follow */
    int64_t now_ns;
    int result; /* of the last feed; after a failure nothing more is fed */
};

void transcript_init(struct transcript *t);
void transcript_deinit(struct transcript *t);

/* The lines since the last call are exactly `lines`. */
void expect(struct transcript *t, const char *lines);

void feed(struct transcript *t, struct capture_record *r);
void request(struct transcript *t, uint32_t exchange, const char *text);
void response(struct transcript *t, uint32_t exchange, const char *text);
void body(struct transcript *t, uint32_t exchange, enum side from, const char *wire);

/* As body, where `unseen` bytes passed that the tape does not have. */
void body_cut(struct transcript *t, uint32_t exchange, enum side from, const char *wire,
              uint64_t unseen);

/* The 101 that agrees on `extensions` (NULL: none). Its lines are dropped. */
void shake(struct transcript *t, const char *extensions);

/* A whole frame; a frame whose first piece is `payload` of `len` bytes; the next piece.
 */
void frame(struct transcript *t, enum side from, uint8_t first, struct bytes payload);
void frame_start(struct transcript *t, enum side from, uint8_t first, uint64_t len,
                 struct bytes payload);
void more(struct transcript *t, enum side from, struct bytes payload);

void sent(struct transcript *t, enum side to, const char *bytes);

/* SENT with frames; put_wire writes one, masked when it is the client's, and gives its
 * length. */
void sent_frames(struct transcript *t, enum side to, const char *cause,
                 struct bytes wire);
size_t put_wire(uint8_t *out, enum side from, uint8_t first, struct bytes payload);

void end(struct transcript *t, enum side side, enum capture_end kind, bool by_wstape);
void stretch(struct transcript *t, enum capture_event event, uint64_t offset,
             uint64_t len);
void finish(struct transcript *t, uint64_t torn);

/* A compressor like a peer's. */
struct deflater;
struct deflater *deflater_new(void);
void deflater_free(struct deflater *d);

/* permessage-deflate payload of `text`, NUL-terminated; `fresh`: without context. Valid
 * until the next call. */
struct bytes deflate_text(struct deflater *d, const char *text, bool fresh);

#endif
