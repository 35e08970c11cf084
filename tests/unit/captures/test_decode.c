#include "base/alloc.h"
#include "captures/decode.h"
#include "tests/unit/captures/fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ID = 0xcafe };

/* Bytes of a record without its CRC, written out by hand. */
struct raw {
    const char *what;
    const char *bytes;
    size_t len;
};

#define RAW(what, text)                                                                \
    {                                                                                  \
        what, text, sizeof(text) - 1                                                   \
    }

static void seal(struct buf *out, struct bytes head, uint32_t seed)
{
    uint32_t crc = crc32c(seed, head);
    uint8_t tail[5] = { 0xce, (uint8_t)(crc >> 24), (uint8_t)(crc >> 16),
                        (uint8_t)(crc >> 8), (uint8_t)crc };

    buf_clear(out);
    assert_int_equal(buf_put(out, head), 0);
    assert_int_equal(buf_put(out, bytes_make(tail, sizeof(tail))), 0);
}

static int decode(struct bytes in, size_t *used, struct capture_record *out)
{
    struct capture_decoder *d = capture_decoder_new();
    int r = capture_decode(d, ID, in, used, out);

    capture_decoder_free(d);
    return r;
}

static int decode_raw(const struct raw *raw, struct capture_record *out)
{
    struct buf b = { 0 };
    size_t used = 0;
    int r;

    seal(&b, bytes_make(raw->bytes, raw->len), ID);
    r = decode(buf_bytes(&b), &used, out);
    if (r == 0) {
        assert_int_equal(used, b.len);
    }
    buf_deinit(&b);
    return r;
}

static void fields_of_a_later_version_are_ignored(void **state)
{
    static const struct raw notes[] = {
        RAW("as today", "\x95\x0c\x07\x00\xa1x"),
        RAW("a number more", "\x96\x0c\x07\x00\xa1x\x63"),
        RAW("a map and a nil more", "\x97\x0c\x07\x00\xa1x\x81\xa1k\x92\x01\x02\xc0"),
        RAW("so many that the array's head is longer",
            "\xdc\x00\x11\x0c\x07\x00\xa1x\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"
            "\x0c"),
    };

    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        struct capture_record r;

        assert_int_equal(decode_raw(&notes[i], &r), 0);
        assert_int_equal(r.type, CAPTURE_NOTE);
        assert_int_equal(r.connection, 7);
        assert_int_equal(r.u.note.text.len, 1);
    }
    (void)state;
}

static void types_of_a_later_version_are_passed_over(void **state)
{
    static const struct raw unknown[] = {
        RAW("no field at all", "\x94\x10\x07\x05"),
        RAW("the last possible type", "\x94\x7f\x07\x05"),
        RAW("fields of all kinds",
            "\x97\x40\x07\x05\xcb\x00\x00\x00\x00\x00\x00\x00\x00"
            "\xd4\x01\x02\x82\x01\x02\x03\xc3"),
    };

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct capture_record r;

        assert_int_equal(decode_raw(&unknown[i], &r), 0);
        assert_int_equal(r.type, (uint8_t)unknown[i].bytes[1]);
        assert_int_equal(r.connection, 0);
        assert_int_equal(r.time_ns, 0);
    }
    (void)state;
}

static void an_end_of_a_later_kind_is_an_error(void **state)
{
    static const struct raw end = RAW("", "\x98\x0b\x01\x00\x01\x63\xc2\xc0");
    struct capture_record r;

    assert_int_equal(decode_raw(&end, &r), 0);
    assert_int_equal(r.u.end.kind, CAPTURE_END_ERROR);
    assert_int_equal(r.u.end.side, SERVER);
    (void)state;
}

