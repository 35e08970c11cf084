#include "captures/reader.h"

#include "base/alloc.h"
#include "captures/tally.h"
#include "captures/window.h"

#include <errno.h>

enum { CHECKPOINT_MIN = 14 }; /* bytes of the shortest checkpoint */

struct capture_reader {
    struct capture_window window;
    struct capture_header header;
    struct buf header_bytes; /* what the header's texts point into */
    uint64_t first;          /* where the records begin */
    uint64_t at;             /* of the next item */
    uint64_t searched;   /* no record starts between `at` and here; 0: not searched */
    uint64_t segment_at; /* behind the last checkpoint */
    uint64_t damaged;    /* bytes of damage in the segment */
    struct capture_tally tally;
    bool missing_told; /* of the checkpoint at `at` */
};

void capture_reader_rewind(struct capture_reader *r)
{
    r->at = r->segment_at = r->first;
    r->searched = 0;
    r->damaged = 0;
    r->tally = (struct capture_tally){ 0 };
    r->missing_told = false;
}

/* Keep a copy of the header's bytes and point the texts into it. */
static int keep_header(struct capture_reader *r, struct bytes in)
{
    size_t used = 0;
    int err = buf_put(&r->header_bytes, in);

    if (err == 0) {
        err = capture_decode_header(r->window.decoder, buf_bytes(&r->header_bytes),
                                    &used, &r->header);
    }
    r->first = used;
    return err;
}

/* 0, CAPTURE_DECODE_BAD or a negative errno. */
static int read_header(struct capture_reader *r)
{
    for (;;) {
        struct bytes in = capture_window_bytes(&r->window, 0);
        size_t used = 0;
        int err = capture_decode_header(r->window.decoder, in, &used, &r->header);

        if (err == 0) {
            return keep_header(r, bytes_first(in, used));
        }
        if (err != CAPTURE_DECODE_MORE) {
            return err;
        }
        err = capture_window_fill(&r->window, 0);
        if (err <= 0) {
            return err < 0 ? err : CAPTURE_DECODE_BAD;
        }
    }
}

static int identify(struct capture_reader *r, struct err *e)
{
    int err = capture_window_identify(&r->window, &r->header.id);

    r->header.version = CAPTURE_VERSION;
    if (err == CAPTURE_WINDOW_END) {
        return err_set(e, -EINVAL,
                       "not a tape: no header and no checkpoint of one in it");
    }
    return err < 0 ? err_set(e, err, "%s", strerror(-err)) : 0;
}

static int begin(struct capture_reader *r, struct err *e)
{
    int err = read_header(r);

    if (err == CAPTURE_DECODE_BAD && r->header.version > CAPTURE_VERSION) {
        return err_set(
            e, -ENOTSUP,
            "a tape of version %llu, and this wstape reads up to %d: use a newer "
            "one",
            (unsigned long long)r->header.version, CAPTURE_VERSION);
    }
    if (err == CAPTURE_DECODE_BAD) {
        return identify(r, e);
    }
    return err < 0 ? err_set(e, err, "%s", strerror(-err)) : 0;
}

int capture_reader_new(const struct capture_source *source, struct capture_reader **out,
                       struct err *e)
{
    struct capture_reader *r = alloc_zero(1, sizeof(*r));
    int err;

    if (r == NULL) {
        return err_set(e, -ENOMEM, "%s", strerror(ENOMEM));
    }
    err = capture_window_init(&r->window, source);
    err = err < 0 ? err_set(e, err, "%s", strerror(-err)) : begin(r, e);
    if (err < 0) {
        capture_reader_free(r);
        return err;
    }
    capture_reader_rewind(r);
    *out = r;
    return 0;
}

void capture_reader_free(struct capture_reader *r)
{
    if (r != NULL) {
        capture_window_deinit(&r->window);
        buf_deinit(&r->header_bytes);
        alloc_free(r);
    }
}

const struct capture_header *capture_reader_header(const struct capture_reader *r)
{
    return &r->header;
}

struct bytes capture_reader_header_bytes(const struct capture_reader *r)
{
    return buf_bytes(&r->header_bytes);
}

uint64_t capture_reader_offset(const struct capture_reader *r)
{
    return r->at;
}

/* True when what was read since the last checkpoint is what this one counts, or when
 * the damage that was reported is enough to explain the difference. */
static bool fits(const struct capture_reader *r, const struct capture_record *c)
{
    uint64_t skipped = c->u.checkpoint.number - r->tally.number - 1;

    if (skipped == 0 && c->u.checkpoint.records == r->tally.records &&
        c->u.checkpoint.bytes == r->tally.bytes &&
        c->u.checkpoint.crc == r->tally.crc) {
        return true;
    }
    return r->damaged > 0 && c->u.checkpoint.number > r->tally.number &&
           skipped <= r->damaged / CHECKPOINT_MIN &&
           r->tally.bytes + r->damaged >= c->u.checkpoint.bytes;
}

