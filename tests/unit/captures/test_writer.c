#include "base/alloc.h"
#include "base/clock.h"
#include "tests/unit/captures/fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ID = 0x7e57, ORIGIN = 1000, SINK_ROOM = 1 << 20 };

/* A writer, its sink, and a clock that stands still until it is moved. */
struct rig {
    struct memory_sink sink;
    struct capture_writer *w;
    int64_t now;
};

static struct capture_writer_config config(struct rig *g, enum capture_policy policy)
{
    return (struct capture_writer_config){
        .header = { .version = CAPTURE_VERSION, .id = ID, .origin_ns = ORIGIN },
        .sink = memory_sink(&g->sink),
        .policy = policy,
    };
}

static void start(struct rig *g, enum capture_policy policy)
{
    struct capture_writer_config c = config(g, policy);

    memset(g, 0, sizeof(*g));
    g->sink.limit = SIZE_MAX;
    g->now = ORIGIN;
    assert_int_equal(buf_reserve(&g->sink.bytes, SINK_ROOM), 0);
    assert_int_equal(capture_writer_new(&c, g->now, &g->w), 0);
}

static void stop(struct rig *g)
{
    capture_writer_free(g->w);
    buf_deinit(&g->sink.bytes);
}

static void put_raw(struct rig *g, size_t len)
{
    static uint8_t zeros[CAPTURE_PIECE_MAX];
    struct capture_record r = { .type = CAPTURE_RAW, .connection = 1 };

    r.u.raw.bytes = bytes_make(zeros, len);
    assert_int_equal(capture_encode(capture_writer_block(g->w), &r, NULL), 0);
}

static int flush(struct rig *g)
{
    return capture_writer_flush(g->w, g->now);
}

/* What a reader makes of the sink's bytes. */
struct seen {
    unsigned count[CAPTURE_SUMMARY + 1];
    unsigned losses; /* DAMAGE, MISSING */
    uint64_t torn;
    uint64_t gap_records, gap_bytes;
    uint64_t summary_records;
    uint64_t checkpoint_number;
    uint64_t records;
};

static struct seen look(const struct rig *g)
{
    struct memory_source m = { .bytes = buf_bytes(&g->sink.bytes) };
    struct capture_source source = memory_source(&m);
    struct capture_reader *r;
    struct capture_item i = { .event = CAPTURE_EVENT_RECORD };
    struct seen s = { 0 };

    assert_int_equal(capture_reader_new(&source, &r, NULL), 0);
    while (i.event != CAPTURE_EVENT_END) {
        assert_int_equal(capture_reader_next(r, &i), 0);
        s.losses += i.event == CAPTURE_EVENT_DAMAGE || i.event == CAPTURE_EVENT_MISSING;
        s.torn = i.len;
        if (i.event != CAPTURE_EVENT_RECORD) {
            continue;
        }
        s.records++;
        s.count[i.record.type]++;
        if (i.record.type == CAPTURE_GAP) {
            s.gap_records += i.record.u.gap.records;
            s.gap_bytes += i.record.u.gap.bytes;
        } else if (i.record.type == CAPTURE_SUMMARY) {
            s.summary_records = i.record.u.summary.records;
        } else if (i.record.type == CAPTURE_CHECKPOINT) {
            s.checkpoint_number = i.record.u.checkpoint.number;
        }
    }
    capture_reader_free(r);
    return s;
}

static void a_tape_begins_with_header_and_checkpoint_and_ends_with_summary(void **state)
{
    struct capture_writer_totals totals;
    struct rig g;
    struct seen s;

    start(&g, CAPTURE_STOP);
    s = look(&g);
    assert_int_equal(s.records, 1);
    assert_int_equal(s.count[CAPTURE_CHECKPOINT], 1);
    put_raw(&g, 10);
    assert_int_equal(flush(&g), 0);
    assert_int_equal(capture_writer_finish(g.w, g.now, 3, "done"), 0);
    s = look(&g);
    assert_int_equal(s.count[CAPTURE_RAW], 1);
    assert_int_equal(s.count[CAPTURE_CHECKPOINT], 2);
    assert_int_equal(s.count[CAPTURE_SUMMARY], 1);
    assert_int_equal(s.summary_records, 3);
    assert_int_equal(s.losses + s.torn, 0);
    totals = capture_writer_totals(g.w);
    assert_int_equal(totals.bytes, g.sink.bytes.len);
    assert_int_equal(totals.records, s.records);
    assert_int_equal(totals.lost_records, 0);
    assert_int_equal(g.sink.syncs, 0);
    stop(&g);
    (void)state;
}

