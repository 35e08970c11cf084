/*
 * captures/reader - the records of a tape, one after the other, damage and all.
 *
 * Reads through a window of bounded size (CAPTURE_RECORD_MAX and a bit), so that a tape
 * of any length needs little memory. A damaged stretch is skipped to the next byte
 * where a record with a right CRC starts, and reported; a torn tail is reported at the
 * end. Works on tapes that are still being written: after END, call again when the file
 * has grown.
 */
#ifndef WSTAPE_CAPTURES_READER_H
#define WSTAPE_CAPTURES_READER_H

#include "base/err.h"
#include "captures/record.h"

#include <stdbool.h>

/* Where a tape comes from. */
struct capture_source {
    void *object;
    /* Up to `len` bytes at `at` into `out`: bytes read, 0 at the end, negative errno.
     */
    long (*read)(void *object, uint64_t at, void *out, size_t len);
    uint64_t (*size)(void *object); /* now; 0 when unknown */
};

struct capture_reader;

/* `source` is borrowed. -EINVAL "not a tape": neither a header nor any checkpoint was
 * found; -ENOTSUP: a newer version; -EIO and others. A damaged header with a readable
 * checkpoint is accepted (capture_reader_header() then has version and id only, and the
 * first event is the damage). */
int capture_reader_new(const struct capture_source *source, struct capture_reader **out,
                       struct err *e);
void capture_reader_free(struct capture_reader *r);

/* Texts are valid as long as the reader. */
const struct capture_header *capture_reader_header(const struct capture_reader *r);

/* The header as in the file; empty when it is damaged. Valid as long as the reader. */
struct bytes capture_reader_header_bytes(const struct capture_reader *r);

enum capture_event {
    CAPTURE_EVENT_RECORD = 0,
    CAPTURE_EVENT_DAMAGE,  /* offset, len: unreadable bytes, skipped */
    CAPTURE_EVENT_MISSING, /* a checkpoint does not fit the records since the last one:
                             offset, len: the stretch in which whole records are missing
                             although nothing in it is unreadable */
    CAPTURE_EVENT_END, /* offset: end of the last whole record; len: torn bytes after
                          it (0: none) */
};

struct capture_item {
    enum capture_event event;
    uint64_t offset; /* in the file */
    uint64_t len;
    struct bytes bytes;           /* RECORD: as in the file */
    struct capture_record record; /* RECORD */
};

/* The next item; 0, or a negative errno when the source cannot be read. Borrowed until
 * the next call. */
int capture_reader_next(struct capture_reader *r, struct capture_item *out);

/* How far it has come: bytes of the source, for showing progress. */
uint64_t capture_reader_offset(const struct capture_reader *r);

/* Start over at the first record. */
void capture_reader_rewind(struct capture_reader *r);

#endif
