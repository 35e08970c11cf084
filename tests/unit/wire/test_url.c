#include "wire/url.h"

#include "base/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct wire_url parsed(const char *text)
{
    struct wire_url u;
    struct err e = { "" };

    assert_int_equal(wire_url_parse(text, "--upstream", &u, &e), 0);
    return u;
}

static void prints_as(const char *text, const char *expected)
{
    struct wire_url u = parsed(text);
    struct buf out = { 0 };

    assert_int_equal(wire_url_put(&out, &u), 0);
    assert_int_equal(buf_put_byte(&out, 0), 0);
    assert_string_equal((const char *)out.at, expected);
    buf_deinit(&out);
}

static void is_authority(const char *text, const char *expected)
{
    struct wire_url u = parsed(text);
    struct buf out = { 0 };

    assert_int_equal(wire_url_put_authority(&out, &u), 0);
    assert_int_equal(buf_put_byte(&out, 0), 0);
    assert_string_equal((const char *)out.at, expected);
    buf_deinit(&out);
}

static void reads_the_parts(void **state)
{
    struct wire_url u =
        parsed("wss://Staging.example.com/api/v1/websocket?token=a@b:c/d");

    (void)state;
    assert_string_equal(u.host, "Staging.example.com");
    assert_string_equal(u.path, "/api/v1/websocket?token=a@b:c/d");
    assert_int_equal(u.port, 443);
    assert_false(u.port_given);
    assert_true(u.is_tls);
    assert_false(u.is_http);
    assert_false(u.is_ipv6);
    u = parsed("HTTP://[::1]:0");
    assert_string_equal(u.host, "::1");
    assert_string_equal(u.path, "");
    assert_int_equal(u.port, 0);
    assert_true(u.port_given);
    assert_false(u.is_tls);
    assert_true(u.is_http);
    assert_true(u.is_ipv6);
    assert_int_equal(parsed("https://a").port, 443);
    assert_int_equal(parsed("ws://a").port, 80);
    assert_int_equal(parsed("ws://a:65535").port, 65535);
}

static void prints_them_again(void **state)
{
    (void)state;
    prints_as("ws://a", "ws://a:80");
    prints_as("wss://a/", "wss://a:443/");
    prints_as("http://127.0.0.1:8000/x?y", "http://127.0.0.1:8000/x?y");
    prints_as("https://[2001:db8::1]:8443?q", "https://[2001:db8::1]:8443/?q");
    prints_as("ws://[fe80::1%eth0]:1", "ws://[fe80::1%eth0]:1");
    prints_as("ws://a_b-c.d~e:007", "ws://a_b-c.d~e:7");
}

static void prints_authorities(void **state)
{
    (void)state;
    is_authority("ws://a:80/x", "a");
    is_authority("ws://a:443", "a:443");
    is_authority("wss://a:443", "a");
    is_authority("https://[::1]", "[::1]");
    is_authority("http://[::1]:8000", "[::1]:8000");
}

static void refused(const char *text, const char *words)
{
    struct wire_url u = { .port = 7 };
    struct err e = { "" };

    assert_int_equal(wire_url_parse(text, "--upstream", &u, &e), -EINVAL);
    assert_string_equal(e.text, words);
    assert_int_equal(u.port, 7);
    assert_int_equal(wire_url_parse(text, "--upstream", &u, NULL), -EINVAL);
}

static void names_what_is_wrong_with_schemes(void **state)
{
    (void)state;
    refused("", "--upstream: the URL is empty");
    refused("localhost:8000", "--upstream needs a scheme: ws://localhost:8000");
    refused("localhost", "--upstream needs a scheme: ws://localhost");
    refused("[::1]:80/x", "--upstream needs a scheme: ws://[::1]:80/x");
    refused("https//a.example",
            "--upstream \"https//a.example\": write https://a.example");
    refused("ws:/a", "--upstream \"ws:/a\": write ws://a");
    refused("wss:", "--upstream \"wss:\": write wss://host:port");
    refused("ftp://a",
            "--upstream \"ftp://a\": unknown scheme \"ftp\" (ws, wss, http, https)");
    refused("://a", "--upstream \"://a\": unknown scheme \"\" (ws, wss, http, https)");
}

static void names_what_is_wrong_with_hosts(void **state)
{
    (void)state;
    refused("ws://", "--upstream \"ws://\": the host is missing");
    refused("ws:///x", "--upstream \"ws:///x\": the host is missing");
    refused("ws://:80", "--upstream \"ws://:80\": the host is missing");
    refused("ws://?x", "--upstream \"ws://?x\": the host is missing");
    refused("ws://[::1", "--upstream \"ws://[::1\": \"[\" is not closed by \"]\"");
    refused("ws://[]", "--upstream \"ws://[]\": the host is missing");
    refused("ws://[abc]", "--upstream \"ws://[abc]\": \"abc\" is not an IPv6 address");
    refused("ws://[127.0.0.1]",
            "--upstream \"ws://[127.0.0.1]\": \"127.0.0.1\" is not an IPv6 address");
    refused("ws://[fe80::1%]",
            "--upstream \"ws://[fe80::1%]\": \"fe80::1%\" is not an IPv6 address");
    refused("ws://[::1]x",
            "--upstream \"ws://[::1]x\": only :port or /path follow \"]\"");
    refused("ws://::1",
            "--upstream \"ws://::1\": write IPv6 addresses in brackets: [::1]");
    refused("ws://a*b", "--upstream \"ws://a*b\": a host cannot hold \"*\"");
    refused("ws://a\\b", "--upstream \"ws://a\\b\": a host cannot hold \"\\\"");
    refused("ws://me:secret@a",
            "--upstream: user names and passwords in URLs are not "
            "supported (the client's own Authorization field passes "
            "through)");
}

