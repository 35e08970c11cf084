/* The tape plays the backend: a WebSocket, message by message. */
#include "tests/unit/replay/player_rig.h"

#include "base/alloc.h"
#include "wire/deflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIN = WIRE_FIN };

static void tape_close(struct rig *r, enum side from, unsigned code, const char *reason)
{
    char payload[64] = { (char)(code >> 8), (char)code };

    memcpy(payload + 2, reason, strlen(reason));
    put_frame(&r->tape, from, FIN | WIRE_OP_CLOSE,
              bytes_make(payload, 2 + strlen(reason)));
}

/* A chat: two questions, answers, a close by the client. */
static void tape_chat(struct rig *r)
{
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_text(t, SERVER, "{\"type\":\"hello\"}");
    put_text(t, CLIENT, "{\"type\":\"ask\",\"n\":1}");
    put_text(t, SERVER, "{\"type\":\"a\"}");
    put_text(t, SERVER, "{\"type\":\"b\"}");
    put_text(t, CLIENT, "{\"type\":\"more\",\"n\":2}");
    put_text(t, SERVER, "{\"type\":\"c\"}");
    tape_close(r, CLIENT, 1000, "");
    tape_close(r, SERVER, 1000, "");
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_end(t, CLIENT, CAPTURE_END_FIN, false);
    put_summary(t);
}

static void chat(struct rig *r)
{
    rig_shake(r, "");
    rig_say(r, "{\"type\":\"ask\",\"n\":1}");
    rig_say(r, "{\"type\":\"more\",\"n\":2}");
    rig_close(r, 1000);
    rig_over(r, CAPTURE_END_FIN);
}

static const char chat_lines[] = "text {\"type\":\"hello\"}\n"
                                 "text {\"type\":\"a\"}\n"
                                 "text {\"type\":\"b\"}\n"
                                 "text {\"type\":\"c\"}\n"
                                 "close 1000 \n"
                                 "end fin\n"
                                 "! over 2 of 2\n";

static void says_what_follows_what_the_client_says(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "text {\"type\":\"hello\"}\n");
    rig_say(r, "{\"type\":\"ask\",\"n\":1}");
    rig_expect(r, "text {\"type\":\"a\"}\ntext {\"type\":\"b\"}\n");
    rig_say(r, "{\"type\":\"more\",\"n\":2}");
    rig_expect(r, "text {\"type\":\"c\"}\n");
    rig_close(r, 1000);
    rig_expect(r, "close 1000 \nend fin\n");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! over 2 of 2\n");
}

static void chat_and_expect(struct rig *r)
{
    chat(r);
    rig_expect(r, chat_lines);
}

static void says_the_same_at_every_split(void **state)
{
    tape_chat(*state);
    rig_split_each(*state, chat_and_expect);
}

static void survives_every_failed_allocation(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_fail_each(r, chat);
    rig_expect(r, chat_lines);
}

/* ---- time ---- */

static void keeps_the_recorded_times(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 1;
    put_shake(t, 1, NULL); /* the 101 comes after 1 ms */
    t->now_ns += 99 * MS;
    put_text(t, SERVER, "push"); /* 100 ms after the 101 */
    put_text(t, CLIENT, "ask");
    t->now_ns += 49 * MS;
    put_text(t, SERVER, "reply"); /* 50 ms after its gate */
    t->now_ns += 9 * MS;
    put_text(t, SERVER, "more"); /* 10 ms after the last */
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_pass(r, 100 * MS);
    rig_expect(r, "");
    rig_pass(r, 1 * MS);
    rig_expect(r, "text push\n");
    rig_pass(r, 500 * MS);
    rig_expect(r, "");
    rig_say(r, "ask");
    rig_pass(r, 50 * MS - 1);
    rig_expect(r, "");
    rig_pass(r, 1);
    rig_expect(r, "text reply\n");
    rig_pass(r, 10 * MS - 1);
    rig_expect(r, "");
    rig_pass(r, 1);
    rig_expect(r, "text more\n");
}

static void is_faster_when_asked(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 10;
    put_shake(t, 1, NULL);
    t->now_ns += 999 * MS;
    put_text(t, SERVER, "push"); /* a second after the 101 */
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_pass(r, 100 * MS);
    rig_expect(r, "");
    rig_pass(r, MS / 10);
    rig_expect(r, "text push\n");
}

