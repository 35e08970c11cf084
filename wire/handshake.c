#include "wire/handshake.h"

static bool upgrades(struct bytes head, const struct wire_head *h)
{
    return wire_head_has_token(head, h, "Connection", "upgrade") &&
           wire_head_has_token(head, h, "Upgrade", "websocket");
}

bool wire_handshake_asks(struct bytes request, const struct wire_head *h)
{
    return h->minor >= 1 && bytes_equal(h->method, bytes_of("GET")) &&
           upgrades(request, h);
}

static bool is_base64(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '/';
}

/* 16 bytes: 22 characters and the padding. */
static bool is_key(struct bytes value)
{
    if (value.len != 24 || value.at[22] != '=' || value.at[23] != '=') {
        return false;
    }
    for (size_t i = 0; i < 22; i++) {
        if (!is_base64(value.at[i])) {
            return false;
        }
    }
    return true;
}

enum wire_handshake_flaw wire_handshake_flaw(struct bytes request,
                                             const struct wire_head *h)
{
    size_t at = h->fields_at, keys = 0, versions = 0;
    bool key = true, version = true;
    struct wire_field f;

    while (wire_head_next(request, &at, &f)) {
        if (bytes_equal_nocase(f.name, bytes_of("Sec-WebSocket-Key"))) {
            keys++;
            key = key && is_key(f.value);
        } else if (bytes_equal_nocase(f.name, bytes_of("Sec-WebSocket-Version"))) {
            versions++;
            version = version && bytes_equal(f.value, bytes_of("13"));
        }
    }
    if (keys != 1) {
        return keys == 0 ? WIRE_HANDSHAKE_NO_KEY : WIRE_HANDSHAKE_TWO_KEYS;
    }
    if (!key) {
        return WIRE_HANDSHAKE_BAD_KEY;
    }
    if (versions == 0) {
        return WIRE_HANDSHAKE_NO_VERSION;
    }
    return version ? WIRE_HANDSHAKE_SOUND : WIRE_HANDSHAKE_OTHER_VERSION;
}

bool wire_handshake_agrees(struct bytes response, const struct wire_head *h)
{
    return h->status == 101 && upgrades(response, h);
}

/* Where `stop` next occurs outside quoted strings, from `at` on; b.len when nowhere. */
static size_t find_unquoted(struct bytes b, size_t at, uint8_t stop)
{
    bool quoted = false;

    for (; at < b.len; at++) {
        if (quoted && b.at[at] == '\\') {
            at++; /* quoted-pair: the next byte stands for itself */
        } else if (b.at[at] == '"') {
            quoted = !quoted;
        } else if (!quoted && b.at[at] == stop) {
            return at;
        }
    }
    return b.len;
}

static bool next_part(struct bytes value, size_t *at, uint8_t stop, struct bytes *out)
{
    while (*at < value.len) {
        size_t end = find_unquoted(value, *at, stop);
        struct bytes part = { value.at + *at, end - *at };

        *at = end < value.len ? end + 1 : end;
        part = bytes_trim(part);
        if (part.len > 0) {
            *out = part;
            return true;
        }
    }
    return false;
}

bool wire_list_next(struct bytes value, size_t *at, struct bytes *element)
{
    return next_part(value, at, ',', element);
}

/* 8..15 from `15` or `"15"` (RFC 7692, 7.1.2), 15 for anything else. */
static uint8_t window_bits(struct bytes value)
{
    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"') {
        value = bytes_make(value.at + 1, value.len - 2);
    }
    if (value.len == 1 && (value.at[0] == '8' || value.at[0] == '9')) {
        return (uint8_t)(value.at[0] - '0');
    }
    if (value.len == 2 && value.at[0] == '1' && value.at[1] >= '0' &&
        value.at[1] <= '5') {
        return (uint8_t)(10 + value.at[1] - '0');
    }
    return 15;
}

static void read_param(struct bytes param, struct wire_deflate_params *out)
{
    size_t eq = bytes_find(param, bytes_of("="));
    struct bytes name = bytes_trim(bytes_first(param, eq));
    struct bytes value = bytes_trim(bytes_from(param, eq < param.len ? eq + 1 : eq));

    if (bytes_equal_nocase(name, bytes_of("server_no_context_takeover"))) {
        out->server_no_context_takeover = true;
    } else if (bytes_equal_nocase(name, bytes_of("client_no_context_takeover"))) {
        out->client_no_context_takeover = true;
    } else if (bytes_equal_nocase(name, bytes_of("server_max_window_bits"))) {
        out->server_max_window_bits = window_bits(value);
    } else if (bytes_equal_nocase(name, bytes_of("client_max_window_bits"))) {
        out->client_max_window_bits = window_bits(value);
    }
}

static void read_extension(struct bytes extension, struct wire_deflate_params *out,
                           bool *others)
{
    struct bytes part;
    size_t at = 0;

    if (!next_part(extension, &at, ';', &part)) {
        return; /* nothing but semicolons */
    }
    if (out->agreed || !bytes_equal_nocase(part, bytes_of("permessage-deflate"))) {
        *others = true;
        return;
    }
    out->agreed = true;
    while (next_part(extension, &at, ';', &part)) {
        read_param(part, out);
    }
}

void wire_handshake_extensions(struct bytes response, const struct wire_head *h,
                               struct wire_deflate_params *out, bool *others)
{
    struct wire_deflate_params params = { .server_max_window_bits = 15,
                                          .client_max_window_bits = 15 };
    struct bytes name = bytes_of("Sec-WebSocket-Extensions");
    struct wire_field field;
    struct bytes element;
    size_t at = h->fields_at;
    bool unknown = false;

    while (wire_head_next(response, &at, &field)) {
        size_t list_at = 0;

        if (!bytes_equal_nocase(field.name, name)) {
            continue;
        }
        while (wire_list_next(field.value, &list_at, &element)) {
            read_extension(element, &params, &unknown);
        }
    }
    *out = params;
    *others = unknown;
}
