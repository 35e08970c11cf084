#include "base/text.h"
#include "replay/player_state.h"
#include "wire/handshake.h"
#include "wire/http.h"

#include <stdio.h>

static const char EXTENSIONS[] = "Sec-WebSocket-Extensions";
static const char PROTOCOL[] = "Sec-WebSocket-Protocol";
static const char KEY[] = "Sec-WebSocket-Key";
static const char DEFLATE[] = "permessage-deflate";

/* A head with its view. */
struct sight {
    struct bytes head;
    struct wire_head h;
};

struct shaking {
    struct replay_player *p;
    struct sight live, then, answer; /* the requests, and the recorded answer */
    struct buf *out;
};

static bool look(struct bytes head, bool is_request, struct sight *s)
{
    s->head = head;
    return wire_head_parse(head, is_request, &s->h) == 0;
}

/* ---- lists ---- */

/* `a; x=1` gives "a", then "x=1", then false. */
static bool next_part(struct bytes *rest, struct bytes *part)
{
    size_t end = bytes_find(*rest, bytes_of(";"));

    if (rest->len == 0) {
        return false;
    }
    *part = bytes_trim(bytes_first(*rest, end));
    *rest = bytes_from(*rest, end < rest->len ? end + 1 : end);
    return true;
}

static struct bytes name_of(struct bytes element)
{
    struct bytes name = { NULL, 0 };

    (void)next_part(&element, &name);
    return name;
}

/* The next element of all fields called `name`: start with zeroes. */
struct elements {
    struct wire_field field;
    size_t at, list_at;
};

static bool next_element(const struct sight *s, const char *name, struct elements *e,
                         struct bytes *out)
{
    if (e->at == 0) {
        e->at = s->h.fields_at;
    }
    while (!wire_list_next(e->field.value, &e->list_at, out)) {
        if (!wire_head_next(s->head, &e->at, &e->field)) {
            return false;
        }
        e->list_at = 0;
        if (!bytes_equal_nocase(e->field.name, bytes_of(name))) {
            e->field.value.len = 0;
        }
    }
    return true;
}

static bool offers_protocol(const struct sight *s, struct bytes protocol)
{
    struct elements e = { 0 };
    struct bytes one;

    while (next_element(s, PROTOCOL, &e, &one)) {
        if (bytes_equal(one, protocol)) {
            return true;
        }
    }
    return false;
}

static bool offers_extension(const struct sight *s, struct bytes name)
{
    struct elements e = { 0 };
    struct bytes one;

    while (next_element(s, EXTENSIONS, &e, &one)) {
        if (bytes_equal_nocase(name_of(one), name)) {
            return true;
        }
    }
    return false;
}

/* ---- permessage-deflate (RFC 7692, 7.1) ---- */

/* Bits: 0 when not named; client_bits 15 when named without a value. */
struct deflate_terms {
    bool server_fresh, client_fresh;
    unsigned server_bits, client_bits;
};

static unsigned bits_of(struct bytes value)
{
    uint64_t bits = 0;

    if (value.len >= 2 && value.at[0] == '"') {
        value = bytes_make(value.at + 1, value.len - 2);
    }
    for (size_t i = 0; i < value.len && bits < 100; i++) {
        bits = value.at[i] < '0' || value.at[i] > '9'
                   ? 100
                   : bits * 10 + (uint64_t)(value.at[i] - '0');
    }
    return bits >= 8 && bits <= 15 ? (unsigned)bits : 0;
}

/* False: not a parameter that there is. */
static bool read_term(struct bytes part, struct deflate_terms *t)
{
    size_t eq = bytes_find(part, bytes_of("="));
    struct bytes name = bytes_trim(bytes_first(part, eq));
    bool valued = eq < part.len;
    unsigned bits = valued ? bits_of(bytes_trim(bytes_from(part, eq + 1))) : 0;

    if (bytes_equal_nocase(name, bytes_of("server_no_context_takeover"))) {
        t->server_fresh = true;
        return !valued;
    }
    if (bytes_equal_nocase(name, bytes_of("client_no_context_takeover"))) {
        t->client_fresh = true;
        return !valued;
    }
    if (bytes_equal_nocase(name, bytes_of("server_max_window_bits"))) {
        t->server_bits = bits;
        return bits != 0;
    }
    if (bytes_equal_nocase(name, bytes_of("client_max_window_bits"))) {
        t->client_bits = valued ? bits : 15;
        return !valued || bits != 0;
    }
    return false;
}

