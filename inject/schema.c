#include "inject/build.h"

#include "base/text.h"
#include "inject/indent.h"
#include "inject/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* The schema as one line, and whether memory has lasted. */
struct schema {
    struct buf text;
    int failed;
};

static void add(struct schema *s, const char *json)
{
    if (buf_put_text(&s->text, json) < 0) {
        s->failed = -ENOMEM;
    }
}

static void add_string(struct schema *s, const char *text)
{
    if (text_put_json(&s->text, bytes_of(text)) < 0) {
        s->failed = -ENOMEM;
    }
}

static void add_key(struct schema *s, const char *key)
{
    add_string(s, key);
    add(s, ":");
}

static void add_ref(struct schema *s, const char *name)
{
    add(s, "{\"$ref\":\"#/$defs/");
    add(s, name);
    add(s, "\"}");
}

static void add_integer(struct schema *s, uint64_t min, uint64_t max)
{
    char json[120];

    snprintf(json, sizeof(json),
             "{\"type\":\"integer\",\"minimum\":%llu,\"maximum\":%llu}",
             (unsigned long long)min, (unsigned long long)max);
    add(s, json);
}

static void add_names(struct schema *s, const char *const *names)
{
    add(s, "{\"enum\":[");
    for (size_t i = 0; names[i] != NULL; i++) {
        add(s, i == 0 ? "" : ",");
        add_string(s, names[i]);
    }
    add(s, "]}");
}

/* ---- values ---- */

#define DURATION "(?:0+(?:\\.0+)?|[0-9]+(?:\\.[0-9]+)?(?:ms|s|m|h))"
#define COUNT    "0*[1-9][0-9]*"
#define BLANKS   "[ \\t]*"
#define NAME     "(?:[A-Za-z_]|[^\\u0000-\\u007f])(?:[A-Za-z0-9_-]|[^\\u0000-\\u007f])*"
#define INDEX    "\\[" BLANKS "(?:0|[1-9][0-9]*)" BLANKS "\\]"
#define BRACKETS                                                                       \
    "\\[" BLANKS                                                                       \
    "(?:\\*|0|[1-9][0-9]*|'(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\")" BLANKS      \
    "\\]"
#define STEP "(?:\\.\\.?(?:" NAME "|\\*)|(?:\\.\\.)?" BRACKETS ")"

#define SOME_BASE64 "[A-Za-z0-9+/][ \\t\\r\\n]*"
#define PADDING     "=[ \\t\\r\\n]*"

static void add_pattern(struct schema *s, const char *pattern)
{
    add(s, "{\"type\":\"string\",\"pattern\":");
    add_string(s, pattern);
    add(s, "}");
}

/* One value or a list of them. */
static void add_one_or_more(struct schema *s, const char *name)
{
    add(s, "{\"anyOf\":[");
    add_ref(s, name);
    add(s, ",{\"type\":\"array\",\"minItems\":1,\"items\":");
    add_ref(s, name);
    add(s, "}]}");
}

static void add_times(struct schema *s)
{
    add(s, "\"duration\":{\"anyOf\":[{\"const\":0},");
    add_pattern(s, "^" DURATION "$");
    add(s, "]},\"span\":{\"anyOf\":[{\"const\":0},");
    add_pattern(s, "^" DURATION "(?:\\.\\.(?:" DURATION ")?)?$");
    add(s, "]}");
}

static void add_numbers(struct schema *s)
{
    add(s, ",\"range\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1},");
    add_pattern(s, "^(?:every " COUNT "|" COUNT "(?:\\.\\.[0-9]*)?)$");
    add(s, "]},\"ranges\":");
    add_one_or_more(s, "range");
    add(s, ",\"size\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},");
    add_pattern(s, "^[0-9]+[kKmMgG]?$");
    add(s, "]},\"some_size\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1},");
    add_pattern(s, "^" COUNT "[kKmMgG]?$");
    add(s, "]},\"size_range\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},");
    add_pattern(s, "^[0-9]+[kKmMgG]?(?:\\.\\.(?:[0-9]+[kKmMgG]?)?)?$");
    add(s, "]},\"size_ranges\":");
    add_one_or_more(s, "size_range");
    add(s, ",\"close_code\":{\"type\":\"integer\",\"anyOf\":["
           "{\"minimum\":1000,\"maximum\":1003},{\"minimum\":1007,\"maximum\":1014},"
           "{\"minimum\":3000,\"maximum\":4999}]}");
}

