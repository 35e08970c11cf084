#include "base/clock.h"
#include "tests/sim/talk.h"
#include "wire/deflate.h"
#include "wire/handshake.h"

/* A head: everything goes through, but Host and a matching Origin. */
static void put_head(struct sim_talk *t, const char *said, const char *expected)
{
    sim_must(buf_put_text(&t->by[CLIENT].bytes, said));
    sim_must(buf_put_text(&t->by[CLIENT].expected, t->keep_host ? said : expected));
}

static void put_hosts(struct sim_talk *t, struct sim_chance *c)
{
    static const char *const hosts[][2] = {
        { "Host: localhost:8001\r\n", "Host: backend:9000\r\n" },
        { "host:a\r\n", "host:backend:9000\r\n" },
        { "HOST:  example.com:81 \t\r\n", "HOST:  backend:9000 \t\r\n" },
    };
    static const char *const origins[][2] = {
        { "Origin: http://127.0.0.1:8001\r\n", "Origin: http://backend:9000\r\n" },
        { "Origin: https://elsewhere\r\n", "Origin: https://elsewhere\r\n" },
    };
    uint64_t i = sim_below(c, sizeof(hosts) / sizeof(*hosts));

    put_head(t, hosts[i][0], hosts[i][1]);
    if (sim_odds(c, 30)) {
        i = sim_below(c, 2);
        put_head(t, origins[i][0], origins[i][1]);
    }
}

static void put_extras(struct sim_talk *t, struct sim_chance *c, enum side from)
{
    static const char *const extras[] = { "Cookie: a=b; c=d\r\n",
                                          "User-Agent: Python/3.11 x\r\n",
                                          "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
                                          "Authorization: Bearer x\r\n",
                                          "accept:\t*/*\r\n" };

    for (uint64_t i = sim_below(c, 4); i > 0; i--) {
        sim_talk_text(t, from, extras[sim_below(c, sizeof(extras) / sizeof(*extras))]);
    }
}

static void put_noise(struct sim_talk *t, struct sim_chance *c, enum side from,
                      uint64_t len)
{
    uint8_t noise[512];

    while (len > 0) {
        size_t part = len < sizeof(noise) ? len : sizeof(noise);

        for (size_t i = 0; i < part; i++) {
            noise[i] = (uint8_t)sim_bits(c);
        }
        sim_talk_put(t, from, bytes_make(noise, part));
        len -= part;
    }
}

static void put_line(struct sim_talk *t, enum side from, const char *format,
                     uint64_t number)
{
    struct buf line = { 0 };

    sim_must(buf_put_format(&line, "%s%llx\r\n", format, (unsigned long long)number));
    sim_talk_put(t, from, buf_bytes(&line));
    buf_deinit(&line);
}

static void put_length(struct sim_talk *t, enum side from, uint64_t len)
{
    struct buf line = { 0 };

    sim_must(
        buf_put_format(&line, "Content-Length: %llu\r\n\r\n", (unsigned long long)len));
    sim_talk_put(t, from, buf_bytes(&line));
    buf_deinit(&line);
}

static void put_chunks(struct sim_talk *t, struct sim_chance *c, enum side from)
{
    sim_talk_text(t, from, "Transfer-Encoding: chunked\r\n\r\n");
    for (uint64_t i = sim_below(c, 4); i > 0; i--) {
        uint64_t len = sim_between(c, 1, sim_odds(c, 10) ? 5000 : 50);

        put_line(t, from, "", len);
        put_noise(t, c, from, len);
        sim_talk_text(t, from, "\r\n");
    }
    sim_talk_text(t, from, sim_odds(c, 30) ? "0\r\nX-Trailer: 1\r\n\r\n" : "0\r\n\r\n");
}

static void put_body(struct sim_talk *t, struct sim_chance *c, enum side from)
{
    uint64_t len = sim_below(c, sim_odds(c, 5) ? 20000 : 200);

    if (sim_odds(c, 50)) {
        put_chunks(t, c, from);
        return;
    }
    put_length(t, from, len);
    put_noise(t, c, from, len);
}