static void wrong_fields_are_no_record_even_with_a_right_crc(void **state)
{
    static const struct raw wrong[] = {
        RAW("type 0", "\x95\x00\x01\x00\xa1x"),
        RAW("a field too few", "\x94\x0c\x01\x00"),
        RAW("connection below 0", "\x95\x0c\xff\x00\xa1x"),
        RAW("connection of 33 bits",
            "\x95\x0c\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x00\xa1x"),
        RAW("time of 64 bits", "\x95\x0c\x01\xcf\x80\x00\x00\x00\x00\x00\x00\x00\xa1x"),
        RAW("time as text", "\x95\x0c\x01\xa1z\xa1x"),
        RAW("text as number", "\x95\x0c\x01\x00\x05"),
        RAW("text as array", "\x95\x0c\x01\x00\x90"),
        RAW("side 2", "\x96\x08\x01\x00\x02\xc4\x00"),
        RAW("end kind as text", "\x98\x0b\x01\x00\x01\xa1x\xc2\xc0"),
        RAW("truth as number", "\x98\x0b\x01\x00\x01\x01\x01\xc0"),
        RAW("a fault without its text",
            "\x9c\x0a\x01\x00\x00\x01\x01\xc0\xc0\xc3\xc2\x00"),
        RAW("tls of three", "\x97\x01\x01\x00\xc0\xc0\x93\xc0\xc0\xc0"),
        RAW("tls as text", "\x97\x01\x01\x00\xc0\xc0\xa1x"),
        RAW("tls of numbers", "\x97\x01\x01\x00\xc0\xc0\x94\x01\x02\x03\x04"),
        RAW("first byte of 9 bits",
            "\x9b\x06\x01\x00\x00\xcd\x01\x00\x01\x07\xc0\x00\xc4\x00"),
        RAW("form 8", "\x9b\x06\x01\x00\x00\x01\x01\x08\xc0\x00\xc4\x00"),
        RAW("mask of 3", "\x9b\x06\x01\x00\x00\x01\x01\x07\xc4\x03mmm\x00\xc4\x00"),
        RAW("more payload than there is",
            "\x9b\x06\x01\x00\x00\x01\x01\x07\xc0\x00\xc4\x02xx"),
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct capture_record r;

        if (decode_raw(&wrong[i], &r) != CAPTURE_DECODE_BAD) {
            fail_msg("accepted: %s", wrong[i].what);
        }
    }
    (void)state;
}

/* A head that promises more than a record may hold is refused at once, not waited for.
 */
static void hostile_heads_are_refused(void **state)
{
    static const struct raw hostile[] = {
        RAW("no array", "\x81\x01\x02\x03\x04\x05"),
        RAW("array of 2^32", "\xdd\xff\xff\xff\xff\x01\x01\x00\xc0"),
        RAW("array of 3", "\x93\x01\x01\x00\xce"),
        RAW("array of 65535", "\xdc\xff\xff\x0c\x01\x00\xc0"),
        RAW("inner array of 2^32", "\x95\x0c\x01\x00\xdd\xff\xff\xff\xff"),
        RAW("inner map of 2^31", "\x95\x0c\x01\x00\xdf\x80\x00\x00\x00"),
        RAW("text of 4 GB", "\x95\x0c\x01\x00\xdb\xff\xff\xff\xff"),
        RAW("ext of 4 GB", "\x95\x0c\x01\x00\xc9\xff\xff\xff\xff\x00"),
        RAW("payload over the limit", "\x96\x08\x01\x00\x00\xc6\x00\x10\x00\x00"),
        RAW("too deep",
            "\x95\x0c\x01\x00\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"),
        RAW("the byte that msgpack does not use", "\x95\x0c\x01\x00\xc1"),
        RAW("connection as text", "\x95\x0c\xa1x\x00\xc0"),
        RAW("last element is no 32-bit number",
            "\x95\x0c\x01\x00\xc0\xcd\x00\x00\x00\x00"),
    };

    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct capture_record r;
        size_t used;
        long before = alloc_live();

        if (decode(bytes_make(hostile[i].bytes, hostile[i].len), &used, &r) !=
            CAPTURE_DECODE_BAD) {
            fail_msg("accepted: %s", hostile[i].what);
        }
        assert_int_equal(alloc_live(), before);
    }
    (void)state;
}

static void too_many_elements_are_refused(void **state)
{
    struct capture_record r;
    struct buf b = { 0 }, sealed = { 0 };
    size_t used;

    assert_int_equal(buf_put(&b, bytes_make("\x95\x7f\x01\x00\xdc\x20\x00", 7)), 0);
    for (size_t i = 0; i < 0x2000; i++) {
        assert_int_equal(buf_put_byte(&b, 0xc0), 0);
    }
    seal(&sealed, buf_bytes(&b), ID);
    assert_int_equal(decode(buf_bytes(&sealed), &used, &r), CAPTURE_DECODE_BAD);
    buf_deinit(&b);
    buf_deinit(&sealed);
    (void)state;
}

static void the_start_of_a_record_asks_for_more(void **state)
{
    struct chance c = { 5 };

    for (size_t i = 0; i < RECORD_TYPES; i++) {
        struct capture_record in = random_record(&c, record_types[i], 100), out;
        struct capture_block b;
        size_t used;

        capture_block_init(&b, ID);
        assert_int_equal(capture_encode(&b, &in, NULL), 0);
        for (size_t len = 0; len < b.bytes.len; len++) {
            struct bytes part = bytes_first(buf_bytes(&b.bytes), len);

            assert_int_equal(decode(part, &used, &out), CAPTURE_DECODE_MORE);
        }
        capture_block_deinit(&b);
    }
    (void)state;
}

