#include "wire/http_strict.h"

#include "wire/handshake.h"

static void refuse(struct wire_refusal *no, unsigned status, const char *why)
{
    if (no->status == 0) {
        *no = (struct wire_refusal){ status, why };
    }
}

/* ---- bytes ---- */

bool wire_http_is_token_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        if (!wire_http_is_token_byte(b.at[i])) {
            return false;
        }
    }
    return b.len > 0;
}

static bool is_control(uint8_t c)
{
    return c == 0x7f || (c < 0x20 && c != '\t' && c != '\r' && c != '\n');
}

/* The first byte of a TLS handshake record; the second is the major version 3 (RFC
 * 8446, 5.1). It is let pass where only the next byte can tell. */
enum { TLS_HANDSHAKE = 0x16, TLS_MAJOR = 0x03 };

static void judge_byte(const struct wire_http_scan *s, uint8_t byte,
                       struct wire_refusal *no)
{
    bool is_first = s->prev == 0 && !s->in_line && s->lines == 0;

    if (s->prev == TLS_HANDSHAKE && byte == TLS_MAJOR) {
        refuse(no, 400, "the client spoke TLS on a plain port; use wss:// in --listen");
    } else if (s->prev == '\r' && byte != '\n') {
        refuse(no, 400, "a carriage return without a line feed in the head");
    } else if (byte == '\n' && s->prev != '\r') {
        refuse(no, 400, "a line of the head ends with LF alone instead of CRLF");
    } else if (byte == 0) {
        refuse(no, 400, "a NUL byte in the head");
    } else if (s->prev == TLS_HANDSHAKE ||
               (is_control(byte) && !(is_first && byte == TLS_HANDSHAKE))) {
        refuse(no, 400, "a control byte in the head");
    }
}

/* A line has ended: what does that mean? Empty lines before the start line mean nothing
 * (RFC 9112, 2.2). */
static enum wire_http_scanned end_line(struct wire_http_scan *s)
{
    bool was_empty = !s->in_line;

    s->in_line = false;
    if (was_empty) {
        return s->lines > 0 ? WIRE_HTTP_SCAN_END : WIRE_HTTP_SCAN_MORE;
    }
    if (s->lines == 0) {
        s->lines = 1;
        return WIRE_HTTP_SCAN_LINE;
    }
    return WIRE_HTTP_SCAN_MORE;
}

/* Any byte is below 0x20 or 0x7f. */
static bool any_control(uint64_t bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
    uint64_t del = bytes ^ ones * 0x7f;

    return ((((bytes - ones * 0x20) & ~bytes) | ((del - ones) & ~del)) & tops) != 0;
}

/* How many bytes neither end a line nor can be wrong inside one. */
static size_t plain_run(struct bytes in)
{
    size_t len = 0;
    uint64_t v;

    for (; in.len - len >= sizeof(v); len += sizeof(v)) {
        memcpy(&v, in.at + len, sizeof(v));
        if (any_control(v)) {
            break;
        }
    }
    while (len < in.len && in.at[len] >= ' ' && in.at[len] != 0x7f) {
        len++;
    }
    return len;
}

enum wire_http_scanned wire_http_scan(struct wire_http_scan *s, struct bytes in,
                                      bool is_strict, size_t *used,
                                      struct wire_refusal *no)
{
    enum wire_http_scanned what = WIRE_HTTP_SCAN_MORE;

    for (*used = 0; *used < in.len && what == WIRE_HTTP_SCAN_MORE && no->status == 0;
         (*used)++) {
        size_t run =
            s->in_line && s->prev >= ' ' ? plain_run(bytes_from(in, *used)) : 0;
        uint8_t byte;

        if (run > 0) {
            *used += run - 1;
            s->prev = in.at[*used];
            continue;
        }
        byte = in.at[*used];
        if (is_strict) {
            judge_byte(s, byte, no);
        }
        if (byte == '\n') {
            what = end_line(s);
        } else if (byte != '\r') {
            s->in_line = true;
        }
        s->prev = byte;
    }
    return what;
}

