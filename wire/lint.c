#include "wire/lint.h"

static const char *const names[] = {
    "rsv",
    "opcode",
    "mask",
    "length_form",
    "length_top_bit",
    "control_length",
    "control_fragment",
    "orphan",
    "interleaved",
    "utf8",
    "close_length",
    "close_code",
    "after_close",
};

const char *wire_fault_name(unsigned bit)
{
    return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

void wire_lint_init(struct wire_lint *l, enum side from, uint8_t rsv_allowed)
{
    *l = (struct wire_lint){ .from = (uint8_t)from, .rsv_allowed = rsv_allowed };
}

/* RFC 7692, 6.1: where RSV1 means "compressed", only the first frame of a message may
 * carry it. Where other extensions own RSV bits too, nothing is known of their rules.
 */
static uint8_t rsv_unexplained(const struct wire_lint *l, const struct wire_frame *f)
{
    uint8_t rsv = f->first & (WIRE_RSV1 | WIRE_RSV2 | WIRE_RSV3);
    unsigned op = wire_frame_opcode(f);

    if (l->rsv_allowed == WIRE_RSV1 && (op == 0 || wire_frame_is_control(f))) {
        return rsv;
    }
    return (uint8_t)(rsv & ~l->rsv_allowed);
}

static uint32_t judge_length(const struct wire_frame *f)
{
    uint32_t faults = 0;

    if (wire_frame_form(f->payload_len) != f->form) {
        faults |= WIRE_FAULT_LENGTH_FORM;
    }
    if (f->payload_len >> 63 != 0) {
        faults |= WIRE_FAULT_LENGTH_TOP_BIT;
    }
    return faults;
}

static uint32_t judge_control_frame(struct wire_lint *l, const struct wire_frame *f)
{
    uint32_t faults = 0;

    if ((f->first & WIRE_FIN) == 0) {
        faults |= WIRE_FAULT_CONTROL_FRAGMENT;
    }
    if (f->payload_len > 125) {
        faults |= WIRE_FAULT_CONTROL_LENGTH;
    }
    switch (wire_frame_opcode(f)) {
    case WIRE_OP_CLOSE:
        l->closed = 1;
        l->close_code = 0;
        l->close_bad = 0;
        l->close_utf8 = (struct wire_utf8){ 0 };
        faults |= f->payload_len == 1 ? WIRE_FAULT_CLOSE_LENGTH : 0;
        break;
    case WIRE_OP_PING:
    case WIRE_OP_PONG:
        break;
    default:
        faults |= WIRE_FAULT_OPCODE;
        break;
    }
    return faults;
}

static uint32_t judge_data_frame(struct wire_lint *l, const struct wire_frame *f)
{
    unsigned op = wire_frame_opcode(f);
    uint32_t faults = 0;

    if (op == WIRE_OP_CONTINUATION) {
        return l->message_opcode == 0 ? WIRE_FAULT_ORPHAN : 0;
    }
    if (l->message_opcode != 0) {
        faults |= WIRE_FAULT_INTERLEAVED;
    }
    if (op > WIRE_OP_BINARY) {
        faults |= WIRE_FAULT_OPCODE;
    }
    l->message_opcode = (uint8_t)op;
    l->message_coded = (f->first & WIRE_RSV1 & l->rsv_allowed) != 0;
    l->message_utf8 = (struct wire_utf8){ 0 };
    l->utf8_bad = 0;
    return faults;
}

uint32_t wire_lint_frame(struct wire_lint *l, const struct wire_frame *f)
{
    uint32_t faults = judge_length(f);

    if (l->closed) {
        faults |= WIRE_FAULT_AFTER_CLOSE;
    }
    if (f->masked != (l->from == CLIENT)) {
        faults |= WIRE_FAULT_MASK;
    }
    if (rsv_unexplained(l, f) != 0) {
        faults |= WIRE_FAULT_RSV;
    }
    faults |=
        wire_frame_is_control(f) ? judge_control_frame(l, f) : judge_data_frame(l, f);
    l->frame = *f;
    l->payload_at = 0;
    return faults;
}

/* RFC 6455, 7.4, and the codes registered since. */
static bool is_close_code(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static uint32_t judge_text(struct wire_lint *l, struct bytes payload, bool at_end)
{
    if (l->message_opcode != WIRE_OP_TEXT || l->message_coded || l->utf8_bad) {
        return 0;
    }
    if (wire_utf8_check(&l->message_utf8, payload) &&
        !(at_end && (l->frame.first & WIRE_FIN) != 0 &&
          !wire_utf8_complete(&l->message_utf8))) {
        return 0;
    }
    l->utf8_bad = 1;
    return WIRE_FAULT_UTF8;
}

static uint32_t judge_data(struct wire_lint *l, struct bytes payload, bool at_end)
{
    uint32_t faults = judge_text(l, payload, at_end);

    if (at_end && (l->frame.first & WIRE_FIN) != 0) {
        l->message_opcode = 0;
    }
    return faults;
}

/* `at` is the offset of the first byte in the close payload. */
static uint32_t judge_close(struct wire_lint *l, struct bytes payload, uint64_t at,
                            bool at_end)
{
    uint32_t faults = 0;

    for (; payload.len > 0 && at < 2; at++) {
        l->close_code = (uint16_t)(l->close_code << 8 | payload.at[0]);
        payload = bytes_from(payload, 1);
        if (at == 1 && !is_close_code(l->close_code)) {
            faults |= WIRE_FAULT_CLOSE_CODE;
        }
    }
    if (l->close_bad) {
        return faults;
    }
    if (!wire_utf8_check(&l->close_utf8, payload) ||
        (at_end && !wire_utf8_complete(&l->close_utf8))) {
        l->close_bad = 1;
        faults |= WIRE_FAULT_UTF8;
    }
    return faults;
}

uint32_t wire_lint_payload(struct wire_lint *l, struct bytes payload)
{
    uint64_t at = l->payload_at;
    bool at_end;

    l->payload_at += payload.len;
    at_end = l->payload_at == l->frame.payload_len;
    if (!wire_frame_is_control(&l->frame)) {
        return judge_data(l, payload, at_end);
    }
    if (wire_frame_opcode(&l->frame) == WIRE_OP_CLOSE) {
        return judge_close(l, payload, at, at_end);
    }
    return 0;
}

bool wire_lint_is_plain(const struct wire_frame *f)
{
    return f->first == (WIRE_FIN | WIRE_OP_TEXT) ||
           f->first == (WIRE_FIN | WIRE_OP_BINARY);
}

bool wire_lint_plain(const struct wire_frame *f, struct bytes payload)
{
    struct wire_utf8 utf8 = { 0 };

    return f->first != (WIRE_FIN | WIRE_OP_TEXT) ||
           (wire_utf8_check(&utf8, payload) && wire_utf8_complete(&utf8));
}

/* Nothing but its text can be wrong, and nothing of it matters to the next frame. */
static bool is_by_itself(const struct wire_lint *l, const struct wire_frame *f)
{
    return wire_lint_is_plain(f) && l->message_opcode == 0 && !l->closed &&
           f->masked == (l->from == CLIENT) &&
           f->form == wire_frame_form(f->payload_len) && f->payload_len >> 63 == 0;
}

uint32_t wire_lint_whole(struct wire_lint *l, const struct wire_frame *f,
                         struct bytes payload)
{
    uint32_t faults;

    if (is_by_itself(l, f)) {
        return wire_lint_plain(f, payload) ? 0 : WIRE_FAULT_UTF8;
    }
    faults = wire_lint_frame(l, f);
    return faults | wire_lint_payload(l, payload);
}
