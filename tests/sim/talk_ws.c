#include "base/clock.h"
#include "tests/sim/talk.h"
#include "wire/deflate.h"
#include "wire/frame.h"
#include "wire/handshake.h"
#include "wire/mask.h"

/* One side's way to speak. */
struct voice {
    struct sim_talk *t;
    struct sim_chance *c;
    enum side from;
    struct wire_deflate *deflate; /* NULL: nothing is compressed */
    unsigned odd;                 /* percent of what it says that breaks the protocol */
};

static void put_frame(const struct voice *v, uint8_t first, struct bytes payload)
{
    struct wire_frame f = { .first = first,
                            .form = wire_frame_form(payload.len),
                            .payload_len = payload.len,
                            .masked = v->from == CLIENT };
    uint8_t header[WIRE_FRAME_HEADER_MAX];
    uint64_t key = sim_bits(v->c);
    struct buf masked = { 0 };

    if (sim_odds(v->c, 2)) {
        f.form = 64;
    }
    if (sim_odds(v->c, 1)) {
        f.masked = !f.masked;
    }
    if (f.masked) {
        memcpy(f.mask, &key, sizeof(f.mask));
    }
    sim_talk_put(v->t, v->from, bytes_make(header, wire_frame_encode(&f, header)));
    sim_must(buf_put(&masked, payload));
    if (f.masked && masked.len > 0) {
        wire_mask(f.mask, 0, masked.at, masked.at, masked.len);
    }
    sim_talk_put(v->t, v->from, buf_bytes(&masked));
    buf_deinit(&masked);
}

static void put_control(const struct voice *v, uint8_t opcode)
{
    uint8_t payload[125];
    size_t len = sim_below(v->c, sim_odds(v->c, 10) ? sizeof(payload) + 1 : 8);

    for (size_t i = 0; i < len; i++) {
        payload[i] = (uint8_t)sim_bits(v->c);
    }
    put_frame(v, (uint8_t)(WIRE_FIN | opcode), bytes_make(payload, len));
}

/* What breaks the protocol, and passes all the same. */
static void put_odd(const struct voice *v)
{
    static const uint8_t firsts[] = { 0x83, 0x03, 0x8b, 0xa1, 0xf2, 0x80,
                                      0x00, 0x09, 0x08, 0x01, 0x42 };
    uint8_t noise[300];
    size_t len = sim_below(v->c, sizeof(noise));

    for (size_t i = 0; i < len; i++) {
        noise[i] = (uint8_t)sim_bits(v->c);
    }
    v->t->parts = v->t->spoiled = true;
    put_frame(v, firsts[sim_below(v->c, sizeof(firsts))], bytes_make(noise, len));
}

/* ---- messages ---- */

static void put_json(struct sim_chance *c, struct buf *out)
{
    static const char *const types[] = { "tool_executing", "tool_done", "token",
                                         "agent_completed" };

    sim_must(buf_put_format(
        out,
        "{\"type\":\"%s\",\"tool_name\":\"x%u\",\"n\":%u.0,\"data\":{\"retries\":%u},"
        "\"results\":[{\"score\":0.5,\"id\":7},{\"score\":1}]}",
        types[sim_below(c, 4)], (unsigned)sim_below(c, 9), (unsigned)sim_below(c, 1000),
        (unsigned)sim_below(c, 5)));
}

static size_t length(struct sim_chance *c, bool big)
{
    uint64_t kind = sim_below(c, 100);

    if (big && kind < 30) {
        return sim_between(c, 60000, 300000);
    }
    if (kind < 60) {
        return sim_below(c, 126);
    }
    return sim_between(c, 100, kind < 95 ? 1500 : 9000);
}

static void put_payload(struct sim_chance *c, bool is_text, bool big, struct buf *out)
{
    size_t len = length(c, big);
    uint64_t bits = sim_bits(c);

    if (is_text && sim_odds(c, 50)) {
        put_json(c, out);
        return;
    }
    sim_must(buf_reserve(out, len + 1));
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0) {
            bits = sim_odds(c, 50) ? bits : sim_bits(c);
        }
        out->at[out->len++] =
            (uint8_t)(is_text ? 'a' + (bits >> (i % 8 * 8) & 15) : bits >> (i % 8 * 8));
    }
    if (is_text && sim_odds(c, 10)) {
        sim_must(buf_put_text(out, "\xc3\xa4\xe2\x82\xac"));
    }
}

/* The frame that begins at `from`, over and over: a burst with one header. */
static void repeat(const struct voice *v, size_t from, size_t times)
{
    struct buf frame = { 0 };

    sim_must(
        buf_put(&frame, bytes_from(buf_bytes(sim_talk_bytes(v->t, v->from)), from)));
    for (; times > 0; times--) {
        sim_talk_put(v->t, v->from, buf_bytes(&frame));
    }
    buf_deinit(&frame);
}

