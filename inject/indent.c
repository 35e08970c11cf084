#include "inject/indent.h"

enum { LINE_LEN_MAX = 76 };

/* After the string or the bracket's partner that begins at `at`. */
static size_t end_of(struct bytes json, size_t at)
{
    size_t depth = 0;
    bool in_string = false;

    do {
        uint8_t c = json.at[at++];

        if (in_string && c == '\\') {
            at++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '{' || c == '[')) {
            depth++;
        } else if (!in_string && (c == '}' || c == ']')) {
            depth--;
        }
    } while (depth > 0 || in_string);
    return at;
}

static int put_break(struct buf *out, size_t depth)
{
    return buf_put_format(out, "\n%*s", (int)(2 * depth), "");
}

/* Strings as they are, and a blank behind each : and , on the way to `to`. */
static int put_inline(struct bytes json, size_t at, size_t to, struct buf *out)
{
    int r = 0;

    while (r == 0 && at < to) {
        size_t end = json.at[at] == '"' ? end_of(json, at) : at + 1;

        r = buf_put(out, bytes_make(json.at + at, end - at));
        if (r == 0 && (json.at[at] == ':' || json.at[at] == ',')) {
            r = buf_put_byte(out, ' ');
        }
        at = end;
    }
    return r;
}

int inject_indent_put(struct bytes json, struct buf *out)
{
    size_t depth = 0, at = 0, end;
    int r = 0;

    while (r == 0 && at < json.len) {
        uint8_t c = json.at[at];
        bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';

        end = opens || c == '"' ? end_of(json, at) : at + 1;
        if (opens && end - at + 2 * depth > LINE_LEN_MAX) {
            end = at + 1;
            depth++;
        }
        r = closes ? put_break(out, --depth) : 0;
        r = r < 0 ? r : put_inline(json, at, end, out);
        if (r == 0 && ((opens && end == at + 1) || c == ',')) {
            out->len -= c == ','; /* the blank */
            r = put_break(out, depth);
        }
        at = end;
    }
    return r < 0 ? r : buf_put_byte(out, '\n');
}
