#include "cli/demo_ws.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What came out, in turn: "1:text 9:ping ". */
static void read_all(struct bytes in, size_t step, char *out, size_t cap)
{
    struct demo_ws w = { 0 };
    struct bytes piece;
    size_t used, len = 0;
    int r;

    while (in.len > 0) {
        piece = bytes_first(in, in.len < step ? in.len : step);
        in = bytes_from(in, piece.len);
        while ((r = demo_ws_next(&w, piece, &used)) == 0) {
            piece = bytes_from(piece, used);
            len += (size_t)snprintf(out + len, cap - len, "%u:%.*s ",
                                    wire_frame_opcode(&w.frame), (int)w.payload.len,
                                    w.payload.len == 0 ? "" : (char *)w.payload.at);
        }
        assert_int_equal(r, DEMO_WS_MORE);
        assert_int_equal(used, piece.len);
    }
    demo_ws_deinit(&w);
}

static void reads_what_it_wrote_at_every_split(void **state)
{
    char long_text[301];
    char expected[400], got[400];
    struct buf wire;

    (void)state;
    memset(long_text, 'x', 300);
    long_text[300] = '\0';
    snprintf(expected, sizeof(expected), "1:hello 9: 1:%s 8:bye ", long_text);
    for (int side = CLIENT; side <= SERVER; side++) {
        wire = (struct buf){ 0 };
        demo_ws_put(&wire, (enum side)side, WIRE_OP_TEXT, bytes_of("hello"));
        demo_ws_put(&wire, (enum side)side, WIRE_OP_PING, bytes_of(""));
        demo_ws_put(&wire, (enum side)side, WIRE_OP_TEXT, bytes_of(long_text));
        demo_ws_put(&wire, (enum side)side, WIRE_OP_CLOSE, bytes_of("bye"));
        assert_int_equal((wire.at[1] & 0x80) != 0, side == CLIENT);
        for (size_t step = 1; step <= wire.len; step++) {
            read_all(buf_bytes(&wire), step, got, sizeof(got));
            assert_string_equal(got, expected);
        }
        buf_deinit(&wire);
    }
}

static void refuses_what_the_demo_never_sends(void **state)
{
    static const uint8_t fragment[] = { 0x01, 0x01, 'a' };
    static const uint8_t huge[] = { 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 1 };
    struct demo_ws w = { 0 };
    size_t used;

    (void)state;
    assert_int_equal(demo_ws_next(&w, bytes_make(fragment, sizeof(fragment)), &used),
                     -EPROTO);
    w = (struct demo_ws){ 0 };
    assert_int_equal(demo_ws_next(&w, bytes_make(huge, sizeof(huge)), &used), -EPROTO);
    demo_ws_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote_at_every_split),
        cmocka_unit_test(refuses_what_the_demo_never_sends),
    };

    return cmocka_run_group_tests_name("demo_ws", tests, NULL, NULL);
}
