#include "replay/caller_state.h"
#include "wire/handshake.h"

#include <errno.h>

/* ---- the request ---- */

/* "Name: value" as a field; without a colon it is a name without value. */
static struct wire_field field_of(const char *line)
{
    struct bytes text = bytes_of(line);
    size_t colon = bytes_find(text, bytes_of(":"));

    return (struct wire_field){
        .name = bytes_trim(bytes_first(text, colon)),
        .value = bytes_trim(bytes_from(text, colon < text.len ? colon + 1 : colon)),
    };
}

static bool is_given(const struct replay_options *o, struct bytes name)
{
    for (size_t i = 0; i < o->field_count; i++) {
        if (bytes_equal_nocase(field_of(o->fields[i]).name, name)) {
            return true;
        }
    }
    return false;
}

static int put_field(const struct wire_field *f, struct buf *out)
{
    int r;

    if (f->value.len == 0) {
        return 0; /* it is to be left out */
    }
    r = buf_put(out, f->name);
    if (r == 0) {
        r = buf_put_text(out, ": ");
    }
    if (r == 0) {
        r = buf_put(out, f->value);
    }
    return r == 0 ? buf_put_text(out, "\r\n") : r;
}

static int put_given(const struct replay_options *o, struct bytes name, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < o->field_count; i++) {
        struct wire_field f = field_of(o->fields[i]);

        if (bytes_equal_nocase(f.name, name)) {
            r = put_field(&f, out);
        }
    }
    return r;
}

static bool has_field(struct bytes head, const struct wire_head *h, struct bytes name,
                      const uint8_t **first)
{
    struct wire_field f;
    size_t at = h->fields_at;

    while (wire_head_next(head, &at, &f)) {
        if (bytes_equal_nocase(f.name, name)) {
            *first = f.name.at;
            return true;
        }
    }
    return false;
}

/* Those that the tape does not have. */
static int put_added(const struct replay_options *o, struct bytes head,
                     const struct wire_head *h, struct buf *out)
{
    const uint8_t *first;
    int r = 0;

    for (size_t i = 0; r == 0 && i < o->field_count; i++) {
        struct wire_field f = field_of(o->fields[i]);

        if (!has_field(head, h, f.name, &first)) {
            r = put_field(&f, out);
        }
    }
    return r;
}

static bool is_aimed(const struct replay_options *o)
{
    return o->path.len > 0 || o->query.len > 0;
}

/* The request line up to the target's end, with the path and query that were given;
 * `*copied`: how much of `head` that stands for. */
static int put_aimed(const struct replay_options *o, struct bytes head,
                     const struct wire_head *h, struct buf *out, size_t *copied)
{
    size_t before = (size_t)(h->target.at - head.at);
    size_t mark = bytes_find(h->target, bytes_of("?"));
    int r;

    *copied = 0;
    if (!is_aimed(o) || !wire_handshake_asks(head, h) || h->target.len == 0 ||
        h->target.at[0] != '/') {
        return 0;
    }
    *copied = before + h->target.len;
    r = buf_put(out, bytes_first(head, before));
    if (r == 0) {
        r = buf_put(out, o->path.len > 0 ? o->path : bytes_first(h->target, mark));
    }
    return r == 0
               ? buf_put(out, o->query.len > 0 ? o->query : bytes_from(h->target, mark))
               : r;
}

int replay_caller_put_request(const struct replay_options *o, struct bytes head,
                              struct buf *out)
{
    struct wire_head h;
    struct wire_field f;
    size_t at, from, copied;
    const uint8_t *first;
    int r;

    if ((o->field_count == 0 && !is_aimed(o)) || wire_head_parse(head, true, &h) < 0) {
        return buf_put(out, head);
    }
    r = put_aimed(o, head, &h, out, &copied);
    at = from = h.fields_at;
    for (; r == 0 && wire_head_next(head, &at, &f); from = at) {
        if (!is_given(o, f.name)) {
            continue;
        }
        r = buf_put(out, bytes_make(head.at + copied, from - copied));
        copied = at;
        if (r == 0 && has_field(head, &h, f.name, &first) && first == f.name.at) {
            r = put_given(o, f.name, out);
        }
    }
    if (r == 0) {
        r = buf_put(out, bytes_make(head.at + copied, from - copied));
    }
    if (r == 0) {
        r = put_added(o, head, &h, out);
    }
    return r == 0 ? buf_put(out, bytes_from(head, from)) : r;
}

int replay_caller_put_target(const struct replay_exchange *x, struct buf *out)
{
    int r = buf_put(out, x->method);

    if (r == 0) {
        r = buf_put_byte(out, ' ');
    }
    return r == 0 ? buf_put(out, x->target) : r;
}

