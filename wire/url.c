#include "wire/url.h"

#include <arpa/inet.h>
#include <errno.h>

struct scheme {
    const char *name;
    uint16_t port;
    bool is_tls;
    bool is_http;
};

static const struct scheme schemes[] = {
    { "ws", 80, false, false },
    { "wss", 443, true, false },
    { "http", 80, false, true },
    { "https", 443, true, true },
};

/* One URL being read: what is left of it, and what to say about it. */
struct reading {
    const char *text;
    const char *what;
    struct bytes rest;
    struct wire_url url;
    struct err *e;
};

/* The text shown in messages: what users typed, cut where it is absurd. */
#define SHOWN "%.200s"

static const struct scheme *find_scheme(struct bytes name)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (bytes_equal_nocase(name, bytes_of(schemes[i].name))) {
            return &schemes[i];
        }
    }
    return NULL;
}

static const struct scheme *scheme_of(const struct wire_url *u)
{
    for (size_t i = 0;; i++) {
        if (schemes[i].is_tls == u->is_tls && schemes[i].is_http == u->is_http) {
            return &schemes[i];
        }
    }
}

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Words for a text without "://": a forgotten scheme, or a misspelled one. */
static int explain_no_scheme(struct reading *r)
{
    size_t colon = bytes_find(r->rest, bytes_of(":"));
    size_t slash = bytes_find(r->rest, bytes_of("/"));
    size_t word = colon < slash ? colon : slash;
    struct bytes first = bytes_first(r->rest, word);

    if (find_scheme(first) != NULL && word < r->rest.len) {
        struct bytes tail = bytes_from(r->rest, word);

        while (tail.len > 0 && (tail.at[0] == ':' || tail.at[0] == '/')) {
            tail = bytes_from(tail, 1);
        }
        return err_set(r->e, -EINVAL, "%s \"" SHOWN "\": write %.*s://%.200s", r->what,
                       r->text, (int)first.len, (const char *)first.at,
                       tail.len == 0 ? "host:port" : (const char *)tail.at);
    }
    return err_set(r->e, -EINVAL, "%s needs a scheme: ws://" SHOWN, r->what, r->text);
}

static int read_scheme(struct reading *r)
{
    size_t len = bytes_find(r->rest, bytes_of("://"));
    const struct scheme *s;

    if (len == r->rest.len) {
        return explain_no_scheme(r);
    }
    s = find_scheme(bytes_first(r->rest, len));
    if (s == NULL) {
        return err_set(r->e, -EINVAL,
                       "%s \"" SHOWN
                       "\": unknown scheme \"%.*s\" (ws, wss, http, https)",
                       r->what, r->text, (int)(len < 40 ? len : 40), r->text);
    }
    r->url.is_tls = s->is_tls;
    r->url.is_http = s->is_http;
    r->url.port = s->port;
    r->rest = bytes_from(r->rest, len + 3);
    return 0;
}

/* A place for every byte that no part of a URL may hold. */
static int refuse_stray(struct reading *r)
{
    for (const char *at = r->text; *at != '\0'; at++) {
        uint8_t c = (uint8_t)*at;

        if (c == ' ') {
            return err_set(r->e, -EINVAL, "%s \"" SHOWN "\": a space at position %d",
                           r->what, r->text, (int)(at - r->text) + 1);
        }
        if (c < 0x20 || c == 0x7f) {
            return err_set(r->e, -EINVAL,
                           "%s: the URL holds a control character at position %d",
                           r->what, (int)(at - r->text) + 1);
        }
        if (c >= 0x80) {
            return err_set(r->e, -EINVAL,
                           "%s: the URL holds a byte that is not ASCII at position %d "
                           "(percent-encode paths, write hosts as xn--...)",
                           r->what, (int)(at - r->text) + 1);
        }
        if (c == '#') {
            return err_set(r->e, -EINVAL,
                           "%s \"" SHOWN
                           "\": a fragment (#) is never sent, leave it out",
                           r->what, r->text);
        }
    }
    return 0;
}

static int set_host(struct reading *r, struct bytes host)
{
    if (host.len == 0) {
        return err_set(r->e, -EINVAL, "%s \"" SHOWN "\": the host is missing", r->what,
                       r->text);
    }
    if (host.len >= sizeof(r->url.host)) {
        return err_set(r->e, -EINVAL, "%s: the host is longer than %d characters",
                       r->what, (int)sizeof(r->url.host) - 1);
    }
    memcpy(r->url.host, host.at, host.len);
    r->url.host[host.len] = '\0';
    return 0;
}

/* The address without a zone ("fe80::1%eth0") must be one. */
static bool is_ipv6_text(const char *host)
{
    char plain[INET6_ADDRSTRLEN];
    uint8_t address[16];
    size_t len = strcspn(host, "%");

    if (len >= sizeof(plain)) {
        return false;
    }
    memcpy(plain, host, len);
    plain[len] = '\0';
    return inet_pton(AF_INET6, plain, address) == 1 &&
           (host[len] == '\0' || host[len + 1] != '\0');
}

static int read_bracketed(struct reading *r)
{
    size_t end = bytes_find(r->rest, bytes_of("]"));
    int res;

    if (end == r->rest.len) {
        return err_set(r->e, -EINVAL, "%s \"" SHOWN "\": \"[\" is not closed by \"]\"",
                       r->what, r->text);
    }
    res = set_host(r, bytes_make(r->rest.at + 1, end - 1));
    if (res < 0) {
        return res;
    }
    if (!is_ipv6_text(r->url.host)) {
        return err_set(r->e, -EINVAL, "%s \"" SHOWN "\": \"%s\" is not an IPv6 address",
                       r->what, r->text, r->url.host);
    }
    r->url.is_ipv6 = true;
    r->rest = bytes_from(r->rest, end + 1);
    if (r->rest.len > 0 && strchr(":/?", r->rest.at[0]) == NULL) {
        return err_set(r->e, -EINVAL,
                       "%s \"" SHOWN "\": only :port or /path follow \"]\"", r->what,
                       r->text);
    }
    return 0;
}

