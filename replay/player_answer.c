#include "base/text.h"
#include "replay/player_state.h"
#include "wire/http.h"

#include <errno.h>

enum { VALUE_MAX = 40 }; /* bytes of a field that are told */

static const struct replay_exchange *exchange_of(const struct player_asked *a)
{
    return &a->chosen.connection->exchanges[a->chosen.exchange];
}

/* ---- steps ---- */

/* What is neither HTTP nor asked for belongs to the answer that is open. */
static bool is_answer(const struct replay_step *step, uint32_t exchange)
{
    return step->from == SERVER &&
           (step->kind == REPLAY_RAW ||
            ((step->kind == REPLAY_RESPONSE || step->kind == REPLAY_BODY) &&
             step->exchange == exchange));
}

/* After this nothing of the answer comes: answers have the order of their requests. */
static bool is_behind(const struct replay_step *step)
{
    return step->kind == REPLAY_END || step->kind == REPLAY_FRAME ||
           (step->kind == REPLAY_RESPONSE && step->from == SERVER);
}

uint32_t replay_player_answer_next(const struct player_asked *a, uint32_t at)
{
    const struct replay_connection *c = a->chosen.connection;

    for (uint32_t i = at + 1; i < c->step_count; i++) {
        if (is_answer(&c->steps[i], a->chosen.exchange)) {
            return i;
        }
        if (is_behind(&c->steps[i])) {
            break;
        }
    }
    return REPLAY_NONE;
}

uint32_t replay_player_answer_first(const struct player_asked *a)
{
    const struct replay_exchange *x = exchange_of(a);

    return x->first_response != REPLAY_NONE ? x->first_response
                                            : replay_player_answer_next(a, x->request);
}

/* ---- the gate ---- */

static bool declares_body(struct bytes head)
{
    struct wire_field f;
    struct wire_head h;

    return wire_head_parse(head, true, &h) == 0 &&
           (wire_head_find(head, &h, "Transfer-Encoding", &f) ||
            (wire_head_find(head, &h, "Content-Length", &f) &&
             !bytes_equal(f.value, bytes_of("0"))));
}

/* The step before which the request had to be whole: its answer, or the end. */
static uint32_t find_answer(const struct replay_connection *c,
                            const struct replay_exchange *x)
{
    uint32_t at = x->request;

    if (x->response != REPLAY_NONE) {
        return x->response;
    }
    while (at < c->step_count &&
           !(c->steps[at].kind == REPLAY_END && c->steps[at].from == SERVER)) {
        at++;
    }
    return at;
}

void replay_player_answer_gate(struct player_asked *a)
{
    const struct replay_connection *c = a->chosen.connection;
    const struct replay_exchange *x = exchange_of(a);
    uint32_t answer = find_answer(c, x);

    a->asked_end = REPLAY_NONE;
    a->early = false;
    if (!declares_body(c->steps[x->request].bytes)) {
        return;
    }
    for (uint32_t i = x->request + 1; i < c->step_count; i++) {
        const struct replay_step *step = &c->steps[i];

        if (step->from != CLIENT) {
            continue;
        }
        if (step->kind != REPLAY_BODY || step->exchange != a->chosen.exchange) {
            break; /* a body is not interrupted */
        }
        if (i > answer) {
            a->early = true;
            break;
        }
        a->asked_end = i;
    }
    a->early = a->early || a->asked_end == REPLAY_NONE;
}

/* ---- what a recording's limit has cut ---- */

static bool frames_body(struct bytes name)
{
    return bytes_equal_nocase(name, bytes_of("Content-Length")) ||
           bytes_equal_nocase(name, bytes_of("Transfer-Encoding")) ||
           bytes_equal_nocase(name, bytes_of("Trailer"));
}

/* The bytes of the body that are on the tape, without chunk framing. */
static int join_body(const struct player_asked *a, bool chunked, struct buf *out)
{
    const struct replay_connection *c = a->chosen.connection;
    struct buf wire = { 0 };
    int r = 0;

    for (uint32_t i = a->at; r == 0 && i != REPLAY_NONE;
         i = replay_player_answer_next(a, i)) {
        r = c->steps[i].kind == REPLAY_BODY ? buf_put(&wire, c->steps[i].bytes) : 0;
    }
    if (r == 0) {
        r = chunked ? wire_http_dechunk(buf_bytes(&wire), out)
                    : buf_put(out, buf_bytes(&wire));
    }
    buf_deinit(&wire);
    return r == -EINVAL ? 0 : r; /* as far as it goes */
}