static void give(struct capture_item *out, enum capture_event event, uint64_t from,
                 uint64_t to)
{
    *out = (struct capture_item){ .event = event, .offset = from, .len = to - from };
}

static void accept(struct capture_reader *r, size_t len,
                   const struct capture_record *record, struct capture_item *out)
{
    struct bytes bytes = bytes_first(capture_window_bytes(&r->window, r->at), len);

    if (record->type == CAPTURE_CHECKPOINT) {
        if (!fits(r, record) && !r->missing_told) {
            r->missing_told = true;
            give(out, CAPTURE_EVENT_MISSING, r->segment_at, r->at);
            return;
        }
        capture_tally_restart(&r->tally, record->u.checkpoint.number);
        r->segment_at = r->at + len;
        r->damaged = 0;
        r->missing_told = false;
    } else {
        capture_tally_add(&r->tally, bytes.at + len, len);
    }
    give(out, CAPTURE_EVENT_RECORD, r->at, r->at + len);
    out->bytes = bytes;
    out->record = *record;
    r->at += len;
    r->searched = 0;
}

/* Records follow one another from `from` on: the offset behind the last of them that
 * ends at or before `limit`. */
static int follow(struct capture_reader *r, uint64_t from, uint64_t limit,
                  uint64_t *out)
{
    struct capture_record record;
    size_t used = 0;
    int err = 0;

    while (from < limit) {
        err = capture_window_decode(&r->window, r->header.id, from, &used, &record);
        if (err != 0 || from + used > limit) {
            break;
        }
        from += used;
    }
    *out = from;
    return err < 0 ? err : 0;
}

/*
 * Where the object at r->at would end, if a good record or the end of the source is
 * there; 0 when not. Then that object is a record with damage inside, and what looks
 * like records within it is most likely its payload: a tape may have passed through the
 * proxy, even this one. Only records that go on to that very end are not, for the
 * payload does not: the CRC stands behind it.
 */
static int find_limit(struct capture_reader *r, uint64_t *out)
{
    struct capture_record record;
    struct capture_scan scan;
    size_t used;
    int err = capture_window_scan(&r->window, r->at, &scan);

    *out = 0;
    if (err != 0) {
        return err < 0 ? err : 0;
    }
    err = capture_window_decode(&r->window, r->header.id, r->at + scan.len, &used,
                                &record);
    if (err == 0 || (err == CAPTURE_DECODE_MORE &&
                     capture_window_bytes(&r->window, r->at + scan.len).len == 0)) {
        *out = r->at + scan.len;
    }
    return err < 0 ? err : 0;
}

/* Is the end of the damage at `at`? 0: yes. CAPTURE_DECODE_BAD: no, go on at `*next`.
 * CAPTURE_DECODE_MORE: it may be, when the tape grows. */
static int try(struct capture_reader *r, uint64_t at, uint64_t limit, uint64_t *next)
{
    struct capture_record record;
    uint64_t end = at;
    size_t used;
    int err = capture_window_decode(&r->window, r->header.id, at, &used, &record);

    *next = at + 1;
    if (err != 0 || at >= limit) {
        return err;
    }
    err = follow(r, at, limit, &end);
    *next = end > at ? end : at + 1;
    return err != 0 || end == limit ? err : CAPTURE_DECODE_BAD;
}

/* Where the damage at r->at ends: 0 and `*out`, CAPTURE_WINDOW_END and the source's
 * end, or a negative errno. */
static int search(struct capture_reader *r, uint64_t *out)
{
    uint64_t limit, at = r->searched > r->at ? r->searched : r->at + 1;
    uint64_t again = 0; /* the first place that is undecided */
    int err = find_limit(r, &limit);

    while (err >= 0) {
        uint64_t next;

        err = capture_window_find(&r->window, at, &at);
        if (err != 0) {
            break;
        }
        err = try(r, at, limit, &next);
        if (err == 0) {
            *out = at;
            return 0;
        }
        if (err == CAPTURE_DECODE_MORE && again == 0) {
            again = at;
        }
        at = next;
    }
    r->searched = again > 0 ? again : at;
    *out = at;
    return err;
}

int capture_reader_next(struct capture_reader *r, struct capture_item *out)
{
    struct capture_record record;
    size_t used = 0;
    uint64_t to;
    int err = capture_window_decode(&r->window, r->header.id, r->at, &used, &record);

    if (err == 0) {
        accept(r, used, &record, out);
    }
    if (err <= 0) {
        return err;
    }
    if (capture_window_bytes(&r->window, r->at).len == 0) {
        give(out, CAPTURE_EVENT_END, r->at, r->at);
        return 0;
    }
    err = search(r, &to);
    if (err < 0) {
        return err;
    }
    if (err == CAPTURE_WINDOW_END) {
        give(out, CAPTURE_EVENT_END, r->at, to);
        return 0;
    }
    give(out, CAPTURE_EVENT_DAMAGE, r->at, to);
    r->damaged += to - r->at;
    r->at = to;
    r->searched = 0;
    return 0;
}
