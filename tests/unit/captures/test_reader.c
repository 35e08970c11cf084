#include "base/alloc.h"
#include "tests/unit/captures/reading.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ID = 0xbeef };

static void a_sound_tape_gives_every_record(void **state)
{
    struct result r;
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 1, 5000);
    assert_int_equal(read_bytes(&t, tape_bytes(&t), 0, &r), 0);
    assert_int_equal(r.records, t.count);
    assert_int_equal(r.damages + r.missings + r.torn, 0);
    tape_deinit(&t);
    (void)state;
}

static void rewinding_gives_the_same_again(void **state)
{
    struct memory_source m = { 0 };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct result a, b;
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 2, 100);
    t.block.bytes.at[t.starts[3] + 4] ^= 1;
    m.bytes = tape_bytes(&t);
    assert_int_equal(capture_reader_new(&source, &reader, NULL), 0);
    read_from(reader, &t, m.bytes.len, &a);
    assert_int_equal(capture_reader_offset(reader), m.bytes.len);
    capture_reader_rewind(reader);
    read_from(reader, &t, m.bytes.len, &b);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(a.damages, 1);
    capture_reader_free(reader);
    tape_deinit(&t);
    (void)state;
}

/* As a recorder writes it, and someone follows. */
static void a_growing_tape_gives_each_record_once(void **state)
{
    struct memory_source m = { 0 };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    size_t records = 0;
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 15, 300);
    m.bytes = bytes_first(tape_bytes(&t), t.starts[0]);
    assert_int_equal(capture_reader_new(&source, &reader, NULL), 0);
    for (size_t len = t.starts[0]; len <= tape_bytes(&t).len; len++) {
        struct capture_item i;

        m.bytes.len = len;
        m.bytes.at = tape_bytes(&t).at;
        assert_int_equal(capture_reader_next(reader, &i), 0);
        if (len == t.starts[records + 1]) {
            assert_int_equal(i.event, CAPTURE_EVENT_RECORD);
            assert_true(bytes_equal(i.bytes, tape_record(&t, records)));
            records++;
            assert_int_equal(capture_reader_next(reader, &i), 0);
        }
        assert_int_equal(i.event, CAPTURE_EVENT_END);
        assert_int_equal(i.offset, t.starts[records]);
        assert_int_equal(i.len, len - t.starts[records]);
        if (records == t.count) {
            break;
        }
    }
    assert_int_equal(records, t.count);
    capture_reader_free(reader);
    tape_deinit(&t);
    (void)state;
}

/* The end of a record in progress looks damaged until the next record is there. */
static void damage_at_the_end_is_damage_when_the_tape_goes_on(void **state)
{
    struct memory_source m = { 0 };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct capture_item i;
    struct tape t;
    struct buf b;
    size_t bad;

    tape_init(&t, ID);
    tape_fill(&t, 16, 50);
    bad = t.count - 4;
    b = copy_of(tape_bytes(&t));
    b.at[t.starts[bad + 1] - 1] ^= 1;
    m.bytes = bytes_first(buf_bytes(&b), t.starts[bad + 1]);
    assert_int_equal(capture_reader_new(&source, &reader, NULL), 0);
    do {
        assert_int_equal(capture_reader_next(reader, &i), 0);
    } while (i.event == CAPTURE_EVENT_RECORD);
    assert_int_equal(i.event, CAPTURE_EVENT_END);
    for (size_t len = t.starts[bad + 1]; len < t.starts[bad + 2]; len++) {
        m.bytes.len = len;
        assert_int_equal(capture_reader_next(reader, &i), 0);
        assert_int_equal(i.event, CAPTURE_EVENT_END);
        assert_int_equal(i.offset, t.starts[bad]);
        assert_int_equal(i.len, len - t.starts[bad]);
    }
    m.bytes = buf_bytes(&b);
    assert_int_equal(capture_reader_next(reader, &i), 0);
    assert_int_equal(i.event, CAPTURE_EVENT_DAMAGE);
    assert_int_equal(i.offset, t.starts[bad]);
    assert_int_equal(i.len, t.starts[bad + 1] - t.starts[bad]);
    assert_int_equal(capture_reader_next(reader, &i), 0);
    assert_true(bytes_equal(i.bytes, tape_record(&t, bad + 1)));
    capture_reader_free(reader);
    buf_deinit(&b);
    tape_deinit(&t);
    (void)state;
}

