/*
 * HTTP messages, read whole and in pieces: the same events, the same verdict, and every
 * byte of the input in exactly one of head, body, or what is kept after a fault. Heads
 * go through everything that reads heads.
 */
#include "tests/fuzz/target.h"
#include "wire/handshake.h"
#include "wire/http.h"

struct reading {
    struct wire_http *http;
    uint8_t how;
    bool over;
    bool in_body;
    struct buf said;
    struct buf bytes;
};

static void say(struct reading *r, const char *kind, struct bytes b)
{
    r->in_body = false;
    put(&r->said, bytes_of(kind));
    put(&r->said, b);
}

static void walk_fields(struct bytes head, const struct wire_head *h)
{
    struct wire_field f;
    struct bytes element;
    size_t at = h->fields_at, list_at;

    while (wire_head_next(head, &at, &f)) {
        must(at <= head.len);
        for (list_at = 0; wire_list_next(f.value, &list_at, &element);) {
            must(element.len > 0 && element.at >= f.value.at &&
                 element.at + element.len <= f.value.at + f.value.len);
        }
    }
}

static void read_head(struct bytes head, bool is_request)
{
    struct wire_deflate_params params;
    struct wire_head h;
    bool others;

    must(wire_head_parse(head, is_request, &h) == 0);
    walk_fields(head, &h);
    if (is_request) {
        (void)wire_handshake_asks(head, &h);
        return;
    }
    must(!wire_handshake_agrees(head, &h) || h.status == 101);
    wire_handshake_extensions(head, &h, &params, &others);
    must(params.server_max_window_bits >= 8 && params.server_max_window_bits <= 15);
    must(params.client_max_window_bits >= 8 && params.client_max_window_bits <= 15);
}

/* In memory of exactly its size, so that reading past its end is seen. */
static void read_head_copy(struct bytes head, bool is_request)
{
    uint8_t *copy = malloc(head.len);

    must(copy != NULL && head.len > 0);
    memcpy(copy, head.at, head.len);
    read_head(bytes_make(copy, head.len), is_request);
    free(copy);
}

static void answer(struct reading *r)
{
    wire_http_answers(r->http, (r->how & 6) == 2, (r->how & 6) == 4);
}

static void handle(struct reading *r, const struct wire_http_event *e,
                   struct bytes rest)
{
    switch (e->kind) {
    case WIRE_HTTP_MORE:
        return;
    case WIRE_HTTP_HEAD:
        say(r, "\nhead ", wire_http_head(r->http));
        put(&r->bytes, wire_http_head(r->http));
        read_head_copy(wire_http_head(r->http), (r->how & 1) != 0);
        return;
    case WIRE_HTTP_BODY:
        if (!r->in_body) {
            say(r, "\nbody ", e->bytes);
        } else {
            put(&r->said, e->bytes);
        }
        must(e->bytes.len > 0);
        put(&r->bytes, e->bytes);
        r->in_body = true;
        return;
    case WIRE_HTTP_DONE:
        say(r, "\ndone", (struct bytes){ 0 });
        answer(r);
        return;
    case WIRE_HTTP_SWITCH:
        say(r, "\nswitch", (struct bytes){ 0 });
        wire_http_resume(r->http);
        answer(r);
        return;
    case WIRE_HTTP_BAD:
        must(e->status >= 400 && e->why != NULL && e->why[0] != '\0');
        say(r, "\nbad ", bytes_of(e->why));
        put(&r->bytes, wire_http_head(r->http));
        put(&r->bytes, rest);
        r->over = true;
        return;
    }
    abort();
}

static void feed(struct reading *r, struct bytes in, size_t len)
{
    struct wire_http_event e = { .kind = WIRE_HTTP_DONE };
    size_t used;

    while (!r->over && e.kind != WIRE_HTTP_MORE) {
        must(wire_http_next(r->http, bytes_first(in, len), &used, &e) == 0);
        must(used <= len);
        must(e.kind != WIRE_HTTP_BODY || (e.bytes.len == used && e.bytes.at == in.at));
        in = bytes_from(in, used);
        len -= used;
        handle(r, &e, in);
    }
    must(r->over || len == 0);
}

static void finish(struct reading *r)
{
    struct wire_http_event e;

    wire_http_finish(r->http, &e);
    must(e.kind == WIRE_HTTP_MORE || e.kind == WIRE_HTTP_DONE ||
         e.kind == WIRE_HTTP_BAD);
    if (e.kind == WIRE_HTTP_MORE) {
        put(&r->bytes, wire_http_head(r->http)); /* blank lines */
    }
    handle(r, &e, (struct bytes){ 0 });
}

static void read_all(struct reading *r, struct bytes in, uint8_t how, size_t each)
{
    *r = (struct reading){ .how = how };
    r->http = wire_http_new((how & 1) != 0);
    must(r->http != NULL);
    answer(r);
    while (in.len > 0 && !r->over) {
        size_t len = each < in.len ? each : in.len;

        feed(r, in, len);
        in = bytes_from(in, len);
    }
    if (!r->over) {
        finish(r);
    }
    wire_http_free(r->http);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reading whole, split;
    struct buf input = { 0 };
    struct bytes in;

    if (len < 2) {
        return 0;
    }
    in = bytes_make(data + 2, len - 2);
    read_all(&whole, in, data[0], SIZE_MAX);
    read_all(&split, in, data[0], 1 + data[1] % 64);
    same(&whole.said, &split.said);
    put(&input, in);
    same(&whole.bytes, &input);
    same(&split.bytes, &input);
    buf_deinit(&input);
    buf_deinit(&whole.said);
    buf_deinit(&whole.bytes);
    buf_deinit(&split.said);
    buf_deinit(&split.bytes);
    return 0;
}
