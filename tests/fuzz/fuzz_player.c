/*
 * A tape that plays the backend, or the client, to bytes of a live peer: given whole,
 * in pieces of two sizes and byte by byte, they cause the same bytes, the same end and
 * the same events; nothing comes out behind an end; all memory is given back.
 *
 * The input: two bytes of options, then steps of the tape up to a STEP_LAST, each an
 * operation, a length and so many bytes; the rest is what the live peer says.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "captures/encode.h"
#include "replay/caller.h"
#include "replay/player.h"
#include "tests/fuzz/target.h"
#include "wire/frame.h"

#include <stdio.h>

enum { ID = 0x66757a7a, WAKES_MAX = 100000 };

static const int64_t patience_ns = INT64_C(10000000000);
static const int64_t hour_ns = INT64_C(3600000000000);

enum {
    OPTION_GATE = 1,
    OPTION_SUBSTITUTE = 2,
    OPTION_CLOSE = 4, /* at a mismatch */
    OPTION_PACED = 8,
    OPTION_CALLER = 16, /* the tape plays the client */
    OPTION_SHAKE = 32,  /* the live peer begins with a handshake, or an answer to it */
    OPTION_DEFLATE = 64,
    OPTION_EXACT = 128,
    /* of the second byte */
    OPTION_WHEN = 3,
    OPTION_FIN = 4,
    OPTION_RESET = 8, /* how the live peer ends; else it never does */
};

/* Bit 7 of an operation: the server does it. */
enum step {
    STEP_TEXT,
    STEP_BINARY,
    STEP_FRAME, /* the first byte of the bytes is the frame's */
    STEP_CLOSE,
    STEP_PING,
    STEP_PONG,
    STEP_END,
    STEP_RAW,
    STEP_HEAD, /* of HTTP, as it is */
    STEP_BODY,
    STEP_SHAKE, /* a connection begins with a handshake */
    STEP_OPEN,  /* one that begins with nothing */
    STEP_TIME,  /* passes: 10 ms for each byte */
    STEP_LAST,
};

static struct bytes take(struct bytes *in, size_t len)
{
    struct bytes part = bytes_first(*in, len < in->len ? len : in->len);

    *in = bytes_from(*in, part.len);
    return part;
}

static unsigned take_byte(struct bytes *in)
{
    struct bytes one = take(in, 1);

    return one.len == 1 ? one.at[0] : 0;
}

/* ---- the tape ---- */

struct maker {
    struct capture_block block;
    uint32_t connection, exchange;
    int64_t now_ns;
};

static void put_record(struct maker *m, struct capture_record *r)
{
    r->connection = m->connection;
    r->time_ns = m->now_ns;
    m->now_ns += 1000000;
    must(capture_encode(&m->block, r, NULL) == 0);
}

static void put_frame(struct maker *m, enum side from, unsigned first,
                      struct bytes payload)
{
    struct capture_record r = { .type = CAPTURE_FRAME };

    r.u.frame.from = from;
    r.u.frame.frame = (struct capture_frame){ .first = (uint8_t)first,
                                              .form = wire_frame_form(payload.len),
                                              .masked = from == CLIENT,
                                              .payload_len = payload.len,
                                              .payload = payload };
    put_record(m, &r);
}

static void put_head(struct maker *m, enum side from, struct bytes head)
{
    struct capture_record r = { .type = from == CLIENT ? CAPTURE_REQUEST
                                                       : CAPTURE_RESPONSE };

    m->exchange += from == CLIENT;
    r.u.head.exchange = m->exchange;
    r.u.head.bytes = head;
    put_record(m, &r);
}

static void open_connection(struct maker *m)
{
    struct capture_record r = { .type = CAPTURE_OPEN };

    m->connection++;
    m->exchange = 0;
    put_record(m, &r);
}

#define ASK                                                                            \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"     \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
#define AGREE                                                                          \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"                       \
    "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"