/* ---- the request line ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static void judge_version(struct bytes line, struct bytes version,
                          struct wire_refusal *no)
{
    if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0 ||
        !is_digit(version.at[5]) || version.at[6] != '.' || !is_digit(version.at[7])) {
        refuse(no, 400, "the request line is not \"METHOD target HTTP/1.1\"");
    } else if (bytes_equal(line, bytes_of("PRI * HTTP/2.0"))) {
        refuse(no, 505, "the client began with HTTP/2; only HTTP/1.1 is spoken here");
    } else if (version.at[5] != '1' || version.at[7] > '1') {
        refuse(no, 505, "the HTTP version is neither 1.1 nor 1.0");
    }
}

void wire_http_judge_line(struct bytes line, struct wire_refusal *no)
{
    size_t method_len = bytes_find(line, bytes_of(" "));
    struct bytes rest = bytes_from(line, method_len);
    size_t target_len;

    if (!is_token(bytes_first(line, method_len)) || rest.len < 2) {
        refuse(no, 400, "the request line is not \"METHOD target HTTP/1.1\"");
        return;
    }
    rest = bytes_from(rest, 1);
    target_len = bytes_find(rest, bytes_of(" "));
    if (target_len == 0 || memchr(line.at, '\t', line.len) != NULL) {
        refuse(no, 400, "white space in the request line other than two single spaces");
    } else if (target_len == rest.len) {
        refuse(no, 505, "a request line without a version, as in HTTP/0.9");
    } else {
        judge_version(line, bytes_from(rest, target_len + 1), no);
    }
}

/* ---- fields ---- */

/* What the fields of one request say. */
struct facts {
    const struct wire_head *head;
    struct wire_refusal *no;
    uint64_t length;
    unsigned lengths, codings, hosts; /* how often each field came */
    bool connection_upgrade, upgrade;
};

static void read_length(struct facts *f, struct bytes value)
{
    uint64_t length = 0;

    if (f->lengths++ > 0) {
        refuse(f->no, 400, "more than one Content-Length");
        return;
    }
    if (value.len == 0) {
        refuse(f->no, 400, "Content-Length is empty");
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.at[i])) {
            refuse(f->no, 400, "Content-Length is not a plain decimal number");
            return;
        }
        if (length > (UINT64_MAX / 2 - 9) / 10) {
            refuse(f->no, 400, "Content-Length is beyond 2^63");
            return;
        }
        length = length * 10 + (unsigned)(value.at[i] - '0');
    }
    f->length = length;
}

static bool is_known_coding(struct bytes coding)
{
    static const char *const known[] = { "gzip", "x-gzip", "deflate", "compress",
                                         "x-compress" };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (bytes_equal_nocase(coding, bytes_of(known[i]))) {
            return true;
        }
    }
    return false;
}

static void judge_coding(struct facts *f, struct bytes coding, bool is_last)
{
    bool is_chunked = bytes_equal_nocase(coding, bytes_of("chunked"));

    if (!is_token(coding)) {
        refuse(f->no, 400, "Transfer-Encoding is malformed");
    } else if (!is_chunked && !is_known_coding(coding)) {
        refuse(f->no, 501, "Transfer-Encoding names a coding that is not known");
    } else if (is_last != is_chunked) {
        refuse(f->no, 400, "Transfer-Encoding does not end in exactly one \"chunked\"");
    }
}

static void read_codings(struct facts *f, struct bytes value)
{
    size_t len;

    if (f->codings++ > 0) {
        refuse(f->no, 400, "more than one Transfer-Encoding");
    }
    while ((len = bytes_find(value, bytes_of(","))) < value.len) {
        judge_coding(f, bytes_trim(bytes_first(value, len)), false);
        value = bytes_from(value, len + 1);
    }
    judge_coding(f, bytes_trim(value), true);
}

static void read_host(struct facts *f, struct bytes value)
{
    if (f->hosts++ > 0) {
        refuse(f->no, 400, "more than one Host");
    }
    for (size_t i = 0; i < value.len; i++) {
        if (strchr(" \t,/?#@\"\\<>{}|^`", value.at[i]) != NULL || value.at[i] >= 0x80) {
            refuse(f->no, 400, "Host is not a host name with an optional port");
        }
    }
}

