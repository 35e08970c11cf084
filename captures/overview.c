#include "captures/overview.h"

#include "base/alloc.h"
#include "wire/frame.h"
#include "wire/handshake.h"

#include <errno.h>

const char *capture_kind_name(enum capture_kind k)
{
    static const char *const names[] = { "none", "http", "websocket", "tunnel" };

    return names[k];
}

const char *capture_end_name(enum capture_end e)
{
    static const char *const names[] = { "open",  "fin",     "truncated",
                                         "reset", "timeout", "refused",
                                         "error", "stop",    "fault" };

    return (unsigned)e < sizeof(names) / sizeof(names[0]) ? names[e] : "unknown";
}

static size_t text_max(struct bytes text)
{
    return text.len < CAPTURE_OVERVIEW_TEXT_MAX ? text.len : CAPTURE_OVERVIEW_TEXT_MAX;
}

static int keep(struct capture_overview *o, struct bytes text, struct bytes *out)
{
    return capture_intern_put(&o->texts, text, CAPTURE_OVERVIEW_TEXT_MAX, out);
}

/* ---- connections ---- */

static int append(struct capture_overview *o, struct capture_connection *c)
{
    size_t cap = o->cap == 0 ? 16 : o->cap * 2;
    struct capture_connection **wider;

    if (o->count == o->cap) {
        wider = alloc_resize(o->connections, cap * sizeof(struct capture_connection *));
        if (wider == NULL) {
            return -ENOMEM;
        }
        o->connections = wider;
        o->cap = cap;
    }
    if (capture_map_put(&o->by_number, c->number, c) < 0) {
        return -ENOMEM;
    }
    o->connections[o->count++] = c;
    return 0;
}

/* The connection of `r`, made when it is new. */
static int reach(struct capture_overview *o, const struct capture_record *r,
                 struct capture_connection **out)
{
    struct capture_connection *c = capture_map_get(&o->by_number, r->connection);

    if (c == NULL) {
        c = alloc_zero(1, sizeof(*c));
        if (c == NULL) {
            return -ENOMEM;
        }
        c->number = r->connection;
        c->opened_ns = r->time_ns;
        if (append(o, c) < 0) {
            alloc_free(c);
            return -ENOMEM;
        }
        o->highest = r->connection > o->highest ? r->connection : o->highest;
    }
    c->last_ns = r->time_ns;
    *out = c;
    return 0;
}

static int add_error(struct capture_overview *o, struct capture_connection *c,
                     struct bytes text)
{
    if (text.len == 0 || c->error_count == CAPTURE_OVERVIEW_ERRORS_MAX) {
        return 0;
    }
    return keep(o, text, &c->errors[c->error_count++]);
}

static int keep_tls(struct capture_overview *o, bool on, const struct capture_tls *tls,
                    struct capture_tls_facts *out)
{
    int r = 0;

    out->on = on;
    if (!on) {
        return 0;
    }
    r = keep(o, tls->version, &out->tls.version);
    if (r == 0) {
        r = keep(o, tls->cipher, &out->tls.cipher);
    }
    if (r == 0) {
        r = keep(o, tls->alpn, &out->tls.alpn);
    }
    return r == 0 ? keep(o, tls->server_name, &out->tls.server_name) : r;
}

static int take_open(struct capture_overview *o, struct capture_connection *c,
                     const struct capture_record *r)
{
    int kept = keep(o, r->u.open.client, &c->client);

    if (kept == 0) {
        kept = keep(o, r->u.open.listen, &c->listen);
    }
    return kept == 0 ? keep_tls(o, r->u.open.is_tls != 0, &r->u.open.tls, &c->tls)
                     : kept;
}

static int take_upstream(struct capture_overview *o, struct capture_connection *c,
                         const struct capture_record *r)
{
    int kept = keep(o, r->u.upstream.address, &c->upstream);

    if (kept == 0) {
        kept = add_error(o, c, r->u.upstream.error);
    }
    return kept == 0 ? keep_tls(o, r->u.upstream.is_tls != 0, &r->u.upstream.tls,
                                &c->upstream_tls)
                     : kept;
}

/* ---- HTTP ---- */

static int take_request(struct capture_overview *o, struct capture_connection *c,
                        struct bytes head)
{
    struct wire_head h;
    int r;

    if (c->kind == CAPTURE_KIND_NONE) {
        c->kind = CAPTURE_KIND_HTTP;
    }
    if (c->requests++ > 0 || wire_head_parse(head, true, &h) < 0) {
        return 0;
    }
    r = keep(o, h.method, &c->method);
    return r == 0 ? keep(o, h.target, &c->path) : r;
}

static int keep_field(struct capture_overview *o, struct bytes head,
                      const struct wire_head *h, const char *name, struct bytes *out)
{
    struct wire_field field;

    return wire_head_find(head, h, name, &field) ? keep(o, field.value, out) : 0;
}

static bool is_tunnel(const struct capture_connection *c, struct bytes head,
                      const struct wire_head *h)
{
    if (h->status == 101) {
        return !wire_handshake_agrees(head, h);
    }
    return h->status < 300 && bytes_equal(c->method, bytes_of("CONNECT"));
}

