#include "inject/table.h"

#include <string.h>

const char *const inject_opcode_names[] = { "text", "binary", "ping",
                                            "pong", "close",  NULL };
const char *const inject_side_names[] = { "client", "server", NULL };

static const struct inject_condition_row conditions[INJECT_IF_COUNT] = {
    [INJECT_IF_CONNECTION] = { "connection", "number of the connection, from 1",
                               "{connection: 1..2}", "connection=1..2", false },
    [INJECT_IF_PATH] = { "path", "the request's path fits a glob", "{path: /ws/*}",
                         "path=/ws/*", false },
    [INJECT_IF_HEADER] = { "header", "the request's headers fit globs",
                           "{header: {User-Agent: Python*}}",
                           "header.User-Agent=Python*", true },
    [INJECT_IF_FROM] = { "from", "who sends: client or server", "{from: server}",
                         "from=server", false },
    [INJECT_IF_MESSAGE] = { "message",
                            "number of the message in its direction, from 1 (control "
                            "frames are counted on their own, kind by kind)",
                            "{message: [1, 4..6]}", "message=[1,4..6]", false },
    [INJECT_IF_OPCODE] = { "opcode",
                           "text, binary, ping, pong or close (without: text and "
                           "binary)",
                           "{opcode: [ping, pong]}", "opcode=[ping,pong]", false },
    [INJECT_IF_JSON] = { "json",
                         "the message is JSON, and these paths lead to these values "
                         "or globs",
                         "{json: {type: tool_*, '$.items[0].id': 7}}",
                         "json.type=tool_*,json.$.items[0].id=7", true },
    [INJECT_IF_TEXT] = { "text", "the text matches a regular expression (PCRE2)",
                         "{text: '\"id\":\\d{3}'}", "text=\"id\":\\d{3}", false },
    [INJECT_IF_SIZE] = { "size", "bytes of the message, decompressed", "{size: 64k..}",
                         "size=64k..", false },
    [INJECT_IF_TIME] = { "time", "since the start; 3s means from 3s on",
                         "{time: 10s..20s}", "time=10s..20s", false },
    [INJECT_IF_AGE] = { "age", "since the connection opened; 3s means from 3s on",
                        "{age: 500ms..}", "age=500ms..", false },
    [INJECT_IF_AFTER] = { "after", "the rule of this name has acted on this connection",
                          "{after: first tool breaks}", "after=first tool breaks",
                          false },
};

const struct inject_condition_row *inject_condition_row(enum inject_condition c)
{
    return &conditions[c];
}

int inject_condition_find(struct bytes name)
{
    for (int i = 0; i < INJECT_IF_COUNT; i++) {
        if (bytes_equal(name, bytes_of(conditions[i].name))) {
            return i;
        }
    }
    return -1;
}

int inject_action_find(struct bytes name)
{
    for (int i = 0; i < INJECT_ACTION_COUNT; i++) {
        if (bytes_equal(name, bytes_of(inject_action_name((enum inject_action)i)))) {
            return i;
        }
    }
    return -1;
}

const struct inject_param *inject_param_find(const struct inject_action_row *row,
                                             struct bytes name)
{
    for (size_t i = 0; i < INJECT_PARAMS_MAX && row->params[i].name != NULL; i++) {
        if (bytes_equal(name, bytes_of(row->params[i].name))) {
            return &row->params[i];
        }
    }
    return NULL;
}

bool inject_param_is_payload(enum inject_param_kind kind)
{
    return kind == INJECT_PARAM_TEXT || kind == INJECT_PARAM_JSON ||
           kind == INJECT_PARAM_FILE || kind == INJECT_PARAM_BASE64;
}

bool inject_is_close_code(uint64_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

const char *inject_action_name(enum inject_action a)
{
    return inject_action_row(a)->name;
}

enum inject_stage inject_action_stage(enum inject_action a)
{
    return inject_action_row(a)->stage;
}
