#include "tests/unit/timeline/transcript.h"

#include "base/text.h"
#include "wire/frame.h"
#include "wire/lint.h"
#include "wire/mask.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

/* ---- moments as lines ---- */

static void put(struct transcript *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct transcript *t, const char *format, ...)
{
    char words[256];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    assert_int_equal(buf_put_text(&t->lines, words), 0);
}

static void put_start(struct transcript *t, uint32_t connection, enum side from)
{
    if (connection != 1) {
        put(t, "%u ", (unsigned)connection);
    }
    put(t, "%s ", from == CLIENT ? "c>s" : "s>c");
}

static void put_bytes(struct transcript *t, struct bytes in)
{
    put(t, " \"");
    assert_int_equal(text_put_escaped(&t->lines, in, in.len), 0);
    put(t, "\"");
}

static void put_faults(struct transcript *t, uint32_t faults)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        if ((faults >> bit & 1U) != 0) {
            put(t, " !%s", wire_fault_name(bit));
        }
    }
}

static void put_flag(struct transcript *t, bool on, const char *word)
{
    put(t, "%s%s", on ? " " : "", on ? word : "");
}

static const char *coding_word(enum capture_coding c)
{
    switch (c) {
    case CAPTURE_PLAIN:
        return "";
    case CAPTURE_INFLATED:
        return " inflated";
    case CAPTURE_CODED_INCOMPLETE:
        return " coded-incomplete";
    case CAPTURE_CODED_LOST:
        return " coded-lost";
    case CAPTURE_CODED_CORRUPT:
        return " coded-corrupt";
    case CAPTURE_CODED_LARGE:
        return " coded-large";
    case CAPTURE_CODED_UNKNOWN:
        return " coded-unknown";
    case CAPTURE_CODED_NO_HANDSHAKE:
        return " coded-no-handshake";
    }
    return "?";
}

static void put_message(struct transcript *t, uint32_t connection,
                        const struct capture_message *m)
{
    put_start(t, connection, m->from);
    put(t, "op %u", capture_message_opcode(m));
    if (m->number > 0) {
        put(t, " #%" PRIu64, m->number);
    }
    put(t, " %" PRIu64, m->size);
    if (capture_coding_text(m->coding) == NULL) {
        put_bytes(t, m->payload);
    }
    if (m->fragments > 1) {
        put(t, " in %u", (unsigned)m->fragments);
    }
    put(t, "%s", coding_word(m->coding));
    put_faults(t, m->faults);
    put_flag(t, m->incomplete, "incomplete");
    put_flag(t, m->cut, "cut");
    put_flag(t, m->over, "over");
    put_flag(t, m->withheld, "withheld");
    put(t, "\n");
}

static void put_body(struct transcript *t, uint32_t connection,
                     const struct capture_body *b)
{
    put_start(t, connection, b->from);
    put(t, "body %u %" PRIu64 "/%" PRIu64, (unsigned)b->exchange, b->size,
        b->wire_size);
    put_bytes(t, b->bytes);
    put_flag(t, b->malformed, "malformed");
    put_flag(t, b->incomplete, "incomplete");
    put_flag(t, b->cut, "cut");
    put(t, "\n");
}

static void put_exchange(struct transcript *t, uint32_t connection,
                         const struct capture_exchange *e)
{
    put(t, "%.*s %.*s = %u", (int)e->method.len, (const char *)e->method.at,
        (int)e->target.len, (const char *)e->target.at, e->status);
    put(t, " up %" PRIu64 " down %" PRIu64, e->sent, e->size);
    put_flag(t, connection != 1, "elsewhere");
    put_flag(t, e->by_wstape, "by-wstape");
    put_flag(t, e->upgraded, "upgraded");
    put_flag(t, e->incomplete, "incomplete");
    put(t, "\n");
}

static void put_record(struct transcript *t, const struct capture_record *r)
{
    switch (r->type) {
    case CAPTURE_REQUEST:
    case CAPTURE_RESPONSE:
        return; /* the test has just fed it */
    case CAPTURE_MORE:
        put_start(t, r->connection, r->u.more.from);
        put(t, "stray");
        put_bytes(t, r->u.more.payload);
        break;
    case CAPTURE_END:
        put(t, "end %s %d%s", side_name(r->u.end.side), (int)r->u.end.kind,
            r->u.end.by_wstape != 0 ? " by wstape" : "");
        break;
    case CAPTURE_OPEN:
    case CAPTURE_UPSTREAM:
    case CAPTURE_BODY:
    case CAPTURE_FRAME:
    case CAPTURE_RAW:
    case CAPTURE_SENT:
    case CAPTURE_FAULT:
    case CAPTURE_NOTE:
    case CAPTURE_GAP:
    case CAPTURE_CHECKPOINT:
    case CAPTURE_SUMMARY:
        put(t, "record %d of %u", (int)r->type, (unsigned)r->connection);
        break;
    }
    put(t, "\n");
}

