#include "inject/edit.h"

#include "base/alloc.h"
#include "base/text.h"
#include "inject/splice.h"
#include "inject/walk.h"

#include <assert.h>
#include <errno.h>

/* How the children of a container that is open were dealt with so far. */
struct run {
    bool kept; /* one stayed; the last of them ends at kept_to */
    size_t kept_to;
    bool dropping; /* the last ones, from drop_from to drop_to, go */
    size_t drop_from, drop_to;
};

struct edit {
    struct inject_walk walk;
    struct inject_splice splice;
    const struct inject_field_edit *fields;
    struct run *runs; /* to drop: one a depth */
    size_t run_cap;
    size_t changed;
};

typedef int edit_at(struct edit *e, const struct inject_node *node);

static void start(struct edit *e, struct bytes text,
                  const struct inject_field_edit *fields, size_t count, struct buf *out)
{
    assert(count <= INJECT_EDIT_FIELDS_MAX);
    *e = (struct edit){ .fields = fields };
    inject_walk_init(&e->walk);
    for (size_t i = 0; i < count; i++) {
        inject_walk_add(&e->walk, fields[i].path);
    }
    inject_walk_start(&e->walk, text);
    inject_splice_start(&e->splice, text, out);
}

static int run_all(struct edit *e, edit_at *at)
{
    struct inject_node node;
    int r;

    do {
        r = inject_walk_next(&e->walk, &node);
        if (r == 0) {
            r = at(e, &node);
        }
    } while (r == 0);
    if (r == WIRE_JSON_BAD) {
        return INJECT_EDIT_NOT_JSON;
    }
    if (r == WIRE_JSON_OVER) {
        return e->changed == 0 ? INJECT_EDIT_NO_SUCH_FIELD
                               : inject_splice_finish(&e->splice);
    }
    return r;
}

static int finish(struct edit *e, edit_at *at, size_t *changed)
{
    int r = run_all(e, at);

    if (r == 0) {
        *changed = e->changed;
    } else {
        inject_splice_undo(&e->splice);
    }
    inject_walk_deinit(&e->walk);
    alloc_free(e->runs);
    return r;
}

/* The whole value of a node at which something begins. */
static int value_end(struct edit *e, const struct inject_node *node, size_t *to)
{
    if (node->kind == INJECT_NODE_OPEN) {
        return inject_walk_leave(&e->walk, to);
    }
    *to = node->to;
    return 0;
}

/* The last of the fields in a set that is not empty. */
static const struct inject_field_edit *last_field(const struct edit *e, uint64_t set)
{
    return &e->fields[63 - __builtin_clzll(set)];
}

/* ---- drop ---- */

/* Room for the children of a container at `depth`. */
static int open_run(struct edit *e, size_t depth)
{
    if (depth >= e->run_cap) {
        size_t cap = e->run_cap == 0 ? 8 : e->run_cap * 2;
        struct run *runs = alloc_resize(e->runs, cap * sizeof(*runs));

        if (runs == NULL) {
            return -ENOMEM;
        }
        e->runs = runs;
        e->run_cap = cap;
    }
    e->runs[depth] = (struct run){ 0 };
    return 0;
}

static void keep_to(struct edit *e, const struct inject_node *node)
{
    if (node->depth > 0) {
        e->runs[node->depth - 1].kept = true;
        e->runs[node->depth - 1].kept_to = node->to;
    }
}

static int drop_child(struct edit *e, const struct inject_node *node, size_t from)
{
    struct run *run = &e->runs[node->depth - 1];

    if (!run->dropping) {
        run->dropping = true;
        run->drop_from = from;
    }
    e->changed++;
    return value_end(e, node, &run->drop_to);
}

static int keep_child(struct edit *e, const struct inject_node *node, size_t from)
{
    struct run *run = &e->runs[node->depth - 1];
    size_t drop_from = run->drop_from;

    if (!run->dropping) {
        return 0;
    }
    run->dropping = false;
    return inject_splice_cut(&e->splice, drop_from, from);
}