/* A message that came ahead of the tape's order opens its gate from when it came. */
static void counts_from_when_a_message_came(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    r->options.pace = 1;
    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "one");
    t->now_ns += 99 * MS;
    put_text(t, SERVER, "first"); /* 100 ms after one */
    put_text(t, CLIENT, "two");   /* 1 ms later */
    t->now_ns += 49 * MS;
    put_text(t, SERVER, "second"); /* 50 ms after two */
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_pass(r, 10 * MS);
    rig_say(r, "one");
    rig_say(r, "two");
    rig_pass(r, 100 * MS);
    rig_expect(r, "text first\n");
    rig_pass(r, 49 * MS);
    rig_expect(r, "");
    rig_pass(r, 1 * MS);
    rig_expect(r, "text second\n");
}

static void need_not_gate(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    r->options.gate = false;
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "text {\"type\":\"hello\"}\n"
                  "text {\"type\":\"a\"}\n"
                  "text {\"type\":\"b\"}\n"
                  "text {\"type\":\"c\"}\n"
                  "close 1000 \n"
                  "end fin\n");
}

/* ---- everything that a backend says ---- */

static void says_it_as_it_was_said(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_frame(t, SERVER, WIRE_OP_TEXT, bytes_of("one "));
    put_frame(t, SERVER, FIN | WIRE_OP_PING, bytes_of("?"));
    put_frame(t, SERVER, FIN | WIRE_OP_CONTINUATION, bytes_of("two"));
    put_frame(t, SERVER, FIN | WIRE_OP_BINARY, bytes_make("\0\1", 2));
    put_frame(t, SERVER, FIN | WIRE_OP_TEXT, bytes_of(""));
    put_frame(t, SERVER, FIN | WIRE_OP_PONG, bytes_of("unasked"));
    put_frame(t, SERVER, FIN | WIRE_RSV2 | WIRE_OP_TEXT, bytes_of("odd"));
    put_frame(t, SERVER, FIN | 3, bytes_of("odd"));
    tape_close(r, SERVER, 1011, "Internal error");
    tape_close(r, CLIENT, 1011, "Internal error");
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "text.. one \n"
                  "ping ?\n"
                  "rest two\n"
                  "binary \\x00\\x01\n"
                  "text \n"
                  "pong unasked\n"
                  "text rsv2 odd\n"
                  "op3 odd\n"
                  "close 1011 Internal error\n");
    rig_close(r, 1011);
    rig_expect(r, "end fin\n");
}

static void ends_as_it_ended(void **state)
{
    static const struct {
        enum capture_end kind;
        const char *lines;
    } ends[] = { { CAPTURE_END_FIN, "text a\nend fin\n" },
                 { CAPTURE_END_RESET, "text a\nend reset\n" },
                 { CAPTURE_END_TRUNCATED, "text a\nend truncated\n" } };
    struct rig *r = *state;

    for (uint32_t i = 0; i < 3; i++) {
        put_shake(&r->tape, i + 1, NULL);
        put_text(&r->tape, SERVER, "a");
        put_end(&r->tape, SERVER, ends[i].kind, false);
    }
    put_summary(&r->tape);
    rig_start(r);
    for (size_t i = 0; i < 3; i++) {
        rig_shake(r, "");
        rig_expect(r, ends[i].lines);
        rig_over(r, CAPTURE_END_FIN);
        rig_expect(r, "! over 0 of 0\n");
        rig_connect(r);
    }
}

/* A frame that was cut off, then the end. */
static void ends_within_a_frame(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    put_piece(&r->tape, SERVER, FIN | WIRE_OP_TEXT, 100, bytes_of("only this"));
    put_end(&r->tape, SERVER, CAPTURE_END_RESET, false);
    put_shake(&r->tape, 2, NULL);
    put_raw(&r->tape, SERVER, "\x81");
    put_end(&r->tape, SERVER, CAPTURE_END_FIN, false);
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "half \\x81donly this\nend reset\n");
    rig_connect(r);
    rig_shake(r, "");
    rig_expect(r, "half \\x81\nend fin\n");
}

static void stays_when_the_tape_has_no_end(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, SERVER, "a");
    put_end(&r->tape, CLIENT, CAPTURE_END_FIN, false);
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "text a\n");
    rig_pass(r, 100000 * MS);
    rig_frame(r, FIN | WIRE_OP_PING, bytes_of("there?"));
    rig_expect(r, "pong there?\n");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! over 0 of 0\nend fin\n");
}

