#include "captures/timeline.h"

#include "base/alloc.h"
#include "captures/map.h"
#include "captures/strand.h"

#include <errno.h>

struct capture_timeline {
    struct capture_timeline_config config;
    struct capture_messages_rules messages, delivered;
    struct bytes cause; /* of the SENT record that is fed */
    struct capture_exchanges_rules exchanges;
    struct capture_map by_number;
    struct list connections;
    struct capture_strand *last; /* records of one connection often come in a row */
    int64_t now_ns;
};

/* ---- telling ---- */

/* NULL when there is nothing to remember of it. */
static struct capture_strand *find(struct capture_timeline *t, uint32_t number)
{
    struct capture_strand *c = t->last;

    if (c == NULL || c->number != number) {
        c = capture_map_get(&t->by_number, number);
    }
    t->last = c;
    return c;
}

static int tell(struct capture_timeline *t, const struct capture_moment *m)
{
    return t->config.moment(t->config.owner, m);
}

static int tell_message(void *owner, uint32_t connection,
                        const struct capture_message *m)
{
    struct capture_timeline *t = owner;
    const struct capture_strand *c = find(t, connection);
    struct capture_message withheld = *m;
    struct capture_moment moment = { .kind = CAPTURE_MOMENT_MESSAGE,
                                     .connection = connection,
                                     .time_ns = m->time_ns,
                                     .u.message = m };

    if (c != NULL && c->passage.over[side_other(m->from)] && !m->incomplete) {
        withheld.withheld = true;
        moment.u.message = &withheld;
    }
    return tell(t, &moment);
}

static int tell_delivered(void *owner, uint32_t connection,
                          const struct capture_message *m)
{
    struct capture_timeline *t = owner;
    struct capture_message unnumbered = *m;
    struct capture_moment moment = { .kind = CAPTURE_MOMENT_DELIVERED,
                                     .connection = connection,
                                     .time_ns = m->time_ns,
                                     .u.delivered = { &unnumbered, t->cause } };

    unnumbered.number = 0; /* numbers count what arrived */
    return tell(t, &moment);
}

static int tell_body(void *owner, uint32_t connection, const struct capture_body *b)
{
    struct capture_moment moment = { .kind = CAPTURE_MOMENT_BODY,
                                     .connection = connection,
                                     .time_ns = b->time_ns,
                                     .u.body = b };

    return tell(owner, &moment);
}

static int tell_exchange(void *owner, uint32_t connection,
                         const struct capture_exchange *e)
{
    struct capture_moment moment = { .kind = CAPTURE_MOMENT_EXCHANGE,
                                     .connection = connection,
                                     .time_ns = e->asked_ns,
                                     .u.exchange = e };

    return tell(owner, &moment);
}

static int tell_record(struct capture_timeline *t, const struct capture_record *r)
{
    struct capture_moment moment = { .kind = CAPTURE_MOMENT_RECORD,
                                     .connection = r->connection,
                                     .time_ns = r->time_ns,
                                     .u.record = r };

    return tell(t, &moment);
}

static int tell_stretch(struct capture_timeline *t, enum capture_moment_kind kind,
                        const struct capture_item *item)
{
    struct capture_moment moment = { .kind = kind,
                                     .time_ns = t->now_ns,
                                     .u.stretch = { item->offset, item->len } };

    return tell(t, &moment);
}

/* ---- connections ---- */

static struct capture_strand *connection_new(struct capture_timeline *t,
                                             uint32_t number)
{
    struct capture_strand *c = alloc_zero(1, sizeof(*c));

    if (c == NULL || capture_map_put(&t->by_number, number, c) < 0) {
        alloc_free(c);
        return NULL;
    }
    capture_strand_init(c, &t->messages, &t->exchanges, number);
    list_append(&t->connections, &c->link);
    return c;
}

static void connection_free(struct capture_timeline *t, struct capture_strand *c)
{
    t->last = t->last == c ? NULL : t->last;
    capture_map_remove(&t->by_number, c->number);
    list_remove(&c->link);
    capture_strand_deinit(c);
    alloc_free(c);
}

/* ---- records ---- */

