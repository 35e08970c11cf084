/*
 * wire/url - the URLs that users give: ws, wss, http, https with host, port, path.
 *
 * Not a general URL parser (RFC 3986): no user info, no fragment.
 */
#ifndef WSTAPE_WIRE_URL_H
#define WSTAPE_WIRE_URL_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct wire_url {
    char host[256];  /* without brackets */
    char path[1024]; /* "" or starts with "/", query included */
    uint16_t port;   /* given, or the scheme's default */
    bool port_given;
    bool is_tls;  /* wss, https */
    bool is_http; /* http, https rather than ws, wss */
    bool is_ipv6; /* the host is an IPv6 literal */
};

/* `what` names the option for the message: "--upstream". -EINVAL with words in `e`.
 * Port 0 is taken. A host without scheme ("localhost:80") is an error that says so. */
int wire_url_parse(const char *text, const char *what, struct wire_url *out,
                   struct err *e);

/* Append "host:port", the port left out when it is the scheme's default: what a Host
 * field holds (RFC 9110, 7.2). -ENOMEM. */
int wire_url_put_authority(struct buf *out, const struct wire_url *u);

/* Append "ws://host:port/path", the port always written. -ENOMEM. */
int wire_url_put(struct buf *out, const struct wire_url *u);

/* True when `origin` (an Origin field, RFC 6454: scheme "://" host [":" port]) names
 * the host and port of `u`, whether by http(s) or ws(s) scheme. localhost, 127.0.0.1
 * and
 * [::1] count as the same host. */
bool wire_url_is_origin(const struct wire_url *u, struct bytes origin);

#endif
