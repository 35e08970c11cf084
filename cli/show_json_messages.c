#include "cli/show_json.h"
#include "wire/frame.h"
#include "wire/lint.h"

static void put_faults(struct show_object *j, uint32_t faults)
{
    const char *name;
    bool first = true;

    if (faults == 0) {
        return;
    }
    show_object_array(j, "faults");
    for (unsigned bit = 0; bit < 32 && (name = wire_fault_name(bit)) != NULL; bit++) {
        if ((faults >> bit & 1U) != 0) {
            show_object_add(j, &first, bytes_of(name));
        }
    }
    show_object_array_end(j);
}

static void put_count(struct show_object *j, const char *key, uint64_t value)
{
    if (value > 0) {
        show_object_number(j, key, value);
    }
}

const char *show_json_kind(unsigned opcode)
{
    switch (opcode) {
    case WIRE_OP_CONTINUATION:
        return "continuation";
    case WIRE_OP_TEXT:
        return "text";
    case WIRE_OP_BINARY:
        return "binary";
    case WIRE_OP_CLOSE:
        return "close";
    case WIRE_OP_PING:
        return "ping";
    case WIRE_OP_PONG:
        return "pong";
    default:
        return "reserved";
    }
}

static void put_close(struct show_object *j, const struct capture_message *m)
{
    struct bytes in = m->payload;
    struct bytes reason = bytes_from(in, in.len < 2 ? in.len : 2);

    show_object_number(j, "code",
                       in.len < 2 ? 1005U : (unsigned)in.at[0] << 8 | in.at[1]);
    show_object_text(j, "reason", reason);
    if (in.len == 1 || !show_json_is_text(reason)) {
        show_object_base64(j, "base64", in);
    }
}

static void put_message_payload(struct show_object *j, const struct capture_message *m)
{
    if (capture_coding_text(m->coding) != NULL) {
        show_object_words(j, "undecoded", capture_coding_text(m->coding));
        show_object_base64(j, "base64", m->payload);
        return;
    }
    switch (capture_message_opcode(m)) {
    case WIRE_OP_TEXT:
        show_object_text(j, "text", m->payload);
        if (!show_json_is_text(m->payload)) {
            show_object_base64(j, "base64", m->payload);
        }
        break;
    case WIRE_OP_BINARY:
        show_object_base64(j, "base64", m->payload);
        break;
    case WIRE_OP_CLOSE:
        put_close(j, m);
        break;
    default:
        show_json_payload(j, m->payload);
        break;
    }
}

/* What a message and a frame begin with. */
static struct show_object begin(struct show *s, const struct capture_moment *at,
                                const char *record)
{
    bool arrived = at->kind == CAPTURE_MOMENT_MESSAGE;
    const struct capture_message *m = arrived ? at->u.message : at->u.delivered.message;
    struct show_object j = show_json_begin(s, arrived ? record : "delivered", at);

    if (arrived) {
        show_object_words(&j, "from", side_name(m->from));
        put_count(&j, "message", m->number);
    } else {
        show_object_words(&j, "to", side_name(side_other(m->from)));
        show_object_text(&j, "cause", at->u.delivered.cause);
    }
    if (s->part == SHOW_HIT_OUTCOME) {
        put_count(&j, "message", s->hit.message);
    }
    show_object_time(&j, "time", m->time_ns);
    if (m->end_ns != m->time_ns) {
        show_object_time(&j, "end_time", m->end_ns);
    }
    return j;
}

static void put_message(struct show_object *j, const struct capture_message *m)
{
    unsigned opcode = capture_message_opcode(m);

    show_object_words(j, "kind", show_json_kind(opcode));
    if (strcmp(show_json_kind(opcode), "reserved") == 0) {
        show_object_number(j, "opcode", opcode);
    }
    show_object_number(j, "size", m->size);
    put_message_payload(j, m);
    if (m->compressed) {
        show_object_bool(j, "compressed", true);
        show_object_number(j, "wire_size", m->wire_size);
    }
    if (m->fragments > 1) {
        show_object_number(j, "fragments", m->fragments);
    }
    put_faults(j, m->faults);
    show_json_flag(j, "incomplete", m->incomplete);
    show_json_flag(j, "cut", m->cut);
    show_json_flag(j, "altered", m->withheld);
}

int show_json_message(struct show *s, const struct capture_moment *at)
{
    size_t from = s->out.bytes.len;
    struct show_object j = begin(s, at, "message");

    if (at->kind == CAPTURE_MOMENT_DELIVERED) {
        put_message(&j, at->u.delivered.message);
        return show_object_end(&j);
    }
    put_message(&j, at->u.message);
    show_out_hold(&s->out, from); /* it may turn out to be altered */
    return show_object_end(&j);
}

int show_json_frame(struct show *s, const struct capture_moment *at)
{
    const struct capture_message *m =
        at->kind == CAPTURE_MOMENT_MESSAGE ? at->u.message : at->u.delivered.message;
    const struct capture_frame *f = &m->frame;
    struct show_object j = begin(s, at, "frame");

    show_object_bool(&j, "fin", (f->first & WIRE_FIN) != 0);
    show_object_number(&j, "rsv", f->first >> 4 & 7U);
    show_object_number(&j, "opcode", capture_message_opcode(m));
    show_object_bool(&j, "masked", f->masked != 0);
    if (f->masked != 0) {
        show_object_hex(&j, "mask", bytes_make(f->mask, sizeof(f->mask)));
    }
    show_object_number(&j, "form", f->form);
    show_object_number(&j, "length", f->payload_len);
    put_faults(&j, m->faults);
    show_object_base64(&j, "payload_base64", m->payload);
    show_object_bool(&j, "complete", !m->incomplete);
    show_json_flag(&j, "cut", m->cut);
    return show_object_end(&j);
}
