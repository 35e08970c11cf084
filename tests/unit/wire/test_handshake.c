#include "wire/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static bool asks(const char *text)
{
    struct wire_head h;

    assert_int_equal(wire_head_parse(bytes_of(text), true, &h), 0);
    return wire_handshake_asks(bytes_of(text), &h);
}

static bool agrees(const char *text)
{
    struct wire_head h;

    assert_int_equal(wire_head_parse(bytes_of(text), false, &h), 0);
    return wire_handshake_agrees(bytes_of(text), &h);
}

#define BOTH "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

static void tells_who_asks(void **state)
{
    (void)state;
    assert_true(asks("GET /ws HTTP/1.1\r\n" BOTH));
    assert_true(asks("GET /ws HTTP/1.1\r\nUPGRADE: h2c, WebSocket\r\n"
                     "connection: keep-alive\r\nconnection: upgrade\r\n\r\n"));
    assert_false(asks("POST /ws HTTP/1.1\r\n" BOTH));
    assert_false(asks("GET /ws HTTP/1.0\r\n" BOTH));
    assert_false(asks("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"));
    assert_false(asks("GET /ws HTTP/1.1\r\nConnection: Upgrade\r\n\r\n"));
    assert_false(
        asks("GET /ws HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"));
    assert_false(asks("GET /ws HTTP/1.1\r\nUpgrade: websockets\r\n"
                      "Connection: Upgrade\r\n\r\n"));
}

static void tells_who_agrees(void **state)
{
    (void)state;
    assert_true(agrees("HTTP/1.1 101 Switching Protocols\r\n" BOTH));
    assert_false(agrees("HTTP/1.1 200 OK\r\n" BOTH));
    assert_false(agrees("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n"
                        "Connection: Upgrade\r\n\r\n"));
}

static enum wire_handshake_flaw flaw(const char *fields)
{
    struct wire_head h;
    char text[512];

    snprintf(text, sizeof(text), "GET /ws HTTP/1.1\r\n%s" BOTH, fields);
    assert_int_equal(wire_head_parse(bytes_of(text), true, &h), 0);
    return wire_handshake_flaw(bytes_of(text), &h);
}

#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

static void tells_what_a_server_refuses(void **state)
{
    static const char *const bad_keys[] = { "",
                                            "x",
                                            "dGhlIHNhbXBsZSBub25jZQ=",
                                            "dGhlIHNhbXBsZSBub25jZQ===",
                                            "dGhlIHNhbXBsZSBub25jZQAA",
                                            "dGhlIHNhbXBsZSBub25jZ===",
                                            "dGhlIHNhbXBsZSBub25jZ-==",
                                            "dGhlIHNhbXBsZSBub25jZ\xc3==",
                                            "dGhlIHNhbXBsZS, ub25jZQ==" };

    (void)state;
    assert_int_equal(flaw(KEY VERSION), WIRE_HANDSHAKE_SOUND);
    assert_int_equal(flaw("sec-websocket-version:13\r\n"
                          "SEC-WEBSOCKET-KEY:  +/azAZ09+/azAZ09+/azAZ==  \r\n"),
                     WIRE_HANDSHAKE_SOUND);
    assert_int_equal(flaw(VERSION), WIRE_HANDSHAKE_NO_KEY);
    assert_int_equal(flaw(""), WIRE_HANDSHAKE_NO_KEY);
    assert_int_equal(flaw(KEY KEY VERSION), WIRE_HANDSHAKE_TWO_KEYS);
    assert_int_equal(flaw(KEY), WIRE_HANDSHAKE_NO_VERSION);
    for (size_t i = 0; i < sizeof(bad_keys) / sizeof(bad_keys[0]); i++) {
        char text[128];

        snprintf(text, sizeof(text), "Sec-WebSocket-Key: %s\r\n" VERSION, bad_keys[i]);
        assert_int_equal(flaw(text), WIRE_HANDSHAKE_BAD_KEY);
    }
    assert_int_equal(flaw(KEY "Sec-WebSocket-Version: 8\r\n"),
                     WIRE_HANDSHAKE_OTHER_VERSION);
    assert_int_equal(flaw(KEY "Sec-WebSocket-Version: 13, 8\r\n"),
                     WIRE_HANDSHAKE_OTHER_VERSION);
    assert_int_equal(flaw(KEY VERSION "Sec-WebSocket-Version: 8\r\n"),
                     WIRE_HANDSHAKE_OTHER_VERSION);
}

/* ---- lists ---- */

static void lists(const char *value, const char *const *expected)
{
    struct bytes element;
    size_t at = 0;

    for (; *expected != NULL; expected++) {
        assert_true(wire_list_next(bytes_of(value), &at, &element));
        assert_int_equal(element.len, strlen(*expected));
        assert_memory_equal(element.at, *expected, element.len);
    }
    assert_false(wire_list_next(bytes_of(value), &at, &element));
}

