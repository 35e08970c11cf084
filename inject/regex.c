#define PCRE2_CODE_UNIT_WIDTH 8

#include "inject/regex.h"

#include "base/alloc.h"

#include <errno.h>
#include <pcre2.h>

/* A text of a megabyte takes some ten milliseconds at worst. */
enum {
    MATCH_LIMIT = 1000000,
    DEPTH_LIMIT = 100000,
    HEAP_LIMIT_K = 16 * 1024,
    PATTERN_MAX = 16 * 1024,
};

struct inject_regex {
    pcre2_general_context *memory;
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match;
};

static void *get(PCRE2_SIZE len, void *unused)
{
    (void)unused;
    return alloc_get(len);
}

static void give_back(void *at, void *unused)
{
    (void)unused;
    alloc_free(at);
}

void inject_regex_free(struct inject_regex *r)
{
    if (r == NULL) {
        return;
    }
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    pcre2_general_context_free(r->memory);
    alloc_free(r);
}

static int explain(int number, size_t offset, struct err *e, size_t *column)
{
    PCRE2_UCHAR words[200];

    if (number == PCRE2_ERROR_HEAP_FAILED || number == PCRE2_ERROR_NOMEMORY) {
        return -ENOMEM;
    }
    if (number ==
        PCRE2_ERROR_PATTERN_STRING_TOO_LONG) { /* PCRE2 does not say how long */
        *column = 1;
        return err_set(e, INJECT_REGEX_BAD, "it is longer than 16k");
    }
    if (pcre2_get_error_message(number, words, sizeof(words)) < 0) {
        words[0] = '\0';
    }
    *column = offset + 1;
    return err_set(e, INJECT_REGEX_BAD, "%s", (const char *)words);
}

static int compile(struct inject_regex *r, struct bytes text, struct err *e,
                   size_t *column)
{
    pcre2_compile_context *context = pcre2_compile_context_create(r->memory);
    PCRE2_SIZE offset = 0;
    int number = 0;

    if (context == NULL) {
        return -ENOMEM;
    }
    pcre2_set_max_pattern_length(context, PATTERN_MAX);
    r->code =
        pcre2_compile(text.len == 0 ? (PCRE2_SPTR) "" : text.at, text.len,
                      PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &number, &offset, context);
    pcre2_compile_context_free(context);
    return r->code == NULL ? explain(number, offset, e, column) : 0;
}

static int prepare(struct inject_regex *r)
{
    r->match = pcre2_match_data_create(1, r->memory);
    r->limits = pcre2_match_context_create(r->memory);
    if (r->match == NULL || r->limits == NULL) {
        return -ENOMEM;
    }
    pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(r->limits, HEAP_LIMIT_K);
    return 0;
}

int inject_regex_new(struct bytes text, struct inject_regex **out, struct err *e,
                     size_t *column)
{
    struct inject_regex *r = alloc_zero(1, sizeof(*r));
    int result = -ENOMEM;

    if (r == NULL) {
        return -ENOMEM;
    }
    r->memory = pcre2_general_context_create(get, give_back, NULL);
    if (r->memory != NULL) {
        result = compile(r, text, e, column);
    }
    if (result == 0) {
        result = prepare(r);
    }
    if (result != 0) {
        inject_regex_free(r);
        return result;
    }
    *out = r;
    return 0;
}

int inject_regex_match(const struct inject_regex *r, struct bytes text)
{
    int n = pcre2_match(r->code, text.len == 0 ? (PCRE2_SPTR) "" : text.at, text.len, 0,
                        0, r->match, r->limits);

    return n == PCRE2_ERROR_NOMEMORY ? -ENOMEM : n >= 0;
}
