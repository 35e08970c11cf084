/*
 * cli/show_json - the JSON view in its parts. docs/show.md has the fields.
 */
#ifndef WSTAPE_CLI_SHOW_JSON_H
#define WSTAPE_CLI_SHOW_JSON_H

#include "cli/show.h"
#include "cli/show_object.h"

int show_json_tape(struct show *s);
int show_json_connections(struct show *s);
int show_json_stats(struct show *s);

/* A member: null, or an object with the facts. */
void show_json_tls(struct show_object *j, const char *key,
                   const struct capture_tls_facts *f);

#endif
