#include "tests/play/play.h"

#include "base/clock.h"
#include "base/text.h"
#include "inject/build.h"
#include "inject/plan.h"
#include "proxy/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_LEN = 32, MAX_MESSAGE = 70000 };

struct player {
    const char *name;
    struct play_split split;
    struct proxy_config config;
    struct capture_block block;
    struct proxy_tap tap;
    struct proxy_outputs outputs;
    struct proxy_shared shared;
    struct proxy_session *session;
    struct inject_plan *plan; /* NULL: no rule lines */
    int64_t now_ns;
    struct buf expected; /* lines after the last input */
    struct buf *report;
    unsigned line;
    unsigned input_line;
    int wrong;
};

/* ---- what came out ---- */

static int put_output(struct buf *out, const struct proxy_output *o)
{
    const char *side = side_name((enum side)o->side);

    switch ((enum proxy_output_kind)o->kind) {
    case PROXY_SEND:
        return 0; /* joined by the caller */
    case PROXY_READ:
        return buf_put_format(out, "> read %s %s\n", side, o->on ? "on" : "off");
    case PROXY_CONNECT:
        return buf_put_text(out, "> connect\n");
    case PROXY_FIN:
        return buf_put_format(out, "> fin %s\n", side);
    case PROXY_CUT:
        return buf_put_format(out, "> cut %s\n", side);
    case PROXY_RESET:
        return buf_put_format(out, "> reset %s\n", side);
    case PROXY_ACCEPT:
        return buf_put_format(out, o->tls == 0 ? "> accept\n" : "> accept tls=%u\n",
                              o->tls);
    case PROXY_WAKE:
        return 0; /* when it matters, the transcript sends the wake */
    case PROXY_CLOSE:
        return buf_put_text(out, "> close\n");
    }
    abort();
}

static int put_sends(struct buf *out, const struct proxy_outputs *o, size_t *i)
{
    uint8_t side = o->at[*i].side;
    struct buf joined = { 0 };
    int r = 0;

    while (r == 0 && *i < o->count &&
           (o->at[*i].kind == PROXY_WAKE ||
            (o->at[*i].kind == PROXY_SEND && o->at[*i].side == side))) {
        if (o->at[*i].kind == PROXY_SEND) {
            r = buf_put(&joined, slice_bytes(o->at[*i].u.send));
        }
        *i += 1;
    }
    if (r == 0) {
        r = buf_put_format(out, "> %s ", side_name((enum side)side));
    }
    if (r == 0) {
        r = play_put_literal(out, buf_bytes(&joined));
    }
    buf_deinit(&joined);
    return r == 0 ? buf_put_text(out, "\n") : r;
}

static int put_outputs(struct buf *out, const struct proxy_outputs *o)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < o->count;) {
        if (o->at[i].kind == PROXY_SEND) {
            r = put_sends(out, o, &i);
        } else {
            r = put_output(out, &o->at[i++]);
        }
    }
    return r;
}

/* Compare what the last input caused with what the transcript says, and start anew. */
static int compare(struct player *p)
{
    struct buf seen = { 0 };
    int r = play_put_records(&seen, &p->block);

    if (r == 0) {
        r = put_outputs(&seen, &p->outputs);
    }
    if (r == 0 && !bytes_equal(buf_bytes(&seen), buf_bytes(&p->expected))) {
        p->wrong = 1;
        r = buf_put_format(
            p->report, "%s:%u (split %zu%s):\n--- written\n%.*s--- seen\n%.*s", p->name,
            p->input_line, p->split.at, p->split.single ? ", single bytes" : "",
            (int)p->expected.len, (const char *)p->expected.at, (int)seen.len,
            (const char *)seen.at);
    }
    buf_deinit(&seen);
    buf_clear(&p->expected);
    capture_block_clear(&p->block);
    proxy_outputs_clear(&p->outputs);
    p->shared.turn++;
    return r;
}