static int take_response(struct capture_overview *o, struct capture_connection *c,
                         struct bytes head)
{
    struct wire_head h;
    int r;

    if (wire_head_parse(head, false, &h) < 0 || (h.status < 200 && h.status != 101)) {
        return 0;
    }
    c->status = h.status;
    c->by_wstape = false;
    if (is_tunnel(c, head, &h)) {
        c->kind = CAPTURE_KIND_TUNNEL;
        return 0;
    }
    if (h.status != 101) {
        return 0;
    }
    c->kind = CAPTURE_KIND_WEBSOCKET;
    r = keep_field(o, head, &h, "Sec-WebSocket-Protocol", &c->subprotocol);
    return r == 0 ? keep_field(o, head, &h, "Sec-WebSocket-Extensions", &c->extensions)
                  : r;
}

static void take_sent(struct capture_connection *c, const struct capture_record *r)
{
    struct bytes in = r->u.sent.bytes;
    struct wire_head h;
    size_t end;

    if (c->kind == CAPTURE_KIND_WEBSOCKET) {
        return; /* frames */
    }
    end = bytes_find(in, bytes_of("\r\n\r\n"));
    if (r->u.sent.to == CLIENT && end < in.len &&
        wire_head_parse(bytes_first(in, end + 4), false, &h) == 0 && h.status >= 200) {
        c->status = h.status;
        c->by_wstape = true;
    }
}

/* ---- frames ---- */

static void take_close_bytes(struct capture_connection *c, enum side from,
                             struct bytes payload)
{
    struct capture_side_facts *s = &c->side[from];

    for (size_t i = 0; i < payload.len && c->closing[from].have < 2; i++) {
        c->closing[from].code = (uint16_t)(c->closing[from].code << 8 | payload.at[i]);
        c->closing[from].have++;
    }
    if (c->closing[from].have == 2) {
        s->close_code = c->closing[from].code;
        c->closing[from].left = 0;
    }
}

static void take_frame(struct capture_connection *c, const struct capture_record *r)
{
    const struct capture_frame *f = &r->u.frame.frame;
    enum side from = r->u.frame.from;
    struct capture_side_facts *s = &c->side[from];
    unsigned op = f->first & 0x0fU;

    c->kind = CAPTURE_KIND_WEBSOCKET;
    s->frames++;
    s->messages += op == WIRE_OP_TEXT || op == WIRE_OP_BINARY ? 1 : 0;
    s->bytes += op < 8 ? f->payload.len : 0;
    c->closing[from].left = 0;
    if (op == WIRE_OP_CLOSE && s->close_code == 0) {
        s->close_code = 1005;
        c->closing[from].left = f->payload_len;
        c->closing[from].have = 0;
        take_close_bytes(c, from, f->payload);
    } else if (op >= 8) {
        c->closing[from].left = f->payload_len; /* MORE of a control frame: no data */
        c->closing[from].have = 2;
    }
}

static void take_more(struct capture_connection *c, const struct capture_record *r)
{
    enum side from = r->u.more.from;

    if (c->closing[from].left == 0) {
        c->side[from].bytes += r->u.more.payload.len;
    } else if (c->closing[from].have < 2) {
        take_close_bytes(c, from, r->u.more.payload);
    }
}

static int take_end(struct capture_overview *o, struct capture_connection *c,
                    const struct capture_record *r)
{
    struct capture_side_facts *s = &c->side[r->u.end.side];

    /* What the peer did says more than what wstape did about it. */
    if (s->end == 0 || (s->end_by_wstape && r->u.end.by_wstape == 0)) {
        s->end = r->u.end.kind;
        s->end_by_wstape = r->u.end.by_wstape != 0;
    }
    return r->u.end.kind == CAPTURE_END_FIN ? 0 : add_error(o, c, r->u.end.text);
}

/* ---- rules ---- */

static struct capture_rule_facts *find_rule(const struct capture_overview *o,
                                            struct bytes name, struct bytes action)
{
    for (size_t i = 0; i < o->rule_count; i++) {
        if (bytes_equal(o->rules[i].name, name) &&
            bytes_equal(o->rules[i].action, action)) {
            return &o->rules[i];
        }
    }
    return NULL;
}

static int make_room_for_rule(struct capture_overview *o)
{
    size_t cap = o->rule_cap == 0 ? 16 : o->rule_cap * 2;
    struct capture_rule_facts *wider;

    if (o->rule_count < o->rule_cap) {
        return 0;
    }
    wider = alloc_resize(o->rules, cap * sizeof(*wider));
    if (wider == NULL) {
        return -ENOMEM;
    }
    o->rules = wider;
    o->rule_cap = cap;
    return 0;
}

/* The facts of the rule that acted; NULL when there are too many. */
static int reach_rule(struct capture_overview *o, const struct capture_record *r,
                      struct capture_rule_facts **out)
{
    struct bytes name = bytes_first(r->u.fault.rule, text_max(r->u.fault.rule));
    struct bytes action = bytes_first(r->u.fault.action, text_max(r->u.fault.action));
    struct capture_rule_facts rule = { .applied = 0 };
    int made;

