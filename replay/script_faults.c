#include "replay/script.h"

#include "wire/frame.h"
#include "wire/lint.h"

/* Compressed bytes are not kept, and not looked at: there are so many of them. */
static void pass_over(struct wire_lint *l, uint64_t len)
{
    static const uint8_t nothing[4096];

    while (len > 0) {
        size_t part = len < sizeof(nothing) ? (size_t)len : sizeof(nothing);

        (void)wire_lint_payload(l, bytes_make(nothing, part));
        len -= part;
    }
}

static bool is_utf8(struct bytes text)
{
    struct wire_utf8 utf8 = { 0 };

    return wire_utf8_check(&utf8, text) && wire_utf8_complete(&utf8);
}

/* The payload of frame `step`; `*at` counts through the message it is of. */
static uint32_t judge_payload(struct wire_lint *l, const struct replay_connection *c,
                              uint32_t step, size_t *at)
{
    const struct replay_step *s = &c->steps[step];
    const struct replay_message *m;
    struct bytes payload;

    if (s->message == REPLAY_NONE || !c->messages[s->message].whole) {
        return wire_lint_payload(l, s->bytes);
    }
    m = &c->messages[s->message];
    if (m->compressed) {
        pass_over(l, s->payload_len);
        return step == m->last_step && m->opcode == WIRE_OP_TEXT && !is_utf8(m->payload)
                   ? WIRE_FAULT_UTF8
                   : 0;
    }
    *at = m->step == step ? 0 : *at;
    payload = bytes_first(bytes_from(m->payload, *at), (size_t)s->payload_len);
    *at += payload.len;
    return wire_lint_payload(l, payload);
}

uint32_t replay_connection_faults(const struct replay_connection *c, enum side from)
{
    struct wire_lint l;
    uint32_t faults = 0;
    size_t at = 0;

    wire_lint_init(&l, from, c->deflate.agreed ? WIRE_RSV1 : 0);
    for (uint32_t i = 0; i < c->step_count; i++) {
        const struct replay_step *s = &c->steps[i];

        if (s->kind == REPLAY_FRAME && s->from == from) {
            struct wire_frame f = { .payload_len = s->payload_len,
                                    .first = s->first,
                                    .form = s->form,
                                    .masked = s->masked };

            faults |= wire_lint_frame(&l, &f);
            faults |= judge_payload(&l, c, i, &at);
        }
    }
    return faults;
}
