#include "replay/player_state.h"

#include <stdio.h>

enum { WORDS_MAX = 160 };

/* Only who closes first says why: an answer repeats the code (RFC 6455, 5.5.1). */
void replay_player_note_close(struct replay_player *p, struct bytes payload)
{
    uint32_t client = replay_player_find_close(p, 0, CLIENT);
    uint32_t server = replay_player_find_close(p, 0, SERVER);

    if (p->server_closed || p->expected != REPLAY_NONE || client == REPLAY_NONE ||
        server < client) {
        return;
    }
    payload = bytes_first(payload, payload.len < sizeof(p->close) ? payload.len
                                                                  : sizeof(p->close));
    p->close_step = client;
    p->close_len = (uint8_t)payload.len;
    if (payload.len > 0) {
        memcpy(p->close, payload.at, payload.len);
    }
}

static unsigned code_of(struct bytes payload)
{
    return payload.len < 2 ? 0 : payload.at[0] * 256U + payload.at[1];
}

static struct bytes put_words(struct bytes payload, char out[static WORDS_MAX])
{
    struct bytes reason = bytes_from(payload, payload.len < 2 ? payload.len : 2);

    if (payload.len < 2) {
        return bytes_of("close without code");
    }
    (void)snprintf(out, WORDS_MAX, "close %u%s%.*s%s", code_of(payload),
                   reason.len > 0 ? " (" : "", (int)reason.len,
                   reason.len > 0 ? (const char *)reason.at : "",
                   reason.len > 0 ? ")" : "");
    return bytes_of(out);
}

void replay_player_tell_close(struct replay_player *p)
{
    char before[WORDS_MAX], after[WORDS_MAX];
    struct bytes live = bytes_make(p->close, p->close_len), tape;
    struct replay_event e = { .kind = REPLAY_EVENT_END,
                              .from = CLIENT,
                              .before_present = true,
                              .after_present = true };

    if (p->close_step == 0) {
        return;
    }
    tape = p->connection->steps[p->close_step].bytes;
    if (code_of(tape) == code_of(live)) {
        return;
    }
    e.before = put_words(tape, before);
    e.after = put_words(live, after);
    replay_player_tell(p, &e);
}