static void a_flush_of_nothing_writes_nothing(void **state)
{
    struct rig g;

    start(&g, CAPTURE_STOP);
    g.now += 10 * CLOCK_NS_PER_S;
    assert_int_equal(flush(&g), 0);
    assert_int_equal(g.sink.writes, 1);
    stop(&g);
    (void)state;
}

static void checkpoints_come_by_bytes_and_by_time(void **state)
{
    struct rig g;

    start(&g, CAPTURE_STOP);
    put_raw(&g, 100);
    assert_int_equal(flush(&g), 0);
    assert_int_equal(look(&g).count[CAPTURE_CHECKPOINT], 1);
    g.now += CLOCK_NS_PER_S;
    put_raw(&g, 100);
    assert_int_equal(flush(&g), 0);
    assert_int_equal(look(&g).count[CAPTURE_CHECKPOINT], 2);
    put_raw(&g, CAPTURE_PIECE_MAX);
    assert_int_equal(flush(&g), 0);
    assert_int_equal(look(&g).count[CAPTURE_CHECKPOINT], 2);
    put_raw(&g, CAPTURE_PIECE_MAX);
    assert_int_equal(flush(&g), 0);
    assert_int_equal(look(&g).count[CAPTURE_CHECKPOINT], 3);
    assert_int_equal(look(&g).losses, 0);
    stop(&g);
    (void)state;
}

static void slices_are_written_in_their_place(void **state)
{
    struct capture_record r = { .type = CAPTURE_RAW };
    struct slice s;
    struct rig g;
    uint8_t bytes[CAPTURE_INSERT_MIN];

    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(slice_copy(bytes_make(bytes, sizeof(bytes)), &s), 0);
    start(&g, CAPTURE_STOP);
    r.u.raw.bytes = slice_bytes(s);
    for (unsigned i = 0; i < 2000; i++) { /* several writev calls */
        put_raw(&g, i % 3);
        assert_int_equal(capture_encode(capture_writer_block(g.w), &r, &s), 0);
    }
    assert_int_equal(flush(&g), 0);
    assert_int_equal(s.chunk->refs, 1);
    assert_int_equal(look(&g).count[CAPTURE_RAW], 4000);
    assert_int_equal(look(&g).losses, 0);
    assert_in_range(g.sink.writes, 3, 6);
    stop(&g);
    chunk_unref(s.chunk);
    (void)state;
}

static void syncing_is_done_when_asked_for(void **state)
{
    struct rig g;
    struct capture_writer_config c;

    start(&g, CAPTURE_STOP);
    put_raw(&g, 1);
    assert_int_equal(flush(&g), 0);
    assert_int_equal(g.sink.syncs, 0);
    assert_int_equal(capture_writer_sync(g.w), 0);
    assert_int_equal(g.sink.syncs, 1);
    assert_int_equal(capture_writer_finish(g.w, g.now, 0, ""), 0);
    assert_int_equal(g.sink.syncs, 2);
    capture_writer_free(g.w);

    c = config(&g, CAPTURE_STOP);
    c.sync_always = true;
    g.sink.bytes.len = 0;
    assert_int_equal(capture_writer_new(&c, g.now, &g.w), 0);
    assert_int_equal(g.sink.syncs, 3);
    put_raw(&g, 1);
    assert_int_equal(flush(&g), 0);
    assert_int_equal(g.sink.syncs, 4);
    assert_int_equal(flush(&g), 0);
    assert_int_equal(g.sink.syncs, 4);
    g.sink.sync_error = -EIO;
    put_raw(&g, 1);
    assert_int_equal(flush(&g), -EIO);
    assert_int_equal(look(&g).count[CAPTURE_RAW], 1);
    stop(&g);
    (void)state;
}

/* STOP at every byte: whatever got in before is whole, nothing after is tried. */
static void stop_leaves_a_clean_tape(void **state)
{
    struct rig g;
    size_t begin, end;

    start(&g, CAPTURE_STOP);
    begin = g.sink.bytes.len;
    put_raw(&g, 30);
    put_raw(&g, 40);
    assert_int_equal(flush(&g), 0);
    end = g.sink.bytes.len;
    stop(&g);
    for (size_t limit = begin; limit < end; limit++) {
        struct seen s;
        unsigned writes;

        start(&g, CAPTURE_STOP);
        g.sink.limit = limit;
        g.sink.error = -ENOSPC;
        put_raw(&g, 30);
        put_raw(&g, 40);
        assert_int_equal(flush(&g), -ENOSPC);
        writes = g.sink.writes;
        g.sink.limit = SIZE_MAX;
        put_raw(&g, 1);
        assert_int_equal(flush(&g), -ENOSPC);
        assert_int_equal(capture_writer_finish(g.w, g.now, 1, ""), -ENOSPC);
        assert_int_equal(g.sink.writes, writes);
        s = look(&g);
        assert_int_equal(s.records, 1);
        assert_int_equal(s.losses + s.torn, 0);
        assert_int_equal(capture_writer_totals(g.w).bytes, begin);
        assert_int_equal(capture_writer_totals(g.w).error, -ENOSPC);
        stop(&g);
    }
    (void)state;
}