static int read_name(struct reading *r)
{
    size_t len = 0;
    int res;

    while (len < r->rest.len && strchr(":/?", r->rest.at[len]) == NULL) {
        uint8_t c = r->rest.at[len];

        if (!is_letter(c) && !is_digit(c) && strchr("-._~", c) == NULL) {
            return err_set(r->e, -EINVAL, "%s \"" SHOWN "\": a host cannot hold \"%c\"",
                           r->what, r->text, c);
        }
        len++;
    }
    res = set_host(r, bytes_first(r->rest, len));
    r->rest = bytes_from(r->rest, len);
    return res;
}

static int read_host(struct reading *r)
{
    size_t authority = strcspn((const char *)r->rest.at, "/?");

    if (memchr(r->rest.at, '@', authority) != NULL) {
        return err_set(r->e, -EINVAL,
                       "%s: user names and passwords in URLs are not supported (the "
                       "client's own Authorization field passes through)",
                       r->what);
    }
    if (authority > 0 && r->rest.at[0] == '[') {
        return read_bracketed(r);
    }
    if (memchr(r->rest.at, ':', authority) != memrchr(r->rest.at, ':', authority)) {
        return err_set(r->e, -EINVAL,
                       "%s \"" SHOWN "\": write IPv6 addresses in brackets: [::1]",
                       r->what, r->text);
    }
    return read_name(r);
}

static int read_port(struct reading *r)
{
    uint32_t port = 0;
    size_t len = 0;

    if (r->rest.len == 0 || r->rest.at[0] != ':') {
        return 0;
    }
    r->rest = bytes_from(r->rest, 1);
    while (len < r->rest.len && is_digit(r->rest.at[len]) && port <= UINT16_MAX) {
        port = port * 10 + (uint32_t)(r->rest.at[len++] - '0');
    }
    if (len == 0 || port > UINT16_MAX ||
        (len < r->rest.len && strchr("/?", r->rest.at[len]) == NULL)) {
        return err_set(r->e, -EINVAL,
                       "%s \"" SHOWN "\": the port must be a number from 0 to 65535",
                       r->what, r->text);
    }
    r->url.port = (uint16_t)port;
    r->url.port_given = true;
    r->rest = bytes_from(r->rest, len);
    return 0;
}

static int read_path(struct reading *r)
{
    char *at = r->url.path;

    if (r->rest.len + 2 > sizeof(r->url.path)) {
        return err_set(r->e, -EINVAL, "%s: the path is longer than %d characters",
                       r->what, (int)sizeof(r->url.path) - 2);
    }
    if (r->rest.len > 0 && r->rest.at[0] == '?') {
        *at++ = '/';
    }
    memcpy(at, r->rest.at, r->rest.len);
    at[r->rest.len] = '\0';
    return 0;
}

int wire_url_parse(const char *text, const char *what, struct wire_url *out,
                   struct err *e)
{
    static int (*const steps[])(struct reading *) = { refuse_stray, read_scheme,
                                                      read_host, read_port, read_path };
    struct reading r = { .text = text, .what = what, .rest = bytes_of(text), .e = e };

    if (text[0] == '\0') {
        return err_set(e, -EINVAL, "%s: the URL is empty", what);
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int res = steps[i](&r);

        if (res < 0) {
            return res;
        }
    }
    *out = r.url;
    return 0;
}

/* ":8080". By hand: every request has one. */
static int put_port(struct buf *out, unsigned port)
{
    uint8_t text[sizeof(":65535")];
    size_t at = sizeof(text);

    do {
        text[--at] = (uint8_t)('0' + port % 10);
        port /= 10;
    } while (port > 0);
    text[--at] = ':';
    return buf_put(out, bytes_make(text + at, sizeof(text) - at));
}

static int put_host(struct buf *out, const struct wire_url *u)
{
    return u->is_ipv6 ? buf_put_format(out, "[%s]", u->host)
                      : buf_put_text(out, u->host);
}

int wire_url_put_authority(struct buf *out, const struct wire_url *u)
{
    size_t before = out->len;
    int r = put_host(out, u);

    if (r == 0 && u->port != scheme_of(u)->port) {
        r = put_port(out, u->port);
    }
    if (r < 0) {
        out->len = before;
    }
    return r;
}

int wire_url_put(struct buf *out, const struct wire_url *u)
{
    return buf_put_format(out, u->is_ipv6 ? "%s://[%s]:%u%s" : "%s://%s:%u%s",
                          scheme_of(u)->name, u->host, (unsigned)u->port, u->path);
}

/* Names by which a local listener is reached. */
static bool is_local(const char *host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "::1", "0.0.0.0",
                                         "::" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(host, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool wire_url_is_origin(const struct wire_url *u, struct bytes origin)
{
    char text[sizeof(u->host) + 32];
    struct wire_url o;

    if (origin.len == 0 || origin.len >= sizeof(text) ||
        memchr(origin.at, '\0', origin.len) != NULL) {
        return false;
    }
    memcpy(text, origin.at, origin.len);
    text[origin.len] = '\0';
    if (wire_url_parse(text, "Origin", &o, NULL) < 0 || o.path[0] != '\0') {
        return false;
    }
    return o.port == u->port && (strcasecmp(o.host, u->host) == 0 ||
                                 (is_local(o.host) && is_local(u->host)));
}
