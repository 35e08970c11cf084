/*
 * replay/report_state - what a report keeps, and how it puts words. For
 * replay/report*.c.
 */
#ifndef WSTAPE_REPLAY_REPORT_STATE_H
#define WSTAPE_REPLAY_REPORT_STATE_H

#include "captures/map.h"
#include "replay/report.h"

/* A live connection; as client one of the tape, and a copy of it. */
struct report_case {
    uint32_t connection, copy;
    uint32_t recorded;      /* the tape's, as last told; 0: not told */
    uint32_t next;          /* index of the next one with this key, or REPLAY_NONE */
    uint64_t mismatches;    /* all of them */
    uint64_t got, expected; /* messages, as OVER said */
    uint64_t differing;     /* of those that came: not the tape's */
    uint64_t last;          /* message that was last counted as differing */
    uint64_t substituted;   /* places */
    bool refused; /* a handshake's status differed: one answer, if it is of HTTP */
    bool over, is_http;
};

struct report_kept {
    uint32_t of; /* case; REPLAY_NONE: of those beyond REPLAY_REPORT_CASES */
    char *line;
};

struct report_time {
    int64_t live_ns, recorded_ns;
};

struct replay_report {
    const struct replay_script *script; /* borrowed */
    enum side live;
    uint32_t copies;
    bool unfinished;
    bool several; /* connections on the tape that say anything */
    struct report_case *cases;
    uint32_t case_count, case_cap;
    struct capture_map by_key; /* index of the first case of a key, and 1 */
    struct report_case others; /* beyond REPLAY_REPORT_CASES */
    uint64_t others_over;      /* connections of these */
    struct report_kept kept[REPLAY_REPORT_KEPT];
    size_t kept_count;
    uint64_t mismatches;
    struct report_time *times;
    size_t time_count, time_cap;
    uint64_t time_seen, time_every; /* one of so many is kept */
    struct buf line;                /* scratch */
};

/* ---- report_words.c: appending; after a failure nothing is appended any more ---- */

struct report_words {
    struct buf *out;
    int error; /* 0 or -ENOMEM */
};

void replay_words_text(struct report_words *w, const char *text);
void replay_words_format(struct report_words *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "1 message", "2 messages". */
void replay_words_count(struct report_words *w, uint64_t count, const char *one,
                        const char *many);

/* Escaped, cut at `limit` with "…". */
void replay_words_escaped(struct report_words *w, struct bytes in, size_t limit);

/* A value of an event: escaped and cut, binary in hex with its size; "(missing)" when
 * it is not there, "(empty)" when it has no bytes. */
void replay_words_value(struct report_words *w, struct bytes in, bool present,
                        bool is_binary);

/* "0.42 ms", "12.3 ms", "1.25 s". */
void replay_words_time(struct report_words *w, int64_t ns);

/* The start of a JSON object: {"record":"NAME". Keys are ours and need no escape. */
void replay_words_record(struct report_words *w, const char *name);
void replay_words_number(struct report_words *w, const char *key, uint64_t value);
void replay_words_seconds(struct report_words *w, const char *key, int64_t ns);
void replay_words_string(struct report_words *w, const char *key, struct bytes text);

/* ---- */

/* The response times of a side, sorted; `*out` is the caller's. -ENOMEM. */
int replay_report_times(const struct replay_report *r, bool recorded, int64_t **out);

/* The smallest that `percent` of them do not exceed. */
int64_t replay_report_percentile(const int64_t *sorted, size_t count, unsigned percent);

/* The recorded connection of a case; NULL: not known. */
const struct replay_connection *replay_report_recorded(const struct replay_report *r,
                                                       const struct report_case *c);

#endif
