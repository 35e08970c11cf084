#include "replay/compare_state.h"

#include "inject/decimal.h"
#include "replay/live.h"
#include "replay/volatility.h"

static struct bytes text_at(const struct replay_tree *t, uint32_t value)
{
    return value == REPLAY_NO_VALUE ? bytes_make(NULL, 0) : replay_value_text(t, value);
}

/* A difference between two values, of which one may be NO_VALUE. */
static int differ(struct replay_comparison *r, uint32_t before, uint32_t after)
{
    struct replay_compare *c = r->c;
    bool there = before != REPLAY_NO_VALUE;
    struct replay_difference d = {
        .before = text_at(&c->before, before),
        .after = text_at(&c->after, after),
        .before_present = there,
        .after_present = after != REPLAY_NO_VALUE,
        .before_value = before,
        .after_value = after,
    };
    int e;

    r->found = true;
    if (r->differs == NULL) {
        return REPLAY_DIFFERS;
    }
    if (c->most > 0 && r->told == c->most) {
        c->rest++;
        return 0;
    }
    r->told++;
    buf_clear(&c->path);
    e = there ? replay_tree_put_path(&c->before, before, false, &c->path)
              : replay_tree_put_path(&c->after, after, false, &c->path);
    if (e < 0) {
        return e;
    }
    d.path = buf_bytes(&c->path);
    return r->differs(r->owner, &d);
}

/* ---- scalars ---- */

bool replay_compare_same_scalar(const struct replay_tree *x, uint32_t n,
                                const struct replay_tree *y, uint32_t m)
{
    struct bytes a = replay_value_text(x, n), b = replay_value_text(y, m);

    if (x->at[n].kind == WIRE_JSON_STRING) {
        return replay_value_same_string(a, b);
    }
    return bytes_equal(a, b) ||
           (x->at[n].kind == WIRE_JSON_NUMBER && inject_decimal_equal(a, b));
}

/* An id by evidence, and a live value that may be one. */
static bool is_id(const struct replay_comparison *r, uint32_t before, uint32_t after)
{
    const struct replay_compare *c = r->c;
    struct bytes live = replay_value_text(&c->after, after);

    return r->message != REPLAY_NONE &&
           replay_links_is_id(c->links, r->message, before) &&
           (c->after.at[after].kind == WIRE_JSON_NUMBER ||
            (live.len > strlen("\"\"") && !replay_value_has_space(live)));
}

static int differ_unless_swapped(struct replay_comparison *r, uint32_t before,
                                 uint32_t after)
{
    const struct replay_compare *c = r->c;
    bool is_swapped;
    int e =
        replay_compare_swapped(r, replay_value_text(&c->before, before),
                               replay_value_text(&c->after, after), true, &is_swapped);

    return e < 0 || is_swapped ? e : differ(r, before, after);
}

/* Strings that differ in the ids and times in them alone. */
static bool same_but_parts(const struct replay_compare *c, uint32_t before,
                           uint32_t after)
{
    return c->before.at[before].kind == WIRE_JSON_STRING &&
           replay_shape_same_but_parts(replay_value_text(&c->before, before),
                                       replay_value_text(&c->after, after));
}

/* Two unequal scalars of one kind. */
static int compare_unequal(struct replay_comparison *r, uint32_t before, uint32_t after)
{
    struct replay_compare *c = r->c;
    enum replay_shape shape = replay_shape_of(replay_value_text(&c->before, before));
    bool has;
    int e;

    if (shape != REPLAY_SHAPE_NONE &&
        shape == replay_shape_of(replay_value_text(&c->after, after))) {
        return 0;
    }
    if (is_id(r, before, after) || same_but_parts(c, before, after)) {
        return 0;
    }
    e = replay_volatility_has(c->rules->volatility, r->from, &c->before, before,
                              &c->path, &has);
    if (e < 0 || has) {
        return e;
    }
    return differ_unless_swapped(r, before, after);
}