static void names_what_is_wrong_with_the_rest(void **state)
{
    static const char *const ports[] = { "ws://a:",      "ws://a:/x",
                                         "ws://a:65536", "ws://a:99999999999999",
                                         "ws://a:8x",    "ws://a:-1",
                                         "ws://[::1]:" };

    (void)state;
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        char words[128];

        snprintf(words, sizeof(words),
                 "--upstream \"%s\": the port must be a number from 0 to 65535",
                 ports[i]);
        refused(ports[i], words);
    }
    refused("ws://a/#x",
            "--upstream \"ws://a/#x\": a fragment (#) is never sent, leave it out");
    refused("ws://a b", "--upstream \"ws://a b\": a space at position 7");
    refused(" ws://a", "--upstream \" ws://a\": a space at position 1");
    refused("ws://a/\n", "--upstream: the URL holds a control character at position 8");
    refused("ws://a/\xc3\xa4",
            "--upstream: the URL holds a byte that is not ASCII at position 8 "
            "(percent-encode paths, write hosts as xn--...)");
}

static void holds_to_its_limits(void **state)
{
    char text[2048] = "ws://";
    struct wire_url u;
    struct err e;

    (void)state;
    memset(text + 5, 'a', 255);
    assert_int_equal(wire_url_parse(text, "--upstream", &u, &e), 0);
    assert_int_equal(strlen(u.host), 255);
    text[260] = 'a';
    assert_int_equal(wire_url_parse(text, "--upstream", &u, &e), -EINVAL);
    assert_string_equal(e.text, "--upstream: the host is longer than 255 characters");
    memcpy(text, "ws://a/", 7);
    memset(text + 7, 'b', 1021);
    text[7 + 1021] = '\0';
    assert_int_equal(wire_url_parse(text, "--upstream", &u, &e), 0);
    assert_int_equal(strlen(u.path), 1022);
    text[6] = '?';
    assert_int_equal(wire_url_parse(text, "--upstream", &u, &e), 0);
    assert_int_equal(strlen(u.path), 1023);
    text[7 + 1021] = 'b';
    text[7 + 1022] = '\0';
    assert_int_equal(wire_url_parse(text, "--upstream", &u, &e), -EINVAL);
    assert_string_equal(e.text, "--upstream: the path is longer than 1022 characters");
}

static void knows_origins_that_name_it(void **state)
{
    struct wire_url u = parsed("ws://127.0.0.1:8001/ws");
    struct wire_url any = parsed("wss://0.0.0.0:443");
    struct wire_url named = parsed("ws://proxy.test");

    (void)state;
    assert_true(wire_url_is_origin(&u, bytes_of("http://127.0.0.1:8001")));
    assert_true(wire_url_is_origin(&u, bytes_of("http://localhost:8001")));
    assert_true(wire_url_is_origin(&u, bytes_of("https://LOCALHOST:8001")));
    assert_true(wire_url_is_origin(&u, bytes_of("ws://[::1]:8001")));
    assert_true(wire_url_is_origin(&any, bytes_of("https://localhost")));
    assert_true(wire_url_is_origin(&named, bytes_of("http://Proxy.test")));
    assert_true(wire_url_is_origin(&named, bytes_of("http://proxy.test:80")));
    assert_false(wire_url_is_origin(&named, bytes_of("https://proxy.test")));
    assert_false(wire_url_is_origin(&named, bytes_of("http://localhost")));
    assert_false(wire_url_is_origin(&u, bytes_of("http://127.0.0.1:8000")));
    assert_false(wire_url_is_origin(&u, bytes_of("http://127.0.0.1")));
    assert_false(wire_url_is_origin(&u, bytes_of("http://localhost:8001/")));
    assert_false(wire_url_is_origin(&u, bytes_of("null")));
    assert_false(wire_url_is_origin(&u, bytes_of("")));
    assert_false(wire_url_is_origin(&u, bytes_make("http://localhost:8001\0x", 23)));
    assert_false(wire_url_is_origin(&u, (struct bytes){ 0 }));
}

static void prints_nothing_without_memory(void **state)
{
    struct wire_url u =
        parsed("ws://0123456789012345678901234567890123456789012345678901:9");
    struct buf out = { 0 };
    bool hit = true;

    (void)state;
    for (unsigned nth = 0; hit; nth++) {
        int r;

        alloc_fail_at(nth);
        r = wire_url_put_authority(&out, &u);
        hit = alloc_fail_clear();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        assert_int_equal(out.len, hit ? 0 : 54);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_parts),
        cmocka_unit_test(prints_them_again),
        cmocka_unit_test(prints_authorities),
        cmocka_unit_test(names_what_is_wrong_with_schemes),
        cmocka_unit_test(names_what_is_wrong_with_hosts),
        cmocka_unit_test(names_what_is_wrong_with_the_rest),
        cmocka_unit_test(holds_to_its_limits),
        cmocka_unit_test(knows_origins_that_name_it),
        cmocka_unit_test(prints_nothing_without_memory),
    };

    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
