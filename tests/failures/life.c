#include "tests/failures/life.h"

#include "base/buf.h"
#include "wire/deflate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEXT = 0x81,
    BINARY = 0x82,
    CLOSE = 0x88,
    COMPRESSED_TEXT = 0xc1,
    MASKED = 0x80,
    LARGE = 96 * 1024,
    HEAD_MAX = 512,
};

const char *const life_rules[] = {
    "drop_field=tool,path=/victim,from=client,json.type=call",
    "set_field.n=2,path=/victim,from=server,json.type=reply",
    "delay=1ms,path=/victim,from=client,json.type=late",
    "fragment=3,path=/victim,from=server,json.type=long",
    "latency=1ms,path=/victim,from=server",
    NULL,
};

static const uint8_t MASK[4] = { 1, 2, 3, 4 };

/* ---- what arrives ---- */

static bool harm(struct life *l, const struct peer *p)
{
    l->harmed = true;
    if (p->hung && l->wrong[0] == '\0') {
        snprintf(l->wrong, sizeof(l->wrong), "%s: nothing came for 10 s", l->name);
    }
    return false;
}

static bool wrong(struct life *l, const char *what, const uint8_t *got, size_t len)
{
    snprintf(l->wrong, sizeof(l->wrong), "%s: %s: got %.*s", l->name, what,
             len > 80 ? 80 : (int)len, (const char *)got);
    return false;
}

/* Large payloads are in pieces there. */
static bool on_tape(struct life *l, const void *at, size_t len)
{
    uint8_t *all;
    struct stat s;
    bool is;

    if (l->tape < 0 || len == LARGE) {
        return true;
    }
    if (fstat(l->tape, &s) < 0) {
        abort();
    }
    all = malloc((size_t)s.st_size);
    is = all != NULL && pread(l->tape, all, (size_t)s.st_size, 0) == s.st_size &&
         memmem(all, (size_t)s.st_size, at, len) != NULL;
    free(all);
    return is || wrong(l, "not on the tape", at, len);
}

/* Exactly this, or wstape's own answer. */
static bool hear_text(struct life *l, struct peer *p, const char *text)
{
    uint8_t got[HEAD_MAX];
    size_t len = strlen(text), least = strlen("HTTP/1.1 5");

    if (!peer_hear(p, got, least)) {
        return harm(l, p);
    }
    if (memcmp(got, "HTTP/1.1 5", least) == 0) {
        return harm(l, p);
    }
    if (!peer_hear(p, got + least, len - least)) {
        return harm(l, p);
    }
    if (memcmp(got, text, len) != 0) {
        return wrong(l, "wrong head", got, len);
    }
    return on_tape(l, text,
                   (size_t)(strstr(text, "\r\n\r\n") - text)); /* then the body */
}

static bool say_text(struct life *l, struct peer *p, const char *text)
{
    return peer_say(p, text, strlen(text)) || harm(l, p);
}

/* ---- frames ---- */

/* The header's first two bytes and the payload's length. */
static bool hear_header(struct peer *p, uint8_t head[2], uint64_t *len)
{
    uint8_t more[8];
    size_t form;

    if (!peer_hear(p, head, 2)) {
        return false;
    }
    *len = head[1] & 0x7fU;
    form = *len == 127 ? 8 : *len == 126 ? 2 : 0;
    if (!peer_hear(p, more, form)) {
        return false;
    }
    for (size_t i = 0; i < form; i++) {
        *len = i == 0 ? more[i] : *len << 8 | more[i];
    }
    return true;
}

/* A frame's payload, of at most `cap` bytes. */
static bool hear_frame(struct life *l, struct peer *p, uint8_t first, struct buf *out)
{
    uint8_t head[2], mask[4] = { 0 };
    uint64_t len;

    if (!hear_header(p, head, &len)) {
        return harm(l, p);
    }
    if (head[0] != first) {
        return head[0] == CLOSE ? harm(l, p) : wrong(l, "wrong frame", head, 0);
    }
    if (len > 2 * LARGE) {
        return wrong(l, "wrong length", head, 0);
    }
    if ((head[1] & MASKED) != 0 && !peer_hear(p, mask, 4)) {
        return harm(l, p);
    }
    if (buf_reserve(out, len) < 0) {
        abort();
    }
    if (!peer_hear(p, out->at + out->len, len)) {
        return harm(l, p);
    }
    for (size_t i = 0; i < len; i++) {
        out->at[out->len + i] ^= mask[i % 4];
    }
    out->len += len;
    return true;
}

