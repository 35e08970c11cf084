#include "replay/report_state.h"

#include "base/text.h"

#include <inttypes.h>

/* ---- values ---- */

/* Printable ASCII goes as it is written; any other string is written anew, so that the
 * line is safe to print. */
static int put_string(struct bytes token, struct buf *out)
{
    struct buf plain = { 0 };
    int r;

    for (size_t i = 0; i < token.len; i++) {
        if (token.at[i] < 0x20 || token.at[i] > 0x7e) {
            r = wire_json_decode(&plain, token);
            r = r == 0 ? text_put_json(out, buf_bytes(&plain)) : r;
            buf_deinit(&plain);
            return r;
        }
    }
    return buf_put(out, token);
}

/* White space between tokens goes; commas and colons stay. */
static int put_between(struct bytes gap, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < gap.len; i++) {
        if (gap.at[i] == ',' || gap.at[i] == ':') {
            r = buf_put_byte(out, gap.at[i]);
        }
    }
    return r;
}

static int put_token(struct bytes text, const struct wire_json_token *t, size_t from,
                     struct buf *out)
{
    struct bytes token = bytes_first(bytes_from(text, t->from), t->to - t->from);
    int r = put_between(bytes_first(bytes_from(text, from), t->from - from), out);

    if (r < 0) {
        return r;
    }
    return t->kind == WIRE_JSON_KEY || t->kind == WIRE_JSON_STRING
               ? put_string(token, out)
               : buf_put(out, token);
}

enum { NOT_JSON = 1 };

/* The value on one line; NOT_JSON appends nothing. */
static int put_json_text(struct bytes text, struct buf *out)
{
    struct wire_json_token token = { .to = 0 };
    size_t len = out->len, from = 0;
    struct wire_json j;
    int r, put = 0;

    wire_json_init(&j, text);
    while ((r = wire_json_next(&j, &token)) == 0 && put == 0) {
        put = put_token(text, &token, from, out);
        from = token.to;
    }
    if (put < 0) {
        return put;
    }
    if (r != WIRE_JSON_OVER) {
        out->len = len;
        return NOT_JSON;
    }
    return 0;
}

/* Words of ours, and of HTTP, are never JSON. */
static bool may_be_json(const struct replay_event *e)
{
    return e->kind != REPLAY_EVENT_END && e->kind != REPLAY_EVENT_FIELD;
}

static void put_value(struct report_words *w, const struct replay_event *e, bool before)
{
    struct bytes value = before ? e->before : e->after;
    bool is_binary = before ? e->before_binary : e->after_binary;
    bool cut = value.len > REPLAY_REPORT_JSON;
    int r = NOT_JSON;

    value = cut ? bytes_first(value, REPLAY_REPORT_JSON) : value;
    replay_words_format(w, ",\"%s%s\":", before ? "before" : "after",
                        is_binary ? "_base64" : "");
    if (w->error == 0 && !cut && !is_binary && may_be_json(e)) {
        r = put_json_text(value, w->out);
        w->error = r < 0 ? r : 0;
    }
    if (w->error == 0 && is_binary) {
        replay_words_text(w, "\"");
        w->error = w->error == 0 ? text_put_base64(w->out, value) : w->error;
        replay_words_text(w, "\"");
    } else if (w->error == 0 && r == NOT_JSON) {
        w->error = text_put_json(w->out, value);
    }
    replay_words_text(w, cut ? ",\"cut\":true" : "");
}

/* ---- members ---- */

static void put_where(const struct replay_report *r, const struct replay_event *e,
                      struct report_words *w)
{
    if (e->connection > 0) {
        replay_words_number(w, "connection", e->connection);
    }
    if (e->copy > 0 && r->copies > 1) {
        replay_words_number(w, "copy", e->copy);
    }
    if (e->recorded > 0) {
        replay_words_number(w, "recorded", e->recorded);
    }
    if (e->message > 0) {
        replay_words_number(w, e->is_http ? "request" : "message", e->message);
    }
    if (e->message > 0 && !e->is_http) {
        replay_words_string(w, "from", bytes_of(side_name(e->from)));
    }
}

static bool has_counts(enum replay_event_kind kind)
{
    return kind == REPLAY_EVENT_OVER || kind == REPLAY_EVENT_EXTRA;
}

static void put_numbers(const struct replay_event *e, struct report_words *w)
{
    if (e->kind == REPLAY_EVENT_ORDER) {
        replay_words_number(w, "before_message", e->other);
    }
    if (e->count > 0 || e->kind == REPLAY_EVENT_OVER) {
        replay_words_number(w, "count", e->count);
    }
    if (e->expected > 0 || (has_counts(e->kind) && e->count > 0)) {
        replay_words_number(w, "expected", e->expected);
    }
    if (e->kind == REPLAY_EVENT_RESPONSE_TIME || e->kind == REPLAY_EVENT_TIMEOUT) {
        replay_words_seconds(w, "time", e->time_ns);
    }
    if (e->kind == REPLAY_EVENT_RESPONSE_TIME) {
        replay_words_seconds(w, "recorded_time", e->recorded_ns);
    }
}

static void put_texts(const struct replay_event *e, struct report_words *w)
{
    if (e->target.len > 0) {
        replay_words_string(w, "target", e->target);
    }
    if (e->path.len > 0) {
        replay_words_string(w, e->kind == REPLAY_EVENT_FIELD ? "field" : "path",
                            e->path);
    }
    if (e->before_present) {
        put_value(w, e, true);
    }
    if (e->after_present) {
        put_value(w, e, false);
    }
    if (e->text.len > 0) {
        replay_words_string(w, "text", e->text);
    }
}

int replay_report_put_json(const struct replay_report *r, const struct replay_event *e,
                           struct buf *out)
{
    struct report_words w = { .out = out };

    replay_words_record(&w, replay_event_name(e->kind));
    put_where(r, e, &w);
    put_numbers(e, &w);
    put_texts(e, &w);
    replay_words_text(&w, replay_event_is_mismatch(e) ? ",\"mismatch\":true}" : "}");
    return w.error;
}
