#include "inject/build.h"
#include "inject/table.h"

static const char *stage_name(enum inject_stage stage)
{
    switch (stage) {
    case INJECT_STAGE_LISTEN:
    case INJECT_STAGE_CONNECTION:
        return "connection";
    case INJECT_STAGE_HANDSHAKE:
        return "handshake";
    case INJECT_STAGE_MESSAGE:
        return "message";
    case INJECT_STAGE_STREAM:
        return "stream";
    }
    return "";
}

bool inject_help_action(size_t index, struct inject_help *out)
{
    const struct inject_action_row *row;

    if (index >= INJECT_ACTION_COUNT) {
        return false;
    }
    row = inject_action_row((enum inject_action)index);
    *out = (struct inject_help){ .name = row->name,
                                 .stage = stage_name(row->stage),
                                 .what = row->what,
                                 .yaml = row->yaml,
                                 .line = row->line };
    return true;
}

bool inject_help_condition(size_t index, struct inject_help *out)
{
    const struct inject_condition_row *row;

    if (index >= INJECT_IF_COUNT) {
        return false;
    }
    row = inject_condition_row((enum inject_condition)index);
    *out = (struct inject_help){ .name = row->name,
                                 .stage = "",
                                 .what = row->what,
                                 .yaml = row->yaml,
                                 .line = row->line };
    return true;
}
