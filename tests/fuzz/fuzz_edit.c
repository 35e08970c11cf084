/*
 * Edits: a line of paths separated by |, a line with a value or name, then a text.
 * Paths that compile have one spelling. What an edit gives is JSON; a text that is not
 * is left; what the paths do not lead to is there byte for byte, and in the same order.
 */
#include "inject/edit.h"

#include "base/text.h"
#include "inject/json.h"
#include "inject/walk.h"
#include "tests/fuzz/target.h"

enum { PATHS_MAX = 4 };

struct input {
    struct inject_field_edit fields[PATHS_MAX];
    size_t count;
    char *word; /* the second line */
    struct bytes text;
};

/* Takes the part before `end` off `in`. */
static struct bytes cut_off(struct bytes *in, char end)
{
    size_t len = bytes_find(*in, bytes_make(&end, 1));
    struct bytes part = bytes_first(*in, len);

    *in = bytes_from(*in, len < in->len ? len + 1 : len);
    return part;
}

static bool is_json(struct bytes text)
{
    struct wire_json j;

    wire_json_init(&j, text);
    return wire_json_finish(&j) == WIRE_JSON_OVER;
}

/* ---- paths ---- */

static struct inject_path *compile(struct bytes text)
{
    struct inject_path *p = NULL;
    struct err e = { "" };
    size_t column = 0;
    int r = inject_path_new(text, &p, &e, &column);

    must(r == 0 || (r == INJECT_PATH_BAD && p == NULL && e.text[0] != '\0'));
    must(r == 0 || (column >= 1 && column <= text.len + 1));
    return p;
}