    *out = find_rule(o, name, action);
    if (*out != NULL || o->rule_count == CAPTURE_OVERVIEW_RULES_MAX) {
        return 0;
    }
    made = keep(o, name, &rule.name);
    if (made == 0) {
        made = keep(o, action, &rule.action);
    }
    if (made == 0) {
        made = make_room_for_rule(o);
    }
    if (made == 0) {
        o->rules[o->rule_count] = rule;
        *out = &o->rules[o->rule_count++];
    }
    return made;
}

static int count_rule(struct capture_overview *o, const struct capture_record *r)
{
    struct capture_rule_facts *rule;
    int reached = reach_rule(o, r, &rule);

    if (reached < 0) {
        return reached;
    }
    if (rule == NULL) {
        o->rules_left_out++;
    } else if (r->u.fault.applied != 0) {
        rule->applied++;
    } else {
        rule->failed++;
    }
    return 0;
}

static void count_fault(struct capture_connection *c, const struct capture_record *r)
{
    if (r->u.fault.applied != 0) {
        c->faults++;
    } else {
        c->faults_failed++;
    }
}

/* ---- the tape ---- */

static int take_of_connection(struct capture_overview *o,
                              const struct capture_record *r)
{
    struct capture_connection *c;
    int reached = reach(o, r, &c);

    if (reached < 0) {
        return reached;
    }
    switch (r->type) {
    case CAPTURE_OPEN:
        return take_open(o, c, r);
    case CAPTURE_UPSTREAM:
        return take_upstream(o, c, r);
    case CAPTURE_REQUEST:
        return take_request(o, c, r->u.head.bytes);
    case CAPTURE_RESPONSE:
        return take_response(o, c, r->u.head.bytes);
    case CAPTURE_BODY:
        c->side[r->u.body.from].bytes += r->u.body.wire_len;
        return 0;
    case CAPTURE_FRAME:
        take_frame(c, r);
        return 0;
    case CAPTURE_MORE:
        take_more(c, r);
        return 0;
    case CAPTURE_RAW:
        c->side[r->u.raw.from].bytes += r->u.raw.bytes.len;
        return 0;
    case CAPTURE_SENT:
        take_sent(c, r);
        return 0;
    case CAPTURE_END:
        return take_end(o, c, r);
    case CAPTURE_FAULT:
        count_fault(c, r);
        return 0;
    case CAPTURE_NOTE:
    case CAPTURE_GAP:
    case CAPTURE_CHECKPOINT:
    case CAPTURE_SUMMARY:
        return 0;
    }
    return 0;
}

static int take_record(struct capture_overview *o, const struct capture_record *r)
{
    int counted = r->type == CAPTURE_FAULT ? count_rule(o, r) : 0;

    if (counted < 0) {
        return counted;
    }
    o->records++;
    o->last_ns = r->time_ns > o->last_ns ? r->time_ns : o->last_ns;
    o->gaps += r->type == CAPTURE_GAP ? 1 : 0;
    if (r->type == CAPTURE_SUMMARY) {
        o->complete = true;
        return keep(o, r->u.summary.text, &o->reason);
    }
    return r->connection == 0 ? 0 : take_of_connection(o, r);
}

void capture_overview_deinit(struct capture_overview *o)
{
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->count; i++) {
        alloc_free(o->connections[i]);
    }
    alloc_free(o->connections);
    alloc_free(o->rules);
    capture_map_deinit(&o->by_number);
    capture_intern_deinit(&o->texts);
    *o = (struct capture_overview){ 0 };
}

int capture_overview_feed(struct capture_overview *o, const struct capture_item *item)
{
    switch (item->event) {
    case CAPTURE_EVENT_RECORD:
        return take_record(o, &item->record);
    case CAPTURE_EVENT_DAMAGE:
        o->damaged++;
        o->damaged_bytes += item->len;
        return 0;
    case CAPTURE_EVENT_MISSING:
        if (o->missing_count < CAPTURE_OVERVIEW_MISSING_MAX) {
            o->missing[o->missing_count] =
                (struct capture_stretch){ item->offset, item->len };
        }
        o->missing_count++;
        return 0;
    case CAPTURE_EVENT_END:
        o->end = item->offset;
        o->torn = item->len;
        return 0;
    }
    return 0;
}

const struct capture_connection *capture_overview_find(const struct capture_overview *o,
                                                       uint32_t connection)
{
    return capture_map_get(&o->by_number, connection);
}

bool capture_overview_doubts(const struct capture_overview *o, uint64_t offset)
{
    size_t count = o->missing_count < CAPTURE_OVERVIEW_MISSING_MAX
                       ? (size_t)o->missing_count
                       : CAPTURE_OVERVIEW_MISSING_MAX;

    for (size_t i = 0; i < count; i++) {
        if (offset >= o->missing[i].offset &&
            offset - o->missing[i].offset < o->missing[i].len) {
            return true;
        }
    }
    return false;
}
