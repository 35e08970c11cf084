#include "replay/hear.h"

#include <errno.h>

int replay_hear_init(struct replay_hear *h, enum side from,
                     const struct wire_deflate_params *deflate, uint64_t limit,
                     int (*message)(void *owner, uint32_t connection,
                                    const struct capture_message *m),
                     void *owner)
{
    size_t held = limit < SIZE_MAX ? (size_t)limit : SIZE_MAX;

    *h = (struct replay_hear){ .rules = { .keep = held,
                                          .limit = held,
                                          .held_max = SIZE_MAX,
                                          .message = message,
                                          .owner = owner } };
    capture_messages_init(&h->arrived, &h->rules, 0, from);
    capture_messages_agree(&h->arrived, deflate, false);
    h->delivered = capture_delivered_new(&h->rules, &h->arrived, false);
    return h->delivered == NULL ? -ENOMEM : 0;
}

void replay_hear_deinit(struct replay_hear *h)
{
    if (h != NULL) {
        capture_delivered_free(h->delivered);
        capture_messages_deinit(&h->arrived);
        buf_deinit(&h->rules.inflated);
        h->delivered = NULL;
    }
}

int replay_hear_feed(struct replay_hear *h, struct bytes in, int64_t now_ns)
{
    return capture_delivered_feed(h->delivered, in, now_ns);
}
