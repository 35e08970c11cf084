#include "replay/report_state.h"

#include "base/text.h"

#include <inttypes.h>

/* ---- XML 1.0: no control characters, no U+FFFE and U+FFFF ---- */

static const char *entity(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

/* `in` has been escaped: it is UTF-8 without control characters. */
static void put_xml(struct report_words *w, struct bytes in)
{
    for (size_t i = 0; w->error == 0 && i < in.len; i++) {
        const char *instead = entity(in.at[i]);
        bool none = in.at[i] == 0xef && in.len - i >= 3 && in.at[i + 1] == 0xbf &&
                    in.at[i + 2] >= 0xbe;

        if (none) {
            replay_words_text(w, "\\u{fffe}");
            i += 2;
        } else if (instead != NULL) {
            replay_words_text(w, instead);
        } else {
            w->error = buf_put_byte(w->out, in.at[i]);
        }
    }
}

static void put_escaped_xml(struct report_words *w, struct bytes in)
{
    struct buf safe = { 0 };

    if (w->error == 0) {
        w->error = text_put_escaped(&safe, in, REPLAY_REPORT_WORDS);
    }
    put_xml(w, buf_bytes(&safe));
    buf_deinit(&safe);
}

/* ---- the cases ---- */

static void put_name(const struct replay_report *r, const struct report_case *c,
                     struct report_words *w)
{
    const struct replay_connection *recorded = replay_report_recorded(r, c);

    if (c == &r->others) {
        replay_words_format(w, "%" PRIu64 " further connections", r->others_over);
        return;
    }
    replay_words_format(w, "connection %" PRIu32, c->connection);
    if (c->copy > 0 && r->copies > 1) {
        replay_words_format(w, " copy %" PRIu32, c->copy);
    }
    if (recorded != NULL && recorded->exchange_count > 0) {
        replay_words_text(w, ": ");
        put_escaped_xml(w, recorded->exchanges[0].method);
        replay_words_text(w, " ");
        put_escaped_xml(w, recorded->exchanges[0].target);
    }
}

static void put_failure(const struct replay_report *r, const struct report_case *c,
                        struct report_words *w)
{
    uint32_t of = c == &r->others ? REPLAY_NONE : (uint32_t)(c - r->cases);
    uint64_t listed = 0;

    replay_words_text(w, "      <failure type=\"mismatch\" message=\"");
    replay_words_count(w, c->mismatches, "mismatch", "mismatches");
    replay_words_text(w, "\">");
    for (size_t i = 0; i < r->kept_count; i++) {
        if (r->kept[i].of == of) {
            replay_words_text(w, listed++ == 0 ? "" : "\n");
            put_xml(w, bytes_of(r->kept[i].line));
        }
    }
    if (listed < c->mismatches) {
        replay_words_format(w, "%sand %" PRIu64 " more", listed == 0 ? "" : "\n",
                            c->mismatches - listed);
    }
    replay_words_text(w, "</failure>\n");
}

static void put_case(const struct replay_report *r, const struct report_case *c,
                     struct report_words *w)
{
    replay_words_text(w, "    <testcase classname=\"wstape.replay\" name=\"");
    put_name(r, c, w);
    replay_words_text(w, c->mismatches == 0 ? "\"/>\n" : "\">\n");
    if (c->mismatches > 0) {
        put_failure(r, c, w);
        replay_words_text(w, "    </testcase>\n");
    }
}

static bool has_others(const struct replay_report *r)
{
    return r->others_over > 0 || r->others.mismatches > 0;
}

static void put_totals(const struct replay_report *r, struct report_words *w)
{
    uint32_t failures = r->others.mismatches > 0;

    for (uint32_t i = 0; i < r->case_count; i++) {
        failures += r->cases[i].mismatches > 0;
    }
    replay_words_format(w,
                        "tests=\"%" PRIu32 "\" failures=\"%" PRIu32 "\" errors=\"0\"",
                        r->case_count + has_others(r), failures);
}

int replay_report_put_junit(const struct replay_report *r, const char *tape,
                            struct buf *out)
{
    struct report_words w = { .out = out };

    replay_words_text(&w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites ");
    put_totals(r, &w);
    replay_words_text(&w, ">\n  <testsuite name=\"");
    put_escaped_xml(&w, bytes_of(tape));
    replay_words_text(&w, "\" ");
    put_totals(r, &w);
    replay_words_text(&w, ">\n");
    for (uint32_t i = 0; i < r->case_count; i++) {
        put_case(r, &r->cases[i], &w);
    }
    if (has_others(r)) {
        put_case(r, &r->others, &w);
    }
    replay_words_text(&w, "  </testsuite>\n</testsuites>\n");
    return w.error;
}
