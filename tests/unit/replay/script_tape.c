#include "tests/unit/replay/script_tape.h"

#include "base/text.h"
#include "replay/script_state.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

void script_tape_init(struct script_tape *t)
{
    memset(t, 0, sizeof(*t));
    tape_init(&t->tape, 0x7a9e5eed);
    t->connection = 1;
}

void script_tape_deinit(struct script_tape *t)
{
    tape_deinit(&t->tape);
    buf_deinit(&t->bytes);
    buf_deinit(&t->lines);
}

/* ---- records ---- */

void put(struct script_tape *t, struct capture_record *r)
{
    r->connection = t->connection;
    r->time_ns = t->now_ns;
    t->now_ns += 1000000;
    tape_put(&t->tape, r);
}

void put_open(struct script_tape *t, uint32_t connection)
{
    struct capture_record r = { .type = CAPTURE_OPEN };

    t->connection = connection;
    r.u.open.client = bytes_of("127.0.0.1:50000");
    r.u.open.listen = bytes_of("127.0.0.1:8001");
    put(t, &r);
}

static void put_head(struct script_tape *t, enum capture_type type, uint32_t exchange,
                     const char *text)
{
    struct capture_record r = { .type = type };

    r.u.head.exchange = exchange;
    r.u.head.bytes = bytes_of(text);
    put(t, &r);
}

void put_request(struct script_tape *t, uint32_t exchange, const char *text)
{
    put_head(t, CAPTURE_REQUEST, exchange, text);
}

void put_response(struct script_tape *t, uint32_t exchange, const char *text)
{
    put_head(t, CAPTURE_RESPONSE, exchange, text);
}

void put_body(struct script_tape *t, uint32_t exchange, enum side from,
              const char *wire, uint64_t unseen)
{
    struct capture_record r = { .type = CAPTURE_BODY };

    r.u.body.from = from;
    r.u.body.exchange = exchange;
    r.u.body.bytes = bytes_of(wire);
    r.u.body.wire_len = r.u.body.bytes.len + unseen;
    put(t, &r);
}

void put_raw(struct script_tape *t, enum side from, const char *text)
{
    struct capture_record r = { .type = CAPTURE_RAW };

    r.u.raw.from = from;
    r.u.raw.bytes = bytes_of(text);
    put(t, &r);
}

void put_sent(struct script_tape *t, enum side to, const char *text)
{
    struct capture_record r = { .type = CAPTURE_SENT };

    r.u.sent.to = to;
    r.u.sent.cause = bytes_of("a test");
    r.u.sent.bytes = bytes_of(text);
    put(t, &r);
}

void put_end(struct script_tape *t, enum side side, enum capture_end kind,
             bool by_wstape)
{
    struct capture_record r = { .type = CAPTURE_END };

    r.u.end.side = side;
    r.u.end.kind = kind;
    r.u.end.by_wstape = by_wstape;
    put(t, &r);
}

void put_summary(struct script_tape *t)
{
    struct capture_record r = { .type = CAPTURE_SUMMARY };

    tape_put_checkpoint(&t->tape);
    t->connection = 0;
    put(t, &r);
}

void put_shake(struct script_tape *t, uint32_t connection, const char *extensions)
{
    char text[512];

    put_open(t, connection);
    put_request(t, 1,
                "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n");
    snprintf(text, sizeof(text),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\n"
             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n%s%s\r\n\r\n",
             extensions == NULL ? "X-None: 1" : "Sec-WebSocket-Extensions: ",
             extensions == NULL ? "" : extensions);
    put_response(t, 1, text);
}

void put_piece(struct script_tape *t, enum side from, unsigned first, uint64_t len,
               struct bytes payload)
{
    struct capture_record r = { .type = CAPTURE_FRAME };

