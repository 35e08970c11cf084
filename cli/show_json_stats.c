#include "cli/show_json.h"
#include "cli/show_stats.h"

static void put_value(struct show_object *j, const char *key,
                      enum show_series_kind kind, uint64_t value)
{
    if (show_series_is_time(kind)) {
        show_object_time(j, key, (int64_t)value);
    } else {
        show_object_number(j, key, value);
    }
}

static int put_series(struct show *s, uint32_t connection, enum show_series_kind kind,
                      struct show_series *series)
{
    static const char *const names[] = { "message_size", "message_size",  "message_gap",
                                         "message_gap",  "response_time", "http_time" };
    struct show_series_facts f = show_series_facts(series);
    struct show_object j = show_object_begin(&s->out, "stats");

    if (connection == 0) {
        show_object_null(&j, "connection");
    } else {
        show_object_number(&j, "connection", connection);
    }
    show_object_words(&j, "of", names[kind]);
    if (kind < SHOW_SERIES_RESPONSE) {
        show_object_words(&j, "from", kind % 2 == 0 ? "client" : "server");
    }
    show_object_number(&j, "count", f.count);
    if (f.count > 0) {
        put_value(&j, "min", kind, f.min);
        put_value(&j, "median", kind, f.median);
        put_value(&j, "p95", kind, f.p95);
        put_value(&j, "max", kind, f.max);
        put_value(&j, "sum", kind, series->sum);
        show_object_bool(&j, "exact", f.exact);
    }
    return show_object_end(&j);
}

static int put_group(struct show *s, uint32_t connection, struct show_series_group *g)
{
    int r = 0;

    for (int kind = 0; r == 0 && kind < SHOW_SERIES_COUNT; kind++) {
        r = put_series(s, connection, (enum show_series_kind)kind, &g->at[kind]);
    }
    return r;
}

int show_json_stats(struct show *s)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->stats->count; i++) {
        r = put_group(s, s->stats->connections[i]->number,
                      &s->stats->connections[i]->series);
    }
    return r == 0 ? put_group(s, 0, &s->stats->all) : r;
}
