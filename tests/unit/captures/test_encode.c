#include "base/alloc.h"
#include "captures/decode.h"
#include "tests/unit/captures/fixture.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ID = 0x1d1d1d1d };

static struct capture_record decoded(struct capture_decoder *d, struct bytes in)
{
    struct capture_record r;
    size_t used = 0;

    assert_int_equal(capture_decode(d, ID, in, &used, &r), 0);
    assert_int_equal(used, in.len);
    return r;
}

/* Byte for byte, so that the format cannot change unnoticed (FORMAT.md has this
 * example). */
static void a_frame_is_these_bytes(void **state)
{
    static const uint8_t expected[] = {
        0x9b,                               /* array of 11 */
        0x06, 0x01, 0xcd, 0x03, 0xe8,       /* frame, connection 1, 1000 ns */
        0x00,                               /* from the client */
        0xcc, 0x81,                         /* FIN, text */
        0x02, 0x07,                         /* 2 bytes, 7-bit form */
        0xc4, 0x04, 0x0a, 0x0b, 0x0c, 0x0d, /* mask */
        0x00,                               /* no faults */
        0xc4, 0x02, 'h',  'i',              /* payload */
        0xce                                /* CRC */
    };
    struct capture_record r = { .type = CAPTURE_FRAME,
                                .connection = 1,
                                .time_ns = 1000 };
    struct capture_block b;
    uint32_t crc;

    r.u.frame.frame = (struct capture_frame){ .first = 0x81,
                                              .form = 7,
                                              .masked = 1,
                                              .mask = { 10, 11, 12, 13 },
                                              .payload_len = 2,
                                              .payload = bytes_of("hi") };
    capture_block_init(&b, ID);
    assert_int_equal(capture_encode(&b, &r, NULL), 0);
    assert_int_equal(b.bytes.len, sizeof(expected) + 4);
    assert_memory_equal(b.bytes.at, expected, sizeof(expected));
    crc = crc32c_portable(ID, bytes_make(expected, sizeof(expected) - 1));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(b.bytes.at[sizeof(expected) + i],
                         (crc >> (24 - 8 * i)) & 0xff);
    }
    capture_block_deinit(&b);
    (void)state;
}

static void every_type_comes_back_as_it_went(void **state)
{
    struct capture_decoder *d = capture_decoder_new();
    struct chance c = { 7 };
    struct capture_block b;

    capture_block_init(&b, ID);
    for (unsigned round = 0; round < 300; round++) {
        for (size_t i = 0; i < RECORD_TYPES; i++) {
            struct capture_record in = random_record(&c, record_types[i], 70000);
            struct capture_record out;

            capture_block_clear(&b);
            assert_int_equal(capture_encode(&b, &in, NULL), 0);
            out = decoded(d, buf_bytes(&b.bytes));
            assert_record_equal(&in, &out);
        }
    }
    capture_block_deinit(&b);
    capture_decoder_free(d);
    (void)state;
}

static void the_header_comes_back_as_it_went(void **state)
{
    struct capture_header in = { .version = CAPTURE_VERSION,
                                 .id = UINT32_MAX,
                                 .wall_ns = INT64_MAX,
                                 .origin_ns = -1,
                                 .program = bytes_of("wstape"),
                                 .listen = bytes_of(""),
                                 .upstream = bytes_of("wss://[::1]:1/ä"),
                                 .seed = UINT64_MAX };
    struct capture_decoder *d = capture_decoder_new();
    struct capture_header out;
    struct capture_block b;
    size_t used = 0;

    capture_block_init(&b, in.id);
    assert_int_equal(capture_encode_header(&b, &in), 0);
    assert_int_equal(capture_decode_header(d, buf_bytes(&b.bytes), &used, &out), 0);
    assert_int_equal(used, b.bytes.len);
    assert_int_equal(out.id, in.id);
    assert_true(out.wall_ns == in.wall_ns && out.origin_ns == in.origin_ns);
    assert_true(out.seed == in.seed && out.version == in.version);
    assert_true(bytes_equal(out.program, in.program));
    assert_int_equal(out.listen.len, 0);
    assert_true(bytes_equal(out.upstream, in.upstream));
    for (size_t len = 0; len < used; len++) {
        struct bytes part = bytes_first(buf_bytes(&b.bytes), len);

        assert_int_equal(capture_decode_header(d, part, &used, &out),
                         CAPTURE_DECODE_MORE);
        used = b.bytes.len;
    }
    capture_block_deinit(&b);
    capture_decoder_free(d);
    (void)state;
}

