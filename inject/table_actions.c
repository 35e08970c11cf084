#include "inject/table.h"

#define IF(condition) (1U << INJECT_IF_##condition)

enum {
    ALWAYS = IF(CONNECTION) | IF(TIME) | IF(AGE) | IF(AFTER),
    REQUEST = ALWAYS | IF(PATH) | IF(HEADER),
    ONE_WAY = REQUEST | IF(FROM),
    ALL = ONE_WAY | IF(MESSAGE) | IF(OPCODE) | IF(JSON) | IF(TEXT) | IF(SIZE),

    COUNT_MAX = 1000,
    CORRUPT_MAX = 65536,
};

static const char *const tls_names[] = { "expired", "self_signed", "wrong_host",
                                         "abort", NULL };
static const char *const abort_names[] = { "fin", "rst", NULL };
static const char *const where_names[] = { "before", "after", NULL };
static const char *const violation_names[] = { "rsv",
                                               "mask",
                                               "opcode",
                                               "length",
                                               "control_fragment",
                                               "utf8",
                                               "close_code",
                                               "orphan_continuation",
                                               NULL };

static void choose_tls(struct inject_act *a, unsigned index)
{
    a->tls = (enum inject_tls)index;
}

static void choose_abort(struct inject_act *a, unsigned index)
{
    a->rst = index == 1;
}

static void choose_where(struct inject_act *a, unsigned index)
{
    a->after = index == 1;
}

static void choose_violation(struct inject_act *a, unsigned index)
{
    a->violation = (enum inject_violation)index;
}

#define TO(member) offsetof(struct inject_act, member)

#define DURATION(name)                                                                 \
    {                                                                                  \
        name, INJECT_PARAM_DURATION, TO(for_ns), 0, 0, NULL, NULL                      \
    }
#define FOREVER                                                                        \
    {                                                                                  \
        NULL, INJECT_PARAM_FOREVER, TO(for_ns), 0, 0, NULL, NULL                       \
    }
#define GAP(name, to)                                                                  \
    {                                                                                  \
        name, INJECT_PARAM_DURATION, TO(to), 0, 0, NULL, NULL                          \
    }
#define NUMBER(min, max)                                                               \
    {                                                                                  \
        NULL, INJECT_PARAM_NUMBER, TO(count), min, max, NULL, NULL                     \
    }
#define SIZE(name, min)                                                                \
    {                                                                                  \
        name, INJECT_PARAM_SIZE, TO(count), min, UINT64_MAX, NULL, NULL                \
    }
#define PLAIN(name, kind)                                                              \
    {                                                                                  \
        name, INJECT_PARAM_##kind, 0, 0, 0, NULL, NULL                                 \
    }
#define CHOICE(name, names, choose)                                                    \
    {                                                                                  \
        name, INJECT_PARAM_CHOICE, 0, 0, 0, names, choose                              \
    }
#define PAYLOADS                                                                       \
    PLAIN("text", TEXT), PLAIN("json", JSON), PLAIN("file", FILE),                     \
        PLAIN("binary", BASE64)

