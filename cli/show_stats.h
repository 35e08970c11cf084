/*
 * cli/show_stats - counts, sizes and times of a tape, per connection and overall.
 *
 * Messages are text and binary; control frames are not counted. A response time is the
 * time from the first client message that has no answer yet to the next server message
 * (so once a turn, however many messages a turn has), or from a request's head to the
 * head of its answer.
 */
#ifndef WSTAPE_CLI_SHOW_STATS_H
#define WSTAPE_CLI_SHOW_STATS_H

#include "captures/map.h"
#include "captures/timeline.h"
#include "cli/show_series.h"

enum show_series_kind {
    SHOW_SERIES_CLIENT_SIZE, /* bytes */
    SHOW_SERIES_SERVER_SIZE,
    SHOW_SERIES_CLIENT_GAP, /* ns, between the starts of two messages in a row */
    SHOW_SERIES_SERVER_GAP,
    SHOW_SERIES_RESPONSE, /* ns, messages */
    SHOW_SERIES_EXCHANGE, /* ns, HTTP */
    SHOW_SERIES_COUNT,
};

enum { SHOW_STATS_EXACT_MAX = 65536, SHOW_STATS_CONNECTION_EXACT_MAX = 1024 };

struct show_series_group {
    struct show_series at[SHOW_SERIES_COUNT];
};

struct show_connection_stats {
    uint32_t number;
    bool spoke[2];      /* last_ns is set */
    bool waits;         /* a client message has no answer yet */
    int64_t last_ns[2]; /* start of the last message, by side */
    int64_t asked_ns;   /* of the first client message without an answer */
    struct show_series_group series;
};

struct show_stats {
    struct show_series_group all;
    struct show_connection_stats **connections; /* in order of appearance */
    size_t count, cap;
    struct capture_map by_number;
};

struct show_stats *show_stats_new(void); /* NULL when memory is out */
void show_stats_free(struct show_stats *s);

/* -ENOMEM. */
int show_stats_feed(struct show_stats *s, const struct capture_moment *m);

static inline bool show_series_is_time(enum show_series_kind k)
{
    return k >= SHOW_SERIES_CLIENT_GAP;
}

#endif
