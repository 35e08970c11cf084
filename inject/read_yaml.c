#include "inject/read.h"

#include "base/text.h"

#include <errno.h>
#include <libfyaml.h>
#include <limits.h>
#include <string.h>

enum { ANCHORS_MAX = 1000, WORDS_MAX = 200 };

struct anchor {
    struct bytes name; /* points into the tree */
    struct inject_tree_node *node;
    bool open; /* its node is not whole yet */
};

/* A map or list that is being read. */
struct level {
    struct inject_tree_node *node;
    struct inject_tree_node *key; /* of a map: read, its value is not */
    int anchor;                   /* index, -1: it has none */
};

struct reader {
    const struct inject_source *source;
    struct inject_tree *tree;
    struct inject_complaints *complaints;
    struct fy_diag *diag;
    struct fy_parser *parser;
    struct level levels[INJECT_TREE_DEPTH_MAX];
    size_t depth;
    struct anchor anchors[ANCHORS_MAX];
    size_t anchor_count;
    size_t at; /* of the last event that had a place */
    unsigned documents;
};

enum { STOP = 1 }; /* it was complained; nothing more is read */

static int complain(struct reader *y, const char *words)
{
    inject_complain(y->complaints, y->source, y->at, "%s", words);
    return STOP;
}

/* ---- nodes ---- */

static int check_limits(struct reader *y)
{
    if (y->tree->node_count > INJECT_TREE_NODES_MAX) {
        return complain(y, "too much: more than 100000 values, those that aliases "
                           "repeat included");
    }
    if (y->tree->text_len > INJECT_TREE_TEXT_MAX) {
        return complain(y, "too much: more than 16M of text, that which aliases "
                           "repeat included");
    }
    return 0;
}

/* Put a node where the reader is: the root, a key, a value or an element. */
static int put(struct reader *y, struct inject_tree_node *n)
{
    struct level *l = y->depth == 0 ? NULL : &y->levels[y->depth - 1];

    if (l == NULL) {
        y->tree->root = n;
    } else if (l->node->kind == INJECT_TREE_LIST) {
        inject_tree_append(l->node, NULL, n);
    } else if (l->key != NULL) {
        inject_tree_append(l->node, l->key, n);
        l->key = NULL;
    } else if (n->kind == INJECT_TREE_SCALAR) {
        l->key = n;
    } else {
        return complain(y, "a key has to be a plain word");
    }
    return check_limits(y);
}

static struct bytes token_text(struct fy_token *t)
{
    size_t len = 0;
    const char *text = t == NULL ? NULL : fy_token_get_text(t, &len);

    return text == NULL ? (struct bytes){ 0 } : bytes_make(text, len);
}

/* ---- anchors ---- */

/* Note an event's anchor; `*index` is -1 without one. */
static int note_anchor(struct reader *y, struct fy_event *e, struct inject_tree_node *n,
                       bool open, int *index)
{
    struct bytes name = token_text(fy_event_get_anchor_token(e));
    struct inject_tree_node *copy;

    *index = -1;
    if (name.len == 0) {
        return 0;
    }
    if (y->anchor_count == ANCHORS_MAX) {
        return complain(y, "too many anchors: 1000 at most");
    }
    copy = inject_tree_add(y->tree, INJECT_TREE_SCALAR, y->at, name);
    if (copy == NULL) {
        return -ENOMEM;
    }
    *index = (int)y->anchor_count;
    y->anchors[y->anchor_count++] =
        (struct anchor){ .name = copy->text, .node = n, .open = open };
    return 0;
}