static void read_connection(struct facts *f, struct bytes value)
{
    struct bytes element;
    size_t at = 0;

    while (wire_list_next(value, &at, &element)) {
        if (bytes_equal_nocase(element, bytes_of("upgrade"))) {
            f->connection_upgrade = true;
        } else if (bytes_equal_nocase(element, bytes_of("content-length")) ||
                   bytes_equal_nocase(element, bytes_of("transfer-encoding")) ||
                   bytes_equal_nocase(element, bytes_of("host"))) {
            refuse(f->no, 400,
                   "Connection asks to remove a field that frames the message");
        }
    }
}

static void read_field(struct facts *f, struct bytes name, struct bytes value)
{
    if (bytes_equal_nocase(name, bytes_of("Content-Length"))) {
        read_length(f, value);
    } else if (bytes_equal_nocase(name, bytes_of("Transfer-Encoding"))) {
        read_codings(f, value);
    } else if (bytes_equal_nocase(name, bytes_of("Host"))) {
        read_host(f, value);
    } else if (bytes_equal_nocase(name, bytes_of("Connection"))) {
        read_connection(f, value);
    } else if (bytes_equal_nocase(name, bytes_of("Upgrade"))) {
        f->upgrade = value.len > 0;
    }
}

static void read_line(struct facts *f, struct bytes line)
{
    size_t len = bytes_find(line, bytes_of(":"));
    struct bytes name = bytes_first(line, len);

    if (line.at[0] == ' ' || line.at[0] == '\t') {
        refuse(f->no, 400,
               "a field line begins with white space (obsolete line folding)");
    } else if (len == line.len) {
        refuse(f->no, 400, "a field line without a colon");
    } else if (len == 0) {
        refuse(f->no, 400, "a field line without a name");
    } else if (name.at[len - 1] == ' ' || name.at[len - 1] == '\t') {
        refuse(f->no, 400, "white space between a field name and its colon");
    } else if (!is_token(name)) {
        refuse(f->no, 400, "a field name holds an invalid byte");
    } else {
        read_field(f, name, bytes_trim(bytes_from(line, len + 1)));
    }
}

/* What only all fields together show. */
static void judge_facts(const struct facts *f)
{
    const struct wire_head *h = f->head;

    if (f->lengths > 0 && f->codings > 0) {
        refuse(f->no, 400, "Content-Length together with Transfer-Encoding");
    } else if (f->codings > 0 && h->minor == 0) {
        refuse(f->no, 400, "Transfer-Encoding in an HTTP/1.0 request");
    } else if (f->hosts == 0 && h->minor > 0) {
        refuse(f->no, 400, "an HTTP/1.1 request without Host");
    } else if (bytes_equal(h->method, bytes_of("CONNECT")) &&
               (f->length > 0 || f->codings > 0)) {
        refuse(f->no, 400, "CONNECT with a body");
    }
}

void wire_http_judge_fields(struct bytes head, const struct wire_head *h,
                            struct wire_http_framing *out, struct wire_refusal *no)
{
    struct facts f = { .head = h, .no = no };
    struct bytes rest = bytes_from(head, h->fields_at);
    size_t len;

    while ((len = bytes_find(rest, bytes_of("\r\n"))) > 0 && len < rest.len) {
        read_line(&f, bytes_first(rest, len));
        rest = bytes_from(rest, len + 2);
    }
    judge_facts(&f);
    if (no->status != 0) {
        return;
    }
    *out = (struct wire_http_framing){ .length = f.length };
    if (f.codings > 0) {
        out->body = WIRE_HTTP_CHUNKED;
    } else if (f.length > 0) {
        out->body = WIRE_HTTP_LENGTH;
    }
    out->switches = bytes_equal(h->method, bytes_of("CONNECT")) ||
                    (h->minor > 0 && f.connection_upgrade && f.upgrade);
}
