#include "cli/show_json.h"

#include "wire/http.h"
#include "wire/utf8.h"

/* ---- pieces ---- */

bool show_json_is_text(struct bytes in)
{
    struct wire_utf8 u = { 0 };

    return wire_utf8_check(&u, in) && wire_utf8_complete(&u);
}

void show_json_payload(struct show_object *j, struct bytes payload)
{
    if (show_json_is_text(payload)) {
        show_object_text(j, "text", payload);
    } else {
        show_object_base64(j, "base64", payload);
    }
}

void show_json_flag(struct show_object *j, const char *key, bool value)
{
    if (value) {
        show_object_bool(j, key, true);
    }
}

struct show_object show_json_begin(struct show *s, const char *record,
                                   const struct capture_moment *m)
{
    struct show_object j = show_object_begin(&s->out, record);

    if (m->connection != 0) {
        show_object_number(&j, "connection", m->connection);
    }
    return j;
}

/* ---- HTTP ---- */

static int put_head(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;
    bool asks = r->type == CAPTURE_REQUEST;
    struct bytes head = r->u.head.bytes;
    struct show_object j = show_json_begin(s, asks ? "request" : "response", at);
    struct wire_head h;
    bool readable = wire_head_parse(head, asks, &h) == 0;

    show_object_number(&j, "exchange", r->u.head.exchange);
    show_object_time(&j, "time", r->time_ns);
    if (readable && asks) {
        show_object_text(&j, "method", h.method);
        show_object_text(&j, "target", h.target);
    } else if (readable) {
        show_object_number(&j, "status", h.status);
        show_object_text(&j, "reason", h.reason);
    }
    show_object_text(&j, "head", head);
    if (r->u.head.sent.len > 0) {
        show_object_text(&j, "head_sent", r->u.head.sent);
    }
    return show_object_end(&j);
}

static int put_body(struct show *s, const struct capture_moment *at)
{
    const struct capture_body *b = at->u.body;
    struct show_object j = show_json_begin(s, "body", at);

    show_object_number(&j, "exchange", b->exchange);
    show_object_words(&j, "from", side_name(b->from));
    show_object_time(&j, "time", b->time_ns);
    if (b->end_ns != b->time_ns) {
        show_object_time(&j, "end_time", b->end_ns);
    }
    show_object_number(&j, "size", b->size);
    show_object_number(&j, "wire_size", b->wire_size);
    show_json_payload(&j, b->bytes);
    show_json_flag(&j, "malformed", b->malformed);
    show_json_flag(&j, "incomplete", b->incomplete);
    show_json_flag(&j, "cut", b->cut);
    return show_object_end(&j);
}

/* ---- other records ---- */

static void put_open(struct show_object *j, const struct capture_record *r)
{
    struct capture_tls_facts tls = { r->u.open.is_tls != 0, r->u.open.tls };

    show_object_text(j, "client", r->u.open.client);
    show_object_text(j, "listen", r->u.open.listen);
    show_json_tls(j, "tls", &tls);
}

static void put_upstream(struct show_object *j, const struct capture_record *r)
{
    struct capture_tls_facts tls = { r->u.upstream.is_tls != 0, r->u.upstream.tls };

    show_object_text(j, "address", r->u.upstream.address);
    if (r->u.upstream.error.len > 0) {
        show_object_text(j, "error", r->u.upstream.error);
    }
    show_json_tls(j, "tls", &tls);
}

static void put_bytes(struct show_object *j, struct bytes in)
{
    show_object_number(j, "size", in.len);
    show_object_base64(j, "base64", in);
}

static void put_end(struct show_object *j, const struct capture_record *r)
{
    show_object_words(j, "side", side_name(r->u.end.side));
    show_object_words(j, "how", capture_end_name(r->u.end.kind));
    show_object_words(j, "by", r->u.end.by_wstape != 0 ? "wstape" : "peer");
    if (r->u.end.text.len > 0) {
        show_object_text(j, "text", r->u.end.text);
    }
}

static const char *record_name(enum capture_type t)
{
    static const char *const names[] = {
        [CAPTURE_OPEN] = "open",       [CAPTURE_UPSTREAM] = "upstream",
        [CAPTURE_REQUEST] = "request", [CAPTURE_RESPONSE] = "response",
        [CAPTURE_BODY] = "body",       [CAPTURE_FRAME] = "frame",
        [CAPTURE_MORE] = "raw",        [CAPTURE_RAW] = "raw",
        [CAPTURE_SENT] = "sent",       [CAPTURE_FAULT] = "fault",
        [CAPTURE_END] = "end",         [CAPTURE_NOTE] = "note",
        [CAPTURE_GAP] = "gap",         [CAPTURE_CHECKPOINT] = "checkpoint",
        [CAPTURE_SUMMARY] = "summary",
    };

    return (unsigned)t < sizeof(names) / sizeof(names[0]) && names[t] != NULL ? names[t]
                                                                              : "other";
}

