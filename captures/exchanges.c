#include "captures/exchanges.h"

#include "base/alloc.h"
#include "wire/http.h"

#include <assert.h>
#include <errno.h>

/* ---- exchanges ---- */

static struct capture_exchange *find(struct capture_exchanges *x, uint32_t number)
{
    for (size_t i = 0; i < x->open_count; i++) {
        if (x->open[i].number == number) {
            return &x->open[i];
        }
    }
    return NULL;
}

static void drop(struct capture_exchanges *x, size_t at)
{
    alloc_free((void *)(uintptr_t)x->open[at].method.at);
    x->open_count--;
    memmove(&x->open[at], &x->open[at + 1], (x->open_count - at) * sizeof(x->open[0]));
    if (x->open_count == 0) {
        alloc_free(x->open);
        x->open = NULL;
        x->open_cap = 0;
    }
}

static int give(struct capture_exchanges *x, struct capture_exchange *e)
{
    int r = x->rules->exchange(x->rules->owner, x->connection, e);

    drop(x, (size_t)(e - x->open));
    return r;
}

static int make_room(struct capture_exchanges *x)
{
    size_t cap = x->open_cap == 0 ? 1 : x->open_cap * 2;
    struct capture_exchange *wider;

    if (x->open_count < x->open_cap) {
        return 0;
    }
    if (x->open_count >= CAPTURE_EXCHANGES_OPEN_MAX) {
        return give(x, &x->open[0]);
    }
    wider = alloc_resize(x->open, cap * sizeof(*wider));
    if (wider == NULL) {
        return -ENOMEM;
    }
    x->open = wider;
    x->open_cap = cap;
    return 0;
}

/* Keep method and target, in one allocation that begins with the method. */
static int name(struct capture_exchange *e, struct bytes method, struct bytes target)
{
    char *both;

    if (target.len > CAPTURE_EXCHANGE_TARGET_MAX) {
        target.len = CAPTURE_EXCHANGE_TARGET_MAX;
    }
    both = alloc_get(method.len + target.len);
    if (both == NULL) {
        return -ENOMEM;
    }
    memcpy(both, method.at, method.len);
    memcpy(both + method.len, target.at, target.len);
    e->method = bytes_make(both, method.len);
    e->target = bytes_make(both + method.len, target.len);
    return 0;
}

static int ask(struct capture_exchanges *x, const struct capture_record *r,
               const struct wire_head *h)
{
    struct capture_exchange e = { .number = r->u.head.exchange,
                                  .asked_ns = r->time_ns,
                                  .answered_ns = r->time_ns,
                                  .done_ns = r->time_ns };
    int made = make_room(x);

    if (made == 0 && h == NULL) {
        made = name(&e, bytes_of("?"), bytes_of("?"));
    } else if (made == 0) {
        made = name(&e, h->method, h->target);
    }
    if (made == 0) {
        x->open[x->open_count++] = e;
    }
    return made;
}

/* ---- bodies ---- */

static void begin(struct capture_body_state *s, enum side from, uint32_t exchange,
                  int64_t time_ns)
{
    s->body = (struct capture_body){
        .from = from, .exchange = exchange, .time_ns = time_ns, .end_ns = time_ns
    };
    s->chunked = (struct wire_chunked){ .is_lenient = true };
    s->begun = s->chunks_end = false;
}

static bool worth_telling(const struct capture_body_state *s)
{
    return s->begun || s->framing == CAPTURE_FRAMING_LENGTH ||
           s->framing == CAPTURE_FRAMING_CHUNKED;
}

/* The body in progress on that side is over; `incomplete` says its end was not seen. */
static int finish_body(struct capture_exchanges *x, enum side from, bool incomplete)
{
    struct capture_body_state *s = &x->bodies[from];
    struct capture_exchange *e = find(x, s->body.exchange);
    int r = 0;

    if (s->framing == CAPTURE_FRAMING_NONE) {
        return 0;
    }
    s->body.incomplete = incomplete;
    s->body.bytes = buf_bytes(&s->held);
    if (worth_telling(s)) {
        r = x->rules->body(x->rules->owner, x->connection, &s->body);
    }
    s->framing = CAPTURE_FRAMING_NONE;
    buf_deinit(&s->held);
    if (e != NULL && from == CLIENT) {
        e->sent = s->body.size;
    }
    if (r == 0 && e != NULL && from == SERVER) {
        e->size = s->body.size;
        e->done_ns = s->body.end_ns;
        e->incomplete = incomplete;
        r = give(x, e);
    }
    return r;
}