static void add_texts(struct schema *s)
{
    add(s,
        ",\"text\":{\"type\":[\"string\",\"number\",\"boolean\"],"
        "\"pattern\":\"^[^\\\\u0000]*$\"}"
        ",\"reason\":{\"type\":[\"string\",\"number\",\"boolean\"],\"maxLength\":123,"
        "\"pattern\":\"^[^\\\\u0000]*$\"}"
        ",\"name\":{\"type\":[\"string\",\"number\",\"boolean\"],\"minLength\":1,"
        "\"maxLength\":200,\"pattern\":\"^[^\\\\u0000-\\\\u001f\\\\u007f-\\\\u009f]*$"
        "\"}"
        ",\"header_value\":{\"type\":[\"string\",\"number\",\"boolean\"],"
        "\"pattern\":\"^[^\\\\u0000-\\\\u0008\\\\u000a-\\\\u001f\\\\u007f]*$\"}"
        ",\"base64\":");
    add_pattern(s, "^[ \\t\\r\\n]*(?:" SOME_BASE64 SOME_BASE64 SOME_BASE64 SOME_BASE64
                   ")*(?:" SOME_BASE64 SOME_BASE64 "(?:" SOME_BASE64 PADDING
                   "|" PADDING PADDING "))?$");
    add(s, ",\"header_name\":");
    add_pattern(s, "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$");
    add(s, ",\"header_names\":");
    add_one_or_more(s, "header_name");
}

static void add_maps(struct schema *s)
{
    add(s,
        ",\"headers\":{\"type\":\"object\",\"minProperties\":1,\"propertyNames\":"
        "{\"$ref\":\"#/$defs/header_name\"},\"additionalProperties\":"
        "{\"$ref\":\"#/$defs/header_value\"}}"
        ",\"header_globs\":{\"type\":\"object\",\"minProperties\":1,\"propertyNames\":"
        "{\"$ref\":\"#/$defs/header_name\"},\"additionalProperties\":"
        "{\"$ref\":\"#/$defs/text\"}}"
        ",\"expected\":{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":64,"
        "\"propertyNames\":{\"$ref\":\"#/$defs/path\"},\"additionalProperties\":"
        "{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}}"
        ",\"fields\":{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":64,"
        "\"propertyNames\":{\"$ref\":\"#/$defs/path\"}}");
}

static void add_paths(struct schema *s)
{
    add(s, ",\"path\":");
    add_pattern(s, "^(?:\\$|" NAME "|" BRACKETS ")" STEP "*$");
    add(s,
        ",\"field\":{\"anyOf\":[{\"type\":\"boolean\"},{\"allOf\":[{\"$ref\":"
        "\"#/$defs/path\"},{\"not\":{\"const\":\"$\"}}]}]},\"field_list\":"
        "{\"anyOf\":[{\"$ref\":\"#/$defs/field\"},{\"type\":\"array\",\"minItems\":1,"
        "\"maxItems\":64,\"items\":{\"$ref\":\"#/$defs/field\"}}]}"
        ",\"new_names\":{\"type\":\"object\",\"minProperties\":1,"
        "\"maxProperties\":64,\"propertyNames\":{\"allOf\":[{\"$ref\":"
        "\"#/$defs/path\"},{\"not\":");
    add_pattern(s, "(?:^\\$|" INDEX ")$");
    add(s, "}]},\"additionalProperties\":{\"$ref\":\"#/$defs/text\"}}");
}

/* ---- conditions ---- */

static void add_condition(struct schema *s, enum inject_condition c)
{
    static const char *const refs[INJECT_IF_COUNT] = {
        [INJECT_IF_CONNECTION] = "ranges",   [INJECT_IF_PATH] = "text",
        [INJECT_IF_HEADER] = "header_globs", [INJECT_IF_MESSAGE] = "ranges",
        [INJECT_IF_OPCODE] = "opcodes",      [INJECT_IF_JSON] = "expected",
        [INJECT_IF_TEXT] = "text",           [INJECT_IF_SIZE] = "size_ranges",
        [INJECT_IF_TIME] = "span",           [INJECT_IF_AGE] = "span",
        [INJECT_IF_AFTER] = "text",          [INJECT_IF_FROM] = "side",
    };
    const struct inject_condition_row *row = inject_condition_row(c);

    add_key(s, row->name);
    add(s, "{\"description\":");
    add_string(s, row->what);
    add(s, ",\"$ref\":\"#/$defs/");
    add(s, refs[c]);
    add(s, "\"}");
}

