#include "tests/unit/replay/caller_rig.h"

#include "base/alloc.h"
#include "replay/hear.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define HOUR   (INT64_C(3600) * 1000 * MS)

/* The hash is OpenSSL's; here is what it gives for the one key that the tapes have. */
static int put_accept(struct buf *out, struct bytes key)
{
    return buf_put_text(out, bytes_equal(key, bytes_of(KEY)) ? ACCEPT : "another");
}

/* ---- what is told ---- */

static void note(struct rig *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct rig *r, const char *format, ...)
{
    char words[2048];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    assert_in_range(len, 0, sizeof(words) - 1);
    assert_true(r->told.cap - r->told.len > (size_t)len);
    memcpy(r->told.at + r->told.len, words, (size_t)len);
    r->told.len += (size_t)len;
}

static void note_bytes(struct rig *r, const char *before, struct bytes b)
{
    note(r, "%s%.*s", before, (int)(b.len < 60 ? b.len : 60), (const char *)b.at);
}

static bool is_wanted(const struct rig *r, const struct replay_event *e)
{
    return r->all ||
           (e->kind != REPLAY_EVENT_RESPONSE_TIME && e->kind != REPLAY_EVENT_OVER &&
            e->kind != REPLAY_EVENT_SUBSTITUTED);
}

static void note_times(struct rig *r, const struct replay_event *e)
{
    if (e->kind == REPLAY_EVENT_RESPONSE_TIME) {
        note(r, " %" PRId64 "ms then %" PRId64 "ms", e->time_ns / MS,
             e->recorded_ns / MS);
    } else if (e->kind == REPLAY_EVENT_TIMEOUT) {
        note(r, " after %" PRId64 "ms", e->time_ns / MS);
    } else if (e->kind == REPLAY_EVENT_OVER) {
        note(r, " %" PRIu64 " of %" PRIu64, e->count, e->expected);
    } else if (e->kind == REPLAY_EVENT_SUBSTITUTED) {
        note(r, " %" PRIu64 "x", e->count);
    }
}

static void tell(void *owner, const struct replay_event *e)
{
    struct rig *r = owner;

    assert_int_equal(e->connection, r->script->connections[0].number);
    assert_int_equal(e->recorded, e->connection);
    assert_int_equal(e->copy, 1);
    if (!is_wanted(r, e)) {
        return;
    }
    note(r, "%s%s", replay_event_name(e->kind), e->is_http ? " http" : "");
    if (e->message > 0) {
        note(r, " %" PRIu64, e->message);
    }
    if (e->kind == REPLAY_EVENT_ORDER) {
        note(r, " before %" PRIu64, e->other);
    }
    if (e->target.len > 0) {
        note_bytes(r, " ", e->target);
    }
    note_times(r, e);
    if (e->path.len > 0) {
        note_bytes(r, " ", e->path);
    }
    if (e->before_present || e->after_present) {
        note_bytes(r, ": ", e->before_present ? e->before : bytes_of("none"));
        note_bytes(r, " -> ", e->after_present ? e->after : bytes_of("none"));
    }
    if (e->text.len > 0) {
        note_bytes(r, " (", e->text);
        note(r, ")");
    }
    note(r, "\n");
}

void expect_told(struct rig *r, const char *lines)
{
    note(r, "%c", '\0');
    assert_string_equal((const char *)r->told.at, lines);
    buf_clear(&r->told);
}

/* ---- life ---- */

void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    r->live_before = alloc_live();
    script_tape_init(&r->tape);
    r->options = (struct replay_options){ .gate = true,
                                          .substitute = true,
                                          .max_message = 1 << 20,
                                          .patience_ns = 10000 * MS,
                                          .put_accept = put_accept };
    r->now_ns = 5000 * MS;
    assert_int_equal(buf_reserve(&r->told, RIG_ROOM), 0);
    assert_int_equal(buf_reserve(&r->sent, RIG_ROOM), 0);
}

