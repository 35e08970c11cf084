#include "replay/script_state.h"

#include "wire/frame.h"

#include <assert.h>
#include <errno.h>

/* Reserved opcodes below 8 count as data, as capture_messages sees them. */
static struct script_joint *joint_of(struct script_lane *lane, unsigned opcode)
{
    return opcode >= 8 ? &lane->control : &lane->data;
}

/* ---- bytes that wait ---- */

static int wait_for_more(struct script_reading *b, struct script_joint *j,
                         struct bytes in)
{
    int r;

    if (in.len > b->limit - b->script->bytes - b->pending) {
        return -EFBIG;
    }
    r = buf_put(&j->bytes, in);
    if (r == 0) {
        b->pending += in.len;
    }
    return r;
}

static void joint_clear(struct script_joint *j)
{
    j->fragments = 0;
    if (j->bytes.cap > 4096) {
        buf_deinit(&j->bytes);
    }
    buf_clear(&j->bytes);
}

/* ---- what a message's end makes of its steps ---- */

static bool is_whole(const struct capture_message *m)
{
    return (m->coding == CAPTURE_PLAIN || m->coding == CAPTURE_INFLATED) &&
           !m->incomplete && !m->cut && !m->over;
}

/* One direction has but one unfinished message: between its first and last frame, all
 * data frames are its own. */
static bool is_part(const struct replay_step *step, const struct replay_step *first)
{
    bool is_control = (step->first & 0x0fU) >= 8;

    return step->kind == REPLAY_FRAME && step->from == first->from &&
           is_control == ((first->first & 0x0fU) >= 8);
}

/* Frames of a whole message leave their bytes to it; others have their own. */
static void share_out(struct replay_connection *c, const struct script_joint *j,
                      uint32_t message, const uint8_t *wire)
{
    const struct replay_step *first = &c->steps[j->first];

    for (uint32_t i = j->first; i <= j->last; i++) {
        struct replay_step *step = &c->steps[i];

        if (!is_part(step, first)) {
            continue;
        }
        step->message = message;
        if (wire == NULL) {
            step->bytes = (struct bytes){ NULL, 0 };
        } else {
            step->bytes.at = wire;
            wire += step->bytes.len;
        }
    }
}

static int put_message(struct script_reading *b, const struct script_joint *j,
                       const struct capture_message *m, uint32_t *index)
{
    struct script_strand *s = b->current;
    struct replay_connection *c = script_connection(b, s);
    void *at = c->messages;
    struct replay_message made = { .number = c->count[m->from] + 1,
                                   .step = j->first,
                                   .last_step = j->last,
                                   .fragments = m->fragments,
                                   .next = REPLAY_NONE,
                                   .from = (uint8_t)m->from,
                                   .opcode = (uint8_t)capture_message_opcode(m),
                                   .compressed = m->compressed,
                                   .whole = is_whole(m) };
    uint32_t *link = &c->last[m->from];
    int r = replay_script_grow(&at, c->message_count, &s->message_cap,
                               sizeof(*c->messages));

    c->messages = at;
    if (r == 0 && made.whole) {
        r = replay_script_keep(b, m->payload, &made.payload);
    }
    if (r < 0) {
        return r;
    }
    *index = c->message_count++;
    c->messages[*index] = made;
    if (*link == REPLAY_NONE) {
        c->first[m->from] = *index;
    } else {
        c->messages[*link].next = *index;
    }
    *link = *index;
    c->count[m->from]++;
    return 0;
}

static void join(struct script_joint *j, uint32_t step)
{
    j->first = j->fragments == 0 ? step : j->first;
    j->last = step;
    j->fragments++;
}

/* What lacks something although its end is there lacks it on the tape only. */
static bool has_end(const struct replay_step *last)
{
    return (last->first & WIRE_FIN) != 0 && last->bytes.len >= last->payload_len;
}

static int settle(struct script_reading *b, struct script_joint *j,
                  const struct capture_message *m)
{
    struct replay_connection *c = script_connection(b, b->current);
    bool is_message = m->number > 0 && (!m->incomplete || has_end(&c->steps[j->last]));
    uint32_t index = REPLAY_NONE;
    struct bytes wire = { NULL, 0 };
    int r = 0;

    b->pending -= j->bytes.len;
    if (is_message) {
        r = put_message(b, j, m, &index);
    }
    if (r == 0 && !(is_message && is_whole(m))) {
        r = replay_script_keep(b, buf_bytes(&j->bytes), &wire);
    }
    if (r == 0) {
        share_out(c, j, index, wire.at);
    }
    return r;
}

int replay_script_message(void *owner, uint32_t connection,
                          const struct capture_message *m)
{
    struct script_reading *b = owner;
    struct script_joint *j =
        joint_of(&b->current->lanes[m->from], capture_message_opcode(m));
    bool takes_incoming = m->fragments > j->fragments;
    int r = 0;

    assert(connection == script_connection(b, b->current)->number);
    if (takes_incoming) {
        assert(b->incoming != REPLAY_NONE);
        join(j, b->incoming);
        b->incoming = REPLAY_NONE;
        if (m->number == 0 || !is_whole(m)) {
            r = wait_for_more(b, j, b->incoming_bytes);
        }
    }
    if (r == 0) {
        r = settle(b, j, m);
        joint_clear(j);
    }
    return r;
}

/* ---- records ---- */

int replay_script_frame(struct script_reading *b, struct script_strand *s,
                        const struct capture_record *r)
{
    const struct capture_frame *f = &r->u.frame.frame;
    struct script_lane *lane = &s->lanes[r->u.frame.from];
    struct script_joint *j = joint_of(lane, f->first & 0x0fU);
    struct replay_step step = { .time_ns = r->time_ns,
                                .bytes = bytes_make(NULL, f->payload.len),
                                .payload_len = f->payload_len,
                                .exchange = REPLAY_NONE,
                                .message = REPLAY_NONE,
                                .kind = REPLAY_FRAME,
                                .from = (uint8_t)r->u.frame.from,
                                .first = f->first,
                                .form = f->form,
                                .masked = f->masked };
    int done;

    memcpy(step.mask, f->mask, sizeof(step.mask));
    done = replay_script_step(b, s, &step, &b->incoming);
    if (done < 0) {
        return done;
    }
    b->incoming_bytes = f->payload;
    done = capture_messages_frame(&lane->messages, f, r->time_ns);
    if (done == 0 && b->incoming != REPLAY_NONE) {
        join(j, b->incoming);
        done = wait_for_more(b, j, f->payload);
    }
    b->incoming = REPLAY_NONE;
    return done;
}

/* Bytes of a frame whose start is missing say nothing that could be played. */
int replay_script_more(struct script_reading *b, struct script_strand *s,
                       const struct capture_record *r)
{
    struct script_lane *lane = &s->lanes[r->u.more.from];
    struct script_joint *j = &lane->data;
    int done;

    if (lane->messages.current == NULL) {
        return 0;
    }
    if (lane->messages.current == &lane->messages.control) {
        j = &lane->control;
    }
    done = wait_for_more(b, j, r->u.more.payload);
    if (done == 0) {
        script_connection(b, s)->steps[j->last].bytes.len += r->u.more.payload.len;
        done = capture_messages_more(&lane->messages, r->u.more.payload,
                                     r->u.more.faults, r->time_ns);
    }
    assert(done <= 0);
    return done;
}
