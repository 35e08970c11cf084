#include "base/alloc.h"
#include "inject/chance.h"
#include "inject/edit.h"
#include "inject/plan_state.h"
#include "wire/utf8.h"

#include <errno.h>
#include <string.h>

enum { COPIES_MAX = 64 * 1024 * 1024 }; /* bytes that one message may become */

/* A message on its way through the rules. */
struct work {
    struct inject_connection *c;
    const struct inject_event *event;
    struct inject_verdict *v;
    struct buf payload; /* as changed so far; empty and unused while `original` */
    enum inject_opcode kind;
    bool original; /* nothing has changed it yet */
    bool gone;     /* dropped, or the connection ends instead */
    uint64_t copies;
    uint64_t fragment;
    bool violates;
    enum inject_violation violation;
    size_t afters[INJECT_FIRED_MAX]; /* acts whose message goes behind it */
    size_t after_count;
};

static struct bytes current(const struct work *w)
{
    return w->original ? w->event->payload : buf_bytes(&w->payload);
}

/* Take over a changed payload. */
static void become(struct work *w, struct buf *changed)
{
    buf_deinit(&w->payload);
    w->payload = *changed;
    *changed = (struct buf){ 0 };
    w->original = false;
}

static int become_bytes(struct work *w, struct bytes b)
{
    struct buf copy = { 0 };
    int r = buf_put(&copy, b);

    if (r == 0) {
        become(w, &copy);
    }
    return r;
}

/* ---- sending ---- */

static int put_out(struct inject_verdict *v, const struct inject_out *out,
                   struct bytes payload)
{
    struct inject_out *at;
    size_t cap = v->out_cap == 0 ? 4 : v->out_cap * 2;
    int r;

    if (v->out_count == v->out_cap) {
        at = alloc_resize(v->out, cap * sizeof(*at));
        if (at == NULL) {
            return -ENOMEM;
        }
        v->out = at;
        v->out_cap = cap;
    }
    v->out[v->out_count] = *out;
    v->out[v->out_count].at = v->bytes.len;
    v->out[v->out_count].len = payload.len;
    r = buf_put(&v->bytes, payload);
    if (r == 0) {
        v->out_count++;
    }
    return r;
}

static enum inject_opcode given_kind(const struct work *w, const struct inject_act *a)
{
    if (a->payload_binary) {
        return INJECT_BINARY;
    }
    return w->kind == INJECT_BINARY ? INJECT_BINARY : INJECT_TEXT;
}

static int put_given(struct work *w, const struct inject_act *a)
{
    struct inject_out out = { .kind = given_kind(w, a) };

    return put_out(w->v, &out, bytes_make(a->payload, a->payload_len));
}

/* ---- actions on the payload ---- */

static const char *failure(int r)
{
    return r == INJECT_EDIT_NOT_JSON ? "the message is not JSON"
                                     : "the message has no such field";
}

static int edit(struct work *w, const struct inject_act *a, struct inject_fired *f)
{
    struct buf changed = { 0 };
    size_t places;
    int r;

    switch ((int)a->action) {
    case INJECT_DROP_FIELD:
        r = inject_edit_drop(current(w), a->fields, a->field_count, &changed, &places);
        break;
    case INJECT_SET_FIELD:
        r = inject_edit_set(current(w), a->fields, a->field_count, &changed, &places);
        break;
    default:
        r = inject_edit_rename(current(w), a->fields, a->field_count, &changed,
                               &places);
    }
    if (r > 0) {
        f->failed = true;
        f->why = failure(r);
        r = 0;
    } else if (r == 0) {
        become(w, &changed);
    }
    buf_deinit(&changed);
    return r;
}

/* A text stays UTF-8: it is cut before the character that would be torn. */
static int truncate_to(struct work *w, uint64_t len, struct inject_fired *f)
{
    struct bytes b = current(w);
    size_t cut = len < b.len ? (size_t)len : b.len;

    if (cut == b.len) {
        f->failed = true;
        f->why = "the message is not longer than that";
        return 0;
    }
    while (w->kind == INJECT_TEXT && cut > 0 && (b.at[cut] & 0xc0U) == 0x80) {
        cut--;
    }
    return become_bytes(w, bytes_first(b, cut));
}