static void put_frame(struct buf *out, uint8_t first, struct bytes in, bool masked)
{
    uint8_t head[10] = { first };
    size_t len = 2;

    if (in.len < 126) {
        head[1] = (uint8_t)in.len;
    } else {
        head[1] = 127;
        for (size_t i = 0; i < 8; i++) {
            head[len++] = (uint8_t)((uint64_t)in.len >> (56 - 8 * i));
        }
    }
    head[1] |= masked ? MASKED : 0;
    if (buf_put(out, bytes_make(head, len)) < 0 ||
        (masked && buf_put(out, bytes_make(MASK, 4)) < 0) || buf_put(out, in) < 0) {
        abort();
    }
    for (size_t i = 0; masked && i < in.len; i++) {
        out->at[out->len - in.len + i] ^= MASK[i % 4];
    }
}

/* One frame goes from an end to the other, as `arrives`. */
static bool pass(struct life *l, bool up, uint8_t first, struct bytes in,
                 struct bytes arrives)
{
    struct peer *from = up ? &l->client : &l->backend;
    struct peer *to = up ? &l->backend : &l->client;
    struct buf out = { 0 }, got = { 0 };
    bool ok;

    put_frame(&out, first, in, up);
    ok = (peer_say(from, out.at, out.len) || harm(l, from)) &&
         hear_frame(l, to, first, &got);
    if (ok) {
        ok = bytes_equal(buf_bytes(&got), arrives)
                 ? on_tape(l, in.at, in.len)
                 : wrong(l, "wrong payload", got.at, got.len);
    }
    buf_deinit(&out);
    buf_deinit(&got);
    return ok;
}

static bool pass_text(struct life *l, bool up, const char *in, const char *arrives)
{
    return pass(l, up, TEXT, bytes_of(in), bytes_of(arrives));
}

/* Fragments of 3 bytes. */
static bool pass_in_fragments(struct life *l, const char *in)
{
    struct buf out = { 0 }, got = { 0 };
    size_t len = strlen(in);
    bool ok;

    put_frame(&out, TEXT, bytes_of(in), false);
    ok = peer_say(&l->backend, out.at, out.len) || harm(l, &l->backend);
    for (size_t at = 0; ok && at < len; at += 3) {
        ok =
            hear_frame(l, &l->client,
                       (uint8_t)((at == 0 ? 1 : 0) | (at + 3 >= len ? 0x80 : 0)), &got);
    }
    ok = ok && (bytes_equal(buf_bytes(&got), bytes_of(in)) ||
                wrong(l, "wrong payload", got.at, got.len));
    buf_deinit(&out);
    buf_deinit(&got);
    return ok;
}

/* ---- compressed ---- */

/* A stored block, its length below 256, and the empty one that RFC 7692 cuts. */
static void put_stored(struct buf *out, const char *text)
{
    uint8_t len = (uint8_t)strlen(text);
    const uint8_t head[5] = { 0, len, 0, (uint8_t)~len, 0xff };

    if (buf_put(out, bytes_make(head, 5)) < 0 || buf_put_text(out, text) < 0 ||
        buf_put_byte(out, 0) < 0) {
        abort();
    }
}

static bool inflates_to(struct life *l, struct bytes in, const char *text)
{
    struct buf out = { 0 };
    bool is;

    if (l->inflate == NULL) {
        l->inflate = wire_inflate_new(false);
    }
    is = wire_inflate_message(l->inflate, in, LARGE, &out) == 0 &&
         bytes_equal(buf_bytes(&out), bytes_of(text));
    buf_deinit(&out);
    return is;
}

/* From the backend; the rule changes it. */
static bool pass_compressed(struct life *l, const char *in, const char *arrives)
{
    struct buf stored = { 0 }, out = { 0 }, got = { 0 };
    bool ok;

    put_stored(&stored, in);
    put_frame(&out, COMPRESSED_TEXT, buf_bytes(&stored), false);
    ok = (peer_say(&l->backend, out.at, out.len) || harm(l, &l->backend)) &&
         hear_frame(l, &l->client, COMPRESSED_TEXT, &got);
    if (ok) {
        ok = inflates_to(l, buf_bytes(&got), arrives)
                 ? on_tape(l, in, strlen(in))
                 : wrong(l, "wrong compressed payload", (const uint8_t *)"", 0);
    }
    buf_deinit(&stored);
    buf_deinit(&out);
    buf_deinit(&got);
    return ok;
}