static void answers_pings(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_frame(t, CLIENT, FIN | WIRE_OP_PING, bytes_of("then 1"));
    put_frame(t, CLIENT, FIN | WIRE_OP_PING, bytes_of("then 2"));
    put_frame(t, SERVER, FIN | WIRE_OP_PONG, bytes_of("then 2")); /* answers both */
    put_frame(t, SERVER, FIN | WIRE_OP_PONG, bytes_of("then 1")); /* answers none */
    put_text(t, SERVER, "a");
    put_text(t, CLIENT, "x");
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "pong then 1\ntext a\n");
    rig_frame(r, FIN | WIRE_OP_PING, bytes_of("now"));
    rig_frame(r, FIN | WIRE_OP_PING, bytes_of(""));
    rig_frame(r, FIN | WIRE_OP_PONG, bytes_of("whatever"));
    rig_expect(r, "pong now\npong \n");
}

static void compresses_when_both_do(void **state)
{
    static const struct {
        const char *fields, *lines;
    } offers[] = {
        { "Sec-WebSocket-Extensions: permessage-deflate\r\n",
          "text rsv1 word word word\ntext plain\ntext rsv1 word word word\n" },
        { "", "! note the client does not offer permessage-deflate: messages go "
              "uncompressed\n"
              "text word word word\ntext plain\ntext word word word\n" },
    };
    struct rig *r = *state;
    struct wire_deflate *d = wire_deflate_new(15, false);
    struct buf one = { 0 }, two = { 0 };

    assert_int_equal(wire_deflate_message(d, bytes_of("word word word"), &one), 0);
    assert_int_equal(wire_deflate_message(d, bytes_of("word word word"), &two), 0);
    put_open(&r->tape, 1);
    put_request(&r->tape, 1,
                ASK "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    put_response(&r->tape, 1,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    put_frame(&r->tape, SERVER, FIN | WIRE_RSV1 | WIRE_OP_TEXT, buf_bytes(&one));
    put_text(&r->tape, SERVER, "plain");
    put_frame(&r->tape, SERVER, FIN | WIRE_RSV1 | WIRE_OP_TEXT, buf_bytes(&two));
    put_text(&r->tape, CLIENT, "ask");
    put_summary(&r->tape);
    rig_start(r);
    for (size_t i = 0; i < 2; i++) {
        r->inflate = wire_inflate_new(false);
        rig_shake(r, offers[i].fields);
        rig_expect(r, offers[i].lines);
        if (i == 0) { /* the client's compressed message is read */
            buf_clear(&one);
            wire_deflate_free(d);
            d = wire_deflate_new(15, false);
            assert_int_equal(wire_deflate_message(d, bytes_of("ask"), &one), 0);
            rig_frame(r, FIN | WIRE_RSV1 | WIRE_OP_TEXT, buf_bytes(&one));
            rig_expect(r, "");
        }
        wire_inflate_free(r->inflate);
        r->inflate = NULL;
        rig_connect(r);
    }
    wire_deflate_free(d);
    buf_deinit(&one);
    buf_deinit(&two);
}

/* ---- live values ---- */

static void fills_in_what_the_client_says(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_text(t, CLIENT,
             "{\"type\":\"ask\",\"id\":\"2f1c8f6e-0000-4000-8000-00000000000a\"}");
    put_text(t, SERVER,
             "{\"type\":\"a\",\"re\":\"for 2f1c8f6e-0000-4000-8000-00000000000a\"}");
    put_summary(t);
    r->verbose = true;
    rig_start(r);
    rig_shake(r, "");
    rig_say(r, "{\"type\":\"ask\",\"id\":\"99999999-1111-4111-8111-bbbbbbbbbbbb\"}");
    rig_expect(r, "! chosen #1 /ws\n"
                  "! substituted #1 (1)\n"
                  "text {\"type\":\"a\",\"re\":\"for "
                  "99999999-1111-4111-8111-bbbbbbbbbbbb\"}\n");
}

/* The server said it again, so it is an id; the text it echoed is none. */
static void tells_no_id_that_it_fills_in(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "{\"req\":\"req-77\",\"seq\":48213,\"say\":\"top 10\"}");
    put_text(t, SERVER, "{\"re\":\"req-77\",\"ack\":48213,\"said\":\"top 10\"}");
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_say(r, "{\"req\":\"req-8\",\"seq\":1,\"say\":\"top 20\"}");
    rig_expect(r, "! difference #1 $.say \"top 10\" -> \"top 20\"\n"
                  "text {\"re\":\"req-8\",\"ack\":1,\"said\":\"top 20\"}\n");
}

static void learns_from_texts_only(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, CLIENT, "hello world one");
    put_text(&r->tape, SERVER, "you said: hello world one");
    put_summary(&r->tape);
    r->rules.match = REPLAY_MATCH_ANY;
    rig_start(r);
    rig_shake(r, "");
    rig_frame(r, FIN | WIRE_OP_BINARY, bytes_of("bytes"));
    rig_expect(r, "text you said: hello world one\n");
}

