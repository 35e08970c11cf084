/*
 * A whole connection with rules, in memory: whole or cut anywhere, what comes in causes
 * the same bytes to both sides, the same ends and the same acts on the tape; nothing is
 * said behind an end, and all memory is given back.
 *
 * The input: lines of rules up to an empty one, a byte of options, then operations,
 * each a byte, a length and, where bytes come, so many of them.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "inject/build.h"
#include "inject/plan.h"
#include "proxy/session.h"
#include "tests/fuzz/target.h"
#include "tests/play/play.h"

enum { ID = 7, RULES_MAX = 4, MESSAGE_MAX = 4096, WAKES_MAX = 10000 };

enum { OPTION_DEFLATE = 1, OPTION_HTTP = 2 /* no handshake comes first */ };

/* Bit 7 of an operation: the server's side. Others are bytes. */
enum { OP_END = 5, OP_TIME = 6, OP_KINDS = 7 };

struct input {
    struct inject_source rules[RULES_MAX];
    size_t rule_count;
    unsigned options;
    struct bytes ops;
};

struct run {
    struct proxy_config config;
    struct capture_block block;
    struct proxy_tap tap;
    struct proxy_outputs outputs;
    struct proxy_shared shared;
    struct inject_plan *plan;
    struct proxy_session *session;
    int64_t now_ns, wake_at;
    bool accepted, connects, closed;
    bool over[2];        /* nothing comes from there any more */
    bool ended[2];       /* nothing may be said there any more */
    struct buf got[2];   /* by side */
    struct buf happened; /* all else */
    size_t chunk;
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

static void read_input(struct input *i, struct bytes in)
{
    while (in.len > 0) {
        struct bytes line = bytes_first(in, bytes_find(in, bytes_of("\n")));

        (void)take(&in, line.len + 1);
        if (line.len == 0) {
            break;
        }
        if (i->rule_count < RULES_MAX) {
            i->rules[i->rule_count++] = (struct inject_source){
                .name = "fuzz", .text = line, .is_line = true, .folder = "/nowhere"
            };
        }
    }
    i->options = take_byte(&in);
    i->ops = in;
}

/* ---- what comes out ---- */

static void note(struct run *r, const struct proxy_output *o)
{
    must(buf_put_format(&r->happened, "%d %d %d after %zu %zu\n", o->kind, o->side,
                        o->tls, r->got[CLIENT].len, r->got[SERVER].len) == 0);
}

static void perform_one(struct run *r, const struct proxy_output *o)
{
    switch ((enum proxy_output_kind)o->kind) {
    case PROXY_SEND:
        must(!r->ended[o->side]);
        put(&r->got[o->side], slice_bytes(o->u.send));
        return;
    case PROXY_READ:
        return;
    case PROXY_WAKE:
        r->wake_at = o->u.wake_at;
        return;
    case PROXY_ACCEPT:
        r->accepted = true;
        break;
    case PROXY_CONNECT:
        r->connects = true;
        break;
    case PROXY_RESET:
        r->over[o->side] = r->ended[o->side] = true;
        break;
    case PROXY_FIN:
    case PROXY_CUT:
        r->ended[o->side] = true;
        break;
    case PROXY_CLOSE:
        r->closed = true;
        break;
    }
    note(r, o);
}

static void perform(struct run *r)
{
    for (size_t i = 0; i < r->outputs.count; i++) {
        must(!r->closed || r->outputs.at[i].kind == PROXY_WAKE);
        perform_one(r, &r->outputs.at[i]);
    }
    proxy_outputs_clear(&r->outputs);
    r->shared.turn++;
}

/* ---- what comes in ---- */

static const struct proxy_leg_facts client_facts = { .address = "127.0.0.1:50000",
                                                     .local = "127.0.0.1:8001" };
static const struct proxy_leg_facts server_facts = { .address = "127.0.0.1:9000" };

static void did(struct run *r, int result)
{
    must(result == 0);
    perform(r);
}

/* Opened and connected as soon as it is asked for. */
static void follow(struct run *r)
{
    if (r->accepted && !r->closed) {
        r->accepted = false;
        did(r, proxy_session_opened(r->session, &client_facts, r->now_ns));
    }
    if (r->connects && !r->closed) {
        r->connects = false;
        did(r, proxy_session_connected(r->session, &server_facts, NULL, r->now_ns));
    }
}

static void give(struct run *r, enum side from, struct bytes in)
{
    while (in.len > 0 && !r->over[from] && !r->closed) {
        struct slice s;

        must(slice_copy(take(&in, r->chunk), &s) == 0);
        did(r, proxy_session_bytes(r->session, from, s, r->now_ns));
        chunk_unref(s.chunk);
        follow(r);
    }
}

static void end(struct run *r, enum side from, enum capture_end kind)
{
    if (!r->over[from] && !r->closed) {
        r->over[from] = true;
        did(r, proxy_session_ended(r->session, from, kind, NULL, r->now_ns));
        follow(r);
    }
}

static void pass(struct run *r, int64_t ns)
{
    int64_t until = r->now_ns + ns;

    for (unsigned i = 0; !r->closed && r->wake_at >= 0 && r->wake_at <= until; i++) {
        must(i < WAKES_MAX);
        r->now_ns = r->wake_at > r->now_ns ? r->wake_at : r->now_ns;
        r->wake_at = -1;
        did(r, proxy_session_wake(r->session, r->now_ns));
        follow(r);
    }
    r->now_ns = until;
}

#define ASK                                                                            \
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"     \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
#define AGREE                                                                          \
    "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                  \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

static void shake(struct run *r, unsigned options)
{
    bool deflate = (options & OPTION_DEFLATE) != 0;

    if ((options & OPTION_HTTP) == 0) {
        give(r, CLIENT, bytes_of(deflate ? ASK DEFLATE : ASK "\r\n"));
        pass(r, CLOCK_NS_PER_S);
        give(r, SERVER, bytes_of(deflate ? AGREE DEFLATE : AGREE "\r\n"));
        pass(r, CLOCK_NS_PER_S);
    }
}

static void operate(struct run *r, struct bytes ops)
{
    while (ops.len > 0 && !r->closed) {
        unsigned op = take_byte(&ops), len = take_byte(&ops);
        enum side from = (op & 0x80U) != 0 ? SERVER : CLIENT;

        switch ((op & 0x7fU) % OP_KINDS) {
        case OP_END:
            end(r, from, (enum capture_end)(CAPTURE_END_FIN + len % 3));
            break;
        case OP_TIME:
            pass(r, (int64_t)len * 50 * CLOCK_NS_PER_MS);
            break;
        default:
            give(r, from, take(&ops, len));
            break;
        }
    }
}

/* What the tape has, but for bytes as they came: they are in as many records as that
 * took, with others between. */
static void put_acts(struct run *r)
{
    static const char *const pieces[] = { "+ frame ", "+ more ", "+ raw ", "+ body " };
    struct buf all = { 0 };
    struct bytes text;

    must(play_put_records(&all, &r->block) == 0);
    text = buf_bytes(&all);
    while (text.len > 0) {
        struct bytes line = take(&text, bytes_find(text, bytes_of("\n")) + 1);
        bool is_piece = false;

        for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
            is_piece = is_piece || bytes_find(line, bytes_of(pieces[i])) == 0;
        }
        if (!is_piece) {
            put(&r->happened, line);
        }
    }
    buf_deinit(&all);
}

