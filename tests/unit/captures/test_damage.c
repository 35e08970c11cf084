#include "tests/unit/captures/reading.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ID = 0xbeef };

static void every_truncation_gives_a_prefix(void **state)
{
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 3, 40);
    for (size_t len = 0; len <= tape_bytes(&t).len; len++) {
        struct result r;
        size_t whole = 0;
        int err = read_bytes(&t, bytes_first(tape_bytes(&t), len), 0, &r);

        if (len < t.starts[0]) {
            assert_int_equal(err, -EINVAL);
            continue;
        }
        while (whole < t.count && t.starts[whole + 1] <= len) {
            whole++;
        }
        assert_int_equal(err, 0);
        assert_int_equal(r.records, whole);
        assert_int_equal(r.damages + r.missings, 0);
        assert_int_equal(r.torn, len - t.starts[whole]);
    }
    tape_deinit(&t);
    (void)state;
}

/* Of the record, or the header, in which the byte at `at` lies. */
static size_t length_around(const struct tape *t, size_t at)
{
    size_t i = 0;

    if (at < t->starts[0]) {
        return t->starts[0];
    }
    while (t->starts[i + 1] <= at) {
        i++;
    }
    return t->starts[i + 1] - t->starts[i];
}

static void every_changed_byte_costs_one_record(void **state)
{
    static const uint8_t changes[] = { 0x81, 0x14 };
    struct tape t;
    struct buf b;

    tape_init(&t, ID);
    tape_fill(&t, 4, 40);
    b = copy_of(tape_bytes(&t));
    for (size_t i = 0; i < 2 * b.len; i++) {
        size_t at = i / 2;
        uint8_t change = changes[i % 2];
        struct result r;

        b.at[at] ^= change;
        assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &r), 0);
        b.at[at] ^= change;
        assert_found_outside(&t, &r, at, at + 1);
        assert_int_equal(r.records, at < t.starts[0] ? t.count : t.count - 1);
        assert_int_equal(r.missings, 0);
        assert_int_equal(r.damages + (r.torn > 0), 1);
        assert_int_equal(r.damaged, length_around(&t, at));
    }
    buf_deinit(&b);
    tape_deinit(&t);
    (void)state;
}

/* Bytes [from, to) are gone. Whatever lies outside is read; that something is missing
 * shows, unless only the end is. */
static void removed_bytes_show(void **state)
{
    struct chance c = { 8 };
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 5, 60);
    for (unsigned round = 0; round < 1500; round++) {
        size_t len = tape_bytes(&t).len, from, to;
        struct buf b = { 0 };
        struct result r;

        from = t.starts[0] + chance_below(&c, len - t.starts[0]);
        to = from + 1 + chance_below(&c, len - from);
        if (round % 2 == 0) { /* whole records, the last two aside */
            size_t first = chance_below(&c, t.count - 2);

            from = t.starts[first];
            to = t.starts[first + 1 + chance_below(&c, t.count - 2 - first)];
        }
        assert_int_equal(buf_put(&b, bytes_first(tape_bytes(&t), from)), 0);
        assert_int_equal(buf_put(&b, bytes_from(tape_bytes(&t), to)), 0);
        assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &r), 0);
        assert_found_outside(&t, &r, from, to);
        if (to <= t.starts[t.count - 2]) {
            assert_true(r.damages + r.missings > 0);
        }
        buf_deinit(&b);
    }
    tape_deinit(&t);
    (void)state;
}

/* Only the numbers of checkpoints tell this: segments are sound by themselves. */
static void a_segment_removed_with_its_checkpoint_shows(void **state)
{
    struct capture_record note_record = { .type = CAPTURE_NOTE };
    struct result r;
    struct buf b = { 0 };
    struct tape t;

    tape_init(&t, ID);
    for (unsigned i = 0; i < 3; i++) {
        tape_put(&t, &note_record);
        tape_put_checkpoint(&t);
    }
    assert_int_equal(buf_put(&b, bytes_first(tape_bytes(&t), t.starts[3])), 0);
    assert_int_equal(buf_put(&b, bytes_from(tape_bytes(&t), t.starts[5])), 0);
    assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &r), 0);
    assert_int_equal(r.missings, 1);
    assert_int_equal(r.damages, 0);
    assert_int_equal(r.records, t.count - 2);
    buf_deinit(&b);
    tape_deinit(&t);
    (void)state;
}

static struct capture_record note(const char *text)
{
    struct capture_record r = { .type = CAPTURE_NOTE };

    r.u.note.text = bytes_of(text);
    return r;
}

static void put_notes(struct tape *t, const char *const *texts)
{
    tape_init(t, ID);
    for (; *texts != NULL; texts++) {
        struct capture_record r = note(*texts);

        tape_put(t, &r);
    }
    tape_put_checkpoint(t);
}

