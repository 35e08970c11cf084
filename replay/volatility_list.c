#include "replay/volatility_state.h"

#include "replay/live.h"
#include "wire/frame.h"

struct listing {
    struct replay_paths paths; /* of one side */
    struct replay_tree tree;
    struct buf path;
};

static int list_value(struct listing *l, uint32_t value)
{
    enum replay_shape shape = replay_shape_of(replay_value_text(&l->tree, value));
    int r;

    if (shape == REPLAY_SHAPE_NONE) {
        return 0;
    }
    buf_clear(&l->path);
    r = replay_tree_put_path(&l->tree, value, true, &l->path);
    return r < 0 ? r
                 : replay_paths_put(&l->paths, buf_bytes(&l->path),
                                    replay_shape_name(shape));
}

static int list_message(struct listing *l, const struct replay_message *m)
{
    int r;

    if (!m->whole || m->opcode != WIRE_OP_TEXT) {
        return 0;
    }
    r = replay_tree_read(&l->tree, m->payload);
    for (uint32_t n = 0; r == 0 && n < l->tree.count; n++) {
        r = list_value(l, n);
    }
    return r < 0 ? r : 0;
}

static int list_shapes(struct listing *l, enum side from,
                       const struct replay_connection *c)
{
    uint32_t n = c->first[from];
    int r = 0;

    for (unsigned i = 0; r == 0 && n != REPLAY_NONE && i < REPLAY_VOLATILE_LOOK; i++) {
        r = list_message(l, &c->messages[n]);
        n = c->messages[n].next;
    }
    return r;
}

/* What differs between sessions and has no shape. */
static int list_others(struct listing *l, const struct replay_paths *others)
{
    int r = 0;

    for (size_t n = 0; r == 0 && n < others->count; n++) {
        if (others->at[n].why != NULL) {
            r = replay_paths_put(&l->paths, replay_paths_text(others, n),
                                 others->at[n].why);
        }
    }
    return r;
}

static int list_servers_id(void *owner, struct bytes path)
{
    struct listing *l = owner;

    return replay_paths_put(&l->paths, path, "repeated by the client");
}

static int list_clients_id(void *owner, struct bytes path)
{
    struct listing *l = owner;

    return replay_paths_put(&l->paths, path, "repeated by the server");
}

static int list_ids(struct listing *l, enum side from, const struct replay_links *links)
{
    if (links == NULL || replay_links_side(links) != from) {
        return 0;
    }
    return replay_links_list_ids(links,
                                 from == SERVER ? list_servers_id : list_clients_id, l);
}

static int list_side(struct listing *l, const struct replay_volatility *v,
                     const struct replay_script *s, struct replay_links *const *links,
                     enum side from)
{
    int r = v == NULL ? 0 : list_others(l, &v->sides[from]);

    for (size_t i = 0; r == 0 && i < s->count; i++) {
        r = list_shapes(l, from, &s->connections[i]);
    }
    for (size_t i = 0; r == 0 && links != NULL && i < s->count; i++) {
        r = list_ids(l, from, links[i]);
    }
    return r;
}

int replay_volatility_list(const struct replay_volatility *v,
                           const struct replay_script *s,
                           struct replay_links *const *links,
                           int (*tell)(void *owner, enum side from, struct bytes path,
                                       const char *why),
                           void *owner)
{
    int r = 0;

    for (unsigned side = CLIENT; r == 0 && side <= SERVER; side++) {
        struct listing l = { 0 };

        r = list_side(&l, v, s, links, side);
        for (size_t n = 0; r == 0 && n < l.paths.count; n++) {
            r = tell(owner, side, replay_paths_text(&l.paths, n), l.paths.at[n].why);
        }
        replay_paths_deinit(&l.paths);
        replay_tree_deinit(&l.tree);
        buf_deinit(&l.path);
    }
    return r;
}