/* Another byte in its place; a text's ASCII stays printable ASCII. */
static uint8_t other_byte(uint8_t old, bool is_text, uint64_t chance)
{
    uint8_t new;

    if (!is_text) {
        return (uint8_t)(old ^ (1 + chance % 255));
    }
    new = (uint8_t)(0x20 + chance % 94);
    return new >= old ? (uint8_t)(new + 1) : new;
}

static int corrupt(struct work *w, const struct inject_rule *rule,
                   struct inject_fired *f)
{
    struct inject_place place = { .seed = w->c->plan->seed,
                                  .rule = rule->name,
                                  .connection = w->c->number,
                                  .from = w->event->from,
                                  .kind = 1U << inject_kind_index(w->event->kind),
                                  .message = w->event->number };
    bool is_text = w->kind == INJECT_TEXT;
    struct buf copy = { 0 };
    uint64_t nth = 1, done = 0;
    int r = buf_put(&copy, current(w));

    for (; r == 0 && done < rule->act.count && copy.len > 0 &&
           nth < 64 * (rule->act.count + 1);
         nth += 2) {
        size_t at = (size_t)(inject_chance_bits(&place, nth) % copy.len);

        if (!is_text || (copy.at[at] >= 0x20 && copy.at[at] < 0x7f)) {
            copy.at[at] =
                other_byte(copy.at[at], is_text, inject_chance_bits(&place, nth + 1));
            done++;
        }
    }
    if (r == 0 && done > 0) {
        become(w, &copy);
    } else if (r == 0) {
        f->failed = true;
        f->why = "the message has no byte to change";
    }
    buf_deinit(&copy);
    return r;
}

static int replace(struct work *w, const struct inject_act *a)
{
    w->kind = given_kind(w, a);
    return become_bytes(w, bytes_make(a->payload, a->payload_len));
}

/* Violations are header bytes, left to whoever sends; only this one is payload. */
static int violate(struct work *w, const struct inject_act *a, struct inject_fired *f)
{
    static const uint8_t never_utf8 = 0xff;
    struct bytes b = current(w);
    struct buf changed = { 0 };
    int r;

    if (a->violation == INJECT_VIOLATE_CLOSE_CODE) {
        w->v->close = f; /* nothing may follow a close frame */
        w->gone = true;
        return 0;
    }
    if (a->violation != INJECT_VIOLATE_UTF8) {
        w->violates = true;
        w->violation = a->violation;
        return 0;
    }
    if (w->kind != INJECT_TEXT) {
        f->failed = true;
        f->why = "only a text message can be invalid UTF-8";
        return 0;
    }
    r = buf_put_byte(&changed, never_utf8);
    if (r == 0) {
        r = buf_put(&changed, bytes_from(b, b.len > 0 ? 1 : 0));
    }
    if (r == 0) {
        become(w, &changed);
    }
    buf_deinit(&changed);
    return r;
}

/* ---- the rules ---- */

static void duplicate(struct work *w, const struct inject_act *a,
                      struct inject_fired *f)
{
    uint64_t copies = w->copies + a->count;

    if (copies > COPIES_MAX / (current(w).len + 1)) {
        f->failed = true;
        f->why = "the copies would be more than 64 MiB";
        return;
    }
    w->copies = copies;
}

/* Acts that leave the payload alone. */
static int act_on_way(struct work *w, const struct inject_act *a,
                      struct inject_fired *f)
{
    struct inject_verdict *v = w->v;

