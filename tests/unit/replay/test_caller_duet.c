/* A tape as client against the same tape as backend: both play it to its end, and
 * neither has anything to tell. */
#include "replay/caller.h"
#include "replay/player.h"
#include "tests/unit/replay/script_tape.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { TURNS_MAX = 100000 };

struct duet {
    struct script_tape tape;
    struct replay_script *script;
    struct replay_stage *stages[2]; /* by the side that plays */
    struct replay_caller *caller;
    struct replay_player *player;
    bool ended[2];
    size_t split;
    int64_t now_ns;
    double pace;
};

static int put_accept(struct buf *out, struct bytes key)
{
    (void)key; /* all tapes here have the RFC's */
    return buf_put_text(out, ACCEPT);
}

static void tell(void *owner, const struct replay_event *e)
{
    (void)owner;
    if (replay_event_is_mismatch(e)) {
        printf("%s %d %.*s: %.*s -> %.*s (%.*s)\n", replay_event_name(e->kind),
               (int)e->message, (int)e->path.len, (const char *)e->path.at,
               (int)e->before.len, (const char *)e->before.at, (int)e->after.len,
               (const char *)e->after.at, (int)e->text.len, (const char *)e->text.at);
        fail();
    }
}

static void make_stage(struct duet *d, enum side plays)
{
    static const struct replay_rules rules = { .match = REPLAY_MATCH_EXACT };
    struct replay_listener listener = { .tell = tell, .owner = d };
    struct replay_options options = { .gate = true,
                                      .substitute = true,
                                      .pace = d->pace,
                                      .max_message = 1 << 24,
                                      .patience_ns = INT64_C(10000000000),
                                      .put_accept = put_accept };

    assert_int_equal(replay_stage_new(d->script, &options, &rules, &listener,
                                      side_other(plays), &d->stages[plays]),
                     0);
}

static struct replay_output *output_of(struct duet *d, enum side plays)
{
    return plays == CLIENT ? replay_caller_output(d->caller)
                           : replay_player_output(d->player);
}

static void hand_over(struct duet *d, enum side from, struct bytes in)
{
    while (in.len > 0) {
        size_t len = d->split > 0 && d->split < in.len ? d->split : in.len;
        struct bytes part = bytes_first(in, len);

        assert_int_equal(from == CLIENT
                             ? replay_player_bytes(d->player, part, d->now_ns)
                             : replay_caller_bytes(d->caller, part, d->now_ns),
                         0);
        in = bytes_from(in, len);
    }
}

/* What one side has put out reaches the other. True when there was something. */
static bool pass(struct duet *d, enum side from)
{
    struct replay_output *out = output_of(d, from);
    enum capture_end end = out->end;
    struct buf said = out->send;

    out->send = (struct buf){ 0 };
    hand_over(d, from, buf_bytes(&said));
    buf_deinit(&said);
    if (end == 0 || d->ended[from]) {
        return out->send.len > 0;
    }
    d->ended[from] = true;
    assert_int_equal(from == CLIENT
                         ? replay_player_ended(d->player, end, false, d->now_ns)
                         : replay_caller_ended(d->caller, end, d->now_ns),
                     0);
    return true;
}

static bool has_word(struct duet *d, enum side from)
{
    const struct replay_output *out = output_of(d, from);

    return out->send.len > 0 || (out->end != 0 && !d->ended[from]);
}

static bool wake_next(struct duet *d)
{
    int64_t caller = output_of(d, CLIENT)->wake_at;
    int64_t player = output_of(d, SERVER)->wake_at;
    bool caller_first = caller >= 0 && (player < 0 || caller <= player);
    int64_t at = caller_first ? caller : player;

    if (at < 0) {
        return false;
    }
    d->now_ns = at > d->now_ns ? at : d->now_ns;
    assert_int_equal(caller_first ? replay_caller_wake(d->caller, d->now_ns)
                                  : replay_player_wake(d->player, d->now_ns),
                     0);
    return true;
}

static void play(struct duet *d)
{
    bool goes_on = true;

    assert_int_equal(replay_caller_start(d->caller, d->now_ns), 0);
    for (unsigned turns = 0; goes_on; turns++) {
        assert_true(turns < TURNS_MAX);
        if (has_word(d, CLIENT)) {
            pass(d, CLIENT);
        } else if (has_word(d, SERVER)) {
            pass(d, SERVER);
        } else {
            goes_on = !replay_caller_done(d->caller) && wake_next(d);
        }
    }
    assert_true(replay_caller_done(d->caller));
}

