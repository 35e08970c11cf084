#include "replay/live_state.h"

#include "base/alloc.h"
#include "base/text.h"
#include "wire/utf8.h"

#include <assert.h>
#include <errno.h>

enum { TREE_KEPT = 4096 }; /* values that scratch memory is kept for */

enum said {
    SAID_NOTHING,
    SAID_THE_SAME, /* as on the tape, of the same type */
    SAID_STRING,
    SAID_NUMBER,
};

/* What the live peer said at a source. */
struct learned {
    size_t from; /* in `texts`; STRING, NUMBER */
    uint32_t len;
    uint8_t said; /* enum said */
};

struct replay_live {
    const struct replay_links *links; /* borrowed */
    struct learned *learned;          /* by source */
    struct buf texts;                 /* decoded */
    struct replay_tree tape, live;    /* scratch */
};

struct replay_live *replay_live_new(const struct replay_links *l)
{
    struct replay_live *v = alloc_zero(1, sizeof(*v));

    if (v == NULL) {
        return NULL;
    }
    v->links = l;
    v->learned = alloc_zero(l->source_count, sizeof(*v->learned));
    if (v->learned == NULL) {
        alloc_free(v);
        return NULL;
    }
    return v;
}

void replay_live_free(struct replay_live *v)
{
    if (v == NULL) {
        return;
    }
    replay_tree_deinit(&v->tape);
    replay_tree_deinit(&v->live);
    buf_deinit(&v->texts);
    alloc_free(v->learned);
    alloc_free(v);
}

/* ---- learning ---- */

static uint32_t after_sources(const struct replay_links *l, uint32_t first,
                              uint32_t message)
{
    while (first < l->source_count && l->sources[first].message == message) {
        first++;
    }
    return first;
}

static bool is_utf8(struct bytes text)
{
    struct wire_utf8 u = { 0 };

    return wire_utf8_check(&u, text) && wire_utf8_complete(&u);
}

/* What was put behind `from` in the texts is the value of this source. */
static void keep(struct replay_live *v, uint32_t source, size_t from, enum said said)
{
    const struct replay_live_source *s = &v->links->sources[source];
    struct bytes text = bytes_from(buf_bytes(&v->texts), from);

    if (text.len > REPLAY_LIVE_VALUE_MAX || !is_utf8(text)) {
        v->texts.len = from;
        return;
    }
    if (s->number == (said == SAID_NUMBER) &&
        bytes_equal(text, v->links->texts[s->value].text)) {
        v->texts.len = from;
        v->learned[source] = (struct learned){ .said = SAID_THE_SAME };
        return;
    }
    v->learned[source] = (struct learned){ from, (uint32_t)text.len, (uint8_t)said };
}

static int learn_plain(struct replay_live *v, uint32_t source, struct bytes payload)
{
    size_t from = v->texts.len;
    int r;

    if (payload.len > REPLAY_LIVE_VALUE_MAX) {
        return 0;
    }
    r = buf_put(&v->texts, payload);
    if (r == 0) {
        keep(v, source, from, SAID_STRING);
    }
    return r;
}

/* The live value stands where the tape's does. */
static int learn_value(struct replay_live *v, uint32_t source)
{
    const struct replay_live_source *s = &v->links->sources[source];
    uint32_t n = replay_tree_same_place(&v->live, &v->tape, s->node);
    size_t from = v->texts.len;
    bool string;
    int r;

    if (n == REPLAY_NO_VALUE || (v->live.at[n].kind != WIRE_JSON_STRING &&
                                 v->live.at[n].kind != WIRE_JSON_NUMBER)) {
        return 0;
    }
    string = v->live.at[n].kind == WIRE_JSON_STRING;
    r = string ? wire_json_decode(&v->texts, replay_value_text(&v->live, n))
               : buf_put(&v->texts, replay_value_text(&v->live, n));
    if (r < 0) {
        v->texts.len = from;
        return r;
    }
    keep(v, source, from, string ? SAID_STRING : SAID_NUMBER);
    return 0;
}

static int learn_all(struct replay_live *v, uint32_t first, uint32_t end,
                     struct bytes payload)
{
    const struct replay_live_source *s = &v->links->sources[first];
    int r;

    if (s->node == REPLAY_NO_VALUE) {
        return learn_plain(v, first, payload);
    }
    r = replay_tree_read(&v->tape, v->links->connection->messages[s->message].payload);
    assert(r <= 0); /* it was JSON when the link was found */
    if (r == 0) {
        r = replay_tree_read(&v->live, payload);
    }
    for (uint32_t i = first; r == 0 && i < end; i++) {
        r = learn_value(v, i);
    }
    return r < 0 ? r : 0;
}

static void trim(struct replay_tree *t)
{
    if (t->cap > TREE_KEPT) {
        replay_tree_deinit(t);
    }
}