static struct bytes next_line(struct bytes *text)
{
    size_t len = bytes_find(*text, bytes_of("\n"));
    struct bytes line = bytes_first(*text, len);

    *text = bytes_from(*text, len < text->len ? len + 1 : len);
    return line;
}

/* ---- what goes in ---- */

static bool word(struct bytes *line, const char *text)
{
    size_t len = strlen(text);

    if (line->len < len || memcmp(line->at, text, len) != 0 ||
        (line->len > len && line->at[len] != ' ')) {
        return false;
    }
    *line = bytes_trim(bytes_from(*line, len));
    return true;
}

static void copy_text(struct bytes in, char out[NAME_MAX_LEN])
{
    snprintf(out, NAME_MAX_LEN, "%.*s", (int)in.len, (const char *)in.at);
}

static int64_t duration(struct bytes in)
{
    char text[NAME_MAX_LEN];
    int64_t ns = 0;

    copy_text(in, text);
    return text_parse_duration(text, &ns) == 0 ? ns : -1;
}

static unsigned long number(struct bytes in)
{
    char text[NAME_MAX_LEN];

    copy_text(in, text);
    return strtoul(text, NULL, 10);
}

static int give(struct player *p, enum side from, struct bytes part)
{
    struct slice s;
    int r;

    if (part.len == 0) {
        return 0;
    }
    r = slice_copy(part, &s);
    if (r == 0) {
        r = proxy_session_bytes(p->session, from, s, p->now_ns);
        chunk_unref(s.chunk);
    }
    return r;
}

static int give_bytes(struct player *p, enum side from, struct bytes text)
{
    struct buf bytes = { 0 };
    int r = play_literal(text, &bytes);
    struct bytes all = buf_bytes(&bytes);
    size_t cut = p->split.at < all.len ? p->split.at : all.len;

    if (p->split.single) {
        for (size_t i = 0; r == 0 && i < all.len; i++) {
            r = give(p, from, bytes_make(all.at + i, 1));
        }
    } else if (r == 0) {
        r = give(p, from, bytes_first(all, cut));
        r = r == 0 ? give(p, from, bytes_from(all, cut)) : r;
    }
    buf_deinit(&bytes);
    return r;
}

static int side_input(struct player *p, enum side from, struct bytes line)
{
    static const struct {
        const char *word;
        enum capture_end kind;
    } ends[] = { { "fin", CAPTURE_END_FIN },
                 { "cut", CAPTURE_END_TRUNCATED },
                 { "reset", CAPTURE_END_RESET },
                 { "error", CAPTURE_END_ERROR } };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (word(&line, ends[i].word)) {
            return proxy_session_ended(p->session, from, ends[i].kind, NULL, p->now_ns);
        }
    }
    return give_bytes(p, from, line);
}

static int stop(struct player *p, struct bytes line)
{
    static const uint8_t mask[4] = { 1, 2, 3, 4 };
    struct buf reason = { 0 };
    unsigned code = (unsigned)number(bytes_first(line, 4));
    int r = play_literal(bytes_from(line, 4), &reason);

    r = r == 0 ? buf_put_byte(&reason, 0) : r;
    r = r == 0
            ? proxy_session_stop(p->session, code, (char *)reason.at, mask, p->now_ns)
            : r;
    buf_deinit(&reason);
    return r;
}

static int configure(struct player *p, struct bytes line)
{
    if (word(&line, "keep-host")) {
        p->config.keep_host = true;
    } else if (word(&line, "body-limit")) {
        p->config.http_body_limit = number(line);
    } else if (word(&line, "idle")) {
        p->config.idle_timeout_ns = duration(line);
    } else {
        return -EINVAL;
    }
    return 0;
}

static int queued(struct player *p, struct bytes line)
{
    enum side side = word(&line, "client") ? CLIENT : SERVER;

    word(&line, "server");
    return proxy_session_queued(p->session, side, number(line));
}

static const struct proxy_leg_facts client_facts = { .address = "127.0.0.1:50000",
                                                     .local = "127.0.0.1:8001" };