static int moment(void *owner, const struct capture_moment *m)
{
    static const char *const stretches[] = {
        [CAPTURE_MOMENT_DAMAGE] = "damage",
        [CAPTURE_MOMENT_MISSING] = "missing",
        [CAPTURE_MOMENT_TORN] = "torn",
    };
    struct transcript *t = owner;

    switch (m->kind) {
    case CAPTURE_MOMENT_RECORD:
        put_record(t, m->u.record);
        return 0;
    case CAPTURE_MOMENT_MESSAGE:
        put_message(t, m->connection, m->u.message);
        return 0;
    case CAPTURE_MOMENT_DELIVERED:
        put(t, "[%.*s] ", (int)m->u.delivered.cause.len,
            m->u.delivered.cause.len > 0 ? (const char *)m->u.delivered.cause.at : "");
        put_message(t, m->connection, m->u.delivered.message);
        return 0;
    case CAPTURE_MOMENT_BODY:
        put_body(t, m->connection, m->u.body);
        return 0;
    case CAPTURE_MOMENT_EXCHANGE:
        put_exchange(t, m->connection, m->u.exchange);
        return 0;
    case CAPTURE_MOMENT_DAMAGE:
    case CAPTURE_MOMENT_MISSING:
    case CAPTURE_MOMENT_TORN:
        put(t, "%s %" PRIu64 "+%" PRIu64 "\n", stretches[m->kind], m->u.stretch.offset,
            m->u.stretch.len);
        return 0;
    }
    return 0;
}

/* ---- the transcript ---- */

void transcript_init(struct transcript *t)
{
    *t = (struct transcript){
        .connection = 1,
        .config = { .message_keep = SIZE_MAX,
                    .body_keep = SIZE_MAX,
                    .limit = 1 << 20,
                    .moment = moment,
                    .owner = t },
    };
}

void transcript_deinit(struct transcript *t)
{
    capture_timeline_free(t->timeline);
    buf_deinit(&t->lines);
}

void expect(struct transcript *t, const char *lines)
{
    assert_int_equal(buf_put_byte(&t->lines, '\0'), 0);
    assert_string_equal((const char *)t->lines.at, lines);
    buf_clear(&t->lines);
}

static void feed_item(struct transcript *t, const struct capture_item *item)
{
    if (t->result == 0 && t->timeline == NULL) {
        t->result = capture_timeline_new(&t->config, &t->timeline);
    }
    if (t->result == 0) {
        t->result = capture_timeline_feed(t->timeline, item);
    }
}

void feed(struct transcript *t, struct capture_record *r)
{
    struct capture_item item = { .event = CAPTURE_EVENT_RECORD };

    r->time_ns = t->now_ns;
    t->now_ns += 1000000;
    item.record = *r;
    feed_item(t, &item);
}

static void head(struct transcript *t, enum capture_type type, uint32_t exchange,
                 const char *text)
{
    struct capture_record r = { .type = type, .connection = t->connection };

    r.u.head.exchange = exchange;
    r.u.head.bytes = bytes_of(text);
    feed(t, &r);
}

void request(struct transcript *t, uint32_t exchange, const char *text)
{
    head(t, CAPTURE_REQUEST, exchange, text);
}

void response(struct transcript *t, uint32_t exchange, const char *text)
{
    head(t, CAPTURE_RESPONSE, exchange, text);
}

void body_cut(struct transcript *t, uint32_t exchange, enum side from, const char *wire,
              uint64_t unseen)
{
    struct capture_record r = { .type = CAPTURE_BODY, .connection = t->connection };

    r.u.body.from = from;
    r.u.body.exchange = exchange;
    r.u.body.bytes = bytes_of(wire);
    r.u.body.wire_len = r.u.body.bytes.len + unseen;
    feed(t, &r);
}

void body(struct transcript *t, uint32_t exchange, enum side from, const char *wire)
{
    body_cut(t, exchange, from, wire, 0);
}

