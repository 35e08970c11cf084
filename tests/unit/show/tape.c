#include "tests/unit/show/tape.h"

#include "base/clock.h"
#include "wire/frame.h"
#include "wire/mask.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void tape_new(struct tape *t, const char *path)
{
    struct capture_writer_config c = {
        .header = { .version = CAPTURE_VERSION,
                    .id = 0x5eed1234,
                    .wall_ns = INT64_C(1795132800123000000),
                    .origin_ns = 0,
                    .program = bytes_of("wstape test"),
                    .listen = bytes_of("ws://127.0.0.1:8001/"),
                    .upstream = bytes_of("ws://127.0.0.1:8000/"),
                    .seed = 42 },
    };
    struct err e;

    *t = (struct tape){ 0 };
    unlink(path);
    assert(capture_file_create(path, &t->sink, &e) == 0);
    c.sink = t->sink;
    assert(capture_writer_new(&c, 0, &t->writer) == 0);
}

void tape_at(struct tape *t, double ms)
{
    t->now_ns = (int64_t)(ms * 1e6);
}

void tape_abandon(struct tape *t)
{
    assert(capture_writer_flush(t->writer, t->now_ns) == 0);
    capture_writer_free(t->writer);
    assert(capture_file_close(&t->sink) == 0);
}

void tape_finish(struct tape *t, const char *reason)
{
    assert(capture_writer_finish(t->writer, t->now_ns, t->connections, reason) == 0);
    capture_writer_free(t->writer);
    assert(capture_file_close(&t->sink) == 0);
}

void tape_put(struct tape *t, struct capture_record *r)
{
    r->time_ns = t->now_ns;
    assert(capture_encode(capture_writer_block(t->writer), r, NULL) == 0);
    assert(capture_writer_flush(t->writer, t->now_ns) == 0);
}

uint32_t tape_open(struct tape *t, const char *client)
{
    struct capture_record open = { .type = CAPTURE_OPEN };
    struct capture_record upstream = { .type = CAPTURE_UPSTREAM };

    open.connection = upstream.connection = ++t->connections;
    open.u.open.client = bytes_of(client);
    open.u.open.listen = bytes_of("127.0.0.1:8001");
    upstream.u.upstream.address = bytes_of("127.0.0.1:8000");
    tape_put(t, &open);
    tape_put(t, &upstream);
    return t->connections;
}

static void head(struct tape *t, enum capture_type type, uint32_t connection,
                 uint32_t exchange, const char *text)
{
    struct capture_record r = { .type = type, .connection = connection };

    r.u.head.exchange = exchange;
    r.u.head.bytes = bytes_of(text);
    tape_put(t, &r);
}

void tape_request(struct tape *t, uint32_t connection, uint32_t exchange,
                  const char *text)
{
    head(t, CAPTURE_REQUEST, connection, exchange, text);
}

void tape_response(struct tape *t, uint32_t connection, uint32_t exchange,
                   const char *text)
{
    head(t, CAPTURE_RESPONSE, connection, exchange, text);
}

void tape_body(struct tape *t, uint32_t connection, uint32_t exchange, enum side from,
               const char *text)
{
    struct capture_record r = { .type = CAPTURE_BODY, .connection = connection };

    r.u.body.from = from;
    r.u.body.exchange = exchange;
    r.u.body.bytes = bytes_of(text);
    r.u.body.wire_len = r.u.body.bytes.len;
    tape_put(t, &r);
}

uint32_t tape_websocket(struct tape *t, const char *client, const char *target,
                        const char *extensions)
{
    uint32_t connection = tape_open(t, client);
    char text[512];

    snprintf(text, sizeof(text),
             "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
             target);
    tape_request(t, connection, 1, text);
    t->now_ns += CLOCK_NS_PER_MS;
    snprintf(text, sizeof(text),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\n"
             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n%s%s%s\r\n",
             extensions == NULL ? "" : "Sec-WebSocket-Extensions: ",
             extensions == NULL ? "" : extensions, extensions == NULL ? "" : "\r\n");
    tape_response(t, connection, 1, text);
    return connection;
}

void tape_frame(struct tape *t, uint32_t connection, enum side from, uint8_t first,
                struct bytes payload, uint32_t faults)
{
    struct capture_record r = { .type = CAPTURE_FRAME, .connection = connection };
    struct capture_frame *f = &r.u.frame.frame;

    r.u.frame.from = from;
    f->first = first;
    f->form = wire_frame_form(payload.len);
    f->masked = from == CLIENT;
    if (f->masked) {
        memcpy(f->mask, "\x01\x02\x03\x04", 4);
    }
    f->payload_len = payload.len;
    f->faults = faults;
    f->payload = payload;
    tape_put(t, &r);
}

void tape_text(struct tape *t, uint32_t connection, enum side from, const char *text)
{
    tape_frame(t, connection, from, WIRE_FIN | WIRE_OP_TEXT, bytes_of(text), 0);
}

void tape_close_frame(struct tape *t, uint32_t connection, enum side from,
                      unsigned code, const char *reason)
{
    uint8_t payload[125] = { (uint8_t)(code >> 8), (uint8_t)code };
    size_t len = strlen(reason);

    assert(len <= sizeof(payload) - 2);
    memcpy(payload + 2, reason, len);
    tape_frame(t, connection, from, WIRE_FIN | WIRE_OP_CLOSE,
               bytes_make(payload, len + 2), 0);
}

void tape_end(struct tape *t, uint32_t connection, enum side side,
              enum capture_end kind, bool by_wstape, const char *text)
{
    struct capture_record r = { .type = CAPTURE_END, .connection = connection };

    r.u.end.side = side;
    r.u.end.kind = kind;
    r.u.end.by_wstape = by_wstape;
    r.u.end.text = bytes_of(text);
    tape_put(t, &r);
}

void tape_fault(struct tape *t, uint32_t connection, const struct tape_fault *f)
{
    struct capture_record r = { .type = CAPTURE_FAULT, .connection = connection };

    r.u.fault.from = f->from;
    r.u.fault.opcode = f->opcode;
    r.u.fault.message = f->message;
    r.u.fault.rule = bytes_of(f->rule);
    r.u.fault.action = bytes_of(f->action);
    r.u.fault.applied = f->why == NULL;
    r.u.fault.drawn = f->draw >= 0;
    r.u.fault.draw = f->draw >= 0 ? (uint64_t)(f->draw * 0x1p53) : 0;
    r.u.fault.text = bytes_of(f->why == NULL ? "" : f->why);
    tape_put(t, &r);
}

void tape_sent(struct tape *t, uint32_t connection, enum side to, const char *cause,
               struct bytes bytes)
{
    struct capture_record r = { .type = CAPTURE_SENT, .connection = connection };

    r.u.sent.to = to;
    r.u.sent.cause = bytes_of(cause);
    r.u.sent.bytes = bytes;
    tape_put(t, &r);
}

void tape_sent_frame(struct tape *t, uint32_t connection, enum side to,
                     const char *cause, uint8_t first, struct bytes payload)
{
    struct wire_frame f = { .first = first,
                            .form = wire_frame_form(payload.len),
                            .payload_len = payload.len,
                            .masked = to == SERVER,
                            .mask = { 0xa, 0xb, 0xc, 0xd } };
    uint8_t wire[512];
    size_t len = wire_frame_encode(&f, wire);

    assert(len + payload.len <= sizeof(wire));
    memcpy(wire + len, payload.at, payload.len);
    if (f.masked) {
        wire_mask(f.mask, 0, wire + len, wire + len, payload.len);
    }
    tape_sent(t, connection, to, cause, bytes_make(wire, len + payload.len));
}
