#include "replay/player_state.h"
#include "wire/frame.h"

#include <stdio.h>

uint32_t replay_player_find_end(const struct replay_player *p, uint32_t from,
                                enum side side)
{
    const struct replay_connection *c = p->connection;

    for (uint32_t i = from; i < c->step_count; i++) {
        if (c->steps[i].kind == REPLAY_END && c->steps[i].from == side) {
            return i;
        }
    }
    return REPLAY_NONE;
}

uint32_t replay_player_find_close(const struct replay_player *p, uint32_t from,
                                  enum side side)
{
    const struct replay_connection *c = p->connection;

    for (uint32_t i = from; i < c->step_count; i++) {
        if (c->steps[i].from == side && replay_player_is_close(&c->steps[i])) {
            return i;
        }
    }
    return REPLAY_NONE;
}

/* ---- saying it ourselves ---- */

static int put_close(struct replay_player *p, struct bytes payload)
{
    if (p->server_closed || p->halved) {
        return 0;
    }
    p->server_closed = true;
    return replay_speak_control(&p->speak, WIRE_OP_CLOSE, payload, NULL, &p->out.send);
}

int replay_player_close(struct replay_player *p, unsigned code, const char *reason)
{
    uint8_t payload[PLAYER_CLOSE_MAX] = { (uint8_t)(code >> 8), (uint8_t)code };
    size_t len = strlen(reason);
    int r;

    len = len < PLAYER_CLOSE_MAX - 2 ? len : PLAYER_CLOSE_MAX - 2;
    memcpy(payload + 2, reason, len);
    r = put_close(p, bytes_make(payload, len + 2));
    if (r == 0) {
        replay_player_end(p, CAPTURE_END_FIN);
    }
    return r;
}

/* The client's own code comes back (RFC 6455, 5.5.1). */
static int echo_close(struct replay_player *p, struct bytes payload)
{
    int r = put_close(p, bytes_first(payload, payload.len < 2 ? 0 : 2));

    if (r == 0) {
        replay_player_end(p, CAPTURE_END_FIN);
    }
    return r;
}

/* ---- leaving out ---- */

static uint64_t messages_between(const struct replay_player *p, uint32_t from,
                                 uint32_t to)
{
    const struct replay_connection *c = p->connection;
    uint64_t count = 0;

    for (uint32_t i = from; i < to; i++) {
        const struct replay_step *step = &c->steps[i];

        count += step->from == SERVER && step->message != REPLAY_NONE &&
                 c->messages[step->message].step == i;
    }
    return count;
}

/* The client does what the tape has at step `to`: nothing before it matters now. */
static void skip_to(struct replay_player *p, uint32_t to)
{
    uint64_t count = messages_between(p, p->at, to);
    char text[120];

    if (count > 0) {
        (void)snprintf(text, sizeof(text),
                       "the client ended before the last %llu message%s said",
                       (unsigned long long)count, count == 1 ? " was" : "s were");
        replay_player_note(p, text);
    }
    p->skip_from = p->at;
    p->skip_to = to;
    p->at = to;
    buf_clear(&p->came);
    p->came_at = 0;
}

/* ---- the live client's control frames ---- */

/* Its close is the tape's next thing of it, or comes instead. */
static int take_first_close(struct replay_player *p, struct bytes payload)
{
    uint32_t close = replay_player_find_close(p, p->at, CLIENT);

    if (p->expected != REPLAY_NONE) {
        p->early = true;
        return echo_close(p, payload);
    }
    if (close == REPLAY_NONE ||
        (replay_player_find_close(p, close, SERVER) == REPLAY_NONE &&
         replay_player_find_end(p, close, SERVER) == REPLAY_NONE)) {
        return echo_close(p, payload);
    }
    skip_to(p, close);
    return 0;
}

static int take_close(struct replay_player *p, struct bytes payload)
{
    if (p->client_closed) {
        return 0;
    }
    p->client_closed = true;
    p->over_ns = p->now_ns;
    replay_player_note_close(p, payload);
    if (p->state == PLAYER_FRAMES) {
        replay_player_move(p, PLAYER_CLOSING);
    }
    return p->server_closed ? 0 : take_first_close(p, payload);
}

int replay_player_control(struct replay_player *p, const struct capture_message *m)
{
    unsigned opcode = capture_message_opcode(m);
    struct bytes payload = m->payload;

    if (opcode == WIRE_OP_CLOSE) {
        int r = take_close(p, payload);

        return r == 0 && p->state != PLAYER_DONE ? replay_player_walk(p) : r;
    }
    if (opcode != WIRE_OP_PING || p->server_closed || p->halved || p->client_closed) {
        return 0;
    }
    payload.len = payload.len < PLAYER_CLOSE_MAX ? payload.len : PLAYER_CLOSE_MAX;
    return replay_speak_control(&p->speak, WIRE_OP_PONG, payload, NULL, &p->out.send);
}

/* ---- the live client's end ---- */

/* Without a close frame where the tape has one. */
static void note_no_close(struct replay_player *p)
{
    if (!p->client_closed && !p->cut_short &&
        replay_player_find_close(p, p->at, CLIENT) != REPLAY_NONE) {
        replay_player_note(p, "the client ended without the close frame of the tape");
    }
}

int replay_player_client_over(struct replay_player *p, enum capture_end kind)
{
    uint32_t client, server;

    p->over_ns = p->now_ns;
    p->early = p->early ||
               (p->expected != REPLAY_NONE && !p->client_closed && !p->server_closed);
    if (!p->early) {
        note_no_close(p);
    }
    if (kind == CAPTURE_END_RESET) {
        replay_player_move(p, PLAYER_DONE);
        return 0;
    }
    if (p->state == PLAYER_CLOSING) {
        return 0; /* what the tape has behind its close is still said */
    }
    client = replay_player_find_end(p, p->at, CLIENT);
    server = replay_player_find_end(p, p->at, SERVER);
    if (!p->early && client != REPLAY_NONE &&
        (server == REPLAY_NONE || client < server)) {
        skip_to(p, client);
        return 0;
    }
    replay_player_end(p, p->early || server == REPLAY_NONE
                             ? CAPTURE_END_FIN
                             : (enum capture_end)p->connection->steps[server].end);
    return 0;
}
