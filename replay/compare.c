#include "replay/compare_state.h"

#include "replay/script.h"
#include "replay/swaps.h"
#include "wire/frame.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEEP_MAX = 1 << 16 }; /* values that scratch memory is kept for */

void replay_compare_init(struct replay_compare *c, const struct replay_rules *rules)
{
    *c = (struct replay_compare){ .rules = rules };
    inject_walk_init(&c->ignore);
    for (size_t i = 0; i < rules->ignore_count; i++) {
        inject_walk_add(&c->ignore, rules->ignore[i]);
    }
}

static void forget_scratch(struct replay_compare *c)
{
    replay_tree_deinit(&c->before);
    replay_tree_deinit(&c->after);
    buf_deinit(&c->path);
    buf_deinit(&c->marks);
    buf_deinit(&c->twins);
    buf_deinit(&c->keys);
    buf_deinit(&c->places);
}

void replay_compare_deinit(struct replay_compare *c)
{
    if (c != NULL) {
        forget_scratch(c);
        inject_walk_deinit(&c->ignore);
    }
}

/* ---- what is ignored ---- */

/* Nodes and values both come in the order of the text. */
static int mark(struct replay_compare *c, const struct replay_tree *t, uint8_t *marks)
{
    struct inject_node node;
    uint32_t n = 0;
    int r;

    inject_walk_start(&c->ignore, bytes_from(t->text, t->prefix));
    while ((r = inject_walk_next(&c->ignore, &node)) == 0) {
        if (node.kind == INJECT_NODE_CLOSE || node.hits == 0) {
            continue;
        }
        while (t->at[n].from < node.from + t->prefix) {
            n++;
        }
        marks[n] = 1;
    }
    return r < 0 ? r : 0;
}

static int mark_both(struct replay_compare *c)
{
    size_t len = (size_t)c->before.count + c->after.count;
    int r;

    buf_clear(&c->marks);
    if (c->rules->ignore_count == 0) {
        return 0;
    }
    r = buf_reserve(&c->marks, len);
    if (r < 0) {
        return r;
    }
    memset(c->marks.at, 0, len);
    c->marks.len = len;
    r = mark(c, &c->before, c->marks.at);
    return r < 0 || c->after.count == 0
               ? r
               : mark(c, &c->after, c->marks.at + c->before.count);
}

bool replay_compare_ignores_before(const struct replay_compare *c, uint32_t value)
{
    return c->marks.len > 0 && c->marks.at[value] != 0;
}

bool replay_compare_ignores_after(const struct replay_compare *c, uint32_t value)
{
    return c->marks.len > 0 && c->marks.at[c->before.count + value] != 0;
}

int replay_compare_read(struct replay_compare *c, struct bytes before,
                        struct bytes after)
{
    int r = replay_tree_read(&c->before, before);

    if (r == 0) {
        r = replay_tree_read(&c->after, after);
    }
    return r == 0 ? mark_both(c) : r;
}

int replay_compare_read_one(struct replay_compare *c, struct bytes text)
{
    int r = replay_tree_read(&c->before, text);

    c->after.count = 0;
    return r == 0 ? mark_both(c) : r;
}

/* ---- by bytes ---- */

/* Where the next ignored value at or after offset `at` begins: its index, or NO_VALUE.
 * `*n` is where to look from. */
static uint32_t next_mark(const struct replay_tree *t, const uint8_t *marks,
                          uint32_t at, uint32_t *n)
{
    while (*n < t->count && (marks[*n] == 0 || t->at[*n].from < at)) {
        (*n)++;
    }
    return *n < t->count ? *n : REPLAY_NO_VALUE;
}

/* The bytes from `*at` to the next ignored value; `*at` moves behind that. */
static struct bytes next_piece(const struct replay_tree *t, const uint8_t *marks,
                               uint32_t *at, uint32_t *n)
{
    uint32_t from = *at, mark = next_mark(t, marks, from, n);
    uint32_t to = mark == REPLAY_NO_VALUE ? (uint32_t)t->text.len : t->at[mark].from;

    *at = mark == REPLAY_NO_VALUE ? to : t->at[mark].to;
    return bytes_make(t->text.at + from, to - from);
}

/* The same bytes but for ignored values. The trees are read, and some are marked. */
static bool same_pieces(const struct replay_compare *c)
{
    uint32_t x = 0, y = 0, n = 0, m = 0;
    const uint8_t *before = c->marks.at, *after = c->marks.at + c->before.count;

    while (x < c->before.text.len && y < c->after.text.len) {
        if (!bytes_equal(next_piece(&c->before, before, &x, &n),
                         next_piece(&c->after, after, &y, &m))) {
            return false;
        }
    }
    return x == c->before.text.len && y == c->after.text.len;
}

