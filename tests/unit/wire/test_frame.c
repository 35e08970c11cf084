#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct wire_frame decoded(struct bytes in, size_t first)
{
    struct wire_frame_decoder d = { 0 };
    struct wire_frame f = { 0 };
    size_t used;
    int r = wire_frame_decode(&d, bytes_first(in, first), &used, &f);

    if (r == WIRE_FRAME_PARTIAL) {
        assert_int_equal(used, first);
        r = wire_frame_decode(&d, bytes_from(in, first), &used, &f);
        used += first;
    }
    assert_int_equal(r, 0);
    assert_int_equal(used, f.header_len);
    assert_int_equal(d.have, 0);
    return f;
}

/* Decoding gives `expected` at every split, and encoding gives back the bytes. */
static void decodes(struct bytes in, const struct wire_frame *expected)
{
    uint8_t out[WIRE_FRAME_HEADER_MAX];

    for (size_t first = 0; first <= in.len; first++) {
        struct wire_frame f = decoded(in, first);

        assert_true(f.payload_len == expected->payload_len);
        assert_int_equal(f.first, expected->first);
        assert_int_equal(f.form, expected->form);
        assert_int_equal(f.masked, expected->masked);
        assert_memory_equal(f.mask, expected->mask, 4);
        assert_int_equal(f.header_len, expected->header_len);
        assert_int_equal(wire_frame_encode(&f, out), f.header_len);
        assert_memory_equal(out, in.at, f.header_len);
    }
}

static void short_lengths(void **state)
{
    (void)state;
    decodes(bytes_make("\x81\x00", 2),
            &(struct wire_frame){ .first = 0x81, .form = 7, .header_len = 2 });
    decodes(bytes_make("\x89\x7d next", 7),
            &(struct wire_frame){
                .first = 0x89, .form = 7, .payload_len = 125, .header_len = 2 });
}

static void longer_lengths(void **state)
{
    (void)state;
    decodes(bytes_make("\x82\x7e\x00\x7e", 4),
            &(struct wire_frame){
                .first = 0x82, .form = 16, .payload_len = 126, .header_len = 4 });
    decodes(bytes_make("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10),
            &(struct wire_frame){
                .first = 0x82, .form = 64, .payload_len = 65536, .header_len = 10 });
}

static void masked_frames(void **state)
{
    (void)state;
    decodes(bytes_make("\x81\x85\x01\x02\x03\x04", 6),
            &(struct wire_frame){ .first = 0x81,
                                  .form = 7,
                                  .payload_len = 5,
                                  .masked = 1,
                                  .mask = { 1, 2, 3, 4 },
                                  .header_len = 6 });
    decodes(bytes_make("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xaa\xbb\xcc\xdd", 14),
            &(struct wire_frame){ .first = 0xff,
                                  .form = 64,
                                  .payload_len = UINT64_MAX,
                                  .masked = 1,
                                  .mask = { 0xaa, 0xbb, 0xcc, 0xdd },
                                  .header_len = 14 });
}

static void odd_forms_survive(void **state)
{
    (void)state;
    decodes(bytes_make("\x81\x7e\x00\x00", 4),
            &(struct wire_frame){ .first = 0x81, .form = 16, .header_len = 4 });
    decodes(bytes_make("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00", 14),
            &(struct wire_frame){ .first = 0x81,
                                  .form = 64,
                                  .payload_len = 5,
                                  .masked = 1,
                                  .header_len = 14 });
}

/* Every pair of first bytes, followed by the same twelve. */
static void all_headers(void **state)
{
    uint8_t raw[14] = { 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

    (void)state;
    for (unsigned v = 0; v <= UINT16_MAX; v++) {
        uint8_t again[WIRE_FRAME_HEADER_MAX];
        struct wire_frame f;

        raw[0] = (uint8_t)(v >> 8);
        raw[1] = (uint8_t)v;
        f = decoded(bytes_make(raw, sizeof(raw)), v % 14);
        assert_int_equal(f.header_len,
                         2 + f.masked * 4 + (f.form == 7 ? 0 : f.form / 8));
        assert_int_equal(wire_frame_encode(&f, again), f.header_len);
        assert_memory_equal(again, raw, f.header_len);
    }
}

static void partial_keeps_what_came(void **state)
{
    static const uint8_t raw[] = { 0x82, 0xfe, 0x01, 0x02, 9, 8, 7, 6 };
    struct wire_frame_decoder d = { 0 };
    struct wire_frame f = { .form = 99 };
    size_t used = 99;

    (void)state;
    assert_int_equal(wire_frame_decode(&d, (struct bytes){ 0 }, &used, &f),
                     WIRE_FRAME_PARTIAL);
    assert_int_equal(used, 0);
    for (size_t i = 0; i < sizeof(raw) - 1; i++) {
        assert_int_equal(wire_frame_decode(&d, bytes_make(raw + i, 1), &used, &f),
                         WIRE_FRAME_PARTIAL);
        assert_int_equal(d.have, i + 1);
        assert_memory_equal(d.raw, raw, i + 1);
        assert_int_equal(f.form, 99);
    }
    assert_int_equal(wire_frame_decode(&d, bytes_make(raw + 7, 1), &used, &f), 0);
    assert_int_equal(f.payload_len, 0x102);
}

static void shortest_forms(void **state)
{
    (void)state;
    assert_int_equal(wire_frame_form(0), 7);
    assert_int_equal(wire_frame_form(125), 7);
    assert_int_equal(wire_frame_form(126), 16);
    assert_int_equal(wire_frame_form(65535), 16);
    assert_int_equal(wire_frame_form(65536), 64);
    assert_int_equal(wire_frame_form(UINT64_MAX), 64);
}

static void names_of_bits(void **state)
{
    struct wire_frame f = { .first = 0x8a };

    (void)state;
    assert_int_equal(wire_frame_opcode(&f), WIRE_OP_PONG);
    assert_true(wire_frame_is_control(&f));
    f.first = 0x72;
    assert_int_equal(wire_frame_opcode(&f), WIRE_OP_BINARY);
    assert_false(wire_frame_is_control(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_lengths),  cmocka_unit_test(longer_lengths),
        cmocka_unit_test(masked_frames),  cmocka_unit_test(odd_forms_survive),
        cmocka_unit_test(all_headers),    cmocka_unit_test(partial_keeps_what_came),
        cmocka_unit_test(shortest_forms), cmocka_unit_test(names_of_bits),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
