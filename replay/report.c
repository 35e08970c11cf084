#include "replay/report_state.h"

#include "base/alloc.h"
#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

static bool says_several(const struct replay_script *script)
{
    size_t speaking = 0;

    for (size_t i = 0; i < script->count && speaking < 2; i++) {
        speaking += script->connections[i].step_count > 0;
    }
    return speaking > 1;
}

struct replay_report *replay_report_new(const struct replay_script *script,
                                        enum side live, uint32_t copies)
{
    struct replay_report *r = alloc_zero(1, sizeof(*r));

    if (r != NULL) {
        r->script = script;
        r->live = live;
        r->copies = copies;
        r->several = says_several(script);
        r->time_every = 1;
    }
    return r;
}

void replay_report_free(struct replay_report *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->kept_count; i++) {
        alloc_free(r->kept[i].line);
    }
    alloc_free(r->cases);
    alloc_free(r->times);
    capture_map_deinit(&r->by_key);
    buf_deinit(&r->line);
    alloc_free(r);
}

uint64_t replay_report_mismatches(const struct replay_report *r)
{
    return r->mismatches;
}

void replay_report_unfinished(struct replay_report *r)
{
    r->unfinished = true;
}

bool replay_report_played(const struct replay_report *r)
{
    return r->case_count > 0 || r->others_over > 0;
}

/* ---- cases ---- */

static uint32_t key_of(const struct replay_event *e)
{
    uint32_t pair[] = { e->connection, e->copy };

    return crc32c(0, bytes_make(pair, sizeof(pair)));
}

static uint32_t first_of(const struct replay_report *r, uint32_t key)
{
    size_t place = (size_t)(uintptr_t)capture_map_get(&r->by_key, key);

    return place == 0 ? REPLAY_NONE : (uint32_t)(place - 1);
}

static int add_case(struct replay_report *r, const struct replay_event *e, uint32_t key)
{
    uint32_t cap = r->case_cap * 2 + 4;
    struct report_case *wider;
    int done;

    if (r->case_count == r->case_cap) {
        wider = alloc_resize(r->cases, cap * sizeof(*wider));
        if (wider == NULL) {
            return -ENOMEM;
        }
        r->cases = wider;
        r->case_cap = cap;
    }
    r->cases[r->case_count] = (struct report_case){ .connection = e->connection,
                                                    .copy = e->copy,
                                                    .next = first_of(r, key) };
    done = capture_map_put(&r->by_key, key, (void *)((uintptr_t)r->case_count + 1));
    r->case_count += done == 0;
    return done;
}

/* `*index` is REPLAY_NONE for one beyond those that are told apart. */
static int find_case(struct replay_report *r, const struct replay_event *e,
                     uint32_t *index)
{
    uint32_t key = key_of(e), i = first_of(r, key);
    int done = 0;

    while (i != REPLAY_NONE &&
           (r->cases[i].connection != e->connection || r->cases[i].copy != e->copy)) {
        i = r->cases[i].next;
    }
    if (i == REPLAY_NONE && r->case_count < REPLAY_REPORT_CASES) {
        done = add_case(r, e, key);
        i = r->case_count - 1;
    }
    if (done == 0) {
        *index = i;
    }
    return done;
}

const struct replay_connection *replay_report_recorded(const struct replay_report *r,
                                                       const struct report_case *c)
{
    for (size_t i = 0; c->recorded > 0 && i < r->script->count; i++) {
        if (r->script->connections[i].number == c->recorded) {
            return &r->script->connections[i];
        }
    }
    return NULL;
}

/* ---- counting ---- */

static void count_over(struct replay_report *r, struct report_case *c,
                       const struct replay_event *e)
{
    c->over = true;
    c->is_http = e->is_http;
    c->differing += e->is_http && c->refused;
    c->refused = false;
    c->got += e->count;
    c->expected += e->expected;
    r->others_over += c == &r->others;
}

