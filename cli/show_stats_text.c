#include "cli/show.h"
#include "cli/show_stats.h"

#include <stdio.h>

enum { COUNT_END = 33, VALUE_WIDTH = 9, WORDS_MAX = 32 };

static const char *const labels[] = {
    "client message size",     "server message size", "between client messages",
    "between server messages", "answer to a message", "answer to a request",
};

static int put_titles(struct show *s)
{
    static const char *const titles[] = { "min", "median", "p95", "max" };
    unsigned end = COUNT_END;

    show_line_colour(&s->line, SHOW_DIM);
    show_line_right(&s->line, end, "count");
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        end += VALUE_WIDTH;
        show_line_right(&s->line, end, titles[i]);
    }
    show_line_right(&s->line, end + VALUE_WIDTH, "sum");
    return show_line_end(&s->line);
}

static void put_value(struct show *s, enum show_series_kind kind, unsigned end,
                      uint64_t value, bool exact)
{
    char words[WORDS_MAX], rough[WORDS_MAX + 1];

    if (show_series_is_time(kind)) {
        show_put_span(words, sizeof(words), (int64_t)value);
    } else {
        show_put_bytes(words, sizeof(words), value);
    }
    snprintf(rough, sizeof(rough), "~%s", words);
    show_line_right(&s->line, end, exact ? words : rough);
}

static int put_series(struct show *s, enum show_series_kind kind,
                      struct show_series *series)
{
    struct show_series_facts f = show_series_facts(series);
    const uint64_t values[] = { f.min, f.median, f.p95, f.max };
    char count[WORDS_MAX];
    unsigned end = COUNT_END;

    show_line_text(&s->line, "  ");
    show_line_text(&s->line, labels[kind]);
    snprintf(count, sizeof(count), "%llu", (unsigned long long)f.count);
    show_line_right(&s->line, end, count);
    for (size_t i = 0; f.count > 0 && i < sizeof(values) / sizeof(values[0]); i++) {
        end += VALUE_WIDTH;
        put_value(s, kind, end, values[i], f.exact || i == 0 || i == 3);
    }
    if (f.count > 0 && !show_series_is_time(kind)) {
        put_value(s, kind, end + VALUE_WIDTH, series->sum, true);
    }
    return show_line_end(&s->line);
}

static int put_group(struct show *s, struct show_series_group *g)
{
    bool any = false;
    int r = 0;

    for (int kind = 0; r == 0 && kind < SHOW_SERIES_COUNT; kind++) {
        if (g->at[kind].count > 0) {
            any = true;
            r = put_series(s, (enum show_series_kind)kind, &g->at[kind]);
        }
    }
    if (r == 0 && !any) {
        show_line_text(&s->line, "  no messages and no requests");
        r = show_line_end(&s->line);
    }
    return r;
}

static int put_connection(struct show *s, struct show_connection_stats *c)
{
    const struct capture_connection *known =
        capture_overview_find(&s->overview, c->number);
    int r;

    show_line_colour(&s->line, SHOW_BOLD);
    show_line_format(&s->line, "connection %u  ", (unsigned)c->number);
    show_line_colour(&s->line, SHOW_PLAIN);
    if (known != NULL && known->method.len > 0) {
        show_line_safe(&s->line, known->method, 20, false);
        show_line_text(&s->line, " ");
        show_line_safe(&s->line, known->path, show_line_room(&s->line), false);
    }
    r = show_line_end(&s->line);
    return r == 0 ? put_group(s, &c->series) : r;
}

static bool is_rough(const struct show_series_group *g)
{
    for (int kind = 0; kind < SHOW_SERIES_COUNT; kind++) {
        if (g->at[kind].is_histogram) {
            return true;
        }
    }
    return false;
}

static bool has_rough(const struct show_stats *stats)
{
    for (size_t i = 0; i < stats->count; i++) {
        if (is_rough(&stats->connections[i]->series)) {
            return true;
        }
    }
    return is_rough(&stats->all);
}

static int put_rough_note(struct show *s)
{
    show_line_colour(&s->line, SHOW_DIM);
    show_line_text(&s->line, "~ off by less than 1 %: too many to keep each");
    return show_line_end(&s->line);
}

int show_stats_text(struct show *s)
{
    int r = put_titles(s);

    for (size_t i = 0; r == 0 && i < s->stats->count; i++) {
        r = put_connection(s, s->stats->connections[i]);
    }
    if (r == 0 && s->stats->count != 1) {
        show_line_colour(&s->line, SHOW_BOLD);
        show_line_text(&s->line, "all connections");
        r = show_line_end(&s->line);
        r = r == 0 ? put_group(s, &s->stats->all) : r;
    }
    return r == 0 && has_rough(s->stats) ? put_rough_note(s) : r;
}