struct asked {
    bool is_head;
    bool expects; /* 100 Continue */
};

static struct asked ask(struct sim_talk *t, struct sim_chance *c)
{
    static const char *const lines[] = { "GET / HTTP/1.1\r\n", "GET /ws/a HTTP/1.1\r\n",
                                         "POST /api?x=1 HTTP/1.1\r\n",
                                         "HEAD /a HTTP/1.1\r\n",
                                         "PUT /ws HTTP/1.1\r\n" };
    uint64_t line = sim_below(c, sizeof(lines) / sizeof(*lines));
    struct asked asked = { .is_head = line == 3 };

    if (sim_odds(c, 5)) {
        sim_talk_text(t, CLIENT, "\r\n");
    }
    sim_talk_text(t, CLIENT, lines[line]);
    put_hosts(t, c);
    put_extras(t, c, CLIENT);
    if (line == 2 || line == 4) {
        asked.expects = sim_odds(c, 20);
        if (asked.expects) {
            sim_talk_text(t, CLIENT, "Expect: 100-continue\r\n");
        }
        put_body(t, c, CLIENT);
    } else {
        sim_talk_text(t, CLIENT, "\r\n");
    }
    return asked;
}

/* False: only the end of the connection ends the answer. */
static bool answer(struct sim_talk *t, struct sim_chance *c, struct asked asked,
                   bool last)
{
    static const char *const lines[] = { "HTTP/1.1 200 OK\r\n",
                                         "HTTP/1.1 404 Not Found\r\n",
                                         "HTTP/1.1 500 \r\n" };

    if (asked.expects) {
        sim_talk_text(t, SERVER, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    if (sim_odds(c, 15)) {
        sim_talk_text(t, SERVER,
                      sim_odds(c, 50) ? "HTTP/1.1 204 No Content\r\n"
                                      : "HTTP/1.1 304 Not Modified\r\n");
        put_extras(t, c, SERVER);
        sim_talk_text(t, SERVER, "\r\n");
        return true;
    }
    sim_talk_text(t, SERVER, lines[sim_below(c, sizeof(lines) / sizeof(*lines))]);
    put_extras(t, c, SERVER);
    if (asked.is_head) {
        put_length(t, SERVER, sim_below(c, 1000));
        return true;
    }
    if (last && sim_odds(c, 20)) {
        sim_talk_text(t, SERVER, "Connection: close\r\n\r\n");
        put_noise(t, c, SERVER, sim_below(c, 3000));
        return false;
    }
    put_body(t, c, SERVER);
    return true;
}

enum { BATCH_MAX = 20 };

bool sim_talk_http(struct sim_talk *t, struct sim_chance *c, unsigned count)
{
    bool goes_on = true;

    for (unsigned i = 0; i < count && goes_on; i++) {
        uint64_t batch = sim_odds(c, 25) ? sim_between(c, 2, BATCH_MAX) : 1;

        for (uint64_t k = 0; k < batch && goes_on; k++) {
            struct asked asked = ask(t, c);

            sim_talk_say(t, CLIENT);
            if (t->calm || sim_odds(c, 95)) {
                sim_talk_hear(t, SERVER);
            } else {
                t->complete = false; /* an answer to nothing may end the exchange */
            }
            goes_on = answer(t, c, asked, i + 1 == count && k + 1 == batch);
            sim_talk_say(t, SERVER);
        }
        if (t->calm || sim_odds(c, 70)) {
            sim_talk_hear(t, CLIENT);
        }
        if (sim_odds(c, 20)) {
            sim_talk_wait(t, CLIENT, (int64_t)sim_below(c, 20) * CLOCK_NS_PER_MS);
        }
    }
    if (!goes_on) {
        sim_talk_end(t, SERVER, CAPTURE_END_FIN);
    }
    return goes_on;
}

/* ---- upgrades ---- */

static void ask_upgrade(struct sim_talk *t, struct sim_chance *c, bool websocket)
{
    sim_talk_text(t, CLIENT,
                  sim_odds(c, 50) ? "GET /ws HTTP/1.1\r\n" : "GET /ws/x HTTP/1.1\r\n");
    put_hosts(t, c);
    sim_talk_text(t, CLIENT,
                  websocket ? "Upgrade: websocket\r\n" : "Upgrade: other\r\n");
    sim_talk_text(t, CLIENT, "Connection: keep-alive, Upgrade\r\n");
    if (websocket) {
        sim_talk_text(t, CLIENT,
                      "Sec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        if (sim_odds(c, 80)) {
            sim_talk_text(t, CLIENT,
                          "Sec-WebSocket-Extensions: permessage-deflate; "
                          "client_max_window_bits\r\n");
        }
    }
    put_extras(t, c, CLIENT);
    sim_talk_text(t, CLIENT, "\r\n");
    sim_talk_say(t, CLIENT);
}

static void put_deflate(struct sim_talk *t, struct sim_chance *c,
                        struct wire_deflate_params *d)
{
    *d = (struct wire_deflate_params){ .agreed = true,
                                       .server_max_window_bits = 15,
                                       .client_max_window_bits = 15 };
    sim_talk_text(t, SERVER, "Sec-WebSocket-Extensions: permessage-deflate");
    if (sim_odds(c, 30)) {
        d->client_no_context_takeover = true;
        sim_talk_text(t, SERVER, "; client_no_context_takeover");
    }
    if (sim_odds(c, 30)) {
        d->server_no_context_takeover = true;
        sim_talk_text(t, SERVER, "; server_no_context_takeover");
    }
    if (sim_odds(c, 30)) {
        d->server_max_window_bits = 10;
        sim_talk_text(t, SERVER, "; server_max_window_bits=10");
    }
    sim_talk_text(t, SERVER, "\r\n");
}

static void agree(struct sim_talk *t, struct sim_chance *c, enum sim_opened to,
                  struct wire_deflate_params *deflate)
{
    sim_talk_text(t, SERVER, "HTTP/1.1 101 Switching Protocols\r\n");
    sim_talk_text(t, SERVER,
                  to == SIM_TUNNEL ? "Upgrade: other\r\n" : "Upgrade: websocket\r\n");
    sim_talk_text(t, SERVER, "Connection: Upgrade\r\n");
    if (to == SIM_DEFLATE) {
        put_deflate(t, c, deflate);
    }
    sim_talk_text(t, SERVER, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
    put_extras(t, c, SERVER);
    sim_talk_text(t, SERVER, "\r\n");
}

enum sim_opened sim_talk_upgrade(struct sim_talk *t, struct sim_chance *c,
                                 struct wire_deflate_params *deflate)
{
    enum sim_opened opened = sim_odds(c, 40) ? SIM_DEFLATE : SIM_WEBSOCKET;
    bool waits = t->calm || sim_odds(c, 80);

    if (sim_odds(c, 20)) {
        opened = sim_odds(c, 50) ? SIM_REFUSED : SIM_TUNNEL;
    }
    ask_upgrade(t, c, opened != SIM_TUNNEL);
    sim_talk_hear(t, SERVER);
    if (opened == SIM_REFUSED) {
        sim_talk_text(t, SERVER, "HTTP/1.1 403 Forbidden\r\n");
        put_body(t, c, SERVER);
    } else {
        agree(t, c, opened, deflate);
    }
    t->frames = opened == SIM_WEBSOCKET || opened == SIM_DEFLATE;
    t->frames_at[CLIENT] = t->by[CLIENT].expected.len;
    t->frames_at[SERVER] = t->by[SERVER].expected.len;
    if (!t->frames ||
        sim_odds(c, 70)) { /* else the first frames come in one piece with it */
        sim_talk_say(t, SERVER);
    }
    if (waits) {
        sim_talk_hear(t, CLIENT);
    }
    return opened;
}