/* The whole as it would be in the file. */
static struct bytes flattened(const struct capture_block *b, struct buf *out)
{
    size_t from = 0;

    for (size_t i = 0; i < b->insert_count; i++) {
        size_t to = b->inserts[i].at;

        assert_int_equal(buf_put(out, bytes_make(b->bytes.at + from, to - from)), 0);
        assert_int_equal(buf_put(out, slice_bytes(b->inserts[i].slice)), 0);
        from = to;
    }
    assert_int_equal(buf_put(out, bytes_from(buf_bytes(&b->bytes), from)), 0);
    assert_int_equal(out->len, b->len);
    return buf_bytes(out);
}

static void a_referenced_payload_gives_the_same_bytes_as_a_copied_one(void **state)
{
    static const size_t lens[] = { 0, 1, CAPTURE_INSERT_MIN - 1, CAPTURE_INSERT_MIN,
                                   70000 };
    static const enum capture_type types[] = { CAPTURE_FRAME, CAPTURE_MORE, CAPTURE_RAW,
                                               CAPTURE_BODY };

    for (size_t i = 0; i < 4 * 5; i++) {
        struct chance c = { i };
        struct capture_record r = random_record(&c, types[i / 5], 0);
        struct capture_block copied, referenced;
        struct slice all, part;
        struct buf flat = { 0 };
        static uint8_t zeros[70010];

        assert_int_equal(slice_copy(bytes_make(zeros, sizeof(zeros)), &all), 0);
        part = (struct slice){ all.chunk, 5, lens[i % 5] };
        set_payload(&r, slice_bytes(part));
        capture_block_init(&copied, ID);
        capture_block_init(&referenced, ID);
        for (unsigned twice = 0; twice < 2; twice++) {
            assert_int_equal(capture_encode(&copied, &r, NULL), 0);
            assert_int_equal(capture_encode(&referenced, &r, &part), 0);
        }
        assert_int_equal(copied.insert_count, 0);
        assert_int_equal(referenced.insert_count,
                         part.len >= CAPTURE_INSERT_MIN ? 2 : 0);
        assert_int_equal(all.chunk->refs, 1 + referenced.insert_count);
        assert_true(
            bytes_equal(buf_bytes(&copied.bytes), flattened(&referenced, &flat)));
        assert_memory_equal(&copied.tally, &referenced.tally, sizeof(copied.tally));
        capture_block_clear(&referenced);
        assert_int_equal(all.chunk->refs, 1);
        capture_block_deinit(&referenced);
        capture_block_deinit(&copied);
        buf_deinit(&flat);
        chunk_unref(all.chunk);
    }
    (void)state;
}

