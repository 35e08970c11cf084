#include "replay/caller_state.h"

/* The next recorded bytes that are not compared yet; empty when there are none. */
static struct bytes recorded_rest(struct replay_caller *c)
{
    const struct replay_connection *t = c->connection;

    for (; c->raw_step < t->step_count; c->raw_step++, c->raw_at = 0) {
        const struct replay_step *s = &t->steps[c->raw_step];

        if (s->kind == REPLAY_RAW && s->from == SERVER && c->raw_at < s->bytes.len) {
            return bytes_from(s->bytes, c->raw_at);
        }
    }
    return (struct bytes){ NULL, 0 };
}

static struct bytes shown(struct bytes b)
{
    return bytes_first(b, b.len < CALLER_SHOWN_MAX ? b.len : CALLER_SHOWN_MAX);
}

static size_t same_len(struct bytes a, struct bytes b)
{
    size_t len = 0;

    while (len < a.len && len < b.len && a.at[len] == b.at[len]) {
        len++;
    }
    return len;
}

/* The first difference is told; what follows it cannot be lined up. */
static void tell_difference(struct replay_caller *c, uint64_t at, struct bytes before,
                            struct bytes after)
{
    struct replay_event e = { .kind = REPLAY_EVENT_DIFFERENCE,
                              .from = SERVER,
                              .count = at,
                              .before = shown(before),
                              .after = shown(after),
                              .before_present = true,
                              .after_present = true,
                              .before_binary = true,
                              .after_binary = true,
                              .text = bytes_of("bytes of the tunnel") };

    c->raw_differs = true;
    replay_caller_tell(c, &e);
}

int replay_caller_raw_bytes(struct replay_caller *c, struct bytes in, int64_t now_ns)
{
    uint64_t at = c->raw;

    c->raw += in.len;
    c->arrived_at = now_ns;
    while (in.len > 0 && !c->raw_differs) {
        struct bytes before = recorded_rest(c);
        size_t len = same_len(before, in);

        if (before.len == 0) {
            break;
        }
        if (len < before.len && len < in.len) {
            tell_difference(c, at + len, bytes_from(before, len), bytes_from(in, len));
        }
        in = bytes_from(in, len);
        at += len;
        c->raw_at += len;
    }
    return 0;
}
