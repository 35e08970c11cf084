/*
 * replay/live_state - what the files of replay/live share.
 */
#ifndef WSTAPE_REPLAY_LIVE_STATE_H
#define WSTAPE_REPLAY_LIVE_STATE_H

#include "replay/live.h"
#include "replay/live_values.h"

/* A value of which there are links. */
struct replay_live_text {
    struct bytes text; /* decoded */
    char *copy;        /* its bytes, or NULL */
    bool distinctive;
    bool is_id; /* see live.h */
};

/* A place in a message of the live side. */
struct replay_live_source {
    uint32_t message;
    uint32_t node;   /* in the message's tree, or NO_VALUE: the whole text, no JSON */
    uint32_t value;  /* index of a text */
    uint32_t before; /* the source before it of the same value, or NO_LIVE */
    uint32_t key;    /* hash of the key it stands under */
    uint32_t place;  /* see replay_live_places */
    bool number;
};

enum replay_live_form {
    REPLAY_LIVE_STRING, /* a whole string, quotes included */
    REPLAY_LIVE_NUMBER, /* a whole number */
    REPLAY_LIVE_KEY,    /* a member's key, quotes included */
    REPLAY_LIVE_PART,   /* of what is between the quotes of a string */
    REPLAY_LIVE_PLAIN,  /* a text that is not JSON, or a part of it */
};

/* A place in a message of the other side. */
struct replay_live_link {
    uint32_t from, to; /* in the payload, as it is written there */
    uint32_t source;
    uint8_t form; /* enum replay_live_form */
};

/* A message with links. */
struct replay_live_carrier {
    uint32_t message;
    uint32_t first; /* link; the last one is before the next carrier's first */
};

struct replay_links {
    const struct replay_connection *connection; /* borrowed */
    enum side from;
    struct replay_live_text *texts;
    struct replay_live_source *sources;   /* in order of their messages */
    struct replay_live_link *links;       /* in order of their messages and places */
    struct replay_live_carrier *carriers; /* in order of their messages */
    uint32_t *places;                     /* of ids, sorted, each once */
    uint32_t text_count, source_count, link_count, carrier_count, place_count;
    uint64_t work; /* steps it took to find them, for tests */
};

/* The first source of a message, or what would follow it. */
uint32_t replay_live_sources_of(const struct replay_links *l, uint32_t message);

/* Find the ids, when all else is done. -ENOMEM. */
int replay_live_find_ids(struct replay_links *l);

/* The links of a message; `*end` is after the last. */
uint32_t replay_live_links_of(const struct replay_links *l, uint32_t message,
                              uint32_t *end);

#endif
