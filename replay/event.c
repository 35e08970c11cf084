#include "replay/event.h"

bool replay_event_is_mismatch(const struct replay_event *e)
{
    switch (e->kind) {
    case REPLAY_EVENT_DIFFERENCE:
    case REPLAY_EVENT_UNEXPECTED:
    case REPLAY_EVENT_MISSING:
    case REPLAY_EVENT_EXTRA:
    case REPLAY_EVENT_ORDER:
    case REPLAY_EVENT_STATUS:
    case REPLAY_EVENT_FIELD:
    case REPLAY_EVENT_END:
    case REPLAY_EVENT_UNKNOWN:
    case REPLAY_EVENT_EXHAUSTED:
    case REPLAY_EVENT_BROKEN:
    case REPLAY_EVENT_TIMEOUT:
    case REPLAY_EVENT_EARLY:
        return true;
    case REPLAY_EVENT_CHOSEN:
    case REPLAY_EVENT_SUBSTITUTED:
    case REPLAY_EVENT_NOTE:
    case REPLAY_EVENT_OVER:
    case REPLAY_EVENT_RESPONSE_TIME:
    case REPLAY_EVENT_WAITS:
        break;
    }
    return false;
}

const char *replay_event_name(enum replay_event_kind kind)
{
    static const char *const names[] = {
        [REPLAY_EVENT_CHOSEN] = "chosen",
        [REPLAY_EVENT_SUBSTITUTED] = "substituted",
        [REPLAY_EVENT_NOTE] = "note",
        [REPLAY_EVENT_OVER] = "over",
        [REPLAY_EVENT_RESPONSE_TIME] = "response_time",
        [REPLAY_EVENT_DIFFERENCE] = "difference",
        [REPLAY_EVENT_UNEXPECTED] = "unexpected",
        [REPLAY_EVENT_MISSING] = "missing",
        [REPLAY_EVENT_EXTRA] = "extra",
        [REPLAY_EVENT_ORDER] = "order",
        [REPLAY_EVENT_STATUS] = "status",
        [REPLAY_EVENT_FIELD] = "field",
        [REPLAY_EVENT_END] = "end",
        [REPLAY_EVENT_UNKNOWN] = "unknown",
        [REPLAY_EVENT_EXHAUSTED] = "exhausted",
        [REPLAY_EVENT_BROKEN] = "broken",
        [REPLAY_EVENT_TIMEOUT] = "timeout",
        [REPLAY_EVENT_WAITS] = "waits",
        [REPLAY_EVENT_EARLY] = "early",
    };

    return names[kind];
}