int replay_live_learn(struct replay_live *v, uint32_t index, struct bytes payload)
{
    const struct replay_links *l = v->links;
    uint32_t first = replay_live_sources_of(l, index);
    uint32_t end = after_sources(l, first, index);
    int r;

    if (first == end) {
        return 0;
    }
    if (bytes_equal(payload, l->connection->messages[index].payload)) {
        for (uint32_t i = first; i < end; i++) {
            v->learned[i] = (struct learned){ .said = SAID_THE_SAME };
        }
        return 0;
    }
    r = learn_all(v, first, end, payload);
    trim(&v->tape);
    trim(&v->live);
    return r;
}

/* ---- filling in ---- */

/* The source of which the live value is known: this one, or an earlier one of the same
 * value. */
static uint32_t known_source(const struct replay_live *v, uint32_t source)
{
    for (int i = 0; i < REPLAY_LIVE_BACK && source != REPLAY_NO_LIVE; i++) {
        if (v->learned[source].said != SAID_NOTHING) {
            return source;
        }
        source = v->links->sources[source].before;
    }
    return REPLAY_NO_LIVE;
}

static bool is_number(struct bytes text)
{
    struct wire_json_token token;
    struct wire_json scan;

    wire_json_init(&scan, text);
    return wire_json_next(&scan, &token) == 0 && token.kind == WIRE_JSON_NUMBER &&
           token.to - token.from == text.len &&
           wire_json_finish(&scan) == WIRE_JSON_OVER;
}

/* Escaped, without quotes. */
static int put_between_quotes(struct buf *out, struct bytes text)
{
    size_t from = out->len;
    int r = text_put_json(out, text);

    if (r == 0) {
        out->len -= 2;
        memmove(out->at + from, out->at + from + 1, out->len - from);
    }
    return r;
}

/* Whether the live value is written as a number in place of a whole scalar. A link
 * between a string and a number stays one; else the live value's own type holds. */
static bool writes_number(const struct replay_live_link *link, bool from_number,
                          const struct learned *learned, struct bytes text)
{
    bool was_number = link->form == REPLAY_LIVE_NUMBER;

    if (was_number == from_number) {
        return learned->said == SAID_NUMBER;
    }
    return was_number && is_number(text);
}

static int put_live(const struct replay_live *v, const struct replay_live_link *link,
                    uint32_t source, struct buf *out)
{
    const struct learned *learned = &v->learned[source];
    struct bytes text =
        bytes_first(bytes_from(buf_bytes(&v->texts), learned->from), learned->len);

    switch ((enum replay_live_form)link->form) {
    case REPLAY_LIVE_PLAIN:
        return buf_put(out, text);
    case REPLAY_LIVE_PART:
        return put_between_quotes(out, text);
    case REPLAY_LIVE_KEY:
        return text_put_json(out, text);
    case REPLAY_LIVE_STRING:
    case REPLAY_LIVE_NUMBER:
        break;
    }
    return writes_number(link, v->links->sources[source].number, learned, text)
               ? buf_put(out, text)
               : text_put_json(out, text);
}

/* A payload that is being filled in. */
struct filling {
    struct bytes recorded;
    struct buf *out;
    size_t done; /* bytes of `recorded` that are in `out` */
    size_t replaced;
};

static struct bytes span(const struct filling *f, size_t from, size_t to)
{
    return bytes_make(f->recorded.at + from, to - from);
}

static int fill_link(const struct replay_live *v, const struct replay_live_link *link,
                     struct filling *f)
{
    uint32_t source = known_source(v, link->source);
    size_t from;
    int r;

    if (source == REPLAY_NO_LIVE || v->learned[source].said == SAID_THE_SAME ||
        f->out->len > f->recorded.len + REPLAY_LIVE_GROWTH_MAX) {
        return 0;
    }
    r = buf_put(f->out, span(f, f->done, link->from));
    from = f->out->len;
    if (r == 0) {
        r = put_live(v, link, source, f->out);
    }
    f->done = link->to;
    if (r == 0 && !bytes_equal(bytes_from(buf_bytes(f->out), from),
                               span(f, link->from, link->to))) {
        f->replaced++;
    }
    return r;
}

int replay_live_fill(const struct replay_live *v, uint32_t index, struct buf *scratch,
                     struct bytes *out, size_t *replaced)
{
    struct filling f = { .recorded = v->links->connection->messages[index].payload,
                         .out = scratch };
    uint32_t end, i = replay_live_links_of(v->links, index, &end);
    int r = 0;

    buf_clear(scratch);
    for (; r == 0 && i < end; i++) {
        r = fill_link(v, &v->links->links[i], &f);
    }
    if (r == 0 && f.replaced > 0) {
        r = buf_put(scratch, span(&f, f.done, f.recorded.len));
    }
    if (r < 0) {
        return r;
    }
    *out = f.replaced > 0 ? buf_bytes(scratch) : f.recorded;
    *replaced = f.replaced;
    return 0;
}
