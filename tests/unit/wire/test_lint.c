#include "wire/lint.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/*
 * A conversation is written as frames: first byte, payload; a frame's header is made to
 * fit, masked as its sender should. Each frame's faults are named in order.
 */
struct sent {
    uint8_t first;
    const char *payload;
};

static void name_faults(char *out, size_t room, uint32_t faults)
{
    size_t len = 0;

    out[0] = '\0';
    for (unsigned bit = 0; bit < 32; bit++) {
        if ((faults >> bit & 1) != 0) {
            assert_non_null(wire_fault_name(bit));
            len += (size_t)snprintf(out + len, room - len, "%s%s", len == 0 ? "" : " ",
                                    wire_fault_name(bit));
        }
    }
}

static uint32_t pass(struct wire_lint *l, const struct wire_frame *f,
                     struct bytes payload, size_t each)
{
    uint32_t faults = wire_lint_frame(l, f);

    do {
        size_t len = payload.len < each ? payload.len : each;

        faults |= wire_lint_payload(l, bytes_first(payload, len));
        payload = bytes_from(payload, len);
    } while (payload.len > 0);
    return faults;
}

static void says_split(enum side from, uint8_t rsv, const struct sent *sent,
                       const char *const *expected, size_t each)
{
    struct wire_lint l, at_once;

    wire_lint_init(&l, from, rsv);
    wire_lint_init(&at_once, from, rsv);
    for (; *expected != NULL; expected++, sent++) {
        size_t len = strlen(sent->payload);
        struct wire_frame f = { .first = sent->first,
                                .payload_len = len,
                                .form = wire_frame_form(len),
                                .masked = from == CLIENT };
        char said[256];

        name_faults(said, sizeof(said),
                    pass(&l, &f, bytes_make(sent->payload, len), each));
        assert_string_equal(said, *expected);
        name_faults(said, sizeof(said),
                    wire_lint_whole(&at_once, &f, bytes_make(sent->payload, len)));
        assert_string_equal(said, *expected);
    }
}

static void says_with(enum side from, uint8_t rsv, const struct sent *sent,
                      const char *const *expected)
{
    for (size_t each = 1; each < 8; each++) {
        says_split(from, rsv, sent, expected, each);
    }
    says_split(from, rsv, sent, expected, SIZE_MAX);
}

#define SENT(...)     ((const struct sent[]){ __VA_ARGS__ })
#define EXPECTED(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void says(const struct sent *sent, const char *const *expected)
{
    says_with(CLIENT, 0, sent, expected);
    says_with(SERVER, 0, sent, expected);
}

/* One header, empty payload. */
static void header_says(enum side from, struct wire_frame f, const char *expected)
{
    struct wire_lint l;
    char said[256];

    wire_lint_init(&l, from, 0);
    name_faults(said, sizeof(said), wire_lint_frame(&l, &f));
    assert_string_equal(said, expected);
}

static void clean_traffic(void **state)
{
    (void)state;
    says(SENT({ 0x81, "hi" }, { 0x82, "\xff\xfe" }, { 0x01, "\xe2\x82" }, { 0x89, "p" },
              { 0x00, "\xac" }, { 0x8a, "p" }, { 0x80, "" }, { 0x81, "" },
              { 0x88, "\x03\xe8 bye \xc3\xa4" }),
         EXPECTED("", "", "", "", "", "", "", "", ""));
    says(SENT({ 0x88, "" }), EXPECTED(""));
    says(SENT({ 0x88, "\x03\xe9" }), EXPECTED(""));
}

static void masks(void **state)
{
    (void)state;
    header_says(CLIENT, (struct wire_frame){ .first = 0x81, .form = 7 }, "mask");
    header_says(SERVER, (struct wire_frame){ .first = 0x81, .form = 7, .masked = 1 },
                "mask");
    header_says(CLIENT, (struct wire_frame){ .first = 0x81, .form = 7, .masked = 1 },
                "");
    header_says(SERVER, (struct wire_frame){ .first = 0x81, .form = 7 }, "");
}

static struct wire_frame with_length(uint8_t first, uint64_t len, uint8_t form)
{
    return (struct wire_frame){ .first = first, .payload_len = len, .form = form };
}

static void lengths(void **state)
{
    (void)state;
    header_says(SERVER, with_length(0x82, 125, 7), "");
    header_says(SERVER, with_length(0x82, 125, 16), "length_form");
    header_says(SERVER, with_length(0x82, 126, 16), "");
    header_says(SERVER, with_length(0x82, 65535, 16), "");
    header_says(SERVER, with_length(0x82, 65535, 64), "length_form");
    header_says(SERVER, with_length(0x82, 65536, 64), "");
    header_says(SERVER, with_length(0x82, UINT64_C(1) << 63, 64), "length_top_bit");
    header_says(SERVER, with_length(0x82, UINT64_MAX, 64), "length_top_bit");
    header_says(SERVER, with_length(0x89, 126, 16), "control_length");
    header_says(SERVER, with_length(0x09, 0, 64), "length_form control_fragment");
    header_says(SERVER, with_length(0x88, 1, 7), "close_length");
}

static void opcodes(void **state)
{
    (void)state;
    for (unsigned op = 0; op < 16; op++) {
        const char *expected = op == 0               ? "orphan"
                               : op <= 2             ? ""
                               : op >= 8 && op <= 10 ? ""
                                                     : "opcode";

        header_says(SERVER, with_length((uint8_t)(0x80 | op), 0, 7), expected);
    }
    header_says(SERVER, with_length(0x0b, 200, 16),
                "opcode control_length control_fragment");
}

