/*
 * Text: the UTF-8 check against a plain reading of RFC 3629, whole and split; escapes
 * are safe for any bytes and JSON strings decode to what went in; URLs that are taken
 * print as URLs that are taken alike.
 */
#include "base/text.h"
#include "tests/fuzz/target.h"
#include "wire/url.h"
#include "wire/utf8.h"

/* ---- UTF-8 ---- */

static size_t encode(uint32_t c, uint8_t out[4])
{
    size_t tail = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

    for (size_t i = tail; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (uint8_t)(tail == 0 ? c : (0xff00U >> (tail + 1) & 0xff) | c);
    return tail + 1;
}

/* The character at the start of `in` and its length; false when there is none. */
static bool decode(struct bytes in, uint32_t *c, size_t *len)
{
    uint8_t lead = in.at[0], again[4];

    *len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (*len > in.len) {
        return false;
    }
    *c = *len == 1 ? lead : lead & (0x7fU >> *len);
    for (size_t i = 1; i < *len; i++) {
        *c = *c << 6 | (in.at[i] & 0x3fU);
    }
    return *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff) &&
           encode(*c, again) == *len && memcmp(again, in.at, *len) == 0;
}

static bool is_utf8(struct bytes in)
{
    uint32_t c;
    size_t len;

    for (; in.len > 0; in = bytes_from(in, len)) {
        if (!decode(in, &c, &len)) {
            return false;
        }
    }
    return true;
}

static void check_utf8(struct bytes in, size_t each)
{
    struct wire_utf8 whole = { 0 }, split = { 0 };
    bool expected = is_utf8(in), said = true;

    must((wire_utf8_check(&whole, in) && wire_utf8_complete(&whole)) == expected);
    for (struct bytes rest = in; rest.len > 0 && said;) {
        size_t len = each < rest.len ? each : rest.len;

        said = wire_utf8_check(&split, bytes_first(rest, len));
        rest = bytes_from(rest, len);
    }
    must((said && wire_utf8_complete(&split)) == expected);
}

/* ---- escapes ---- */

static bool is_printable(uint32_t c)
{
    return c >= 0x20 && (c < 0x7f || c > 0x9f) && c != 0x61c && c != 0xfeff &&
           (c < 0x200b || c > 0x200f) && (c < 0x2028 || c > 0x202e) &&
           (c < 0x2066 || c > 0x2069);
}

static void is_safe(struct bytes out)
{
    uint32_t c;
    size_t len;

    for (; out.len > 0; out = bytes_from(out, len)) {
        must(decode(out, &c, &len) && is_printable(c));
    }
}

static uint32_t hex4(struct bytes *in)
{
    uint32_t v = 0;

    must(in->len >= 4);
    for (size_t i = 0; i < 4; i++) {
        uint8_t d = in->at[i];

        must((d >= '0' && d <= '9') || (d >= 'a' && d <= 'f'));
        v = v << 4 | (uint32_t)(d <= '9' ? d - '0' : d - 'a' + 10);
    }
    *in = bytes_from(*in, 4);
    return v;
}

/* One escape of a JSON string, past its backslash. */
static uint32_t unescape(struct bytes *in)
{
    static const char letters[] = "\"\"\\\\n\nr\rt\t";
    uint8_t kind = in->at[0];
    uint32_t c;

    *in = bytes_from(*in, 1);
    if (kind != 'u') {
        const char *at = letters;

        while ((uint8_t)*at != kind) {
            must(*at != '\0');
            at += 2;
        }
        return (uint8_t)at[1];
    }
    c = hex4(in);
    if (c >= 0xd800 && c < 0xdc00) {
        must(in->len > 2 && in->at[0] == '\\' && in->at[1] == 'u');
        *in = bytes_from(*in, 2);
        c = 0x10000 + ((c - 0xd800) << 10) + (hex4(in) - 0xdc00);
    }
    return c;
}

static void unquote(struct bytes in, struct buf *out)
{
    must(in.len >= 2 && in.at[0] == '"' && in.at[in.len - 1] == '"');
    in = bytes_make(in.at + 1, in.len - 2);
    while (in.len > 0) {
        uint8_t text[4];
        uint32_t c = 0;
        size_t len = 1;

        if (in.at[0] == '\\') {
            in = bytes_from(in, 1);
            must(in.len > 0);
            c = unescape(&in);
        } else {
            must(in.at[0] != '"' && decode(in, &c, &len));
            in = bytes_from(in, len);
        }
        put(out, bytes_make(text, encode(c, text)));
    }
}

static void check_escapes(struct bytes in, size_t limit)
{
    struct buf out = { 0 }, back = { 0 };

    must(text_put_escaped(&out, in, limit) == 0);
    is_safe(buf_bytes(&out));
    buf_clear(&out);
    must(text_put_json(&out, in) == 0);
    is_safe(buf_bytes(&out));
    unquote(buf_bytes(&out), &back);
    must(is_utf8(buf_bytes(&back)));
    must(!is_utf8(in) || bytes_equal(buf_bytes(&back), in));
    buf_clear(&out);
    must(text_put_base64(&out, in) == 0 && out.len == (in.len + 2) / 3 * 4);
    is_safe(buf_bytes(&out));
    buf_deinit(&out);
    buf_deinit(&back);
}

/* ---- what users type ---- */

static void check_url(const char *text)
{
    struct wire_url u, again;
    struct buf out = { 0 };
    struct err e = { "" };

    if (wire_url_parse(text, "--upstream", &u, &e) < 0) {
        must(e.text[0] != '\0');
        return;
    }
    must(wire_url_put(&out, &u) == 0 && buf_put_byte(&out, 0) == 0);
    must(wire_url_parse((const char *)out.at, "--upstream", &again, &e) == 0);
    must(strcmp(u.host, again.host) == 0 && strcmp(u.path, again.path) == 0);
    must(u.port == again.port && u.is_tls == again.is_tls &&
         u.is_http == again.is_http);
    (void)wire_url_is_origin(&u, bytes_of(text));
    buf_deinit(&out);
}

static void check_typed(struct bytes in)
{
    static const char *const names[] = { "listen", "upstream", "output", NULL };
    char *text = malloc(in.len + 1);
    int64_t ns = -1;
    uint64_t n;

    must(text != NULL);
    if (in.len > 0) {
        memcpy(text, in.at, in.len);
    }
    text[in.len] = '\0';
    check_url(text);
    must(text_parse_duration(text, &ns) < 0 ? ns == -1 : ns >= 0);
    (void)text_parse_size(text, &n);
    must(text_parse_number(text, 3, 70000, &n) < 0 || (n >= 3 && n <= 70000));
    (void)text_nearest(text, names);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > 0) {
        struct bytes in = bytes_make(data + 1, len - 1);

        check_utf8(in, 1 + data[0] % 16);
        check_escapes(in, data[0]);
        check_typed(in);
    }
    return 0;
}
