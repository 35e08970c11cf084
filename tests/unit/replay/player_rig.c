#include "tests/unit/replay/player_rig.h"

#include "base/alloc.h"
#include "base/text.h"
#include "wire/mask.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Lines are the test's own: their memory does not fail. */
static void put_line(struct rig *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put_line(struct rig *r, const char *format, ...)
{
    char text[4096];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_in_range(len, 0, sizeof(text) - 1);
    if (r->lines.cap - r->lines.len < (size_t)len + 1) {
        r->lines.cap = (r->lines.cap + (size_t)len + 1) * 2;
        r->lines.at = realloc(r->lines.at, r->lines.cap);
        assert_non_null(r->lines.at);
    }
    memcpy(r->lines.at + r->lines.len, text, (size_t)len + 1);
    r->lines.len += (size_t)len;
}

static const char *shown(struct bytes b, char out[512])
{
    size_t len = 0;

    for (size_t i = 0; i < b.len && len < 500; i++) {
        if (b.at[i] >= 0x20 && b.at[i] < 0x7f) {
            out[len++] = (char)b.at[i];
        } else {
            len += (size_t)snprintf(out + len, 512 - len, "\\x%02x", b.at[i]);
        }
    }
    out[len] = '\0';
    return out;
}

/* ---- events ---- */

static const char *const kinds[] = {
    [REPLAY_EVENT_CHOSEN] = "chosen",
    [REPLAY_EVENT_SUBSTITUTED] = "substituted",
    [REPLAY_EVENT_NOTE] = "note",
    [REPLAY_EVENT_OVER] = "over",
    [REPLAY_EVENT_DIFFERENCE] = "difference",
    [REPLAY_EVENT_UNEXPECTED] = "unexpected",
    [REPLAY_EVENT_EXTRA] = "extra",
    [REPLAY_EVENT_FIELD] = "field",
    [REPLAY_EVENT_END] = "end",
    [REPLAY_EVENT_UNKNOWN] = "unknown",
    [REPLAY_EVENT_EXHAUSTED] = "exhausted",
    [REPLAY_EVENT_BROKEN] = "broken",
    [REPLAY_EVENT_WAITS] = "waits",
    [REPLAY_EVENT_EARLY] = "early",
};

static void told(void *owner, const struct replay_event *e)
{
    struct rig *r = owner;
    char a[512], b[512];

    assert_true(e->kind < sizeof(kinds) / sizeof(kinds[0]));
    assert_non_null(kinds[e->kind]);
    assert_int_equal(e->connection, r->players);
    put_line(r, "! %s", kinds[e->kind]);
    if (e->message > 0) {
        put_line(r, " #%llu", (unsigned long long)e->message);
    }
    if (e->path.len > 0) {
        put_line(r, " %s", shown(e->path, a));
    }
    if (e->before_present || e->after_present) {
        put_line(r, " %s -> %s", e->before_present ? shown(e->before, a) : "-",
                 e->after_present ? shown(e->after, b) : "-");
    }
    if (e->kind == REPLAY_EVENT_OVER) {
        put_line(r, " %llu of %llu", (unsigned long long)e->count,
                 (unsigned long long)e->expected);
    } else if (e->count > 0) {
        put_line(r, " (%llu)", (unsigned long long)e->count);
    }
    if (e->text.len > 0) {
        put_line(r, " %s", shown(e->text, a));
    }
    put_line(r, "\n");
}

/* ---- what was said ---- */

static const char *opcode_name(unsigned opcode)
{
    static const char *const names[16] = { "rest",  "text", "binary", "op3",
                                           "op4",   "op5",  "op6",    "op7",
                                           "close", "ping", "pong",   "op11",
                                           "op12",  "op13", "op14",   "op15" };

    return names[opcode];
}

static void put_payload(struct rig *r, const struct wire_frame *f, struct bytes payload)
{
    struct buf plain = { 0 };
    char text[512];

    if ((f->first & WIRE_RSV1) != 0 && r->inflate != NULL) {
        assert_int_equal(wire_inflate_message(r->inflate, payload, 1 << 20, &plain), 0);
        payload = buf_bytes(&plain);
    }
    if ((f->first & 0x0fU) == WIRE_OP_CLOSE && payload.len >= 2) {
        put_line(r, " %u", payload.at[0] * 256U + payload.at[1]);
        payload = bytes_from(payload, 2);
    }
    put_line(r, " %s",
             shown(bytes_first(payload, payload.len < 100 ? payload.len : 100), text));
    if (payload.len > 100) {
        put_line(r, "... %zu", payload.len);
    }
    put_line(r, "\n");
    buf_deinit(&plain);
}

/* False: not whole. */
static bool put_frame_line(struct rig *r)
{
    struct wire_frame_decoder d = { 0 };
    struct bytes in = buf_bytes(&r->pending);
    struct wire_frame f;
    size_t used;

    if (wire_frame_decode(&d, in, &used, &f) != 0 || in.len - used < f.payload_len) {
        return false;
    }
    put_line(r, "%s%s%s%s%s", opcode_name(f.first & 0x0fU),
             (f.first & WIRE_FIN) != 0 ? "" : "..",
             (f.first & WIRE_RSV1) != 0 ? " rsv1" : "",
             (f.first & WIRE_RSV2) != 0 ? " rsv2" : "", f.masked ? " masked" : "");
    put_payload(r, &f, bytes_first(bytes_from(in, used), (size_t)f.payload_len));
    buf_drop(&r->pending, used + (size_t)f.payload_len);
    return true;
}

static void put_http(struct rig *r)
{
    for (size_t i = 0; i < r->pending.len; i++) {
        if (r->pending.at[i] != '\r') {
            put_line(r, "%c", r->pending.at[i]);
        }
    }
    buf_clear(&r->pending);
}

/* The head of a 101 is not shown; frames follow. */
static void take_shake(struct rig *r)
{
    size_t at = bytes_find(buf_bytes(&r->pending), bytes_of("HTTP/1.1 101"));
    size_t end = bytes_find(buf_bytes(&r->pending), bytes_of("\r\n\r\n"));

    if (r->shakes && r->pending.len > 0) {
        assert_int_equal(at, 0);
        assert_true(end < r->pending.len);
        buf_drop(&r->pending, end + 4);
        r->shakes = false;
        r->frames = true;
    }
}

static void put_rest(struct rig *r)
{
    char text[512];

    if (r->pending.len > 0) {
        put_line(r, "half %s\n", shown(buf_bytes(&r->pending), text));
        buf_clear(&r->pending);
    }
}

static void put_end_line(struct rig *r, enum capture_end end)
{
    r->ended = true;
    put_rest(r);
    put_line(r, "end %s\n",
             end == CAPTURE_END_FIN     ? "fin"
             : end == CAPTURE_END_RESET ? "reset"
                                        : "truncated");
}

/* What the player wants done. */
static void perform(struct rig *r)
{
    struct replay_output *out = replay_player_output(r->player);

    assert_true(!r->ended || out->send.len == 0);
    r->said += out->send.len;
    if (r->result == 0) {
        r->result = buf_put(&r->pending, buf_bytes(&out->send));
    }
    buf_clear(&out->send);
    take_shake(r);
    if (r->frames) {
        while (put_frame_line(r)) {
        }
    } else {
        put_http(r);
    }
    if (out->end != 0 && !r->ended) {
        put_end_line(r, out->end);
    }
}

static void wake_when_due(struct rig *r, int64_t until)
{
    const struct replay_output *out = replay_player_output(r->player);

    for (unsigned i = 0; r->result == 0 && out->wake_at >= 0 && out->wake_at <= until;
         i++) {
        assert_true(i < 100000); /* it makes progress */
        r->now_ns = out->wake_at > r->now_ns ? out->wake_at : r->now_ns;
        r->result = replay_player_wake(r->player, r->now_ns);
        perform(r);
    }
}

void rig_pass(struct rig *r, int64_t ns)
{
    int64_t until = r->now_ns + ns;

    wake_when_due(r, until);
    r->now_ns = until;
}

void rig_expect(struct rig *r, const char *lines)
{
    assert_int_equal(r->result, 0);
    if (r->frames && r->pending.len > 0) {
        put_rest(r);
    }
    put_line(r, "%s", "");
    assert_string_equal((const char *)r->lines.at, lines);
    r->lines.len = 0;
}

/* ---- inputs ---- */

static void give(struct rig *r, struct bytes in)
{
    if (r->result == 0) {
        r->result = replay_player_bytes(r->player, in, r->now_ns);
        perform(r);
        r->given += in.len;
        wake_when_due(r, r->now_ns);
    }
}

void rig_in(struct rig *r, struct bytes in)
{
    if (r->split > r->given && r->split - r->given < in.len) {
        size_t len = r->split - r->given;

        give(r, bytes_first(in, len));
        in = bytes_from(in, len);
    }
    while (in.len > 0) {
        size_t len = r->chunk > 0 && r->chunk < in.len ? r->chunk : in.len;

        give(r, bytes_first(in, len));
        in = bytes_from(in, len);
    }
}

void rig_text(struct rig *r, const char *text)
{
    rig_in(r, bytes_of(text));
}

void rig_frame(struct rig *r, uint8_t first, struct bytes payload)
{
    struct wire_frame f = { .payload_len = payload.len,
                            .first = first,
                            .form = wire_frame_form(payload.len),
                            .masked = 1,
                            .mask = { 9, 8, 7, 6 } };
    uint8_t *wire = malloc(WIRE_FRAME_HEADER_MAX + payload.len);
    size_t len;

    assert_non_null(wire);
    len = wire_frame_encode(&f, wire);
    if (payload.len > 0) {
        wire_mask(f.mask, 0, payload.at, wire + len, payload.len);
    }
    rig_in(r, bytes_make(wire, len + payload.len));
    free(wire);
}

void rig_say(struct rig *r, const char *text)
{
    rig_frame(r, WIRE_FIN | WIRE_OP_TEXT, bytes_of(text));
}

void rig_close(struct rig *r, unsigned code)
{
    uint8_t payload[2] = { (uint8_t)(code >> 8), (uint8_t)code };

    rig_frame(r, WIRE_FIN | WIRE_OP_CLOSE, bytes_make(payload, sizeof(payload)));
}

void rig_over(struct rig *r, enum capture_end kind)
{
    if (r->result == 0) {
        r->result = replay_player_ended(r->player, kind, false, r->now_ns);
        perform(r);
        wake_when_due(r, r->now_ns);
    }
}

void rig_shake(struct rig *r, const char *fields)
{
    char text[1024];

    snprintf(text, sizeof(text), ASK "%s\r\n", fields);
    r->shakes = true;
    rig_text(r, text);
}

/* ---- life ---- */

/* Right for the key of put_shake. */
static int put_accept(struct buf *out, struct bytes key)
{
    if (bytes_equal(key, bytes_of("dGhlIHNhbXBsZSBub25jZQ=="))) {
        return buf_put_text(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
    return buf_put_format(out, "accept-%.*s", (int)key.len, (const char *)key.at);
}

void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    script_tape_init(&r->tape);
    r->options = (struct replay_options){ .pace = 0,
                                          .gate = true,
                                          .substitute = true,
                                          .max_message = 1 << 20,
                                          .patience_ns = 1000 * MS,
                                          .put_accept = put_accept };
}

void rig_deinit(struct rig *r)
{
    replay_player_free(r->player);
    replay_stage_free(r->stage);
    replay_script_free(r->script);
    script_tape_deinit(&r->tape);
    wire_inflate_free(r->inflate);
    buf_deinit(&r->pending);
    free(r->lines.at);
}

void rig_connect(struct rig *r)
{
    replay_player_free(r->player);
    r->frames = r->shakes = r->ended = false;
    r->now_ns = 0;
    r->player = replay_player_new(r->stage, ++r->players, 0);
    r->result = r->player == NULL ? -ENOMEM : 0;
}

static int start_stage(struct rig *r)
{
    const struct replay_listener listener = { told, r, r->verbose };

    r->result = replay_stage_new(r->script, &r->options, &r->rules, &listener, CLIENT,
                                 &r->stage);
    if (r->result == 0) {
        rig_connect(r);
    }
    return r->result;
}

static void stop_stage(struct rig *r)
{
    replay_player_free(r->player);
    replay_stage_free(r->stage);
    buf_deinit(&r->pending);
    r->player = NULL;
    r->stage = NULL;
    r->players = 0;
    r->lines.len = 0;
}

/* Once memory was out, whatever comes then does no harm. */
static void go_on_regardless(struct rig *r)
{
    if (r->player != NULL && r->result < 0) {
        (void)replay_player_bytes(r->player, bytes_of("\x81\x00GET / HTTP/1.1"), 9);
        (void)replay_player_wake(r->player, 9);
        (void)replay_player_flow(r->player, true, 9);
        assert_int_equal(replay_player_ended(r->player, CAPTURE_END_RESET, false, 9),
                         0);
        replay_player_stop(r->player, 9);
    }
}

static void load_script(struct rig *r)
{
    struct err e;

    assert_int_equal(load(&r->tape, UINT64_C(1) << 30, &r->script, &e), 0);
}

void rig_start(struct rig *r)
{
    load_script(r);
    assert_int_equal(start_stage(r), 0);
}

void rig_fail_each(struct rig *r, void (*body)(struct rig *r))
{
    bool hit = true;

    load_script(r);
    for (unsigned nth = 0; hit; nth++) {
        long before = alloc_live();

        alloc_fail_at(nth);
        if (start_stage(r) == 0) {
            body(r);
        }
        hit = alloc_fail_clear();
        go_on_regardless(r);
        stop_stage(r);
        assert_int_equal(alloc_live(), before);
        assert_int_equal(r->result, hit ? -ENOMEM : 0);
    }
    assert_int_equal(start_stage(r), 0); /* and with all of it, it is right */
    body(r);
}

void rig_split_each(struct rig *r, void (*body)(struct rig *r))
{
    load_script(r);
    r->chunk = 0;
    for (r->split = 1; r->split == 1 || r->split <= r->given; r->split++) {
        r->given = 0;
        assert_int_equal(start_stage(r), 0);
        body(r);
        stop_stage(r);
    }
    assert_true(r->given > 0);
    assert_int_equal(start_stage(r), 0);
}

int rig_setup(void **state)
{
    const size_t *chunk = *state;
    struct rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    rig_init(r);
    r->chunk = *chunk;
    *state = r;
    return 0;
}

int rig_teardown(void **state)
{
    struct rig *r = *state;

    rig_deinit(r);
    free(r);
    assert_int_equal(alloc_live(), 0);
    return 0;
}
