/*
 * replay/stage - what all connections of a play share: the script, the options, who
 * answers next.
 */
#ifndef WSTAPE_REPLAY_STAGE_H
#define WSTAPE_REPLAY_STAGE_H

#include "replay/choice.h"
#include "replay/compare.h"
#include "replay/event.h"
#include "replay/live.h"
#include "replay/script.h"

enum replay_on_mismatch {
    REPLAY_REPORT, /* told; the play goes on */
    REPLAY_CLOSE,  /* the connection is closed with 1008 and the reason */
    REPLAY_FAIL,   /* as REPORT; the caller's status is 1 */
};

struct replay_options {
    double pace; /* times faster than recorded; 0: max */
    bool gate;   /* --gate messages */
    bool substitute;
    enum replay_on_mismatch on_mismatch;
    enum replay_when_exhausted when_exhausted;
    uint64_t max_message;      /* bytes of one live message, inflated: 64 MiB */
    int64_t patience_ns;       /* backend: told of a wait after this, on top of what the
                                  recorded peer took; client: --timeout */
    const char *const *fields; /* client: --header lines "Name: value" */
    size_t field_count;
    struct bytes path, query; /* client: of the handshakes that it sends, `query` with
                                 its "?"; empty: as recorded. Borrowed */
    /* Append the Sec-WebSocket-Accept for a key: wire_accept_put, which needs OpenSSL
     * and so does not belong into this core. -ENOMEM. */
    int (*put_accept)(struct buf *out, struct bytes key);
};

/* Built by replay_stage_new; read only but for `choice`. */
struct replay_stage {
    const struct replay_script *script; /* borrowed */
    struct replay_options options;
    struct replay_rules rules; /* borrowed parts as in compare.h */
    struct replay_listener listener;
    struct replay_choice *choice;
    struct replay_links *
        *links;     /* by connection, from the live side; NULL until needed */
    enum side live; /* CLIENT: the tape plays the backend */
};

/* -ENOMEM. */
int replay_stage_new(const struct replay_script *script,
                     const struct replay_options *options,
                     const struct replay_rules *rules,
                     const struct replay_listener *listener, enum side live,
                     struct replay_stage **out);
void replay_stage_free(struct replay_stage *s); /* takes NULL */

/* The links of recorded connection `index`, worked out at the first call. NULL in
 * `*out` when nothing is to be substituted. -ENOMEM. */
int replay_stage_links(struct replay_stage *s, uint32_t index,
                       const struct replay_links **out);

#endif