/* ---- a run ---- */

static void begin(struct run *r, const struct input *i)
{
    struct inject_rules *rules;
    struct buf errors = { 0 };
    unsigned count;

    if (i->rule_count > 0 &&
        inject_build(i->rules, i->rule_count, &rules, &errors, &count) == 0) {
        r->plan = inject_plan_new(rules, 1, MESSAGE_MAX);
        must(r->plan != NULL);
    }
    buf_deinit(&errors);
    r->config = (struct proxy_config){ .http_body_limit = 1 << 20,
                                       .head_timeout_ns = 30 * CLOCK_NS_PER_S,
                                       .connect_timeout_ns = 10 * CLOCK_NS_PER_S,
                                       .linger_ns = 2 * CLOCK_NS_PER_S };
    must(wire_url_parse("ws://127.0.0.1:8001", "l", &r->config.listen, NULL) == 0);
    must(wire_url_parse("ws://backend:9000", "u", &r->config.upstream, NULL) == 0);
    capture_block_init(&r->block, ID);
    r->tap.block = &r->block;
    r->tap.origin_ns = r->now_ns = CLOCK_NS_PER_S;
    r->wake_at = -1;
    r->shared = (struct proxy_shared){
        .config = &r->config, .tap = &r->tap, .plan = r->plan, .outputs = &r->outputs
    };
    r->session = proxy_session_new(&r->shared, 1, r, r->now_ns);
    must(r->session != NULL);
}

static void run(const struct input *i, size_t chunk, struct run *r)
{
    static const uint8_t mask[4] = { 1, 2, 3, 4 };

    *r = (struct run){ .chunk = chunk };
    begin(r, i);
    did(r, proxy_session_accepted(r->session, &client_facts, r->now_ns));
    follow(r);
    shake(r, i->options);
    operate(r, i->ops);
    pass(r, 60 * CLOCK_NS_PER_S);
    if (!r->closed) {
        did(r, proxy_session_stop(r->session, 1001, "bye", mask, r->now_ns));
        pass(r, 60 * CLOCK_NS_PER_S);
    }
    must(r->closed);
    put_acts(r);
}

static void forget(struct run *r)
{
    proxy_session_free(r->session);
    inject_plan_free(r->plan);
    proxy_outputs_deinit(&r->outputs);
    capture_block_deinit(&r->block);
    buf_deinit(&r->got[CLIENT]);
    buf_deinit(&r->got[SERVER]);
    buf_deinit(&r->happened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const size_t chunks[] = { 1, 5, 37 };
    long before = alloc_live();
    struct input i = { 0 };
    struct run whole;

    read_input(&i, len == 0 ? bytes_of("") : bytes_make(data, len));
    run(&i, SIZE_MAX, &whole);
    for (size_t n = 0; n < sizeof(chunks) / sizeof(*chunks); n++) {
        struct run parts;

        run(&i, chunks[n], &parts);
        same(&whole.got[CLIENT], &parts.got[CLIENT]);
        same(&whole.got[SERVER], &parts.got[SERVER]);
        same(&whole.happened, &parts.happened);
        forget(&parts);
    }
    forget(&whole);
    must(alloc_live() == before);
    return 0;
}
