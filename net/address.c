#include "base/alloc.h"
#include "net/net_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MOST_ADDRESSES = 16 }; /* of one name; a list longer than this is cut */

static struct net_addresses *addresses_new(size_t count)
{
    struct net_addresses *a =
        alloc_zero(1, sizeof(*a) + count * sizeof(struct sockaddr_storage));

    if (a != NULL) {
        a->refs = 1;
        a->count = count;
    }
    return a;
}

void net_addresses_unref(struct net_addresses *a)
{
    if (a != NULL && --a->refs == 0) {
        alloc_free(a);
    }
}

void net_address_set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
    }
}

uint16_t net_address_port(const struct sockaddr_storage *a)
{
    return ntohs(a->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)a)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)a)->sin_port);
}

bool net_address_is_any(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET6) {
        return IN6_IS_ADDR_UNSPECIFIED(
            &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
    }
    return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr == INADDR_ANY;
}

static bool parse_literal(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    return uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)out) == 0;
}

/* `host` is `name` or ends in ".name"; one final dot does not count. */
static bool is_under(const char *host, const char *name)
{
    size_t len = strlen(host);
    size_t want = strlen(name);

    if (len > 0 && host[len - 1] == '.') {
        len--;
    }
    return len >= want && strncasecmp(host + len - want, name, want) == 0 &&
           (len == want || host[len - want - 1] == '.');
}

static int loopback(uint16_t port, struct net_addresses **out)
{
    struct net_addresses *a = addresses_new(2);

    if (a == NULL) {
        return -ENOMEM;
    }
    parse_literal("::1", port, &a->at[0]);
    parse_literal("127.0.0.1", port, &a->at[1]);
    *out = a;
    return 0;
}

int net_addresses_known(const char *host, uint16_t port, struct net_addresses **out)
{
    struct sockaddr_storage literal = { 0 };
    struct net_addresses *a;

    if (is_under(host, "localhost")) {
        return loopback(port, out);
    }
    if (is_under(host, "invalid")) {
        return -ENOENT;
    }
    if (!parse_literal(host, port, &literal)) {
        return NET_ADDRESS_MUST_ASK;
    }
    a = addresses_new(1);
    if (a == NULL) {
        return -ENOMEM;
    }
    a->at[0] = literal;
    *out = a;
    return 0;
}

static bool usable(const struct addrinfo *i)
{
    return (i->ai_family == AF_INET || i->ai_family == AF_INET6) &&
           i->ai_addrlen <= sizeof(struct sockaddr_storage);
}

int net_addresses_from(const struct addrinfo *list, uint16_t port,
                       struct net_addresses **out)
{
    struct net_addresses *a = addresses_new(MOST_ADDRESSES);

    if (a == NULL) {
        return -ENOMEM;
    }
    a->count = 0;
    for (; list != NULL && a->count < MOST_ADDRESSES; list = list->ai_next) {
        if (usable(list)) {
            memcpy(&a->at[a->count], list->ai_addr, list->ai_addrlen);
            net_address_set_port(&a->at[a->count], port);
            a->count++;
        }
    }
    if (a->count == 0) {
        net_addresses_unref(a);
        return -ENOENT;
    }
    *out = a;
    return 0;
}

struct addrinfo net_address_hints(void)
{
    return (struct addrinfo){ .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
}

int net_address_error(int uv_code)
{
    switch (uv_code) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_ADDRFAMILY:
        return -ENOENT;
    case UV_EAI_AGAIN:
        return -EAGAIN;
    case UV_EAI_MEMORY:
        return -ENOMEM;
    case UV_EAI_CANCELED:
        return -ECANCELED;
    default: /* the rest of UV_EAI_ is far below any errno */
        return uv_code <= UV_EAI_ADDRFAMILY ? -EREMOTEIO : uv_code;
    }
}

static char *put_number(char *at, unsigned number)
{
    if (number >= 10) {
        at = put_number(at, number / 10);
    }
    *at = (char)('0' + number % 10);
    return at + 1;
}

/* By hand: it is done three times a connection. */
static void v4_text(const void *address, in_port_t port, char *out, size_t cap)
{
    char text[sizeof("255.255.255.255:65535")], *at = text;
    uint8_t octets[4];
    size_t len;

    memcpy(octets, address, sizeof(octets));
    for (size_t i = 0; i < sizeof(octets); i++) {
        at = put_number(at, octets[i]);
        *at++ = i < 3 ? '.' : ':';
    }
    len = (size_t)(put_number(at, ntohs(port)) - text);
    len = len < cap ? len : cap - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

void net_address_text(const struct sockaddr *a, char *out, size_t cap)
{
    out[0] = '\0';
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)a;

        v4_text(&v4->sin_addr, v4->sin_port, out, cap);
    } else if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)a;
        char host[INET6_ADDRSTRLEN] = "";

        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
            v4_text(&v6->sin6_addr.s6_addr[12], v6->sin6_port, out, cap);
        } else {
            inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
            snprintf(out, cap, "[%s]:%u", host, ntohs(v6->sin6_port));
        }
    }
}