/* PASS at every byte: writing goes on a second later, and the tape says what is
 * missing. */
static void pass_goes_on_and_marks_the_gap(void **state)
{
    struct rig g;
    size_t begin, end;

    start(&g, CAPTURE_PASS);
    begin = g.sink.bytes.len;
    put_raw(&g, 30);
    assert_int_equal(flush(&g), 0);
    end = g.sink.bytes.len;
    stop(&g);
    for (size_t limit = begin; limit < end; limit++) {
        struct seen s;

        start(&g, CAPTURE_PASS);
        g.sink.limit = limit;
        g.sink.error = -ENOSPC;
        put_raw(&g, 30);
        assert_int_equal(flush(&g), 0);
        assert_true(capture_writer_totals(g.w).failing);
        put_raw(&g, 5);
        put_raw(&g, 6);
        assert_int_equal(flush(&g), 0);
        assert_int_equal(g.sink.writes, 2); /* not within the same second */
        g.now += CLOCK_NS_PER_S;
        put_raw(&g, 7);
        assert_int_equal(flush(&g), 0); /* tried, and failed again */
        assert_int_equal(g.sink.writes, 3);
        g.sink.limit = SIZE_MAX;
        g.now += CLOCK_NS_PER_S;
        put_raw(&g, 8);
        assert_int_equal(flush(&g), 0);
        assert_false(capture_writer_totals(g.w).failing);
        assert_int_equal(capture_writer_totals(g.w).lost_records, 4);
        assert_int_equal(capture_writer_finish(g.w, g.now, 1, ""), 0);
        s = look(&g);
        assert_int_equal(s.count[CAPTURE_GAP], 1);
        assert_int_equal(s.gap_records, 4);
        assert_int_equal(s.gap_bytes, capture_writer_totals(g.w).lost_bytes);
        assert_int_equal(s.count[CAPTURE_RAW], 1);
        assert_int_equal(s.losses + s.torn, 0);
        assert_int_equal(s.summary_records, s.records - 1);
        assert_int_equal(s.checkpoint_number, s.count[CAPTURE_CHECKPOINT]);
        stop(&g);
    }
    (void)state;
}

static void the_last_chance_of_a_gap_is_the_end(void **state)
{
    struct rig g;
    struct seen s;

    start(&g, CAPTURE_PASS);
    g.sink.limit = g.sink.bytes.len;
    g.sink.error = -EDQUOT;
    put_raw(&g, 30);
    assert_int_equal(flush(&g), 0);
    g.sink.limit = SIZE_MAX;
    assert_int_equal(capture_writer_finish(g.w, g.now, 1, "end"), 0);
    s = look(&g);
    assert_int_equal(s.count[CAPTURE_GAP], 1);
    assert_int_equal(s.count[CAPTURE_SUMMARY], 1);
    assert_int_equal(s.losses + s.torn, 0);
    stop(&g);
    (void)state;
}

static void two_outages_are_two_gaps(void **state)
{
    struct rig g;
    struct seen s;

    start(&g, CAPTURE_PASS);
    for (unsigned i = 0; i < 2; i++) {
        g.sink.limit = g.sink.bytes.len + 3;
        g.sink.error = -EIO;
        put_raw(&g, 30);
        assert_int_equal(flush(&g), 0);
        g.sink.limit = SIZE_MAX;
        g.now += CLOCK_NS_PER_S;
        assert_int_equal(flush(&g), 0); /* the gap alone is reason enough to write */
        assert_false(capture_writer_totals(g.w).failing);
    }
    s = look(&g);
    assert_int_equal(s.count[CAPTURE_GAP], 2);
    assert_int_equal(s.gap_records, 2);
    assert_int_equal(s.losses + s.torn, 0);
    stop(&g);
    (void)state;
}

