#include "captures/repair.h"

#include "base/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WRITE_LEN = 1 << 18,
    CHECKPOINT_BYTES = 1 << 20,
};

struct capture_repair {
    const struct capture_sink *sink;
    struct capture_block block;
    struct capture_repair_totals totals;
    int64_t time_ns; /* of the last record */
    bool begun;
    bool gap; /* a GAP was put since the last checkpoint: one may be missing */
};

int capture_repair_new(const struct capture_reader *damaged,
                       const struct capture_sink *sink, struct capture_repair **out)
{
    const struct capture_header *header = capture_reader_header(damaged);
    struct bytes as_was = capture_reader_header_bytes(damaged);
    struct capture_repair *r = alloc_zero(1, sizeof(*r));
    int err;

    if (r == NULL) {
        return -ENOMEM;
    }
    r->sink = sink;
    capture_block_init(&r->block, header->id);
    if (as_was.len > 0) {
        err = buf_put(&r->block.bytes, as_was);
        r->block.len = r->block.bytes.len;
    } else {
        err = capture_encode_header(&r->block, header);
    }
    if (err < 0) {
        capture_repair_free(r);
        return err;
    }
    *out = r;
    return 0;
}

void capture_repair_free(struct capture_repair *r)
{
    if (r != NULL) {
        capture_block_deinit(&r->block);
        alloc_free(r);
    }
}

/* All of the block is in its bytes: nothing here encodes with a backing slice. */
static int write_out(struct capture_repair *r)
{
    struct iovec iov = { r->block.bytes.at, r->block.bytes.len };
    size_t done;
    int err = 0;

    if (iov.iov_len > 0) {
        err = r->sink->write(r->sink->object, &iov, 1, &done);
    }
    if (err == 0) {
        r->totals.bytes += r->block.len;
        capture_block_clear(&r->block);
    }
    return err;
}

static int put_checkpoint(struct capture_repair *r, uint32_t connection,
                          int64_t time_ns)
{
    struct capture_record c = { .type = CAPTURE_CHECKPOINT,
                                .connection = connection,
                                .time_ns = time_ns };

    r->gap = false;
    return capture_encode(&r->block, &c, NULL);
}

static int put_gap(struct capture_repair *r, uint64_t bytes, const char *text)
{
    struct capture_record g = { .type = CAPTURE_GAP, .time_ns = r->time_ns };

    g.u.gap.bytes = bytes;
    g.u.gap.text = bytes_of(text);
    r->gap = true;
    r->totals.gaps++;
    return capture_encode(&r->block, &g, NULL);
}

static int put_missing(struct capture_repair *r, const struct capture_item *item)
{
    char text[128];

    snprintf(text, sizeof(text),
             "repaired: records are missing between bytes %" PRIu64 " and %" PRIu64
             " of the damaged tape",
             item->offset, item->offset + item->len);
    return put_gap(r, 0, text);
}

static int put_unreadable(struct capture_repair *r, const struct capture_item *item)
{
    char text[128];

    snprintf(text, sizeof(text),
             "repaired: the %" PRIu64 " bytes from byte %" PRIu64
             " of the damaged tape on were unreadable",
             item->len, item->offset);
    return put_gap(r, item->len, text);
}

static int put_record(struct capture_repair *r, const struct capture_item *item)
{
    int err = 0;

    if (item->record.time_ns > r->time_ns) {
        r->time_ns = item->record.time_ns;
    }
    if (item->record.type == CAPTURE_CHECKPOINT) {
        return put_checkpoint(r, item->record.connection, item->record.time_ns);
    }
    if (r->gap && r->block.tally.bytes >= CHECKPOINT_BYTES) {
        err = put_checkpoint(r, 0, r->time_ns);
    }
    if (err == 0) {
        err = capture_encode_copy(&r->block, item->bytes);
    }
    if (err == 0) {
        r->totals.records++;
    }
    return err;
}

static int put_item(struct capture_repair *r, const struct capture_item *item)
{
    switch (item->event) {
    case CAPTURE_EVENT_RECORD:
        return put_record(r, item);
    case CAPTURE_EVENT_MISSING:
        return put_missing(r, item);
    case CAPTURE_EVENT_DAMAGE:
        return put_unreadable(r, item);
    case CAPTURE_EVENT_END:
        return item->len > 0 ? put_unreadable(r, item) : 0;
    }
    abort();
}

/* A tape begins with one, which says its id should the header be lost again. */
static bool needs_first_checkpoint(const struct capture_repair *r,
                                   const struct capture_item *item)
{
    return !r->begun && !(item->event == CAPTURE_EVENT_RECORD &&
                          item->record.type == CAPTURE_CHECKPOINT);
}

int capture_repair_put(struct capture_repair *r, const struct capture_item *item)
{
    int err = needs_first_checkpoint(r, item) ? put_checkpoint(r, 0, r->time_ns) : 0;

    r->begun = true;
    if (err == 0) {
        err = put_item(r, item);
    }
    if (err == 0 && r->block.len >= WRITE_LEN) {
        err = write_out(r);
    }
    return err;
}

int capture_repair_finish(struct capture_repair *r, struct capture_repair_totals *out)
{
    int err = write_out(r);

    if (err == 0) {
        err = r->sink->sync(r->sink->object);
    }
    if (err == 0) {
        *out = r->totals;
    }
    return err;
}