static void fills_in_nothing_when_told_so(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, CLIENT, "\"token-1234\"");
    put_text(&r->tape, SERVER, "\"token-1234\"");
    put_summary(&r->tape);
    r->options.substitute = false;
    r->rules.match = REPLAY_MATCH_ANY;
    rig_start(r);
    rig_shake(r, "");
    rig_say(r, "\"token-9999\"");
    rig_expect(r, "text \"token-1234\"\n");
}

/* ---- mismatches ---- */

static void tells_differences_and_goes_on(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "text {\"type\":\"hello\"}\n");
    rig_say(r, "{\"type\":\"ask\",\"n\":7,\"x\":1}");
    rig_expect(r, "! difference #1 $.n 1 -> 7\n"
                  "! difference #1 $.x - -> 1\n"
                  "text {\"type\":\"a\"}\n"
                  "text {\"type\":\"b\"}\n");
}

/* What the tape would answer was never an answer to it. */
static void answers_no_other_message(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "text {\"type\":\"hello\"}\n");
    rig_say(r, "{\"type\":\"agent_started\"}");
    rig_expect(r, "! unexpected #1 {\"type\":\"ask\",\"n\":1} -> "
                  "{\"type\":\"agent_started\"}\n");
    rig_say(r, "{\"type\":\"ask\",\"n\":1}"); /* it is still expected */
    rig_expect(r, "text {\"type\":\"a\"}\ntext {\"type\":\"b\"}\n");
}

static void tells_what_is_too_much(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_start(r);
    chat(r);
    rig_expect(r, chat_lines);
    rig_connect(r);
    rig_shake(r, "");
    rig_say(r, "{\"type\":\"ask\",\"n\":1}");
    rig_say(r, "{\"type\":\"more\",\"n\":2}");
    rig_say(r, "{\"type\":\"more\",\"n\":3}");
    rig_close(r, 1000);
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "text {\"type\":\"hello\"}\n"
                  "text {\"type\":\"a\"}\n"
                  "text {\"type\":\"b\"}\n"
                  "text {\"type\":\"c\"}\n"
                  "! extra #2 - -> {\"type\":\"more\",\"n\":3}\n"
                  "close 1000 \n"
                  "end fin\n"
                  "! over 3 of 2\n");
}

static void closes_when_told_so(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    r->options.on_mismatch = REPLAY_CLOSE;
    rig_start(r);
    rig_shake(r, "");
    rig_say(r, "{\"type\":\"other\"}");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "text {\"type\":\"hello\"}\n"
                  "! unexpected #1 {\"type\":\"ask\",\"n\":1} -> {\"type\":\"other\"}\n"
                  "close 1008 message 1 is not the one on the tape\n"
                  "end fin\n"
                  "! over 1 of 2\n");
    rig_connect(r);
    rig_shake(r, "");
    rig_say(r, "{\"type\":\"ask\",\"n\":2}");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "text {\"type\":\"hello\"}\n"
                  "! difference #1 $.n 1 -> 2\n"
                  "close 1008 message 1 differs from the tape\n"
                  "end fin\n"
                  "! over 1 of 2\n");
}

static void mismatch(struct rig *r)
{
    rig_shake(r, "");
    rig_say(r, "{\"type\":\"other\"}");
    rig_frame(r, FIN | WIRE_OP_PING, bytes_of("now"));
    rig_say(r, "{\"type\":\"ask\",\"n\":2}");
    rig_close(r, 1001);
    rig_over(r, CAPTURE_END_FIN);
}

static void survives_every_failed_allocation_of_mismatches(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_fail_each(r, mismatch);
    rig_expect(r, "text {\"type\":\"hello\"}\n"
                  "! unexpected #1 {\"type\":\"ask\",\"n\":1} -> {\"type\":\"other\"}\n"
                  "pong now\n"
                  "! difference #1 $.n 1 -> 2\n"
                  "text {\"type\":\"a\"}\n"
                  "text {\"type\":\"b\"}\n"
                  "close 1001 \n"
                  "end fin\n"
                  "! early #2 {\"type\":\"more\",\"n\":2} -> - (1)\n"
                  "! over 2 of 2\n");
}

/* ---- clients that break the protocol ---- */

