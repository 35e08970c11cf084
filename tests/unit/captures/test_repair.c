#include "base/alloc.h"
#include "captures/repair.h"
#include "tests/unit/captures/reading.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ID = 0xfade };

/* Repair `in` into the sink. The first error there was. */
static int repair(struct bytes in, struct memory_sink *m,
                  struct capture_repair_totals *totals)
{
    struct memory_source from = { .bytes = in };
    struct capture_source source = memory_source(&from);
    struct capture_sink sink = memory_sink(m);
    struct capture_item i = { .event = CAPTURE_EVENT_RECORD };
    struct capture_repair *repair = NULL;
    struct capture_reader *reader = NULL;
    int r = capture_reader_new(&source, &reader, NULL);

    if (r == 0) {
        r = capture_repair_new(reader, &sink, &repair);
    }
    while (r == 0 && i.event != CAPTURE_EVENT_END) {
        r = capture_reader_next(reader, &i);
        if (r == 0) {
            r = capture_repair_put(repair, &i);
        }
    }
    if (r == 0) {
        r = capture_repair_finish(repair, totals);
    }
    capture_repair_free(repair);
    capture_reader_free(reader);
    return r;
}

static struct buf repaired(struct bytes in, struct capture_repair_totals *totals)
{
    struct memory_sink m = { .limit = SIZE_MAX };

    assert_int_equal(repair(in, &m, totals), 0);
    assert_int_equal(m.syncs, 1);
    assert_int_equal(m.bytes.len, totals->bytes);
    return m.bytes;
}

/* The next record that is neither a checkpoint nor a mark of the repair; false at the
 * end. Nothing else but records may come. */
static bool next_real(struct capture_reader *r, bool whole, struct capture_item *out)
{
    do {
        assert_int_equal(capture_reader_next(r, out), 0);
        if (out->event == CAPTURE_EVENT_END) {
            assert_true(out->len == 0 || !whole);
            return false;
        }
        assert_true(out->event == CAPTURE_EVENT_RECORD || !whole);
    } while (out->event != CAPTURE_EVENT_RECORD ||
             out->record.type == CAPTURE_CHECKPOINT ||
             (out->record.type == CAPTURE_GAP && out->record.u.gap.text.len > 9 &&
              memcmp(out->record.u.gap.text.at, "repaired:", 9) == 0));
    return true;
}

/* What can be read of `damaged` is what `sound` holds, byte for byte. */
static void assert_same_records(struct bytes damaged, struct bytes sound)
{
    struct memory_source ma = { .bytes = damaged }, mb = { .bytes = sound };
    struct capture_source sa = memory_source(&ma), sb = memory_source(&mb);
    struct capture_reader *a, *b;
    struct capture_item x, y;

    assert_int_equal(capture_reader_new(&sa, &a, NULL), 0);
    assert_int_equal(capture_reader_new(&sb, &b, NULL), 0);
    while (next_real(a, false, &x)) {
        assert_true(next_real(b, true, &y));
        assert_true(bytes_equal(x.bytes, y.bytes));
    }
    assert_false(next_real(b, true, &y));
    capture_reader_free(a);
    capture_reader_free(b);
}

static void a_sound_tape_comes_out_as_it_was(void **state)
{
    static struct tape t;
    struct capture_repair_totals totals;
    struct buf out;

    tape_init(&t, ID);
    for (unsigned i = 0; i < 20; i++) {
        tape_fill(&t, i, 200000);
    }
    out = repaired(tape_bytes(&t), &totals);
    assert_true(bytes_equal(buf_bytes(&out), tape_bytes(&t)));
    assert_int_equal(totals.gaps, 0);
    buf_deinit(&out);
    tape_deinit(&t);
    (void)state;
}

static void a_tape_that_was_not_finished_comes_out_as_it_was(void **state)
{
    struct capture_repair_totals totals;
    struct bytes in;
    struct buf out;
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 1, 100);
    in = bytes_first(tape_bytes(&t), t.starts[t.count - 3]);
    out = repaired(in, &totals);
    assert_true(bytes_equal(buf_bytes(&out), in));
    buf_deinit(&out);
    tape_deinit(&t);
    (void)state;
}

static void put_frames(struct tape *t, unsigned count)
{
    static uint8_t payload[100000];
    struct capture_record r = { .type = CAPTURE_FRAME, .connection = 1 };

    r.u.frame.frame = (struct capture_frame){ .first = 0x82,
                                              .form = 64,
                                              .payload_len = sizeof(payload) };
    r.u.frame.frame.payload = bytes_make(payload, sizeof(payload));
    for (unsigned i = 0; i < count; i++) {
        r.time_ns += 1000;
        tape_put(t, &r);
    }
}

static unsigned checkpoints_of(struct bytes in)
{
    struct memory_source m = { .bytes = in };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct capture_item i = { .event = CAPTURE_EVENT_RECORD };
    unsigned count = 0;

    assert_int_equal(capture_reader_new(&source, &reader, NULL), 0);
    while (i.event != CAPTURE_EVENT_END) {
        assert_int_equal(capture_reader_next(reader, &i), 0);
        assert_true(i.event == CAPTURE_EVENT_RECORD || i.event == CAPTURE_EVENT_END);
        count += i.event == CAPTURE_EVENT_RECORD && i.record.type == CAPTURE_CHECKPOINT;
    }
    capture_reader_free(reader);
    return count;
}

