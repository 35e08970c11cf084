/*
 * inject/read - a rule file, or a line of --fault, as a tree.
 *
 * The line's tree is the one of a single rule in a file:
 *
 *     close=1011,reason=Bye,from=server,json.type=error
 *     {close: {code: 1011, reason: Bye}, when: {from: server, json: {type: error}}}
 *
 * Keys of the line are conditions, the action, its parameters (ACTION.PARAMETER, or the
 * parameter alone), name, probability, times and per_connection. Commas separate, but
 * for those in "quotes", behind a \ and in a pair of [] or {}.
 */
#ifndef WSTAPE_INJECT_READ_H
#define WSTAPE_INJECT_READ_H

#include "inject/complain.h"
#include "inject/tree.h"

enum { INJECT_SOURCE_MAX = 4 * 1024 * 1024 }; /* bytes of a rule file */

/* What is wrong becomes a complaint; the root is then NULL or what could be read. The
 * text has to be UTF-8 without NUL. -ENOMEM. */
int inject_read_yaml(const struct inject_source *s, struct inject_tree *t,
                     struct inject_complaints *c);
int inject_read_line(const struct inject_source *s, struct inject_tree *t,
                     struct inject_complaints *c);

#endif