void rig_deinit(struct rig *r)
{
    replay_caller_free(r->caller);
    replay_stage_free(r->stage);
    replay_script_free(r->script);
    script_tape_deinit(&r->tape);
    buf_deinit(&r->told);
    buf_deinit(&r->sent);
    assert_int_equal(alloc_live(), r->live_before);
}

/* ---- inputs ---- */

/* Once memory was out, nothing happens any more. */
static void expect_inert(struct rig *r)
{
    static const char wire[] = "HTTP/1.1 200 OK\r\n\r\n\x81\x01x\x88\x00";
    size_t told = r->told.len;

    assert_true(replay_caller_output(r->caller)->wake_at < 0);
    assert_int_equal(replay_caller_bytes(r->caller, bytes_of(wire), r->now_ns), 0);
    assert_int_equal(replay_caller_flow(r->caller, false, r->now_ns), 0);
    assert_int_equal(replay_caller_wake(r->caller, r->now_ns), 0);
    assert_int_equal(replay_caller_ended(r->caller, CAPTURE_END_FIN, r->now_ns), 0);
    replay_caller_stop(r->caller, r->now_ns);
    assert_int_equal(r->told.len, told);
}

/* As the owner does: send what there is to send. */
static void take_output(struct rig *r, int result)
{
    struct replay_output *out;

    if (r->tight && result < 0) {
        r->error = result;
        expect_inert(r);
        return;
    }
    assert_int_equal(result, 0);
    out = replay_caller_output(r->caller);
    assert_true(r->sent.cap - r->sent.len >= out->send.len);
    assert_int_equal(buf_put(&r->sent, buf_bytes(&out->send)), 0);
    buf_clear(&out->send);
}

void rig_load(struct rig *r)
{
    static const struct replay_rules rules = { .match = REPLAY_MATCH_JSON };
    struct replay_listener listener = { .tell = tell, .owner = r, .verbose = true };
    struct err e;

    assert_int_equal(load(&r->tape, REPLAY_SCRIPT_MAX, &r->script, &e), 0);
    assert_int_equal(r->script->count, 1);
    assert_int_equal(
        replay_stage_new(r->script, &r->options, &rules, &listener, SERVER, &r->stage),
        0);
}

void rig_start(struct rig *r)
{
    if (r->stage == NULL) {
        rig_load(r);
    }
    r->caller = replay_caller_new(r->stage, 0, 1, r->now_ns);
    if (r->caller == NULL) {
        assert_true(r->tight);
        r->error = -ENOMEM;
        return;
    }
    assert_false(replay_caller_done(r->caller));
    take_output(r, replay_caller_start(r->caller, r->now_ns));
}

void rig_bytes(struct rig *r, struct bytes in)
{
    while (in.len > 0 && r->error == 0) {
        size_t len = r->split > 0 && r->split < in.len ? r->split : in.len;

        take_output(r, replay_caller_bytes(r->caller, bytes_first(in, len), r->now_ns));
        in = bytes_from(in, len);
    }
}

void rig_say(struct rig *r, const char *bytes)
{
    rig_bytes(r, bytes_of(bytes));
}

void rig_agree(struct rig *r, const char *more_fields)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n%s\r\n",
             more_fields);
    r->frames_from = r->sent.len;
    rig_say(r, text);
}

void rig_frame(struct rig *r, unsigned first, struct bytes payload)
{
    static uint8_t wire[RIG_ROOM];
    struct wire_frame f = { .payload_len = payload.len,
                            .first = (uint8_t)first,
                            .form = wire_frame_form(payload.len) };
    size_t len = wire_frame_encode(&f, wire);

    assert_true(payload.len <= sizeof(wire) - len);
    if (payload.len > 0) {
        memcpy(wire + len, payload.at, payload.len);
    }
    rig_bytes(r, bytes_make(wire, len + payload.len));
}

