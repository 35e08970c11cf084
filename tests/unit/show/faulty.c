/* The tape of a session that rules broke, as the proxy writes it. */
#include "tests/unit/show/tape.h"
#include "wire/deflate.h"
#include "wire/frame.h"

#include <assert.h>

enum {
    TEXT = WIRE_FIN | WIRE_OP_TEXT,
    CODED = WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT,
    LAST = WIRE_FIN | WIRE_OP_CONTINUATION,
    CLOSE = WIRE_FIN | WIRE_OP_CLOSE,
};

static void hit(struct tape *t, uint32_t c, enum side from, uint64_t message,
                const char *rule, const char *action)
{
    const struct tape_fault f = { .from = from,
                                  .opcode = WIRE_OP_TEXT,
                                  .message = message,
                                  .rule = rule,
                                  .action = action,
                                  .draw = -1 };

    tape_fault(t, c, &f);
}

static void tell_refusal(struct tape *t)
{
    const struct tape_fault f = { .rule = "backend starts late",
                                  .action = "refuse",
                                  .draw = -1 };

    tape_fault(t, 0, &f);
}

static void edit(struct tape *t, uint32_t c)
{
    static const char rule[] = "tool events lose their tool";
    struct tape_fault f = { .from = SERVER,
                            .opcode = WIRE_OP_TEXT,
                            .rule = rule,
                            .action = "drop_field",
                            .message = 1,
                            .draw = 0.125 };

    tape_text(t, c, SERVER,
              "{\"type\":\"tool_executing\",\"tool_name\":\"read\",\"n\":1}");
    tape_fault(t, c, &f);
    tape_sent_frame(t, c, CLIENT, rule, TEXT,
                    bytes_of("{\"type\":\"tool_executing\",\"n\":1}"));
    tape_at(t, 310);
    tape_text(t, c, SERVER, "tool_executing, but no JSON");
    f.message = 2;
    f.why = "the message is not JSON";
    f.draw = 0.25;
    tape_fault(t, c, &f);
}

static void lose(struct tape *t, uint32_t c)
{
    struct tape_fault late = { .from = SERVER,
                               .opcode = WIRE_OP_TEXT,
                               .message = 3,
                               .rule = "late",
                               .action = "delay",
                               .draw = -1 };

    tape_text(t, c, SERVER, "comes later");
    tape_fault(t, c, &late);
    tape_text(t, c, SERVER, "never arrives");
    hit(t, c, SERVER, 4, "lost", "drop");
    tape_text(t, c, CLIENT, "said once");
    hit(t, c, CLIENT, 1, "echo", "duplicate");
    tape_sent_frame(t, c, SERVER, "echo", TEXT, bytes_of("said once"));
    tape_sent_frame(t, c, SERVER, "echo", TEXT, bytes_of("said once"));
    tape_text(t, c, CLIENT, "unharmed");
}

static void shape(struct tape *t, uint32_t c)
{
    tape_at(t, 500);
    tape_text(t, c, SERVER, "{\"n\":5}");
    hit(t, c, SERVER, 5, "count", "set_field");
    hit(t, c, SERVER, 5, "pieces", "fragment");
    tape_sent_frame(t, c, CLIENT, "count", WIRE_OP_TEXT, bytes_of("{\"n\""));
    tape_sent_frame(t, c, CLIENT, "count", LAST, bytes_of(":6}"));
    tape_text(t, c, SERVER, "wrong bits");
    hit(t, c, SERVER, 6, "odd \x1b[31mname", "violate");
    tape_sent_frame(t, c, CLIENT, "odd \x1b[31mname", TEXT | WIRE_RSV2,
                    bytes_of("wrong bits"));
}

static void break_off(struct tape *t, uint32_t c)
{
    static const char rule[] = "gateway breaks mid-stream";

    tape_at(t, 700);
    tape_text(t, c, SERVER, "{\"type\":\"agent_thinking\"}");
    hit(t, c, SERVER, 7, rule, "close");
    tape_sent_frame(t, c, CLIENT, rule, CLOSE, bytes_of("\x03\xf3Internal error"));
    tape_sent_frame(t, c, SERVER, rule, CLOSE, bytes_of("\x03\xe9"));
    tape_text(t, c, SERVER, "too late");
    tape_close_frame(t, c, CLIENT, 1011, "Internal error");
    tape_end(t, c, CLIENT, CAPTURE_END_FIN, false, "");
    tape_end(t, c, SERVER, CAPTURE_END_FAULT, true, "");
}

