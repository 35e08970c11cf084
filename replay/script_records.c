#include "replay/script_state.h"

#include "base/alloc.h"

#include <errno.h>

/* ---- connections ---- */

static int strand_new(struct script_reading *b, uint32_t index)
{
    struct script_strand *s = alloc_zero(1, sizeof(*s));
    const struct replay_connection *c = &b->script->connections[index];

    if (s == NULL) {
        return -ENOMEM;
    }
    s->connection = index;
    s->losses = b->losses;
    s->step_cap = c->step_count;
    s->message_cap = c->message_count;
    s->exchange_cap = c->exchange_count;
    s->answering = REPLAY_NONE;
    for (int side = CLIENT; side <= SERVER; side++) {
        capture_messages_init(&s->lanes[side].messages, &b->messages, c->number,
                              (enum side)side);
        s->lanes[side].messages.count = c->count[side];
    }
    capture_exchanges_init(&s->http, &b->exchanges, c->number);
    b->strands[index] = s;
    return 0;
}

void replay_script_strand_free(struct script_strand *s)
{
    if (s == NULL) {
        return;
    }
    for (int side = CLIENT; side <= SERVER; side++) {
        capture_messages_deinit(&s->lanes[side].messages);
        buf_deinit(&s->lanes[side].data.bytes);
        buf_deinit(&s->lanes[side].control.bytes);
    }
    capture_exchanges_deinit(&s->http);
    alloc_free(s);
}

/* What grew in strides takes no more than it needs; not being able to is no harm. */
static void *trim(void *at, uint32_t count, size_t len)
{
    void *moved;

    if (count == 0) {
        alloc_free(at);
        return NULL;
    }
    moved = alloc_resize(at, count * len);
    return moved == NULL ? at : moved;
}

/* What was in progress at a loss is given up. */
static int catch_up(struct script_reading *b, struct script_strand *s)
{
    int r;

    if (s->losses == b->losses) {
        return 0;
    }
    s->losses = b->losses;
    b->current = s;
    r = capture_messages_lose(&s->lanes[CLIENT].messages);
    r = r == 0 ? capture_messages_lose(&s->lanes[SERVER].messages) : r;
    return r == 0 ? capture_exchanges_lose(&s->http) : r;
}

/* Nothing more comes: what is in progress is given up. */
int replay_script_finish(struct script_reading *b, struct script_strand *s)
{
    struct replay_connection *c = script_connection(b, s);
    int r = catch_up(b, s);

    b->current = s;
    r = r == 0 ? capture_messages_end(&s->lanes[CLIENT].messages) : r;
    r = r == 0 ? capture_messages_end(&s->lanes[SERVER].messages) : r;
    r = r == 0 ? capture_exchanges_finish(&s->http) : r;
    if (r < 0) {
        return r;
    }
    c->steps = trim(c->steps, c->step_count, sizeof(*c->steps));
    c->messages = trim(c->messages, c->message_count, sizeof(*c->messages));
    c->exchanges = trim(c->exchanges, c->exchange_count, sizeof(*c->exchanges));
    b->strands[s->connection] = NULL;
    replay_script_strand_free(s);
    return 0;
}

/* Both arrays have room for one more. */
static int make_room(struct script_reading *b)
{
    struct replay_script *script = b->script;
    size_t cap = b->connection_cap * 2 + 4;
    void *moved;

    if (script->count < b->connection_cap) {
        return 0;
    }
    moved = alloc_resize(script->connections, cap * sizeof(*script->connections));
    if (moved == NULL) {
        return -ENOMEM;
    }
    script->connections = moved;
    moved = alloc_resize(b->strands, cap * sizeof(struct script_strand *));
    if (moved == NULL) {
        return -ENOMEM;
    }
    b->strands = moved;
    b->connection_cap = cap;
    return 0;
}

static int connection_new(struct script_reading *b, const struct capture_record *r)
{
    size_t index = b->script->count;
    int done = make_room(b);

    if (done < 0) {
        return done;
    }
    /* Index 0 is no NULL. */
    done = capture_map_put(&b->by_number, r->connection, (void *)(index + 1));
    if (done < 0) {
        return done;
    }
    b->script->connections[index] =
        (struct replay_connection){ .number = r->connection,
                                    .opened_ns = r->time_ns,
                                    .ended_ns = r->time_ns,
                                    .handshake = REPLAY_NONE,
                                    .first = { REPLAY_NONE, REPLAY_NONE },
                                    .last = { REPLAY_NONE, REPLAY_NONE } };
    b->strands[index] = NULL;
    b->script->count++;
    return strand_new(b, (uint32_t)index);
}

/* The record's connection, whose last record so far it is. */
static int enter(struct script_reading *b, const struct capture_record *r,
                 struct replay_connection **out)
{
    size_t place = (size_t)(uintptr_t)capture_map_get(&b->by_number, r->connection);
    int done = 0;

    if (place == 0) {
        done = connection_new(b, r);
        place = b->script->count;
    }
    if (done < 0) {
        return done;
    }
    *out = &b->script->connections[place - 1];
    (*out)->ended_ns = r->time_ns;
    b->current = b->strands[place - 1];
    return b->current == NULL ? 0 : catch_up(b, b->current);
}

/* ---- records ---- */