/* Larger than the window, with damage of all sizes, read in pieces of all sizes. */
static void how_a_source_gives_its_bytes_makes_no_difference(void **state)
{
    static const size_t chunks[] = { 977, 65537, 1 << 17 };
    static struct tape t;
    struct chance c = { 17 };
    struct result whole, part;
    struct buf b;

    tape_init(&t, ID);
    while (tape_bytes(&t).len < (3 << 20)) {
        tape_fill(&t, chance_next(&c), CAPTURE_PIECE_MAX);
    }
    b = copy_of(tape_bytes(&t));
    for (unsigned i = 0; i < 12; i++) {
        size_t at = t.starts[0] + chance_below(&c, b.len - t.starts[0]);
        size_t len = 1 + chance_below(&c, (size_t)1 << chance_below(&c, 18));

        memset(b.at + at, (int)chance_below(&c, 256),
               len < b.len - at ? len : b.len - at);
    }
    assert_int_equal(read_bytes(&t, buf_bytes(&b), 0, &whole), 0);
    assert_true(whole.damages > 3 && whole.records > 30);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read_bytes(&t, buf_bytes(&b), chunks[i], &part), 0);
        assert_memory_equal(&whole, &part, sizeof(whole));
    }
    buf_deinit(&b);
    tape_deinit(&t);
    (void)state;
}

static void what_is_no_tape_is_refused_with_words(void **state)
{
    static const uint8_t zeros[5000];
    struct memory_source m = { .bytes = bytes_make(zeros, sizeof(zeros)) };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct err e;
    struct tape t;

    assert_int_equal(capture_reader_new(&source, &reader, &e), -EINVAL);
    assert_non_null(strstr(e.text, "not a tape"));
    m.bytes.len = 0;
    assert_int_equal(capture_reader_new(&source, &reader, &e), -EINVAL);
    m.error = -EIO;
    assert_int_equal(capture_reader_new(&source, &reader, &e), -EIO);

    tape_init(&t, ID);
    m = (struct memory_source){ .bytes = tape_bytes(&t) };
    assert_int_equal(capture_reader_new(&source, &reader, &e), 0);
    assert_int_equal(capture_reader_header(reader)->id, ID);
    assert_true(
        bytes_equal(capture_reader_header(reader)->program, bytes_of("a test")));
    assert_int_equal(capture_reader_header_bytes(reader).len, t.starts[0]);
    capture_reader_free(reader);
    tape_deinit(&t);
    (void)state;
}

static void a_newer_version_is_named(void **state)
{
    struct capture_header h = { .version = 9, .id = ID };
    struct memory_source m = { 0 };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct capture_block b;
    struct err e;

    capture_block_init(&b, ID);
    assert_int_equal(capture_encode_header(&b, &h), 0);
    m.bytes = buf_bytes(&b.bytes);
    assert_int_equal(capture_reader_new(&source, &reader, &e), -ENOTSUP);
    assert_non_null(strstr(e.text, "version 9"));
    capture_block_deinit(&b);
    (void)state;
}

static void without_memory_nothing_leaks(void **state)
{
    struct memory_source m = { 0 };
    struct capture_source source = memory_source(&m);
    bool hit = true;
    long before;
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 21, 100);
    m.bytes = tape_bytes(&t);
    before = alloc_live();
    for (unsigned nth = 0; hit; nth++) {
        struct capture_reader *reader = NULL;
        int err;

        alloc_fail_at(nth);
        err = capture_reader_new(&source, &reader, NULL);
        hit = alloc_fail_clear();
        assert_int_equal(err, hit ? -ENOMEM : 0);
        capture_reader_free(reader);
        assert_int_equal(alloc_live(), before);
    }
    tape_deinit(&t);
    (void)state;
}

static void a_source_that_fails_is_an_error_and_can_be_tried_again(void **state)
{
    struct memory_source m = { .chunk = 1000 };
    struct capture_source source = memory_source(&m);
    struct capture_reader *reader;
    struct capture_item i;
    struct result r;
    struct tape t;

    tape_init(&t, ID);
    tape_fill(&t, 22, 3000);
    m.bytes = tape_bytes(&t);
    assert_int_equal(capture_reader_new(&source, &reader, NULL), 0);
    m.error = -EIO;
    do {
        int err = capture_reader_next(reader, &i);

        if (err < 0) {
            assert_int_equal(err, -EIO);
            break;
        }
        assert_int_equal(i.event, CAPTURE_EVENT_RECORD);
    } while (true);
    m.error = 0;
    capture_reader_rewind(reader);
    read_from(reader, &t, m.bytes.len, &r);
    assert_int_equal(r.records, t.count);
    capture_reader_free(reader);
    tape_deinit(&t);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_tape_gives_every_record),
        cmocka_unit_test(rewinding_gives_the_same_again),
        cmocka_unit_test(a_growing_tape_gives_each_record_once),
        cmocka_unit_test(damage_at_the_end_is_damage_when_the_tape_goes_on),
        cmocka_unit_test(how_a_source_gives_its_bytes_makes_no_difference),
        cmocka_unit_test(what_is_no_tape_is_refused_with_words),
        cmocka_unit_test(a_newer_version_is_named),
        cmocka_unit_test(without_memory_nothing_leaks),
        cmocka_unit_test(a_source_that_fails_is_an_error_and_can_be_tried_again),
    };

    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