static void tell_edited(struct tape *t)
{
    uint32_t c = tape_websocket(t, "127.0.0.1:50001", "/ws/test", NULL);

    tape_at(t, 300);
    edit(t, c);
    lose(t, c);
    shape(t, c);
    break_off(t, c);
}

struct compressed {
    struct tape *tape;
    uint32_t connection;
    struct wire_deflate *backend, *ours;
};

/* A message arrives. */
static void arrives(const struct compressed *m, const char *text)
{
    struct buf coded = { 0 };

    assert(wire_deflate_message(m->backend, bytes_of(text), &coded) == 0);
    tape_frame(m->tape, m->connection, SERVER, CODED, buf_bytes(&coded), 0);
    buf_deinit(&coded);
}

/* It leaves, compressed anew. */
static void leaves(const struct compressed *m, const char *cause, const char *text)
{
    struct buf coded = { 0 };

    assert(wire_deflate_message(m->ours, bytes_of(text), &coded) == 0);
    tape_sent_frame(m->tape, m->connection, CLIENT, cause, CODED, buf_bytes(&coded));
    buf_deinit(&coded);
}

static void tell_compressed(struct tape *t)
{
    struct compressed m = {
        .tape = t,
        .connection = tape_websocket(t, "127.0.0.1:50002", "/ws", "permessage-deflate"),
        .backend = wire_deflate_new(15, false),
        .ours = wire_deflate_new(15, false),
    };

    assert(m.backend != NULL && m.ours != NULL);
    arrives(&m, "first of a kind");
    arrives(&m, "second of a kind");
    hit(t, m.connection, SERVER, 2, "lost", "drop");
    arrives(&m, "third of a kind");
    leaves(&m, "recompressed", "third of a kind");
    arrives(&m, "fourth of a kind");
    hit(t, m.connection, SERVER, 4, "other words", "replace");
    leaves(&m, "other words", "another of a kind");
    wire_deflate_free(m.backend);
    wire_deflate_free(m.ours);
}

static void tell_status(struct tape *t)
{
    const struct tape_fault f = {
        .from = CLIENT, .rule = "busy", .action = "status", .draw = 0.0625
    };
    uint32_t c = tape_open(t, "127.0.0.1:50003");

    tape_request(t, c, 1, "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n");
    tape_fault(t, c, &f);
    tape_sent(t, c, CLIENT, "busy",
              bytes_of("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                       "Connection: close\r\n\r\n"));
    tape_end(t, c, CLIENT, CAPTURE_END_FAULT, true, "");
    tape_end(t, c, SERVER, CAPTURE_END_FAULT, true, "");
}

/* No rule, but wstape speaks all the same. */
static void tell_stop(struct tape *t)
{
    uint32_t c = tape_websocket(t, "127.0.0.1:50004", "/ws", NULL);

    tape_text(t, c, SERVER, "last words");
    tape_sent_frame(t, c, CLIENT, "wstape stops", CLOSE, bytes_of("\x03\xe9"));
    tape_sent_frame(t, c, SERVER, "wstape stops", CLOSE, bytes_of("\x03\xe9"));
    tape_end(t, c, CLIENT, CAPTURE_END_STOP, true, "");
    tape_end(t, c, SERVER, CAPTURE_END_STOP, true, "");
}

void tape_faulty(const char *path)
{
    struct tape t;

    tape_new(&t, path);
    tell_refusal(&t);
    tape_at(&t, 100);
    tell_edited(&t);
    tape_at(&t, 1000);
    tell_compressed(&t);
    tape_at(&t, 2000);
    tell_status(&t);
    tape_at(&t, 3000);
    tell_stop(&t);
    tape_finish(&t, "SIGINT");
}
