/*
 * cli/show_json - the JSON view in its parts. docs/show.md has the fields.
 */
#ifndef WSTAPE_CLI_SHOW_JSON_H
#define WSTAPE_CLI_SHOW_JSON_H

#include "cli/show.h"
#include "cli/show_object.h"

int show_json_tape(struct show *s);
int show_json_connections(struct show *s);
int show_json_rules(struct show *s);
int show_json_stats(struct show *s);

/* An object with the connection, if there is one. */
struct show_object show_json_begin(struct show *s, const char *record,
                                   const struct capture_moment *m);

/* Objects of their own. A message or frame may be one that arrived (MESSAGE) or one
 * that wstape sent (DELIVERED). */
int show_json_message(struct show *s, const struct capture_moment *at);
int show_json_frame(struct show *s, const struct capture_moment *at);

/* Members of a FAULT. */
void show_json_fault(struct show_object *j, const struct capture_record *r);

/* "text", ...: "reserved" for an opcode without a name. */
const char *show_json_kind(unsigned opcode);

/* Valid UTF-8, whole. */
bool show_json_is_text(struct bytes in);

/* A member: "text" where it is text, "base64" where it is not. */
void show_json_payload(struct show_object *j, struct bytes payload);

/* A member, if it is true. */
void show_json_flag(struct show_object *j, const char *key, bool value);

/* A member: null, or an object with the facts. */
void show_json_tls(struct show_object *j, const char *key,
                   const struct capture_tls_facts *f);

#endif
