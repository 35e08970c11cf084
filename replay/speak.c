#include "replay/speak.h"

#include "wire/frame.h"
#include "wire/mask.h"

#include <assert.h>
#include <errno.h>

enum { SPARE_MAX = 64 * 1024 }; /* a payload buffer over this is given back at once */

void replay_speak_init(struct replay_speak *s, const struct replay_connection *c,
                       enum side from, const struct wire_deflate_params *live)
{
    *s = (struct replay_speak){ .connection = c,
                                .params = *live,
                                .compresses = live->agreed,
                                .from = from,
                                .message = REPLAY_NONE };
}

void replay_speak_deinit(struct replay_speak *s)
{
    if (s != NULL) {
        wire_deflate_free(s->deflate);
        s->deflate = NULL;
        buf_deinit(&s->payload);
    }
}

/* ---- frames ---- */

static bool holds(uint8_t form, uint64_t len)
{
    return wire_frame_form(len) <= form;
}

/* A form that was longer than need be on the tape stays so. */
static uint8_t form_for(const struct replay_step *step, uint64_t len)
{
    if (len == step->payload_len) {
        return step->form;
    }
    return step->form != wire_frame_form(step->payload_len) && holds(step->form, len)
               ? step->form
               : wire_frame_form(len);
}

static int put_frame(struct buf *out, const struct wire_frame *f, struct bytes payload)
{
    int r = buf_reserve(out, WIRE_FRAME_HEADER_MAX + payload.len);

    if (r < 0) {
        return r;
    }
    out->len += wire_frame_encode(f, out->at + out->len);
    if (payload.len > 0 && f->masked) {
        wire_mask(f->mask, 0, payload.at, out->at + out->len, payload.len);
    } else if (payload.len > 0) {
        memcpy(out->at + out->len, payload.at, payload.len);
    }
    out->len += payload.len;
    return 0;
}

static struct wire_frame frame_of(const struct replay_step *step)
{
    struct wire_frame f = { .payload_len = step->payload_len,
                            .first = step->first,
                            .form = step->form,
                            .masked = step->masked };

    memcpy(f.mask, step->mask, sizeof(f.mask));
    return f;
}

/* As it came. What is in there is compressed by others: ours may not refer past it. */
static int say_recorded(struct replay_speak *s, const struct replay_step *step,
                        struct buf *out)
{
    struct wire_frame f = frame_of(step);
    int r = put_frame(out, &f, step->bytes);

    if (r == 0 && step->message != REPLAY_NONE &&
        s->connection->messages[step->message].compressed) {
        wire_deflate_free(s->deflate);
        s->deflate = NULL;
    }
    return r;
}

/* ---- messages ---- */

static int compress(struct replay_speak *s, struct bytes payload)
{
    const struct wire_deflate_params *p = &s->params;

    if (s->deflate == NULL) {
        s->deflate = s->from == SERVER
                         ? wire_deflate_new(p->server_max_window_bits,
                                            p->server_no_context_takeover)
                         : wire_deflate_new(p->client_max_window_bits,
                                            p->client_no_context_takeover);
    }
    return s->deflate == NULL ? -ENOMEM
                              : wire_deflate_message(s->deflate, payload, &s->payload);
}

/* What goes on the wire for the message that begins: `*wire` is all of it. */
static int start(struct replay_speak *s, uint32_t message, struct bytes payload,
                 struct bytes *wire)
{
    const struct replay_message *m = &s->connection->messages[message];
    bool single = m->step == m->last_step;
    int r = 0;

    s->message = message;
    s->coded = m->compressed && s->compresses;
    s->at = 0;
    buf_clear(&s->payload);
    if (s->coded) {
        r = compress(s, payload);
    } else if (!single) {
        r = buf_put(&s->payload, payload);
    }
    *wire = s->coded || !single ? buf_bytes(&s->payload) : payload;
    return r;
}

static void finish(struct replay_speak *s)
{
    s->message = REPLAY_NONE;
    s->at = 0;
    if (s->payload.cap > SPARE_MAX) {
        buf_deinit(&s->payload);
    }
    buf_clear(&s->payload);
}

/* The next frame of the message in progress, of which `wire` is the whole. */
static int say_part(struct replay_speak *s, uint32_t index, struct bytes wire,
                    struct buf *out)
{
    const struct replay_step *step = &s->connection->steps[index];
    const struct replay_message *m = &s->connection->messages[step->message];
    struct wire_frame f = frame_of(step);
    struct bytes part = bytes_from(wire, s->at);
    int r;

    if (index != m->last_step && part.len > step->payload_len) {
        part.len = (size_t)step->payload_len;
    }
    if (index == m->step && m->compressed && !s->coded) {
        f.first &= (uint8_t)~WIRE_RSV1;
    }
    f.payload_len = part.len;
    f.form = form_for(step, part.len);
    r = put_frame(out, &f, part);
    if (r < 0) {
        return r;
    }
    s->at += part.len;
    if (index == m->last_step) {
        finish(s);
    }
    return 0;
}

int replay_speak_step(struct replay_speak *s, uint32_t index, struct bytes payload,
                      struct buf *out)
{
    const struct replay_step *step = &s->connection->steps[index];
    const struct replay_message *m;
    struct bytes wire;
    int r;

    if (step->message == REPLAY_NONE || !s->connection->messages[step->message].whole) {
        return say_recorded(s, step, out);
    }
    m = &s->connection->messages[step->message];
    if (index != m->step) {
        return s->message == step->message
                   ? say_part(s, index, buf_bytes(&s->payload), out)
                   : 0;
    }
    r = start(s, step->message, payload, &wire);
    return r == 0 ? say_part(s, index, wire, out) : r;
}

int replay_speak_control(struct replay_speak *s, uint8_t opcode, struct bytes payload,
                         const uint8_t key[4], struct buf *out)
{
    struct wire_frame f = { .payload_len = payload.len,
                            .first = (uint8_t)(WIRE_FIN | opcode),
                            .form = 7,
                            .masked = s->from == CLIENT };

    assert(payload.len <= 125);
    if (f.masked) {
        memcpy(f.mask, key, sizeof(f.mask));
    }
    return put_frame(out, &f, payload);
}