static int take_head(struct capture_timeline *t, struct capture_strand *c,
                     const struct capture_record *r)
{
    enum side from = r->type == CAPTURE_REQUEST ? CLIENT : SERVER;
    int done = capture_exchanges_break(&c->http, from);

    if (done == 0) {
        done = tell_record(t, r);
    }
    if (done == 0) {
        done = capture_exchanges_head(&c->http, r);
    }
    if (done == 0 && from == SERVER) {
        capture_strand_agree(c, r->u.head.bytes);
    }
    return done;
}

static int take_more(struct capture_timeline *t, struct capture_strand *c,
                     const struct capture_record *r)
{
    int done = capture_messages_more(&c->sides[r->u.more.from], r->u.more.payload,
                                     r->u.more.faults, r->time_ns);

    return done == CAPTURE_MESSAGES_STRAY ? tell_record(t, r) : done;
}

static int take_delivered(struct capture_timeline *t, struct capture_strand *c,
                          const struct capture_record *r)
{
    enum side from = side_other(r->u.sent.to);
    int done;

    if (c->delivered[from] == NULL) {
        c->delivered[from] =
            capture_delivered_new(&t->delivered, &c->sides[from], c->lost);
    }
    if (c->delivered[from] == NULL) {
        return -ENOMEM;
    }
    t->cause = r->u.sent.cause;
    done = capture_delivered_feed(c->delivered[from], r->u.sent.bytes, r->time_ns);
    t->cause = (struct bytes){ NULL, 0 };
    return done == CAPTURE_DELIVERED_STRAY ? tell_record(t, r) : done;
}

/* wstape's own answer is the last word on a connection: the backend gets no more. */
static int take_sent(struct capture_timeline *t, const struct capture_record *r)
{
    struct capture_strand *c = find(t, r->connection);
    bool has_frames = c != NULL && c->is_websocket;
    int done;

    if (has_frames) {
        return take_delivered(t, c, r);
    }
    done = tell_record(t, r);
    if (done < 0 || c == NULL) {
        return done;
    }
    done = capture_exchanges_sent(&c->http, r);
    if (done == CAPTURE_EXCHANGES_ANSWERED) {
        c->over[SERVER] = true;
        done = 0;
    }
    return done;
}

static int take_upstream(struct capture_timeline *t, const struct capture_record *r)
{
    struct capture_strand *c = find(t, r->connection);

    if (c != NULL && r->u.upstream.error.len > 0) {
        c->over[SERVER] = true;
    }
    return tell_record(t, r);
}

static int take_end(struct capture_timeline *t, const struct capture_record *r)
{
    struct capture_strand *c = find(t, r->connection);
    int done = c == NULL ? 0 : capture_strand_end(c, r);

    if (done == 0 && c != NULL && c->over[CLIENT] && c->over[SERVER]) {
        done = capture_strand_flush(c);
    }
    if (done == 0) {
        done = tell_record(t, r);
    }
    if (c != NULL && c->over[CLIENT] && c->over[SERVER]) {
        connection_free(t, c);
    }
    return done;
}

/* What is joined with other records of its connection. */
static int take_part(struct capture_timeline *t, const struct capture_record *r)
{
    struct capture_strand *c = find(t, r->connection);

    if (c == NULL) {
        c = t->last = connection_new(t, r->connection);
    }
    if (c == NULL) {
        return -ENOMEM;
    }
    if (r->type == CAPTURE_FRAME) {
        c->is_websocket = true;
        return capture_messages_frame(&c->sides[r->u.frame.from], &r->u.frame.frame,
                                      r->time_ns);
    }
    if (r->type == CAPTURE_MORE) {
        return take_more(t, c, r);
    }
    return r->type == CAPTURE_BODY ? capture_exchanges_body(&c->http, r)
                                   : take_head(t, c, r);
}

static int take_of_connection(struct capture_timeline *t,
                              const struct capture_record *r)
{
    struct capture_strand *c = find(t, r->connection);
    int passed = c == NULL ? 0 : capture_passage_take(&c->passage, r);

    if (passed < 0) {
        return passed;
    }
    switch (r->type) {
    case CAPTURE_REQUEST:
    case CAPTURE_RESPONSE:
    case CAPTURE_BODY:
    case CAPTURE_FRAME:
    case CAPTURE_MORE:
        return take_part(t, r);
    case CAPTURE_SENT:
        return take_sent(t, r);
    case CAPTURE_END:
        return take_end(t, r);
    case CAPTURE_UPSTREAM:
        return take_upstream(t, r);
    case CAPTURE_OPEN:
    case CAPTURE_RAW:
    case CAPTURE_FAULT:
    case CAPTURE_NOTE:
    case CAPTURE_GAP:
    case CAPTURE_CHECKPOINT:
    case CAPTURE_SUMMARY:
        break;
    }
    return tell_record(t, r);
}