/* Plays the tape that `fill` makes, with all that comes in pieces of `split` bytes. */
static void play_once(void (*fill)(struct script_tape *t), size_t split, double pace)
{
    struct duet d = { .split = split, .pace = pace, .now_ns = 1000000000 };
    struct err e;

    script_tape_init(&d.tape);
    fill(&d.tape);
    put_summary(&d.tape);
    assert_int_equal(load(&d.tape, REPLAY_SCRIPT_MAX, &d.script, &e), 0);
    make_stage(&d, CLIENT);
    make_stage(&d, SERVER);
    d.caller = replay_caller_new(d.stages[CLIENT], 0, 1, d.now_ns);
    d.player = replay_player_new(d.stages[SERVER], 1, d.now_ns);
    assert_non_null(d.caller);
    assert_non_null(d.player);
    play(&d);
    replay_caller_free(d.caller);
    replay_player_free(d.player);
    replay_stage_free(d.stages[CLIENT]);
    replay_stage_free(d.stages[SERVER]);
    replay_script_free(d.script);
    script_tape_deinit(&d.tape);
    assert_int_equal(alloc_live(), 0);
}

static void duet(void (*fill)(struct script_tape *t))
{
    static const size_t splits[] = { 0, 1, 2, 3, 7, 64 };

    for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
        play_once(fill, splits[i], 0);
        play_once(fill, splits[i], 1);
    }
}

/* ---- tapes ---- */

static void put_goodbye(struct script_tape *t, enum side from, const char *payload,
                        size_t len)
{
    put_frame(t, from, WIRE_FIN | WIRE_OP_CLOSE, bytes_make(payload, len));
}

static void put_ends(struct script_tape *t, enum side first)
{
    put_end(t, first, CAPTURE_END_FIN, false);
    put_end(t, side_other(first), CAPTURE_END_FIN, false);
}

static void fill_session(struct script_tape *t)
{
    put_shake(t, 1, NULL);
    put_text(t, SERVER, "{\"type\":\"hello\",\"session\":\"sess-4711-abcd\"}");
    put_text(t, CLIENT,
             "{\"type\":\"ask\",\"session\":\"sess-4711-abcd\",\"id\":77123}");
    put_text(t, SERVER, "{\"type\":\"answer\",\"to\":77123}");
    put_text(t, SERVER, "{\"type\":\"done\"}");
    put_goodbye(t, CLIENT, "\x03\xe8", 2);
    put_goodbye(t, SERVER, "\x03\xe8", 2);
    put_ends(t, SERVER);
}

static void fill_frames(struct script_tape *t)
{
    put_shake(t, 1, NULL);
    put_frame(t, SERVER, WIRE_FIN | WIRE_OP_PING, bytes_of("1"));
    put_frame(t, CLIENT, WIRE_OP_BINARY, bytes_of("ab"));
    put_frame(t, CLIENT, WIRE_FIN | WIRE_OP_PONG, bytes_of("1"));
    put_frame(t, CLIENT, 0, bytes_of(""));
    put_frame(t, CLIENT, WIRE_FIN | WIRE_OP_PING, bytes_of("2"));
    put_frame(t, CLIENT, WIRE_FIN, bytes_of("cd"));
    put_frame(t, SERVER, WIRE_OP_TEXT, bytes_of(""));
    put_frame(t, SERVER, WIRE_FIN | WIRE_OP_PONG, bytes_of("2"));
    put_frame(t, SERVER, WIRE_FIN, bytes_of("ef"));
    put_text(t, SERVER, "");
    put_text(t, CLIENT, "");
    put_goodbye(t, SERVER, "\x03\xf3why", 5);
    put_goodbye(t, CLIENT, "\x03\xf3", 2);
    put_ends(t, SERVER);
}

static void fill_pushes(struct script_tape *t)
{
    put_shake(t, 1, NULL);
    for (int i = 0; i < 300; i++) {
        put_text(t, i % 3 == 0 ? CLIENT : SERVER, i % 2 == 0 ? "tick" : "tock");
    }
    put_goodbye(t, CLIENT, "", 0);
    put_goodbye(t, SERVER, "", 0);
    put_ends(t, CLIENT);
}