static const struct proxy_leg_facts server_facts = { .address = "127.0.0.1:9000" };

static void forget(struct player *p)
{
    capture_block_clear(&p->block);
    proxy_outputs_clear(&p->outputs);
    p->shared.turn++;
}

/* A whole handshake, which other transcripts check. */
static int websocket(struct player *p, bool deflate)
{
    static const char request[] =
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n\r\n";
    static const char plain[] = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\n\r\n";
    static const char deflated[] =
        "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    int r = proxy_session_accepted(p->session, &client_facts, p->now_ns);

    r = r == 0 ? proxy_session_opened(p->session, &client_facts, p->now_ns) : r;
    r = r == 0 ? give(p, CLIENT, bytes_of(request)) : r;
    r = r == 0 ? proxy_session_connected(p->session, &server_facts, NULL, p->now_ns)
               : r;
    r = r == 0 ? give(p, SERVER, bytes_of(deflate ? deflated : plain)) : r;
    forget(p);
    return r;
}

static int input(struct player *p, struct bytes line)
{
    if (word(&line, "client")) {
        return side_input(p, CLIENT, line);
    }
    if (word(&line, "server")) {
        return side_input(p, SERVER, line);
    }
    if (word(&line, "websocket")) {
        return websocket(p, word(&line, "deflate"));
    }
    if (word(&line, "accept")) {
        return proxy_session_accepted(p->session, &client_facts, p->now_ns);
    }
    if (word(&line, "open")) {
        return proxy_session_opened(p->session, &client_facts, p->now_ns);
    }
    if (word(&line, "refuse")) {
        return proxy_session_refuse(p->session, &client_facts, (unsigned)number(line),
                                    "full", p->now_ns);
    }
    if (word(&line, "connected")) {
        return proxy_session_connected(p->session, &server_facts, NULL, p->now_ns);
    }
    if (word(&line, "unreachable")) {
        return proxy_session_connected(p->session, &server_facts, "connection refused",
                                       p->now_ns);
    }
    if (word(&line, "wake")) {
        p->now_ns += duration(line);
        return proxy_session_wake(p->session, p->now_ns);
    }
    if (word(&line, "silence")) {
        proxy_session_silence(p->session);
        proxy_session_lost(p->session, word(&line, "client") ? CLIENT : SERVER);
        return 0;
    }
    if (word(&line, "queued")) {
        return queued(p, line);
    }
    if (word(&line, "stop")) {
        return stop(p, line);
    }
    return word(&line, "config") ? configure(p, line) : -EINVAL;
}

/* ---- a whole transcript ---- */

/* Expectations are compared in canonical spelling, whatever literals they use. */
static int expect(struct player *p, struct bytes line)
{
    size_t colon = bytes_find(line, bytes_of(" : "));
    struct bytes head = bytes_first(line, colon), literal = { 0 };
    struct buf bytes = { 0 };
    int r;

    if (colon < line.len) {
        head = bytes_first(line, colon + 3);
        literal = bytes_from(line, colon + 3);
    } else if (line.at[0] == '>' && (bytes_find(line, bytes_of("> client ")) == 0 ||
                                     bytes_find(line, bytes_of("> server ")) == 0)) {
        head = bytes_first(line, strlen("> client "));
        literal = bytes_from(line, strlen("> client "));
    }
    r = buf_put(&p->expected, head);
    if (r == 0 && literal.at != NULL) {
        r = play_literal(literal, &bytes);
        r = r == 0 ? play_put_literal(&p->expected, buf_bytes(&bytes)) : r;
    }
    buf_deinit(&bytes);
    return r == 0 ? buf_put_text(&p->expected, "\n") : r;
}

static int step(struct player *p, struct bytes line)
{
    int r;

    line = bytes_trim(line);
    p->line++;
    if (line.len == 0 || line.at[0] == '#') {
        return 0;
    }
    if (line.at[0] == '+' || line.at[0] == '>') {
        return expect(p, line);
    }
    if (word(&line, "rule") || word(&line, "seed") || word(&line, "whole")) {
        return 0;
    }
    r = compare(p);
    p->input_line = p->line;
    return r == 0 ? input(p, line) : r;
}