static void rsv_bits(void **state)
{
    (void)state;
    says(SENT({ 0xc1, "" }, { 0xa1, "" }, { 0x91, "" }, { 0xf9, "" }),
         EXPECTED("rsv", "rsv", "rsv", "rsv"));
    /* permessage-deflate owns RSV1 of first frames */
    says_with(SERVER, WIRE_RSV1,
              SENT({ 0xc1, "\xff" }, { 0xe1, "\xff" }, { 0x41, "\xff" },
                   { 0xc0, "\xff" }, { 0xc9, "" }, { 0x81, "\xff" }),
              EXPECTED("", "rsv", "", "rsv", "rsv", "utf8"));
    /* an unknown extension may own any bit anywhere */
    says_with(SERVER, WIRE_RSV1 | WIRE_RSV2 | WIRE_RSV3,
              SENT({ 0xf1, "" }, { 0x71, "" }, { 0xf0, "" }, { 0xf9, "" }),
              EXPECTED("", "", "", ""));
}

static void fragments(void **state)
{
    (void)state;
    says(SENT({ 0x80, "a" }, { 0x00, "a" }, { 0x81, "a" }),
         EXPECTED("orphan", "orphan", ""));
    says(SENT({ 0x01, "a" }, { 0x82, "b" }, { 0x80, "c" }),
         EXPECTED("", "interleaved", "orphan"));
    says(SENT({ 0x01, "a" }, { 0x01, "b" }, { 0x80, "c" }, { 0x80, "d" }),
         EXPECTED("", "interleaved", "", "orphan"));
    says(SENT({ 0x03, "a" }, { 0x80, "\xff" }, { 0x80, "" }),
         EXPECTED("opcode", "", "orphan"));
    says(SENT({ 0x01, "a" }, { 0x09, "p" }, { 0x80, "b" }),
         EXPECTED("", "control_fragment", ""));
}

static void text(void **state)
{
    (void)state;
    says(SENT({ 0x81, "a\xff z" }, { 0x81, "a" }), EXPECTED("utf8", ""));
    says(SENT({ 0x81, "\xe2\x82" }, { 0x81, "\xac" }), EXPECTED("utf8", "utf8"));
    says(SENT({ 0x01, "\xe2\x82" }, { 0x80, "" }), EXPECTED("", "utf8"));
    says(SENT({ 0x01, "\xff" }, { 0x00, "\xff" }, { 0x80, "\xff" }, { 0x81, "\xff" }),
         EXPECTED("utf8", "", "", "utf8"));
    says(SENT({ 0x02, "\xff" }, { 0x80, "\xff" }), EXPECTED("", ""));
}

static void plain_messages(void **state)
{
    struct wire_frame f = { .payload_len = 2, .form = 7 };

    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        f.first = (uint8_t)first;
        assert_int_equal(wire_lint_is_plain(&f), first == 0x81 || first == 0x82);
    }
    f.first = 0x81;
    assert_true(wire_lint_plain(&f, bytes_of("ok")));
    assert_true(wire_lint_plain(&f, bytes_of("\xc3\xa4")));
    assert_false(wire_lint_plain(&f, bytes_of("a\xc3")));
    assert_false(wire_lint_plain(&f, bytes_of("\xff\xff")));
    f.first = 0x82;
    assert_true(wire_lint_plain(&f, bytes_of("\xff\xff")));
}

static void closes(void **state)
{
    (void)state;
    says(SENT({ 0x88, "\x03" }), EXPECTED("close_length"));
    says(SENT({ 0x88, "\x03\xe8\xff" }), EXPECTED("utf8"));
    says(SENT({ 0x88, "\x03\xe8 \xe2\x82" }), EXPECTED("utf8"));
    says(SENT({ 0x88, "\x03\xed\xff\xff" }), EXPECTED("utf8 close_code"));
    says(SENT({ 0x88, "\x03\xe8" }, { 0x81, "a" }, { 0x89, "" }, { 0x88, "\x03\xe8" }),
         EXPECTED("", "after_close", "after_close", "after_close"));
    /* a message's text goes on through a close frame in its middle */
    says(SENT({ 0x01, "\xe2\x82" }, { 0x88, "" }, { 0x80, "\xac" }),
         EXPECTED("", "", "after_close"));
}

static void close_codes(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool allowed = (code >= 1000 && code <= 1003) ||
                       (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        char payload[2] = { (char)(code >> 8), (char)(code & 0xff) };
        struct wire_frame f = with_length(0x88, 2, 7);
        struct wire_lint l;

        wire_lint_init(&l, SERVER, 0);
        assert_int_equal(pass(&l, &f, bytes_make(payload, 2), 1 + code % 2),
                         allowed ? 0 : WIRE_FAULT_CLOSE_CODE);
        assert_int_equal(l.close_code, code);
    }
}

static void names_end_with_the_last_bit(void **state)
{
    (void)state;
    assert_string_equal(wire_fault_name(0), "rsv");
    assert_string_equal(wire_fault_name(12), "after_close");
    assert_null(wire_fault_name(13));
    assert_null(wire_fault_name(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_traffic),
        cmocka_unit_test(masks),
        cmocka_unit_test(lengths),
        cmocka_unit_test(opcodes),
        cmocka_unit_test(rsv_bits),
        cmocka_unit_test(fragments),
        cmocka_unit_test(text),
        cmocka_unit_test(plain_messages),
        cmocka_unit_test(closes),
        cmocka_unit_test(close_codes),
        cmocka_unit_test(names_end_with_the_last_bit),
    };

    return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