/* The damage may have been a checkpoint: one is made when a MiB has passed without. */
static void a_lost_checkpoint_is_made_anew(void **state)
{
    static struct tape t;
    struct capture_repair_totals totals;
    struct buf in, out;

    (void)state;
    tape_init(&t, ID);
    put_frames(&t, 40);
    in = copy_of(tape_bytes(&t));
    in.at[t.starts[5] + 50] ^= 1;
    out = repaired(buf_bytes(&in), &totals);
    assert_int_equal(totals.gaps, 1);
    assert_int_equal(checkpoints_of(buf_bytes(&out)), 2);
    assert_same_records(buf_bytes(&in), buf_bytes(&out));
    buf_deinit(&in);
    buf_deinit(&out);
    tape_deinit(&t);
}

/* Damage of many kinds: the new tape has all that can be read, and reads as sound. */
static void whatever_is_readable_comes_over(void **state)
{
    struct chance c = { 31 };
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 2, 300);
    tape_fill(&t, 3, 300);
    for (unsigned round = 0; round < 400; round++) {
        struct buf in = copy_of(tape_bytes(&t)), out;
        struct capture_repair_totals totals;

        for (unsigned i = 0; i <= round % 4; i++) {
            size_t at = chance_below(&c, in.len), len = chance_below(&c, 400);

            len = len < in.len - at ? len : in.len - at;
            if (round % 3 == 0) {
                memmove(in.at + at, in.at + at + len, in.len - at - len);
                in.len -= len;
            } else {
                memset(in.at + at, (int)chance_next(&c), len);
            }
        }
        out = repaired(buf_bytes(&in), &totals);
        assert_same_records(buf_bytes(&in), buf_bytes(&out));
        buf_deinit(&out);
        buf_deinit(&in);
    }
    tape_deinit(&t);
    (void)state;
}

static void a_mark_stands_where_something_is_missing(void **state)
{
    struct capture_repair_totals totals;
    struct memory_source m = { 0 };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct capture_item i;
    struct tape t;
    struct buf in, out;
    size_t bad, len;

    tape_init(&t, ID);
    tape_fill(&t, 4, 50);
    bad = 5;
    len = tape_record(&t, bad).len;
    in = copy_of(tape_bytes(&t));
    in.at[t.starts[bad] + 7] ^= 0xff;
    out = repaired(buf_bytes(&in), &totals);
    assert_int_equal(totals.gaps, 1);
    m.bytes = buf_bytes(&out);
    assert_int_equal(capture_reader_new(&source, &reader, NULL), 0);
    for (size_t n = 0; n <= bad; n++) {
        assert_int_equal(capture_reader_next(reader, &i), 0);
    }
    assert_int_equal(i.record.type, CAPTURE_GAP);
    assert_int_equal(i.record.u.gap.bytes, len);
    assert_int_equal(capture_reader_next(reader, &i), 0);
    assert_true(bytes_equal(i.bytes, tape_record(&t, bad + 1)));
    capture_reader_free(reader);
    buf_deinit(&in);
    buf_deinit(&out);
    tape_deinit(&t);
    (void)state;
}

/* The new header has the id, and a checkpoint right behind it says so once more. */
static void a_lost_header_is_made_anew(void **state)
{
    struct capture_repair_totals totals;
    struct memory_source m = { 0 };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct capture_item i;
    struct tape t;
    struct buf out;

    tape_init(&t, ID);
    tape_fill(&t, 5, 50);
    out = repaired(bytes_from(tape_bytes(&t), t.starts[0] + 3), &totals);
    m.bytes = buf_bytes(&out);
    assert_int_equal(capture_reader_new(&source, &reader, NULL), 0);
    assert_int_equal(capture_reader_header(reader)->id, ID);
    assert_true(capture_reader_header_bytes(reader).len > 0);
    assert_int_equal(capture_reader_next(reader, &i), 0);
    assert_int_equal(i.record.type, CAPTURE_CHECKPOINT);
    capture_reader_free(reader);
    assert_same_records(bytes_from(tape_bytes(&t), t.starts[0] + 3), m.bytes);
    buf_deinit(&out);
    tape_deinit(&t);
    (void)state;
}

static void a_sink_that_fails_is_an_error(void **state)
{
    struct capture_repair_totals totals;
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 6, 50);
    for (size_t limit = 0; limit < tape_bytes(&t).len; limit += 7) {
        struct memory_sink m = { .limit = limit, .error = -ENOSPC };

        assert_int_equal(repair(tape_bytes(&t), &m, &totals), -ENOSPC);
        buf_deinit(&m.bytes);
    }
    tape_deinit(&t);
    (void)state;
}

static void without_memory_nothing_leaks(void **state)
{
    struct tape t;
    bool hit = true;
    long before;

    tape_init(&t, ID);
    tape_fill(&t, 7, 5000);
    before = alloc_live();
    for (unsigned nth = 0; hit; nth++) {
        struct memory_sink m = { .limit = SIZE_MAX };
        struct capture_repair_totals totals;
        int r;

        assert_int_equal(buf_reserve(&m.bytes, 2 * tape_bytes(&t).len), 0);
        alloc_fail_at(nth);
        r = repair(tape_bytes(&t), &m, &totals);
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        buf_deinit(&m.bytes);
        assert_int_equal(alloc_live(), before);
    }
    tape_deinit(&t);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_tape_comes_out_as_it_was),
        cmocka_unit_test(a_tape_that_was_not_finished_comes_out_as_it_was),
        cmocka_unit_test(a_lost_checkpoint_is_made_anew),
        cmocka_unit_test(whatever_is_readable_comes_over),
        cmocka_unit_test(a_mark_stands_where_something_is_missing),
        cmocka_unit_test(a_lost_header_is_made_anew),
        cmocka_unit_test(a_sink_that_fails_is_an_error),
        cmocka_unit_test(without_memory_nothing_leaks),
    };

    return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
