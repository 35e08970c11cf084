#include "replay/live_build.h"

#include "base/alloc.h"
#include "wire/frame.h"

#include <assert.h>
#include <errno.h>

static int read_message(struct replay_live_builder *b, uint32_t message)
{
    const struct replay_message *m = &b->l->connection->messages[message];
    bool source = m->from == b->l->from;
    int r;

    if (!m->whole || m->opcode != WIRE_OP_TEXT ||
        (!source && b->l->source_count == 0)) {
        return 0;
    }
    r = replay_tree_read(&b->tree, m->payload);
    if (r != 0 && r != REPLAY_VALUE_NOT_JSON) {
        return r < 0 ? r : 0; /* too large for a tree */
    }
    return source ? replay_live_build_sources(b, message, r != 0)
                  : replay_live_build_links(b, message, r != 0);
}

/* Values with links get new numbers, and their texts are taken over. */
static int keep_texts(struct replay_live_builder *b)
{
    struct replay_links *l = b->l;

    assert(b->values.at != NULL && l->sources != NULL);
    for (uint32_t i = 0; i < b->values.count; i++) {
        b->values.at[i].renumbered = REPLAY_NO_LIVE;
    }
    for (uint32_t i = 0; i < l->link_count; i++) {
        struct replay_live_value *v =
            &b->values.at[l->sources[l->links[i].source].value];

        if (v->renumbered == REPLAY_NO_LIVE) {
            v->renumbered = l->text_count++;
        }
    }
    l->texts = alloc_zero(l->text_count, sizeof(*l->texts));
    if (l->texts == NULL) {
        l->text_count = 0;
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < b->values.count; i++) {
        struct replay_live_value *v = &b->values.at[i];

        if (v->renumbered != REPLAY_NO_LIVE) {
            l->texts[v->renumbered] = (struct replay_live_text){
                .text = v->text, .copy = v->copy, .distinctive = v->key == 0
            };
            v->copy = NULL;
        }
    }
    return 0;
}

/* Sources of these values move together; links follow. */
static int keep_sources(struct replay_live_builder *b)
{
    struct replay_links *l = b->l;
    uint32_t *moved = alloc_get(l->source_count * sizeof(*moved));
    uint32_t count = 0;
    void *fitting;

    if (moved == NULL) {
        return -ENOMEM;
    }
    assert(b->values.at != NULL && l->sources != NULL);
    for (uint32_t i = 0; i < l->source_count; i++) {
        struct replay_live_source s = l->sources[i];

        s.value = b->values.at[s.value].renumbered;
        s.before = s.before == REPLAY_NO_LIVE ? s.before : moved[s.before];
        moved[i] = count;
        if (s.value != REPLAY_NO_LIVE) {
            l->sources[count++] = s;
        }
    }
    for (uint32_t i = 0; i < l->link_count; i++) {
        l->links[i].source = moved[l->links[i].source];
    }
    alloc_free(moved);
    l->source_count = count;
    fitting = alloc_resize(l->sources, (count + 1) * sizeof(*l->sources));
    if (fitting == NULL) {
        return -ENOMEM;
    }
    l->sources = fitting;
    return 0;
}

static int build(struct replay_live_builder *b)
{
    int r = 0;

    for (uint32_t i = 0; r == 0 && i < b->l->connection->message_count; i++) {
        r = read_message(b, i);
    }
    b->l->work = b->values.work;
    if (r == 0 && b->l->source_count > 0) {
        r = keep_texts(b);
    }
    if (r == 0 && b->l->source_count > 0) {
        r = keep_sources(b);
    }
    if (r == 0) {
        r = replay_live_find_ids(b->l);
    }
    replay_live_values_deinit(&b->values);
    replay_tree_deinit(&b->tree);
    buf_deinit(&b->places);
    buf_deinit(&b->decoded);
    buf_deinit(&b->key);
    return r;
}

int replay_links_new(const struct replay_connection *c, enum side from,
                     struct replay_links **out)
{
    struct replay_links *l = alloc_zero(1, sizeof(*l));
    struct replay_live_builder b = { .l = l };
    int r;

    if (l == NULL) {
        return -ENOMEM;
    }
    l->connection = c;
    l->from = from;
    r = build(&b);
    if (r < 0) {
        replay_links_free(l);
        return r;
    }
    *out = l;
    return 0;
}

void replay_links_free(struct replay_links *l)
{
    if (l == NULL) {
        return;
    }
    for (uint32_t i = 0; i < l->text_count; i++) {
        alloc_free(l->texts[i].copy);
    }
    alloc_free(l->texts);
    alloc_free(l->sources);
    alloc_free(l->links);
    alloc_free(l->carriers);
    alloc_free(l->places);
    alloc_free(l);
}

bool replay_links_any(const struct replay_links *l)
{
    return l->link_count > 0;
}

uint32_t replay_live_links_of(const struct replay_links *l, uint32_t message,
                              uint32_t *end)
{
    uint32_t low = 0, high = l->carrier_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (l->carriers[middle].message < message) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == l->carrier_count || l->carriers[low].message != message) {
        *end = 0;
        return 0;
    }
    *end = low + 1 == l->carrier_count ? l->link_count : l->carriers[low + 1].first;
    return l->carriers[low].first;
}
