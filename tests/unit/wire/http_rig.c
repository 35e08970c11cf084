#include "tests/unit/wire/http_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct run {
    const struct http_input *in;
    struct wire_http *http;
    struct http_said *out;
    const char *answers; /* the next one */
    bool in_body;
    bool over;
};

__attribute__((format(printf, 2, 3))) static void say(struct http_said *s,
                                                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    s->len +=
        (size_t)vsnprintf(s->text + s->len, sizeof(s->text) - s->len, format, args);
    va_end(args);
    assert_true(s->len < sizeof(s->text));
}

static void say_bytes(struct http_said *s, struct bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        if (b.at[i] == '\r' || b.at[i] == '\n') {
            say(s, "%s", b.at[i] == '\r' ? "\\r" : "\\n");
        } else if (b.at[i] < 0x20 || b.at[i] > 0x7e) {
            say(s, "\\x%02x", b.at[i]);
        } else {
            say(s, "%c", b.at[i]);
        }
    }
}

static void next_answer(struct run *r)
{
    char kind = r->answers == NULL || *r->answers == '\0' ? 'G' : *r->answers++;

    wire_http_answers(r->http, kind == 'H', kind == 'C');
}

static void say_head(struct run *r)
{
    struct bytes head = wire_http_head(r->http);
    struct wire_head view;

    assert_int_equal(wire_head_parse(head, r->in->is_request, &view), 0);
    say(r->out, "head ");
    say_bytes(r->out, view.start_line);
    say(r->out, "\n");
    if (view.status >= 200) {
        next_answer(r);
    }
}

static void say_event(struct run *r, const struct wire_http_event *e, struct bytes rest)
{
    if (r->in_body && e->kind != WIRE_HTTP_BODY && e->kind != WIRE_HTTP_MORE) {
        say(r->out, "\n");
        r->in_body = false;
    }
    switch (e->kind) {
    case WIRE_HTTP_MORE:
        break;
    case WIRE_HTTP_HEAD:
        say_head(r);
        break;
    case WIRE_HTTP_BODY:
        say(r->out, "%s", r->in_body ? "" : "body ");
        say_bytes(r->out, e->bytes);
        r->in_body = true;
        break;
    case WIRE_HTTP_DONE:
        say(r->out, "done\n");
        break;
    case WIRE_HTTP_SWITCH:
        say(r->out, "switch\n");
        break;
    case WIRE_HTTP_BAD:
        assert_non_null(e->why);
        say(r->out, "bad %u %s | ", e->status, e->why);
        say_bytes(r->out, wire_http_head(r->http));
        say_bytes(r->out, rest);
        say(r->out, "\n");
        break;
    }
}

/* What follows a switch or a fault is shown to the end of the whole input. */
static void end_run(struct run *r, const struct wire_http_event *e, struct bytes rest)
{
    r->over = true;
    say_event(r, e, rest);
    if (e->kind == WIRE_HTTP_SWITCH) {
        say(r->out, "rest ");
        say_bytes(r->out, rest);
        say(r->out, "\n");
    }
}

static void feed(struct run *r, size_t from, size_t to)
{
    const uint8_t *at = r->in->bytes.at;
    struct wire_http_event e = { .kind = WIRE_HTTP_DONE };
    size_t used;

    while (!r->over && e.kind != WIRE_HTTP_MORE) {
        int res = wire_http_next(r->http, bytes_make(at + from, to - from), &used, &e);

        if (res == -ENOMEM) {
            assert_int_equal(used, 0);
            continue;
        }
        assert_int_equal(res, 0);
        assert_true(used <= to - from);
        from += used;
        if (e.kind == WIRE_HTTP_BAD || (e.kind == WIRE_HTTP_SWITCH && !r->in->resume)) {
            end_run(r, &e, bytes_from(r->in->bytes, from));
            return;
        }
        say_event(r, &e, (struct bytes){ 0 });
        if (e.kind == WIRE_HTTP_SWITCH) {
            wire_http_resume(r->http);
        }
    }
    assert_int_equal(from, to);
}

static void finish(struct run *r)
{
    struct wire_http_event e;

    wire_http_finish(r->http, &e);
    if (r->in_body) {
        say(r->out, "\n");
        r->in_body = false;
    }
    say(r->out, "end: ");
    if (e.kind == WIRE_HTTP_MORE) {
        say(r->out, "more\n");
    } else {
        say_event(r, &e, (struct bytes){ 0 });
    }
}

void http_run(const struct http_input *in, size_t first, size_t each,
              struct http_said *out)
{
    struct run r = { .in = in, .out = out, .answers = in->answers };
    size_t at = 0, len = first;

    out->len = 0;
    out->text[0] = '\0';
    do {
        r.http = wire_http_new(in->is_request);
    } while (r.http == NULL);
    next_answer(&r);
    do {
        size_t left = in->bytes.len - at;

        len = len < left ? len : left;
        feed(&r, at, at + len);
        at += len;
        len = each;
    } while (at < in->bytes.len && !r.over);
    if (!r.over) {
        finish(&r);
    }
    wire_http_free(r.http);
}

void http_says(const struct http_input *in, const char *expected)
{
    struct http_said said;

    http_run(in, SIZE_MAX, 1, &said);
    assert_string_equal(said.text, expected);
    for (size_t cut = 1; cut < in->bytes.len; cut++) {
        http_run(in, cut, SIZE_MAX, &said);
        assert_string_equal(said.text, expected);
    }
    for (size_t each = 1; each < 12; each++) {
        http_run(in, each, each, &said);
        assert_string_equal(said.text, expected);
    }
}

void request_says(const char *input, const char *expected)
{
    struct http_input in = { .is_request = true,
                             .resume = true,
                             .bytes = bytes_of(input) };

    http_says(&in, expected);
}

void response_says(const char *input, const char *expected)
{
    struct http_input in = { .bytes = bytes_of(input) };

    http_says(&in, expected);
}
