#include "proxy/faults.h"

#include <errno.h>

static int put_field(struct buf *out, const char *name, const char *value)
{
    return buf_put_format(out, "%s: %s\r\n", name, value);
}

/* Append `head` without the fields called `name`; with `value`, that one stands in the
 * place of the first, or at the end. */
static int put_with_field(struct bytes head, bool is_request, const char *name,
                          const char *value, struct buf *out)
{
    struct wire_head h;
    struct wire_field f;
    size_t at, copied = 0;
    bool placed = value == NULL;
    int r = wire_head_parse(head, is_request, &h) < 0 ? -EINVAL : 0;

    at = h.fields_at;
    while (r == 0) {
        size_t line = at;

        if (!wire_head_next(head, &at, &f)) {
            break;
        }
        if (!bytes_equal_nocase(f.name, bytes_of(name))) {
            continue;
        }
        r = buf_put(out, bytes_make(head.at + copied, line - copied));
        if (r == 0 && !placed) {
            r = put_field(out, name, value);
            placed = true;
        }
        copied = at;
    }
    if (r == 0 && !placed) {
        r = buf_put(out, bytes_make(head.at + copied, head.len - 2 - copied));
        copied = head.len - 2;
        r = r == 0 ? put_field(out, name, value) : r;
    }
    return r == 0 ? buf_put(out, bytes_from(head, copied)) : r;
}

/* Change `*changed` (or `head` while it is empty) in one field. */
static int change_field(struct bytes head, bool is_request, const char *name,
                        const char *value, struct buf *changed)
{
    struct buf next = { 0 };
    int r = put_with_field(changed->len > 0 ? buf_bytes(changed) : head, is_request,
                           name, value, &next);

    if (r < 0) {
        buf_deinit(&next);
        return r;
    }
    buf_deinit(changed);
    *changed = next;
    return 0;
}

static int change_headers(struct bytes head, bool is_request,
                          const struct inject_act *a, struct buf *changed)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < a->header_count; i++) {
        r = change_field(head, is_request, a->headers[i].name, a->headers[i].value,
                         changed);
    }
    return r;
}

int proxy_faults_request(struct proxy_session *s, struct bytes head,
                         struct buf *changed, struct proxy_ruling *ruling,
                         int64_t now_ns)
{
    int r = 0;

    ruling->count = inject_on_request(s->faults->connection, head,
                                      proxy_faults_time(s, now_ns), ruling->fired);
    for (size_t i = 0; r == 0 && i < ruling->count; i++) {
        const struct inject_act *a = &ruling->fired[i].rule->act;

        if (a->action == INJECT_SET_HEADER || a->action == INJECT_DROP_HEADER) {
            r = change_headers(head, true, a, changed);
        }
    }
    return r == 0 ? proxy_shape_open(s, now_ns) : r;
}

static int change_response(struct bytes head, const struct inject_act *a,
                           struct buf *changed)
{
    static const char wrong_accept[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    switch ((int)a->action) {
    case INJECT_BAD_ACCEPT:
        return change_field(head, false, "Sec-WebSocket-Accept", wrong_accept, changed);
    case INJECT_SUBPROTOCOL:
        return change_field(head, false, "Sec-WebSocket-Protocol", a->text, changed);
    case INJECT_EXTENSION:
        return change_field(head, false, "Sec-WebSocket-Extensions", a->text, changed);
    default:
        return change_headers(head, false, a, changed);
    }
}

int proxy_faults_response(struct proxy_session *s, struct bytes head, unsigned status,
                          struct buf *changed, struct proxy_ruling *ruling,
                          int64_t now_ns)
{
    int r = 0;

    ruling->count = inject_on_response(s->faults->connection, status == 101,
                                       proxy_faults_time(s, now_ns), ruling->fired);
    for (size_t i = 0; r == 0 && i < ruling->count; i++) {
        r = change_response(head, &ruling->fired[i].rule->act, changed);
    }
    return r;
}
