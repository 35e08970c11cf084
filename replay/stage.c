#include "replay/stage.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>

int replay_stage_new(const struct replay_script *script,
                     const struct replay_options *options,
                     const struct replay_rules *rules,
                     const struct replay_listener *listener, enum side live,
                     struct replay_stage **out)
{
    struct replay_stage *s = alloc_zero(1, sizeof(*s));
    int r = -ENOMEM;

    if (s == NULL) {
        return r;
    }
    s->script = script;
    s->options = *options;
    s->rules = *rules;
    s->listener = *listener;
    s->live = live;
    s->links = alloc_zero(script->count, sizeof(struct replay_links *));
    if (s->links == NULL) {
        goto fail_stage;
    }
    r = replay_choice_new(script, options->when_exhausted, &s->choice);
    if (r < 0) {
        goto fail_links;
    }
    *out = s;
    return 0;

fail_links:
    alloc_free(s->links);
fail_stage:
    alloc_free(s);
    return r;
}

void replay_stage_free(struct replay_stage *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->script->count; i++) {
        replay_links_free(s->links[i]);
    }
    alloc_free(s->links);
    replay_choice_free(s->choice);
    alloc_free(s);
}

int replay_stage_links(struct replay_stage *s, uint32_t index,
                       const struct replay_links **out)
{
    assert(index < s->script->count);
    if (!s->options.substitute) {
        *out = NULL;
        return 0;
    }
    if (s->links[index] == NULL) {
        int r =
            replay_links_new(&s->script->connections[index], s->live, &s->links[index]);

        if (r < 0) {
            return r;
        }
    }
    *out = replay_links_any(s->links[index]) ? s->links[index] : NULL;
    return 0;
}
