#include "replay/live_state.h"

/* Trees and paths of the two messages at hand. */
struct listing {
    const struct replay_links *l;
    struct replay_tree source, carrier;
    uint32_t source_message; /* that `source` is of, or NONE */
    struct buf source_path, carrier_path;
};

/* The value, or member, that stands at `at`: the last one that begins before it. */
static uint32_t node_at(const struct replay_tree *t, uint32_t at)
{
    uint32_t low = 0, high = t->count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        const struct replay_value *v = &t->at[middle];

        if ((v->key_to > v->key_from ? v->key_from : v->from) <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* An empty path when the message is no JSON. */
static int put_path(const struct replay_tree *t, uint32_t node, struct buf *out)
{
    buf_clear(out);
    return t->count == 0 ? 0 : replay_tree_put_path(t, node, false, out);
}

static int read_source(struct listing *s, uint32_t message)
{
    int r = 0;

    if (s->source_message != message) {
        s->source_message = REPLAY_NONE;
        r = replay_tree_read(&s->source, s->l->connection->messages[message].payload);
    }
    if (r >= 0) {
        s->source_message = message;
    }
    return r < 0 ? r : 0;
}

static int list_link(struct listing *s, const struct replay_message *carrier,
                     const struct replay_live_link *link,
                     int (*tell)(void *owner, const struct replay_link_text *t),
                     void *owner)
{
    const struct replay_live_source *source = &s->l->sources[link->source];
    struct replay_link_text text = {
        .source_message = s->l->connection->messages[source->message].number,
        .carrier_message = carrier->number,
        .value = s->l->texts[source->value].text,
        .inside = link->form == REPLAY_LIVE_PART ||
                  (link->form == REPLAY_LIVE_PLAIN &&
                   link->to - link->from < carrier->payload.len),
    };
    int r = read_source(s, source->message);

    if (r == 0) {
        r = put_path(&s->source, source->node, &s->source_path);
    }
    if (r == 0) {
        r = put_path(&s->carrier, node_at(&s->carrier, link->from), &s->carrier_path);
    }
    if (r < 0) {
        return r;
    }
    text.source_path = buf_bytes(&s->source_path);
    text.carrier_path = buf_bytes(&s->carrier_path);
    return tell(owner, &text);
}

static int list_carrier(struct listing *s, uint32_t message,
                        int (*tell)(void *owner, const struct replay_link_text *t),
                        void *owner)
{
    const struct replay_message *m = &s->l->connection->messages[message];
    uint32_t end, i = replay_live_links_of(s->l, message, &end);
    int r = replay_tree_read(&s->carrier, m->payload);

    for (r = r < 0 ? r : 0; r >= 0 && i < end; i++) {
        r = list_link(s, m, &s->l->links[i], tell, owner);
    }
    return r < 0 ? r : 0;
}

int replay_links_list(const struct replay_links *l,
                      int (*tell)(void *owner, const struct replay_link_text *t),
                      void *owner)
{
    struct listing s = { .l = l, .source_message = REPLAY_NONE };
    int r = 0;

    for (uint32_t i = 0; r == 0 && i < l->carrier_count; i++) {
        r = list_carrier(&s, l->carriers[i].message, tell, owner);
    }
    replay_tree_deinit(&s.source);
    replay_tree_deinit(&s.carrier);
    buf_deinit(&s.source_path);
    buf_deinit(&s.carrier_path);
    return r;
}
