#include "cli/show_text.h"
#include "wire/frame.h"
#include "wire/http.h"

#include <stdio.h>

/* ---- HTTP ---- */

static int put_exchange(struct show *s, const struct capture_moment *at)
{
    const struct capture_exchange *e = at->u.exchange;
    char words[SHOW_SPAN_MAX];

    show_text_start(s, at, SHOW_BY_CLIENT, SHOW_CLIENT, "http");
    show_text_column(s);
    show_text_words(s, e->method);
    show_line_text(&s->line, " ");
    show_line_safe(&s->line, e->target,
                   show_line_room(&s->line) > 50 ? show_line_room(&s->line) - 30 : 20,
                   false);
    if (e->sent > 0) {
        show_put_bytes(words, sizeof(words), e->sent);
        show_line_format(&s->line, " (%s)", words);
    }
    if (e->status == 0) {
        show_line_colour(&s->line, SHOW_BAD);
        show_line_text(&s->line, " → no answer");
        return show_line_end(&s->line);
    }
    show_line_format(&s->line, " → %u", e->status);
    if (!e->upgraded) {
        show_put_bytes(words, sizeof(words), e->size);
        show_line_format(&s->line, ", %s", words);
    }
    show_put_span(words, sizeof(words), e->done_ns - e->asked_ns);
    show_line_format(&s->line, ", %s%s%s", words, e->by_wstape ? ", by wstape" : "",
                     e->incomplete ? ", incomplete" : "");
    return show_line_end(&s->line);
}

static int put_head(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;
    enum side from = r->type == CAPTURE_REQUEST ? CLIENT : SERVER;
    int done;

    show_text_start(s, at, show_text_actor(from), show_text_colour(from),
                    from == CLIENT ? "request" : "response");
    show_text_size(s, r->u.head.bytes.len);
    show_text_column(s);
    show_line_format(&s->line, "exchange %u%s", (unsigned)r->u.head.exchange,
                     r->u.head.sent.len > 0 ? ", as received (passed on below)" : "");
    done = show_line_end(&s->line);
    if (done == 0) {
        done = show_http_head(s, r->u.head.bytes);
    }
    if (done == 0 && r->u.head.sent.len > 0) {
        show_line_to(&s->line, show_text_kind_start(s));
        show_line_colour(&s->line, SHOW_WSTAPE);
        show_line_text(&s->line, "passed on as");
        done = show_line_end(&s->line);
        if (done == 0) {
            done = show_http_head(s, r->u.head.sent);
        }
    }
    return done;
}

static int put_body(struct show *s, const struct capture_moment *at)
{
    const struct capture_body *b = at->u.body;
    int r;

    show_text_start(s, at, show_text_actor(b->from), show_text_colour(b->from), "body");
    show_text_size(s, b->size);
    show_text_column(s);
    show_line_format(&s->line, "exchange %u", (unsigned)b->exchange);
    show_line_colour(&s->line, SHOW_BAD);
    show_line_text(&s->line, b->malformed ? ", ! chunk framing is broken" : "");
    show_line_text(&s->line, b->incomplete ? ", ! incomplete" : "");
    show_line_colour(&s->line, SHOW_DIM);
    show_line_text(&s->line, b->cut ? ", not kept in full" : "");
    r = show_line_end(&s->line);
    return r == 0 ? show_http_body(s, b) : r;
}

/* ---- what happened to connections ---- */

static void put_tls(struct show *s, uint8_t is_tls, const struct capture_tls *tls)
{
    struct buf facts = { 0 };

    if (is_tls == 0) {
        return;
    }
    show_out_note(&s->out, buf_put(&facts, tls->version));
    if (tls->server_name.len > 0) {
        show_out_note(&s->out, buf_put_text(&facts, " for "));
        show_out_note(&s->out, buf_put(&facts, tls->server_name));
    }
    if (tls->cipher.len > 0) {
        show_out_note(&s->out, buf_put_text(&facts, ", "));
        show_out_note(&s->out, buf_put(&facts, tls->cipher));
    }
    show_line_text(&s->line, ", ");
    show_text_words(s, buf_bytes(&facts));
    buf_deinit(&facts);
}

static int put_open(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;

    show_text_start(s, at, SHOW_BY_CLIENT, SHOW_CLIENT, "open");
    show_text_column(s);
    show_text_words(s, r->u.open.client);
    show_line_text(&s->line, " → ");
    show_text_words(s, r->u.open.listen);
    put_tls(s, r->u.open.is_tls, &r->u.open.tls);
    return show_line_end(&s->line);
}

