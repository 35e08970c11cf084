#include "wire/http.h"

#include "base/alloc.h"
#include "wire/http_chunked.h"
#include "wire/http_strict.h"

#include <assert.h>
#include <errno.h>
#include <llhttp.h>
#include <stdio.h>

/* READ_HEAD -> READ_BODY -> MESSAGE_END -> READ_HEAD, or -> SWITCHED -> (resume)
 * READ_HEAD READ_HEAD -> MESSAGE_END without a body; any -> DEAD. */
enum { READ_HEAD = 0, READ_BODY, MESSAGE_END, SWITCHED, DEAD };

struct wire_http {
    llhttp_t parser;
    struct buf head;
    struct wire_refusal no; /* why it is DEAD */
    struct wire_chunked chunked;
    struct wire_http_scan scan;
    uint8_t state;
    bool is_request;
    bool to_head, to_connect;
    bool head_given; /* HEAD was reported: drop `head` at the next call */
    bool is_chunked; /* a request's body that `chunked` watches as well */
    bool switches;   /* the end of this message is a SWITCH */
    bool skip_body;  /* a response that has no body whatever its fields say */
    bool in_body;    /* llhttp has seen the whole head */
    bool complete;   /* llhttp has seen the whole message */
};

static int on_headers_complete(llhttp_t *p)
{
    struct wire_http *h = p->data;

    h->in_body = true;
    return h->skip_body ? 1 : 0;
}

static int on_message_complete(llhttp_t *p)
{
    struct wire_http *h = p->data;

    h->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
};

/* Responses are read as leniently as llhttp can; requests get none of it. */
static void set_lenient(llhttp_t *p)
{
    llhttp_set_lenient_headers(p, 1);
    llhttp_set_lenient_chunked_length(p, 1);
    llhttp_set_lenient_keep_alive(p, 1);
    llhttp_set_lenient_transfer_encoding(p, 1);
#if LLHTTP_VERSION_MAJOR >= 9
    llhttp_set_lenient_version(p, 1);
    llhttp_set_lenient_data_after_close(p, 1);
    llhttp_set_lenient_optional_lf_after_cr(p, 1);
    llhttp_set_lenient_optional_crlf_after_chunk(p, 1);
#else
    p->lenient_flags |= LENIENT_VERSION;
#endif
#if LLHTTP_VERSION_MAJOR > 9 || (LLHTTP_VERSION_MAJOR == 9 && LLHTTP_VERSION_MINOR >= 2)
    llhttp_set_lenient_optional_cr_before_lf(p, 1);
    llhttp_set_lenient_spaces_after_chunk_size(p, 1);
#endif
}

struct wire_http *wire_http_new(bool is_request)
{
    struct wire_http *h = alloc_zero(1, sizeof(*h));

    if (h != NULL) {
        h->is_request = is_request;
    }
    return h;
}

void wire_http_free(struct wire_http *h)
{
    if (h != NULL) {
        buf_deinit(&h->head);
        alloc_free(h);
    }
}

struct bytes wire_http_head(const struct wire_http *h)
{
    return buf_bytes(&h->head);
}

void wire_http_answers(struct wire_http *h, bool to_head, bool to_connect)
{
    h->to_head = to_head;
    h->to_connect = to_connect;
}

void wire_http_resume(struct wire_http *h)
{
    assert(h->state == SWITCHED);
    h->state = READ_HEAD;
}

bool wire_http_in_head(const struct wire_http *h)
{
    return h->state == READ_HEAD && h->head.len > 0;
}

static void set_event(struct wire_http_event *out, enum wire_http_kind kind)
{
    *out = (struct wire_http_event){ .kind = kind };
}

static void refuse(struct wire_http *h, unsigned status, const char *why)
{
    if (h->no.status == 0) {
        h->no = (struct wire_refusal){ status, why };
    }
}

static void report_bad(struct wire_http *h, struct wire_http_event *out)
{
    h->state = DEAD;
    *out = (struct wire_http_event){ .kind = WIRE_HTTP_BAD,
                                     .status = h->no.status,
                                     .why = h->no.why };
}

/* ---- llhttp, the second judge ---- */

