#include "tests/unit/captures/records.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOISE_LEN = 1 << 20 };

const enum capture_type record_types[RECORD_TYPES] = {
    CAPTURE_OPEN, CAPTURE_UPSTREAM,   CAPTURE_REQUEST, CAPTURE_RESPONSE,
    CAPTURE_BODY, CAPTURE_FRAME,      CAPTURE_MORE,    CAPTURE_RAW,
    CAPTURE_SENT, CAPTURE_FAULT,      CAPTURE_END,     CAPTURE_NOTE,
    CAPTURE_GAP,  CAPTURE_CHECKPOINT, CAPTURE_SUMMARY,
};

/* splitmix64 */
uint64_t chance_next(struct chance *c)
{
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t chance_below(struct chance *c, uint64_t limit)
{
    return chance_next(c) % limit;
}

static const uint8_t *noise(void)
{
    static uint8_t bytes[NOISE_LEN];
    static bool made;
    struct chance c = { 42 };

    for (size_t i = 0; !made && i < NOISE_LEN; i++) {
        bytes[i] = (uint8_t)chance_next(&c);
    }
    made = true;
    return bytes;
}

static uint64_t number(struct chance *c, uint64_t max)
{
    static const uint64_t edges[] = { 0,          1,
                                      23,         127,
                                      128,        255,
                                      256,        65535,
                                      65536,      INT32_MAX,
                                      UINT32_MAX, UINT64_C(1) << 32,
                                      INT64_MAX,  UINT64_C(1) << 63,
                                      UINT64_MAX };
    uint64_t v = edges[chance_below(c, sizeof(edges) / sizeof(edges[0]))];

    if (chance_below(c, 3) == 0) {
        v = chance_next(c);
    }
    return v > max ? max - v % 3 : v;
}

static uint32_t number32(struct chance *c)
{
    return (uint32_t)number(c, UINT32_MAX);
}

static size_t length(struct chance *c, size_t max)
{
    static const size_t edges[] = { 0, 1, 31, 32, 255, 256, 4095, 4096, 65535, 65536 };
    size_t len = edges[chance_below(c, sizeof(edges) / sizeof(edges[0]))];

    return len <= max ? len : (size_t)chance_below(c, max + 1);
}

static struct bytes some_bytes(struct chance *c, size_t max)
{
    size_t len = length(c, max);

    return bytes_make(noise() + chance_below(c, NOISE_LEN - len), len);
}

/* Nothing, words, or a peer's nonsense. */
static struct bytes some_text(struct chance *c)
{
    static const char words[] =
        "Zeichen für Zeichen: 文字, 😀, und noch viel mehr Worte, damit alle "
        "Längenformen "
        "eines msgpack str vorkommen: 31, 32, 255, 256 Bytes. Zeichen für Zeichen. Und "
        "noch viel mehr Worte, damit alle Längenformen eines msgpack str "
        "vorkommen.....";
    struct bytes all = bytes_make(words, sizeof(words) - 1);

    return chance_below(c, 4) == 0 ? some_bytes(c, 300)
                                   : bytes_first(all, length(c, all.len));
}

static enum side some_side(struct chance *c)
{
    return chance_below(c, 2) == 0 ? CLIENT : SERVER;
}

static void random_tls(struct chance *c, uint8_t *is_tls, struct capture_tls *out)
{
    *is_tls = chance_below(c, 2) == 0;
    if (*is_tls) {
        out->version = some_text(c);
        out->cipher = some_text(c);
        out->alpn = some_text(c);
        out->server_name = some_text(c);
    }
}

static void random_frame(struct chance *c, struct capture_frame *f, size_t payload_max)
{
    static const uint8_t forms[] = { 7, 16, 64 };

    f->first = (uint8_t)chance_next(c);
    f->form = forms[chance_below(c, 3)];
    f->faults = number32(c);
    f->payload = some_bytes(c, payload_max);
    f->payload_len = number(c, UINT64_MAX);
    if (f->payload_len < f->payload.len) {
        f->payload_len = f->payload.len;
    }
    f->masked = chance_below(c, 2) == 0;
    if (f->masked) {
        memcpy(f->mask, noise() + chance_below(c, 1000), sizeof(f->mask));
    }
}

static void random_http(struct chance *c, struct capture_record *r, size_t payload_max)
{
    if (r->type == CAPTURE_BODY) {
        r->u.body.from = some_side(c);
        r->u.body.exchange = number32(c);
        r->u.body.wire_len = number(c, UINT64_MAX);
        r->u.body.bytes = some_bytes(c, payload_max);
        return;
    }
    r->u.head.exchange = number32(c);
    r->u.head.bytes = some_bytes(c, payload_max);
    r->u.head.sent = some_bytes(c, payload_max);
}

static void random_ends(struct chance *c, struct capture_record *r)
{
    if (r->type == CAPTURE_END) {
        r->u.end.side = some_side(c);
        r->u.end.kind = (enum capture_end)(1 + chance_below(c, CAPTURE_END_FAULT));
        r->u.end.by_wstape = chance_below(c, 2) == 0;
        r->u.end.text = some_text(c);
    } else if (r->type == CAPTURE_SUMMARY) {
        r->u.summary.connections = number(c, UINT64_MAX);
        r->u.summary.records = number(c, UINT64_MAX);
        r->u.summary.text = some_text(c);
    } else if (r->type == CAPTURE_GAP) {
        r->u.gap.records = number(c, UINT64_MAX);
        r->u.gap.bytes = number(c, UINT64_MAX);
        r->u.gap.text = some_text(c);
    } else if (r->type == CAPTURE_NOTE) {
        r->u.note.text = some_text(c);
    }
}

static void random_fault(struct chance *c, struct capture_record *r)
{
    r->u.fault.from = some_side(c);
    r->u.fault.opcode = (uint8_t)chance_below(c, 16);
    r->u.fault.message = number(c, UINT64_MAX);
    r->u.fault.rule = some_text(c);
    r->u.fault.action = some_text(c);
    r->u.fault.applied = chance_below(c, 2) == 0;
    r->u.fault.drawn = chance_below(c, 2) == 0;
    r->u.fault.draw = number(c, UINT64_C(1) << 53);
    r->u.fault.text = some_text(c);
}

static void random_bytes(struct chance *c, struct capture_record *r, size_t payload_max)
{
    if (r->type == CAPTURE_MORE) {
        r->u.more.from = some_side(c);
        r->u.more.faults = number32(c);
        r->u.more.payload = some_bytes(c, payload_max);
    } else if (r->type == CAPTURE_RAW) {
        r->u.raw.from = some_side(c);
        r->u.raw.bytes = some_bytes(c, payload_max);
    } else if (r->type == CAPTURE_SENT) {
        r->u.sent.to = some_side(c);
        r->u.sent.cause = some_text(c);
        r->u.sent.bytes = some_bytes(c, payload_max);
    }
}

struct capture_record random_record(struct chance *c, enum capture_type type,
                                    size_t payload_max)
{
    struct capture_record r = { .type = type };

    r.connection = number32(c);
    r.time_ns = (int64_t)number(c, UINT64_MAX);
    switch (type) {
    case CAPTURE_OPEN:
        r.u.open.client = some_text(c);
        r.u.open.listen = some_text(c);
        random_tls(c, &r.u.open.is_tls, &r.u.open.tls);
        break;
    case CAPTURE_UPSTREAM:
        r.u.upstream.address = some_text(c);
        r.u.upstream.error = some_text(c);
        random_tls(c, &r.u.upstream.is_tls, &r.u.upstream.tls);
        break;
    case CAPTURE_REQUEST:
    case CAPTURE_RESPONSE:
    case CAPTURE_BODY:
        random_http(c, &r, payload_max);
        break;
    case CAPTURE_FRAME:
        r.u.frame.from = some_side(c);
        random_frame(c, &r.u.frame.frame, payload_max);
        break;
    case CAPTURE_MORE:
    case CAPTURE_RAW:
    case CAPTURE_SENT:
        random_bytes(c, &r, payload_max);
        break;
    case CAPTURE_END:
    case CAPTURE_NOTE:
    case CAPTURE_GAP:
    case CAPTURE_SUMMARY:
        random_ends(c, &r);
        break;
    case CAPTURE_FAULT:
        random_fault(c, &r);
        break;
    case CAPTURE_CHECKPOINT:
        break;
    }
    return r;
}

void set_payload(struct capture_record *r, struct bytes payload)
{
    if (r->type == CAPTURE_FRAME) {
        r->u.frame.frame.payload = payload;
        r->u.frame.frame.payload_len = payload.len;
    } else if (r->type == CAPTURE_MORE) {
        r->u.more.payload = payload;
    } else if (r->type == CAPTURE_RAW) {
        r->u.raw.bytes = payload;
    } else {
        assert_int_equal(r->type, CAPTURE_BODY);
        r->u.body.bytes = payload;
    }
}

/* ---- comparing ---- */

static void assert_bytes_equal(struct bytes a, struct bytes b)
{
    assert_int_equal(a.len, b.len);
    assert_true(bytes_equal(a, b));
}

static void assert_tls_equal(const struct capture_tls *a, const struct capture_tls *b)
{
    assert_bytes_equal(a->version, b->version);
    assert_bytes_equal(a->cipher, b->cipher);
    assert_bytes_equal(a->alpn, b->alpn);
    assert_bytes_equal(a->server_name, b->server_name);
}

static void assert_frame_equal(const struct capture_frame *a,
                               const struct capture_frame *b)
{
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->form, b->form);
    assert_int_equal(a->masked, b->masked);
    assert_memory_equal(a->mask, b->mask, sizeof(a->mask));
    assert_int_equal(a->payload_len, b->payload_len);
    assert_int_equal(a->faults, b->faults);
    assert_bytes_equal(a->payload, b->payload);
}