/* ---- the whole ---- */

static int differ_whole(struct replay_comparison *r, struct bytes before,
                        struct bytes after)
{
    const struct replay_difference d = {
        .before = before,
        .after = after,
        .before_present = true,
        .after_present = true,
        .before_value = REPLAY_NO_VALUE,
        .after_value = REPLAY_NO_VALUE,
    };

    r->found = true;
    return r->differs == NULL ? REPLAY_DIFFERS : r->differs(r->owner, &d);
}

static int compare_json(struct replay_comparison *r)
{
    const struct replay_compare *c = r->c;
    bool exact = c->rules->match == REPLAY_MATCH_EXACT;
    int e;

    if (exact && c->marks.len > 0 && same_pieces(c)) {
        return 0;
    }
    if (!bytes_equal(replay_tree_prefix(&c->before), replay_tree_prefix(&c->after))) {
        e = differ_whole(r, replay_tree_prefix(&c->before),
                         replay_tree_prefix(&c->after));
        if (e != 0) {
            return e;
        }
    }
    e = replay_compare_trees(r);
    return exact && e == 0 && !r->found ? differ_whole(r, c->before.text, c->after.text)
                                        : e;
}

int replay_compare_swapped(const struct replay_comparison *r, struct bytes before,
                           struct bytes after, bool is_json, bool *is)
{
    const struct replay_compare *c = r->c;
    struct replay_swaps_question q = { r->message, before, after, is_json };

    *is = false;
    return c->swaps == NULL || r->message == REPLAY_NONE ||
                   c->rules->match != REPLAY_MATCH_JSON
               ? 0
               : replay_swaps_has(c->swaps, &q, is);
}

/* Texts of which one is not JSON. */
static int compare_plain(struct replay_comparison *r, struct bytes before,
                         struct bytes after)
{
    bool is_swapped;
    int e = replay_compare_swapped(r, before, after, false, &is_swapped);

    return e < 0 || is_swapped ? e : differ_whole(r, before, after);
}

static int compare_texts(struct replay_comparison *r, struct replay_text before,
                         struct replay_text after)
{
    int e;

    if (before.opcode != after.opcode || before.opcode != WIRE_OP_TEXT) {
        return differ_whole(r, before.payload, after.payload);
    }
    e = replay_compare_read(r->c, before.payload, after.payload);
    if (e > 0) {
        return compare_plain(r, before.payload, after.payload);
    }
    return e < 0 ? e : compare_json(r);
}

void replay_compare_trim(struct replay_compare *c)
{
    if (c->before.cap > KEEP_MAX || c->after.cap > KEEP_MAX) {
        forget_scratch(c);
    }
}

static int compare_both(struct replay_comparison *r, struct replay_text before,
                        struct replay_text after)
{
    struct replay_compare *c = r->c;
    int e;

    c->rest = 0;
    if (c->rules->match == REPLAY_MATCH_ANY ||
        (before.opcode == after.opcode && bytes_equal(before.payload, after.payload))) {
        return 0;
    }
    e = compare_texts(r, before, after);
    replay_compare_trim(c);
    if (e < 0) {
        return e;
    }
    return r->found ? REPLAY_DIFFERS : 0;
}

int replay_compare(struct replay_compare *c, enum side from, struct replay_text before,
                   struct replay_text after,
                   int (*differs)(void *owner, const struct replay_difference *d),
                   void *owner)
{
    struct replay_comparison r = {
        .c = c, .from = from, .message = REPLAY_NONE, .differs = differs, .owner = owner
    };

    return compare_both(&r, before, after);
}

int replay_compare_recorded(
    struct replay_compare *c, const struct replay_connection *tape, uint32_t index,
    struct replay_text after,
    int (*differs)(void *owner, const struct replay_difference *d), void *owner)
{
    const struct replay_message *m = &tape->messages[index];
    struct replay_text before = { m->opcode, m->payload };
    struct replay_comparison r = { .c = c,
                                   .from = m->from,
                                   .message = c->links == NULL ? REPLAY_NONE : index,
                                   .differs = differs,
                                   .owner = owner };

    return compare_both(&r, before, after);
}

void replay_compare_say_rest(const struct replay_compare *c, char out[static 64])
{
    (void)snprintf(out, 64, "%" PRIu32 " more place%s of it differ%s", c->rest,
                   c->rest == 1 ? "" : "s", c->rest == 1 ? "s" : "");
}