static void put_coded(struct script_tape *t, struct wire_deflate *d, enum side from,
                      const char *text)
{
    struct buf wire = { 0 };

    assert_int_equal(wire_deflate_message(d, bytes_of(text), &wire), 0);
    put_frame(t, from, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, buf_bytes(&wire));
    buf_deinit(&wire);
}

static void fill_compressed(struct script_tape *t)
{
    struct wire_deflate *client = wire_deflate_new(15, false);
    struct wire_deflate *server = wire_deflate_new(15, false);

    put_open(t, 1);
    put_request(t, 1,
                "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n");
    put_response(t, 1,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"
                 "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        put_coded(t, client, CLIENT, "a question, a question, a question");
        put_text(t, SERVER, "plain");
        put_coded(t, server, SERVER, "an answer, an answer, an answer");
    }
    put_goodbye(t, CLIENT, "\x03\xe9", 2);
    put_goodbye(t, SERVER, "\x03\xe9", 2);
    put_ends(t, SERVER);
    wire_deflate_free(client);
    wire_deflate_free(server);
}

static void fill_client_fin(struct script_tape *t)
{
    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "ask");
    put_text(t, SERVER, "answer");
    put_ends(t, CLIENT);
}

static void fill_server_fin(struct script_tape *t)
{
    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "ask");
    put_text(t, SERVER, "answer");
    put_ends(t, SERVER);
}

static void fill_client_reset(struct script_tape *t)
{
    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "ask");
    put_text(t, SERVER, "answer");
    put_end(t, CLIENT, CAPTURE_END_RESET, false);
}

static void fill_server_reset(struct script_tape *t)
{
    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "ask");
    put_text(t, SERVER, "answer");
    put_end(t, SERVER, CAPTURE_END_RESET, false);
}

static void fill_open_end(struct script_tape *t)
{
    put_shake(t, 1, NULL);
    put_text(t, CLIENT, "ask");
    put_text(t, SERVER, "answer");
    put_end(t, CLIENT, CAPTURE_END_STOP, true);
    put_end(t, SERVER, CAPTURE_END_STOP, true);
}

static void fill_refused(struct script_tape *t)
{
    put_open(t, 1);
    put_request(t, 1,
                "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n");
    put_response(t, 1, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n");
    put_body(t, 1, SERVER, "no", 0);
    put_ends(t, CLIENT);
}

static void fill_http(struct script_tape *t)
{
    put_open(t, 1);
    put_request(t, 1, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    put_response(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    put_body(t, 1, SERVER, "ok", 0);
    put_request(t, 2, "HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n");
    put_response(t, 2, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    put_request(t, 3,
                "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_body(t, 3, CLIENT, "2\r\n{}\r\n0\r\n\r\n", 0);
    put_response(t, 3, "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_body(t, 3, SERVER, "3\r\n{\"a\r\n", 0);
    put_body(t, 3, SERVER, "4\r\n\":1}\r\n0\r\n\r\n", 0);
    put_ends(t, CLIENT);
}

static void fill_until_end(struct script_tape *t)
{
    put_open(t, 1);
    put_request(t, 1, "GET / HTTP/1.0\r\n\r\n");
    put_response(t, 1, "HTTP/1.0 200 OK\r\n\r\n");
    put_body(t, 1, SERVER, "all there is", 0);
    put_ends(t, SERVER);
}

static void fill_tunnel(struct script_tape *t)
{
    put_open(t, 1);
    put_request(t, 1, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    put_response(t, 1, "HTTP/1.1 200 OK\r\n\r\n");
    put_raw(t, CLIENT, "one");
    put_raw(t, SERVER, "two");
    put_raw(t, CLIENT, "three");
    put_raw(t, SERVER, "four");
    put_ends(t, CLIENT);
}

/* ---- */

static void sessions(void **unused)
{
    (void)unused;
    duet(fill_session);
    duet(fill_frames);
    duet(fill_pushes);
    duet(fill_compressed);
}

static void ends(void **unused)
{
    (void)unused;
    duet(fill_client_fin);
    duet(fill_server_fin);
    duet(fill_client_reset);
    duet(fill_server_reset);
    duet(fill_open_end);
}

static void exchanges(void **unused)
{
    (void)unused;
    duet(fill_refused);
    duet(fill_http);
    duet(fill_until_end);
    duet(fill_tunnel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions),
        cmocka_unit_test(ends),
        cmocka_unit_test(exchanges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