static void put_shake(struct maker *m, bool deflate)
{
    open_connection(m);
    put_head(m, CLIENT, bytes_of(deflate ? ASK DEFLATE "\r\n" : ASK "\r\n"));
    put_head(m, SERVER, bytes_of(deflate ? AGREE DEFLATE "\r\n" : AGREE "\r\n"));
}

static void put_rest(struct maker *m, unsigned step, enum side from, struct bytes bytes)
{
    struct capture_record r = { .type = CAPTURE_END };

    if (step == STEP_END) {
        r.u.end.side = from;
        r.u.end.kind = (enum capture_end)(1 + bytes.len % 3);
    } else if (step == STEP_RAW) {
        r.type = CAPTURE_RAW;
        r.u.raw.from = from;
        r.u.raw.bytes = bytes;
    } else {
        r.type = CAPTURE_BODY;
        r.u.body.from = from;
        r.u.body.exchange = m->exchange;
        r.u.body.bytes = bytes;
        r.u.body.wire_len = bytes.len;
    }
    put_record(m, &r);
}

static void put_step(struct maker *m, unsigned step, enum side from, struct bytes bytes)
{
    static const uint8_t opcodes[] = {
        [STEP_TEXT] = WIRE_OP_TEXT,   [STEP_BINARY] = WIRE_OP_BINARY,
        [STEP_CLOSE] = WIRE_OP_CLOSE, [STEP_PING] = WIRE_OP_PING,
        [STEP_PONG] = WIRE_OP_PONG,
    };

    switch ((enum step)step) {
    case STEP_FRAME:
        put_frame(m, from, bytes.len > 0 ? bytes.at[0] : 0,
                  bytes_from(bytes, bytes.len > 0));
        break;
    case STEP_HEAD:
        put_head(m, from, bytes);
        break;
    case STEP_SHAKE:
        put_shake(m, bytes.len > 0);
        break;
    case STEP_OPEN:
        open_connection(m);
        break;
    case STEP_TIME:
        m->now_ns += (int64_t)bytes.len * 10000000;
        break;
    case STEP_END:
    case STEP_RAW:
    case STEP_BODY:
        put_rest(m, step, from, bytes);
        break;
    case STEP_TEXT:
    case STEP_BINARY:
    case STEP_CLOSE:
    case STEP_PING:
    case STEP_PONG:
        put_frame(m, from, WIRE_FIN | opcodes[step], bytes);
        break;
    case STEP_LAST:
        break;
    }
}

static void make_tape(struct maker *m, struct bytes *in)
{
    struct capture_header h = { .version = CAPTURE_VERSION, .id = ID };
    struct capture_record last = { .type = CAPTURE_SUMMARY };

    capture_block_init(&m->block, ID);
    must(capture_encode_header(&m->block, &h) == 0);
    put_record(m, &(struct capture_record){ .type = CAPTURE_CHECKPOINT });
    while (in->len > 0) {
        unsigned op = take_byte(in);
        unsigned step = (op & 0x7fU) % (STEP_LAST + 1);

        if (step == STEP_LAST) {
            break;
        }
        put_step(m, step, (op & 0x80U) != 0 ? SERVER : CLIENT, take(in, take_byte(in)));
    }
    put_record(m, &(struct capture_record){ .type = CAPTURE_CHECKPOINT });
    m->connection = 0;
    put_record(m, &last);
}

static long give(void *object, uint64_t at, void *out, size_t len)
{
    struct bytes rest = bytes_from(*(struct bytes *)object, (size_t)at);

    len = len < rest.len ? len : rest.len;
    memcpy(out, rest.at, len);
    return (long)len;
}

static uint64_t size_of(void *object)
{
    return ((struct bytes *)object)->len;
}

static struct replay_script *read_script(struct bytes tape)
{
    struct capture_source source = { &tape, give, size_of };
    struct capture_reader *reader;
    struct replay_script *script;

