#include "captures/messages.h"

#include "wire/frame.h"
#include "wire/lint.h"

#include <errno.h>

enum { SPARE_MAX = 4096 }; /* a held buffer over this is given back at once */

const char *capture_coding_text(enum capture_coding c)
{
    switch (c) {
    case CAPTURE_PLAIN:
    case CAPTURE_INFLATED:
        return NULL;
    case CAPTURE_CODED_INCOMPLETE:
        return "compressed, and not whole on the tape";
    case CAPTURE_CODED_LOST:
        return "compressed, and refers to messages that could not be read";
    case CAPTURE_CODED_CORRUPT:
        return "compressed, but not a deflate stream";
    case CAPTURE_CODED_LARGE:
        return "compressed, and over --max-message";
    case CAPTURE_CODED_UNKNOWN:
        return "coded by an extension that wstape does not know";
    case CAPTURE_CODED_NO_HANDSHAKE:
        return "compressed, and its handshake is not on the tape";
    }
    return NULL;
}

static struct buf *held_of(struct capture_messages *m,
                           const struct capture_message *msg)
{
    return msg == &m->data ? &m->data_held : &m->control_held;
}

static void release(struct capture_messages *m, struct buf *held)
{
    m->rules->held -= held->len;
    if (held->cap > SPARE_MAX) {
        buf_deinit(held);
    }
    buf_clear(held);
}

/* Compressed payload must be whole to be decoded; of the rest only `keep` is wanted. */
static size_t room_for(const struct capture_messages *m,
                       const struct capture_message *msg, const struct buf *held)
{
    const struct capture_messages_rules *r = m->rules;
    size_t limit = msg->compressed && !r->frames ? r->limit : r->keep;
    size_t room = limit > held->len ? limit - held->len : 0;
    size_t total = r->held_max > r->held ? r->held_max - r->held : 0;

    return room < total ? room : total;
}

static int hold(struct capture_messages *m, struct capture_message *msg,
                struct bytes payload)
{
    struct buf *held = held_of(m, msg);
    size_t room = room_for(m, msg, held);
    struct bytes in = bytes_first(payload, payload.len < room ? payload.len : room);
    int r = buf_put(held, in);

    if (r == 0) {
        m->rules->held += in.len;
        msg->cut = msg->cut || in.len < payload.len;
    }
    return r;
}

/* ---- permessage-deflate ---- */

static enum capture_coding may_decode(const struct capture_messages *m,
                                      const struct capture_message *msg)
{
    if (!m->shaken) {
        return CAPTURE_CODED_NO_HANDSHAKE;
    }
    if (msg->incomplete) {
        return CAPTURE_CODED_INCOMPLETE;
    }
    if (msg->cut) {
        return CAPTURE_CODED_LARGE;
    }
    return m->lost && !m->fresh ? CAPTURE_CODED_LOST : CAPTURE_INFLATED;
}

static void forget_context(struct capture_messages *m)
{
    wire_inflate_free(m->inflate);
    m->inflate = NULL;
    m->lost = true;
}

/* Inflate `in` into the shared scratch: 0, a WIRE_INFLATE_ value or -ENOMEM. */
static int inflate(struct capture_messages *m, struct bytes in)
{
    if (m->inflate == NULL) {
        m->inflate = wire_inflate_new(m->fresh);
    }
    if (m->inflate == NULL) {
        return -ENOMEM;
    }
    buf_clear(&m->rules->inflated);
    return wire_inflate_message(m->inflate, in, m->rules->limit, &m->rules->inflated);
}

/* The bits that only the decoded text shows; wire/lint cannot see them. */
static uint32_t text_faults(const struct capture_message *msg)
{
    struct wire_utf8 u = { 0 };

    if (capture_message_opcode(msg) != WIRE_OP_TEXT) {
        return 0;
    }
    return wire_utf8_check(&u, msg->payload) && (msg->over || wire_utf8_complete(&u))
               ? 0
               : WIRE_FAULT_UTF8;
}

