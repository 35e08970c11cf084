#include "replay/player_state.h"
#include "wire/lint.h"

#include <errno.h>
#include <stdio.h>

/* ---- what is expected ---- */

/* A message that the recorded client did not finish cannot come. */
bool replay_player_can_come(const struct replay_player *p, uint32_t index)
{
    const struct replay_message *m = &p->connection->messages[index];
    const struct replay_step *last = &p->connection->steps[m->last_step];

    return m->whole ||
           ((last->first & WIRE_FIN) != 0 && last->bytes.len >= last->payload_len);
}

void replay_player_expect(struct replay_player *p, uint32_t index)
{
    while (index != REPLAY_NONE && !replay_player_can_come(p, index)) {
        p->had = p->connection->messages[index].number;
        index = p->connection->messages[index].next;
    }
    p->expected = index;
}

/* The live message stands for the expected one. `text`: it can be read as one, and
 * teaches live values. */
static int accept(struct replay_player *p, struct bytes payload, bool text)
{
    const struct replay_message *m = &p->connection->messages[p->expected];
    uint32_t index = p->expected;
    int r = 0;

    if (p->live != NULL && m->whole && text) {
        r = replay_live_learn(p->live, index, payload);
    }
    if (r == 0 && p->stage->options.gate && m->last_step >= p->at) {
        r = buf_put(&p->came, bytes_make(&p->now_ns, sizeof(p->now_ns)));
    }
    p->had = m->number;
    replay_player_expect(p, m->next);
    return r;
}

/* ---- faults ---- */

static int name_faults(uint32_t faults, struct buf *out)
{
    int r = buf_put_text(out, "the client broke the protocol (RFC 6455):");

    for (unsigned bit = 0; r == 0 && wire_fault_name(bit) != NULL; bit++) {
        if ((faults & (1U << bit)) != 0) {
            r = buf_put_format(out, " %s", wire_fault_name(bit));
        }
    }
    return r;
}

static void tell_broken(struct replay_player *p, const struct capture_message *m,
                        struct bytes text)
{
    struct replay_event e = {
        .kind = REPLAY_EVENT_BROKEN, .from = CLIENT, .message = m->number, .text = text
    };

    replay_player_tell(p, &e);
}

static int check_faults(struct replay_player *p, const struct capture_message *m)
{
    struct buf text = { 0 };
    int r;

    if (m->faults == 0) {
        return 0;
    }
    if (!p->linted) {
        p->linted = true;
        p->tape_faults = replay_connection_faults(p->connection, CLIENT);
    }
    if ((m->faults & ~p->tape_faults) == 0) {
        return 0;
    }
    r = name_faults(m->faults & ~p->tape_faults, &text);
    if (r == 0) {
        tell_broken(p, m, buf_bytes(&text));
    }
    buf_deinit(&text);
    return r;
}

/* ---- the message against the tape's ---- */

struct matching {
    struct replay_player *p;
    const struct replay_message *tape;
};

static int tell_difference(void *owner, const struct replay_difference *d)
{
    const struct matching *m = owner;
    struct replay_event e = { .kind = REPLAY_EVENT_DIFFERENCE,
                              .from = CLIENT,
                              .message = m->tape->number,
                              .path = d->path,
                              .before = d->before,
                              .after = d->after,
                              .before_present = d->before_present,
                              .after_present = d->after_present,
                              .before_binary = m->tape->opcode == WIRE_OP_BINARY,
                              .after_binary = m->tape->opcode == WIRE_OP_BINARY };

    replay_player_tell(m->p, &e);
    return 0;
}

static void tell_rest(struct replay_player *p, uint64_t number)
{
    char text[64];
    struct replay_event e = { .kind = REPLAY_EVENT_NOTE, .message = number };

    replay_compare_say_rest(&p->compare, text);
    e.text = bytes_of(text);
    replay_player_tell(p, &e);
}

static void tell_other(struct replay_player *p, enum replay_event_kind kind,
                       struct replay_text live)
{
    const struct replay_message *tape =
        p->expected == REPLAY_NONE ? NULL : &p->connection->messages[p->expected];
    struct replay_event e = { .kind = kind,
                              .from = CLIENT,
                              .message = tape == NULL ? p->had : tape->number,
                              .before = tape == NULL ? bytes_of("") : tape->payload,
                              .after = live.payload,
                              .before_present = tape != NULL,
                              .after_present = true,
                              .before_binary =
                                  tape != NULL && tape->opcode == WIRE_OP_BINARY,
                              .after_binary = live.opcode == WIRE_OP_BINARY };