/* With an opcode condition, `condition` needs one of `names` among the opcodes. */
static void add_needed_opcode(struct schema *s, const char *condition,
                              const char *names)
{
    add(s, "{\"if\":{\"required\":[\"opcode\",\"");
    add(s, condition);
    add(s, "\"]},\"then\":{\"properties\":{\"opcode\":{\"anyOf\":[{\"enum\":");
    add(s, names);
    add(s, "},{\"type\":\"array\",\"contains\":{\"enum\":");
    add(s, names);
    add(s, "}}]}}}}");
}

static void add_when(struct schema *s)
{
    add(s, ",\"side\":");
    add_names(s, inject_side_names);
    add(s, ",\"opcode\":");
    add_names(s, inject_opcode_names);
    add(s, ",\"opcodes\":");
    add_one_or_more(s, "opcode");
    add(s, ",\"when\":{\"type\":\"object\",\"additionalProperties\":false,"
           "\"properties\":{");
    for (int i = 0; i < INJECT_IF_COUNT; i++) {
        add(s, i == 0 ? "" : ",");
        add_condition(s, (enum inject_condition)i);
    }
    add(s, "},\"allOf\":[");
    add_needed_opcode(s, "text", "[\"text\"]");
    add(s, ",");
    add_needed_opcode(s, "json", "[\"text\",\"binary\"]");
    add(s, "]}");
}

/* ---- actions ---- */

static void add_value(struct schema *s, const struct inject_param *p)
{
    switch (p->kind) {
    case INJECT_PARAM_NONE:
        add(s, "{\"enum\":[true,null]}");
        return;
    case INJECT_PARAM_DURATION:
        add_ref(s, "duration");
        return;
    case INJECT_PARAM_FOREVER:
        add(s, "{\"anyOf\":[{\"const\":\"forever\"},{\"$ref\":\"#/$defs/duration\"}]}");
        return;
    case INJECT_PARAM_NUMBER:
    case INJECT_PARAM_STATUS:
        add_integer(s, p->min, p->max);
        return;
    case INJECT_PARAM_SIZE:
        add_ref(s, p->min > 0 ? "some_size" : "size");
        return;
    case INJECT_PARAM_CLOSE:
        add_ref(s, "close_code");
        return;
    case INJECT_PARAM_REASON:
        add_ref(s, "reason");
        return;
    case INJECT_PARAM_VALUE:
        add_ref(s, "header_value");
        return;
    case INJECT_PARAM_CHOICE:
        add_names(s, p->names);
        return;
    case INJECT_PARAM_HEADERS:
        add_ref(s, "headers");
        return;
    case INJECT_PARAM_NAMES:
        add_ref(s, "header_names");
        return;
    case INJECT_PARAM_PATHS:
        add_ref(s, "field_list");
        return;
    case INJECT_PARAM_SETS:
        add_ref(s, "fields");
        return;
    case INJECT_PARAM_RENAMES:
        add_ref(s, "new_names");
        return;
    case INJECT_PARAM_TEXT:
        add(s, "{\"type\":[\"string\",\"number\",\"boolean\"]}");
        return;
    case INJECT_PARAM_JSON:
        add(s, "true");
        return;
    case INJECT_PARAM_FILE:
        add_ref(s, "text");
        return;
    case INJECT_PARAM_BASE64:
        add_ref(s, "base64");
        return;
    }
}

static void add_required(struct schema *s, const struct inject_action_row *row)
{
    bool first = true;

    if (!row->one_payload) {
        add(s, "\"required\":[");
        add_string(s, row->params[0].name);
        add(s, "]");
        return;
    }
    add(s, "\"oneOf\":[");
    for (size_t i = 0; i < INJECT_PARAMS_MAX && row->params[i].name != NULL; i++) {
        if (inject_param_is_payload(row->params[i].kind)) {
            add(s, first ? "{\"required\":[" : ",{\"required\":[");
            add_string(s, row->params[i].name);
            add(s, "]}");
            first = false;
        }
    }
    add(s, "]");
}

static void add_map_form(struct schema *s, const struct inject_action_row *row)
{
    add(s, ",{\"type\":\"object\",\"additionalProperties\":false,");
    add_required(s, row);
    add(s, ",\"properties\":{");
    for (size_t i = 0; i < INJECT_PARAMS_MAX && row->params[i].name != NULL; i++) {
        add(s, i == 0 ? "" : ",");
        add_key(s, row->params[i].name);
        add_value(s, &row->params[i]);
    }
    add(s, "}}");
}

static void add_action(struct schema *s, const struct inject_action_row *row)
{
    bool nothing = row->params[0].kind == INJECT_PARAM_NONE;

    add_key(s, row->name);
    add(s, "{\"description\":");
    add_string(s, row->what);
    add(s, ",\"anyOf\":[");
    add_value(s, &row->params[0]);
    add(s, row->bare && !nothing ? ",{\"enum\":[true,null]}" : "");
    if (inject_has_map_form(row)) {
        add_map_form(s, row);
    }
    add(s, "]}");
}

