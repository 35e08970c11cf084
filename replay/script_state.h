/*
 * replay/script_state - a script while it is read from a tape. For replay/script*.c.
 *
 * A strand is what is in progress on one connection. It goes when both sides have
 * ended, so that a tape of many short connections costs no more than its content.
 */
#ifndef WSTAPE_REPLAY_SCRIPT_STATE_H
#define WSTAPE_REPLAY_SCRIPT_STATE_H

#include "captures/exchanges.h"
#include "captures/map.h"
#include "captures/overview.h"
#include "replay/script.h"

/* ---- script_store: where all bytes lie ---- */

struct replay_store;

struct replay_store *replay_store_new(void); /* NULL when memory is out */
void replay_store_free(struct replay_store *s);

/* A copy of `in` that lives as long as the store. -ENOMEM. */
int replay_store_put(struct replay_store *s, struct bytes in, struct bytes *out);

/* ---- a connection in progress ---- */

/* Frames that will be one message, or one frame that belongs to none. The bytes are as
 * on the wire, of all frames so far; how many are whose say the steps' lengths. */
struct script_joint {
    uint32_t first, last; /* steps */
    uint32_t fragments;   /* 0: nothing is in progress */
    struct buf bytes;
};

struct script_lane {
    struct capture_messages messages;
    struct script_joint data, control;
    bool over; /* nothing more comes from this side */
};

struct script_strand {
    uint32_t connection; /* index */
    uint64_t losses;     /* that it knows of */
    uint32_t step_cap, message_cap, exchange_cap;
    uint32_t answering; /* exchange that the recorder itself answers, or NONE */
    bool is_websocket;  /* what the recorder sends on it are frames */
    struct script_lane lanes[2];
    struct capture_exchanges http;
};

struct script_reading {
    struct replay_script *script;
    struct script_strand **strands; /* as script->connections; NULL: over */
    size_t connection_cap;
    struct capture_map by_number;
    struct script_strand *current; /* whose record is fed */
    struct capture_messages_rules messages;
    struct capture_exchanges_rules exchanges;
    uint64_t limit;   /* content bytes */
    uint64_t pending; /* bytes in joints */
    uint64_t losses;  /* on any connection, so far */
    /* The frame that is fed: it belongs to the joint once its message is given. */
    uint32_t incoming; /* step, or REPLAY_NONE */
    struct bytes incoming_bytes;
    bool finished; /* the tape's summary was seen */
};

/* ---- script.c ---- */

/* As replay_script_new, with a limit of its own, for tests. */
int replay_script_read(struct capture_reader *reader, uint64_t limit,
                       void (*progress)(void *owner, uint64_t offset), void *owner,
                       struct replay_script **out, struct err *e);

static inline struct replay_connection *
script_connection(const struct script_reading *b, const struct script_strand *s)
{
    return &b->script->connections[s->connection];
}

/* A copy in the store, counted. -EFBIG, -ENOMEM. */
int replay_script_keep(struct script_reading *b, struct bytes in, struct bytes *out);

/* Room for one more element of `len` bytes. -ENOMEM, -EFBIG: 2^32 of them. */
int replay_script_grow(void **at, uint32_t count, uint32_t *cap, size_t len);

/* Append a step; its bytes are already kept. `*index` may be NULL. -ENOMEM, -EFBIG. */
int replay_script_step(struct script_reading *b, struct script_strand *s,
                       const struct replay_step *step, uint32_t *index);

/* ---- script_records.c: 0, -ENOMEM or -EFBIG ---- */

int replay_script_record(struct script_reading *b, const struct capture_record *r);

/* Something is missing here, on any connection; `damage` counts it as well. */
void replay_script_lose(struct script_reading *b);
int replay_script_damage(struct script_reading *b);

/* Nothing more comes: what is in progress is given up. The strand is gone then. */
int replay_script_finish(struct script_reading *b, struct script_strand *s);

void replay_script_strand_free(struct script_strand *s); /* takes NULL */

/* ---- script_frames.c: all return 0, -ENOMEM or -EFBIG ---- */

int replay_script_frame(struct script_reading *b, struct script_strand *s,
                        const struct capture_record *r);
int replay_script_more(struct script_reading *b, struct script_strand *s,
                       const struct capture_record *r);

/* The callback of capture_messages. */
int replay_script_message(void *owner, uint32_t connection,
                          const struct capture_message *m);

/* ---- script_http.c: likewise ---- */

int replay_script_request(struct script_reading *b, struct script_strand *s,
                          const struct capture_record *r);
int replay_script_response(struct script_reading *b, struct script_strand *s,
                           const struct capture_record *r);
int replay_script_body(struct script_reading *b, struct script_strand *s,
                       const struct capture_record *r);
int replay_script_sent(struct script_reading *b, struct script_strand *s,
                       const struct capture_record *r);

/* The callbacks of capture_exchanges. */
int replay_script_content(void *owner, uint32_t connection,
                          const struct capture_body *body);
int replay_script_exchange(void *owner, uint32_t connection,
                           const struct capture_exchange *e);

#endif