static void assert_connection_equal(const struct capture_record *a,
                                    const struct capture_record *b)
{
    if (a->type == CAPTURE_OPEN) {
        assert_bytes_equal(a->u.open.client, b->u.open.client);
        assert_bytes_equal(a->u.open.listen, b->u.open.listen);
        assert_int_equal(a->u.open.is_tls, b->u.open.is_tls);
        assert_tls_equal(&a->u.open.tls, &b->u.open.tls);
    } else {
        assert_bytes_equal(a->u.upstream.address, b->u.upstream.address);
        assert_bytes_equal(a->u.upstream.error, b->u.upstream.error);
        assert_int_equal(a->u.upstream.is_tls, b->u.upstream.is_tls);
        assert_tls_equal(&a->u.upstream.tls, &b->u.upstream.tls);
    }
}

static void assert_http_equal(const struct capture_record *a,
                              const struct capture_record *b)
{
    if (a->type == CAPTURE_BODY) {
        assert_int_equal(a->u.body.from, b->u.body.from);
        assert_int_equal(a->u.body.exchange, b->u.body.exchange);
        assert_int_equal(a->u.body.wire_len, b->u.body.wire_len);
        assert_bytes_equal(a->u.body.bytes, b->u.body.bytes);
    } else {
        assert_int_equal(a->u.head.exchange, b->u.head.exchange);
        assert_bytes_equal(a->u.head.bytes, b->u.head.bytes);
        assert_bytes_equal(a->u.head.sent, b->u.head.sent);
    }
}