static int put_cut(struct bytes head, const struct wire_head *h, struct bytes body,
                   struct buf *out)
{
    size_t at = h->fields_at, from = at;
    struct wire_field f;
    int r = buf_put(out, bytes_first(head, at));

    while (r == 0 && wire_head_next(head, &at, &f)) {
        if (!frames_body(f.name)) {
            r = buf_put(out, bytes_first(bytes_from(head, from), at - from));
        }
        from = at;
    }
    r = r == 0 ? buf_put_format(out, "Content-Length: %zu\r\n\r\n", body.len) : r;
    return r == 0 ? buf_put(out, body) : r;
}

/* The whole of it at once, with a length that is true. */
static int say_cut(struct replay_player *p, struct player_asked *a)
{
    struct bytes head = a->chosen.connection->steps[a->at].bytes;
    struct buf body = { 0 };
    struct wire_head h;
    int r;

    if (wire_head_parse(head, false, &h) < 0) {
        return buf_put(&p->out.send, head);
    }
    r = join_body(a, wire_head_has_token(head, &h, "Transfer-Encoding", "chunked"),
                  &body);
    r = r == 0 ? put_cut(head, &h, buf_bytes(&body), &p->out.send) : r;
    buf_deinit(&body);
    replay_player_note(p, "a limit of the recording cut this answer's body: what is on "
                          "the tape is sent");
    a->at = REPLAY_NONE;
    return r;
}

int replay_player_answer_step(struct replay_player *p, struct player_asked *a)
{
    const struct replay_exchange *x = exchange_of(a);
    const struct replay_step *step = &a->chosen.connection->steps[a->at];
    int r;

    if (a->at == x->response && x->cut) {
        return say_cut(p, a);
    }
    r = a->at == x->response && x->agrees ? replay_player_shake(p, a)
                                          : buf_put(&p->out.send, step->bytes);
    if (r == 0) {
        a->at = replay_player_answer_next(a, a->at);
    }
    return r;
}

/* ---- how the answer ends ---- */

static bool has_body(const struct player_asked *a, unsigned status)
{
    return !bytes_equal(a->method, bytes_of("HEAD")) && status >= 200 &&
           status != 204 && status != 304;
}

bool replay_player_answer_closes(const struct player_asked *a)
{
    const struct replay_exchange *x = exchange_of(a);
    struct bytes head = a->chosen.connection->steps[x->response].bytes;
    struct wire_field f;
    struct wire_head h;

    if (wire_head_parse(head, false, &h) < 0) {
        return true;
    }
    if (wire_head_has_token(head, &h, "Connection", "close") ||
        (h.minor == 0 && !wire_head_has_token(head, &h, "Connection", "keep-alive"))) {
        return true;
    }
    return !x->cut && has_body(a, h.status) &&
           !wire_head_find(head, &h, "Content-Length", &f) &&
           !wire_head_has_token(head, &h, "Transfer-Encoding", "chunked");
}

/* ---- answers of our own ---- */

/* The live value, short. */
static int put_value(const struct player_asked *a, const char *name, struct buf *out)
{
    struct bytes head = buf_bytes(&a->head);
    struct wire_field f;
    struct wire_head h;

    if (wire_head_parse(head, true, &h) < 0 || !wire_head_find(head, &h, name, &f)) {
        return 0;
    }
    return buf_put_format(out, "%s is '%.*s', not ", name,
                          (int)(f.value.len < VALUE_MAX ? f.value.len : VALUE_MAX),
                          (const char *)f.value.at);
}