/* Where a limit of the recording hides the end, the body counts as whole. */
static bool lacks_end(const struct capture_body_state *s)
{
    switch (s->framing) {
    case CAPTURE_FRAMING_NONE:
    case CAPTURE_FRAMING_UNTIL_END:
        return false;
    case CAPTURE_FRAMING_LENGTH:
        return s->body.wire_size < s->length;
    case CAPTURE_FRAMING_CHUNKED:
        return !s->chunks_end && !s->body.cut;
    case CAPTURE_FRAMING_UNKNOWN:
        return true;
    }
    return true;
}

static int hold(struct capture_exchanges *x, struct capture_body_state *s,
                struct bytes content)
{
    size_t room = x->rules->keep - s->held.len;
    size_t len = content.len < room ? content.len : room;

    s->body.size += content.len;
    s->body.cut = s->body.cut || len < content.len;
    return buf_put(&s->held, bytes_first(content, len));
}

/* Past the last chunk, or where framing breaks, the rest is kept as it was on the wire.
 */
static int hold_chunked(struct capture_exchanges *x, struct capture_body_state *s,
                        struct bytes in)
{
    enum wire_chunked_result got = WIRE_CHUNKED_MORE;
    struct bytes content;
    const char *why;
    size_t used;
    int r = 0;

    while (r == 0 && in.len > 0 && got == WIRE_CHUNKED_MORE && !s->body.malformed) {
        got = wire_chunked_next(&s->chunked, in, &used, &content, &why);
        in = bytes_from(in, used);
        r = got == WIRE_CHUNKED_BAD ? 0 : hold(x, s, content);
    }
    s->chunks_end = got == WIRE_CHUNKED_END;
    if (r == 0 && in.len > 0) {
        s->body.malformed = true;
        r = hold(x, s, in);
    }
    return r;
}

static bool is_whole(const struct capture_body_state *s)
{
    return (s->framing == CAPTURE_FRAMING_LENGTH && s->body.wire_size >= s->length) ||
           (s->framing == CAPTURE_FRAMING_CHUNKED && s->chunks_end);
}

/* ---- heads ---- */

static bool parse_length(struct bytes value, uint64_t *out)
{
    uint64_t length = 0;

    if (value.len == 0 || value.len > 18) {
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9') {
            return false;
        }
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    *out = length;
    return true;
}

static enum capture_framing framing_of(struct bytes head, const struct wire_head *h,
                                       enum capture_framing without, uint64_t *length)
{
    struct wire_field field;

    if (wire_head_has_token(head, h, "Transfer-Encoding", "chunked")) {
        return CAPTURE_FRAMING_CHUNKED;
    }
    if (!wire_head_find(head, h, "Content-Length", &field) ||
        !parse_length(field.value, length)) {
        return without;
    }
    return *length == 0 ? CAPTURE_FRAMING_NONE : CAPTURE_FRAMING_LENGTH;
}

static int request(struct capture_exchanges *x, const struct capture_record *r)
{
    struct capture_body_state *s = &x->bodies[CLIENT];
    struct bytes head = r->u.head.bytes;
    struct wire_head h;
    bool readable = wire_head_parse(head, true, &h) == 0;

    begin(s, CLIENT, r->u.head.exchange, r->time_ns);
    s->framing = CAPTURE_FRAMING_UNKNOWN;
    if (readable) {
        s->framing = framing_of(head, &h, CAPTURE_FRAMING_NONE, &s->length);
    }
    return ask(x, r, readable ? &h : NULL);
}

static bool has_no_body(const struct capture_exchange *e, unsigned status)
{
    return status == 101 || status == 204 || status == 304 ||
           (e != NULL && e->upgraded) ||
           (e != NULL && bytes_equal(e->method, bytes_of("HEAD")));
}

static void answer(struct capture_exchange *e, unsigned status, int64_t time_ns)
{
    e->status = status;
    e->answered_ns = e->done_ns = time_ns;
    e->upgraded = status == 101 || (status >= 200 && status < 300 &&
                                    bytes_equal(e->method, bytes_of("CONNECT")));
}

