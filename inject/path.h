/*
 * inject/path - where in a JSON text, as people write it: a subset of RFC 9535.
 *
 *     $              the whole value
 *     .name          the member with this key
 *     ['name']       the same, for any key, with the escapes of JSON strings; also
 *                    with "
 *     [2]            the element at 2, counted from 0
 *     [*]  .*        every member or element
 *     ..name         the same anywhere below; also ..[2] and so on
 *
 * A path that begins with a name, or with [ or .., is taken as if "$." or "$" stood
 * before it.
 * Beyond the RFC, a - may be inside a name without quotes. Negative indexes, slices,
 * filters and lists of selectors are errors that say so.
 *
 * Finding the places is in inject/walk.
 */
#ifndef WSTAPE_INJECT_PATH_H
#define WSTAPE_INJECT_PATH_H

#include "base/buf.h"
#include "base/err.h"

enum { INJECT_PATH_SEGMENTS_MAX = 32 };

enum inject_segment_kind {
    INJECT_SEGMENT_NAME,
    INJECT_SEGMENT_INDEX,
    INJECT_SEGMENT_ANY,
};

struct inject_segment {
    enum inject_segment_kind kind;
    bool descend;      /* "..": leads to children of everything below too */
    struct bytes name; /* of NAME, UTF-8 */
    uint64_t index;    /* of INDEX */
};

struct inject_path {
    struct buf names;  /* what the segments point into */
    uint64_t descends; /* bit n: segment n descends */
    unsigned count;    /* 0 for "$" */
    struct inject_segment segments[];
};

enum { INJECT_PATH_BAD = 1 };

/* Compile; the path is the caller's. INJECT_PATH_BAD when `text` is no path of this
 * kind:
 * `*column` (from 1, in bytes) is where, `e` says what, without the place. -ENOMEM. */
int inject_path_new(struct bytes text, struct inject_path **out, struct err *e,
                    size_t *column);

void inject_path_free(struct inject_path *p); /* takes NULL */

/* Append the path in its one canonical spelling: $.name where quotes are not needed,
 * ['other name'] where they are, [*], ..[*]. -ENOMEM. */
int inject_path_put(const struct inject_path *p, struct buf *out);

/* The name the path ends in when that is a member of one parent (.name or ['name']),
 * and NULL when it ends otherwise. Borrowed from `p`. */
const struct bytes *inject_path_name(const struct inject_path *p);

/* Whether the path may lead to members of objects (it ends in a name or in *). */
bool inject_path_takes_members(const struct inject_path *p);

#endif
