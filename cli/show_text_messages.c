#include "cli/show_text.h"
#include "wire/frame.h"

#include <stdio.h>

static void put_faults(struct show *s, const struct capture_message *m)
{
    bool first = true;

    if (m->faults == 0 && !m->incomplete) {
        return;
    }
    show_line_colour(&s->line, SHOW_BAD);
    for (unsigned bit = 0; bit < 32; bit++) {
        if ((m->faults >> bit & 1U) != 0) {
            show_line_text(&s->line, first ? "! " : ", ");
            show_fault_words(&s->line, m, bit);
            first = false;
        }
    }
    if (m->incomplete) {
        show_line_text(&s->line, first ? "! incomplete" : ", incomplete");
    }
    show_line_text(&s->line, "  ");
    show_line_colour(&s->line, SHOW_PLAIN);
}

/* How it came, where that is not the plain way. */
static void put_manner(struct show *s, const struct capture_message *m)
{
    char size[SHOW_SPAN_MAX];

    if (m->fragments < 2 && !m->compressed && !m->over) {
        return;
    }
    show_put_bytes(size, sizeof(size), m->wire_size);
    show_line_colour(&s->line, SHOW_DIM);
    show_line_text(&s->line, "(");
    if (m->fragments > 1) {
        show_line_format(&s->line, "%u frames%s", (unsigned)m->fragments,
                         m->compressed ? ", " : "");
    }
    if (m->compressed) {
        show_line_format(&s->line, "deflate %s", size);
    }
    if (m->over) {
        show_line_text(&s->line, ", cut at --max-message");
    }
    show_line_text(&s->line, ") ");
    show_line_colour(&s->line, SHOW_PLAIN);
}

static void put_close(struct show *s, const struct capture_message *m)
{
    struct bytes in = m->payload;
    unsigned code = in.len < 2 ? 1005U : (unsigned)in.at[0] << 8 | in.at[1];
    const char *name = show_close_name(code);

    if (in.len == 1) {
        show_line_hex(&s->line, in, show_line_room(&s->line), false);
        return;
    }
    show_line_format(&s->line, "%u", code);
    if (name != NULL) {
        show_line_format(&s->line, " (%s)", name);
    }
    if (in.len > 2) {
        show_line_text(&s->line, " ");
        show_line_safe(&s->line, bytes_from(in, 2), show_line_room(&s->line), m->cut);
    }
}

static void put_payload(struct show *s, const struct capture_message *m)
{
    unsigned opcode = capture_message_opcode(m);
    struct bytes in = m->payload;

    if (capture_coding_text(m->coding) != NULL) {
        show_line_colour(&s->line, SHOW_BAD);
        show_line_format(&s->line, "! %s  ", capture_coding_text(m->coding));
        show_line_colour(&s->line, SHOW_PLAIN);
        show_line_hex(&s->line, in, show_line_room(&s->line), m->cut);
    } else if (opcode == WIRE_OP_CLOSE && !s->options.frames) {
        put_close(s, m);
    } else if ((opcode == WIRE_OP_TEXT && !s->options.frames) ||
               (opcode != WIRE_OP_BINARY && show_text_looks_like(in))) {
        show_line_safe(&s->line, in, show_line_room(&s->line), m->cut);
    } else {
        show_line_hex(&s->line, in, show_line_room(&s->line), m->cut);
    }
}

const char *show_text_kind(unsigned opcode, char out[16])
{
    static const char *const names[] = { "contin.", "text", "binary" };
    static const char *const control[] = { "close", "ping", "pong" };

    if (opcode <= WIRE_OP_BINARY) {
        return names[opcode];
    }
    if (opcode >= WIRE_OP_CLOSE && opcode <= WIRE_OP_PONG) {
        return control[opcode - WIRE_OP_CLOSE];
    }
    snprintf(out, 16, "op %u", opcode);
    return out;
}

static const struct capture_message *message_of(const struct capture_moment *at)
{
    return at->kind == CAPTURE_MOMENT_DELIVERED ? at->u.delivered.message
                                                : at->u.message;
}

/* The columns up to the size. */
static void put_start(struct show *s, const struct capture_moment *at, uint64_t size)
{
    const struct capture_message *m = message_of(at);
    bool arrived = at->kind == CAPTURE_MOMENT_MESSAGE;
    enum show_actor sender = m->from == CLIENT ? SHOW_TO_SERVER : SHOW_TO_CLIENT;
    char kind[16], number[24];

    show_text_start(s, at, arrived ? show_text_actor(m->from) : sender,
                    arrived ? show_text_colour(m->from) : SHOW_WSTAPE,
                    show_text_kind(capture_message_opcode(m), kind));
    if (m->number > 0) {
        snprintf(number, sizeof(number), "%llu", (unsigned long long)m->number);
        show_line_right(&s->line, show_text_number_end(s), number);
    }
    show_text_size(s, size);
    show_text_column(s);
}

/* Why wstape spoke, unless the line above says so, or the payload does. */
static void put_cause(struct show *s, const struct capture_moment *at)
{
    const struct capture_message *m = message_of(at);
    struct bytes cause = at->kind == CAPTURE_MOMENT_DELIVERED ? at->u.delivered.cause
                                                              : (struct bytes){ 0 };
    size_t code = m->payload.len < 2 ? m->payload.len : 2;
    bool is_said = capture_message_opcode(m) == WIRE_OP_CLOSE &&
                   bytes_equal(bytes_from(m->payload, code), cause);

    if (cause.len == 0 || s->part == SHOW_HIT_OUTCOME || is_said) {
        return;
    }
    show_line_colour(&s->line, SHOW_DIM);
    show_line_text(&s->line, "(");
    show_line_safe(&s->line, cause, show_line_room(&s->line) / 2, false);
    show_line_text(&s->line, ") ");
    show_line_colour(&s->line, SHOW_PLAIN);
}

int show_text_message(struct show *s, const struct capture_moment *at)
{
    const struct capture_message *m = message_of(at);

    put_start(s, at, m->size);
    put_faults(s, m);
    if (m->withheld) {
        show_line_colour(&s->line, SHOW_WSTAPE);
        show_line_text(&s->line, "(not passed on) ");
        show_line_colour(&s->line, SHOW_PLAIN);
    }
    put_manner(s, m);
    put_cause(s, at);
    put_payload(s, m);
    return show_line_end(&s->line);
}

int show_text_frame(struct show *s, const struct capture_moment *at)
{
    const struct capture_message *m = message_of(at);
    const struct capture_frame *f = &m->frame;

    put_start(s, at, f->payload_len);
    show_line_colour(&s->line, SHOW_DIM);
    show_line_text(&s->line, (f->first & WIRE_FIN) != 0 ? "FIN " : "--- ");
    for (unsigned bit = 1; bit <= 3; bit++) {
        if ((f->first & (0x80U >> bit)) != 0) {
            show_line_format(&s->line, "RSV%u ", bit);
        }
    }
    show_line_format(&s->line, "%2u bit ", f->form);
    if (f->masked != 0) {
        show_line_format(&s->line, "mask %02x%02x%02x%02x ", f->mask[0], f->mask[1],
                         f->mask[2], f->mask[3]);
    }
    show_line_text(&s->line, " ");
    show_line_colour(&s->line, SHOW_PLAIN);
    put_faults(s, m);
    put_cause(s, at);
    put_payload(s, m);
    return show_line_end(&s->line);
}
