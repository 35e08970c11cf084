/*
 * cli/show_object - JSON objects, one a line (RFC 8259).
 */
#ifndef WSTAPE_CLI_SHOW_OBJECT_H
#define WSTAPE_CLI_SHOW_OBJECT_H

#include "cli/show_out.h"

#include <stdint.h>

struct show_object {
    struct show_out *out;
    bool has_members;
};

/* {"record":"NAME" */
struct show_object show_object_begin(struct show_out *o, const char *record);

/* A member that is an object; end it with show_object_close. */
struct show_object show_object_member(struct show_object *j, const char *key);
void show_object_close(struct show_object *j);

/* Keys are literals of ours and need no escaping. */
void show_object_number(struct show_object *j, const char *key, uint64_t value);
void show_object_time(struct show_object *j, const char *key, int64_t ns); /* seconds */
void show_object_fraction(struct show_object *j, const char *key, double value);
void show_object_bool(struct show_object *j, const char *key, bool value);
void show_object_null(struct show_object *j, const char *key);
void show_object_words(struct show_object *j, const char *key, const char *text);
void show_object_text(struct show_object *j, const char *key, struct bytes text);
void show_object_base64(struct show_object *j, const char *key, struct bytes data);
void show_object_hex(struct show_object *j, const char *key, struct bytes data);

/* An array of texts: begin, add each, end. */
void show_object_array(struct show_object *j, const char *key);
void show_object_add(struct show_object *j, bool *first, struct bytes text);
void show_object_array_end(struct show_object *j);

/* The end of the object and the line; 0 or the output's error. */
int show_object_end(struct show_object *j);

#endif