static bool read_terms(struct bytes element, struct deflate_terms *out)
{
    struct deflate_terms t = { 0 };
    struct bytes part;

    (void)next_part(&element, &part);
    while (next_part(&element, &part)) {
        if (!read_term(part, &t)) {
            return false;
        }
    }
    *out = t;
    return true;
}

/* The first offer that can be understood. */
static bool find_offer(const struct sight *live, struct deflate_terms *out)
{
    struct elements e = { 0 };
    struct bytes one;

    while (next_element(live, EXTENSIONS, &e, &one)) {
        if (bytes_equal_nocase(name_of(one), bytes_of(DEFLATE)) &&
            read_terms(one, out)) {
            return true;
        }
    }
    return false;
}

static unsigned fewer(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The recorded terms, as far as the offer allows. */
static struct deflate_terms fit(struct deflate_terms then, struct deflate_terms offer)
{
    struct deflate_terms t = then;

    t.server_fresh = then.server_fresh || offer.server_fresh;
    if (offer.server_bits != 0) {
        t.server_bits =
            fewer(then.server_bits == 0 ? 15 : then.server_bits, offer.server_bits);
    }
    t.client_bits = offer.client_bits == 0 || then.client_bits == 0
                        ? 0
                        : fewer(then.client_bits, offer.client_bits);
    return t;
}

static bool same_terms(struct deflate_terms a, struct deflate_terms b)
{
    return a.server_fresh == b.server_fresh && a.client_fresh == b.client_fresh &&
           a.server_bits == b.server_bits && a.client_bits == b.client_bits;
}

static int put_terms(struct deflate_terms t, struct buf *out)
{
    int r = buf_put_text(out, DEFLATE);

    if (r == 0 && t.server_fresh) {
        r = buf_put_text(out, "; server_no_context_takeover");
    }
    if (r == 0 && t.client_fresh) {
        r = buf_put_text(out, "; client_no_context_takeover");
    }
    if (r == 0 && t.server_bits != 0) {
        r = buf_put_format(out, "; server_max_window_bits=%u", t.server_bits);
    }
    if (r == 0 && t.client_bits != 0) {
        r = buf_put_format(out, "; client_max_window_bits=%u", t.client_bits);
    }
    return r;
}

/* ---- fields ---- */

static void note_dropped(struct shaking *s, struct bytes name)
{
    char text[160];
    int len = name.len < 40 ? (int)name.len : 40;

    (void)snprintf(text, sizeof(text), "the client does not offer %.*s%s", len,
                   (const char *)name.at,
                   bytes_equal_nocase(name, bytes_of(DEFLATE))
                       ? ": messages go uncompressed"
                       : ": the answer goes without it");
    replay_player_note(s->p, text);
}

/* One element of the answer as it is to be said, into `out`; nothing when the client
 * does not offer it. What the recorded client did not offer either is said, as it was.
 */
static int put_extension(struct shaking *s, struct bytes element, struct buf *out)
{
    struct bytes name = name_of(element);
    struct deflate_terms then, offer, now;

    if (!offers_extension(&s->then, name)) {
        return buf_put(out, element);
    }
    if (!bytes_equal_nocase(name, bytes_of(DEFLATE)) || !read_terms(element, &then)) {
        if (!offers_extension(&s->live, name)) {
            note_dropped(s, name);
            return 0;
        }
        return buf_put(out, element);
    }
    if (!find_offer(&s->live, &offer)) {
        note_dropped(s, name);
        return 0;
    }
    now = fit(then, offer);
    return same_terms(now, then) ? buf_put(out, element) : put_terms(now, out);
}

static int put_line(struct shaking *s, struct bytes name, struct bytes value)
{
    int r = buf_put(s->out, name);

    r = r == 0 ? buf_put_text(s->out, ": ") : r;
    r = r == 0 ? buf_put(s->out, value) : r;
    return r == 0 ? buf_put_text(s->out, "\r\n") : r;
}

/* The recorded line, or one with a value of its own, or none. */
static int put_extensions(struct shaking *s, const struct wire_field *f,
                          struct bytes line)
{
    struct buf value = { 0 };
    struct bytes element;
    bool same = true;
    size_t at = 0;
    int r = 0;

    while (r == 0 && wire_list_next(f->value, &at, &element)) {
        size_t before = value.len, from;

        r = before == 0 ? 0 : buf_put_text(&value, ", ");
        from = value.len;
        r = r == 0 ? put_extension(s, element, &value) : r;
        same = same && bytes_equal(bytes_from(buf_bytes(&value), from), element);
        value.len = value.len == from ? before : value.len;
    }
    if (r == 0 && same) {
        r = buf_put(s->out, line);
    } else if (r == 0 && value.len > 0) {
        r = put_line(s, f->name, buf_bytes(&value));
    }
    buf_deinit(&value);
    return r;
}

static int put_protocol(struct shaking *s, const struct wire_field *f,
                        struct bytes line)
{
    struct replay_event e = { .kind = REPLAY_EVENT_FIELD,
                              .from = CLIENT,
                              .path = bytes_of(PROTOCOL),
                              .before = f->value,
                              .before_present = true };
    struct wire_field offered;

    if (offers_protocol(&s->live, f->value) || !offers_protocol(&s->then, f->value)) {
        return buf_put(s->out, line);
    }
    e.after_present = wire_head_find(s->live.head, &s->live.h, PROTOCOL, &offered);
    e.after = e.after_present ? offered.value : bytes_of("");
    replay_player_tell(s->p, &e);
    return 0;
}

/* Whether the tape's answer is the right one to the tape's key. */
static int was_right(const struct shaking *s, struct bytes value, bool *right)
{
    struct buf due = { 0 };
    struct wire_field key;
    int r = 0;

    *right = false;
    if (wire_head_find(s->then.head, &s->then.h, KEY, &key)) {
        r = s->p->stage->options.put_accept(&due, key.value);
        *right = r == 0 && bytes_equal(buf_bytes(&due), value);
    }
    buf_deinit(&due);
    return r;
}

static int put_accept(struct shaking *s, const struct wire_field *f, struct bytes line)
{
    struct wire_field key;
    bool right;
    int r = was_right(s, f->value, &right);

    if (r < 0) {
        return r;
    }
    if (!right || !wire_head_find(s->live.head, &s->live.h, KEY, &key)) {
        return buf_put(s->out, line);
    }
    r = buf_put(s->out, f->name);
    r = r == 0 ? buf_put_text(s->out, ": ") : r;
    r = r == 0 ? s->p->stage->options.put_accept(s->out, key.value) : r;
    return r == 0 ? buf_put_text(s->out, "\r\n") : r;
}

static int put_field(struct shaking *s, const struct wire_field *f, struct bytes line)
{
    if (bytes_equal_nocase(f->name, bytes_of("Sec-WebSocket-Accept"))) {
        return put_accept(s, f, line);
    }
    if (bytes_equal_nocase(f->name, bytes_of(PROTOCOL))) {
        return put_protocol(s, f, line);
    }
    if (bytes_equal_nocase(f->name, bytes_of(EXTENSIONS))) {
        return put_extensions(s, f, line);
    }
    return buf_put(s->out, line);
}

static int put_head(struct shaking *s)
{
    struct bytes head = s->answer.head;
    size_t at = s->answer.h.fields_at, from = at;
    struct wire_field f;
    int r = buf_put(s->out, bytes_first(head, at));

    while (r == 0 && wire_head_next(head, &at, &f)) {
        r = put_field(s, &f, bytes_first(bytes_from(head, from), at - from));
        from = at;
    }
    return r == 0 ? buf_put(s->out, bytes_from(head, from)) : r;
}

enum wire_handshake_flaw replay_player_shake_flaw(const struct player_asked *a)
{
    const struct replay_connection *c = a->chosen.connection;
    const struct replay_exchange *x = &c->exchanges[a->chosen.exchange];
    enum wire_handshake_flaw flaw;
    struct sight live, then;

    if (!x->agrees || !look(buf_bytes(&a->head), true, &live) ||
        !look(c->steps[x->request].bytes, true, &then)) {
        return WIRE_HANDSHAKE_SOUND;
    }
    flaw = wire_handshake_flaw(live.head, &live.h);
    return flaw == wire_handshake_flaw(then.head, &then.h) ? WIRE_HANDSHAKE_SOUND
                                                           : flaw;
}

int replay_player_shake(struct replay_player *p, const struct player_asked *a)
{
    const struct replay_connection *c = a->chosen.connection;
    const struct replay_exchange *x = &c->exchanges[a->chosen.exchange];
    struct shaking s = { .p = p, .out = &p->out.send };
    size_t before = p->out.send.len;
    struct sight said;
    int r;

    if (!look(buf_bytes(&a->head), true, &s.live) ||
        !look(c->steps[x->request].bytes, true, &s.then) ||
        !look(c->steps[a->at].bytes, false, &s.answer)) {
        return buf_put(s.out, c->steps[a->at].bytes);
    }
    r = put_head(&s);
    if (r == 0 && look(bytes_from(buf_bytes(s.out), before), false, &said)) {
        wire_handshake_extensions(said.head, &said.h, &p->deflate,
                                  &p->other_extensions);
    }
    return r;
}
