/*
 * captures/window - a bounded view that slides over a tape's bytes.
 *
 * Holds one record of any length and a bit, reads what it lacks, and reads again what
 * it has let go. For captures/reader, which decides what to look at.
 */
#ifndef WSTAPE_CAPTURES_WINDOW_H
#define WSTAPE_CAPTURES_WINDOW_H

#include "base/buf.h"
#include "captures/decode.h"
#include "captures/reader.h"

struct capture_window {
    const struct capture_source *source; /* borrowed */
    struct capture_decoder *decoder;
    struct buf bytes; /* of the source, from `base` on */
    uint64_t base;
};

/* -ENOMEM. `source` must outlive the window. */
int capture_window_init(struct capture_window *w, const struct capture_source *source);
void capture_window_deinit(struct capture_window *w);

/* What the window holds from `at` on, maybe nothing. Until the next call of any kind.
 */
struct bytes capture_window_bytes(const struct capture_window *w, uint64_t at);

/* Read on, so that the window holds more from `at` on: 1, 0 at the end of the source,
 * or a negative errno. */
int capture_window_fill(struct capture_window *w, uint64_t at);

/* As capture_decode and capture_scan_record, at an offset of the source;
 * CAPTURE_DECODE_MORE when the source ends too early. Also a negative errno. */
int capture_window_decode(struct capture_window *w, uint32_t id, uint64_t at,
                          size_t *used, struct capture_record *out);
int capture_window_scan(struct capture_window *w, uint64_t at,
                        struct capture_scan *out);

enum { CAPTURE_WINDOW_END = 1 }; /* no such place up to the end of the source */

/* The first offset from `from` on at which a record may start. 0 and `*out`,
 * CAPTURE_WINDOW_END and the end's offset in `*out`, or a negative errno. */
int capture_window_find(struct capture_window *w, uint64_t from, uint64_t *out);

/* The id of the tape whose header cannot be read, from its checkpoints. 0 and `*out`,
 * CAPTURE_WINDOW_END when there is none, or a negative errno. */
int capture_window_identify(struct capture_window *w, uint32_t *out);

#endif
