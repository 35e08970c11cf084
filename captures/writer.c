#include "captures/writer.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>

enum {
    CHECKPOINT_BYTES = 1 << 20,
    IOV_COUNT = 1024, /* IOV_MAX on Linux */
};

static const int64_t checkpoint_ns = CLOCK_NS_PER_S;
static const int64_t retry_ns = CLOCK_NS_PER_S;

/* What callers put into a block, without the writer's own records. */
struct content {
    uint64_t records;
    uint64_t bytes;
};

struct capture_writer {
    struct capture_sink sink;
    enum capture_policy policy;
    bool sync_always;
    bool sync_asked; /* ever */
    bool failing;    /* PASS: the last write failed */
    bool torn;       /* half a block is in a file that cannot be cut: no more writes */
    int error;       /* the last write error, 0 none */
    int64_t origin_ns;
    int64_t checkpoint_at; /* when the last one was made */
    int64_t retry_at;
    uint64_t len;        /* of the file, whole records */
    uint64_t records;    /* in the file */
    struct content lost; /* in all */
    struct content gap;  /* lost since the last good write */
    size_t gap_len;      /* bytes of the GAP record at the block's start, 0 none */
    struct capture_block block;
    struct capture_tally tally; /* as of the last byte in the file */
    struct iovec iov[IOV_COUNT];
};

static int64_t tape_time(const struct capture_writer *w, int64_t now_ns)
{
    return now_ns - w->origin_ns;
}

static int put_checkpoint(struct capture_writer *w, int64_t now_ns)
{
    struct capture_record r = { .type = CAPTURE_CHECKPOINT,
                                .time_ns = tape_time(w, now_ns) };
    int err = capture_encode(&w->block, &r, NULL);

    if (err == 0) {
        w->checkpoint_at = now_ns;
    }
    return err;
}

static bool checkpoint_due(const struct capture_writer *w, int64_t now_ns)
{
    return w->block.tally.bytes >= CHECKPOINT_BYTES ||
           now_ns - w->checkpoint_at >= checkpoint_ns;
}

/* Fill iov with what comes next of the block: where bytes of block.bytes go on from,
 * and which insert is next, are kept in `from` and `next`. Entries used. */
static int gather(struct capture_writer *w, size_t *from, size_t *next)
{
    const struct capture_block *b = &w->block;
    int count = 0;

    while (count + 2 <= IOV_COUNT &&
           (*from < b->bytes.len || *next < b->insert_count)) {
        bool last = *next == b->insert_count;
        size_t to = last ? b->bytes.len : b->inserts[*next].at;

        if (to > *from) {
            w->iov[count++] = (struct iovec){ b->bytes.at + *from, to - *from };
            *from = to;
        }
        if (!last) {
            struct slice s = b->inserts[(*next)++].slice;

            w->iov[count++] = (struct iovec){ s.chunk->data + s.off, s.len };
        }
    }
    return count;
}

/* `*done`: bytes that are in the file, also on error. */
static int write_block(struct capture_writer *w, size_t *done)
{
    size_t from = 0, next = 0, part = 0;
    int count, r = 0;

    *done = 0;
    while (r == 0 && (count = gather(w, &from, &next)) > 0) {
        part = 0;
        r = w->sink.write(w->sink.object, w->iov, count, &part);
        *done += part;
    }
    if (r == 0 && w->sync_always) {
        r = w->sink.sync(w->sink.object);
    }
    return r;
}

static void forget_gap(struct capture_writer *w)
{
    w->gap = (struct content){ 0 };
    w->gap_len = 0;
}

static void wrote(struct capture_writer *w)
{
    w->len += w->block.len;
    w->records += w->block.records;
    w->tally = w->block.tally;
    w->failing = false;
    forget_gap(w);
    capture_block_clear(&w->block);
}

/* The block is lost; the next one begins with a record that says so. */
static void drop_block(struct capture_writer *w, struct content lost, int64_t now_ns)
{
    struct capture_record r = { .type = CAPTURE_GAP, .time_ns = tape_time(w, now_ns) };
    char text[128];

    w->gap.records += lost.records;
    w->gap.bytes += lost.bytes;
    w->lost.records += lost.records;
    w->lost.bytes += lost.bytes;
    capture_block_clear(&w->block);
    w->block.tally = w->tally;
    snprintf(text, sizeof(text), "the tape could not be written: %s",
             strerror(-w->error));
    r.u.gap.records = w->gap.records;
    r.u.gap.bytes = w->gap.bytes;
    r.u.gap.text = bytes_of(text);
    w->gap_len = capture_encode(&w->block, &r, NULL) == 0 ? w->block.len : 0;
}

