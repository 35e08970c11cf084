/* Transcripts too large to be written down: of what a rule delays, or a shaped stream
 * still has to send, no more is read than a high water mark and one read. Reading goes
 * on afterwards. */
#include "tests/play/play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { COUNT = 5, LEN = 60000 }; /* together more than PROXY_HIGH_WATER */

#define LATE_ANSWER                                                                    \
    "wake 9s\n"                                                                        \
    "> client \"HTTP/1.1 101 S\\r\\nUpgrade: websocket\\r\\nConnection: "              \
    "Upgrade\\r\\n\\r\\n\"\n"

static void put(struct buf *out, const char *text)
{
    assert_int_equal(buf_put_text(out, text), 0);
}

static void put_payload(struct buf *out)
{
    for (size_t i = 0; i < LEN; i++) {
        assert_int_equal(buf_put_byte(out, 'y'), 0);
    }
}

/* Frames from the server, all in one read; `fault` is recorded behind the first. */
static void put_frames(struct buf *out, const char *fault)
{
    put(out, "server");
    for (int i = 0; i < COUNT; i++) {
        put(out, " 82 7e ea60 y*60000");
    }
    put(out, "\n");
    for (int i = 0; i < COUNT; i++) {
        put(out, "+ frame s>c 82 len=60000 form=16 : \"");
        put_payload(out);
        put(out, "\"\n");
        put(out, i == 0 ? fault : "");
    }
}

static void assert_pauses(const char *rule, const char *before, const char *fault)
{
    struct buf text = { 0 }, report = { 0 };

    put(&text, "rule ");
    put(&text, rule);
    put(&text, ",from=server\nwebsocket\n");
    put(&text, before);
    put_frames(&text, fault);
    put(&text, "> read server off\nwake 9s\n> client \"");
    for (int i = 0; i < COUNT; i++) {
        put(&text, "\\x82~\\xea`");
        put_payload(&text);
    }
    put(&text, "\"\n> read server on\n");
    if (play_run(rule, buf_bytes(&text), (struct play_split){ 0 }, &report) != 0) {
        fail_msg("%s: not as written", rule);
    }
    buf_deinit(&text);
    buf_deinit(&report);
}

static void what_is_delayed_is_bounded(void **state)
{
    assert_pauses("delay=5s,message=1", "", "+ fault s>c delay op=2 n=1\n");
    (void)state;
}

static void what_waits_for_its_turn_is_bounded(void **state)
{
    assert_pauses("latency=5s", LATE_ANSWER, "");
    assert_pauses("bandwidth=100k", LATE_ANSWER, "");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_delayed_is_bounded),
        cmocka_unit_test(what_waits_for_its_turn_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
