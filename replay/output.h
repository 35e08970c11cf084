/*
 * replay/output - what a player wants done, after each of its inputs.
 *
 * The caller sends `send` and empties it, then ends, and calls wake at `wake_at`.
 */
#ifndef WSTAPE_REPLAY_OUTPUT_H
#define WSTAPE_REPLAY_OUTPUT_H

#include "base/buf.h"
#include "captures/record.h"

enum { REPLAY_NEVER = -1 }; /* as `wake_at` */

/* Bytes that a player puts out at one input; then it asks to be woken at once, so that
 * nobody else starves. */
enum { REPLAY_BURST = 128 * 1024 };

struct replay_output {
    struct buf send;
    int64_t wake_at;      /* monotonic; replaces an earlier one; negative: never */
    enum capture_end end; /* 0: goes on; else FIN, TRUNCATED or RESET, behind `send` */
};

#endif