static void what_no_record_can_hold_is_refused(void **state)
{
    static const size_t too_long[] = { CAPTURE_RECORD_MAX - 20, CAPTURE_RECORD_MAX,
                                       CAPTURE_RECORD_MAX + 1 };
    struct capture_record r = { .type = CAPTURE_RAW };
    struct capture_block b;
    struct slice s;
    uint8_t *bytes = alloc_zero(1, CAPTURE_RECORD_MAX + 1);

    assert_int_equal(slice_copy(bytes_make(bytes, CAPTURE_RECORD_MAX), &s), 0);
    capture_block_init(&b, ID);
    r.u.raw.bytes = bytes_make(bytes, CAPTURE_PIECE_MAX);
    assert_int_equal(capture_encode(&b, &r, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        size_t len = b.bytes.len;
        struct capture_tally tally = b.tally;

        r.type = CAPTURE_RAW;
        r.u.raw.bytes = bytes_make(bytes, too_long[i]);
        /* 9 bytes of head, 5 of length, 5 of CRC: this one just fits */
        if (i == 0) {
            assert_int_equal(capture_encode(&b, &r, NULL), 0);
            continue;
        }
        assert_int_equal(capture_encode(&b, &r, NULL), -EMSGSIZE);
        r.type = CAPTURE_NOTE;
        r.u.note.text = bytes_make(bytes, too_long[i]);
        assert_int_equal(capture_encode(&b, &r, NULL), -EMSGSIZE);
        assert_int_equal(b.bytes.len, len);
        assert_memory_equal(&b.tally, &tally, sizeof(tally));
    }
    r.type = CAPTURE_RAW;
    r.u.raw.bytes = slice_bytes(s);
    assert_int_equal(capture_encode(&b, &r, &s), -EMSGSIZE);
    assert_int_equal(s.chunk->refs, 1);
    r.type = (enum capture_type)0;
    assert_int_equal(capture_encode(&b, &r, NULL), -EINVAL);
    capture_block_deinit(&b);
    chunk_unref(s.chunk);
    alloc_free(bytes);
    (void)state;
}

static void a_checkpoint_counts_what_came_since_the_last(void **state)
{
    struct capture_decoder *d = capture_decoder_new();
    struct capture_record r = { .type = CAPTURE_NOTE };
    struct capture_tally mine = { 0 };
    struct tape t;

    tape_init(&t, ID);
    r.u.note.text = bytes_of("a");
    for (unsigned i = 0; i < 3; i++) {
        struct bytes last;

        tape_put(&t, &r);
        last = tape_record(&t, t.count - 1);
        capture_tally_add(&mine, last.at + last.len, last.len);
    }
    tape_put_checkpoint(&t);
    r = decoded(d, tape_record(&t, t.count - 1));
    assert_int_equal(r.u.checkpoint.id, ID);
    assert_int_equal(r.u.checkpoint.number, 2);
    assert_int_equal(r.u.checkpoint.records, 3);
    assert_int_equal(r.u.checkpoint.bytes, mine.bytes);
    assert_int_equal(r.u.checkpoint.crc, mine.crc);
    tape_put_checkpoint(&t);
    r = decoded(d, tape_record(&t, t.count - 1));
    assert_int_equal(r.u.checkpoint.number, 3);
    assert_int_equal(r.u.checkpoint.records, 0);
    assert_int_equal(r.u.checkpoint.crc, 0);
    tape_deinit(&t);
    capture_decoder_free(d);
    (void)state;
}

/* One frame and 40 like it: more than the block has room for. */
static int encode_burst(struct capture_block *b, struct bytes payload)
{
    struct capture_record record = { .type = CAPTURE_FRAME };
    int r;

    set_payload(&record, payload);
    r = capture_encode(b, &record, NULL);
    for (size_t i = 0; r == 0 && i < 40; i++) {
        r = capture_encode_again(b, payload);
    }
    return r;
}

/* Everything the encoder does, into one block. */
static int encode_everything(struct capture_block *b, struct slice backing)
{
    struct capture_header h = { .version = CAPTURE_VERSION,
                                .program = bytes_of("test") };
    struct chance c = { 11 };
    int r = capture_encode_header(b, &h);

    for (size_t i = 0; r == 0 && i < RECORD_TYPES; i++) {
        struct capture_record record = random_record(&c, record_types[i], 9000);

        r = capture_encode(b, &record, NULL);
    }
    for (size_t i = 0; r == 0 && i < 40; i++) {
        struct capture_record record = { .type = CAPTURE_RAW };

        record.u.raw.bytes = slice_bytes(backing);
        r = capture_encode(b, &record, &backing);
    }
    return r == 0 ? encode_burst(b, bytes_first(slice_bytes(backing), 4000)) : r;
}

static void without_memory_a_block_stays_as_it_was(void **state)
{
    uint8_t zeros[CAPTURE_INSERT_MIN] = { 0 };
    long before = alloc_live();
    bool hit = true;

    for (unsigned nth = 0; hit; nth++) {
        struct capture_block b;
        struct slice backing;
        int r;

        assert_int_equal(slice_copy(bytes_make(zeros, sizeof(zeros)), &backing), 0);
        capture_block_init(&b, ID);
        alloc_fail_at(nth);
        r = encode_everything(&b, backing);
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (hit) {
            struct buf flat = { 0 };

            flattened(&b, &flat); /* checks that the length is the sum of its parts */
            buf_deinit(&flat);
        }
        capture_block_deinit(&b);
        assert_int_equal(backing.chunk->refs, 1);
        chunk_unref(backing.chunk);
        assert_int_equal(alloc_live(), before);
    }
    (void)state;
}

static void a_burst_does_not_keep_its_memory(void **state)
{
    struct capture_record r = { .type = CAPTURE_RAW };
    struct capture_block b;
    uint8_t *bytes = alloc_zero(1, CAPTURE_PIECE_MAX);
    size_t burst;

    capture_block_init(&b, ID);
    r.u.raw.bytes = bytes_make(bytes, CAPTURE_PIECE_MAX);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(capture_encode(&b, &r, NULL), 0);
    }
    burst = b.bytes.cap;
    r.u.raw.bytes.len = 10;
    for (unsigned i = 0; i < 1000; i++) {
        capture_block_clear(&b);
        assert_int_equal(capture_encode(&b, &r, NULL), 0);
    }
    assert_true(b.bytes.cap < burst / 4);
    capture_block_deinit(&b);
    alloc_free(bytes);
    (void)state;
}