static bool is_end(const struct capture_record *r)
{
    enum capture_end kind = r->u.end.kind;

    return r->u.end.by_wstape == 0 &&
           (kind == CAPTURE_END_FIN || kind == CAPTURE_END_TRUNCATED ||
            kind == CAPTURE_END_RESET);
}

/* After a FIN by wstape a side may still send; in every other case it is silent. */
static int take_silence(struct script_strand *s, const struct capture_record *r)
{
    enum side side = r->u.end.side;
    int done;

    if (r->u.end.by_wstape != 0 && r->u.end.kind == CAPTURE_END_FIN) {
        return 0;
    }
    s->lanes[side].over = true;
    done = capture_messages_end(&s->lanes[side].messages);
    return done == 0 ? capture_exchanges_end(
                           &s->http, side, r->u.end.kind == CAPTURE_END_FIN, r->time_ns)
                     : done;
}

static int take_end(struct script_reading *b, struct script_strand *s,
                    const struct capture_record *r)
{
    struct replay_step step = { .time_ns = r->time_ns,
                                .exchange = REPLAY_NONE,
                                .message = REPLAY_NONE,
                                .kind = REPLAY_END,
                                .from = (uint8_t)r->u.end.side,
                                .end = (uint8_t)r->u.end.kind };
    int done = take_silence(s, r);

    if (done == 0 && is_end(r)) {
        done = replay_script_step(b, s, &step, NULL);
    }
    if (done == 0 && s->lanes[CLIENT].over && s->lanes[SERVER].over) {
        done = replay_script_finish(b, s);
    }
    return done;
}

/* The start of a frame's header comes to the tape behind its side's end. Only ends are
 * moved: nobody knows their place yet. */
static void put_before_end(struct replay_connection *c)
{
    uint32_t raw = c->step_count - 1, at = raw;
    struct replay_step made = c->steps[raw];

    for (uint32_t i = raw; i > 0 && c->steps[i - 1].kind == REPLAY_END; i--) {
        at = c->steps[i - 1].from == made.from ? i - 1 : at;
    }
    memmove(&c->steps[at + 1], &c->steps[at], (raw - at) * sizeof(made));
    c->steps[at] = made;
}

static int take_raw(struct script_reading *b, struct script_strand *s,
                    const struct capture_record *r)
{
    struct replay_step step = { .time_ns = r->time_ns,
                                .exchange = REPLAY_NONE,
                                .message = REPLAY_NONE,
                                .kind = REPLAY_RAW,
                                .from = (uint8_t)r->u.raw.from };
    int done = replay_script_keep(b, r->u.raw.bytes, &step.bytes);

    done = done == 0 ? replay_script_step(b, s, &step, NULL) : done;
    if (done == 0) {
        put_before_end(script_connection(b, s));
    }
    return done;
}

static int take_part(struct script_reading *b, const struct capture_record *r)
{
    struct script_strand *s = b->current;

    switch (r->type) {
    case CAPTURE_REQUEST:
        return replay_script_request(b, s, r);
    case CAPTURE_RESPONSE:
        return replay_script_response(b, s, r);
    case CAPTURE_BODY:
        return replay_script_body(b, s, r);
    case CAPTURE_FRAME:
        s->is_websocket = true;
        return replay_script_frame(b, s, r);
    case CAPTURE_MORE:
        return replay_script_more(b, s, r);
    case CAPTURE_RAW:
        return take_raw(b, s, r);
    case CAPTURE_SENT:
        return replay_script_sent(b, s, r);
    case CAPTURE_END:
        return take_end(b, s, r);
    case CAPTURE_OPEN:
    case CAPTURE_UPSTREAM:
    case CAPTURE_FAULT:
    case CAPTURE_NOTE:
    case CAPTURE_GAP:
    case CAPTURE_CHECKPOINT:
    case CAPTURE_SUMMARY:
        break;
    }
    return 0;
}

/* Any connection may have lost something: each finds out when it is next looked at, so
 * that many gaps cost no more than what lies between them. */
void replay_script_lose(struct script_reading *b)
{
    b->losses++;
}

int replay_script_damage(struct script_reading *b)
{
    b->script->damaged++;
    replay_script_lose(b);
    return 0;
}

static int take_record(struct script_reading *b, const struct capture_record *r)
{
    struct replay_connection *c;
    int done = 0;

    if (r->time_ns > b->script->last_ns) {
        b->script->last_ns = r->time_ns;
    }
    b->finished = b->finished || r->type == CAPTURE_SUMMARY;
    if (r->type == CAPTURE_GAP) {
        return replay_script_damage(b);
    }
    if (r->connection == 0) {
        return 0;
    }
    done = enter(b, r, &c);
    if (done == 0 && b->current == NULL && r->type >= CAPTURE_REQUEST &&
        r->type <= CAPTURE_RAW) {
        /* It was over: no recorder writes this, but it was said. */
        done = strand_new(b, (uint32_t)(c - b->script->connections));
        b->current = b->strands[c - b->script->connections];
    }
    return done == 0 && b->current != NULL ? take_part(b, r) : done;
}

int replay_script_record(struct script_reading *b, const struct capture_record *r)
{
    struct capture_record timely;

    if (r->time_ns >= -REPLAY_TIME_MAX && r->time_ns <= REPLAY_TIME_MAX) {
        return take_record(b, r);
    }
    timely = *r;
    timely.time_ns = r->time_ns < 0 ? -REPLAY_TIME_MAX : REPLAY_TIME_MAX;
    return take_record(b, &timely);
}