int replay_caller_put_accept(const struct replay_options *o, struct bytes request,
                             struct buf *out)
{
    struct wire_field key;
    struct wire_head h;

    if (wire_head_parse(request, true, &h) < 0 ||
        !wire_head_find(request, &h, "Sec-WebSocket-Key", &key)) {
        return 0;
    }
    return o->put_accept(out, key.value);
}

/* ---- the handshake's answer ---- */

/* All lines of a field as one list. */
static int join(struct bytes head, const struct wire_head *h, const char *name,
                struct buf *out, bool *present)
{
    struct wire_field f;
    size_t at = h->fields_at;
    int r = 0;

    *present = false;
    while (r == 0 && wire_head_next(head, &at, &f)) {
        if (!bytes_equal_nocase(f.name, bytes_of(name))) {
            continue;
        }
        r = *present ? buf_put_text(out, ", ") : 0;
        *present = true;
        if (r == 0) {
            r = buf_put(out, f.value);
        }
    }
    return r;
}

static bool skip_blank(struct bytes *b)
{
    while (b->len > 0 && (b->at[0] == ' ' || b->at[0] == '\t')) {
        *b = bytes_from(*b, 1);
    }
    return b->len > 0;
}

/* White space says nothing in the lists that are looked at. */
static bool same_list(struct bytes a, struct bytes b, bool by_case)
{
    for (;;) {
        bool more = skip_blank(&a);
        struct bytes x = bytes_first(a, more ? 1 : 0), y;

        if (skip_blank(&b) != more || !more) {
            return b.len == 0 && !more;
        }
        y = bytes_first(b, 1);
        if (!(by_case ? bytes_equal(x, y) : bytes_equal_nocase(x, y))) {
            return false;
        }
        a = bytes_from(a, 1);
        b = bytes_from(b, 1);
    }
}

struct two_heads {
    struct bytes before, after;
    struct wire_head b, a;
};

static int compare_field(struct replay_caller *c, const struct two_heads *t,
                         const char *name, bool by_case)
{
    struct replay_event e = { .kind = REPLAY_EVENT_FIELD,
                              .from = SERVER,
                              .path = bytes_of(name) };
    struct buf before = { 0 }, after = { 0 };
    int r = join(t->before, &t->b, name, &before, &e.before_present);

    if (r == 0) {
        r = join(t->after, &t->a, name, &after, &e.after_present);
    }
    if (r == 0 && (e.before_present != e.after_present ||
                   !same_list(buf_bytes(&before), buf_bytes(&after), by_case))) {
        e.before = buf_bytes(&before);
        e.after = buf_bytes(&after);
        replay_caller_tell(c, &e);
    }
    buf_deinit(&before);
    buf_deinit(&after);
    return r;
}

static bool says_accept(struct bytes head, const struct wire_head *h, struct bytes due)
{
    struct wire_field f;

    return wire_head_find(head, h, "Sec-WebSocket-Accept", &f) &&
           bytes_equal(f.value, due);
}

/* One that was wrong on the tape may be wrong now. */
static int check_accept(struct replay_caller *c, const struct two_heads *t,
                        struct bytes asked)
{
    struct replay_event e = { .kind = REPLAY_EVENT_BROKEN,
                              .from = SERVER,
                              .text = bytes_of(
                                  "Sec-WebSocket-Accept does not answer the key") };
    struct buf due = { 0 };
    int r;

    if (says_accept(t->after, &t->a, buf_bytes(&c->accept))) {
        return 0;
    }
    r = replay_caller_put_accept(&c->stage->options, asked, &due);
    if (r == 0 && says_accept(t->before, &t->b, buf_bytes(&due))) {
        replay_caller_tell(c, &e);
    }
    buf_deinit(&due);
    return r;
}

int replay_caller_compare_heads(struct replay_caller *c, struct bytes asked,
                                struct bytes before, struct bytes after)
{
    static const struct {
        const char *name;
        bool by_case;
    } fields[] = {
        { "Upgrade", false },
        { "Sec-WebSocket-Protocol", true },
        { "Sec-WebSocket-Extensions", false },
    };
    struct two_heads t = { .before = before, .after = after };
    int r = 0;

    if (wire_head_parse(before, false, &t.b) < 0 ||
        wire_head_parse(after, false, &t.a) < 0) {
        return 0;
    }
    for (size_t i = 0; r == 0 && i < sizeof(fields) / sizeof(fields[0]); i++) {
        r = compare_field(c, &t, fields[i].name, fields[i].by_case);
    }
    return r == 0 ? check_accept(c, &t, asked) : r;
}
