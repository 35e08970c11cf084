#include "replay/report_state.h"

#include "base/text.h"

#include <inttypes.h>

/* ---- parts ---- */

/* Behind a prefix a subject of our own takes a colon; a message or verb does not. */
static void put_prefix(const struct replay_report *r, const struct replay_event *e,
                       const char *end, struct report_words *w)
{
    bool connection = e->connection > 0 && (r->live == CLIENT || r->several);
    bool copy = e->copy > 0 && r->copies > 1;

    if (connection) {
        replay_words_format(w, "connection %" PRIu32, e->connection);
    }
    if (copy) {
        replay_words_format(w, "%scopy %" PRIu32, connection ? " " : "", e->copy);
    }
    if (connection || copy) {
        replay_words_text(w, end);
    }
}

static void put_target(const struct replay_event *e, struct report_words *w)
{
    if (e->target.len > 0) {
        replay_words_text(w, " ");
        replay_words_escaped(w, e->target, REPLAY_REPORT_TEXT);
    }
}

static void put_subject(const struct replay_event *e, struct report_words *w)
{
    replay_words_format(w, "%s %" PRIu64, e->is_http ? "request" : "message",
                        e->message);
    if (e->is_http) {
        put_target(e, w);
    }
}

static void put_before(const struct replay_event *e, struct report_words *w)
{
    replay_words_value(w, e->before, e->before_present, e->before_binary);
}

static void put_after(const struct replay_event *e, struct report_words *w)
{
    replay_words_value(w, e->after, e->after_present, e->after_binary);
}

static void put_change(const struct replay_event *e, struct report_words *w)
{
    put_before(e, w);
    replay_words_text(w, " → ");
    put_after(e, w);
}

static void put_words(const struct replay_event *e, struct report_words *w)
{
    replay_words_escaped(w, e->text, REPLAY_REPORT_WORDS);
}

/* ---- differences ---- */

static void put_difference(const struct replay_event *e, struct report_words *w)
{
    if (e->message > 0) {
        put_subject(e, w);
    } else {
        put_words(e, w);
        replay_words_format(w, " from byte %" PRIu64 " on", e->count);
    }
    if (e->path.len > 0) {
        replay_words_text(w, " ");
        replay_words_escaped(w, e->path, REPLAY_REPORT_TEXT);
    }
    replay_words_text(w, ": ");
    put_change(e, w);
}

/* The first naming member of which the live message has another value. */
static uint32_t differing_name(const struct replay_tree *before,
                               const struct replay_tree *after, uint32_t *other)
{
    uint32_t n = before->at[0].first;

    for (; n != REPLAY_NO_VALUE; n = before->at[n].next) {
        if (!replay_compare_is_name(before, n)) {
            continue;
        }
        *other = replay_tree_member(after, 0, replay_value_key(before, n));
        if (*other == REPLAY_NO_VALUE ||
            !bytes_equal(replay_value_text(before, n),
                         replay_value_text(after, *other))) {
            return n;
        }
    }
    return REPLAY_NO_VALUE;
}

static void put_name(const struct replay_tree *before, const struct replay_tree *after,
                     struct report_words *w)
{
    struct buf path = { 0 };
    struct bytes now = { NULL, 0 };
    uint32_t other, n = differing_name(before, after, &other);

    if (n == REPLAY_NO_VALUE || w->error < 0) {
        return;
    }
    w->error = replay_tree_put_path(before, n, false, &path);
    replay_words_text(w, " (");
    replay_words_escaped(w, buf_bytes(&path), REPLAY_REPORT_TEXT);
    replay_words_text(w, ": ");
    replay_words_value(w, replay_value_text(before, n), true, false);
    replay_words_text(w, " → ");
    if (other != REPLAY_NO_VALUE) {
        now = replay_value_text(after, other);
    }
    replay_words_value(w, now, other != REPLAY_NO_VALUE, false);
    replay_words_text(w, ")");
    buf_deinit(&path);
}

/* What tells the two kinds apart, where members do. */
static void put_why(const struct replay_event *e, struct report_words *w)
{
    struct replay_tree before = { 0 }, after = { 0 };
    int r = replay_tree_read(&before, e->before);

    if (r == 0) {
        r = replay_tree_read(&after, e->after);
    }
    if (r == 0 && before.at[0].kind == WIRE_JSON_OBJECT &&
        after.at[0].kind == WIRE_JSON_OBJECT) {
        put_name(&before, &after, w);
    }
    if (r < 0 && w->error == 0) {
        w->error = r;
    }
    replay_tree_deinit(&before);
    replay_tree_deinit(&after);
}

static void put_unexpected(const struct replay_event *e, struct report_words *w)
{
    put_subject(e, w);
    replay_words_text(w, " is not what the tape has next: expected ");
    put_before(e, w);
    replay_words_text(w, ", got ");
    put_after(e, w);
    replay_words_text(w, ": nothing answers it");
    if (!e->before_binary && !e->after_binary) {
        put_why(e, w);
    }
}

