#include "replay/script_state.h"

#include "base/alloc.h"

#include <errno.h>
#include <inttypes.h>

enum { PROGRESS_EVERY = 1 << 20 }; /* bytes */

/* ---- what all parts use ---- */

int replay_script_keep(struct script_reading *b, struct bytes in, struct bytes *out)
{
    int r;

    if (in.len > b->limit - b->script->bytes - b->pending) {
        return -EFBIG;
    }
    r = replay_store_put(b->script->store, in, out);
    if (r == 0) {
        b->script->bytes += in.len;
    }
    return r;
}

int replay_script_grow(void **at, uint32_t count, uint32_t *cap, size_t len)
{
    uint64_t wider = (uint64_t)*cap + *cap / 2 + 8;
    void *moved;

    if (count < *cap) {
        return 0;
    }
    wider = wider < REPLAY_NONE ? wider : REPLAY_NONE;
    if (wider <= count) {
        return -EFBIG;
    }
    moved = alloc_resize(*at, (size_t)wider * len);
    if (moved == NULL) {
        return -ENOMEM;
    }
    *at = moved;
    *cap = (uint32_t)wider;
    return 0;
}

int replay_script_step(struct script_reading *b, struct script_strand *s,
                       const struct replay_step *step, uint32_t *index)
{
    struct replay_connection *c = script_connection(b, s);
    void *at = c->steps;
    int r = replay_script_grow(&at, c->step_count, &s->step_cap, sizeof(*c->steps));

    c->steps = at;
    if (r < 0) {
        return r;
    }
    c->steps[c->step_count] = *step;
    if (index != NULL) {
        *index = c->step_count;
    }
    c->step_count++;
    return 0;
}

/* ---- a pass over the tape ---- */

static void reading_init(struct script_reading *b, struct replay_script *script,
                         uint64_t limit)
{
    *b = (struct script_reading){ .script = script,
                                  .limit = limit,
                                  .incoming = REPLAY_NONE };
    b->messages = (struct capture_messages_rules){ .keep = REPLAY_SCRIPT_MESSAGE_MAX,
                                                   .limit = REPLAY_SCRIPT_MESSAGE_MAX,
                                                   .held_max = SIZE_MAX,
                                                   .message = replay_script_message,
                                                   .owner = b };
    b->exchanges = (struct capture_exchanges_rules){ .keep = SIZE_MAX,
                                                     .body = replay_script_content,
                                                     .exchange = replay_script_exchange,
                                                     .owner = b };
}

static void reading_deinit(struct script_reading *b)
{
    for (size_t i = 0; b->strands != NULL && i < b->script->count; i++) {
        replay_script_strand_free(b->strands[i]);
    }
    alloc_free(b->strands);
    capture_map_deinit(&b->by_number);
    buf_deinit(&b->messages.inflated);
}

/* Whether whole records are missing around here, by an earlier pass. */
static void doubt(struct script_reading *b, bool on)
{
    if (b->messages.doubt != on) {
        replay_script_lose(b);
        b->messages.doubt = on;
    }
}

static int take_item(struct script_reading *b, const struct capture_overview *known,
                     const struct capture_item *item)
{
    if (known != NULL) {
        doubt(b, capture_overview_doubts(known, item->offset));
    }
    if (item->event == CAPTURE_EVENT_END) {
        return 0;
    }
    return item->event == CAPTURE_EVENT_RECORD ? replay_script_record(b, &item->record)
                                               : replay_script_damage(b);
}

static int finish(struct script_reading *b, const struct capture_item *end)
{
    int r = 0;

    for (size_t i = 0; r == 0 && b->strands != NULL && i < b->script->count; i++) {
        if (b->strands[i] != NULL) {
            r = replay_script_finish(b, b->strands[i]);
        }
    }
    b->script->torn = end->len > 0 || !b->finished;
    return r;
}

struct pass {
    struct capture_reader *reader;
    void (*progress)(void *owner, uint64_t offset);
    void *owner;
    uint64_t told;
};