static void put_fields(struct show_object *j, const struct capture_record *r)
{
    switch (r->type) {
    case CAPTURE_OPEN:
        put_open(j, r);
        break;
    case CAPTURE_UPSTREAM:
        put_upstream(j, r);
        break;
    case CAPTURE_MORE:
        show_object_words(j, "from", side_name(r->u.more.from));
        put_bytes(j, r->u.more.payload);
        show_object_bool(j, "incomplete", true);
        break;
    case CAPTURE_RAW:
        show_object_words(j, "from", side_name(r->u.raw.from));
        put_bytes(j, r->u.raw.bytes);
        break;
    case CAPTURE_SENT:
        show_object_words(j, "to", side_name(r->u.sent.to));
        show_object_text(j, "cause", r->u.sent.cause);
        put_bytes(j, r->u.sent.bytes);
        break;
    case CAPTURE_FAULT:
        show_json_fault(j, r);
        break;
    case CAPTURE_END:
        put_end(j, r);
        break;
    case CAPTURE_NOTE:
        show_object_text(j, "text", r->u.note.text);
        break;
    case CAPTURE_GAP:
        show_object_number(j, "records", r->u.gap.records);
        show_object_number(j, "bytes", r->u.gap.bytes);
        show_object_text(j, "text", r->u.gap.text);
        break;
    case CAPTURE_SUMMARY:
        show_object_number(j, "connections", r->u.summary.connections);
        show_object_number(j, "records", r->u.summary.records);
        show_object_text(j, "text", r->u.summary.text);
        break;
    case CAPTURE_REQUEST:
    case CAPTURE_RESPONSE:
    case CAPTURE_BODY:
    case CAPTURE_FRAME:
    case CAPTURE_CHECKPOINT:
        break;
    }
}

static int put_record(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;
    struct show_object j;

    if (r->type == CAPTURE_REQUEST || r->type == CAPTURE_RESPONSE) {
        return put_head(s, at);
    }
    j = show_json_begin(s, record_name(r->type), at);
    show_object_time(&j, "time", at->time_ns);
    if (strcmp(record_name(r->type), "other") == 0) {
        show_object_number(&j, "type", (unsigned)r->type);
    }
    put_fields(&j, r);
    return show_object_end(&j);
}

static int put_stretch(struct show *s, const struct capture_moment *at,
                       const char *kind)
{
    struct show_object j = show_json_begin(s, "damage", at);

    show_object_words(&j, "kind", kind);
    show_object_number(&j, "offset", at->u.stretch.offset);
    show_object_number(&j, "len", at->u.stretch.len);
    return show_object_end(&j);
}

static int put_moment(struct show *s, const struct capture_moment *m)
{
    if (s->part == SHOW_HIT_OUTCOME || (s->part == SHOW_HIT_ACT && s->hit.dropped)) {
        show_out_amend(&s->out, ",\"altered\":true");
    } else if (s->part == SHOW_HIT_NONE) {
        show_out_release(&s->out);
    }
    switch (m->kind) {
    case CAPTURE_MOMENT_RECORD:
        return put_record(s, m);
    case CAPTURE_MOMENT_MESSAGE:
    case CAPTURE_MOMENT_DELIVERED:
        return s->options.frames ? show_json_frame(s, m) : show_json_message(s, m);
    case CAPTURE_MOMENT_BODY:
        return put_body(s, m);
    case CAPTURE_MOMENT_EXCHANGE:
        return 0; /* requests, responses and bodies say it all */
    case CAPTURE_MOMENT_DAMAGE:
        return put_stretch(s, m, "damaged");
    case CAPTURE_MOMENT_MISSING:
        return put_stretch(s, m, "missing");
    case CAPTURE_MOMENT_TORN:
        return put_stretch(s, m, "torn");
    }
    return 0;
}

const struct show_view show_json_view = {
    .message_keep = SIZE_MAX,
    .body_keep = SIZE_MAX,
    .tape = show_json_tape,
    .connections = show_json_connections,
    .moment = put_moment,
    .stats = show_json_stats,
};
