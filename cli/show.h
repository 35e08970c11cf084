/*
 * cli/show - what the parts of `wstape show` share.
 *
 * cmd_show reads options and runs the passes over the tape; a view prints. There are
 * two views, text for people and JSON for programs, and the statistics that both can
 * print.
 */
#ifndef WSTAPE_CLI_SHOW_H
#define WSTAPE_CLI_SHOW_H

#include "captures/overview.h"
#include "captures/timeline.h"
#include "cli/options.h"
#include "cli/show_hit.h"
#include "cli/show_line.h"
#include "cli/show_out.h"

enum { SHOW_RANGES_MAX = 256 };

struct show_ranges {
    struct {
        uint32_t first, last;
    } at[SHOW_RANGES_MAX];
    size_t count; /* 0: everything */
};

struct show_options {
    const char *path;
    bool frames, http, stats, json, follow;
    uint64_t max_message;
    struct show_ranges connections;
};

struct show {
    struct show_options options;
    struct show_out out;
    struct show_style style;
    struct show_line line;
    const struct capture_header *header; /* as long as the reader */
    uint64_t size;                       /* of the file, when it was opened */
    struct capture_overview overview;    /* of all of it, but for --follow */
    struct show_stats *stats;            /* with --stats, else NULL */
    struct show_hit hit;                 /* the message that was told last */
    enum show_hit_part part;             /* what the moment has to do with it */
};

/* A way to print. All return 0, a negative errno, or what `out` says. */
struct show_view {
    size_t message_keep,
        body_keep;               /* bytes it wants of each, when there is a timeline */
    int (*tape)(struct show *s); /* first of all */
    int (*connections)(
        struct show *s); /* before the timeline; after it with --follow */
    int (*moment)(struct show *s, const struct capture_moment *m);
    int (*stats)(struct show *s);
};

extern const struct show_view show_text_view;
extern const struct show_view show_text_http_view; /* heads and bodies in full */
extern const struct show_view show_json_view;

/* "1,3..5", "5..": add to `out`. -EINVAL with words in `e`. */
int show_ranges_add(struct show_ranges *r, const char *text, struct err *e);
bool show_ranges_hold(const struct show_ranges *r, uint32_t number);

/* The passes; an exit status, and words in `e` for any but 0. */
int show_run(struct show *s, const struct show_view *v, struct capture_source *source,
             struct err *e);

/* ---- pieces of the text view ---- */

int show_head_tape(struct show *s);
int show_head_connections(struct show *s);
int show_head_rules(struct show *s); /* nothing where none acted */
int show_stats_text(struct show *s);
int show_http_head(struct show *s, struct bytes head);
int show_http_body(struct show *s, const struct capture_body *b);

/* "reserved opcode 11" for one WIRE_FAULT bit of a frame that came from `from`. */
void show_fault_words(struct show_line *l, const struct capture_message *m,
                      unsigned bit);

/* "going away" for 1001; NULL for a code without a name. */
const char *show_close_name(unsigned code);

/* "463 ms", "1.234 s", "12 µs". */
void show_put_span(char *out, size_t cap, int64_t ns);

/* "4.2 kB" into `out`. */
void show_put_bytes(char *out, size_t cap, uint64_t size);

#endif