static bool pass_large(struct life *l, bool up)
{
    uint8_t *at = malloc(LARGE);
    bool ok;

    for (size_t i = 0; at != NULL && i < LARGE; i++) {
        at[i] = (uint8_t)(i * 7 + i / 251);
    }
    ok = pass(l, up, BINARY, bytes_make(at, LARGE), bytes_make(at, LARGE));
    free(at);
    return ok;
}

/* ---- lives ---- */

static bool meet(struct life *l)
{
    if (l->backend.fd > 0) {
        return true;
    }
    if (!peer_accept(&l->backend, l->listener, &l->client, l->backend_tls)) {
        l->client.hung = l->client.hung || l->backend.hung;
        return harm(l, &l->client);
    }
    if (l->met != NULL) {
        l->met(l);
    }
    return true;
}

static bool upgrade(struct life *l, const char *extensions)
{
    char ask[HEAD_MAX], answer[HEAD_MAX];

    snprintf(
        ask, sizeof(ask),
        "GET /%s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        "\r\n%s\r\n",
        l->name, extensions);
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\n"
             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n%s\r\n",
             extensions);
    return say_text(l, &l->client, ask) && meet(l) && hear_text(l, &l->backend, ask) &&
           say_text(l, &l->backend, answer) && hear_text(l, &l->client, answer);
}

static bool connect_client(struct life *l, uint16_t port)
{
    return peer_connect(&l->client, port, l->client_tls) || harm(l, &l->client);
}

bool life_open(struct life *l, uint16_t port)
{
    return connect_client(l, port) && upgrade(l, "");
}

bool life_echo(struct life *l, const char *text)
{
    return pass_text(l, true, text, text) && pass_text(l, false, text, text);
}

static bool hear_end(struct life *l, struct peer *p)
{
    return peer_hear_end(p) || harm(l, p);
}

bool life_close(struct life *l)
{
    const struct bytes normal = { (const uint8_t *)"\x03\xe8", 2 };

    if (!pass(l, true, CLOSE, normal, normal) ||
        !pass(l, false, CLOSE, normal, normal)) {
        return false;
    }
    peer_fin(&l->backend);
    if (!hear_end(l, &l->client)) {
        return false;
    }
    peer_fin(&l->client);
    return hear_end(l, &l->backend);
}

static bool exchange(struct life *l)
{
    static const char ask[] = "POST /victim HTTP/1.1\r\nHost: h\r\nContent-Length: 4"
                              "\r\n\r\nbody";
    static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "5\r\nhello\r\n0\r\n\r\n";

    return say_text(l, &l->client, ask) && meet(l) && hear_text(l, &l->backend, ask) &&
           say_text(l, &l->backend, answer) && hear_text(l, &l->client, answer);
}

static bool talk(struct life *l)
{
    return pass_text(l, true, "{\"type\":\"call\",\"tool\":\"x\",\"n\":1.0}",
                     "{\"type\":\"call\",\"n\":1.0}") &&
           pass_compressed(l, "{\"type\":\"reply\",\"n\":1}",
                           "{\"type\":\"reply\",\"n\":2}") &&
           pass_compressed(l, "{\"type\":\"more\",\"n\":1}",
                           "{\"type\":\"more\",\"n\":1}") &&
           pass_text(l, true, "{\"type\":\"late\"}", "{\"type\":\"late\"}") &&
           pass_in_fragments(l, "{\"type\":\"long\"}") && pass_large(l, true) &&
           pass_large(l, false) && life_echo(l, "last words");
}

bool life_whole(struct life *l, uint16_t port)
{
    return connect_client(l, port) && exchange(l) &&
           upgrade(l, "Sec-WebSocket-Extensions: permessage-deflate\r\n") && talk(l) &&
           life_close(l);
}

void life_drop(struct life *l)
{
    peer_close(&l->client);
    peer_close(&l->backend);
    wire_inflate_free(l->inflate);
    l->inflate = NULL;
}