/* clang-format off */
static const struct inject_action_row rows[INJECT_ACTION_COUNT] = {
    [INJECT_REFUSE] = {
        .name = "refuse", .stage = INJECT_STAGE_LISTEN, .conditions = IF(TIME),
        .bare = true, .params = { PLAIN(NULL, NONE) },
        .what = "close the port: connecting fails with ECONNREFUSED",
        .yaml = "refuse: true\nwhen: {time: 0s..3s}",
        .line = "refuse,time=0s..3s",
    },
    [INJECT_RESET] = {
        .name = "reset", .stage = INJECT_STAGE_CONNECTION, .conditions = REQUEST,
        .bare = true, .params = { PLAIN(NULL, NONE) },
        .what = "accept the connection, then reset it",
        .yaml = "reset: true\nwhen: {connection: 1..2}",
        .line = "reset,connection=1..2",
    },
    [INJECT_HANG] = {
        .name = "hang", .stage = INJECT_STAGE_CONNECTION, .conditions = REQUEST,
        .bare = true, .params = { FOREVER },
        .what = "accept the connection and never answer, or not for a time",
        .yaml = "hang: 30s",
        .line = "hang=30s",
    },
    [INJECT_ACCEPT_DELAY] = {
        .name = "accept_delay", .stage = INJECT_STAGE_CONNECTION, .conditions = ALWAYS,
        .params = { DURATION(NULL) },
        .what = "wait before the connection is served",
        .yaml = "accept_delay: 2s",
        .line = "accept_delay=2s",
    },
    [INJECT_TLS] = {
        .name = "tls", .stage = INJECT_STAGE_CONNECTION, .conditions = ALWAYS,
        .params = { CHOICE(NULL, tls_names, choose_tls) },
        .what = "serve a bad certificate, or break the TLS handshake off",
        .yaml = "tls: expired",
        .line = "tls=expired",
    },
    [INJECT_STATUS] = {
        .name = "status", .stage = INJECT_STAGE_HANDSHAKE, .conditions = ONE_WAY,
        .direction = INJECT_REQUEST_ONLY,
        .params = { { "code", INJECT_PARAM_STATUS, TO(code), 200, 599, NULL, NULL },
                    PLAIN("headers", HEADERS), PLAIN("body", TEXT) },
        .what = "answer the request with a status, headers and a body",
        .yaml = "status: {code: 503, headers: {Retry-After: 1}, body: try again}\n"
                "when: {connection: 1..2}",
        .line = "status=503,headers.Retry-After=1,body=try again,connection=1..2",
    },
    [INJECT_HANDSHAKE_DELAY] = {
        .name = "handshake_delay", .stage = INJECT_STAGE_HANDSHAKE,
        .conditions = ONE_WAY, .direction = INJECT_REQUEST_ONLY,
        .params = { DURATION(NULL) },
        .what = "wait before the request goes on",
        .yaml = "handshake_delay: 5s",
        .line = "handshake_delay=5s",
    },
    [INJECT_BAD_ACCEPT] = {
        .name = "bad_accept", .stage = INJECT_STAGE_HANDSHAKE, .conditions = ONE_WAY,
        .direction = INJECT_ANSWER_ONLY, .bare = true,
        .params = { PLAIN(NULL, NONE) },
        .what = "answer with a wrong Sec-WebSocket-Accept",
        .yaml = "bad_accept: true",
        .line = "bad_accept",
    },
    [INJECT_SUBPROTOCOL] = {
        .name = "subprotocol", .stage = INJECT_STAGE_HANDSHAKE, .conditions = ONE_WAY,
        .direction = INJECT_ANSWER_ONLY, .params = { PLAIN(NULL, VALUE) },
        .what = "answer with this Sec-WebSocket-Protocol",
        .yaml = "subprotocol: chat.v9",
        .line = "subprotocol=chat.v9",
    },
    [INJECT_EXTENSION] = {
        .name = "extension", .stage = INJECT_STAGE_HANDSHAKE, .conditions = ONE_WAY,
        .direction = INJECT_ANSWER_ONLY, .params = { PLAIN(NULL, VALUE) },
        .what = "answer with this Sec-WebSocket-Extensions",
        .yaml = "extension: x-unknown",
        .line = "extension=x-unknown",
    },
    [INJECT_SET_HEADER] = {
        .name = "set_header", .stage = INJECT_STAGE_HANDSHAKE, .conditions = ONE_WAY,
        .params = { PLAIN(NULL, HEADERS) },
        .what = "set headers of the request (from: client), the answer (from: server) "
                "or both",
        .yaml = "set_header: {Authorization: Bearer expired}\nwhen: {from: client}",
        .line = "set_header.Authorization=Bearer expired,from=client",
    },
    [INJECT_DROP_HEADER] = {
        .name = "drop_header", .stage = INJECT_STAGE_HANDSHAKE, .conditions = ONE_WAY,
        .params = { PLAIN(NULL, NAMES) },
        .what = "take headers out, as above",
        .yaml = "drop_header: [Authorization, Cookie]\nwhen: {from: client}",
        .line = "drop_header=[Authorization,Cookie],from=client",
    },
    [INJECT_DROP] = {
        .name = "drop", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .bare = true, .params = { PLAIN(NULL, NONE) },
        .what = "swallow the message",
        .yaml = "drop: true\nwhen: {from: server, json: {type: agent_completed}}",
        .line = "drop,from=server,json.type=agent_completed",
    },
    [INJECT_DELAY] = {
        .name = "delay", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .params = { DURATION(NULL) },
        .what = "hold the message, and all behind it, for a time",
        .yaml = "delay: 250ms\nwhen: {message: every 4}",
        .line = "delay=250ms,message=every 4",
    },
    [INJECT_DUPLICATE] = {
        .name = "duplicate", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .bare = true, .count = 1, .params = { NUMBER(1, COUNT_MAX) },
        .what = "send so many copies more (1)",
        .yaml = "duplicate: 2",
        .line = "duplicate=2",
    },
    [INJECT_REORDER] = {
        .name = "reorder", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .data_only = true, .bare = true, .count = 1,
        .params = { NUMBER(1, COUNT_MAX) },
        .what = "let so many of the following messages overtake it (1)",
        .yaml = "reorder: 1\nwhen: {message: 3}",
        .line = "reorder=1,message=3",
    },
    [INJECT_DROP_FIELD] = {
        .name = "drop_field", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .data_only = true, .params = { PLAIN(NULL, PATHS) },
        .what = "take fields out of JSON, and leave every other byte",
        .yaml = "drop_field: [tool_name, '$.results[*].score']",
        .line = "drop_field=[tool_name,$.results[*].score]",
    },
    [INJECT_SET_FIELD] = {
        .name = "set_field", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .data_only = true, .params = { PLAIN(NULL, SETS) },
        .what = "give fields of JSON other values",
        .yaml = "set_field: {timestamp: null, data.retries: 3}",
        .line = "set_field.timestamp=null,set_field.data.retries=3",
    },
    [INJECT_RENAME_FIELD] = {
        .name = "rename_field", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .data_only = true, .params = { PLAIN(NULL, RENAMES) },
        .what = "give fields of JSON other names",
        .yaml = "rename_field: {tool_name: toolName}",
        .line = "rename_field.tool_name=toolName",
    },
    [INJECT_REPLACE] = {
        .name = "replace", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .data_only = true, .one_payload = true, .params = { PAYLOADS },
        .what = "send another message instead: text, json, file or binary (base64)",
        .yaml = "replace: {json: {type: error, code: 7}}\nwhen: {message: 1}",
        .line = "replace.json={\"type\":\"error\",\"code\":7},message=1",
    },
    [INJECT_INSERT] = {
        .name = "insert", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .one_payload = true,
        .params = { PAYLOADS, CHOICE("where", where_names, choose_where) },
        .what = "send a message more, before (or after) the one hit",
        .yaml = "insert: {text: hello, where: after}\nwhen: {message: 1}",
        .line = "insert=hello,where=after,message=1",
    },
    [INJECT_TRUNCATE] = {
        .name = "truncate", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .data_only = true, .params = { SIZE(NULL, 0) },
        .what = "send only the first bytes",
        .yaml = "truncate: 100",
        .line = "truncate=100",
    },
    [INJECT_CORRUPT] = {
        .name = "corrupt", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .data_only = true, .bare = true, .count = 1,
        .params = { NUMBER(1, CORRUPT_MAX) },
        .what = "change so many bytes (1)",
        .yaml = "corrupt: 3\nprobability: 0.1",
        .line = "corrupt=3,probability=0.1",
    },
    [INJECT_FRAGMENT] = {
        .name = "fragment", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .data_only = true, .params = { SIZE(NULL, 1) },
        .what = "send it in frames of so many bytes",
        .yaml = "fragment: 16",
        .line = "fragment=16",
    },
    [INJECT_CLOSE_WITH] = {
        .name = "close", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .params = { PLAIN("code", CLOSE), PLAIN("reason", REASON) },
        .what = "close the connection instead of the message",
        .yaml = "close: {code: 1011, reason: Internal error}\n"
                "when: {from: server, message: 5}",
        .line = "close=1011,reason=Internal error,from=server,message=5",
    },
    [INJECT_ABORT] = {
        .name = "abort", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .params = { CHOICE(NULL, abort_names, choose_abort) },
        .what = "end the connection without a close frame: FIN or RST",
        .yaml = "abort: rst\nwhen: {message: 10}",
        .line = "abort=rst,message=10",
    },
    [INJECT_STALL] = {
        .name = "stall", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .bare = true, .params = { FOREVER },
        .what = "stop in the middle of the message, for a time or for good",
        .yaml = "stall: 30s\nwhen: {from: server, message: 3}",
        .line = "stall=30s,from=server,message=3",
    },
    [INJECT_VIOLATE] = {
        .name = "violate", .stage = INJECT_STAGE_MESSAGE, .conditions = ALL,
        .params = { CHOICE(NULL, violation_names, choose_violation) },
        .what = "break the protocol: rsv, mask, opcode, length, control_fragment, "
                "utf8, close_code or orphan_continuation",
        .yaml = "violate: rsv\nwhen: {from: server, message: 2}",
        .line = "violate=rsv,from=server,message=2",
    },
    [INJECT_LATENCY] = {
        .name = "latency", .stage = INJECT_STAGE_STREAM, .conditions = ONE_WAY,
        .params = { DURATION("time"), GAP("jitter", jitter_ns) },
        .what = "let every byte arrive later, by a time give or take the jitter",
        .yaml = "latency: {time: 200ms, jitter: 50ms}",
        .line = "latency=200ms,jitter=50ms",
    },
    [INJECT_BANDWIDTH] = {
        .name = "bandwidth", .stage = INJECT_STAGE_STREAM, .conditions = ONE_WAY,
        .params = { SIZE(NULL, 1) },
        .what = "let so many bytes a second through",
        .yaml = "bandwidth: 64k",
        .line = "bandwidth=64k",
    },
    [INJECT_SLICE] = {
        .name = "slice", .stage = INJECT_STAGE_STREAM, .conditions = ONE_WAY,
        .params = { SIZE("size", 1), GAP("delay", gap_ns) },
        .what = "send in pieces of so many bytes, with a delay between them",
        .yaml = "slice: {size: 64, delay: 10ms}",
        .line = "slice=64,delay=10ms",
    },
    [INJECT_LIMIT] = {
        .name = "limit", .stage = INJECT_STAGE_STREAM, .conditions = ONE_WAY,
        .params = { SIZE(NULL, 0) },
        .what = "end the connection, without a close frame, after so many bytes",
        .yaml = "limit: 10k",
        .line = "limit=10k",
    },
    [INJECT_SLOW_CLOSE] = {
        .name = "slow_close", .stage = INJECT_STAGE_STREAM, .conditions = ONE_WAY,
        .params = { DURATION(NULL) },
        .what = "let the end of the stream arrive later",
        .yaml = "slow_close: 3s",
        .line = "slow_close=3s",
    },
};
/* clang-format on */

const struct inject_action_row *inject_action_row(enum inject_action a)
{
    return &rows[a];
}