/* Levels below this one are counted from `depth`. */
static int copy_node(struct reader *y, const struct inject_tree_node *from,
                     size_t depth, struct inject_tree_node **out)
{
    struct inject_tree_node *n, *key, *child;
    int r = check_limits(y);

    if (r == 0 && from->kind != INJECT_TREE_SCALAR && depth >= INJECT_TREE_DEPTH_MAX) {
        r = complain(y, "nested too deep: 64 levels at most");
    }
    if (r != 0) {
        return r;
    }
    n = inject_tree_add(y->tree, from->kind, from->at, from->text);
    if (n == NULL) {
        return -ENOMEM;
    }
    n->quoted = from->quoted;
    for (const struct inject_tree_node *c = from->first; r == 0 && c != NULL;
         c = c->next) {
        key = NULL;
        r = c->key == NULL ? 0 : copy_node(y, c->key, depth, &key);
        r = r != 0 ? r : copy_node(y, c, depth + 1, &child);
        if (r == 0) {
            inject_tree_append(n, key, child);
        }
    }
    *out = n;
    return r;
}

static int put_alias(struct reader *y, struct fy_event *e)
{
    struct bytes name = token_text(fy_event_get_token(e));
    struct inject_tree_node *n;
    size_t i = y->anchor_count;
    int r;

    while (i > 0 && !bytes_equal(y->anchors[i - 1].name, name)) {
        i--;
    }
    if (i == 0 || y->anchors[i - 1].open) {
        inject_complain(y->complaints, y->source, y->at,
                        i == 0 ? "there is no anchor &%s before this"
                               : "the anchor &%s holds itself",
                        inject_quote(name).text);
        return STOP;
    }
    r = copy_node(y, y->anchors[i - 1].node, y->depth, &n);
    return r != 0 ? r : put(y, n);
}

/* ---- events ---- */

/* A text in quotes or in a block is a text, whatever it looks like; !!str says so too.
 */
static int is_text(struct reader *y, struct fy_event *e, bool *quoted)
{
    struct fy_token *token = fy_event_get_token(e);
    struct bytes tag = token_text(fy_event_get_tag_token(e));

    *quoted = token != NULL && fy_token_scalar_style(token) != FYSS_PLAIN;
    if (bytes_equal(tag, bytes_of("tag:yaml.org,2002:str")) ||
        bytes_equal(tag, bytes_of("!"))) {
        *quoted = true;
        return 0;
    }
    return fy_event_get_tag_token(e) == NULL
               ? 0
               : complain(y, "tags other than !!str are not known here");
}

static int put_scalar(struct reader *y, struct fy_event *e)
{
    struct inject_tree_node *n;
    int anchor, r;

    n = inject_tree_add(y->tree, INJECT_TREE_SCALAR, y->at,
                        token_text(fy_event_get_token(e)));
    if (n == NULL) {
        return -ENOMEM;
    }
    r = is_text(y, e, &n->quoted);
    r = r != 0 ? r : note_anchor(y, e, n, false, &anchor);
    return r != 0 ? r : put(y, n);
}

static int open_level(struct reader *y, struct fy_event *e, enum inject_tree_kind kind)
{
    struct inject_tree_node *n;
    int anchor, r;

    if (fy_event_get_tag_token(e) != NULL) {
        return complain(y, "tags other than !!str are not known here");
    }
    if (y->depth == INJECT_TREE_DEPTH_MAX) {
        return complain(y, "nested too deep: 64 levels at most");
    }
    n = inject_tree_add(y->tree, kind, y->at, (struct bytes){ 0 });
    if (n == NULL) {
        return -ENOMEM;
    }
    r = note_anchor(y, e, n, true, &anchor);
    r = r != 0 ? r : put(y, n);
    y->levels[y->depth++] = (struct level){ .node = n, .anchor = anchor };
    return r;
}

static int close_level(struct reader *y)
{
    const struct level *l = &y->levels[--y->depth];

    if (l->anchor >= 0) {
        y->anchors[l->anchor].open = false;
    }
    return 0;
}

/* The library's place of a text in quotes is behind the quote, that of an alias behind
 * its star. */
static size_t place_of(const struct reader *y, const struct fy_event *e, size_t at)
{
    bool named = e->type == FYET_SCALAR || e->type == FYET_ALIAS;

    return named && at > 0 && strchr("\"'*", y->source->text.at[at - 1]) != NULL
               ? at - 1
               : at;
}