/* A record encoded again is what encoding it in full makes, in bytes and tally. */
static void a_frame_again_is_these_bytes(void **state)
{
    static const size_t lens[] = { 0, 1, 40, 125, 126, 4095 };
    struct capture_block full, again;
    uint8_t bytes[4095];

    capture_block_init(&full, ID);
    capture_block_init(&again, ID);
    for (unsigned i = 0; i < 600; i++) {
        size_t len = lens[i / 10 % 6];
        struct capture_record r = { .type = CAPTURE_FRAME,
                                    .connection = i / 10,
                                    .time_ns = (int64_t)(i / 10) << i / 10 % 40 };

        memset(bytes, (int)i, sizeof(bytes));
        r.u.frame.frame = (struct capture_frame){ .first = 0x82,
                                                  .form = wire_frame_form(len),
                                                  .masked = i / 60 % 2,
                                                  .mask = { 1, 2, 3, 4 },
                                                  .payload_len = len };
        set_payload(&r, bytes_make(bytes, len));
        assert_int_equal(capture_encode(&full, &r, NULL), 0);
        if (i % 10 == 0) {
            assert_int_equal(capture_encode(&again, &r, NULL), 0);
        } else {
            assert_true(capture_can_repeat(&again));
            assert_int_equal(capture_encode_again(&again, bytes_make(bytes, len)), 0);
        }
        assert_int_equal(again.records, full.records);
        assert_int_equal(again.len, full.len);
        assert_true(bytes_equal(buf_bytes(&again.bytes), buf_bytes(&full.bytes)));
        assert_memory_equal(&again.tally, &full.tally, sizeof(full.tally));
    }
    capture_block_deinit(&full);
    capture_block_deinit(&again);
    (void)state;
}

static void only_a_small_frame_just_encoded_is_encoded_again(void **state)
{
    struct capture_record frame = { .type = CAPTURE_FRAME };
    struct capture_record others[] = { { .type = CAPTURE_MORE },
                                       { .type = CAPTURE_CHECKPOINT },
                                       { .type = CAPTURE_FRAME } };
    struct capture_block b;
    static uint8_t large[CAPTURE_INSERT_MIN];

    set_payload(&others[2], bytes_make(large, sizeof(large)));
    capture_block_init(&b, ID);
    assert_false(capture_can_repeat(&b));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(capture_encode(&b, &frame, NULL), 0);
        assert_true(capture_can_repeat(&b));
        assert_int_equal(capture_encode(&b, &others[i], NULL), 0);
        assert_false(capture_can_repeat(&b));
    }
    assert_int_equal(capture_encode(&b, &frame, NULL), 0);
    assert_int_equal(capture_encode_copy(&b, bytes_of("x")), 0);
    assert_false(capture_can_repeat(&b));
    assert_int_equal(capture_encode(&b, &frame, NULL), 0);
    capture_block_clear(&b);
    assert_false(capture_can_repeat(&b));
    capture_block_deinit(&b);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_these_bytes),
        cmocka_unit_test(a_frame_again_is_these_bytes),
        cmocka_unit_test(only_a_small_frame_just_encoded_is_encoded_again),
        cmocka_unit_test(every_type_comes_back_as_it_went),
        cmocka_unit_test(the_header_comes_back_as_it_went),
        cmocka_unit_test(a_referenced_payload_gives_the_same_bytes_as_a_copied_one),
        cmocka_unit_test(what_no_record_can_hold_is_refused),
        cmocka_unit_test(a_checkpoint_counts_what_came_since_the_last),
        cmocka_unit_test(without_memory_a_block_stays_as_it_was),
        cmocka_unit_test(a_burst_does_not_keep_its_memory),
    };

    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
