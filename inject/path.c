#include "inject/path.h"

#include "base/alloc.h"
#include "inject/path_name.h"
#include "wire/utf8.h"

#include <errno.h>
#include <inttypes.h>

#define INDEX_MAX ((UINT64_C(1) << 53) - 1) /* RFC 9535, section 2.1 */

struct parse {
    struct bytes text;
    size_t at;
    struct inject_segment segments[INJECT_PATH_SEGMENTS_MAX];
    unsigned count;
    struct buf names; /* room for the whole text: never moves */
    struct err *e;
};

static int wrong(struct parse *p, size_t at, const char *words)
{
    p->at = at;
    return err_set(p->e, INJECT_PATH_BAD, "%s", words);
}

/* The byte at `off` from here, 0 past the end. */
static uint8_t peek(const struct parse *p, size_t off)
{
    return p->text.len - p->at > off ? p->text.at[p->at + off] : 0;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* ---- segments ---- */

static int add(struct parse *p, size_t at, struct inject_segment segment)
{
    if (p->count == INJECT_PATH_SEGMENTS_MAX) {
        return wrong(p, at, "this path is too long: 32 steps at most");
    }
    p->segments[p->count++] = segment;
    return 0;
}

static struct bytes names_from(const struct parse *p, size_t start)
{
    return bytes_make(p->names.at + start, p->names.len - start);
}

static int bare_name(struct parse *p, bool descend)
{
    size_t at = p->at, start = p->names.len;
    size_t len = inject_path_name_len(bytes_from(p->text, at));
    int r;

    if (len == 0 && is_digit(peek(p, 0))) {
        return wrong(p, at,
                     "a name that begins with a digit needs quotes: ['0']; an "
                     "element is [0]");
    }
    if (len == 0) {
        return wrong(p, at,
                     "expected a name; one with other characters than letters, "
                     "digits, _ and - needs quotes: ['…']");
    }
    p->at += len;
    r = buf_put(&p->names, bytes_first(bytes_from(p->text, at), len));
    return r < 0 ? r
                 : add(p, at,
                       (struct inject_segment){ .kind = INJECT_SEGMENT_NAME,
                                                .descend = descend,
                                                .name = names_from(p, start) });
}

static int any(struct parse *p, bool descend)
{
    size_t at = p->at++;

    return add(p, at, (struct inject_segment){ INJECT_SEGMENT_ANY, descend, { 0 }, 0 });
}

static int index_at(struct parse *p, bool descend)
{
    size_t at = p->at;
    uint64_t index = 0;

    if (peek(p, 0) == '0' && is_digit(peek(p, 1))) {
        return wrong(p, at, "an index may not begin with 0");
    }
    while (is_digit(peek(p, 0))) {
        index = index * 10 + (uint64_t)(p->text.at[p->at++] - '0');
        if (index > INDEX_MAX) {
            return wrong(p, at, "this index is too large");
        }
    }
    return add(p, at,
               (struct inject_segment){ INJECT_SEGMENT_INDEX, descend, { 0 }, index });
}

static int quoted_name(struct parse *p, bool descend)
{
    size_t at = p->at, start = p->names.len;
    const char *words = inject_path_name_read(p->text, &p->at, &p->names);

    return words != NULL ? wrong(p, p->at, words)
                         : add(p, at,
                               (struct inject_segment){ .kind = INJECT_SEGMENT_NAME,
                                                        .descend = descend,
                                                        .name = names_from(p, start) });
}

static void skip_blanks(struct parse *p)
{
    while (peek(p, 0) == ' ' || peek(p, 0) == '\t') {
        p->at++;
    }
}

static int selector(struct parse *p, bool descend)
{
    switch (peek(p, 0)) {
    case '\'':
    case '"':
        return quoted_name(p, descend);
    case '*':
        return any(p, descend);
    case '-':
        return wrong(p, p->at, "indexes from the end are not supported: count from 0");
    case '?':
        return wrong(p, p->at, "filters are not supported");
    case ':':
        return wrong(p, p->at, "slices are not supported: [n] is one, [*] are all");
    default:
        return is_digit(peek(p, 0))
                   ? index_at(p, descend)
                   : wrong(p, p->at, "expected an index, * or a name in quotes");
    }
}

static int brackets(struct parse *p, bool descend)
{
    size_t opened = p->at++;
    int r;

    skip_blanks(p);
    r = selector(p, descend);
    if (r != 0) {
        return r;
    }
    skip_blanks(p);
    switch (peek(p, 0)) {
    case ']':
        p->at++;
        return 0;
    case ',':
        return wrong(p, p->at, "only one in brackets: write a path for each");
    case ':':
        return wrong(p, p->at, "slices are not supported: [n] is one, [*] are all");
    default:
        return p->at == p->text.len ? wrong(p, opened, "this [ has no ]")
                                    : wrong(p, p->at, "expected ]");
    }
}

static int segment(struct parse *p)
{
    bool descend = peek(p, 0) == '.' && peek(p, 1) == '.';

    if (peek(p, 0) == '[') {
        return brackets(p, false);
    }
    if (peek(p, 0) != '.') {
        return wrong(p, p->at,
                     "expected . or [; a name with other characters than "
                     "letters, digits, _ and - needs quotes: ['…']");
    }
    p->at += descend ? 2 : 1;
    if (peek(p, 0) == '*') {
        return any(p, descend);
    }
    return descend && peek(p, 0) == '[' ? brackets(p, true) : bare_name(p, descend);
}

static int parse(struct parse *p)
{
    struct wire_utf8 utf8 = { 0 };
    int r = 0;

    if (p->text.len == 0) {
        return wrong(p, 0, "an empty path; $ is the whole value");
    }
    if (!wire_utf8_check(&utf8, p->text) || !wire_utf8_complete(&utf8)) {
        return wrong(p, 0, "this path is not UTF-8");
    }
    if (peek(p, 0) == '$') {
        p->at++;
    } else if (peek(p, 0) == '.' && peek(p, 1) != '.') {
        return wrong(p, 0, "a path begins with $, a name or ..");
    } else if (peek(p, 0) != '[' && peek(p, 0) != '.') {
        r = bare_name(p, false);
    }
    while (r == 0 && p->at < p->text.len) {
        r = segment(p);
    }
    return r;
}

/* ---- a path ---- */

static struct inject_path *take(struct parse *p)
{
    size_t size = p->count * sizeof(p->segments[0]);
    struct inject_path *path = alloc_get(sizeof(*path) + size);

    if (path != NULL) {
        *path = (struct inject_path){ .names = p->names, .count = p->count };
        memcpy(path->segments, p->segments, size);
        for (unsigned i = 0; i < p->count; i++) {
            path->descends |= (uint64_t)p->segments[i].descend << i;
        }
    }
    return path;
}

int inject_path_new(struct bytes text, struct inject_path **out, struct err *e,
                    size_t *column)
{
    struct parse state = { .text = text, .e = e };
    struct inject_path *path = NULL;
    int r = buf_reserve(&state.names, text.len);

    if (r == 0) {
        r = parse(&state);
    }
    if (r == 0) {
        path = take(&state);
        r = path == NULL ? -ENOMEM : 0;
    }
    if (r == 0) {
        *out = path;
        return 0;
    }
    if (r == INJECT_PATH_BAD) {
        *column = state.at + 1;
    }
    buf_deinit(&state.names);
    return r;
}

void inject_path_free(struct inject_path *p)
{
    if (p != NULL) {
        buf_deinit(&p->names);
        alloc_free(p);
    }
}

static int put_name(const struct inject_segment *s, struct buf *out)
{
    int r;

    if (inject_path_name_len(s->name) != s->name.len || s->name.len == 0) {
        r = s->descend ? buf_put_text(out, "..") : 0;
        return r < 0 ? r : inject_path_name_put(s->name, out);
    }
    r = buf_put_text(out, s->descend ? ".." : ".");
    return r < 0 ? r : buf_put(out, s->name);
}

static int put_segment(const struct inject_segment *s, struct buf *out)
{
    const char *dots = s->descend ? ".." : "";

    switch (s->kind) {
    case INJECT_SEGMENT_NAME:
        return put_name(s, out);
    case INJECT_SEGMENT_INDEX:
        return buf_put_format(out, "%s[%" PRIu64 "]", dots, s->index);
    case INJECT_SEGMENT_ANY:
        return buf_put_format(out, "%s[*]", dots);
    }
    return 0;
}

int inject_path_put(const struct inject_path *p, struct buf *out)
{
    size_t len = out->len;
    int r = buf_put_byte(out, '$');

    for (unsigned i = 0; i < p->count && r == 0; i++) {
        r = put_segment(&p->segments[i], out);
    }
    out->len = r < 0 ? len : out->len;
    return r;
}

static const struct inject_segment *last_of(const struct inject_path *p)
{
    return p->count == 0 ? NULL : &p->segments[p->count - 1];
}

const struct bytes *inject_path_name(const struct inject_path *p)
{
    const struct inject_segment *last = last_of(p);

    return last != NULL && last->kind == INJECT_SEGMENT_NAME && !last->descend
               ? &last->name
               : NULL;
}

bool inject_path_takes_members(const struct inject_path *p)
{
    const struct inject_segment *last = last_of(p);

    return last != NULL && last->kind != INJECT_SEGMENT_INDEX;
}