static int decode(struct capture_messages *m, struct capture_message *msg)
{
    int r;

    msg->coding = may_decode(m, msg);
    if (msg->coding != CAPTURE_INFLATED) {
        forget_context(m);
        return 0;
    }
    r = inflate(m, msg->payload);
    if (r < 0) {
        return r;
    }
    if (r == WIRE_INFLATE_CORRUPT) {
        msg->coding = CAPTURE_CODED_CORRUPT;
        forget_context(m);
        return 0;
    }
    msg->over = r == WIRE_INFLATE_LIMIT;
    msg->payload = buf_bytes(&m->rules->inflated);
    msg->size = msg->payload.len;
    msg->faults |= text_faults(msg);
    return 0;
}

/* ---- messages ---- */

static bool is_unknown_coding(const struct capture_messages *m,
                              const struct capture_message *msg)
{
    unsigned rsv = msg->frame.first & (WIRE_RSV1 | WIRE_RSV2 | WIRE_RSV3);

    return m->others && rsv != 0 && !(m->agreed && rsv == WIRE_RSV1);
}

static int give(struct capture_messages *m, struct capture_message *msg,
                struct bytes payload)
{
    struct capture_messages_rules *rules = m->rules;
    int r = 0;

    msg->payload = payload;
    msg->incomplete = msg->incomplete || (rules->doubt && msg->pieces > 1);
    if (!rules->frames && is_unknown_coding(m, msg)) {
        msg->coding = CAPTURE_CODED_UNKNOWN;
    } else if (!rules->frames && msg->compressed) {
        r = decode(m, msg);
    }
    if (msg->payload.len > rules->keep) {
        msg->payload.len = rules->keep;
        msg->cut = true;
    }
    msg->cut = msg->cut || msg->over;
    if (r == 0) {
        r = rules->message(rules->owner, m->connection, msg);
    }
    msg->fragments = 0;
    release(m, held_of(m, msg));
    return r;
}

static int give_incomplete(struct capture_messages *m, struct capture_message *msg)
{
    if (msg->fragments == 0) {
        return 0;
    }
    if (m->current == msg) {
        m->current = NULL;
    }
    msg->incomplete = true;
    return give(m, msg, buf_bytes(held_of(m, msg)));
}

/* Whether RSV1 says permessage-deflate: agreed or, without a handshake on the tape, not
 * called a fault by the recorder, who saw the handshake. */
static bool is_compressed(const struct capture_messages *m,
                          const struct capture_frame *f)
{
    if ((f->first & WIRE_RSV1) == 0 || (f->first & 0x0fU) == WIRE_OP_CONTINUATION) {
        return false;
    }
    return m->shaken ? m->agreed : (f->faults & WIRE_FAULT_RSV) == 0;
}

static void start(struct capture_messages *m, struct capture_message *msg,
                  const struct capture_frame *f, int64_t time_ns)
{
    unsigned op = f->first & 0x0fU;

    *msg = (struct capture_message){ .from = m->from,
                                     .frame = *f,
                                     .compressed = op < 8 && is_compressed(m, f),
                                     .time_ns = time_ns };
    msg->frame.payload = (struct bytes){ NULL, 0 };
    if (!m->rules->frames && (op == WIRE_OP_TEXT || op == WIRE_OP_BINARY)) {
        msg->number = ++m->count;
    }
}

/* Who gets the frame, with unfinished messages that it cuts off given out. */
static int place(struct capture_messages *m, const struct capture_frame *f,
                 int64_t time_ns, struct capture_message **out)
{
    unsigned op = f->first & 0x0fU;
    struct capture_message *msg = op >= 8 || m->rules->frames ? &m->control : &m->data;
    bool continues =
        msg == &m->data && op == WIRE_OP_CONTINUATION && msg->fragments > 0;
    int r = m->current == NULL ? 0 : give_incomplete(m, m->current);

    if (r == 0 && !continues) {
        r = give_incomplete(m, msg);
    }
    if (r < 0) {
        return r;
    }
    if (!continues || msg->fragments == 0) {
        start(m, msg, f, time_ns);
    }
    *out = msg;
    return 0;
}