static void start_llhttp(struct wire_http *h)
{
    llhttp_init(&h->parser, h->is_request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    h->parser.data = h;
    h->in_body = h->complete = false;
    if (!h->is_request) {
        set_lenient(&h->parser);
    }
}

/* Returns how many bytes of `in` belong to the message; all, unless it ends or is wrong
 * in there. */
static size_t ask_llhttp(struct wire_http *h, struct bytes in)
{
    llhttp_errno_t err = llhttp_execute(&h->parser, (const char *)in.at, in.len);
    const char *stop = llhttp_get_error_pos(&h->parser);
    const char *why = llhttp_get_error_reason(&h->parser);

    if (err == HPE_OK) {
        return in.len;
    }
    if (!h->complete) {
        refuse(h, 400, why != NULL && why[0] != '\0' ? why : "not valid HTTP");
    }
    return stop == NULL ? 0 : (size_t)((const uint8_t *)stop - in.at);
}

/* ---- heads ---- */

/* llhttp gets a start line of its own: which method it is and how the target is spelled
 * does not frame a message (CONNECT aside), and it knows neither all methods nor all
 * targets that pass here. */
static bool ask_about_request(struct wire_http *h, struct bytes head,
                              const struct wire_head *view)
{
    bool connects = bytes_equal(view->method, bytes_of("CONNECT"));
    char line[32];
    struct bytes fields = bytes_from(head, view->fields_at);
    size_t len = (size_t)snprintf(line, sizeof(line), "%s HTTP/1.%u\r\n",
                                  connects ? "CONNECT a:1" : "POST /", view->minor);

    return ask_llhttp(h, bytes_make(line, len)) == len &&
           ask_llhttp(h, fields) == fields.len;
}

static void judge_request(struct wire_http *h, struct bytes head,
                          const struct wire_head *view)
{
    struct wire_http_framing f = { 0 };

    wire_http_judge_fields(head, view, &f, &h->no);
    if (h->no.status != 0) {
        return;
    }
    h->switches = f.switches;
    h->is_chunked = f.body == WIRE_HTTP_CHUNKED;
    h->chunked = (struct wire_chunked){ 0 };
    start_llhttp(h);
    if (!ask_about_request(h, head, view) || !h->in_body ||
        h->complete != (f.body == WIRE_HTTP_NO_BODY) ||
        h->is_chunked != ((h->parser.flags & F_CHUNKED) != 0) ||
        h->parser.content_length != f.length) {
        refuse(h, 400, "the framing of the request can be read in two ways");
    }
}

/* RFC 9112, 6.3: what has no body whatever its fields say. */
static void judge_response(struct wire_http *h, struct bytes head,
                           const struct wire_head *view)
{
    bool is_final = view->status >= 200;

    h->switches = view->status == 101 || (h->to_connect && view->status / 100 == 2);
    h->skip_body = !is_final || h->switches || h->to_head || view->status == 204 ||
                   view->status == 304;
    start_llhttp(h);
    if (ask_llhttp(h, head) != head.len || !h->in_body ||
        (h->skip_body && !h->complete)) {
        refuse(h, 400, "the response head cannot be understood");
    }
    if (is_final) {
        h->to_head = h->to_connect = false;
    }
}

static void judge_head(struct wire_http *h)
{
    struct bytes head = buf_bytes(&h->head);
    struct wire_head view;

    if (wire_head_parse(head, h->is_request, &view) < 0) {
        refuse(h, 400,
               h->is_request ? "the request line is not \"METHOD target HTTP/1.1\""
                             : "the status line is not \"HTTP/1.1 200 reason\"");
        return;
    }
    if (h->is_request) {
        judge_request(h, head, &view);
    } else {
        judge_response(h, head, &view);
    }
    h->state = h->complete ? MESSAGE_END : READ_BODY;
}

static struct bytes without_blank_lines(struct bytes b)
{
    while (b.len > 0 && (b.at[0] == '\r' || b.at[0] == '\n')) {
        b = bytes_from(b, 1);
    }
    return b;
}

/* A response that is no HTTP is told at its first bytes, for nobody may send more. */
static void judge_beginning(struct wire_http *h)
{
    static const char http[] = "HTTP/1.";
    struct bytes b = without_blank_lines(buf_bytes(&h->head));
    size_t len = b.len < sizeof(http) - 1 ? b.len : sizeof(http) - 1;

    if (b.len > 1 && (b.at[0] == 0x15 || b.at[0] == 0x16) && b.at[1] == 0x03) {
        refuse(h, 400, "the server speaks TLS on this port; use wss:// for it");
    } else if ((b.len > 1 || (b.len == 1 && b.at[0] != 0x15 && b.at[0] != 0x16)) &&
               memcmp(b.at, http, len) != 0) {
        refuse(h, 400, "the response does not begin with HTTP/1.");
    }
}

static void judge_start_line(struct wire_http *h)
{
    struct bytes line = without_blank_lines(buf_bytes(&h->head));

    if (h->is_request) {
        wire_http_judge_line(bytes_first(line, line.len - 2), &h->no);
    }
}

/* Scan up to the end of a line that matters, and hold what was scanned. */
static int take_head(struct wire_http *h, struct bytes in, size_t *used,
                     enum wire_http_scanned *what)
{
    struct wire_http_scan scan = h->scan;
    struct wire_refusal no = { 0 };
    size_t room = WIRE_HTTP_HEAD_MAX - h->head.len, len;
    int r;

    *what = wire_http_scan(&scan, bytes_first(in, in.len < room ? in.len : room),
                           h->is_request, &len, &no);
    r = buf_put(&h->head, bytes_first(in, len));
    if (r < 0) {
        return r;
    }
    h->scan = scan;
    h->no = no;
    *used += len;
    return 0;
}

static int read_head(struct wire_http *h, struct bytes in, size_t *used,
                     struct wire_http_event *out)
{
    struct wire_http_scan scan_before = h->scan;
    size_t held_before = h->head.len;
    enum wire_http_scanned what = WIRE_HTTP_SCAN_MORE;
    int r;

    while (*used < in.len && what != WIRE_HTTP_SCAN_END && h->no.status == 0) {
        r = take_head(h, bytes_from(in, *used), used, &what);
        if (r < 0) {
            h->scan = scan_before;
            h->head.len = held_before;
            *used = 0;
            return r;
        }
        if (!h->is_request) {
            judge_beginning(h);
        }
        if (what == WIRE_HTTP_SCAN_LINE) {
            judge_start_line(h);
        }
        if (what == WIRE_HTTP_SCAN_END && h->no.status == 0) {
            judge_head(h);
        } else if (h->head.len == WIRE_HTTP_HEAD_MAX) {
            refuse(h, 431, "the head is longer than 64 kB");
        }
    }
    if (h->no.status != 0) {
        report_bad(h, out);
    } else if (what == WIRE_HTTP_SCAN_END) {
        h->head_given = true;
        h->scan = (struct wire_http_scan){ 0 };
        set_event(out, WIRE_HTTP_HEAD);
    } else {
        set_event(out, WIRE_HTTP_MORE);
    }
    return 0;
}

/* ---- bodies ---- */

/* How much of `in` is chunked body by our own reading; `*ends` with its last byte, or
 * `*why` is what is wrong with the next. */
static size_t ask_chunked(struct wire_http *h, struct bytes in, bool *ends,
                          const char **why)
{
    enum wire_chunked_result what = WIRE_CHUNKED_MORE;
    size_t used = 0, step;
    struct bytes content;

    while (used < in.len && what == WIRE_CHUNKED_MORE) {
        what =
            wire_chunked_next(&h->chunked, bytes_from(in, used), &step, &content, why);
        used += step;
    }
    *ends = what == WIRE_CHUNKED_END;
    return used;
}

/* The two judges read on together; the first to find something wrong gives the reason.
 */
static size_t ask_both(struct wire_http *h, struct bytes in)
{
    const char *why = NULL;
    bool ends;
    size_t ours = ask_chunked(h, in, &ends, &why);
    size_t len = ask_llhttp(h, bytes_first(in, ours));

    if (len != ours || h->complete != ends) {
        refuse(h, 400, "the chunked body can be read in two ways");
    } else if (why != NULL) {
        refuse(h, 400, why);
    }
    return len;
}

static void read_body(struct wire_http *h, struct bytes in, size_t *used,
                      struct wire_http_event *out)
{
    size_t len = h->is_chunked ? ask_both(h, in) : ask_llhttp(h, in);

    if (h->complete) {
        h->state = MESSAGE_END;
    }
    *used = len;
    *out = (struct wire_http_event){ .kind = WIRE_HTTP_BODY,
                                     .bytes = bytes_first(in, len) };
}

static void end_message(struct wire_http *h, struct wire_http_event *out)
{
    h->state = h->switches ? SWITCHED : READ_HEAD;
    set_event(out, h->switches ? WIRE_HTTP_SWITCH : WIRE_HTTP_DONE);
}

static void drop_given_head(struct wire_http *h)
{
    if (h->head_given) {
        buf_deinit(&h->head);
        h->head_given = false;
    }
}

int wire_http_next(struct wire_http *h, struct bytes in, size_t *used,
                   struct wire_http_event *out)
{
    *used = 0;
    drop_given_head(h);
    switch (h->no.status != 0 ? DEAD : h->state) {
    case READ_HEAD:
        return read_head(h, in, used, out);
    case READ_BODY:
        if (in.len == 0) {
            set_event(out, WIRE_HTTP_MORE);
            return 0;
        }
        read_body(h, in, used, out);
        if (out->bytes.len == 0) { /* wrong, or complete, at the first byte */
            return wire_http_next(h, in, used, out);
        }
        return 0;
    case MESSAGE_END:
        end_message(h, out);
        return 0;
    case SWITCHED:
        set_event(out, WIRE_HTTP_SWITCH);
        return 0;
    default:
        report_bad(h, out);
        return 0;
    }
}

static void finish_head(struct wire_http *h, struct wire_http_event *out)
{
    if (without_blank_lines(buf_bytes(&h->head)).len == 0) {
        set_event(out, WIRE_HTTP_MORE);
        return;
    }
    refuse(h, 400, "the connection ended inside a head");
    report_bad(h, out);
}

static void finish_body(struct wire_http *h, struct wire_http_event *out)
{
    (void)llhttp_finish(&h->parser); /* completes what runs to the end */
    if (h->complete) {
        end_message(h, out);
        return;
    }
    refuse(h, 400, "the connection ended inside a body");
    report_bad(h, out);
}

void wire_http_finish(struct wire_http *h, struct wire_http_event *out)
{
    drop_given_head(h);
    switch (h->no.status != 0 ? DEAD : h->state) {
    case READ_HEAD:
        finish_head(h, out);
        break;
    case READ_BODY:
        finish_body(h, out);
        break;
    case MESSAGE_END:
        end_message(h, out);
        break;
    case SWITCHED:
        set_event(out, WIRE_HTTP_MORE);
        break;
    default:
        report_bad(h, out);
        break;
    }
}
