#include "base/alloc.h"
#include "inject/chance.h"
#include "inject/plan_state.h"

#include <errno.h>
#include <string.h>

static bool ends(const struct inject_act *a)
{
    return a->action == INJECT_RESET || a->action == INJECT_STATUS ||
           (a->action == INJECT_HANG && a->for_ns == INJECT_FOREVER);
}

/* Behind the `count` that are there: all rules that hold for an event and whose action
 * is in `actions`, until one ends it.
 */
static size_t collect(struct inject_connection *c, const struct inject_event *e,
                      uint64_t actions, size_t count,
                      struct inject_fired out[INJECT_FIRED_MAX])
{
    for (size_t i = 0; i < c->plan->rules->count && count < INJECT_FIRED_MAX; i++) {
        const struct inject_act *a = &c->plan->rules->at[i].act;

        if ((actions & UINT64_C(1) << a->action) == 0 ||
            inject_rule_holds(c, i, e, &out[count]) <= 0) {
            continue;
        }
        inject_connection_count(c, i);
        count++;
        if (ends(a)) {
            break;
        }
    }
    return count;
}

static uint64_t bit(enum inject_action a)
{
    return UINT64_C(1) << a;
}

size_t inject_on_accept(struct inject_connection *c, int64_t since_start_ns,
                        struct inject_fired out[INJECT_FIRED_MAX])
{
    struct inject_event e = { .stage = INJECT_STAGE_CONNECTION,
                              .now_ns = since_start_ns };

    if (inject_connection_fit(c) < 0) {
        return 0;
    }
    return collect(c, &e, UINT64_MAX, 0, out);
}

static int remember(struct inject_connection *c, struct bytes head)
{
    uint8_t *copy = alloc_resize(c->head, head.len);

    if (copy == NULL) {
        return -ENOMEM;
    }
    memcpy(copy, head.at, head.len);
    c->head = copy;
    c->head_len = head.len;
    inject_match_head(c);
    return 0;
}

/* Connection rules without path and headers had their turn when it was accepted. */
static bool is_late(const struct inject_connection *c, size_t i)
{
    const struct inject_when *w = &c->plan->rules->at[i].when;

    return (w->path != NULL || w->header_count > 0) && c->memory[i].fired == 0;
}

static size_t late_connection_rules(struct inject_connection *c, int64_t now_ns,
                                    struct inject_fired out[INJECT_FIRED_MAX])
{
    struct inject_event e = { .stage = INJECT_STAGE_CONNECTION, .now_ns = now_ns };
    size_t count = 0;

    for (size_t i = 0; i < c->plan->rules->count && count < INJECT_FIRED_MAX; i++) {
        if (!is_late(c, i) || inject_rule_holds(c, i, &e, &out[count]) <= 0) {
            continue;
        }
        inject_connection_count(c, i);
        if (ends(&out[count++].rule->act)) {
            break;
        }
    }
    return count;
}

size_t inject_on_request(struct inject_connection *c, struct bytes head,
                         int64_t since_start_ns,
                         struct inject_fired out[INJECT_FIRED_MAX])
{
    struct inject_event e = { .stage = INJECT_STAGE_HANDSHAKE,
                              .has_from = true,
                              .from = CLIENT,
                              .number = ++c->requests,
                              .now_ns = since_start_ns };
    size_t count;

    if (inject_connection_fit(c) < 0 || remember(c, head) < 0) {
        return 0;
    }
    count = late_connection_rules(c, since_start_ns, out);
    if (count > 0 && ends(&out[count - 1].rule->act)) {
        return count;
    }
    return collect(c, &e,
                   bit(INJECT_STATUS) | bit(INJECT_HANDSHAKE_DELAY) |
                       bit(INJECT_SET_HEADER) | bit(INJECT_DROP_HEADER),
                   count, out);
}

int inject_answers(struct inject_connection *c, struct bytes head)
{
    int r = inject_connection_fit(c);

    return r == 0 ? remember(c, head) : r;
}

size_t inject_on_response(struct inject_connection *c, bool switches,
                          int64_t since_start_ns,
                          struct inject_fired out[INJECT_FIRED_MAX])
{
    struct inject_event e = { .stage = INJECT_STAGE_HANDSHAKE,
                              .has_from = true,
                              .from = SERVER,
                              .number = ++c->responses,
                              .now_ns = since_start_ns };