int replay_player_answer_flaw(const struct player_asked *a, struct buf *out)
{
    static const char *const words[] = {
        [WIRE_HANDSHAKE_SOUND] = "",
        [WIRE_HANDSHAKE_NO_KEY] = "no Sec-WebSocket-Key in the handshake",
        [WIRE_HANDSHAKE_BAD_KEY] = "16 bytes in base64",
        [WIRE_HANDSHAKE_TWO_KEYS] = "more than one Sec-WebSocket-Key in the handshake",
        [WIRE_HANDSHAKE_NO_VERSION] = "no Sec-WebSocket-Version in the handshake",
        [WIRE_HANDSHAKE_OTHER_VERSION] = "13",
    };
    int r = 0;

    if (a->flaw == WIRE_HANDSHAKE_BAD_KEY) {
        r = put_value(a, "Sec-WebSocket-Key", out);
    } else if (a->flaw == WIRE_HANDSHAKE_OTHER_VERSION) {
        r = put_value(a, "Sec-WebSocket-Version", out);
    }
    return r == 0 ? buf_put_text(out, words[a->flaw]) : r;
}

static int put_error(const struct player_asked *a, struct buf *out)
{
    struct buf text = { 0 };
    int r = 0;

    if (a->verdict == REPLAY_CHOICE_EXHAUSTED) {
        r = buf_put_text(&text, "all answers to ");
    }
    r = r == 0 ? buf_put(&text, a->method) : r;
    r = r == 0 ? buf_put_byte(&text, ' ') : r;
    r = r == 0 ? buf_put(&text, a->target) : r;
    if (r == 0 && a->verdict == PLAYER_UNSOUND) {
        r = buf_put_text(&text, ": ");
        r = r == 0 ? replay_player_answer_flaw(a, &text) : r;
    } else if (r == 0) {
        r = buf_put_text(&text, a->verdict == REPLAY_CHOICE_EXHAUSTED
                                    ? " that the tape has were given"
                                    : " is not on the tape");
    }
    r = r == 0 ? text_put_json(out, buf_bytes(&text)) : r;
    buf_deinit(&text);
    return r;
}

static int put_on_tape(const struct replay_player *p, struct buf *out)
{
    int r = buf_put_text(out, ",\"on_tape\":");

    return r == 0 ? replay_choice_put(p->stage->choice, out) : r;
}

static int put_json(const struct replay_player *p, const struct player_asked *a,
                    struct buf *out)
{
    int r = buf_put_text(out, "{\"error\":");

    r = r == 0 ? put_error(a, out) : r;
    r = r == 0 ? buf_put_text(out, ",\"method\":") : r;
    r = r == 0 ? text_put_json(out, a->method) : r;
    r = r == 0 ? buf_put_text(out, ",\"target\":") : r;
    r = r == 0 ? text_put_json(out, a->target) : r;
    if (r == 0 && a->verdict != PLAYER_UNSOUND) {
        r = put_on_tape(p, out);
    }
    return r == 0 ? buf_put_text(out, "}\n") : r;
}

unsigned replay_player_answer_status(const struct player_asked *a)
{
    if (a->verdict == PLAYER_UNSOUND) {
        return a->flaw == WIRE_HANDSHAKE_OTHER_VERSION ? 426 : 400;
    }
    return a->verdict == REPLAY_CHOICE_UNKNOWN ? 404 : 503;
}

/* The status line, and what belongs to it: RFC 9110, 15.5.22; RFC 6455, 4.4. */
static const char *start_of(unsigned status)
{
    switch (status) {
    case 400:
        return "400 Bad Request\r\n";
    case 404:
        return "404 Not Found\r\n";
    case 426:
        return "426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\n";
    default:
        return "503 Service Unavailable\r\n";
    }
}

int replay_player_answer_none(struct replay_player *p, const struct player_asked *a)
{
    struct buf *out = &p->out.send, body = { 0 };
    int r = put_json(p, a, &body);

    r = r == 0 ? buf_put_format(out,
                                "HTTP/1.1 %sContent-Type: application/json\r\n"
                                "Content-Length: %zu\r\n%s\r\n",
                                start_of(replay_player_answer_status(a)), body.len,
                                a->last ? "Connection: close\r\n" : "")
               : r;
    if (r == 0 && !bytes_equal(a->method, bytes_of("HEAD"))) {
        r = buf_put(out, buf_bytes(&body));
    }
    buf_deinit(&body);
    return r;
}