static void names_what_the_client_breaks(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, CLIENT, "a");
    put_text(&r->tape, SERVER, "b");
    put_shake(&r->tape, 2, NULL);
    put_frame(&r->tape, CLIENT, FIN | WIRE_RSV2 | WIRE_OP_TEXT, bytes_of("a"));
    put_text(&r->tape, SERVER, "b");
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
    rig_frame(r, FIN | WIRE_RSV2 | WIRE_OP_TEXT, bytes_of("a"));
    rig_frame(r, FIN | 0x0b, bytes_of("?"));
    rig_frame(r, FIN | WIRE_OP_CONTINUATION, bytes_of("?"));
    rig_expect(r, "! broken #1 the client broke the protocol (RFC 6455): rsv\n"
                  "text b\n"
                  "! broken the client broke the protocol (RFC 6455): opcode\n"
                  "! broken the client broke the protocol (RFC 6455): orphan\n");
    rig_connect(r);
    rig_shake(r, ""); /* the recorded client did the same */
    rig_frame(r, FIN | WIRE_RSV2 | WIRE_OP_TEXT, bytes_of("a"));
    rig_expect(r, "text b\n");
}

static void holds_no_more_than_the_limit(void **state)
{
    struct rig *r = *state;
    char text[300];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, CLIENT, text);
    put_text(&r->tape, SERVER, "b");
    put_summary(&r->tape);
    r->options.max_message = 256;
    rig_start(r);
    rig_shake(r, "");
    rig_say(r, text);
    rig_expect(r, "! broken #1 the message could not be compared: over --max-message\n"
                  "text b\n");
}

/* ---- clients that stop ---- */

static void tells_what_it_waits_for(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    r->options.pace = 1;
    rig_start(r);
    rig_shake(r, "");
    rig_pass(r, 2 * MS); /* the hello */
    rig_expect(r, "text {\"type\":\"hello\"}\n");
    rig_pass(r, 1001 * MS - 1); /* patience, on top of the recorded 1 ms */
    rig_expect(r, "");
    rig_pass(r, 1);
    rig_expect(r, "! waits #1 {\"type\":\"ask\",\"n\":1} -> -\n");
    rig_pass(r, 100000 * MS);
    rig_expect(r, ""); /* once */
    rig_say(r, "{\"type\":\"ask\",\"n\":1}");
    rig_pass(r, 100000 * MS);
    rig_expect(r, "text {\"type\":\"a\"}\n"
                  "text {\"type\":\"b\"}\n"
                  "! waits #2 {\"type\":\"more\",\"n\":2} -> -\n");
    rig_say(r, "{\"type\":\"more\",\"n\":2}");
    rig_pass(r, 100000 * MS);
    rig_expect(r, "text {\"type\":\"c\"}\n! waits its close frame\n");
    rig_close(r, 1000);
    rig_pass(r, 100000 * MS);
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "close 1000 \nend fin\n! over 2 of 2\n");
}

static void tells_it_when_the_run_ends(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_start(r);
    rig_shake(r, "");
    replay_player_stop(r->player, 5);
    rig_expect(r, "text {\"type\":\"hello\"}\n"
                  "! early #1 {\"type\":\"ask\",\"n\":1} -> - (2)\n"
                  "! over 0 of 2\n");
    replay_player_stop(r->player, 6);
    rig_say(r, "{\"type\":\"ask\",\"n\":1}");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "");
}

static void tells_an_early_close(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_start(r);
    rig_shake(r, "");
    rig_close(r, 1001);
    rig_expect(r, "text {\"type\":\"hello\"}\nclose 1001 \nend fin\n");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! early #1 {\"type\":\"ask\",\"n\":1} -> - (2)\n! over 0 of 2\n");
    rig_connect(r); /* one that a rule closes is not its own doing */
    rig_shake(r, "");
    rig_close(r, 1001);
    assert_int_equal(replay_player_ended(r->player, CAPTURE_END_RESET, true, 7), 0);
    rig_expect(r, "text {\"type\":\"hello\"}\nclose 1001 \nend fin\n! over 0 of 2\n");
    rig_connect(r); /* it is told at a stop, too */
    rig_shake(r, "");
    rig_close(r, 1001);
    replay_player_stop(r->player, 7);
    rig_expect(r, "text {\"type\":\"hello\"}\nclose 1001 \nend fin\n"
                  "! early #1 {\"type\":\"ask\",\"n\":1} -> - (2)\n! over 0 of 2\n");
}

static void tells_an_early_end(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_start(r);
    rig_shake(r, "");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "text {\"type\":\"hello\"}\n"
                  "! early #1 {\"type\":\"ask\",\"n\":1} -> - (2)\n! over 0 of 2\n"
                  "end fin\n");
    rig_connect(r);
    rig_shake(r, "");
    rig_over(r, CAPTURE_END_RESET);
    rig_expect(r, "text {\"type\":\"hello\"}\n"
                  "! early #1 {\"type\":\"ask\",\"n\":1} -> - (2)\n! over 0 of 2\n");
}

