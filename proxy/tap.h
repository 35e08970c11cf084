/*
 * proxy/tap - where sessions put their records.
 *
 * Fills in connection and time, cuts long bytes into pieces a record can hold, and
 * passes everything to the turn's block. Can be shut (inject without a tape, or a tape
 * that failed): then records are counted as nothing and no call fails.
 */
#ifndef WSTAPE_PROXY_TAP_H
#define WSTAPE_PROXY_TAP_H

#include "captures/encode.h"
#include "wire/lint.h"

struct proxy_tap {
    struct capture_block *block; /* NULL: shut */
    int64_t origin_ns;           /* the monotonic time that is 0 on the tape */
};

/* Put a record whose connection and time are filled in here. -ENOMEM. */
int proxy_tap_put(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                  struct capture_record *r);

/* Bytes that are neither HTTP nor frames. -ENOMEM. */
int proxy_tap_raw(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                  enum side from, struct slice bytes);

/* Something worth knowing, in words. -ENOMEM. */
int proxy_tap_note(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                   const char *text);

/* How a leg ended. */
struct proxy_tap_end {
    enum side side;
    enum capture_end kind;
    bool by_wstape;
    const char *text; /* details, or NULL */
};

/* -ENOMEM. */
int proxy_tap_end(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                  const struct proxy_tap_end *end);

/* Bytes that wstape itself sends. -ENOMEM. */
int proxy_tap_sent(struct proxy_tap *t, uint32_t connection, int64_t now_ns,
                   enum side to, const char *cause, struct bytes bytes);

#endif