static void check_spelling(const struct inject_path *p)
{
    struct buf once = { 0 }, twice = { 0 };
    struct inject_path *again;

    must(inject_path_put(p, &once) == 0);
    again = compile(buf_bytes(&once));
    must(again != NULL && inject_path_put(again, &twice) == 0);
    same(&once, &twice);
    inject_path_free(again);
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void read_input(struct input *i, struct bytes in)
{
    struct bytes paths = cut_off(&in, '\n'), word = cut_off(&in, '\n');

    i->word = malloc(word.len + 1);
    must(i->word != NULL);
    memcpy(i->word, word.len == 0 ? in.at : word.at, word.len);
    i->word[word.len] = '\0';
    i->text = in;
    while (paths.len > 0 && i->count < PATHS_MAX) {
        struct inject_path *p = compile(cut_off(&paths, '|'));

        if (p != NULL) {
            check_spelling(p);
            i->fields[i->count].text = i->word;
            i->fields[i->count++].path = p;
        }
    }
}

static void forget(struct input *i)
{
    while (i->count > 0) {
        inject_path_free(i->fields[--i->count].path);
    }
    free(i->word);
}

/* ---- what the paths lead to ---- */

static void start_walk(struct inject_walk *w, const struct input *i)
{
    inject_walk_init(w);
    for (size_t n = 0; n < i->count; n++) {
        inject_walk_add(w, i->fields[n].path);
    }
    inject_walk_start(w, i->text);
}

/* Marks every byte of the members and elements that the paths lead to. */
static bool *dropped_bytes(const struct input *i)
{
    bool *gone = calloc(i->text.len + 1, sizeof(*gone));
    struct inject_walk w;
    struct inject_node n;

    must(gone != NULL);
    start_walk(&w, i);
    while (inject_walk_next(&w, &n) == 0) {
        size_t from = n.is_member ? n.key_from : n.from;

        if (n.kind != INJECT_NODE_OPEN && n.hits != 0 && n.depth > 0) {
            must(from < n.to && n.to <= i->text.len);
            memset(gone + from, true, n.to - from);
        }
    }
    inject_walk_deinit(&w);
    return gone;
}

/* The tokens, one a line, but those whose first byte is gone. */
static void put_tokens(struct bytes text, const bool *gone, struct buf *out)
{
    struct wire_json j;
    struct wire_json_token t;

    wire_json_init(&j, text);
    while (wire_json_next(&j, &t) == 0) {
        if (gone == NULL || !gone[t.from]) {
            put(out, bytes_make(text.at + t.from, t.to - t.from));
            put(out, bytes_of("\n"));
        }
    }
}

static bool is_part(struct bytes part, struct bytes whole)
{
    size_t at = 0;

    for (size_t i = 0; i < whole.len && at < part.len; i++) {
        at += whole.at[i] == part.at[at];
    }
    return at == part.len;
}

/* ---- edits ---- */

static void check_outcome(const struct input *i, int r, size_t changed,
                          const struct buf *out)
{
    bool good = is_json(i->text);

    must(r >= 0 && (r == INJECT_EDIT_NOT_JSON) == !good);
    must((r == 0) == (changed > 0));
    must(r == 0 ? is_json(buf_bytes(out)) : out->len == 0);
}

static void check_drop(const struct input *i)
{
    struct buf out = { 0 }, left = { 0 }, expected = { 0 };
    size_t changed = 0;
    int r = inject_edit_drop(i->text, i->fields, i->count, &out, &changed);

    check_outcome(i, r, changed, &out);
    if (r == 0) {
        bool *gone = dropped_bytes(i);

        put_tokens(i->text, gone, &expected);
        put_tokens(buf_bytes(&out), NULL, &left);
        same(&left, &expected);
        must(is_part(buf_bytes(&out), i->text));
        free(gone);
    }
    buf_deinit(&out);
    buf_deinit(&left);
    buf_deinit(&expected);
}

static void check_rename(const struct input *i)
{
    struct buf out = { 0 }, expected = { 0 };
    size_t changed = 0, copied = 0, count = 0;
    int r = inject_edit_rename(i->text, i->fields, i->count, &out, &changed);
    struct inject_walk w;
    struct inject_node n;

    check_outcome(i, r, changed, &out);
    start_walk(&w, i);
    while (inject_walk_next(&w, &n) == 0) {
        if (n.kind != INJECT_NODE_CLOSE && n.hits != 0 && n.is_member) {
            put(&expected, bytes_make(i->text.at + copied, n.key_from - copied));
            must(text_put_json(&expected, bytes_of(i->word)) == 0);
            copied = n.key_to;
            count++;
        }
    }
    inject_walk_deinit(&w);
    if (r == 0) {
        put(&expected, bytes_from(i->text, copied));
        same(&out, &expected);
        must(count == changed);
    }
    buf_deinit(&out);
    buf_deinit(&expected);
}

/* From the first place to the last one that a setting may change. */
static void window(const struct input *i, size_t *from, size_t *to)
{
    struct inject_walk w;
    struct inject_node n;

    *from = i->text.len;
    *to = 0;
    start_walk(&w, i);
    while (inject_walk_next(&w, &n) == 0) {
        if (n.kind != INJECT_NODE_OPEN && n.hits != 0) {
            *from = n.from < *from ? n.from : *from;
            *to = n.to > *to ? n.to : *to;
        }
        if (n.kind == INJECT_NODE_CLOSE && n.missing != 0) {
            *from = n.tail < *from ? n.tail : *from;
            *to = n.tail > *to ? n.tail : *to;
        }
    }
    inject_walk_deinit(&w);
}

static void check_outside(const struct input *i, struct bytes out)
{
    size_t from, to;

    window(i, &from, &to);
    must(from <= to && out.len >= from + (i->text.len - to));
    must(bytes_equal(bytes_first(i->text, from), bytes_first(out, from)));
    must(bytes_equal(bytes_from(i->text, to),
                     bytes_from(out, out.len - (i->text.len - to))));
}

/* Setting one path twice is setting it once. */
static void check_again(const struct input *i, const struct buf *out)
{
    struct buf again = { 0 };
    size_t changed = 0;

    must(inject_edit_set(buf_bytes(out), i->fields, 1, &again, &changed) == 0);
    same(out, &again);
    buf_deinit(&again);
}

static void check_set(struct input *i)
{
    struct bytes word = bytes_of(i->word);
    struct buf out = { 0 };
    char plain[] = "[1]";
    bool blank = word.len > 0 && (strchr(" \t\r\n", word.at[0]) != NULL ||
                                  strchr(" \t\r\n", word.at[word.len - 1]) != NULL);
    size_t changed = 0;
    int r;

    for (size_t n = 0; n < i->count && (blank || !is_json(word)); n++) {
        i->fields[n].text = plain;
    }
    r = inject_edit_set(i->text, i->fields, i->count, &out, &changed);
    /* What is nested may go past the depth that is read. */
    if (r != 0 || is_json(buf_bytes(&out))) {
        check_outcome(i, r, changed, &out);
    }
    if (r == 0) {
        check_outside(i, buf_bytes(&out));
    }
    if (r == 0 && i->count == 1 && is_json(buf_bytes(&out))) {
        check_again(i, &out);
    }
    buf_deinit(&out);
    for (size_t n = 0; n < i->count; n++) {
        i->fields[n].text = i->word;
    }
}

static void check_holds(const struct input *i)
{
    struct inject_json_condition conditions[PATHS_MAX];
    bool holds = false;
    size_t column = 0;
    int r;

    for (size_t n = 0; n < i->count; n++) {
        conditions[n].path = i->fields[n].path;
        conditions[n].expected = i->word;
    }
    (void)inject_json_check_expected(bytes_of(i->word), &column);
    must(column <= strlen(i->word));
    r = inject_json_holds(i->text, conditions, i->count, &holds);
    must((r == 0) == is_json(i->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input i = { 0 };

    read_input(&i, len == 0 ? bytes_of("") : bytes_make(data, len));
    if (i.count > 0) {
        check_drop(&i);
        check_rename(&i);
        check_set(&i);
        check_holds(&i);
    }
    forget(&i);
    return 0;
}