/* The next payload bytes of the frame in progress. */
static int take(struct capture_messages *m, struct bytes payload, int64_t time_ns)
{
    struct capture_message *msg = m->current;
    struct buf *held = held_of(m, msg);
    int r;

    msg->pieces++;
    msg->end_ns = time_ns;
    msg->size += payload.len;
    msg->wire_size += payload.len;
    m->left -= payload.len < m->left ? payload.len : m->left;
    if (m->left == 0) {
        m->current = NULL;
    }
    if (m->left == 0 && m->last && held->len == 0 && !msg->cut) {
        return give(m, msg, payload); /* the whole of it, never copied */
    }
    r = hold(m, msg, payload);
    if (r == 0 && m->left == 0 && m->last) {
        r = give(m, msg, buf_bytes(held));
    }
    return r;
}

void capture_messages_init(struct capture_messages *m, struct capture_messages_rules *r,
                           uint32_t connection, enum side from)
{
    *m =
        (struct capture_messages){ .rules = r, .connection = connection, .from = from };
}

void capture_messages_deinit(struct capture_messages *m)
{
    if (m == NULL || m->rules == NULL) {
        return;
    }
    m->rules->held -= m->data_held.len + m->control_held.len;
    buf_deinit(&m->data_held);
    buf_deinit(&m->control_held);
    wire_inflate_free(m->inflate);
    m->inflate = NULL;
}

void capture_messages_agree(struct capture_messages *m,
                            const struct wire_deflate_params *p, bool others)
{
    m->shaken = true;
    m->lost = false;
    m->agreed = p->agreed;
    m->others = others;
    m->fresh = m->from == CLIENT ? p->client_no_context_takeover
                                 : p->server_no_context_takeover;
}

/* The recorder, who saw the frames before it, did not call it a continuation of
 * nothing. */
static bool lacks_start(const struct capture_messages *m,
                        const struct capture_message *msg,
                        const struct capture_frame *f)
{
    return msg == &m->data && msg->fragments == 1 &&
           (f->first & 0x0fU) == WIRE_OP_CONTINUATION &&
           (f->faults & WIRE_FAULT_ORPHAN) == 0;
}

int capture_messages_frame(struct capture_messages *m, const struct capture_frame *f,
                           int64_t time_ns)
{
    unsigned op = f->first & 0x0fU;
    struct capture_message *msg;
    int r = place(m, f, time_ns, &msg);

    if (r < 0) {
        return r;
    }
    msg->fragments++;
    msg->faults |= f->faults;
    msg->incomplete = msg->incomplete || lacks_start(m, msg, f);
    m->current = msg;
    m->left = f->payload_len;
    /* Control frames and orphans stand alone, whatever their FIN bit says. */
    m->last = (f->first & WIRE_FIN) != 0 || msg == &m->control ||
              (op == WIRE_OP_CONTINUATION && msg->fragments == 1);
    return take(m, f->payload, time_ns);
}

int capture_messages_more(struct capture_messages *m, struct bytes payload,
                          uint32_t faults, int64_t time_ns)
{
    if (m->current == NULL) {
        return CAPTURE_MESSAGES_STRAY;
    }
    m->current->faults |= faults;
    return take(m, payload, time_ns);
}

int capture_messages_lose(struct capture_messages *m)
{
    int r = give_incomplete(m, &m->control);

    if (r == 0) {
        r = give_incomplete(m, &m->data);
    }
    if (m->inflate != NULL || m->agreed || !m->shaken) {
        forget_context(m);
    }
    return r;
}

int capture_messages_end(struct capture_messages *m)
{
    int r = capture_messages_lose(m);

    buf_deinit(&m->data_held);
    buf_deinit(&m->control_held);
    return r;
}
