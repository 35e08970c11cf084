#include "base/text.h"
#include "cli/show.h"

#include <errno.h>
#include <stdio.h>

enum { ELEMENT_MAX = 32 };

static bool parse_number(const char *text, uint32_t *out)
{
    uint64_t value;

    if (text_parse_number(text, 1, UINT32_MAX, &value) < 0) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* "3", "3..5", "3..", "..5" */
static bool parse_element(char *text, uint32_t *first, uint32_t *last)
{
    char *dots = strstr(text, "..");

    if (dots == NULL) {
        return parse_number(text, first) && parse_number(text, last);
    }
    *dots = '\0';
    *first = 1;
    *last = UINT32_MAX;
    if (text[0] == '\0' && dots[2] == '\0') {
        return false;
    }
    return (text[0] == '\0' || parse_number(text, first)) &&
           (dots[2] == '\0' || parse_number(dots + 2, last)) && *first <= *last;
}

static int fail(struct err *e, const char *text)
{
    struct buf shown = { 0 };
    int r = text_put_escaped(&shown, bytes_of(text), 60);

    err_set(e, -EINVAL,
            "show: --connection: \"%.*s\" is no list of numbers like 3, 1..3, "
            "5.. or 1,4..6",
            r < 0 ? 0 : (int)shown.len, shown.at == NULL ? "" : (const char *)shown.at);
    buf_deinit(&shown);
    return -EINVAL;
}

static int fail_many(struct err *e)
{
    return err_set(e, -EINVAL,
                   "show: --connection: more than %d numbers and ranges (1..3 is one)",
                   SHOW_RANGES_MAX);
}

int show_ranges_add(struct show_ranges *r, const char *text, struct err *e)
{
    const char *at = text;

    for (;;) {
        size_t len = strcspn(at, ",");
        char element[ELEMENT_MAX];

        if (r->count == SHOW_RANGES_MAX) {
            return fail_many(e);
        }
        if (len >= sizeof(element)) {
            return fail(e, text);
        }
        memcpy(element, at, len);
        element[len] = '\0';
        if (!parse_element(element, &r->at[r->count].first, &r->at[r->count].last)) {
            return fail(e, text);
        }
        r->count++;
        if (at[len] == '\0') {
            return 0;
        }
        at += len + 1;
    }
}

bool show_ranges_hold(const struct show_ranges *r, uint32_t number)
{
    for (size_t i = 0; i < r->count; i++) {
        if (number >= r->at[i].first && number <= r->at[i].last) {
            return true;
        }
    }
    return r->count == 0;
}