static int put_upstream(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;
    bool failed = r->u.upstream.error.len > 0;

    show_text_start(s, at, SHOW_BY_NOBODY, failed ? SHOW_BAD : SHOW_WSTAPE, "upstream");
    show_text_column(s);
    show_line_text(&s->line, failed ? "" : "connected to ");
    show_text_words(s, r->u.upstream.address);
    if (failed) {
        show_line_colour(&s->line, SHOW_BAD);
        show_line_text(&s->line, r->u.upstream.address.len > 0 ? ": " : "");
        show_text_words(s, r->u.upstream.error);
    } else {
        put_tls(s, r->u.upstream.is_tls, &r->u.upstream.tls);
    }
    return show_line_end(&s->line);
}

static const char *end_words(enum capture_end kind, bool by_wstape)
{
    switch (kind) {
    case CAPTURE_END_FIN:
        return by_wstape ? "closed by wstape (FIN)" : "closed (FIN)";
    case CAPTURE_END_TRUNCATED:
        return "closed without TLS close_notify";
    case CAPTURE_END_RESET:
        return by_wstape ? "reset by wstape (RST)" : "reset (RST)";
    case CAPTURE_END_TIMEOUT:
        return "wstape gave up waiting";
    case CAPTURE_END_REFUSED:
        return "turned away by wstape";
    case CAPTURE_END_ERROR:
        return "failed";
    case CAPTURE_END_STOP:
        return "ended because wstape stopped";
    case CAPTURE_END_FAULT:
        return "ended by a rule";
    }
    return "ended";
}

static int put_end(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;
    enum side side = r->u.end.side;
    bool by_wstape = r->u.end.by_wstape != 0;

    show_text_start(s, at, by_wstape ? SHOW_BY_NOBODY : show_text_actor(side),
                    by_wstape ? SHOW_WSTAPE : show_text_colour(side), "end");
    show_text_column(s);
    show_line_format(&s->line, "%s: %s", side_name(side),
                     end_words(r->u.end.kind, by_wstape));
    if (r->u.end.text.len > 0) {
        show_line_text(&s->line, ": ");
        show_text_words(s, r->u.end.text);
    }
    return show_line_end(&s->line);
}

/* ---- bytes outside of messages ---- */

static int put_raw(struct show *s, const struct capture_moment *at, enum side from,
                   struct bytes in)
{
    show_text_start(s, at, show_text_actor(from), show_text_colour(from), "raw");
    show_text_size(s, in.len);
    show_text_column(s);
    if (at->u.record->type == CAPTURE_MORE) {
        show_line_colour(&s->line, SHOW_BAD);
        show_line_text(&s->line, "! part of a frame whose start is missing  ");
        show_line_colour(&s->line, SHOW_PLAIN);
    }
    if (show_text_looks_like(in)) {
        show_text_words(s, in);
    } else {
        show_line_hex(&s->line, in, show_line_room(&s->line), false);
    }
    return show_line_end(&s->line);
}

/* What wstape said, in short: a status line, or a close frame. */
static void put_said(struct show *s, struct bytes in)
{
    struct wire_frame_decoder d = { 0 };
    struct wire_frame f;
    struct wire_head h;
    size_t used, end = bytes_find(in, bytes_of("\r\n\r\n"));
    struct bytes rest;

    if (end < in.len && wire_head_parse(bytes_first(in, end + 4), false, &h) == 0) {
        show_line_format(&s->line, "%u ", h.status);
        show_text_words(s, h.reason);
        return;
    }
    if (wire_frame_decode(&d, in, &used, &f) != 0 ||
        wire_frame_opcode(&f) != WIRE_OP_CLOSE || in.len - used < 2) {
        show_line_hex(&s->line, in, show_line_room(&s->line) / 2, false);
        return;
    }
    rest = bytes_from(in, used);
    show_line_format(&s->line, "close %u",
                     (unsigned)(rest.at[0] ^ f.mask[0]) << 8 |
                         (rest.at[1] ^ f.mask[1]));
}

/* Messages that wstape sent are no records here: this is HTTP. */
static int put_sent(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;

    show_text_start(s, at, r->u.sent.to == CLIENT ? SHOW_TO_CLIENT : SHOW_TO_SERVER,
                    SHOW_WSTAPE, "sent");
    show_text_size(s, r->u.sent.bytes.len);
    show_text_column(s);
    show_line_format(&s->line, "by wstape to the %s: ", side_name(r->u.sent.to));
    put_said(s, r->u.sent.bytes);
    if (r->u.sent.cause.len > 0) {
        show_line_text(&s->line, ": ");
        show_text_words(s, r->u.sent.cause);
    }
    return show_line_end(&s->line);
}

