/*
 * captures/writer - blocks to a file, with the promises of a tape.
 *
 * capture_writer_flush() returns 0 only when every record put so far is in the file:
 * its caller may then let bytes go. Blocking by design: one write a loop turn. Adds
 * checkpoints: behind the header, in a flush when 1 MiB or a second has passed since
 * the last, and before the summary. Every `now_ns` is the monotonic clock, the one that
 * header.origin_ns was read from. Knows the file only through struct capture_sink
 * (captures/file makes one).
 */
#ifndef WSTAPE_CAPTURES_WRITER_H
#define WSTAPE_CAPTURES_WRITER_H

#include "captures/encode.h"

#include <stdbool.h>
#include <sys/uio.h>

/* Where a tape goes. All return 0 or a negative errno. */
struct capture_sink {
    void *object;
    /* Write all of iov (which it may change); *done counts bytes written, also on
     * error. */
    int (*write)(void *object, struct iovec *iov, int count, size_t *done);
    int (*sync)(void *object);                 /* fdatasync */
    int (*cut)(void *object, uint64_t to_len); /* truncate; -ESPIPE when it cannot */
};

enum capture_policy { CAPTURE_STOP, CAPTURE_PASS }; /* --on-write-error */

struct capture_writer;

struct capture_writer_config {
    struct capture_header header;
    struct capture_sink sink;
    enum capture_policy policy;
    bool sync_always;
};

/* Writes header and first checkpoint at once. A negative errno when that failed. */
int capture_writer_new(const struct capture_writer_config *c, int64_t now_ns,
                       struct capture_writer **out);

/* Does not flush. */
void capture_writer_free(struct capture_writer *w);

/* The block to encode into. */
struct capture_block *capture_writer_block(struct capture_writer *w);

/*
 * Write everything. 0: all of it is in the file, or (PASS) it was dropped and counted
 * for a GAP record that is written as soon as writing works again (tried at most once a
 * second). A negative errno (STOP): nothing put since the last flush may have effects;
 * the file was cut back to the last whole record, and every later flush fails the same
 * way.
 */
int capture_writer_flush(struct capture_writer *w, int64_t now_ns);

/* fdatasync now (for --sync SECONDS). A negative errno; under STOP every later flush
 * then fails with it. */
int capture_writer_sync(struct capture_writer *w);

/* Summary record, flush, sync unless never asked for. As capture_writer_flush; nothing
 * may be put afterwards. */
int capture_writer_finish(struct capture_writer *w, int64_t now_ns,
                          uint64_t connections, const char *reason);

/* For the summary line: whole tape, bytes lost under PASS, the last write error (0
 * none). */
struct capture_writer_totals {
    uint64_t bytes, records, lost_records, lost_bytes;
    int error;
    bool failing; /* PASS: the last write failed */
};
struct capture_writer_totals capture_writer_totals(const struct capture_writer *w);

#endif