    must(capture_reader_new(&source, &reader, NULL) == 0);
    must(replay_script_new(reader, NULL, NULL, &script, NULL) == 0);
    capture_reader_free(reader);
    return script;
}

/* ---- one play ---- */

struct play {
    struct replay_player *player; /* or */
    struct replay_caller *caller;
    struct replay_output *out;
    int64_t now_ns;
    struct buf said, told;
    enum capture_end end;
};

static int put_accept(struct buf *out, struct bytes key)
{
    return buf_put(out, key);
}

/* Of a tunnel as much is shown as came. */
static bool depends_on_borders(const struct replay_event *e)
{
    return e->kind == REPLAY_EVENT_DIFFERENCE && e->message == 0;
}

static void tell(void *owner, const struct replay_event *e)
{
    struct play *p = owner;
    const struct bytes words[] = { e->path, e->before, e->after, e->target, e->text };
    char text[256];

    if (p->caller != NULL && depends_on_borders(e)) {
        return;
    }
    snprintf(text, sizeof(text), "%s %u %u %u %d %d #%llu %llu %llu %llu %d%d",
             replay_event_name(e->kind), e->connection, e->copy, e->recorded, e->from,
             e->is_http, (unsigned long long)e->message, (unsigned long long)e->other,
             (unsigned long long)e->count, (unsigned long long)e->expected,
             e->before_present, e->after_present);
    put(&p->told, bytes_of(text));
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        put(&p->told, bytes_of(" | "));
        put(&p->told, words[i]);
    }
    put(&p->told, bytes_of("\n"));
}

static void perform(struct play *p)
{
    must(p->end == 0 || p->out->send.len == 0);
    put(&p->said, buf_bytes(&p->out->send));
    buf_clear(&p->out->send);
    p->end = p->end == 0 ? p->out->end : p->end;
}

static void wake(struct play *p, int64_t until)
{
    for (unsigned i = 0; p->out->wake_at >= 0 && p->out->wake_at <= until; i++) {
        must(i < WAKES_MAX);
        p->now_ns = p->out->wake_at > p->now_ns ? p->out->wake_at : p->now_ns;
        must((p->caller != NULL ? replay_caller_wake(p->caller, p->now_ns)
                                : replay_player_wake(p->player, p->now_ns)) == 0);
        perform(p);
    }
}

static void hear(struct play *p, struct bytes in)
{
    if (p->end == CAPTURE_END_RESET) {
        return;
    }
    must((p->caller != NULL ? replay_caller_bytes(p->caller, in, p->now_ns)
                            : replay_player_bytes(p->player, in, p->now_ns)) == 0);
    perform(p);
    wake(p, p->now_ns);
}

static void set_flow(struct play *p, bool on)
{
    must((p->caller != NULL ? replay_caller_flow(p->caller, on, p->now_ns)
                            : replay_player_flow(p->player, on, p->now_ns)) == 0);
    perform(p);
    wake(p, p->now_ns);
}

static void finish(struct play *p, unsigned options)
{
    enum capture_end kind =
        (options & OPTION_RESET) != 0 ? CAPTURE_END_RESET : CAPTURE_END_FIN;

    wake(p, p->now_ns + hour_ns);
    if ((options & (OPTION_FIN | OPTION_RESET)) != 0) {
        must((p->caller != NULL
                  ? replay_caller_ended(p->caller, kind, p->now_ns)
                  : replay_player_ended(p->player, kind, false, p->now_ns)) == 0);
        perform(p);
        wake(p, p->now_ns + hour_ns);
        must(p->caller == NULL || replay_caller_done(p->caller));
    }
    if (p->caller != NULL) {
        replay_caller_stop(p->caller, p->now_ns);
    } else if ((options & (OPTION_FIN | OPTION_RESET)) == 0) {
        replay_player_stop(p->player, p->now_ns);
    }
    must(p->out->send.len == 0);
}