static void assert_stream_equal(const struct capture_record *a,
                                const struct capture_record *b)
{
    if (a->type == CAPTURE_MORE) {
        assert_int_equal(a->u.more.from, b->u.more.from);
        assert_int_equal(a->u.more.faults, b->u.more.faults);
        assert_bytes_equal(a->u.more.payload, b->u.more.payload);
    } else if (a->type == CAPTURE_RAW) {
        assert_int_equal(a->u.raw.from, b->u.raw.from);
        assert_bytes_equal(a->u.raw.bytes, b->u.raw.bytes);
    } else {
        assert_int_equal(a->u.sent.to, b->u.sent.to);
        assert_bytes_equal(a->u.sent.cause, b->u.sent.cause);
        assert_bytes_equal(a->u.sent.bytes, b->u.sent.bytes);
    }
}

static void assert_words_equal(const struct capture_record *a,
                               const struct capture_record *b)
{
    if (a->type == CAPTURE_END) {
        assert_int_equal(a->u.end.side, b->u.end.side);
        assert_int_equal(a->u.end.kind, b->u.end.kind);
        assert_int_equal(a->u.end.by_wstape, b->u.end.by_wstape);
        assert_bytes_equal(a->u.end.text, b->u.end.text);
    } else if (a->type == CAPTURE_NOTE) {
        assert_bytes_equal(a->u.note.text, b->u.note.text);
    } else if (a->type == CAPTURE_GAP) {
        assert_int_equal(a->u.gap.records, b->u.gap.records);
        assert_int_equal(a->u.gap.bytes, b->u.gap.bytes);
        assert_bytes_equal(a->u.gap.text, b->u.gap.text);
    } else {
        assert_int_equal(a->u.summary.connections, b->u.summary.connections);
        assert_int_equal(a->u.summary.records, b->u.summary.records);
        assert_bytes_equal(a->u.summary.text, b->u.summary.text);
    }
}

static void assert_fault_equal(const struct capture_record *a,
                               const struct capture_record *b)
{
    assert_int_equal(a->u.fault.from, b->u.fault.from);
    assert_int_equal(a->u.fault.opcode, b->u.fault.opcode);
    assert_true(a->u.fault.message == b->u.fault.message);
    assert_bytes_equal(a->u.fault.rule, b->u.fault.rule);
    assert_bytes_equal(a->u.fault.action, b->u.fault.action);
    assert_int_equal(a->u.fault.applied, b->u.fault.applied);
    assert_int_equal(a->u.fault.drawn, b->u.fault.drawn);
    assert_true(a->u.fault.draw == b->u.fault.draw);
    assert_bytes_equal(a->u.fault.text, b->u.fault.text);
}

void assert_record_equal(const struct capture_record *a, const struct capture_record *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->connection, b->connection);
    assert_true(a->time_ns == b->time_ns);
    switch (a->type) {
    case CAPTURE_OPEN:
    case CAPTURE_UPSTREAM:
        assert_connection_equal(a, b);
        break;
    case CAPTURE_REQUEST:
    case CAPTURE_RESPONSE:
    case CAPTURE_BODY:
        assert_http_equal(a, b);
        break;
    case CAPTURE_FRAME:
        assert_int_equal(a->u.frame.from, b->u.frame.from);
        assert_frame_equal(&a->u.frame.frame, &b->u.frame.frame);
        break;
    case CAPTURE_MORE:
    case CAPTURE_RAW:
    case CAPTURE_SENT:
        assert_stream_equal(a, b);
        break;
    case CAPTURE_END:
    case CAPTURE_NOTE:
    case CAPTURE_GAP:
    case CAPTURE_SUMMARY:
        assert_words_equal(a, b);
        break;
    case CAPTURE_FAULT:
        assert_fault_equal(a, b);
        break;
    case CAPTURE_CHECKPOINT: /* its fields are the block's, not the caller's */
        break;
    }
}