void shake(struct transcript *t, const char *extensions)
{
    char text[512];

    request(t, 1,
            "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n");
    snprintf(text, sizeof(text),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\n"
             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n%s%s\r\n\r\n",
             extensions == NULL ? "X-None: 1" : "Sec-WebSocket-Extensions: ",
             extensions == NULL ? "" : extensions);
    response(t, 1, text);
    buf_clear(&t->lines);
}

void frame_start(struct transcript *t, enum side from, uint8_t first, uint64_t len,
                 struct bytes payload)
{
    struct capture_record r = { .type = CAPTURE_FRAME, .connection = t->connection };

    r.u.frame.from = from;
    r.u.frame.frame = (struct capture_frame){ .first = first,
                                              .form = wire_frame_form(len),
                                              .masked = from == CLIENT,
                                              .payload_len = len,
                                              .payload = payload };
    feed(t, &r);
}

void frame(struct transcript *t, enum side from, uint8_t first, struct bytes payload)
{
    frame_start(t, from, first, payload.len, payload);
}

void more(struct transcript *t, enum side from, struct bytes payload)
{
    struct capture_record r = { .type = CAPTURE_MORE, .connection = t->connection };

    r.u.more.from = from;
    r.u.more.payload = payload;
    feed(t, &r);
}

void sent(struct transcript *t, enum side to, const char *bytes)
{
    struct capture_record r = { .type = CAPTURE_SENT, .connection = t->connection };

    r.u.sent.to = to;
    r.u.sent.bytes = bytes_of(bytes);
    feed(t, &r);
}

void sent_frames(struct transcript *t, enum side to, const char *cause,
                 struct bytes wire)
{
    struct capture_record r = { .type = CAPTURE_SENT, .connection = t->connection };

    r.u.sent.to = to;
    r.u.sent.cause = bytes_of(cause);
    r.u.sent.bytes = wire;
    feed(t, &r);
}

size_t put_wire(uint8_t *out, enum side from, uint8_t first, struct bytes payload)
{
    struct wire_frame f = { .first = first,
                            .form = wire_frame_form(payload.len),
                            .payload_len = payload.len,
                            .masked = from == CLIENT,
                            .mask = { 0x11, 0x22, 0x33, 0x44 } };
    size_t len = wire_frame_encode(&f, out);

    memcpy(out + len, payload.at, payload.len);
    if (f.masked) {
        wire_mask(f.mask, 0, out + len, out + len, payload.len);
    }
    return len + payload.len;
}

void end(struct transcript *t, enum side side, enum capture_end kind, bool by_wstape)
{
    struct capture_record r = { .type = CAPTURE_END, .connection = t->connection };

    r.u.end.side = side;
    r.u.end.kind = kind;
    r.u.end.by_wstape = by_wstape;
    feed(t, &r);
}

void stretch(struct transcript *t, enum capture_event event, uint64_t offset,
             uint64_t len)
{
    struct capture_item item = { .event = event, .offset = offset, .len = len };

    feed_item(t, &item);
}

void finish(struct transcript *t, uint64_t torn)
{
    struct capture_item item = { .event = CAPTURE_EVENT_END, .offset = 9, .len = torn };

    if (t->result == 0 && t->timeline != NULL) {
        t->result = capture_timeline_finish(t->timeline, &item);
    }
}

/* ---- a peer's compressor ---- */

struct deflater {
    z_stream z;
    uint8_t out[1 << 16];
};

struct deflater *deflater_new(void)
{
    struct deflater *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    assert_int_equal(
        deflateInit2(&d->z, Z_BEST_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY),
        Z_OK);
    return d;
}

void deflater_free(struct deflater *d)
{
    deflateEnd(&d->z);
    free(d);
}

struct bytes deflate_text(struct deflater *d, const char *text, bool fresh)
{
    if (fresh) {
        assert_int_equal(deflateReset(&d->z), Z_OK);
    }
    d->z.next_in = (uint8_t *)(uintptr_t)text;
    d->z.avail_in = (unsigned)strlen(text);
    d->z.next_out = d->out;
    d->z.avail_out = sizeof(d->out);
    assert_int_equal(deflate(&d->z, Z_SYNC_FLUSH), Z_OK);
    assert_true(d->z.avail_out > 0);
    return bytes_make(d->out, sizeof(d->out) - d->z.avail_out - 4);
}
