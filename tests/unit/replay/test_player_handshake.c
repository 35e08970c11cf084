/* The tape plays the backend: the 101, as far as the live client offers it. */
#include "tests/unit/replay/player_rig.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define THEN                                                                           \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"     \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define AGREES                                                                         \
    "HTTP/1.1 101 Sure\r\nserver: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define AGREED "HTTP/1.1 101 Sure\nserver: x\nUpgrade: websocket\nConnection: Upgrade\n"
#define RIGHT  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

/* The recorded handshake with these fields; the live client asks with others. */
static void shake(struct rig *r, const char *then, const char *answer, const char *live)
{
    char text[1024];

    put_open(&r->tape, 1);
    snprintf(text, sizeof(text), THEN "%s\r\n", then);
    put_request(&r->tape, 1, text);
    snprintf(text, sizeof(text), AGREES "%sX-Last: y\r\n\r\n", answer);
    put_response(&r->tape, 1, text);
    put_text(&r->tape, CLIENT, "x");
    put_summary(&r->tape);
    rig_start(r);
    snprintf(text, sizeof(text), ASK "%s\r\n", live);
    rig_text(r, text);
}

#define LAST "X-Last: y\n\n"

static void accepts_the_live_key(void **state)
{
    struct rig *r = *state;

    shake(r, "", RIGHT, "");
    rig_expect(r, AGREED "Sec-WebSocket-Accept: accept-" LIVE_KEY "\n" LAST);
}

static void stays_wrong_where_it_was_wrong(void **state)
{
    struct rig *r = *state;

    shake(r, "", "sec-websocket-accept:  bad\r\n", "");
    rig_expect(r, AGREED "sec-websocket-accept:  bad\n" LAST);
}

static void chooses_a_protocol_that_is_offered(void **state)
{
    struct rig *r = *state;

    shake(r, "Sec-WebSocket-Protocol: a, b\r\n", "Sec-WebSocket-Protocol: b\r\n",
          "Sec-WebSocket-Protocol: c\r\nX: y\r\nSec-WebSocket-Protocol: d , b\r\n");
    rig_expect(r, AGREED "Sec-WebSocket-Protocol: b\n" LAST);
}

static void tells_a_protocol_that_is_not_offered(void **state)
{
    struct rig *r = *state;

    shake(r, "Sec-WebSocket-Protocol: a, b\r\n", "Sec-WebSocket-Protocol: b\r\n",
          "Sec-WebSocket-Protocol: B\r\n");
    rig_expect(r, "! field Sec-WebSocket-Protocol b -> B\n" AGREED LAST);
}

static void tells_a_protocol_when_none_is_offered(void **state)
{
    struct rig *r = *state;

    shake(r, "Sec-WebSocket-Protocol: a\r\n", "Sec-WebSocket-Protocol: a\r\n", "");
    rig_expect(r, "! field Sec-WebSocket-Protocol a -> -\n" AGREED LAST);
}

/* The tape's backend broke the rules, and does so again. */
static void chooses_what_nobody_offered(void **state)
{
    struct rig *r = *state;

    shake(r, "", "Sec-WebSocket-Protocol: z\r\nSec-WebSocket-Extensions: odd\r\n", "");
    rig_expect(r, AGREED
               "Sec-WebSocket-Protocol: z\nSec-WebSocket-Extensions: odd\n" LAST);
}

static void drops_extensions_that_are_not_offered(void **state)
{
    struct rig *r = *state;

    shake(r, "Sec-WebSocket-Extensions: one, two, three\r\n",
          "Sec-WebSocket-Extensions: one;a=\"1,2\", two, three\r\n",
          "Sec-WebSocket-Extensions: three, one\r\n");
    rig_expect(
        r, "! note the client does not offer two: the answer goes without it\n" AGREED
           "Sec-WebSocket-Extensions: one;a=\"1,2\", three\n" LAST);
}

/* ---- permessage-deflate: what was offered and agreed, what is offered, what then ----
 */

