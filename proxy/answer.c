#include "base/alloc.h"
#include "base/text.h"
#include "inject/rule.h"
#include "proxy/session_state.h"
#include "wire/mask.h"

#include <errno.h>

/* RFC 9110, section 15, and RFC 6585. */
static const char *reason_phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 204, "No Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 408, "Request Timeout" },
        { 426, "Upgrade Required" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "Status";
}

static bool answers_head(const struct proxy_session *s)
{
    return s->http != NULL && s->http->exchange_count > 0 &&
           s->http->exchanges[0].is_head;
}

static int put_answer(struct buf *out, unsigned status, const char *why, bool to_head)
{
    struct buf body = { 0 };
    int r = buf_put_text(&body, "{\"error\":");

    if (r == 0) {
        r = text_put_json(&body, bytes_of(reason_phrase(status)));
    }
    if (r == 0) {
        r = buf_put_text(&body, ",\"reason\":");
    }
    if (r == 0) {
        r = text_put_json(&body, bytes_of(why));
    }
    if (r == 0) {
        r = buf_put_text(&body, ",\"by\":\"wstape\"}\n");
    }
    if (r == 0) {
        r = buf_put_format(out,
                           "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                           status, reason_phrase(status), body.len);
    }
    if (r == 0 && !to_head) {
        r = buf_put(out, buf_bytes(&body));
    }
    buf_deinit(&body);
    return r;
}

/* Record what wstape says itself, then send it. */
static int say(struct proxy_session *s, enum side to, const char *cause,
               struct bytes what, int64_t now_ns)
{
    struct slice copy;
    int r = proxy_tap_sent(s->shared->tap, s->number, now_ns, to, cause, what);

    if (r == 0) {
        r = slice_copy(what, &copy);
    }
    if (r == 0) {
        r = proxy_session_say(s, to, copy, now_ns);
        chunk_unref(copy.chunk);
    }
    return r;
}

/* An answer to the client, if it can still get one. */
static int answer(struct proxy_session *s, const char *cause, struct bytes what,
                  int64_t now_ns)
{
    return s->legs[CLIENT].ended_out
               ? proxy_tap_note(s->shared->tap, s->number, now_ns, cause)
               : say(s, CLIENT, cause, what, now_ns);
}

/* The last word was said: FIN to both sides. */
static int say_goodbye(struct proxy_session *s, enum capture_end kind, int64_t now_ns)
{
    int r = proxy_session_end_out(s, CLIENT, CAPTURE_END_FIN, now_ns);

    if (r == 0 && s->connected) {
        r = proxy_session_end_out(s, SERVER, CAPTURE_END_FIN, now_ns);
    }
    return r == 0 ? proxy_session_drain(s, kind, now_ns) : r;
}

static int put_rule_answer(const struct inject_act *a, bool to_head, struct buf *out)
{
    int r = buf_put_format(out, "HTTP/1.1 %u %s\r\n", a->code, reason_phrase(a->code));

    for (size_t i = 0; r == 0 && i < a->header_count; i++) {
        r = buf_put_format(out, "%s: %s\r\n", a->headers[i].name, a->headers[i].value);
    }
    if (r == 0 && (a->code == 204 || a->code == 304)) {
        return buf_put_text(out, "Connection: close\r\n\r\n");
    }
    if (r == 0) {
        r = buf_put_format(out, "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                           a->payload_len);
    }
    return r == 0 && !to_head ? buf_put(out, bytes_make(a->payload, a->payload_len))
                              : r;
}

int proxy_answer_rule(struct proxy_session *s, const struct inject_act *a,
                      const char *rule, int64_t now_ns)
{
    struct buf text = { 0 };
    int r = put_rule_answer(a, answers_head(s), &text);

    if (r == 0) {
        r = answer(s, rule, buf_bytes(&text), now_ns);
    }
    buf_deinit(&text);
    return r == 0 ? say_goodbye(s, CAPTURE_END_FAULT, now_ns) : r;
}

int proxy_answer(struct proxy_session *s, unsigned status, const char *why,
                 int64_t now_ns)
{
    struct buf text = { 0 };
    int r = put_answer(&text, status, why, answers_head(s));

    if (r == 0) {
        r = answer(s, why, buf_bytes(&text), now_ns);
    }
    buf_deinit(&text);
    return r == 0
               ? say_goodbye(s,
                             status == 408 ? CAPTURE_END_TIMEOUT : CAPTURE_END_REFUSED,
                             now_ns)
               : r;
}

static const char *close_cause(const struct proxy_session *s)
{
    if (s->stop_cause != NULL) {
        return s->stop_cause;
    }
    return s->stop_reason == NULL ? "" : s->stop_reason;
}

int proxy_answer_close(struct proxy_session *s, enum side to, int64_t now_ns)
{
    struct wire_frame f = { .first = WIRE_FIN | WIRE_OP_CLOSE, .form = 7 };
    bool says = s->legs[to].says_reason && s->stop_reason != NULL;
    size_t reason_len = says ? strlen(s->stop_reason) : 0;
    uint8_t raw[WIRE_FRAME_HEADER_MAX + 2 + PROXY_REASON_MAX];
    size_t len;
    bool in_frame;

    if (!s->legs[to].close_wanted || s->legs[to].close_passed ||
        s->legs[to].ended_out) {
        return 0;
    }
    in_frame =
        s->legs[to].lost == PROXY_LOST_IN_FRAME ||
        (s->legs[to].lost == PROXY_LOST_NOTHING &&
         s->lanes[side_other(to)].payload_left > 0 && !s->lanes[side_other(to)].held);
    if (in_frame && s->silent) {
        return proxy_session_end_out_now(s, to, CAPTURE_END_TRUNCATED);
    }
    if (in_frame) {
        return 0; /* called again at the frame's end */
    }
    s->legs[to].close_passed = true;
    f.payload_len = 2 + reason_len;
    if (to == SERVER) {
        f.masked = 1;
        memcpy(f.mask, s->mask, sizeof(f.mask));
    }
    len = wire_frame_encode(&f, raw);
    raw[len] = (uint8_t)(s->legs[to].close_code >> 8);
    raw[len + 1] = (uint8_t)s->legs[to].close_code;
    if (reason_len > 0) {
        memcpy(raw + len + 2, s->stop_reason, reason_len);
    }
    if (f.masked) {
        wire_mask(f.mask, 0, raw + len, raw + len, 2 + reason_len);
    }
    return say(s, to, close_cause(s), bytes_make(raw, len + 2 + reason_len), now_ns);
}