void rig_text(struct rig *r, const char *text)
{
    rig_frame(r, WIRE_FIN | WIRE_OP_TEXT, bytes_of(text));
}

void rig_close(struct rig *r, unsigned code, const char *reason)
{
    uint8_t payload[125] = { (uint8_t)(code >> 8), (uint8_t)(code & 0xff) };

    memcpy(payload + 2, reason, strlen(reason));
    rig_frame(r, WIRE_FIN | WIRE_OP_CLOSE, bytes_make(payload, 2 + strlen(reason)));
}

void rig_end(struct rig *r, enum capture_end kind)
{
    if (r->error == 0) {
        take_output(r, replay_caller_ended(r->caller, kind, r->now_ns));
    }
}

/* ---- time ---- */

static bool wake_before(struct rig *r, int64_t until_ns)
{
    int64_t at = r->error == 0 ? replay_caller_output(r->caller)->wake_at : -1;

    if (at < 0 || at > until_ns) {
        return false;
    }
    r->now_ns = at > r->now_ns ? at : r->now_ns;
    take_output(r, replay_caller_wake(r->caller, r->now_ns));
    return true;
}

void rig_wait(struct rig *r, int64_t for_ns)
{
    int64_t until_ns = r->now_ns + for_ns;

    for (unsigned wakes = 0; wake_before(r, until_ns); wakes++) {
        assert_true(wakes < 1000);
    }
    r->now_ns = until_ns;
}

void rig_run(struct rig *r)
{
    int64_t until_ns = r->now_ns + HOUR;

    for (unsigned wakes = 0; wake_before(r, until_ns); wakes++) {
        assert_true(wakes < 1000);
    }
}

/* ---- what was said ---- */

static int put_said(void *owner, uint32_t connection, const struct capture_message *m)
{
    static const char *const names[16] = {
        [1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong"
    };
    struct rig *r = owner;
    struct bytes text = m->payload;

    (void)connection;
    note(r, "%s%s", m->compressed ? "compressed " : "", names[m->frame.first & 15]);
    assert_int_equal(m->frame.masked, 1);
    assert_int_equal(m->faults, 0);
    if (m->fragments > 1) {
        note(r, " in %" PRIu32, m->fragments);
    }
    if ((m->frame.first & 15) == 8 && text.len >= 2) {
        note(r, " %u", text.at[0] * 256U + text.at[1]);
        text = bytes_from(text, 2);
    }
    if (text.len > 0) {
        note_bytes(r, " ", text);
    }
    note(r, "\n");
    return 0;
}

void expect_said(struct rig *r, const char *lines)
{
    struct wire_deflate_params params = r->params;
    struct replay_hear hear;
    struct buf told = r->told;

    r->told = (struct buf){ 0 };
    assert_int_equal(buf_reserve(&r->told, RIG_ROOM), 0);
    assert_int_equal(replay_hear_init(&hear, CLIENT, &params, RIG_ROOM, put_said, r),
                     0);
    assert_int_equal(
        replay_hear_feed(&hear, bytes_from(buf_bytes(&r->sent), r->frames_from), 0), 0);
    replay_hear_deinit(&hear);
    expect_told(r, lines);
    buf_deinit(&r->told);
    r->told = told;
    r->frames_from = r->sent.len;
}

void expect_asked(struct rig *r, const char *text)
{
    assert_int_equal(r->sent.len, strlen(text));
    assert_memory_equal(r->sent.at, text, r->sent.len);
}

void expect_done(struct rig *r, enum capture_end kind)
{
    assert_true(replay_caller_done(r->caller));
    assert_int_equal(replay_caller_output(r->caller)->end, kind);
    assert_true(replay_caller_output(r->caller)->wake_at < 0);
}

void expect_busy(struct rig *r)
{
    assert_false(replay_caller_done(r->caller));
    assert_int_equal(replay_caller_output(r->caller)->end, 0);
}
