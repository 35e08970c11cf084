#include "tests/sim/tape.h"

#include "base/crc32c.h"
#include "captures/overview.h"
#include "captures/timeline.h"
#include "tests/sim/talk.h"

#include <errno.h>

/* ---- the sink ---- */

static bool fails_now(const struct sim_tape *t)
{
    const struct sim_trouble *p = &t->trouble;

    return p->from > 0 && t->writes >= p->from && t->writes - p->from < p->count;
}

static int tape_write(void *object, struct iovec *iov, int count, size_t *done)
{
    struct sim_tape *t = object;
    size_t all = 0, most;
    bool fails;

    t->writes++;
    fails = fails_now(t);
    for (int i = 0; i < count; i++) {
        all += iov[i].iov_len;
    }
    most = fails ? all * t->trouble.part / 100 : all;
    *done = most;
    for (int i = 0; i < count; i++) {
        size_t len = iov[i].iov_len < most ? iov[i].iov_len : most;

        sim_must(buf_put(&t->bytes, bytes_make(iov[i].iov_base, len)));
        most -= len;
    }
    return fails ? -ENOSPC : 0;
}

static int tape_sync(void *object)
{
    (void)object;
    return 0;
}

static int tape_cut(void *object, uint64_t to_len)
{
    struct sim_tape *t = object;

    if (t->trouble.cannot_cut) {
        t->torn = true;
        return -ESPIPE;
    }
    t->bytes.len = (size_t)to_len;
    return 0;
}

struct capture_sink sim_tape_sink(struct sim_tape *t)
{
    return (struct capture_sink){ t, tape_write, tape_sync, tape_cut };
}

void sim_tape_count(struct sim_tape_sum *sum, struct bytes record)
{
    sum->records++;
    sum->crc = crc32c((uint32_t)sum->crc, record);
}

/* ---- reading it ---- */

static long source_read(void *object, uint64_t at, void *out, size_t len)
{
    const struct sim_tape *t = object;
    size_t left = at < t->bytes.len ? t->bytes.len - (size_t)at : 0;

    len = len < left ? len : left;
    if (len > 0) {
        memcpy(out, t->bytes.at + at, len);
    }
    return (long)len;
}

static uint64_t source_size(void *object)
{
    return ((const struct sim_tape *)object)->bytes.len;
}

struct capture_source sim_tape_source(const struct sim_tape *t)
{
    union {
        const struct sim_tape *from;
        void *to;
    } object = { .from = t };

    return (struct capture_source){ object.to, source_read, source_size };
}

/* Somebody who reads the tape. */
struct audience {
    struct capture_reader *reader;
    struct capture_timeline *timeline;
    struct capture_overview *overview;
    const struct sim_tape_sum *written;
    struct sim_tape_sum sum; /* of the records that were written whole */
    uint64_t more;           /* records of a block that was half written */
    uint64_t lost;           /* records that GAPs tell of */
    uint64_t moments;
};

static int count_moment(void *owner, const struct capture_moment *m)
{
    struct audience *a = owner;

    a->moments += m->kind <= CAPTURE_MOMENT_TORN;
    return 0;
}

static void take_record(struct audience *a, const struct capture_item *item)
{
    switch ((int)item->record.type) {
    case CAPTURE_GAP:
        a->lost += item->record.u.gap.records;
        return;
    case CAPTURE_CHECKPOINT:
    case CAPTURE_SUMMARY:
        return;
    default:
        break;
    }
    if (a->sum.records < a->written->records) {
        sim_tape_count(&a->sum, item->bytes);
    } else {
        a->more++;
    }
}

static int read_all(struct audience *a, struct capture_item *item, struct buf *why)
{
    int r;

    do {
        r = capture_reader_next(a->reader, item);
        if (r < 0) {
            return r;
        }
        if (item->event == CAPTURE_EVENT_DAMAGE ||
            item->event == CAPTURE_EVENT_MISSING) {
            sim_must(buf_put_format(why, "the tape is damaged at %llu",
                                    (unsigned long long)item->offset));
            return 0;
        }
        if (item->event == CAPTURE_EVENT_RECORD) {
            take_record(a, item);
        }
        sim_must(capture_timeline_feed(a->timeline, item));
        sim_must(capture_overview_feed(a->overview, item));
    } while (item->event != CAPTURE_EVENT_END);
    return capture_timeline_finish(a->timeline, item);
}

static void judge(const struct sim_tape *t, const struct audience *a,
                  const struct sim_tape_sum *sum,
                  const struct capture_writer_totals *totals, struct buf *why)
{
    if (a->sum.records != sum->records || a->sum.crc != sum->crc ||
        (a->more > 0 && !t->torn)) {
        sim_must(buf_put_format(
            why, "the tape has %llu records where %llu were written",
            (unsigned long long)a->sum.records, (unsigned long long)sum->records));
    } else if (a->overview->torn > 0 && !t->torn) {
        sim_must(buf_put_text(why, "the tape ends in half a record"));
    } else if (!a->overview->complete && totals->error == 0) {
        sim_must(buf_put_text(why, "the tape has no summary"));
    } else if (a->overview->complete && a->lost != totals->lost_records) {
        sim_must(buf_put_format(why, "%llu records were lost, and the tape says %llu",
                                (unsigned long long)totals->lost_records,
                                (unsigned long long)a->lost));
    }
}

bool sim_tape_verify(const struct sim_tape *t, const struct sim_tape_sum *sum,
                     const struct capture_writer_totals *totals, struct buf *why)
{
    struct capture_source source = sim_tape_source(t);
    struct capture_overview overview = { .count = 0 };
    struct audience a = { .overview = &overview, .written = sum };
    struct capture_timeline_config config = { .message_keep = 1 << 20,
                                              .body_keep = 1 << 20,
                                              .limit = 1 << 24,
                                              .moment = count_moment,
                                              .owner = &a };
    struct capture_item item = { .offset = 0 };
    struct err e;

    if (capture_reader_new(&source, &a.reader, &e) < 0) {
        sim_must(buf_put_text(why, e.text));
        return false;
    }
    sim_must(capture_timeline_new(&config, &a.timeline));
    sim_must(read_all(&a, &item, why));
    if (why->len == 0) {
        judge(t, &a, sum, totals, why);
    }
    capture_timeline_free(a.timeline);
    capture_reader_free(a.reader);
    capture_overview_deinit(&overview);
    return why->len == 0;
}
