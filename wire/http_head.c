#include "wire/http.h"

#include "wire/handshake.h"

#include <errno.h>

static bool is_fold(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool is_blank(uint8_t c)
{
    return is_fold(c) || c == '\r' || c == '\n';
}

/* As bytes_trim, for values that may be folded over lines. */
static struct bytes trim_lines(struct bytes b)
{
    while (b.len > 0 && is_blank(b.at[0])) {
        b = bytes_from(b, 1);
    }
    while (b.len > 0 && is_blank(b.at[b.len - 1])) {
        b.len--;
    }
    return b;
}

/* The line at *at without its line end; *at moves past it. */
static struct bytes take_line(struct bytes head, size_t *at)
{
    struct bytes rest = bytes_from(head, *at);
    const uint8_t *end = rest.len == 0 ? NULL : memchr(rest.at, '\n', rest.len);
    size_t len = end == NULL ? rest.len : (size_t)(end - rest.at);

    *at += end == NULL ? len : len + 1;
    if (len > 0 && rest.at[len - 1] == '\r') {
        len--;
    }
    return bytes_first(rest, len);
}

/* Up to the next space, which is dropped from `rest`. */
static struct bytes take_word(struct bytes *rest)
{
    size_t len = bytes_find(*rest, bytes_of(" "));
    struct bytes word = bytes_first(*rest, len);

    *rest = bytes_from(*rest, len < rest->len ? len + 1 : len);
    return word;
}

static bool read_version(struct bytes version, unsigned *minor)
{
    if (version.len != 8 || memcmp(version.at, "HTTP/1.", 7) != 0 ||
        version.at[7] < '0' || version.at[7] > '9') {
        return false;
    }
    *minor = (unsigned)(version.at[7] - '0');
    return true;
}

static bool read_status(struct bytes digits, unsigned *status)
{
    unsigned value = 0;

    if (digits.len != 3) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(digits.at[i] - '0');
    }
    *status = value;
    return value >= 100;
}

static bool read_request_line(struct wire_head *h)
{
    struct bytes rest = h->start_line;

    h->method = take_word(&rest);
    h->target = take_word(&rest);
    return h->method.len > 0 && h->target.len > 0 && read_version(rest, &h->minor);
}

static bool read_status_line(struct wire_head *h)
{
    struct bytes rest = h->start_line;

    if (!read_version(take_word(&rest), &h->minor)) {
        return false;
    }
    if (!read_status(take_word(&rest), &h->status)) {
        return false;
    }
    h->reason = rest;
    return true;
}

int wire_head_parse(struct bytes head, bool is_request, struct wire_head *out)
{
    struct wire_head h = { 0 };
    size_t at = 0;

    while (at < head.len && (head.at[at] == '\r' || head.at[at] == '\n')) {
        at++;
    }
    h.start_line = take_line(head, &at);
    if (!(is_request ? read_request_line(&h) : read_status_line(&h))) {
        return -EINVAL;
    }
    h.fields_at = at;
    *out = h;
    return 0;
}

bool wire_head_next(struct bytes head, size_t *at, struct wire_field *out)
{
    size_t next = *at;
    struct bytes line = take_line(head, &next);
    const uint8_t *colon, *end;

    if (line.len == 0) {
        return false;
    }
    end = line.at + line.len;
    while (next < head.len && is_fold(head.at[next])) {
        line = take_line(head, &next); /* obs-fold goes on with the value */
        end = line.at + line.len;
    }
    line = bytes_from(head, *at);
    line.len = (size_t)(end - line.at);
    colon = memchr(line.at, ':', line.len);
    if (colon == NULL) {
        *out = (struct wire_field){ trim_lines(line), bytes_from(line, line.len) };
    } else {
        out->name = trim_lines(bytes_make(line.at, (size_t)(colon - line.at)));
        out->value = trim_lines(bytes_make(colon + 1, (size_t)(end - colon - 1)));
    }
    *at = next;
    return true;
}

bool wire_head_find(struct bytes head, const struct wire_head *h, const char *name,
                    struct wire_field *out)
{
    struct bytes wanted = bytes_of(name);
    struct wire_field field;
    size_t at = h->fields_at;

    while (wire_head_next(head, &at, &field)) {
        if (bytes_equal_nocase(field.name, wanted)) {
            *out = field;
            return true;
        }
    }
    return false;
}

static bool list_has(struct bytes value, struct bytes token)
{
    struct bytes element;
    size_t at = 0;

    while (wire_list_next(value, &at, &element)) {
        if (bytes_equal_nocase(trim_lines(element), token)) {
            return true;
        }
    }
    return false;
}

bool wire_head_has_token(struct bytes head, const struct wire_head *h, const char *name,
                         const char *token)
{
    struct bytes wanted = bytes_of(name);
    struct wire_field field;
    size_t at = h->fields_at;

    while (wire_head_next(head, &at, &field)) {
        if (bytes_equal_nocase(field.name, wanted) &&
            list_has(field.value, bytes_of(token))) {
            return true;
        }
    }
    return false;
}