    switch ((int)a->action) {
    case INJECT_DROP:
        w->gone = true;
        return 0;
    case INJECT_DELAY:
        v->delay_ns += a->for_ns;
        return 0;
    case INJECT_DUPLICATE:
        duplicate(w, a, f);
        return 0;
    case INJECT_REORDER:
        v->reorder = a->count;
        return 0;
    case INJECT_INSERT:
        if (a->after) {
            w->afters[w->after_count++] = v->fired_count;
            return 0;
        }
        return put_given(w, a);
    case INJECT_FRAGMENT:
        f->failed = a->count >= current(w).len;
        f->why = f->failed ? "the message is not longer than that" : NULL;
        w->fragment = f->failed ? w->fragment : a->count;
        return 0;
    case INJECT_CLOSE_WITH:
        v->close = f;
        w->gone = true;
        return 0;
    case INJECT_ABORT:
        v->abort = f;
        w->gone = true;
        return 0;
    case INJECT_STALL:
        v->stall = f;
        return 0;
    default:
        return violate(w, a, f);
    }
}

static int act(struct work *w, const struct inject_rule *rule, struct inject_fired *f)
{
    switch ((int)rule->act.action) {
    case INJECT_DROP_FIELD:
    case INJECT_SET_FIELD:
    case INJECT_RENAME_FIELD:
        return edit(w, &rule->act, f);
    case INJECT_TRUNCATE:
        return truncate_to(w, rule->act.count, f);
    case INJECT_CORRUPT:
        return corrupt(w, rule, f);
    case INJECT_REPLACE:
        return replace(w, &rule->act);
    default:
        return act_on_way(w, &rule->act, f);
    }
}

static int apply_rule(struct work *w, size_t i)
{
    struct inject_verdict *v = w->v;
    struct inject_fired *f = &v->fired[v->fired_count];
    int r = inject_rule_holds(w->c, i, w->event, f);

    if (r <= 0) {
        return r;
    }
    r = act(w, &w->c->plan->rules->at[i], f);
    if (r < 0) {
        return r;
    }
    v->fired_count++;
    if (!f->failed) {
        inject_connection_count(w->c, i);
    }
    return 0;
}

static bool is_over(const struct work *w)
{
    return w->gone || w->v->stall != NULL || w->v->fired_count == INJECT_FIRED_MAX;
}

static int apply_rules(struct work *w)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < w->c->plan->rules->count && !is_over(w); i++) {
        r = apply_rule(w, i);
    }
    return r;
}

static int put_message(struct work *w)
{
    struct inject_out out = { .kind = w->kind,
                              .original =
                                  w->original && w->fragment == 0 && !w->violates,
                              .fragment = w->fragment,
                              .violates = w->violates,
                              .violation = w->violation };
    int r = 0;

    for (uint64_t i = 0; r == 0 && i <= w->copies; i++) {
        r = put_out(w->v, &out, out.original ? (struct bytes){ 0 } : current(w));
        out.violates = false;
    }
    return r;
}

static void clear(struct inject_verdict *v)
{
    v->fired_count = 0;
    v->out_count = 0;
    v->delay_ns = 0;
    v->reorder = 0;
    v->stall = v->close = v->abort = NULL;
    buf_clear(&v->bytes);
}

int inject_on_message(struct inject_connection *c, enum side from,
                      enum inject_opcode kind, struct bytes payload,
                      int64_t since_start_ns, struct inject_verdict *out)
{
    struct inject_event event = { .stage = INJECT_STAGE_MESSAGE,
                                  .has_from = true,
                                  .from = from,
                                  .kind = kind,
                                  .whole = true,
                                  .payload = payload,
                                  .now_ns = since_start_ns };
    struct work w = {
        .c = c, .event = &event, .v = out, .kind = kind, .original = true
    };
    int r = inject_connection_fit(c);

    clear(out);
    event.number = ++c->messages[from][inject_kind_index(kind)];
    if (r == 0) {
        r = apply_rules(&w);
    }
    if (r == 0 && !w.gone) {
        r = put_message(&w);
    }
    for (size_t i = 0; r == 0 && i < w.after_count; i++) {
        r = put_given(&w, &out->fired[w.afters[i]].rule->act);
    }
    buf_deinit(&w.payload);
    return r;
}

void inject_verdict_deinit(struct inject_verdict *v)
{
    alloc_free(v->out);
    buf_deinit(&v->bytes);
    *v = (struct inject_verdict){ 0 };
}