    replay_player_tell(p, &e);
}

static int on_mismatch(struct replay_player *p, uint64_t number, const char *what)
{
    char reason[100];

    if (p->stage->options.on_mismatch != REPLAY_CLOSE || p->state == PLAYER_DONE) {
        return 0;
    }
    (void)snprintf(reason, sizeof(reason), "message %llu %s",
                   (unsigned long long)number, what);
    return replay_player_close(p, 1008, reason);
}

/* 0 when the message is taken for the expected one, DIFFERS when it is not. */
static int compare(struct replay_player *p, struct replay_text live)
{
    struct matching m = { p, &p->connection->messages[p->expected] };
    struct replay_text tape = { m.tape->opcode, m.tape->payload };
    uint64_t number = m.tape->number;
    bool same;
    int r = replay_compare_recorded(&p->compare, p->connection, p->expected, live, NULL,
                                    NULL);

    if (r != REPLAY_DIFFERS) {
        return r;
    }
    r = replay_compare_kind(&p->compare, tape, live, &same);
    if (r < 0) {
        return r;
    }
    if (!same) {
        tell_other(p, REPLAY_EVENT_UNEXPECTED, live);
        r = on_mismatch(p, number, "is not the one on the tape");
        return r < 0 ? r : REPLAY_DIFFERS;
    }
    r = replay_compare_recorded(&p->compare, p->connection, p->expected, live,
                                tell_difference, &m);
    if (r >= 0 && p->compare.rest > 0) {
        tell_rest(p, number);
    }
    return r < 0 ? r : on_mismatch(p, number, "differs from the tape");
}

/* Why the message cannot be compared, or NULL. */
static const char *unreadable(const struct capture_message *m)
{
    return m->coding != CAPTURE_PLAIN && m->coding != CAPTURE_INFLATED
               ? capture_coding_text(m->coding)
           : m->cut ? "over --max-message"
                    : NULL;
}

static int take_unread(struct replay_player *p, const struct capture_message *m,
                       const char *why)
{
    struct buf text = { 0 };
    int r = buf_put_format(&text, "the message could not be compared: %s", why);

    if (r == 0) {
        tell_broken(p, m, buf_bytes(&text));
        r = accept(p, m->payload, false);
    }
    buf_deinit(&text);
    return r < 0 ? r : on_mismatch(p, m->number, "could not be read");
}

static int take_expected(struct replay_player *p, const struct capture_message *m)
{
    struct replay_text live = { (uint8_t)capture_message_opcode(m), m->payload };
    bool comparable = p->connection->messages[p->expected].whole;
    const char *why = comparable ? unreadable(m) : NULL;
    int r;

    if (why != NULL) {
        return take_unread(p, m, why);
    }
    r = comparable ? compare(p, live) : 0;
    if (r == REPLAY_DIFFERS) {
        return 0;
    }
    return r < 0 || p->state == PLAYER_DONE
               ? r
               : accept(p, m->payload, live.opcode == WIRE_OP_TEXT);
}

static int take_message(struct replay_player *p, const struct capture_message *m)
{
    struct replay_text live = { (uint8_t)capture_message_opcode(m), m->payload };
    int r;

    p->got++;
    if (p->expected == REPLAY_NONE) {
        tell_other(p, REPLAY_EVENT_EXTRA, live);
        return on_mismatch(p, p->had + 1, "is not on the tape");
    }
    r = take_expected(p, m);
    return r < 0 || p->state == PLAYER_DONE ? r : replay_player_walk(p);
}

int replay_player_heard(void *owner, uint32_t connection,
                        const struct capture_message *m)
{
    struct replay_player *p = owner;
    unsigned opcode = capture_message_opcode(m);
    int r;

    (void)connection;
    if (p->state == PLAYER_DONE) {
        return 0;
    }
    r = check_faults(p, m);
    if (r < 0) {
        return r;
    }
    if (opcode >= 8) {
        return replay_player_control(p, m);
    }
    return m->number == 0 || m->incomplete || p->client_closed ? 0 : take_message(p, m);
}
