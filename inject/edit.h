/*
 * inject/edit - changes fields of a JSON text by cutting in the text.
 *
 * Every byte that is not part of a cut below stays as it was: the spelling of numbers,
 * white space, the order of keys, duplicate keys, escapes. All paths are looked up in
 * the text as it came. A member whose key occurs twice counts as two places. What lies
 * inside a value that is dropped or replaced as a whole is not looked at.
 *
 * All functions take 1 to INJECT_EDIT_FIELDS_MAX fields of a rule's action, append the
 * new text to `out` and count the places in `*changed`. When they return anything but
 * 0, `out` has what it had before. A text that is not JSON from its first byte to its
 * last (see wire/json, its limit of depth included) is not changed.
 */
#ifndef WSTAPE_INJECT_EDIT_H
#define WSTAPE_INJECT_EDIT_H

#include "base/buf.h"
#include "inject/path.h"

enum { INJECT_EDIT_FIELDS_MAX = 64 };

enum {
    INJECT_EDIT_NOT_JSON = 1,
    INJECT_EDIT_NO_SUCH_FIELD, /* no path leads to anything this edit can change */
};

struct inject_field_edit {
    struct inject_path *path;
    char *text; /* set: JSON text of the value; rename: the new name; drop: NULL */
};

/*
 * Take out the members and elements that the paths lead to; `$` itself is never taken
 * out. What goes with them:
 *
 * - Dropped ones before one that stays: all from the first dropped key (or element) to
 *   the key (or element) that stays.
 *
 *       { "a": 1, "b": 2, "c": 3 }   without b:   { "a": 1, "c": 3 }
 *                 ^^^^^^^^
 *
 * - Dropped ones at the end, after one that stays: all from the end of the value that
 *   stays to the end of the last dropped value.
 *
 *       { "a": 1, "b": 2, "c": 3 }   without c:   { "a": 1, "b": 2 }
 *                       ^^^^^^^^
 *
 * - All of them: from the first key (or element) to the end of the last value.
 *
 *       { "a": 1, "b": 2, "c": 3 }   without all: {  }
 *         ^^^^^^^^^^^^^^^^^^^^^^
 */
int inject_edit_drop(struct bytes text, const struct inject_field_edit *fields,
                     size_t count, struct buf *out, size_t *changed);

/*
 * Replace the values that the paths lead to, from their first byte to their last. Where
 * a path ends in a plain name (.name, not ..name), and leads to an object that has no
 * such key, the member is added as the last one, right after the last value or the
 * opening bracket: `,"name":value`, the comma only after another member. When several
 * fields mean the same place, the last one holds.
 *
 * The fields' texts have to be JSON values without white space around them.
 */
int inject_edit_set(struct bytes text, const struct inject_field_edit *fields,
                    size_t count, struct buf *out, size_t *changed);

/*
 * Replace the keys of the members that the paths lead to, quotes included, by the
 * fields' texts (UTF-8); elements of arrays have none and are left. A key that is there
 * already is left too: the object has it twice then. When several fields mean the same
 * key, the last one holds.
 */
int inject_edit_rename(struct bytes text, const struct inject_field_edit *fields,
                       size_t count, struct buf *out, size_t *changed);

#endif
