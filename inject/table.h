/*
 * inject/table - the language of rules as data: conditions, actions and what they take.
 *
 * One table drives the checker (inject/build), the reader of one-line forms, `wstape
 * faults` and the JSON Schema.
 */
#ifndef WSTAPE_INJECT_TABLE_H
#define WSTAPE_INJECT_TABLE_H

#include "inject/rule.h"

#include <stddef.h>

/* ---- conditions ---- */

enum inject_condition {
    INJECT_IF_CONNECTION,
    INJECT_IF_PATH,
    INJECT_IF_HEADER,
    INJECT_IF_FROM,
    INJECT_IF_MESSAGE,
    INJECT_IF_OPCODE,
    INJECT_IF_JSON,
    INJECT_IF_TEXT,
    INJECT_IF_SIZE,
    INJECT_IF_TIME,
    INJECT_IF_AGE,
    INJECT_IF_AFTER,
    INJECT_IF_COUNT,
};

struct inject_condition_row {
    const char *name;
    const char *what;
    const char *yaml; /* an example of `when` with it, on one line */
    const char *line; /* the same as keys of a one-line form */
    bool is_map;      /* in one line: name.KEY=VALUE */
};

/* The name that stands for the bits of INJECT_TEXT ..., and the sides. NULL ends them.
 */
extern const char *const inject_opcode_names[];
extern const char *const inject_side_names[];

const struct inject_condition_row *inject_condition_row(enum inject_condition c);

/* By name; -1: there is none. */
int inject_condition_find(struct bytes name);

/* ---- actions ---- */

/* What a value is, and which member of struct inject_act takes it. */
enum inject_param_kind {
    INJECT_PARAM_NONE,     /* nothing */
    INJECT_PARAM_DURATION, /* int64_t at `to` */
    INJECT_PARAM_FOREVER,  /* the same, or "forever" */
    INJECT_PARAM_NUMBER,   /* uint64_t at `to`, min..max */
    INJECT_PARAM_SIZE,     /* uint64_t at `to`, min..max */
    INJECT_PARAM_STATUS,   /* code: min..max */
    INJECT_PARAM_CLOSE,    /* code: one that may be on the wire */
    INJECT_PARAM_REASON,   /* text: at most 123 bytes */
    INJECT_PARAM_VALUE,    /* text: what may be a header's value */
    INJECT_PARAM_CHOICE,   /* one of `names` */
    INJECT_PARAM_HEADERS,  /* headers: name to value */
    INJECT_PARAM_NAMES,    /* headers: one name or a list */
    INJECT_PARAM_PATHS,    /* fields: one path or a list */
    INJECT_PARAM_SETS,     /* fields: path to value */
    INJECT_PARAM_RENAMES,  /* fields: path to name */
    INJECT_PARAM_TEXT,     /* payload: a text as it is */
    INJECT_PARAM_JSON,     /* payload: any value as JSON */
    INJECT_PARAM_FILE,     /* payload: a file's bytes */
    INJECT_PARAM_BASE64,   /* payload: bytes, and binary */
};

struct inject_param {
    const char
        *name; /* key in the map form; of the first: NULL, there is no map form */
    enum inject_param_kind kind;
    size_t to;
    uint64_t min, max;
    const char *const *names; /* CHOICE; NULL ends them */
    void (*choose)(struct inject_act *a, unsigned index);
};

enum { INJECT_PARAMS_MAX = 5 };

enum inject_direction { INJECT_BOTH_WAYS, INJECT_REQUEST_ONLY, INJECT_ANSWER_ONLY };

struct inject_action_row {
    const char *name;
    enum inject_stage stage;
    unsigned conditions;             /* bits 1 << INJECT_IF_: what `when` may have */
    enum inject_direction direction; /* what `from` may say */
    bool data_only;                  /* works on text and binary messages only */
    bool bare;                       /* may stand without a value */
    bool one_payload;                /* exactly one of the PARAM_TEXT ... is needed */
    uint64_t count;                  /* what act.count is without a value */
    struct inject_param params[INJECT_PARAMS_MAX]; /* the first is the value's own */
    const char *what;
    const char *yaml;
    const char *line;
};

const struct inject_action_row *inject_action_row(enum inject_action a);

/* By name; -1: there is none. */
int inject_action_find(struct bytes name);

/* The parameter with this name (never the first without a map form), or NULL. */
const struct inject_param *inject_param_find(const struct inject_action_row *row,
                                             struct bytes name);

static inline bool inject_has_map_form(const struct inject_action_row *row)
{
    return row->params[0].name != NULL;
}

bool inject_param_is_payload(enum inject_param_kind kind);

/* May a close frame carry this code (RFC 6455, section 7.4)? */
bool inject_is_close_code(uint64_t code);

#endif