static void a_record_of_another_tape_is_none_of_this(void **state)
{
    struct capture_record r = { .type = CAPTURE_NOTE }, out;
    struct capture_block b;
    size_t used;

    capture_block_init(&b, ID + 1);
    assert_int_equal(capture_encode(&b, &r, NULL), 0);
    assert_int_equal(decode(buf_bytes(&b.bytes), &used, &out), CAPTURE_DECODE_BAD);
    capture_block_deinit(&b);
    (void)state;
}

static void a_checkpoint_tells_its_tape(void **state)
{
    struct capture_record r = { .type = CAPTURE_CHECKPOINT };
    struct capture_decoder *d = capture_decoder_new();
    struct capture_block b;
    uint32_t id = 0;

    capture_block_init(&b, 0xabcdef01);
    assert_int_equal(capture_encode(&b, &r, NULL), 0);
    assert_int_equal(capture_decode_orphan(d, buf_bytes(&b.bytes), &id), 0);
    assert_int_equal(id, 0xabcdef01);
    for (size_t i = 0; i < b.bytes.len; i++) {
        b.bytes.at[i] ^= 0x10;
        assert_int_not_equal(capture_decode_orphan(d, buf_bytes(&b.bytes), &id), 0);
        b.bytes.at[i] ^= 0x10;
    }
    capture_block_clear(&b);
    r.type = CAPTURE_NOTE;
    assert_int_equal(capture_encode(&b, &r, NULL), 0);
    assert_int_equal(capture_decode_orphan(d, buf_bytes(&b.bytes), &id),
                     CAPTURE_DECODE_BAD);
    capture_block_deinit(&b);
    capture_decoder_free(d);
    (void)state;
}

static int decode_header(const struct raw *raw, struct capture_header *out)
{
    struct capture_decoder *d = capture_decoder_new();
    struct buf b = { 0 };
    size_t used;
    int r;

    seal(&b, bytes_make(raw->bytes, raw->len), 0);
    r = capture_decode_header(d, buf_bytes(&b), &used, out);
    buf_deinit(&b);
    capture_decoder_free(d);
    return r;
}

static void headers_say_their_version(void **state)
{
    static const struct raw newer =
        RAW("", "\x84\xa6"
                "format\xa6wstape\xa7version\x02\xa2id\x07\xa3"
                "crc");
    static const struct raw plain =
        RAW("", "\x84\xa6"
                "format\xa6wstape\xa7version\x01\xa2id\x07\xa3"
                "crc");
    static const struct raw extra =
        RAW("", "\xde\x00\x05\xa6"
                "format\xa6wstape\xa7version\x01\xa2id\x07\x05\x91\x01"
                "\xa3"
                "crc");
    static const struct raw wrong[] = {
        RAW("another format", "\x84\xa6"
                              "format\xa6wstope\xa7version\x01\xa2id\x07\xa3"
                              "crc"),
        RAW("no version", "\x83\xa6"
                          "format\xa6wstape\xa2id\x07\xa3"
                          "crc"),
        RAW("version 0", "\x84\xa6"
                         "format\xa6wstape\xa7version\x00\xa2id\x07\xa3"
                         "crc"),
        RAW("id as text", "\x84\xa6"
                          "format\xa6wstape\xa7version\x01\xa2id\xa1x\xa3"
                          "crc"),
        RAW("an array", "\x98\xa6"
                        "format\xa6wstape\xa7version\x01\xa2id\x07\xa3"
                        "crc"),
    };
    struct capture_header h;

    assert_int_equal(decode_header(&plain, &h), 0);
    assert_int_equal(h.id, 7);
    assert_int_equal(decode_header(&extra, &h), 0);
    assert_int_equal(h.id, 7);
    assert_int_equal(decode_header(&newer, &h), CAPTURE_DECODE_BAD);
    assert_int_equal(h.version, 2);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(decode_header(&wrong[i], &h), CAPTURE_DECODE_BAD);
        assert_int_equal(h.version, 0);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_a_later_version_are_ignored),
        cmocka_unit_test(types_of_a_later_version_are_passed_over),
        cmocka_unit_test(an_end_of_a_later_kind_is_an_error),
        cmocka_unit_test(wrong_fields_are_no_record_even_with_a_right_crc),
        cmocka_unit_test(hostile_heads_are_refused),
        cmocka_unit_test(too_many_elements_are_refused),
        cmocka_unit_test(the_start_of_a_record_asks_for_more),
        cmocka_unit_test(a_record_of_another_tape_is_none_of_this),
        cmocka_unit_test(a_checkpoint_tells_its_tape),
        cmocka_unit_test(headers_say_their_version),
    };

    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