static void splits_lists(void **state)
{
    (void)state;
    lists("", (const char *[]){ NULL });
    lists(" , ,,\t", (const char *[]){ NULL });
    lists("a; x=1, b", (const char *[]){ "a; x=1", "b", NULL });
    lists(",a,,b ,\t c,", (const char *[]){ "a", "b", "c", NULL });
    lists("a;q=\"1,2\", b", (const char *[]){ "a;q=\"1,2\"", "b", NULL });
    lists("a;q=\"\\\",\", b", (const char *[]){ "a;q=\"\\\",\"", "b", NULL });
    lists("a;q=\"open, b", (const char *[]){ "a;q=\"open, b", NULL });
    lists("a;q=\"x\\", (const char *[]){ "a;q=\"x\\", NULL });
    lists("\"\", \"", (const char *[]){ "\"\"", "\"", NULL });
}

/* ---- extensions ---- */

static struct wire_deflate_params read(const char *fields, bool *others)
{
    struct wire_deflate_params p;
    char text[512];
    struct wire_head h;

    snprintf(text, sizeof(text), "HTTP/1.1 101 x\r\n%s\r\n", fields);
    assert_int_equal(wire_head_parse(bytes_of(text), false, &h), 0);
    wire_handshake_extensions(bytes_of(text), &h, &p, others);
    return p;
}

static void is(const char *fields, const struct wire_deflate_params *expected,
               bool others)
{
    bool unknown = !others;
    struct wire_deflate_params p = read(fields, &unknown);

    assert_int_equal(p.agreed, expected->agreed);
    assert_int_equal(p.server_no_context_takeover,
                     expected->server_no_context_takeover);
    assert_int_equal(p.client_no_context_takeover,
                     expected->client_no_context_takeover);
    assert_int_equal(p.server_max_window_bits, expected->server_max_window_bits);
    assert_int_equal(p.client_max_window_bits, expected->client_max_window_bits);
    assert_int_equal(unknown, others);
}

#define EXT "Sec-WebSocket-Extensions: "

static void reads_permessage_deflate(void **state)
{
    (void)state;
    is("", &(struct wire_deflate_params){ false, false, false, 15, 15 }, false);
    is(EXT "permessage-deflate\r\n",
       &(struct wire_deflate_params){ true, false, false, 15, 15 }, false);
    is(EXT
       "permessage-deflate; server_no_context_takeover; client_max_window_bits=10\r\n",
       &(struct wire_deflate_params){ true, true, false, 15, 10 }, false);
    is("sec-websocket-extensions:Permessage-Deflate;Client_No_Context_Takeover;"
       "server_max_window_bits = \"9\" ;client_max_window_bits=\"15\"\r\n",
       &(struct wire_deflate_params){ true, false, true, 9, 15 }, false);
    is(EXT "permessage-deflate;server_max_window_bits=8;client_max_window_bits=14\r\n",
       &(struct wire_deflate_params){ true, false, false, 8, 14 }, false);
}

static void passes_over_other_extensions(void **state)
{
    (void)state;
    is(EXT "x-other; a=\"permessage-deflate, b\"\r\n",
       &(struct wire_deflate_params){ false, false, false, 15, 15 }, true);
    is(EXT "x-other\r\n" EXT ", permessage-deflate;client_no_context_takeover\r\n",
       &(struct wire_deflate_params){ true, false, true, 15, 15 }, true);
    is(EXT "permessage-deflate, permessage-deflate; server_max_window_bits=9\r\n",
       &(struct wire_deflate_params){ true, false, false, 15, 15 }, true);
    is(EXT "permessage-deflate2\r\n",
       &(struct wire_deflate_params){ false, false, false, 15, 15 }, true);
}

static void takes_malformed_parameters_for_absent(void **state)
{
    static const char *const values[] = { "",   "=",    "=7",      "=16",   "=08",
                                          "=a", "=\"",  "=\"\"",   "=\"10", "=100",
                                          "=1", "=-10", "=\" 10\"" };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char text[128];

        snprintf(text, sizeof(text),
                 EXT "permessage-deflate;server_max_window_bits%s\r\n", values[i]);
        is(text, &(struct wire_deflate_params){ true, false, false, 15, 15 }, false);
    }
    is(EXT ";;;\r\n", &(struct wire_deflate_params){ false, false, false, 15, 15 },
       false);
    is(EXT "permessage-deflate;;=;unknown=1\r\n",
       &(struct wire_deflate_params){ true, false, false, 15, 15 }, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_who_asks),
        cmocka_unit_test(tells_who_agrees),
        cmocka_unit_test(tells_what_a_server_refuses),
        cmocka_unit_test(splits_lists),
        cmocka_unit_test(reads_permessage_deflate),
        cmocka_unit_test(passes_over_other_extensions),
        cmocka_unit_test(takes_malformed_parameters_for_absent),
    };

    return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
