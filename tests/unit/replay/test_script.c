#include "base/alloc.h"
#include "tests/unit/replay/script_tape.h"
#include "wire/deflate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HANDSHAKE                                                                      \
    "0 c>s request x0 \"GET /ws HTTP\"\n"                                              \
    "1 s>c response x0 \"HTTP/1.1 101\"\n"
#define SHAKEN "x0 GET /ws 101 at 0 first 1 final 1 asks agrees\n"

static void fragments_are_one_message_and_a_ping_keeps_its_place(void **state)
{
    struct script_tape t;

    (void)state;
    script_tape_init(&t);
    put_shake(&t, 1, NULL);
    put_frame(&t, CLIENT, WIRE_OP_TEXT, bytes_of("one "));
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_PING, bytes_of("p"));
    put_text(&t, SERVER, "push");
    put_frame(&t, CLIENT, WIRE_OP_CONTINUATION, bytes_of("two "));
    put_frame(&t, CLIENT, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("three"));
    put_frame(&t, SERVER, WIRE_FIN | WIRE_OP_BINARY, bytes_make("\0\1", 2));
    put_text(&t, SERVER, "");
    put_end(&t, CLIENT, CAPTURE_END_FIN, false);
    put_end(&t, SERVER, CAPTURE_END_FIN, true);
    put_summary(&t);
    expect_script(&t, "connection 1 0..11ms handshake x0\n" HANDSHAKE
                      "2 c>s frame 01 4 m1\n"
                      "3 c>s frame 89 1 \"p\"\n"
                      "4 s>c frame 81 4 m0\n"
                      "5 c>s frame 00 4 m1\n"
                      "6 c>s frame 80 5 m1\n"
                      "7 s>c frame 82 2 m2\n"
                      "8 s>c frame 81 0 m3\n"
                      "9 c>s end 1\n"
                      "m0 s>c text #1 4..4 next m2 \"push\"\n"
                      "m1 c>s text #1 2..6 in 3 \"one two three\"\n"
                      "m2 s>c binary #2 7..7 next m3 \"\\x00\\x01\"\n"
                      "m3 s>c text #3 8..8 \"\"\n" SHAKEN);
    script_tape_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_are_one_message_and_a_ping_keeps_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