/* A pipe cannot be cut: half a record in it is the end of that tape. */
static void pass_never_writes_behind_half_a_record(void **state)
{
    struct rig g;
    size_t len;

    start(&g, CAPTURE_PASS);
    g.sink.is_pipe = true;
    g.sink.limit = g.sink.bytes.len + 3;
    g.sink.error = -EIO;
    put_raw(&g, 30);
    assert_int_equal(flush(&g), 0);
    g.sink.limit = SIZE_MAX;
    len = g.sink.bytes.len;
    for (unsigned i = 0; i < 3; i++) {
        g.now += CLOCK_NS_PER_S;
        put_raw(&g, 30);
        assert_int_equal(flush(&g), 0);
    }
    assert_int_equal(capture_writer_finish(g.w, g.now, 1, ""), 0);
    assert_int_equal(g.sink.bytes.len, len);
    assert_true(capture_writer_totals(g.w).failing);
    assert_int_equal(look(&g).torn, 3);
    stop(&g);
    (void)state;
}

/* Where nothing of a block got into the pipe, the next one may. */
static void pass_goes_on_in_a_pipe_that_took_nothing(void **state)
{
    struct rig g;
    struct seen s;

    start(&g, CAPTURE_PASS);
    g.sink.is_pipe = true;
    g.sink.limit = g.sink.bytes.len;
    g.sink.error = -EIO;
    put_raw(&g, 30);
    assert_int_equal(flush(&g), 0);
    g.sink.limit = SIZE_MAX;
    g.now += CLOCK_NS_PER_S;
    put_raw(&g, 30);
    assert_int_equal(flush(&g), 0);
    s = look(&g);
    assert_int_equal(s.count[CAPTURE_GAP], 1);
    assert_int_equal(s.count[CAPTURE_RAW], 1);
    assert_int_equal(s.losses + s.torn, 0);
    stop(&g);
    (void)state;
}

static void a_tape_that_cannot_begin_is_an_error(void **state)
{
    struct rig g = { .now = ORIGIN };
    struct capture_writer_config c = config(&g, CAPTURE_PASS);

    for (size_t limit = 0; limit < 200; limit++) {
        g.sink.limit = limit;
        g.sink.error = -EFBIG;
        assert_int_equal(capture_writer_new(&c, g.now, &g.w), -EFBIG);
        assert_int_equal(g.sink.bytes.len, 0);
    }
    buf_deinit(&g.sink.bytes);
    (void)state;
}

/* Memory runs out at every allocation: only putting fails, and what was put is written.
 */
static void without_memory_nothing_leaks(void **state)
{
    long before = alloc_live();
    bool hit = true;

    for (unsigned nth = 0; hit; nth++) {
        struct rig g = { .now = ORIGIN, .sink = { .limit = SIZE_MAX } };
        struct capture_writer_config c = config(&g, CAPTURE_PASS);
        struct capture_record r = { .type = CAPTURE_NOTE };
        unsigned put = 0;
        int err;

        assert_int_equal(buf_reserve(&g.sink.bytes, SINK_ROOM), 0);
        alloc_fail_at(nth);
        err = capture_writer_new(&c, g.now, &g.w);
        for (unsigned i = 0; err == 0 && i < 200; i++) {
            put += capture_encode(capture_writer_block(g.w), &r, NULL) == 0;
            g.now += CLOCK_NS_PER_S / 20;
            assert_int_equal(i % 10 == 0 ? flush(&g) : 0, 0);
        }
        err = err == 0 ? capture_writer_finish(g.w, g.now, 0, "end") : err;
        hit = alloc_fail_clear();
        assert_true(err == 0 || (hit && err == -ENOMEM));
        if (g.w != NULL) {
            struct seen s = look(&g);

            assert_int_equal(s.count[CAPTURE_NOTE], put);
            assert_int_equal(s.losses + s.torn, 0);
            assert_true(put == 200 || hit);
        }
        stop(&g);
        assert_int_equal(alloc_live(), before);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_tape_begins_with_header_and_checkpoint_and_ends_with_summary),
        cmocka_unit_test(a_flush_of_nothing_writes_nothing),
        cmocka_unit_test(checkpoints_come_by_bytes_and_by_time),
        cmocka_unit_test(slices_are_written_in_their_place),
        cmocka_unit_test(syncing_is_done_when_asked_for),
        cmocka_unit_test(stop_leaves_a_clean_tape),
        cmocka_unit_test(pass_goes_on_and_marks_the_gap),
        cmocka_unit_test(the_last_chance_of_a_gap_is_the_end),
        cmocka_unit_test(two_outages_are_two_gaps),
        cmocka_unit_test(pass_never_writes_behind_half_a_record),
        cmocka_unit_test(pass_goes_on_in_a_pipe_that_took_nothing),
        cmocka_unit_test(a_tape_that_cannot_begin_is_an_error),
        cmocka_unit_test(without_memory_nothing_leaks),
    };

    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
