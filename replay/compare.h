/*
 * replay/compare - whether a live message is the one on the tape, and where it differs.
 *
 * The rules of --match, --ignore and of what the tape shows to be volatile. Pure: no
 * time, no state but scratch memory.
 */
#ifndef WSTAPE_REPLAY_COMPARE_H
#define WSTAPE_REPLAY_COMPARE_H

#include "inject/walk.h"
#include "replay/value.h"
#include "wire/side.h"

#include <stdbool.h>

enum replay_match {
    REPLAY_MATCH_JSON,  /* the default: equal as JSON, but for what is ignored or
                           volatile */
    REPLAY_MATCH_EXACT, /* the same bytes; nothing is volatile */
    REPLAY_MATCH_ANY,   /* every message is the right one */
};

enum { REPLAY_IGNORE_MAX = 64 };

struct replay_volatility; /* replay/volatility.h */
struct replay_links;      /* replay/live.h */
struct replay_swaps;      /* replay/swaps.h */
struct replay_connection; /* replay/script.h */

struct replay_rules {
    enum replay_match match;
    const struct inject_path *ignore[REPLAY_IGNORE_MAX]; /* borrowed */
    size_t ignore_count;
    const struct replay_volatility *volatility; /* borrowed; NULL: shapes only */
};

/* A message to be compared. */
struct replay_text {
    uint8_t opcode; /* WIRE_OP_TEXT, WIRE_OP_BINARY */
    struct bytes payload;
};

/* One place at which two texts differ. All borrowed until the call returns. */
struct replay_difference {
    struct bytes path; /* "$.results[0].score"; empty: the message as a whole */
    /* JSON text of the value, or the text; `present` false: it has no such place. */
    struct bytes before, after;
    bool before_present, after_present;
    /* In the trees of the comparison; REPLAY_NO_VALUE: none, or without path. */
    uint32_t before_value, after_value;
};

/* Enough of one message for people to read: what the players tell. */
enum { REPLAY_DIFFERENCES_MAX = 100 };

struct replay_compare {
    const struct replay_rules *rules; /* borrowed */
    const struct replay_links *links; /* borrowed; of the tape's connection, to know its
                                         ids; NULL (as init leaves it): none */
    uint32_t most; /* places that one call tells; 0 (as init leaves it): all */
    uint32_t rest; /* of the last call: places beyond these, which were only counted */
    struct replay_swaps *swaps;       /* borrowed; what we put in, or NULL: nothing */
    struct inject_walk ignore;        /* of the rules' paths */
    struct replay_tree before, after; /* scratch, as all below */
    struct buf path, marks, twins, keys, places;
};

void replay_compare_init(struct replay_compare *c, const struct replay_rules *rules);
void replay_compare_deinit(struct replay_compare *c);

enum { REPLAY_DIFFERS = 1 };

/*
 * Compare the tape's message with a live one of the side `from`. 0: equal under the
 * rules; REPLAY_DIFFERS; -ENOMEM. `differs` (NULL: just the answer, which ends at the
 * first difference) is called once a place, in the order of the tape's text, then what
 * is only in the live one; a negative value of it ends the comparison and is returned.
 *
 * JSON against JSON, behind prefixes, if any, which are compared as texts: numbers by
 * value (1 equals 1.0, exactly, any number of digits), strings by characters (escapes
 * resolved), objects whatever the order of keys (members with one key pair up as they
 * come), arrays element by element. A container that is missing or extra is one
 * difference. Places that an --ignore path leads to (in either text) are not compared,
 * whatever they hold and whether they are there. Two strings, or two numbers, at one
 * place are equal when both have the same volatile shape, or when the place is volatile
 * by the tape (see volatility.h). Texts of which one is not JSON: equal when the bytes
 * are; one difference without path. Likewise binary, and texts too large for a tree.
 * Opcodes that differ: one difference.
 *
 * With REPLAY_MATCH_EXACT all bytes count but those of ignored values; texts that hold
 * the same values otherwise (other spaces, other order) are one difference without
 * path. What is only in the live text comes after the rest of its container.
 */
int replay_compare(struct replay_compare *c, enum side from, struct replay_text before,
                   struct replay_text after,
                   int (*differs)(void *owner, const struct replay_difference *d),
                   void *owner);

/* What a `rest` that is not 0 says, in words. */
void replay_compare_say_rest(const struct replay_compare *c, char out[static 64]);

/*
 * As replay_compare, of message `index` of the tape's connection, which is that of the
 * `links`. Then ids by evidence (see live.h) differ no more than volatile values do: at
 * their places two strings without a blank are equal, and two numbers. And with
 * `swaps`, unless every byte counts, what we said in the place of a recorded value is
 * equal to it.
 */
int replay_compare_recorded(
    struct replay_compare *c, const struct replay_connection *tape, uint32_t index,
    struct replay_text after,
    int (*differs)(void *owner, const struct replay_difference *d), void *owner);

/*
 * Whether the live message is of the kind that the tape has here, though it may differ
 * in detail: an answer to the tape's message is then an answer to it as well. Of the
 * same kind, if they have prefixes of one kind or none (see value.h), are
 * - two objects whose naming members are equal (or volatile in shape), present in both
 *   or in neither, and which share a key, unless one is empty;
 * - two arrays whose first elements, if one is a string, are equal (["event", ...]);
 * - otherwise two values of the same JSON type, two texts that are not JSON, two
 *   binaries. With REPLAY_MATCH_ANY everything is. -ENOMEM.
 * Ignored places name nothing.
 */
int replay_compare_kind(struct replay_compare *c, struct replay_text before,
                        struct replay_text after, bool *same);

/* What two messages have in common, in short. */
struct replay_traits {
    uint64_t equal; /* the same in texts that are equal under the rules */
    uint64_t kind; /* the same in texts of one kind, but for those that depend on shared
                      keys or on first elements of which one is missing */
    uint64_t keys; /* a bit for each key of an outermost object; all of them: any. Texts
                      of one kind have a bit in common */
};

/* To find what a message may be among many without comparing each: the same traits say
 * "perhaps", different ones "hardly". Where the links have ids, any will do. -ENOMEM.
 */
int replay_compare_traits(struct replay_compare *c, enum side from,
                          struct replay_text text, struct replay_traits *out);

/*
 * A naming member says what a message is: a member of the outermost object that holds a
 * string or a number, with one of these keys: type, event, kind, op, opcode, action,
 * method, cmd, command, target, rpc, procedure, message_type, event_type, msg_type,
 * messageType, eventType, msgType. Also msg, in objects that have none of the others.
 * It is among the first REPLAY_NAMES_LOOK members.
 */
enum { REPLAY_NAMES_LOOK = 256 };

/* Whether a key (a string token) is one of these, msg aside. */
bool replay_compare_names(struct bytes key_token);

/* Whether a value is a naming member. */
bool replay_compare_is_name(const struct replay_tree *t, uint32_t value);

#endif