/* A message that differs in several places counts once. */
static void count_differing(struct report_case *c, const struct replay_event *e)
{
    if (e->kind == REPLAY_EVENT_UNEXPECTED || e->kind == REPLAY_EVENT_EXTRA) {
        c->differing++;
    } else if ((e->kind == REPLAY_EVENT_DIFFERENCE || e->kind == REPLAY_EVENT_STATUS) &&
               e->message > 0 && e->message != c->last) {
        c->differing++;
        c->last = e->message;
    }
    c->refused = c->refused || (e->kind == REPLAY_EVENT_STATUS && !e->is_http);
}

static void count(struct replay_report *r, struct report_case *c,
                  const struct replay_event *e)
{
    c->recorded = e->recorded > 0 ? e->recorded : c->recorded;
    count_differing(c, e);
    if (e->kind == REPLAY_EVENT_OVER) {
        count_over(r, c, e);
    }
    if (e->kind == REPLAY_EVENT_SUBSTITUTED) {
        c->substituted += e->count;
    }
    if (replay_event_is_mismatch(e)) {
        c->mismatches++;
        r->mismatches++;
    }
}

/* ---- keeping ---- */

static int keep(struct replay_report *r, uint32_t of, const struct replay_event *e)
{
    char *line;
    int done;

    if (!replay_event_is_mismatch(e) || r->kept_count == REPLAY_REPORT_KEPT) {
        return 0;
    }
    buf_clear(&r->line);
    done = replay_report_put_line(r, e, &r->line);
    if (done < 0) {
        return done;
    }
    line = alloc_text(r->line.at, r->line.len);
    if (line == NULL) {
        return -ENOMEM;
    }
    r->kept[r->kept_count++] = (struct report_kept){ of, line };
    return 0;
}

/* Half of the times go, evenly, when there is no room for more. */
static void thin_out(struct replay_report *r)
{
    for (size_t i = 0; i < r->time_count / 2; i++) {
        r->times[i] = r->times[2 * i];
    }
    r->time_count /= 2;
    r->time_every *= 2;
}

static int keep_time(struct replay_report *r, const struct replay_event *e)
{
    size_t cap = r->time_cap * 2 + 16;
    struct report_time *wider;

    if (e->kind != REPLAY_EVENT_RESPONSE_TIME || r->time_seen++ % r->time_every != 0) {
        return 0;
    }
    if (r->time_count == REPLAY_REPORT_TIMES) {
        thin_out(r);
    }
    if (r->time_count == r->time_cap) {
        cap = cap < REPLAY_REPORT_TIMES ? cap : REPLAY_REPORT_TIMES;
        wider = alloc_resize(r->times, cap * sizeof(*wider));
        if (wider == NULL) {
            return -ENOMEM;
        }
        r->times = wider;
        r->time_cap = cap;
    }
    r->times[r->time_count++] = (struct report_time){ e->time_ns, e->recorded_ns };
    return 0;
}

int replay_report_take(struct replay_report *r, const struct replay_event *e)
{
    uint32_t index;
    int done = find_case(r, e, &index);

    if (done == 0) {
        done = keep(r, index, e);
    }
    if (done == 0) {
        done = keep_time(r, e);
    }
    if (done == 0) {
        count(r, index == REPLAY_NONE ? &r->others : &r->cases[index], e);
    }
    return done;
}

/* ---- times ---- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int replay_report_times(const struct replay_report *r, bool recorded, int64_t **out)
{
    int64_t *all = alloc_zero(r->time_count + 1, sizeof(*all));

    if (all == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < r->time_count; i++) {
        all[i] = recorded ? r->times[i].recorded_ns : r->times[i].live_ns;
    }
    qsort(all, r->time_count, sizeof(*all), by_size);
    *out = all;
    return 0;
}

int64_t replay_report_percentile(const int64_t *sorted, size_t count, unsigned percent)
{
    size_t place = (count * percent + 99) / 100;

    return count == 0 ? 0 : sorted[place == 0 ? 0 : place - 1];
}