static void says_no_rest_of_what_came_before_the_handshake(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, ASK "\r\n");
    put_frame(t, SERVER, WIRE_OP_TEXT, bytes_of("he"));
    put_response(t, 1,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n");
    put_frame(t, SERVER, FIN | WIRE_OP_CONTINUATION, bytes_of("llo"));
    put_text(t, SERVER, "hi");
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "text hi\n");
}

/* All its messages were had, but not all of the tape's were said. */
static void skips_what_a_closed_client_would_not_hear(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    t->now_ns += 5000 * MS;
    put_text(t, SERVER, "late");
    put_frame(t, SERVER, WIRE_OP_TEXT, bytes_of("later"));
    tape_close(r, CLIENT, 1000, "");
    put_frame(t, SERVER, FIN | WIRE_OP_CONTINUATION, bytes_of("still"));
    tape_close(r, SERVER, 1000, "bye");
    put_end(t, SERVER, CAPTURE_END_RESET, false);
    put_summary(t);
    r->options.pace = 1;
    rig_start(r);
    rig_shake(r, "");
    rig_pass(r, 10 * MS);
    rig_close(r, 1000);
    rig_pass(r, 10 * MS);
    rig_expect(r, "! note the client ended before the last 2 messages were said\n"
                  "close 1000 bye\n"
                  "end reset\n");
}

static void echoes_a_close_that_the_tape_has_not(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    put_text(&r->tape, SERVER, "a");
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
    rig_frame(r, FIN | WIRE_OP_CLOSE, bytes_make("\x0f\xa1why", 5));
    rig_expect(r, "text a\nclose 4001 \nend fin\n");
    rig_connect(r);
    rig_shake(r, "");
    rig_frame(r, FIN | WIRE_OP_CLOSE, bytes_of(""));
    rig_expect(r, "text a\nclose \nend fin\n");
}

/* The server closed first; nothing is left when the client has answered. */
static void ends_when_both_have_closed(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    tape_close(r, SERVER, 1001, "going");
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "close 1001 going\n");
    rig_pass(r, 5000 * MS);
    rig_expect(r, "");
    rig_close(r, 1001);
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "end fin\n! over 0 of 0\n");
}

/* A client that has closed and ended is still told what the tape has behind it. */
static void says_the_last_word_to_a_half_closed_client(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    tape_close(r, CLIENT, 1000, "");
    r->tape.now_ns += 49 * MS;
    tape_close(r, SERVER, 1000, "bye");
    put_end(&r->tape, SERVER, CAPTURE_END_RESET, false);
    put_summary(&r->tape);
    r->options.pace = 1;
    rig_start(r);
    rig_shake(r, "");
    rig_pass(r, 1 * MS);
    rig_close(r, 1000);
    rig_over(r, CAPTURE_END_FIN);
    rig_pass(r, 49 * MS);
    rig_expect(r, "");
    rig_pass(r, 2 * MS);
    rig_expect(r, "close 1000 bye\n! over 0 of 0\nend reset\n");
}

/* On the tape the client's end came first: who waits for the other is chance. */
static void waits_for_no_end_behind_both_closes(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    tape_close(r, CLIENT, 1000, "");
    tape_close(r, SERVER, 1000, "");
    put_end(t, CLIENT, CAPTURE_END_FIN, false);
    put_end(t, SERVER, CAPTURE_END_RESET, false);
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_close(r, 1000);
    rig_expect(r, "close 1000 \nend reset\n");
}

/* Without close frames: the server's end answers the client's. */
static void ends_after_the_client(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_text(t, SERVER, "a");
    put_end(t, CLIENT, CAPTURE_END_FIN, false);
    put_text(t, SERVER, "half-closed");
    put_end(t, SERVER, CAPTURE_END_TRUNCATED, false);
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_pass(r, 2000 * MS);
    rig_expect(r, "text a\n! waits its end\n");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! over 0 of 0\ntext half-closed\nend truncated\n");
}