static int drop_at_begin(struct edit *e, const struct inject_node *node)
{
    size_t from = node->is_member ? node->key_from : node->from;
    int r = 0;

    if (node->depth > 0 && node->hits != 0) {
        return drop_child(e, node, from);
    }
    if (node->depth > 0) {
        r = keep_child(e, node, from);
    }
    if (r == 0 && node->kind == INJECT_NODE_OPEN) {
        return open_run(e, node->depth);
    }
    keep_to(e, node);
    return r;
}

static int drop_at_close(struct edit *e, const struct inject_node *node)
{
    const struct run *run = &e->runs[node->depth];

    keep_to(e, node);
    return run->dropping ? inject_splice_cut(&e->splice,
                                             run->kept ? run->kept_to : run->drop_from,
                                             run->drop_to)
                         : 0;
}

static int drop_at(struct edit *e, const struct inject_node *node)
{
    return node->kind == INJECT_NODE_CLOSE ? drop_at_close(e, node)
                                           : drop_at_begin(e, node);
}

int inject_edit_drop(struct bytes text, const struct inject_field_edit *fields,
                     size_t count, struct buf *out, size_t *changed)
{
    struct edit e;

    start(&e, text, fields, count, out);
    return finish(&e, drop_at, changed);
}

/* ---- set ---- */

/* What is put out next replaces what is from `from` to `to`. */
static int replace(struct edit *e, size_t from, size_t to)
{
    e->changed++;
    return inject_splice_cut(&e->splice, from, to);
}

static int add_member(struct edit *e, const struct inject_field_edit *field, bool first)
{
    struct buf *out = e->splice.out;
    int r = first ? 0 : buf_put_byte(out, ',');

    if (r == 0) {
        r = text_put_json(out, *inject_path_name(field->path));
    }
    if (r == 0) {
        r = buf_put_byte(out, ':');
    }
    e->changed++;
    return r < 0 ? r : buf_put_text(out, field->text);
}

/* Whether a later one of the fields adds a member of the same name. */
static bool is_overruled(const struct edit *e, unsigned n, uint64_t missing)
{
    const struct bytes *name = inject_path_name(e->fields[n].path);

    for (missing = missing >> n >> 1 << 1 << n; missing != 0; missing &= missing - 1) {
        unsigned later = (unsigned)__builtin_ctzll(missing);

        if (bytes_equal(*name, *inject_path_name(e->fields[later].path))) {
            return true;
        }
    }
    return false;
}

static int add_members(struct edit *e, const struct inject_node *node)
{
    bool first = node->count == 0;
    int r = inject_splice_cut(&e->splice, node->tail, node->tail);

    for (uint64_t left = node->missing; left != 0 && r == 0; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctzll(left);

        if (!is_overruled(e, n, node->missing)) {
            r = add_member(e, &e->fields[n], first);
            first = false;
        }
    }
    return r;
}

static int set_at(struct edit *e, const struct inject_node *node)
{
    size_t to;
    int r;

    if (node->kind == INJECT_NODE_CLOSE) {
        return node->missing == 0 ? 0 : add_members(e, node);
    }
    if (node->hits == 0) {
        return 0;
    }
    r = value_end(e, node, &to);
    if (r == 0) {
        r = replace(e, node->from, to);
    }
    return r != 0 ? r : buf_put_text(e->splice.out, last_field(e, node->hits)->text);
}

int inject_edit_set(struct bytes text, const struct inject_field_edit *fields,
                    size_t count, struct buf *out, size_t *changed)
{
    struct edit e;

    start(&e, text, fields, count, out);
    return finish(&e, set_at, changed);
}

/* ---- rename ---- */

static int rename_at(struct edit *e, const struct inject_node *node)
{
    int r;

    if (node->kind == INJECT_NODE_CLOSE || node->hits == 0 || !node->is_member) {
        return 0;
    }
    r = replace(e, node->key_from, node->key_to);
    return r < 0 ? r
                 : text_put_json(e->splice.out,
                                 bytes_of(last_field(e, node->hits)->text));
}

int inject_edit_rename(struct bytes text, const struct inject_field_edit *fields,
                       size_t count, struct buf *out, size_t *changed)
{
    struct edit e;

    start(&e, text, fields, count, out);
    return finish(&e, rename_at, changed);
}