/* What `when` may have beside this action. */
static void add_conditions(struct schema *s, const struct inject_action_row *row)
{
    bool first = true;

    add(s, "\"propertyNames\":{\"enum\":[");
    for (int i = 0; i < INJECT_IF_COUNT; i++) {
        if ((row->conditions & 1U << i) != 0) {
            add(s, first ? "" : ",");
            add_string(s, inject_condition_row((enum inject_condition)i)->name);
            first = false;
        }
    }
    add(s, "]},\"properties\":{");
    if (row->direction != INJECT_BOTH_WAYS) {
        add(s, row->direction == INJECT_REQUEST_ONLY
                   ? "\"from\":{\"const\":\"client\"}"
                   : "\"from\":{\"const\":\"server\"}");
    }
    if (row->data_only) {
        add(s, "\"opcode\":{\"anyOf\":[{\"enum\":[\"text\",\"binary\"]},{\"type\":"
               "\"array\",\"items\":{\"enum\":[\"text\",\"binary\"]}}]}");
    }
    add(s, "}");
}

static void add_clashes(struct schema *s, const struct inject_action_row *row)
{
    bool refuse = row->stage == INJECT_STAGE_LISTEN;

    add(s, "{\"if\":{\"required\":[");
    add_string(s, row->name);
    add(s, refuse ? "]},\"then\":{\"required\":[\"when\"],\"properties\":{"
                    "\"probability\":false,\"times\":false,\"per_connection\":false,"
                    "\"when\":{\"required\":[\"time\"],"
                  : "]},\"then\":{\"properties\":{\"when\":{");
    add_conditions(s, row);
    add(s, "}}}}");
}

static void add_rule(struct schema *s)
{
    add(s, ",\"rule\":{\"type\":\"object\",\"additionalProperties\":false,"
           "\"properties\":{\"name\":{\"$ref\":\"#/$defs/name\"},"
           "\"when\":{\"$ref\":\"#/$defs/when\"},"
           "\"probability\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1},"
           "\"times\":{\"type\":\"integer\",\"minimum\":1},"
           "\"per_connection\":{\"type\":\"integer\",\"minimum\":1}");
    for (int i = 0; i < INJECT_ACTION_COUNT; i++) {
        add(s, ",");
        add_action(s, inject_action_row((enum inject_action)i));
    }
    add(s, "},\"oneOf\":[");
    for (int i = 0; i < INJECT_ACTION_COUNT; i++) {
        add(s, i == 0 ? "{\"required\":[" : ",{\"required\":[");
        add_string(s, inject_action_name((enum inject_action)i));
        add(s, "]}");
    }
    add(s, "],\"allOf\":[");
    for (int i = 0; i < INJECT_ACTION_COUNT; i++) {
        add(s, i == 0 ? "" : ",");
        add_clashes(s, inject_action_row((enum inject_action)i));
    }
    add(s,
        ",{\"if\":{\"required\":[\"violate\"],\"properties\":{\"violate\":{\"const\":"
        "\"utf8\"}}},\"then\":{\"properties\":{\"when\":{\"properties\":{\"opcode\":"
        "{\"anyOf\":[{\"const\":\"text\"},{\"type\":\"array\",\"contains\":"
        "{\"const\":\"text\"}}]}}}}}}]}");
}

/* ---- the whole ---- */

static void add_all(struct schema *s)
{
    add(s, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
           "\"title\":\"wstape rule file\",\"description\":\"What to break, and when: "
           "see docs/faults.md. Generated by wstape faults schema.\","
           "\"type\":\"object\",\"required\":[\"faults\"],"
           "\"additionalProperties\":false,\"properties\":{\"seed\":");
    add_integer(s, 0, UINT64_MAX);
    add(s, ",\"faults\":{\"type\":\"array\",\"maxItems\":1000,\"items\":"
           "{\"$ref\":\"#/$defs/rule\"}}},\"$defs\":{");
    add_times(s);
    add_numbers(s);
    add_texts(s);
    add_paths(s);
    add_maps(s);
    add_when(s);
    add_rule(s);
    add(s, "}}");
}

int inject_put_schema(struct buf *out)
{
    struct schema s = { .failed = 0 };
    int r;

    add_all(&s);
    r = s.failed < 0 ? s.failed : inject_indent_put(buf_bytes(&s.text), out);
    buf_deinit(&s.text);
    return r;
}