static void put_message(const struct voice *v, bool big)
{
    bool is_text = sim_odds(v->c, 70);
    uint8_t first = is_text ? WIRE_OP_TEXT : WIRE_OP_BINARY;
    uint64_t left = sim_odds(v->c, 30) ? sim_between(v->c, 2, 5) : 1;
    struct buf payload = { 0 }, coded = { 0 };
    size_t from = sim_talk_bytes(v->t, v->from)->len;
    bool is_whole = left == 1 && v->deflate == NULL;
    struct bytes rest;

    put_payload(v->c, is_text, big, &payload);
    rest = buf_bytes(&payload);
    if (v->deflate != NULL && sim_odds(v->c, 80)) {
        sim_must(wire_deflate_message(v->deflate, rest, &coded));
        rest = buf_bytes(&coded);
        first |= WIRE_RSV1;
        if (sim_odds(v->c, 2) && coded.len > 0) {
            coded.at[sim_below(v->c, coded.len)] ^= 0x55;
            v->t->spoiled = true;
        }
    }
    for (; left > 0; left--) {
        size_t len = left == 1 ? rest.len : (size_t)sim_below(v->c, rest.len + 1);

        put_frame(v, left == 1 ? first | WIRE_FIN : first, bytes_first(rest, len));
        rest = bytes_from(rest, len);
        first = WIRE_OP_CONTINUATION;
        if (left > 1 && sim_odds(v->c, 30)) {
            v->t->parts = true;
            put_control(v, sim_odds(v->c, 50) ? WIRE_OP_PING : WIRE_OP_PONG);
        }
    }
    if (is_whole && payload.len < 2000 && payload.len % 4 == 1) {
        repeat(v, from, 1 + payload.len % 3);
    }
    buf_deinit(&payload);
    buf_deinit(&coded);
}

/* ---- to and fro ---- */

static void speak(const struct voice *v, bool big)
{
    for (uint64_t i = sim_between(v->c, 1, big ? 4 : 6); i > 0; i--) {
        if (sim_odds(v->c, 15)) {
            put_control(v, sim_odds(v->c, 60) ? WIRE_OP_PING : WIRE_OP_PONG);
        } else if (sim_odds(v->c, v->odd)) {
            put_odd(v);
        } else {
            put_message(v, big);
        }
        if (sim_odds(v->c, 40)) {
            sim_talk_say(v->t, v->from);
        }
    }
    sim_talk_say(v->t, v->from);
}

static void put_close(const struct voice *v, unsigned code)
{
    uint8_t payload[6] = { (uint8_t)(code >> 8), (uint8_t)code, 'b', 'y', 'e', '!' };

    put_frame(v, WIRE_FIN | WIRE_OP_CLOSE,
              bytes_make(payload, sim_odds(v->c, 20) ? 0 : sizeof(payload)));
    sim_talk_say(v->t, v->from);
}

static void close_both(const struct voice *first, const struct voice *second)
{
    put_close(first, 1000);
    if (sim_odds(first->c, 5)) {
        put_message(first, false); /* what no one may say any more */
        sim_talk_say(first->t, first->from);
    }
    sim_talk_hear(second->t, second->from);
    put_close(second, 1000);
}

void sim_talk_ws(struct sim_talk *t, struct sim_chance *c,
                 const struct wire_deflate_params *deflate, bool big)
{
    unsigned odd = sim_odds(c, 15) ? 30 : 1;
    struct voice voices[2] = { { t, c, CLIENT, NULL, odd },
                               { t, c, SERVER, NULL, odd } };
    enum side first = sim_odds(c, 50) ? CLIENT : SERVER;

    if (deflate != NULL) {
        voices[CLIENT].deflate = wire_deflate_new(deflate->client_max_window_bits,
                                                  deflate->client_no_context_takeover);
        voices[SERVER].deflate = wire_deflate_new(deflate->server_max_window_bits,
                                                  deflate->server_no_context_takeover);
    }
    for (uint64_t i = sim_between(c, 1, big ? 2 : 4); i > 0; i--) {
        speak(&voices[first], big);
        if (sim_odds(c, 60)) {
            sim_talk_hear(t, side_other(first));
        }
        speak(&voices[side_other(first)], big);
        if (sim_odds(c, 30)) {
            sim_talk_wait(t, first, (int64_t)sim_below(c, 50) * CLOCK_NS_PER_MS);
        }
    }
    if (sim_odds(c, 70)) {
        close_both(&voices[first], &voices[side_other(first)]);
    }
    sim_talk_say(t, CLIENT);
    sim_talk_say(t, SERVER);
    wire_deflate_free(voices[CLIENT].deflate);
    wire_deflate_free(voices[SERVER].deflate);
}