    if (inject_connection_fit(c) < 0) {
        return 0;
    }
    return collect(c, &e,
                   bit(INJECT_SET_HEADER) | bit(INJECT_DROP_HEADER) |
                       (switches ? bit(INJECT_BAD_ACCEPT) | bit(INJECT_SUBPROTOCOL) |
                                       bit(INJECT_EXTENSION)
                                 : 0),
                   0, out);
}

size_t inject_on_stream(struct inject_connection *c, enum side from,
                        int64_t since_start_ns,
                        struct inject_fired out[INJECT_FIRED_MAX])
{
    struct inject_event e = { .stage = INJECT_STAGE_STREAM,
                              .has_from = true,
                              .from = from,
                              .now_ns = since_start_ns };

    if (inject_connection_fit(c) < 0) {
        return 0;
    }
    return collect(c, &e, UINT64_MAX, 0, out);
}

/* ---- which messages need asking ---- */

static bool may_touch(const struct inject_connection *c, size_t i, enum side from)
{
    const struct inject_rule *r = &c->plan->rules->at[i];

    return inject_action_stage(r->act.action) == INJECT_STAGE_MESSAGE &&
           !c->memory[i].impossible && (!r->when.has_from || r->when.from == from) &&
           inject_ranges_hold(&r->when.connection, c->number);
}

bool inject_cares(struct inject_connection *c, enum side from)
{
    if (inject_connection_fit(c) < 0) {
        return false;
    }
    for (size_t i = 0; i < c->plan->rules->count; i++) {
        if (may_touch(c, i, from)) {
            return true;
        }
    }
    return false;
}

bool inject_inserts_at_control(struct inject_connection *c, enum side from)
{
    static const unsigned control = INJECT_PING | INJECT_PONG | INJECT_CLOSE;

    if (inject_connection_fit(c) < 0) {
        return false;
    }
    for (size_t i = 0; i < c->plan->rules->count; i++) {
        const struct inject_rule *r = &c->plan->rules->at[i];

        if (may_touch(c, i, from) && r->act.action == INJECT_INSERT &&
            (r->when.opcodes & control) != 0) {
            return true;
        }
    }
    return false;
}

/* What is known of a message when its first frame begins. */
static struct inject_event beginning(const struct inject_connection *c, enum side from,
                                     enum inject_opcode kind, int64_t now_ns)
{
    return (struct inject_event){
        .stage = INJECT_STAGE_MESSAGE,
        .has_from = true,
        .from = from,
        .kind = kind,
        .number = c->messages[from][inject_kind_index(kind)] + 1,
        .now_ns = now_ns,
    };
}

bool inject_may_hold(struct inject_connection *c, enum side from,
                     enum inject_opcode kind, int64_t since_start_ns)
{
    struct inject_event e = beginning(c, from, kind, since_start_ns);
    struct inject_fired unused;

    if (inject_connection_fit(c) < 0) {
        return false;
    }
    for (size_t i = 0; i < c->plan->rules->count; i++) {
        if (inject_rule_holds(c, i, &e, &unused) > 0) {
            return true;
        }
    }
    return false;
}

void inject_skip(struct inject_connection *c, enum side from, enum inject_opcode kind)
{
    c->messages[from][inject_kind_index(kind)]++;
}

size_t inject_on_oversize(struct inject_connection *c, enum side from,
                          enum inject_opcode kind, int64_t since_start_ns,
                          struct inject_fired out[INJECT_FIRED_MAX])
{
    struct inject_event e = beginning(c, from, kind, since_start_ns);
    size_t count = 0;

    if (inject_connection_fit(c) < 0) {
        return 0;
    }
    for (size_t i = 0; i < c->plan->rules->count && count < INJECT_FIRED_MAX; i++) {
        if (inject_rule_holds(c, i, &e, &out[count]) > 0) {
            out[count].failed = true;
            out[count].why = "the message is too large to be judged (--max-message)";
            count++;
        }
    }
    inject_skip(c, from, kind);
    return count;
}

uint64_t inject_max_message(const struct inject_connection *c)
{
    return c->plan->max_message;
}

uint64_t inject_message_number(const struct inject_connection *c, enum side from,
                               enum inject_opcode kind)
{
    return c->messages[from][inject_kind_index(kind)];
}

uint64_t inject_connection_bits(const struct inject_connection *c, enum side from,
                                uint64_t nth)
{
    struct inject_place place = {
        .seed = c->plan->seed, .rule = "", .connection = c->number, .from = from
    };

    return inject_chance_bits(&place, nth);
}