static void begin(struct play *p, struct replay_stage *stage)
{
    if (stage->live == CLIENT) {
        p->player = replay_player_new(stage, 1, 0);
        must(p->player != NULL);
        p->out = replay_player_output(p->player);
    } else {
        p->caller = replay_caller_new(stage, 0, 1, 0);
        must(p->caller != NULL);
        p->out = replay_caller_output(p->caller);
        must(replay_caller_start(p->caller, 0) == 0);
    }
    perform(p);
    wake(p, 0);
}

struct input {
    unsigned options, more;
    const struct replay_script *script;
    struct bytes shake, live; /* what the peer says first, and then */
};

/* `chunk` bytes come at once. `still`: nothing is said until all have come. */
static void play(const struct input *i, size_t chunk, bool still, struct play *p)
{
    const struct replay_options options = {
        .pace = (i->options & OPTION_PACED) != 0 ? 2.0 : 0.0,
        .gate = (i->options & OPTION_GATE) != 0,
        .substitute = (i->options & OPTION_SUBSTITUTE) != 0,
        .on_mismatch = (i->options & OPTION_CLOSE) != 0 ? REPLAY_CLOSE : REPLAY_REPORT,
        .when_exhausted = (enum replay_when_exhausted)((i->more & OPTION_WHEN) % 3),
        .max_message = 1000,
        .patience_ns = patience_ns,
        .put_accept = put_accept,
    };
    const struct replay_rules rules = {
        .match =
            (i->options & OPTION_EXACT) != 0 ? REPLAY_MATCH_EXACT : REPLAY_MATCH_JSON,
    };
    const struct replay_listener listener = { tell, p, true };
    struct replay_stage *stage;
    struct bytes rest = i->live;

    must(replay_stage_new(i->script, &options, &rules, &listener,
                          (i->options & OPTION_CALLER) != 0 ? SERVER : CLIENT,
                          &stage) == 0);
    begin(p, stage);
    hear(p, i->shake);
    set_flow(p, !still);
    while (rest.len > 0) {
        hear(p, take(&rest, chunk));
    }
    set_flow(p, true);
    finish(p, i->more);
    replay_player_free(p->player);
    replay_caller_free(p->caller);
    replay_stage_free(stage);
}

static void forget(struct play *p)
{
    buf_deinit(&p->said);
    buf_deinit(&p->told);
}

static void check(const struct input *i)
{
    static const size_t chunks[] = { 1, 7, 61 };
    struct play whole = { 0 };

    play(i, SIZE_MAX, true, &whole);
    for (size_t n = 0; n < sizeof(chunks) / sizeof(*chunks); n++) {
        struct play parts = { 0 }, talk = { 0 };

        play(i, chunks[n], false, &talk);
        forget(&talk);
        play(i, chunks[n], true, &parts);
        same(&whole.said, &parts.said);
        same(&whole.told, &parts.told);
        must(whole.end == parts.end);
        forget(&parts);
    }
    forget(&whole);
}

static struct bytes shake_of(unsigned options)
{
    bool calls = (options & OPTION_CALLER) != 0;

    if ((options & OPTION_SHAKE) == 0) {
        return (struct bytes){ NULL, 0 };
    }
    if ((options & OPTION_DEFLATE) != 0) {
        return bytes_of(calls ? AGREE DEFLATE "\r\n" : ASK DEFLATE "\r\n");
    }
    return bytes_of(calls ? AGREE "\r\n" : ASK "\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = bytes_make(data, len);
    struct maker maker = { 0 };
    struct replay_script *script;
    struct input i = { 0 };
    long before = alloc_live();

    i.options = take_byte(&in);
    i.more = take_byte(&in);
    make_tape(&maker, &in);
    script = read_script(buf_bytes(&maker.block.bytes));
    i.script = script;
    i.shake = shake_of(i.options);
    i.live = in;
    if ((i.options & OPTION_CALLER) == 0 || script->count > 0) {
        check(&i);
    }
    replay_script_free(script);
    capture_block_deinit(&maker.block);
    must(alloc_live() == before);
    return 0;
}