static void put_missing(const struct replay_event *e, struct report_words *w)
{
    put_subject(e, w);
    if (e->is_http) {
        replay_words_text(w, e->text.len > 0 ? ": no answer: " : ": no answer");
        put_words(e, w);
        return;
    }
    replay_words_text(w, " missing: ");
    put_before(e, w);
}

/* It comes when all of the tape's have: where no counts are told, they follow. */
static void put_too_many(const struct replay_event *e, struct report_words *w)
{
    uint64_t number = e->count > 0 ? e->count : e->message + 1;
    uint64_t expected = e->expected > 0 ? e->expected : e->message;

    replay_words_format(w, "sent message %" PRIu64 ", but the tape has ", number);
    if (expected == 0) {
        replay_words_text(w, "none: ");
    } else {
        replay_words_format(w, "only %" PRIu64 ": ", expected);
    }
    put_after(e, w);
}

/* An HTTP answer: to a request that had none on the tape, or to none at all. */
static void put_extra_answer(const struct replay_event *e, struct report_words *w)
{
    if (e->target.len > 0) {
        put_subject(e, w);
        replay_words_text(w, ": the tape has no answer to it, got status ");
    } else {
        replay_words_text(w, "an answer that nothing asked for: status ");
    }
    put_after(e, w);
}

static void put_extra(const struct replay_report *r, const struct replay_event *e,
                      struct report_words *w)
{
    if (r->live == CLIENT) {
        put_too_many(e, w);
        return;
    }
    if (e->is_http) {
        put_extra_answer(e, w);
        return;
    }
    replay_words_text(w, "extra message ");
    if (e->message == 0) {
        replay_words_text(w, "before the first: ");
    } else {
        replay_words_format(w, "after message %" PRIu64 ": ", e->message);
    }
    put_after(e, w);
}

static void put_status(const struct replay_event *e, struct report_words *w)
{
    if (e->is_http) {
        put_subject(e, w);
    } else {
        replay_words_text(w, "handshake");
        put_target(e, w);
    }
    replay_words_text(w, ": status ");
    put_change(e, w);
    if (e->text.len > 0) {
        replay_words_text(w, ": ");
        replay_words_escaped(w, e->text, REPLAY_REPORT_TEXT);
    }
}

static void put_field(const struct replay_event *e, struct report_words *w)
{
    replay_words_text(w, "handshake ");
    replay_words_escaped(w, e->path, REPLAY_REPORT_TEXT);
    replay_words_text(w, ": ");
    put_change(e, w);
}

/* ---- waiting and ending ---- */

static void put_timeout(const struct replay_event *e, struct report_words *w)
{
    if (e->message > 0) {
        put_subject(e, w);
        replay_words_text(w, e->text.len > 0 ? ": " : "");
    }
    put_words(e, w);
    replay_words_text(w, e->message > 0 ? " did not come within "
                                        : ": waited in vain for ");
    replay_words_time(w, e->time_ns);
    replay_words_text(w, " (see --timeout)");
    if (e->before_present) {
        replay_words_text(w, ": ");
        put_before(e, w);
    }
}

static void put_waits(const struct replay_event *e, struct report_words *w)
{
    replay_words_text(w, "waits for ");
    put_words(e, w);
    if (e->is_http) {
        replay_words_text(w, e->text.len > 0 ? ": " : "");
        put_subject(e, w);
    } else if (e->text.len == 0) {
        put_subject(e, w);
        replay_words_text(w, e->before_present ? ": " : "");
    }
    if (e->before_present) {
        put_before(e, w);
    }
}

static void put_early(const struct replay_event *e, struct report_words *w)
{
    replay_words_text(w, "ended early");
    if (e->count > 0) {
        replay_words_text(w, ": ");
        replay_words_count(w, e->count,
                           e->is_http ? "request of the tape did not come, "
                                      : "message of the tape did not come, ",
                           e->is_http
                               ? "requests of the tape did not come, the first is "
                               : "messages of the tape did not come, the first is ");
        put_subject(e, w);
        replay_words_text(w, e->before_present ? ": " : "");
        if (e->before_present) {
            put_before(e, w);
        }
    } else if (e->text.len > 0) {
        replay_words_text(w, ": the tape goes on with ");
        put_words(e, w);
    }
}

static void put_of_message(const struct replay_event *e, struct report_words *w)
{
    if (e->message > 0) {
        put_subject(e, w);
        replay_words_text(w, ": ");
    }
    put_words(e, w);
}

static void put_over(const struct replay_event *e, struct report_words *w)
{
    replay_words_format(w, "is over: %" PRIu64 " of ", e->count);
    replay_words_count(w, e->expected, e->is_http ? "request" : "message",
                       e->is_http ? "requests" : "messages");
}