/* Any connection may have lost something. */
static int lose_all(struct capture_timeline *t)
{
    int r = 0;

    for (struct list *l = t->connections.next; r == 0 && l != &t->connections;
         l = l->next) {
        r = capture_strand_lose(LIST_ENTRY(l, struct capture_strand, link));
    }
    return r;
}

static int take_record(struct capture_timeline *t, const struct capture_record *r)
{
    int lost = 0;

    t->now_ns = r->time_ns;
    if (r->type == CAPTURE_CHECKPOINT) {
        return 0;
    }
    if (r->type == CAPTURE_GAP) {
        lost = lose_all(t);
        return lost == 0 ? tell_record(t, r) : lost;
    }
    if (r->connection == 0) {
        return tell_record(t, r);
    }
    if (t->config.wants != NULL && !t->config.wants(t->config.owner, r->connection)) {
        return 0;
    }
    return take_of_connection(t, r);
}

/* ---- the interface ---- */

static void set_rules(struct capture_timeline *t,
                      const struct capture_timeline_config *c)
{
    size_t keep = c->message_keep < c->limit ? c->message_keep : c->limit;

    t->config = *c;
    t->messages = (struct capture_messages_rules){
        .keep = keep,
        .limit = c->limit,
        .frames = c->frames,
        .held_max = c->limit > SIZE_MAX / 4 ? SIZE_MAX : c->limit * 4,
        .message = tell_message,
        .owner = t,
    };
    t->delivered = t->messages;
    t->delivered.message = tell_delivered;
    t->exchanges = (struct capture_exchanges_rules){
        .keep = c->body_keep < c->limit ? c->body_keep : c->limit,
        .body = tell_body,
        .exchange = tell_exchange,
        .owner = t,
    };
}

int capture_timeline_new(const struct capture_timeline_config *c,
                         struct capture_timeline **out)
{
    struct capture_timeline *t = alloc_zero(1, sizeof(*t));

    if (t == NULL) {
        return -ENOMEM;
    }
    set_rules(t, c);
    list_init(&t->connections);
    *out = t;
    return 0;
}

void capture_timeline_free(struct capture_timeline *t)
{
    if (t == NULL) {
        return;
    }
    while (!list_empty(&t->connections)) {
        connection_free(t,
                        LIST_ENTRY(t->connections.next, struct capture_strand, link));
    }
    capture_map_deinit(&t->by_number);
    buf_deinit(&t->messages.inflated);
    buf_deinit(&t->delivered.inflated);
    alloc_free(t);
}

int capture_timeline_feed(struct capture_timeline *t, const struct capture_item *item)
{
    int r;

    switch (item->event) {
    case CAPTURE_EVENT_RECORD:
        return take_record(t, &item->record);
    case CAPTURE_EVENT_DAMAGE:
        r = lose_all(t);
        return r == 0 ? tell_stretch(t, CAPTURE_MOMENT_DAMAGE, item) : r;
    case CAPTURE_EVENT_MISSING:
        r = lose_all(t);
        return r == 0 ? tell_stretch(t, CAPTURE_MOMENT_MISSING, item) : r;
    case CAPTURE_EVENT_END:
        return 0;
    }
    return 0;
}

int capture_timeline_finish(struct capture_timeline *t, const struct capture_item *end)
{
    int r = 0;

    while (r == 0 && !list_empty(&t->connections)) {
        struct capture_strand *c =
            LIST_ENTRY(t->connections.next, struct capture_strand, link);

        r = capture_strand_flush(c);
        if (r == 0) {
            r = capture_exchanges_finish(&c->http);
        }
        if (r == 0) {
            connection_free(t, c);
        }
    }
    if (r == 0 && end->len > 0) {
        r = tell_stretch(t, CAPTURE_MOMENT_TORN, end);
    }
    return r;
}

int capture_timeline_doubt(struct capture_timeline *t, bool on)
{
    int r;

    if (t->messages.doubt == on) {
        return 0;
    }
    r = lose_all(t);
    t->messages.doubt = t->delivered.doubt = on;
    return r;
}