/* A message of the client was under way when the server closed. */
static void waits_for_nothing_behind_the_clients_close(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "m1");
    put_text(t, SERVER, "s1");
    tape_close(r, SERVER, 1000, "");
    put_text(t, CLIENT, "m2");
    tape_close(r, CLIENT, 1000, "");
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_end(t, CLIENT, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_say(r, "m1");
    rig_expect(r, "text s1\nclose 1000 \n");
    rig_close(r, 1000);
    rig_expect(r, "end fin\n");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! over 1 of 2\n");
    rig_connect(r); /* it still is under way */
    rig_shake(r, "");
    rig_say(r, "m1");
    rig_say(r, "m2");
    rig_close(r, 1000);
    rig_expect(r, "text s1\nclose 1000 \nend fin\n");
    rig_connect(r); /* no close, but the end */
    rig_shake(r, "");
    rig_say(r, "m1");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "text s1\nclose 1000 \n"
                  "! note the client ended without the close frame of the tape\n"
                  "! over 1 of 2\nend fin\n");
}

static void tells_another_close_code(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_shake(t, 1, NULL);
    put_text(t, SERVER, "hi");
    tape_close(r, CLIENT, 1000, "");
    tape_close(r, SERVER, 1000, "");
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_shake(r, "");
    rig_frame(r, FIN | WIRE_OP_CLOSE, bytes_of("\x0f\xa1no"));
    rig_expect(r, "text hi\nclose 1000 \nend fin\n");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! end close 1000 -> close 4001 (no)\n! over 0 of 0\n");
    rig_connect(r); /* the same one */
    rig_shake(r, "");
    rig_close(r, 1000);
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "text hi\nclose 1000 \nend fin\n! over 0 of 0\n");
    rig_connect(r); /* one that a rule made */
    rig_shake(r, "");
    rig_close(r, 4001);
    assert_int_equal(replay_player_ended(r->player, CAPTURE_END_FIN, true, 7), 0);
    rig_expect(r, "text hi\nclose 1000 \nend fin\n! over 0 of 0\n");
}

static void notes_a_missing_close(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    tape_close(r, CLIENT, 1000, "");
    tape_close(r, SERVER, 1000, "");
    put_end(&r->tape, SERVER, CAPTURE_END_FIN, false);
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "! note the client ended without the close frame of the tape\n"
                  "! over 0 of 0\n"
                  "end fin\n");
}

/* A message that the recorded client did not finish gates nothing. */
static void expects_no_message_without_an_end(void **state)
{
    struct rig *r = *state;

    put_shake(&r->tape, 1, NULL);
    put_frame(&r->tape, CLIENT, WIRE_OP_TEXT, bytes_of("begun"));
    put_text(&r->tape, SERVER, "a");
    put_end(&r->tape, CLIENT, CAPTURE_END_RESET, false);
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
    rig_expect(r, "text a\n");
    rig_over(r, CAPTURE_END_RESET);
    rig_expect(r, "! over 0 of 0\n");
}

/* ---- back-pressure ---- */

static void stops_while_nobody_reads(void **state)
{
    struct rig *r = *state;

    tape_chat(r);
    rig_start(r);
    assert_int_equal(replay_player_flow(r->player, false, 0), 0);
    rig_shake(r, "");
    rig_expect(r, "");
    assert_int_equal(replay_player_output(r->player)->wake_at, REPLAY_NEVER);
    assert_int_equal(replay_player_flow(r->player, true, 0), 0);
    rig_pass(r, 0);
    rig_frame(r, FIN | WIRE_OP_PING, bytes_of("x"));
    rig_expect(r, "text {\"type\":\"hello\"}\npong x\n");
    assert_int_equal(replay_player_flow(r->player, false, 0), 0);
    rig_say(r, "{\"type\":\"ask\",\"n\":1}");
    rig_expect(r, "");
    rig_frame(r, FIN | WIRE_OP_PING, bytes_of("y"));
    rig_expect(r, "pong y\n");
    assert_int_equal(replay_player_flow(r->player, true, 0), 0);
    rig_frame(r, FIN | WIRE_OP_PONG, bytes_of(""));
    rig_expect(r, "text {\"type\":\"a\"}\ntext {\"type\":\"b\"}\n");
}

static void says_a_burst_at_a_time(void **state)
{
    struct rig *r = *state;
    struct replay_output *out;
    char text[1001];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    put_shake(&r->tape, 1, NULL);
    for (int i = 0; i < 300; i++) {
        put_text(&r->tape, SERVER, text);
    }
    put_summary(&r->tape);
    rig_start(r);
    out = replay_player_output(r->player);
    assert_int_equal(replay_player_bytes(r->player, bytes_of(ASK "\r\n"), 5), 0);
    assert_in_range(out->send.len, REPLAY_BURST, REPLAY_BURST + 1004);
    assert_int_equal(out->wake_at, 5); /* at once */
    buf_clear(&out->send);
    assert_int_equal(replay_player_wake(r->player, 5), 0);
    assert_in_range(out->send.len, REPLAY_BURST, REPLAY_BURST + 1004);
    buf_clear(&out->send);
    assert_int_equal(replay_player_wake(r->player, 5), 0);
    assert_in_range(out->send.len, 1, REPLAY_BURST);
    assert_int_equal(out->wake_at, REPLAY_NEVER);
    buf_clear(&out->send);
}