static int response(struct capture_exchanges *x, const struct capture_record *r)
{
    struct capture_body_state *s = &x->bodies[SERVER];
    struct capture_exchange *e = find(x, r->u.head.exchange);
    struct bytes head = r->u.head.bytes;
    struct wire_head h;

    begin(s, SERVER, r->u.head.exchange, r->time_ns);
    if (wire_head_parse(head, false, &h) < 0) {
        s->framing = CAPTURE_FRAMING_UNKNOWN;
        return 0;
    }
    if (h.status < 200 && h.status != 101) {
        return 0;
    }
    if (e != NULL) {
        answer(e, h.status, r->time_ns);
    }
    if (!has_no_body(e, h.status)) {
        s->framing = framing_of(head, &h, CAPTURE_FRAMING_UNTIL_END, &s->length);
    }
    return e != NULL && s->framing == CAPTURE_FRAMING_NONE ? give(x, e) : 0;
}

/* ---- the interface ---- */

void capture_exchanges_init(struct capture_exchanges *x,
                            const struct capture_exchanges_rules *r,
                            uint32_t connection)
{
    *x = (struct capture_exchanges){ .rules = r, .connection = connection };
}

void capture_exchanges_deinit(struct capture_exchanges *x)
{
    if (x == NULL) {
        return;
    }
    while (x->open_count > 0) {
        drop(x, x->open_count - 1);
    }
    alloc_free(x->open);
    buf_deinit(&x->bodies[CLIENT].held);
    buf_deinit(&x->bodies[SERVER].held);
    *x = (struct capture_exchanges){ 0 };
}

int capture_exchanges_break(struct capture_exchanges *x, enum side from)
{
    return finish_body(x, from, lacks_end(&x->bodies[from]));
}

int capture_exchanges_head(struct capture_exchanges *x, const struct capture_record *r)
{
    assert(r->type == CAPTURE_REQUEST || r->type == CAPTURE_RESPONSE);
    return r->type == CAPTURE_REQUEST ? request(x, r) : response(x, r);
}

int capture_exchanges_body(struct capture_exchanges *x, const struct capture_record *r)
{
    enum side from = r->u.body.from;
    struct capture_body_state *s = &x->bodies[from];
    struct bytes in = r->u.body.bytes;
    uint64_t unseen;
    int made;

    if (s->framing == CAPTURE_FRAMING_NONE) {
        begin(s, from, r->u.body.exchange, r->time_ns);
        s->framing = CAPTURE_FRAMING_UNKNOWN;
    }
    unseen = r->u.body.wire_len > in.len ? r->u.body.wire_len - in.len : 0;
    if (!s->begun) {
        s->begun = true;
        s->body.time_ns = r->time_ns;
    }
    s->body.end_ns = r->time_ns;
    s->body.wire_size += in.len + unseen;
    s->body.cut = s->body.cut || unseen > 0;
    if (s->framing == CAPTURE_FRAMING_CHUNKED) {
        made = hold_chunked(x, s, in);
    } else {
        made = hold(x, s, in);
        s->body.size += unseen;
    }
    return made == 0 && is_whole(s) ? finish_body(x, from, false) : made;
}

int capture_exchanges_sent(struct capture_exchanges *x, const struct capture_record *r)
{
    struct bytes in = r->u.sent.bytes;
    size_t end = bytes_find(in, bytes_of("\r\n\r\n"));
    struct wire_head h;
    int given;

    if (r->u.sent.to != CLIENT || x->open_count == 0 || end == in.len ||
        wire_head_parse(bytes_first(in, end + 4), false, &h) < 0 || h.status < 200) {
        return 0;
    }
    answer(&x->open[0], h.status, r->time_ns);
    x->open[0].by_wstape = true;
    x->open[0].size = in.len - end - 4;
    given = give(x, &x->open[0]);
    return given == 0 ? CAPTURE_EXCHANGES_ANSWERED : given;
}

int capture_exchanges_end(struct capture_exchanges *x, enum side from, bool clean,
                          int64_t time_ns)
{
    struct capture_body_state *s = &x->bodies[from];

    if (s->framing == CAPTURE_FRAMING_UNTIL_END) {
        s->body.end_ns = time_ns;
        return finish_body(x, from, !clean);
    }
    return finish_body(x, from, lacks_end(s));
}

int capture_exchanges_lose(struct capture_exchanges *x)
{
    int r = 0;

    for (int from = CLIENT; r == 0 && from <= SERVER; from++) {
        r = finish_body(x, (enum side)from, true);
    }
    return r;
}

int capture_exchanges_finish(struct capture_exchanges *x)
{
    int r = capture_exchanges_lose(x);

    while (r == 0 && x->open_count > 0) {
        r = give(x, &x->open[0]);
    }
    return r;
}
