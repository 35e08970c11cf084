/*
 * tests/unit/replay/player_rig - a player over a tape in memory: bytes in, what was
 * said and told out, as lines of text; virtual time.
 *
 * Every step asserts. Frames are said as `text "hi"`, ends as `end fin`, events as
 * `! difference #1 ...`; HTTP as it is, with \r\n as a line's end.
 */
#ifndef WSTAPE_TESTS_UNIT_REPLAY_PLAYER_RIG_H
#define WSTAPE_TESTS_UNIT_REPLAY_PLAYER_RIG_H

#include "replay/player.h"
#include "tests/unit/replay/script_tape.h"
#include "wire/frame.h"

#define MS INT64_C(1000000)

/* The fields of a live handshake, without extensions; its key is "live...". */
#define LIVE_KEY "bGl2ZSBsaXZlIGxpdmUhIQ=="
#define ASK                                                                            \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"     \
    "Sec-WebSocket-Key: " LIVE_KEY "\r\nSec-WebSocket-Version: 13\r\n"

struct rig {
    struct script_tape tape;
    struct replay_options options; /* set before rig_start */
    struct replay_rules rules;
    bool verbose;
    struct replay_script *script;
    struct replay_stage *stage;
    struct replay_player *player;
    uint32_t players;
    int64_t now_ns;
    size_t chunk; /* bytes given at once; 0: all */
    size_t split; /* when not 0: of all bytes, those before this come by themselves */
    size_t given;
    bool shakes;                  /* a 101 is awaited */
    bool frames;                  /* what is said are frames */
    struct wire_inflate *inflate; /* what has RSV1 goes through it, if there is one */
    struct buf pending;           /* said, and not yet a whole frame */
    struct buf lines;
    size_t said; /* bytes, in all */
    bool ended;
    int result; /* of the last input; after a failure nothing more is put in */
};

void rig_init(struct rig *r);
void rig_deinit(struct rig *r);

/* The tape is whole: a stage, and a player at time 0. */
void rig_start(struct rig *r);
void rig_connect(struct rig *r); /* another player in place of the last */

void rig_in(struct rig *r, struct bytes in);
void rig_text(struct rig *r, const char *text); /* as it is: HTTP */
void rig_say(struct rig *r, const char *text);  /* a text message */
void rig_frame(struct rig *r, uint8_t first, struct bytes payload);
void rig_close(struct rig *r, unsigned code);
void rig_over(struct rig *r, enum capture_end kind);

/* The live handshake, with more fields; what is said from there on are frames. */
void rig_shake(struct rig *r, const char *fields);

/* Time passes, and the player is woken whenever it wants to be. */
void rig_pass(struct rig *r, int64_t ns);

/* What was said and told since the last time. */
void rig_expect(struct rig *r, const char *lines);

/* Instead of rig_start: runs `body` with each allocation of stage and player failing
 * once, then once more; what it says is to be expected behind it. */
void rig_fail_each(struct rig *r, void (*body)(struct rig *r));

/* Likewise with the input split in two at every byte; `body` expects by itself. */
void rig_split_each(struct rig *r, void (*body)(struct rig *r));

/* For tests that run with input whole and byte by byte. */
int rig_setup(void **state);
int rig_teardown(void **state);

#endif