    r.u.frame.from = from;
    r.u.frame.frame = (struct capture_frame){ .first = (uint8_t)first,
                                              .form = wire_frame_form(len),
                                              .masked = from == CLIENT,
                                              .payload_len = len,
                                              .payload = payload };
    if (from == CLIENT) {
        memcpy(r.u.frame.frame.mask, "\1\2\3\4", 4);
    }
    put(t, &r);
}

void put_frame(struct script_tape *t, enum side from, unsigned first,
               struct bytes payload)
{
    put_piece(t, from, first, payload.len, payload);
}

void put_text(struct script_tape *t, enum side from, const char *text)
{
    put_frame(t, from, WIRE_FIN | WIRE_OP_TEXT, bytes_of(text));
}

void put_more(struct script_tape *t, enum side from, struct bytes payload)
{
    struct capture_record r = { .type = CAPTURE_MORE };

    r.u.more.from = from;
    r.u.more.payload = payload;
    put(t, &r);
}

static void copy_but(struct script_tape *t, size_t index)
{
    struct bytes all = tape_bytes(&t->tape);

    assert_int_equal(buf_put(&t->bytes, bytes_first(all, t->tape.starts[index])), 0);
    assert_int_equal(buf_put(&t->bytes, bytes_from(all, t->tape.starts[index + 1])), 0);
}

void cut_record(struct script_tape *t, size_t index)
{
    copy_but(t, index);
}

void damage_record(struct script_tape *t, size_t index)
{
    assert_int_equal(buf_put(&t->bytes, tape_bytes(&t->tape)), 0);
    t->bytes.at[t->tape.starts[index + 1] - 1] ^= 0x55;
}

/* ---- the script as lines ---- */

static void say(struct script_tape *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct script_tape *t, const char *format, ...)
{
    char words[256];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    assert_int_equal(buf_put_text(&t->lines, words), 0);
}

static void say_bytes(struct script_tape *t, struct bytes in)
{
    say(t, " \"");
    assert_int_equal(text_put_escaped(&t->lines, in, 40), 0);
    say(t, "\"");
}

static void say_index(struct script_tape *t, const char *name, uint32_t index)
{
    if (index != REPLAY_NONE) {
        say(t, " %s%" PRIu32, name, index);
    }
}

static const char *arrow(uint8_t from)
{
    return from == CLIENT ? "c>s" : "s>c";
}

static void say_step(struct script_tape *t, uint32_t i, const struct replay_step *s)
{
    static const char *const kinds[] = { "request", "response", "body",
                                         "frame",   "raw",      "end" };

    say(t, "%" PRIu32 " %s %s", i, arrow(s->from), kinds[s->kind]);
    if (s->kind == REPLAY_FRAME) {
        say(t, " %02x %" PRIu64, s->first, s->payload_len);
        assert_int_equal(s->masked, s->from == CLIENT);
        assert_int_equal(s->mask[2], s->masked ? 3 : 0);
        assert_int_equal(s->form, wire_frame_form(s->payload_len));
    }
    if (s->kind == REPLAY_BODY && s->payload_len != s->bytes.len) {
        say(t, " of %" PRIu64, s->payload_len);
    }
    if (s->kind == REPLAY_END) {
        say(t, " %d", s->end);
    }
    say_index(t, "x", s->exchange);
    say_index(t, "m", s->message);
    if (s->bytes.len > 0) {
        say_bytes(t, s->kind == REPLAY_REQUEST || s->kind == REPLAY_RESPONSE
                         ? bytes_first(s->bytes, 12)
                         : s->bytes);
    }
    say(t, "\n");
}

static void say_message(struct script_tape *t, uint32_t i,
                        const struct replay_message *m)
{
    say(t, "m%" PRIu32 " %s %s #%" PRIu64, i, arrow(m->from),
        m->opcode == WIRE_OP_TEXT ? "text" : "binary", m->number);
    say(t, " %" PRIu32 "..%" PRIu32, m->step, m->last_step);
    if (m->fragments > 1) {
        say(t, " in %" PRIu32, m->fragments);
    }
    say_index(t, "next m", m->next);
    say(t, "%s", m->compressed ? " compressed" : "");
    if (m->whole) {
        say_bytes(t, m->payload);
    } else {
        assert_int_equal(m->payload.len, 0);
        say(t, " not whole");
    }
    say(t, "\n");
}