/* Events of one kind in a tape whose records need not be in order. */
static unsigned count_events(struct bytes in, enum capture_event event)
{
    struct memory_source m = { .bytes = in };
    struct capture_source source = memory_source(&m);
    struct capture_item i = { .event = CAPTURE_EVENT_RECORD };
    struct capture_reader *r;
    unsigned count = 0;

    assert_int_equal(capture_reader_new(&source, &r, NULL), 0);
    while (i.event != CAPTURE_EVENT_END) {
        assert_int_equal(capture_reader_next(r, &i), 0);
        count += i.event == event;
    }
    capture_reader_free(r);
    return count;
}

/* Each is sound, they are as many and as long as the checkpoint says: only the CRC of
 * their CRCs tells. */
static void records_that_changed_places_show(void **state)
{
    static const char *const texts[] = { "one", "two", "six", NULL };
    struct tape t;
    struct buf b = { 0 };

    put_notes(&t, texts);
    assert_int_equal(tape_record(&t, 1).len, tape_record(&t, 2).len);
    assert_int_equal(count_events(tape_bytes(&t), CAPTURE_EVENT_MISSING), 0);
    assert_int_equal(buf_put(&b, bytes_first(tape_bytes(&t), t.starts[1])), 0);
    assert_int_equal(buf_put(&b, tape_record(&t, 2)), 0);
    assert_int_equal(buf_put(&b, tape_record(&t, 1)), 0);
    assert_int_equal(buf_put(&b, bytes_from(tape_bytes(&t), t.starts[3])), 0);
    assert_int_equal(count_events(buf_bytes(&b), CAPTURE_EVENT_MISSING), 1);
    assert_int_equal(count_events(buf_bytes(&b), CAPTURE_EVENT_DAMAGE), 0);
    assert_int_equal(count_events(buf_bytes(&b), CAPTURE_EVENT_RECORD), t.count);
    buf_deinit(&b);
    tape_deinit(&t);
    (void)state;
}

/* A damaged record accounts for its own bytes, not for a longer one that is gone. */
static void damage_explains_no_more_than_its_length(void **state)
{
    static const char *const texts[] = { "short", "gone: much longer than the other",
                                         "last", NULL };
    struct result r;
    struct tape t;
    struct buf b = { 0 };

    put_notes(&t, texts);
    assert_int_equal(buf_put(&b, bytes_first(tape_bytes(&t), t.starts[2])), 0);
    assert_int_equal(buf_put(&b, bytes_from(tape_bytes(&t), t.starts[3])), 0);
    b.at[t.starts[2] - 8] ^= 1; /* in "short" */
    assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &r), 0);
    assert_int_equal(r.damages, 1);
    assert_int_equal(r.missings, 1);
    buf_deinit(&b);
    tape_deinit(&t);
    (void)state;
}

static void inserted_bytes_are_passed_over(void **state)
{
    struct chance c = { 9 };
    struct tape t, other;

    tape_init(&t, ID);
    tape_fill(&t, 6, 60);
    tape_init(&other, ID + 1);
    tape_fill(&other, 7, 60);
    for (unsigned round = 0; round < 1000; round++) {
        size_t at =
            t.starts[0] + chance_below(&c, tape_bytes(&t).len - t.starts[0] + 1);
        size_t from = chance_below(&c, tape_bytes(&other).len);
        struct bytes in = bytes_from(tape_bytes(&other), from);
        struct buf b = { 0 };
        struct result r;

        in.len = 1 + chance_below(&c, in.len);
        assert_int_equal(buf_put(&b, bytes_first(tape_bytes(&t), at)), 0);
        assert_int_equal(buf_put(&b, in), 0);
        assert_int_equal(buf_put(&b, bytes_from(tape_bytes(&t), at)), 0);
        assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &r), 0);
        assert_found_outside(&t, &r, at, at);
        assert_true(r.damages + (r.torn > 0) > 0);
        assert_int_equal(r.missings, 0);
        buf_deinit(&b);
    }
    tape_deinit(&t);
    tape_deinit(&other);
    (void)state;
}

/* A frame whose payload is a tape, damaged in each of its bytes from `from` on; if that
 * is not all of them, the CRC's head is spared too. */
static void assert_nothing_rises_from(struct bytes inner, size_t from)
{
    struct capture_record r = { .type = CAPTURE_FRAME };
    struct tape t;
    struct buf b;

    tape_init(&t, ID);
    tape_fill(&t, 12, 40);
    r.u.frame.frame.form = 16;
    set_payload(&r, inner);
    tape_put(&t, &r);
    tape_fill(&t, 13, 40);
    b = copy_of(tape_bytes(&t));
    for (size_t i = 0; i < t.count; i++) {
        struct result out;

        if (tape_record(&t, i).len < inner.len) {
            continue;
        }
        for (size_t at = t.starts[i] + from; at < t.starts[i + 1]; at++) {
            if (from > 0 && at == t.starts[i + 1] - CAPTURE_CRC_LEN) {
                continue;
            }
            b.at[at] ^= 0x20;
            assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &out), 0);
            b.at[at] ^= 0x20;
            assert_int_equal(out.records, t.count - 1);
            assert_found_outside(&t, &out, at, at + 1);
        }
    }
    buf_deinit(&b);
    tape_deinit(&t);
}