static int handle(struct reader *y, struct fy_event *e)
{
    const struct fy_mark *mark = fy_event_start_mark(e);

    if (mark != NULL) {
        y->at = place_of(y, e, mark->input_pos);
    }
    switch (e->type) {
    case FYET_DOCUMENT_START:
        return y->documents++ == 0
                   ? 0
                   : complain(y, "a second document: a rule file has one");
    case FYET_MAPPING_START:
        return open_level(y, e, INJECT_TREE_MAP);
    case FYET_SEQUENCE_START:
        return open_level(y, e, INJECT_TREE_LIST);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return close_level(y);
    case FYET_SCALAR:
        return put_scalar(y, e);
    case FYET_ALIAS:
        return put_alias(y, e);
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        break;
    }
    return 0;
}

/* ---- the library ---- */

/* It prints nothing itself. */
static void say_nothing(struct fy_diag *diag, void *user, const char *text, size_t len)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)len;
}

/* Lines and columns from 1, the column in characters. */
static size_t offset_of(struct bytes text, int line, int column)
{
    size_t at = 0;

    for (; line > 1 && at < text.len; at++) {
        line -= text.at[at] == '\n';
    }
    while (column > 1 && at < text.len && text.at[at] != '\n') {
        at++;
        while (at < text.len && (text.at[at] & 0xc0U) == 0x80) {
            at++;
        }
        column--;
    }
    return at;
}

static int tell_error(struct reader *y, const struct fy_diag_error *e)
{
    struct buf words = { 0 };
    int r = text_put_escaped(&words, bytes_of(e->msg), WORDS_MAX);

    inject_complain(y->complaints, y->source,
                    offset_of(y->source->text, e->line, e->column), "%.*s",
                    (int)words.len, (const char *)words.at);
    buf_deinit(&words);
    return r < 0 ? r : STOP;
}

/* There are things that the library stops at without a word. */
static int tell_errors(struct reader *y)
{
    struct fy_diag_error *e;
    void *state = NULL;
    int r = 0;

    while (r >= 0 && (e = fy_diag_errors_iterate(y->diag, &state)) != NULL) {
        if (e->type == FYET_ERROR) {
            r = tell_error(y, e);
        }
    }
    return r != 0 ? r : complain(y, "from here on this cannot be read as YAML 1.2");
}

static int read_events(struct reader *y)
{
    struct fy_event *e;
    bool over = false;
    int r = 0;

    while (r == 0 && !over) {
        e = fy_parser_parse(y->parser);
        if (e == NULL) {
            return tell_errors(y);
        }
        over = e->type == FYET_STREAM_END;
        r = handle(y, e);
        fy_parser_event_free(y->parser, e);
    }
    return r;
}

static int read_all(struct reader *y)
{
    struct fy_diag_cfg quiet = { .output_fn = say_nothing,
                                 .level = FYET_ERROR,
                                 .module_mask = UINT_MAX };
    struct fy_parse_cfg config = { .search_path = "",
                                   .flags = FYPCF_DISABLE_MMAP_OPT | FYPCF_JSON_NONE };

    y->diag = fy_diag_create(&quiet);
    if (y->diag == NULL) {
        return -ENOMEM;
    }
    fy_diag_set_collect_errors(y->diag, true);
    config.diag = y->diag;
    y->parser = fy_parser_create(&config);
    if (y->parser == NULL ||
        fy_parser_set_string(y->parser, (const char *)y->source->text.at,
                             y->source->text.len) != 0) {
        return -ENOMEM;
    }
    return read_events(y);
}

int inject_read_yaml(const struct inject_source *s, struct inject_tree *t,
                     struct inject_complaints *c)
{
    struct reader y = { .source = s, .tree = t, .complaints = c };
    int r;

    if (s->text.len == 0) {
        return 0;
    }
    r = read_all(&y);
    fy_parser_destroy(y.parser);
    fy_diag_destroy(y.diag);
    if (r != 0) {
        t->root = NULL;
    }
    return r == STOP ? 0 : r;
}
