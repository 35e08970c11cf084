/* The tape of a session with something of everything but rules. */
#include "tests/unit/show/tape.h"
#include "wire/frame.h"
#include "wire/lint.h"

static void tell_websocket(struct tape *t)
{
    uint32_t c = tape_websocket(t, "127.0.0.1:50001", "/ws/test", NULL);

    tape_at(t, 5);
    tape_text(t, c, SERVER, "{\"type\":\"connection_established\",\"timestamp\":1}");
    tape_at(t, 20);
    tape_text(t, c, CLIENT,
              "{\"type\":\"chat_message\",\"message\":\"gr\u00fc\u00df dich\"}");
    tape_at(t, 120.5);
    tape_frame(t, c, SERVER, WIRE_OP_TEXT, bytes_of("{\"type\":\"agent_"), 0);
    tape_at(t, 121);
    tape_frame(t, c, SERVER, WIRE_FIN | WIRE_OP_PING, bytes_of("alive?"), 0);
    tape_at(t, 122);
    tape_frame(t, c, SERVER, WIRE_FIN, bytes_of("started\"}"), 0);
    tape_frame(t, c, CLIENT, WIRE_FIN | WIRE_OP_PONG, bytes_of("alive?"), 0);
    tape_frame(t, c, CLIENT, WIRE_FIN | WIRE_OP_BINARY,
               bytes_make("\x00\x01\xfe\xff", 4), 0);
    tape_close_frame(t, c, SERVER, 1011, "Internal error");
    tape_close_frame(t, c, CLIENT, 1011, "Internal error");
    tape_end(t, c, SERVER, CAPTURE_END_FIN, false, "");
    tape_end(t, c, CLIENT, CAPTURE_END_FIN, false, "");
}

static void tell_faults(struct tape *t)
{
    uint32_t c = tape_websocket(t, "[::1]:50002", "/ws?token=\x1b[31mred", NULL);

    tape_frame(t, c, CLIENT, WIRE_FIN | 11, bytes_of("?"), WIRE_FAULT_OPCODE);
    tape_frame(t, c, CLIENT, WIRE_FIN | WIRE_RSV2 | WIRE_OP_TEXT,
               bytes_of("\x1b]0;title\x07 \x9b"
                        "31m"),
               WIRE_FAULT_RSV | WIRE_FAULT_UTF8);
    tape_frame(t, c, CLIENT, WIRE_FIN | WIRE_OP_CLOSE, bytes_of("\x03"),
               WIRE_FAULT_CLOSE_LENGTH);
    tape_frame(t, c, SERVER, WIRE_OP_TEXT, bytes_of("never finished \u202e"), 0);
    tape_end(t, c, SERVER, CAPTURE_END_RESET, false, "connection reset by peer");
    tape_end(t, c, CLIENT, CAPTURE_END_RESET, true, "");
}

static void tell_deflate(struct tape *t)
{
    uint32_t c = tape_websocket(t, "127.0.0.1:50003", "/ws", "permessage-deflate");
    /* RFC 7692, 7.2.3.1 and 7.2.3.2: "Hello", and again with context. */
    struct bytes hello = bytes_make("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    struct bytes again = bytes_make("\xf2\x00\x11\x00\x00", 5);

    tape_frame(t, c, CLIENT, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, hello, 0);
    tape_frame(t, c, CLIENT, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, again, 0);
    tape_frame(t, c, SERVER, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT,
               bytes_of("\xff\xff\xff\xff"), 0);
}

static void tell_http(struct tape *t)
{
    uint32_t c = tape_open(t, "127.0.0.1:50004");

    tape_request(t, c, 1, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    t->now_ns += 12000000;
    tape_response(t, c, 1,
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  "Content-Length: 15\r\n\r\n");
    tape_body(t, c, 1, SERVER, "{\"status\":\"ok\"}");
    tape_request(t, c, 2,
                 "POST /upload HTTP/1.1\r\nHost: localhost\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n");
    tape_body(t, c, 2, CLIENT, "6\r\nline 1\r\n7\r\n\nline 2\r\n0\r\n\r\n");
    tape_response(t, c, 2, "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\n");
    tape_body(t, c, 2, SERVER, "\x01\x02\x1b\xff");
    tape_request(t, c, 3, "GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n");
    tape_end(t, c, CLIENT, CAPTURE_END_FIN, false, "");
    tape_end(t, c, SERVER, CAPTURE_END_FIN, false, "");
}

static void tell_refusal(struct tape *t)
{
    struct capture_record r = { .type = CAPTURE_OPEN, .connection = ++t->connections };
    uint32_t c = t->connections;

    r.u.open.client = bytes_of("127.0.0.1:50005");
    r.u.open.listen = bytes_of("127.0.0.1:8001");
    r.u.open.is_tls = 1;
    r.u.open.tls = (struct capture_tls){ .version = bytes_of("TLSv1.3"),
                                         .cipher = bytes_of("TLS_AES_256_GCM_SHA384"),
                                         .alpn = bytes_of("http/1.1"),
                                         .server_name = bytes_of("localhost") };
    tape_put(t, &r);
    tape_request(t, c, 1, "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n");
    r = (struct capture_record){ .type = CAPTURE_UPSTREAM, .connection = c };
    r.u.upstream.address = bytes_of("127.0.0.1:8000");
    r.u.upstream.error = bytes_of("connection refused");
    tape_put(t, &r);
    r = (struct capture_record){ .type = CAPTURE_SENT, .connection = c };
    r.u.sent.to = CLIENT;
    r.u.sent.cause = bytes_of("the backend refused the connection");
    r.u.sent.bytes =
        bytes_of("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}");
    tape_put(t, &r);
    tape_end(t, c, CLIENT, CAPTURE_END_REFUSED, true, "");
}

static void tell_rest(struct tape *t)
{
    uint32_t c = tape_open(t, "127.0.0.1:50006");
    struct capture_record r = { .type = CAPTURE_RAW, .connection = c };

    r.u.raw.from = CLIENT;
    r.u.raw.bytes = bytes_of("\x16\x03\x01 not HTTP");
    tape_put(t, &r);
    r = (struct capture_record){ .type = CAPTURE_NOTE, .connection = c };
    r.u.note.text = bytes_of("TLS on a plain port");
    tape_put(t, &r);
    r = (struct capture_record){ .type = CAPTURE_SENT, .connection = c };
    r.u.sent.to = SERVER;
    r.u.sent.cause = bytes_of("wstape stops");
    r.u.sent.bytes = bytes_make("\x88\x82\x01\x02\x03\x04\x02\xeb", 8);
    tape_put(t, &r);
    tape_end(t, c, CLIENT, CAPTURE_END_STOP, true, "");
    r = (struct capture_record){ .type = CAPTURE_GAP };
    r.u.gap.records = 3;
    r.u.gap.bytes = 300;
    r.u.gap.text = bytes_of("no space left on device");
    tape_put(t, &r);
}

void tape_session(const char *path)
{
    struct tape t;

    tape_new(&t, path);
    tell_websocket(&t);
    tape_at(&t, 1200);
    tell_faults(&t);
    tell_deflate(&t);
    tape_at(&t, 2500);
    tell_http(&t);
    tell_refusal(&t);
    tape_at(&t, 61000);
    tell_rest(&t);
    tape_finish(&t, "SIGINT");
}
