#include "cli/show_stats.h"

#include "base/alloc.h"

#include <errno.h>

static void group_init(struct show_series_group *g, size_t exact_max)
{
    for (int i = 0; i < SHOW_SERIES_COUNT; i++) {
        g->at[i].exact_max = exact_max;
    }
}

static void group_deinit(struct show_series_group *g)
{
    for (int i = 0; i < SHOW_SERIES_COUNT; i++) {
        show_series_deinit(&g->at[i]);
    }
}

static int append(struct show_stats *s, struct show_connection_stats *c)
{
    size_t cap = s->cap == 0 ? 16 : s->cap * 2;
    struct show_connection_stats **wider;

    if (s->count == s->cap) {
        wider = alloc_resize(s->connections, cap * sizeof(c));
        if (wider == NULL) {
            return -ENOMEM;
        }
        s->connections = wider;
        s->cap = cap;
    }
    if (capture_map_put(&s->by_number, c->number, c) < 0) {
        return -ENOMEM;
    }
    s->connections[s->count++] = c;
    return 0;
}

/* NULL when memory is out. */
static struct show_connection_stats *reach(struct show_stats *s, uint32_t number)
{
    struct show_connection_stats *c = capture_map_get(&s->by_number, number);

    if (c != NULL) {
        return c;
    }
    c = alloc_zero(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->number = number;
    group_init(&c->series, SHOW_STATS_CONNECTION_EXACT_MAX);
    if (append(s, c) < 0) {
        alloc_free(c);
        return NULL;
    }
    return c;
}

static int add(struct show_stats *s, struct show_connection_stats *c,
               enum show_series_kind kind, uint64_t value)
{
    int r = show_series_add(&s->all.at[kind], value);

    return r == 0 ? show_series_add(&c->series.at[kind], value) : r;
}

static int add_time(struct show_stats *s, struct show_connection_stats *c,
                    enum show_series_kind kind, int64_t from_ns, int64_t to_ns)
{
    return add(s, c, kind, to_ns > from_ns ? (uint64_t)(to_ns - from_ns) : 0);
}

static int add_turn(struct show_stats *s, struct show_connection_stats *c,
                    const struct capture_message *m)
{
    if (m->from == CLIENT) {
        c->asked_ns = c->waits ? c->asked_ns : m->time_ns;
        c->waits = true;
        return 0;
    }
    if (!c->waits) {
        return 0;
    }
    c->waits = false;
    return add_time(s, c, SHOW_SERIES_RESPONSE, c->asked_ns, m->time_ns);
}

static int take_message(struct show_stats *s, struct show_connection_stats *c,
                        const struct capture_message *m)
{
    bool client = m->from == CLIENT;
    int r;

    if (m->number == 0) {
        return 0;
    }
    r = add(s, c, client ? SHOW_SERIES_CLIENT_SIZE : SHOW_SERIES_SERVER_SIZE, m->size);
    if (r == 0 && c->spoke[m->from]) {
        r = add_time(s, c, client ? SHOW_SERIES_CLIENT_GAP : SHOW_SERIES_SERVER_GAP,
                     c->last_ns[m->from], m->time_ns);
    }
    c->spoke[m->from] = true;
    c->last_ns[m->from] = m->time_ns;
    return r == 0 ? add_turn(s, c, m) : r;
}

struct show_stats *show_stats_new(void)
{
    struct show_stats *s = alloc_zero(1, sizeof(*s));

    if (s != NULL) {
        group_init(&s->all, SHOW_STATS_EXACT_MAX);
    }
    return s;
}

void show_stats_free(struct show_stats *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        group_deinit(&s->connections[i]->series);
        alloc_free(s->connections[i]);
    }
    alloc_free(s->connections);
    capture_map_deinit(&s->by_number);
    group_deinit(&s->all);
    alloc_free(s);
}

int show_stats_feed(struct show_stats *s, const struct capture_moment *m)
{
    struct show_connection_stats *c;

    if (m->kind != CAPTURE_MOMENT_MESSAGE && m->kind != CAPTURE_MOMENT_EXCHANGE) {
        return 0;
    }
    c = reach(s, m->connection);
    if (c == NULL) {
        return -ENOMEM;
    }
    if (m->kind == CAPTURE_MOMENT_MESSAGE) {
        return take_message(s, c, m->u.message);
    }
    if (m->u.exchange->status == 0) {
        return 0;
    }
    return add_time(s, c, SHOW_SERIES_EXCHANGE, m->u.exchange->asked_ns,
                    m->u.exchange->answered_ns);
}