static int next(struct pass *p, struct capture_item *item)
{
    int r = capture_reader_next(p->reader, item);

    if (r == 0 && p->progress != NULL &&
        (item->event == CAPTURE_EVENT_END ||
         item->offset - p->told >= PROGRESS_EVERY)) {
        p->told = item->offset;
        p->progress(p->owner, item->offset);
    }
    return r;
}

/* Records that nothing reads show only at the next checkpoint: then `*missing` is set,
 * and what was read before it may be wrong. */
static int read_all(struct pass *p, struct script_reading *b,
                    const struct capture_overview *known, bool *missing)
{
    struct capture_item item = { .event = CAPTURE_EVENT_RECORD };
    int r = 0;

    while (r == 0 && item.event != CAPTURE_EVENT_END && !*missing) {
        r = next(p, &item);
        *missing = r == 0 && known == NULL && item.event == CAPTURE_EVENT_MISSING;
        if (r == 0 && !*missing) {
            r = take_item(b, known, &item);
        }
    }
    return r == 0 && !*missing ? finish(b, &item) : r;
}

static int script_new(uint64_t limit, struct script_reading *b)
{
    struct replay_script *script = alloc_zero(1, sizeof(*script));

    if (script == NULL) {
        return -ENOMEM;
    }
    script->store = replay_store_new();
    if (script->store == NULL) {
        alloc_free(script);
        return -ENOMEM;
    }
    reading_init(b, script, limit);
    return 0;
}

static int run_pass(struct pass *p, uint64_t limit,
                    const struct capture_overview *known, bool *missing,
                    struct replay_script **out)
{
    struct script_reading b;
    int r = script_new(limit, &b);

    *missing = false;
    if (r < 0) {
        return r;
    }
    r = read_all(p, &b, known, missing);
    reading_deinit(&b);
    if (r < 0 || *missing) {
        replay_script_free(b.script);
        return r;
    }
    *out = b.script;
    return 0;
}

/* Learn where records are missing, and read again with that in mind. */
static int read_doubtful(struct pass *p, uint64_t limit, struct replay_script **out)
{
    struct capture_overview *known = alloc_zero(1, sizeof(*known));
    struct capture_item item = { .event = CAPTURE_EVENT_RECORD };
    bool missing;
    int r = known == NULL ? -ENOMEM : 0;

    capture_reader_rewind(p->reader);
    while (r == 0 && item.event != CAPTURE_EVENT_END) {
        r = capture_reader_next(p->reader, &item);
        r = r == 0 ? capture_overview_feed(known, &item) : r;
    }
    if (r == 0) {
        capture_reader_rewind(p->reader);
        p->told = 0;
        r = run_pass(p, limit, known, &missing, out);
    }
    capture_overview_deinit(known);
    alloc_free(known);
    return r;
}

static int explain(struct err *e, int r, uint64_t limit)
{
    if (r == -EFBIG) {
        return err_set(e, r,
                       "the tape holds more than %" PRIu64 " MiB of content, the most "
                       "that can be played: record it in parts",
                       limit >> 20);
    }
    if (r == -ENOMEM) {
        return err_set(e, r, "out of memory: a tape that is played lies in memory");
    }
    return r < 0 ? err_set(e, r, "cannot read the tape: %s", strerror(-r)) : r;
}

int replay_script_read(struct capture_reader *reader, uint64_t limit,
                       void (*progress)(void *owner, uint64_t offset), void *owner,
                       struct replay_script **out, struct err *e)
{
    struct pass p = { reader, progress, owner, 0 };
    bool missing;
    int r = run_pass(&p, limit, NULL, &missing, out);

    if (r == 0 && missing) {
        r = read_doubtful(&p, limit, out);
    }
    return explain(e, r, limit);
}

int replay_script_new(struct capture_reader *reader,
                      void (*progress)(void *owner, uint64_t offset), void *owner,
                      struct replay_script **out, struct err *e)
{
    return replay_script_read(reader, REPLAY_SCRIPT_MAX, progress, owner, out, e);
}

void replay_script_free(struct replay_script *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        alloc_free(s->connections[i].steps);
        alloc_free(s->connections[i].messages);
        alloc_free(s->connections[i].exchanges);
    }
    alloc_free(s->connections);
    replay_store_free(s->store);
    alloc_free(s);
}