static const struct {
    const char *then, *agreed, *live, *said;
} terms[] = {
    { "", "", "", "" },
    { "", "; server_no_context_takeover", "; client_max_window_bits",
      "; server_no_context_takeover" },
    { "; client_max_window_bits", "; client_max_window_bits=12", "", "" },
    { "; client_max_window_bits", ";client_max_window_bits=\"12\"",
      "; client_max_window_bits", ";client_max_window_bits=\"12\"" },
    { "; client_max_window_bits", "; client_max_window_bits=12",
      "; client_max_window_bits=10", "; client_max_window_bits=10" },
    { "; client_max_window_bits", "; client_max_window_bits=12",
      "; client_max_window_bits=13", "; client_max_window_bits=12" },
    { "", "", "; server_no_context_takeover", "; server_no_context_takeover" },
    { "", "", "; server_max_window_bits=9", "; server_max_window_bits=9" },
    { "", "; server_max_window_bits=9", "; server_max_window_bits=11",
      "; server_max_window_bits=9" },
    { "", "; server_max_window_bits=11", "", "; server_max_window_bits=11" },
    { "", "; client_no_context_takeover", "", "; client_no_context_takeover" },
    { "", "; client_no_context_takeover", "; server_no_context_takeover",
      "; server_no_context_takeover; client_no_context_takeover" },
    { "", "", "; odd=1, permessage-deflate; server_no_context_takeover",
      "; server_no_context_takeover" },
    { "", "", "; server_max_window_bits=7, permessage-deflate", "" },
};

static void agrees_on_what_is_offered(void **state)
{
    struct rig *first = *state;

    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
        char then[200], agreed[200], live[200], said[400];
        struct rig r;

        rig_init(&r);
        r.chunk = first->chunk;
        snprintf(then, sizeof(then),
                 "Sec-WebSocket-Extensions: permessage-deflate%s\r\n", terms[i].then);
        snprintf(agreed, sizeof(agreed),
                 "Sec-WebSocket-Extensions: permessage-deflate%s\r\n", terms[i].agreed);
        snprintf(live, sizeof(live),
                 "Sec-WebSocket-Extensions: permessage-deflate%s\r\n", terms[i].live);
        snprintf(said, sizeof(said),
                 AGREED "Sec-WebSocket-Extensions: permessage-deflate%s\n" LAST,
                 terms[i].said);
        shake(&r, then, agreed, live);
        rig_expect(&r, said);
        rig_deinit(&r);
    }
}

static void goes_without_deflate_when_it_is_not_offered(void **state)
{
    struct rig *r = *state;

    shake(r, "Sec-WebSocket-Extensions: permessage-deflate\r\n",
          "Sec-WebSocket-Extensions: permessage-deflate\r\n",
          "Sec-WebSocket-Extensions: permessage-deflate; odd\r\n");
    rig_expect(r, "! note the client does not offer permessage-deflate: messages go "
                  "uncompressed\n" AGREED LAST);
}