/* ---- tunnels ---- */

static void gates_a_tunnel_by_bytes(void **state)
{
    struct rig *r = *state;
    struct script_tape *t = &r->tape;

    put_open(t, 1);
    put_request(t, 1, "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n");
    put_response(t, 1, "HTTP/1.1 200 OK\r\n\r\n");
    put_raw(t, CLIENT, "abc");
    put_raw(t, CLIENT, "def");
    put_raw(t, SERVER, "reply");
    put_raw(t, CLIENT, "x");
    put_raw(t, SERVER, "bye");
    put_end(t, SERVER, CAPTURE_END_FIN, false);
    put_summary(t);
    rig_start(r);
    rig_text(r, "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n12");
    rig_expect(r, "HTTP/1.1 200 OK\n\n");
    rig_text(r, "345");
    rig_expect(r, "");
    rig_pass(r, 5000 * MS);
    rig_expect(r, "! waits more bytes\n");
    rig_text(r, "6");
    rig_expect(r, "reply");
    rig_text(r, "7");
    rig_over(r, CAPTURE_END_FIN);
    rig_expect(r, "byeend fin\n! over 0 of 0\n");
}

/* ---- several at once ---- */

static void has_a_cursor_for_each(void **state)
{
    struct rig *r = *state;
    struct replay_player *first;

    for (uint32_t i = 1; i <= 2; i++) {
        put_shake(&r->tape, i, NULL);
        put_text(&r->tape, CLIENT, "ask");
        put_text(&r->tape, SERVER, i == 1 ? "one" : "two");
    }
    put_summary(&r->tape);
    rig_start(r);
    rig_shake(r, "");
    first = r->player;
    r->player = NULL;
    rig_connect(r);
    rig_shake(r, "");
    rig_say(r, "ask");
    rig_expect(r, "text two\n");
    replay_player_free(r->player);
    r->player = first;
    r->players = 1;
    rig_say(r, "ask");
    rig_expect(r, "text one\n");
}

#define EACH(test)                                                                     \
    cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown, &whole),   \
        cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown,        \
                                                 &bytes)
#define ONCE(test)                                                                     \
    cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown, &whole)

int main(void)
{
    size_t whole = 0, bytes = 1;
    const struct CMUnitTest tests[] = {
        EACH(says_what_follows_what_the_client_says),
        ONCE(says_the_same_at_every_split),
        EACH(survives_every_failed_allocation),
        EACH(keeps_the_recorded_times),
        ONCE(is_faster_when_asked),
        EACH(counts_from_when_a_message_came),
        EACH(need_not_gate),
        EACH(says_it_as_it_was_said),
        EACH(ends_as_it_ended),
        EACH(ends_within_a_frame),
        EACH(stays_when_the_tape_has_no_end),
        EACH(answers_pings),
        EACH(compresses_when_both_do),
        EACH(fills_in_what_the_client_says),
        EACH(tells_no_id_that_it_fills_in),
        EACH(learns_from_texts_only),
        EACH(fills_in_nothing_when_told_so),
        EACH(tells_differences_and_goes_on),
        EACH(answers_no_other_message),
        EACH(tells_what_is_too_much),
        EACH(closes_when_told_so),
        EACH(survives_every_failed_allocation_of_mismatches),
        EACH(names_what_the_client_breaks),
        EACH(holds_no_more_than_the_limit),
        EACH(tells_what_it_waits_for),
        ONCE(tells_it_when_the_run_ends),
        EACH(tells_an_early_close),
        ONCE(tells_an_early_end),
        EACH(says_no_rest_of_what_came_before_the_handshake),
        EACH(skips_what_a_closed_client_would_not_hear),
        EACH(echoes_a_close_that_the_tape_has_not),
        EACH(ends_when_both_have_closed),
        EACH(says_the_last_word_to_a_half_closed_client),
        EACH(waits_for_no_end_behind_both_closes),
        ONCE(ends_after_the_client),
        ONCE(notes_a_missing_close),
        ONCE(tells_another_close_code),
        ONCE(waits_for_nothing_behind_the_clients_close),
        ONCE(expects_no_message_without_an_end),
        EACH(stops_while_nobody_reads),
        ONCE(says_a_burst_at_a_time),
        EACH(gates_a_tunnel_by_bytes),
        EACH(has_a_cursor_for_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