static int put_said_of_tape(struct show *s, const struct capture_moment *at,
                            enum show_colour colour, const char *kind,
                            struct bytes text)
{
    show_text_start(s, at, SHOW_BY_NOBODY, colour, kind);
    show_text_column(s);
    show_text_words(s, text);
    return show_line_end(&s->line);
}

static int put_gap(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;

    show_text_start(s, at, SHOW_BY_NOBODY, SHOW_BAD, "gap");
    show_text_column(s);
    show_line_colour(&s->line, SHOW_BAD);
    show_line_format(&s->line, "! %llu records (%llu bytes) could not be written: ",
                     (unsigned long long)r->u.gap.records,
                     (unsigned long long)r->u.gap.bytes);
    show_text_words(s, r->u.gap.text);
    return show_line_end(&s->line);
}

static int put_stretch(struct show *s, const struct capture_moment *at,
                       const char *kind, const char *words)
{
    show_text_start(s, at, SHOW_BY_NOBODY, SHOW_BAD, kind);
    show_text_column(s);
    show_line_colour(&s->line, SHOW_BAD);
    show_line_format(&s->line, "! %llu bytes at offset %llu: %s",
                     (unsigned long long)at->u.stretch.len,
                     (unsigned long long)at->u.stretch.offset, words);
    return show_line_end(&s->line);
}

/* ---- moments ---- */

static int put_record(struct show *s, const struct capture_moment *at)
{
    const struct capture_record *r = at->u.record;

    switch (r->type) {
    case CAPTURE_OPEN:
        return put_open(s, at);
    case CAPTURE_UPSTREAM:
        return put_upstream(s, at);
    case CAPTURE_REQUEST:
    case CAPTURE_RESPONSE:
        return s->options.http ? put_head(s, at) : 0;
    case CAPTURE_MORE:
        return put_raw(s, at, r->u.more.from, r->u.more.payload);
    case CAPTURE_RAW:
        return put_raw(s, at, r->u.raw.from, r->u.raw.bytes);
    case CAPTURE_SENT:
        return put_sent(s, at);
    case CAPTURE_END:
        return put_end(s, at);
    case CAPTURE_NOTE:
        return put_said_of_tape(s, at, SHOW_WSTAPE, "note", r->u.note.text);
    case CAPTURE_SUMMARY:
        return put_said_of_tape(s, at, SHOW_WSTAPE, "finished", r->u.summary.text);
    case CAPTURE_GAP:
        return put_gap(s, at);
    case CAPTURE_FAULT:
        return show_text_fault(s, at);
    case CAPTURE_BODY:
    case CAPTURE_FRAME:
    case CAPTURE_CHECKPOINT:
        break;
    }
    return put_said_of_tape(s, at, SHOW_DIM, "other",
                            bytes_of("a record of a later version of wstape"));
}

static int put_moment(struct show *s, const struct capture_moment *m)
{
    switch (m->kind) {
    case CAPTURE_MOMENT_RECORD:
        return put_record(s, m);
    case CAPTURE_MOMENT_MESSAGE:
    case CAPTURE_MOMENT_DELIVERED:
        return s->options.frames ? show_text_frame(s, m) : show_text_message(s, m);
    case CAPTURE_MOMENT_BODY:
        return s->options.http ? put_body(s, m) : 0;
    case CAPTURE_MOMENT_EXCHANGE:
        return s->options.http ? 0 : put_exchange(s, m);
    case CAPTURE_MOMENT_DAMAGE:
        return put_stretch(
            s, m, "damage",
            "cannot be read; message numbers may be too low from here on");
    case CAPTURE_MOMENT_MISSING:
        return put_stretch(s, m, "missing", "whole records are missing in there");
    case CAPTURE_MOMENT_TORN:
        return put_stretch(s, m, "torn", "the last record is not whole");
    }
    return 0;
}

static int put_connections(struct show *s)
{
    int r = 0;

    if (s->options.follow) {
        r = show_line_end(&s->line);
    }
    if (r == 0) {
        r = show_head_connections(s);
    }
    if (r == 0) {
        r = show_head_rules(s);
    }
    return r == 0 && !s->options.follow ? show_line_end(&s->line) : r;
}

const struct show_view show_text_view = {
    .message_keep = 4 * SHOW_LINE_MAX + 4,
    .body_keep = 0,
    .tape = show_head_tape,
    .connections = put_connections,
    .moment = put_moment,
    .stats = show_stats_text,
};

const struct show_view show_text_http_view = {
    .message_keep = 4 * SHOW_LINE_MAX + 4,
    .body_keep = SIZE_MAX,
    .tape = show_head_tape,
    .connections = put_connections,
    .moment = put_moment,
    .stats = show_stats_text,
};