/* ---- */

/* What stands between the prefix and the line. Lines that begin with a verb need a
 * subject where there is no prefix. */
static void put_start(const struct replay_report *r, const struct replay_event *e,
                      struct report_words *w)
{
    const char *end = " ";
    const char *subject = "";
    size_t before = w->out->len;

    switch (e->kind) {
    case REPLAY_EVENT_NOTE:
    case REPLAY_EVENT_BROKEN:
    case REPLAY_EVENT_TIMEOUT:
        end = e->message > 0 ? " " : ": ";
        break;
    case REPLAY_EVENT_UNKNOWN:
    case REPLAY_EVENT_EXHAUSTED:
        end = ": ";
        break;
    case REPLAY_EVENT_EXTRA:
        end = r->live == CLIENT || e->target.len > 0 ? " " : ": ";
        break;
    case REPLAY_EVENT_CHOSEN:
    case REPLAY_EVENT_OVER:
        subject = "the connection ";
        break;
    case REPLAY_EVENT_WAITS:
        subject = "wstape ";
        break;
    case REPLAY_EVENT_EARLY:
        subject = r->live == CLIENT ? "the client " : "the backend ";
        break;
    case REPLAY_EVENT_SUBSTITUTED:
    case REPLAY_EVENT_RESPONSE_TIME:
    case REPLAY_EVENT_DIFFERENCE:
    case REPLAY_EVENT_UNEXPECTED:
    case REPLAY_EVENT_MISSING:
    case REPLAY_EVENT_ORDER:
    case REPLAY_EVENT_STATUS:
    case REPLAY_EVENT_FIELD:
    case REPLAY_EVENT_END:
        break;
    }
    put_prefix(r, e, end, w);
    replay_words_text(w, w->out->len == before ? subject : "");
}

static void put_play(const struct replay_event *e, struct report_words *w)
{
    if (e->kind == REPLAY_EVENT_CHOSEN) {
        replay_words_format(
            w, "is answered from connection %" PRIu32 " of the tape: ", e->recorded);
        put_words(e, w);
    } else if (e->kind == REPLAY_EVENT_SUBSTITUTED) {
        put_subject(e, w);
        replay_words_text(w, ": ");
        replay_words_count(w, e->count, "live value filled in",
                           "live values filled in");
    } else if (e->kind == REPLAY_EVENT_OVER) {
        put_over(e, w);
    } else {
        put_of_message(e, w);
    }
}

static void put_event(const struct replay_report *r, const struct replay_event *e,
                      struct report_words *w)
{
    switch (e->kind) {
    case REPLAY_EVENT_CHOSEN:
    case REPLAY_EVENT_SUBSTITUTED:
    case REPLAY_EVENT_NOTE:
    case REPLAY_EVENT_OVER:
    case REPLAY_EVENT_BROKEN:
        put_play(e, w);
        break;
    case REPLAY_EVENT_DIFFERENCE:
        put_difference(e, w);
        break;
    case REPLAY_EVENT_UNEXPECTED:
        put_unexpected(e, w);
        break;
    case REPLAY_EVENT_MISSING:
        put_missing(e, w);
        break;
    case REPLAY_EVENT_EXTRA:
        put_extra(r, e, w);
        break;
    case REPLAY_EVENT_ORDER:
        put_subject(e, w);
        replay_words_format(w, " came before message %" PRIu64, e->other);
        break;
    case REPLAY_EVENT_STATUS:
        put_status(e, w);
        break;
    case REPLAY_EVENT_FIELD:
        put_field(e, w);
        break;
    case REPLAY_EVENT_END:
        replay_words_text(w, "end: ");
        put_change(e, w);
        break;
    case REPLAY_EVENT_UNKNOWN:
        put_words(e, w);
        replay_words_text(w, " is not on the tape: answered with 404");
        break;
    case REPLAY_EVENT_EXHAUSTED:
        put_words(e, w);
        replay_words_text(w, " was played as often as the tape has it: refused (see "
                             "--when-exhausted)");
        break;
    case REPLAY_EVENT_TIMEOUT:
        put_timeout(e, w);
        break;
    case REPLAY_EVENT_WAITS:
        put_waits(e, w);
        break;
    case REPLAY_EVENT_EARLY:
        put_early(e, w);
        break;
    case REPLAY_EVENT_RESPONSE_TIME:
        break;
    }
}

int replay_report_put_line(const struct replay_report *r, const struct replay_event *e,
                           struct buf *out)
{
    struct report_words w = { .out = out };

    if (e->kind != REPLAY_EVENT_RESPONSE_TIME) {
        put_start(r, e, &w);
        put_event(r, e, &w);
    }
    return w.error;
}