enum { RULES_MAX = 16 };

static int build_rules(struct player *p, const struct inject_source *sources,
                       size_t count, uint64_t seed)
{
    struct inject_rules *rules;
    struct buf errors = { 0 };
    unsigned error_count;
    int r = inject_build(sources, count, &rules, &errors, &error_count);

    if (r == 0) {
        p->plan = inject_plan_new(rules, seed, MAX_MESSAGE);
    } else {
        buf_put(p->report, buf_bytes(&errors));
    }
    buf_deinit(&errors);
    return r;
}

/* The rule lines of a transcript, wherever they stand. */
static int read_rules(struct player *p, struct bytes text)
{
    struct inject_source sources[RULES_MAX];
    size_t count = 0;
    uint64_t seed = 1;

    while (text.len > 0 && count < RULES_MAX) {
        struct bytes line = bytes_trim(next_line(&text));

        if (word(&line, "rule")) {
            sources[count++] = (struct inject_source){
                .name = p->name, .text = line, .is_line = true, .folder = "."
            };
        } else if (word(&line, "seed")) {
            seed = number(line);
        }
    }
    return count == 0 ? 0 : build_rules(p, sources, count, seed);
}

static int begin(struct player *p)
{
    p->config = (struct proxy_config){ .http_body_limit = 1 << 20,
                                       .head_timeout_ns = 30 * CLOCK_NS_PER_S,
                                       .connect_timeout_ns = 10 * CLOCK_NS_PER_S,
                                       .linger_ns = 2 * CLOCK_NS_PER_S };
    wire_url_parse("ws://127.0.0.1:8001", "listen", &p->config.listen, NULL);
    wire_url_parse("ws://backend:9000", "upstream", &p->config.upstream, NULL);
    capture_block_init(&p->block, 7);
    p->tap.block = &p->block;
    p->tap.origin_ns = CLOCK_NS_PER_S;
    p->shared = (struct proxy_shared){
        .config = &p->config, .tap = &p->tap, .plan = p->plan, .outputs = &p->outputs
    };
    p->now_ns = CLOCK_NS_PER_S;
    p->session = proxy_session_new(&p->shared, 1, p, p->now_ns);
    return p->session == NULL ? -ENOMEM : 0;
}

int play_run(const char *name, struct bytes text, struct play_split split,
             struct buf *report)
{
    struct player p = { .name = name, .split = split, .report = report };
    int r = read_rules(&p, text);

    if (r == 0) {
        r = begin(&p);
    }
    while (r == 0 && text.len > 0) {
        r = step(&p, next_line(&text));
    }
    if (r == 0) {
        r = compare(&p);
    }
    if (r < 0) {
        p.wrong = 1;
        buf_put_format(report, "%s:%u: cannot be played: %s\n", name, p.line,
                       strerror(-r));
    }
    proxy_session_free(p.session);
    inject_plan_free(p.plan);
    proxy_outputs_deinit(&p.outputs);
    capture_block_deinit(&p.block);
    buf_deinit(&p.expected);
    return p.wrong;
}

size_t play_longest(struct bytes text)
{
    struct buf bytes = { 0 };
    size_t longest = 0;

    while (text.len > 0) {
        struct bytes line = bytes_trim(next_line(&text));

        buf_clear(&bytes);
        if ((word(&line, "client") || word(&line, "server")) && line.len > 0 &&
            play_literal(line, &bytes) == 0 && bytes.len > longest) {
            longest = bytes.len;
        }
    }
    buf_deinit(&bytes);
    return longest;
}

bool play_whole_only(struct bytes text)
{
    while (text.len > 0) {
        struct bytes line = bytes_trim(next_line(&text));

        if (word(&line, "whole")) {
            return true;
        }
    }
    return false;
}
