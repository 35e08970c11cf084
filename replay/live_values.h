/*
 * replay/live_values - the distinct values that one side has said, found again as a
 * whole or inside longer texts.
 *
 * A value that may stand inside is kept by its core: its first words, of which each
 * place of a longer text is asked by hash. So a search costs the length of the text
 * (times REPLAY_LIVE_WORDS at worst), however many values there are. A value without
 * words (scripts that put no blanks between them) has its first bytes beyond ASCII for
 * a core.
 */
#ifndef WSTAPE_REPLAY_LIVE_VALUES_H
#define WSTAPE_REPLAY_LIVE_VALUES_H

#include "base/bytes.h"

enum {
    REPLAY_LIVE_WORDS = 8, /* of a core */
    REPLAY_LIVE_SIGNS = 4, /* bytes of a core without words */
    REPLAY_LIVE_BEGINS = 1 << 15,
    REPLAY_LIVE_INSIDE = 4, /* bytes of the shortest value that may stand inside */
    REPLAY_LIVE_ID = 8,     /* of the shortest one that _ and - do not join to others */
};

#define REPLAY_NO_LIVE UINT32_MAX /* as an index */

struct replay_live_value {
    struct bytes text;   /* decoded */
    char *copy;          /* its bytes, when they are ours, else NULL */
    bool is_id;          /* see live.h: of those that may stand inside */
    uint8_t core_words;  /* 0: no words */
    uint32_t key;        /* found under this key only; 0: anywhere */
    uint32_t hash;       /* of text and key */
    uint32_t core_hash;  /* of the core */
    uint32_t core_from;  /* where it begins in the text */
    uint32_t alike;      /* the value before it with a core like it */
    uint32_t last;       /* for the owner: its latest source */
    uint32_t renumbered; /* for the owner */
};

struct replay_live_slot {
    uint32_t index; /* of a value, or NO_LIVE */
    uint32_t hash;
};

struct replay_live_slots {
    struct replay_live_slot *at; /* open addressing */
    uint32_t used, mask;
};

/* Zeroed: empty. */
struct replay_live_values {
    struct replay_live_value *at;
    uint32_t count, cap;
    struct replay_live_slots whole, core;
    uint32_t words; /* bit n: there are cores of n words; bit 0: of none */
    /* Bits by hash: words that cores of several words begin with, and maybe others. */
    uint64_t begins[REPLAY_LIVE_BEGINS / 64];
    uint64_t work; /* places and values looked at, for tests */
};

void replay_live_values_deinit(struct replay_live_values *v);

/* The value, added when it is new; its text is then copied when `copies`, else
 * borrowed. -ENOMEM. */
int replay_live_values_put(struct replay_live_values *v, struct bytes text,
                           uint32_t key, bool copies, uint32_t *index);

/* REPLAY_NO_LIVE: there is none. */
uint32_t replay_live_values_find(struct replay_live_values *v, struct bytes text,
                                 uint32_t key);

struct replay_live_found {
    size_t from, to; /* in the text */
    uint32_t value;
};

/* The first value inside `text` at or after `from`, the longest that begins there. */
bool replay_live_values_next(struct replay_live_values *v, struct bytes text,
                             size_t from, struct replay_live_found *out);

#endif