static void say_exchange(struct script_tape *t, uint32_t i,
                         const struct replay_exchange *x)
{
    say(t, "x%" PRIu32 " %.*s %.*s %u", i, (int)x->method.len,
        (const char *)x->method.at, (int)x->target.len, (const char *)x->target.at,
        x->status);
    say_index(t, "at ", x->request);
    say_index(t, "first ", x->first_response);
    say_index(t, "final ", x->response);
    say(t, "%s%s%s%s%s%s%s\n", x->asks ? " asks" : "", x->agrees ? " agrees" : "",
        x->tunnel ? " tunnel" : "", x->by_wstape ? " by-wstape" : "",
        x->incomplete ? " incomplete" : "", x->cut ? " cut" : "",
        x->asked_cut ? " asked-cut" : "");
}

static void say_connection(struct script_tape *t, const struct replay_connection *c)
{
    uint64_t count[2] = { 0, 0 };

    say(t, "connection %" PRIu32 " %" PRId64 "..%" PRId64 "ms", c->number,
        c->opened_ns / 1000000, c->ended_ns / 1000000);
    say_index(t, "handshake x", c->handshake);
    say(t, "%s\n", c->deflate.agreed ? " deflate" : "");
    for (uint32_t i = 0; i < c->step_count; i++) {
        say_step(t, i, &c->steps[i]);
    }
    for (uint32_t i = 0; i < c->message_count; i++) {
        say_message(t, i, &c->messages[i]);
        count[c->messages[i].from]++;
    }
    for (uint32_t i = 0; i < c->exchange_count; i++) {
        say_exchange(t, i, &c->exchanges[i]);
    }
    assert_int_equal(count[CLIENT], c->count[CLIENT]);
    assert_int_equal(count[SERVER], c->count[SERVER]);
}

/* The links from message to message reach each of a side, in order. */
static void check_links(const struct replay_connection *c)
{
    for (int side = CLIENT; side <= SERVER; side++) {
        uint32_t last = REPLAY_NONE;
        uint64_t seen = 0;

        for (uint32_t i = c->first[side]; i != REPLAY_NONE; i = c->messages[i].next) {
            assert_int_equal(c->messages[i].from, side);
            assert_int_equal(c->messages[i].number, ++seen);
            last = i;
        }
        assert_int_equal(last, c->last[side]);
        assert_int_equal(seen, c->count[side]);
    }
}

int load(const struct script_tape *t, uint64_t limit, struct replay_script **out,
         struct err *e)
{
    struct memory_source memory = { .bytes = t->bytes.len > 0 ? buf_bytes(&t->bytes)
                                                              : tape_bytes(&t->tape) };
    struct capture_source source = memory_source(&memory);
    struct capture_reader *reader;
    int r = capture_reader_new(&source, &reader, e);

    if (r == 0) {
        r = replay_script_read(reader, limit, NULL, NULL, out, e);
        capture_reader_free(reader);
    }
    return r;
}

void expect_script(struct script_tape *t, const char *lines)
{
    struct replay_script *s = NULL;
    struct err e;

    assert_int_equal(load(t, REPLAY_SCRIPT_MAX, &s, &e), 0);
    assert(s != NULL);
    for (size_t i = 0; i < s->count; i++) {
        say_connection(t, &s->connections[i]);
        check_links(&s->connections[i]);
    }
    if (s->damaged > 0) {
        say(t, "damaged %" PRIu64 "\n", s->damaged);
    }
    say(t, "%s", s->torn ? "torn\n" : "");
    assert_int_equal(buf_put_byte(&t->lines, '\0'), 0);
    assert_string_equal((const char *)t->lines.at, lines);
    buf_clear(&t->lines);
    replay_script_free(s);
}
