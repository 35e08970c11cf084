#include "tests/sim/rules.h"

#include "inject/build.h"
#include "inject/table.h"
#include "tests/sim/talk.h"

#define BIT(condition) (1U << INJECT_IF_##condition)

/* What is being written. */
struct draft {
    struct buf *line;
    struct sim_chance *c;
    const struct inject_action_row *row;
    unsigned index, count; /* of the rule */
    bool calm, single;
    bool one_way; /* `from` is said */
};

static const char *pick(struct sim_chance *c, const char *const *names, size_t count)
{
    return names[sim_below(c, count)];
}

#define PICK(c, ...)                                                                   \
    pick(c, (const char *const[]){ __VA_ARGS__ },                                      \
         sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static unsigned some(const struct draft *d, unsigned from, unsigned to)
{
    return (unsigned)sim_between(d->c, from, to);
}

static void put(const struct draft *d, const char *text)
{
    sim_must(buf_put_text(d->line, text));
}

static void put_number(const struct draft *d, const char *before, unsigned number,
                       const char *after)
{
    sim_must(buf_put_format(d->line, "%s%u%s", before, number, after));
}

/* ---- actions ---- */

static void put_handshake_value(const struct draft *d)
{
    switch ((int)d->row->params[0].kind) {
    case INJECT_PARAM_STATUS:
        put(d, PICK(d->c, "=503,headers.Retry-After=1,body=try again", "=403", "=204",
                    "=302,headers.Location=/x"));
        break;
    case INJECT_PARAM_VALUE:
        put(d, PICK(d->c, "=chat.v9", "=x-unknown", "=permessage-deflate"));
        break;
    case INJECT_PARAM_HEADERS:
        put(d, PICK(d->c, ".X-Made=up", ".Cookie=x", ".Server=\"a, b\"",
                    ".Content-Length=3"));
        break;
    case INJECT_PARAM_NAMES:
        put(d, PICK(d->c, "=[Authorization,Cookie]", "=Host", "=Connection",
                    "=Transfer-Encoding", "=[Sec-WebSocket-Extensions,Upgrade]"));
        break;
    default:
        break;
    }
}

static void put_payload(const struct draft *d)
{
    put(d, ".");
    put(d, PICK(d->c, "text=hello", "text=\"\"",
                "binary=AAECAw==", "json={\"type\":\"error\"}"));
}

static void put_number_value(const struct draft *d)
{
    unsigned most = d->row->params[0].kind == INJECT_PARAM_SIZE ? 400 : 5;

    if (d->row->bare && sim_odds(d->c, 30)) {
        return;
    }
    if (sim_odds(d->c, 2)) {
        most = d->row->params[0].kind == INJECT_PARAM_SIZE ? 100000 : 300;
    }
    put_number(d, "=", some(d, 1, most), "");
}

static void put_message_value(const struct draft *d)
{
    switch ((int)d->row->params[0].kind) {
    case INJECT_PARAM_PATHS:
        put(d, PICK(d->c, "=tool_name", "=[n,$.results[*].score]", "=data",
                    "=$.results[0]"));
        break;
    case INJECT_PARAM_SETS:
        put(d, PICK(d->c, ".n=null", ".data.retries=3", ".tool_name=\"a\\\"b\""));
        break;
    case INJECT_PARAM_RENAMES:
        put(d, PICK(d->c, ".tool_name=toolName", ".type=kind"));
        break;
    case INJECT_PARAM_CLOSE:
        put(d, PICK(d->c, "=1011", "=1008,reason=no", "=4000,reason=\"a, b\""));
        break;
    case INJECT_PARAM_TEXT:
        put_payload(d);
        if (d->row->params[4].name != NULL && sim_odds(d->c, 40)) {
            put(d, ",where=after");
        }
        break;
    default:
        put_number_value(d);
    }
}

static void put_stream_extra(const struct draft *d)
{
    const char *name = d->row->name;

    if (strcmp(name, "latency") == 0 && sim_odds(d->c, 50)) {
        put_number(d, ",jitter=", some(d, 1, 90), "ms");
    } else if (strcmp(name, "slice") == 0 && !d->calm && sim_odds(d->c, 50)) {
        put_number(d, ",delay=", some(d, 1, 20), "ms");
    }
}

static void put_value(const struct draft *d)
{
    const struct inject_param *p = &d->row->params[0];
    unsigned choices = 0;

    switch ((int)p->kind) {
    case INJECT_PARAM_NONE:
        return;
    case INJECT_PARAM_FOREVER:
        if (sim_odds(d->c, 20)) {
            return;
        }
        put_number(d, "=", some(d, 1, 3000), "ms");
        return;
    case INJECT_PARAM_DURATION:
        put_number(d, "=", some(d, 1, sim_odds(d->c, 10) ? 4000 : 300), "ms");
        break;
    case INJECT_PARAM_CHOICE:
        while (p->names[choices] != NULL) {
            choices++;
        }
        put(d, "=");
        put(d, p->names[sim_below(d->c, choices)]);
        return;
    default:
        if (d->row->stage == INJECT_STAGE_HANDSHAKE) {
            put_handshake_value(d);
        } else {
            put_message_value(d);
        }
    }
    put_stream_extra(d);
}

/* ---- conditions ---- */

static const char *condition(struct draft *d, enum inject_condition which)
{
    switch (which) {
    case INJECT_IF_CONNECTION:
        return PICK(d->c, "connection=1", "connection=2..", "connection=every 2");
    case INJECT_IF_PATH:
        return PICK(d->c, "path=/ws*", "path=/*", "path=/api*");
    case INJECT_IF_HEADER:
        return PICK(d->c, "header.User-Agent=Python*", "header.Cookie=*");
    case INJECT_IF_FROM:
        d->one_way = true;
        if (d->row->direction == INJECT_BOTH_WAYS) {
            return PICK(d->c, "from=client", "from=server");
        }
        return d->row->direction == INJECT_REQUEST_ONLY ? "from=client" : "from=server";
    case INJECT_IF_MESSAGE:
        return PICK(d->c, "message=1", "message=[1,4..6]", "message=every 3",
                    "message=2..", "message=5");
    case INJECT_IF_OPCODE:
        if (d->row->data_only) {
            return PICK(d->c, "opcode=text", "opcode=binary");
        }
        return PICK(d->c, "opcode=text", "opcode=[ping,pong]", "opcode=close",
                    "opcode=[text,ping]");
    case INJECT_IF_JSON:
        return PICK(d->c, "json.type=tool_*", "json.type=token",
                    "json.$.results[0].id=7", "json.n=*");
    case INJECT_IF_TEXT:
        return PICK(d->c, "text=tool", "text=\"id\":\\d", "text=^[a-m]*$");
    case INJECT_IF_SIZE:
        return PICK(d->c, "size=10..", "size=1..200", "size=100..2000");
    case INJECT_IF_TIME:
        return PICK(d->c, "time=0s..1s", "time=5ms..", "time=2s");
    case INJECT_IF_AGE:
        return PICK(d->c, "age=0s..100ms", "age=5ms..", "age=1s");
    case INJECT_IF_AFTER:
    case INJECT_IF_COUNT:
        break;
    }
    return NULL;
}

static bool may(const struct draft *d, enum inject_condition which, unsigned given)
{
    const unsigned timed = BIT(TIME) | BIT(AGE) | BIT(AFTER);
    const unsigned content = BIT(JSON) | BIT(TEXT);
    unsigned bit = 1U << which;

    if ((d->row->conditions & bit) == 0 || (d->calm && (bit & timed) != 0)) {
        return false;
    }
    if ((bit & BIT(OPCODE)) != 0 && strcmp(d->row->name, "violate") == 0) {
        return false; /* invalid UTF-8 is for text */
    }
    if ((bit & content) != 0 && (given & (content | BIT(OPCODE))) != 0) {
        return false; /* a ping has no JSON, and one way to look inside is enough */
    }
    return (bit & BIT(OPCODE)) == 0 || (given & content) == 0;
}

static void put_conditions(struct draft *d)
{
    unsigned given = 0;

    for (int i = 0; i < INJECT_IF_AFTER; i++) {
        enum inject_condition which = (enum inject_condition)i;

        bool needed = d->row->stage == INJECT_STAGE_LISTEN;

        if (!may(d, which, given) || (!needed && !sim_odds(d->c, 22))) {
            continue;
        }
        given |= 1U << which;
        put(d, ",");
        put(d, condition(d, which));
    }
    if (d->index > 0 && may(d, INJECT_IF_AFTER, given) && sim_odds(d->c, 20)) {
        put_number(d, ",after=r", some(d, 0, d->index - 1), "");
    }
}

static void put_budgets(const struct draft *d)
{
    bool ordered = !d->calm || d->one_way;

    if (d->row->stage == INJECT_STAGE_LISTEN) {
        return;
    }
    if (sim_odds(d->c, 20)) {
        put_number(d, ",probability=0.", some(d, 1, 9), "");
    }
    if (ordered && sim_odds(d->c, 15)) {
        put_number(d, ",per_connection=", some(d, 1, 4), "");
    }
    if (ordered && (!d->calm || d->single) && sim_odds(d->c, 15)) {
        put_number(d, ",times=", some(d, 1, 4), "");
    }
}

/* ---- rules ---- */

static bool is_calm(enum inject_action a)
{
    switch ((int)a) {
    case INJECT_REFUSE:
    case INJECT_HANG:
    case INJECT_ACCEPT_DELAY:
    case INJECT_HANDSHAKE_DELAY:
    case INJECT_DELAY:
    case INJECT_STALL:
    case INJECT_LATENCY:
    case INJECT_BANDWIDTH:
    case INJECT_SLOW_CLOSE:
        return false;
    default:
        return true;
    }
}

/* Two in three on messages: there are more of these. */
static enum inject_action choose(struct sim_chance *c, bool calm)
{
    bool message = sim_odds(c, 65);
    enum inject_action a;

    do {
        a = (enum inject_action)sim_below(c, INJECT_ACTION_COUNT);
    } while ((calm && !is_calm(a)) ||
             (inject_action_stage(a) == INJECT_STAGE_MESSAGE) != message);
    return a;
}

static void write_rule(struct draft *d)
{
    put(d, d->row->name);
    put_value(d);
    put_conditions(d);
    put_budgets(d);
    put_number(d, ",name=r", d->index, "");
}

void sim_rules_make(struct sim_rules *r, struct sim_chance *c, bool calm, bool single)
{
    r->count = (unsigned)sim_between(c, 1, SIM_RULES_MAX);
    for (unsigned i = 0; i < r->count; i++) {
        struct draft d = { .line = &r->lines[i],
                           .c = c,
                           .row = inject_action_row(choose(c, calm)),
                           .index = i,
                           .count = r->count,
                           .calm = calm,
                           .single = single };

        write_rule(&d);
    }
}

void sim_rules_deinit(struct sim_rules *r)
{
    for (unsigned i = 0; i < r->count; i++) {
        buf_deinit(&r->lines[i]);
    }
}

struct inject_rules *sim_rules_build(const struct sim_rules *r, struct buf *errors)
{
    struct inject_source sources[SIM_RULES_MAX];
    struct inject_rules *rules;
    unsigned error_count;

    for (unsigned i = 0; i < r->count; i++) {
        sources[i] = (struct inject_source){ .name = "sim",
                                             .text = buf_bytes(&r->lines[i]),
                                             .is_line = true };
    }
    return inject_build(sources, r->count, &rules, errors, &error_count) == 0 ? rules
                                                                              : NULL;
}