static int write_failed(struct capture_writer *w, struct content lost, int64_t now_ns,
                        size_t done)
{
    if (done > 0 && w->sink.cut(w->sink.object, w->len) < 0) {
        w->torn = true;
    }
    if (w->policy == CAPTURE_STOP) {
        capture_block_clear(&w->block);
        return w->error;
    }
    w->failing = true;
    w->retry_at = now_ns + retry_ns;
    drop_block(w, lost, now_ns);
    return 0;
}

static struct content content_of(const struct capture_writer *w)
{
    return (struct content){ w->block.records - (w->gap_len > 0),
                             w->block.len - w->gap_len };
}

/* PASS, after an error. */
static bool must_wait(const struct capture_writer *w, int64_t now_ns)
{
    return w->failing && (w->torn || w->gap_len == 0 || now_ns < w->retry_at);
}

int capture_writer_flush(struct capture_writer *w, int64_t now_ns)
{
    struct content content = content_of(w);
    size_t done;
    int r;

    if (w->policy == CAPTURE_STOP && w->error != 0) {
        capture_block_clear(&w->block);
        return w->error;
    }
    if (w->block.len == 0) {
        return 0;
    }
    if (must_wait(w, now_ns)) {
        if (content.records > 0 || w->gap_len == 0) {
            drop_block(w, content, now_ns);
        }
        return 0;
    }
    if (checkpoint_due(w, now_ns)) {
        put_checkpoint(w,
                       now_ns); /* without memory for it, the next flush tries again */
    }
    r = write_block(w, &done);
    if (r < 0) {
        w->error = r;
        return write_failed(w, content, now_ns, done);
    }
    wrote(w);
    return 0;
}

int capture_writer_new(const struct capture_writer_config *c, int64_t now_ns,
                       struct capture_writer **out)
{
    struct capture_writer *w = alloc_zero(1, sizeof(*w));
    int r;

    if (w == NULL) {
        return -ENOMEM;
    }
    w->sink = c->sink;
    w->sync_always = w->sync_asked = c->sync_always;
    w->origin_ns = c->header.origin_ns;
    w->policy =
        CAPTURE_STOP; /* a tape that cannot begin is an error under any policy */
    capture_block_init(&w->block, c->header.id);
    r = capture_encode_header(&w->block, &c->header);
    if (r == 0) {
        r = put_checkpoint(w, now_ns);
    }
    if (r == 0) {
        r = capture_writer_flush(w, now_ns);
    }
    if (r < 0) {
        capture_writer_free(w);
        return r;
    }
    w->policy = c->policy;
    *out = w;
    return 0;
}

void capture_writer_free(struct capture_writer *w)
{
    if (w != NULL) {
        capture_block_deinit(&w->block);
        alloc_free(w);
    }
}

struct capture_block *capture_writer_block(struct capture_writer *w)
{
    return &w->block;
}

int capture_writer_sync(struct capture_writer *w)
{
    int r = w->sink.sync(w->sink.object);

    w->sync_asked = true;
    if (r < 0) {
        w->error = r;
    }
    return r;
}

int capture_writer_finish(struct capture_writer *w, int64_t now_ns,
                          uint64_t connections, const char *reason)
{
    struct capture_record r = { .type = CAPTURE_SUMMARY,
                                .time_ns = tape_time(w, now_ns) };
    int err, flushed;

    w->retry_at = now_ns;
    err = put_checkpoint(w, now_ns);
    r.u.summary.connections = connections;
    r.u.summary.records = w->records + w->block.records;
    r.u.summary.text = bytes_of(reason);
    if (err == 0) {
        err = capture_encode(&w->block, &r, NULL);
    }
    flushed = capture_writer_flush(w, now_ns);
    if (flushed == 0 && w->sync_asked && !w->failing) {
        flushed = capture_writer_sync(w);
    }
    return flushed < 0 ? flushed : err;
}

struct capture_writer_totals capture_writer_totals(const struct capture_writer *w)
{
    return (struct capture_writer_totals){
        .bytes = w->len,
        .records = w->records,
        .lost_records = w->lost.records,
        .lost_bytes = w->lost.bytes,
        .error = w->error,
        .failing = w->failing,
    };
}