static void a_tape_in_a_damaged_payload_stays_payload(void **state)
{
    struct tape inner;

    tape_init(&inner, ID + 1);
    tape_fill(&inner, 14, 20);
    assert_nothing_rises_from(tape_bytes(&inner), 0);
    tape_deinit(&inner);
    (void)state;
}

/* Somebody fetched the tape through the proxy while it was recorded: even the id is
 * right. That works as long as the damage spares the record's head, which says how long
 * it is. */
static void even_this_tape_in_a_damaged_payload_stays_payload(void **state)
{
    struct tape inner;

    tape_init(&inner, ID);
    tape_fill(&inner, 14, 20);
    assert_nothing_rises_from(tape_bytes(&inner), 20);
    tape_deinit(&inner);
    (void)state;
}

/* The header is lost as well, and the first checkpoint that can be read is the inner
 * tape's. */
static void the_tape_that_holds_another_is_the_one_that_is_read(void **state)
{
    struct capture_record r = { .type = CAPTURE_FRAME };
    struct tape t, inner;
    struct result out;
    struct buf b;
    size_t damaged_to;

    tape_init(&inner, ID + 1);
    tape_fill(&inner, 14, 20);
    tape_init(&t, ID);
    damaged_to = tape_bytes(&t).len;
    r.u.frame.frame.form = 16;
    set_payload(&r, tape_bytes(&inner));
    tape_put(&t, &r);
    tape_fill(&t, 13, 40);
    b = copy_of(tape_bytes(&t));
    memset(b.at, 0, damaged_to);
    assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &out), 0);
    assert_int_equal(out.records, t.count - 1);
    assert_int_equal(out.damaged, damaged_to);
    buf_deinit(&b);
    tape_deinit(&t);
    tape_deinit(&inner);
    (void)state;
}

/* A wrong length may make a record end exactly where a later one starts. */
static void a_wrong_length_does_not_swallow_the_next_record(void **state)
{
    struct capture_record r = { .type = CAPTURE_RAW, .connection = 1 };
    uint8_t payload[64 - 12] = { 0 };
    struct result out;
    struct tape t;
    struct buf b;

    tape_init(&t, ID);
    set_payload(&r, bytes_make(payload, sizeof(payload)));
    for (unsigned i = 0; i < 4; i++) {
        payload[0]++;
        tape_put(&t, &r);
    }
    tape_put_checkpoint(&t);
    b = copy_of(tape_bytes(&t));
    assert_int_equal(t.starts[3] - t.starts[2], 64);
    assert_int_equal(b.at[t.starts[1] + 6], sizeof(payload));
    b.at[t.starts[1] + 6] += 64;
    assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &out), 0);
    assert_int_equal(out.records, t.count - 1);
    assert_int_equal(out.damaged, 64);
    b.at[t.starts[1] + 6] += 64;
    assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &out), 0);
    assert_int_equal(out.records, t.count - 1);
    buf_deinit(&b);
    tape_deinit(&t);
    (void)state;
}

static void a_lost_header_is_replaced_by_a_checkpoint(void **state)
{
    struct memory_source m = { 0 };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 20, 100);
    m.bytes = bytes_from(tape_bytes(&t), t.starts[0] / 2);
    assert_int_equal(capture_reader_new(&source, &reader, NULL), 0);
    assert_int_equal(capture_reader_header(reader)->version, CAPTURE_VERSION);
    assert_int_equal(capture_reader_header(reader)->id, ID);
    assert_int_equal(capture_reader_header(reader)->program.len, 0);
    assert_int_equal(capture_reader_header_bytes(reader).len, 0);
    capture_reader_free(reader);
    tape_deinit(&t);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_gives_a_prefix),
        cmocka_unit_test(every_changed_byte_costs_one_record),
        cmocka_unit_test(removed_bytes_show),
        cmocka_unit_test(a_segment_removed_with_its_checkpoint_shows),
        cmocka_unit_test(records_that_changed_places_show),
        cmocka_unit_test(damage_explains_no_more_than_its_length),
        cmocka_unit_test(inserted_bytes_are_passed_over),
        cmocka_unit_test(a_tape_in_a_damaged_payload_stays_payload),
        cmocka_unit_test(even_this_tape_in_a_damaged_payload_stays_payload),
        cmocka_unit_test(the_tape_that_holds_another_is_the_one_that_is_read),
        cmocka_unit_test(a_wrong_length_does_not_swallow_the_next_record),
        cmocka_unit_test(a_lost_header_is_replaced_by_a_checkpoint),
    };

    return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
