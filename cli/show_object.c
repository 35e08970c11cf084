#include "cli/show_object.h"

#include "base/text.h"

#include <stdio.h>

static void put_key(struct show_object *j, const char *key)
{
    show_out_text(j->out, j->has_members ? ",\"" : "\"");
    show_out_text(j->out, key);
    show_out_text(j->out, "\":");
    j->has_members = true;
}

struct show_object show_object_begin(struct show_out *o, const char *record)
{
    struct show_object j = { .out = o };

    show_out_text(o, "{");
    show_object_words(&j, "record", record);
    return j;
}

struct show_object show_object_member(struct show_object *j, const char *key)
{
    put_key(j, key);
    show_out_text(j->out, "{");
    return (struct show_object){ .out = j->out };
}

void show_object_close(struct show_object *j)
{
    show_out_text(j->out, "}");
}

static void put_number(struct show_out *o, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    show_out_put(o, bytes_make(digits + at, sizeof(digits) - at));
}

void show_object_number(struct show_object *j, const char *key, uint64_t value)
{
    put_key(j, key);
    put_number(j->out, value);
}

void show_object_time(struct show_object *j, const char *key, int64_t ns)
{
    uint64_t us = (ns < 0 ? UINT64_C(0) - (uint64_t)ns : (uint64_t)ns) / 1000;
    char fraction[8];

    put_key(j, key);
    if (ns < 0) {
        show_out_text(j->out, "-");
    }
    put_number(j->out, us / 1000000);
    snprintf(fraction, sizeof(fraction), ".%06u", (unsigned)(us % 1000000));
    show_out_text(j->out, fraction);
}

void show_object_fraction(struct show_object *j, const char *key, double value)
{
    char words[32];

    snprintf(words, sizeof(words), "%.16g", value);
    put_key(j, key);
    show_out_text(j->out, words);
}

void show_object_bool(struct show_object *j, const char *key, bool value)
{
    put_key(j, key);
    show_out_text(j->out, value ? "true" : "false");
}

void show_object_null(struct show_object *j, const char *key)
{
    put_key(j, key);
    show_out_text(j->out, "null");
}

void show_object_words(struct show_object *j, const char *key, const char *text)
{
    show_object_text(j, key, bytes_of(text));
}

void show_object_text(struct show_object *j, const char *key, struct bytes text)
{
    put_key(j, key);
    show_out_note(j->out, text_put_json(&j->out->bytes, text));
}

void show_object_base64(struct show_object *j, const char *key, struct bytes data)
{
    put_key(j, key);
    show_out_text(j->out, "\"");
    show_out_note(j->out, text_put_base64(&j->out->bytes, data));
    show_out_text(j->out, "\"");
}

void show_object_hex(struct show_object *j, const char *key, struct bytes data)
{
    put_key(j, key);
    show_out_text(j->out, "\"");
    show_out_note(j->out, text_put_hex(&j->out->bytes, data));
    show_out_text(j->out, "\"");
}

void show_object_array(struct show_object *j, const char *key)
{
    put_key(j, key);
    show_out_text(j->out, "[");
}

void show_object_add(struct show_object *j, bool *first, struct bytes text)
{
    if (!*first) {
        show_out_text(j->out, ",");
    }
    *first = false;
    show_out_note(j->out, text_put_json(&j->out->bytes, text));
}

void show_object_array_end(struct show_object *j)
{
    show_out_text(j->out, "]");
}

int show_object_end(struct show_object *j)
{
    show_out_text(j->out, "}\n");
    return show_out_status(j->out);
}
