/*
 * captures/repair - a sound tape from what can be read of a damaged one.
 *
 * Every record comes over byte for byte and in order; checkpoints are made anew where
 * they were; a GAP record stands where something could not be read. A sound tape comes
 * out as it was. Does not read: its caller hands over every item that captures/reader
 * gave.
 */
#ifndef WSTAPE_CAPTURES_REPAIR_H
#define WSTAPE_CAPTURES_REPAIR_H

#include "captures/reader.h"
#include "captures/writer.h"

struct capture_repair;

struct capture_repair_totals {
    uint64_t bytes;   /* of the new tape */
    uint64_t records; /* that came over; checkpoints are not counted */
    uint64_t gaps;    /* GAP records that were added */
};

/* `damaged` and `sink` are borrowed. -ENOMEM. */
int capture_repair_new(const struct capture_reader *damaged,
                       const struct capture_sink *sink, struct capture_repair **out);
void capture_repair_free(struct capture_repair *r);

/* The next item of the damaged tape, END included. A negative errno when it could not
 * be written; the new tape is then good for nothing. */
int capture_repair_put(struct capture_repair *r, const struct capture_item *item);

/* Write what is left and sync. A negative errno. */
int capture_repair_finish(struct capture_repair *r, struct capture_repair_totals *out);

#endif