static void agrees_on_nothing_that_was_not_agreed(void **state)
{
    struct rig *r = *state;

    shake(r, "Sec-WebSocket-Extensions: permessage-deflate\r\n", "",
          "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    rig_expect(r, AGREED LAST);
}

/* ---- handshakes that no server takes ---- */

#define PLAIN_ASK                                                                      \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY         "Sec-WebSocket-Key: " LIVE_KEY "\r\n"
#define VERSION     "Sec-WebSocket-Version: 13\r\n"
#define BAD_REQUEST "HTTP/1.1 400 Bad Request\n"
#define NEEDS_13                                                                       \
    "HTTP/1.1 426 Upgrade Required\nUpgrade: websocket\nConnection: Upgrade\n"         \
    "Sec-WebSocket-Version: 13\n"

static const struct {
    const char *fields, *status, *why;
} flaws[] = {
    { VERSION, BAD_REQUEST, "no Sec-WebSocket-Key in the handshake" },
    { VERSION "Sec-WebSocket-Key: x\r\n", BAD_REQUEST,
      "Sec-WebSocket-Key is 'x', not 16 bytes in base64" },
    { VERSION KEY KEY, BAD_REQUEST,
      "more than one Sec-WebSocket-Key in the handshake" },
    { KEY, BAD_REQUEST, "no Sec-WebSocket-Version in the handshake" },
    { KEY "Sec-WebSocket-Version: 8\r\n", NEEDS_13,
      "Sec-WebSocket-Version is '8', not 13" },
};

enum { FLAWS = sizeof(flaws) / sizeof(flaws[0]) };

/* The handshake with sound fields; the client's message and the answer behind it. */
static void tape_sound(struct rig *r)
{
    put_open(&r->tape, 1);
    put_request(&r->tape, 1, THEN VERSION "\r\n");
    put_response(&r->tape, 1, AGREES RIGHT "\r\n");
    put_text(&r->tape, SERVER, "hi");
    put_summary(&r->tape);
}

static void refuse(struct rig *r, size_t i)
{
    char text[512];

    snprintf(text, sizeof(text), PLAIN_ASK "%s\r\n", flaws[i].fields);
    rig_text(r, text);
}

static void expect_refusal(struct rig *r, size_t i)
{
    char body[256], said[1024];
    int len = snprintf(body, sizeof(body),
                       "{\"error\":\"GET /ws: %s\",\"method\":\"GET\","
                       "\"target\":\"/ws\"}\n",
                       flaws[i].why);

    snprintf(said, sizeof(said),
             "! broken GET /ws: %s: answered with %.3s\n%s"
             "Content-Type: application/json\nContent-Length: %d\n"
             "Connection: close\n\n%send fin\n",
             flaws[i].why, flaws[i].status + strlen("HTTP/1.1 "), flaws[i].status, len,
             body);
    rig_expect(r, said);
}

/* They take no turn: the client may ask again. */
static void refuses_as_a_server_does(void **state)
{
    struct rig *r = *state;

    r->options.when_exhausted = REPLAY_REFUSE;
    tape_sound(r);
    rig_start(r);
    for (size_t i = 0; i < FLAWS; i++) {
        refuse(r, i);
        expect_refusal(r, i);
        rig_connect(r);
    }
    rig_shake(r, "");
    rig_expect(r, "text hi\n");
}

/* Its backend took that as well. */
static void takes_what_the_backend_of_the_tape_took(void **state)
{
    struct rig *first = *state;

    for (size_t i = 0; i < FLAWS; i++) {
        struct rig r;
        char text[512];

        rig_init(&r);
        r.chunk = first->chunk;
        put_open(&r.tape, 1);
        snprintf(text, sizeof(text), PLAIN_ASK "%s\r\n", flaws[i].fields);
        put_request(&r.tape, 1, text);
        put_response(&r.tape, 1, AGREES "\r\n");
        put_summary(&r.tape);
        rig_start(&r);
        refuse(&r, i);
        rig_expect(&r, AGREED "\n");
        rig_connect(&r);
        refuse(&r, (i + 1) % FLAWS);
        expect_refusal(&r, (i + 1) % FLAWS);
        rig_deinit(&r);
    }
}

/* What the tape refused is refused as there. */
static void leaves_refusals_to_the_tape(void **state)
{
    struct rig *r = *state;

    put_open(&r->tape, 1);
    put_request(&r->tape, 1, THEN VERSION "\r\n");
    put_response(&r->tape, 1, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    put_summary(&r->tape);
    rig_start(r);
    rig_text(r, PLAIN_ASK "\r\n");
    rig_expect(r, "HTTP/1.1 403 No\nContent-Length: 0\n\n");
}

static void refuse_the_version(struct rig *r)
{
    refuse(r, FLAWS - 1);
}

static void survives_every_failed_allocation_of_a_refusal(void **state)
{
    tape_sound(*state);
    rig_fail_each(*state, refuse_the_version);
    expect_refusal(*state, FLAWS - 1);
}

static void ask(struct rig *r)
{
    rig_text(r, ASK "Sec-WebSocket-Protocol: b\r\n"
                    "Sec-WebSocket-Extensions: permessage-deflate; "
                    "server_no_context_takeover\r\n\r\n");
}

static void survives_every_failed_allocation(void **state)
{
    struct rig *r = *state;

    put_open(&r->tape, 1);
    put_request(&r->tape, 1,
                THEN "Sec-WebSocket-Protocol: b\r\n"
                     "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    put_response(&r->tape, 1,
                 AGREES RIGHT "Sec-WebSocket-Protocol: b\r\n"
                              "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    put_summary(&r->tape);
    rig_fail_each(r, ask);
    rig_expect(r, AGREED "Sec-WebSocket-Accept: accept-" LIVE_KEY "\n"
                         "Sec-WebSocket-Protocol: b\n"
                         "Sec-WebSocket-Extensions: permessage-deflate; "
                         "server_no_context_takeover\n\n");
}

#define EACH(test)                                                                     \
    cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown, &whole),   \
        cmocka_unit_test_prestate_setup_teardown(test, rig_setup, rig_teardown,        \
                                                 &bytes)

int main(void)
{
    size_t whole = 0, bytes = 1;
    const struct CMUnitTest tests[] = {
        EACH(accepts_the_live_key),
        EACH(stays_wrong_where_it_was_wrong),
        EACH(chooses_a_protocol_that_is_offered),
        EACH(tells_a_protocol_that_is_not_offered),
        EACH(tells_a_protocol_when_none_is_offered),
        EACH(chooses_what_nobody_offered),
        EACH(drops_extensions_that_are_not_offered),
        EACH(agrees_on_what_is_offered),
        EACH(goes_without_deflate_when_it_is_not_offered),
        EACH(agrees_on_nothing_that_was_not_agreed),
        EACH(refuses_as_a_server_does),
        EACH(takes_what_the_backend_of_the_tape_took),
        EACH(leaves_refusals_to_the_tape),
        EACH(survives_every_failed_allocation_of_a_refusal),
        EACH(survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