static int compare_scalars(struct replay_comparison *r, uint32_t before, uint32_t after)
{
    const struct replay_compare *c = r->c;

    if (c->rules->match == REPLAY_MATCH_EXACT) {
        return bytes_equal(replay_value_text(&c->before, before),
                           replay_value_text(&c->after, after))
                   ? 0
                   : differ(r, before, after);
    }
    return replay_compare_same_scalar(&c->before, before, &c->after, after)
               ? 0
               : compare_unequal(r, before, after);
}

/* ---- containers ---- */

static int compare_values(struct replay_comparison *r, uint32_t before, uint32_t after);

/* What only one of the texts has. */
static int only_before(struct replay_comparison *r, uint32_t value)
{
    return replay_compare_ignores_before(r->c, value)
               ? 0
               : differ(r, value, REPLAY_NO_VALUE);
}

static int only_after(struct replay_comparison *r, uint32_t value)
{
    return replay_compare_ignores_after(r->c, value)
               ? 0
               : differ(r, REPLAY_NO_VALUE, value);
}

static int compare_arrays(struct replay_comparison *r, uint32_t before, uint32_t after)
{
    const struct replay_compare *c = r->c;
    uint32_t n = c->before.at[before].first, m = c->after.at[after].first;
    int e = 0;

    while (e == 0 && n != REPLAY_NO_VALUE && m != REPLAY_NO_VALUE) {
        e = compare_values(r, n, m);
        n = c->before.at[n].next;
        m = c->after.at[m].next;
    }
    for (; e == 0 && n != REPLAY_NO_VALUE; n = c->before.at[n].next) {
        e = only_before(r, n);
    }
    for (; e == 0 && m != REPLAY_NO_VALUE; m = c->after.at[m].next) {
        e = only_after(r, m);
    }
    return e;
}

/* The members from `n` and `m` on, whose keys are not the same in step. */
static int compare_rest(struct replay_comparison *r, uint32_t n, uint32_t m)
{
    struct replay_compare *c = r->c;
    int e = replay_compare_pair(c, n, m);

    for (; e == 0 && n != REPLAY_NO_VALUE; n = c->before.at[n].next) {
        uint32_t twin = replay_compare_twin_of_before(c, n);

        e = twin == REPLAY_NO_VALUE ? only_before(r, n) : compare_values(r, n, twin);
    }
    for (; e == 0 && m != REPLAY_NO_VALUE; m = c->after.at[m].next) {
        if (replay_compare_twin_of_after(c, m) == REPLAY_NO_VALUE) {
            e = only_after(r, m);
        }
    }
    return e;
}

static int compare_objects(struct replay_comparison *r, uint32_t before, uint32_t after)
{
    const struct replay_compare *c = r->c;
    uint32_t n = c->before.at[before].first, m = c->after.at[after].first;
    int e = 0;

    while (e == 0 && n != REPLAY_NO_VALUE && m != REPLAY_NO_VALUE &&
           replay_value_same_string(replay_value_key(&c->before, n),
                                    replay_value_key(&c->after, m))) {
        e = compare_values(r, n, m);
        n = c->before.at[n].next;
        m = c->after.at[m].next;
    }
    return e == 0 && (n != REPLAY_NO_VALUE || m != REPLAY_NO_VALUE)
               ? compare_rest(r, n, m)
               : e;
}

/* Calls itself as deep as the text is nested: WIRE_JSON_DEPTH_MAX at most. */
static int compare_values(struct replay_comparison *r, uint32_t before, uint32_t after)
{
    const struct replay_compare *c = r->c;
    enum wire_json_kind kind = c->before.at[before].kind;

    if (replay_compare_ignores_before(c, before) ||
        replay_compare_ignores_after(c, after)) {
        return 0;
    }
    if (kind != c->after.at[after].kind) {
        return differ_unless_swapped(r, before, after);
    }
    if (kind == WIRE_JSON_OBJECT) {
        return compare_objects(r, before, after);
    }
    return kind == WIRE_JSON_ARRAY ? compare_arrays(r, before, after)
                                   : compare_scalars(r, before, after);
}

int replay_compare_trees(struct replay_comparison *r)
{
    return compare_values(r, 0, 0);
}
